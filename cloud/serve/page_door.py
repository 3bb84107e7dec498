"""Where the page listens, and how uvicorn serves it inside a process that decides its own end."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cloud.errors import OperatorError
from protos.address import split_address

HEAD_BYTES_MAX: Final = 64 << 10
"""Of a request beside its body: the parser holds all of it, whatever it comes to."""
PIPELINED_MAX: Final = 64
"""Requests of one connection that may wait for the one before them."""
HEAD_S_MAX: Final = 30
"""From the beginning of a connection, or the end of an answer, to the end of the next head."""
STALL_S_MAX: Final = 60.0
"""Then a peer that took nothing of an answer is left, and the answer's memory is free."""
_log = logging.getLogger(__name__)


class PageServer(uvicorn.Server):
    """uvicorn without its own signal handlers: the aggregator decides when it ends."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the aggregator."""
        yield


class BoundedHttp(HttpToolsProtocol):
    """One connection of the page, within limits of bytes, of requests and of time.

    Whose head is too long is told so, and left; so is who asks for more while too much waits. From
    the beginning of a connection, or the end of an answer, a whole head comes within
    ``timeout_keep_alive``, and a peer that takes nothing of an answer for STALL_S_MAX is left.
    """

    _head = 0
    _stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there, and is to say what they want."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def data_received(self, data: bytes) -> None:
        """Parse what came, and hold what is waiting against the limits."""
        self._head += len(data)
        try:
            while data and len(self.pipeline) <= PIPELINED_MAX:
                data = self._parsed(data)
        except httptools.HttpParserError as error:
            _log.info("a request was no HTTP: %s", error)
            self.send_400_response("Invalid HTTP request received.")
        if self.transport.is_closing():
            return
        if self._head > HEAD_BYTES_MAX or len(self.pipeline) > PIPELINED_MAX:
            _log.info("a request had a head that is too long, or too many waited behind one")
            self.send_400_response("The head of the request is too long.")
            self.pipeline.clear()

    def on_message_begin(self) -> None:
        """A request begins, and its head."""
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin to answer; a wish for another protocol is declined first (`_parsed`)."""
        if self.parser.should_upgrade():
            return
        super().on_headers_complete()
        self.headers = []  # what comes behind the body is no part of the head
        self._unset_keepalive_if_required()
        self._watch()

    def on_body(self, body: bytes) -> None:
        """A piece of a body, which is bounded by whoever reads it."""
        self._head -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of a request is there."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """All of an answer is written, though it may not be sent."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """What is written waits for the peer."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """The peer takes it."""
        super().resume_writing()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Refuse, and leave; into an answer that has begun nothing else is written."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering and (self.pipeline or self.cycle.response_started):
            self.transport.close()
        else:
            super().send_400_response(msg)

    def _parsed(self, data: bytes) -> bytes:
        """What is still to be parsed.

        The parser takes what follows a wish for another protocol for that protocol, also a body. It
        is parsed once more without the wish, as a server may that has no other (RFC 9110, 7.8).
        """
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as wish:
            method = self.parser.get_method()
            if method == b"CONNECT":
                raise httptools.HttpParserError("this is no proxy") from wish
            version = self.parser.get_http_version().encode()
            lines = [b"%s %s HTTP/%s" % (method, self.url, version)]
            lines += [b"%s: %s" % each for each in self.headers if each[0] != b"upgrade"]
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            return b"\r\n".join((*lines, b"", data[wish.args[0] :]))
        return b""

    def _watch(self) -> None:
        """From now on the peer is to take something, if it is its turn."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        left = self.transport.get_write_buffer_size()
        is_done = self.cycle is None or self.cycle.response_complete
        if left and (self.flow.write_paused or is_done):
            self._stall = self.loop.call_later(STALL_S_MAX, self._look, left)

    def _look(self, before: int) -> None:
        """Leave a peer that took nothing."""
        self._stall = None
        if self.transport.get_write_buffer_size() < before:
            self._watch()
        else:
            _log.info("an answer was not taken for %g s", STALL_S_MAX)
            self.transport.abort()


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


def served(site: ASGIApp, stop_s: float, context: ssl.SSLContext | None = None) -> uvicorn.Config:
    """How the page is served, by TLS where there is a context; live streams have `stop_s` to end.

    What proxies say is for `cloud.serve.forwarded` to believe, not for uvicorn.
    """
    config = uvicorn.Config(
        site, log_config=None, log_level="warning", access_log=False, server_header=False,
        timeout_graceful_shutdown=int(stop_s), timeout_keep_alive=HEAD_S_MAX, limit_concurrency=512,
        http=BoundedHttp, ws="none", proxy_headers=False,
    )  # fmt: skip
    config.load()
    config.ssl = context
    return config
