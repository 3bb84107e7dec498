"""Chunks as blocks: numbered late, when a session is about to send them, and made again at need.

Sealing writes no second copy: a block is its chunks, which stay where they are, and a recipe that
makes its bytes again with the same hash (docs/decisions/0011). Chunks are sealed oldest first, so a
block is a span of chunk numbers, and those behind the last span are unsealed.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass

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
from edge.store.rows import SealedRows, block_identity
from protos.block import Block, build_block
from protos.codec.body import decode_body
from protos.codec.wire import MalformedBlock
from protos.limits import BLOCK_BYTES_MAX, BLOCK_ROWS_MAX, MIB, PLAIN_BYTES_MAX
from protos.records import Batch, Kind, concat

SECRET_BYTES = 16
_CHUNKS_MAX = 512
"""Chunks opened for one block: each takes some 0.3 ms here, and commits wait that long."""
_TEXTS_BYTES_MAX = 4 * MIB
"""Texts of one block, each row's written out: hundreds of chunks may say one long text, which
costs nothing sealed and its length for every row while the block is made and read."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """One chunk, opened."""

    no: int
    rows: int
    size: int
    data: bytes
    batch: Batch

    def bad(self, reason: str) -> "_Bad":
        """The same as unusable."""
        return _Bad(self.no, self.rows, self.size, self.data, reason)


@dataclass(frozen=True, slots=True)
class _Bad:
    """One chunk that cannot be used."""

    no: int
    rows: int
    size: int
    data: bytes
    reason: str


class Blocks:
    """Seals blocks and makes them again; for the writer thread."""

    def __init__(self, rows: SealedRows, memory: Memory, gateway: str, boot_id: bytes) -> None:
        self._rows = rows
        self._memory = memory
        self._gateway = gateway
        self._boot_id = boot_id
        self._yield = 1.0

    def seal_next(self, bytes_target: int, mono_us: int, wall_us: int) -> Block | None:
        """Number the oldest unsealed chunks as the next block; None without chunks or epoch.

        Chunks that do not open, or that no block can carry, are set aside on the way.
        """
        while self._memory.state.epoch:
            pieces, bad = self._gather(min(bytes_target, BLOCK_BYTES_MAX))
            made = self._build(pieces, mono_us, wall_us)
            if isinstance(made, _Bad):
                self._keep(None, [], [made])
            elif made or bad:
                self._keep(made, pieces, bad)
            if not isinstance(made, _Bad) and (made or not bad):
                return made[0] if made else None
        return None

    def _gather(self, bytes_target: int) -> tuple[list[_Piece], list[_Bad]]:
        """The oldest unsealed chunks that make a block of about ``bytes_target``."""
        pieces: list[_Piece] = []
        bad: list[_Bad] = []
        total = rows = texts = 0
        sql = "SELECT no, rows, bytes, data FROM chunks WHERE no > ? ORDER BY no"
        for no, count, size, data in self._rows.file.stream(sql, self._memory.sealed_through):
            over = total + size > min(bytes_target / self._yield, PLAIN_BYTES_MAX // 8)
            many = rows + count > BLOCK_ROWS_MAX or len(pieces) >= _CHUNKS_MAX
            if pieces and (over or many):
                break
            piece = self._open(no, count, size, data)
            if isinstance(piece, _Bad):
                bad.append(piece)
                continue
            texts += _text_bytes(piece.batch)
            if pieces and texts > _TEXTS_BYTES_MAX:
                break
            pieces.append(piece)
            total, rows = total + size, rows + count
        return pieces, bad

    def _open(self, no: int, rows: int, size: int, data: bytes) -> _Piece | _Bad:
        try:
            identity = self._rows.chunk_identity(no)
            plain = self._rows.unseal(RowKind.CHUNK, identity, rows, data)
            return _Piece(no, rows, size, data, decode_body(plain))
        except (SealError, MalformedBlock) as error:
            return _Bad(no, rows, size, data, str(error))

    def _build(
        self, pieces: list[_Piece], mono_us: int, wall_us: int
    ) -> tuple[Block, Recipe] | _Bad | None:
        """A block of all ``pieces``, or of their first half as often as it does not fit.

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
                first=self._memory.sealed_through + 1,
                last=pieces[-1].no,
            )
            try:
                block = self._make(state.epoch, state.head + 1, plan, pieces)
            except ValueError as error:
                if len(pieces) == 1:
                    return pieces[0].bad(str(error))
                del pieces[len(pieces) // 2 :]
            else:
                self._yield = _learned(len(block.data), sum(piece.size for piece in pieces))
                return block, msgspec.structs.replace(plan, hash=block.hash)
        return None

    def _make(self, epoch: int, seq: int, recipe: Recipe, pieces: Sequence[_Piece]) -> Block:
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
        self, made: tuple[Block, Recipe] | None, pieces: Sequence[_Piece], bad: Sequence[_Bad]
    ) -> None:
        """One transaction: the recipe of a block, and what was found bad on the way to it."""
        memory, state = self._memory, self._memory.state
        totals = dict(memory.totals)
        with self._rows.transaction():
            self._let_go(bad)
            if made is not None:
                block, recipe = made
                state = _after(state, block)
                self._write_recipe(state, recipe, sum(piece.rows for piece in pieces))
                write_state(self._rows, state)
            left: list[_Piece | _Bad] = [*pieces, *bad]
            added = {
                UNSEALED_ROWS: -sum(piece.rows for piece in left),
                UNSEALED_BYTES: -sum(piece.size for piece in left),
                **_counted(bad),
            }
            write_totals(self._rows, totals, added)
        memory.state, memory.totals = state, totals
        if made is not None:
            memory.sealed_through = made[1].last

    def _write_recipe(self, state: State, recipe: Recipe, rows: int) -> None:
        identity = block_identity(state.epoch, state.head)
        data = self._rows.seal(RowKind.BLOCK, identity, rows, msgspec.msgpack.encode(recipe))
        values = (state.epoch, state.head, recipe.first, recipe.last, rows, data)
        self._rows.file.write("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?)", *values)

    def _let_go(self, bad: Sequence[_Bad]) -> None:
        for piece in bad:
            name = f"chunk {piece.no}"
            _log.error("the buffer's %s was set aside: %s", name, piece.reason)
            self._rows.set_aside(RowKind.CHUNK, name, piece.reason, piece.rows, piece.data)
            self._rows.file.write("DELETE FROM chunks WHERE no = ?", piece.no)

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
        sql = "SELECT no, rows, bytes, data FROM chunks WHERE no BETWEEN ? AND ? ORDER BY no"
        opened = [
            self._open(*piece) for piece in self._rows.file.rows(sql, recipe.first, recipe.last)
        ]
        bad = [piece for piece in opened if isinstance(piece, _Bad)]
        if bad:
            totals = dict(self._memory.totals)
            with self._rows.transaction():
                self._let_go(bad)
                write_totals(self._rows, totals, _counted(bad))
            self._memory.totals = totals
            return None
        try:
            pieces = [piece for piece in opened if isinstance(piece, _Piece)]
            block = self._make(row[0], row[1], recipe, pieces)
        except ValueError:
            return None
        return block if block.hash == recipe.hash else None


def _after(state: State, block: Block) -> State:
    return msgspec.structs.replace(state, head=block.header.seq, head_hash=block.hash)


def _counted(bad: Sequence[_Bad]) -> dict[str, int]:
    if not bad:
        return {}
    return {"quarantined": len(bad), "quarantined_rows": sum(piece.rows for piece in bad)}


def _text_bytes(batch: Batch) -> int:
    return sum(len(text.encode()) for text in batch.kind(Kind.TEXTS)["text"])


def _learned(block_bytes: int, chunk_bytes: int) -> float:
    """Bytes of a block for a byte of its chunks: many small ones shrink most (≥ 1/64)."""
    return min(1.0, max(block_bytes / max(chunk_bytes, 1), 1 / 64))
