"""Pure: which end of a backlog is sealed next, how much may be under way, and when it is through.

After an outage the oldest readings wait for the link, and so would the newest behind them. So while
a backlog drains, one block in `LIVE_SHARE` may hold the newest chunks instead, and no more is kept
under way than the link carries in its round trip and `AHEAD_S`: a fresh block waits behind little,
and a link of any length stays busy (docs/decisions/0026; the law is BBR's: Cardwell et al., 2016).
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from protos.limits import BLOCK_BYTES_TARGET, KIB, WINDOW_BYTES_MAX

LIVE_SHARE: Final = 4
"""Of so many blocks of a backlog at most one goes out of turn: the backlog keeps three quarters."""
TURNS_KEPT: Final = 2
"""Turns out of turn that may be saved up: what is new need not wait for one that was just taken."""
AHEAD_S: Final = 0.5
"""What waits for the link while a backlog drains, as its time: live readings wait behind it."""
AHEAD_TRIPS: Final = 0.6
"""The same as a share of the round trip, which is more on a very long way: two blocks must be able
to become three, or it would never be found out that the link carries more."""
BLOCK_BYTES_MIN: Final = KIB
"""On a slow link blocks are smaller, down to this; a chunk is never split."""
AHEAD_BLOCKS_MIN: Final = 2
"""One goes while the other is answered; with less nobody could find out what a link carries."""
RATE_SAMPLES: Final = 16
"""Blocks of late, the fastest of which tells what the link carries: a stall of the cloud's disk
between them does not."""
PROBE_US: Final = 30_000_000
"""How long a round trip is believed; then one block goes alone, for a queue cannot be told from a
longer way otherwise."""
SAMPLE_US_MIN: Final = 500_000
ETA_SAMPLES: Final = 64
ETA_EVERY_US_MAX: Final = 10_000_000
"""An estimate looks back on ten minutes at most: a lake commits in steps, a link has its moods."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A block under way: its bytes, when it left, what was stored until then, whether alone."""

    size: int
    at_us: int
    stored: int
    is_alone: bool


