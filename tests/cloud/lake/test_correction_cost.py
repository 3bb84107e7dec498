"""What corrections may cost: nothing where nothing moves, so many a pass, each file read once."""

import functools
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cloud.lake import correct_anomalies as lake_correct_anomalies
from cloud.lake import correction
from cloud.lake import mend as lake_mend
from cloud.lake.correct import Corrector
from cloud.lake.table import parquet as lake_parquet
from cloud.lake.table.schema import ROLLUPS, is_whole
from protos.records import Quality
from tests.cloud import lake_runs
from tests.cloud.correction_world import HOUR_US, STRETCHES, Wrong, told, unsynced
from tests.cloud.lake_runs import Crash
from tests.cloud.lake_world import DAY_US, T0

CORRECTED, UNSYNCED = int(Quality.GATEWAY_CORRECTED), int(Quality.GATEWAY_UNSYNCED)
ALL_TIMES = Wrong(b"z" * 16, 0, T0 - 40 * DAY_US, 0, long_us=80 * DAY_US)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file of a table was read from now on."""
    counted: Counter[str] = Counter()
    read = lake_parquet.read

    def counting(paths: list[Path], spec: Any, columns: Any = ()) -> Any:
        counted.update(f"{spec.name}/{path.name}" for path in paths)
        return read(paths, spec, columns)

    monkeypatch.setattr(lake_parquet, "read", counting)
    return counted


def _rollups(world: lake_runs.World) -> set[str]:
    assert world.viewer.batch is not None
    return {path for spec in ROLLUPS for path in world.viewer.batch.tables[spec.name].paths()}


def _lake(tmp_path: Path, days: int = 5) -> lake_runs.World:
    world = lake_runs.World(tmp_path / "lake")
    for day in range(days):
        world.gateway.send(world.gateway.numbers("pump", [T0 + day * DAY_US], [1.0]))
    world.drain()
    return world


def test_a_correction_that_moves_nothing_makes_no_day_anew(
    tmp_path: Path, opened: Counter[str]
) -> None:
    world = _lake(tmp_path)
    before = _rollups(world)
    opened.clear()
    world.gateway.send(ALL_TIMES.correction())
    world.drain()
    assert _rollups(world) == before
    assert not [name for name in opened if name.startswith(("rollup", "anomalies"))]


def test_of_what_was_corrected_long_ago_nothing_is_made_anew_by_a_correction_of_nothing(
    tmp_path: Path, opened: Counter[str]
) -> None:
    world, wrong = _lake(tmp_path), STRETCHES[0]
    world.gateway.send(unsynced(world.gateway, "pump", wrong, [0], [2.0]))
    world.drain()
    world.gateway.send(wrong.correction())
    world.drain()
    before = _rollups(world)
    opened.clear()
    for each in (wrong, ALL_TIMES, wrong):
        world.gateway.send(each.correction())
        world.drain()
    assert _rollups(world) == before
    assert not [name for name in opened if name.startswith("rollup")]


def test_a_correction_that_is_repeated_reads_no_readings(
    tmp_path: Path, opened: Counter[str]
) -> None:
    world = _lake(tmp_path)
    world.gateway.send(ALL_TIMES.correction())
    world.drain()
    for _ in range(2):
        opened.clear()
        world.gateway.send(ALL_TIMES.correction())
        world.drain()
        assert not [name for name in opened if name.startswith("readings")]
        world.kill()
        world.start()  # and what was carried out is known after a restart


def _many(world: lake_runs.World, count: int = 3) -> None:
    """Stretches with a reading and an anomaly each, consolidated, then all their corrections."""
    gateway = world.gateway
    if world.consolidator is None:
        world.start()
    if world.journal.head() < 1:
        for number in range(count):
            wrong = _stretch(number)
            gateway.series("pump")
            gateway.send(
                unsynced(gateway, "pump", wrong, [0, HOUR_US], [number, number + 0.5]),
                gateway.scores("pump", [wrong.at(0)], [9.0]),
            )
    world.drain()
    if world.journal.head() < count + 1:
        gateway.send(*(_stretch(number).correction() for number in range(count)))
    world.drain()


def _stretch(number: int) -> Wrong:
    return Wrong(bytes([number + 1]) * 16, 10_000_000, 0, T0 + number * 3 * DAY_US)


def _check(world: lake_runs.World, count: int = 3) -> None:
    due = [
        (wrong.at(since) + wrong.offset_us, number + value, CORRECTED, 0)
        for number, wrong in ((each, _stretch(each)) for each in range(count))
        for since, value in ((0, 0.0), (HOUR_US, 0.5))
    ]
    assert told(world) == sorted(due)
    for spec in filter(is_whole, ROLLUPS):
        found: Counter[int] = Counter()
        for bucket, rows in world.rows(spec.name, "epoch_us(ts), count"):
            found[int(str(bucket))] += int(str(rows))
        assert found == Counter(ts - ts % spec.width_us for ts, *_ in due), spec.name
    moved = sorted(_stretch(each).at(0) + _stretch(each).offset_us for each in range(count))
    assert world.rows("anomalies", "epoch_us(ts)") == [(ts,) for ts in moved]


def test_corrections_over_a_pass_are_left_for_the_passes_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "cloud.lake.consolidator.Corrector", functools.partial(Corrector, per_pass=1)
    )
    world = lake_runs.World(tmp_path / "lake")
    world.start()
    gateway = world.gateway
    for number in range(3):
        gateway.send(unsynced(gateway, "pump", _stretch(number), [0], [1.0]))
    world.drain()
    gateway.send(*(_stretch(number).correction() for number in range(3)))
    assert world.consolidator is not None
    passes = []
    for _ in range(3):
        progress = world.consolidator.run_once()
        qualities = Counter(quality for _, _, quality, _ in told(world))
        passes.append((qualities[CORRECTED], progress.more))
    assert passes == [(1, True), (2, True), (3, False)]


def test_a_crash_between_such_passes_costs_the_steps_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "cloud.lake.consolidator.Corrector", functools.partial(Corrector, per_pass=1)
    )
    dry = lake_runs.World(tmp_path / "dry")
    _many(dry)
    _check(dry)
    dry.kill()
    commits = [at for at, name in enumerate(dry.steps, 1) if name == "committed"]
    for step in commits[len(commits) // 3 :: 4]:
        world = lake_runs.World(tmp_path / f"crash-{step}")
        world.crash_at = step
        while True:
            try:
                _many(world)
                break
            except Crash:
                world.journal.trimmed = world.journal.marked
                world.kill()
                world.consolidator = None
        _check(world)
        world.kill()


def test_corrections_over_what_is_known_of_a_gateway_are_counted_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(correction, "KNOWN_MAX", 1)
    world = lake_runs.World(tmp_path / "lake")
    consolidator, gateway = world.start(), world.gateway
    for number in range(2):
        gateway.send(unsynced(gateway, "pump", _stretch(number), [0], [float(number)]))
    world.drain()
    with caplog.at_level(logging.WARNING):
        for number in range(2):
            gateway.send(_stretch(number).correction())
            refused = consolidator.run_once().refused
            assert refused == number
    assert "1 corrections of times of gw" in caplog.text
    assert [(value, quality) for _, value, quality, _ in told(world)] == [
        (1.0, UNSYNCED),
        (0.0, CORRECTED),
    ]


def test_each_file_is_read_once_for_the_anomalies_of_all_corrections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: Counter[str] = Counter()

    def counting(table: Any, file: Any, columns: Any = ()) -> Any:
        counted[f"{table.spec.name}/{file.path}"] += 1
        return lake_mend.rows_of(table, file, columns)

    monkeypatch.setattr(lake_correct_anomalies, "rows_of", counting)
    world = lake_runs.World(tmp_path / "lake")
    gateway = world.gateway
    wrongs = [Wrong(bytes([n]) * 16, 10_000_000, 0, T0 + n * 1_000_000) for n in range(20)]
    for wrong in wrongs:  # all of the same hours, and to the same day
        gateway.send(
            unsynced(gateway, "pump", wrong, [0], [1.0]),
            gateway.scores("pump", [wrong.at(0)], [9.0]),
        )
    world.drain()
    gateway.send(*(wrong.correction() for wrong in wrongs))
    world.drain()
    assert counted
    assert set(counted.values()) == {1}
    due = sorted(wrong.at(0) + wrong.offset_us for wrong in wrongs)
    assert world.rows("anomalies", "epoch_us(ts)") == [(ts,) for ts in due]
