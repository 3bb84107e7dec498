"""The product's two halves, joined by a bad world, over seeds; and proof that this has teeth.

`make sim SEEDS=2000` is the long form, `make sim-mutants` shows all mutants at length. Which worlds
have real disks: docs/decisions/0027.
"""

import pytest

from tests.sim import campaign
from tests.sim.campaign import Sum, live
from tests.sim.kinds import DISKS_IN, LAKE_IN, Kind
from tests.sim.mutants import MUTANTS

SEEDS = 120
STEPS = 1000
GROUPS = 6
MUTANT_SEEDS = 400
LAKE_STEPS = 5000  # a stale committer is seen after some hundred passes


@pytest.mark.parametrize("group", range(GROUPS))
def test_nothing_is_lost_doubled_or_mixed_in_any_world(group: int) -> None:
    for seed in range(group, SEEDS, GROUPS):
        life = live(seed, STEPS)
        assert life.failure is None, f"seed {seed}: {life.failure}"


@pytest.mark.parametrize("seed", [7, DISKS_IN, LAKE_IN])
def test_a_seed_makes_the_same_world_again(seed: int) -> None:
    assert live(seed, STEPS) == live(seed, STEPS)


@pytest.mark.parametrize("seed", [2, 5, 11])
def test_nothing_is_lost_doubled_or_mixed_over_disks_that_fail(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(campaign, "kind_of", lambda _: Kind.DISKS)
    life = campaign.live(seed, STEPS)
    assert (life.kind, life.failure) == (Kind.DISKS, None)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_product_without_one_of_its_rules_is_caught(name: str) -> None:
    steps = LAKE_STEPS if MUTANTS[name].kind is Kind.LAKE else STEPS
    lives = (live(seed, steps, name) for seed in range(MUTANT_SEEDS))
    assert any(life.failure is not None for life in lives)


def test_a_campaign_names_what_it_never_reached() -> None:
    total = Sum()
    assert total.add(live(0, 10))
    assert {"journal lost", "alarm FORK"} <= set(total.missed)
    assert total.told()["failed_seed"] is None
