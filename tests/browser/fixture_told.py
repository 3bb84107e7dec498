"""What the stand-in server tells of people: what they are told of, and who is signed in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000


class ToldApi:
    """Routes about alerts and the session, over the data of a world (`fixture_api.World`)."""

    def __init__(self, world: Any) -> None:
        self.world = world

    async def session(self, _request: Request) -> Response:
        """Who asks: nobody has to sign in, but where a test says who did."""
        role = self.world.mode["role"]
        told = {"sign_in": False, "way": "open", "name": None, "role": "admin", "expires": None}
        if role is not None:
            told |= {"sign_in": True, "way": "session", "name": "ann", "role": role}
        return JSONResponse(told)

    async def standing(self, request: Request) -> Response:
        query = request.query_params
        rows = [] if self.world.mode["empty"] else standings(self.world.now0)
        found = [
            row
            for row in rows
            if (query.get("which") == "all" or row["ended"] is None)
            and all(query.get(key) in (None, row[key]) for key in ("what", "gateway"))
        ]
        return JSONResponse(self._paged("standing", found, query))

    async def notices(self, request: Request) -> Response:
        query = request.query_params
        rows = [] if self.world.mode["empty"] else notices(self.world.now0)
        found = [
            row
            for row in rows
            if all(query.get(key) in (None, row[key]) for key in ("channel", "state"))
        ]
        dropped = [{"channel": "old-pager", "reason": "its channel was removed", "count": 3}]
        answer = self._paged("notices", found, query)
        return JSONResponse(answer | {"dropped": [] if self.world.mode["empty"] else dropped})

    def _paged(self, name: str, rows: list[dict[str, Any]], query: Any) -> dict[str, Any]:
        begin, limit = int(query.get("cursor", 0)), int(query.get("limit", 1000))
        more = str(begin + limit) if begin + limit < len(rows) else None
        return {name: rows[begin : begin + limit], "next": more, "now": self.world.now()}

    def routes(self) -> Iterable[Route]:
        yield Route("/api/v1/session", self.session)
        yield Route("/api/v1/standing", self.standing)
        yield Route("/api/v1/notices", self.notices)


def standings(now: int) -> list[dict[str, Any]]:
    """One alert of every kind, a critical one among them; one that ended."""
    base = {"rule": "silence", "severity": "warning", "device": None, "metric": None,
            "ended": None}  # fmt: skip
    pump = {"gateway": "pump-house", "device": "pump-1"}
    rows = [
        {**base, "what": "silence", "severity": "critical", "gateway": "greenhouse-3",
         "began": now - 3 * HOUR, "detail": {"silent_s": 300.0}},
        {**base, **pump, "what": "limit", "rule": "pumps", "metric": "bearing_temperature",
         "began": now - 11 * MINUTE, "detail": {"value": 61.2, "above": 60.0, "unit": "°C"}},
        {**base, **pump, "what": "episode", "rule": "episode", "severity": "info",
         "metric": "vibration", "began": now - HOUR,
         "detail": {"anomalies": 4, "peak": 9.61, "model": "window-residual-1.0"}},
        {**base, "what": "buffer", "rule": "buffer", "gateway": "quay-crane-2",
         "began": now - 2 * HOUR, "detail": {"share": 0.86, "days": 0.7}},
        {**base, "what": "certificate", "rule": "certificate", "gateway": "quay-crane-2",
         "began": now - 18 * DAY, "detail": {"left_days": 12.0}},
        {**base, "what": "gap", "rule": "gap", "gateway": "greenhouse-3", "began": now - 12 * DAY,
         "ended": now - 12 * DAY + 5 * HOUR, "detail": {"reason": "evicted", "readings": 5_100}},
    ]  # fmt: skip
    return [{"id": f"{n:032x}", **row} for n, row in enumerate(rows)]


def notices(now: int) -> list[dict[str, Any]]:
    """One message that is tried again and again, and older ones that arrived."""
    base = {"channel": "ops", "severity": "critical", "state": "delivered", "attempts": 1,
            "due": None, "error": ""}  # fmt: skip
    waiting = {"channel": "night", "severity": "warning", "state": "waiting", "attempts": 6,
               "due": now + 5 * MINUTE, "done": None,
               "error": "mail.example.org:587: connection refused"}  # fmt: skip
    silent = {"subject": "greenhouse-3: gateway is silent", "made": now - 3 * HOUR}
    rows = [
        {**base, **waiting, "subject": "pump-house/pump-1/bearing_temperature: series is past its"
         " limit", "made": now - 10 * MINUTE},
        {**base, **silent, "done": now - 3 * HOUR + 2 * SECOND},
    ]  # fmt: skip
    rows += [
        {**base, "severity": "info", "subject": f"{n} series have anomalies",
         "made": now - n * DAY, "done": now - n * DAY + SECOND}
        for n in range(2, 26)
    ]  # fmt: skip
    return [{"id": f"{n:032x}", **row} for n, row in enumerate(rows)]
