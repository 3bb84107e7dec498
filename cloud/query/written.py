"""The series of an answer to a question for history, as JSON tells them.

It is written by whoever found the answer, so that a reader's process sends bytes that are passed on
as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from cloud.query.history import Ask, History
from cloud.query.plan import Buckets, span
from cloud.query.rows import BucketSeries, Duration, RawSeries
from cloud.rollup import partials as rollup
from cloud.rollup.quantiles import SHARES as QUANTILES
from cloud.rollup.time import Over

GAPS_MAX: Final = 1000
"""Gaps told of one series: the longest."""
_OF: Final[Mapping[str, Callable[[BucketSeries], NDArray[Any]]]] = {
    "mean": lambda series: rollup.mean(series.partials),
    "text": lambda series: series.partials.last_text,
    "time_mean": lambda series: _over(series).mean,
    "covered_us": lambda series: _over(series).covered,
    "increase": lambda series: _over(series).increase,
    "quantile_error": lambda series: _error(series),
    "durations": lambda series: _objects([*map(_stood, series.durations)]),
}


def written(found: History, ask: Ask, columns: Sequence[str]) -> bytes:
    """A list with an object for each series; of buckets with these ``columns``."""
    told = []
    for each in found.series:
        if isinstance(each, RawSeries):
            told.append(_raw(each))
        elif found.buckets is not None:
            told.append(_buckets(each, found.buckets, ask, columns))
    return orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)


def column(series: BucketSeries, name: str) -> NDArray[Any]:
    """One of ALL."""
    if name in QUANTILES:
        return series.quantiles[name]
    made = _OF.get(name)
    found: NDArray[Any] = made(series) if made else getattr(series.partials, name)
    return found


def _stood(states: Sequence[Duration] | None) -> list[dict[str, Any]] | None:
    """Durations as JSON and tables tell them."""
    if states is None:
        return None
    return [
        {"us": one.us, "others": one.others}
        if one.others
        else {"us": one.us, "value": None if one.text is not None else one.value, "text": one.text}
        for one in states
    ]


def _objects(held: Sequence[Any]) -> NDArray[Any]:
    found = np.empty(len(held), object)
    for index, each in enumerate(held):  # at once, lists of one length would be a second axis
        found[index] = each
    return found


def _over(series: BucketSeries) -> Over:
    assert series.over is not None, "the question said what it wants"
    return series.over


def _error(series: BucketSeries) -> NDArray[np.float64]:
    assert series.error is not None, "the question said what it wants"
    return series.error


def gaps(bucket: NDArray[np.int64], buckets: Buckets, ask: Ask) -> list[list[int]]:
    """Runs of buckets without a reading as [start, end) µs: the GAPS_MAX longest, in order."""
    if ask.from_us == ask.to_us:
        return []
    if buckets.edges is not None:
        start, end = int(buckets.edges[0]), int(buckets.edges[-1])
        after = buckets.edges[np.searchsorted(buckets.edges, bucket, "right")]
    else:
        start, end = span(ask.from_us, ask.to_us, buckets.width_us)
        after = bucket + buckets.width_us
    opens = np.concatenate([[start], after])
    closes = np.concatenate([bucket, [end]])
    there = np.flatnonzero(closes > opens)
    longest = there[np.argsort(opens[there] - closes[there], kind="stable")[:GAPS_MAX]]
    held = np.sort(longest)
    return [list(pair) for pair in zip(opens[held].tolist(), closes[held].tolist(), strict=True)]


def _raw(series: RawSeries) -> dict[str, Any]:
    answer = {
        "id": f"{series.id:016x}",
        "t": series.ts,
        "v": series.value,
        "quality": series.quality,
    }
    if series.text is not None:
        answer["text"] = series.text.tolist()
    special = _special(series)
    if special:
        answer["special"] = special
    return answer


def _special(series: RawSeries) -> dict[str, str]:
    """What JSON has no number for, by index: there `v` is null though the reading was none."""
    special = ~np.isfinite(series.value)
    if series.text is not None:
        special &= np.array([text is None for text in series.text], bool)
    return {str(i): str(series.value[i]) for i in np.flatnonzero(special).tolist()}


def _buckets(
    series: BucketSeries, buckets: Buckets, ask: Ask, columns: Sequence[str]
) -> dict[str, Any]:
    bucket = series.partials.bucket
    answer: dict[str, Any] = {"id": f"{series.id:016x}", "t": bucket}
    for name in columns:
        values = column(series, name)
        if name == "durations":
            answer[name] = values.tolist()
        elif name != "text":
            answer[name] = values
        elif any(text is not None for text in values):
            answer[name] = values.tolist()
    answer["gaps"] = gaps(bucket, buckets, ask)
    return answer
