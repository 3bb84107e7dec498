"""Whatever fails or dies when: every standing is told, and what is told of it is whole."""

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cloud.errors import StorageError
from tests.cloud.notify.fleet_world import OPS, Fleet, Told
from tests.cloud.notify.told_world import Clock

NAMES = ("attic", "cellar", "mill")
RULES = (
    "[notify]\ngroup_s = 20.0\n"
    '[notify.rules.quiet]\non = "silence"\nsilent_s = 30.0\n'
    '[notify.rules.end]\non = "certificate"\n'
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hear"), st.sampled_from(NAMES)),
        st.tuples(st.just("leave"), st.sampled_from(NAMES)),
        st.tuples(st.just("look"), st.integers(1, 40)),
        st.tuples(st.sampled_from(["fail", "die"]), st.integers(1, 8)),
    ),
    min_size=20,
    max_size=60,
)


class Faulty:
    """Lets so many writes of a file through, then none."""

    def __init__(self, file: Any, writes: int) -> None:
        self.write, self.left = file.change, writes

    def __call__(self, sql: str, *arguments: object) -> int:
        if not self.left:
            raise StorageError("keep what is told", "the disk is full")
        self.left -= 1
        return self.write(sql, *arguments)


def look(told: Told) -> bool:
    """Whether a look came to its end."""
    try:
        told.look()
    except StorageError:
        return False
    return True


def live(told: Told, steps: list[tuple[str, Any]]) -> None:
    fleet = told.fleet
    for what, of in steps:
        match what:
            case "hear":
                fleet.hear(of)
            case "leave" if of in fleet.streams:
                fleet.leave(of)
            case "look":
                fleet.clock.go(of)
                look(told)
            case "fail" | "die":
                fleet.clock.go(31)
                file = told.notifier.file
                vars(file)["change"] = Faulty(file, of)
                look(told)
                del vars(file)["change"]
                if what == "die":
                    told.restart()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
@example([("hear", "attic"), ("leave", "attic"), ("look", 31), ("fail", 1)])  # as it is sent
@example([("hear", "attic"), ("leave", "attic"), ("die", 1), ("look", 31)])  # as it begins
def test_through_any_life_every_standing_is_told_as_begun_and_as_ended(steps):
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Clock())
        for name in NAMES:
            fleet.enrol(name)
        told = Told(Path(folder), fleet, OPS + RULES)
        live(told, steps)
        for _ in range(4):  # windows end, whatever was left is told
            fleet.clock.go(61)
            assert look(told)
        changes = defaultdict(list)
        for message in told.messages:
            for one in message["standings"]:
                changes[one["id"]].append(one["change"])
        rows = told.notifier.file.rows("SELECT id, ended_us FROM standings")
        assert {row["id"] for row in rows} == changes.keys()
        for row in rows:
            # One that was over within its window is told once, as ended.
            whole = [["begun"]] if row["ended_us"] is None else [["begun", "ended"], ["ended"]]
            assert changes[row["id"]] in whole
        assert told.notifier.standings.turns() == []
        assert told.notifier.file.drops() == []
        gone = {name for name, one in fleet.streams.items() if one.session == 0}
        assert set(told.standing) >= gone
        told.notifier.file.close()
