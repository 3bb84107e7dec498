"""A stand-in for the server, for developing and testing the page alone.

Serves the built page under the strict policy and the HTTP API over synthetic data that is the same
in every run: ten months of hourly temperature with gaps and anomalies, two days of vibration by
the second that go on live, and a fleet with one gateway of every health. `/fixture/…` routes let a
test push readings, empty the fleet, delay answers and read back what was asked.
Run it by hand: python tests/browser/fixture_api.py --port 8080 --tick
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fixture_data import (
    DAY,
    HOUR,
    MINUTE,
    Line,
    hourly_temperature,
    live_vibration,
    minute_line,
    valve_states,
)
from fixture_fleet import FleetApi
from fixture_models import ModelsApi
from fixture_said import Said
from fixture_told import ToldApi
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DIST = Path(__file__).resolve().parents[2] / "cloud" / "web" / "dist"
TIERS = {"1m": MINUTE, "1h": HOUR, "1d": DAY}
HEADERS = (
    (b"content-security-policy", b"default-src 'self'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class World:
    """All data, who listens, and what was asked."""

    def __init__(self) -> None:
        self.now0 = time.time_ns() // 1_000
        lines = [hourly_temperature(), live_vibration(self.now0)]
        lines += [
            minute_line(16, "pump-1", "pressure", "bar", 6.2, self.now0),
            minute_line(18, "pump-1", "flow", "m³/h", 41.0, self.now0),
            minute_line(21, "pump-1", "bearing_temperature", "°C", 58.3, self.now0),
            valve_states(self.now0),
            minute_line(25, "pump-2", "pressure", "bar", 5.9, self.now0),
            minute_line(27, "hall/bay10", "level", "m", 3.1, self.now0),
            minute_line(29, "hall/bay2", "level", "m", 2.7, self.now0),
        ]
        self.lines = {line.id: line for line in lines}
        self.listeners: list[tuple[set[str], asyncio.Queue[str]]] = []
        self.asked: list[dict[str, str]] = []
        self.searched: list[dict[str, str]] = []
        self.mode: dict[str, Any] = {"empty": False, "down": False, "delay_ms": 0, "gateways": 0,
                                     "role": None}  # fmt: skip

    def now(self) -> int:
        return time.time_ns() // 1_000

    def tell(self, series: str, event: str, body: dict[str, Any]) -> None:
        text = f"event: {event}\ndata: {json.dumps(body)}\n\n"
        for wanted, queue in self.listeners:
            if series in wanted:
                queue.put_nowait(text)

    def add(self, series: str, ts: int, value: float) -> None:
        line = self.lines[series]
        at = int(np.searchsorted(line.t, ts))
        line.t, line.v = np.insert(line.t, at, ts), np.insert(line.v, at, value)
        self.tell(series, "readings", {"id": series, "t": [ts], "v": [value]})


def pick_resolution(readings: int, span: int, points: int) -> tuple[str, int | None]:
    """Raw while it fits into `points`; else the finest whole multiple of a tier that does."""
    if readings <= points:
        return "raw", None
    wanted = span / points
    name, tier = max(
        ((n, t) for n, t in TIERS.items() if t <= max(wanted, MINUTE)), key=lambda pair: pair[1]
    )
    return name, int(max(-(-wanted // tier), 1)) * tier


def bucket_track(line: Line, a: int, b: int, width: int) -> dict[str, Any]:
    """Aggregates of the readings in [a, b), one row per bucket that holds any."""
    t, v = line.t[a:b], line.v[a:b]
    if not len(t):
        return {k: [] for k in ("t", "count", "mean", "min", "max", "first", "last")}
    starts, at, n = np.unique(t // width * width, return_index=True, return_counts=True)
    columns = {
        "t": starts, "count": n, "mean": np.add.reduceat(v, at) / n,
        "min": np.minimum.reduceat(v, at), "max": np.maximum.reduceat(v, at),
        "first": v[at], "last": v[at + n - 1],
    }  # fmt: skip
    return {name: column.tolist() for name, column in columns.items()}


class Api:
    """The routes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.said = Said(world)

    def _lines(self, request: Request) -> list[Line]:
        wanted = {k: request.query_params.get(k) for k in ("gateway", "device")}
        return [
            line
            for line in ([] if self.world.mode["empty"] else self.world.lines.values())
            if all(want in (None, getattr(line, k)) for k, want in wanted.items())
        ]

    async def status(self, _request: Request) -> Response:
        lines = self.world.lines.values()
        history = {
            "readings": sum(len(line.t) for line in lines),
            "series": len(lines),
            "anomalies": sum(len(line.anomalies) for line in lines),
        }
        journal = {"head": 19_913, "archived": 19_652, "generation": 1}
        now = self.world.now()
        return JSONResponse(
            {"journal": journal, "history": history, "version": "0.1.0", "now": now}
            | {"zone": "Europe/Berlin"}
        )

    async def devices(self, request: Request) -> Response:
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for line in self._lines(request):
            fresh = {"gateway": line.gateway, "device": line.device, "metrics": 0, "last_ts": 0}
            row = rows.setdefault(
                (line.gateway, line.device), fresh | {"readings": 0, "anomalies": 0}
            )
            row["metrics"] += 1
            row["last_ts"] = max(row["last_ts"], int(line.t[-1]))
            row["readings"] += len(line.t)
            row["anomalies"] += len(line.anomalies)
        return JSONResponse({"devices": list(rows.values())})

    async def history(self, request: Request) -> Response:
        query = dict(request.query_params)
        self.world.asked.append(query)
        if self.world.mode["delay_ms"]:
            await asyncio.sleep(self.world.mode["delay_ms"] / 1_000)
        start, end, points = (int(query[k]) for k in ("from", "to", "points"))
        found = []
        for line in (self.world.lines[one] for one in query["series"].split(",")):
            if query.get("bad") == "exclude":
                keep = self.said.kept(line)
                line = replace(line, t=line.t[keep], v=line.v[keep])
            a, b = (int(np.searchsorted(line.t, at)) for at in (start, end))
            found.append((line, a, b))
        most = max(b - a for _, a, b in found)
        if query.get("resolution") == "raw":
            points = most
        name, width = pick_resolution(most, end - start, points)
        tracks = [
            {"id": line.id, **bucket_track(line, a, b, width)}
            if width
            else {"id": line.id, **line.raw(a, b)}
            for line, a, b in found
        ]
        answer = {"from": start, "to": end, "resolution": name, "bucket_us": width}
        mark = {"journal": 19_913, "lake": 19_652}
        return JSONResponse(answer | {"watermark": mark, "series": tracks, "next": None})

    async def live(self, request: Request) -> Response:
        return StreamingResponse(self._events(request), media_type="text/event-stream")

    async def _events(self, request: Request) -> AsyncIterator[str]:
        listener = (set(request.query_params["series"].split(",")), asyncio.Queue[str]())
        self.world.listeners.append(listener)
        try:
            yield ": here\n\n"
            while not await request.is_disconnected():
                with contextlib.suppress(TimeoutError):
                    yield await asyncio.wait_for(listener[1].get(), 1)
        finally:
            self.world.listeners.remove(listener)

    async def push(self, request: Request) -> Response:
        body = await request.json()
        self.world.add(body["series"], body["ts"], body["v"])
        if "score" in body:
            line = self.world.lines[body["series"]]
            line.anomalies.append((body["ts"], body["v"], body["score"]))
            self.world.tell(line.id, "anomaly", line.marks()[0])
        return JSONResponse({"listeners": len(self.world.listeners)})

    async def mode(self, request: Request) -> Response:
        self.world.mode |= await request.json()
        return JSONResponse(self.world.mode)

    async def asked(self, _request: Request) -> Response:
        return JSONResponse(self.world.asked)

    def routes(self) -> list[Route]:
        reads = ["status", "devices", "history"]
        return [
            *self.said.routes(),
            *(Route(f"/api/v1/{name}", getattr(self, name)) for name in (*reads, "live")),
            Route("/fixture/push", self.push, methods=["POST"]),
            Route("/fixture/mode", self.mode, methods=["POST"]),
            Route("/fixture/asked", self.asked),
        ]


