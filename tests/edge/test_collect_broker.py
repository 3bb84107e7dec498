"""Broker, ingest, reading and the real buffer together: nothing lost, nothing twice."""

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.catalog import Catalog
from edge.chunk import Loaded
from edge.clock import Clock
from edge.collect import Collect
from edge.ingest import Inbox
from edge.ingest_broker import Broker
from edge.ingest_paho import PahoIngest
from edge.keys import find_key, make_key_file
from edge.mqtt_version import MqttVersion
from edge.reading import Reader
from edge.redelivery import Redelivery
from edge.store.limits import StoreLimits
from edge.store.store import Store
from protos.block import read_block
from protos.records import Kind
from tests.edge.mosquitto import Mosquitto, Wire, until

pytestmark = pytest.mark.broker

SECRET = b"a secret of this gateway"
TOPICS = [f"hall{n}/temp" for n in range(3)]
Reading = tuple[str, int | None, float]
"""Device, own time when there is one, value."""


class Gateway:
    """All of the edge from broker to buffer, in a folder that outlives it."""

    def __init__(
        self, folder: Path, port: int, version: MqttVersion = MqttVersion.V5, **broker: int
    ) -> None:
        key = folder / "keys" / "buffer.key"
        if not key.exists():
            make_key_file(key)
        self.store = Store.open(
            folder / "buffer.db",
            gateway="gw-1",
            keys=find_key(key, {}),
            limits=StoreLimits(bytes_max=64 << 20),
            boot_id=bytes(16),
        )
        self.loaded: Loaded = self.store.load()
        self.catalog = Catalog(self.loaded.entries, salt=lambda: os.urandom(16))
        clock = Clock()
        self.inbox = Inbox()
        self.ingest = PahoIngest(
            Broker("127.0.0.1", port, "gateway", ("#",), version=version, **broker),  # type: ignore[arg-type]
            clock.now,
            jitter=lambda: 0.0,
        )
        self.collect = Collect(
            inbox=self.inbox,
            ingest=self.ingest,
            store=self.store,
            reader=Reader(self.catalog, Redelivery(SECRET, self.loaded.marks)),
            catalog=self.catalog,
        )

    def start(self) -> None:
        self.collect.start()
        self.ingest.start(self.inbox)

    def stop(self) -> None:
        assert self.collect.stop()
        self.ingest.stop()
        self.store.close()

    @property
    def kept(self) -> int:
        return self.collect.collected.totals.get("numbers", 0)

    def wait_for_a_commit(self, feeder: threading.Thread) -> None:
        """Wait until there is one more, or nothing comes any more."""
        commits = self.collect.collected.commits
        until(
            lambda: self.collect.collected.commits > commits or not feeder.is_alive(),
            "nothing was committed",
        )

    def readings(self) -> Counter[Reading]:
        """Every number in the buffer, by name and value."""
        if self.store.sync_state().result().epoch == 0:
            self.store.begin_epoch(1, ()).result()
        while self.store.seal_next(bytes_target=1 << 16, mono_us=1, wall_us=2).result() is not None:
            pass
        found: Counter[Reading] = Counter()
        for block in self.store.blocks_from(1, 1 << 40).result():
            rows = read_block(block.data)[2].kind(Kind.NUMBERS)
            columns = (rows[name].tolist() for name in ("series", "ts", "value", "quality"))
            for series, ts, value, quality in zip(*columns, strict=True):
                key = self.catalog.key(series)
                assert key is not None
                found[(key.device, None if quality else ts, value)] += 1
        return found


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.stop()


def published(count: int, seed: int) -> list[tuple[str, bytes]]:
    """Untimed scalars with many equal values, and timed objects, in a random order."""
    chance = random.Random(seed)
    sent = []
    for number in range(count):
        topic, value = chance.choice(TOPICS), chance.choice([20.0, 20.5])
        if chance.random() < 0.3:
            sent.append(
                (f"plant{number % 3}", b'{"ts":%d,"t":%g}' % (1_600_000_000 + number, value))
            )
        else:
            sent.append((topic, b"%g" % value))
    return sent


def expected(sent: list[tuple[str, bytes]]) -> Counter[Reading]:
    found: Counter[Reading] = Counter()
    for topic, payload in sent:
        if payload.startswith(b"{"):
            own_us = int(payload[6:16]) * 1_000_000
            found[(topic, own_us, float(payload[21:-1]))] += 1
        else:
            found[(topic.partition("/")[0], None, float(payload))] += 1
    return found


