"""Floats as bytes: the quick way for columns of one power gives the bytes of the full one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protos.codec import decimals
from protos.codec.columns import Parts, Segments

ODD = [np.nan, np.inf, -np.inf, -0.0, 0.0, 0.1 + 0.2, 1e300, 5e-324, 2.0**53, 1e15 + 0.1]


@st.composite
def columns(draw: st.DrawFn) -> tuple[decimals.Floats, Segments]:
    """Decimals of one power, whole numbers among them or odd ones, cut into segments."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    rows = draw(st.integers(1, 60))
    values = np.round(
        rng.normal(0, 10.0 ** draw(st.integers(-3, 16)), rows), draw(st.integers(0, 15))
    )
    if draw(st.booleans()):
        values = rng.integers(-(1 << 54), 1 << 54, rows) / 10.0 ** draw(st.integers(0, 15))
    for odd in draw(st.lists(st.sampled_from(ODD), max_size=3)):
        values[rng.integers(rows)] = odd
    starts = np.array(sorted({0, *draw(st.lists(st.integers(0, rows - 1), max_size=8))}), np.int64)
    return values, Segments(starts, np.diff(starts, append=rows))


def as_bytes(values: decimals.Floats, segments: Segments) -> bytes:
    out: Parts = []
    decimals.put_floats(out, values, segments)
    return b"".join(out)


@given(columns())
@settings(max_examples=500)
def test_a_column_has_the_same_bytes_by_the_quick_way_and_by_the_full_one(
    column: tuple[decimals.Floats, Segments],
) -> None:
    quick = as_bytes(*column)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decimals, "_of_one_power", lambda *_: None)
        assert as_bytes(*column) == quick


def test_decimals_of_one_power_take_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        decimals, "_as_whole", lambda told, _, by: decimals._of_one_power(told, by.starts)
    )
    values = np.round(np.random.default_rng(1).normal(21, 0.1, 1200), 2)
    assert as_bytes(values, Segments(np.arange(0, 1200, 12), np.full(100, 12)))
