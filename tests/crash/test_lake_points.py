"""Where lives of the lake's campaign end, and that it can end them at every step of the product."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.lake_campaign import OFTEN, ROUNDS_A_HOME, ROUNDS_FOR_ALL, is_short, left_of, sizes
from tests.crash.lake_points import Aim, Passed, Points
from tests.crash.lake_steps import names_among, names_in_code
from tests.crash.lake_tally import Tally

ROOT = Path(__file__).parent.parent.parent
WAY = ("first", "second", "first", "third")


def _life(told: Path, aim: Aim) -> tuple[int, Passed]:
    """A process that comes by some points; the signal it ended by, and what it told."""
    pid = os.fork()
    if not pid:
        points = Points(told, "serve", aim)
        for point in WAY:
            points.visit(point, "merge")
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WTERMSIG(status), Passed.of(told)


def test_a_life_dies_at_the_first_point_where_too_few_died_and_leaves_word(tmp_path):
    aim = Aim("any", frozenset({"serve, merge: first"}), odds=1.0)
    ended, passed = _life(tmp_path / "told", aim)
    assert (ended, passed.died_at) == (signal.SIGKILL, "serve, merge: second")
    assert passed.calls == {"serve, merge: first": 1, "serve, merge: second": 1}


def test_a_life_dies_at_the_call_that_was_drawn_although_others_died_there(tmp_path):
    first = "serve, merge: first"
    ended, passed = _life(tmp_path / "told", Aim("any", drawn=(first, 2)))
    assert (ended, passed.died_at, passed.calls.total()) == (signal.SIGKILL, first, 3)


def test_a_life_that_comes_past_no_point_of_its_aim_lives(tmp_path):
    spared = frozenset(f"serve, merge: {point}" for point in WAY)
    ended, passed = _life(tmp_path / "told", Aim("any", spared, odds=1.0))
    assert (ended, passed.died_at, passed.calls.total()) == (0, "", len(WAY))


def test_each_point_is_one_share_s_own():
    aims = [Aim("any", share=share, shares=4) for share in range(4)]
    points = [f"serve: before fsync of place {n}" for n in range(100)]
    assert all(sum(aim.is_wanted(point) for aim in aims) == 1 for point in points)
    assert all(any(aim.is_wanted(point) for point in points) for aim in aims)


@pytest.mark.parametrize("rounds", [0, 1, 2, 30, 60, 81, 500])
def test_homes_have_all_rounds_among_them_and_none_too_many(rounds):
    homes = [size for beside in sizes(rounds) for size in beside]
    assert sum(homes) == rounds
    assert all(0 < size <= ROUNDS_A_HOME for size in homes)


def test_a_long_campaign_that_died_nowhere_at_some_point_says_where_and_fails():
    tally = Tally(seen=Counter(f"serve, pass: {name}" for name in names_in_code()))
    tally.died["cut"] |= set(tally.seen)
    assert left_of(tally, ROUNDS_FOR_ALL)["never_died_at"] == []
    assert not is_short(tally, ROUNDS_FOR_ALL)
    tally.seen["serve, merge: committed"] += OFTEN - 1
    assert left_of(tally, ROUNDS_FOR_ALL)["never_died_at"] == ["serve, merge: committed"]
    assert not is_short(tally, ROUNDS_FOR_ALL)
    tally.seen["serve, merge: committed"] += 1
    assert is_short(tally, ROUNDS_FOR_ALL)
    assert not is_short(tally, ROUNDS_FOR_ALL - 1)


def test_a_long_campaign_that_never_came_to_a_step_of_the_code_says_which_and_fails():
    tally = Tally(seen=Counter(f"serve, pass: {name}" for name in names_in_code() - {"order told"}))
    tally.died["kill"] |= set(tally.seen)
    assert left_of(tally, ROUNDS_FOR_ALL)["never_reached"] == ["order told"]
    assert is_short(tally, ROUNDS_FOR_ALL)


def test_steps_are_found_however_the_code_tells_them(tmp_path):
    told = 'step("one")\nself.step("two")\nself._step("three")\nstep()\nother("four")\n'
    (tmp_path / "module.py").write_text(told)
    assert names_in_code(tmp_path) == {"one", "two", "three"}


LIVES = """
import json, pathlib, sys
from tests.crash.lake_home import Home
from tests.crash.lake_tally import Tally

home = Home(pathlib.Path(sys.argv[1]), 1, Tally(), upto=28)
home.begin()
for name in ("serve", "retention", "erase"):
    assert not home.live(name, None, settles=True)
print(json.dumps(sorted(home.tally.seen)))
"""


def test_lives_come_past_every_step_that_the_code_names_each_within_what_it_is_for(tmp_path):
    command = [sys.executable, "-c", LIVES, str(tmp_path / "root")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seen = frozenset(json.loads(done.stdout))
    assert names_among(seen) == names_in_code()
    within = ("serve, pass", "serve, merge of others", "serve, correction", "erase, erasure")
    assert {f"{one}: committed" for one in within} <= seen
    assert {"serve, retention: retirement told", "erase, order: order told"} <= seen
