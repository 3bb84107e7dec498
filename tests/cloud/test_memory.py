"""What a pass took goes back to the system, and what lives long is looked at seldom."""

import asyncio
import gc
import subprocess
import sys
import weakref

import pytest

from cloud.memory import look_at_new, look_seldom

TAKE_AND_GIVE = """
import threading
from pathlib import Path
from cloud.memory import give_back, share_arenas

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

share_arenas()
import pyarrow as pa

kept = []

def take():
    pieces = [bytearray(60_000) for _ in range(1000)]  # too small to be mapped each by itself
    kept.extend(pieces[::100])  # what stays between them keeps the heap from shrinking by itself

give_back()
before = resident()
threads = [threading.Thread(target=take) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
taken = resident()
give_back()
print(before, taken, resident())
"""


def test_what_threads_freed_between_what_they_kept_is_given_back() -> None:
    told = subprocess.run(
        [sys.executable, "-c", TAKE_AND_GIVE], capture_output=True, text=True, check=True
    )
    before, taken, left = map(int, told.stdout.split())
    assert taken - before > 40e6
    assert left - before < 10e6


COLUMNS_THAT_COME_AND_GO = """
import sys

import pytest
from pathlib import Path
from cloud.memory import share_arenas

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if sys.argv[1] == "as serve does":
    share_arenas()
bytearray(20_000_000)  # once freed, it has glibc keep the next of its size in a heap
before = resident()
taken = [(bytearray(b"1") * 15_000_000, bytearray(b"1") * 100_000) for _ in range(20)]
kept = [small for _, small in taken]
del taken
print(before, resident())
"""


@pytest.mark.parametrize(("how", "kept"), [("as serve does", False), ("by default", True)])
def test_a_large_column_goes_when_it_is_freed(how: str, kept: bool) -> None:
    command = [sys.executable, "-c", COLUMNS_THAT_COME_AND_GO, how]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    before, left = map(int, told.stdout.split())
    assert (left - before > 100e6) == kept


PASSES_THAT_REUSE = """
from pathlib import Path
from cloud.memory import give_back, reuse_pages

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

reuse_pages()
import pyarrow as pa

def take():
    return [pa.py_buffer(bytearray(b"1") * 8_000_000) for _ in range(5)]

take()
give_back()
before = resident()
take()
kept = resident()
give_back()
print(before, kept, resident(), pa.default_memory_pool().backend_name)
"""


def test_pages_of_freed_columns_are_kept_for_the_next_until_they_are_given_back() -> None:
    command = [sys.executable, "-c", PASSES_THAT_REUSE]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    before, kept, left, pool = told.stdout.split()
    assert int(kept) - int(before) > 30e6
    assert int(left) - int(before) < 10e6
    assert pool == "system"


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
    looking = asyncio.create_task(look_seldom(freeze_s=0.001, looks=3))
    await asyncio.sleep(0)
    del old
    async with asyncio.timeout(20):
        while gone() is not None:
            await asyncio.sleep(0.001)
    looking.cancel()
