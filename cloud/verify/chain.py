"""Every journalled block proved again: its bytes, its place in its chain, its rows, its series.

Per gateway and epoch: seqs without a hole, each block naming the hash of the one before; the hash
computed from its bytes; its rows proved against its header's content root; the series it rests on
rolled up from the declared entries. What is trimmed is proved no more: the chain begins with the
oldest block that is kept.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cloud.journal.contract import Entry, TrimmedError
from cloud.journal.counts import readings_of
from cloud.journal.sqlite.quarantine import Quarantined
from cloud.journal.sqlite.reader import JournalReader
from cloud.journal.sqlite.segment import list_segments
from cloud.journal.sqlite.snapshot import Snapshot
from cloud.ledger.of_lake import Key
from protos.block import GENESIS_HASH, Header, MalformedBlock, read_block, read_header
from protos.codec.wire import MalformedEntry
from protos.records import Kind
from protos.series import EMPTY_ROOT, roll

BYTES_HELD: Final = 8 << 20
ROOTS_HELD: Final = 16
"""Epochs whose roots are kept in memory, some 32 MB each at most."""

Blame = Callable[[str], None]


@dataclass(slots=True)
class Chain:
    """What the blocks add up to: by gateway and epoch (blocks, readings, of these not archived).

    ``erased`` readings by (offset, key). ``is_partial``: trimming took blocks before their turn.
    """

    blocks: int = 0
    counts: dict[Key, tuple[int, int, int, int]] = field(default_factory=dict)
    erased: dict[tuple[int, Key], int] = field(default_factory=dict)
    is_partial: bool = False
    last: dict[str, tuple[int, int, bytes]] = field(default_factory=dict)


def prove(
    folder: Path,
    snapshot: Snapshot,
    apart: Sequence[Quarantined],
    blame: Blame,
    progress: Callable[[str, int, int], None],
) -> Chain:
    """Prove all blocks up to the snapshot's head; what is wrong goes to ``blame``.

    Raises:
        StorageError: a segment cannot be read.
    """
    known = {block.offset for block in apart if block.offset}
    with JournalReader(folder) as blocks, JournalReader(folder) as series:
        prover = _Prover(snapshot, known, Roots(series), blame)
        at = snapshot.oldest - 1
        while at < snapshot.head:
            progress(
                "journal blocks", at - snapshot.oldest + 1, snapshot.head - snapshot.oldest + 1
            )
            try:
                entries = blocks.read(at, BYTES_HELD)
            except TrimmedError:
                prover.skip()
                at = max(at, list_segments(folder)[0].first - 1)
                continue
            if not entries:
                blame(f"the journal ends at offset {at}, its names say {snapshot.head}")
                break
            for entry in entries:
                if entry.offset <= snapshot.head:
                    prover.take(entry)
            at = entries[-1].offset
        prover.end()
    return prover.chain


class Roots:
    """Roots of the declared series of a few epochs, read when first needed."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader
        self._held: OrderedDict[Key, list[bytes]] = OrderedDict()

    def at(self, gateway: str, epoch: int, entry: int) -> bytes | None:
        """The root of entries 1 … ``entry``; None when so many are not declared."""
        roots = self._held.pop((gateway, epoch), [EMPTY_ROOT])
        if entry >= len(roots):
            roots = [EMPTY_ROOT]
            for one in self._reader.series(gateway, epoch):
                roots.append(roll(roots[-1], one.leaf))
        self._held[gateway, epoch] = roots
        if len(self._held) > ROOTS_HELD:
            self._held.popitem(last=False)
        return roots[entry] if entry < len(roots) else None


class _Prover:
    """Takes blocks in the order of their offsets."""

    def __init__(self, snapshot: Snapshot, known: set[int], roots: Roots, blame: Blame) -> None:
        self.chain = Chain()
        self._snapshot, self._known, self._roots, self._blame = snapshot, known, roots, blame
        self._begun = snapshot.oldest == 1

    def skip(self) -> None:
        """Blocks were trimmed before their turn: chains begin anew where they go on."""
        self.chain.is_partial = True
        self._begun = False
        self.chain.last.clear()

    def take(self, entry: Entry) -> None:
        """Prove one block and count it."""
        named = f"block {entry.seq} of {entry.gateway}, epoch {entry.epoch}"
        readings = 0
        try:
            header, hash = read_header(entry.data)
            readings = readings_of(header)
            self._place(entry, header, hash, named)
            self._rows(entry, header)
        except (MalformedBlock, MalformedEntry) as error:
            if entry.offset not in self._known:
                self._blame(f"{named} cannot be read and is not in quarantine: {error}")
        self.chain.last[entry.gateway] = (entry.epoch, entry.seq, entry.hash)
        self._count(entry, readings)

    def end(self) -> None:
        """The chains must end where the cursors stand."""
        for gateway, (epoch, seq, hash) in self.chain.last.items():
            standing = self._snapshot.standing.get(gateway)
            if standing is None:
                self._blame(f"{gateway} has blocks and no cursor")
                continue
            cursor = standing.cursor
            if epoch == cursor.epoch and (seq, hash) != (cursor.stored, cursor.stored_hash):
                told = f"its newest block is {seq}, its cursor says {cursor.stored}"
                self._blame(f"{gateway} epoch {epoch}: {told}")
            root = self._roots.at(gateway, cursor.epoch, cursor.series_known)
            if root != cursor.series_root:
                self._blame(f"{gateway} epoch {cursor.epoch}: its series are not those declared")

    def _place(self, entry: Entry, header: Header, hash: bytes, named: str) -> None:
        if (header.gateway, header.epoch, header.seq) != (entry.gateway, entry.epoch, entry.seq):
            self._blame(f"{named} names itself ({header.gateway}, {header.epoch}, {header.seq})")
        if hash != entry.hash:
            self._blame(f"{named} is not what was acknowledged: its hash differs")
        before = self._before(entry)
        if before is not None and (header.seq - 1, header.prev_hash) != before:
            self._blame(f"{named} does not follow the block before it")
        root = self._roots.at(entry.gateway, entry.epoch, header.series_high)
        if root != header.series_root:
            self._blame(f"{named} rests on other series than were declared")

    def _before(self, entry: Entry) -> tuple[int, bytes] | None:
        """Seq and hash that must come before; None where that is trimmed."""
        last = self.chain.last.get(entry.gateway)
        if last is not None and last[0] == entry.epoch:
            return last[1], last[2]
        if last is not None or self._begun or entry.seq == 1:
            return 0, GENESIS_HASH
        return None

    def _rows(self, entry: Entry, header: Header) -> None:
        batch = read_block(entry.data)[2]
        found = batch.count(Kind.NUMBERS) + batch.count(Kind.TEXTS)
        if found < readings_of(header):
            key = (entry.gateway, entry.epoch)
            self.chain.erased[entry.offset, key] = readings_of(header) - found

    def _count(self, entry: Entry, readings: int) -> None:
        key = (entry.gateway, entry.epoch)
        waits = entry.offset > self._snapshot.archived
        before = self.chain.counts.get(key, (0, 0, 0, 0))
        more = (1, readings, int(waits), readings if waits else 0)
        a, b, c, d = (x + y for x, y in zip(before, more, strict=True))
        self.chain.counts[key] = (a, b, c, d)
        self.chain.blocks += 1
