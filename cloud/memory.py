"""The aggregator's own memory: what a pass took is given back when it is over.

Blocks come in through gRPC's threads, and each consolidation takes and frees hundreds of megabytes
in columns. glibc keeps freed memory by thread, Arrow's allocator in pools of its own: both may keep
as much as is in use, which no bound of ours counts. Linux and glibc; elsewhere Arrow's part alone.
"""

import ctypes
import os
from pathlib import Path
from typing import Any, Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
ARENAS: Final = 2
"""Of glibc's; by default there are eight for each core."""
OWN_PAGES_BYTES: Final = 2 << 20
"""What takes more has pages of its own, which go when it does. By default that bound rises to
32 MiB with what is freed, and the columns of a pass lie where only `give_back` gets at them."""


def _libc() -> Any:
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


def share_arenas() -> None:
    """Have all threads share `ARENAS` arenas of glibc's, and large arrays lie outside of them.

    To be called before there are threads.
    """
    libc = _libc()
    if libc is not None:
        libc.mallopt(_M_ARENA_MAX, ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, OWN_PAGES_BYTES)


REUSED_BYTES: Final = 32 << 20
"""The most that glibc lets lie in its heap."""


def reuse_pages() -> None:
    """Have arrays, Arrow's too, lie in one heap where the next ones take the pages of freed ones.

    For a process that consolidates and nothing else: a pass takes the same arrays for each group of
    blocks, and fresh pages for all of them are a seventh of its time. `give_back` lets go of them.
    To be called before there are threads.
    """
    import pyarrow as pa

    libc = _libc()
    if libc is not None:
        libc.mallopt(_M_ARENA_MAX, ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, REUSED_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, 1 << 30)
        pa.set_memory_pool(pa.system_memory_pool())


def resident_bytes(pid: int) -> int:
    """What a process holds now, by the kernel's count; 0 when it is gone, and off Linux."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Give what is free back to the system: Arrow's pools, and glibc's arenas."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)
