"""Pure: which end of a backlog is sealed next, how much may be under way, and when it is through.

After an outage the oldest readings wait for the link, and so would the newest behind them. So while
a backlog drains, one block in `LIVE_SHARE` may hold the newest chunks instead, and no more is kept
under way than the cloud stored in the last second or so: a fresh block waits behind little.
"""

from collections import deque
from typing import Final

from protos.limits import BLOCK_BYTES_TARGET, KIB, WINDOW_BYTES_MAX

LIVE_SHARE: Final = 4
"""Of so many blocks of a backlog at most one goes out of turn: the backlog keeps three quarters."""
AHEAD_S: Final = 0.5
"""What is under way while a backlog drains, as time of the link: live readings wait behind it."""
AHEAD_BYTES_MIN: Final = 2 * BLOCK_BYTES_TARGET
"""Less would leave a link with a long round trip idle."""
BLOCK_BYTES_MIN: Final = 4 * KIB
"""On a slow link blocks are smaller, down to this."""
SAMPLE_US_MIN: Final = 500_000
ETA_SAMPLES: Final = 16


class Pace:
    """The pace of one session. Bytes are of blocks; times are µs on a monotonic clock."""

    def __init__(self) -> None:
        self.is_behind = False
        self._is_fresh = False
        self._target = BLOCK_BYTES_TARGET
        self._in_turn = 0  # blocks sealed in turn since the last one out of turn
        self._stored = 0
        self._since_us: int | None = None
        self._rate = 0.0  # bytes a second, 0: not known yet

    def woken(self) -> None:
        """New chunks were committed."""
        self._is_fresh = True

    def next_end(self) -> bool:
        """Whether the block to be sealed now takes the newest chunks."""
        is_due = self.is_behind and self._is_fresh and self._in_turn >= LIVE_SHARE - 1
        self._in_turn = 0 if is_due else self._in_turn + 1
        self._is_fresh = self._is_fresh and not is_due
        return is_due

    def sealed(self, size: int | None) -> None:
        """What sealing gave: a block that filled its target leaves more behind it, None nothing."""
        self.is_behind = size is not None and (self.is_behind or 2 * size >= self._target)

    def stored(self, size: int) -> None:
        """The cloud stored so many bytes."""
        self._stored += size

    def tick(self, now_us: int) -> None:
        """The time: measures what the link carries."""
        if self._since_us is None:
            self._since_us, self._stored = now_us, 0
            return
        passed_us = now_us - self._since_us
        if passed_us >= SAMPLE_US_MIN:
            if self._stored:
                self._rate = self._stored * 1_000_000 / passed_us
            self._since_us, self._stored = now_us, 0

    def ahead(self, window: int) -> int:
        """Bytes that may be under way within the cloud's ``window``."""
        if not self.is_behind:
            return window
        return min(window, max(AHEAD_BYTES_MIN, int(self._rate * AHEAD_S)), WINDOW_BYTES_MAX)

    def target(self, room: int) -> int:
        """Bytes of the next block."""
        self._target = min(BLOCK_BYTES_TARGET, room)
        if self.is_behind and self._rate:
            slow = max(BLOCK_BYTES_MIN, int(self._rate * AHEAD_S / 2))
            self._target = min(self._target, slow)
        return self._target


class Drain:
    """When a backlog will be through, from how it shrank of late."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque(maxlen=ETA_SAMPLES)

    def note(self, now_us: int, backlog_bytes: int) -> None:
        """The backlog as of now."""
        self._seen.append((now_us, backlog_bytes))

    @property
    def eta_s(self) -> float | None:
        """Seconds until nothing waits, 0 when less than a block does; None while it does not shrink
        or was not watched for long enough.
        """  # noqa: D205
        if not self._seen:
            return None
        now_us, left = self._seen[-1]
        if left <= BLOCK_BYTES_TARGET:
            return 0.0
        first_us, before = self._seen[0]
        if before <= left or now_us - first_us < SAMPLE_US_MIN:
            return None
        return left * (now_us - first_us) / (before - left) / 1_000_000
