"""What SQLite says nothing of: commits in the write-ahead log that lie behind a damaged frame.

SQLite takes the log to end at the first frame whose checksum is wrong, and what follows is gone
without a word. But a commit is on the disk before the next one begins. So of what a power cut
leaves behind the end at most one commit can be whole, and nobody was told that it was kept; two or
more behind the end are damage, and what they held was acknowledged.
"""

import struct
from dataclasses import dataclass
from operator import eq
from pathlib import Path
from typing import Final

from edge.store.limits import PAGE_BYTES

_HEADER: Final = struct.Struct(">8I")  # https://sqlite.org/fileformat2.html#walformat
_FRAME: Final = struct.Struct(">6I")
_SALTS: Final = slice(2, 4)
_MASK: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class BehindTheEnd:
    """Frames of the log behind what SQLite reads of it, and how many of them end a commit."""

    frames: int = 0
    commits: int = 0

    @property
    def is_damage(self) -> bool:
        """Whether something acknowledged must have been among them."""
        return self.commits > 1


def behind_the_end(log: Path, frames_read: int) -> BehindTheEnd:
    """Look behind the ``frames_read`` frames that SQLite takes from the log; an OSError is raised.

    Frames of an earlier use of the log carry other salts and are not counted.
    """
    with log.open("rb") as file:
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return BehindTheEnd()
        magic, _, page_bytes, _, *salts, _, _ = _HEADER.unpack(head)
        step = _FRAME.size + page_bytes
        if not _is_sound(head, magic):  # its page size and salts may be what is wrong
            return BehindTheEnd(*_count_all(log)) if frames_read == 0 else BehindTheEnd()
        frames = commits = 0
        file.seek(_HEADER.size + frames_read * step)
        while len(frame := file.read(_FRAME.size)) == _FRAME.size:
            fields = _FRAME.unpack(frame)
            # One of both is enough: a frame whose salt is what was damaged is ours as well.
            if any(map(eq, fields[_SALTS], salts)):
                frames, commits = frames + 1, commits + bool(fields[1])
            file.seek(page_bytes, 1)
        return BehindTheEnd(frames, commits)


def _count_all(log: Path) -> tuple[int, int]:
    """Every frame after a header that cannot be believed, by the salts of the first."""
    data = log.read_bytes()
    step = _FRAME.size + PAGE_BYTES
    found = [_FRAME.unpack_from(data, at) for at in range(_HEADER.size, len(data) - step + 1, step)]
    same = [frame for frame in found if frame[_SALTS] == found[0][_SALTS]]
    return len(same), sum(bool(frame[1]) for frame in same)


def _is_sound(head: bytes, magic: int) -> bool:
    order = ">" if magic & 1 else "<"
    one = two = 0
    words = struct.unpack(f"{order}6I", head[:24])
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & _MASK
        two = (two + second + one) & _MASK
    return (one, two) == _HEADER.unpack(head)[6:]
