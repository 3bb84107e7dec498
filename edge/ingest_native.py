"""MQTT in over our own packet codec, the cheaper way: MQTT 3.1.1 and 5 over TCP and TLS."""

import random
from collections.abc import Callable

from edge.clock import Stamp
from edge.ingest_broker import Broker
from edge.ingest_native_link import NativeLink
from edge.ingest_session import SessionIngest


class NativeIngest(SessionIngest):
    """Keeps one session with one broker; see `edge.ingest.Ingest` for the contract."""

    def __init__(
        self,
        broker: Broker,
        now: Callable[[], Stamp],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(NativeLink, broker, now, jitter)
