"""Pure: how far apart commits are, so that a card is not worn: by what they cost it.

What may be written is a rate; what was not used of it is kept for an hour at most, so that a quiet
gateway commits at once. A start brings nothing along: a restart is no gift. The cost of a commit is
all that was written since the one before it, so sealing, marks and the log's write-back count.
"""

from typing import Final

SAVED_S: Final = 3600.0
"""What of the rate may be saved up."""
DAY_S: Final = 86_400
JOURNAL_PART: Final = 0.2
"""Of a budget this is left for the filesystem's journal, which the process's own count does not
have: on ext4 a gateway's device had 1.18 times what its process had written."""
LEARNED: Final = 16
"""Commits over which the cost of one is smoothed."""


class Wear:
    """The spacing of commits under a budget.

    Args:
        bytes_per_day: what may be written; 0: there is no bound, and the spacing stays 0.
        wait_s_max: the longest spacing; a budget that needs more is not kept.
    """

    def __init__(self, bytes_per_day: int, wait_s_max: float) -> None:
        self._rate = (1 - JOURNAL_PART) * bytes_per_day / DAY_S
        self._wait_s_max = wait_s_max
        self._left = 0.0
        self._cost = 0.0
        self._seen: tuple[float, int] | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether there is a budget, so that it is worth asking what was written."""
        return self._rate > 0 and self._wait_s_max > 0

    def committed(self, now_s: float, written: int) -> None:
        """A commit is being made; ``written`` bytes were written in all until now."""
        if self._seen is not None:
            then_s, before = self._seen
            spent = max(0, written - before)
            self._left += (now_s - then_s) * self._rate - spent
            self._left = min(self._left, self._rate * SAVED_S)
            # A debt is forgotten beyond an hour: commits are as far apart as may be anyway.
            self._left = max(self._left, -self._rate * SAVED_S)
            self._cost += (spent - self._cost) / LEARNED if self._cost else spent
        self._seen = (now_s, written)

    @property
    def spacing_s(self) -> float:
        """Seconds from one commit to the next; 0 while enough is left."""
        lacks = self._cost - self._left
        if not self.is_bounded or lacks <= 0:
            return 0.0
        return min(lacks / self._rate, self._wait_s_max)
