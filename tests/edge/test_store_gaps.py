from hypothesis import given
from hypothesis import strategies as st

from edge.store.gaps import NEAR_US, Gap, batch_of, gaps_of, join, loss_of
from edge.store.spans import TOP, Spans
from protos.records import Batch, GapReason, concat, numbers

times = st.integers(-(1 << 50), 1 << 50)
gaps = st.builds(
    lambda at, long, count, reason: Gap(at, at + long, count, reason),
    times,
    st.integers(0, 1 << 40),
    st.integers(1, 1000),
    st.sampled_from(GapReason),
)


@given(st.lists(gaps, max_size=40), st.integers(3, 12))
def test_joined_gaps_are_few_count_the_same_and_cover_every_one(
    found: list[Gap], most: int
) -> None:
    joined = join(found, most)
    assert len(joined) <= most
    for reason in GapReason:
        alike = [gap for gap in joined if gap.reason is reason]
        assert sum(gap.count for gap in alike) == sum(g.count for g in found if g.reason is reason)
        for gap in found:
            assert gap.reason is not reason or any(
                one.from_us <= gap.from_us and gap.to_us <= one.to_us for one in alike
            )


def test_losses_far_apart_stay_apart_while_there_is_room() -> None:
    near, far = (
        Gap(0, 10, 1, GapReason.EVICTED),
        Gap(NEAR_US + 11, NEAR_US + 12, 2, GapReason.EVICTED),
    )
    assert join([far, near]) == (near, far)
    other = Gap(5, 6, 7, GapReason.DAMAGED)
    assert join([Gap(10, NEAR_US + 10, 3, GapReason.EVICTED), far, near, other]) == (
        Gap(0, NEAR_US + 12, 6, GapReason.EVICTED),
        other,
    )


def test_numbers_of_lost_blocks_are_kept_when_gaps_are_joined() -> None:
    reason = GapReason.DELETED_BEFORE_LOSS
    assert join([Gap(0, 5, 10, reason, 4, 4), Gap(5, 9, 20, reason, 5, 5)]) == (
        Gap(0, 9, 30, reason, 4, 5),
    )


@given(st.lists(gaps, max_size=10))
def test_gaps_travel_as_rows(found: list[Gap]) -> None:
    assert gaps_of(batch_of(found)) == found


def test_an_evicted_batch_hands_on_the_gaps_it_told_of() -> None:
    told = Gap(1, 2, 3, GapReason.DAMAGED)
    batch = concat([numbers([1, 1], [50, 40], [0.0, 1.0], 0, 0), batch_of([told])])
    assert loss_of(batch) == [told, Gap(40, 50, 2, GapReason.EVICTED)]
    assert loss_of(Batch({})) == []


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)), max_size=20))
def test_spans_hold_what_was_added_and_leave_the_rest_free(added: list[tuple[int, int]]) -> None:
    spans, expected = Spans(), set()
    for first, long in added:
        spans.add(first, first + long - 1)
        expected |= set(range(first, first + long))
    assert {no for no in range(1, 90) if no in spans} == expected
    free = list(spans.free())
    assert free[-1][1] == TOP
    assert {no for no in range(1, 90) if any(a <= no <= b for a, b in free)} == (
        set(range(1, 90)) - expected
    )
    assert len(spans) == sum(no in expected and no - 1 not in expected for no in range(1, 90))
