"""Chunks as blocks: numbered late, when a session is about to send them, and made again at need.

Sealing writes no second copy: a block is its chunks, which stay where they are, and a recipe that
makes its bytes again with the same hash (docs/decisions/0011). A block is a span of chunk numbers;
chunks outside all spans are unsealed, so the newest may be sealed before the oldest (0013).
"""

import os
from collections.abc import Sequence

import msgspec
import numpy as np

from edge.seal import RowKind, SealError
from edge.store.limits import BlockUnreadable
from edge.store.memory import (
    UNSEALED_BYTES,
    UNSEALED_ROWS,
    Memory,
    Recipe,
    State,
    read_recipe,
    write_state,
    write_totals,
)
from edge.store.notes import Note
from edge.store.pieces import Bad, Piece, Pieces, counted
from edge.store.rows import SealedRows, block_identity
from protos.block import Block, build_block
from protos.limits import BLOCK_BYTES_MAX, PLAIN_BYTES_MAX
from protos.records import concat

SECRET_BYTES = 16


class Blocks:
    """Seals blocks and makes them again; for the writer thread."""

    def __init__(self, rows: SealedRows, memory: Memory, gateway: str, boot_id: bytes) -> None:
        self._rows = rows
        self._memory = memory
        self._gateway = gateway
        self._boot_id = boot_id
        self._pieces = Pieces(rows, memory)
        self._yield = 1.0

    def seal_next(
        self,
        bytes_target: int,
        mono_us: int,
        wall_us: int,
        *,
        newest_first: bool = False,
        urgent_only: bool = False,
    ) -> Block | None:
        """Number the next unsealed chunks as a block; None without chunks or epoch.

        Notes come first, then the oldest chunks or, on demand, the newest; or a chunk of those with
        anomalies and no other. Chunks that do not open,
        or that no block can carry, are set aside on the way.
        """
        while self._memory.state.epoch:
            target = min(min(bytes_target, BLOCK_BYTES_MAX) / self._yield, PLAIN_BYTES_MAX // 8)
            pieces, bad = self._pieces.next(
                target, newest_first=newest_first, urgent_only=urgent_only
            )
            made = self._build(pieces, mono_us, wall_us, newest_first=newest_first)
            if isinstance(made, Bad):
                self._keep(None, [], [made])
            elif made or bad:
                self._keep(made, pieces, bad)
            if not isinstance(made, Bad) and (made or not bad):
                return made[0] if made else None
        return None

    def _build(
        self, pieces: list[Piece], mono_us: int, wall_us: int, *, newest_first: bool
    ) -> tuple[Block, Recipe] | Bad | None:
        """A block of all ``pieces``, or of the half that comes first as often as it does not fit.

        Leaves in ``pieces`` what the block holds. A single chunk that does not fit is bad.
        """
        state = self._memory.state
        while pieces:
            plan = Recipe(
                hash=b"",
                prev_hash=state.head_hash,
                boot_id=self._boot_id,
                mono_us=mono_us,
                wall_us=wall_us,
                series_high=state.series_high,
                series_root=state.series_root,
                secret=os.urandom(SECRET_BYTES),
                first=pieces[0].no,
                last=pieces[-1].no,
                from_us=min(piece.from_us for piece in pieces),
                to_us=max(piece.to_us for piece in pieces),
            )
            try:
                block = self._make(state.epoch, state.head + 1, plan, pieces)
            except ValueError as error:
                if len(pieces) == 1:
                    return pieces[0].bad(str(error))
                half = len(pieces) // 2
                del pieces[slice(half) if newest_first else slice(half, None)]
            else:
                self._yield = _learned(len(block.data), sum(piece.size for piece in pieces))
                return block, msgspec.structs.replace(plan, hash=block.hash)
        return None

    def _make(self, epoch: int, seq: int, recipe: Recipe, pieces: Sequence[Piece]) -> Block:
        return build_block(
            gateway=self._gateway,
            epoch=epoch,
            seq=seq,
            prev_hash=recipe.prev_hash,
            boot_id=recipe.boot_id,
            sealed_mono_us=recipe.mono_us,
            sealed_wall_us=recipe.wall_us,
            series_high=recipe.series_high,
            series_root=recipe.series_root,
            chunks=self._rows.runs([piece.no for piece in pieces]),
            batch=concat([piece.batch for piece in pieces]),
            device_of=np.array(self._memory.device_of, np.uint32),
            secret=recipe.secret,
        )

    def _keep(
        self, made: tuple[Block, Recipe] | None, pieces: Sequence[Piece], bad: Sequence[Bad]
    ) -> None:
        """One transaction: the recipe of a block, and what was found bad on the way to it."""
        memory, state = self._memory, self._memory.state
        totals = dict(memory.totals)
        note = Note(self._rows, memory)
        left: list[Piece | Bad] = [*pieces, *bad]
        with self._rows.transaction():
            self._pieces.let_go(bad, note)
            note.write(memory.next_chunk)
            if made is not None:
                block, recipe = made
                state = _after(state, block)
                self._write_recipe(state, recipe, sum(piece.rows for piece in pieces))
                write_state(self._rows, state)
            added = {
                UNSEALED_ROWS: -sum(piece.rows for piece in left),
                UNSEALED_BYTES: -sum(piece.size for piece in left),
                **counted(bad),
            }
            write_totals(self._rows, totals, added)
            write_totals(self._rows, totals, note.added)
        note.adopt()
        memory.state, memory.totals = state, totals
        if made is not None:
            memory.sealed.add(made[1].first, made[1].last)
            if memory.note_no in memory.sealed:
                memory.forget_note()

    def _write_recipe(self, state: State, recipe: Recipe, rows: int) -> None:
        identity = block_identity(state.epoch, state.head)
        data = self._rows.seal(RowKind.BLOCK, identity, rows, msgspec.msgpack.encode(recipe))
        values = (state.epoch, state.head, recipe.first, recipe.last, rows, data)
        self._rows.file.write("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?)", *values)

    def blocks_from(self, seq: int, bytes_max: int) -> list[Block]:
        """Sealed blocks of the epoch from ``seq`` on, without a hole, about ``bytes_max`` in all.

        At least one if any is held; what is archived is not shown. BlockUnreadable when the first
        cannot be made again.
        """
        state = self._memory.state
        expected = max(seq, state.archived + 1)
        blocks: list[Block] = []
        total = 0
        sql = "SELECT * FROM blocks WHERE epoch = ? AND seq >= ? ORDER BY seq LIMIT 1"
        while expected <= state.head and total < bytes_max:
            row = self._rows.file.one(sql, state.epoch, expected)
            block = self._again(row) if row and row[1] == expected else None
            if block is None:
                if blocks:
                    break
                raise BlockUnreadable(
                    f"make block {state.epoch}/{expected} again",
                    "a row of it is damaged or gone",
                    "a new epoch sends what is left of it; the quarantine names the damage",
                )
            blocks.append(block)
            total += len(block.data)
            expected += 1
        return blocks

    def _again(self, row: tuple[int, int, int, int, int, bytes]) -> Block | None:
        """The block of a row of `blocks`, proven by its hash; None when it cannot be made."""
        try:
            recipe = read_recipe(self._rows, row)
        except SealError:
            return None
        pieces, bad = self._pieces.within(recipe.first, recipe.last)
        if bad:
            totals = dict(self._memory.totals)
            note = Note(self._rows, self._memory)
            with self._rows.transaction():
                self._pieces.let_go(bad, note)
                note.write(self._memory.next_chunk)
                write_totals(self._rows, totals, counted(bad))
                write_totals(self._rows, totals, note.added)
            note.adopt()
            self._memory.totals = totals
            return None
        return self._proven(row, recipe, pieces)

    def is_whole(self, row: tuple[int, int, int, int, int, bytes], recipe: Recipe) -> bool:
        """Whether the block of a row can be made again; nothing is set aside."""
        pieces, bad = self._pieces.within(recipe.first, recipe.last)
        return not bad and self._proven(row, recipe, pieces) is not None

    def _proven(
        self,
        row: tuple[int, int, int, int, int, bytes],
        recipe: Recipe,
        pieces: Sequence[Piece],
    ) -> Block | None:
        try:
            block = self._make(row[0], row[1], recipe, pieces)
        except ValueError:
            return None
        return block if block.hash == recipe.hash else None


def _after(state: State, block: Block) -> State:
    return msgspec.structs.replace(state, head=block.header.seq, head_hash=block.hash)


def _learned(block_bytes: int, chunk_bytes: int) -> float:
    """Bytes of a block for a byte of its chunks: many small ones shrink most (≥ 1/64)."""
    return min(1.0, max(block_bytes / max(chunk_bytes, 1), 1 / 64))
