"""Readers of history: what bounds them, which of them is asked, and how many there are."""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cloud.errors import StorageError
from cloud.lake.table.schema import READINGS, ROLLUPS
from cloud.query.history import Ask, TooHeavy
from cloud.query.plan import Resolution
from cloud.query.pool import Busy
from cloud.roles import reader_query
from cloud.roles.reader import Reader
from cloud.roles.reader_placement import reader_count
from cloud.roles.reader_wire import FRAME_BYTES_MAX, PARTS_MAX, GoneError, Link, Start
from cloud.rollup.partials import DAY_US
from cloud.settings import ReaderPlacement
from tests.cloud.lake_world import T0
from tests.cloud.roles.reader_world import BothForms, filled
from tests.cloud.roles.role_world import ROOT, is_alive, wait_for


@pytest.fixture
def make(tmp_path: Path):
    worlds: list[BothForms] = []

    def made(*faults: str, **more) -> BothForms:
        worlds.append(BothForms(tmp_path / "lake", *faults, **more))
        return worlds[-1]

    yield made
    for world in worlds:
        world.close()


def test_one_that_hangs_is_killed_and_the_question_refused(make) -> None:
    world = filled(make("hang", "", answer_s=1.0))
    (pid,) = world.readers.now.pids
    with pytest.raises(TooHeavy, match="more than 1 s"):
        world.ask(world.apart, "pump", from_us=T0, to_us=T0 + DAY_US)
    assert not is_alive(pid)
    wait_for(lambda: world.readers.now.alive == 1)


@pytest.mark.parametrize(
    ("fault", "error", "match"), [("memory", TooHeavy, "1024 MiB"), ("fault", StorageError, "ours")]
)
def test_one_that_fails_is_replaced_and_the_failure_told(make, fault, error, match) -> None:
    world = filled(make(fault, ""))
    (pid,) = world.readers.now.pids
    with pytest.raises(error, match=match):
        world.ask(world.apart, "pump", from_us=T0, to_us=T0 + DAY_US)
    assert not is_alive(pid)
    path = f"/api/v1/history?series={world.id('fan')}&from={T0}&to={T0 + DAY_US}"
    world.both(path)


