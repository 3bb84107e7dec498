"""A gateway's blocks made by hand, a journal in memory, and what the lake must then hold."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from cloud.journal.contract import Entry, TrimmedError
from cloud.journal.counts import Tally, readings_of
from cloud.journal.cursor import Cursor
from cloud.journal.sqlite.quarantine import Quarantined
from protos import records
from protos.block import GENESIS_HASH, build_block, read_header
from protos.records import Batch
from protos.series import SeriesEntry, SeriesKey, make_entry, root_of

DAY_US = 86_400_000_000
T0 = 1_700_006_400_000_000  # 2023-11-15T00:00:00Z
BOOT = bytes(16)


@dataclass
class MemoryJournal:
    """The part of a journal that the lake uses; `lose` forgets what is archived, like a trim."""

    entries: list[Entry] = field(default_factory=list)
    tables: dict[tuple[str, int], list[SeriesEntry]] = field(default_factory=dict)
    marked: int = 0
    apart: list[tuple[int, str]] = field(default_factory=list)
    callbacks: list[Callable[[Sequence[Entry]], None]] = field(default_factory=list)
    trimmed: int = 0
    generation: int = 1

    def read(self, after_offset: int, bytes_max: int) -> list[Entry]:
        found: list[Entry] = []
        size = 0
        if after_offset < self.trimmed:
            raise TrimmedError(f"read the journal from {after_offset + 1}", "it is trimmed already")
        for entry in self.entries[after_offset:]:
            size += len(entry.data)
            if found and size > bytes_max:
                break
            found.append(entry)
        return found

    def series(self, gateway: str, epoch: int, after: int = 0) -> list[SeriesEntry]:
        return list(self.tables.get((gateway, epoch), []))[after:]

    def head(self) -> int:
        return len(self.entries)

    def archived(self) -> int:
        return self.marked

    def mark_archived(self, offset: int) -> Future[None]:
        assert offset >= self.marked, "archived never falls"
        self.marked = offset
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def quarantine(self, offset: int, reason: str) -> None:
        self.apart.append((offset, reason))

    def quarantined(self) -> list[Quarantined]:
        return []

    def cursors(self) -> list[Cursor]:
        return [
            Cursor(gateway, session=1, epoch=epoch, stored=self.head(), archived=self.marked)
            for gateway, epoch in self.tables
        ]

    def counts(self) -> dict[str, Tally]:
        tallies: dict[str, Tally] = {}
        for entry in self.entries:
            header, _ = read_header(entry.data)
            before = tallies.get(entry.gateway, Tally())
            tallies[entry.gateway] = before.stored(entry.epoch, 1, readings_of(header))
        return tallies

    def subscribe(self, callback: Callable[[Sequence[Entry]], None]) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def add(self, gateway: str, epoch: int, seq: int, data: bytes) -> Entry:
        entry = Entry(len(self.entries) + 1, gateway, epoch, seq, sha256(data).digest(), data, T0)
        self.entries.append(entry)
        for callback in list(self.callbacks):
            callback([entry])
        return entry


@dataclass
class Gateway:
    """One gateway's epoch: series are declared when first named, each `send` is one block."""

    journal: MemoryJournal
    name: str = "gw-1"
    epoch: int = 1
    seq: int = 0
    last_hash: bytes = GENESIS_HASH

    @property
    def table(self) -> list[SeriesEntry]:
        return self.journal.tables.setdefault((self.name, self.epoch), [])

    def series(self, device: str, metric: str = "temperature", unit: str = "°C") -> int:
        key = SeriesKey(device, metric, (("room", "hall"),), unit)
        for entry in self.table:
            if entry.key == key:
                return entry.entry
        devices = {e.key.device: e.device_no for e in self.table if e.key}
        number = devices.get(device, max(devices.values(), default=0) + 1)
        self.table.append(make_entry(len(self.table) + 1, number, key, bytes(16)))
        return len(self.table)

    def block(self, batch: Batch) -> bytes:
        self.seq += 1
        device_of = np.array([0, *(entry.device_no for entry in self.table)], np.uint32)
        built = build_block(
            gateway=self.name,
            epoch=self.epoch,
            seq=self.seq,
            prev_hash=self.last_hash,
            boot_id=BOOT,
            sealed_mono_us=0,
            sealed_wall_us=T0,
            series_high=len(self.table),
            series_root=root_of(self.table),
            chunks=(),
            batch=batch,
            device_of=device_of,
            secret=bytes(16),
        )
        self.last_hash = built.hash
        return built.data

    def send(self, *batches: Batch) -> Entry:
        data = self.block(records.concat(batches))
        return self.journal.add(self.name, self.epoch, self.seq, data)

    def numbers(self, device: str, ts: Sequence[int], values: Sequence[float]) -> Batch:
        entry = self.series(device)
        count = len(ts)
        times = np.array(ts, np.int64)
        return records.numbers(
            np.full(count, entry), times, np.array(values, np.float64), np.zeros(count), times + 5
        )

    def texts(self, device: str, ts: Sequence[int], values: Sequence[str]) -> Batch:
        entry = self.series(device, "state", "")
        count = len(ts)
        times = np.array(ts, np.int64)
        return records.texts(np.full(count, entry), times, list(values), np.ones(count), times)

    def scores(self, device: str, ts: Sequence[int], values: Sequence[float]) -> Batch:
        entry = self.series(device)
        return records.scores(
            np.full(len(ts), entry),
            np.array(ts, np.int64),
            np.array(values, np.float64),
            np.full(len(ts), 9.0),
            np.full(len(ts), 3.0),
            ["drift-1"] * len(ts),
        )
