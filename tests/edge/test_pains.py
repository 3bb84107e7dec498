"""What hurt users of other gateways, tried on this one; `docs/pains.md` says which row is which."""

import gc
import tracemalloc
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge import agent_parts, metrics
from edge.agent_report import Reporter
from edge.catalog import Catalog
from edge.clock import Clock
from edge.collected import Collected
from edge.config import EdgeConfig, load
from edge.health import BufferHealth, Health
from edge.health_text import told
from edge.keys import KeySource, find_key, make_key_file
from edge.message import Message
from edge.reading import Reader
from edge.redelivery import Redelivery
from edge.store.store import Store
from protos.block import read_block
from protos.records import Batch, Kind, Quality

ARRIVAL_US = 1_700_000_000_000_000
EVENT_US = 1_600_000_000_000_000


def message(topic: str, payload: bytes, packet_id: int) -> Message:
    return Message(
        topic, payload, qos=1, retain=False, dup=False, arrival_us=ARRIVAL_US + packet_id,
        quality=int(Quality.GATEWAY_SYNCED), session=1, packet_id=packet_id,
    )  # fmt: skip


def reader(catalog: Catalog | None = None) -> Reader:
    return Reader(catalog or Catalog(salt=lambda: bytes(16), series_max=100), Redelivery(bytes(32)))


def kept_in(store: Store) -> Counter[tuple[Any, ...]]:
    """Every reading in the buffer, as the blocks sealed from it say."""
    if store.sync_state().result().epoch == 0:
        store.begin_epoch(1, ()).result()
    while store.seal_next(bytes_target=65536, mono_us=1, wall_us=2).result() is not None:
        pass
    found: Counter[tuple[Any, ...]] = Counter()
    for block in store.blocks_from(1, 1 << 40).result():
        found.update(readings(read_block(block.data)[2]))
    return found


def readings(batch: Batch) -> list[tuple[Any, ...]]:
    rows = batch.kind(Kind.NUMBERS)
    columns = (rows[name].tolist() for name in ("series", "ts", "value", "quality", "arrival"))
    return list(zip(*columns, strict=True))


def configured(home: Path, text: str) -> tuple[EdgeConfig, KeySource]:
    (home / "edge.toml").write_text(f'[gateway]\nname = "gw-1"\n{text}')
    config = load(home)
    if not config.buffer_key_path.exists():
        make_key_file(config.buffer_key_path)
    return config, find_key(config.buffer_key_path, {})


@pytest.mark.parametrize(
    "changed",
    [
        '[broker]\nurl = "mqtt://elsewhere:1883"\ntopics = ["other/#"]\nclient_id = "x"\n',
        '[cloud]\naddress = "elsewhere:1"\nproxy = "http://proxy:3128"\n',
        "[buffer]\nbytes_max = 16777216\ndedup_messages_max = 0\nrejects_max = 0\n",
        "[buffer]\nbytes_max = 1073741824\n",
        '[ingest]\nseries_max = 1\nlinger_ms_max = 1000\nignore = ["#"]\n',
        '[models]\nenabled = false\n[alerts]\ntopic = "elsewhere"\n[log]\nlevel = "error"\n',
        '[metrics]\nlisten = "127.0.0.1:9464"\n',
    ],
)
def test_no_change_of_the_configuration_touches_stored_readings(
    tmp_path: Path, changed: str
) -> None:
    config, keys = configured(tmp_path, "")
    store = agent_parts.store(config, keys, Clock())
    _, read = agent_parts.reader(config, store.load())
    heard = read.read(
        [message("plant/pump", b'{"flow": %d.5, "head": 2}' % n, n + 1) for n in range(200)]
    )
    store.commit(heard.as_chunk()).result()
    store.close()

    config, keys = configured(tmp_path, changed)
    store = agent_parts.store(config, keys, Clock())
    catalog, _ = agent_parts.reader(config, store.load())
    assert [catalog.key(n) for n in (1, 2)] == [entry.key for entry in heard.new_entries]
    found = kept_in(store)
    store.close()
    assert found == Counter(readings(heard.batch))
    assert found.total() == 400


