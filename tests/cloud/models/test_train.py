"""Models from history by the command line: what is learned from, what is left out, what is kept."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from cloud.models import history as models_history
from cloud.models.shelf import Shelf
from protos.model import CalibrationKind, Takes, read_package, verify
from protos.model_key import load_key, public_of
from tests.cloud.models.history_world import (
    FAULT_READINGS,
    HistoryWorld,
    daily,
    history_world,
    time_of,
    with_fault,
)

READINGS = 3000


@pytest.fixture
def world(tmp_path: Path, monkeypatch, capsys):
    made = history_world(tmp_path, monkeypatch, capsys)
    yield made
    made.world.close()


def canonical(world: HistoryWorld, rows: dict[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """The hash as the module's own words define it, computed here by itself."""
    whole = hashlib.sha256()
    for id_, (ts, value) in sorted((world.world.id(device), of) for device, of in rows.items()):
        whole.update(bytes.fromhex(id_))
        for each in zip(ts.tolist(), value.tolist(), strict=True):
            whole.update(int(each[0]).to_bytes(8, "little", signed=True))
            whole.update(np.float64(each[1]).tobytes())
        whole.update(len(ts).to_bytes(8, "little"))
    return whole.hexdigest()


def test_a_predictor_is_trained_proved_signed_and_shelved(world):
    values = daily(READINGS, 1)
    world.send("pump", values)
    made = json.loads(world.call("model", "train", "pump-normal", "--device", "pump", "--json"))
    assert (made["version"], made["rows"], made["window"]) == ("1", READINGS, 98)
    assert made["figures"]["season"] == 96
    assert made["figures"]["explained"] > 0.8
    assert made["proof"]["difference"] <= made["proof"]["bound"]
    assert made["proof"]["windows"] > 500
    package = read_package(Shelf(world.home / "models").get("pump-normal", "1"))
    assert verify(package, [public_of(load_key(world.home / "model.key"))])
    manifest = package.manifest
    assert (manifest.takes, manifest.applies.device) == (Takes.WINDOW, ("pump",))
    assert manifest.calibration.kind is CalibrationKind.FIXED
    assert manifest.trained is not None
    times = np.array([time_of(at) for at in range(READINGS)])
    assert manifest.trained.data_sha256 == canonical(world, {"pump": (times, values)})
    assert manifest.trained.from_ == "2023-11-15T00:00:00+00:00"
    assert manifest.trained.to == "2023-11-17T01:59:00+00:00"


def test_the_same_history_gives_the_same_bytes_and_the_next_version(world):
    world.send("pump", daily(READINGS, 1))
    world.call("model", "train", "pump-normal")
    world.call("model", "train", "pump-normal")
    shelf = Shelf(world.home / "models")
    assert [entry.version for entry in shelf.list()] == ["1", "2"]
    first, second = (read_package(shelf.get("pump-normal", each)) for each in "12")
    assert first.graph == second.graph
    assert first.manifest.trained == second.manifest.trained


def test_marks_and_confirmed_episodes_are_left_out_and_dismissed_ones_are_not(world):
    values = daily(READINGS, 1)
    for at in (500, 1000, 1500, 2000, 2500):
        values[at : at + 10] += 100.0
    world.send("pump", values)
    world.mark("fault", 500, 510, device="pump", gateway="gw-1")
    world.mark("maintenance", 1000, 1010, gateway="gw-1")
    world.mark("bad", 1500, 1510, series=[world.world.id("pump")])
    world.episode("pump", 2000, 10, 7)
    world.judge("pump", 2000, 7, "confirmed")
    made = json.loads(world.call("model", "train", "a", "--season", "96", "--json"))
    assert made["rows"] == READINGS - 40
    kept = np.ones(READINGS, bool)
    for at in (500, 1000, 1500, 2000):
        kept[at : at + 10] = False
    times = np.array([time_of(at) for at in range(READINGS)])
    assert made["data_sha256"] == canonical(world, {"pump": (times[kept], values[kept])})
    world.judge("pump", 2000, 7, "dismissed")
    assert json.loads(world.call("model", "train", "a", "--json"))["rows"] == READINGS - 30


