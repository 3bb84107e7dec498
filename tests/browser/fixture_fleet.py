"""The fleet's half of the stand-in server: gateways, gaps, ledger, quarantine, the search."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000


class FleetApi:
    """Routes about gateways, over the data of a world (`fixture_api.World`)."""

    def __init__(self, world: Any) -> None:
        self.world = world

    async def gateways(self, request: Request) -> Response:
        now, mode = self.world.now(), self.world.mode
        found = [] if mode["empty"] else [*gateways(now), *more_gateways(now, mode["gateways"])]
        wanted = request.query_params.get("gateway")
        found = [one for one in found if wanted in (None, "", one["name"])]
        return JSONResponse({"now": now, "gateways": found, "next": None})

    async def ledger(self, request: Request) -> Response:
        wanted = request.query_params.get("gateway")
        rows = [] if self.world.mode["empty"] else ledger()
        return JSONResponse({"ledger": [r for r in rows if wanted in (None, r["gateway"])]})

    async def gaps(self, request: Request) -> Response:
        wanted = request.query_params.get("gateway")
        rows = [r for r in gaps(self.world.now0) if wanted in (None, r["gateway"])]
        return JSONResponse({"gaps": rows, "next": None})

    async def quarantine(self, request: Request) -> Response:
        query, now = request.query_params, self.world.now0
        rows = [] if self.world.mode["empty"] else quarantine(now)
        states, part = query.get("state"), query.get("q", "").casefold()
        found = [
            row
            for row in rows
            if query.get("gateway") in (None, row["gateway"])
            and (states is None or row["state"] in states.split(","))
            and (part in f"{row['block']} {row['gateway']} {row['reason']}".casefold())
        ]
        head = {"total": len(found), "now": now, "next": None}
        return JSONResponse({"quarantine": found, **head})

    async def block(self, request: Request) -> Response:
        wanted, now = request.path_params["block"], self.world.now0
        row = next((one for one in quarantine(now) if one["block"] == wanted), None)
        if row is None:
            error = {"code": "not_found", "message": "no such block is set apart", "hint": ""}
            return JSONResponse({"error": error}, 404)
        header = {
            "rows": {"numeric": row["readings"], "text": 0}, "ts_min": now - 3 * DAY,
            "ts_max": now - 2 * DAY, "sealed": now - 2 * DAY, "boot_id": "0f" * 16, "chunks": 4,
        }  # fmt: skip
        is_held = row["state"] == "held"
        return JSONResponse(
            {**row, "kept": is_held, "header": header if is_held else None, "fault": ""}
        )

    async def series(self, request: Request) -> Response:
        query = request.query_params
        lines = [] if self.world.mode["empty"] else self.world.lines.values()
        found = [line.facts() for line in lines if _is_wanted(line.facts(), query)]
        found.sort(key=lambda one: (one["gateway"], one["device"], one["metric"]))
        head = {"total": len(found), "now": self.world.now(), "next": None}
        self.world.searched.append(dict(query))
        return JSONResponse({"series": found[: int(query.get("limit", 1_000))], **head})

    async def searched(self, _request: Request) -> Response:
        return JSONResponse(self.world.searched)

    def routes(self) -> Iterable[Route]:
        names = ("gateways", "ledger", "gaps", "quarantine", "series")
        yield from (Route(f"/api/v1/{name}", getattr(self, name)) for name in names)
        yield Route("/api/v1/quarantine/{block}", self.block)
        yield Route("/fixture/searched", self.searched)


def _is_wanted(facts: dict[str, Any], query: Any) -> bool:
    name = f"{facts['gateway']}/{facts['device']}/{facts['metric']}"
    labels = " ".join(f"{key} {value}" for key, value in facts["labels"].items())
    return (
        all(query.get(key) in (None, facts[key]) for key in ("gateway", "device", "unit"))
        and query.get("q", "").casefold() in f"{name} {labels}".casefold()
        and fnmatch(name, query.get("match", "*"))
        and facts["kind"] in query.get("kind", facts["kind"]).split(",")
        and ("series" not in query or facts["id"] in query["series"].split(","))
    )


def ledger() -> list[dict[str, Any]]:
    """One epoch that is whole, one that is behind, one that lost something."""
    base = {
        "generation": 0, "open": True, "archived_readings": 900_000, "quarantined_blocks": 0,
        "quarantined_readings": 0, "discarded_blocks": 0, "discarded_readings": 0,
        "forked_blocks": 0, "deleted_blocks": 0, "gaps": {}, "reasons": [],
    }  # fmt: skip
    whole = {"expected": 902, "stored": 902, "archived": 902, "readings": 900_000,
             "blocks": 902, "archived_blocks": 902, "in_lake": 900_000}  # fmt: skip
    lost = {"open": False, "quarantined_blocks": 1, "quarantined_readings": 40,
            "in_lake": 899_960, "gaps": {"evicted": {"records": 2, "readings": 7_300}},
            "reasons": ["block 17: body, zstd frame at byte 3: 12 plain bytes"]}  # fmt: skip
    return [
        {"gateway": "greenhouse-3", "epoch": 1, **base, **whole, **lost},
        {"gateway": "greenhouse-3", "epoch": 2, **base, **whole},
        {"gateway": "quay-crane-2", "epoch": 1, **base, **whole, "expected": 951, "archived": 870},
    ]


def gaps(now: int) -> list[dict[str, Any]]:
    """What one gateway lost: twice to a full buffer."""
    base = {"gateway": "greenhouse-3", "reason": "evicted", "epoch": 1}
    return [
        {**base, "from": now - 12 * DAY, "to": now - 12 * DAY + 5 * HOUR, "readings": 5_100},
        {**base, "from": now - 40 * DAY, "to": now - 40 * DAY + 2 * HOUR, "readings": 2_200},
    ]


def quarantine(now: int) -> list[dict[str, Any]]:
    """One block that is held, one of another stream, one that was given up."""
    base = {"epoch": 1, "attempts": 3, "settled": None, "why": "", "cause": "poison",
            "state": "held", "readings": 40, "bytes": 2_210, "offset": 91}  # fmt: skip
    torn = "body, zstd frame at byte 3: 12 plain bytes"
    return [
        {**base, "block": "a1" * 32, "gateway": "greenhouse-3", "seq": 17, "reason": torn,
         "since": now - 2 * DAY},
        {**base, "block": "b2" * 32, "gateway": "pump-house", "seq": 402, "cause": "fork",
         "reason": "another block holds this place", "since": now - 5 * DAY, "offset": 0},
        {**base, "block": "c3" * 32, "gateway": "quay-crane-2", "seq": 3, "state": "discarded",
         "reason": torn, "since": now - 50 * DAY, "settled": now - 49 * DAY,
         "why": "a bad card, replaced"},
    ]  # fmt: skip


_KNOWN = {
    "epoch": 1, "session": 4, "stored": 18_240, "archived": 18_238, "series": 12,
    "readings": 41_730_112, "anomalies": 3, "backlog_rows": 140, "backlog_bytes": 9_800,
    "backlog_pace": 0.1, "backlog_eta_s": None, "buffer_bytes": 41_000_000,
    "buffer_bytes_max": 512_000_000, "rejected": 0, "evicted": 0, "clock": "synced",
    "key_tier": "file", "agent_version": "0.1.0", "connected": True, "silent_s": 300.0,
}  # fmt: skip


def gateways(now: int) -> list[dict[str, Any]]:
    """One gateway of every health."""
    base = {
        **_KNOWN, "first_seen": now - 200 * DAY, "last_seen": now - 2 * SECOND,
        "last_ts": now - 3 * SECOND, "certificate_issued": now - 55 * DAY,
        "certificate_not_after": now + 310 * DAY,
    }  # fmt: skip
    silent = {"connected": False, "last_seen": now - 3 * HOUR - 240 * SECOND, "anomalies": 6,
              "stored": 902, "archived": 902, "readings": 7_575, "backlog_rows": 0, "series": 1,
              "backlog_bytes": 0, "certificate_not_after": now + 61 * DAY, "evicted": 7_300,
              "last_ts": now - 3 * HOUR - 240 * SECOND, "backlog_pace": None,
              "key_tier": "tpm"}  # fmt: skip
    behind = {"backlog_rows": 1_204_551, "backlog_bytes": 6_201_344, "clock": "unsynced",
              "certificate_not_after": now + 12 * DAY, "anomalies": 0, "session": 31,
              "stored": 771, "archived": 512, "readings": 2_990_418, "rejected": 83,
              "backlog_pace": -402.0, "backlog_eta_s": 2_996,
              "buffer_bytes": 440_000_000}  # fmt: skip
    new = dict.fromkeys(
        ("last_seen", "backlog_rows", "backlog_bytes", "backlog_pace", "backlog_eta_s", "clock",
         "buffer_bytes", "buffer_bytes_max", "rejected", "evicted", "key_tier", "agent_version",
         "last_ts")
    )  # fmt: skip
    new |= dict.fromkeys(
        ("epoch", "session", "stored", "archived", "series", "readings", "anomalies"), 0
    )
    new |= {"connected": False, "first_seen": now - HOUR}
    return [
        {"name": "pump-house", **base, "series": 5, "anomalies": 2},
        {"name": "greenhouse-3", **base, **silent},
        {"name": "quay-crane-2", **base, **behind},
        {"name": "kiln-north", **base},
        {"name": "boiler-annex", **base, **new},
    ]


def more_gateways(now: int, count: int) -> list[dict[str, Any]]:
    """As many well gateways again as a large fleet needs; every 50th of them is silent."""
    well = next(one for one in gateways(now) if one["name"] == "kiln-north")
    away = {"connected": False, "last_seen": now - HOUR}
    return [
        {**well, "name": f"mast-{i}", "backlog_rows": i, **(away if i % 50 == 7 else {})}
        for i in range(count)
    ]
