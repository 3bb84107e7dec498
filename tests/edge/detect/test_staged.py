"""Models staged by name judge as they would together, and tell what others tell of themselves."""

import msgspec
import numpy as np
import pytest

from edge.catalog import Catalog
from edge.detect import models
from edge.detect.score import Scorer
from edge.detect.shipped.build import build
from edge.detect.staged import Lane, Staged
from protos.model_manifest import Applies
from protos.records import Batch, Quality, numbers
from protos.series import SeriesKind

START_US = 1_700_000_000_000_000
SLOW, QUICK = 1, 2


class Kinds:
    kind_of = np.full(3, SeriesKind.GAUGE, np.uint8)

    def key(self, entry: int) -> None:
        """Nobody asks for names here."""


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> list[models.Model]:
    """The residual, and the neighbours that take slow series in its place."""
    return [models.load(path) for path in build(tmp_path_factory.mktemp("models"))]


def stream(n: int = 400) -> Batch:
    """A series with a reading every five minutes and one with ten a second."""
    values = np.random.default_rng(3).normal(20, 0.2, 2 * n)
    who = np.repeat(np.array([SLOW, QUICK], np.uint32), n)
    steps = np.arange(n)
    ts = START_US + np.concatenate([steps * 300_000_000, steps * 100_000])
    return numbers(who, ts, values, np.full(2 * n, Quality.SENSOR, np.uint8), ts)


def judged(scorer: Scorer | Staged) -> dict[str, list[tuple[int, int]]]:
    """The series and times that each model judged."""
    found: dict[str, list[tuple[int, int]]] = {}
    for one in scorer.look([stream()], Kinds()):
        pairs = zip(one.judged.series.tolist(), one.judged.ts.tolist(), strict=True)
        found.setdefault(one.judged.detector, []).extend(pairs)
    return {label: sorted(pairs) for label, pairs in found.items()}


@pytest.mark.parametrize("order", [1, -1])
def test_a_slow_series_is_left_to_who_takes_it_though_each_name_has_its_own_lane(
    shipped: list[models.Model], order: int
) -> None:
    together, staged = judged(Scorer(shipped, 1.0)), judged(Staged(shipped[::order], 1.0))
    assert staged == together
    late = START_US + 300_000_000 * 200
    assert {who for who, at in staged["neighbours@1"] if at > late} == {SLOW}
    assert {who for who, at in staged["residual@1"] if at > late} == set()


def test_who_is_not_in_service_any_more_takes_no_series(shipped: list[models.Model]) -> None:
    staged = Staged(shipped, 1.0)
    staged.stage("neighbours", Lane())
    assert {who for who, _ in judged(staged)["residual@1"]} == {SLOW, QUICK}


def test_a_candidate_takes_series_only_once_it_is_heard(shipped: list[models.Model]) -> None:
    residual, neighbours = shipped
    for is_heard, left in ((False, {SLOW, QUICK}), (True, {QUICK})):
        staged = Staged([residual], 1.0)
        candidate = staged.voice(neighbours)
        staged.stage("neighbours", Lane(candidate=candidate, is_heard=is_heard))
        found = judged(staged)
        first = [
            (who, at) for who, at in found["residual@1"] if who == QUICK or at > START_US + 2e10
        ]
        assert {who for who, _ in first} == left
        assert ("neighbours@1" in found) == is_heard
        assert candidate.figures().scored > 0


def test_a_model_of_one_series_scores_what_its_manifest_applies_to_and_nothing_else(
    shipped: list[models.Model],
) -> None:
    catalog = Catalog(salt=lambda: bytes(16))
    for name in ("pump", "fan"):
        catalog.add(name, ("temperature", SeriesKind.GAUGE, "", ()))
    manifest = msgspec.structs.replace(shipped[0].manifest, applies=Applies(device=("pu*",)))
    scorer = Scorer([models.Model(manifest, shipped[0].session)], 1.0)
    looked = scorer.look([stream()], catalog)
    assert {int(who) for one in looked for who in one.judged.series} == {1}
