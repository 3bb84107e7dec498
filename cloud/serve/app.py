"""The HTTP API and the page as an application: the table of routes, served.

Routes, parameters and answers are in `cloud.serve.routes`, told in docs/guide/api.md and
/api/v1/openapi.json; every bad parameter is a 4xx that says what would be right
(`cloud.serve.params`). Queries run in threads, a few at a time (`cloud.serve.turns`), so that slow
ones never take the loop.
"""

import difflib
import functools
import importlib.metadata
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from cloud.access.access import Access
from cloud.access.desk import Desk
from cloud.access.role import Role
from cloud.errors import StorageError
from cloud.live.catalogue import Catalogue
from cloud.live.live import Live
from cloud.notify.file import NotifyFile
from cloud.notify.settings import Notify
from cloud.query.history import Query, TooHeavy
from cloud.query.pool import Busy
from cloud.rollout.rollouts import Rollouts
from cloud.series.marks import Marks
from cloud.series.operations import Operations
from cloud.series.verdicts import Verdicts
from cloud.serve import formats, session, stream
from cloud.serve import ledger as serve_ledger
from cloud.serve import params as serve_params
from cloud.serve.body import read_body
from cloud.serve.endpoint import Endpoint, Method
from cloud.serve.forwarded import Forwarded
from cloud.serve.guard import CALLER, Guard
from cloud.serve.ledger import Aside
from cloud.serve.openapi import document
from cloud.serve.params import Refusal
from cloud.serve.prometheus import door as prometheus
from cloud.serve.routes import ENDPOINTS
from cloud.serve.shell import LOOPBACK_HOSTS, Shell, error, page
from cloud.serve.shown import Shown
from cloud.serve.site import BytesOf, Journal, Pace, Presence, Registry, SilentAfter, Site
from cloud.serve.totals import GatewayTotals
from cloud.serve.turns import THREADS, TURNS, Turns

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_UNRULED: Final = Notify()


def _nothing_of(_: object) -> None:
    """What a site without a journal of its own, or without gateways, has of any."""


def build_app(
    query: Query,
    live: Live,
    registry: Registry,
    journal: Journal,
    dist: Path | None,
    *,
    marks: Marks,
    operations: Operations,
    access: Access,
    verdicts: Verdicts,
    behind: Sequence[str] = (),
    failures_per_minute_max: int = 10,
    zone: str = "",
    presence: Presence = dict,
    fault: Callable[[], str] = str,
    apart: Aside = tuple,
    apart_data: BytesOf = _nothing_of,
    pace: Pace = _nothing_of,
    silent_s: SilentAfter = _UNRULED.silent_s,
    readers: int = 0,
    hosts: Collection[str] | None = LOOPBACK_HOSTS,
    told: NotifyFile | None = None,
    rollouts: Rollouts | None = None,
) -> Starlette:
    """The whole site as an ASGI application.

    ``dist`` is the built page's folder, None if there is none; what a `Site` has is told there.
    ``fault`` says what stands in the way of storing or consolidating, empty when nothing does.
    ``readers`` are processes beside this one that work on questions. ``hosts`` are the names under
    which this server may be called, without port; None allows any, which only a server that others
    guard may do. ``access`` says who may ask, ``behind`` which proxies are believed whom they speak
    for, ``failures_per_minute_max`` how often a sign-in may be wrong.
    """
    version = importlib.metadata.version("tidegate")
    site = Site(
        query, live, registry, journal, marks, presence, apart, _now_us, version, Catalogue(),
        Catalogue(), serve_ledger.Gaps(), operations, Shown(operations, live, query), verdicts,
        zone, pace, GatewayTotals(), apart_data, silent_s, told, rollouts,
    )  # fmt: skip
    operations.when_changed(live.feed.nudge)
    turns = Turns(TURNS + readers, THREADS + readers)
    routes = [
        Route("/healthz", functools.partial(_health, fault)),
        Route("/api/v1/openapi.json", functools.partial(_openapi, document(ENDPOINTS, version))),
        *(_route(site, path, of, turns) for path, of in _by_path(ENDPOINTS).items()),
        Route(
            session.PATH,
            session.SessionRoute(access, Desk(access, failures_per_minute_max)).answer,
            methods=["GET", "POST", "DELETE"],
        ),
        Route("/api/v1/live", functools.partial(stream.answer, live, site.shown)),
        *prometheus.routes(site, turns),
    ]
    return Starlette(
        routes=[
            *routes,
            Route("/api/{rest:path}", functools.partial(_nothing, routes), methods=_METHODS),
            Mount("/", page(dist)),
        ],
        middleware=_around(access, behind, hosts),
        exception_handlers={
            Refusal: _refused,
            HTTPException: _http_error,
            StorageError: _storage_error,
            Busy: _busy,
            TooHeavy: _too_heavy,
        },
    )


