"""One import: each file read to its end, every reading of it kept and stored once."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from cloud.errors import OperatorError
from cloud.imports.columns import metric_of, nearest
from cloud.imports.ledger import Ledger
from cloud.imports.piece import Entries, Keys, Numbers, Piece, Reason, TooManySeriesError, Words
from cloud.imports.rejects import Rejects
from cloud.imports.sender import Sender
from cloud.imports.sieve import Sieve, box_of
from cloud.imports.source import Form, Wish, open_source
from protos.limits import BLOCK_DEVICES_MAX, BLOCK_ROWS_MAX, KIB
from protos.series import SeriesKey

BLOCK_READINGS: Final = 16_384
"""Number readings of one block: some 40 KB, at most 320 KB."""
BLOCK_TEXTS: Final = 4_096
BLOCK_TEXT_BYTES: Final = 256 * KIB
SAMPLE_MAX: Final = 10

assert max(BLOCK_READINGS, BLOCK_TEXTS) <= min(BLOCK_DEVICES_MAX, BLOCK_ROWS_MAX)

Told = Callable[[int, int], None]
"""Told how much of a file is read, and how much there is."""


@dataclass(slots=True)
class Outcome:
    """What became of a file. ``duplicates``: readings that were there before, or twice in it.

    ``was_done_us``: when it was brought in before, 0 if it was not. ``changed``: it was written to
    while it was read. ``first_us``, ``last_us``: of new readings. ``unmet``: options that speak of
    metrics it does not have, a sentence each. ``sample``: (series, µs, value).
    """

    file: str
    told: str
    rows: int = 0
    readings: int = 0
    duplicates: int = 0
    missing: int = 0
    rejected: int = 0
    series: int = 0
    first_us: int | None = None
    last_us: int | None = None
    was_done_us: int = 0
    changed: bool = False
    unmet: list[str] = field(default_factory=list)
    sample: list[tuple[SeriesKey, int, float | str]] = field(default_factory=list)

    @property
    def came(self) -> bool:
        """Whether any of its readings is in, or would be."""
        return bool(self.readings or self.duplicates or self.was_done_us)

    def as_json(self) -> dict[str, Any]:
        """The same for machines; times in µs UTC."""
        told: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        told["sample"] = [
            {
                "device": key.device, "metric": key.metric, "unit": key.unit,
                "labels": dict(key.labels), "kind": key.kind.name.lower(), "ts": ts, "value": value,
            }
            for key, ts, value in self.sample
        ]  # fmt: skip
        return told


@dataclass(slots=True)
class Run:
    """An import of files with one wish. ``sender`` None: it is dry, nothing is kept.

    ``sieve`` must know the blocks of the ledger, if there is one.
    """

    wish: Wish
    sieve: Sieve
    rejects: Rejects
    ledger: Ledger | None = None
    sender: Sender | None = None

    def file(self, path: Path, form: Form | None, told: Told) -> Outcome:
        """Bring a file in.

        Raises:
            OperatorError: it cannot be read, or not as it is said to be.
            StorageError, PeerError, UnreachableError: it cannot be stored; again goes on there.
        """
        source = open_source(path, form, self.wish)
        outcome = Outcome(str(path), source.told)
        before, digest = _stamp(path), digest_of(path)
        wish = hashlib.sha256(repr((self.wish, form, path.stem)).encode()).digest()
        done = self.ledger.done(digest, wish) if self.ledger is not None else None
        if done is not None:
            outcome.was_done_us = done.at_us
            return outcome
        try:
            for piece in source.pieces():
                self._piece(outcome, piece, source.keys)
                told(piece.done, source.size)
        except TooManySeriesError as error:
            hint = "is a column of values taken for device, metric or label?"
            raise OperatorError(f"read {path}", str(error), hint) from error
        outcome.series = len(source.keys.names)
        outcome.unmet = _unmet(self.wish, source.keys)
        outcome.changed = _stamp(path) != before
        if self.ledger is not None and self.sender is not None:
            self.sender.finish()
            if not outcome.changed:
                self.ledger.finish(digest, wish, path.name, outcome.readings)
        return outcome

    def _piece(self, outcome: Outcome, piece: Piece, keys: Keys) -> None:
        if not outcome.rows and piece.rejects:
            _check_zone(outcome.file, piece)
        self.rejects.add(outcome.file, piece.rejects)
        outcome.rows += piece.rows
        outcome.missing += piece.missing
        outcome.rejected += len(piece.rejects)
        batches: list[Numbers | Words] = []
        for rows in (_joined(piece.numbers), _joined(piece.words)):
            if rows is not None and len(rows):
                self._show(outcome, rows, keys)
                batches += self._sifted(outcome, rows, keys)
        if batches and self.ledger is not None and self.sender is not None:
            kept = self.ledger.keep(batches)
            for block, rows in kept:
                self.sieve.know(block.id, box_of(rows), isinstance(rows, Numbers))
            self.sender.send([block for block, _ in kept])

    def _sifted(self, outcome: Outcome, rows: Numbers | Words, keys: Keys) -> list[Numbers | Words]:
        """The rows that are new, under the ledger's series numbers, cut into blocks."""
        if self.ledger is not None:
            rows = _under(rows, self._entries(self.ledger, np.unique(rows.series), keys))
        if isinstance(rows, Numbers):
            fresh = self.sieve.fresh_numbers(rows)
        else:
            fresh = self.sieve.fresh_words(rows)
        outcome.duplicates += len(rows) - int(fresh.sum())
        rows = rows if fresh.all() else rows.at(fresh)
        if not len(rows):
            return []
        outcome.readings += len(rows)
        first, last = int(rows.ts.min()), int(rows.ts.max())
        outcome.first_us = min(first, first if outcome.first_us is None else outcome.first_us)
        outcome.last_us = max(last, last if outcome.last_us is None else outcome.last_us)
        return [rows.at(cut) for cut in _cuts(rows)]

    def _entries(self, ledger: Ledger, used: Entries, keys: Keys) -> Entries:
        """The ledger's number of each of the source's series that are used."""
        names = [keys.names[number] for number in used.tolist()]
        entries = np.zeros(len(keys.names), np.uint32)
        if self.sender is None:  # a dry run adds none: numbers behind the table's end stand for new
            entries[used] = [ledger.known(name) for name in names]
            behind = len(ledger.series) + 1 + np.arange(len(entries))
            return np.where(entries, entries, behind).astype(np.uint32)
        entries[used] = ledger.entries(names)
        return entries

    def _show(self, outcome: Outcome, rows: Numbers | Words, keys: Keys) -> None:
        values = rows.value if isinstance(rows, Numbers) else rows.text
        step = max(1, len(rows) // SAMPLE_MAX)
        for at in range(0, len(rows), step):
            if len(outcome.sample) >= SAMPLE_MAX:
                return
            key = keys.names[int(rows.series[at])]
            value = values[at]
            told = value if isinstance(value, str) else float(value)
            outcome.sample.append((key, int(rows.ts[at]), told))


def _unmet(wish: Wish, keys: Keys) -> list[str]:
    """What was said of metrics that did not come, and which did."""
    metrics = {key.metric for key in keys.names}
    said = [
        (option, name)
        for option, name in wish.mapping.of_metrics
        if name not in metrics and metric_of(name)[0] not in metrics
    ]
    return [
        f"{option} {name!r} fits no metric"
        + (f": did you mean {near!r}?" if (near := nearest(name, metrics)) else "")
        for option, name in said
    ]


def sieve_of(ledger: Ledger) -> Sieve:
    """A sieve that knows all that a ledger keeps."""
    sieve = Sieve(ledger.rows)
    for block, box, is_numbers in ledger.boxes():
        sieve.know(block, box, is_numbers)
    return sieve


def digest_of(path: Path) -> bytes:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _check_zone(file: str, piece: Piece) -> None:
    """Refuse a file of local times before all its rows are refused one by one."""
    first = piece.rejects[0]
    if first.reason is Reason.NO_ZONE and not (piece.numbers or piece.words):
        cause = f"row {first.row}, column {first.column!r}: {first.text!r} is a local time"
        hint = "name its zone, as in --zone Europe/Berlin, or --zone UTC"
        raise OperatorError(f"read {file}", cause, hint)


def _joined(parts: Sequence[Numbers] | Sequence[Words]) -> Numbers | Words | None:
    """All rows in one, in their order."""
    if len(parts) < 2:
        return parts[0] if parts else None
    series = np.concatenate([part.series for part in parts])
    ts = np.concatenate([part.ts for part in parts])
    values = np.concatenate(
        [part.value if isinstance(part, Numbers) else part.text for part in parts]
    )
    return type(parts[0])(series, ts, values)


def _under(rows: Numbers | Words, entries: Entries) -> Numbers | Words:
    values = rows.value if isinstance(rows, Numbers) else rows.text
    return type(rows)(entries[rows.series], rows.ts, values)


def _cuts(rows: Numbers | Words) -> Iterator[slice]:
    """Where to cut rows into blocks, so that each fits its bounds."""
    if isinstance(rows, Numbers):
        for start in range(0, len(rows), BLOCK_READINGS):
            yield slice(start, start + BLOCK_READINGS)
        return
    start = size = 0
    for at, text in enumerate(rows.text):
        more = len(text.encode())
        if at > start and (at - start >= BLOCK_TEXTS or size + more > BLOCK_TEXT_BYTES):
            yield slice(start, at)
            start, size = at, 0
        size += more
    yield slice(start, len(rows))
