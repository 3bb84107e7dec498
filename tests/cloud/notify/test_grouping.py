"""What becomes one message: told by any order of changes, with a clock that is handed in."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cloud.notify.grouping import TURNS_IN_MESSAGE_MAX, Turn, due
from cloud.notify.standing import Change

S = 1_000_000
GROUP_US = 20 * S


def never(_: str, __: str) -> bool:
    return False


def turn(number: int, at_us: int, standing: str = "", channel: str = "ops", rule: str = "quiet"):
    return Turn(number, channel, rule, standing or f"s{number}", Change.BEGUN, at_us)


def test_fifty_gateways_that_went_silent_together_are_one_message_after_the_window():
    turns = [turn(n, n * S // 10) for n in range(50)]
    assert due(turns, GROUP_US, GROUP_US - 1, never) == []
    (group,) = due(turns, GROUP_US, GROUP_US, never)
    assert list(group.changes) == [f"s{n}" for n in range(50)]


def test_channels_and_rules_are_told_apart():
    turns = [
        turn(n, 0, channel=channel, rule=rule)
        for n, (channel, rule) in enumerate([("a", "x"), ("a", "y"), ("b", "x"), ("a", "x")])
    ]
    found = {(g.channel, g.rule): len(g.turns) for g in due(turns, GROUP_US, GROUP_US, never)}
    assert found == {("a", "x"): 2, ("a", "y"): 1, ("b", "x"): 1}


def test_what_began_and_ended_within_one_window_is_told_once_as_ended():
    turns = [turn(1, 0, "s"), Turn(2, "ops", "quiet", "s", Change.ENDED, 5 * S)]
    (group,) = due(turns, GROUP_US, GROUP_US, never)
    assert group.changes == {"s": Change.ENDED}
    assert len(group.turns) == 2


def test_a_clock_that_was_set_back_keeps_nothing_waiting():
    assert len(due([turn(1, 1000 * S)], GROUP_US, 10 * S, never)) == 1


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"]), st.integers(0, 400),
        st.integers(0, 100),
    ),
    max_size=400,
)  # fmt: skip


@given(CHANGES, st.integers(0, 30), st.sets(st.tuples(st.integers(0, 130), st.integers(1, 40))))
def test_every_change_is_told_once_in_order_within_its_window_or_when_quiet_ends(
    told, group_s, quiet
):
    """Looks each second: a model of one inbox a channel and rule says what must have gone when."""
    coming = sorted(told, key=lambda one: one[3])
    turns = [
        Turn(n, channel, rule, f"s{standing}", Change.BEGUN, at * S)
        for n, (channel, rule, standing, at) in enumerate(coming)
    ]

    def is_quiet(second: int) -> bool:
        return any(start <= second < start + length for start, length in quiet)

    gone: Counter[int] = Counter()
    for second in range(220):
        here = [one for one in turns if one.at_us <= second * S and one.number not in gone]
        groups = due(here, group_s * S, second * S, lambda _, __, at=second: is_quiet(at))
        assert not groups or not is_quiet(second)
        for group in groups:
            assert len(group.changes) <= TURNS_IN_MESSAGE_MAX
            assert [one.number for one in group.turns] == sorted(one.number for one in group.turns)
            assert {(one.channel, one.rule) for one in group.turns} == {(group.channel, group.rule)}
            gone.update(one.number for one in group.turns)
        left = [one for one in here if one.number not in gone]
        if not is_quiet(second):
            first = {}
            for one in left:
                first.setdefault((one.channel, one.rule), one.at_us)
            assert all(second * S - at < group_s * S for at in first.values())
    assert gone == Counter(range(len(turns)))


def test_more_than_one_message_holds_become_several_and_each_standing_is_in_one():
    turns = [turn(n, 0, f"s{n % 250}") for n in range(500)]
    groups = due(turns, 0, 0, never)
    assert [len(group.changes) for group in groups] == [100, 100, 50]
    held = [name for group in groups for name in group.changes]
    assert len(held) == len(set(held)) == 250
