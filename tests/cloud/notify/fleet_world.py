"""Gateways, series and a ledger as a watch finds them, set by hand."""

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson

from cloud.lake.names import Name
from cloud.lake.table.files import FileList
from cloud.live.series import NEVER, Known
from cloud.notify.fleet import GatewayNow
from cloud.notify.notifier import Notifier
from cloud.notify.settings import Notify
from cloud.notify.watch import World
from cloud.query.events import Events
from cloud.registry.rows import GatewayRow
from cloud.settings import CloudSettings
from protos import sync_pb2 as pb
from protos.settings import read_settings
from tests.cloud.notify.told_world import Clock

S = 1_000_000
DAY_US = 86_400 * S
MIB = 1 << 20
OPS = '[notify.channels.ops]\nkind = "webhook"\nurl = "http://127.0.0.1:9/"\n'


def notify(text: str) -> Notify:
    return read_settings(text, CloudSettings).notify


def gateway(name: str, heard_us: int, **more: Any) -> GatewayNow:
    told = {
        "is_connected": False, "reports": True, "taken_bytes": 0, "buffer_bytes": 0,
        "certificate_us": 1 << 62,
    }  # fmt: skip
    return GatewayNow(name, heard_us=heard_us, **(told | more))


@dataclass
class Book:
    """Series whose last readings and anomalies are set by hand."""

    names: list[Name] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    anomalies: list[int] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)

    def say(self, path: str, value: float, ts: int, unit: str = "°C") -> int:
        """A series said something; returns its id."""
        held = ["/".join((n.gateway, n.device, n.metric)) for n in self.names]
        if path not in held:
            self.names.append(Name(*path.split("/"), unit, "{}", 0, len(held) + 1))
            self.values.append(value)
            self.times.append(ts)
            self.anomalies.append(0)
            return len(held) + 1
        at = held.index(path)
        self.values[at], self.times[at] = value, ts
        return at + 1

    def known(self) -> Known:
        count = len(self.names)
        return Known(
            list(self.names), np.ones(count, np.int64), np.array(self.anomalies, np.int64),
            np.full(count, NEVER), np.array(self.times, np.int64), np.array(self.values),
            np.full(count, None, object), np.zeros(count, np.uint8),
        )  # fmt: skip

    def retired(self) -> frozenset[int]:
        return frozenset(self.gone)


@dataclass
class Fleet:
    """A registry, streams, and what of the ledger and the live view a watch reads."""

    clock: Clock
    rows: dict[str, GatewayRow] = field(default_factory=dict)
    streams: dict[str, Any] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    lost: dict[tuple[str, int, int], Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    live: Any = None
    looks: int = 0
    looked: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.live = SimpleNamespace(told=0, book=self.book, view=None)
        self.gaps()

    def enrol(self, name: str, certificate_us: int = 1 << 60) -> None:
        self.rows[name] = GatewayRow(name, 1, 0, 0, "1", {}, certificate_us)

    def hear(self, name: str, **status: int) -> None:
        """A gateway is connected and says how it is."""
        said = pb.Status(wall_us=self.clock(), **status)
        self.streams[name] = SimpleNamespace(session=1, since_us=self.clock(), status=said)

    def leave(self, name: str) -> None:
        """Its stream ends."""
        said = self.streams[name].status
        self.streams[name] = SimpleNamespace(session=0, since_us=self.clock(), status=said)

    def gaps(self, **readings: int) -> None:
        """What gateways declared evicted, in all."""
        self.lost = {
            (name, 1, 1): SimpleNamespace(readings=count) for name, count in readings.items()
        }
        self.live.view = SimpleNamespace(tables={"gaps": FileList("", 1, ())}, lake=1)

    def anomaly(self, path: str, score: float, ts: int) -> None:
        series = self.book.say(path, 1.0, ts)
        self.book.anomalies[series - 1] += 1
        row = {"series": series, "ts": ts, "score": score, "model": "ewma 1"}
        self.events.insert(0, row)

    def ask(self, ask: Any) -> list[dict[str, Any]]:
        found = [
            row
            for row in self.events
            if ask.kind is Events.ANOMALIES
            and row["series"] in ask.series
            and ask.from_us <= row["ts"] < ask.to_us
        ]
        return sorted(found, key=lambda row: -row["ts"])[: ask.limit]

    def gateways(self) -> list[GatewayRow]:
        with self.looked:
            self.looks += 1
            self.looked.notify_all()
        return [replace(row, last_seen_us=row.last_seen_us) for row in self.rows.values()]

    def wait_for_looks(self, count: int) -> None:
        """Return once so many more looks have begun."""
        with self.looked:
            until = self.looks + count
            assert self.looked.wait_for(lambda: self.looks >= until, 30)

    @property
    def world(self) -> World:
        gap_files = SimpleNamespace(of=lambda _: self.lost)
        return World(
            self, lambda: self.streams, self.live, lambda: self.book, self.ask, gap_files,
            lambda: 0, 730 * DAY_US,
        )  # fmt: skip


@dataclass
class Told:
    """A notifier over a fleet, whose looks are made by hand; nothing is sent."""

    home: Path
    fleet: Fleet
    text: str
    notifier: Notifier = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin, as after a start of the cloud."""
        self.notifier = Notifier.of(
            notify(self.text), self.home / "notify.db", self.home, self.fleet.clock, "1"
        )
        self.notifier.begin(self.fleet.world)

    def restart(self) -> None:
        self.notifier.file.close()
        self.start()

    def look(self, seconds: float = 0) -> None:
        """Let time go by, and look as the notifier's thread does: anew where a look failed."""
        self.fleet.clock.go(seconds)
        if self.notifier._watch is None:
            self.notifier.begin(self.fleet.world)
        self.notifier.look(self.fleet.clock())

    @property
    def standing(self) -> list[str]:
        """Subjects of what stands."""
        return [key[1] for key in self.notifier.standings.open()]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """All that was put to be sent, in order."""
        rows = self.notifier.file.rows("SELECT document FROM notices ORDER BY number")
        return [orjson.loads(row["document"]) for row in rows]

    @property
    def subjects(self) -> list[str]:
        return [told["subject"] for told in self.messages]
