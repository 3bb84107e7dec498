"""`consolidate` beside a cloud and without one, wherever that makes its tables."""

from pathlib import Path

import pytest

from cloud.lake.table.schema import READINGS
from cloud.lake.table.state import look
from cloud.settings import Placement
from cloud.verify.whole import verify
from tests.cloud.consolidate_world import DAY, spoil, without
from tests.cloud.imports.import_home import call
from tests.cloud.lake_world import T0
from tests.cloud.operated_cloud import Cloud

PLACEMENTS = [Placement.TOGETHER, Placement.APART]


@pytest.mark.parametrize("placement", PLACEMENTS, ids=lambda one: one.value)
def test_beside_a_cloud_it_only_looks_and_without_one_history_comes_out_as_before(
    tmp_path: Path, capsys, placement: Placement
) -> None:
    cloud = Cloud(tmp_path)
    try:
        cloud.open(placement)
        cloud.send("old °C", [(T0 + i * 1_000_000, float(i % 7)) for i in range(500)])
        cloud.say("door", [(T0, "open"), (T0 + 60_000_000, "shut")])
        cloud.drain()
        assert call(cloud.home, "consolidate", "--from", DAY, "--dry-run") == 0
        assert "the tables hold what the journal gives" in capsys.readouterr().out
        for refused in ((), ("--from", DAY)):
            assert call(cloud.home, "consolidate", *refused) == 2
            assert "--dry-run may run beside it" in capsys.readouterr().err
        told = cloud.answers()
        cloud.close()
        lake = cloud.home / "lake"
        files = look(lake, READINGS).files.files
        spoil(lake, READINGS.name, max(files, key=lambda one: one.rows), without(*range(0, 400, 3)))
        cloud.open(placement)
        assert call(cloud.home, "consolidate", "--from", DAY, "--dry-run") == 5
        assert "readings: 134 missing" in capsys.readouterr().out
        cloud.close()
        assert call(cloud.home, "consolidate", "--from", DAY) == 0
        cloud.open(placement)
        assert cloud.answers() == told
    finally:
        cloud.close()
    assert verify(cloud.home / "journal", lake).is_whole
