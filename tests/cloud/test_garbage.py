"""Garbage is found in what is new at once, and in what lives long once in a while."""

import asyncio
import gc
import weakref

import pytest

from cloud.garbage import look_at_new, look_seldom


class Ring:
    """What only the garbage collector lets go of."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def as_before():
    young = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*young)


def test_what_lives_is_looked_at_no_more_and_what_came_since_is(as_before) -> None:
    old = Ring()
    gone = weakref.ref(old)
    look_at_new()
    assert gc.get_freeze_count() > 0
    del old
    new = weakref.ref(Ring())
    gc.collect()
    assert gone() is not None
    assert new() is None


async def test_once_in_a_while_all_that_lives_is_looked_at(as_before) -> None:
    old = Ring()
    gone = weakref.ref(old)
    looking = asyncio.create_task(look_seldom(asyncio.sleep, freeze_s=0.001, looks=3))
    await asyncio.sleep(0)
    del old
    async with asyncio.timeout(20):
        while gone() is not None:
            await asyncio.sleep(0.001)
    looking.cancel()
