"""MQTT in through paho-mqtt, the library: the same session over another link."""

import random
from collections.abc import Callable

from edge.clock import Stamp
from edge.ingest_broker import Broker
from edge.ingest_paho_link import PahoLink
from edge.ingest_session import SessionIngest


class PahoIngest(SessionIngest):
    """Keeps one session with one broker over paho; see `edge.ingest.Ingest` for the contract."""

    def __init__(
        self,
        broker: Broker,
        now: Callable[[], Stamp],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(PahoLink, broker, now, jitter)