def data_bytes(pid: int) -> int:
    """What a process's bound of data counts."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData"))


def test_a_question_that_takes_more_memory_than_one_may_have_is_refused(make) -> None:
    world = make()
    for first in range(0, 1_200_000, 240_000):
        ts = [T0 + at * 1000 for at in range(first, first + 240_000)]
        world.gateway.send(world.gateway.numbers("pump", ts, [at / 7 for at in range(240_000)]))
    world.follow()
    world.consolidate()
    few = {"from_us": T0, "to_us": T0 + 6_000_000, "resolution": Resolution.RAW}
    assert len(world.ask(world.apart, "pump", **few).series[0].ts) == 6_000
    (pid,) = world.readers.now.pids
    enough = data_bytes(pid) + (20 << 20)  # libraries take another share of it on each machine
    world.readers._start = replace(world.readers._start, memory_bytes=enough)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: world.readers.now.pids not in ((pid,), ()))
    assert len(world.ask(world.apart, "pump", **few).series[0].ts) == 6_000
    all_ = {**few, "to_us": T0 + DAY_US, "limit": 4_000_000}
    with pytest.raises(TooHeavy, match=f"{enough >> 20} MiB"):
        world.ask(world.apart, "pump", **all_)
    assert len(world.ask(world.apart, "pump", **few).series[0].ts) == 6_000


def test_a_question_about_much_of_the_tail_is_answered_in_this_process(make, monkeypatch) -> None:
    monkeypatch.setattr(reader_query, "TAIL_BYTES_MAX", 1000)
    world = filled(make())
    world.both(f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + DAY_US}")
    world.both(f"/api/v1/history?series={world.id('fan')}&from={T0}&to={T0 + DAY_US}")
    assert (world.readers.now.together, world.readers.now.answers) == (1, 1)


def test_when_all_are_at_work_for_long_the_next_is_told_to_come_back(
    make, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("cloud.roles.readers.WAIT_S", 0.01)
    world = filled(make(f"slow:{tmp_path}"))
    ask = Ask((int(world.id("pump"), 16),), T0, T0 + DAY_US)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(world.apart.history, ask)
        wait_for((tmp_path / "asked").exists)
        with pytest.raises(Busy):
            world.apart.history(ask)
        (tmp_path / "go").touch()
        assert first.result().series


def test_a_series_is_read_by_the_same_one_while_that_is_free(make) -> None:
    world = filled(make(count=3))
    for at in (5, 7, 5):
        reader = world.readers._take(at)
        assert reader.number == at % 3
        world.readers._give_back(reader)
    held = [world.readers._take(5) for _ in range(3)]
    assert sorted(one.number for one in held) == [0, 1, 2]
    for one in held:
        world.readers._give_back(one)


def test_one_that_holds_much_is_replaced_after_its_answer(make, monkeypatch) -> None:
    monkeypatch.setattr("cloud.roles.readers.KEPT_BYTES", 1)
    world = filled(make())
    (pid,) = world.readers.now.pids
    world.both(f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + DAY_US}")
    assert not is_alive(pid)
    wait_for(lambda: world.readers.now.alive == 1)
    assert world.readers.now.restarts == 1
    assert world.readers.fault is None


def test_one_that_nobody_asks_comes_to_know_the_files_that_it_was_told_of(make, monkeypatch):
    world, said, send = filled(make()), [], Link.send
    monkeypatch.setattr(Link, "send", lambda self, *one: said.append(one[0]) or send(self, *one))
    world.both(f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + DAY_US}")
    (question,) = said
    alone = Reader(Start(32 << 20, 1 << 30, "text", "info"))
    alone.answer(question)
    index = alone._query._lake.index
    index._files.clear()
    while alone.look_ahead():
        pass
    told = {path for spec in (READINGS, *ROLLUPS) for path in alone._tables[spec.name].paths()}
    assert index._files.keys() == told


def test_a_reader_loads_neither_engine_nor_server() -> None:
    script = (
        "import sys, cloud.roles.reader\n"
        "print([n for n in ('duckdb', 'deltalake', 'grpc', 'starlette', 'apsw', 'asyncio')"
        " if n in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    assert subprocess.check_output(command, env=environment, text=True).strip() == "[]"


@pytest.mark.parametrize(
    ("wanted", "cores", "gigabytes", "count"),
    [
        (ReaderPlacement.AUTO, 2, 64, 0), (ReaderPlacement.AUTO, 64, 2, 0),
        (ReaderPlacement.AUTO, 3, 4, 2), (ReaderPlacement.AUTO, 4, 3, 3),
        (ReaderPlacement.AUTO, 64, 64, 4), (ReaderPlacement.TOGETHER, 64, 64, 0), (9, 1, 1, 9),
    ],
)  # fmt: skip
def test_auto_is_as_many_as_there_are_cores_and_memory_for(wanted, cores, gigabytes, count) -> None:
    assert reader_count(wanted, cores, gigabytes << 30) == count


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Link(ours), theirs


@pytest.mark.parametrize("sent", [b"", b"\x02", struct.pack("<QIQ", 17, 1, 9) + b"half"])
def test_a_word_that_is_cut_short_is_the_end(ends, sent: bytes) -> None:
    link, theirs = ends
    theirs.sendall(sent)
    theirs.close()
    with pytest.raises(GoneError):
        link.receive()


@pytest.mark.parametrize(
    "head", [(0, 0), (7, 1), (8 * PARTS_MAX + 8, PARTS_MAX + 1), (FRAME_BYTES_MAX + 9, 1)]
)
def test_a_word_over_its_bounds_is_not_waited_for(ends, head: tuple[int, int]) -> None:
    link, theirs = ends
    theirs.sendall(struct.pack("<QI", *head))
    with pytest.raises(GoneError):
        link.receive()


def test_a_word_that_would_be_too_long_is_not_begun(ends, monkeypatch) -> None:
    monkeypatch.setattr("cloud.roles.reader_wire.FRAME_BYTES_MAX", 1000)
    link, theirs = ends
    with pytest.raises(ValueError, match="1000 are allowed"):
        link.send(b"." * 1000)
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(1)


def test_one_that_says_nothing_in_time_is_told_from_one_that_is_gone(ends) -> None:
    link, _ = ends
    with pytest.raises(TimeoutError):
        link.receive(time.monotonic())


def test_an_answer_over_the_bound_of_a_word_is_given_by_this_process(make) -> None:
    world = filled(make("long"))
    world.both(f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + DAY_US}")
    assert (world.readers.now.answers, world.readers.now.together) == (1, 1)
    assert world.readers.now.restarts == 0


@pytest.mark.parametrize(
    "column",
    [
        pa.array(np.arange(1 << 20) / 7),
        pa.array([None, "a", "bb", ""] * 1000),
        pa.array([None, True, False] * 1000),
        pa.array(["a", "b", None] * 1000).dictionary_encode(),
        pa.array([None, 1] * 1000, pa.timestamp("us", "UTC")),
    ],
    ids=lambda column: str(column.type),
)
@pytest.mark.parametrize("start", [0, 3, 64])
def test_a_part_of_a_column_takes_no_more_across_than_it_holds(ends, column, start) -> None:
    ours, theirs = ends
    part = column.slice(start, 100)
    ours.send(part)
    assert len(theirs.recv(1 << 16, socket.MSG_PEEK)) < 2000
    there = Link(theirs).receive()
    assert there.type == part.type
    assert there.equals(part)
