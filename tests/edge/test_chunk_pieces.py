"""However many anomalies are found in what was read, no chunk is more than the buffer takes."""

import numpy as np
import pytest

from edge.chunk import SCORES_MAX, Chunk
from edge.gathering import BYTES_MAX
from edge.reading import ROW_BYTES
from edge.store.limits import StoreLimits
from edge.store.prepare import prepare_chunk
from protos.records import Batch, Kind, concat, numbers, scores

READ_MAX = BYTES_MAX // ROW_BYTES
"""Numbers that are gathered in one chunk at most: those of arrays, whose names are known."""


def noise(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Nothing compresses it."""
    return rng.integers(0, 1 << 62, rows, np.int64).view(np.float64)


def found(models: int, seed: int) -> Chunk:
    rng = np.random.default_rng(seed)
    read, times = READ_MAX, rng.integers(0, 1 << 60, READ_MAX)
    series = rng.integers(1, 1 << 20, read)
    batch = numbers(series, times, noise(rng, read), np.zeros(read), times)
    raised = scores(
        np.tile(series, models),
        np.tile(times, models),
        noise(rng, read * models),
        noise(rng, read * models),
        noise(rng, read * models),
        [f"model-{n}@1" for n in range(models) for _ in range(read)],
    )
    counters = {"anomalies": read * models}
    return Chunk(concat([batch, raised]), (), bytes(16 * 100), (), counters)


@pytest.mark.parametrize("models", [1, 3, 8])
def test_each_piece_is_one_that_the_buffer_takes_and_all_of_them_are_the_whole(models: int) -> None:
    whole = found(models, models)
    pieces = whole.pieces()
    for piece in pieces:
        prepare_chunk(piece, StoreLimits())  # ValueError: it is too large
        assert piece.batch.count(Kind.SCORES) <= SCORES_MAX
    assert concat([piece.batch for piece in pieces]).same_as(whole.batch)
    assert [piece.counters for piece in pieces[1:]] == [{}] * (len(pieces) - 1)
    assert (pieces[0].counters, pieces[0].marks) == (whole.counters, whole.marks)


def test_few_anomalies_stay_with_what_they_were_found_in() -> None:
    whole = Chunk(Batch({Kind.SCORES: found(1, 0).batch.kind(Kind.SCORES)}))
    few = Chunk(
        Batch({Kind.SCORES: {n: c[:SCORES_MAX] for n, c in whole.batch.kind(Kind.SCORES).items()}})
    )
    assert few.pieces() == [few]
    assert len(whole.pieces()) > 1
