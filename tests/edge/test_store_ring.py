from hypothesis import given
from hypothesis import strategies as st

from edge.store.ring import Ring

SIZES = st.lists(st.integers(0, 9), max_size=6)


def test_rows_left_out_keep_the_size_of_the_rest_and_give_back_no_number() -> None:
    ring = Ring.of([(1, 10), (2, 20), (3, 30)])
    ring.forget(frozenset({3, 1}))
    assert (list(ring.rows), ring.total) == ([(2, 20)], 20)
    assert ring.draft().append(5) == 4


@given(st.lists(st.tuples(SIZES, st.integers(0, 5), st.integers(0, 20), st.booleans())))
def test_a_ring_keeps_what_a_plain_list_would(
    steps: list[tuple[list[int], int, int, bool]],
) -> None:
    ring, plain, last = Ring(), list[tuple[int, int]](), 0
    for sizes, count_max, total_max, adopted in steps:
        draft = ring.draft()
        numbers = [draft.append(size) for size in sizes]
        assert numbers == list(range(last + 1, last + 1 + len(sizes)))
        gone = draft.beyond(count_max, total_max)
        if not adopted:
            continue
        draft.adopt()
        plain += zip(numbers, sizes, strict=True)
        last += len(sizes)
        assert gone == [no for no, _ in plain[: len(gone)]], "the oldest leave first"
        plain = plain[len(gone) :]
        assert list(ring.rows) == plain
        assert len(plain) <= count_max
        assert sum(size for _, size in plain) <= total_max


@given(st.lists(st.integers(1, 9)), st.integers(0, 30))
def test_a_surplus_is_only_what_can_be_missed(sizes: list[int], total_min: int) -> None:
    ring = Ring.of(enumerate(sizes, 1))
    draft = ring.draft()
    gone = draft.surplus(total_min)
    draft.adopt()
    left = sizes[len(gone) :]
    assert sum(left) >= min(total_min, sum(sizes))
    assert not left or sum(left[1:]) < total_min, "one more would be too many"


def test_numbers_go_on_after_a_reading_from_the_file() -> None:
    ring = Ring.of([(4, 1), (7, 2)])
    assert (ring.total, ring.draft().append(1)) == (3, 8)
