"""Which of many series are wanted: one condition after the other, whole columns at a time."""

import fnmatch
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from cloud.live.series import Known
from cloud.live.sorted_names import SortedNames
from protos.series import SeriesKind

Mask = NDArray[np.bool_]
Slots = NDArray[np.int64]
_INT64: Final = np.iinfo(np.int64)
_WILD: Final = re.compile(r"\[!?\]?[^]]*\]|[*?\[\]]")
"""What is no plain part of a pattern: a set (`]` may stand first in it), or a sign."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which series: each condition that is not None must hold.

    ``part`` is a part of a name or label and ``pattern`` has `*`, `?` and `[…]` for the whole of
    `gateway/device/metric`, both whatever their case; ``labels`` are names with a pattern or None
    for any value. ``heard_since`` and ``silent_since`` bound the last reading's time in µs;
    ``without`` are ids that are left out.
    """

    gateway: str | None = None
    device: str | None = None
    metric: str | None = None
    unit: str | None = None
    kinds: frozenset[SeriesKind] | None = None
    ids: frozenset[int] | None = None
    part: str | None = None
    pattern: str | None = None
    labels: tuple[tuple[str, str | None], ...] = ()
    heard_since: int | None = None
    silent_since: int | None = None
    without: frozenset[int] = frozenset()


def sifted(held: SortedNames, known: Known, wanted: Wanted, slots: Slots) -> Mask | None:
    """Which of these places in the book fit all conditions; None where there is no condition."""
    fits: Mask | None = None
    for test in _tests(held, known, wanted):
        if fits is None:
            fits = test(slots)
            continue
        left = np.flatnonzero(fits)
        fits[left] = test(slots[left])
    return fits


def _tests(held: SortedNames, known: Known, wanted: Wanted) -> Iterator[Callable[[Slots], Mask]]:
    """A test for each condition, the cheapest first."""
    if wanted.ids is not None:
        ids = _numbers(wanted.ids)
        yield lambda at: np.isin(held.ids[at], ids)
    if wanted.without:
        without = _numbers(wanted.without)
        yield lambda at: ~np.isin(held.ids[at], without)
    if wanted.kinds is not None:
        kinds = _numbers(int(kind) for kind in wanted.kinds)
        yield lambda at: np.isin(held.kinds[at], kinds)
    if wanted.heard_since is not None or wanted.silent_since is not None:
        in_time = _by_time(known, wanted)
        yield lambda at: in_time[at]
    for column, text in (
        ("device", wanted.device), ("metric", wanted.metric), ("unit", wanted.unit),
    ):  # fmt: skip
        if text is not None:
            yield _by_code(held, column, text)
    if wanted.labels:
        of_labels = _by_labels(held, wanted.labels)
        yield lambda at: of_labels[held.columns["labels"][at]]
    if wanted.part:
        yield _by_part(held.texts, wanted.part.casefold())
    if wanted.pattern is not None:
        yield _by_pattern(held.paths, wanted.pattern.casefold())


def _numbers(ids: Iterator[int] | frozenset[int]) -> NDArray[np.int64]:
    return np.array(sorted(ids), np.int64)


def _by_code(held: SortedNames, column: str, text: str) -> Callable[[Slots], Mask]:
    code = held.codes[column].get(text, -1)
    return lambda at: held.columns[column][at] == code


def _by_time(known: Known, wanted: Wanted) -> Mask:
    """A series without a reading was never heard: it is silent, whatever the time."""
    heard = known.readings > 0
    last: NDArray[np.int64] = np.where(heard, known.last_ts, _INT64.min)
    fits = np.ones(len(last), bool)
    if wanted.heard_since is not None:
        fits &= (last >= wanted.heard_since) & heard
    if wanted.silent_since is not None:
        fits &= last < wanted.silent_since
    return fits


def _by_labels(held: SortedNames, wanted: Sequence[tuple[str, str | None]]) -> Mask:
    """Which sets of labels fit, each read once for all series that share it."""
    patterns = [(name, None if text is None else _compiled(text)) for name, text in wanted]

    def has(labels: str) -> bool:
        told = orjson.loads(labels)
        return all(
            name in told and (pattern is None or pattern.match(told[name]) is not None)
            for name, pattern in patterns
        )

    return np.array([has(labels) for labels in list(held.codes["labels"])], bool)


def _by_part(texts: Sequence[str], part: str) -> Callable[[Slots], Mask]:
    def fits(at: Slots) -> Mask:
        return np.array([part in texts[i] for i in at.tolist()], bool)

    return fits


def _by_pattern(paths: Sequence[str], pattern: str) -> Callable[[Slots], Mask]:
    """Only what has the longest plain part of the pattern is matched: that is far cheaper."""
    matches = _compiled(pattern).match
    part = max(_WILD.split(pattern), key=len)

    def fits(at: Slots) -> Mask:
        told = (paths[i] for i in at.tolist())
        return np.array([part in path and matches(path) is not None for path in told], bool)

    return fits


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern))
