"""Pure: what the measurements of a card mean, in words, and whether to trust readings to it."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import msgspec

FORGETFUL: Final = frozenset({"tmpfs", "ramfs", "devtmpfs"})
"""File systems in memory: nothing of them is left after a power cut."""
REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse"})
UNJOURNALED: Final = frozenset({"vfat", "exfat", "msdos", "ext2"})
NO_BARRIER: Final = frozenset({"nobarrier", "barrier=0", "async_commit"})
FSYNC_US_MIN: Final = 10.0
"""No medium answers faster: drives with protected caches take 20 µs and more."""
SPINNING_FSYNC_US_MIN: Final = 2_000.0
"""Half a turn at 15,000 a minute: a spinning disk that is faster did not write."""
SLOW_COMMIT_MS: Final = 250.0
"""The longest linger of the default settings: a commit beyond it holds alerts and PUBACKs up."""


class Trust(StrEnum):
    """What is known of a medium's promise to keep what it said is written."""

    NOTHING_AGAINST = "nothing speaks against it"
    DOUBTFUL = "doubtful"
    NONE = "none"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the folder lies, as the kernel tells; ``rotational`` None where it does not."""

    filesystem: str = ""
    options: tuple[str, ...] = ()
    device: str = ""
    rotational: bool | None = None
    write_cache: str = ""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Times of the card; ``write_us`` is a write that nobody waits to be safe."""

    commits: int
    commit_ms_p50: float
    commit_ms_p99: float
    commit_ms_max: float
    fsync_us_p50: float
    fsync_us_p99: float
    write_us_p50: float


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """A buffer filled to its bound and let go: readings acknowledged, found again, wrong."""

    bytes_max: int
    bytes_peak: int
    acknowledged: int
    lost: int
    doubled: int
    refused: int
    recovered: bool


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found; ``fit`` tells whether readings may be kept there."""

    folder: str
    place: Place
    measured: Measured
    filled: Filled
    trust: Trust
    why: tuple[str, ...]
    fit: bool


def judge(folder: str, place: Place, measured: Measured, filled: Filled) -> Finding:
    """Put it together and judge it."""
    none, doubts = list(_none(place, measured)), list(_doubts(place, measured))
    trust = Trust.NONE if none else Trust.DOUBTFUL if doubts else Trust.NOTHING_AGAINST
    sound = not filled.lost and not filled.doubled and filled.recovered and filled.refused > 0
    return Finding(
        folder=folder,
        place=place,
        measured=measured,
        filled=filled,
        trust=trust,
        why=(*none, *doubts),
        fit=trust is not Trust.NONE and sound and filled.bytes_peak <= filled.bytes_max,
    )


def _none(place: Place, measured: Measured) -> Iterator[str]:
    if place.filesystem in FORGETFUL:
        yield f"{place.filesystem} is memory: a power cut takes all of it"
    elif measured.fsync_us_p50 < FSYNC_US_MIN:
        yield (
            f"an fsync takes {measured.fsync_us_p50:.1f} µs, faster than any medium: "
            "something below answers without writing"
        )
    off = NO_BARRIER & set(place.options)
    if off:
        yield f"it is mounted with {', '.join(sorted(off))}: the drive's cache is never flushed"


def _doubts(place: Place, measured: Measured) -> Iterator[str]:
    if place.rotational and measured.fsync_us_p50 < SPINNING_FSYNC_US_MIN:
        yield (
            f"an fsync takes {measured.fsync_us_p50:.0f} µs on what says it is a spinning disk: a "
            "cache answers before the platter, or this is a virtual machine's disk"
        )
    if not place.filesystem:
        yield "the kernel does not tell what file system this is"
    if place.filesystem in REMOTE or place.filesystem.startswith("fuse"):
        yield f"{place.filesystem} hands the promise on to another machine or program"
    if place.filesystem in UNJOURNALED:
        yield f"{place.filesystem} has no journal: a power cut may damage the folder itself"
    if place.filesystem == "overlay":
        yield "overlay (a container's own layer) hides what lies below: test the volume you mount"


def told(finding: Finding) -> Iterator[str]:
    """The finding for eyes, line by line."""
    place, measured, filled = finding.place, finding.measured, finding.filled
    device = f" on {place.device}" if place.device else ""
    yield f"folder   {finding.folder}: {place.filesystem or 'unknown file system'}{device}"
    yield (
        f"commit   {measured.commit_ms_p50:.1f} ms in half of {measured.commits:,} cases, "
        f"{measured.commit_ms_p99:.1f} ms in 99 of 100, {measured.commit_ms_max:.1f} ms at worst"
    )
    yield f"         {_pace(measured)}"
    yield (
        f"fsync    {measured.fsync_us_p50:,.0f} µs (p50), {measured.fsync_us_p99:,.0f} µs (p99); "
        f"a write alone {measured.write_us_p50:,.1f} µs"
    )
    yield f"trust    {finding.trust.value}"
    for reason in finding.why:
        yield f"         {reason}"
    yield "         software cannot see into a card: only pulling the plug while it writes is proof"
    if filled.lost or filled.doubled or not filled.recovered:
        yield (
            f"full     FAILED: of {filled.acknowledged:,} acknowledged readings "
            f"{filled.lost:,} were lost, {filled.doubled:,} doubled; "
            f"{'went on' if filled.recovered else 'stayed full'}"
        )
    else:
        yield (
            f"full     kept within {filled.bytes_max:,} bytes, refused {filled.refused:,} times, "
            f"all {filled.acknowledged:,} acknowledged readings there once, "
            "went on when there was room"
        )
    yield f"so       {_verdict(finding)}"


def _pace(measured: Measured) -> str:
    if measured.commit_ms_p99 > SLOW_COMMIT_MS:
        return "slow: commits will be few and large, alerts and PUBACKs wait for them"
    per_s = 1000.0 / max(measured.commit_ms_p50, 0.01)
    return f"about {per_s:,.0f} commits a second one after the other; each takes many messages"


def _verdict(finding: Finding) -> str:
    if finding.fit and finding.trust is Trust.NOTHING_AGAINST:
        return "readings can be kept here"
    if finding.fit:
        return "readings can be kept here, with the doubt named above"
    return "do NOT keep readings here"
