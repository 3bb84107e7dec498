import tracemalloc
from collections import Counter, deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.chunk import MARK_BYTES
from edge.open_marks import OpenMarks

# Few marks, so that equal ones and those that differ in nothing but their zeros come up.
MARK = st.sampled_from(
    [bytes(MARK_BYTES), b"a" + bytes(15), b"a" * 15 + b"\0", b"a" * 16, b"b" * 16]
)


@given(
    marks=st.lists(MARK, max_size=30),
    steps=st.lists(st.one_of(MARK, st.integers(0, 4)), max_size=60),
)
def test_marks_leave_it_as_they_leave_a_counter(
    marks: list[bytes], steps: list[bytes | int]
) -> None:
    kept, ages, held = OpenMarks(b"".join(marks)), deque(marks), Counter(marks)
    for step in steps:
        if isinstance(step, int):
            kept.leave(step)
            for _ in range(min(step, len(ages))):
                oldest = ages.popleft()
                held[oldest] = max(0, held[oldest] - 1)
            assert bool(kept) == bool(ages)
        else:
            assert kept.take(step) == (held[step] > 0)
            held[step] = max(0, held[step] - 1)


def test_every_one_of_the_default_horizon_is_found_once_and_a_stranger_never() -> None:
    chance = np.random.default_rng(7)
    marks = [chance.bytes(MARK_BYTES) for _ in range(65_536)]
    kept = OpenMarks(b"".join(marks))
    for mark in marks[::97]:
        assert kept.take(mark)
        assert not kept.take(mark)
    assert not any(kept.take(chance.bytes(MARK_BYTES)) for _ in range(10_000))


def test_the_default_horizon_takes_two_megabytes_not_twelve() -> None:
    told = np.random.default_rng(7).bytes(65_536 * MARK_BYTES)
    tracemalloc.start()
    kept = OpenMarks(told)
    taken, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept
    assert taken < 2 << 20
    assert peak < 4 << 20