def test_only_the_series_and_the_time_that_were_chosen_are_learned_from(world):
    for seed, device in enumerate(("pump-1", "pump-2", "fan")):
        world.send(device, daily(READINGS, seed, level=10.0**seed, size=seed + 1.0))
    span = ("--from", str(time_of(100)), "--to", str(time_of(1600)))
    made = json.loads(world.call("model", "train", "p", "--device", "pump-*", *span, "--json"))
    assert made["rows"] == 2 * 1500
    assert sorted(made["series"]) == sorted(world.world.id(each) for each in ("pump-1", "pump-2"))
    shown = json.loads(world.call("model", "show", "p", "--json"))
    assert shown["applies"]["device"] == ["pump-*"]
    named = ("--label", "room:hall*", "--unit", "°C", "--gateway", "gw-1", *span)
    assert json.loads(world.call("model", "train", "q", *named, "--json"))["rows"] == 3 * 1500
    for none in (("--class", "pump"), ("--unit", "bar"), ("--label", "floor"), ("--kind", "state")):
        assert "no series with readings fits" in world.call("model", "train", "q", *none, code=2)
    told = world.call("model", "train", "p", "--device", "pmup*", code=2)
    assert "no series with readings fits" in told


def test_a_fault_that_was_confirmed_twice_is_known_the_third_time(world):
    values = with_fault(with_fault(daily(READINGS, 1), 800, 2), 1700, 3)
    world.send("pump", values)
    for at, id_ in ((800, 1), (1700, 2)):
        world.episode("pump", at, FAULT_READINGS, id_)
        world.judge("pump", at, id_, "confirmed", "cavitation")
    made = json.loads(
        world.call("model", "train", "cavitation", "--way", "fault", "--fault", "cavi", "--json")
    )
    assert made["figures"]["occurrences"] == 2
    assert made["figures"]["caught_left_out"] == 2
    assert made["rows"] == READINGS

    from cloud.models.proof import session_of

    manifest = read_package(Shelf(world.home / "models").get("cavitation", "1"))
    third = with_fault(daily(READINGS, 9), 1200, 10)
    views = np.lib.stride_tricks.sliding_window_view(third, made["window"])
    scores = session_of(manifest.graph).run(["score"], {"window": views})[0]
    over = np.flatnonzero(scores > made["threshold"]) + made["window"] - 1
    assert len(over)
    assert 1200 <= over[0] < 1200 + FAULT_READINGS
    assert over[-1] < 1200 + FAULT_READINGS + made["window"]


def test_one_occurrence_is_too_few_and_another_fault_is_none(world):
    world.send("pump", with_fault(daily(READINGS, 1), 800, 2))
    world.mark("fault", 800, 840, "cavitation", gateway="gw-1")
    learn = ("model", "train", "cavitation", "--way", "fault")
    assert "1 occurrences are known, 2 are needed" in world.call(*learn, code=2)
    world.mark("fault", 1700, 1740, "leak", gateway="gw-1")
    assert "1 occurrences" in world.call(*learn, "--fault", "cavitation", code=2)


def test_occurrences_that_look_like_normal_are_refused(world):
    world.send("pump", daily(READINGS, 1))
    for at in (700, 1700):
        world.mark("fault", at, at + 40, gateway="gw-1")
    told = world.call("model", "train", "nothing", "--way", "fault", code=2)
    assert "each of 2 occurrences was left out once" in told


def test_shapes_are_of_one_series(world):
    world.send("pump", daily(READINGS, 1))
    made = json.loads(world.call("model", "train", "shape", "--way", "pattern", "--json"))
    assert made["window"] == 96
    assert made["figures"]["components"] == 2
    world.send("fan", daily(READINGS, 2))
    assert "2 series were chosen" in world.call(
        "model", "train", "shape", "--way", "pattern", code=2
    )


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (("Pump",), "small letters"),
        (("pump", "--version", "v1"), "numbers with dots"),
        (("pump", "--rate", "0"), "give more than 0"),
        (("pump", "--lags", "0"), "give 1 to 256"),
        (("pump", "--season", "5000"), "or -1 to look for it"),
        (("pump", "--window", "16"), "--window is of --way pattern and fault and channels"),
        (("pump", "--fault", "leak"), "--fault is of --way fault"),
        (("pump", "--way", "fault", "--adaptive"), "--adaptive is not of --way fault"),
        (("pump", "--way", "pattern", "--kept", "1"), "0.5 up to below 1"),
        (("pump", "--from", "2026-13-01"), "give a day or a time in UTC"),
        (("pump", "--from", "2026-02-01", "--to", "2026-01-01"), "--to is not after --from"),
        (("pump", "--from", "2020-01-01", "--to", "2020-02-01"), "no reading is left"),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_out(world, said, told):
    world.send("pump", daily(300, 1))
    assert told in world.call("model", "train", *said, code=2)
    assert Shelf(world.home / "models").list() == []


