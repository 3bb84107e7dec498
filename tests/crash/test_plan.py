"""What the campaign brings: every kind, and only steps that the product has."""

import random
from pathlib import Path

import pytest

from tests.crash.campaign import ROUNDS_FOR_ALL
from tests.crash.orders import FAILPOINTS, Do, Moment, Orders, child
from tests.crash.plan import Deck, Plan, whole_plan

POINTS = [(module, path) for module, paths in child().POINTS.items() for path in paths]
LAKE = Path(__file__).parent.parent.parent / "cloud" / "lake"


def all_of(plan: Plan, rounds: int) -> list[str]:
    drawn = [fault for _ in range(rounds) for fault in plan.draw() if fault is not None]
    return [fault.name for fault in drawn]


@pytest.mark.parametrize(("module", "path"), POINTS)
def test_a_point_is_a_step_that_the_product_has(module: str, path: str) -> None:
    *holder, name = path.split(".")
    found = __import__(module, fromlist=["*"])
    owner = getattr(found, holder[0]) if holder else found
    assert callable(vars(owner)[name])


def test_a_step_of_the_lake_is_one_that_the_lake_tells() -> None:
    source = "".join(path.read_text() for path in LAKE.rglob("*.py"))
    assert all(f'step("{step}")' in source for step in child().STEPS)


def test_a_failpoint_is_at_a_point_that_the_process_knows() -> None:
    known = {f"{module}:{path}" for module, path in POINTS}
    known |= {f"cloud.lake.consolidator:{step}" for step in child().STEPS}
    known |= {f"disk:{what}" for what in ("log-write", "log-sync", "file-write", "file-sync")}
    used = {where for point in FAILPOINTS for where in (point.point, point.within) if where}
    assert used <= known
    assert len({point.name for point in FAILPOINTS}) == len(FAILPOINTS)


@pytest.mark.parametrize("seed", range(20))
def test_all_kinds_come_in_the_rounds_of_a_full_campaign(seed: int) -> None:
    plan = whole_plan(seed, disks=True, faketime="libfaketime.so")
    assert set(plan.names()) == set(all_of(plan, ROUNDS_FOR_ALL))


@pytest.mark.parametrize("seed", range(20))
def test_the_short_form_kills_edge_broker_and_cloud_and_cuts_the_power_of_both(seed: int) -> None:
    drawn = all_of(whole_plan(seed, disks=True, faketime=""), 6)
    assert {f"kill -9 {part}" for part in ("edge", "broker", "cloud")} <= set(drawn)
    assert {"power cut of edge", "power cut of cloud"} <= set(drawn)


def test_a_campaign_is_replayed_by_its_seed() -> None:
    first, again = (all_of(whole_plan(7, disks=True, faketime=""), 100) for _ in range(2))
    assert first == again != all_of(whole_plan(8, disks=True, faketime=""), 100)


def test_what_did_not_come_is_tried_again_but_not_for_ever() -> None:
    plan = whole_plan(1, disks=True, faketime="")
    kinds = plan.kills.kinds
    deck = Deck(random.Random(1), kinds)
    fault = deck.draw()
    names = []
    for _ in range(len(kinds) + 2):
        deck.put_back(fault)
        names.append(deck.draw().name)
    assert names.count(fault.name) == 3


def test_an_order_is_in_place_until_it_is_carried_out_or_taken_back(tmp_path: Path) -> None:
    orders = Orders(tmp_path / "edge")
    orders.give(Do.KILL, "disk:log-sync", Moment.BEFORE)
    orders.give(Do.SLOW, "disk:*sync", Moment.BEFORE, seconds=0.1)
    assert orders.is_open(Do.KILL)
    orders.take_back(Do.SLOW)
    assert (orders.is_open(Do.KILL), orders.is_open(Do.SLOW)) == (True, False)
    orders.take_back_all()
    assert not orders.is_open(Do.KILL)
