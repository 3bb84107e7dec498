"""Two gateways from one cloned card, in any interleaving: found, told, kept apart, nothing lost."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cloud.journal import hello as journal_hello
from protos import sync_pb2 as pb
from tests.contract.two_machines import NAME, Machine, World

BEFORE = st.lists(st.sampled_from(["commit", "connect", "run", "work", "archive"]), max_size=12)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["commit", "commit", "connect", "connect", "run", "run", "work", "work", "serve",
             "hear", "cut", "restart", "power", "archive"]
        ),
        st.integers(0, 1),
    ),
    max_size=60,
)  # fmt: skip
# Each example writes to real disks for a second or more: a failure is told as it was found.
UNHURRIED = settings(
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
TURNS_MAX = 9
TOLD = (pb.FORK, pb.CLONE)


@contextmanager
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        made = World(Path(folder))
        try:
            yield made
        finally:
            made.close()


def live(made: World, before: list[str], steps: list[tuple[str, int]]) -> None:
    for what in before:
        made.step(what, 0)
    made.copy_card()
    for what, number in steps:
        made.step(what, number)


def words(machine: Machine) -> list[str]:
    return [close.hint for close in machine.told if close.code in TOLD]


def go_on(made: World) -> None:
    """Both have something of their own and take turns, until an operator is told."""
    for turn in range(TURNS_MAX):
        machine = made.machines[turn % 2]
        machine.commit()
        made.turn(machine)
        machine.cut()
        if any(words(one) for one in made.machines):
            return
    raise AssertionError(f"{TURNS_MAX} changes of machine, and nobody was told")


def settle(made: World, loser: int) -> None:
    """What the operator is told to do: the copy gets a name of its own, the other is pardoned."""
    copy, other = made.machines[loser], made.machines[1 - loser]
    copy.cut()
    copy.store.close()
    copy.name = f"{NAME}-2"
    copy.store = copy.open()
    made.journal.forgive(NAME).result()
    for machine in (copy, other):
        made.turn(machine)
        assert machine.is_drained, f"not delivered: {machine.told[-1:]}"


@settings(UNHURRIED, max_examples=10)
@given(BEFORE, STEPS, st.integers(0, 1))
def test_any_interleaving_of_two_copies_is_told_mixes_nothing_and_loses_nothing(
    before: list[str], steps: list[tuple[str, int]], loser: int
) -> None:
    with world() as made:
        live(made, before, steps)
        go_on(made)
        for machine in made.machines:
            assert all("enroll --rename" in hint for hint in words(machine))
        settle(made, loser)
        under_old, under_new = made.stored[NAME], made.stored[f"{NAME}-2"]
        copy, other = made.machines[loser], made.machines[1 - loser]
        assert other.acknowledged <= under_old
        assert copy.acknowledged <= under_old | under_new
        assert not under_new & (other.acknowledged - made.shared)


@settings(UNHURRIED, max_examples=6)
@given(BEFORE, STEPS)
def test_pardoned_both_streams_arrive_under_one_name_in_epochs_of_their_own(
    before: list[str], steps: list[tuple[str, int]]
) -> None:
    with world() as made:
        live(made, before, steps)
        go_on(made)
        for machine in made.machines:
            for one in made.machines:
                one.cut()
            made.journal.forgive(NAME).result()
            made.turn(machine)
            assert machine.is_drained, f"not delivered: {machine.told[-1:]}"
        for machine in made.machines:
            assert machine.acknowledged <= made.stored[NAME]


def test_a_cloud_that_knows_no_boot_id_again_tells_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_hello, "CLONE_STRIKES_MAX", 1 << 30)
    monkeypatch.setattr(journal_hello, "_is_forked", lambda *_: False)
    with world() as made, pytest.raises(AssertionError, match="nobody was told"):
        told_after(made)


def test_a_rewind_that_goes_on_in_its_epoch_is_caught_mixing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal_hello, "_stepped_back", lambda *_: None)
    monkeypatch.setattr(journal_hello, "_is_forked", lambda *_: False)
    with world() as made, pytest.raises(AssertionError):
        told_after(made)


def told_after(made: World) -> None:
    live(made, ["connect", "run"], [("connect", 0), ("commit", 0), ("run", 0), ("cut", 0)])
    go_on(made)
