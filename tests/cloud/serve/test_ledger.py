"""The ledger over HTTP: gaps are summed from files that are read once."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from cloud.ledger import of_lake as ledger_lake
from cloud.ledger.account import Lost
from cloud.serve import ledger as serve_ledger
from tests.cloud.serve_world import World
from tests.cloud.verify_world import gap


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file of gaps was read."""
    counted: Counter[str] = Counter()

    def counting(paths: Iterable[str]) -> dict[serve_ledger.Key, Lost]:
        paths = list(paths)
        counted.update(paths)
        return ledger_lake.gaps_of(paths)

    monkeypatch.setattr(serve_ledger, "gaps_of", counting)
    return counted


def _store(world: World, *losses: int) -> None:
    for count in losses:
        world.gateway.series("pump")
        world.gateway.send(gap(count))
        while world.consolidator.run_once().more:
            pass
    while world.live.advance():
        pass


def _gaps(world: World) -> list[str]:
    return world.live.view.tables["gaps"].paths()


def test_gaps_that_were_read_for_the_ledger_are_not_read_again(
    tmp_path: Path, opened: Counter[str]
) -> None:
    world = World(tmp_path / "lake")
    try:
        _store(world, 3, 4)
        first = world.get("/api/v1/ledger")
        assert sum(opened.values()) == len(_gaps(world)) > 0
        assert world.get("/api/v1/ledger") == first
        _store(world, 5)
        world.get("/api/v1/ledger")
        assert set(opened.values()) == {1}, "what came is read, and nothing twice"
    finally:
        world.close()


def test_sums_of_gaps_are_those_of_all_files_as_they_are_now_whatever_is_kept(
    tmp_path: Path, opened: Counter[str]
) -> None:
    world = World(tmp_path / "lake")
    try:
        _store(world, 3, 4)
        old = _gaps(world)
        _store(world, 5)
        new = _gaps(world)
        for kept_max in (0, 1, 100):
            gaps = serve_ledger.Gaps(kept_max)
            for paths in (old, new, new, old, []):
                assert gaps.of(paths) == ledger_lake.gaps_of(paths)
                assert sum(map(len, gaps._kept.values())) <= kept_max
                assert set(gaps._kept) <= set(paths), "no more than the view has"
    finally:
        world.close()
