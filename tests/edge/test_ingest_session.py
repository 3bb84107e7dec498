"""A session with a broker that takes the connection and drops it, or says odd things of itself."""

import pytest

from edge.broker_watch import CAUSES_MAX, _is_news
from edge.clock import Clock
from edge.ingest_broker import Broker
from edge.ingest_native_link import NativeLink
from edge.ingest_session import BACKOFF_MIN_S, FLAPS_MAX, SessionIngest
from edge.mqtt_version import MqttVersion

BROKER = Broker("127.0.0.1", 1, "gw", ("#",), keepalive_s=30)


class Dropped(NativeLink):
    """A connection that is over as soon as everything was granted."""

    def open(self) -> None:
        self.answered = self.accepted = self.subscribed = self.closed = True
        self.error = "the connection was lost"


class Waits:
    """Stands for the event that ends a session: notes how long was waited, and sets in the end."""

    def __init__(self, count: int) -> None:
        self.told: list[float] = []
        self._count = count

    def is_set(self) -> bool:
        return len(self.told) >= self._count

    def wait(self, timeout_s: float) -> bool:
        self.told.append(timeout_s)
        return self.is_set()


def test_a_broker_that_drops_each_connection_at_once_is_not_asked_at_full_speed() -> None:
    ingest, waits = SessionIngest(Dropped, BROKER, Clock().now, lambda: 1.0), Waits(5)
    ingest._stopping = waits  # type: ignore[assignment]
    ingest._run()
    most = BACKOFF_MIN_S * 2**FLAPS_MAX
    assert waits.told == [BACKOFF_MIN_S * 2, most, most, most, most]


@pytest.mark.parametrize(("told_s", "kept_s"), [(0, 30), (10, 10), (30, 30), (65_535, 30)])
def test_no_broker_has_us_look_less_often_whether_it_is_there(told_s: int, kept_s: int) -> None:
    link = NativeLink(BROKER, MqttVersion.V5, 1)
    link._connected(b"\x00\x00\x03\x13" + told_s.to_bytes(2, "big"))
    assert link.accepted
    assert link._keepalive_s == kept_s


def test_a_broker_with_ever_new_excuses_is_told_of_some_times_only() -> None:
    known: set[str] = set()
    for number in range(10 * CAUSES_MAX):
        if _is_news(f"excuse {number}", known):
            known.add(f"excuse {number}")
    assert len(known) == CAUSES_MAX
    assert not _is_news("excuse 0", known)
