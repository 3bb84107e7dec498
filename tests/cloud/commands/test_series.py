"""`tidegate-cloud series` as an operator types it, asked of a cloud that runs in this process."""

import json
from pathlib import Path

import numpy as np
import pytest

from cloud.cli import console
from cloud.client.history import HistoryApi
from cloud.commands.series import command
from cloud.rollup.partials import MINUTE_US
from cloud.series.operation import OperationKind
from protos import records
from tests.cloud.lake_world import T0
from tests.cloud.serve_world import World

Capture = pytest.CaptureFixture[str]
SEAM = T0 + 30 * MINUTE_US


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture):
    world = World(tmp_path / "lake")
    world.fill()
    batch = world.gateway.numbers("spare", [T0 + i * MINUTE_US for i in range(20, 50)], [1.0] * 30)
    world.gateway.send(batch)
    while world.live.advance():
        pass

    def answer(self, method: str, target: str, body: bytes | None = None) -> dict:
        headers = {"content-type": "application/json"} if body is not None else {}
        response = world.client.request(method, target, content=body, headers=headers)
        return self._told(response.status_code, response.json(), "ask the cloud")

    monkeypatch.setattr(HistoryApi, "_answer", answer)
    assert console().call(["--home", str(tmp_path / "cloud"), "init"]) == 0
    capsys.readouterr()
    yield world
    world.close()


@pytest.fixture
def call(world: World, tmp_path: Path, capsys: Capture):
    def call(*arguments: str, code: int = 0) -> str:
        assert console().call(["--home", str(tmp_path / "cloud"), "series", *arguments]) == code
        out, err = capsys.readouterr()
        return err if code else out

    return call


def test_series_are_listed_by_any_of_their_names(call, world):
    told = call("list")
    assert [line.split()[2] for line in told.splitlines()] == [
        "door/state", "pump/temperature", "spare/temperature",
    ]  # fmt: skip
    (row,) = json.loads(call("list", "PUMP", "--json"))
    assert row["id"] == world.id("pump")


def test_a_swap_is_tried_made_shown_logged_and_undone(call, world):
    pump, spare = world.id("pump"), world.id("spare")
    swap = "pump/temperature", "spare/temperature", "--from", str(SEAM), "--author", "ann"
    tried = call("replace", *swap, "--dry-run")
    assert tried.startswith("would be pump/temperature")
    assert call("log", "--json") == "[]\n"
    made = json.loads(call("replace", *swap, "--note", "broken", "--json"))
    assert [each["stored"] for each in made["segments"]] == [pump, spare]
    shown = json.loads(call("show", spare, "--json"))
    assert (shown["id"], shown["made_of"]) == (pump, [pump, spare])
    assert [one["note"] for one in shown["operations"]] == ["broken"]
    assert "to 2023-11-15T00:30:00.000+00:00" in call("show", "pump/temperature")
    assert "broken" in call("log", "pump/temperature")
    call("undo", made["operation"]["id"])
    assert {line.split()[0] for line in call("list", "temp").splitlines()} == {pump, spare}


def test_a_series_is_renamed_and_found_by_both_names(call, world):
    pump = world.id("pump")
    call("rename", "pump/temperature", "hall/north/air")
    assert "hall/north/air" in call("list", "pump")
    call("rename", "hall/north/air", "heat")
    assert "hall/north/heat" in call("show", pump)


def test_units_are_shown_and_said(call):
    told = call("unit", "pump/temperature", "°F")
    assert "× 1.8 +32" in told
    told = call("unit", "pump/temperature", "K", "--measured", "--from", str(SEAM))
    assert told.count(" to ") == 2
    assert call("merge", "pump/temperature", "spare/temperature").count("\n") == 4


def test_a_retired_series_is_listed_only_when_asked_for(call):
    call("retire", "spare/temperature", "--from", "2023-11-16T00:00Z")
    assert "spare" not in call("list")
    assert "retired 2023-11-16" in call("list", "--retired")


def test_a_name_that_an_operation_took_away_is_told_with_the_one_it_has_now(call):
    call("rename", "pump/temperature", "hall/pump/warmth")
    told = call("show", "pump/temperature", code=2)
    assert "it is read as hall/pump/warmth now" in told


def test_a_changed_unit_is_proposed_as_the_command_that_joins_it(call, world):
    number, ts = world.gateway.series("pump", unit="°F"), np.array([T0 + 2])
    one = records.numbers(np.array([number]), ts, np.array([1.0]), np.zeros(1), ts)
    world.gateway.send(one)
    while world.live.advance():
        pass
    told = call("list", "--proposals")
    assert "°C, °F since" in told
    merge = told.partition("tidegate-cloud series ")[2].rstrip("`\n").split()
    call(*merge)
    assert call("list", "--proposals") == ""


def test_what_cannot_be_ends_with_its_cause_and_what_to_do(call):
    told = call("unit", "pump/temperature", "%", code=4)
    assert "°C and % are not known to be of one quantity" in told
    assert "scale" in told
    assert "could not show" in told
    assert "did you mean fahrenheit? Otherwise give scale" in call(
        "unit", "pump/temperature", "Fahrenhit", code=4
    )
    assert "expected 16 hex digits" in call("undo", "12", code=2)
    assert "did you mean pump/temperature?" in call("show", "pmup/temperature", code=2)
    assert "no operation" in call("undo", "0" * 16, code=4)


def test_the_guide_tells_every_verb_and_every_kind_of_operation() -> None:
    guide = Path(__file__).parents[3] / "docs" / "guide" / "series.md"
    told = guide.read_text()
    verbs = [f"tidegate-cloud series {name}" for name in command.commands]
    assert [verb for verb in verbs if verb not in told] == []
    kinds = {kind.value for kind in OperationKind} - {"measured"}
    assert {kind for kind in kinds if f"- **{kind}**" not in told} == set()
    assert "--measured" in told
