"""History read by processes of their own: the same to the byte, whoever of them dies or hangs."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloud.lake import plan as lake_plan
from cloud.query.plan import Resolution
from cloud.roles.readers import Readers
from cloud.rollup.partials import DAY_US, HOUR_US
from tests.cloud.lake_world import T0
from tests.cloud.roles.reader_world import BothForms, filled, readers, send, start
from tests.cloud.roles.role_world import ROOT, is_alive, wait_for
from tests.cloud.serve.test_events import episodes


@pytest.fixture
def make(tmp_path: Path):
    worlds: list[BothForms] = []

    def made(*faults: str, **more) -> BothForms:
        worlds.append(BothForms(tmp_path / "lake", *faults, **more))
        return worlds[-1]

    yield made
    for world in worlds:
        world.close()


ASKED = (
    "resolution=raw", "resolution=raw&limit=7", "resolution=raw&format=csv", "points=50",
    "points=2000", "resolution=1m&points=300", "resolution=1h", "bucket=7s&to={hour}",
    "bucket=1d&zone=Asia/Kolkata", "bucket=1h&layout=wide&columns=mean,count,text",
    "bucket=1h&columns=time_mean,increase,p50,p99,durations,covered_us", "bucket=15m&format=arrow",
    "bucket=1h&format=parquet", "resolution=1d&bad=exclude", "bucket=30m&bad=exclude",
    "view=stored&bucket=1h", "from={empty}&to={empty}",
)  # fmt: skip


def test_every_answer_is_the_same_to_the_byte_in_both_forms(make) -> None:
    world = filled(make())
    ids = [world.id(device) for device in ("pump", "fan", "door")]
    mark = {
        "from": T0 + 3 * HOUR_US + 17, "to": T0 + 5 * HOUR_US, "kind": "bad", "series": ids[:1],
        "note": "salt", "author": "me",
    }  # fmt: skip
    for client in (world.client, world.other):
        said = client.post("/api/v1/marks", json=mark)
        assert said.status_code < 300, said.text
    rows = 0
    for asked in ASKED:
        for series in (ids[:1], ids[1:2], ids[2:], ids):
            times = f"&from={T0}&to={T0 + 2 * DAY_US}" if "from=" not in asked else ""
            told = asked.format(hour=T0 + HOUR_US, empty=T0 - DAY_US)
            times = f"&from={T0}" if "to=" in told and "from=" not in told else times
            rows += len(world.both(f"/api/v1/history?series={','.join(series)}{times}&{told}"))
    world.both(f"/api/v1/states?series={ids[2]}&from={T0}&to={T0 + DAY_US}")
    assert rows > 1 << 20
    assert world.readers.now.together == 0
    assert world.readers.now.answers >= 4 * len(ASKED)


def test_one_small_question_at_a_time_is_answered_without_a_reader(make) -> None:
    world = filled(make(rows_here=1_000))
    series = world.id("pump")
    span = f"from={T0}&to={T0 + HOUR_US}"
    small = f"/api/v1/history?series={series}&{span}&resolution=raw"
    world.both(small)
    world.both(f"/api/v1/history?series={series}&from={T0}&to={T0 + 2 * DAY_US}&resolution=1h")
    assert world.readers.now.answers == 0
    with world.apart._here:  # another one is answered at this moment
        world.both(small)
    assert world.readers.now.answers == 1
    three = ",".join(world.id(device) for device in ("pump", "fan", "door"))
    larger = (
        f"/api/v1/history?series={three}&{span}&resolution=raw",
        f"/api/v1/history?series={series}&from={T0}&to={T0 + 2 * DAY_US}&resolution=raw",
        f"/api/v1/history?series={series}&{span}&bucket=10m&columns=time_mean",
    )
    for asked in larger:
        world.both(asked)
    assert world.readers.now.answers == 1 + len(larger)


def test_events_are_the_same_in_both_forms_too(make) -> None:
    world = filled(make())
    gateway = world.gateway
    for first, consolidated in ((1, True), (4, True), (2, False)):
        ids = [*range(first, first + 5)]
        starts = [T0 + 1_000_000 * each for each in ids]
        peaks = [10.0 + each * first % 7 for each in ids]
        gateway.send(episodes(gateway, ids, starts, [each + 5 for each in starts], peaks))
        gateway.send(gateway.scores("fan", starts, peaks))
        if consolidated:
            world.consolidate()
        world.follow()
    asked = ("", "limit=3", f"from={T0 + 3_000_000}&to={T0 + 6_000_000}", "device=fan", "device=x")
    for each in asked:
        assert len(world.both(f"/api/v1/anomalies?{each}")) > len(each)
        for order in ("peak", "newest"):
            world.both(f"/api/v1/episodes?order={order}&{each}")
    assert world.readers.now.answers == 3 * len(asked)
    assert world.readers.now.together == 0
    held = world.both("/api/v1/episodes?order=peak&limit=5")
    world.readers.stop()
    world.readers = world.apart._readers = readers("rows")
    assert world.both("/api/v1/episodes?order=peak&limit=5") == held
    assert world.readers.now.together == 1  # too many for it: the engine, which is here


def test_joined_series_are_the_same_in_both_forms_too(make) -> None:
    world = filled(make())
    old, new = world.id("pump"), world.id("fan")
    replaced = {
        "kind": "replace", "series": old, "other": new, "from": T0 + 5 * HOUR_US + 3,
        "author": "me", "note": "swapped",
    }  # fmt: skip
    said = world.client.post("/api/v1/operations", json=replaced)
    assert said.status_code < 300, said.text
    for asked in ("resolution=raw", "bucket=1h&columns=mean,time_mean,p50", "points=70"):
        for view in ("joined", "stored"):
            span = f"from={T0}&to={T0 + 2 * DAY_US}&view={view}"
            world.both(f"/api/v1/history?series={old},{new}&{span}&{asked}")
    world.both(f"/api/v1/history?series={new}&from={T0}&to={T0 + DAY_US}&bucket=1h&bad=exclude")
    assert world.readers.now.together == 0


def test_an_answer_too_many_pages_long_goes_on_at_the_other_form(make) -> None:
    world = filled(make())
    path = f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + 2 * DAY_US}"
    path += "&resolution=raw&limit=400"
    found, cursor = 0, ""
    for page in range(20):
        client = (world.client, world.other)[page % 2]
        answer = client.get(f"{path}&cursor={cursor}" if cursor else path).json()
        found += len(answer["series"][0]["t"])
        cursor = answer["next"]
        if cursor is None:
            break
    assert found == 4 * 700 + 3 * 50


def test_questions_that_cannot_be_answered_are_refused_alike(make) -> None:
    world = filled(make())
    assert b"unknown_series" in world.both("/api/v1/history?series=00000000000000aa")
    assert b"bad_range" in world.both(f"/api/v1/history?series={world.id('fan')}&from=9&to=8")


def test_every_answer_is_of_one_moment_while_consolidation_commits(make, monkeypatch) -> None:
    monkeypatch.setattr(lake_plan, "MERGE_FILES", 2)
    world = make(count=2)
    send(world, "pump", 0, 10)
    stop, broken = threading.Event(), []

    def watch() -> None:
        while not stop.is_set():
            before = world.live.view.journal
            found = world.ask(world.apart, "pump", from_us=0, to_us=1 << 60,
                              resolution=Resolution.RAW)  # fmt: skip
            (series,) = found.series
            if (
                len(series.ts) != len(set(series.ts.tolist()))
                or len(series.ts) != found.journal * 10
            ):
                broken.append((before, found.journal, found.lake, len(series.ts)))

    with ThreadPoolExecutor(2) as threads:
        watchers = [threads.submit(watch) for _ in range(2)]
        for first in range(1, 9):
            send(world, "pump", first * 10, 10)
            if first % 2:
                world.consolidate()
        stop.set()
        for each in watchers:
            each.result()
    assert not broken
    assert world.readers.now.together == 0
    assert world.live.view.lake == 8


def test_killed_in_the_middle_of_a_question_another_answers_it(make, tmp_path: Path) -> None:
    world = filled(make(f"slow:{tmp_path}", ""))
    (pid,) = world.readers.now.pids
    path = f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + DAY_US}&bucket=1h"
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(world.both, path)
        wait_for((tmp_path / "asked").exists)
        os.kill(pid, signal.SIGKILL)
        assert asked.result()
    wait_for(lambda: world.readers.now.alive == 1)
    assert world.readers.now.restarts == 1
    assert not is_alive(pid)


def test_a_question_that_kills_them_is_given_up_and_others_are_answered(make) -> None:
    world = filled(make("", count=2))
    deadly = int(world.id("pump"), 16)
    world.readers.stop()
    world.readers = world.apart._readers = readers(f"die-at:{deadly}", count=2)
    path = f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + DAY_US}&bucket=1h"
    answer = world.other.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "too_heavy")
    assert "2 readers died of it" in answer.text
    world.both(path.replace(world.id("pump"), world.id("fan")))


def test_while_none_can_be_started_this_process_answers_and_the_fault_is_told(make) -> None:
    world = filled(make())

    def none():
        raise OSError(11, "no process more")

    world.readers.stop()
    world.readers = world.apart._readers = Readers(1, start(), none, retry_s=(0.01,))
    world.readers.begin()
    world.both(f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + DAY_US}")
    assert world.readers.now.together == 1
    wait_for(lambda: world.readers.fault is not None)
    assert "no process more" in str(world.readers.fault)


def test_one_that_dies_idle_is_replaced(make) -> None:
    world = filled(make())
    (pid,) = world.readers.now.pids
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: world.readers.now.pids not in ((), (pid,)))
    world.both(f"/api/v1/history?series={world.id('pump')}&from={T0}&to={T0 + DAY_US}")
    assert world.readers.now.together == 0


def test_files_that_one_reads_outlive_their_merge(make, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(lake_plan, "MERGE_FILES", 2)
    world = make(f"slow:{tmp_path}", "")
    send(world, "pump", 0, 10)
    world.consolidate()
    (held,) = world.live.view.tables["readings"].paths()
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(
            world.ask, world.apart, "pump", from_us=0, to_us=1 << 60, resolution=Resolution.RAW
        )
        wait_for((tmp_path / "asked").exists)
        for first in range(1, 8):
            send(world, "pump", first * 10, 10)
            world.consolidate()
        assert held not in world.live.view.tables["readings"].paths()
        assert held in world.live.in_use()
        assert Path(held).exists()
        (tmp_path / "go").touch()
        assert len(asked.result().series[0].ts) == 10
    assert world.readers.now.restarts == 0
    send(world, "pump", 990, 10)
    world.consolidate()
    assert held not in world.live.in_use()


def test_they_end_with_their_parent_also_in_the_middle_of_a_question(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom threading import Thread\n"
        "from tests.cloud.roles.reader_world import BothForms, filled\n"
        "root = Path(sys.argv[1])\nworld = filled(BothForms(root / 'lake', f'slow:{root}'))\n"
        "print(*world.readers.now.pids, flush=True)\n"
        "world.ask(world.apart, 'pump', from_us=0, to_us=1 << 50)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_for((tmp_path / "asked").exists)
        assert is_alive(pid)
        parent.kill()
    wait_for(lambda: not is_alive(pid))
