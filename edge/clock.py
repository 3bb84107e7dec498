"""The gateway's clock: what time it says, and whether that can be believed.

A gateway may have no clock battery, wake up in 1970 and be set years later. So each stamp carries
three things: the wall clock, a clock that never steps (since boot, suspend included), and whether
the wall clock was synchronised. With the boot's id the second corrects the first afterwards.
"""

import ctypes
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from protos.records import Quality

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
TIMESYNC: Final = Path("/run/systemd/timesync/synchronized")
SYNC_CHECK_US: Final = 5_000_000  # one system call in five seconds, whatever the rate of readings
SANE_FROM_US: Final = 1_735_689_600_000_000  # 2025-01-01: before Tidegate existed nothing is synced

_STA_UNSYNC: Final = 0x40  # <linux/timex.h>
_TIME_ERROR: Final = 5


@dataclass(frozen=True, slots=True)
class Stamp:
    """One look at the clock: µs since 1970 UTC, µs since boot, and what the first is worth."""

    wall_us: int
    mono_us: int
    quality: Quality


class _Timex(ctypes.Structure):
    """struct timex of the 64-bit kernel; only `modes` (0: read) and `status` matter here."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),  # more than any kernel writes
    )


def kernel_synced() -> bool | None:
    """Ask the kernel whether something disciplines its clock (adjtimex(2), read only).

    None when the question is not allowed, as in a sandbox that forbids the whole clock group.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    timex = _Timex()
    state = libc.adjtimex(ctypes.byref(timex))
    if state < 0:
        return None
    return state != _TIME_ERROR and not timex.status & _STA_UNSYNC


def system_synced() -> bool:
    """Whether the clock was ever synchronised in this boot, by the kernel's or systemd's word.

    systemd-timesyncd leaves its mark for the rest of the boot, while the kernel forgets after
    some hours without a server; a crystal is then still within milliseconds a minute, so the
    weaker word is enough.
    """
    return kernel_synced() is True or TIMESYNC.exists()


def wall_us() -> int:
    """Microseconds since 1970 UTC, as the system believes."""
    return time.time_ns() // 1000


def mono_us() -> int:
    """Microseconds since boot, time asleep included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def read_boot_id(path: Path = BOOT_ID) -> bytes:
    """The kernel's 16-byte name of this boot; a random one where there is no such file.

    A container without it is then a boot of its own at each start, which is the safe reading:
    monotonic times of two starts are never compared.
    """
    try:
        return uuid.UUID(path.read_text().strip()).bytes
    except (OSError, ValueError):
        return os.urandom(16)


class Clock:
    """Stamps for the whole agent; its sources are arguments so that tests can be any clock."""

    def __init__(
        self,
        *,
        wall: Callable[[], int] = wall_us,
        mono: Callable[[], int] = mono_us,
        synced: Callable[[], bool] = system_synced,
        boot_id: bytes | None = None,
    ) -> None:
        self.boot_id = read_boot_id() if boot_id is None else boot_id
        self._wall = wall
        self._mono = mono
        self._synced = synced
        self._checked_us = -SYNC_CHECK_US
        self._quality = Quality.GATEWAY_UNSYNCED

    def now(self) -> Stamp:
        """Look at both clocks together."""
        wall, mono = self._wall(), self._mono()
        if mono - self._checked_us >= SYNC_CHECK_US:
            self._checked_us = mono
            synced = self._synced()
            self._quality = Quality.GATEWAY_SYNCED if synced else Quality.GATEWAY_UNSYNCED
        sane = wall >= SANE_FROM_US
        return Stamp(wall, mono, self._quality if sane else Quality.GATEWAY_UNSYNCED)
