"""What was read and scored, gathered until it is worth a commit.

A look at the broker is read and scored as soon as it comes, so that an anomaly is told at once. A
commit costs as much again, whatever is in it, and wears the card; so what several looks brought
becomes one chunk. Nothing of it is acknowledged before that chunk is safe.
"""

import math
from typing import Final

from edge.chunk import Chunk
from edge.detect.found import Found
from edge.heard import Heard
from edge.ingest import Linger
from edge.message import Messages
from protos.limits import KIB
from protos.records import concat

MESSAGES_ENOUGH: Final = 1024
"""A commit's own cost is nothing beside theirs."""
WINDOW_MIN: Final = 8
"""Of fewer at once nothing is learnt about a broker: sensors that speak each second are as many."""
BYTES_MAX: Final = 384 * KIB
"""Beyond it two are not put together: a chunk of the buffer takes no more than one batch may be."""
BYTES_ENOUGH: Final = BYTES_MAX // 2
QUIET_S: Final = 1.0
"""Nothing came for so long, and for the most of a wait: it may have been in vain."""
AT_ONCE_S: Final = 0.25
"""What comes so soon after a commit was held back by the broker until then."""
FORGOTTEN_S: Final = (60.0, 3600.0)
"""For how long that is believed: twice as long each time that it turns out so again."""


class Few:
    """Whether a broker has only a few messages under way, seen from waits that spare a card.

    Sensors that speak seldom look like a broker that waits for PUBACKs, but for one thing: from
    such a broker more comes as soon as there are PUBACKs. ``most`` is what it sends at once,
    infinite unless that was seen.
    """

    def __init__(self) -> None:
        self.most: float = math.inf
        self._vain: tuple[int, float] | None = None  # messages of a wait in vain, when it ended
        self._until_s = -math.inf
        self._believed_s = FORGOTTEN_S[0]

    def waited(self, count: int, since_s: float, last_s: float, now_s: float) -> None:
        """A commit is made of ``count`` messages, the first and the last taken in then."""
        quiet_s = now_s - last_s
        is_vain = count and quiet_s >= QUIET_S and quiet_s > (now_s - since_s) / 2
        self._vain = (count, now_s) if is_vain else None

    def came(self, count: int, begun_s: float) -> None:
        """So many messages wait now; the first of the last look was there at ``begun_s``."""
        if count > self.most:
            self.most, self._believed_s = math.inf, FORGOTTEN_S[0]
        elif begun_s >= self._until_s:
            self.most = math.inf
        if self._vain is not None:
            was, ended_s = self._vain
            self._vain = None
            if begun_s - ended_s <= AT_ONCE_S:
                self.most, self._until_s = was, begun_s + self._believed_s
                self._believed_s = min(2 * self._believed_s, FORGOTTEN_S[1])


