"""Rejects tried again by a real agent: what a new rule can read becomes readings of their time."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from deploy.demo.stack import BIN, Half, StackError, run
from edge.config import RULES_NAME
from tests.edge.mosquitto import Mosquitto, until

pytestmark = pytest.mark.broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    one = Mosquitto(tmp_path)
    one.start()
    yield one
    one.stop()


def tidegate(home: Path, *arguments: str) -> str:
    return run("tidegate-edge", "--home", str(home), *arguments)


def started(home: Path) -> Half:
    half = Half([str(BIN / "tidegate-edge"), "--home", str(home), "run"], home / "log")
    half.start()

    def connected() -> bool:
        try:
            return bool(json.loads(tidegate(home, "status", "--json"))["broker"]["connected"])
        except (StackError, KeyError):
            return False

    until(connected, f"not connected: {half.tail()}")
    return half


def test_what_a_rule_makes_readable_becomes_readings(tmp_path: Path, broker: Mosquitto) -> None:
    home = tmp_path / "edge"
    tidegate(home, "init", "--name", "hall", "--broker", f"mqtt://127.0.0.1:{broker.port}")
    half = started(home)
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    # A Tasmota topic by chance, with a payload that is no Tasmota's.
    for payload in ("21.5", "22.5"):
        client.publish("tele/x/SENSOR", payload, 1).wait_for_publish(10)
    client.publish("torn", "{", 1).wait_for_publish(10)
    client.loop_stop()
    until(lambda: tidegate(home, "rejects", "--json").count("\n") == 3, "no rejects")
    first = json.loads(tidegate(home, "rejects", "list", "--json").splitlines()[-1])
    assert "not a JSON object" in first["reason"]
    assert "rejected: " in tidegate(home, "rejects", "show", str(first["no"]))
    assert half.stop() == 0

    (home / RULES_NAME).write_text('[[topic]]\ntemplate = "tele/#"\nconvention = "scalar"\n')
    half = started(home)
    assert "SENSOR = 21.5" in tidegate(home, "rejects", "show", str(first["no"]))
    told = json.loads(tidegate(home, "rejects", "retry", "--json"))
    assert told == {"tried": 3, "read": 2, "cut": 0, "left": 1}
    again = json.loads(tidegate(home, "rejects", "retry", "--json"))
    assert again == {"tried": 1, "read": 0, "cut": 0, "left": 1}
    assert half.stop() == 0
    rows = [json.loads(row) for row in
            tidegate(home, "buffer", "export", "-", "--format", "jsonl").splitlines()]  # fmt: skip
    assert [(row["device"], row["metric"], row["value"]) for row in rows] == [
        ("tele/x", "SENSOR", 21.5),
        ("tele/x", "SENSOR", 22.5),
    ]