@pytest.mark.parametrize("version", [MqttVersion.V5, MqttVersion.V311])
def test_cut_wires_and_lost_acknowledgements_lose_and_double_nothing(
    mosquitto: Mosquitto, tmp_path: Path, version: MqttVersion
) -> None:
    wire = Wire(mosquitto.port)
    gateway = Gateway(tmp_path, wire.port, version)
    gateway.start()
    assert gateway.ingest.wait_connected(10)
    sent = published(3000, seed=7)
    feeder = threading.Thread(target=mosquitto.publish, args=(sent,))
    feeder.start()
    for cut in range(1, 7):
        until(lambda n=cut: gateway.kept >= n * 300, "no progress")  # type: ignore[misc]
        if cut % 2:
            wire.deaf.set()  # what is acknowledged from now on never arrives
            if version is MqttVersion.V5:  # its window is wide enough for more than one commit
                gateway.wait_for_a_commit(feeder)
        wire.cut()
        wire.deaf.clear()
    feeder.join()
    until(lambda: gateway.kept >= len(sent), f"{gateway.kept} of {len(sent)}")
    assert gateway.readings() == expected(sent)
    assert gateway.collect.collected.totals.get("collapsed", 0) > 0, "the faults met nothing"
    gateway.stop()
    wire.close()


CHILD = """
import os, signal, sys
from pathlib import Path
from tests.edge.test_collect_broker import Gateway

# A window of 100, so that no commit takes all there is and leaves a later life without one.
gateway = Gateway(Path(sys.argv[1]), int(sys.argv[2]), receive_maximum=100)
send, left = gateway.ingest.ack, [int(sys.argv[3])]

def die_between_commit_and_ack(messages):
    left[0] -= 1
    if left[0] <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
    send(messages)

gateway.ingest.ack = die_between_commit_and_ack
gateway.start()
signal.pause()
"""


def test_a_kill_between_commit_and_acknowledgement_collapses_exactly(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    sent = published(1200, seed=11)

    def live(acks: int) -> None:
        """One life of the gateway, ended by kill -9 after a commit whose PUBACKs never leave."""
        command = [sys.executable, "-c", CHILD, str(tmp_path), str(mosquitto.port), str(acks)]
        assert subprocess.run(command, timeout=60, check=False).returncode == -9

    def feed() -> None:
        until(lambda: "Received SUBSCRIBE from gateway" in mosquitto.log(), "nobody subscribed")
        for at in range(0, len(sent), 20):
            mosquitto.publish(sent[at : at + 20])

    feeder = threading.Thread(target=feed)
    feeder.start()
    for acks in (2, 1, 3):
        live(acks)
    feeder.join()
    gateway = Gateway(tmp_path, mosquitto.port)
    already = gateway.loaded.counters["numbers"]
    gateway.start()
    until(lambda: already + gateway.kept >= len(sent), f"{already} + {gateway.kept}")
    # All readings may be safe before the last copies have come.
    totals = gateway.collect.collected.totals
    until(lambda: gateway.collect.collected.totals.get("collapsed"), f"no copy came: {totals}")
    until(lambda: len(gateway.inbox) == 0, "messages are left")
    assert gateway.readings() == expected(sent)
    gateway.stop()


def test_a_clean_stop_leaves_nothing_to_be_sent_again(mosquitto: Mosquitto, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, mosquitto.port)
    gateway.start()
    assert gateway.ingest.wait_connected(10)
    sent = published(200, seed=3)
    mosquitto.publish(sent)
    until(lambda: gateway.kept == 200, "not all were kept")
    gateway.stop()
    again = Gateway(tmp_path, mosquitto.port)
    again.start()
    assert again.ingest.wait_connected(10)
    mosquitto.publish([("hall0/temp", b"99")])
    until(lambda: again.kept == 1, "the next one did not come")
    assert "collapsed" not in again.collect.collected.totals
    assert again.readings() == expected([*sent, ("hall0/temp", b"99")])
    again.stop()


def test_a_window_of_the_broker_that_is_never_acknowledged_stays_bounded(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    gateway = Gateway(tmp_path, mosquitto.port, receive_maximum=50)
    gateway.ingest.start(gateway.inbox)
    assert gateway.ingest.wait_connected(10)
    sent = published(400, seed=5)
    mosquitto.publish(sent)
    until(lambda: len(gateway.inbox) >= 50, "the window was not used")
    time.sleep(0.2)  # the one wait for something that must not come
    assert len(gateway.inbox) < 400
    gateway.collect.start()
    until(lambda: gateway.kept == 400, "not all came after it was acknowledged")
    assert gateway.readings() == expected(sent)
    gateway.stop()
