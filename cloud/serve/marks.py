"""Marks: listed by interval and series, made, and withdrawn."""

import secrets
from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

from cloud.lake.names import Name
from cloud.series.marks import Mark, MarkKind, MarkTaken, TooManyMarks, UnknownMark
from cloud.serve import endpoint, kinds
from cloud.serve import history as serve_history
from cloud.serve.endpoint import Values
from cloud.serve.fields import Field, Type
from cloud.serve.formats import Answer
from cloud.serve.kinds import FIRST_US, LAST_US
from cloud.serve.params import Expected, Kind, Param, Refusal
from cloud.serve.series import NAMES
from cloud.serve.site import Site

NOTE_CHARS_MAX: Final = 2000
AUTHOR_CHARS_MAX: Final = 100


class Held(Enum):
    """Which marks by whether they hold; the value is its name on the wire."""

    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    ALL = "all"


def _said(low: int, most: int) -> Kind:
    def read_said(text: str) -> str:
        if not low <= len(text) <= most or "\0" in text:
            raise Expected(f"{low} to {most} characters, none of them NUL", text[:most][:40])
        return text

    return Kind(read_said, {"type": "string", "minLength": low, "maxLength": most})


ID_KIND: Final = kinds.matched("[0-9a-f]{16}", "16 hex digits")
AUTHOR: Final = Param(_said(1, AUTHOR_CHARS_MAX), "who says so", required=True)
NOTE: Final = Param(_said(0, NOTE_CHARS_MAX), "what there is to say", "")
ID: Final = Param(ID_KIND, "16 hex digits of your own, so that a repeated request counts once")
_KINDS: Final = tuple(kind.value for kind in MarkKind)

PARAMS: Final = {
    "series": Param(kinds.SERIES, "that speak of these series, ids by commas", ()),
    **NAMES,
    "kind": Param(kinds.some_of(_KINDS), "of these kinds"),
    "state": Param(kinds.one_of(Held), "those that hold, were withdrawn, or all", Held.ACTIVE),
    "from": Param(kinds.TIME, "that meet a range from here on", FIRST_US, False, "the beginning"),
    "to": Param(kinds.TIME, "that meet a range up to here", LAST_US, False, "the end"),
    "limit": endpoint.limit(),
    "cursor": endpoint.cursor(int, str),
}
BODY: Final = {
    "kind": Param(kinds.one_of(MarkKind), "fault, maintenance or bad (data)", required=True),
    "from": Param(kinds.TIME, "since when, included", required=True),
    "to": Param(kinds.TIME, "until when, not included", required=True),
    "author": AUTHOR,
    "note": NOTE,
    "series": Param(kinds.SERIES, "of these series; otherwise of a device or gateway", ()),
    "gateway": Param(kinds.TEXT, "of all its series", ""),
    "device": Param(kinds.TEXT, "of all its series; with `gateway`", ""),
    "id": ID,
}
WITHDRAW: Final = {
    "mark": Param(ID_KIND, "id of the mark", required=True),
    "author": AUTHOR,
}
MARKS: Final = (
    Field("id", Type.TEXT, "16 hex digits"),
    Field("kind", Type.TEXT, "fault, maintenance or bad"),
    Field("from", Type.TIME, "since when, included"),
    Field("to", Type.TIME, "until when, not included"),
    Field("series", Type.LIST, "ids of the series that it speaks of, if it names them"),
    Field("gateway", Type.TEXT, "whose series it speaks of, otherwise empty"),
    Field("device", Type.TEXT, "whose series it speaks of, otherwise empty"),
    Field("note", Type.TEXT, "what there is to say"),
    Field("author", Type.TEXT, "who said so"),
    Field("created", Type.TIME, "when it was made"),
    Field("withdrawn", Type.TIME, "when it was withdrawn", null=True),
    Field("withdrawn_by", Type.TEXT, "who withdrew it, empty while it holds"),
)


def marks(site: Site, values: Values) -> Answer:
    """Marks, those that begin last first."""
    book = site.shown.book()
    shown = serve_history.known(book, values["series"])
    names = [part for name in shown for part in (name, *book.parts(name))]
    found = [mark for mark in site.marks.all() if _wanted(mark, values, names)]
    if values["cursor"] is not None:
        from_us, id_ = values["cursor"]
        found = [mark for mark in found if (-mark.from_us, mark.id) > (-from_us, id_)]
    page = found[: values["limit"]]
    more = len(found) > len(page)
    next_ = kinds.key_text(page[-1].from_us, page[-1].id) if more else None
    return endpoint.paged("marks", [told(mark) for mark in page], MARKS, next_)


