"""`tidegate-edge buffer` as an operator types it, with and without an agent."""

import asyncio
import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import apsw
import pytest

from edge import metrics
from edge.agent_report import Reporter
from edge.chunk import BufferStats
from edge.cli import console
from edge.clock import Clock
from edge.collected import Collected
from edge.config import MAIN, load
from edge.detect.detection import Detection
from edge.detect.episode import Course
from edge.detect.episodes import Episodes
from edge.health import BufferHealth, Health
from edge.health_text import size
from edge.ingest import LinkState
from edge.keys import find_key
from edge.spending import Spending
from protos.exposition import Histogram
from tests.edge.answering_agent import agent


def call(home: Path, *arguments: str) -> int:
    return console().call(["--home", str(home), *arguments])


@pytest.fixture
def home(world: Any, capsys: pytest.CaptureFixture[str]) -> Path:
    """A home whose buffer is the world's."""
    assert call(world.folder, "init", "--name", world.gateway) == 0
    capsys.readouterr()
    world.keys = find_key(load(world.folder).buffer_key_path, {})
    return Path(world.folder)


def filled(world: Any) -> list[Any]:
    store = world.open()
    store.begin_epoch(1, ()).result()
    values = []
    for n in range(8):
        chunk = world.chunk(20, new_series=1, marks=bytes([n]) * 16)
        store.commit(chunk).result()
        values += world.values_of(chunk.batch)
    for _ in range(3):
        store.seal_next(bytes_target=1, mono_us=0, wall_us=0).result()
    store.close()
    return values


def change(world: Any, sql: str) -> None:
    db = apsw.Connection(str(world.path))
    db.execute(sql)
    db.close()


def test_a_whole_buffer_verifies_and_is_not_touched(
    world: Any, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(world)
    before = world.path.read_bytes()
    assert call(home, "buffer", "verify") == 0
    assert capsys.readouterr().out.startswith("whole: 8 chunks with 160 rows, 3 blocks, 0 damaged")
    assert world.path.read_bytes() == before


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("UPDATE chunks SET data = zeroblob(90) WHERE no = 7", ["chunk 7"]),
        ("UPDATE chunks SET data = zeroblob(90) WHERE no = 2", ["chunk 2", "block 1/2"]),
        ("UPDATE blocks SET data = zeroblob(90) WHERE seq = 3", ["block 1/3"]),
        ("UPDATE entries SET data = zeroblob(90) WHERE entry = 4", ["series entry 4"]),
        ("UPDATE state SET data = zeroblob(90)", ["state"]),
        ("UPDATE marks SET data = zeroblob(90) WHERE no = 5", ["marks 5"]),
        ("UPDATE keys SET sealed = zeroblob(48) WHERE no = 2", ["copy 2 of the data key"]),
        ("DELETE FROM chunks WHERE no = 1", ["block 1/1"]),
    ],
)
def test_damage_is_named(
    world: Any, home: Path, capsys: pytest.CaptureFixture[str], sql: str, names: list[str]
) -> None:
    filled(world)
    change(world, sql)
    assert call(home, "buffer", "verify", "--json") == 5
    told = json.loads(capsys.readouterr().out)
    assert told["whole"] is False
    assert [damage["name"] for damage in told["damage"]] == names
    assert call(home, "buffer", "verify") == 5
    assert f"damaged  {names[0]}" in capsys.readouterr().out


def test_blocks_from_another_time_break_the_chain(world: Any, home: Path) -> None:
    filled(world)
    older = world.path.read_bytes()
    store = world.open()
    store.seal_next(bytes_target=1, mono_us=0, wall_us=0).result()
    store.close()
    db = apsw.Connection(str(world.path))
    [(state,)] = db.execute("SELECT data FROM state").fetchall()
    db.close()
    world.path.write_bytes(older)
    assert call(home, "buffer", "verify") == 0
    db = apsw.Connection(str(world.path))
    db.execute("UPDATE state SET data = ?", (state,))
    db.execute("DELETE FROM blocks WHERE seq = 3")
    db.close()
    assert call(home, "buffer", "verify") == 5, "the state is of an opening that this file has not"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_holds_every_reading_by_value(world: Any, home: Path, form: str) -> None:
    values = filled(world)
    path = home / f"out.{form}"
    assert call(home, "buffer", "export", str(path)) == 0
    with path.open(newline="") as file:
        rows: list[Any] = (
            list(csv.DictReader(file)) if form == "csv" else [json.loads(line) for line in file]
        )
    number = {f"device-{entry.entry}": entry.entry for entry in world.entries}
    found = [
        (number[row["device"]], int(row["ts_us"]), row.get("text") or float(row["value"]))
        for row in rows
    ]
    assert sorted(found, key=repr) == sorted(values, key=repr)
    assert {row["metric"] for row in rows} == {"temperature"}
    assert rows[0]["time"].startswith("2023-11-14T")
    assert call(home, "buffer", "export", str(path)) == 2, "nothing is written over"


