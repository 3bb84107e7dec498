"""Pure: how much a journal ever stored of each gateway, and how much of that is archived.

A reading is a row of NUMBERS or TEXTS as the header of its block says it; scores, episodes, gaps
and corrections are about readings and are not counted. Erasing a device takes rows from blocks and
leaves these figures: they say what was stored, once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from cloud.journal.cursor import CLOSED_EPOCHS_MAX
from protos.codec.header import Header
from protos.records import Kind

EPOCHS_MAX: Final = CLOSED_EPOCHS_MAX + 1
"""Epochs counted apart for each gateway: as many as its cursor remembers, the present one too."""
EARLIER: Final = 0
"""The key under which all epochs before those are counted together; no epoch has this number."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Blocks and readings ever stored, and those of them at or below the journal's `archived`.

    Archived includes quarantined blocks: the lake has passed them.
    """

    blocks: int = 0
    readings: int = 0
    archived_blocks: int = 0
    archived_readings: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.blocks + other.blocks,
            self.readings + other.readings,
            self.archived_blocks + other.archived_blocks,
            self.archived_readings + other.archived_readings,
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """One gateway's counts by epoch: the newest `EPOCHS_MAX` with blocks, older ones as EARLIER.

    ``heads``: the highest seq that the gateway ever said it had, by epoch, as many epochs.
    """

    epochs: Mapping[int, Counts] = field(default_factory=dict)
    heads: Mapping[int, int] = field(default_factory=dict)

    @property
    def total(self) -> Counts:
        """Over all epochs, never reset."""
        return total((self,))

    def stored(self, epoch: int, blocks: int, readings: int) -> "Tally":
        """With so much more stored; an epoch is never older than those counted before it."""
        return self._with(epoch, Counts(blocks, readings))

    def archived(self, epoch: int, blocks: int, readings: int) -> "Tally":
        """With so much of what is stored archived as well."""
        return self._with(epoch, Counts(0, 0, blocks, readings))

    def told(self, epoch: int, head: int) -> "Tally":
        """With the head that the gateway says it has in an epoch; it never falls here."""
        heads = {**self.heads, epoch: max(head, self.heads.get(epoch, 0))}
        while len(heads) > EPOCHS_MAX:
            heads.pop(min(heads))
        return Tally(self.epochs, heads)

    def _with(self, epoch: int, more: Counts) -> "Tally":
        epochs = {**self.epochs, epoch: self.epochs.get(epoch, Counts()) + more}
        while len(epochs) - (EARLIER in epochs) > EPOCHS_MAX:
            # Also the way of an old epoch that is archived after it was added to EARLIER.
            oldest = epochs.pop(min(epoch for epoch in epochs if epoch != EARLIER))
            epochs[EARLIER] = epochs.get(EARLIER, Counts()) + oldest
        return Tally(epochs, self.heads)


def readings_of(header: Header) -> int:
    """The readings in a block, as its header says them."""
    return header.rows.get(Kind.NUMBERS, 0) + header.rows.get(Kind.TEXTS, 0)


def total(tallies: Iterable[Tally]) -> Counts:
    """Over all epochs of all the gateways given; no disk, some microseconds a gateway."""
    each = [counts for tally in tallies for counts in tally.epochs.values()]
    return Counts(
        sum(counts.blocks for counts in each),
        sum(counts.readings for counts in each),
        sum(counts.archived_blocks for counts in each),
        sum(counts.archived_readings for counts in each),
    )


def encode_tally(tally: Tally) -> bytes:
    """The tally as bytes for a column; MessagePack by field name, so it may grow."""
    return msgspec.msgpack.encode(tally)


def decode_tally(data: bytes) -> Tally:
    """The reverse; msgspec.DecodeError or ValidationError when the bytes are no tally."""
    return msgspec.msgpack.decode(data, type=Tally)
