"""Rules and commands of a real agent before a real broker, with no cloud anywhere."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.detect.listener import Listener, Offline
from tests.edge.mosquitto import Mosquitto, until

pytestmark = pytest.mark.broker

SETTINGS = """
[ingest]
ignore = ["actuators/#"]

[watch.boiler-hot]
when = "above"
metric = "temperature"
limit = 80.0
back = 5.0
command = "valve"

[watch.pump-quiet]
when = "silent"
device = "pump"
of = "device"
limit = 1.5

[command.valve]
topic = "actuators/valve-3/set"
open = '{"valve": "shut", "device": "{device}", "value": {value}, "limit": {limit}}'
close = '{"valve": "free", "why": "{watch}"}'
per_minute_max = 60
"""


@pytest.fixture
def hut(tmp_path: Path) -> Iterator[Offline]:
    made = Offline(tmp_path, SETTINGS)
    made.broker.start()
    yield made
    made.close()


@pytest.fixture
def listener(hut: Offline) -> Iterator[Listener]:
    made = Listener(hut.broker.port)
    yield made
    made.close()


def test_a_limit_that_is_passed_is_told_and_its_command_given_within_a_second(
    hut: Offline, listener: Listener
) -> None:
    hut.start()
    until(lambda: hut.broker.log().count("-command") > 0, "commands have no connection")
    hut.publish("boiler-1", temperature=79.0)
    sent_s = hut.publish("boiler-1", temperature=91.5)
    command = listener.next("actuators/")
    until(lambda: listener.below("tidegate/anomaly"), "no alert came")
    alert = next(one for one in listener.every if one.topic.startswith("tidegate/anomaly"))
    assert command.said == {"valve": "shut", "device": "boiler-1", "value": 91.5, "limit": 80.0}
    assert (command.topic, command.qos, command.retain) == ("actuators/valve-3/set", 1, False)
    assert alert.topic == f"tidegate/anomaly/{hut.name}/boiler-1/temperature"
    assert alert.said["model"] == "rule:boiler-hot"
    assert alert.said["value"] == 91.5
    assert alert.said["threshold"] == 1.0
    assert max(command.at_s, alert.at_s) - sent_s < 1.0
    hut.publish("boiler-1", temperature=78.0)
    hut.publish("boiler-1", temperature=75.0)
    assert listener.next("actuators/").said == {"valve": "free", "why": "boiler-hot"}
    until(lambda: hut.kept() == 4, "not all is kept")
    status = hut.status()
    assert status["watches"][0] == {
        "name": "boiler-hot", "series": 1, "judged": 4, "found": 1, "open": 0,
    }  # fmt: skip
    assert status["commands"][0]["sent"] == 2
    assert status["ingest"]["anomalies"] == 1
    assert status["ingest"]["ignored"] - status["ingest"]["alerts"] == 2, "commands are no readings"


def test_a_device_that_falls_silent_is_told_with_no_message_from_anywhere(
    hut: Offline, listener: Listener
) -> None:
    hut.start()
    hut.publish("pump", flow=3.5)
    alert = listener.next("tidegate/anomaly")
    assert alert.said["model"] == "rule:pump-quiet"
    assert (alert.said["device"], alert.said["value"]) == ("pump", 3.5)
    until(lambda: hut.status()["ingest"]["anomalies"] == 1, "the anomaly is not kept")
    assert hut.status()["watches"][1]["open"] == 1
    hut.publish("pump", flow=3.5)
    until(lambda: hut.status()["watches"][1]["found"] == 2, "it did not fall silent again")


def test_a_clock_that_steps_by_a_year_silences_nobody_and_hides_no_silence(tmp_path: Path) -> None:
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        pytest.skip("libfaketime is missing; install it: apt-get install -y faketime")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    real = ("DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_NO_CACHE=1")
    faked = (f"LD_PRELOAD={library}", *real, f"FAKETIME_TIMESTAMP_FILE={clock}")
    watch = '[watch.{}]\nwhen = "silent"\ndevice = "{}"\nlimit = {}\n'
    settings = watch.format("patient", "tank", 3600.0) + watch.format("quick", "pump", 1.5)
    hut = Offline(tmp_path, settings, faked)
    hut.broker.start()
    try:
        hut.start()
        told = Listener(hut.broker.port)
        for step in ("+365d", "-800d", "+9000d"):
            hut.publish("tank", level=1.0)
            hut.publish("pump", flow=1.0)
            clock.write_text(step)
            # The rule beside it, of a second and a half, shows that silence was looked for since.
            while (alert := told.next("tidegate/anomaly")).said.get("event") != "opened":
                continue  # how the device stands, or that the silence before is over
            assert alert.said["model"] == "rule:quick"
            assert abs(hut.status()["clock"]["stepped_us"]) > 300 * 86_400_000_000
        assert [one["open"] for one in hut.status()["watches"]] == [0, 1]
        assert hut.status()["watches"][0]["found"] == 0
        told.close()
    finally:
        hut.close()


def test_over_restarts_and_kills_each_change_gives_its_command_once(
    hut: Offline, listener: Listener
) -> None:
    hut.start()
    hut.publish("boiler-1", temperature=95.0)
    assert listener.next("actuators/").said["valve"] == "shut"
    for number, end in enumerate((hut.half.kill, hut.half.stop, hut.half.kill), 2):
        end()
        hut.publish("boiler-1", temperature=95.0 + number)
        hut.start()
        until(lambda n=number: hut.kept() >= n, "not kept")  # type: ignore[misc]
        assert hut.status()["watches"][0]["open"] == 1
    hut.half.kill()
    hut.publish("boiler-1", temperature=20.0)
    hut.start()
    assert listener.next("actuators/").said["valve"] == "free"
    hut.half.kill()
    hut.start()
    hut.publish("boiler-1", temperature=21.0)
    hut.publish("boiler-1", temperature=99.0)
    assert listener.next("actuators/").said["valve"] == "shut"
    assert [one["valve"] for one in listener.below("actuators/")] == ["shut", "free", "shut"]
    assert hut.name not in (hut.home / "watch.json").read_text()
    assert "boiler-1" not in (hut.home / "watch.json").read_text()
    assert list(json.loads((hut.home / "watch.json").read_text())["open"]) == ["boiler-hot"]


def test_a_broker_that_comes_back_gets_the_command_that_still_holds(
    hut: Offline, listener: Listener
) -> None:
    (hut.folder / "plant").mkdir()
    other = Mosquitto(hut.folder / "plant")
    hut.configure(
        SETTINGS.replace("per_minute_max = 60", 'retain = true\nbroker = "plant"')
        + f'\n[brokers.plant]\nurl = "mqtt://127.0.0.1:{other.port}"\n'
    )
    hut.start()
    hut.publish("boiler-1", temperature=95.0)
    assert listener.next("tidegate/anomaly").said["model"] == "rule:boiler-hot"
    until(lambda: hut.status()["commands"][0]["waiting"] == 1, "it does not wait")
    other.start()
    try:
        there = Listener(other.port)
        assert there.next("actuators/", 60).said["valve"] == "shut"
        there.close()
    finally:
        other.stop()
