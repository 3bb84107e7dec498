"""How often a pass over the same blocks has killed the process: the marker of a block that kills.

Decoding refuses malformed blocks by itself. This is for the block that takes the process down (a
bug in a library, memory): a marker is written before a pass and removed after it. Found again
after DEATHS_MAX deaths at one offset, the passes become single blocks; found again DEATHS_MAX
times on a single block, that one is given up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from cloud.journal import Entry

DEATHS_MAX: Final = 3


class _Marker(msgspec.Struct, frozen=True):
    start: int
    deaths: int


@dataclass(slots=True)
class Attempts:
    """The marker in file ``path``; it need not survive a power cut, only the process."""

    path: Path
    _deaths: int = 0

    def begin(self, start: int, bytes_max: int) -> int:
        """A pass after offset ``start`` begins; returns how many bytes it should read."""
        marker = self._read()
        self._deaths = marker.deaths if marker is not None and marker.start == start else 0
        self.path.write_bytes(msgspec.json.encode(_Marker(start, self._deaths + 1)))
        return bytes_max if self._deaths < DEATHS_MAX else 1

    def given_up(self, entries: Sequence[Entry]) -> int | None:
        """The offset of the block to set apart unseen, if it has come to that."""
        return entries[0].offset if self._deaths >= 2 * DEATHS_MAX else None

    def done(self) -> None:
        """The pass is over and committed."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> _Marker | None:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_Marker)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
