"""New readings and anomalies as server-sent events, from where a listener last was.

Every event carries the journal's offset as its id. Who comes back with `Last-Event-ID` is told
what came since, as long as it is in the tail; beyond that, `missed` says from which offset on.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cloud.live import feed as live_feed
from cloud.live import tail as live_tail
from cloud.live.feed import Event, EventKind, FeedFull, Listener
from cloud.live.live import Live
from cloud.serve import kinds
from cloud.serve import params as serve_params
from cloud.serve.params import Expected, Kind, Param
from cloud.serve.shell import error
from cloud.serve.shown import Shown, event_shown, listened

HEARTBEAT_S: Final = 15.0
_OFFSET_DIGITS_MAX: Final = 18


def _read_offset(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _OFFSET_DIGITS_MAX):
        raise Expected("the id of an event, as the stream gave it")
    return int(text)


PARAMS: Final = {
    "series": Param(kinds.SERIES, "these series, ids by commas", default_text="all"),
    "after": Param(
        Kind(_read_offset, {"type": "string", "pattern": "^[0-9]{1,18}$"}),
        "id of the last event that was seen; the header `Last-Event-ID` says it too",
        default_text="the present",
    ),
}


async def answer(live: Live, shown: Shown, request: Request) -> Response:
    """The stream; 503 when too many listen already."""
    values = serve_params.read(request.query_params, PARAMS)
    series = frozenset(values["series"]) if values["series"] is not None else None
    told = request.headers.get("last-event-id", "")
    # What a browser repeats is newer than what was asked at first.
    after = serve_params.value("Last-Event-ID", told, PARAMS["after"].kind) if told else None
    after = values["after"] if after is None else after
    try:
        listener = live.feed.listen(
            listened(shown.resolver, series), request.client.host if request.client else ""
        )
    except FeedFull:
        return error(503, "busy", "too many listeners", "try again in a moment")
    headers = {"x-accel-buffering": "no"}
    body = _events(live, shown, listener, series, after)
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)


async def _events(
    live: Live, shown: Shown, listener: Listener, series: frozenset[int] | None, after: int | None
) -> AsyncIterator[bytes]:
    """From ``after`` on; what a view held is not sent again when it comes over the feed."""
    with listener:
        view = live.view
        since = view.journal if after is None else after
        yield b"retry: 3000\nid: %d\n\n" % since
        if after is not None and not view.lake <= after <= view.journal:
            data = {"after": after, "lake": view.lake, "journal": view.journal}
            yield _wire(Event(EventKind.MISSED, data, view.journal))
        elif after is not None:
            for batch in live_tail.after(view.tail, after):
                for event in _shown(shown, live_feed.events_of(batch, listener.series)):
                    yield _wire(event)
        seen = view.journal if after is not None else 0
        while not listener.closed:
            events = await listener.take(HEARTBEAT_S)
            listener.series = listened(shown.resolver, series)  # an operation may have come
            if not events:
                yield b": still here\n\n"
            for each in _shown(shown, _newer(events, seen)):
                yield _wire(each)


def _shown(shown: Shown, events: Sequence[Event]) -> list[Event]:
    """The events as told of the series that are shown."""
    resolver = shown.resolver
    return [told for one in events if (told := event_shown(resolver, one)) is not None]


def _newer(events: Sequence[Event], seen: int) -> list[Event]:
    return [event for event in events if event.offset > seen or event.kind is EventKind.LAGGED]


def _wire(event: Event) -> bytes:
    data = orjson.dumps(event.data, option=orjson.OPT_SERIALIZE_NUMPY)
    named = b"\nid: %d" % event.offset if event.offset else b""
    return b"event: %s%s\ndata: %s\n\n" % (event.kind.value.encode(), named, data)
