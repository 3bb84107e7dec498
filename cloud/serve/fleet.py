"""Gateways, devices and series as JSON, from what is known in memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
import orjson

from cloud.journal_cursor import Cursor
from cloud.live_series import Known
from cloud.registry import GatewayRow
from protos import sync_pb2 as pb
from protos.series import SeriesKind


class Registry(Protocol):
    """What the API needs of `cloud.registry`."""

    def gateways(self) -> list[GatewayRow]:
        """Every gateway that ever enrolled."""


class Seen(Protocol):
    """A gateway's stream as `cloud.ingest.Presence` tells it."""

    @property
    def session(self) -> int:
        """The live session, 0 when there is none."""

    @property
    def status(self) -> pb.Status:
        """What it last said of itself."""


Presence = Callable[[], Mapping[str, Seen]]
"""Gateways heard since the process started: `lambda: ingest.presence`."""

_CLOCK: Final = "CLOCK_"


def gateways(
    rows: Sequence[GatewayRow],
    cursors: Sequence[Cursor],
    seen: Mapping[str, Seen],
    known: Known,
    now_us: int,
) -> list[dict[str, Any]]:
    """One object a gateway, by name: enrolled ones, and any the journal knows besides.

    A connected one is seen now: its stream's keep-alive would have ended it otherwise.
    """
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


def devices(known: Known, gateway: str | None) -> list[dict[str, Any]]:
    """One object a device, by gateway and name; ``gateway`` leaves the others out."""
    totals = _totals(known, [(name.gateway, name.device) for name in known.names])
    return [
        {
            "gateway": key[0],
            "device": key[1],
            "metrics": of["series"],
            "last_ts": of["last_ts"],
            "readings": of["readings"],
            "anomalies": of["anomalies"],
        }
        for key, of in sorted(totals.items())
        if gateway in (None, key[0])
    ]


def series(known: Known, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One object a series, by name, as many as ``limit``; filters as the parameters say."""
    picked = _picked(known, values["gateway"], values["device"], values["q"])
    return [_series(known, i) for i in picked[: values["limit"]]]


def latest(known: Known, gateway: str | None, device: str | None) -> list[dict[str, Any]]:
    """The last reading of each series, by name."""
    return [
        {
            "id": f"{known.names[i].id:016x}",
            "ts": int(known.last_ts[i]),
            "value": float(known.last_value[i]),
            "text": known.last_text[i],
            "quality": int(known.last_quality[i]),
        }
        for i in _picked(known, gateway, device, None)
        if known.readings[i]
    ]


def _series(known: Known, i: int) -> dict[str, Any]:
    name = known.names[i]
    has = bool(known.readings[i])
    return {
        "id": f"{name.id:016x}",
        "gateway": name.gateway,
        "device": name.device,
        "metric": name.metric,
        "unit": name.unit,
        "kind": SeriesKind(name.kind).name.lower(),
        "labels": orjson.loads(name.labels),
        "first_ts": int(known.first_ts[i]) if has else None,
        "last_ts": int(known.last_ts[i]) if has else None,
        "last_value": float(known.last_value[i]) if has else None,
        "last_text": known.last_text[i],
        "readings": int(known.readings[i]),
        "anomalies": int(known.anomalies[i]),
    }


def _picked(known: Known, gateway: str | None, device: str | None, q: str | None) -> list[int]:
    wanted = (q or "").casefold()
    picked = [
        i
        for i, name in enumerate(known.names)
        if gateway in (None, name.gateway)
        and device in (None, name.device)
        and wanted in f"{name.gateway}/{name.device}/{name.metric} {name.labels}".casefold()
    ]
    names = known.names
    return sorted(picked, key=lambda i: (names[i].gateway, names[i].device, names[i].metric, i))


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
