"""History as JSON: a column an array, straight from numpy."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud import rollup
from cloud.query import ROWS_MAX, Ask, BucketSeries, Query, RawSeries, UnknownSeries
from cloud.query_plan import POINTS_MAX, Resolution
from cloud.serve import params as serve_params
from cloud.serve.params import Param, Refusal

PARAMS: Final = {
    "series": Param(serve_params.series, required=True),
    "from": Param(serve_params.time),
    "to": Param(serve_params.time),
    "points": Param(serve_params.whole(2, POINTS_MAX), 1000),
    "resolution": Param(serve_params.one_of(Resolution), Resolution.AUTO),
    "limit": Param(serve_params.whole(1, 10 * ROWS_MAX), ROWS_MAX),
    "cursor": Param(serve_params.cursor),
}


def answer(query: Query, values: Mapping[str, Any], now_us: int) -> dict[str, Any]:
    """The whole answer to /history; Refusal when it asks for what is not there."""
    ask = _ask(query, values, now_us)
    try:
        found = query.history(ask)
    except UnknownSeries as error:
        raise unknown_series(error) from error
    return {
        "from": ask.from_us,
        "to": ask.to_us,
        "resolution": found.buckets.name if found.buckets else Resolution.RAW.value,
        "bucket_us": found.buckets.width_us if found.buckets else None,
        "watermark": {"journal": found.journal, "lake": found.lake},
        "series": [
            _raw(each) if isinstance(each, RawSeries) else _buckets(each) for each in found.series
        ],
        "next": serve_params.cursor_text(found.next) if found.next else None,
    }


def unknown_series(error: UnknownSeries) -> Refusal:
    """The refusal of an id that names no series."""
    message = f"there is no series {error.args[0]:016x}"
    return Refusal(404, "unknown_series", message, "/api/v1/series lists them")


def _ask(query: Query, values: Mapping[str, Any], now_us: int) -> Ask:
    resolution, cursor = values["resolution"], values["cursor"]
    if cursor is not None and (
        resolution is not Resolution.RAW or cursor.index >= len(values["series"])
    ):
        hint = "ask as before, with `resolution=raw` and the same series"
        raise Refusal(400, "bad_parameter", "`cursor` is of another question", hint)
    first, last = (_asked(end) for end in query.default_span(values["series"], now_us))
    to_us = values["to"] if values["to"] is not None else last
    from_us = (
        values["from"] if values["from"] is not None else _asked(min(first, to_us - rollup.DAY_US))
    )
    if from_us > to_us:
        hint = "`from` is the earlier end, `to` is not included"
        raise Refusal(400, "bad_range", "`from` lies behind `to`", hint)
    return Ask(
        values["series"], from_us, to_us, values["points"], resolution, values["limit"], cursor
    )


def _asked(time_us: int) -> int:
    """The time, or the nearest that a caller could have asked for."""
    return min(max(time_us, serve_params.FIRST_US), serve_params.LAST_US)


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


def _buckets(series: BucketSeries) -> dict[str, Any]:
    partials = series.partials
    answer: dict[str, Any] = {"id": f"{series.id:016x}", "t": partials.bucket}
    answer["count"] = partials.count
    answer["mean"] = rollup.mean(partials)
    for name in ("min", "max", "first", "last"):
        column: NDArray[np.float64] = getattr(partials, name)
        answer[name] = column
    if any(text is not None for text in partials.last_text):
        answer["text"] = partials.last_text.tolist()
    return answer