def _wanted(mark: Mark, values: Values, names: Sequence[Name]) -> bool:
    is_gone = mark.withdrawn_us is not None
    return (
        mark.from_us < values["to"]
        and mark.to_us > values["from"]
        and (values["state"] is Held.ALL or (values["state"] is Held.WITHDRAWN) == is_gone)
        and (values["kind"] is None or mark.kind.value in values["kind"])
        and values["gateway"] in (None, mark.gateway)
        and values["device"] in (None, mark.device)
        and (not names or any(mark.speaks_of(name) for name in names))
    )


def make(site: Site, values: Values) -> Answer:
    """Keep a mark. Refusal when it speaks of nothing, or of what is not there."""
    if values["from"] >= values["to"]:
        hint = "`from` is the earlier end, `to` is not included"
        raise Refusal(400, "bad_range", "`from` does not lie before `to`", hint, parameter="from")
    gateway, device = values["gateway"], values["device"]
    serve_history.known(site.shown.book(), values["series"])
    if values["series"] and (gateway or device):
        hint = "name `series`, or `gateway` with or without `device`"
        message = "a mark speaks of series or of a gateway's"
        raise Refusal(400, "bad_parameter", message, hint, parameter="series")
    if not values["series"]:
        _there(site, gateway, device)
    mark = Mark(
        values["id"] or secrets.token_hex(8), values["kind"], values["from"], values["to"],
        tuple(sorted(values["series"])), gateway, device, values["note"], values["author"],
        site.now_us(),
    )  # fmt: skip
    try:
        return Answer(told(site.marks.add(mark)), status=201)
    except MarkTaken as error:
        hint = "leave `id` out, or choose another"
        message = f"the mark {mark.id} says something else"
        raise Refusal(409, "mark_taken", message, hint, parameter="id") from error
    except TooManyMarks as error:
        message, hint = "there are too many marks", "see the limits in docs/guide/api.md"
        raise Refusal(409, "too_many_marks", message, hint) from error


def _there(site: Site, gateway: str, device: str) -> None:
    """Refuse a mark of a gateway or device that has no series: it would be a typing error."""
    known = (*site.live.book.known().names, *site.shown.book().known().names)
    names = [name for name in known if name.gateway == gateway]
    if not gateway:
        message = "the mark speaks of nothing"
        hint = "name `series`, or `gateway` with or without `device`"
        raise Refusal(400, "missing_parameter", message, hint, parameter="series")
    if not names:
        message, hint = f"there is no gateway {gateway!r}", "/api/v1/gateways lists them"
        raise Refusal(404, "unknown_gateway", message, hint, parameter="gateway")
    if device and all(name.device != device for name in names):
        message, hint = f"{gateway!r} has no device {device!r}", "/api/v1/devices lists them"
        raise Refusal(404, "unknown_device", message, hint, parameter="device")


def one(site: Site, values: Values) -> Answer:
    """One mark, whether it holds or not."""
    return Answer(told(_by_id(site, values)))


def withdraw(site: Site, values: Values) -> Answer:
    """Let a mark hold no more; what it left out comes back."""
    mark = _by_id(site, values)
    return Answer(told(site.marks.withdraw(mark.id, values["author"], site.now_us())))


def _by_id(site: Site, values: Values) -> Mark:
    try:
        return site.marks.get(values["mark"])
    except UnknownMark as error:
        message, hint = f"there is no mark {values['mark']}", "/api/v1/marks lists them"
        raise Refusal(404, "unknown_mark", message, hint, parameter="mark") from error


def told(mark: Mark) -> dict[str, Any]:
    """A mark as the API tells it."""
    return {
        "id": mark.id,
        "kind": mark.kind.value,
        "from": mark.from_us,
        "to": mark.to_us,
        "series": [f"{each:016x}" for each in mark.series],
        "gateway": mark.gateway,
        "device": mark.device,
        "note": mark.note,
        "author": mark.author,
        "created": mark.created_us,
        "withdrawn": mark.withdrawn_us,
        "withdrawn_by": mark.withdrawn_by,
    }
