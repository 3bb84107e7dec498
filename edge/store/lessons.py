"""What devices told of themselves, kept over a restart: the messages that taught it, sealed.

A row is one topic's newest such message (discovery, a birth), so that what comes first after a
restart is read by it. They are bounded by number and bytes; the oldest go. A full buffer keeps none
anew: readings come first.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

from edge.seal import SEALED_OVERHEAD, RowKind, SealError
from edge.store.limits import PAGE_BYTES, BufferFull, StoreLimits
from edge.store.ring import Ring
from edge.store.room import Room
from edge.store.rows import SealedRows, number_identity

Lesson = tuple[str, bytes]
"""A topic and its message; an empty message takes the topic's lesson back."""
_TOPIC: Final = struct.Struct(">H")
_ROW_BYTES: Final = SEALED_OVERHEAD + 24
TOPIC_BYTES_MAX: Final = 4096
LESSONS_MAX: Final = 4096
"""Topics whose lessons are kept; a house has some hundred entities."""


class Lessons:
    """The lessons of one buffer; for the writer thread."""

    def __init__(self, rows: SealedRows, limits: StoreLimits, room: Room) -> None:
        self._rows = rows
        self._limits = limits
        self._room = room
        self._numbers: dict[str, int] | None = None
        self._ring = Ring()

    def recall(self) -> list[Lesson]:
        """All that are kept, oldest first; what does not open is set aside and let go."""
        file = self._rows.file
        self._ring = Ring.of(file.rows("SELECT no, bytes FROM lessons ORDER BY no"))
        found: dict[str, bytes] = {}
        numbers: dict[str, int] = {}
        lost: list[tuple[int, str, bytes]] = []
        for no, data in file.rows("SELECT no, data FROM lessons ORDER BY no"):
            try:
                topic, message = self._opened(no, data)
            except (SealError, ValueError, zlib.error, struct.error) as error:
                lost.append((no, str(error), data))
            else:
                found[topic], numbers[topic] = message, no
        if lost:
            self._set_aside(lost)
        self._numbers = numbers
        return list(found.items())

    def _opened(self, no: int, data: bytes) -> Lesson:
        plain = self._rows.unseal(RowKind.LESSON, number_identity(no), 0, data)
        (size,) = _TOPIC.unpack_from(plain)
        topic = plain[_TOPIC.size : _TOPIC.size + size].decode()
        return topic, zlib.decompress(plain[_TOPIC.size + size :])

    def _set_aside(self, lost: Sequence[tuple[int, str, bytes]]) -> None:
        with self._rows.transaction():
            for no, reason, data in lost:
                self._rows.set_aside(RowKind.LESSON, f"lesson {no}", reason, 0, data)
                self._rows.file.write("DELETE FROM lessons WHERE no = ?", no)
        self._ring.forget(frozenset(no for no, _, _ in lost))

    def keep(self, lessons: Sequence[Lesson]) -> None:
        """Keep these in place of what was known of their topics.

        BufferFull when there is no room: offer them again.
        """
        if self._numbers is None:
            self.recall()
        packed = [(topic, _packed(topic, body)) for topic, body in dict(lessons).items()]
        for some in self._portions(packed):
            if self._room.short(_pages(some)):
                hint = "readings come first; they are offered again"
                raise BufferFull("keep what devices told of themselves", "no room", hint)
            try:
                self._numbers = self._write(some, self._numbers or {})
            except BaseException:
                self._numbers = None  # as the file has it, at the next look
                raise

    def _portions(self, packed: Sequence[Lesson]) -> Iterator[Sequence[Lesson]]:
        """Portions of one transaction each; what alone is beyond one is left out."""
        portion: list[Lesson] = []
        size, size_max = 0, self._limits.chunk_bytes_max
        for one in packed:
            if len(one[1]) > size_max:
                continue
            if size + len(one[1]) > size_max:
                yield portion
                portion, size = [], 0
            portion.append(one)
            size += len(one[1])
        if portion:
            yield portion

    def _write(self, packed: Sequence[Lesson], numbers: dict[str, int]) -> dict[str, int]:
        known, file = dict(numbers), self._rows.file
        with self._rows.transaction():
            gone = frozenset(known.pop(topic) for topic, _ in packed if topic in known)
            self._ring.forget(gone)
            ring = self._ring.draft()
            for topic, body in packed:
                if body:
                    known[topic] = no = ring.append(len(body))
                    data = self._rows.seal(RowKind.LESSON, number_identity(no), 0, body)
                    file.write("INSERT INTO lessons VALUES (?, ?, ?)", no, len(body), data)
            gone |= set(ring.beyond(LESSONS_MAX, self._limits.lesson_bytes_max))
            for no in gone:
                file.write("DELETE FROM lessons WHERE no = ?", no)
        ring.adopt()
        return {topic: no for topic, no in known.items() if no not in gone}


def _pages(packed: Sequence[Lesson]) -> int:
    """Pages that rows newly take, from above: small ones share leaves half full at least."""
    return 2 * sum(len(body) + _ROW_BYTES for _, body in packed) // PAGE_BYTES + 16


def _packed(topic: str, message: bytes) -> bytes:
    named = topic.encode()
    if not message or len(named) > TOPIC_BYTES_MAX:
        return b""
    return _TOPIC.pack(len(named)) + named + zlib.compress(message, 6)
