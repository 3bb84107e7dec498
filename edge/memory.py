"""The agent's own memory: kept small on a machine that has little.

Three habits of a process cost a gateway tens of megabytes: glibc's arena for every thread, freed
memory that is not given back, and the pages of libraries that only their loading, or something that
is long over, touched. All of it is Linux and glibc; elsewhere nothing is done.
"""

import contextlib
import ctypes
import gc
import importlib
import sys
from pathlib import Path
from typing import Any, Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_MAPPED_BYTES_MIN: Final = 8 << 20
"""Smaller arrays come from the heap: mapped anew for each batch they cost twice as much."""
_KEPT_BYTES: Final = 2 << 20
"""Freed memory that is kept for the next batch."""
_MADV_DONTNEED: Final = 4
_FILE_BYTES_MIN: Final = 128 << 10
"""Smaller mappings are not worth the call."""
_MAPS: Final = Path("/proc/self/maps")
_SMAPS: Final = Path("/proc/self/smaps")
_OURS: Final = ("Anonymous", "Swap")
YOUNG_MAX: Final = 10_000
"""Objects made between two looks of the garbage collector: a batch makes thousands, no cycles."""


def _libc() -> Any:
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


def share_arena() -> None:
    """Have all threads share one arena of glibc's; to be called before there are threads."""
    libc = _libc()
    if libc is not None:
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        libc.mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES_MIN)


def load(*names: str) -> None:
    """Import heavy libraries one by one, giving back after each: their peaks do not add up."""
    for name in names:
        if name not in sys.modules:
            importlib.import_module(name)
            settle()


def settle() -> None:
    """Give back what only the start needed; to be called once the heavy libraries are loaded.

    What lives now lives as long as the agent, so the garbage collector need not look at it again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX)
    let_go(unwritten())


def unwritten() -> frozenset[str]:
    """The mappings of files, as lines of /proc/self/maps, that hold nothing of this process's own.

    Not writable now, and no page in them was ever written: parts of a library that the loader
    filled in and then locked look alike but for that.
    """
    found: set[str] = set()
    here = ""
    with contextlib.suppress(OSError), _SMAPS.open() as lines:
        for line in lines:
            name, _, told = line.partition(":")
            if name in _OURS:
                if told.split()[0] != "0":
                    found.discard(here)
            elif _is_of_a_file(line):
                found.add(here := line)
            elif "-" in name and " " in name:
                here = ""
    return frozenset(found)


def _is_of_a_file(line: str) -> bool:
    """Whether a line begins a mapping of a file that is private, only read and large enough."""
    where, _, rest = line.partition(" ")
    if rest[:4] not in ("r-xp", "r--p") or "/" not in rest:
        return False
    start, _, end = where.partition("-")
    return int(end, 16) - int(start, 16) >= _FILE_BYTES_MIN


def let_go(mappings: frozenset[str]) -> None:
    """Drop the pages of these mappings from the resident set, and those of freed memory.

    What is used comes back from the page cache, 64 KB at a touch. A mapping that is no longer there
    as it was is left alone: what took its place may hold what cannot be read again.
    """
    libc = _libc()
    if libc is None:
        return
    libc.malloc_trim(0)
    madvise = libc.madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    with contextlib.suppress(OSError), _MAPS.open() as lines:
        for line in mappings.intersection(lines):
            start, end = (int(word, 16) for word in line.split(None, 1)[0].split("-"))
            madvise(start, end - start, _MADV_DONTNEED)
