"""Consolidation that says nothing any more: noticed, told once, and over when a word comes.

A pass that fails tells what it failed of, and a process that dies is seen to. One that hangs, or
waits for an answer that never comes, does neither: here its silence is measured while there is
something to consolidate. Nobody is killed for it, for a pass over a very large home that goes on
looks the same from outside, and killed it would begin anew for ever.
"""

import logging
from typing import Final

from cloud.errors import StorageError

SILENT_S: Final = 600.0
"""Without a word beside the pause between two passes; a pass of `lake.batch_bytes` takes seconds,
on a small machine a minute or two."""
_TRIED: Final = "consolidate"
_HINT: Final = "look at the disk and at this process; restarting the cloud loses nothing"

_log = logging.getLogger(__name__)


class Standstill:
    """Looked at now and then, with how far both sides are; ``pause_s`` is between two passes."""

    def __init__(self, pause_s: float) -> None:
        self._silent_s = SILENT_S + pause_s
        self._signs: tuple[int, int] | None = None
        self._since_s = 0.0
        self._fault: StorageError | None = None

    @property
    def fault(self) -> StorageError | None:
        """Why history stands still, None while it does not."""
        return self._fault

    def look(self, now_s: float, head: int, lake: int, signs: int) -> None:
        """How things stand at ``now_s`` of a monotonic clock.

        ``head`` is the journal's, ``lake`` the offset up to which the tables are shown, ``signs``
        how often consolidation was heard.
        """
        if (signs, lake) != self._signs or lake >= head:
            self._signs, self._since_s = (signs, lake), now_s
            if self._fault is not None:
                _log.info("consolidation is heard again; the tables are at offset %d", lake)
            self._fault = None
        elif self._fault is None and now_s - self._since_s >= self._silent_s:
            cause = (
                f"no word of it for {self._silent_s:.0f} s, while offsets {lake + 1} to {head}"
                " wait to be archived: it hangs, or waits for something that does not answer"
            )
            self._fault = StorageError(_TRIED, cause, _HINT)
            _log.error("consolidation stands still: %s", self._fault)
