"""How often decoding the same blocks has killed the process: the marker of a block that kills.

Decoding refuses malformed blocks by itself. This is for the block that takes the process down (a
bug in a library, memory). Before blocks are decoded a marker is written, and removed after it.
Blocks in which a process died are taken one by one from then on; one that DEATHS_MAX processes died
of is given up, for everyone who decodes. Only deaths count in which the block was by itself: not
with others of what was read at once, and with nobody else of the folder decoding meanwhile, for
the view and the tables may be threads of one process and the killer may have been the other's.
"""

import fcntl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import msgspec

from cloud.journal.contract import Entry

DEATHS_MAX: Final = 3
KILLS: Final = "the process died of it again and again"
"""The reason under which such a block is set apart."""
KILLERS_MAX: Final = 1024
"""Blocks given up that are remembered, the newest: the lake and the view pass them soon."""


class _Marker(msgspec.Struct, frozen=True):
    """``deaths`` at offset ``start``; blocks up to ``until`` are taken one by one."""

    start: int
    deaths: int
    until: int = 0


@dataclass(slots=True)
class Attempts:
    """The marker in file ``path``; it need not survive a power cut, only the process.

    Who decodes has a marker of its own; ``killers.json`` beside it, the blocks given up by hash, is
    for all of one folder.
    """

    path: Path
    _before: _Marker = field(default_factory=lambda: _Marker(0, 0))
    _end: int = 0
    _turn: IO[bytes] | None = None
    """Open while blocks are decoded: locked by many together, or by one who takes them singly."""
    _is_before: bool = False
    """On the way, once more, to where the last process died: its marker stays until then."""

    def begin(self, start: int, bytes_max: int) -> int:
        """Blocks after offset ``start`` are to be decoded; how many bytes of them to read."""
        marker = self._read() or _Marker(start, 0)
        until = marker.until if start < marker.until else 0
        self._is_before = start < marker.start and bool(until)
        self._before = _Marker(start, marker.deaths if marker.start == start else 0, until)
        self._end = start
        return 1 if until else bytes_max

    def given_up(self, entries: Sequence[Entry]) -> frozenset[int]:
        """Decoding of these begins; the offsets of those to be set apart unseen instead.

        Waits while another decodes, if these are taken one by one or the other's are. `leave` must
        follow, whatever happens.
        """
        self._take_turn()
        before, self._end = self._before, entries[-1].offset
        killers = self._killers()
        if before.deaths >= DEATHS_MAX and entries[0].hash.hex() not in killers:
            killers = (*killers, entries[0].hash.hex())[-KILLERS_MAX:]
            self._killers_path.write_bytes(msgspec.json.encode(killers))
        if not self._is_before:
            deaths = before.deaths + 1 if before.until else 0  # a death among many tells nothing
            self._write(_Marker(before.start, deaths, max(before.until, self._end)))
        return frozenset(entry.offset for entry in entries if entry.hash.hex() in killers)

    def done(self) -> None:
        """These are decoded, and what rests on it is done."""
        if self._is_before:
            return
        if self._before.until > self._end:
            self._write(_Marker(self._end, 0, self._before.until))
        else:
            self.path.unlink(missing_ok=True)

    def undone(self) -> None:
        """It failed by another's fault (a disk, an operator): it does not count."""
        if self._is_before:
            return
        if self._before.deaths or self._before.until:
            self._write(self._before)
        else:
            self.path.unlink(missing_ok=True)

    def leave(self) -> None:
        """Let others decode; after `done` or `undone`, and after whatever else ended it."""
        if self._turn is not None:
            self._turn.close()
            self._turn = None

    def _take_turn(self) -> None:
        if self._turn is None:
            self._turn = self.path.with_name("attempt.lock").open("ab")
            is_alone = bool(self._before.until)
            fcntl.flock(self._turn, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)

    @property
    def _killers_path(self) -> Path:
        return self.path.with_name("killers.json")

    def _killers(self) -> tuple[str, ...]:
        try:
            return msgspec.json.decode(self._killers_path.read_bytes(), type=tuple[str, ...])
        except (FileNotFoundError, msgspec.DecodeError):
            return ()

    def _write(self, marker: _Marker) -> None:
        self.path.write_bytes(msgspec.json.encode(marker))

    def _read(self) -> _Marker | None:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_Marker)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
