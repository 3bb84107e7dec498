"""The disk below the home: what kind it is, its room, and how long it takes to keep its word."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge import selftest_words as card
from edge.doctor.card import CARD_KINDS, life
from edge.doctor.case import Case
from edge.doctor.kind import STORAGE, Finding, fault, hint, ok, warning
from edge.doctor.theme import Theme
from edge.health_text import size
from edge.selftest import place_of, quantile
from edge.selftest_words import Place
from protos.limits import MIB

KIND: Final = "the file system of the state directory"
ROOM: Final = "room on the disk"
SPEED: Final = "how long a commit takes"
ROOM_LEFT_MIN: Final = 16 * MIB
"""Below it nothing else on the machine works either."""
FILES_LEFT_MIN: Final = 1000
WRITES: Final = 24
WRITE_S_MAX: Final = 2.0
"""Most that the measurement takes: 24 writes of 4 KiB, 96 KiB on the card."""
_ELSEWHERE: Final = "put the home on a disk that stays (`--home`, or the unit's state directory)"

LASTING = ok("disk.kind", KIND)
MEMORY = fault("disk.memory", KIND, _ELSEWHERE, STORAGE)
OVERLAY = fault(
    "disk.overlay",
    KIND,
    "mount a partition or volume there. On Raspberry Pi OS: `raspi-config`, Performance, Overlay "
    "File System: off, or a partition of its own for {path}",
    STORAGE,
)
READ_ONLY = fault(
    "disk.read-only",
    KIND,
    "look at `dmesg`: a file system turns so after an error; check it (`fsck`), or change the card",
    STORAGE,
)
NO_BARRIER = fault(
    "disk.no-barrier",
    KIND,
    "mount it without {options}: a power cut would take what was acknowledged",
    STORAGE,
)
DOUBTFUL = warning(
    "disk.doubtful", KIND, "ext4 or f2fs on a disk of this machine is what is tested"
)
ROOMY = ok("disk.room", ROOM)
TIGHT = warning(
    "disk.tight",
    ROOM,
    "free {lack}, or set `buffer.bytes_max` below what there is: the buffer should be full before "
    "the disk is",
)
FULL = fault(
    "disk.full", ROOM, "free some: `journalctl --vacuum-size=50M`, `apt-get clean`", STORAGE
)
QUICK = ok("disk.commit", SPEED)
SLOW = warning(
    "disk.slow",
    SPEED,
    "another card (A1 or A2), or a disk on USB: alerts and PUBACKs wait for each commit. "
    "`tidegate-edge selftest DIR` measures more",
)
UNMEASURED = hint("disk.unmeasured", SPEED, "`tidegate-edge selftest {path}` measures it")


def examine(case: Case) -> Iterator[Finding]:
    """Look at the disk; nothing of it has a name, so nothing is left whatever happens."""
    folder = next(one for one in (case.home, *case.home.parents) if one.is_dir())
    mounts = case.system("/proc/self/mountinfo")
    place = place_of(folder, str(mounts), case.system("/sys/dev/block"))
    yield from _kind(folder, place)
    yield from _room(case, folder)
    yield from _speed(case, folder)
    yield from life(case, folder, place)


def _kind(folder: Path, place: Place) -> Iterator[Finding]:
    kind = place.filesystem or "an unknown file system"
    where = f"{kind} on {place.device}" if place.device else kind
    found = list(_refusals(folder, place, where)) or list(_doubts(place, where))
    yield from found or [LASTING.found(f"{folder}: {where}")]


def _refusals(folder: Path, place: Place, where: str) -> Iterator[Finding]:
    if place.filesystem in card.FORGETFUL:
        yield MEMORY.found(f"{where} is memory: a power cut takes every reading and the key")
    if place.filesystem == "overlay":
        told = (
            "overlay: what is written lies in an upper layer, which is memory (a read-only root) "
            "or goes with a container. Readings, key and identity would be gone"
        )
        yield OVERLAY.found(told, path=folder)
    if "ro" in place.options:
        yield READ_ONLY.found(f"{where} is mounted read-only: nothing can be kept")
    if off := sorted(card.NO_BARRIER & set(place.options)):
        told = f"{where} is mounted with {', '.join(off)}: the disk's cache is never flushed"
        yield NO_BARRIER.found(told, options=", ".join(off))


def _doubts(place: Place, where: str) -> Iterator[Finding]:
    if place.filesystem in card.REMOTE or place.filesystem.startswith("fuse"):
        yield DOUBTFUL.found(f"{where} hands the promise on to another machine or program")
    elif place.filesystem in card.UNJOURNALED:
        yield DOUBTFUL.found(f"{where} has no journal: a power cut may damage the folder itself")
    elif not place.filesystem:
        yield DOUBTFUL.found("the kernel does not tell what it is")


def _room(case: Case, folder: Path) -> Iterator[Finding]:
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < ROOM_LEFT_MIN:
        yield FULL.found(f"{size(free)} are free")
        return
    if disk.f_files and disk.f_favail < FILES_LEFT_MIN:
        yield FULL.found(f"{disk.f_favail:,} more files can be made")
        return
    wanted = _wanted(case)
    if free < wanted:
        told = f"{size(free)} are free, and the buffer may still take {size(wanted)}"
        yield TIGHT.found(told, lack=size(wanted - free))
    else:
        more = f", and the buffer takes {size(wanted)} more at most" if wanted else ""
        yield ROOMY.found(f"{size(free)} free{more}")


def _wanted(case: Case) -> int:
    """What the buffer may still take."""
    if case.loaded is None:
        return 0
    path = case.config.buffer_path
    files = (path, path.with_name(f"{path.name}-wal"))
    taken = sum(one.stat().st_size for one in files if one.exists())
    return max(0, case.config.settings.buffer.bytes_max - taken)


def _speed(case: Case, folder: Path) -> Iterator[Finding]:
    """Time writes that are made safe, into a file without a name (O_TMPFILE)."""
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)
    except OSError as error:
        told = f"not here: {error.strerror}"
        yield UNMEASURED.found(told, path=folder)
        return
    try:
        taken_ms = _timed(descriptor)
    except OSError as error:
        yield READ_ONLY.found(f"a write failed: {error.strerror}")
        return
    finally:
        os.close(descriptor)
    half, most = quantile(taken_ms, 0.5), max(taken_ms)
    told = (
        f"{half:.1f} ms for half of {len(taken_ms)} writes that were made safe, {most:.0f} ms most"
    )
    latency = case.health.buffer.commit_latency if case.health else None
    if latency and sum(latency.counts):
        mean_ms = latency.sum_s * 1e3 / sum(latency.counts)
        half = max(half, mean_ms)
        told += f"; the agent's own commits {mean_ms:.1f} ms on average"
    yield (SLOW if half > card.SLOW_COMMIT_MS else QUICK).found(told)


def _timed(descriptor: int) -> list[float]:
    taken: list[float] = []
    end_s = time.monotonic() + WRITE_S_MAX
    while len(taken) < WRITES and (not taken or time.monotonic() < end_s):
        began_s = time.perf_counter()
        os.pwrite(descriptor, os.urandom(4096), len(taken) * 4096)
        os.fdatasync(descriptor)
        taken.append((time.perf_counter() - began_s) * 1e3)
    return taken


THEME = Theme(
    "disk",
    (
        LASTING, MEMORY, OVERLAY, READ_ONLY, NO_BARRIER, DOUBTFUL, ROOMY, TIGHT, FULL, QUICK, SLOW,
        UNMEASURED, *CARD_KINDS,
    ),
    examine,
    limit_s=15.0,
    hung=("the disk does not answer: see `dmesg`, and change the card", STORAGE),
    needs_settings=False,
)  # fmt: skip
