"""A backlog in the broker that takes longer to read than an answer may take."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.clock import Stamp
from edge.ingest import Inbox, Linger
from edge.ingest_paho import PahoIngest
from edge.ingest_paho_link import Broker
from protos.records import Quality
from tests.edge.mosquitto import Mosquitto, until

NOW = Stamp(1_700_000_000_000_000, 5_000_000, Quality.GATEWAY_SYNCED)
PATIENCE_S = 0.3


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.stop()


def started(port: int, inbox: Inbox) -> PahoIngest:
    broker = Broker("127.0.0.1", port, client_id="gateway", topics=("#",), timeout_s=PATIENCE_S)
    ingest = PahoIngest(broker, lambda: NOW, jitter=lambda: 0.0)
    ingest.start(inbox)
    return ingest


@pytest.mark.broker
def test_a_backlog_that_takes_longer_than_an_answer_may_is_read_in_one_connection(
    mosquitto: Mosquitto,
) -> None:
    before = started(mosquitto.port, Inbox())
    assert before.wait_connected(10)
    before.stop()
    mosquitto.publish([("a/t", b"%d" % n) for n in range(100)])
    inbox = Inbox(messages_max=10)
    ingest = started(mosquitto.port, inbox)
    try:
        until(lambda: not inbox.has_room, "it was never full")
        assert not ingest.wait_connected(3 * PATIENCE_S), "the answer came before the backlog"
        sessions: list[int] = []
        until(lambda: len(inbox) > 0 and _take(inbox, sessions) == 100, "100 were expected")
        assert set(sessions) == {1}
        assert ingest.wait_connected(10)
    finally:
        ingest.stop()


def _take(inbox: Inbox, sessions: list[int]) -> int:
    sessions += [message.session for message in inbox.take(Linger(0.001, 0.001))]
    return len(sessions)
