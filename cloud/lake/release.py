"""Blocks that an operator released from quarantine: the lake tries them again, each once.

A release has a ticket, taken in order. Its rows go into every table that has any under
(`APP:release`, ticket) in the commit, so that a pass repeated after a crash adds only what is
missing; the quarantine is told when all are durable. A block that still cannot be read is held
again, with its attempts counted.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import pyarrow as pa

from cloud.journal.contract import Entry
from cloud.journal.sqlite.quarantine import Quarantined, State
from cloud.lake.embedded import Decoded, decode
from cloud.lake.names import Names
from cloud.lake.table.table import LakeTable

NO_BYTES = "its bytes were not kept, the quarantine was full"

Spared = tuple[Decoded, Callable[[], int]]
"""Rows without those that were erased before they were tried; and what tells how many those are,
before `readings` are committed with the ticket that it returns, 0 where there are none."""
Tables = Callable[[Decoded, int], Mapping[str, pa.Table]]
"""Rows of every table, arranged, from decoded blocks after an offset."""


class Apart(Protocol):
    """What is needed of `cloud.journal.sqlite.quarantine.Quarantine`."""

    def list(self) -> list[Quarantined]:
        """All blocks set apart."""

    def data(self, block: Quarantined) -> bytes | None:
        """The bytes of one, None when they were not kept."""

    def released(self, block: Quarantined, now_us: int) -> None:
        """Its rows are in the lake."""

    def refused(self, block: Quarantined, reason: str) -> None:
        """It still cannot be taken."""


class Releases:
    """What is to be released into the lake; used by the consolidator's thread alone."""

    def __init__(self, apart: Apart, names: Names, now_us: Callable[[], int]) -> None:
        self._apart, self._names, self._now_us = apart, names, now_us

    def carry_out(
        self,
        lake: Sequence[LakeTable],
        tables: Tables,
        shown: Callable[[Decoded], None],
        spare: Callable[[Decoded], Spared],
    ) -> int:
        """Take in every block that waits, if the lake has passed it; how many got in.

        ``shown`` is told of each whose rows were not in the lake before; ``spare`` puts its times
        right and leaves out what was erased. Raises as `LakeTable.release`, and StorageError for a
        block of a later version.
        """
        waiting = [one for one in self._apart.list() if one.state is State.RELEASING]
        done = 0
        for block in sorted(waiting, key=lambda one: one.ticket):
            if block.offset > lake[0].state.offset:
                break  # the lake has yet to pass it; a later ticket may not go before
            done += self._one(block, lake, tables, shown, spare)
        return done

    def _one(
        self,
        block: Quarantined,
        lake: Sequence[LakeTable],
        tables: Tables,
        shown: Callable[[Decoded], None],
        spare: Callable[[Decoded], Spared],
    ) -> int:
        data = self._apart.data(block)
        if data is None:
            self._apart.refused(block, NO_BYTES)
            return 0
        name = (block.gateway, block.epoch, block.seq, block.hash)
        decoded = decode([Entry(block.offset, *name, data, block.since_us)], self._names)
        if decoded.bad:
            self._apart.refused(block, decoded.bad[0].reason)
            return 0
        decoded, tell = spare(decoded)
        rows = tables(decoded, block.offset - 1)
        fresh = [table for table in lake if table.state.released < block.ticket]
        retired = tell() if lake[0] in fresh else 0
        for table in fresh:
            own = retired if table is lake[0] else 0
            table.release(rows[table.spec.name], block.offset, block.ticket, own)
        if lake[0] in fresh:
            shown(decoded)
        self._apart.released(block, self._now_us())
        return 1
