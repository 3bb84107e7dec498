"""Pure: how a gateway fetches an offered package: from where it stands, one piece after the other.

No socket, disk, clock or chance. What is not the answer to the open question changes nothing, so a
line that loses, doubles or delays costs time only; what is held stands in the folder, and a new
session goes on from there, wherever the last was cut.
"""

from dataclasses import dataclass
from typing import Final

from protos import sync_pb2 as pb
from protos.limits import MODEL_PIECE_BYTES_MAX

ASK_AGAIN_US: Final = 60_000_000
"""How long a question stays open; a slow line needs half of it for one piece at 1 kB/s."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A package that is to be fetched: ``held`` of its ``size`` bytes are in the folder."""

    sha256: bytes
    size: int
    held: int


class Fetch:
    """One session's fetching."""

    def __init__(self) -> None:
        self.session = 0
        self._asked: pb.ModelAsk | None = None
        self._since_us = 0
        self._refused: set[bytes] = set()

    @property
    def may_speak(self) -> bool:
        """Whether the cloud has spoken of models in this session."""
        return self.session != 0

    def begin(self) -> None:
        """A session begins: nothing is open, and nothing may be said yet."""
        self.session, self._asked = 0, None
        self._refused.clear()

    def offered(self, session: int) -> None:
        """The cloud has told what it offers; what it refused may be there now."""
        self.session = session
        self._refused.clear()

    def ask(self, wanted: Wanted | None, now_us: int) -> pb.ModelAsk | None:
        """The question that is to be put now, None when there is none."""
        if not self.may_speak or wanted is None or wanted.sha256 in self._refused:
            return None
        open_ = self._asked
        is_open = open_ is not None and open_.sha256 == wanted.sha256
        if is_open and now_us - self._since_us < ASK_AGAIN_US:
            return None
        if wanted.held >= wanted.size:
            return None
        self._since_us = now_us
        self._asked = pb.ModelAsk(session=self.session, sha256=wanted.sha256, offset=wanted.held)
        return self._asked

    def piece(self, piece: pb.ModelPiece) -> bytes:
        """The bytes that follow what is held, empty when this is no answer to the open question."""
        asked = self._asked
        is_ours = (
            asked is not None
            and piece.session == self.session
            and piece.sha256 == asked.sha256
            and piece.offset == asked.offset
        )
        if not is_ours:
            return b""
        self._asked = None
        if piece.refused or not piece.data or len(piece.data) > MODEL_PIECE_BYTES_MAX:
            self._refused.add(piece.sha256)
            return b""
        return piece.data
