"""Pure: what one session says of models: offers as they change, and one piece at a time.

No socket, disk or clock: whoever holds the stream reads what is asked for and writes what is due.
A piece goes out behind the acknowledgements that are due, and there is never more than one under
way, so an acknowledgement waits behind `MODEL_PIECE_BYTES_MAX` at most.
"""

from dataclasses import dataclass

from protos import sync_pb2 as pb
from protos.limits import MODEL_PIECE_BYTES_MAX, MODEL_REASON_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Reading:
    """A piece to be read: ``length`` bytes from ``offset`` of the package of this hash."""

    sha256: bytes
    offset: int
    length: int


class ModelLine:
    """The models' part of one session."""

    def __init__(self) -> None:
        self._offers: pb.ModelOffers | None = None
        self._is_told = True
        self._sizes: dict[bytes, int] = {}
        self._asked: pb.ModelAsk | None = None
        self._reading: Reading | None = None
        self._piece: pb.ModelPiece | None = None

    def offer(self, offers: pb.ModelOffers) -> bool:
        """Say these from now on; False when they are what was said last."""
        told = {one.sha256: one.size for one in offers.offers}
        if self._offers is not None and offers == self._offers:
            return False
        self._offers, self._sizes, self._is_told = offers, told, False
        return True

    def asked(self, ask: pb.ModelAsk) -> None:
        """The gateway asks; an earlier question that is still open is forgotten."""
        self._asked, self._piece = ask, None

    def to_read(self) -> Reading | None:
        """What is to be read for the open question, told once; None while something is read."""
        ask = self._asked
        if ask is None or self._reading is not None:
            return None
        self._asked = None
        size = self._sizes.get(ask.sha256)
        if size is None:
            self._refuse(ask.sha256, ask.offset, "this package is not offered")
            return None
        if ask.offset >= size:
            self._refuse(ask.sha256, ask.offset, f"it has {size} bytes")
            return None
        length = min(MODEL_PIECE_BYTES_MAX, size - ask.offset)
        self._reading = Reading(ask.sha256, ask.offset, length)
        return self._reading

    def was_read(self, data: bytes | None, refused: str = "") -> None:
        """What came of the reading; None where it could not be had, with the reason."""
        reading, self._reading = self._reading, None
        if reading is None or self._asked is not None:
            return  # a later question took its place
        if data is None or len(data) != reading.length:
            why = refused or "the package is not what was published"
            self._refuse(reading.sha256, reading.offset, why)
        else:
            self._piece = pb.ModelPiece(sha256=reading.sha256, offset=reading.offset, data=data)

    @property
    def is_due(self) -> bool:
        """Whether there is something to say."""
        return self._piece is not None or not self._is_told

    def due(self, session: int) -> list[pb.CloudMessage]:
        """What is to be said now."""
        said: list[pb.CloudMessage] = []
        if self._offers is not None and not self._is_told:
            self._is_told = True
            told = pb.ModelOffers()
            told.CopyFrom(self._offers)
            told.session = session
            said.append(pb.CloudMessage(model_offers=told))
        if self._piece is not None:
            self._piece.session = session
            said.append(pb.CloudMessage(model_piece=self._piece))
            self._piece = None
        return said

    def _refuse(self, sha256: bytes, offset: int, why: str) -> None:
        told = why.encode()[:MODEL_REASON_BYTES_MAX].decode(errors="ignore")
        self._piece = pb.ModelPiece(sha256=sha256[:32], offset=offset, refused=told)
