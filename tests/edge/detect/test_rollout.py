"""What a gateway does with offered models, as states."""

from dataclasses import replace
from random import Random

import msgspec
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from edge.detect import rollout as rules
from edge.detect.rollout import Figures, Held, Offer, Slot, Stage, trouble
from protos import sync_pb2 as pb
from protos.limits import MODEL_PACKAGE_BYTES_MAX


def offer(number: int, stage: Stage = Stage.ALL, **more: object) -> Offer:
    told = {"name": "spread", "version": str(number), "sha256": f"{number:064x}", "size": 10}
    return Offer(rollout=number, stage=stage, **(told | more))  # type: ignore[arg-type]


def served(*numbers: int) -> Held:
    """A gateway where these rollouts proved themselves, one after the other."""
    held = Held()
    for number in numbers:
        held = rules.proven(rules.offered(held, [offer(number)], (), {}), "spread")
    return held


def test_an_offer_becomes_a_candidate_and_once_proven_the_good_one_with_the_one_before_kept() -> (
    None
):
    held = served(1, 2)
    slot = held.slots["spread"]
    assert (slot.good and slot.good.version, slot.before and slot.before.version) == ("2", "1")
    assert slot.candidate is None
    assert held.packages == {f"{1:064x}", f"{2:064x}"}


def test_a_new_gateway_takes_what_was_done_before_it_tries_what_is_under_way() -> None:
    offers = [offer(1), offer(2, Stage.SHADOW)]
    held = rules.offered(Held(), offers, (), {})
    assert held.slots["spread"].candidate == offers[0]
    held = rules.offered(rules.proven(held, "spread"), offers, (), {})
    assert held.slots["spread"].candidate == offers[1]


def test_a_stage_moves_on_and_a_candidate_that_is_offered_no_more_stays() -> None:
    held = rules.offered(Held(), [offer(1, Stage.SHADOW)], (), {})
    held = rules.offered(held, [offer(1, Stage.CANARY)], (), {})
    assert held.slots["spread"].candidate == offer(1, Stage.CANARY)
    assert rules.offered(held, [], (), {}) == held


def test_what_failed_here_is_not_begun_again_but_the_same_package_in_a_new_rollout_is() -> None:
    held = rules.offered(served(1), [offer(1), offer(2)], (), {})
    held = rules.failed(held, "spread", "it died")
    assert rules.offered(held, [offer(1), offer(2)], (), {}) == held
    again = offer(3, version="2", sha256=offer(2).sha256)
    held = rules.offered(held, [offer(1), again], (), {})
    assert held.slots["spread"].candidate == again


def test_a_downgrade_is_refused_unless_the_rollout_asks_for_it() -> None:
    older = offer(9, version="1")
    held = rules.offered(served(2), [older], (), {})
    assert held.slots["spread"].candidate is None
    assert held.ended[-1].is_refused
    assert "downgrade" in held.ended[-1].reason
    wanted = offer(10, version="1", downgrade=True)
    assert rules.offered(held, [wanted], (), {}).slots["spread"].candidate == wanted


def test_a_version_below_the_gateways_own_model_is_a_downgrade_too() -> None:
    held = rules.offered(Held(), [offer(1)], (), {"spread": "1.5"})
    assert "spread" not in held.slots
    assert "1.5" in held.ended[0].reason


def test_a_withdrawn_good_one_gives_way_to_the_one_before_and_that_to_the_gateways_own() -> None:
    held = rules.offered(served(1, 2), [offer(1)], {2}, {})
    slot = held.slots["spread"]
    assert slot.good is not None
    assert (slot.good.version, slot.before) == ("1", None)
    assert rules.offered(held, [], {1, 2}, {}).slots == {}


def test_a_good_one_that_fails_in_service_goes_back_and_is_not_offered_its_place_again() -> None:
    held = rules.lost(served(1, 2), "spread", "it raised")
    held = rules.offered(held, [offer(2)], (), {})
    slot = held.slots["spread"]
    assert slot.good is not None
    assert (slot.good.version, slot.candidate) == ("1", None)


