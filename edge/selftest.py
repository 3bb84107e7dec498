"""Tries a user's own card, in a folder of its own that is bounded and goes away afterwards.

The product's own buffer writes there: how long its commits take, what an fsync costs and whether
that can be true, and what happens when it is full. What it means: `edge.selftest_words`.
"""

import os
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Final

from edge.chunk import Chunk
from edge.errors import OperatorError, StorageError
from edge.keys import find_key, make_key_file
from edge.selftest_words import Filled, Finding, Measured, Place, judge
from edge.store.limits import BufferFull, StoreLimits
from edge.store.store import Store
from protos.block import read_block
from protos.limits import MIB
from protos.records import Kind, texts
from protos.series import SeriesKey, make_entry

COMMITS_MAX: Final = 400
WRITES_MAX: Final = 400
WRITE_BYTES: Final = 4096
FULL_BYTES_MAX: Final = 4 * MIB
ROOM_BYTES: Final = 24 * MIB
"""Most that the whole test takes on the disk; it is asked for before it begins."""
_ROWS: Final = 20


def run(folder: Path, seconds: float) -> Finding:
    """Test the medium of ``folder``; ``seconds`` bound each measurement.

    Raises:
        OperatorError: no folder, not ours to write, or too full for the test.
        StorageError: the medium failed under the test.
    """
    tried = f"test the card at {folder}"
    if not folder.is_dir():
        raise OperatorError(tried, "there is no such folder", "name a folder on the card")
    try:
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        if free < ROOM_BYTES:
            hint = f"the test needs {ROOM_BYTES // MIB} MiB for a moment"
            raise OperatorError(tried, f"only {free // 1024:,} KiB are free", hint)
        with tempfile.TemporaryDirectory(prefix=".tidegate-selftest-", dir=folder) as made:
            inner = Path(made)
            fsync_us, write_us = time_writes(inner, seconds)
            commit_ms = time_commits(inner / "time", seconds)
            filled = fill(inner / "full", FULL_BYTES_MAX)
    except PermissionError as error:
        raise OperatorError(tried, error.strerror or str(error), "may you write there?") from error
    except OSError as error:
        raise StorageError(tried, error.strerror or str(error), "see the system's log") from error
    measured = Measured(
        commits=len(commit_ms),
        commit_ms_p50=quantile(commit_ms, 0.5),
        commit_ms_p99=quantile(commit_ms, 0.99),
        commit_ms_max=max(commit_ms),
        fsync_us_p50=quantile(fsync_us, 0.5),
        fsync_us_p99=quantile(fsync_us, 0.99),
        write_us_p50=quantile(write_us, 0.5),
    )
    return judge(str(folder), place_of(folder), measured, filled)


