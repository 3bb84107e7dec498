"""Corrections of a block that quarantine let go, carried out over several passes with upkeep."""

from pathlib import Path

import numpy as np
import pytest

from cloud.cli import console
from cloud.config import load
from cloud.lake import plan as lake_plan
from cloud.lake.consolidator import Consolidator
from cloud.lake.mend import rows_of
from cloud.lake.names import Names
from cloud.lake.release import Releases
from cloud.lake.sorter import Sorter
from cloud.lake.table.parquet import times
from cloud.lake.table.schema import CORRECTIONS, READINGS
from cloud.lake.upkeep import Upkeep
from cloud.retention.erasure import erase
from cloud.retention.removal import Retention
from cloud.rollup.partials import DAY_US
from protos import records
from protos.records import Batch, Quality
from tests.cloud.aged_world import RULES
from tests.cloud.commands.test_quarantine import Blind
from tests.cloud.correction_world import HOUR_US, Wrong
from tests.cloud.lake_world import T0
from tests.cloud.retention.erase_world import wish
from tests.cloud.verify_world import Home

STRETCHES = [
    Wrong(bytes([n]) * 16, 10_000_000, 0, T0 + 30 * DAY_US + n * DAY_US // 4) for n in range(6)
]
TOLD = STRETCHES[:4]
"""What the block in quarantine corrects; the others are corrected by blocks that went through."""


def stamped(wrong: Wrong, since_us: int) -> Batch:
    """A reading of each of two series."""
    ts = np.full(2, wrong.at(since_us))
    quality = np.full(2, int(Quality.GATEWAY_UNSYNCED))
    return records.numbers(np.array([1, 2]), ts, np.full(2, 5.0), quality, ts + wrong.tag)


def consolidator(home: Home, upkeep: Upkeep, per_pass: int) -> Consolidator:
    home.lake.close()
    names = Names(home.journal.series)
    home.lake = Consolidator(
        home.root / "lake", home.journal, names, home.viewer, upkeep=upkeep,
        releases=Releases(home.journal.quarantined_blocks, names, lambda: T0),
    )  # fmt: skip
    home.lake._corrector._per_pass = per_pass
    home.lake.recover()
    return home.lake


def test_files_rewritten_while_corrections_wait_keep_none_from_being_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_plan, "MERGE_FILES", 2)
    assert console().call(["--home", str(tmp_path / "cloud"), "init"]) == 0
    home = Home(tmp_path / "cloud")
    home.sender("gw").send(batch=records.concat([stamped(each, 0) for each in STRETCHES]))
    own = [stamped(each, HOUR_US) for each in TOLD]
    home.sender("gw").send(batch=records.concat([*own, *(each.correction() for each in TOLD)]))
    Blind(monkeypatch).drain(home, 2)
    for each in STRETCHES[4:]:
        home.sender("gw").send(batch=each.correction())
        home.drain()
    home.sender("gw").send(batch=stamped(STRETCHES[5], HOUR_US))
    home.drain()
    home.journal.quarantined_blocks.release(home.journal.quarantined()[0])

    upkeep = Upkeep(Sorter(quiet_s=0.0), Retention(RULES, lambda: T0 + 45 * DAY_US))
    lake = consolidator(home, upkeep, 1)
    assert any(file.is_release for file in lake._tables[READINGS.name].state.files.files)
    lake.run_once()
    assert lake._corrector.is_behind
    assert not any(file.is_release for file in lake._tables[READINGS.name].state.files.files)
    home.stop()
    erase(load(home.root), wish("gw/device-1/metric-1"))
    home.start()
    lake = consolidator(home, Upkeep(), 1024)
    while lake.run_once().more:
        pass

    released = [file for file in lake._tables[CORRECTIONS.name].state.files.files if file.ticket]
    assert len(released) == 1
    found: list[tuple[int, int]] = []
    for file in lake._tables[READINGS.name].state.files.files:
        rows = rows_of(lake._tables[READINGS.name], file)
        found += zip(times(rows["ts"]).tolist(), rows["quality"].to_pylist(), strict=True)
    due = [each.at(0) + each.offset_us for each in STRETCHES]
    due += [each.at(HOUR_US) + each.offset_us for each in (*TOLD, STRETCHES[5])]
    assert sorted(found) == [(at, int(Quality.GATEWAY_CORRECTED)) for at in sorted(due)]
    home.stop()
