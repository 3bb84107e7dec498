"""History as an answer: what is asked, checked against itself, and the columns of what is found."""

from collections.abc import Sequence
from datetime import UTC, tzinfo
from enum import Enum
from typing import Final

import orjson

from cloud.lake.names import Name
from cloud.live.joined import JoinedBook
from cloud.query.clean import Bad
from cloud.query.exact import STATES_MAX
from cloud.query.grid import TooMany, Width, grid
from cloud.query.history import ROWS_MAX, Ask, History, UnknownSeries
from cloud.query.one import READINGS_MAX, TooManyReadings
from cloud.query.plan import POINTS_MAX, Buckets, Resolution
from cloud.query.rows import QUANTILES, More
from cloud.query.written import written
from cloud.rollup import partials as rollup
from cloud.series.joined import Resolver
from cloud.serve import history_quantiles, history_table, kinds
from cloud.serve.endpoint import Values
from cloud.serve.formats import Answer, Format
from cloud.serve.history_beside import beside
from cloud.serve.params import Param, Refusal
from cloud.serve.shown import VIEW, bad_of_parts
from cloud.serve.site import Site
from cloud.serve.zones import WIDTH, ZONE

DURATION_VALUES: Final = 2 * STATES_MAX + 1
"""What the durations of a bucket count for, beside the column itself."""
VALUES_MAX: Final = 2_000_000
"""Values of buckets in one answer: some 30 MB of JSON."""


class BadData(Enum):
    """What becomes of readings that are marked as bad; the value is its name on the wire."""

    INCLUDE = "include"
    EXCLUDE = "exclude"


class Layout(Enum):
    """How several series lie beside each other; the value is its name on the wire."""

    SERIES = "series"
    WIDE = "wide"


SPAN: Final = {
    "from": Param(kinds.TIME, "the earliest time, included", default_text="24 h before `to`"),
    "to": Param(kinds.TIME, "the latest time, not included", default_text="the last reading"),
}
BAD: Final = Param(
    kinds.one_of(BadData), "whether readings marked as bad are in the answer", BadData.INCLUDE
)
PARAMS: Final = {
    "series": Param(kinds.SERIES, "ids of series, by commas", required=True),
    **SPAN,
    "points": Param(kinds.whole(2, POINTS_MAX), "points a series, at most", 1000),
    "resolution": Param(
        kinds.one_of(Resolution), "let the server choose, raw readings, or a tier", Resolution.AUTO
    ),
    "bucket": Param(WIDTH, "width of the buckets, `15m`, `1d`, `1mo`; instead of `points`"),
    "zone": Param(ZONE, "whose days, weeks, months and years `bucket` counts", UTC, False, "UTC"),
    "columns": Param(
        kinds.some_of(history_table.ALL),
        f"columns of buckets: {', '.join(f'`{each}`' for each in history_table.ALL)}",
        default_text=f"those up to `{history_table.COLUMNS[-1]}`; wide: `mean`",
    ),
    "quantiles": history_quantiles.PARAM,
    "layout": Param(
        kinds.one_of(Layout), "one series after another, or aligned side by side", Layout.SERIES
    ),
    "bad": BAD,
    "view": VIEW,
    "limit": Param(kinds.whole(1, 10 * ROWS_MAX), "raw readings in one answer", ROWS_MAX),
    "cursor": Param(kinds.CURSOR, "`next` of the answer before, of raw readings"),
}


