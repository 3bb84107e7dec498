"""Turns: few at once, in the order they came, and who takes long goes on beside the others."""

import asyncio
import threading

import pytest

from cloud.serve.turns import Turns

NEVER_S = 1_000.0


class Work:
    """Work that begins when it is let, and ends when it is told."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self) -> int:
        self.begun.set()
        assert self.may_end.wait(20)
        return 7


async def begun(work: Work) -> None:
    assert await asyncio.to_thread(work.begun.wait, 20)


async def waiting(turns: Turns, count: int) -> None:
    while turns._turns.statistics().tasks_waiting != count:
        await asyncio.sleep(0)


def test_the_next_begins_when_one_before_it_ends():
    async def play() -> None:
        turns, works = Turns(turns=2, turn_s=NEVER_S), [Work() for _ in range(4)]
        tasks = [asyncio.create_task(turns.run(work)) for work in works]
        await waiting(turns, 2)
        await asyncio.gather(begun(works[0]), begun(works[1]))
        assert not works[2].begun.is_set()
        works[1].may_end.set()
        assert await tasks[1] == 7
        await begun(works[2])
        assert not works[3].begun.is_set()
        for work in works:
            work.may_end.set()
        assert await asyncio.gather(*tasks) == [7] * 4

    asyncio.run(play())


def test_work_that_takes_long_lets_the_next_begin_beside_it():
    async def play() -> None:
        turns, works = Turns(turns=1, turn_s=0.0), [Work() for _ in range(3)]
        tasks = [asyncio.create_task(turns.run(work)) for work in works]
        await asyncio.gather(*map(begun, works))  # none of them has ended
        for work in works:
            work.may_end.set()
        assert await asyncio.gather(*tasks) == [7] * 3
        assert turns._turns.borrowed_tokens == 0

    asyncio.run(play())


def test_work_that_fails_gives_its_turn_back():
    def fail() -> None:
        raise ValueError("no")

    async def play() -> None:
        turns = Turns(turns=1, turn_s=NEVER_S)
        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                await turns.run(fail)

    asyncio.run(play())
