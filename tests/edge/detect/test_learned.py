"""What detectors learned outlives a restart, a bounded piece at a time."""

import logging

import numpy as np
import pytest

from edge.detect import learned, models
from edge.detect.fixed import FixedThreshold
from edge.detect.frames import Frames
from edge.detect.learned import Item, Learned
from edge.detect.pace import Pace
from edge.detect.rolling import Windows
from edge.detect.score import Scorer
from edge.detect.seams import Seams
from edge.detect.shipped.build import build
from edge.detect.threshold import Thresholds
from protos.records import Batch, Kind, Quality, numbers
from protos.series import SeriesKind

START_US = 1_700_000_000_000_000


class Kinds:
    kind_of = np.full(1001, SeriesKind.GAUGE, np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> models.Model:
    return models.load(build(tmp_path_factory.mktemp("models"))[0])


def stream(first: int, n: int, series: int = 3) -> Batch:
    """Readings ``first`` on of some series, a second apart, each another noise."""
    rng = np.random.default_rng(7)
    values = rng.normal(20, 0.2, (2000, series))[first : first + n].ravel()
    ts = START_US + np.repeat(np.arange(first, first + n), series) * 1_000_000
    who = np.tile(np.arange(1, series + 1), n)
    return numbers(who, ts, values, np.full(len(who), Quality.SENSOR, np.uint8), ts)


def learned_of(scorer: Scorer, now_us: int = START_US) -> Learned:
    return Learned(scorer.learning(), lambda: now_us)


def kept(made: Learned) -> list[Item]:
    return list(made.all())


def spikes(scorer: Scorer) -> list[tuple[float, float]]:
    """Scores and thresholds of everything that is judged from reading 1,500 on."""
    (looked,) = scorer.look([stream(1500, 100)], Kinds())
    return list(zip(looked.judged.score.tolist(), looked.judged.threshold.tolist(), strict=True))


def test_after_a_restart_scores_and_thresholds_are_as_without_one(model: models.Model) -> None:
    before = Scorer([model], 1.0)
    before.look([stream(0, 1500)], Kinds())
    items = kept(learned_of(before))
    after = Scorer([model], 1.0)
    assert learned_of(after, START_US + 60_000_000).restore(items) == []
    assert spikes(after) == spikes(before)
    assert len(spikes(Scorer([model], 1.0))) < len(spikes(after)), "one that knows nothing waits"


def test_windows_of_an_hour_ago_are_begun_anew_and_thresholds_are_not(model: models.Model) -> None:
    before = Scorer([model], 1.0)
    before.look([stream(0, 1500)], Kinds())
    items = kept(learned_of(before))
    for now_us in (START_US + 3_700_000_000, START_US - 10**15):
        after = Scorer([model], 1.0)
        useless = learned_of(after, now_us).restore(items)
        assert [name.split()[2] for name in useless] == ["windows"]
        (looked,) = after.look([stream(1500, 100)], Kinds())
        assert len(looked.rows) == 3 * (100 - model.manifest.window + 1)
        assert np.isfinite(looked.judged.threshold).all(), "it need not learn again"


def test_what_another_version_learned_is_let_go_and_said(
    model: models.Model, caplog: pytest.LogCaptureFixture
) -> None:
    before = Scorer([model], 1.0)
    before.look([stream(0, 300)], Kinds())
    items = kept(learned_of(before))
    caplog.set_level(logging.INFO)
    newer = models.Model(_renamed(model, "2"), model.session)
    useless = learned_of(Scorer([newer], 1.0)).restore(items)
    assert sorted(useless) == sorted(name for name, _ in items)
    assert caplog.text.count("residual@1 learned is let go: it is not in service") == 1


def _renamed(model: models.Model, version: str) -> models.Manifest:
    fields = {name: getattr(model.manifest, name) for name in model.manifest.__struct_fields__}
    return models.Manifest(**(fields | {"version": version}))


@pytest.mark.parametrize("spoil", [lambda data: data[:-9], lambda _: b"\x00", lambda _: b""])
def test_what_cannot_be_read_is_begun_anew_and_the_rest_is_taken_up(
    model: models.Model, spoil, caplog: pytest.LogCaptureFixture
) -> None:
    before = Scorer([model], 1.0)
    before.look([stream(0, 300)], Kinds())
    items = kept(learned_of(before))
    name, data = items[0]
    useless = learned_of(Scorer([model], 1.0)).restore([(name, spoil(data)), *items[1:]])
    assert useless == [name]
    assert f"{name} is begun anew" in caplog.text


def test_a_form_of_other_columns_is_begun_anew(model: models.Model) -> None:
    before = Scorer([model], 1.0)
    before.look([stream(0, 300)], Kinds())
    items = kept(learned_of(before))

    class Narrow:
        def by_series(self) -> dict[str, np.ndarray]:
            return {"history": np.zeros((100, 5)), "seen": np.zeros(100, np.int64)}

        def grow(self, size: int) -> None: ...

    made = Learned({"residual@1": {"windows": Narrow(), "thresholds": Narrow()}}, lambda: START_US)
    assert sorted(made.restore(items)) == sorted(name for name, _ in items)


def test_items_come_one_at_a_time_with_a_pause_that_fits_their_size(model: models.Model) -> None:
    scorer = Scorer([model], 1.0)
    scorer.look([stream(0, 60, 300)], Kinds())
    made = learned_of(scorer)
    now_s, written, at = 1000.0, 0, []
    for _ in range(36_000):
        items = made.due(now_s)
        assert len(items) <= 1
        for name, data in items:
            written += len(data)
            at.append(name)
            assert len(data) < 256 << 10
        now_s += 0.1
    assert written <= learned.BYTES_EACH_S * 3600 + (256 << 10)
    assert set(at) == {name for name, _ in kept(learned_of(scorer))}, "a round has them all"
    assert len(at) == len(set(at)), "what did not change is not kept again"


def arrays_in(held: object) -> list[np.ndarray]:
    """All arrays that something holds, itself or in what it is made of."""
    if isinstance(held, np.ndarray):
        return [held]
    if not type(held).__module__.startswith("edge.detect"):
        return []
    names = getattr(type(held), "__slots__", None) or vars(held)
    return [array for name in names for array in arrays_in(getattr(held, name))]


@pytest.mark.parametrize(
    "made",
    [
        Windows(48), Thresholds(1.0), Pace(1.0), FixedThreshold(1.0), Frames(2, 3, 1_000_000, 0),
        Seams(60e6),
    ],
)  # fmt: skip
def test_every_array_that_is_learned_is_kept(
    made: Windows | Thresholds | Pace | FixedThreshold | Frames | Seams,
) -> None:
    made.grow(3)
    rows = made.by_series()
    assert {id(held) for held in arrays_in(made)} == {id(held) for held in rows.values()}
    assert len({len(held) for held in rows.values()}) == 1, "a row a series"


def test_series_far_apart_are_kept_as_few_and_put_back_for_themselves(model: models.Model) -> None:
    parts = stream(0, 1500).kind(Kind.NUMBERS)
    far = {1: 900, 2: 7, 3: 1000}
    who = np.vectorize(far.__getitem__)(parts["series"]).astype(np.uint32)
    before = Scorer([model], 1.0)
    before.look([Batch({Kind.NUMBERS: parts | {"series": who}})], Kinds())
    items = kept(learned_of(before))
    assert len(items) == 2, "three series are one item of each part"
    after = Scorer([model], 1.0)
    assert learned_of(after).restore(items) == []
    more = stream(1500, 100).kind(Kind.NUMBERS)
    who = np.vectorize(far.__getitem__)(more["series"]).astype(np.uint32)
    batch = Batch({Kind.NUMBERS: more | {"series": who}})
    told = [one for scorer in (before, after) for one in scorer.look([batch], Kinds())]
    assert told[0].judged.score.tolist() == told[1].judged.score.tolist()
    assert told[0].judged.threshold.tolist() == told[1].judged.threshold.tolist()


def test_what_is_known_of_a_series_with_an_episode_is_kept_alone_and_let_go_at_its_end(
    model: models.Model,
) -> None:
    before = Scorer([model], 1.0)
    before.look([stream(0, 1500)], Kinds())
    items = learned_of(before).alone("residual@1", 2, ended=False)
    assert sum(len(body) for _, body in items) < 2048
    after = Scorer([model], 1.0)
    assert learned_of(after).restore(items) == []
    judged = [
        one.judged
        for scorer in (before, after)
        for one in scorer.look([stream(1500, 100)], Kinds())
    ]
    alone = [one.at((one.series == 2).nonzero()[0]) for one in judged]
    assert alone[0].score.tolist() == alone[1].score.tolist()
    assert alone[0].threshold.tolist() == alone[1].threshold.tolist()
    ended = learned_of(before).alone("residual@1", 2, ended=True)
    assert ended == tuple((name, b"") for name, _ in items)


@pytest.mark.parametrize(("width", "items"), [(1, 2), (100, 2), (1000, 13), (8192, 100), (8193, 0)])
def test_an_item_fits_a_commit_however_much_is_known_of_a_series(width: int, items: int) -> None:
    class Wide:
        def by_series(self) -> dict[str, np.ndarray]:
            return {"known": np.random.default_rng(1).random((100, width))}

        def grow(self, size: int) -> None: ...

    made = list(Learned({"wide@1": {"windows": Wide()}}, lambda: 0).all())
    assert len(made) == items
    assert max((len(body) for _, body in made), default=0) <= (64 << 10) + 1024
    (alone,) = Learned({"wide@1": {"windows": Wide()}}, lambda: 0).alone(
        "wide@1", 5, ended=False
    ) or [("", b"")]
    assert len(alone[1]) <= 4096
