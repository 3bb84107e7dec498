"""Gateways and devices, from what is known in memory."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

import numpy as np

from cloud.journal.cursor import Cursor
from cloud.live.catalogue import Devices
from cloud.live.series import NEVER, Known
from cloud.registry.registry import GatewayRow
from cloud.serve import endpoint
from cloud.serve.endpoint import Values
from cloud.serve.fields import Field, Type
from cloud.serve.formats import Answer
from cloud.serve.kinds import key_text
from cloud.serve.site import Seen, Site
from protos import sync_pb2 as pb

_CLOCK: Final = "CLOCK_"
GATEWAYS: Final = (
    Field("name", Type.TEXT, "as its certificate says"),
    Field("first_seen", Type.TIME, "when it first connected", null=True),
    Field("last_seen", Type.TIME, "when it was last heard", null=True),
    Field("connected", Type.FLAG, "whether its stream is open"),
    Field("epoch", Type.WHOLE, "its buffer's present life"),
    Field("session", Type.WHOLE, "how often it connected"),
    Field("stored", Type.WHOLE, "the last block in the journal"),
    Field("archived", Type.WHOLE, "the last block in the lake"),
    Field("series", Type.WHOLE, "how many it has"),
    Field("readings", Type.WHOLE, "how many of it are in history"),
    Field("anomalies", Type.WHOLE, "how many of it are in history"),
    Field("backlog_rows", Type.WHOLE, "readings that wait in its buffer", null=True),
    Field("backlog_bytes", Type.WHOLE, "what they take there", null=True),
    Field("clock", Type.TEXT, "synced, unsynced, corrected …", null=True),
    Field("key_tier", Type.TEXT, "what guards its key", null=True),
    Field("agent_version", Type.TEXT, "of its agent", null=True),
    Field("certificate_not_after", Type.TIME, "when its certificate ends", null=True),
)
DEVICES: Final = (
    Field("gateway", Type.TEXT, "the gateway's name"),
    Field("device", Type.TEXT, "the device's name"),
    Field("metrics", Type.WHOLE, "how many series it has"),
    Field("last_ts", Type.TIME, "time of its last reading", null=True),
    Field("readings", Type.WHOLE, "how many of it are in history"),
    Field("anomalies", Type.WHOLE, "how many of it are in history"),
)


def gateways(site: Site, values: Values) -> Answer:
    """One object a gateway, by name: enrolled ones, and any the journal knows besides."""
    rows, cursors = site.registry.gateways(), site.journal.cursors()
    now, known = site.now_us(), site.live.book.known()
    found = _gateways(rows, cursors, site.presence(), known, now)
    page, next_ = _page(found, values)
    return endpoint.paged("gateways", page, GATEWAYS, next_, now=now)


def devices(site: Site, values: Values) -> Answer:
    """One object a device, by gateway and name."""
    book = site.shown.book()
    found, more = site.catalogue.devices(book, values["gateway"], values["cursor"], values["limit"])
    told = _devices(found, book.retired())
    next_ = key_text(*found.names[-1]) if more else None
    return endpoint.paged("devices", told, DEVICES, next_)


def _devices(found: Devices, retired: frozenset[int]) -> list[dict[str, Any]]:
    """Those with a series that is not retired."""
    if not found.names:
        return []
    known, at, starts = found.known, found.at, found.starts
    metrics = np.diff(np.append(starts, len(at))).tolist()
    readings = np.add.reduceat(known.readings[at], starts).tolist()
    anomalies = np.add.reduceat(known.anomalies[at], starts).tolist()
    # Of a series without a reading it is below all times.
    last = np.maximum.reduceat(known.last_ts[at], starts).tolist()
    ended = np.array([known.names[i].id in retired for i in at.tolist()]) if retired else at < 0
    gone = np.logical_and.reduceat(ended, starts).tolist()
    columns = zip(found.names, metrics, last, readings, anomalies, gone, strict=True)
    return [
        {
            "gateway": name[0],
            "device": name[1],
            "metrics": of,
            "last_ts": last_ts if last_ts > NEVER else None,
            "readings": count,
            "anomalies": odd,
        }
        for name, of, last_ts, count, odd, is_gone in columns
        if not is_gone
    ]


def _page(found: list[dict[str, Any]], values: Values) -> tuple[list[dict[str, Any]], str | None]:
    """The gateways behind the cursor, by name."""
    after = values["cursor"]
    start = bisect_right(found, after[0], key=itemgetter("name")) if after is not None else 0
    page = found[start : start + values["limit"]]
    more = start + len(page) < len(found)
    return page, key_text(page[-1]["name"]) if more else None


def _gateways(
    rows: Sequence[GatewayRow],
    cursors: Sequence[Cursor],
    seen: Mapping[str, Seen],
    known: Known,
    now_us: int,
) -> list[dict[str, Any]]:
    """A connected one is seen now: its stream's keep-alive would have ended it otherwise."""
    by_name = {row.name: row for row in rows}
    cursor_of = {cursor.gateway: cursor for cursor in cursors}
    totals = _totals(known, [name.gateway for name in known.names])
    return [
        _gateway(
            name,
            by_name.get(name),
            cursor_of.get(name, Cursor(name)),
            seen.get(name),
            totals.get(name, _NONE),
            now_us,
        )
        for name in sorted(by_name.keys() | cursor_of.keys())
    ]


