"""A model tried on history by the command line, and what the report says of it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from cloud.models.shelf import Shelf
from tests.cloud.models.history_world import (
    FAULT_READINGS,
    HistoryWorld,
    daily,
    history_world,
    time_of,
    with_fault,
)

READINGS = 4000
FAULTS = (800, 1700)
THIRD = 3000


@pytest.fixture
def world(tmp_path: Path, monkeypatch, capsys):
    made = history_world(tmp_path, monkeypatch, capsys)
    yield made
    made.world.close()


def faulty(world: HistoryWorld) -> None:
    """A pump with three faults of one kind, of which two were reviewed, and a healthy one."""
    values = daily(READINGS, 1)
    for seed, at in enumerate((*FAULTS, THIRD)):
        values = with_fault(values, at, 10 + seed)
    world.send("pump", values)
    world.send("pump-2", daily(READINGS, 2))
    for id_, at in enumerate(FAULTS, 1):
        world.episode("pump", at + 5, FAULT_READINGS - 5, id_)
        world.judge("pump", at + 5, id_, "confirmed", "cavitation")
    world.episode("pump-2", 2000, 3, 9)
    world.judge("pump-2", 2000, 9, "dismissed")


def learned(world: HistoryWorld) -> None:
    """A model of the first two, learned before the third came."""
    world.call("model", "train", "cavitation", "--way", "fault", "--to", str(time_of(THIRD - 100)))


def test_the_third_occurrence_is_caught_beside_the_model_in_service(world):
    faulty(world)
    learned(world)
    world.mark("fault", THIRD, THIRD + FAULT_READINGS, gateway="gw-1", device="pump")
    told = json.loads(world.call("model", "backtest", "cavitation", "--json"))
    tried, served = told["models"]
    assert tried["model"] == "cavitation@1"
    assert (tried["caught"], tried["occurrences"], tried["false"]) == (3, 3, 0)
    assert 0 <= tried["delay_s"] < 60 * FAULT_READINGS
    assert served["model"] == "in service: old@1"
    assert (served["caught"], served["occurrences"], served["false"]) == (2, 3, 1)
    assert tried["series_weeks"] == pytest.approx(2 * READINGS / 10_080, rel=0.05)
    assert served["rate_low"] < served["rate"] < served["rate_high"]
    assert told["readings"] == 2 * READINGS
    third = [one for one in told["episodes"] if one["from"] >= time_of(THIRD)]
    assert [one["name"] for one in third] == ["pump/temperature"]
    assert 0.6 < told["share_in_training"] < 0.8


def test_what_nobody_confirmed_is_a_false_alarm_and_maintenance_counts_as_neither(world):
    faulty(world)
    learned(world)
    asked = ("model", "backtest", "cavitation", "--device", "pump", "--json")
    first = json.loads(world.call(*asked))["models"][0]
    assert (first["caught"], first["occurrences"], first["false"]) == (2, 2, 1)
    world.mark("maintenance", THIRD - 5, THIRD + 60, gateway="gw-1", device="pump")
    again = json.loads(world.call(*asked))["models"][0]
    assert (again["episodes"], again["false"]) == (first["episodes"], 0)
    told = json.loads(world.call(*asked))["episodes"]
    assert [one["worth"] for one in told] == ["known", "known", "neither"]


def test_only_the_time_that_was_asked_for_is_replayed(world):
    faulty(world)
    learned(world)
    span = ("--from", str(time_of(2900)), "--to", str(time_of(3500)))
    told = json.loads(world.call("model", "backtest", "cavitation@1", *span, "--json"))
    assert told["readings"] == 2 * 600
    assert (told["from"], told["to"]) == (time_of(2900), time_of(3500))
    assert told["share_in_training"] == 0
    assert told["models"][0]["episodes"] == 1


def test_two_models_are_tried_on_the_same_readings(world):
    faulty(world)
    learned(world)
    world.call("model", "train", "normal", "--to", str(time_of(THIRD - 100)))
    told = json.loads(
        world.call("model", "backtest", "cavitation", "--against", "normal", "--json")
    )
    assert [one["model"] for one in told["models"]] == [
        "cavitation@1", "normal@1", "in service: old@1",
    ]  # fmt: skip
    assert told["models"][1]["caught"] >= 1


class Tags(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_report_is_one_file_without_script_or_address(world, tmp_path):
    faulty(world)
    learned(world)
    world.mark("bad", 100, 120, "<script>alert(1)</script>", gateway="gw-1", device="pump")
    report = tmp_path / "report.html"
    told = world.call("model", "backtest", "cavitation", "--report", str(report))
    assert f"report: {report}" in told
    assert "cavitation@1: 3 episodes, 1 false" in told
    text = report.read_text()
    page = Tags()
    page.feed(text)
    assert page.open == []
    assert {"script", "link", "img", "iframe", "a", "object"}.isdisjoint(page.tags)
    names = {name for name, _ in page.attributes}
    assert {"src", "href", "srcset", "action"}.isdisjoint(names)
    assert not [name for name in names if name.startswith("on")]
    assert not re.search(r"https?://|url\(|@import", text)
    assert "default-src 'none'" in text
    assert page.tags.count("svg") == 2
    assert "bad: &lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "It caught 2 of 2 known" in text
    assert "in service: old@1" in text
    assert 'class="false"' in text
    assert 'class="confirmed"' in text


def test_a_report_that_cannot_be_written_is_told(world, tmp_path):
    faulty(world)
    learned(world)
    nowhere = str(tmp_path / "nowhere" / "report.html")
    told = world.call("model", "backtest", "cavitation", "--report", nowhere, code=2)
    assert "write the report" in told


def test_what_is_not_there_is_told(world, tmp_path):
    assert "`model train` makes one" in world.call("model", "backtest", "nothing", code=2)
    faulty(world)
    learned(world)
    told = world.call("model", "backtest", "cavitation", "--device", "fan", code=2)
    assert "no series with readings fits" in told
    (tmp_path / "broken.tgm").write_bytes(b"PK")
    assert "broken.tgm" in world.call("model", "backtest", str(tmp_path / "broken.tgm"), code=2)
    assert len(Shelf(world.home / "models").list()) == 1


def test_a_model_of_several_channels_is_tried_device_by_device(world):
    for seed, device in enumerate(("pump-1", "pump-2")):
        speed = daily(READINGS, seed)
        noise = np.random.default_rng(seed + 10).normal(0, 0.1, READINGS)
        flow = 2 * speed + noise
        if device == "pump-1":
            flow[THIRD : THIRD + FAULT_READINGS] -= 5.0
        world.send(device, speed, "speed")
        world.send(device, flow, "flow")
    world.mark("fault", THIRD, THIRD + FAULT_READINGS, gateway="gw-1", device="pump-1")
    named = ("--channel", "speed", "--channel", "flow")
    until = ("--to", str(time_of(THIRD - 100)))
    world.call("model", "train", "whole", "--way", "channels", *named, *until)
    told = json.loads(world.call("model", "backtest", "whole", "--json"))
    tried = told["models"][0]
    assert (told["series"], tried["caught"], tried["occurrences"]) == (2, 1, 1)
    assert {one["name"] for one in told["episodes"] if one["worth"] == "known"} == {
        "pump-1/speed+flow"
    }
    assert tried["series_weeks"] == pytest.approx(2 * READINGS / 10_080, rel=0.05)
    world.call("model", "train", "flow", "--metric", "flow", *until)
    refused = world.call("model", "backtest", "whole", "--against", "flow", code=2)
    assert "takes frames that the other does not" in refused


def test_a_threshold_of_ones_own_takes_the_place_of_the_manifests(world):
    faulty(world)
    learned(world)
    asked = ("model", "backtest", "cavitation", "--json", "--threshold")
    assert json.loads(world.call(*asked, "1000"))["models"][0]["episodes"] == 0
    assert "no threshold above 0" in world.call(*asked, "0", code=2)
