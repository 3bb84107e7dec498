"""Gateways and devices, from what is known in memory."""

from bisect import bisect_right
from typing import Any, Final

import numpy as np

from cloud.journal.cursor import Cursor
from cloud.live.catalogue import Devices
from cloud.live.series import NEVER
from cloud.notify.silence import REPORT_LATE_US
from cloud.registry.registry import GatewayRow
from cloud.serve import endpoint
from cloud.serve.backlog import seconds_left
from cloud.serve.endpoint import Values
from cloud.serve.fields import Field, Type
from cloud.serve.formats import Answer
from cloud.serve.kinds import key_text
from cloud.serve.site import Seen, Site
from cloud.serve.totals import NOTHING, Totals
from protos import sync_pb2 as pb

_CLOCK: Final = "CLOCK_"
GATEWAYS: Final = (
    Field("name", Type.TEXT, "as its certificate says"),
    Field("first_seen", Type.TIME, "when it first connected", null=True),
    Field("last_seen", Type.TIME, "when it was last heard", null=True),
    Field("silent_s", Type.NUMBER, "it is silent when it was not heard for so many seconds"),
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
    Field("backlog_pace", Type.NUMBER, "readings a second by which it grows; below 0 it shrinks"),
    Field("backlog_eta_s", Type.WHOLE, "seconds until it is empty at that pace", null=True),
    Field("buffer_bytes", Type.WHOLE, "size of its buffer", null=True),
    Field("buffer_bytes_max", Type.WHOLE, "what its buffer may take", null=True),
    Field("rejected", Type.WHOLE, "messages it could not read", null=True),
    Field("evicted", Type.WHOLE, "readings that its full buffer gave up", null=True),
    Field("clock", Type.TEXT, "synced, unsynced, corrected …", null=True),
    Field("key_tier", Type.TEXT, "what guards its key", null=True),
    Field("agent_version", Type.TEXT, "of its agent", null=True),
    Field("last_ts", Type.TIME, "time of its newest reading in history", null=True),
    Field("certificate_issued", Type.TIME, "since when its certificate is good", null=True),
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
    wanted = values["gateway"]
    rows, cursors = site.registry.gateways(), site.journal.cursors()
    by_name = {row.name: row for row in rows if wanted in (None, row.name)}
    cursor_of = {one.gateway: one for one in cursors if wanted in (None, one.gateway)}
    names = sorted(by_name.keys() | cursor_of.keys())
    after, limit = values["cursor"], values["limit"]
    start = bisect_right(names, after[0]) if after is not None else 0
    page = names[start : start + limit]
    now, seen, totals = site.now_us(), site.presence(), site.totals.of(site.live.book)
    told = [
        _gateway(
            name,
            by_name.get(name),
            cursor_of.get(name, Cursor(name)),
            seen.get(name),
            totals.get(name, NOTHING),
            site.pace(name),
            site.silent_s(name),
            now,
        )
        for name in page
    ]
    next_ = key_text(page[-1]) if start + len(page) < len(names) else None
    return endpoint.paged("gateways", told, GATEWAYS, next_, now=now)


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


def _gateway(
    name: str,
    row: GatewayRow | None,
    cursor: Cursor,
    seen: Seen | None,
    totals: Totals,
    pace: float | None,
    silent_s: float,
    now_us: int,
) -> dict[str, Any]:
    """What is known of one."""
    is_here = seen is not None and seen.session != 0
    status = seen.status if seen is not None else None
    told = row.status if row is not None else {}

    def number(field: str) -> int | None:
        """From the live stream, else what the registry kept (whole numbers may be strings)."""
        if status is not None:
            return int(getattr(status, field))
        kept = told.get(field)
        return int(kept) if isinstance(kept, int | str) and str(kept).isdecimal() else None

    rows = number("backlog_rows")
    clock = status.clock_quality if status is not None else told.get("clock_quality")
    tier = status.key_tier if status is not None else told.get("key_tier")
    return {
        "name": name,
        "first_seen": (row.first_seen_us or None) if row else None,
        "last_seen": _last_seen(row, seen, now_us),
        "silent_s": silent_s,
        "connected": is_here,
        "epoch": cursor.epoch,
        "session": cursor.session,
        "stored": cursor.stored,
        "archived": cursor.archived,
        "series": totals.series,
        "readings": totals.readings,
        "anomalies": totals.anomalies,
        "last_ts": totals.last_ts if totals.last_ts > NEVER else None,
        "backlog_rows": rows,
        "backlog_bytes": number("backlog_bytes"),
        "backlog_pace": pace if is_here else None,
        "backlog_eta_s": seconds_left(rows, pace if is_here else None),
        "buffer_bytes": number("buffer_bytes"),
        "buffer_bytes_max": number("buffer_bytes_max"),
        "rejected": number("rejected"),
        "evicted": number("evicted"),
        "clock": _clock(clock),
        "key_tier": tier or None,
        "agent_version": (row.agent_version or None) if row else None,
        "certificate_issued": (row.certificate_issued_us or None) if row else None,
        "certificate_not_after": (row.certificate_not_after_us or None) if row else None,
    }


def _last_seen(row: GatewayRow | None, seen: Seen | None, now_us: int) -> int | None:
    """A connected one is seen now: its keep-alive would have ended else. One that hangs is not."""
    if seen is None or seen.session == 0:
        return (row.last_seen_us or None) if row else None
    hangs = seen.status.wall_us > 0 and now_us - seen.since_us > REPORT_LATE_US
    return seen.since_us if hangs else now_us


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
