"""The real rules of both sides, joined by a bad world, over seeds; and proof that this has teeth.

`make sim SEEDS=2000` is the long form, `make sim-mutants` shows all five mutants at length.
"""

import pytest

from tests.sim.campaign import Sum, live
from tests.sim.mutants import MUTANTS

SEEDS = 240
STEPS = 1000
GROUPS = 6
MUTANT_SEEDS = 400


@pytest.mark.parametrize("group", range(GROUPS))
def test_nothing_is_lost_doubled_or_mixed_in_any_world(group: int) -> None:
    for seed in range(group, SEEDS, GROUPS):
        life = live(seed, STEPS)
        assert life.failure is None, f"seed {seed}: {life.failure}"


def test_a_seed_makes_the_same_world_again() -> None:
    assert live(7, STEPS) == live(7, STEPS)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_product_without_one_of_its_rules_is_caught(name: str) -> None:
    lives = (live(seed, STEPS, name) for seed in range(MUTANT_SEEDS))
    assert any(life.failure is not None for life in lives)


def test_a_campaign_names_what_it_never_reached() -> None:
    total = Sum()
    assert total.add(live(0, 10))
    assert {"journal lost", "alarm FORK"} <= set(total.missed)
    assert total.told()["failed_seed"] is None
