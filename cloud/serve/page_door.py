"""Where the page listens, and how uvicorn serves it inside a process that decides its own end."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cloud.errors import OperatorError
from protos.address import split_address

HEAD_BYTES_MAX: Final = 64 << 10
"""Of a request beside its body: the parser holds all of it, whatever it comes to."""
PIPELINED_MAX: Final = 64
"""Requests of one connection that may wait for the one before them."""
_log = logging.getLogger(__name__)


class PageServer(uvicorn.Server):
    """uvicorn without its own signal handlers: the aggregator decides when it ends."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the aggregator."""
        yield


class BoundedHttp(HttpToolsProtocol):
    """One connection of the page; who sends more head than anybody needs is told so, and left."""

    _head = 0

    def data_received(self, data: bytes) -> None:
        """Parse what came, and hold what is waiting against the limits."""
        self._head += len(data)
        super().data_received(data)
        if self._head > HEAD_BYTES_MAX or len(self.pipeline) > PIPELINED_MAX:
            _log.info("a request had a head that is too long, or too many waited behind one")
            self.pipeline.clear()
            self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        """A request begins, and its head."""
        self._head = 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """A piece of a body, which is bounded by whoever reads it."""
        self._head -= len(body)
        super().on_body(body)


def listen(address: str) -> socket.socket:
    """A bound socket for the page.

    Raises:
        OperatorError: it cannot listen where the settings say.
    """
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        door = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise OperatorError(
            f"show the page on {address}",
            (error.strerror or str(error)).lower(),
            "is another cloud running? otherwise correct listen.http",
        ) from error
    # asyncio does not ask for it where a socket was made by its family alone; without it the last
    # part of an answer waits 40 ms for the acknowledgement of the first.
    door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return door


def served(site: ASGIApp, stop_s: float) -> uvicorn.Config:
    """How the page is served; streams that live have `stop_s` to end."""
    return uvicorn.Config(
        site, log_config=None, log_level="warning", access_log=False, server_header=False,
        timeout_graceful_shutdown=int(stop_s), timeout_keep_alive=30, limit_concurrency=512,
        http=BoundedHttp, ws="none",
    )  # fmt: skip