def test_an_export_of_a_damaged_buffer_gives_the_rest_and_says_so(
    world: Any, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(world)
    change(world, "UPDATE chunks SET data = zeroblob(90) WHERE no = 7")
    assert call(home, "buffer", "export", "-", "--json") == 5
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 140
    done = json.loads(told.err)
    assert done["readings"] == 140
    assert done["unreadable"][0].startswith("chunk 7 (20 rows)")


def test_stats_from_the_file_tell_the_days_left(
    world: Any, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = world.open()
    for _ in range(10):
        store.commit(world.chunk(100)).result()
        world.told += 60_000_000
    store.close()
    assert call(home, "buffer", "stats", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["running"], told["rows"], told["when_full"]) == (False, 1000, "reject")
    used_a_day = told["bytes"] / 540 * 86400
    assert told["days_left"] == pytest.approx(
        (told["bytes_max"] - told["bytes"]) / used_a_day, 0.01
    )
    assert call(home, "buffer", "stats") == 0
    assert "days at the present rate" in capsys.readouterr().out


@pytest.mark.parametrize("verb", [["verify"], ["export", "x"], ["stats"]])
def test_without_a_buffer_there_is_nothing_to_look_at_and_none_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: list[str]
) -> None:
    assert call(tmp_path, "init", "--name", "pump-1") == 0
    assert call(tmp_path, "buffer", *verb) == 2
    assert "there is none" in capsys.readouterr().err
    assert not (tmp_path / "buffer.db").exists()


def test_a_buffer_in_use_is_not_looked_at(
    world: Any, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.open().commit(world.chunk()).result()
    assert call(home, "buffer", "verify") == 5
    assert "another agent has it open" in capsys.readouterr().err


STATS = BufferStats(
    bytes_max=1000, file_bytes=0, wal_bytes=0, used_bytes=0, free_bytes=0, unsealed_rows=50,
    unsealed_bytes=0, sealed_rows=10, sealed_bytes=0, blocks=1, series=1, rejects=0,
    quarantined=0, commits=0,
    refused=0, key_tier="file", cipher="", counters={}, oldest_chunk=10, next_chunk=40,
)  # fmt: skip


def test_the_store_tells_the_oldest_chunk_that_is_not_archived(world: Any) -> None:
    filled(world)
    store = world.open()

    def told() -> tuple[int, int]:
        stats = store.stats().result()
        return stats.oldest_chunk, stats.next_chunk

    assert told() == (1, 9)
    store.seal_next(bytes_target=1, mono_us=0, wall_us=0, newest_first=True).result()
    store.mark(3, 2).result()
    assert told() == (3, 9)
    world.drain(store)
    head = store.sync_state().result().head
    store.mark(head, head).result()
    assert told() == (9, 9)


def test_drain_waits_for_what_was_there_and_not_for_what_comes(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.commands.buffer.POLL_S", 0.001)
    later = [replace(STATS, oldest_chunk=n, next_chunk=40 + n) for n in (20, 39, 40)]
    with agent(home, {"buffer": [STATS, *later]}):
        assert call(home, "buffer", "drain", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"drained": True, "rows_since": 60}


def test_drain_that_does_not_end_in_time_says_how_much_waits(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.commands.buffer.POLL_S", 0.001)
    with agent(home, {"buffer": [STATS]}):
        assert call(home, "buffer", "drain", "--timeout", "0.05") == 3
    assert "60 rows still wait" in capsys.readouterr().err


def test_drain_without_an_agent_says_to_start_one(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(home, "buffer", "drain") == 3
    assert "no agent is running" in capsys.readouterr().err


def test_stats_of_a_running_agent_are_its_own_word(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    buffer = BufferHealth(rows=5, used_bytes=10, bytes_max=100, days_left=12.5, evicted=7)
    with agent(home, {"status": [Health(gateway="g", version="1", running=True, buffer=buffer)]}):
        assert call(home, "buffer", "stats") == 0
    told = capsys.readouterr().out
    assert "12.5 days" in told
    assert "7 rows left because it was full" in told


def health_of(world: Any, home: Path, store: Any) -> Health:
    """What an agent with this buffer, and nothing else going on, answers `status` with."""
    idle: Any = SimpleNamespace(
        states={MAIN: LinkState()}, standings=list, rule_standings=list, shed=0, waiting=0,
        under_way=0, told=SimpleNamespace(sent=0, dropped=0), collected=Collected(),
        commit_latency=Histogram((1.0,)),
    )  # fmt: skip
    inbox = cast("Any", type("Empty", (list,), {"shed": 0})())
    detection = Detection([], Episodes("gw", Course()))
    told = Reporter(
        load(home), Clock(), world.keys, store, idle, inbox, idle, idle, idle, idle, detection,
        idle, idle, Spending(load(home)),
    )  # fmt: skip
    return asyncio.run(told.health())


def test_the_room_is_the_same_figure_whether_an_agent_runs_or_not(
    world: Any, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(world)
    store = world.open(bytes_max=load(home).settings.buffer.bytes_max)
    health = health_of(world, home, store)
    assert health.buffer.used_bytes == store.stats().result().used_bytes > health.buffer.bytes
    with agent(home, {"status": [health]}):
        assert call(home, "buffer", "stats", "--json") == 0
        running = json.loads(capsys.readouterr().out)
        assert call(home, "status") == 0
        assert f", {size(running['bytes'])} of 512.0 MiB (" in capsys.readouterr().out
    store.close()
    assert call(home, "buffer", "stats", "--json") == 0
    stopped = json.loads(capsys.readouterr().out)
    assert (running.pop("running"), stopped.pop("running")) == (True, False)
    del running["days_left"], stopped["days_left"]  # rates that are measured in two ways
    assert running == stopped
    assert f"tidegate_edge_buffer_used_bytes {stopped['bytes']}\n" in metrics.text(health)
