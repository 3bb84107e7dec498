"""The page's door: what an answer must not wait for, and what a stranger may send."""

import asyncio
import contextlib
import socket
from collections.abc import Iterable

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from cloud.serve.page_door import HEAD_BYTES_MAX, PIPELINED_MAX, PageServer, listen, served


def test_an_answer_in_two_parts_does_not_wait_for_the_first_to_be_acknowledged():
    door = listen("127.0.0.1:0")
    with door, socket.create_connection(door.getsockname()), door.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def _told(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def said_to(parts: Iterable[bytes]) -> tuple[bytes, int]:
    """What the door answers until it ends the connection, and how much it was sent until then."""
    server = PageServer(served(Starlette(routes=[Route("/", _told, methods=["POST"])]), 1.0))
    with listen("127.0.0.1:0") as door:
        serving = asyncio.create_task(server.serve(sockets=[door]))
        reader, writer = await asyncio.open_connection(*door.getsockname())
        sent = 0
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
                sent += len(part)
                if reader.at_eof():
                    break
        answer = b""
        with contextlib.suppress(ConnectionError):
            answer = await reader.read()
        writer.close()
        server.should_exit = True
        await serving
    return answer, sent


PIECE = b"x" * 4096
ENDLESS = 64 << 20


def endless(begin: bytes) -> Iterable[bytes]:
    yield begin
    for _ in range(ENDLESS // len(PIECE)):
        yield PIECE


@pytest.mark.parametrize(
    "begin",
    [
        b"POST /",
        b"POST / HTTP/1.1\r\nhost: a\r\nx: ",
        b"POST / HTTP/1.1\r\nhost: a\r\nx",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: ",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;x=",
    ],
    ids=["path", "value", "name", "trailer", "extension"],
)
async def test_a_head_without_an_end_is_refused_at_its_limit(begin: bytes) -> None:
    _, sent = await said_to(endless(begin))
    assert sent < ENDLESS


async def test_a_head_within_the_limit_and_a_body_beyond_it_are_taken() -> None:
    body = b"b" * (2 * HEAD_BYTES_MAX)
    head = f"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {len(body)}\r\n"
    spare = HEAD_BYTES_MAX - len(head) - 100
    answer, _ = await said_to([f"{head}x: {'y' * spare}\r\n\r\n".encode(), body])
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"%d" % len(body))


@pytest.mark.parametrize(("count", "is_taken"), [(PIPELINED_MAX, True), (5000, False)])
async def test_only_so_many_requests_of_a_connection_wait(count: int, is_taken: bool) -> None:
    one = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"
    last = one.replace(b"host: a", b"host: a\r\nconnection: close")
    answer, _ = await said_to([one * (count - 1) + last])
    assert (answer.count(b"HTTP/1.1 200") == count) is is_taken
