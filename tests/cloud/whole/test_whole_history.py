"""Any interleaving of all that happens to a cloud gives the history of a naive list.

Ingest, late data, blocks that come twice, imports, wrong clocks put right, damaged blocks, passes
and merges, days that are sorted, readings and rollups that leave for their age or by order,
unneeded files, crashes at any step, consolidation moved between processes, rebuilds, days
recomputed, trims, operations on series, marks, readers that hold a view, and questions in between.
"""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.lake import plan as lake_plan
from cloud.recompute.days import look_at, recompute
from cloud.rollup.partials import HOUR_US
from cloud.series.marks import MarkKind
from cloud.verify.whole import verify
from tests.cloud.consolidate_world import EVER, lose_half
from tests.cloud.joined_model import KIND
from tests.cloud.lake.sort_world import small
from tests.cloud.lake_world import T0
from tests.cloud.query.operated_world import operations
from tests.cloud.whole.whole_check import check
from tests.cloud.whole.whole_due import DEVICES
from tests.cloud.whole.whole_world import Whole

_time = st.one_of(
    st.integers(-40, 40).map(lambda n: T0 + n * 431_000_000),
    st.integers(-40, 40).map(lambda n: T0 + n * 700_000),
)
_value = st.one_of(st.integers(0, 64).map(lambda n: n / 4), st.just(math.nan))
_rows = st.lists(st.tuples(_time, _value), min_size=1, max_size=6)
_words = st.lists(st.tuples(_time, st.sampled_from(["open", "shut"])), min_size=1, max_size=3)
_imported = st.lists(
    st.tuples(st.integers(-9, 9), st.integers(0, 3).map(float)), min_size=1, max_size=6
)
_since = st.lists(st.integers(0, 150), min_size=1, max_size=4)
_stretch = st.integers(0, 2)
_step = st.integers(1, 60)

_comes = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 3), _rows, st.booleans()),
    st.tuples(st.just("send"), st.integers(0, 3), _rows, st.booleans()),
    st.tuples(st.just("many"), st.integers(0, 3), _time),
    st.tuples(st.just("unsynced"), _stretch, _since),
    st.tuples(st.just("correct"), _stretch),
    st.tuples(st.just("say"), _words),
    st.tuples(st.just("bring"), _imported),
    st.tuples(st.just("again"), st.integers(0, 3)),
    st.just(("damaged",)),
)
_number = st.integers(0, len(DEVICES) - 1)
_no_time = st.none()
_operation = st.one_of(
    operations(_time, ["°C", "°F", "K"], len(DEVICES)),
    st.tuples(st.just(KIND.REPLACE), _number, _number, _time),
    st.tuples(st.just(KIND.MERGE), _number, _number, _no_time, _no_time),
)
_kind = st.sampled_from([MarkKind.BAD, MarkKind.BAD, MarkKind.FAULT])
_said = st.one_of(
    st.tuples(st.just("operate"), _operation),
    st.tuples(st.just("operate"), _operation),
    st.tuples(
        st.just("mark"), st.one_of(st.none(), _number), _kind, _time,
        st.integers(1, 60).map(lambda n: n * 90_000_000),
    ),
    st.tuples(st.just("withdraw"), st.integers(0, 3)),
)  # fmt: skip
_done = st.one_of(
    st.sampled_from([("follow",), ("consolidate",), ("pass",), ("trim",), ("hold",), ("ask",)]),
    st.sampled_from([("consolidate",), ("lose",), ("rebuild",)]),
    st.tuples(st.just("crash"), _step, st.booleans()),
    st.tuples(st.just("sort"), st.integers(0, 6)),
    st.tuples(st.just("retire"), st.integers(0, 3), _step),
    st.sampled_from([("retire_alone",), ("vacuum",), ("settle",)]),
    st.tuples(st.just("restart"), st.booleans()),
    st.tuples(
        st.just("erase"),
        st.integers(1, 3),
        st.one_of(st.none(), st.tuples(_time, _time).map(lambda two: (min(two), max(two)))),
        st.integers(1, 40),
    ),
    st.tuples(st.just("recompute"), st.booleans()),
)
ACTIONS = st.lists(st.one_of(_comes, _said, _done), min_size=8, max_size=24)


