"""What delivery costs over backlogs of several sizes: it must not cost more because more waits.

`python -m benchmarks.backlog [READINGS …]`. For each size a fresh buffer is filled, then drained
through the real session rules into a real journal in this process, without a network: readings a
second of one core, both halves together. The ratio of the largest to the smallest backlog is the
figure: 1 is a cost that does not know the backlog. Ends with one JSON line.
"""

import json
import statistics
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from edge.chunk import Chunk
from edge.keys import find_key, make_key_file
from edge.store.limits import StoreLimits
from edge.store.store import Store
from edge.sync import Session
from edge.sync_effects import BeginEpoch, Close, Effect, LoadBlocks, LoadEntries, Mark, Seal, Send
from protos import sync_pb2 as pb
from protos.limits import WINDOW_BYTES_DEFAULT
from protos.records import numbers
from protos.series import SeriesKey, decode_entry, make_entry

SIZES, ROUNDS, SERIES, CHUNK_ROWS = (100_000, 400_000, 1_600_000), 3, 20, 500
MIB = 1 << 20
NAME = "bench"
ARCHIVE_EVERY = 16
START_US = 1_800_000_000_000_000


def filled(folder: Path, readings: int) -> Store:
    """A buffer of quantised readings, once a second in each of SERIES series, never connected."""
    key = folder / "buffer.key"
    make_key_file(key)
    store = Store.open(
        folder / "buffer.db", gateway=NAME, keys=find_key(key, {}), boot_id=bytes(16),
        limits=StoreLimits(bytes_max=1024 * MIB),
    )  # fmt: skip
    entries = tuple(
        make_entry(no, no, SeriesKey(f"pump-{no}", "pressure"), bytes(16))
        for no in range(1, SERIES + 1)
    )
    drawn = np.random.default_rng(1)
    kept = []
    for at in range(0, readings, CHUNK_ROWS):
        series = np.arange(CHUNK_ROWS, dtype=np.uint32) % SERIES + 1
        ts = START_US + (at + np.arange(CHUNK_ROWS)) * 50_000
        value = np.round(6 + drawn.normal(0, 0.1, CHUNK_ROWS), 2)
        batch = numbers(series, ts, value, 0, ts)
        kept.append(store.commit(Chunk(batch, entries if at == 0 else ())))
    for one in kept:
        one.result()
    return store


class Link:
    """A session and the cloud at its other end, message by message in one process."""

    def __init__(self, store: Store, journal: SqliteJournal) -> None:
        self.store, self.journal = store, journal
        self.session = Session(NAME, bytes(16), "bench")
        self.blocks = 0

    def drain(self) -> None:
        """From the hello until all is archived; RuntimeError when the session ends before."""
        todo: deque[Effect] = deque()
        state = self.store.sync_state().result()
        todo.extend(self.session.greet(state, pb.Status(), 1))
        while todo:
            effect = todo.popleft()
            todo.extend(self._carry_out(effect))
            if not todo and not self.session.drained:
                todo.extend(self._archive())

    def _carry_out(self, effect: Effect) -> list[Effect]:
        store, session = self.store, self.session
        match effect:
            case Send(message):
                return self._serve(message)
            case Seal(bytes_target, newest_first):
                return session.sealed(
                    store.seal_next(
                        bytes_target=bytes_target, mono_us=1, wall_us=1, newest_first=newest_first
                    ).result()
                )
            case LoadBlocks(from_seq, bytes_max):
                return session.blocks_loaded(store.blocks_from(from_seq, bytes_max).result())
            case LoadEntries(first, limit):
                return session.entries_loaded(store.entries_from(first, limit).result())
            case Mark(stored, archived, generation):
                store.mark(stored, archived, generation).result()
                return []
            case BeginEpoch(epoch, dropped, kept, generation):
                return session.epoch_begun(
                    store.begin_epoch(epoch, dropped, kept, generation).result()
                )
            case Close(_, told):
                raise RuntimeError(f"the session ended: {told}")

    def _serve(self, message: pb.GatewayMessage) -> list[Effect]:
        journal = self.journal
        match message.WhichOneof("body"):
            case "hello":
                decided = journal.hello(NAME, message.hello, WINDOW_BYTES_DEFAULT)
            case "declare":
                told = message.declare
                entries = [decode_entry(one) for one in told.entries]
                decided = journal.declare(NAME, told.session, told.epoch, told.first, entries)
            case "block":
                told_block = message.block
                where = (told_block.session, told_block.epoch, told_block.seq)
                decided = journal.append(NAME, *where, told_block.data)
                self.blocks += 1
            case _:
                decided = journal.request_epoch(NAME, message.epoch_request)
        replies = list(decided.result().replies)
        effects = [effect for reply in replies for effect in self.session.received(reply)]
        return effects + (self._archive() if self.blocks % ARCHIVE_EVERY == 0 else [])

    def _archive(self) -> list[Effect]:
        """The lake has taken all there is; the gateway is told, the journal trimmed."""
        self.journal.mark_archived(self.journal.head()).result()
        (cursor,) = self.journal.cursors()
        ack = pb.Ack(
            session=cursor.session, epoch=cursor.epoch, stored=cursor.stored,
            archived=cursor.archived, series_known=cursor.series_known,
        )  # fmt: skip
        return self.session.received(pb.CloudMessage(ack=ack))


def rate(readings: int) -> dict[str, float]:
    """Readings a second of CPU while a backlog of so many drains."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        store = filled(folder, readings)
        journal = SqliteJournal.open(folder / "journal", now_us=lambda: time.time_ns() // 1000)
        link = Link(store, journal)
        at, wall = time.process_time(), time.perf_counter()
        link.drain()
        cpu, took = time.process_time() - at, time.perf_counter() - wall
        blocks = journal.head()
        store.close()
        journal.close()
    return {"per_core_s": readings / cpu, "per_s": readings / took, "blocks": blocks}


def main(sizes: list[int]) -> dict[str, Any]:
    """Each size in turn, ROUNDS times; medians."""
    runs = [[rate(size) for size in sizes] for _ in range(ROUNDS)]
    medians = [
        {name: statistics.median(run[at][name] for run in runs) for name in runs[0][at]}
        for at in range(len(sizes))
    ]
    told = {
        str(size): {name: round(value) for name, value in found.items()}
        for size, found in zip(sizes, medians, strict=True)
    }
    ratio = medians[-1]["per_core_s"] / medians[0]["per_core_s"]
    return {"rounds": ROUNDS, "readings": told, "largest_to_smallest": round(ratio, 2)}


if __name__ == "__main__":
    print(json.dumps(main([int(word) for word in sys.argv[1:]] or list(SIZES))))
