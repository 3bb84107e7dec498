"""Events as told of the series that are shown: asked by their parts, without what no segment has.

The tables know stored series. What is asked of a joined one, or of a device whose series operations
touched, is asked of its parts; rows that lie in no segment are left out, so more may have to be
read than a page holds.
"""

from dataclasses import replace
from typing import Any, Final

from cloud.live.joined import JoinedBook
from cloud.query.events import Events, EventsAsk
from cloud.query.history import Query
from cloud.series.joined import Resolver
from cloud.serve.endpoint import Values
from cloud.serve.params import Refusal
from cloud.serve.shown import listened, row_shown

READ_MAX: Final = 2_000_000
"""Rows looked through for one page; a question that needs more is refused."""


def events_ask(book: JoinedBook, values: Values, kind: Events, to_us: int) -> EventsAsk | None:
    """The question for the stored series behind what is asked; None when there are none."""
    gateway, device = values["gateway"], values["device"]
    named = frozenset(values["series"])
    series = listened(book.resolver, frozenset(book.ids(values["series"]))) or frozenset()
    if device is not None and book.resolver.joined:
        theirs = _of_device(book, gateway, device)
        if theirs is not None:
            series, gateway, device = (series & theirs if named else theirs), None, None
            if not series:
                return None
    ids = tuple(sorted(series))
    return EventsAsk(kind, values["from"], to_us, ids, gateway, device)


def _of_device(book: JoinedBook, gateway: str | None, device: str) -> frozenset[int] | None:
    """The stored series of a device as it is shown; None where no operation touched any."""

    def fits(name: Any) -> bool:
        return name.device == device and gateway in (None, name.gateway)

    touched = book.resolver.joined.values()
    if not any(fits(name) for each in touched for name in (each.name, *each.members)):
        return None
    names = book.stored.known().names
    alone = {n.id for n in names if fits(n) and n.id not in book.resolver.roots}
    parts = {name.id for each in touched if fits(each.name) for name in each.members}
    return frozenset(alone | parts)


def found_shown(
    query: Query, resolver: Resolver, ask: EventsAsk, skip: int, rows: int
) -> list[dict[str, Any]]:
    """The first ``rows`` behind ``skip`` of those that are shown. Refusal 400 over READ_MAX."""
    wanted = skip + rows
    if not resolver.joined or (
        ask.series and not any(each in resolver.roots for each in ask.series)
    ):
        return query.events(replace(ask, skip=skip, limit=rows))
    limit = wanted
    while True:
        found = query.events(replace(ask, limit=limit))
        told = [one for row in found if (one := row_shown(resolver, row)) is not None]
        if len(told) >= wanted or len(found) < limit:
            return told[skip:wanted]
        if limit >= READ_MAX:
            message = f"{READ_MAX} rows hold no page of those that are shown"
            hint = "ask for a narrower range, or for fewer series"
            raise Refusal(400, "too_many_rows", message, hint, parameter="from")
        limit = min(4 * limit + 1000, READ_MAX)
