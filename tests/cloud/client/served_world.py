"""A cloud's HTTP API over real tables, served on a real socket; every request is noted."""

import math
import socket
import threading
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import uvicorn

from cloud.live.live import Live
from cloud.rollup.partials import MINUTE_US
from cloud.serve.shell import error
from tests.cloud.lake_world import T0, Gateway
from tests.cloud.serve_world import World

MANY = 120
"""Series of one reading each, more than one request may name."""
LONG = 3000
"""Readings of the long series, one a second."""


class Served:
    """``asked`` has every request as (path, parameters).

    Once ``answers_left`` is down to 0 it answers as to somebody who may not ask.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers_left: int | None = None
        # With its protocol named, asyncio sends small answers at once.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        config = uvicorn.Config(self._app, log_level="error", lifespan="off", interface="asgi3")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="served"
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    async def _app(self, scope, receive, send) -> None:
        query = dict(parse_qsl(scope.get("query_string", b"").decode()))
        self.asked.append((urlsplit(scope["path"]).path, query))
        if self.answers_left == 0:
            refused = error(401, "not_signed_in", "sign in", "on the page")
            await refused(scope, receive, send)
            return
        if self.answers_left is not None:
            self.answers_left -= 1
        await self.world.app(scope, receive, send)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self.world.close()


def follow(live: Live) -> None:
    while live.advance():
        pass


def filled(folder: Path) -> Served:
    """Numbers and texts in tables and tail, a mark, and two gateways of one name of series."""
    world = World(folder / "lake")
    gateway = world.gateway
    minutes = [T0 + i * MINUTE_US for i in range(60)]
    values = [float(i) for i in range(60)]
    values[7] = float("nan")
    values[8] = float("inf")
    gateway.send(
        gateway.numbers("pump", minutes, values),
        gateway.scores("pump", minutes[9:12], [9.0, 8.0, 7.0]),
        gateway.numbers("long", [T0 + i * 1_000_000 for i in range(LONG)], list(range(LONG))),
    )
    gateway.send(*(gateway.numbers(f"d{i:03}", [T0 + i], [float(i)]) for i in range(MANY)))
    while world.consolidator.run_once().more:
        pass
    gateway.send(
        gateway.texts("door", minutes[:3], ["open", "shut", '="\u00fc\U0001f30a, ']),
        gateway.numbers("pump", [minutes[-1] + MINUTE_US], [60.5]),
    )
    other = Gateway(world.journal, "gw-2")
    other.send(other.numbers("pump", minutes[30:50], [float(i) for i in range(20)]))
    other.send(
        other.numbers("a/[b]*", minutes[:1], [1.0]), other.numbers("a/b", minutes[:1], [2.0])
    )
    follow(world.live)
    mark = {"kind": "bad", "from": str(minutes[3]), "to": str(minutes[5]), "author": "ann"}
    made = world.client.post("/api/v1/marks", json={**mark, "gateway": "gw-1", "device": "pump"})
    assert made.status_code == 201, made.text
    return Served(world)


def recent(folder: Path) -> Served:
    """The last half hour of three bays and a pump, as the demo names them, and what was said."""
    world = World(folder / "lake")
    gateway, now = world.gateway, time.time_ns() // 1000
    every = [now - 1_000_000 * at for at in range(1800, 0, -10)]
    bays = [f"greenhouse/bay{number}/climate" for number in (1, 2, 3)]
    for number, bay in enumerate(bays):
        waves = [20 + number + math.sin(at / 9e7) for at in every]
        gateway.send(gateway.numbers(bay, every, waves))
    gateway.send(gateway.scores(bays[0], every[9:10], [9.0]))
    while world.consolidator.run_once().more:
        pass
    gateway.send(gateway.texts("plant/pump1", every[::60], ["run", "idle", "run"]))
    follow(world.live)
    span = {"from": str(every[20]), "to": str(every[30])}
    for said in (
        {"kind": "bad", "gateway": gateway.name, "device": bays[1]},
        {"kind": "maintenance", "gateway": gateway.name},
    ):
        made = world.client.post("/api/v1/marks", json={**span, **said, "author": "ann"})
        assert made.status_code == 201, made.text
    return Served(world)
