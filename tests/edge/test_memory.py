import subprocess
import sys
from pathlib import Path

import pytest

from edge import memory
from edge.errors import LibraryError

CHILD = """
from pathlib import Path

import pytest

from edge import memory
from edge.errors import LibraryError
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


MAPPED = """
import ctypes, mmap, sys
from edge import memory

libc = ctypes.CDLL(None)
file = open(sys.argv[1], "rb")

def mapped():
    made = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    return made, ctypes.addressof(ctypes.c_char.from_buffer(made))

def lock(at):
    assert libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(SIZE), 1) == 0

def has(found, at):
    return any(one.start <= at < one.end for one in found)

SIZE = 1 << 20
clean, clean_at = mapped()
written, written_at = mapped()
written[:4] = b"mine"
lock(clean_at), lock(written_at)
found = memory.unwritten()
assert has(found, clean_at), "a file that is only read may go"
assert not has(found, written_at), "what was written is nowhere else"

FIXED_PRIVATE_ANONYMOUS = 0x32
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
assert libc.mmap(clean_at, SIZE, 3, FIXED_PRIVATE_ANONYMOUS, -1, 0) == clean_at
ctypes.memmove(clean_at, b"new", 3)
memory.let_go(found)
memory.settle()
print(ctypes.string_at(clean_at, 3).decode(), ctypes.string_at(written_at, 4).decode())
"""


def test_nothing_that_was_written_is_ever_given_back(tmp_path: Path) -> None:
    file = tmp_path / "library"
    file.write_bytes(b"file" * (1 << 18))
    command = [sys.executable, "-c", MAPPED, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "new mine\n", done.stderr


def test_what_was_let_go_is_fetched_again_and_the_rest_of_the_process_knows_nothing() -> None:
    child = (
        "import numpy\n"
        "from edge import memory\n"
        "told = memory.unwritten()\n"
        "for _ in range(20):\n"
        "    memory.let_go(told)\n"
        "    assert numpy.linalg.inv(numpy.eye(3)).sum() == 3\n"
        "print(len(told) > 3)\n"
    )
    command = [sys.executable, "-c", child]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "True\n"


CUT = """
import ctypes, mmap, sys
from edge import memory

PAGE = mmap.PAGESIZE
file = open(sys.argv[1], "rb")
made = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
at = ctypes.addressof(ctypes.c_char.from_buffer(made))
libc = ctypes.CDLL(None)
assert libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(len(made)), 1) == 0

def stretch():
    return [one for one in memory.unwritten() if one.start <= at < one.end]

def resident_kb():
    kb, ours = 0, False
    for line in open("/proc/self/smaps"):
        if not line[0].isupper():
            ours = at <= int(line.partition("-")[0], 16) < at + len(made)
        elif ours and line.startswith("Rss:"):
            kb += int(line.split()[1])
    return kb

def touched_kb():
    memory.let_go(mappings)
    assert resident_kb() == 0
    for place in range(0, len(made), 128 << 10):
        assert made[place : place + 4] == b"file"
    return resident_kb()

mappings = stretch()
whole = touched_kb()
memory.cut(mappings)
assert stretch() == mappings, "its pieces are told as the one they were"
touches = len(made) // (128 << 10)
print(touched_kb() <= touches * memory.PIECE_BYTES // 1024 < whole)
"""


def test_code_that_was_cut_comes_back_a_small_piece_at_a_touch(tmp_path: Path) -> None:
    file = tmp_path / "library"
    file.write_bytes(b"file" * (1 << 19))
    command = [sys.executable, "-c", CUT, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize(
    "content", [b"import a_library_that_is_gone", b"def", b"raise OSError(5, 'a bad sector')"]
)
def test_a_library_that_is_damaged_is_told_by_name(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_damaged_library.py").write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LibraryError, match="could not load the library a_damaged_library: "):
        memory.load("a_damaged_library")
