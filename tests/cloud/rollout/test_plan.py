"""Who is offered what, and when a rollout goes on or is taken back."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cloud.rollout.plan import (
    Behaviour,
    Rollout,
    Stage,
    judged,
    members,
    offers_for,
    place,
)
from protos import sync_pb2 as pb

FLEET = [f"gateway-{number:03d}" for number in range(200)]
HOUR_US = 3_600_000_000


def rollout(number: int = 1, stage: Stage = Stage.CANARY, **more: object) -> Rollout:
    made = Rollout(
        number, "spread", f"{number}", bytes(32).hex(), 100, stage, 0.1, True, HOUR_US, HOUR_US,
        False, 0, "ada",
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def heard(gateway: str, state: int, number: int = 1, **more: object) -> Behaviour:
    told = {"stage": pb.MODEL_CANARY, "scored": 1000, "promised_per_week": 1.0} | more
    return Behaviour(gateway, 0, pb.ModelBehaviour(rollout=number, state=state, **told))  # type: ignore[arg-type]


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, unique=True), st.floats(0.01, 1.0))
def test_a_share_is_never_empty_and_grows_with_its_size(names: list[str], share: float) -> None:
    small = members(rollout(share=share), names)
    large = members(rollout(share=min(1.0, share * 1.5)), names)
    assert small
    assert small <= large <= set(names)
    assert all(0 <= place("spread", name) < 1 for name in names)


def test_a_gateway_that_comes_later_takes_no_other_out_of_the_share() -> None:
    before = members(rollout(), FLEET[:150])
    assert before <= members(rollout(), FLEET)


def test_a_share_is_near_what_was_asked_for() -> None:
    assert 10 <= len(members(rollout(share=0.1), FLEET)) <= 32


def test_in_a_canary_the_share_gets_the_new_one_and_the_others_what_was_done_before() -> None:
    rollouts = [rollout(1, Stage.DONE), rollout(2, Stage.CANARY)]
    shares = {2: members(rollouts[1], FLEET)}
    for name in FLEET:
        told = [(one.rollout, one.stage) for one in offers_for(name, rollouts, shares).offers]
        within = [(1, pb.MODEL_ALL), (2, pb.MODEL_CANARY)]
        assert told == (within if name in shares[2] else within[:1])


def test_in_all_every_gateway_gets_it_and_what_was_taken_back_is_withdrawn() -> None:
    rollouts = [rollout(1, Stage.BACK), rollout(2, Stage.ALL)]
    told = offers_for("any", rollouts, {})
    assert [one.rollout for one in told.offers] == [2]
    assert list(told.withdrawn) == [1]


def test_one_failed_canary_of_few_takes_it_back_and_one_of_twenty_does_not() -> None:
    failed = heard(FLEET[0], pb.MODEL_FAILED, reason="scores that are no numbers")
    few = [failed, *(heard(name, pb.MODEL_TRIED) for name in FLEET[1:19])]
    verdict = judged(rollout(), few, 0)
    assert verdict is not None
    assert verdict.stage is Stage.BACK
    assert "scores that are no numbers" in verdict.why
    assert FLEET[0] in verdict.why
    assert judged(rollout(), [*few, heard(FLEET[19], pb.MODEL_TRIED)], 0) is None


def test_a_refused_package_takes_it_back_too() -> None:
    verdict = judged(rollout(), [heard("a", pb.MODEL_REFUSED, reason="unsigned")], 0)
    assert verdict is not None
    assert verdict.stage is Stage.BACK


def test_alarms_of_all_together_off_the_promise_take_it_back_though_none_failed() -> None:
    quiet = {"series_weeks": 2.0, "alarms": 1, "beside_alarms": 0}
    loud = quiet | {"alarms": 14}
    assert judged(rollout(), [heard(n, pb.MODEL_TRIED, **quiet) for n in FLEET[:20]], 0) is None
    verdict = judged(rollout(), [heard(n, pb.MODEL_TRIED, **loud) for n in FLEET[:20]], 0)
    assert verdict is not None
    assert verdict.stage is Stage.BACK
    assert "280 alarms in 40 series-weeks" in verdict.why


def test_it_goes_on_by_itself_after_its_time_once_somebody_scored_with_it() -> None:
    one = rollout()
    scored, silent = heard("a", pb.MODEL_TRIED), heard("a", pb.MODEL_TRIED, scored=0)
    assert judged(one, [scored], HOUR_US - 1) is None
    assert judged(one, [silent], HOUR_US) is None
    assert judged(one, [heard("a", pb.MODEL_TRIED, stage=pb.MODEL_SHADOW)], HOUR_US) is None
    assert judged(replace(one, is_auto=False), [scored], HOUR_US) is None
    verdict = judged(one, [scored], HOUR_US)
    assert verdict is not None
    assert verdict.stage is Stage.ALL


def test_the_last_step_needs_a_gateway_whose_good_one_it_is() -> None:
    one = rollout(stage=Stage.ALL, is_auto=False)
    assert judged(one, [heard("a", pb.MODEL_TRIED, stage=pb.MODEL_ALL)], HOUR_US) is None
    verdict = judged(one, [heard("a", pb.MODEL_GOOD, stage=pb.MODEL_ALL)], HOUR_US)
    assert verdict is not None
    assert verdict.stage is Stage.DONE


def test_what_is_said_of_another_rollout_does_not_count() -> None:
    assert judged(rollout(2), [heard("a", pb.MODEL_FAILED, 1)], 2 * HOUR_US) is None


def test_a_rollout_that_ended_is_judged_no_more() -> None:
    for stage in (Stage.DONE, Stage.BACK):
        assert judged(rollout(stage=stage), [heard("a", pb.MODEL_FAILED)], HOUR_US) is None
