"""A channel's messages on their way: a thread for each channel, so that none waits for another.

A channel that is down is tried less and less often, and nothing is lost: its messages are in the
outbox. A message that is refused waits by itself, and those behind it go on.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from cloud.errors import StorageError, TidegateError
from cloud.notify.channel import Channel, ChannelKind
from cloud.notify.mail import Mail
from cloud.notify.outbox import Notice, Outbox, retry_us
from cloud.notify.webhook import Webhook

log = logging.getLogger(__name__)

STOP_S: Final = 2.0
"""How long an attempt may still take when the cloud ends; it is made again at the next start."""
STORAGE_RETRY_S: Final = 5.0


class Sender(Protocol):
    """What a channel's kind does."""

    def send(self, document: Mapping[str, Any]) -> str:
        """Send one message; a TidegateError when it did not arrive.

        Returns what is to be said of it all the same, empty when nothing is.
        """


def sender_of(channel: Channel, home: Path, version: str) -> Sender:
    """What sends to a channel; relative paths are relative to ``home``."""
    if channel.kind is ChannelKind.WEBHOOK:
        agent = f"tidegate/{version}"
        return Webhook(
            channel.url, channel.secret_file, channel.ca_file, channel.timeout_s, home, agent
        )
    return Mail(
        channel.url, channel.user, channel.secret_file, channel.sender, tuple(channel.recipients),
        channel.starttls, channel.ca_file, channel.timeout_s, home,
    )  # fmt: skip


@dataclass(slots=True)
class Delivery:
    """One channel's thread. ``retry_us_max``: longest between two attempts."""

    channel: str
    sender: Sender
    outbox: Outbox
    now_us: Callable[[], int]
    retry_us_max: int
    chance: Callable[[], float] = random.random
    failures: int = field(default=0, init=False)
    """Attempts in a row that failed."""
    _wake: threading.Event = field(default_factory=threading.Event, init=False)
    _ending: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def start(self) -> None:
        """Send what waits, and what comes."""
        name = f"tell-{self.channel}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There may be something to send. From any thread."""
        self._wake.set()

    def end(self) -> threading.Thread | None:
        """Begin no more attempts; returns the thread, which may still be in one."""
        self._ending.set()
        self._wake.set()
        return self._thread

    def step(self) -> float:
        """Send the next message that is due; says after how long to look again, s.

        Raises:
            StorageError: the outbox cannot be read or written.
        """
        now = self.now_us()
        notice = self.outbox.next(self.channel, now, self.retry_us_max)
        if notice is None:
            due = self.outbox.due_us(self.channel)
            most = self.retry_us_max if due is None else min(due - now, self.retry_us_max)
            return max(most / 1e6, 0.01)
        try:
            remark = self.sender.send(notice.document)
        except StorageError:
            raise
        except TidegateError as error:
            return self._failed(notice, error)
        if self.failures:
            log.info("%s is told again", self.channel)
        self.failures = 0
        if remark:
            log.warning("%s was told, but %s", self.channel, remark)
        self.outbox.delivered(notice, self.now_us(), remark)
        return 0.0

    def _failed(self, notice: Notice, error: TidegateError) -> float:
        """Put it off, and the whole channel for as long as it failed in a row."""
        self.failures += 1
        if self.failures == 1:
            log.warning("%s is not told: %s", self.channel, error)
        own = retry_us(notice.attempts + 1, self.retry_us_max, self.chance())
        self.outbox.failed(notice, f"{error.tried}: {error.cause}", self.now_us() + own)
        return retry_us(self.failures, self.retry_us_max, self.chance()) / 1e6

    def _run(self) -> None:
        """The thread's supervisor: what fails is told, and tried again later."""
        while not self._ending.is_set():
            self._wake.clear()
            try:
                wait_s = self.step()
            except StorageError as error:
                log.error("%s is not told: %s", self.channel, error)
                self._ending.wait(STORAGE_RETRY_S)
                continue
            except Exception:  # a fault of ours must not end a channel for good
                log.exception("%s is not told by a fault of this program", self.channel)
                self._ending.wait(STORAGE_RETRY_S)
                continue
            if self.failures:
                self._ending.wait(wait_s)  # a message more does not bring it back sooner
            elif wait_s:
                self._wake.wait(wait_s)
