"""The buffer alone: messages made durable and let go, beside SQLite as the peers use it.

`python -m benchmarks.buffer [MESSAGES] [ROUNDS]`. The same messages of two readings go, in turn, to

- *a row a message*: a plain SQLite table, WAL and FULL, one INSERT and COMMIT a message, then read
  and deleted a thousand at a time: what gateways that keep each message as a row do;
- *rows in batches*: the same table, GROUP messages a COMMIT: the best that layout can do;
- *ours*: the real store, GROUP messages a chunk, encrypted, then sealed into blocks and let go.

All are durable before they count. `us_per_msg` is CPU of all threads, `msgs_per_s` by the clock:
on a shared disk trust the first, and the ratios. Ends with one JSON line.
"""

import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import apsw

from benchmarks.load import payloads
from benchmarks.stages import batches, topics
from edge.catalog import Catalog
from edge.keys import find_key, make_key_file
from edge.message import Message, Messages
from edge.reading import Reader
from edge.redelivery import Redelivery
from edge.store.limits import StoreLimits
from edge.store.store import Store

MESSAGES, ROUNDS, DEVICES, GROUP = 10_000, 3, 4, 50
DRAIN = 1000
INSERT = "INSERT INTO messages (topic, payload) VALUES (?, ?)"
MIB = 1 << 20
Figures = dict[str, float]


def grouped(heard: list[Message], size: int) -> Iterator[list[Message]]:
    rest = iter(heard)
    while group := list(islice(rest, size)):
        yield group


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock and of CPU, all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def rows(folder: Path, heard: list[Message], group: int) -> Figures:
    """A table of messages, ``group`` a commit."""
    connection = apsw.Connection(str(folder / "rows.db"))
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"):
        connection.execute(statement)
    connection.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, topic TEXT, payload BLOB)")

    def keep() -> None:
        for part in grouped(heard, group):
            with connection:
                for one in part:
                    values = (one.topic, one.payload)
                    connection.execute(
                        "INSERT INTO messages (topic, payload) VALUES (?, ?)", values
                    )

    def drain() -> None:
        sql = "SELECT id, topic, payload FROM messages ORDER BY id LIMIT ?"
        while found := connection.execute(sql, (DRAIN,)).fetchall():
            with connection:
                connection.execute("DELETE FROM messages WHERE id <= ?", (found[-1][0],))

    figures = measured(heard, keep, drain)
    connection.close()
    return figures


def ours(folder: Path, heard: list[Message]) -> Figures:
    """The store, GROUP messages a chunk; reading them is the stage before it and not counted."""
    key = folder / "buffer.key"
    make_key_file(key)
    store = Store.open(
        folder / "buffer.db", gateway="bench", keys=find_key(key, {}), boot_id=bytes(16),
        limits=StoreLimits(bytes_max=1024 * MIB),
    )  # fmt: skip
    reader = Reader(
        Catalog(salt=lambda: secrets.token_bytes(16)), Redelivery(secrets.token_bytes(32))
    )
    chunks = [reader.read(Messages.of(part)).as_chunk() for part in grouped(heard, GROUP)]

    def keep() -> None:
        for chunk in chunks:
            store.commit(chunk).result()

    def drain() -> None:
        store.begin_epoch(1, ()).result()
        seq = 0
        while store.seal_next(bytes_target=65536, mono_us=1, wall_us=1).result():
            seq += 1
            store.mark(seq, seq, 1).result()

    figures = measured(heard, keep, drain)
    store.close()
    return figures


def measured(heard: list[Message], keep: Callable[[], None], drain: Callable[[], None]) -> Figures:
    kept_s, kept_cpu = timed(keep)
    _, drained_cpu = timed(drain)
    return {
        "msgs_per_s": len(heard) / kept_s,
        "us_per_msg": kept_cpu * 1e6 / len(heard),
        "drain_us_per_msg": drained_cpu * 1e6 / len(heard),
    }


def fsync_ms(folder: Path) -> float:
    """What the device takes to keep a page: the median of a hundred."""
    took = []
    with (folder / "page").open("wb") as file:
        for _ in range(100):
            file.write(bytes(4096))
            file.flush()
            at = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - at)
    return statistics.median(took) * 1000


def main(count: int, rounds: int) -> dict[str, Any]:
    """All in turn, round by round; medians over the rounds."""
    heard = [one for some in batches(payloads(count), topics(DEVICES)) for one in some]
    runs: dict[str, list[Figures]] = {"row_a_message": [], "rows_in_batches": [], "ours": []}
    with tempfile.TemporaryDirectory() as place:
        for number in range(rounds):
            for name, found in runs.items():
                folder = Path(place) / f"{name}-{number}"
                folder.mkdir()
                if name == "ours":
                    found.append(ours(folder, heard))
                else:
                    found.append(rows(folder, heard, 1 if name == "row_a_message" else GROUP))
        flushed = fsync_ms(Path(place))
    told = {
        name: {key: round(statistics.median(run[key] for run in found), 2) for key in found[0]}
        for name, found in runs.items()
    }
    mine, rowwise, batched = told["ours"], told["row_a_message"], told["rows_in_batches"]
    return {
        "messages": count, "rounds": rounds, "group": GROUP, "fsync_ms": round(flushed, 3), **told,
        "rate_ratio": round(mine["msgs_per_s"] / rowwise["msgs_per_s"], 1),
        "rate_ratio_batched": round(mine["msgs_per_s"] / batched["msgs_per_s"], 2),
        "cpu_ratio": round(mine["us_per_msg"] / rowwise["us_per_msg"], 2),
        "cpu_ratio_batched": round(mine["us_per_msg"] / batched["us_per_msg"], 2),
    }  # fmt: skip


if __name__ == "__main__":
    asked = [int(word) for word in sys.argv[1:]]
    print(json.dumps(main(*(asked + [MESSAGES, ROUNDS][len(asked) :]))))
