import subprocess
import sys

CHILD = """
from pathlib import Path
from edge import memory

def resident_kb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

memory.share_arena()
import grpc, numpy
before = resident_kb()
memory.settle()
after = resident_kb()
memory.load("json", "numpy.random")
assert numpy.linalg.inv(numpy.eye(3)).sum() == 3 and grpc.StatusCode.OK is not None
print(before - after)
"""


def test_what_only_the_start_needed_is_given_back_and_everything_still_runs() -> None:
    command = [sys.executable, "-c", CHILD]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) > 1024, "a megabyte at least of the code that loading touched"
