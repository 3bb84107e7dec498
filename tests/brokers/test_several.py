"""One agent before two brokers: each has its own session, its own marks and its own word."""

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from protos import sparkplug_pb2
from tests.brokers.agent import Agent
from tests.brokers.broker import PASSWORD, USER, RealBroker
from tests.brokers.mosquitto import Mosquitto
from tests.crash.line import Line
from tests.crash.mqtt_tap import MqttTap
from tests.crash.verdict import Heard, message
from tests.edge.mosquitto import until

pytestmark = pytest.mark.broker

HALL = range(3000, 3600)
"""Numbers of the messages that go to the second broker; their topics are those of the first."""


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[list[RealBroker]]:
    made: list[RealBroker] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(Mosquitto(tmp_path / name))
        made[-1].start()
    yield made
    for one in made:
        one.stop()


@pytest.fixture
def agent(tmp_path: Path, brokers: list[RealBroker]) -> Iterator[Agent]:
    one = Agent(tmp_path, brokers[0])
    yield one
    one.close()


def with_hall(agent: Agent, hall: RealBroker, more: str = "") -> Heard:
    """Give the agent a second broker, over a wire of its own that sees every PUBACK."""
    heard = Heard()
    line = Line(agent.loop, hall.port, lambda: MqttTap(heard))
    settings = agent.home / "edge.toml"
    account = f'username = "{USER}"\npassword_file = "{agent.folder}/password"\n'
    url = f'url = "mqtt://127.0.0.1:{line.port}"\n'
    settings.write_text(f"{settings.read_text()}\n[brokers.hall]\n{url}{account}{more}")
    return heard


def halls(agent: Agent) -> dict[str, Any]:
    """How the second session stands."""
    found: dict[str, Any] = agent.status()["brokers"][0]
    assert found["name"] == "hall"
    return found


def listen(broker: RealBroker, topic: str) -> tuple[paho.Client, list[tuple[str, bytes]]]:
    """Somebody else at a broker, and what he hears; retained messages too."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(USER, PASSWORD)
    heard: list[tuple[str, bytes]] = []
    ready = Event()
    client.on_message = lambda *args: heard.append((args[2].topic, args[2].payload))
    client.on_subscribe = lambda *args: ready.set()
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.subscribe(topic, 1)
    assert ready.wait(20)
    return client, heard


@pytest.mark.parametrize("client", ["native", "paho"])
def test_one_is_killed_and_returns_and_nothing_is_lost_or_doubled_at_either(
    agent: Agent, brokers: list[RealBroker], client: str
) -> None:
    one, two = brokers
    hall = with_hall(agent, two, f'client = "{client}"\n')
    agent.start()
    until(lambda: halls(agent)["connected"], agent.half.tail(), 60)
    one.publish([message(number) for number in range(300)])
    two.publish([message(number) for number in HALL[:300]])
    before = halls(agent)["sessions"]
    two.kill()
    until(lambda: not halls(agent)["connected"], "its end was not noticed", 60)
    one.publish([message(number) for number in range(300, 600)])
    until(lambda: agent.heard.acknowledged == 600, "the other one waits for it", 60)
    until(lambda: "reach the broker" in agent.half.tail(), "nobody was told why", 60)
    two.start()
    until(lambda: halls(agent)["sessions"] > before, f"not back: {agent.half.tail()}", 120)
    two.publish([message(number) for number in HALL[300:]])
    until(lambda: all(hall.acked[number] for number in HALL[300:]), "the rest has not come", 60)
    assert agent.status()["broker"]["sessions"] == 1
    kept = agent.kept()
    for heard, numbers in ((agent.heard, range(600)), (hall, HALL)):
        mine = {number: times for number, times in kept.items() if number in numbers}
        verdict = heard.judge(mine)
        assert (verdict.lost, verdict.doubled, verdict.foreign) == ([], [], 0)
    assert sum(agent.heard.acked) + sum(hall.acked) >= 900


def test_the_same_topic_is_one_series_whichever_broker_it_comes_from(
    agent: Agent, brokers: list[RealBroker]
) -> None:
    with_hall(agent, brokers[1])
    agent.start()
    until(lambda: halls(agent)["connected"], agent.half.tail(), 60)
    for broker in brokers:
        broker.publish([("plant/pump", b'{"bar":4.5}')] * 5)
    until(lambda: agent.rows() == 10, f"{agent.rows()} rows", 60)
    assert agent.status()["buffer"]["series"] == 1


def test_a_node_is_asked_at_the_broker_where_it_is_heard_and_only_there_is_this_a_host(
    agent: Agent, brokers: list[RealBroker]
) -> None:
    two = brokers[1]
    with_hall(agent, two)
    heard = [listen(broker, "spBv1.0/#") for broker in brokers]
    agent.start()
    until(lambda: halls(agent)["connected"], agent.half.tail(), 60)
    unborn = sparkplug_pb2.Payload(timestamp_ms=1_700_000_000_000, seq=3)
    two.publish([("spBv1.0/plant/NDATA/press", unborn.SerializeToString())])
    asked = "spBv1.0/plant/NCMD/press"
    until(lambda: asked in [topic for topic, _ in heard[1][1]], "no birth was asked for", 60)
    states = [json.loads(said) for topic, said in heard[1][1] if "/STATE/" in topic]
    assert states[-1]["online"]
    assert heard[0][1] == []
    assert agent.half.stop() == 0
    for client, _ in heard:
        client.disconnect()
        client.loop_stop()
