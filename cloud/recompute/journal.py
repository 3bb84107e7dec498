"""Blocks that the journal keeps, as ground for recomputing: which there are, and their rows again.

What is trimmed is no ground for anything: rows of such blocks are never compared and never touched.
So are blocks set apart, unless they were released into the tables, and blocks that cannot be read.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from cloud.journal.contract import Entry
from cloud.journal.sqlite.quarantine import Quarantined, State
from cloud.journal.sqlite.reader import JournalReader
from cloud.journal.sqlite.snapshot import Snapshot
from cloud.lake.correction import Correction, Known, apart, corrections_of, settled
from cloud.lake.embedded import OFFSET_COLUMN, decode, within_rows
from cloud.lake.names import Names
from cloud.lake.table.schema import CORRECTIONS
from cloud.recompute.comparison import Block, Bools
from cloud.rollup.partials import Ints
from protos.block import MalformedBlock, read_header
from protos.records import Kind

BYTES_HELD: Final = 8 << 20
ROWS_HELD: Final = 1_000_000
"""Rows decoded at once, some 300 B each."""
NEVER: Final = int(np.iinfo(np.int64).max)

Told = Callable[[str, int, int], None]
"""Told what is looked at, how far, of how much."""
Spans = Sequence[tuple[int, int]]
"""Times in µs, both ends inside."""


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Blocks in the order of their offsets.

    ``low`` and ``high`` are their times as they came, before any correction; ``ticket``: from which
    release on their rows are in tables, 0 from the beginning, NEVER for a block set apart.
    """

    oldest: int
    blocks: list[Block]
    index: dict[Block, int]
    offsets: Ints
    low: Ints
    high: Ints
    ticket: Ints
    corrections: tuple[Correction, ...]

    def due(self, offset: int, released: int) -> Bools:
        """Whose rows a table has that stands at an offset and a release."""
        found: Bools = (self.offsets <= offset) & (self.ticket <= released)
        return found

    def among(self, spans: Spans, known: Known) -> Bools:
        """The blocks that may have rows in these times, where they are by the known corrections."""
        of: dict[str, list[tuple[int, int]]] = {}
        for one in known.found.values():
            left, (first, last) = one.spans
            if any(first <= high and last >= low for low, high in spans):
                of.setdefault(one.gateway, []).append(left)
        gateways = np.array([block[0] for block in self.blocks], object)
        found = self._meet(spans)
        for gateway, moved in of.items():
            found |= (gateways == gateway) & self._meet(moved)
        return found

    def of_offsets(self, start: int, end: int) -> Bools:
        """The blocks of offsets in (start, end]."""
        found: Bools = (self.offsets > start) & (self.offsets <= end)
        return found

    def _meet(self, spans: Spans) -> Bools:
        first, last = apart(spans)
        at = np.searchsorted(first, self.high, "right") - 1
        found: Bools = (at >= 0) & (last[at] >= self.low)
        return found


def read_kept(
    folder: Path, snapshot: Snapshot, upto: int, set_apart: Iterable[Quarantined], told: Told
) -> Kept:
    """All blocks kept with offsets up to ``upto``; of each the header is read.

    Raises:
        TrimmedError: the journal was trimmed meanwhile.
        StorageError: a segment cannot be read.
    """
    tickets = {one.offset: _ticket(one) for one in set_apart if one.offset}
    blocks: list[Block] = []
    numbers: list[tuple[int, int, int, int]] = []
    corrections: list[Correction] = []
    first = snapshot.oldest - 1
    with JournalReader(folder) as reader, JournalReader(folder) as series:
        names = Names(series.series)
        at = first
        while at < upto and (entries := reader.read(at, BYTES_HELD)):
            for entry in entries:
                try:
                    header, _ = read_header(entry.data)
                except MalformedBlock:
                    continue  # it is in quarantine, or `verify` tells of it
                if entry.offset <= upto:
                    blocks.append((entry.gateway, entry.epoch, entry.seq))
                    ticket = tickets.get(entry.offset, 0)
                    times = (header.ts_min_us, header.ts_max_us)
                    numbers.append((entry.offset, *times, ticket))
                    if header.rows.get(Kind.CORRECTIONS) and ticket != NEVER:
                        rows = decode([entry], names).tables.get(CORRECTIONS.name)
                        corrections += corrections_of(rows)
            at = entries[-1].offset
            told("journal blocks", min(at, upto) - first, upto - first)
    offsets, low, high, ticket_of = np.array(numbers, np.int64).reshape(-1, 4).T
    index = {block: at for at, block in enumerate(blocks)}
    known = tuple(corrections)
    return Kept(snapshot.oldest, blocks, index, offsets, low, high, ticket_of, known)


@dataclass(frozen=True, slots=True, eq=False)
class Decoding:
    """Rows of some blocks again, as consolidation would have them."""

    folder: Path
    kept: Kept
    known: Known

    def rows(
        self, chosen: Bools, told: Told
    ) -> Iterator[tuple[dict[str, tuple[pa.Table, Ints]], list[int]]]:
        """By table the rows and the index of each one's block; and the blocks that were bad.

        Raises as `read_kept`.
        """
        offsets = self.kept.offsets[chosen]
        wanted = set(offsets.tolist())
        with JournalReader(self.folder) as reader, JournalReader(self.folder) as series:
            names = Names(series.series)
            done = 0
            while done < len(offsets):
                entries = reader.read(int(offsets[done]) - 1, BYTES_HELD)
                mine = [one for one in entries if one.offset in wanted]
                while mine:
                    part = within_rows(mine, ROWS_HELD)
                    yield self._decoded(part, names)
                    mine = mine[len(part) :]
                done = int(np.searchsorted(offsets, entries[-1].offset, "right"))
                told("blocks decoded", done, len(offsets))

    def _decoded(
        self, entries: Sequence[Entry], names: Names
    ) -> tuple[dict[str, tuple[pa.Table, Ints]], list[int]]:
        decoded = settled(decode(entries, names), self.known)
        found = {}
        for name, rows in decoded.tables.items():
            offsets = rows[OFFSET_COLUMN].to_numpy()
            found[name] = (rows, np.searchsorted(self.kept.offsets, offsets))
        bad = [self.kept.index[b.entry.gateway, b.entry.epoch, b.entry.seq] for b in decoded.bad]
        return found, bad


def _ticket(block: Quarantined) -> int:
    is_moving = block.state in (State.RELEASING, State.RELEASED)
    return block.ticket if is_moving else NEVER
