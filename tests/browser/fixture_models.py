"""The models' part of the stand-in server: what is published, rolled out, and run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MINUTE, DAY = 60_000_000, 86_400_000_000


class ModelsApi:
    """Routes about models; a rollout that is taken back stays so."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.back: dict[int, dict[str, Any]] = {}

    async def models(self, _request: Request) -> Response:
        found = [] if self.world.mode["empty"] else models(self.world.now0)
        return JSONResponse({"models": found})

    async def rollouts(self, _request: Request) -> Response:
        found = [] if self.world.mode["empty"] else rollouts(self.world.now0)
        told = [one | self.back.get(one["id"], {}) for one in found]
        return JSONResponse({"now": self.world.now(), "rollouts": told, "next": None})

    async def running(self, request: Request) -> Response:
        wanted = request.query_params.get("gateway")
        found = [] if self.world.mode["empty"] else running(self.world.now0)
        told = [one for one in found if wanted in (None, "", one["gateway"])]
        return JSONResponse({"now": self.world.now(), "running": told, "next": None})

    async def rollback(self, request: Request) -> Response:
        body, number = await request.json(), int(request.path_params["rollout"])
        told = {"stage": "back", "why": body["note"], "by": body["author"], "gateways": 0}
        self.back[number] = told | {"since": self.world.now()}
        return JSONResponse({"id": number, **told})

    def routes(self) -> Iterable[Route]:
        yield Route("/api/v1/models", self.models)
        yield Route("/api/v1/models/running", self.running)
        yield Route("/api/v1/rollouts", self.rollouts)
        yield Route("/api/v1/rollouts/{rollout}/rollback", self.rollback, methods=["POST"])


def models(now: int) -> list[dict[str, Any]]:
    """Two versions of one model."""
    base = {"name": "pump-shapes", "published_by": "ada", "bytes": 48_120}
    about = "Shapes of a pump's day that repeat."
    return [
        {**base, "version": "2", "sha256": "2b" * 32, "published": now - DAY, "about": about,
         "gateways": 0},
        {**base, "version": "1", "sha256": "1a" * 32, "published": now - 30 * DAY, "about": "",
         "gateways": 3},
    ]  # fmt: skip


def rollouts(now: int) -> list[dict[str, Any]]:
    """One in canary, one that was taken back by itself, one that is done."""
    base = {
        "name": "pump-shapes", "sha256": "2b" * 32, "share": 0.1, "auto": True, "hold_s": 86_400,
        "trial_s": 3_600, "downgrade": False, "created_by": "ada", "note": "", "why": "",
        "by": "ada", "fetching": 0, "tried": 0, "good": 0, "failed": 0, "refused": 0,
    }  # fmt: skip
    return [
        {**base, "id": 7, "version": "2", "stage": "canary", "since": now - 40 * MINUTE,
         "created": now - DAY, "gateways": 2, "tried": 1, "fetching": 1},
        {**base, "id": 6, "version": "1.9", "stage": "back", "since": now - 3 * DAY,
         "created": now - 4 * DAY, "gateways": 0, "failed": 1, "by": "tidegate",
         "why": "it failed on quay-crane-2 of 1 that answered: died: its process ended: "
         "killed by signal 11"},
        {**base, "id": 5, "version": "1", "stage": "done", "since": now - 20 * DAY,
         "created": now - 30 * DAY, "gateways": 3, "good": 3, "note": "after the new bearings"},
    ]  # fmt: skip


def running(now: int) -> list[dict[str, Any]]:
    """What three gateways run."""
    base = {
        "name": "pump-shapes", "version": "1", "rollout": 5, "stage": "all", "state": "good",
        "reason": "", "heard": now - 8_000_000, "windows": 1_204_000, "scored": 1_204_000,
        "alarms": 3, "beside_alarms": 0, "errors": 0, "mean_us": 1.32, "p99_us": 9.8,
        "memory_bytes": 0, "series_weeks": 2.41, "promised_per_week": 1.0,
        "alarms_per_week": 1.24, "bytes_held": 0,
    }  # fmt: skip
    tried = {"version": "2", "rollout": 7, "stage": "canary", "state": "tried", "scored": 4_100,
             "windows": 4_100, "alarms": 0, "memory_bytes": 71_000_000, "mean_us": 14.2,
             "series_weeks": 0.02}  # fmt: skip
    return [
        {**base, "gateway": "greenhouse-3"},
        {**base, **tried, "gateway": "greenhouse-3"},
        {**base, "gateway": "pump-house", "alarms": 2},
        {**base, **tried, "gateway": "pump-house", "state": "fetching", "scored": 0, "windows": 0,
         "mean_us": 0.0, "memory_bytes": 0, "series_weeks": 0.0, "alarms_per_week": None},
        {**base, "gateway": "quay-crane-2"},
        {**base, "gateway": "quay-crane-2", "version": "1.9", "rollout": 6, "stage": "canary",
         "state": "failed", "reason": "died: its process ended: killed by signal 11",
         "errors": 1},
    ]  # fmt: skip