def make_app(*, tick: bool) -> ASGIApp:
    """The whole stand-in; with `tick` the live series gets a reading each second by itself."""
    world = World()

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        ticking = asyncio.create_task(_tick(world)) if tick else None
        yield
        if ticking:
            ticking.cancel()

    page = StaticFiles(directory=DIST, html=True)
    app = Starlette(
        routes=[
            *Api(world).routes(),
            *FleetApi(world).routes(),
            *ModelsApi(world).routes(),
            *ToldApi(world).routes(),
            Mount("/", page),
        ],
        lifespan=lifespan,
    )
    return _policy(app, world)


def _policy(app: ASGIApp, world: World) -> ASGIApp:
    """The headers that the real server sends, and the fault that a test may order."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if world.mode["down"] and scope.get("path", "").startswith("/api/"):
            error = {"code": "overloaded", "message": "The query queue is full.", "hint": "Wait."}
            await JSONResponse({"error": error}, 503)(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        await app(scope, receive, with_headers)

    return guarded


async def _tick(world: World) -> None:
    n = 0
    while True:
        await asyncio.sleep(1)
        n += 1
        now = world.now()
        value = round(2.4 + 0.35 * float(np.sin(n / 143)) + 0.1 * float(np.sin(n * 7)), 4)
        world.add("00000000000000b2", now, value)


def main() -> None:
    parser = argparse.ArgumentParser(description="stand-in server for the page")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tick", action="store_true")
    args = parser.parse_args()
    listening = socket.create_server(("127.0.0.1", args.port))
    print(f"http://127.0.0.1:{listening.getsockname()[1]}/", flush=True)
    server = uvicorn.Server(
        uvicorn.Config(make_app(tick=args.tick), log_level="warning", timeout_graceful_shutdown=1)
    )
    server.run(sockets=[listening])


if __name__ == "__main__":
    main()
