"""Pure: copies that a broker sends again after a reconnect, told apart from true repetitions.

Between a commit and the broker's hearing of its PUBACK lies a moment in which a connection may
break; the broker then sends the message again on the next one. Each accepted message therefore
leaves a mark of 16 bytes, kept in the buffer in the same commit. When a new connection begins, the
last `messages_max` marks become a multiset; a message that matches one takes it out and collapses.
Within one connection nothing collapses: equal values are true repetitions.

A mark is a keyed hash of topic and payload (14 bytes) and a packet id (2). What it is made of
decides what may match:

- a payload with a time of its own: packet id 0, whatever its DUP flag, so that it is recognised in
  a new session of the broker too;
- any other: its packet id, and only with DUP = 1. A broker sends again under the original packet
  id (MQTT 5, 4.4). Without the id a steady sensor would lose readings: of ten equal ones in flight
  of which three were committed, all ten would match older equal marks.

QoS 0 is never sent again, so it leaves no marks and never matches. Brokers are told apart: what one
sent is never a copy of what another did. The marks of all but the first are changed by a mask of
the broker's name, and each is remembered for itself: a busy one does not push out another's.
"""

from hashlib import blake2b
from typing import Final, Protocol

import numpy as np

from edge.chunk import MARK_BYTES
from edge.message import DUP, QOS
from edge.open_marks import OpenMarks

KEY_BYTES: Final = 32
_HASH_BYTES: Final = MARK_BYTES - 2


class Marker(Protocol):
    """A hash that has taken in the key and a topic; copied for each payload."""

    def copy(self) -> "Marker":
        """One to be used up."""

    def update(self, data: bytes, /) -> None:
        """Take in a payload."""

    def digest(self) -> bytes:
        """The mark's first 14 bytes."""


class Redelivery:
    """Decides for messages, in order of arrival, whether they are copies.

    Args:
        key: secret of this gateway, 16 to 64 bytes: marks tell nothing to who does not have it.
        marks: those persisted by earlier runs, oldest first, 16 bytes each.
        messages_max: how many marks are remembered; 0 switches the filter off.

    Attributes:
        hashes, packet_ids: what was accepted since the last look, oldest first. Who knows that a
            message cannot be a copy (``may_match`` is False) adds to both itself.

    Raises:
        ValueError: a key or marks of a wrong size.
    """

    def __init__(self, key: bytes, marks: bytes = b"", *, messages_max: int = 65_536) -> None:
        if not 16 <= len(key) <= 64 or len(marks) % MARK_BYTES:
            raise ValueError(f"a key of 16 to 64 bytes and marks of {MARK_BYTES} each are needed")
        self.hashes: list[bytes] = []
        self.packet_ids: list[int] = []
        self._hash = blake2b(digest_size=_HASH_BYTES, key=key)
        self._messages_max = messages_max
        self._loaded = marks
        self._new: list[bytes] = []
        self._peers: dict[str, _Peer] = {}
        self._peer = self._peer_of("")

    @property
    def is_on(self) -> bool:
        """Whether marks are kept at all."""
        return self._messages_max > 0

    def may_match(self, head: int, *, dated: bool) -> bool:
        """Whether a message of this connection could be a copy at all; ``head`` as in Messages."""
        return bool(self._peer.open) and bool(head & QOS) and (dated or bool(head & DUP))

    def marker(self, topic: str) -> Marker:
        """The hash of this topic's messages before their payloads."""
        made = self._hash.copy()
        made.update(f"{len(topic)} {topic}".encode(errors="surrogatepass"))
        return made

    def begin(self, session: int, broker: str = "") -> None:
        """Take what follows for messages of this connection; a new one makes copies possible."""
        if broker != self._peer.name:
            self._settle()
            self._peer = self._peer_of(broker)
        if session != self._peer.session:
            self._settle()
            self._peer.begin(session)

    def repeats(
        self, marker: Marker, payload: bytes, head: int, packet_id: int, *, dated: bool
    ) -> bool:
        """Whether a message is a copy of an accepted one; if not, it is accepted and marked.

        ``marker`` is its topic's; ``dated``: its payload carries a time of its own. Messages come
        in order of arrival, each once; a copy is to be acknowledged no earlier than everything
        accepted before it.
        """
        if not head & QOS or not self.is_on:
            return False
        digest = marker.copy()
        digest.update(payload)
        mark_id = 0 if dated else packet_id
        if self.may_match(head, dated=dated):
            self._settle()
            if self._peer.take(self._peer.masked(digest.digest()) + mark_id.to_bytes(2, "little")):
                return True
        self.hashes.append(digest.digest())
        self.packet_ids.append(mark_id)
        return False

    def take_marks(self) -> bytes:
        """Marks of what was accepted since the last call, oldest first, to be kept."""
        self._settle()
        marks = b"".join(self._new)
        self._new.clear()
        return marks

    def _settle(self) -> None:
        """Turn what was accepted of this broker into marks."""
        count = len(self.hashes)
        if not count:
            return
        marks = np.empty((count, MARK_BYTES), np.uint8)
        hashes = np.frombuffer(b"".join(self.hashes), np.uint8)
        marks[:, :_HASH_BYTES] = hashes.reshape(count, _HASH_BYTES) ^ self._peer.mask
        marks[:, _HASH_BYTES:] = np.array(self.packet_ids, "<u2").view(np.uint8).reshape(count, 2)
        self.hashes.clear()
        self.packet_ids.clear()
        told = marks.tobytes()
        self._new.append(told)
        self._peer.accept(told)

    def _peer_of(self, broker: str) -> "_Peer":
        """What is known of a broker; at first that may be any of the marks that were kept."""
        peer = self._peers.get(broker)
        if peer is None:
            named = self._hash.copy()
            named.update(b"broker " + broker.encode(errors="surrogatepass"))
            mask = named.digest() if broker else bytes(_HASH_BYTES)
            peer = self._peers[broker] = _Peer(broker, mask, self._messages_max)
            peer.remember(self._loaded)
        return peer


class _Peer:
    """One broker: what it sent last, and what of it may come again on this connection."""

    def __init__(self, name: str, mask: bytes, messages_max: int) -> None:
        self.name = name
        self.mask = np.frombuffer(mask, np.uint8)
        self.session = 0
        self.open = OpenMarks()
        self._recent = bytearray()
        self._messages_max = messages_max

    def begin(self, session: int) -> None:
        self.session = session
        self.open = OpenMarks(self._recent)

    def masked(self, digest: bytes) -> bytes:
        return (np.frombuffer(digest, np.uint8) ^ self.mask).tobytes()

    def accept(self, marks: bytes) -> None:
        """Remember marks; old ones leave the multiset as they leave memory."""
        surplus = self.remember(marks)
        if self.open:
            self.open.leave(surplus)
            if not self.open:
                self.open = OpenMarks()

    def remember(self, marks: bytes) -> int:
        """Keep the newest; how many left."""
        self._recent += marks
        surplus = max(0, len(self._recent) // MARK_BYTES - self._messages_max)
        del self._recent[: surplus * MARK_BYTES]
        return surplus

    def take(self, mark: bytes) -> bool:
        """Take one out of the multiset; False when it is not in it."""
        return self.open.take(mark)
