"""What surrounds every answer: security headers, who may be called by which name, the page."""

import hashlib
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Final

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger(__name__)

LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

_OF_PROXIES: Final = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
)
"""What a reverse proxy adds; where none is named, only this machine itself is to ask."""

_HEADERS: Final = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}

_NOT_BUILT: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Tidegate: the page is not built</title>
<h1>Tidegate is running, its page is not built</h1>
<p>The history is here all the same: <a href="api/v1/status">api/v1/status</a>.</p>
<p>From a checkout, build the page with <code>make page</code> and start again.
An installed wheel brings it along.</p>
</html>
"""


class Shell:
    """ASGI middleware: refuses foreign Host names, adds the headers to every answer.

    The supervisor of requests: what one fails of by our fault is logged and told as JSON.

    ``hosts`` are names without port, None for any. A page of another site that makes a browser
    call us under its own name (DNS rebinding) is refused by that name; what a proxy brings under
    one of ours, by the headers that proxies add.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refused = self._refusal(Headers(scope=scope))
        if refused is not None:
            await refused(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:  # noqa: BLE001 - the supervisor of requests
            _log.exception("a request for %s failed", ascii(scope["path"][:80]))
            if not begun:
                await _failed()(scope, receive, send_with_headers)

    def _refusal(self, headers: Headers) -> Response | None:
        """Why a request is not for this server, if it is not."""
        if self._hosts is None:
            return None
        host = headers.get("host", "")
        if _name(host) not in self._hosts:
            return _refused(host)
        proxy = next((name for name in _OF_PROXIES if name in headers), "")
        return _proxied(proxy) if proxy else None


def _name(host: str) -> str:
    """A Host header without its port; what is more than these is left as it is."""
    name, _, port = host.rpartition(":")
    return (name if name and port.isdecimal() else host).lower()


def _refused(host: str) -> Response:
    return error(
        421,
        "host_not_allowed",
        f"this server is not called {host[:80]!r}",
        "call it by a name under `hosts` in cloud.toml, or by localhost on its own machine",
    )


def _proxied(header: str) -> Response:
    return error(
        421,
        "proxy_not_named",
        f"a proxy brought this (it says {header}), and none is named: only this machine may ask",
        "name the proxy's address under http.behind in cloud.toml",
    )


def _failed() -> Response:
    told = "this is our fault, not yours"
    return error(500, "fault", told, "see the cloud's log, and please report it")


def error(
    status: int, code: str, message: str, hint: str = "", *, parameter: str = "", nearest: str = ""
) -> Response:
    """An error as all of them look; what is empty of ``parameter`` and ``nearest`` is left out."""
    told = {"code": code, "message": message, "hint": hint}
    told |= {"parameter": parameter} if parameter else {}
    told |= {"nearest": nearest} if nearest else {}
    body = orjson.dumps({"error": told})
    return Response(body, status, media_type="application/json")


class Page(StaticFiles):
    """The built page; what has its hash in its name may be kept for ever."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """As StaticFiles, with a cache rule by kind of file."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        kept = "/assets/" in str(args[0])
        response.headers["cache-control"] = (
            "public, max-age=31536000, immutable" if kept else "no-cache"
        )
        return response


def page(dist: Path | None) -> ASGIApp:
    """The page from its folder, or a word on how to build it."""
    if dist is not None and (dist / "index.html").is_file():
        return Page(directory=dist, html=True)
    tag = f'"{hashlib.sha256(_NOT_BUILT.encode()).hexdigest()[:16]}"'

    async def not_built(scope: Scope, receive: Receive, send: Send) -> None:
        if Request(scope).url.path not in ("/", "/index.html"):
            await error(404, "not_found", "there is nothing here")(scope, receive, send)
            return
        await HTMLResponse(_NOT_BUILT, 503, {"etag": tag})(scope, receive, send)

    return not_built
