"""The HTTP API and the page: questions in, columnar JSON out, new readings as events.

Routes, parameters and answers are written down in docs/guide/api.md; every bad parameter is a 4xx
that says what would be right (`cloud.serve.params`). Queries run in threads of their own number,
so that slow ones never take the loop.
"""

import difflib
import functools
import importlib.metadata
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import anyio.to_thread
import orjson
from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route

from cloud import journal_counts
from cloud.errors import StorageError
from cloud.journal_counts import Tally
from cloud.journal_cursor import Cursor
from cloud.lake_table.schema import ANOMALIES, READINGS
from cloud.live import Live
from cloud.live_feed import FeedFull, Listener
from cloud.query import Query
from cloud.query_pool import Busy
from cloud.serve import fleet as serve_fleet
from cloud.serve import history as serve_history
from cloud.serve import ledger as serve_ledger
from cloud.serve import params as serve_params
from cloud.serve.fleet import Presence, Registry
from cloud.serve.params import FIRST_US, LAST_US, Param, Refusal
from cloud.serve.shell import LOOPBACK_HOSTS, Shell, error, page

THREADS: Final = 8
"""Requests that are worked on at once; more wait."""
HEARTBEAT_S: Final = 15.0

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_JSON: Final = orjson.OPT_SERIALIZE_NUMPY
_NAMES: Final = {"gateway": Param(serve_params.text), "device": Param(serve_params.text)}
_SERIES: Final = {
    **_NAMES,
    "q": Param(serve_params.text),
    "limit": Param(serve_params.whole(1, 100_000), 1000),
}
_ANOMALIES: Final = {
    **_NAMES,
    "series": Param(serve_params.series, ()),
    "from": Param(serve_params.time, FIRST_US),
    "to": Param(serve_params.time, LAST_US),
    "limit": Param(serve_params.whole(1, 100_000), 1000),
}

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From the parameters of a request to the object that answers it; may block."""


class Journal(Protocol):
    """What the API needs of a journal."""

    @property
    def generation(self) -> int:
        """Rises when a journal was lost."""

    def head(self) -> int:
        """The highest durable offset."""

    def archived(self) -> int:
        """The highest offset in the lake."""

    def cursors(self) -> list[Cursor]:
        """Every gateway's cursor."""

    def counts(self) -> Mapping[str, Tally]:
        """What was ever stored and archived, by gateway."""


def build_app(
    query: Query,
    live: Live,
    registry: Registry,
    journal: Journal,
    dist: Path | None,
    *,
    presence: Presence = dict,
    fault: Callable[[], str] = str,
    apart: serve_ledger.Aside = tuple,
    hosts: Collection[str] | None = LOOPBACK_HOSTS,
) -> Starlette:
    """The whole site as an ASGI application.

    ``dist`` is the built page's folder, None if there is none. ``presence`` tells who is
    connected, ``fault`` what stands in the way of storing or consolidating, empty when nothing
    does, ``apart`` the blocks set apart. ``hosts`` are the names under which this server may be
    called, without port; None allows any, which only a server that others guard may do.
    """
    api = _Api(query, live, registry, journal, presence, apart)
    limiter = CapacityLimiter(THREADS)
    routes = [
        Route("/healthz", functools.partial(_health, fault)),
        _route("/api/v1/status", {}, api.status, limiter),
        _route("/api/v1/gateways", {}, api.gateways, limiter),
        _route("/api/v1/ledger", {"gateway": _NAMES["gateway"]}, api.ledger, limiter),
        _route("/api/v1/devices", {"gateway": _NAMES["gateway"]}, api.devices, limiter),
        _route("/api/v1/series", _SERIES, api.series, limiter),
        _route("/api/v1/latest", _NAMES, api.latest, limiter),
        _route("/api/v1/anomalies", _ANOMALIES, api.anomalies, limiter),
        _route("/api/v1/history", serve_history.PARAMS, api.history, limiter),
        Route("/api/v1/live", functools.partial(_live, live)),
    ]
    paths = [route.path for route in routes if isinstance(route, Route)]
    elsewhere = functools.partial(_nothing, frozenset(paths))
    return Starlette(
        routes=[
            *routes,
            Route("/api/{rest:path}", elsewhere, methods=_METHODS),
            Mount("/", page(dist)),
        ],
        middleware=[Middleware(Shell, hosts=hosts)],
        exception_handlers={
            Refusal: _refused,
            HTTPException: _http_error,
            StorageError: _storage_error,
            Busy: _busy,
        },
    )


