"""The figures' door: what it answers, and that nobody can make it work or wait for more."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from protos import scrape
from protos.scrape import CONNECTIONS_MAX, REQUEST_BYTES_MAX, Door


class Asked:
    def __init__(self) -> None:
        self.fault = ""
        self.times = 0

    async def metrics(self) -> str:
        self.times += 1
        return "x 1\n"


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
async def door(asked: Asked) -> AsyncIterator[Door]:
    async with Door("127.0.0.1:0", asked.metrics, lambda: asked.fault) as made:
        yield made


async def say(door: Door, request: bytes) -> tuple[int, dict[str, str], bytes]:
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    return int(lines[0].split(" ")[1]), headers, body


async def answered(door: Door) -> bool:
    try:
        return (await say(door, b"GET /metrics HTTP/1.1\r\n\r\n"))[0] == 200
    except (ConnectionError, IndexError):
        return False


async def test_metrics_are_told_as_the_text_format(door: Door) -> None:
    status, headers, body = await say(door, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (status, body) == (200, b"x 1\n")
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert headers["content-length"] == "4"


async def test_head_says_the_same_without_the_body(door: Door) -> None:
    status, headers, body = await say(door, b"HEAD /metrics?x=1 HTTP/1.1\r\n\r\n")
    assert (status, headers["content-length"], body) == (200, "4", b"")


async def test_health_is_503_with_the_fault_while_there_is_one(door: Door, asked: Asked) -> None:
    assert await say(door, b"GET /healthz HTTP/1.1\r\n\r\n") == (
        200,
        {
            "content-type": "application/json",
            "content-length": "15",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "connection": "close",
        },
        b'{"status":"ok"}',
    )
    asked.fault = "the buffer is full"
    status, _, body = await say(door, b"GET /healthz HTTP/1.1\r\n\r\n")
    assert (status, b"the buffer is full" in body) == (503, True)


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"POST /metrics HTTP/1.1", 405),
        (b"GET /etc/passwd HTTP/1.1", 404),
        (b"GET /metrics", 400),
        (b"\x16\x03\x01\x02\x00 \xff HTTP/2", 400),
    ],
)
async def test_what_is_not_asked_for_is_refused(
    door: Door, asked: Asked, request_line: bytes, status: int
) -> None:
    assert (await say(door, request_line + b"\r\n\r\n"))[0] == status
    assert asked.times == 0


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:9464", 200),
        ("127.0.0.1", 200),
        ("[::1]:9464", 200),
        ("evil.example", 421),
        ("evil.example:9464", 421),
    ],
)
async def test_on_loopback_a_foreign_name_is_refused(door: Door, host: str, status: int) -> None:
    request = f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    assert (await say(door, request))[0] == status


async def test_a_request_that_never_ends_is_closed_on(
    door: Door, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises((ConnectionError, IndexError)):
        await say(door, b"GET /metrics HTTP/1.1\r\nX: " + b"x" * (2 * REQUEST_BYTES_MAX))
    monkeypatch.setattr(scrape, "REQUEST_S_MAX", 0.05)
    with pytest.raises((ConnectionError, IndexError)):
        await say(door, b"GET /metrics HTTP/1.1\r\n")
    assert asked.times == 0


async def test_more_callers_than_the_bound_are_closed_on_and_it_recovers(door: Door) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(CONNECTIONS_MAX)]
    async with asyncio.timeout(20):
        while await answered(door):  # the last of the silent ones may not have been taken yet
            pass
    for _, writer in silent:
        writer.close()
    async with asyncio.timeout(20):
        while not await answered(door):
            pass


async def test_a_taken_address_is_an_error_at_the_start(door: Door, asked: Asked) -> None:
    with pytest.raises(OSError, match="address"):
        async with Door(f"127.0.0.1:{door.port}", asked.metrics, str):
            pass


async def test_open_connections_do_not_hold_up_the_end(asked: Asked) -> None:
    async with Door("127.0.0.1:0", asked.metrics, str) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"GET /met")
        await writer.drain()
    async with asyncio.timeout(20):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
    writer.close()