def quantile(values: list[float], share: float) -> float:
    """The value that ``share`` of all do not pass."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def place_of(
    folder: Path, mounts: str = "/proc/self/mountinfo", blocks: Path = Path("/sys/dev/block")
) -> Place:
    """Where a folder lies, as far as the kernel tells: by its mounts and its block devices."""
    number = folder.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    found = _mount(folder.resolve(), device, Path(mounts).read_text())
    if found is None:
        return Place()
    fields, kind = found
    options = tuple(dict.fromkeys([*fields[5].split(","), *kind[2].split(",")]))
    rotational = _queue(blocks / device, "rotational")
    return Place(
        filesystem=kind[0],
        options=options,
        device=kind[1],
        rotational=None if not rotational else rotational == "1",
        write_cache=_queue(blocks / device, "write_cache"),
    )


def _mount(folder: Path, device: str, mounts: str) -> tuple[list[str], list[str]] | None:
    """The fields of the device's mount that the folder lies on; of one elsewhere if none has it.

    One device may be mounted several times, read-only for all but a folder, as a unit sees it.
    """
    best: tuple[list[str], list[str]] | None = None
    depth = -1
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 6 or fields[2] != device or len(kind) < 3:
            continue
        at = len(Path(fields[4]).parts) if folder.is_relative_to(fields[4]) else 0
        if at > depth or (at and at == depth):
            best, depth = (fields, kind), at
    return best


def _queue(base: Path, name: str) -> str:
    """What the block layer says of a device or of the disk that it is a part of; else empty."""
    for folder in (base / "queue", base / ".." / "queue"):
        try:
            return (folder / name).read_text().strip()
        except OSError:
            continue
    return ""


def time_writes(folder: Path, seconds: float) -> tuple[list[float], list[float]]:
    """Microseconds of writes over one file: each made safe by fsync, and of the write alone."""
    fsync_us: list[float] = []
    write_us: list[float] = []
    descriptor = os.open(folder / "writes", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        end = time.monotonic() + seconds
        for n in range(WRITES_MAX):
            began = time.perf_counter()
            os.pwrite(descriptor, os.urandom(WRITE_BYTES), n % 16 * WRITE_BYTES)
            wrote = time.perf_counter()
            os.fsync(descriptor)
            fsync_us.append((time.perf_counter() - wrote) * 1e6)
            write_us.append((wrote - began) * 1e6)
            if time.monotonic() > end:
                break
    finally:
        os.close(descriptor)
    return fsync_us, write_us


class _Source:
    """Chunks of known readings that do not compress."""

    def __init__(self) -> None:
        self.told = 0

    def chunk(self) -> Chunk:
        new = () if self.told else (make_entry(1, 1, SeriesKey("selftest", "noise"), bytes(16)),)
        at = range(self.told, self.told + _ROWS)
        self.told += _ROWS
        return Chunk(texts([1] * _ROWS, list(at), [os.urandom(250).hex() for _ in at], 0, 0), new)


def _store(folder: Path, bytes_max: int) -> Store:
    make_key_file(folder / "buffer.key")
    return Store.open(
        folder / "buffer.db",
        gateway="selftest",
        keys=find_key(folder / "buffer.key", {}),
        limits=StoreLimits(bytes_max=bytes_max),
        boot_id=bytes(16),
    )


def time_commits(folder: Path, seconds: float) -> list[float]:
    """Milliseconds of commits of the real buffer, one after the other."""
    source = _Source()
    taken: list[float] = []
    with closing(_store(folder, 2 * FULL_BYTES_MAX)) as store:
        end = time.monotonic() + seconds
        while len(taken) < COMMITS_MAX and (not taken or time.monotonic() < end):
            chunk = source.chunk()
            began = time.perf_counter()
            try:
                store.commit(chunk).result()
            except BufferFull:
                break
            taken.append((time.perf_counter() - began) * 1e3)
    return taken


def fill(folder: Path, bytes_max: int) -> Filled:
    """Fill a buffer to its bound twice, with a delivery in between; what became of each reading."""
    source, acknowledged, delivered = _Source(), Counter[int](), Counter[int]()
    with closing(_store(folder, bytes_max)) as store:
        store.begin_epoch(1, ()).result()
        peak = 0
        seen = 0
        for _ in range(2):
            before = sum(acknowledged.values())
            _until_full(store, source, acknowledged)
            stats = store.stats().result()
            peak = max(peak, stats.file_bytes + stats.wal_bytes)
            recovered = sum(acknowledged.values()) > before
            seen = _deliver(store, seen, delivered)
        refused = store.stats().result().refused
    return Filled(
        bytes_max=bytes_max,
        bytes_peak=peak,
        acknowledged=sum(acknowledged.values()),
        lost=sum((acknowledged - delivered).values()),
        doubled=sum((delivered - acknowledged).values()),
        refused=refused,
        recovered=recovered,
    )


def _until_full(store: Store, source: _Source, acknowledged: Counter[int]) -> None:
    while True:
        chunk = source.chunk()
        try:
            store.commit(chunk).result()
        except BufferFull:
            return
        acknowledged.update(chunk.batch.kind(Kind.TEXTS)["ts"].tolist())


def _deliver(store: Store, seen: int, delivered: Counter[int]) -> int:
    """Do the cloud's part: number, read and acknowledge all there is; the last block's number."""
    while store.seal_next(bytes_target=65536, mono_us=0, wall_us=0).result() is not None:
        pass
    for block in store.blocks_from(seen + 1, 1 << 40).result():
        delivered.update(read_block(block.data)[2].kind(Kind.TEXTS)["ts"].tolist())
        seen = block.header.seq
    store.mark(seen, seen).result()
    return seen
