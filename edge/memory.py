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
from typing import Any, Final, NamedTuple

from edge.errors import LibraryError

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_MAPPED_BYTES_MIN: Final = 8 << 20
"""Smaller arrays come from the heap: mapped anew for each batch they cost twice as much."""
_KEPT_BYTES: Final = 2 << 20
"""Freed memory that is kept for the next batch."""
_MADV_DONTNEED: Final = 4
_MADV_DONTDUMP: Final = 16
PIECE_BYTES: Final = 8 << 10
"""What one touch of code brings in once it is cut, where Linux alone takes 64 KB."""
_CUT_BYTES: Final = range(1 << 20, 16 << 20)
"""Mappings of other sizes are left whole, for each piece costs the kernel 200 bytes: the code of
OpenBLAS is larger, one kernel for each kind of processor, and is hardly touched."""
_MAPS: Final = Path("/proc/self/maps")
_SMAPS: Final = Path("/proc/self/smaps")
_OURS: Final = ("Anonymous", "Swap")
_UNLOADABLE: Final = (ImportError, OSError, SyntaxError, EOFError, ValueError)
"""What a library raises that is gone, of another version, or on a card that lost some of it."""
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
    """Import heavy libraries one by one, giving back after each: their peaks do not add up.

    Raises:
        LibraryError: one of them does not load.
    """
    for name in names:
        if sys.modules.get(name) is None:
            try:
                importlib.import_module(name)
            except _UNLOADABLE as error:
                raise LibraryError(name, error) from error
            settle()


def settle() -> tuple["Mapping", ...]:
    """Give back what only the start needed; to be called once the heavy libraries are loaded.

    What lives now lives as long as the agent, so the garbage collector need not look at it again.
    Says which mappings were let go, as `unwritten` does.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX)
    mappings = unwritten()
    let_go(mappings)
    return mappings


class Mapping(NamedTuple):
    """A stretch of a file in memory: private, only read, as one or as neighbouring pieces.

    ``origin`` is the address where the file's first byte would lie, ``file`` the rights, the
    device, the inode and the path as the kernel tells them.
    """

    start: int
    end: int
    origin: int
    file: str

    def holds(self, other: "Mapping") -> bool:
        """Whether the other is all of this or a piece of it."""
        inside = self.start <= other.start and other.end <= self.end
        return inside and self.origin == other.origin and self.file == other.file


def unwritten() -> tuple[Mapping, ...]:
    """The mappings of files that hold nothing of this process's own, by address.

    Not writable now, and no page in them was ever written: parts of a library that the loader
    filled in and then locked look alike but for that.
    """
    found: list[Mapping] = []
    here: Mapping | None = None
    with contextlib.suppress(OSError), _SMAPS.open(errors="surrogateescape") as lines:
        for line in lines:
            if line[0].isupper():  # a figure of the mapping that was named last
                name, _, told = line.partition(":")
                if name in _OURS and told.split()[0] != "0":
                    here = None
            else:
                _join(found, here)
                here = _mapping(line)
    _join(found, here)
    return tuple(found)


def _mapping(line: str) -> Mapping | None:
    """What a line of /proc/self/maps names, if it is of a file, private and only read."""
    place, rights, offset, file = line.split(None, 3)
    if rights not in ("r-xp", "r--p") or "/" not in file:
        return None
    start, _, end = place.partition("-")
    begin = int(start, 16)
    return Mapping(begin, int(end, 16), begin - int(offset, 16), f"{rights} {file}")


def _join(found: list[Mapping], one: Mapping | None) -> None:
    """Add a mapping, as one with the last if it is the next piece of it."""
    if one is None:
        return
    last = found[-1] if found else None
    if last is None or (last.end, last.origin, last.file) != (one.start, one.origin, one.file):
        found.append(one)
    else:
        found[-1] = Mapping(last.start, one.end, last.origin, last.file)


def cut(mappings: tuple[Mapping, ...]) -> None:
    """Have a touch of the larger of these mappings bring in a piece of `PIECE_BYTES`, no more.

    Linux brings in 64 KB around a touch, of which little is used, but never beyond the mapping.
    So every second piece is marked as one that core dumps leave out, which they do anyway with
    code: pieces that are marked differently are mappings of their own. Nothing else changes.
    """
    madvise = _madvise()
    if madvise is None:
        return
    for one in _still_there(mappings):
        if one.end - one.start in _CUT_BYTES:
            for at in range(one.start, one.end, 2 * PIECE_BYTES):
                madvise(at, min(PIECE_BYTES, one.end - at), _MADV_DONTDUMP)


def let_go(mappings: tuple[Mapping, ...]) -> None:
    """Drop the pages of these mappings from the resident set, and those of freed memory.

    What is used comes back from the page cache at a touch. A mapping that is no longer there as it
    was is left alone: what took its place may hold what cannot be read again.
    """
    madvise = _madvise()
    if madvise is None:
        return
    _libc().malloc_trim(0)
    for one in _still_there(mappings):
        madvise(one.start, one.end - one.start, _MADV_DONTNEED)


def _madvise() -> Any:
    libc = _libc()
    if libc is None:
        return None
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return libc.madvise


def _still_there(mappings: tuple[Mapping, ...]) -> list[Mapping]:
    """What of the mappings is as it was; both they and what the kernel tells go by address."""
    found: list[Mapping] = []
    known = iter(mappings)
    before = next(known, None)
    with contextlib.suppress(OSError), _MAPS.open(errors="surrogateescape") as lines:
        for line in lines:
            one = _mapping(line)
            while one and before and before.end <= one.start:
                before = next(known, None)
            if one and before and before.holds(one):
                _join(found, one)
    return found
