"""Pure: copies that a broker sends again after a reconnect, told apart from true repetitions.

Between a commit and the broker's hearing of its PUBACK lies a moment in which a connection may
break; the broker then sends the message again on the next one. Each accepted message therefore
leaves a mark of 16 bytes, kept in the buffer in the same commit. When a new connection begins, the
last `messages_max` marks become a multiset; a message that matches one takes it out and collapses.
Within one connection nothing collapses: equal values are true repetitions.

What a mark is made of decides what may match:

- a payload with a time of its own: hash of (topic, payload), whatever its DUP flag, so that it is
  recognised in a new session of the broker too;
- any other: hash of (topic, payload, packet id), and only with DUP = 1. A broker sends again under
  the original packet id (MQTT 5, 4.4). Without the id a steady sensor would lose readings: of ten
  equal ones in flight of which three were committed, all ten would match older equal marks.

QoS 0 is never sent again, so it leaves no marks and never matches.
"""

from collections import deque
from collections.abc import Iterable
from hashlib import blake2b

from edge.chunk import MARK_BYTES
from edge.message import Message

KEY_BYTES = 32


class Redelivery:
    """Decides for each message, in order of arrival, whether it is a copy.

    Args:
        key: secret of this gateway, 16 to 64 bytes: marks tell nothing to who does not have it.
        marks: those persisted by earlier runs, oldest first, 16 bytes each.
        messages_max: how many marks are remembered; 0 switches the filter off.

    Raises:
        ValueError: a key or marks of a wrong size.
    """

    def __init__(self, key: bytes, marks: bytes = b"", *, messages_max: int = 20_000) -> None:
        if not 16 <= len(key) <= 64 or len(marks) % MARK_BYTES:
            raise ValueError(f"a key of 16 to 64 bytes and marks of {MARK_BYTES} each are needed")
        self._hash = blake2b(digest_size=MARK_BYTES, key=key)
        self._messages_max = messages_max
        self._recent = deque(_split(marks), maxlen=messages_max)
        self._session = 0
        self._open: dict[bytes, int] = {}
        self._new: list[bytes] = []

    def repeats(self, message: Message, *, dated: bool) -> bool:
        """Whether ``message`` is a copy of an accepted one; if not, it is accepted and marked.

        ``dated``: its payload carries a time of its own. Messages come in order of arrival, each
        once; a copy is to be acknowledged no earlier than everything accepted before it.
        """
        if message.qos == 0 or self._messages_max == 0:
            return False
        if message.session != self._session:
            self._begin(message.session)
        mark = self._mark(message, dated)
        if self._open and (dated or message.dup) and self._take(mark):
            return True
        if self._open and len(self._recent) == self._messages_max:
            self._take(self._recent[0])
        self._recent.append(mark)
        self._new.append(mark)
        return False

    def take_marks(self) -> bytes:
        """Marks of what was accepted since the last call, oldest first, to be kept."""
        marks = b"".join(self._new)
        self._new.clear()
        return marks

    def _begin(self, session: int) -> None:
        self._session = session
        self._open = {}
        for mark in self._recent:
            self._open[mark] = self._open.get(mark, 0) + 1

    def _take(self, mark: bytes) -> bool:
        count = self._open.get(mark, 0)
        if count > 1:
            self._open[mark] = count - 1
        elif count:
            del self._open[mark]
        return count > 0

    def _mark(self, message: Message, dated: bool) -> bytes:
        digest = self._hash.copy()
        packet_id = 0 if dated else message.packet_id
        topic = message.topic
        digest.update(f"{packet_id} {len(topic)} {topic}".encode(errors="surrogatepass"))
        digest.update(message.payload)
        return digest.digest()


def _split(marks: bytes) -> Iterable[bytes]:
    return (marks[at : at + MARK_BYTES] for at in range(0, len(marks), MARK_BYTES))
