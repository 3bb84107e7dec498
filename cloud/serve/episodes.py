"""Episodes as an answer: what is asked of them, and what somebody said of each."""

import math
from collections.abc import Mapping
from typing import Any, Final

from cloud.query.events import Events, Order
from cloud.series.verdicts import VerdictKind
from cloud.serve import endpoint, kinds
from cloud.serve.endpoint import Values
from cloud.serve.events import OF, RANGE, found, with_series
from cloud.serve.fields import Field, Type
from cloud.serve.formats import Answer
from cloud.serve.params import Expected, Kind, Param
from cloud.serve.site import Site
from protos.records import EpisodeState

PAGES_MAX: Final = 50
"""Pages looked through for one that holds anything of what filters leave."""
_VERDICTS: Final = tuple(kind.value for kind in VerdictKind)
_FILTERS: Final = ("metric", "model", "score_min", "verdict")
_TOLD: Final = ("state", "peak_ts", "peak", "threshold", "model", "points")


def _read_score(text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        raise Expected("a number from 0 on") from None
    if not math.isfinite(score) or score < 0:
        raise Expected("a number from 0 on", "0")
    return score


PARAMS: Final = {
    **RANGE,
    "metric": Param(kinds.TEXT, "of this metric"),
    "model": Param(kinds.TEXT, "found by this model, name and version"),
    "score_min": Param(
        Kind(_read_score, {"type": "number", "minimum": 0}), "whose highest score is at least this"
    ),
    "verdict": Param(
        kinds.some_of(_VERDICTS), "on which this was said; open: nothing, or it was taken back"
    ),
    "order": Param(kinds.one_of(Order), "newest or highest peak first", Order.NEWEST),
}
EPISODES: Final = (
    *OF,
    Field("id", Type.TEXT, "of the episode, 32 hex digits"),
    Field("from", Type.TIME, "when it began"),
    Field("to", Type.TIME, "when it ended, or was last seen"),
    Field("state", Type.WHOLE, "as the gateway told it: 0 opened, 1 went on, 2 ended"),
    Field("open", Type.FLAG, "whether it goes on, as far as the gateway told"),
    Field("peak_ts", Type.TIME, "time of its highest score"),
    Field("peak", Type.NUMBER, "its highest score"),
    Field("threshold", Type.NUMBER, "what the score had to pass"),
    Field("model", Type.TEXT, "name and version of the model"),
    Field("points", Type.WHOLE, "readings in it"),
    Field("verdict", Type.TEXT, "confirmed or dismissed, null while nobody said", null=True),
    Field("verdict_note", Type.TEXT, "what was said beside, empty while nobody did"),
    Field("verdict_author", Type.TEXT, "who said so, empty while nobody did"),
)


def episodes(site: Site, values: Values) -> Answer:
    """Episodes that meet the range; a page that filters thinned out may be short of `limit`."""
    told: list[dict[str, Any]] = []
    asked, next_ = values, None
    for _ in range(PAGES_MAX):
        page, next_ = found(site, asked, Events.EPISODES)
        told = [one for row in page if _wanted(one := _told(site, row), values)]
        if told or next_ is None or all(values[name] is None for name in _FILTERS):
            break
        asked = {**asked, "cursor": PARAMS["cursor"].kind.read(next_)}
    return endpoint.paged("episodes", told, EPISODES, next_)


def _told(site: Site, row: Mapping[str, Any]) -> dict[str, Any]:
    id_ = bytes(row["id"]).hex()
    verdict = site.verdicts.of(id_)
    return {
        **with_series(row, _TOLD),
        "id": id_,
        "open": row["state"] != EpisodeState.CLOSED,
        "from": row["ts"],
        "to": row["end_ts"],
        "verdict": None if verdict is None else verdict.kind.value,
        "verdict_note": "" if verdict is None else verdict.note,
        "verdict_author": "" if verdict is None else verdict.author,
    }


def _wanted(one: Mapping[str, Any], values: Values) -> bool:
    said = one["verdict"] or VerdictKind.OPEN.value
    return (
        values["metric"] in (None, one["metric"])
        and values["model"] in (None, one["model"])
        and (values["score_min"] is None or one["peak"] >= values["score_min"])
        and (values["verdict"] is None or said in values["verdict"])
    )


def is_episode(site: Site, series: tuple[int, ...], episode: str, from_us: int) -> bool:
    """Whether a series has an episode of this id that began at this time."""
    asked: dict[str, Any] = {name: param.default for name, param in PARAMS.items()}
    asked |= {"series": series, "from": from_us, "to": from_us + 1, "limit": endpoint.LIMIT_MAX}
    rows, _ = found(site, asked, Events.EPISODES)
    return any(bytes(row["id"]).hex() == episode and row["ts"] == from_us for row in rows)