def history(site: Site, values: Values) -> Answer:
    """Readings or buckets of series. Refusal when it asks for what is not there."""
    book = site.shown.book(values["view"])
    values = {**values, "series": book.ids(values["series"])}
    _agree(values)
    names = known(book, values["series"])
    ask = _ask(site, values, book, names)
    found = _found(site, ask)
    head = {
        "from": ask.from_us,
        "to": ask.to_us,
        "resolution": resolution(found.buckets),
        "bucket_us": (found.buckets.width_us or None) if found.buckets else None,
        "bucket": found.buckets.name if found.buckets and values["bucket"] else None,
        "zone": str(values["zone"]) if values["bucket"] else None,
        "bad": values["bad"].value,
        "quantiles": history_quantiles.told(found, ask),
        "view": values["view"].value,
        "watermark": {"journal": found.journal, "lake": found.lake},
    }
    next_ = kinds.cursor_text(found.next) if found.next else None
    tail = beside(site, book, names, ask) | {"next": next_}
    about = head | {"watermark": f"{found.journal}/{found.lake}"} | history_quantiles.about(head)
    if values["layout"] is Layout.WIDE:
        wide = history_table.wide(found, names, ask, values["columns"] or ("mean",))
        document = {**head, "series": wide.columns_told, "t": wide.t, "values": wide.values, **tail}
        return Answer(document, wide.table, about, next_)
    columns = values["columns"] or history_table.COLUMNS
    if values["format"] is not Format.JSON:
        return Answer(head, lambda: history_table.long(found, names, columns), about, next_)
    series = found.json if found.json is not None else written(found, ask, columns)
    document = {**head, "series": orjson.Fragment(series), **tail}
    return Answer(document, None, about, next_)


def _found(site: Site, ask: Ask) -> History:
    try:
        return site.query.history(ask)
    except TooManyReadings as error:
        message = f"it takes {error} readings, more than {READINGS_MAX}, to answer this"
        hint = (
            "ask for a shorter range or other columns; where late data made it so "
            "`tidegate-cloud rebuild` mends it"
        )
        raise Refusal(400, "too_many_readings", message, hint, parameter="columns") from error


def known(book: JoinedBook, series: Sequence[int]) -> list[Name]:
    """The names of series. Refusal 404 for an id that names none."""
    found = []
    for each in series:
        name = book.name(each)
        if name is None:
            raise unknown_series(UnknownSeries(each))
        found.append(name)
    return found


def unknown_series(error: UnknownSeries) -> Refusal:
    """The refusal of an id that names no series."""
    message = f"there is no series {error.args[0]:016x}"
    hint = "/api/v1/series lists them"
    return Refusal(404, "unknown_series", message, hint, parameter="series")


def without(site: Site, values: Values, book: JoinedBook, names: Sequence[Name]) -> dict[int, Bad]:
    """What of each stored series is to be left out."""
    if values["bad"] is BadData.INCLUDE:
        return {}
    found: dict[int, Bad] = {}
    for name in names:
        found |= bad_of_parts(site.marks, name, book.parts(name))
    return found


def resolution(buckets: Buckets | None) -> str:
    """What an answer was made from: raw readings, a tier, or readings in buckets of this width."""
    if buckets is None:
        return Resolution.RAW.value
    return buckets.tier.name.removeprefix("rollup_") if buckets.tier else buckets.name


def span(site: Site, values: Values, joined: Resolver) -> tuple[int, int]:
    """The range asked for, or the last 24 h of what the series have. Refusal when it is none."""
    default = site.query.default_span(values["series"], site.now_us(), joined)
    first, last = (_asked(end) for end in default)
    to_us = values["to"] if values["to"] is not None else last
    from_us = (
        values["from"] if values["from"] is not None else _asked(min(first, to_us - rollup.DAY_US))
    )
    if from_us > to_us:
        hint = "`from` is the earlier end, `to` is not included"
        message = "`from` lies behind `to`"
        raise Refusal(400, "bad_range", message, hint, parameter="from", nearest=str(to_us))
    return from_us, to_us


def _asked(time_us: int) -> int:
    """The time, or the nearest that a caller could have asked for."""
    return min(max(time_us, kinds.FIRST_US), kinds.LAST_US)