def _gateway(
    name: str,
    row: GatewayRow | None,
    cursor: Cursor,
    seen: Seen | None,
    totals: Mapping[str, int | None],
    now_us: int,
) -> dict[str, Any]:
    is_here = seen is not None and seen.session != 0
    status = seen.status if seen is not None else None
    told = row.status if row is not None else {}

    def number(field: str) -> int | None:
        """From the live stream, else what the registry kept (whole numbers may be strings)."""
        if status is not None:
            return int(getattr(status, field))
        kept = told.get(field)
        return int(kept) if isinstance(kept, int | str) and str(kept).isdecimal() else None

    clock = status.clock_quality if status is not None else told.get("clock_quality")
    tier = status.key_tier if status is not None else told.get("key_tier")
    return {
        "name": name,
        "first_seen": (row.first_seen_us or None) if row else None,
        "last_seen": now_us if is_here else (row.last_seen_us or None) if row else None,
        "connected": is_here,
        "epoch": cursor.epoch,
        "session": cursor.session,
        "stored": cursor.stored,
        "archived": cursor.archived,
        "series": totals["series"],
        "readings": totals["readings"],
        "anomalies": totals["anomalies"],
        "backlog_rows": number("backlog_rows"),
        "backlog_bytes": number("backlog_bytes"),
        "clock": _clock(clock),
        "key_tier": tier or None,
        "agent_version": (row.agent_version or None) if row else None,
        "certificate_not_after": (row.certificate_not_after_us or None) if row else None,
    }


def _clock(quality: object) -> str | None:
    """`sensor`, `gateway-synced` …: the enum's member without its prefix."""
    if isinstance(quality, int):
        known = pb.ClockQuality.values()
        quality = (
            pb.ClockQuality.Name(pb.ClockQuality.ValueType(quality)) if quality in known else ""
        )
    if not isinstance(quality, str) or not quality or quality.endswith("UNSPECIFIED"):
        return None
    return quality.removeprefix(_CLOCK).lower().replace("_", "-")


_NONE: Final[Mapping[str, int | None]] = {
    "series": 0,
    "readings": 0,
    "anomalies": 0,
    "last_ts": None,
}


def _totals(known: Known, keys: Sequence[Any]) -> dict[Any, Mapping[str, int | None]]:
    """Sums over the series of each key."""
    if not keys:
        return {}
    number: dict[Any, int] = {}
    group = np.array([number.setdefault(key, len(number)) for key in keys])
    readings, anomalies, count = (np.zeros(len(number), np.int64) for _ in range(3))
    last = np.full(len(number), np.iinfo(np.int64).min)
    np.add.at(readings, group, known.readings)
    np.add.at(anomalies, group, known.anomalies)
    np.add.at(count, group, 1)
    np.maximum.at(last, group, known.last_ts)
    return {
        key: {
            "series": int(count[i]),
            "readings": int(readings[i]),
            "anomalies": int(anomalies[i]),
            "last_ts": int(last[i]) if readings[i] else None,
        }
        for key, i in number.items()
    }
