"""An operation made of a request: what its kind needs is there, what it speaks of exists."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from cloud.lake.names import Name
from cloud.query.history import UnknownSeries
from cloud.series.joined import Joined, alone
from cloud.series.operation import BEGINNING, END, Operation, OperationKind
from cloud.series.units import Factor
from cloud.serve import history as serve_history
from cloud.serve import kinds
from cloud.serve.endpoint import Values
from cloud.serve.params import Expected, Kind, Param, Refusal, refused
from cloud.serve.site import Site
from protos.limits import NAME_BYTES_MAX, UNIT_BYTES_MAX

_SERIES: Final = kinds.matched("[0-7][0-9a-f]{15}", "16 hex digits, as /api/v1/series gives them")
_DIGITS: Final = "[0-9]{1,15}"
_NUMBER: Final = kinds.matched(
    rf"-?{_DIGITS}(\.{_DIGITS})?(/0*[1-9][0-9]{{0,14}})?", "a decimal number, or two as `5/9`"
)
_ID: Final = kinds.matched("[0-9a-f]{16}", "16 hex digits")


def _named(bytes_max: int) -> Kind:
    def read_named(text: str) -> str:
        if len(text.encode(errors="replace")) > bytes_max or not text.isprintable():
            raise Expected(f"up to {bytes_max} bytes, all of them printable")
        return text

    return Kind(read_named, {"type": "string", "maxLength": bytes_max})


PARAMS: Final = {
    "kind": Param(kinds.one_of(OperationKind), "what is to be done", required=True),
    "series": Param(_SERIES, "id of the series; of all kinds but undo"),
    "other": Param(_SERIES, "id of the series that replaces it, or is merged into it"),
    "from": Param(kinds.TIME, "since which event time, included: replace, merge, measured, retire"),
    "to": Param(kinds.TIME, "until which event time, not included: merge, measured"),
    "device": Param(_named(NAME_BYTES_MAX), "its new device: rename"),
    "metric": Param(_named(NAME_BYTES_MAX), "its new metric: rename"),
    "unit": Param(_named(UNIT_BYTES_MAX), "the unit it is shown or was measured in"),
    "scale": Param(_NUMBER, "a value times `scale` plus `offset` is one of the other unit"),
    "offset": Param(_NUMBER, "as `scale`; both only where units do not say it themselves"),
    "operation": Param(_ID, "id of the operation to undo"),
}
_FACTOR: Final = frozenset({"scale", "offset"})
_TAKES: Final[Mapping[OperationKind, tuple[frozenset[str], frozenset[str]]]] = {
    OperationKind.RENAME: (frozenset({"series"}), frozenset({"device", "metric"})),
    OperationKind.REPLACE: (frozenset({"series", "other", "from"}), _FACTOR),
    OperationKind.MERGE: (frozenset({"series", "other"}), _FACTOR | {"from", "to"}),
    OperationKind.UNIT: (frozenset({"series", "unit"}), _FACTOR),
    OperationKind.MEASURED: (frozenset({"series", "unit"}), _FACTOR | {"from", "to"}),
    OperationKind.RETIRE: (frozenset({"series"}), frozenset({"from"})),
    OperationKind.UNDO: (frozenset({"operation"}), frozenset()),
}
"""What each kind needs, and what it may have besides."""


def made(site: Site, values: Values, identifier: str, author: str, note: str) -> Operation:
    """The operation that is asked for. Refusal 400, 404, or 409 where a name is taken."""
    kind: OperationKind = values["kind"]
    _check_fields(kind, values)
    now = site.now_us()
    if kind is OperationKind.UNDO:
        return Operation(identifier, kind, now, author, note, target=values["operation"])
    series = int(values["series"], 16)
    own, other = _joined(site, series, "series"), None
    if values["other"] is not None:
        other = _joined(site, int(values["other"], 16), "other")
    if kind is OperationKind.RENAME:
        _check_free(site, own, values)
    from_us, to_us = _span(kind, values, now)
    unit = values["unit"] or ""
    between = {
        OperationKind.UNIT: (own.name.unit, unit),
        OperationKind.MEASURED: (unit, own.name.unit),
    }.get(kind, (other.name.unit if other is not None else "", own.name.unit))
    named = [int(values[each], 16) for each in ("series", "other") if values[each] is not None]
    return Operation(
        identifier, kind, now, author, note, series,
        int(values["other"], 16) if other is not None else 0, from_us, to_us,
        values["device"] or "", values["metric"] or "", unit, _factor(values), between,
        names=tuple(_stored(site, each) for each in named),
    )  # fmt: skip


def _check_fields(kind: OperationKind, values: Values) -> None:
    needs, takes = _TAKES[kind]
    for name in PARAMS:
        given = values[name] is not None
        if name in needs and not given:
            message, hint = f"`{name}` is missing", f"{kind.value} needs it: {PARAMS[name].help}"
            raise Refusal(400, "missing_parameter", message, hint, parameter=name)
        if given and name not in needs | takes | {"kind"}:
            hint = f"{kind.value} takes {', '.join(sorted(needs | takes))}"
            message = f"`{name}` says nothing here"
            raise Refusal(400, "unknown_parameter", message, hint, parameter=name)
    if kind is OperationKind.RENAME and values["device"] is None and values["metric"] is None:
        hint = "say `device`, `metric` or both"
        raise Refusal(400, "missing_parameter", "no name is given", hint, parameter="device")


def _span(kind: OperationKind, values: Values, now: int) -> tuple[int, int]:
    first = now if kind is OperationKind.RETIRE else BEGINNING
    from_us = values["from"] if values["from"] is not None else first
    to_us = values["to"] if values["to"] is not None else END
    if from_us >= to_us:
        hint = "`from` is the earlier end, `to` is not included"
        raise Refusal(400, "bad_range", "`from` does not lie before `to`", hint, parameter="from")
    return from_us, to_us


def _factor(values: Values) -> Factor | None:
    if values["scale"] is None and values["offset"] is None:
        return None
    scale, offset = (_fraction(values[name] or default) for name, default in
                     (("scale", "1"), ("offset", "0")))  # fmt: skip
    if not scale:
        raise refused("scale", values["scale"], Expected("a number other than 0", "1"))
    return Factor(scale, offset)


def _fraction(text: str) -> Fraction:
    number, _, over = text.partition("/")
    return Fraction(number) / int(over or 1)


def _stored(site: Site, series: int) -> Name:
    """The name of a stored series, also of one whose readings are gone."""
    name = site.live.book.name(series)
    if name is not None:
        return name
    joined = site.shown.resolver.of(series)
    parts = joined.members if joined is not None else ()
    found = next((part for part in parts if part.id == series), None)
    if found is None:
        raise serve_history.unknown_series(UnknownSeries(series))
    return found


def _joined(site: Site, series: int, parameter: str) -> Joined:
    try:
        return site.shown.resolver.of(series) or alone(_stored(site, series))
    except Refusal as refusal:
        refusal.parameter = parameter
        raise


def _check_free(site: Site, own: Joined, values: dict[str, Any] | Values) -> None:
    """Refuse a name that another series has, be it in another unit: they would be confused."""
    name = own.name
    wanted = (
        name.gateway, values["device"] or name.device, values["metric"] or name.metric,
        name.labels, name.kind,
    )  # fmt: skip
    for each in site.shown.book().known().names:
        has = each.gateway, each.device, each.metric, each.labels, each.kind
        if has == wanted and each.id != name.id:
            message = f"{wanted[1]}/{wanted[2]} is the series {each.id:016x}"
            hint = "merge it into this one, or replace this one by it"
            raise Refusal(409, "name_taken", message, hint, parameter="device")
