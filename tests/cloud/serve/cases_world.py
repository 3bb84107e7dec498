"""A cloud with the real journal, lake, live view and HTTP API; a gateway's blocks made by hand."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from starlette.testclient import TestClient

from cloud.access.access import Access
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.lake.consolidator import Consolidator
from cloud.lake.names import Names
from cloud.live.live import Live
from cloud.query.history import Query
from cloud.registry.registry import Registry
from cloud.rollup.partials import MINUTE_US
from cloud.series.marks import Marks
from cloud.series.operations import Operations
from cloud.series.verdicts import Verdicts
from cloud.serve.app import build_app
from protos import sync_pb2 as pb
from protos.records import Batch
from protos.series import SeriesEntry, SeriesKey, SeriesKind, make_entry
from tests.cloud.lake_world import T0, Gateway
from tests.contract.segmented import SMALL
from tests.contract.sender import WAIT_S

Row = tuple[int, float | str]
Value = float | None


TAILS = (0, 2)
"""Of `CasesWorld.split`: blocks of four that are in the tail."""


def us(*date: int, zone: str = "UTC") -> int:
    """A local time of a zone in µs since 1970."""
    when = datetime(*date, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def rows_of(count: int, start: int = T0, every: int = MINUTE_US) -> list[tuple[int, float]]:
    """Readings 0.0, 1.0, 2.0 … at even times."""
    return [(start + at * every, float(at)) for at in range(count)]


class Line:
    """What `Gateway` needs of a journal, over a session with the real one."""

    def __init__(self, journal: SqliteJournal, name: str) -> None:
        self.journal, self.name = journal, name
        self.tables: dict[tuple[str, int], list[SeriesEntry]] = {}
        self._declared = 0
        hello = pb.Hello(protocol_min=1, protocol_max=1, gateway=name, boot_id=bytes(16))
        replies = journal.hello(name, hello, 4 << 20).result(WAIT_S).replies
        self._session = replies[0].resume.session
        asked = pb.EpochRequest(session=self._session, closed_epoch=0, why="a new gateway")
        journal.request_epoch(name, asked).result(WAIT_S)

    def add(self, gateway: str, epoch: int, seq: int, data: bytes) -> None:
        """Store a block, and before it the series that it needs; acknowledged on return."""
        fresh = self.tables[gateway, epoch][self._declared :]
        if fresh:
            at = (gateway, self._session, epoch, self._declared + 1, fresh)
            self.journal.declare(*at).result(WAIT_S)
            self._declared += len(fresh)
        reply = self.journal.append(gateway, self._session, epoch, seq, data).result(WAIT_S)
        assert reply.replies[0].ack.stored == seq, reply


class CasesWorld:
    """`put` is stored and in the tail; `consolidate` brings what is stored into the tables."""

    def __init__(self, root: Path) -> None:
        self.journal = SqliteJournal.open(
            root / "journal", now_us=lambda: time.time_ns() // 1000, limits=SMALL
        )
        names = Names(self.journal.series)
        self.live = Live(self.journal, names)
        self.at_step: Callable[[str], None] = lambda _: None
        self.consolidator = Consolidator(
            root / "lake", self.journal, names, self.live, step=lambda step: self.at_step(step)
        )
        self.consolidator.recover()
        self.query = Query(self.live, threads=1)
        self.registry = Registry.open(root / "registry.db")
        app = build_app(
            self.query, self.live, self.registry, self.journal, None,
            marks=Marks(self.registry), operations=Operations(self.registry),
            access=Access(self.registry, may_be_open=True),
            verdicts=Verdicts(self.registry),
        )  # fmt: skip
        self.client = TestClient(app, base_url="http://localhost:8460")
        self.gateway = Gateway(Line(self.journal, "gw-1"))  # type: ignore[arg-type]

    def close(self) -> None:
        self.live.stop()
        self.consolidator.close()
        self.query.close()
        self.registry.close()
        self.journal.close()

    def put(self, rows: Sequence[Row], device: str = "meter") -> None:
        """One block with numbers or texts of a device, in the tail when this returns."""
        times, values = [ts for ts, _ in rows], [value for _, value in rows]
        made: Batch
        if isinstance(values[0], str):
            made = self.gateway.texts(device, times, values)  # type: ignore[arg-type]
        else:
            made = self.gateway.numbers(device, times, values)  # type: ignore[arg-type]
        self.gateway.send(made)
        self.catch_up()

    def declare(self, device: str, kind: SeriesKind) -> None:
        """Make the device's series one of another kind than a gauge, before anything is put."""
        key = SeriesKey(device, "temperature", (("room", "hall"),), "°C", kind)
        table = self.gateway.table
        table.append(make_entry(len(table) + 1, len(table) + 1, key, bytes(16)))

    def catch_up(self) -> None:
        while self.live.advance():
            pass

    def consolidate(self) -> None:
        while self.consolidator.run_once().more:
            pass

    def split(self, rows: Sequence[Row], device: str = "meter", *, tail: int = 0) -> None:
        """The rows in four blocks, of which the last ``tail`` stay in the journal's tail."""
        size = max(1, -(-len(rows) // 4))
        parts = [rows[at : at + size] for at in range(0, len(rows), size)]
        for at, part in enumerate(parts):
            if at == len(parts) - tail:
                self.consolidate()
            self.put(part, device)
        if not tail:
            self.consolidate()

    def get(self, path: str, **asked: Any) -> Any:
        """An answer of the API as JSON."""
        params = {name.rstrip("_"): str(value) for name, value in asked.items()}
        response = self.client.get(f"/api/v1/{path}", params=params)
        assert response.status_code == 200, response.text
        return response.json()

    def id(self, device: str = "meter") -> str:
        return next(s["id"] for s in self.get("series")["series"] if s["device"] == device)

    def history(self, device: str = "meter", **asked: Any) -> dict[str, Any]:
        """The answer about one series."""
        (series,) = self.get("history", series=self.id(device), **asked)["series"]
        return dict(series)

    def raw(self, device: str = "meter", from_: int = T0, to: int = T0 + (1 << 50)) -> list[Row]:
        """Every reading of a range, over the pages of the answer; texts as texts."""
        found: list[Row] = []
        asked: dict[str, Any] = {"resolution": "raw", "from_": from_, "to": to, "limit": 50}
        while True:
            answer = self.get("history", series=self.id(device), **asked)
            for series in answer["series"]:
                texts = series.get("text") or [None] * len(series["t"])
                values = zip(series["v"], texts, strict=True)
                told = [text if text is not None else value for value, text in values]
                found += zip(series["t"], told, strict=True)
            if answer["next"] is None:
                return found
            asked["cursor"] = answer["next"]
