"""The HTTP API over a small lake and tail, called without a server."""

import time
from pathlib import Path

from starlette.testclient import TestClient

from cloud.access.access import Access
from cloud.lake.consolidator import Consolidator
from cloud.lake.names import Names
from cloud.live.live import Live
from cloud.query.history import Query
from cloud.registry.registry import GatewayRow
from cloud.registry.registry import Registry as OwnRegistry
from cloud.rollup.partials import MINUTE_US
from cloud.series.marks import Marks
from cloud.series.operations import Operations
from cloud.series.verdicts import Verdicts
from cloud.serve.app import build_app
from protos import sync_pb2 as pb
from tests.cloud.lake_world import T0, Gateway, MemoryJournal


class Registry:
    """Two enrolled gateways, of which one has connected."""

    def gateways(self) -> list[GatewayRow]:
        status = {"backlog_rows": "7", "clock_quality": "CLOCK_SYNCED", "key_tier": "file"}
        return [
            GatewayRow("gw-1", 1, 2, 3, "0.1", status, 99),
            GatewayRow("gw-new", 1, 0, 0, "", {}, 98),
        ]


class Seen:
    session = 4
    since_us = T0
    status = pb.Status(backlog_rows=5, backlog_bytes=6, clock_quality=pb.CLOCK_UNSYNCED)


class World:
    def __init__(
        self, root: Path, dist: Path | None = None, *, may_be_open: bool = True, **more
    ) -> None:
        self.journal = MemoryJournal()
        self.gateway = Gateway(self.journal)
        names = Names(self.journal.series)
        self.live = Live(self.journal, names)
        self.consolidator = Consolidator(root, self.journal, names, self.live)
        self.consolidator.recover()
        self.query = Query(self.live, threads=1)
        self.registry_path = root.parent / "registry.db"
        self.registry = OwnRegistry.open(self.registry_path)
        self.marks = Marks(self.registry)
        self.operations = Operations(self.registry)
        self.ahead_s = 0.0
        """How far the clock is put ahead by which the access looks at what others changed."""
        self.access = Access(
            OwnRegistry.open(self.registry_path), may_be_open=may_be_open,
            clock_s=lambda: time.monotonic() + self.ahead_s,
        )  # fmt: skip
        self.app = build_app(
            self.query, self.live, Registry(), self.journal, dist, marks=self.marks,
            operations=self.operations, verdicts=Verdicts(self.registry),
            access=self.access, **more,
        )  # fmt: skip
        self.client = TestClient(self.app, base_url="http://localhost:8460")

    def fill(self) -> None:
        gateway = self.gateway
        minutes = [T0 + i * MINUTE_US for i in range(60)]
        gateway.send(
            gateway.numbers("pump", minutes, [float(i) for i in range(60)]),
            gateway.scores("pump", minutes[9:10], [9.0]),
        )
        while self.consolidator.run_once().more:
            pass
        gateway.send(gateway.texts("door", [T0], ["open"]))
        while self.live.advance():
            pass

    def get(self, path: str, status: int = 200) -> dict:
        response = self.client.get(path)
        assert response.status_code == status, response.text
        return response.json()

    def id(self, device: str) -> str:
        return next(s["id"] for s in self.get("/api/v1/series")["series"] if s["device"] == device)

    def close(self) -> None:
        self.live.stop()
        self.consolidator.close()
        self.query.close()
        self.registry.close()
        self.access.registry.close()
