"""The strange node really is one: what it publishes is Sparkplug B as the specification has it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.edge.mosquitto import Mosquitto, until
from tests.sparkplug.node import StrangeNode, by_alias, metric

pytestmark = pytest.mark.broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    one = Mosquitto(tmp_path)
    one.start()
    yield one
    one.stop()


def test_it_is_born_speaks_by_alias_and_dies_by_its_will(broker: Mosquitto) -> None:
    watch = paho.Client(CallbackAPIVersion.VERSION2)
    topics: list[str] = []
    watch.on_message = lambda *args: topics.append(args[2].topic)
    watch.connect("127.0.0.1", broker.port)
    watch.subscribe("spBv1.0/#")
    watch.loop_start()
    births = {
        "node": [metric("Node Control/Rebirth", 0, False, "Boolean"), metric("load", 1, 0.5)],
        "devices": {"oven": [metric("temperature", 2, 180.5)]},
    }
    node = StrangeNode(broker.port, births)
    node.wait("birth")
    node.say("device data", device="oven", metrics=by_alias([(2, 181.0)]))
    until(lambda: "spBv1.0/plant/DDATA/press/oven" in topics, f"no data: {topics}")
    node.close()
    until(lambda: "spBv1.0/plant/NDEATH/press" in topics, f"no death: {topics}")
    assert topics == [
        "spBv1.0/plant/NBIRTH/press",
        "spBv1.0/plant/DBIRTH/press/oven",
        "spBv1.0/plant/DDATA/press/oven",
        "spBv1.0/plant/NDEATH/press",
    ]
    watch.loop_stop()
