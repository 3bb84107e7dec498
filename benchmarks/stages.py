"""CPU of each stage of the edge by itself, in this process, on the same messages in batches."""

import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import payloads
from edge import memory
from edge.catalog import Catalog
from edge.collect import READ_TOGETHER
from edge.detect.detection import Detection
from edge.detect.episode import Course
from edge.detect.episodes import Episodes
from edge.detect.found import Found
from edge.detect.models import SHIPPED, load_folder
from edge.detect.score import Scorer
from edge.heard import Heard
from edge.keys import find_key, make_key_file
from edge.message import MESSAGE_OVERHEAD_BYTES, QOS_SHIFT, Burst, Messages
from edge.reading import Reader
from edge.redelivery import Redelivery
from edge.store.limits import StoreLimits
from edge.store.store import Store
from protos.records import Quality

BATCH = 1024
START_US = 1_800_000_000_000_000


def batches(said: Iterator[str], topics: list[str], size: int = BATCH) -> Iterator[Messages]:
    """What the broker would hand over, `size` messages at a time, over the topics in turn."""
    number = 0
    while texts := [text.encode() for text, _ in zip(said, range(size), strict=False)]:
        count = len(texts)
        yield Messages(
            [topics[(number + n) % len(topics)] for n in range(count)],
            texts,
            [1 << QOS_SHIFT] * count,
            [(number + n) % 65535 + 1 for n in range(count)],
            [Burst(count, START_US + number * 1000, int(Quality.GATEWAY_SYNCED), 1)],
            sum(map(len, texts)) + MESSAGE_OVERHEAD_BYTES * count,
        )
        number += count


def measure(
    count: int, devices: int, said: Iterator[str] | None = None, *, size: int = BATCH
) -> dict[str, float]:
    """CPU µs per message of read, score, commit (encode, encrypt, SQLite) and seal (blocks)."""
    memory.share_arena()  # as the agent does
    spent = dict.fromkeys(("read", "score", "commit", "seal"), 0.0)
    models, _ = load_folder(SHIPPED)
    memory.settle()
    detection = Detection([Scorer(models, 1.0)], Episodes("bench", Course()))
    catalog = Catalog(salt=lambda: secrets.token_bytes(16))
    reader = Reader(catalog, Redelivery(secrets.token_bytes(32)))
    with tempfile.TemporaryDirectory() as folder:
        store = _store(Path(folder))
        for batch in batches(said or payloads(count), topics(devices), size):
            at = time.process_time()
            parts = chunks(reader, batch)
            read = time.process_time()
            found = _found(detection, parts, catalog)
            scored = time.process_time()
            for future in [store.commit(h.as_chunk(s)) for h, s in zip(parts, found, strict=True)]:
                future.result()
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


def chunks(reader: Reader, messages: Messages) -> list[Heard]:
    """What all of ``messages`` say, in parts of which each fits a chunk of the buffer."""
    told: list[Heard] = []
    while len(messages):
        told.append(reader.read(messages))
        _, messages = messages.split(told[-1].counts.messages)
    return told


def _found(detection: Detection, parts: list[Heard], catalog: Catalog) -> list[Found]:
    """What is found in each part; as many parts together as the agent takes."""
    batches = [part.batch for part in parts]
    together = [batches[n : n + READ_TOGETHER] for n in range(0, len(batches), READ_TOGETHER)]
    return [found for some in together for found in detection.detect(some, catalog)]


def topics(devices: int) -> list[str]:
    """Names of the devices' topics."""
    return [f"bench/device{number}" for number in range(devices)]


def fill_store(folder: Path, count: int, devices: int) -> None:
    """Commit the readings of `count` messages to a buffer, as an agent offline would."""
    catalog = Catalog(salt=lambda: secrets.token_bytes(16))
    reader = Reader(catalog, Redelivery(secrets.token_bytes(32)))
    store = _store(folder)
    for batch in batches(payloads(count), topics(devices)):
        for heard in chunks(reader, batch):
            store.commit(heard.as_chunk()).result()
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
