"""What is asked of the HTTP API, counted by path and outcome, with how long it took."""

import time
from collections import Counter
from typing import Final

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from protos.exposition import Histogram

BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ELSEWHERE: Final = "other"
"""The page, and what there is not: a caller's spelling makes no new figure."""
_ENDLESS: Final = "/api/v1/live"


class Asked:
    """An application around another, that counts; on the loop alone.

    ``requests`` are by (path, status such as `2xx`); ``seconds`` until the answer was sent whole,
    the endless stream of live readings aside.
    """

    def __init__(self, app: Starlette) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        self.seconds = Histogram(BOUNDS_S)
        self._app = app
        self._routes = [route for route in app.routes if isinstance(route, Route)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = self._path(scope["path"])
        begun_s = time.monotonic()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.requests[path, f"{message['status'] // 100}xx"] += 1
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            if path != _ENDLESS:
                self.seconds.observe(time.monotonic() - begun_s)

    def _path(self, path: str) -> str:
        """The route's path as the table of routes writes it."""
        for route in self._routes:
            if route.path_regex.fullmatch(path) and "{rest" not in route.path:
                return route.path
        return ELSEWHERE