def test_readings_of_one_time_are_both_kept_with_the_time_they_had(world: Any) -> None:
    dated = b'{"ts": 1600000000, "flow": %d}'
    messages = [
        message("plant/pump", dated % 1, 1),
        message("plant/pump", dated % 2, 2),
        message("plant/pump", b'{"ts": 1600000000, "flow": 1, "n": 3}', 3),
    ]
    heard = reader().read(messages)
    store = world.open()
    store.commit(heard.as_chunk()).result()
    flows = sorted((ts, value, arrival) for series, ts, value, _, arrival in kept_in(store)
                   if series == 1)  # fmt: skip
    assert flows == [
        (EVENT_US, 1.0, ARRIVAL_US + 1),
        (EVENT_US, 1.0, ARRIVAL_US + 3),
        (EVENT_US, 2.0, ARRIVAL_US + 2),
    ]


def test_what_is_sent_again_years_later_has_the_times_it_was_first_sent_with(world: Any) -> None:
    heard = reader().read([message("plant/pump", b'{"ts": 1600000000, "flow": 1}', 1)])
    store = world.open()
    store.commit(heard.as_chunk()).result()
    store.begin_epoch(1, ()).result()
    first = store.seal_next(bytes_target=65536, mono_us=1, wall_us=ARRIVAL_US).result()
    store.close()
    store = world.open()
    (again,) = store.blocks_from(1, 1 << 30).result()
    assert again.data == first.data
    assert [row[1] for row in readings(read_block(again.data)[2])] == [EVENT_US]


def test_a_gateway_in_1970_keeps_what_it_hears_and_marks_the_time_as_unsynced(world: Any) -> None:
    clock = Clock(wall=lambda: 5_000_000, mono=lambda: 5_000_000, synced=lambda: True)
    stamp = clock.now()
    heard = reader().read(
        [
            Message(
                "plant/pump", b'{"flow": 7}', qos=1, retain=False, dup=False,
                arrival_us=stamp.wall_us, quality=int(stamp.quality), session=1, packet_id=1,
            )
        ]
    )  # fmt: skip
    store = world.open()
    store.commit(heard.as_chunk()).result()
    assert list(kept_in(store)) == [(1, 5_000_000, 7.0, int(Quality.GATEWAY_UNSYNCED), 5_000_000)]


class Connected:
    def __init__(self, *, connected: bool = True, error: str = "") -> None:
        self.state = SimpleNamespace(connected=connected, error=error)


def reporter(collected: Collected, ingest: Connected) -> Reporter:
    unused = cast("Any", None)
    collect = cast("Any", SimpleNamespace(collected=collected))
    return Reporter(
        unused, Clock(), unused, unused, unused, unused, cast("Any", ingest), unused, collect,
        unused, unused, unused, unused, unused,
    )  # fmt: skip


def test_a_full_buffer_is_a_fault_at_once_and_none_when_space_returned() -> None:
    held = reporter(Collected(held=True), Connected())
    assert "full" in held.fault()
    assert reporter(Collected(), Connected()).fault() == ""
    assert "refused" in reporter(Collected(), Connected(connected=False, error="refused")).fault()
    health = Health(gateway="gw", version="1", running=True, buffer=BufferHealth(held=True))
    assert "FULL" in told(health)
    assert "tidegate_edge_buffer_full 1" in metrics.text(health)


def test_memory_stays_flat_over_a_long_life_of_three_devices(world: Any) -> None:
    """Read, committed, sealed, archived, deleted, over and over: nothing piles up in Python."""
    # A short horizon of redelivery, so that it is full before memory is looked at.
    catalog = Catalog(salt=lambda: bytes(16), series_max=100)
    read = Reader(catalog, Redelivery(bytes(32), messages_max=500))
    store = world.open(dedup_messages_max=500)
    store.begin_epoch(1, ()).result()
    held: list[int] = []
    told = 0
    tracemalloc.start()
    try:
        for life in range(4):
            for _ in range(60):
                heard = read.read(
                    [
                        message(f"plant/pump{n % 3}", b'{"flow": %d, "state": "s%d"}' % (n, n), n)
                        for n in range(told, told + 50)
                    ]
                )
                told += 50
                store.commit(heard.as_chunk()).result()
                store.seal_next(bytes_target=65536, mono_us=1, wall_us=2).result()
                head = store.sync_state().result().head
                store.mark(head, head).result()
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
            assert store.stats().result().unsealed_rows == 0, life
    finally:
        tracemalloc.stop()
    grown = held[-1] - held[1]
    assert grown < 64 * 1024, f"{grown} bytes more after {told // 2} messages: {held}"
