"""The page's door: what an answer must not wait for, and what a stranger may send."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from cloud.serve import page_door
from cloud.serve.page_door import HEAD_BYTES_MAX, PIPELINED_MAX, PageServer, listen, served


def test_an_answer_in_two_parts_does_not_wait_for_the_first_to_be_acknowledged():
    door = listen("127.0.0.1:0")
    with door, socket.create_connection(door.getsockname()), door.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def _told(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def _headers(request: Request) -> PlainTextResponse:
    body = await request.body()
    return PlainTextResponse(f"{len(body)} {sorted(request.headers)}")


async def _endless(_: Request) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"z"
            await asyncio.sleep(0.001)

    return StreamingResponse(pieces())


async def _large(_: Request) -> PlainTextResponse:
    return PlainTextResponse("l" * (32 << 20))


SITE = Starlette(
    routes=[
        Route("/", _told, methods=["POST"]),
        Route("/headers", _headers, methods=["POST"]),
        Route("/endless", _endless),
        Route("/large", _large),
    ]
)


async def said_to(
    parts: Iterable[bytes], apart: bytes = b"", head_s: float = 30
) -> tuple[bytes, int]:
    """What the door answers until it ends the connection, and how much it was sent until then.

    ``apart`` is sent when an answer has begun.
    """
    config = served(SITE, 1.0)
    config.timeout_keep_alive = head_s  # type: ignore[assignment]
    server = PageServer(config)
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
            if apart:
                answer = await reader.read(1)
                writer.write(apart)
            answer += await reader.read()
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


UPGRADE = b"host: a\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n"


@pytest.mark.parametrize("count", [1, 2, 30])
async def test_who_wishes_for_another_protocol_is_answered_in_this_one(count: int) -> None:
    one = b"POST /headers HTTP/1.1\r\n" + UPGRADE.replace(b", close", b"")
    one += b"content-length: 5\r\n\r\nhello"
    last = one.replace(b"upgrade\r\n", b"upgrade, close\r\n")
    answer, _ = await said_to([one * (count - 1) + last])
    assert answer.count(b"5 ['connection', 'content-length', 'host']") == count


async def test_a_body_behind_a_wish_for_another_protocol_is_no_second_request() -> None:
    body = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"
    head = b"POST / HTTP/1.1\r\n" + UPGRADE + b"content-length: %d\r\n\r\n" % len(body)
    answer, _ = await said_to([head, body])
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"%d" % len(body))


async def test_only_so_many_wishes_for_another_protocol_wait() -> None:
    one = b"POST / HTTP/1.1\r\n" + UPGRADE.replace(b", close", b"") + b"\r\n"
    answer, _ = await said_to([one * 2000])
    assert answer.count(b"HTTP/1.1 200") <= PIPELINED_MAX


async def test_what_comes_behind_a_body_is_not_taken_for_its_head() -> None:
    one = b"POST /headers HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
    last = b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    answer, _ = await said_to([(one + b"origin: b\r\n\r\n") * 2 + last])
    assert answer.count(b"0 ['host', 'transfer-encoding']") == 2


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"POST / HT",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\nPOST / HT",
        b"GET /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nbody",
    ],
    ids=["silence", "head", "next", "body"],
)
async def test_a_connection_is_left_where_no_head_ends_in_time(begin: bytes) -> None:
    async with asyncio.timeout(20):
        await said_to([begin], head_s=0.05)


async def test_time_for_a_head_is_no_longer_where_it_comes_in_drops() -> None:
    config = served(SITE, 1.0)
    config.timeout_keep_alive = 0.2  # type: ignore[assignment]
    server = PageServer(config)
    with listen("127.0.0.1:0") as door:
        serving = asyncio.create_task(server.serve(sockets=[door]))
        reader, writer = await asyncio.open_connection(*door.getsockname())
        writer.write(b"POST / HTTP/1.1\r\nx: ")
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(20):
                while not reader.at_eof():
                    writer.write(b"y")
                    await writer.drain()
                    await asyncio.sleep(0.01)
        writer.close()
        server.should_exit = True
        await serving


async def test_a_peer_that_takes_nothing_of_an_answer_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_door, "STALL_S_MAX", 0.2)
    server = PageServer(served(SITE, 1.0))
    with listen("127.0.0.1:0") as door:
        serving = asyncio.create_task(server.serve(sockets=[door]))
        with socket.create_connection(door.getsockname()) as silent:
            silent.sendall(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n")
            async with asyncio.timeout(20):
                while not server.server_state.total_requests:
                    await asyncio.sleep(0.01)
                while server.server_state.connections:
                    await asyncio.sleep(0.01)
        server.should_exit = True
        await serving


async def test_nothing_is_said_into_an_answer_that_has_begun() -> None:
    ask = b"GET /endless HTTP/1.1\r\nhost: a\r\n\r\n"
    answer, _ = await said_to([ask], apart=b"\0")
    assert answer.count(b"HTTP/1.1 ") == 1
    answer, _ = await said_to([b"\0"])
    assert answer.startswith(b"HTTP/1.1 400")
