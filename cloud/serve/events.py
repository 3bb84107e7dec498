"""What happened: anomalies, declared gaps, and the states of a series over time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cloud.ledger.account import reason_name
from cloud.query.events import Events, Order
from cloud.query.states import StatesAsk, Stretch, states
from cloud.serve import endpoint, kinds
from cloud.serve import history as serve_history
from cloud.serve.endpoint import Values
from cloud.serve.fields import Field, Type
from cloud.serve.formats import Answer
from cloud.serve.kinds import FIRST_US, LAST_US
from cloud.serve.params import Expected, Param, Refusal, refused
from cloud.serve.series import NAMES
from cloud.serve.shown_events import events_ask, found_shown
from cloud.serve.site import Site

SKIP_MAX: Final = 1_000_000
STATES_SERIES_MAX: Final = 10
"""Series whose states one request may ask for: every reading is looked at."""

RANGE: Final = {
    "series": Param(kinds.SERIES, "of these series, ids by commas", ()),
    **NAMES,
    "from": Param(kinds.TIME, "the earliest time, included", FIRST_US, False, "the beginning"),
    "to": Param(kinds.TIME, "the latest time, not included", LAST_US, False, "the end"),
    "limit": endpoint.limit(),
    "cursor": endpoint.cursor(int, int),
}
STATES_PARAMS: Final = {
    "series": Param(
        kinds.SERIES, f"up to {STATES_SERIES_MAX} ids of series, by commas", required=True
    ),
    **serve_history.SPAN,
    "bad": serve_history.BAD,
    "limit": endpoint.limit(10_000),
    "cursor": endpoint.cursor(int, int),
}
OF: Final = (
    Field("series", Type.TEXT, "id of the series"),
    Field("gateway", Type.TEXT, "the gateway's name"),
    Field("device", Type.TEXT, "the device's name"),
    Field("metric", Type.TEXT, "what is measured"),
)
ANOMALIES: Final = (
    *OF,
    Field("value", Type.NUMBER, "the reading"),
    Field("score", Type.NUMBER, "how far from normal"),
    Field("threshold", Type.NUMBER, "what the score had to pass"),
    Field("model", Type.TEXT, "name and version of the model"),
    Field("ts", Type.TIME, "time of the reading"),
)
GAPS: Final = (
    Field("gateway", Type.TEXT, "the gateway that declared it"),
    Field("from", Type.TIME, "the first time that is lost"),
    Field("to", Type.TIME, "the last time that is lost"),
    Field("readings", Type.WHOLE, "how many are lost"),
    Field("reason", Type.TEXT, "why: evicted, damaged, …"),
    Field("epoch", Type.WHOLE, "in which life of its buffer"),
)
STATES: Final = (
    Field("series", Type.TEXT, "id of the series"),
    Field("from", Type.TIME, "since when, within the range"),
    Field("to", Type.TIME, "until the next reading that says otherwise"),
    Field("value", Type.NUMBER, "what was said, null where it was a text"),
    Field("text", Type.TEXT, "what was said where it was a text", null=True),
    Field("readings", Type.WHOLE, "readings within the range that said so"),
    Field("since", Type.TIME, "the reading that said so first; before the range if it stood then"),
    Field("open", Type.FLAG, "whether it goes on behind the range"),
)


def anomalies(site: Site, values: Values) -> Answer:
    """Anomalies, newest first."""
    rows, next_ = found(site, values, Events.ANOMALIES)
    told = [with_series(row, ("value", "score", "threshold", "model", "ts")) for row in rows]
    return endpoint.paged("anomalies", told, ANOMALIES, next_)


def gaps(site: Site, values: Values) -> Answer:
    """What gateways declared lost."""
    rows, next_ = found(site, {**values, "series": (), "device": None}, Events.GAPS)
    told = [
        {
            "gateway": row["gateway"],
            "from": row["ts"],
            "to": row["to_ts"],
            "readings": row["count"],
            "reason": reason_name(row["reason"]),
            "epoch": row["epoch"],
        }
        for row in rows
    ]
    return endpoint.paged("gaps", told, GAPS, next_)


def with_series(row: Mapping[str, Any], more: Sequence[str]) -> dict[str, Any]:
    """The series of an event, and these columns of it."""
    names = {name: row[name] for name in ("gateway", "device", "metric", *more)}
    return {"series": f"{row['series']:016x}", **names}


def found(site: Site, values: Values, kind: Events) -> tuple[list[dict[str, Any]], str | None]:
    """The rows of a page, and the cursor of the next.

    In order of time a cursor is the last row's time and how many of that time were given, so that
    what happens meanwhile moves no page; by peak it is 0 and how many were given.
    """
    order = values.get("order", Order.NEWEST)
    to_us, skip, last = values["to"], 0, None
    if values["cursor"] is not None:
        last, skip = values["cursor"]
        by_time = order is Order.NEWEST and FIRST_US <= last <= LAST_US
        if not 0 <= skip <= SKIP_MAX or not (by_time or (order is Order.PEAK and last == 0)):
            raise refused("cursor", "", Expected("what `next` of the answer before said"))
        to_us = min(to_us, last + 1) if by_time else to_us
    if values["from"] > to_us and values["cursor"] is None:
        hint = "`from` is the earlier end, `to` is not included"
        raise Refusal(400, "bad_range", "`from` lies behind `to`", hint, parameter="from")
    book = site.shown.book()
    ask = events_ask(book, values, kind, to_us)
    rows = (
        []
        if ask is None
        else found_shown(
            site.query, book.resolver, replace(ask, order=order), skip, values["limit"] + 1
        )
    )
    page = rows[: values["limit"]]
    if len(rows) == len(page):
        return page, None
    if order is Order.PEAK:
        return page, kinds.key_text(0, skip + len(page))
    ts = page[-1]["ts"]
    given = sum(row["ts"] == ts for row in page) + (skip if ts == last else 0)
    return page, kinds.key_text(ts, given)


def state_stretches(site: Site, values: Values) -> Answer:
    """What series said over time, one series after another."""
    book = site.shown.book()
    values = {**values, "series": book.ids(values["series"])}
    names = serve_history.known(book, values["series"])
    if len(names) > STATES_SERIES_MAX:
        message = f"`series` names {len(names)}"
        hint = f"expected up to {STATES_SERIES_MAX} ids"
        raise Refusal(400, "bad_parameter", message, hint, parameter="series")
    from_us, to_us = serve_history.span(site, values, book.resolver)
    index, start = values["cursor"] or (0, from_us)
    if not (0 <= index < len(names) and FIRST_US <= start <= LAST_US):
        raise refused("cursor", "", Expected("what `next` of the answer before said"))
    without = serve_history.without(site, values, book, names)
    told: list[dict[str, Any]] = []
    for place in range(index, len(names)):
        begin = start if place == index else from_us
        series, left = names[place].id, values["limit"] - len(told)
        if not left:
            return _page(told, (place, begin), from_us, to_us)
        ask = StatesAsk(series, begin, to_us, left, without, book.resolver)
        stood = states(site.query, ask)
        told += [_stretch(one) for one in stood.stretches]
        if stood.more is not None:
            return _page(told, (place, stood.more), from_us, to_us)
    return _page(told, None, from_us, to_us)


def _page(
    told: list[dict[str, Any]], more: tuple[int, int] | None, from_us: int, to_us: int
) -> Answer:
    next_ = kinds.key_text(*more) if more is not None else None
    return endpoint.paged("states", told, STATES, next_, **{"from": from_us, "to": to_us})


def _stretch(one: Stretch) -> dict[str, Any]:
    return {
        "series": f"{one.series:016x}",
        "from": one.from_us,
        "to": one.to_us,
        "value": one.value,
        "text": one.text,
        "readings": one.readings,
        "since": one.since,
        "open": one.is_open,
    }
