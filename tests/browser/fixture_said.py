"""The part of the stand-in server about what people say: episodes, verdicts, marks; and states.

It keeps what is sent, as the real one does, and answers in its form; what it refuses is what a
test needs refused. The real routes are tested in tests/cloud/serve.
"""

from __future__ import annotations

import itertools
from typing import Any, Protocol

import numpy as np
from fixture_data import HOUR, Line
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MODEL = "window-residual-1.0"


class World(Protocol):
    lines: dict[str, Line]
    mode: dict[str, Any]
    asked: list[dict[str, str]]

    def now(self) -> int: ...


def episodes_of(line: Line) -> list[dict[str, Any]]:
    """One for each anomaly: an hour and a half about it."""
    return [
        {
            "series": line.id, **line.place(), "id": f"{line.id}{at:016x}",
            "from": ts - HOUR // 2, "to": ts + HOUR, "state": 2, "open": False,
            "peak_ts": ts, "peak": score,
            "threshold": 4.2, "model": MODEL, "points": 3 + at,
        }
        for at, (ts, _, score) in enumerate(sorted(line.anomalies))
    ]  # fmt: skip


def stretches(line: Line, start: int, end: int) -> list[dict[str, Any]]:
    """For how long each word of a line stood in [start, end)."""
    found: list[dict[str, Any]] = []
    for at, value in zip(line.t.tolist(), line.text(0, None), strict=True):
        if found and found[-1]["text"] == value:
            found[-1]["readings"] += 1
            continue
        if found:
            found[-1]["to"] = at
        found.append({"series": line.id, "from": at, "to": end, "value": None, "text": value,
                      "readings": 1, "since": at, "open": False})  # fmt: skip
    if found:
        found[-1]["open"] = True
    met = [one for one in found if one["to"] > start and one["from"] < end]
    return [one | {"from": max(one["from"], start), "to": min(one["to"], end)} for one in met]


class Said:
    """The routes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.marks: dict[str, dict[str, Any]] = {}
        self.verdicts: dict[str, dict[str, Any]] = {}
        self._ids = (f"{n:016x}" for n in itertools.count(1))

    def _of(self, request: Request) -> list[Line]:
        asked = request.query_params
        ids = asked["series"].split(",") if asked.get("series") else list(self.world.lines)
        lines = [self.world.lines[each] for each in ids if each in self.world.lines]
        return [
            line
            for line in lines
            if all(asked.get(k) in (None, getattr(line, k)) for k in ("gateway", "device"))
        ]

    async def states(self, request: Request) -> Response:
        start, end = (int(request.query_params[k]) for k in ("from", "to"))
        found = [one for line in self._of(request) for one in stretches(line, start, end)]
        return JSONResponse({"states": found, "from": start, "to": end, "next": None})

    async def anomalies(self, request: Request) -> Response:
        query = request.query_params
        marks = [
            mark
            for mark in self.world.lines[query["series"]].marks()
            if int(query["from"]) <= mark["ts"] < int(query["to"])
        ]
        return JSONResponse({"anomalies": marks[: int(query.get("limit", 100))]})

    async def episodes(self, request: Request) -> Response:
        asked = request.query_params
        start, end = int(asked.get("from", -(1 << 60))), int(asked.get("to", 1 << 60))
        rows = [
            row | self._said(row["id"])
            for line in self._of(request)
            for row in episodes_of(line)
            if not self.world.mode["empty"]
            if row["from"] < end and row["to"] >= start
        ]
        rows = [row for row in rows if self._wanted(row, asked)]
        rows.sort(key=lambda row: -row["peak" if asked.get("order") == "peak" else "from"])
        limit = int(asked.get("limit", 1000))
        begin = int(asked.get("cursor", 0))
        more = str(begin + limit) if begin + limit < len(rows) else None
        return JSONResponse({"episodes": rows[begin : begin + limit], "next": more})

    @staticmethod
    def _wanted(row: dict[str, Any], asked: Any) -> bool:
        said = row["verdict"] or "open"
        return (
            asked.get("metric") in (None, row["metric"])
            and asked.get("model") in (None, row["model"])
            and row["peak"] >= float(asked.get("score_min", 0))
            and ("verdict" not in asked or said in asked["verdict"].split(","))
        )

    def _said(self, episode: str) -> dict[str, Any]:
        found = self.verdicts.get(episode, {"verdict": "open"})
        if found["verdict"] == "open":
            return {"verdict": None, "verdict_note": "", "verdict_author": ""}
        return {"verdict": found["verdict"], "verdict_note": found["note"],
                "verdict_author": found["author"]}  # fmt: skip

    async def give(self, request: Request) -> Response:
        body = await request.json()
        if not body["author"]:
            return refusal(400, "bad_parameter", "`author` is ''", "1 to 100 characters")
        self.verdicts[body["episode"]] = body
        return JSONResponse(body, 201)

    async def listed(self, request: Request) -> Response:
        asked = request.query_params
        named = {line.id for line in self._of(request)}
        places = {(line.gateway, each) for line in self._of(request) for each in ("", line.device)}
        start, end = int(asked.get("from", -(1 << 60))), int(asked.get("to", 1 << 60))
        found = [
            one
            for one in self.marks.values()
            if one["withdrawn"] is None
            and (named & set(one["series"]) or (one["gateway"], one["device"]) in places)
            and one["from"] < end
            and one["to"] > start
        ]
        return JSONResponse({"marks": found, "next": None})

    async def make(self, request: Request) -> Response:
        body = await request.json()
        if body["from"] >= body["to"]:
            return refusal(400, "bad_range", "`from` does not lie before `to`", "swap them")
        empty = {"series": [], "gateway": "", "device": "", "note": ""}
        mark = {"id": next(self._ids), **empty, **body, "created": self.world.now(),
                "withdrawn": None, "withdrawn_by": ""}  # fmt: skip
        self.marks[mark["id"]] = mark
        return JSONResponse(mark, 201)

    async def withdraw(self, request: Request) -> Response:
        mark = self.marks[request.path_params["mark"]]
        mark |= {"withdrawn": self.world.now(), "withdrawn_by": request.query_params["author"]}
        return JSONResponse(mark)

    def kept(self, line: Line) -> np.ndarray:
        """Which readings of a line no mark calls bad."""
        keep = np.ones(len(line.t), bool)
        for one in self.marks.values():
            if one["kind"] == "bad" and one["withdrawn"] is None and line.id in one["series"]:
                keep &= ~((line.t >= one["from"]) & (line.t < one["to"]))
        return keep

    def routes(self) -> list[Route]:
        return [
            Route("/api/v1/states", self.states),
            Route("/api/v1/anomalies", self.anomalies),
            Route("/api/v1/episodes", self.episodes),
            Route("/api/v1/verdicts", self.give, methods=["POST"]),
            Route("/api/v1/marks", self.listed),
            Route("/api/v1/marks", self.make, methods=["POST"]),
            Route("/api/v1/marks/{mark}", self.withdraw, methods=["DELETE"]),
        ]


def refusal(status: int, code: str, message: str, hint: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message, "hint": hint}}, status)