def test_agents_that_do_not_last_take_the_newest_good_one_back() -> None:
    held = served(1, 2)
    for _ in range(rules.STARTS_MAX):
        held, gone = rules.started(held)
        assert not gone
    held, gone = rules.started(held)
    assert gone == ["spread"]
    assert held.slots["spread"].good == served(1).slots["spread"].good
    assert rules.lasted(held).starts == 0


def test_an_agent_that_lasts_now_and_then_takes_nothing_back() -> None:
    held = served(1)
    for _ in range(20):
        held, gone = rules.started(held)
        assert not gone
        held = rules.lasted(held)


def test_offers_that_make_no_sense_are_left_out() -> None:
    good = {"rollout": 1, "name": "spread", "version": "1", "size": 10, "sha256": bytes(32)}
    told = [
        pb.ModelOffer(**(good | {"stage": pb.MODEL_ALL} | more))  # type: ignore[arg-type]
        for more in (
            {},
            {"stage": 77},
            {"size": 0},
            {"size": 1 << 40},
            {"sha256": b"short"},
            {"name": ""},
            {"version": "v" * 100},
        )
    ]
    assert len(rules.read_offers(pb.ModelOffers(offers=told))) == 1


@given(st.binary(max_size=300))
def test_whatever_bytes_a_cloud_says_as_offers_only_sound_ones_are_taken(said: bytes) -> None:
    try:
        told = pb.ModelOffers.FromString(said)
    except DecodeError:  # gRPC would end the stream
        return
    held = rules.offered(served(1), rules.read_offers(told), set(told.withdrawn), {})
    for slot in held.slots.values():
        assert slot.candidate is None or 0 < slot.candidate.size <= MODEL_PACKAGE_BYTES_MAX
    assert len(held.slots) <= rules.NAMES_MAX
    assert msgspec.json.decode(msgspec.json.encode(held), type=Held) == held


def test_each_kind_of_trouble_is_told_as_what_it_is() -> None:
    calm = Figures(windows=9000, scored=9000, calls=500, series_weeks=10.0, promised_per_week=1.0)
    assert trouble(calm) == ""
    for told, word in (
        ({"failure": "it died"}, "it died"),
        ({"late": 7}, "too slow"),
        ({"grown_bytes": 65 << 20}, "grew by 65 MiB"),
        ({"alarms": 90}, "90 alarms in 10 series-weeks, promised 10"),
    ):
        assert word in trouble(replace(calm, **told))


@given(st.integers(0, 1 << 30))
def test_whatever_is_offered_and_happens_the_state_keeps_its_promises(seed: int) -> None:
    """A random life: what is good is never lost but by failing or being withdrawn."""
    chance, held, withdrawn = Random(seed), Held(), set[int]()
    numbers = list(range(1, 9))
    for _ in range(40):
        before = held.slots.get("spread", Slot()).good
        lost = False
        candidate = held.slots.get("spread", Slot()).candidate
        match chance.randrange(5):
            case 0:
                shown = sorted(chance.sample(numbers, chance.randint(0, 3)))
                if chance.random() < 0.2:
                    withdrawn.add(chance.choice(numbers))
                stages = [offer(n, chance.choice(list(Stage))) for n in shown]
                held = rules.offered(held, stages, withdrawn, {})
            case 1 if candidate is not None:
                held = rules.failed(held, "spread", "it died")
            case 2 if candidate is not None and candidate.stage is Stage.ALL:
                held = rules.proven(held, "spread")
                lost = True
            case 3 if before is not None and chance.random() < 0.2:
                held, lost = rules.lost(held, "spread", "it raised"), True
            case _:
                held = msgspec.json.decode(msgspec.json.encode(held), type=Held)
        slot = held.slots.get("spread", Slot())
        if before is not None and not lost and before.rollout not in withdrawn:
            assert slot.good is not None
            assert slot.good.sha256 == before.sha256
        if slot.candidate is not None and slot.good is not None:
            assert slot.candidate.sha256 != slot.good.sha256
        assert len(held.ended) <= rules.ENDED_MAX
