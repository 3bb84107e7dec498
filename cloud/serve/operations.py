"""Operations on series: tried, made, undone, listed; what series are made of; what is proposed."""

import secrets
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from cloud.lake.names import Name
from cloud.live.joined import JoinedBook
from cloud.live.series import Known
from cloud.series.joined import Joined, Resolver, alone
from cloud.series.operation import BEGINNING, END, CannotApply, Operation, OperationKind
from cloud.series.operations import OPERATIONS_MAX, OperationTaken, TooManyOperations
from cloud.series.units import conversion
from cloud.serve import endpoint, kinds, operation_made
from cloud.serve import history as serve_history
from cloud.serve.endpoint import Values
from cloud.serve.fields import Field, Type
from cloud.serve.formats import Answer
from cloud.serve.marks import AUTHOR, ID, NOTE
from cloud.serve.params import Param, Refusal
from cloud.serve.shown import segment_told
from cloud.serve.site import Site

_KINDS: Final = tuple(kind.value for kind in OperationKind)
CHECK: Final = operation_made.PARAMS
BODY: Final = {**CHECK, "author": AUTHOR, "note": NOTE, "id": ID}
PARAMS: Final = {
    "series": Param(kinds.SERIES, "that speak of these series or their parts", ()),
    "kind": Param(kinds.some_of(_KINDS), "of these kinds"),
    "limit": endpoint.limit(),
    "cursor": endpoint.cursor(int),
}
SEGMENTS_PARAMS: Final = {"series": Param(kinds.SERIES, "ids of series, by commas", required=True)}
PROPOSALS_PARAMS: Final = {"limit": endpoint.limit()}
OPERATIONS: Final = (
    Field("id", Type.TEXT, "16 hex digits"),
    Field("number", Type.WHOLE, "its place in the log, from 1"),
    Field("kind", Type.TEXT, "rename, replace, merge, unit, measured, retire or undo"),
    Field("series", Type.TEXT, "id of the series, empty of an undo"),
    Field("other", Type.TEXT, "id of the other series, empty where there is none"),
    Field("from", Type.TIME, "since which event time", null=True),
    Field("to", Type.TIME, "until which event time", null=True),
    Field("device", Type.TEXT, "the new device, empty where it stays"),
    Field("metric", Type.TEXT, "the new metric, empty where it stays"),
    Field("unit", Type.TEXT, "the unit, empty where there is none"),
    Field("scale", Type.TEXT, "as it was given, empty where units say it"),
    Field("offset", Type.TEXT, "as it was given, empty where units say it"),
    Field("operation", Type.TEXT, "id of what is undone, empty of other kinds"),
    Field("note", Type.TEXT, "what there is to say"),
    Field("author", Type.TEXT, "who did it"),
    Field("created", Type.TIME, "when it was made"),
    Field("undone", Type.FLAG, "whether it counts no more"),
)
SEGMENTS: Final = (
    Field("series", Type.TEXT, "id of the series"),
    Field("stored", Type.TEXT, "id of the stored series that it is read from"),
    Field("gateway", Type.TEXT, "that measured it"),
    Field("device", Type.TEXT, "as it is stored"),
    Field("metric", Type.TEXT, "as it is stored"),
    Field("unit", Type.TEXT, "in which it was measured"),
    Field("from", Type.TIME, "since which event time", null=True),
    Field("to", Type.TIME, "until which event time, not included", null=True),
    Field("scale", Type.NUMBER, "a stored value times `scale` plus `offset` is what is shown"),
    Field("offset", Type.NUMBER, "as `scale`"),
)
PROPOSALS: Final = (
    Field("kind", Type.TEXT, "merge"),
    Field("series", Type.TEXT, "id of the series that was there first"),
    Field("other", Type.TEXT, "id of the series of the same name"),
    Field("gateway", Type.TEXT, "the gateway's name"),
    Field("device", Type.TEXT, "the device's name"),
    Field("metric", Type.TEXT, "what is measured"),
    Field("unit", Type.TEXT, "unit of the first"),
    Field("other_unit", Type.TEXT, "unit of the other"),
    Field("since", Type.TIME, "the first reading of the other"),
)


def operations(site: Site, values: Values) -> Answer:
    """The log, newest first."""
    book = site.shown.book()
    names = serve_history.known(book, values["series"])
    wanted = {part.id for name in names for part in (name, *book.parts(name))}
    held, undone = site.operations.all()
    theirs = _of_series(held, wanted)
    last = values["cursor"][0] if values["cursor"] is not None else len(held) + 1
    found = [
        (number, each)
        for number, each in reversed(list(enumerate(held, 1)))
        if number < last
        and (not wanted or each.id in theirs)
        and (values["kind"] is None or each.kind.value in values["kind"])
    ]
    page = found[: values["limit"]]
    next_ = kinds.key_text(page[-1][0]) if len(found) > len(page) else None
    told = [_told(number, each, each.id in undone) for number, each in page]
    return endpoint.paged("operations", told, OPERATIONS, next_)


def _of_series(held: Sequence[Operation], wanted: set[int]) -> set[str]:
    """The operations that speak of some stored series, and those that undo them."""
    found: set[str] = set()
    for each in held:
        if wanted & {each.series, each.other} or each.target in found:
            found.add(each.id)
    return found