class Gathering:
    """Parts of one chunk, in order of arrival.

    Attributes:
        messages: those of the parts.
    """

    def __init__(self) -> None:
        self.messages = Messages()
        self._chunks: list[Chunk] = []
        self._bytes = 0
        self._since_s = math.inf
        self._last_s = math.inf
        self._taken_s = -math.inf
        self._most: float = math.inf
        self._few = Few()
        self._has_found = False
        self._is_spared = False

    def __len__(self) -> int:
        """Parts that wait."""
        return len(self._chunks)

    def takes(self, heard: Heard | None, found: Found | None = None) -> bool:
        """Whether another part fits into the same chunk; the first always does."""
        return not self._chunks or self._bytes + _cost(heard, found) <= BYTES_MAX

    def add(self, heard: Heard, found: Found | None, messages: Messages, begun_s: float) -> None:
        """Add a part, whose first message was there at ``begun_s``; ``messages`` are ours then."""
        if self._chunks:
            self.messages.extend(messages)
        else:
            self._since_s, self.messages = begun_s, messages
        self._last_s = begun_s
        self._few.came(len(self.messages), begun_s)
        self._has_found = self._has_found or _is_urgent(found)
        self._chunks.append(heard.as_chunk(found))
        self._bytes += _cost(heard, found)
        if len(self.messages) > self._most:
            self._most = math.inf

    def add_found(self, found: Found, now_s: float) -> None:
        """Add what was found without a message."""
        if not self._chunks:
            self._since_s = now_s
        self._has_found = self._has_found or _is_urgent(found)
        self._chunks.append(Chunk(found.batch, counters=found.totals(), kept=found.kept))
        self._bytes += found.cost

    @property
    def most(self) -> float:
        """So many are all that the broker has under way; infinite while that is not known."""
        return self._most

    def dried_up(self) -> None:
        """Nothing more came though more was expected.

        A broker may have fewer messages under way than we take, and then wait for us: until more
        than now come at once, as many are enough for a commit, but for the fewest.
        """
        if len(self.messages) >= WINDOW_MIN:
            self._most = len(self.messages)

    def due_s(self, linger: Linger, *, steady: bool) -> float:
        """From when on a look, though it brings nothing more, should end in a commit.

        ``steady``: more is expected soon. Of the clock that ``begun_s`` is of; infinite while there
        is nothing.
        """
        if not self._chunks:
            return math.inf
        if len(self.messages) >= MESSAGES_ENOUGH or self._bytes >= BYTES_ENOUGH:
            return self._since_s
        earliest_s = max(self._since_s, self._taken_s + linger.min_s)
        self._is_spared = self._may_spare(linger)
        if self._is_spared:
            earliest_s = max(earliest_s, self._taken_s + linger.spare_s)
        if not steady or self._is_enough(linger):
            return earliest_s
        return max(earliest_s, self._since_s + min(linger.gather_s, linger.max_s))

    def until_s(self, linger: Linger, *, steady: bool) -> float:
        """When it is to be committed at the latest, though nothing more comes.

        Later than ``due_s``: while looks follow each other the next one serves, and to wake up
        between two of them costs as much as one.
        """
        due_s = self.due_s(linger, steady=steady)
        waits = steady and not self._is_enough(linger)
        return max(due_s, self._since_s + linger.max_s) if waits else due_s

    def _may_spare(self, linger: Linger) -> bool:
        """Whether the card may be spared: nothing here is urgent, and nobody waits for us."""
        few = len(self.messages) >= self._few.most
        return linger.spare_s > 0 and not (self._has_found or few or self._is_enough(linger))

    def _is_enough(self, linger: Linger) -> bool:
        return len(self.messages) >= min(linger.enough_max, self._most)

    def take(self, now_s: float) -> tuple[Chunk, Messages]:
        """All of it as one chunk, with its messages; nothing is left."""
        if self._is_spared:
            self._few.waited(len(self.messages), self._since_s, self._last_s, now_s)
        self._has_found = self._is_spared = False
        made = _joined(self._chunks), self.messages
        self.messages, self._chunks, self._bytes = Messages(), [], 0
        self._since_s, self._taken_s = math.inf, now_s
        return made


def _cost(heard: Heard | None, found: Found | None) -> int:
    """What a part may take in a chunk."""
    return (heard.cost if heard else 0) + (found.cost if found else 0)


def _is_urgent(found: Found | None) -> bool:
    """Whether there is an anomaly in it, or what became of one; not only what is remembered."""
    return found is not None and bool(found.batch.rows or found.changes)


def _joined(chunks: list[Chunk]) -> Chunk:
    """One chunk with what several hold, in order."""
    if len(chunks) == 1:
        return chunks[0]
    totals: dict[str, int] = {}
    for one in chunks:
        for name, count in one.counters.items():
            totals[name] = totals.get(name, 0) + count
    return Chunk(
        concat([one.batch for one in chunks]),
        tuple(entry for one in chunks for entry in one.new_entries),
        b"".join(one.marks for one in chunks),
        tuple(reject for one in chunks for reject in one.rejects),
        totals,
        tuple({name: (name, body) for one in chunks for name, body in one.kept}.values()),
    )
