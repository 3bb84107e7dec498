"""What detection keeps over a restart: named items, each written with the chunk that made it so.

An item is kept, replaced or let go in the very transaction of a chunk: the readings of that chunk
and what was made of them stand or fall together. Items are bounded by number and bytes; those that
were written longest ago go first.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from edge.seal import SEALED_OVERHEAD, RowKind, SealError
from edge.store.limits import StoreLimits
from edge.store.rows import SealedRows, number_identity

Item = tuple[str, bytes]
"""A name and what is kept under it; no bytes let it go."""
ITEMS_MAX: Final = 8192
NAME_BYTES_MAX: Final = 255
_NAME: Final = struct.Struct(">B")
_ROW_BYTES: Final = SEALED_OVERHEAD + NAME_BYTES_MAX


class Remembered:
    """The items of one buffer; for the writer thread."""

    def __init__(self, rows: SealedRows, limits: StoreLimits) -> None:
        self._rows = rows
        self._limits = limits
        self._known: dict[str, tuple[int, int]] | None = None
        self._last = 0

    def recall(self) -> list[Item]:
        """All that are kept, oldest first; what does not open is set aside and let go."""
        file = self._rows.file
        known: dict[str, tuple[int, int]] = {}
        found: list[Item] = []
        lost: list[tuple[int, str, bytes]] = []
        for no, data in file.rows("SELECT no, data FROM remembered ORDER BY no"):
            self._last = no
            try:
                plain = self._rows.unseal(RowKind.REMEMBERED, number_identity(no), 0, data)
                name, body = opened(plain)
            except (SealError, ValueError, struct.error) as error:
                lost.append((no, str(error), data))
            else:
                known[name] = (no, len(data))
                found.append((name, body))
        if lost:
            with self._rows.transaction():
                for no, reason, data in lost:
                    kind = RowKind.REMEMBERED
                    self._rows.set_aside(kind, f"remembered {no}", reason, 0, data)
                    file.write("DELETE FROM remembered WHERE no = ?", no)
        self._known = known
        return found

    def draft(self) -> "Draft":
        """A view to try changes on; asked for outside of the transaction it is for."""
        if self._known is None:
            self.recall()
        return Draft(self, dict(self._known or {}), self._last)

    def adopt(self, draft: "Draft") -> None:
        """Make a draft true, after its transaction."""
        self._known, self._last = draft.known, draft.last

    def write(self, no: int, name: str, body: bytes) -> int:
        """Write one row inside a transaction; its bytes."""
        plain = packed(name, body)
        data = self._rows.seal(RowKind.REMEMBERED, number_identity(no), 0, plain)
        self._rows.file.write("INSERT INTO remembered VALUES (?, ?)", no, data)
        return len(data)

    def delete(self, no: int) -> None:
        """Delete one row inside a transaction."""
        self._rows.file.write("DELETE FROM remembered WHERE no = ?", no)

    @property
    def bytes_max(self) -> int:
        """Most that all items may take."""
        return self._limits.remembered_bytes_max


class Draft:
    """Changes that are true once their transaction has ended well.

    ``known``: by name the number and bytes of its row, in the order in which they were written.
    """

    def __init__(self, of: Remembered, known: dict[str, tuple[int, int]], last: int) -> None:
        self.known = known
        self.last = last
        self._of = of
        self._is_changed = False

    def keep(self, items: Iterable[Item]) -> None:
        """Take in items, in place of those of their names."""
        for name, body in items:
            self._is_changed = True
            before = self.known.pop(name, None)
            if before is not None:
                self._of.delete(before[0])
            if body:
                self.last += 1
                self.known[name] = (self.last, self._of.write(self.last, name, body))

    def finish(self) -> None:
        """Let go of what is beyond the bounds."""
        if not self._is_changed:
            return
        total = sum(size for _, size in self.known.values())
        while self.known and (len(self.known) > ITEMS_MAX or total > self._of.bytes_max):
            name = next(iter(self.known))
            no, size = self.known.pop(name)
            self._of.delete(no)
            total -= size

    def adopt(self) -> None:
        """Make it the memory."""
        if self._is_changed:
            self._of.adopt(self)


def checked(items: Sequence[Item]) -> tuple[Item, ...]:
    """Items that can be kept. ValueError: a name is too long."""
    for name, _ in items:
        if len(name.encode()) > NAME_BYTES_MAX:
            raise ValueError(f"the name of what is to be remembered is over {NAME_BYTES_MAX} bytes")
    return tuple(items)


def sizes(items: Sequence[Item]) -> list[int]:
    """Plain bytes of each row that items become."""
    return [_ROW_BYTES + len(body) for _, body in items if body]


def packed(name: str, body: bytes) -> bytes:
    """An item as it is sealed: u8 length of the name, the name, the body."""
    named = name.encode()
    return _NAME.pack(len(named)) + named + body


def opened(plain: bytes) -> Item:
    """The reverse. ValueError or struct.error: it is none."""
    (size,) = _NAME.unpack_from(plain)
    return plain[1 : 1 + size].decode(), plain[1 + size :]