def make(site: Site, values: Values) -> Answer:
    """Keep an operation and let it count. Refusal 409 where it cannot be."""
    identifier = values["id"] or secrets.token_hex(8)
    new = operation_made.made(site, values, identifier, values["author"], values["note"])
    try:
        kept = site.operations.add(new)
    except (CannotApply, OperationTaken, TooManyOperations) as error:
        raise _refusal(error, identifier) from error
    held, undone = site.operations.all()
    number = next(i for i, each in enumerate(held, 1) if each.id == kept.id)
    told = _told(number, kept, kept.id in undone)
    return Answer(_outcome(site, site.shown.resolver, kept, told), status=201)


def check(site: Site, values: Values) -> Answer:
    """What an operation would make, without making it. Refusal 409 where it cannot be."""
    new = operation_made.made(site, values, secrets.token_hex(8), "", "")
    try:
        resolver = site.operations.checked(new)
    except (CannotApply, OperationTaken, TooManyOperations) as error:
        raise _refusal(error, new.id) from error
    return Answer(_outcome(site, resolver, new, _told(0, new, is_undone=False)))


def segments(site: Site, values: Values) -> Answer:
    """What series are made of; one row for what no operation touched."""
    book = site.shown.book()
    names = serve_history.known(book, book.ids(values["series"]))
    made = [(name, book.segments(name) or alone(name).segments) for name in names]
    told = [segment_told(name, segment) for name, of in made for segment in of]
    return endpoint.rows("segments", told, SEGMENTS)


def proposals(site: Site, values: Values) -> Answer:
    """Series of one name, in units of one quantity, that no operation joined yet."""
    found = list(_proposed(site.shown.book()))
    return endpoint.rows("proposals", found[: values["limit"]], PROPOSALS, total=len(found))


def _proposed(book: JoinedBook) -> Iterator[dict[str, Any]]:
    known, retired = book.known(), book.retired()
    groups: dict[tuple[str, str, str, str, int], list[int]] = defaultdict(list)
    for place, name in enumerate(known.names):
        if name.device and name.id not in retired:
            key = name.gateway, name.device, name.metric, name.labels, name.kind
            groups[key].append(place)
    for key in sorted(key for key, places in groups.items() if len(places) > 1):
        places = sorted(groups[key], key=lambda place: int(known.first_ts[place]))
        first = known.names[places[0]]
        for place in places[1:]:
            if conversion(known.names[place].unit, first.unit) is not None:
                yield _proposal(first, known, place)


def _proposal(first: Name, known: Known, place: int) -> dict[str, Any]:
    other = known.names[place]
    return {
        "kind": OperationKind.MERGE.value,
        "series": f"{first.id:016x}",
        "other": f"{other.id:016x}",
        "gateway": first.gateway,
        "device": first.device,
        "metric": first.metric,
        "unit": first.unit,
        "other_unit": other.unit,
        "since": int(known.first_ts[place]),
    }


def _outcome(
    site: Site, resolver: Resolver, operation: Operation, told: dict[str, Any]
) -> dict[str, Any]:
    """The operation, the series that it makes, and what of stored ones is left out then."""
    held, _ = site.operations.all()
    target = next((each for each in held if each.id == operation.target), operation)
    joined = resolver.of(target.series)
    if joined is None and target.names:
        joined = alone(target.names[0])
    if joined is None:  # an undo of an undo
        return {"operation": told, "series": None, "segments": [], "left_out": []}
    name = joined.name
    shown = {"id": f"{name.id:016x}", "gateway": name.gateway, "device": name.device,
             "metric": name.metric, "unit": name.unit}  # fmt: skip
    return {
        "operation": told,
        "series": shown,
        "segments": [segment_told(name, segment) for segment in joined.segments],
        "left_out": [f"{name.id:016x}" for name in _left_out(site, joined)],
    }


def _left_out(site: Site, joined: Joined) -> Iterator[Name]:
    """Stored series of which some readings lie in no segment, as far as first and last tell."""
    known = site.live.book.known([name.id for name in joined.members])
    for place, name in enumerate(known.names):
        ours = [segment for segment in joined.segments if segment.name.id == name.id]
        low = min((segment.from_us for segment in ours), default=END)
        high = max((segment.to_us for segment in ours), default=BEGINNING)
        if known.readings[place] and (
            np.int64(low) > known.first_ts[place] or np.int64(high) <= known.last_ts[place]
        ):
            yield name


def _refusal(error: CannotApply | OperationTaken | TooManyOperations, identifier: str) -> Refusal:
    if isinstance(error, CannotApply):
        return Refusal(409, "cannot_apply", error.cause, error.hint)
    if isinstance(error, OperationTaken):
        message, hint = f"the operation {identifier} says something else", "choose another `id`"
        return Refusal(409, "operation_taken", message, hint, parameter="id")
    hint = "see the limits in docs/guide/api.md"
    message = f"there are {OPERATIONS_MAX} operations, as many as are kept"
    return Refusal(409, "too_many_operations", message, hint)


def _told(number: int, each: Operation, is_undone: bool) -> dict[str, Any]:
    return {
        "id": each.id,
        "number": number,
        "kind": each.kind.value,
        "series": f"{each.series:016x}" if each.series else "",
        "other": f"{each.other:016x}" if each.other else "",
        "from": each.from_us if each.from_us > BEGINNING else None,
        "to": each.to_us if each.to_us < END else None,
        "device": each.device,
        "metric": each.metric,
        "unit": each.unit,
        "scale": str(each.factor.a) if each.factor is not None else "",
        "offset": str(each.factor.b) if each.factor is not None else "",
        "operation": each.target,
        "note": each.note,
        "author": each.author,
        "created": each.created_us,
        "undone": is_undone,
    }