def test_more_readings_than_memory_is_meant_for_are_refused(world, monkeypatch):
    world.send("pump", daily(300, 1))
    monkeypatch.setattr(models_history.stories, "__defaults__", (299,))
    assert "more than 299 readings" in world.call("model", "train", "pump", code=2)


def test_the_shelf_is_listed_and_a_package_shown(world):
    assert world.call("model", "list", "--json") == "[]\n"
    world.send("pump", daily(READINGS, 1))
    world.call("model", "train", "pump-normal")
    (row,) = json.loads(world.call("model", "list", "--json"))
    assert (row["name"], row["version"], row["rows"]) == ("pump-normal", "1", READINGS)
    assert "pump-normal  1  window of 98  3,000 rows" in world.call("model", "list")
    shown = world.call("model", "show", "pump-normal@1")
    assert 'name = "pump-normal"' in shown
    assert "ed25519:" in shown
    assert shown == world.call("model", "show", str(world.home / "models" / row["file"]))
    assert "there is pump-normal 1" in world.call("model", "show", "pump-normal@2", code=2)
    assert "no such file" in world.call("model", "show", "nothing.tgm", code=2)


def channels(world: HistoryWorld, device: str, seed: int) -> None:
    """A device whose flow follows its speed, with a temperature that follows neither."""
    speed = daily(READINGS, seed)
    rng = np.random.default_rng(seed + 100)
    world.send(device, speed, "speed")
    world.send(device, 2 * speed + rng.normal(0, 0.1, READINGS), "flow")
    world.send(device, rng.normal(20, 0.1, READINGS), "temperature")


def test_several_channels_are_learned_together_and_what_parts_them_is_strange(world):
    channels(world, "pump-1", 1)
    channels(world, "pump-2", 2)
    world.send("pump-3", daily(300, 3), "speed")
    world.mark("fault", 500, 600, gateway="gw-1", device="pump-1")
    named = ("--channel", "speed", "--channel", "flow", "--channel", "temperature")
    made = json.loads(
        world.call("model", "train", "pump-whole", "--way", "channels", *named, "--json")
    )
    assert (made["figures"]["devices"], made["figures"]["sample_s"]) == (2, 60)
    package = read_package(Shelf(world.home / "models").get("pump-whole", "1"))
    manifest = package.manifest
    assert (manifest.takes, manifest.channels) == (
        Takes.FRAME, ("speed", "flow", "temperature"),
    )  # fmt: skip
    assert (manifest.sample_s, manifest.gap_s) == (60, 300)

    from cloud.models.proof import session_of

    speed = daily(made["window"], 9)
    whole = np.stack([speed, 2 * speed, np.full(len(speed), 20.0)], axis=1)
    parted = whole.copy()
    parted[-10:, 1] -= 5.0
    scores = session_of(package.graph).run(["score"], {"window": np.stack([whole, parted])})[0]
    assert scores[0] < made["threshold"] < scores[1]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (("--channel", "speed"), "name 2 to 64 metrics"),
        (("--channel", "speed", "--channel", "speed"), "none twice"),
        (("--channel", "speed", "--channel", "level"), "no device has all of speed, level"),
        (("--channel", "speed", "--channel", "flow", "--sample-s", "0.0001"), "give 0.001"),
        (("--channel", "speed", "--channel", "flow", "--horizon", "0"), "0 < horizon"),
        (("--channel", "speed", "--channel", "flow", "--lags", "3"), "--lags is of --way"),
        (("--channel", "speed", "--channel", "flow", "--sample-s", "9000"), "longer time"),
    ],
)
def test_channels_that_cannot_be_are_refused_with_a_way_out(world, said, told):
    channels(world, "pump", 1)
    assert told in world.call("model", "train", "p", "--way", "channels", *said, code=2)
