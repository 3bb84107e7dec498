"""Where the page listens, and how uvicorn serves it inside a process that decides its own end."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from cloud.errors import OperatorError
from protos.address import split_address


class PageServer(uvicorn.Server):
    """uvicorn without its own signal handlers: the aggregator decides when it ends."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the aggregator."""
        yield


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
    )  # fmt: skip
