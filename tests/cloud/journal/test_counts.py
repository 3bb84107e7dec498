"""The arithmetic of the ledger, alone."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cloud.journal.counts import (
    EARLIER,
    EPOCHS_MAX,
    Counts,
    Tally,
    decode_tally,
    encode_tally,
    total,
)

GROWTH = st.lists(
    # how many epochs later, readings, and how many blocks behind the newest are archived after it
    st.tuples(st.integers(0, 60), st.integers(0, 1 << 18), st.integers(0, 5)),
    max_size=120,
)


def grown(steps: list[tuple[int, int, int]]) -> tuple[Tally, list[tuple[int, int]], int]:
    """A tally after blocks and archiving in turns, the blocks, and how many are archived."""
    tally, blocks, archived, epoch = Tally(), list[tuple[int, int]](), 0, 1
    for later, readings, behind in steps:
        epoch += later
        blocks.append((epoch, readings))
        tally = tally.stored(epoch, 1, readings)
        while archived < len(blocks) - behind:
            at, passed = blocks[archived]
            tally = tally.archived(at, 1, passed)
            archived += 1
    return tally, blocks, archived


@given(GROWTH)
def test_the_total_is_the_sum_over_blocks_however_many_epochs(
    steps: list[tuple[int, int, int]],
) -> None:
    tally, blocks, archived = grown(steps)
    readings = sum(n for _, n in blocks)
    assert tally.total == Counts(
        len(blocks), readings, archived, sum(n for _, n in blocks[:archived])
    )


@given(GROWTH)
def test_the_newest_epochs_are_counted_apart_and_the_rest_together(
    steps: list[tuple[int, int, int]],
) -> None:
    tally, blocks, _ = grown(steps)
    newest = sorted({epoch for epoch, _ in blocks})[-EPOCHS_MAX:]
    expected = Counter(epoch if epoch in newest else EARLIER for epoch, _ in blocks)
    assert {epoch: counts.blocks for epoch, counts in tally.epochs.items()} == expected


@given(GROWTH)
def test_a_tally_comes_back_from_its_bytes(steps: list[tuple[int, int, int]]) -> None:
    tally, _, _ = grown(steps)
    assert decode_tally(encode_tally(tally)) == tally


def test_the_total_over_gateways_is_the_sum_of_theirs() -> None:
    one, two = Tally().stored(1, 2, 30), Tally().stored(4, 1, 5).archived(4, 1, 5)
    assert total([one, two]) == one.total + two.total == Counts(3, 35, 1, 5)
    assert total([]) == Counts()
