"""The agent as the host of a Sparkplug node that was not written here."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from deploy.demo.stack import BIN, Half, StackError, run
from protos import sparkplug_pb2 as pb
from tests.edge.mosquitto import Mosquitto, until
from tests.sparkplug.node import StrangeNode, by_alias, metric

pytestmark = pytest.mark.broker

STATE = "spBv1.0/STATE/tidegate-hall"


class Host:
    """`tidegate-edge run` beside a broker, with a listener of everything on it."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.home = folder / "edge"
        self.half = Half([str(BIN / "tidegate-edge"), "--home", str(self.home), "run"],
                         folder / "edge.log")  # fmt: skip
        url = f"mqtt://127.0.0.1:{broker.port}"
        self.tidegate("init", "--name", "hall", "--broker", url)
        self.seen: list[tuple[str, bytes]] = []
        self._watch = paho.Client(CallbackAPIVersion.VERSION2)
        self._watch.on_message = lambda *args: self.seen.append((args[2].topic, args[2].payload))
        self._watch.connect("127.0.0.1", broker.port)
        self._watch.subscribe("spBv1.0/#", 1)
        self._watch.loop_start()

    def start(self) -> None:
        self.half.start()
        until(self.is_connected, f"not connected: {self.half.tail()}")

    def is_connected(self) -> bool:
        try:
            return bool(json.loads(self.tidegate("status", "--json"))["broker"]["connected"])
        except (StackError, KeyError):
            return False

    def tidegate(self, *arguments: str) -> str:
        return run("tidegate-edge", "--home", str(self.home), *arguments)

    def publish(self, topic: str, payload: bytes) -> None:
        self._watch.publish(topic, payload, 1).wait_for_publish(10)

    def states(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for topic, payload in self.seen if topic == STATE]

    def asked(self) -> int:
        return sum(topic == "spBv1.0/plant/NCMD/press" for topic, _ in self.seen)

    def readings(self) -> list[tuple[str, str, float]]:
        """Device, metric and value of every reading, in order; the agent is stopped for it."""
        assert self.half.stop() == 0, self.half.tail()
        rows = self.tidegate("buffer", "export", "-", "--format", "jsonl").splitlines()
        told = [json.loads(row) for row in rows]
        return [(row["device"], row["metric"], row["value"]) for row in told if "value" in row]

    def close(self) -> None:
        self.half.stop()
        self._watch.loop_stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    one = Mosquitto(tmp_path)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def host(tmp_path: Path, broker: Mosquitto) -> Iterator[Host]:
    one = Host(tmp_path, broker)
    yield one
    one.close()


BIRTHS = {
    "node": [metric("Node Control/Rebirth", 0, False, "Boolean"), metric("load", 1, 0.5)],
    "devices": {"oven": [metric("temperature", 2, 180.5)]},
}


def test_birth_data_by_alias_and_death_are_readings(host: Host, broker: Mosquitto) -> None:
    host.start()
    node = StrangeNode(broker.port, BIRTHS)
    node.wait("birth")
    node.say("device data", device="oven", metrics=by_alias([(2, 181.5)]))
    node.say("data", metrics=by_alias([(1, 0.75)]))
    until(lambda: len(host.states()) >= 1, "the host never said that it is online")
    until(lambda: any("DDATA" in topic for topic, _ in host.seen), "no data")
    node.close()
    until(lambda: any("NDEATH" in topic for topic, _ in host.seen), "no death")
    until(lambda: json.loads(host.tidegate("status", "--json"))["ingest"]["readings"] >= 8, "rows")
    told = host.readings()
    assert host.asked() == 0, "nothing was missing"
    assert [row for row in told if row[0] == "plant/press"] == [
        ("plant/press", "online", 1.0),
        ("plant/press", "load", 0.5),
        ("plant/press", "load", 0.75),
        ("plant/press", "online", 0.0),
    ]
    assert [row for row in told if row[0] == "plant/press/oven"] == [
        ("plant/press/oven", "online", 1.0),
        ("plant/press/oven", "temperature", 180.5),
        ("plant/press/oven", "temperature", 181.5),
        ("plant/press/oven", "online", 0.0),
    ]


def test_a_node_born_before_the_host_is_asked_for_its_birth(host: Host, broker: Mosquitto) -> None:
    node = StrangeNode(broker.port, BIRTHS)
    node.wait("birth")
    host.start()
    node.say("data", metrics=by_alias([(1, 0.25)]))
    until(lambda: host.asked() == 1, "no birth was asked for")
    node.wait("birth", 2)
    node.say("data", metrics=by_alias([(1, 0.125)]))
    until(lambda: json.loads(host.tidegate("status", "--json"))["ingest"]["readings"] >= 5, "rows")
    rejects = json.loads(host.tidegate("rejects", "--json").splitlines()[0])
    assert "alias 1 is unknown: the node was asked for a rebirth" in rejects["reason"]
    told = host.readings()
    assert ("plant/press", "load", 0.125) in told
    assert ("plant/press", "load", 0.25) not in told
    node.close()


def test_data_that_comes_first_after_a_restart_is_read_by_the_birth_of_before(
    host: Host, broker: Mosquitto
) -> None:
    host.start()
    node = StrangeNode(broker.port, BIRTHS)
    node.wait("birth")
    until(lambda: json.loads(host.tidegate("status", "--json"))["ingest"]["readings"] >= 4, "rows")
    assert host.half.stop() == 0, host.half.tail()
    host.start()
    node.say("device data", device="oven", metrics=by_alias([(2, 181.25)]))
    until(lambda: host.asked() == 1, "no birth was asked for")
    node.wait("birth", 2)
    until(lambda: json.loads(host.tidegate("status", "--json"))["ingest"]["readings"] >= 9, "rows")
    assert not host.tidegate("rejects", "--json")
    assert ("plant/press/oven", "temperature", 181.25) in host.readings()
    node.close()


def test_the_state_is_online_after_a_connection_and_offline_after_a_stop(
    host: Host, broker: Mosquitto
) -> None:
    host.start()
    node = StrangeNode(broker.port, BIRTHS)
    node.wait("birth")
    until(lambda: len(host.states()) == 1, "not online")
    online = host.states()[0]
    assert online["online"] is True
    host.publish(STATE, b'{"online":false,"timestamp":1}')
    until(lambda: len(host.states()) == 3, "it did not say again that it is online")
    assert host.states()[2] == online
    assert host.half.stop() == 0
    until(lambda: len(host.states()) == 4, "it left without a word")
    assert host.states()[3] == {"online": False, "timestamp": online["timestamp"]}
    node.close()


def test_a_lost_message_makes_the_host_ask_for_a_birth(host: Host, broker: Mosquitto) -> None:
    host.start()

    def say(verb: str, seq: int, value: float) -> None:
        payload = pb.Payload(timestamp_ms=1_700_000_000_000, seq=seq)
        payload.metrics.add(name="t", alias=1, datatype=10, double_value=value)
        host.publish(f"spBv1.0/plant/{verb}/press", payload.SerializeToString())

    say("NBIRTH", 255, 1.5)
    say("NDATA", 1, 2.5)  # 0 was lost
    for seq in range(2, 70):
        say("NDATA", seq, float(seq))
    until(lambda: host.asked() == 1, "no birth was asked for")