class _Api:
    """The answers; every method blocks and is called from a thread."""

    def __init__(
        self,
        query: Query,
        live: Live,
        registry: Registry,
        journal: Journal,
        presence: Presence,
        apart: serve_ledger.Aside,
    ) -> None:
        self._query = query
        self._live = live
        self._registry = registry
        self._journal = journal
        self._presence = presence
        self._apart = apart
        self._gaps = serve_ledger.Gaps()
        self._version = importlib.metadata.version("tidegate")

    def status(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        journal = self._journal
        stored = journal_counts.total(journal.counts().values())
        series, readings, anomalies = self._live.book.counts()
        view = self._live.view
        return {
            "journal": {
                "head": journal.head(),
                "archived": journal.archived(),
                "generation": journal.generation,
                "blocks": stored.blocks,
                "readings": stored.readings,
            },
            "lake": {
                "offset": view.lake,
                "readings": view.tables[READINGS.name].rows,
                "anomalies": view.tables[ANOMALIES.name].rows,
            },
            "history": {"readings": readings, "series": series, "anomalies": anomalies},
            "version": self._version,
            "now": _now_us(),
        }

    def gateways(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        rows, cursors = self._registry.gateways(), self._journal.cursors()
        now, known = _now_us(), self._live.book.known()
        found = serve_fleet.gateways(rows, cursors, self._presence(), known, now)
        return {"now": now, "gateways": found}

    def ledger(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        apart, view = self._apart(), self._live.view
        return serve_ledger.answer(self._journal, apart, view, values["gateway"], self._gaps)

    def devices(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"devices": serve_fleet.devices(self._live.book.known(), values["gateway"])}

    def series(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"series": serve_fleet.series(self._live.book.known(), values)}

    def latest(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        known = self._live.book.known()
        return {"latest": serve_fleet.latest(known, values["gateway"], values["device"])}

    def anomalies(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        found = self._query.anomalies(
            values["from"],
            values["to"],
            series=values["series"],
            gateway=values["gateway"],
            device=values["device"],
            limit=values["limit"],
        )
        return {"anomalies": found}

    def history(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return serve_history.answer(self._query, values, _now_us())


def _route(
    path: str, params: Mapping[str, Param], answer: Answer, limiter: CapacityLimiter
) -> Route:
    async def endpoint(request: Request) -> Response:
        values = serve_params.read(request.query_params, params)

        def work() -> bytes:
            return orjson.dumps(answer(values), option=_JSON)

        body = await anyio.to_thread.run_sync(work, limiter=limiter)
        return Response(body, media_type="application/json")

    return Route(path, endpoint)


async def _health(fault: Callable[[], str], _: Request) -> Response:
    """200 while all is well, 503 with the fault otherwise; answered on the loop itself."""
    found = fault()
    body = {"status": "fault", "fault": found} if found else {"status": "ok"}
    return Response(orjson.dumps(body), 503 if found else 200, media_type="application/json")


async def _live(live: Live, request: Request) -> Response:
    values = serve_params.read(request.query_params, {"series": Param(serve_params.series)})
    series = frozenset(values["series"]) if values["series"] is not None else None
    try:
        listener = live.feed.listen(series, request.client.host if request.client else "")
    except FeedFull:
        message = "too many listen already"
        raise Refusal(503, "busy", message, "close other pages, or ask again later") from None
    headers = {"x-accel-buffering": "no"}
    return StreamingResponse(_events(listener), media_type="text/event-stream", headers=headers)


async def _events(listener: Listener) -> AsyncIterator[bytes]:
    with listener:
        yield b"retry: 3000\n\n"
        while not listener.closed:
            events = await listener.take(HEARTBEAT_S)
            if not events:
                yield b": still here\n\n"
            for event in events:
                data = orjson.dumps(event.data, option=_JSON)
                yield b"event: %s\ndata: %s\n\n" % (event.kind.value.encode(), data)


async def _nothing(paths: Collection[str], request: Request) -> Response:
    path = request.url.path
    if path in paths:
        message = f"{path} is read with GET, not {request.method}"
        raise Refusal(405, "method_not_allowed", message, "nothing is changed over this API")
    near = difflib.get_close_matches(path, paths, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(paths))}"
    raise Refusal(404, "not_found", f"there is no {path[:80]}", hint)


async def _refused(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return error(refusal.status, refusal.code, refusal.message, refusal.hint)


async def _http_error(_: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(fault.status_code, "refused")
    answer = error(fault.status_code, code, fault.detail.lower(), "see docs/guide/api.md")
    answer.headers.update(fault.headers or {})
    return answer


async def _storage_error(_: Request, fault: Exception) -> Response:
    return error(503, "storage", "the history cannot be read now", "see the cloud's log")


async def _busy(_: Request, fault: Exception) -> Response:
    return error(503, "busy", "too many questions at once", "ask again in a moment")


def _now_us() -> int:
    return time.time_ns() // 1000