def play(root: Path, is_apart: bool, actions: list[tuple]) -> None:
    world = Whole(root)
    try:
        world.die(is_apart=is_apart)
        world.hold()
        for action in actions:
            do(world, *action)
        check(world)
        world.consolidate()
        world.lose_consolidation()
        check(world)
        assert len(world.journal.quarantined()) == world.damaged_blocks
        assert world.journal.archived() == world.journal.head()
        assert verify(root / "journal", root / "lake").faults == []
    finally:
        world.close()


def do(world: Whole, kind: str, *more) -> None:
    match kind, more:
        case "send", (number, rows, scored):
            world.send(number, rows, scored=scored)
        case "many", (number, ts):
            world.send(number, [(ts + i * 997_001, (i * 79 % 97) / 8) for i in range(90)])
        case "unsynced", (stretch, since):
            world.unsynced(stretch, since)
        case "crash", (step, alone):
            world.crash(step, alone=alone)
        case "restart", (is_apart,):
            world.die(is_apart=is_apart)
        case "operate", (operation,):
            world.operate(*operation)
        case "pass", ():
            world.consolidate(1, passes=1)
        case "trim", ():
            world.journal.trim()
        case "lose", ():
            world.lose_consolidation()
        case "rebuild", ():
            world.make_rollups_anew()
        case "recompute", (spoilt,):
            recompute_days(world, spoilt=spoilt)
        case "ask", ():
            check(world)
        case _:
            getattr(world, kind)(*more)


def recompute_days(world: Whole, *, spoilt: bool) -> None:
    """`tidegate-cloud consolidate --from …`, where tables lost rows that the journal keeps."""
    world.consolidate()
    folders = (world.root / "journal", world.root / "lake")
    assert look_at(*folders, EVER).is_same
    world.views.clear()
    world.close()
    is_spoilt = spoilt and lose_half(*folders)
    assert recompute(*folders, EVER).is_same is not is_spoilt
    world._open()


@pytest.fixture
def lives(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """Plays so many lives of a cloud that begins together, or apart."""
    monkeypatch.setattr(lake_plan, "MERGE_FILES", 3)
    small(monkeypatch)

    def lived(is_apart: bool, count: int) -> None:
        @given(ACTIONS)
        @settings(max_examples=count, suppress_health_check=[HealthCheck.too_slow])
        def any_of(actions: list[tuple]) -> None:
            root = tmp_path_factory.mktemp("whole")
            play(root, is_apart, actions)
            shutil.rmtree(root)

        any_of()

    return lived


@pytest.mark.parametrize("is_apart", [False, True], ids=["together", "apart"])
def test_any_interleaving_of_everything_is_the_history_of_a_naive_list(
    lives: Callable[[bool, int], None], is_apart: bool
) -> None:
    lives(is_apart, 3)


@pytest.mark.campaign
@pytest.mark.parametrize("is_apart", [False, True], ids=["together", "apart"])
def test_many_interleavings_of_everything_are_the_histories_of_a_naive_list(
    lives: Callable[[bool, int], None], is_apart: bool
) -> None:
    lives(is_apart, 400)


def test_the_last_before_a_seam_is_known_though_the_readings_of_its_day_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch)
    seam = T0 + 3 * HOUR_US
    numbers = [("many", 3, T0), ("operate", (KIND.REPLACE, 3, 2, seam))]
    play(tmp_path, is_apart=False, actions=[*numbers, ("consolidate",), ("retire", 2, 38)])


@pytest.mark.parametrize("is_apart", [False, True], ids=["together", "apart"])
def test_a_view_that_consolidation_outran_goes_on_at_once_from_the_tables(
    tmp_path: Path, is_apart: bool
) -> None:
    world = Whole(tmp_path)
    try:
        world.die(is_apart=is_apart)
        for at in range(20):
            ts = [T0 + (at * 300 + i) * 997_001 for i in range(300)]
            world.send(0, [(each, float(each % 8191)) for each in ts])
        world.consolidate()
        assert world.journal.trim() > 0
        check(world, [HOUR_US])
        world.send(0, [(T0 - 1, 3.0)])
        check(world, [HOUR_US])
    finally:
        world.close()
