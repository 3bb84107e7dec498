"""Series and their last readings, from what is known in memory."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

import numpy as np
import orjson

from cloud.live.catalogue import Found, Key, Wanted
from cloud.live.joined import JoinedBook
from cloud.live.series import NEVER, Known
from cloud.series.joined import Resolver
from cloud.serve import endpoint, kinds
from cloud.serve.endpoint import Values
from cloud.serve.fields import Field, Type
from cloud.serve.formats import Answer
from cloud.serve.params import Param
from cloud.serve.shown import VIEW, View
from cloud.serve.site import Site
from protos.series import SeriesKind


class Retired(Enum):
    """Which series by whether they ended; the value is its name on the wire."""

    HIDE = "hide"
    SHOW = "show"
    ONLY = "only"


SILENT_S_MAX: Final = 10_000 * 366 * 86_400
_KINDS: Final = tuple(kind.name.lower() for kind in SeriesKind)
_SECONDS: Final = kinds.whole(0, SILENT_S_MAX)

NAMES: Final = {
    "gateway": Param(kinds.TEXT, "of this gateway"),
    "device": Param(kinds.TEXT, "of this device"),
}
FILTERS: Final = {
    **NAMES,
    "metric": Param(kinds.TEXT, "of this metric"),
    "unit": Param(kinds.TEXT, "in this unit"),
    "kind": Param(kinds.some_of(_KINDS), "of these kinds"),
    "series": Param(kinds.SERIES, "these series"),
    "q": Param(kinds.TEXT, "a part of `gateway/device/metric` or of a label, in any case"),
    "match": Param(
        kinds.TEXT, "a pattern (`*`, `?`, `[…]`) for the whole of `gateway/device/metric`"
    ),
    "labels": Param(kinds.LABELS, "labels it has, `room:hall*,floor`", ()),
    "retired": Param(
        kinds.one_of(Retired), "whether those that were retired are listed", Retired.HIDE
    ),
    "view": VIEW,
    "heard_s": Param(_SECONDS, "with a reading of the last so many seconds"),
    "silent_s": Param(_SECONDS, "without a reading of the last so many seconds"),
    "limit": endpoint.limit(),
    "cursor": endpoint.cursor(str, str, str, str),
}
SERIES: Final = (
    Field("id", Type.TEXT, "16 hex digits, for ever the same"),
    Field("gateway", Type.TEXT, "the gateway's name"),
    Field("device", Type.TEXT, "the device's name"),
    Field("metric", Type.TEXT, "what is measured"),
    Field("unit", Type.TEXT, "its unit, empty where none was told"),
    Field("kind", Type.TEXT, "gauge, counter or state"),
    Field("labels", Type.OBJECT, "its labels"),
    Field("first_ts", Type.TIME, "time of the first reading", null=True),
    Field("last_ts", Type.TIME, "time of the last reading", null=True),
    Field("last_value", Type.NUMBER, "the last reading, null where it was a text"),
    Field("last_text", Type.TEXT, "the last reading where it was a text", null=True),
    Field("readings", Type.WHOLE, "how many there are"),
    Field("anomalies", Type.WHOLE, "how many there are"),
    Field("retired", Type.TIME, "since when it is retired", null=True),
    Field("made_of", Type.LIST, "ids of the stored series that are read as it; empty if untouched"),
)
LATEST: Final = (
    Field("id", Type.TEXT, "of the series"),
    Field("ts", Type.TIME, "time of its last reading"),
    Field("value", Type.NUMBER, "the reading, null where it was a text"),
    Field("text", Type.TEXT, "the reading where it was a text", null=True),
    Field("quality", Type.WHOLE, "whose time it is, as in history"),
)


def series(site: Site, values: Values) -> Answer:
    """Series by name."""
    book = site.shown.book(values["view"])
    found = _found(site, book, values)
    page, last = found.page(values["cursor"], values["limit"])
    told = [_series(book.resolver, found.known, i) for i in page.at]
    now = site.now_us()
    return endpoint.paged("series", told, SERIES, _next(last), total=len(found), now=now)


def latest(site: Site, values: Values) -> Answer:
    """The last reading of each series that has one, by name: whole columns at a time."""
    book = site.shown.book(values["view"])
    page, last = _found(site, book, values).page(values["cursor"], values["limit"])
    known, at = page.known, np.array(page.at, np.int64)
    columns = (known.last_ts, known.last_value, known.last_text, known.last_quality)
    lists = (column[at].tolist() for column in columns)
    told = [
        {"id": key[3], "ts": ts, "value": value, "text": text, "quality": quality}
        for key, ts, value, text, quality in zip(page.keys, *lists, strict=True)
        if ts > NEVER
    ]
    return endpoint.paged("latest", told, LATEST, _next(last), now=site.now_us())


def _next(last: Key | None) -> str | None:
    return None if last is None else kinds.key_text(*last)


def _found(site: Site, book: JoinedBook, values: Values) -> Found:
    now, of_kind = site.now_us(), values["kind"]
    ids, retired = values["series"], book.retired()
    ids = frozenset(book.ids(ids)) if ids is not None else None
    if values["retired"] is Retired.ONLY:
        ids = retired if ids is None else ids & retired
    wanted = Wanted(
        gateway=values["gateway"],
        device=values["device"],
        metric=values["metric"],
        unit=values["unit"],
        kinds=frozenset(SeriesKind[name.upper()] for name in of_kind) if of_kind else None,
        ids=ids,
        part=values["q"],
        pattern=values["match"],
        labels=values["labels"],
        heard_since=_ago(now, values["heard_s"]),
        silent_since=_ago(now, values["silent_s"]),
        # Who names a series by its id gets it.
        without=retired if ids is None and values["retired"] is Retired.HIDE else frozenset(),
    )
    catalogue = site.catalogue if values["view"] is View.JOINED else site.stored
    return catalogue.find(book, wanted)


def _ago(now: int, seconds: int | None) -> int | None:
    return None if seconds is None else now - seconds * 1_000_000


def _series(resolver: Resolver, known: Known, i: int) -> Mapping[str, Any]:
    name = known.names[i]
    joined = resolver.joined.get(name.id)
    has = bool(known.last_ts[i] > NEVER)  # what is stored of it may all be left out
    return {
        "id": f"{name.id:016x}",
        "gateway": name.gateway,
        "device": name.device,
        "metric": name.metric,
        "unit": name.unit,
        "kind": SeriesKind(name.kind).name.lower(),
        "labels": orjson.loads(name.labels),
        "first_ts": int(known.first_ts[i]) if has else None,
        "last_ts": int(known.last_ts[i]) if has else None,
        "last_value": float(known.last_value[i]) if has else None,
        "last_text": known.last_text[i],
        "readings": int(known.readings[i]),
        "anomalies": int(known.anomalies[i]),
        "retired": joined.retired_us if joined is not None else None,
        "made_of": [f"{part.id:016x}" for part in joined.members] if joined is not None else [],
    }
