"""The gateway's clock: what time it says, and whether that can be believed.

A gateway may have no clock battery, wake up in 1970 and be set years later. So each stamp carries
three things: a time, a clock that never steps (since boot, suspend included), and whether the wall
clock was synchronised. What the time is while it was not, and how it is corrected afterwards, is
`edge.timeline`'s; here are the clocks themselves, and the file `clock.json` that outlives a boot.
"""

import ctypes
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from edge.timeline import SANE_FROM_US, STEP_US, Kept, Stamp, Stretch, Timeline
from protos.durable import put

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
TIMESYNC: Final = Path("/run/systemd/timesync/synchronized")
SYNC_CHECK_US: Final = 5_000_000  # one system call in five seconds, whatever the rate of readings

__all__ = ["SANE_FROM_US", "Clock", "Stamp"]

_log = logging.getLogger(__name__)
_STA_UNSYNC: Final = 0x40  # <linux/timex.h>
_TIME_ERROR: Final = 5


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


class SystemSync:
    """Whether the clock was synchronised in this boot, by the kernel's or systemd's word.

    systemd-timesyncd leaves its mark for the rest of the boot, while the kernel forgets after
    some hours without a server; a crystal is then still within milliseconds a minute, so the
    weaker word is enough, until someone sets the clock: then the mark must be a new one.
    """

    def __init__(
        self, kernel: Callable[[], bool | None] = kernel_synced, mark: Path = TIMESYNC
    ) -> None:
        self._kernel = kernel
        self._mark = mark
        self._stale_ns = 0

    def synced(self) -> bool:
        """What the system says now."""
        marked_ns = self._marked_ns()
        return self._kernel() is True or marked_ns not in (0, self._stale_ns)

    def stepped(self) -> None:
        """The clock was set: the mark that is there now says nothing any more."""
        self._stale_ns = self._marked_ns()

    def _marked_ns(self) -> int:
        try:
            return self._mark.stat().st_mtime_ns
        except OSError:
            return 0


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
    """Stamps for the whole agent, from any thread; its sources are arguments, for tests.

    ``path`` is where the timeline is kept; None: nowhere.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], int] = wall_us,
        mono: Callable[[], int] = mono_us,
        synced: Callable[[], bool] | None = None,
        stepped: Callable[[], None] | None = None,
        boot_id: bytes | None = None,
        path: Path | None = None,
    ) -> None:
        system = SystemSync()
        self.boot_id = read_boot_id() if boot_id is None else boot_id
        self._wall = wall
        self._mono = mono
        self._synced = synced or system.synced
        self._stepped = stepped or system.stepped
        self._path = path
        self._lock = threading.Lock()
        self._checked_us = -SYNC_CHECK_US
        self._is_synced = False
        self._line_us: int | None = None
        self._is_told = False
        self._timeline = Timeline(self.boot_id, _load(path), mono())

    def now(self) -> Stamp:
        """Look at both clocks together."""
        with self._lock:
            wall, mono = self._look()
            stamp = self._timeline.look(wall, mono, synced=self._is_synced)
            self._save()
            return stamp

    def settle(self) -> tuple[Stretch, ...]:
        """Stretches of unsynced time whose offset is known now, until they are `told`."""
        with self._lock:
            wall, mono = self._look()
            found = self._timeline.settle(wall, mono, synced=self._is_synced)
            self._save()
            return found

    def told(self, stretches: tuple[Stretch, ...]) -> None:
        """Their corrections are in the buffer."""
        with self._lock:
            self._timeline.told(stretches)
            self._save()

    @property
    def waiting(self) -> int:
        """Stretches of unsynced time whose offset is not known yet."""
        return self._timeline.waiting

    @property
    def forgotten(self) -> int:
        """Stretches whose boot ended before their offset was known: it never will be."""
        return self._timeline.kept.forgotten

    def _look(self) -> tuple[int, int]:
        """Both clocks; asks the system when it is time to, or when the wall clock was set."""
        wall, mono = self._wall(), self._mono()
        line, before = wall - mono, self._line_us
        self._line_us = line
        is_set = before is not None and abs(line - before) > STEP_US
        if is_set:
            self._stepped()
        if is_set or mono - self._checked_us >= SYNC_CHECK_US:
            self._checked_us = mono
            self._is_synced = self._synced()
        return wall, mono

    def _save(self) -> None:
        """A card that cannot be written must not stop what is taken in: told once, tried again."""
        if self._path is None or not self._timeline.unsaved:
            return
        try:
            put(self._path, msgspec.json.encode(self._timeline.kept))
        except OSError as error:
            if not self._is_told:
                _log.error("could not keep the clock's state in %s: %s", self._path, error)
            self._is_told = True
            return
        self._is_told = self._timeline.unsaved = False


def _load(path: Path | None) -> Kept:
    """What was kept; nothing where there is nothing that can be read."""
    if path is None:
        return Kept()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return Kept()
    except (OSError, msgspec.MsgspecError) as error:
        _log.error("the clock's state in %s is lost: %s", path, error)
        return Kept()
