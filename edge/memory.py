"""The agent's own memory: kept small on a machine that has little.

Three habits of a process cost a gateway tens of megabytes: glibc's arena for every thread, freed
memory that is not given back, and the pages of large libraries that only their loading touched.
All of it is Linux and glibc; elsewhere nothing is done.
"""

import contextlib
import ctypes
import gc
import importlib
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
_CODE_BYTES_MIN: Final = 1 << 20
"""Smaller libraries are not worth the call."""
_MAPS: Final = Path("/proc/self/maps")
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
        importlib.import_module(name)
        settle()


def settle() -> None:
    """Give back what only the start needed; to be called once the heavy libraries are loaded.

    What lives now lives as long as the agent, so the garbage collector need not look at it again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX)
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)
        with contextlib.suppress(OSError):
            _let_code_go(libc)


def _let_code_go(libc: Any) -> None:
    """Drop pages of code from the resident set; those that are used come back from the page cache.

    Only mappings that are executable and not writable: nothing private can be in them.
    """
    madvise = libc.madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for line in _MAPS.read_text().splitlines():
        where, rights, *_, path = line.split(None, 5) if line.count(" ") >= 5 else (line, "", "")
        if rights != "r-xp" or not path.startswith("/"):
            continue
        start, end = (int(word, 16) for word in where.split("-"))
        if end - start >= _CODE_BYTES_MIN:
            madvise(start, end - start, _MADV_DONTNEED)
