"""What a pass took goes back to the system."""

import subprocess
import sys

import pytest

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
