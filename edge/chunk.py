"""Pure: what is handed to the buffer as one unit, and what the buffer tells about itself.

A chunk is one group commit: its readings, the series entries they introduce, the redelivery marks
and rejects of the same messages, and counter increments. All of it is kept or none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from protos.records import Batch, Kind
from protos.series import SeriesEntry

MARK_BYTES = 16
"""One redelivery mark: a keyed hash of a message (docs/decisions/0015)."""

SCORES_MAX: Final = 2048
"""Anomalies in one chunk: each is some 40 bytes, and several models may raise one for a reading."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A message that could not be read, kept for the operator to look at.

    ``payload`` may be cut by its maker; ``reason`` names the sensor's fault in one line.
    """

    arrival_us: int
    topic: str
    payload: bytes
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """One unit of commit.

    ``new_entries`` continue the series table without a hole and precede their first use;
    ``marks`` are ``MARK_BYTES`` each, oldest first; ``counters`` are added to persisted totals.
    ``kept`` are names and what detection keeps under them (no bytes: let go), the last of a name.
    """

    batch: Batch
    new_entries: tuple[SeriesEntry, ...] = ()
    marks: bytes = b""
    rejects: tuple[Reject, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    kept: tuple[tuple[str, bytes], ...] = ()

    @property
    def is_urgent(self) -> bool:
        """Whether an anomaly is in it, or what became of one."""
        return bool(self.batch.count(Kind.SCORES) or self.batch.count(Kind.EPISODES))

    def pieces(self) -> list["Chunk"]:
        """The same as chunks of at most `SCORES_MAX` anomalies; the first has all that is else."""
        if self.batch.count(Kind.SCORES) <= SCORES_MAX:
            return [self]
        scores = self.batch.kind(Kind.SCORES)
        cut = [
            Batch(
                {
                    Kind.SCORES: {
                        name: column[at : at + SCORES_MAX] for name, column in scores.items()
                    }
                }
            )
            for at in range(0, self.batch.count(Kind.SCORES), SCORES_MAX)
        ]
        first = replace(self, batch=Batch({**self.batch.tables, **cut[0].tables}))
        return [first, *(Chunk(batch) for batch in cut[1:])]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a starting agent takes from the buffer.

    ``entries`` are 1, 2, 3 … (``key`` None: erased or unreadable); ``marks`` are the newest
    ``dedup_messages_max``, oldest first; ``counters`` the persisted totals by name; ``marks_key``
    is the secret that marks are hashed with.
    """

    entries: tuple[SeriesEntry, ...]
    marks: bytes
    counters: Mapping[str, int]
    marks_key: bytes = b""


@dataclass(frozen=True, slots=True)
class BufferStats:
    """The buffer as its operator sees it; bytes are those of the files on disk.

    ``unsealed_rows`` wait for a number, ``sealed_rows`` for the cloud to archive their blocks.
    ``free_bytes`` lie inside the file and are used again; ``used_bytes`` do not count them.
    Chunks are numbered in the order of their commits: all below ``oldest_chunk`` have left.
    ``page_bytes`` were written as pages since the opening, into the log and not from there.
    ``refused`` counts the chunks answered with BufferFull since the start.
    """

    bytes_max: int
    file_bytes: int
    wal_bytes: int
    used_bytes: int
    free_bytes: int
    unsealed_rows: int
    unsealed_bytes: int
    sealed_rows: int
    sealed_bytes: int
    blocks: int
    series: int
    rejects: int
    quarantined: int
    commits: int
    refused: int
    key_tier: str
    cipher: str
    counters: Mapping[str, int]
    oldest_chunk: int = 0
    next_chunk: int = 0
    page_bytes: int = 0
