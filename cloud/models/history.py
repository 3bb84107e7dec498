"""History as training and backtests read it: streamed, with what people said, and hashed.

The hash is what makes a model traceable: SHA-256 over the canonical rows of everything that was
kept, series by rising id. Of each series its id (8 bytes), its rows (time as int64 µs, value as
float64: 16 bytes), and how many there were (8 bytes); all little-endian, save the id.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.client.training import Said, TrainingApi
from cloud.errors import OperatorError
from cloud.models.chosen import Chosen
from cloud.query.clean import Bad, bad_of

ROWS_MAX: Final = 5_000_000
"""Readings held at once, 16 bytes each: 80 MB. More is refused, for what is left out silently
would make a model of something else than was asked for."""

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Story:
    """One series: its readings in the order of time, and what people said of it.

    ``ts`` int64 µs and ``value`` float64, `(n,)`; ``normal`` bool `(n,)`, what may be learned from.
    """

    of: Chosen
    ts: I8
    value: F8
    normal: NDArray[np.bool_]
    said: Said


@dataclass(slots=True)
class DataHash:
    """The hash of what was read, and how much it was."""

    rows: int = 0
    _hash: Any = field(default_factory=sha256)

    def add(self, series: str, ts: I8, value: F8) -> None:
        """Add the kept rows of the next series; ids must rise."""
        rows = np.empty(len(ts), [("ts", "<i8"), ("value", "<f8")])
        rows["ts"], rows["value"] = ts, value
        self._hash.update(bytes.fromhex(series))
        self._hash.update(rows.tobytes())
        self._hash.update(len(ts).to_bytes(8, "little"))
        self.rows += len(ts)

    def hex(self) -> str:
        """64 hexadecimal digits."""
        return str(self._hash.hexdigest())


def left_out(said: Said) -> Bad:
    """What of a series is nothing to learn normal from.

    Marks of every kind, and episodes that somebody confirmed. A dismissed one was nothing, so it is
    as good as what lies around it; nor is one left out of which nobody said anything.
    """
    marks = [(mark.from_us, mark.to_us) for mark in said.marks]
    confirmed = [(e.from_us, e.to_us + 1) for e in said.episodes if e.verdict == "confirmed"]
    return bad_of([*marks, *confirmed])


def stories(
    api: TrainingApi,
    chosen: Sequence[Chosen],
    from_us: int,
    to_us: int,
    told: Progress,
    rows_max: int = ROWS_MAX,
    *,
    are_kept: bool = True,
) -> Iterator[Story]:
    """Read one series after another, in [from, to) µs; ``told`` hears how many are done.

    Raises:
        OperatorError: they have more than ``rows_max`` readings together, or one of them alone
            where the caller lets go of each before the next (``are_kept`` is false).
    """
    rows = 0
    for done, one in enumerate(chosen, 1):
        rows = rows if are_kept else 0
        said = api.said(one.id, from_us, to_us)
        parts: list[tuple[I8, F8]] = []
        for part in api.readings(one.id, from_us, to_us):
            rows += len(part[0])
            if rows > rows_max:
                cause = f"there are more than {rows_max:,} readings"
                hint = "choose fewer series, or a shorter time by --from and --to"
                raise OperatorError("read history for models", cause, hint)
            parts.append(part)
        ts = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in parts)])
        value = np.concatenate([np.zeros(0), *(part[1] for part in parts)])
        told("reading history", done, len(chosen))
        yield Story(one, ts, value, left_out(said).good(ts), said)


def occurrences(said: Said, words: str) -> list[tuple[int, int]]:
    """When a fault occurred, [from, to) µs: fault marks and confirmed episodes, joined.

    ``words`` must be in the note of mark or verdict, in any case; all if empty.
    """
    wanted = words.casefold()
    marks = [m for m in said.marks if m.kind == "fault" and wanted in m.note.casefold()]
    episodes = [
        e for e in said.episodes if e.verdict == "confirmed" and wanted in e.note.casefold()
    ]
    joined = bad_of(
        [*((m.from_us, m.to_us) for m in marks), *((e.from_us, e.to_us + 1) for e in episodes)]
    )
    return list(zip(joined.start.tolist(), joined.end.tolist(), strict=True))


def dismissed(said: Said) -> list[tuple[int, int]]:
    """Episodes that somebody dismissed, [from, to) µs, joined."""
    joined = bad_of((e.from_us, e.to_us + 1) for e in said.episodes if e.verdict == "dismissed")
    return list(zip(joined.start.tolist(), joined.end.tolist(), strict=True))
