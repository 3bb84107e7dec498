"""`tidegate-cloud quarantine` and `gateways pardon`, and what the lake makes of a release."""

import json
from pathlib import Path

import pytest

from cloud.cli import console
from cloud.config import load
from cloud.journal.sqlite.orders import carry_out
from cloud.journal.sqlite.quarantine import State
from cloud.lake import release as lake_release
from cloud.lake.consolidator import Consolidator
from cloud.lake.names import Names
from cloud.lake.release import Releases
from cloud.lake.table.schema import ROLLUPS, is_whole
from cloud.registry.registry import CertificateRow, Registry, TokenRow
from cloud.verify.whole import verify
from tests.cloud.lake_runs import Crash
from tests.cloud.verify_world import T0, Home

Capture = pytest.CaptureFixture[str]


def call(home: Path, *arguments: str) -> int:
    return console().call(["--home", str(home), *arguments])


@pytest.fixture
def place(tmp_path: Path, capsys: Capture):
    assert call(tmp_path / "cloud", "init") == 0
    capsys.readouterr()
    return tmp_path / "cloud"


class Blind:
    """Sets the n-th block apart as a faulty version would that cannot read it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def drain(self, home: Home, offset: int) -> None:
        home.journal.quarantine(offset, "an older version could not read it")
        from cloud.lake import consolidator as lake

        whole = lake.decode
        with self.monkeypatch.context() as patched:
            patched.setattr(
                lake,
                "decode",
                lambda e, names, *_: whole([x for x in e if x.offset != offset], names),
            )
            home.drain()


@pytest.fixture
def home(place: Path, monkeypatch):
    """Three blocks of 5, 6 and 7 readings; the second is in quarantine, its rows are sound."""
    made = Home(place)
    for count in (5, 6, 7):
        made.send("gw", count)
    Blind(monkeypatch).drain(made, 2)
    yield made
    made.stop()


def with_releases(home: Home, step=lambda _: None) -> None:
    """Give the lake's consolidator the operator's releases, as the aggregator does."""
    home.lake.close()
    names = Names(home.journal.series)
    releases = Releases(home.journal.quarantined_blocks, names, lambda: T0)
    home.lake = Consolidator(
        home.root / "lake", home.journal, names, home.viewer, releases=releases, step=step
    )


def name_of(home: Home) -> str:
    return home.journal.quarantined()[0].hash.hex()[:12]


def told(home: Home, capsys: Capture) -> str:
    found = verify(home.root / "journal", home.root / "lake")
    assert found.is_whole, found.faults
    return found.line()


def audited(place: Path) -> list[tuple[str, str]]:
    registry = Registry.open(load(place).registry_path)
    rows = [(row["action"], row["outcome"]) for row in registry.audit_rows()]
    registry.close()
    return rows


def test_a_held_block_is_listed_and_shown_by_name(home, place, capsys):
    assert call(place, "quarantine", "list") == 0
    line = capsys.readouterr().out
    assert line.startswith(name_of(home))
    assert "gw  epoch 1 seq 2" in line
    assert "an older version could not read it; 6 readings" in line
    assert call(place, "quarantine", "show", name_of(home)) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["cause"], shown["state"], shown["kept"]) == ("poison", "held", True)
    assert shown["rows"] == {"numbers": 6}


def test_an_unknown_name_is_the_operators_error(home, place, capsys):
    assert call(place, "quarantine", "show", "ffff") == 2
    assert "there is none" in capsys.readouterr().err


def test_a_released_block_is_in_every_table_once(home, place, capsys):
    assert "12 readings in the lake = 18 archived − 6 quarantined" in told(home, capsys)
    with_releases(home)
    home.lake.recover()
    assert call(place, "quarantine", "release", name_of(home)) == 0
    told(home, capsys)
    for _ in range(3):
        home.lake.run_once()
    assert "18 readings in the lake = 18 archived;" in told(home, capsys)
    assert home.viewer.shown == [2], "the live view counts it once"
    tables = home.batch().tables
    assert all(tables[spec.name].rows for spec in filter(is_whole, ROLLUPS))
    assert audited(place)[0] == ("quarantine release", "to be tried again")
    home.stop()
    home.start()
    assert "18 readings in the lake = 18 archived;" in told(home, capsys)


@pytest.mark.parametrize("crash_at", range(1, 46, 4))
def test_a_release_survives_a_crash_at_any_step_and_comes_in_once(home, place, capsys, crash_at):
    steps = []

    def step(name: str) -> None:
        steps.append(name)
        if len(steps) == crash_at:
            raise Crash(name)

    call(place, "quarantine", "release", name_of(home))
    with_releases(home, step)
    try:
        home.lake.recover()
    except Crash:
        with_releases(home)
        home.lake.recover()
    assert "18 readings in the lake = 18 archived;" in told(home, capsys)
    assert home.journal.quarantined()[0].state is State.RELEASED


def test_a_release_that_fails_holds_the_block_again(home, place, capsys):
    home.poison("gw", 3)
    with_releases(home)
    home.lake.recover()
    home.drain()
    poison = home.journal.quarantined()[1]
    assert call(place, "quarantine", "release", poison.hash.hex()) == 0
    home.lake.run_once()
    again = home.journal.quarantined()[1]
    assert (again.state, again.attempts) == (State.HELD, 2)
    assert "of no series" in again.reason
    told(home, capsys)


def test_a_block_whose_bytes_were_not_kept_says_so_when_released(home, place, monkeypatch):
    with_releases(home)
    home.lake.recover()
    call(place, "quarantine", "release", name_of(home))
    monkeypatch.setattr(home.journal.quarantined_blocks, "data", lambda _: None)
    home.lake.run_once()
    assert home.journal.quarantined()[0].reason == lake_release.NO_BYTES


def test_a_discarded_block_is_counted_with_its_reason(home, place, capsys):
    assert call(place, "quarantine", "discard", name_of(home)) == 2
    assert call(place, "quarantine", "discard", name_of(home), "--why", " ") == 2
    assert call(place, "quarantine", "discard", name_of(home), "--why", "a test rig") == 0
    assert audited(place)[0] == ("quarantine discard", "a test rig")
    capsys.readouterr()
    assert call(place, "quarantine", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []
    assert call(place, "quarantine", "list", "--all") == 0
    assert "discarded (a test rig)" in capsys.readouterr().out
    told(home, capsys)


def test_a_pardon_is_asked_audited_and_carried_out(home, place, capsys):
    assert call(place, "gateways", "pardon", "gw") == 2
    assert "not enrolled" in capsys.readouterr().err
    registry = Registry.open(load(place).registry_path)
    token = TokenRow("t", "gw", b"", 1, 2)
    registry.add_token(token)
    registry.grant(token, CertificateRow("aa", "gw", "k", b"", 1, 4_102_444_800_000_000))
    registry.close()
    assert call(place, "gateways", "pardon", "gw") == 0
    assert audited(place)[0][0] == "gateway pardon"
    assert carry_out(home.journal) == ["gw"]
    assert home.journal.cursors()[0].pardon == 1
