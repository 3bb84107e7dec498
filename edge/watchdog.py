"""Feeds systemd's watchdog by real progress: only when every loop that matters has come round.

A timer that fed it would tick on while a commit hangs on a dying card or a thread waits for another
for ever. So each loop counts its turns, and the watchdog is fed once all counts have moved; who
stands still long before it bites is named in the log, and the traces of all threads follow when it
does (`faulthandler`, on the SIGABRT of systemd).

Every loop comes round within `ROUND_S_MAX` whatever is away: broker, cloud and room are states in
which it goes on looking.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from edge.notify import Notifier

LOOK_S: Final = 1.0
ROUND_S_MAX: Final = 75.0
"""The longest turn in good order: half a minute between two attempts to reach a broker and as long
for a name server that does not answer; a message to the cloud takes a minute at most."""
FEEDS: Final = 4
"""So many times within its period at most, while all loops turn quickly."""

log = logging.getLogger(__name__)

Turns = Mapping[str, Callable[[], int]]
"""How many turns each loop has made, by its name."""


class Watchdog:
    """Feeds while all of ``loops`` turn; ``now_s`` is a clock that never steps.

    ``status`` says in a line how the service is, for `systemctl status`.
    """

    def __init__(
        self,
        notifier: Notifier,
        loops: Turns,
        status: Callable[[], str] = lambda: "",
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifier = notifier
        self._loops = loops
        self._status = status
        self._now_s = now_s
        self._fed = self._turns()
        self._fed_s = now_s()
        self._told: set[str] = set()

    async def run(self, look_s: float = LOOK_S) -> None:
        """Look for ever."""
        period_s = self._notifier.watchdog_s
        if 0 < period_s < ROUND_S_MAX:
            log.warning("a watchdog of %.0f s is too quick: a turn may take %.0f s in good order",
                        period_s, ROUND_S_MAX)  # fmt: skip
        while True:
            self._notifier.status(self._status())
            if period_s:
                self.look()
            await asyncio.sleep(look_s)

    def look(self) -> None:
        """Feed, if every loop came round since it was fed last and it is time."""
        now_s, turns = self._now_s(), self._turns()
        still = [name for name, count in turns.items() if count == self._fed[name]]
        since_s = now_s - self._fed_s
        if not still and since_s >= self._notifier.watchdog_s / FEEDS:
            self._notifier.alive()
            self._fed, self._fed_s, self._told = turns, now_s, set()
        elif since_s >= self._notifier.watchdog_s / 2 and not self._told.issuperset(still):
            self._told.update(still)
            log.error("no progress for %.0f s: %s; the watchdog is not fed", since_s,
                      ", ".join(still))  # fmt: skip

    def _turns(self) -> dict[str, int]:
        return {name: count() for name, count in self._loops.items()}