def _agree(values: Values) -> None:
    """Refuse parameters that contradict each other."""
    cursor, auto = values["cursor"], values["resolution"] is Resolution.AUTO
    raw, wide = values["resolution"] is Resolution.RAW, values["layout"] is Layout.WIDE
    if cursor is not None and (not raw or cursor.index >= len(values["series"])):
        hint = "ask as before, with `resolution=raw` and the same series"
        raise _contrary("cursor", "`cursor` is of another question", hint)
    if values["bucket"] is not None and not auto:
        hint = "ask for `bucket` or for `resolution`, not for both"
        raise _contrary("resolution", "`bucket` says it already", hint, "auto")
    if raw and wide:
        hint = "raw readings have times of their own: name a `bucket`, or leave it to the server"
        raise _contrary("resolution", "raw readings cannot be aligned", hint, "auto")
    if raw and values["columns"] is not None:
        hint = "leave `columns` out"
        raise _contrary("columns", "raw readings have columns of their own", hint)
    if values["zone"] is not UTC and values["bucket"] is None:
        hint = "add `bucket=1d`, or leave `zone` out"
        raise _contrary("zone", "a zone counts the days of `bucket`", hint, "UTC")


def _contrary(name: str, message: str, hint: str, nearest: str = "") -> Refusal:
    return Refusal(400, "bad_parameter", message, hint, parameter=name, nearest=nearest)


def _ask(site: Site, values: Values, book: JoinedBook, names: Sequence[Name]) -> Ask:
    from_us, to_us = span(site, values, book.resolver)
    made, asked = None, values["resolution"]
    if values["bucket"] is not None:
        made = _grid(values["bucket"], values["zone"], from_us, to_us)
    elif values["layout"] is Layout.WIDE:
        made = history_table.with_edges(from_us, to_us, values["points"], asked)
    named = history_table.MORE
    more = frozenset(named[name] for name in values["columns"] or () if name in named)
    if asked is not Resolution.RAW:
        _check_size(values, len(made.edges) - 1 if made and made.edges is not None else None)
    return Ask(
        values["series"], from_us, to_us, values["points"], asked, values["limit"],
        values["cursor"], made, without(site, values, book, names), book.resolver,
        history_quantiles.wanted(more, values["quantiles"]), ends=False,
        columns=_columns(values, more),
    )  # fmt: skip


def _columns(values: Values, more: frozenset[More]) -> tuple[str, ...] | None:
    """What whoever answers may write at once; None where more than its words are needed here."""
    is_plain = values["layout"] is Layout.SERIES and QUANTILES.isdisjoint(more)
    if values["format"] is not Format.JSON or not is_plain:
        return None
    return tuple(values["columns"] or history_table.COLUMNS)


def _check_size(values: Values, rows: int | None) -> None:
    """Refuse an answer of more than VALUES_MAX; ``rows`` where the buckets are counted already."""
    default = ("mean",) if values["layout"] is Layout.WIDE else history_table.COLUMNS
    columns = values["columns"] or default
    across = len(values["series"]) * (len(columns) + DURATION_VALUES * ("durations" in columns))
    points = rows if rows is not None else values["points"]
    if points * across <= VALUES_MAX:
        return
    name, most = ("points", VALUES_MAX // across) if rows is None else ("series", 0)
    message = f"{points} points of {across} columns are more than {VALUES_MAX} values"
    hint = "ask for fewer points, series or columns, or for wider buckets"
    nearest = str(most) if most else ""
    raise Refusal(400, "too_many_values", message, hint, parameter=name, nearest=nearest)


def _grid(width: Width, zone: tzinfo, from_us: int, to_us: int) -> Buckets:
    try:
        return grid(width, zone, from_us, to_us)
    except TooMany as error:
        message = f"`bucket` is {width.text!r}: more than {POINTS_MAX} of them meet the range"
        hint = f"ask for wider ones; the nearest is {error}"
        raise Refusal(
            400, "bad_parameter", message, hint, parameter="bucket", nearest=str(error)
        ) from error