def _around(
    access: Access, behind: Sequence[str], hosts: Collection[str] | None
) -> list[Middleware]:
    """What every request passes, the outermost first."""
    return [
        Middleware(Forwarded, behind=behind),
        Middleware(Shell, hosts=hosts),
        Middleware(Guard, access=access),
    ]


def _by_path(endpoints: Sequence[Endpoint]) -> dict[str, dict[Method, Endpoint]]:
    found: dict[str, dict[Method, Endpoint]] = {}
    for endpoint in endpoints:
        found.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return found


def _route(site: Site, path: str, of: Mapping[Method, Endpoint], turns: Turns) -> Route:
    async def serve(request: Request) -> Response:
        is_get = request.method in ("GET", "HEAD")
        endpoint = of[Method.GET if is_get else Method(request.method)]
        values = await _values(endpoint, request)
        if "author" in values and (author := request.scope[CALLER].author):
            values["author"] = author
        asked, accept = values.pop("format", None), request.headers.get("accept", "")
        form = formats.chosen(asked, accept, has_rows=endpoint.has_forms)
        values["format"] = form

        def work() -> Response:
            answer = endpoint.answer(site, values)
            return formats.written(answer, form, request.url.path, request.query_params)

        return await turns.run(work)

    return Route(path, serve, methods=[method.value for method in of])


async def _values(endpoint: Endpoint, request: Request) -> dict[str, Any]:
    """All parameters, of the path, the query string and the body."""
    values = {
        name: serve_params.value(name, str(given), endpoint.params[name].kind)
        for name, given in request.path_params.items()
    }
    values |= serve_params.read(request.query_params, endpoint.query)
    if endpoint.method is not Method.GET:
        values |= await read_body(request, endpoint.body)
    return values


async def _openapi(told: Mapping[str, Any], _: Request) -> Response:
    return Response(orjson.dumps(told, default=dict), media_type="application/json")


async def _health(fault: Callable[[], str], request: Request) -> Response:
    """200 while all is well, 503 with the fault otherwise; answered on the loop itself.

    Who may read nothing is not told what the fault is: it names files.
    """
    found, caller = fault(), request.scope[CALLER]
    body = {"status": "fault"} if found else {"status": "ok"}
    if found and caller.role >= Role.VIEWER:
        body["fault"] = found
    return Response(orjson.dumps(body), 503 if found else 200, media_type="application/json")


async def _nothing(routes: Sequence[Route], request: Request) -> Response:
    path = request.url.path
    for route in routes:
        if route.path_regex.fullmatch(path):
            allowed = ", ".join(sorted(route.methods or ()))
            message = f"{route.path} is not called with {request.method[:20]}"
            answer = error(405, "method_not_allowed", message, f"it takes {allowed}")
            answer.headers["allow"] = allowed
            return answer
    paths = sorted(route.path for route in routes)
    near = difflib.get_close_matches(path[:80], paths, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(paths)}"
    raise Refusal(404, "not_found", f"there is no {path[:80]}", hint)


async def _refused(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    of = {"parameter": refusal.parameter, "nearest": refusal.nearest}
    return error(refusal.status, refusal.code, refusal.message, refusal.hint, **of)


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


async def _too_heavy(_: Request, fault: Exception) -> Response:
    message = f"this question is too much now: {fault}"
    return error(503, "too_heavy", message, "ask for a shorter range or fewer series")


def _now_us() -> int:
    return time.time_ns() // 1000
