"""What an uplink needs of settings and spending to save bytes; the rules are `edge.thrift`'s."""

import time
from collections.abc import Callable
from typing import Final

from edge.settings_budget import Uplink
from edge.spending import Spending
from edge.sync import Session
from edge.sync_effects import Allowed, BufferState
from edge.thrift import Thrift

AT_ONCE_S: Final = 1.0
"""A shorter wait is the wake-up's own: looks come once a second."""
STATUS_EVERY_S: Final = 15.0


class Saver:
    """Applies the rules to one session after the other; on the loop.

    Args:
        settings: with what the profile has filled in.
        spending: knows what the line carried; None: nobody counts, and no limit holds.

    Attributes:
        wake_linger_s: from a commit to sealing, where readings do not wait longer.
        status_every_s: between two reports to the cloud.
    """

    def __init__(
        self,
        settings: Uplink,
        spending: Spending | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._spending, self._now_s = settings, spending, now_s
        self._thrift = Thrift(settings.linger_s, settings.batch_bytes, settings.bytes_per_day_max)
        self._waits = settings.linger_s > AT_ONCE_S
        self.is_saving = self._waits or bool(settings.bytes_per_day_max)
        self.wake_linger_s = min(settings.linger_s, AT_ONCE_S)
        self.status_every_s = max(STATUS_EVERY_S, settings.linger_s if self._waits else 0.0)

    @property
    def by_limit(self) -> Allowed:
        """What the limit of a day lets be sent."""
        return self._thrift.by_limit

    def begin(self, session: Session) -> None:
        """A session begins; nothing of the buffer is sent before the first look."""
        if self.is_saving:
            session.outbox.allowed = Allowed.NOTHING
        if self._waits:
            session.pace.block_bytes_min = self._settings.batch_bytes

    def look(self, session: Session, state: BufferState) -> bool:
        """Say what may be sent now; whether there is more to do than before."""
        outbox, before = session.outbox, session.outbox.allowed
        if self._waits and before is Allowed.ALL and outbox.is_level:
            self._thrift.sent()
        outbox.allowed = self._allowed(state.unsealed_bytes)
        if outbox.allowed is Allowed.ALL and before is not Allowed.ALL:
            outbox.is_level = False
        return outbox.allowed is not before

    def _allowed(self, waiting_bytes: int) -> Allowed:
        spent = 0 if self._spending is None else self._spending.line_day_bytes
        found = self._thrift.look(self._now_s(), waiting_bytes, spent)
        is_waiting = found is Allowed.URGENT and self._thrift.by_limit is Allowed.ALL
        return Allowed.ALL if is_waiting and not self._waits else found

    def hurry(self) -> None:
        """Send what waits, as far as the limit lets."""
        self._thrift.hurry()

    def closing(self) -> None:
        """A line is about to be closed: what it carried is counted."""
        if self._spending is not None:
            self._spending.look()
