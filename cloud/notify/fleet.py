"""Pure: each gateway as it is known now: from its stream, else as the registry last heard it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cloud.registry.rows import GatewayRow
from protos import sync_pb2 as pb


class Seen(Protocol):
    """A gateway's stream as `cloud.ingest.service.Presence` tells it."""

    @property
    def session(self) -> int:
        """The live session, 0 when there is none."""

    @property
    def since_us(self) -> int:
        """When it was heard last."""

    @property
    def status(self) -> pb.Status:
        """What it last said of itself."""


@dataclass(frozen=True, slots=True)
class GatewayNow:
    """``heard_us`` is 0 for one that never connected, ``certificate_us`` the end of its life.

    ``reports`` whether it says every so often how it is: one that brings a past in does not.
    ``taken_bytes`` of ``buffer_bytes`` are in use in its buffer.
    """

    name: str
    is_connected: bool
    reports: bool
    heard_us: int
    taken_bytes: int
    buffer_bytes: int
    certificate_us: int


def fleet(rows: Iterable[GatewayRow], present: Mapping[str, Seen]) -> list[GatewayNow]:
    """The gateways that may connect; one that was revoked is nobody's business any more."""
    return [
        _gateway(row, present.get(row.name)) for row in rows if row.certificate_not_after_us > 0
    ]


def _gateway(row: GatewayRow, seen: Seen | None) -> GatewayNow:
    status = seen.status if seen is not None else None

    def number(field: str) -> int:
        """From the stream, else what the registry kept (protobuf's JSON writes them as text)."""
        if status is not None:
            return int(getattr(status, field))
        told = str(row.status.get(field, 0))
        return int(told) if told.isdecimal() else 0

    # A file keeps its size for a while after what was in it has left; data of less than half of
    # the file is that, for chunks take less than as much again for their places in it.
    taken = min(number("buffer_bytes"), 2 * number("backlog_bytes"))
    return GatewayNow(
        row.name,
        seen is not None and seen.session != 0,
        number("wall_us") > 0,
        seen.since_us if seen is not None else row.last_seen_us,
        taken,
        number("buffer_bytes_max"),
        row.certificate_not_after_us,
    )
