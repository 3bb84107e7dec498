"""CPU of each stage of the edge by itself, in this process, on the same messages in batches."""

import itertools
import os
import secrets
import tempfile
import time
from pathlib import Path

from benchmarks.load import payloads
from edge.catalog import Catalog
from edge.chunk import Chunk
from edge.keys import find_key, make_key_file
from edge.message import Message
from edge.models import SHIPPED, load_folder
from edge.reading import Reader
from edge.redelivery import Redelivery
from edge.score import Scorer
from edge.store.limits import StoreLimits
from edge.store.store import Store
from protos.records import Quality, concat

BATCH = 256
START_US = 1_800_000_000_000_000


def messages(count: int, devices: int) -> list[Message]:
    """What the broker would hand over, 1 ms apart."""
    said = payloads(count)
    return [
        Message(
            f"bench/device{number % devices}", payload.encode(), 1, False, False,
            START_US + number * 1000, int(Quality.GATEWAY_SYNCED), 1, number % 65535 + 1, number,
        )
        for number, payload in enumerate(said)
    ]  # fmt: skip


def measure(count: int, devices: int) -> dict[str, float]:
    """CPU µs per message of read, score, commit (encode, encrypt, SQLite) and seal (blocks)."""
    spent = dict.fromkeys(("read", "score", "commit", "seal"), 0.0)
    heard = iter(messages(count, devices))
    models, _ = load_folder(SHIPPED)
    scorer = Scorer(models, 1.0)
    catalog = Catalog(salt=lambda: secrets.token_bytes(16))
    reader = Reader(catalog, Redelivery(secrets.token_bytes(32)))
    with tempfile.TemporaryDirectory() as folder:
        store = _store(Path(folder))
        while batch := list(itertools.islice(heard, BATCH)):
            at = time.process_time()
            said = reader.read(batch)
            read = time.process_time()
            scores = scorer.score(said.batch, catalog)
            scored = time.process_time()
            rows = concat([said.batch, scores]) if scores.rows else said.batch
            store.commit(Chunk(rows, said.new_entries, said.marks, said.rejects)).result()
            done = time.process_time()
            spent["read"] += read - at
            spent["score"] += scored - read
            spent["commit"] += done - scored
        store.begin_epoch(1, []).result()
        at = time.process_time()
        while store.seal_next(bytes_target=65536, mono_us=1, wall_us=START_US).result():
            pass
        spent["seal"] = time.process_time() - at
        store.close()
    return {stage: seconds * 1e6 / count for stage, seconds in spent.items()}


def fill_store(folder: Path, count: int, devices: int) -> None:
    """Commit the readings of `count` messages to a buffer, as an agent offline would."""
    heard = iter(messages(count, devices))
    catalog = Catalog(salt=lambda: secrets.token_bytes(16))
    reader = Reader(catalog, Redelivery(secrets.token_bytes(32)))
    store = _store(folder)
    while batch := list(itertools.islice(heard, BATCH)):
        said = reader.read(batch)
        store.commit(Chunk(said.batch, said.new_entries, said.marks, said.rejects)).result()
    store.close()


def _store(folder: Path) -> Store:
    key = folder / "keys" / "buffer.key"
    make_key_file(key)
    return Store.open(
        folder / "buffer.db",
        gateway="bench",
        keys=find_key(key, os.environ),
        limits=StoreLimits(),
        boot_id=bytes(16),
    )
