"""Pure: what one group commit of the buffer holds, and what could not be read."""

from collections.abc import Mapping
from dataclasses import dataclass

from protos.records import Batch
from protos.series import SeriesEntry


@dataclass(frozen=True, slots=True)
class Reject:
    """A message, or a part of one, that could not be read: kept, counted, named, never dropped.

    ``payload`` is cut to the limit of the reader; ``arrival_us`` is µs UTC by the gateway's clock.
    """

    arrival_us: int
    topic: str
    payload: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Everything a batch of messages said, committed in one transaction before any PUBACK.

    ``new_entries`` are series named for the first time, in order of their numbers. ``marks`` are
    redelivery marks of 16 bytes each, oldest first. ``counters`` are added to persisted totals.
    """

    batch: Batch
    new_entries: tuple[SeriesEntry, ...]
    marks: bytes
    rejects: tuple[Reject, ...]
    counters: Mapping[str, int]
