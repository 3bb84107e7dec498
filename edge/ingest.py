"""The contract of every way in: messages arrive in an inbox, and are acknowledged after the commit.

An ingest holds a session with one broker, puts what arrives into a bounded `Inbox`, and sends the
PUBACK of a message only when it comes back through `ack`. When the inbox is full it stops
reading: TCP holds the broker back, which keeps QoS 1 messages in the session and drops QoS 0 by
its own rules. Nothing is thrown away here but, once much waits, messages of QoS 0 on topics of
which nothing can be read: else a flood of them, which the broker queues, would delay all others.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from edge.message import Message, Messages

SHED_SHARE: Final = 8
"""Part of the inbox that is taken before anything is left out: what is read in tens of ms."""


WORTH_WAITING: Final = 256
"""A batch of so many waits for ``min_s`` at least: whoever reads is then done, and does not compete
for the processor with whoever collects. To a slower stream waking up again would cost more."""


@dataclass(frozen=True, slots=True)
class Linger:
    """How long messages may wait for more, so that looks and commits are few but alerts are quick.

    A batch waits until it has ``enough`` messages, or those of ``enough_s``, whichever are more,
    and no longer than ``max_s``; a stream so slow that this would bring none more does not wait. It
    never waits for more than ``enough_max``, which is for a broker that sends no more before it has
    PUBACKs. ``messages_max`` and ``bytes_max`` bound a batch, and with it one chunk of the buffer.
    A batch that is to have `WORTH_WAITING` messages or more waits ``min_s`` at least, or until it
    has the most that it may have. How long a card takes has no part in it: no alert waits for that.

    What was read then waits for its commit (`edge.gathering`): for as long as the next batch comes
    within ``gather_s`` of its first message, and never longer than ``max_s``. Between two commits
    there are at least ``min_s``, longer `on_card`; only what is enough for a commit by itself
    (`edge.gathering.MESSAGES_ENOUGH` messages, or that many bytes) does not wait for that. Where a
    card is to be spared they are ``spare_s`` apart (`edge.wear`), longer than ``max_s``, unless
    what is enough for the broker's window waits, or an anomaly.
    """

    min_s: float = 0.005
    max_s: float = 0.250
    enough: int = 32
    enough_s: float = 0.036
    gather_s: float = 0.120
    enough_max: int = 1 << 30
    messages_max: int = 4096
    bytes_max: int = 1 << 20
    spare_s: float = 0.0

    def on_card(self, commit_s: float, spare_s: float = 0.0) -> "Linger":
        """The same on a card that takes ``commit_s`` for a commit: twice that between two of them.

        It is for `edge.gathering` alone, not for `Inbox.take`. The next is read while the one
        before it is committed, so the card then writes half of the time at most, which is its
        life; a fast disk keeps ``min_s``.
        """
        min_s = min(max(self.min_s, 2 * commit_s), self.max_s)
        return replace(self, min_s=min_s, spare_s=spare_s)


@dataclass(frozen=True, slots=True)
class LinkState:
    """How the connection to a broker stands, for `status` and for whoever starts the agent.

    ``connected``: the broker took the connection and at least one topic filter. ``error`` is the
    last trouble in words, empty when all is well. ``window``: messages the broker may have in
    flight before it waits for PUBACKs.
    """

    connected: bool = False
    session_no: int = 0
    resumed: bool = False
    protocol: str = ""
    window: int = 20
    error: str = ""
    stale_acks: int = 0


class Ingest(Protocol):
    """Sessions with brokers; no trouble with a broker is ever raised, it stands in ``state``."""

    @property
    def state(self) -> LinkState:
        """How the connection stands now."""

    @property
    def states(self) -> Mapping[str, LinkState]:
        """How each connection stands, by the broker's name; one alone has its own."""

    @property
    def turns(self) -> Mapping[str, int]:
        """How often each session's thread came round, by the broker's name."""

    def start(self, inbox: "Inbox") -> None:
        """Connect and keep connected, putting messages into ``inbox`` in order of arrival."""

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until connected and subscribed; False when that did not come about in time."""

    def ack(self, messages: Messages) -> None:
        """Acknowledge messages, in order of arrival, from any thread.

        Those of an earlier connection are dropped: the broker sends them again, under the new
        connection, and a packet id may by then mean another message.
        """

    def stop(self, timeout_s: float) -> None:
        """Send the acknowledgements at hand and leave; the broker keeps the session."""


class Inbox:
    """A bounded queue between the thread that reads the broker and the one that collects.

    Args:
        messages_max: room is gone when so many messages wait.
        bytes_max: or when they take so many bytes, payloads, topics and overhead together.

    Attributes:
        unwanted: topics of which nothing can be read; set by whoever reads them.
        shed: messages left out by `sift`.
        begun_s: when the first message of the last batch was there, of the monotonic clock.
        is_dry: whether the last batch was waited for to the end, and nothing came for the most of
            that time: the broker may be the one that waits.

    The bound is checked before a read, so what the last read brought may pass it.
    """

    def __init__(self, *, messages_max: int = 20_000, bytes_max: int = 16 << 20) -> None:
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._waiting = Messages()
        self._changed = threading.Condition()
        self._enough = 1
        self._woken = False
        self._closed = False
        self._shut = False
        self._rate_per_s = 0.0
        self._taken_at = time.monotonic()
        self._when_room: list[Callable[[], None]] = []
        self.unwanted: frozenset[str] = frozenset()
        self.shed = 0
        self.begun_s = self._taken_at
        self.is_dry = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether another message may be read."""
        return self.has_room_beside(0, 0)

    def has_room_beside(self, count: int, size: int) -> bool:
        """Whether another may be read when ``count`` messages of ``size`` bytes are yet to come."""
        waiting = self._waiting
        is_full = (
            len(waiting) + count >= self._messages_max or waiting.size + size >= self._bytes_max
        )
        return not is_full and not self._shut

    def when_room(self, call: Callable[[], None]) -> None:
        """Have ``call`` called, by the taking thread, when a full inbox has room again."""
        self._when_room.append(call)

    def put(self, message: Message) -> None:
        """Add one message, for what is not hot; see `extend`."""
        self.extend(Messages.of([message]))

    def extend(self, more: Messages) -> None:
        """Add messages. Whoever reads asks ``has_room`` first; this never blocks or drops."""
        with self._changed:
            before = len(self._waiting)
            self._waiting.extend(more)
            if before < self._enough <= len(self._waiting):
                self._changed.notify()

    def sift(self, heard: Messages) -> Messages:
        """What is to be put in of messages, which have no bursts yet.

        While an eighth of the room is taken, those of QoS 0 on unwanted topics are left out.
        """
        waiting = self._waiting
        count, size = len(waiting) + len(heard), waiting.size + heard.size
        little = count < self._messages_max // SHED_SHARE and size < self._bytes_max // SHED_SHARE
        if little or not self.unwanted:
            return heard
        kept = heard.without(self.unwanted)
        with self._changed:  # each broker has a thread
            self.shed += len(heard) - len(kept)
        return kept

    def wake(self) -> None:
        """Let a waiting ``take`` return with what there is, also with nothing."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def shut(self) -> None:
        """Have no room from now on, so that nothing more is read; what waits can be taken."""
        self._shut = True
        self.close()

    def close(self) -> None:
        """Let ``take`` return at once from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def is_steady(self, linger: Linger) -> bool:
        """Whether within ``max_s`` more messages are to be expected."""
        return self._rate_per_s * linger.max_s >= 2

    def take(self, linger: Linger, until_s: float = math.inf) -> Messages:
        """The next batch, in order of arrival; empty after ``wake`` or ``close``.

        Waits for a first message, until ``until_s`` of the monotonic clock at most, then as
        ``linger`` says.
        """
        with self._changed:
            self._wait(1, until_s)
            self.begun_s, self.is_dry = time.monotonic(), False
            if len(self._waiting) and self.is_steady(linger):
                count = max(linger.enough, round(self._rate_per_s * linger.enough_s))
                most = min(linger.enough_max, linger.messages_max)
                count = min(count, most)
                if count >= WORTH_WAITING:
                    self._wait(most, min(until_s, self.begun_s + linger.min_s))
                self._wait(count, min(until_s, self.begun_s + linger.gather_s))
                had, end_s = len(self._waiting), min(until_s, self.begun_s + linger.max_s)
                self._wait(count, end_s)
                is_long = self.begun_s + 1.5 * linger.gather_s <= end_s <= time.monotonic()
                self.is_dry = is_long and had == len(self._waiting) < count
            self._woken = False
            was_full = not self.has_room
            batch = self._pop(linger)
        if was_full:
            for call in self._when_room:
                call()
        return batch

    def _wait(self, count: int, until_s: float) -> None:
        """Until ``count`` messages wait, somebody wakes us, or the time is over."""
        self._enough = count
        self._changed.wait_for(
            lambda: len(self._waiting) >= count or self._woken or self._closed,
            None if until_s == math.inf else max(0.0, until_s - time.monotonic()),
        )

    def _pop(self, linger: Linger) -> Messages:
        batch, self._waiting = self._waiting, Messages()
        count = len(batch)
        if batch.size > linger.bytes_max:
            count = batch.fitting(linger.bytes_max)
        if len(batch) > linger.messages_max or count < len(batch):
            batch, self._waiting = batch.split(min(count, linger.messages_max))
        self._learn_rate(len(batch))
        return batch

    def _learn_rate(self, count: int) -> None:
        """Messages per second, smoothed over ten batches, or over the last long wait."""
        now = time.monotonic()
        passed = max(now - self._taken_at, 1e-6)
        weight = max(min(passed, 1.0), 0.1)
        self._rate_per_s += weight * (count / passed - self._rate_per_s)
        self._taken_at = now
