"""What could not be read, for whoever may put it right: shown on request, and told in the log.

The text of a topic, a payload or a reason comes from strangers: control characters are escaped
here, once, before it reaches a terminal, a log or a socket.
"""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from edge.chunk import Reject
from protos.shown import printable

log = logging.getLogger(__name__)

SHOWN_MAX: Final = 500
"""Rejects in one answer; the buffer may keep more."""
TEXT_CHARS_MAX: Final = 200
PAYLOAD_BYTES_SHOWN: Final = 120
TELL_S: Final = 60.0


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """One message that could not be read, whole or in part; `at` is its arrival in µs UTC.

    Every text is escaped; `payload` is its beginning, `cut` when there was more; `hex` is what was
    kept of it, byte by byte; `no` names it for as long as it is kept.
    """

    no: int
    at: int
    topic: str
    reason: str
    payload: str
    cut: bool = False
    hex: str = ""


def shown(rejects: Iterable[tuple[int, Reject]]) -> list[Rejected]:
    """What is told of rejects, in the order given."""
    return [
        Rejected(
            no=no,
            at=one.arrival_us,
            topic=_start(one.topic),
            reason=_start(one.reason),
            payload=printable(
                one.payload[:PAYLOAD_BYTES_SHOWN].decode("utf-8", "backslashreplace")
            ),
            cut=len(one.payload) > PAYLOAD_BYTES_SHOWN,
            hex=one.payload.hex(),
        )
        for no, one in rejects
    ]


def _start(text: str) -> str:
    cut = "…" if len(text) > TEXT_CHARS_MAX else ""
    return printable(text[:TEXT_CHARS_MAX]) + cut


class RejectLog:
    """Warns of rejects: of the first at once, then at most once a minute, with their number.

    Args:
        now_s: a clock that never goes back, in seconds.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._quiet_until_s = 0.0
        self._count = 0
        self._last: Reject | None = None

    def add(self, rejects: tuple[Reject, ...], unkept: int = 0) -> None:
        """Take the rejects of one batch, none among them too: that is when others become due.

        ``unkept`` more are counted only.
        """
        if rejects:
            self._count += len(rejects) + unkept
            self._last = rejects[-1]
        if self._last is None or self._now_s() < self._quiet_until_s:
            return
        messages = "1 message" if self._count == 1 else f"{self._count:,} messages"
        topic, reason = _start(self._last.topic), _start(self._last.reason)
        log.warning(
            "%s could not be read, the last on %s: %s; `tidegate-edge rejects` shows them",
            messages, topic, reason,
        )  # fmt: skip
        self._quiet_until_s = self._now_s() + TELL_S
        self._count, self._last = 0, None
