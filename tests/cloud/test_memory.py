"""What a pass took goes back to the system."""

import subprocess
import sys

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
