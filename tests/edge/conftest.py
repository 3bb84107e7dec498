"""A buffer on a temporary disk, and chunks to put into it whose every value is known."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.chunk import Chunk
from edge.errors import StorageError
from edge.keys import KeySource, find_key, make_key_file
from edge.store.buffer import best_sealer
from edge.store.limits import StoreLimits
from edge.store.store import Store
from protos.block import Block, read_block
from protos.records import Batch, Kind, concat, numbers, texts
from protos.series import SeriesEntry, SeriesKey, make_entry

TIME_0 = 1_700_000_000_000_000
MIB = 1 << 20


def values_of(batch: Batch) -> list[tuple[Any, ...]]:
    """Every reading of a batch as (series, ts, value or text), in no particular order."""
    found: list[tuple[Any, ...]] = []
    for kind, column in ((Kind.NUMBERS, "value"), (Kind.TEXTS, "text")):
        rows = batch.kind(kind)
        columns = (rows[name].tolist() for name in ("series", "ts", column))
        found += zip(*columns, strict=True)
    return found


@dataclass
class BufferWorld:
    """One gateway's disk; ``open`` gives its store, ``chunk`` the next readings of its sensors."""

    folder: Path
    random: random.Random
    keys: KeySource
    gateway: str = "gw-1"
    entries: list[SeriesEntry] = field(default_factory=list)
    told: int = 0
    stores: list[Store] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.folder / "buffer.db"

    def open(self, sealer: Callable[[bytes], Any] = best_sealer, **limits: Any) -> Store:
        store = Store.open(
            self.path,
            gateway=self.gateway,
            keys=self.keys,
            limits=StoreLimits(**{"bytes_max": 64 * MIB, **limits}),
            boot_id=b"boot" * 4,
            sealer=sealer,
        )
        self.stores.append(store)
        return store

    def entry(self, device: str = "", metric: str = "temperature") -> SeriesEntry:
        no = len(self.entries) + 1
        salt = self.random.randbytes(16)
        made = make_entry(no, no, SeriesKey(device or f"device-{no}", metric), salt)
        self.entries.append(made)
        return made

    def batch(self, rows: int) -> Batch:
        """Numbers at times never given before, one text among ten, over the series so far."""
        series = np.array([self.random.randint(1, len(self.entries)) for _ in range(rows)], "u4")
        ts = TIME_0 + self.told + np.arange(rows)
        self.told += rows
        value = np.array([self.random.random() for _ in range(rows)])
        said = rows // 10
        words = [f"word {self.random.random()}" for _ in range(said)]
        return concat(
            [
                numbers(series[said:], ts[said:], value[said:], 0, ts[said:]),
                texts(series[:said], ts[:said], words, 0, ts[:said]),
            ]
        )

    def chunk(self, rows: int = 20, new_series: int = 0, **more: Any) -> Chunk:
        first = 0 if self.entries or new_series else 1
        new = tuple(self.entry() for _ in range(new_series + first))
        return Chunk(self.batch(rows), new, **more)

    def drain(self, store: Store) -> list[Block]:
        """Seal and read everything there is; an epoch is begun when there is none."""
        if store.sync_state().result().epoch == 0:
            store.begin_epoch(1, ()).result()
        while store.seal_next(bytes_target=65536, mono_us=1, wall_us=2).result() is not None:
            pass
        return store.blocks_from(1, 1 << 40).result()

    def values_of(self, batch: Batch) -> list[tuple[Any, ...]]:
        return values_of(batch)

    def drained(self, store: Store) -> list[tuple[Any, ...]]:
        """The values of all readings that ``drain`` brings out."""
        blocks = self.drain(store)
        return [value for block in blocks for value in values_of(read_block(block.data)[2])]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[BufferWorld]:
    key = tmp_path / "keys" / "buffer.key"
    make_key_file(key)
    made = BufferWorld(tmp_path, random.Random(20260101), find_key(key, {}))
    yield made
    for store in made.stores:
        with suppress(StorageError):  # a test may have broken it
            store.close()
