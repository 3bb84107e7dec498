"""The door where figures are asked for: `/metrics` and `/healthz` over plain HTTP/1.1, and no more.

Own and tiny, so that it costs a gateway no dependency and cannot grow: GET and HEAD alone, one
request a connection, so many bytes of it in so many seconds, so many connections at once. What
asks for too much is closed on; collecting and delivering never wait for it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import msgspec

from protos.address import is_loopback, split_address
from protos.exposition import CONTENT_TYPE

REQUEST_BYTES_MAX: Final = 8192
REQUEST_S_MAX: Final = 5.0
CONNECTIONS_MAX: Final = 16
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    421: "Misdirected Request",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


class Door:
    """An async context in which the address listens.

    Args:
        listen: `host:port`; port 0 takes any free one, see ``port``.
        metrics: makes the text for `/metrics`.
        fault: says what stands in the way now, empty while all is well, for `/healthz`.

    Raises:
        OSError: on entering, when the address cannot be listened on.
    """

    def __init__(
        self, listen: str, metrics: Callable[[], Awaitable[str]], fault: Callable[[], str]
    ) -> None:
        self._host, self.port = split_address(listen)
        self._metrics = metrics
        self._fault = fault
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, self._host, self.port, limit=REQUEST_BYTES_MAX
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            async with asyncio.timeout(REQUEST_S_MAX):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_written(await self._answer(head), has_body=head[:5] != b"HEAD "))
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            writer.transport.abort()
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, head: bytes) -> Answer:
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return Answer(400, b"not a request of HTTP/1.1\n")
        if words[0] not in ("GET", "HEAD"):
            return Answer(405, b"read with GET\n")
        if not self._is_called_right(lines[1:]):
            return Answer(421, b"on loopback this is called by a loopback name only\n")
        match words[1].partition("?")[0]:
            case "/metrics":
                return Answer(200, (await self._metrics()).encode(), CONTENT_TYPE)
            case "/healthz":
                found = self._fault()
                body = {"status": "fault", "fault": found} if found else {"status": "ok"}
                status = 503 if found else 200
                return Answer(status, msgspec.json.encode(body), "application/json")
            case _:
                return Answer(404, b"there are /metrics and /healthz\n")

    def _is_called_right(self, headers: list[str]) -> bool:
        """False for a page of another site that calls us under its own name (DNS rebinding)."""
        if not is_loopback(self._host):
            return True
        named = [value.strip() for name, _, value in (h.partition(":") for h in headers)
                 if name.lower() == "host"]  # fmt: skip
        host = named[0] if named else "localhost"
        return is_loopback(host.rpartition(":")[0].strip("[]") if ":" in host else host)


def _written(answer: Answer, *, has_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}\r\n"
        f"content-type: {answer.content_type}\r\ncontent-length: {len(answer.body)}\r\n"
        "cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
    ).encode()
    return head + answer.body if has_body else head
