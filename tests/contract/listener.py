"""An ingest with its inbox, for the suite that every MQTT client passes."""

from typing import Any

from edge.clock import Stamp
from edge.ingest import Inbox, Linger
from edge.ingest_broker import Broker
from edge.message import Message, Messages
from protos.records import Quality
from tests.edge.mosquitto import until

NOW = Stamp(1_700_000_000_000_000, 5_000_000, Quality.GATEWAY_SYNCED)


class Listener:
    """An ingest with its inbox, read by the test."""

    def __init__(self, ingest_type: Any, broker: Broker, inbox: Inbox) -> None:
        self.inbox = inbox
        self.ingest = ingest_type(broker, lambda: NOW, jitter=lambda: 0.0)
        self.ingest.start(inbox)

    def hear(self, count: int) -> list[Message]:
        heard: list[Message] = []

        def enough() -> bool:
            if len(self.inbox):
                heard.extend(self.inbox.take(Linger(0.001, 0.001, messages_max=count - len(heard))))
            return len(heard) == count

        until(enough, f"{count} messages were expected")
        return heard

    def ack(self, messages: list[Message]) -> None:
        self.ingest.ack(Messages.of(messages))