class Pace:
    """The pace of one session. Bytes are of blocks; times are µs on a monotonic clock.

    ``is_behind`` until it turns out that nothing waits. ``block_bytes_min``: no target is smaller.
    """

    def __init__(self) -> None:
        self.is_behind = True
        self.block_bytes_min = BLOCK_BYTES_MIN
        self._is_fresh = False
        self._may_be_more = False  # behind a full block of the newest chunks
        self._is_newest = False  # the block asked for last takes the newest chunks
        self._target = BLOCK_BYTES_TARGET
        self._last = 0  # bytes of the last block: chunks larger than a target make larger blocks
        self._in_turn = LIVE_SHARE - 1  # blocks in turn that none out of turn was taken for yet
        self._now_us = 0
        self._stored = 0
        self._rates: deque[float] = deque(maxlen=RATE_SAMPLES)  # bytes a second
        self._trip_us = 0  # the shortest round trip since the last probe; 0: not known
        self._probed_us = 0

    def woken(self) -> None:
        """New chunks were committed."""
        self._is_fresh = True

    def next_end(self) -> bool:
        """Whether the block to be sealed now takes the newest chunks.

        What was just committed takes the first turn there is, what may be left behind it the
        second, so that it is in nobody's way.
        """
        first = LIVE_SHARE - 1
        least = first if self._is_fresh else TURNS_KEPT * first
        is_wanted = self._is_fresh or self._may_be_more
        self._is_newest = self.is_behind and is_wanted and self._in_turn >= least
        if self._is_newest:
            self._in_turn -= first
            self._is_fresh = self._may_be_more = False
        else:
            self._in_turn = min(self._in_turn + 1, TURNS_KEPT * first)
        return self._is_newest

    def sealed(self, size: int | None) -> None:
        """What sealing gave: a block that filled its target leaves more behind it, None nothing."""
        is_full = size is not None and 2 * size >= self._target
        self._may_be_more = self._may_be_more or (self._is_newest and is_full)
        self.is_behind = size is not None and (self.is_behind or is_full)
        self._last = size or 0

    def noted(self) -> None:
        """What was sealed was a note of the gateway's own, which goes first: it takes no turn."""
        if self._is_newest:
            self._is_fresh, self._in_turn = True, self._in_turn + LIVE_SHARE - 1

    def sent(self, size: int, *, is_alone: bool) -> Sent:
        """A block leaves; ``is_alone``: nothing else is under way."""
        return Sent(size, self._now_us, self._stored, is_alone)

    def stored(self, sent: Sent) -> None:
        """The cloud has stored a block."""
        self._stored += sent.size
        trip_us = max(1, self._now_us - sent.at_us)
        self._rates.append((self._stored - sent.stored) * 1_000_000 / trip_us)
        if sent.is_alone:
            self._trip_us, self._probed_us = trip_us, self._now_us
        elif self._trip_us:
            self._trip_us = min(self._trip_us, trip_us)

    def tick(self, now_us: int) -> None:
        """The time."""
        self._now_us = now_us

    def allows(self, under_way: int, window: int) -> bool:
        """Whether a block may follow so many bytes at once, within the cloud's ``window``."""
        if self.is_behind and self._is_probing:
            return not under_way
        size = max(self.block_bytes, self._last)
        return under_way + size <= max(self.ahead(window), AHEAD_BLOCKS_MIN * size)

    def ahead(self, window: int) -> int:
        """Bytes that may be under way within the cloud's ``window``, while more waits."""
        if not self.is_behind or not self._trip_us:
            return window
        return min(window, self._carried, WINDOW_BYTES_MAX)

    @property
    def _carried(self) -> int:
        """What the link carries in its round trip and what may wait for it; 0: not known."""
        trip_s = self._trip_us / 1_000_000
        return int(max(self._rates, default=0.0) * (trip_s + max(AHEAD_S, AHEAD_TRIPS * trip_s)))

    @property
    def _is_probing(self) -> bool:
        return not self._trip_us or self._now_us - self._probed_us >= PROBE_US

    @property
    def block_bytes(self) -> int:
        """Bytes of a block: half of what may be under way.

        So where the cloud is slow, and not the link, blocks grow: it is messages that it counts.
        A block that measures the way is small, or it would measure itself.
        """
        if self._is_probing:
            return self.block_bytes_min
        most = self._carried // AHEAD_BLOCKS_MIN
        return max(self.block_bytes_min, min(BLOCK_BYTES_TARGET, most))

    def target(self, room: int) -> int:
        """Bytes of the next block."""
        self._target = min(self.block_bytes, room)
        return self._target


class Drain:
    """When a backlog will be through, from how it shrank of late."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque()
        self._every_us = 0

    def note(self, now_us: int, backlog_bytes: int) -> None:
        """The backlog as of now: what is not sealed yet."""
        seen = self._seen
        if len(seen) > 1 and seen[-1][0] - seen[-2][0] < self._every_us:
            seen.pop()
        seen.append((now_us, backlog_bytes))
        if len(seen) > ETA_SAMPLES:
            self._thin_out()

    def _thin_out(self) -> None:
        """Half as many samples of as long a time, or the last of it."""
        every_us = 2 * (self._seen[-1][0] - self._seen[0][0]) // ETA_SAMPLES
        if every_us > ETA_EVERY_US_MAX:
            self._seen.popleft()
        else:
            self._every_us = every_us
            self._seen = deque([*list(self._seen)[:-1:2], self._seen[-1]])

    @property
    def eta_s(self) -> float | None:
        """Seconds until nothing waits; None while it does not shrink or was not watched for long
        enough.
        """  # noqa: D205
        if not self._seen:
            return None
        now_us, left = self._seen[-1]
        first_us, before = self._seen[0]
        if before <= left or now_us - first_us < SAMPLE_US_MIN:
            return None
        return left * (now_us - first_us) / (before - left) / 1_000_000
