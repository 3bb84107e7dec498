"""The uplink: one session with the cloud after the other, for ever.

Collecting never waits for it: while the cloud is away it only keeps trying, with growing, jittered
pauses. All state that matters is in the buffer; what is here dies with the process.
"""

import asyncio
import math
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from edge.clock import Clock
from edge.model_post import ModelPost
from edge.settings_budget import Uplink as Settings
from edge.settings_budget import as_profiled
from edge.store.store import Store
from edge.sync import Session
from edge.sync_effects import Close, Phase
from edge.uplink_channel import Endpoint, open_channel
from edge.uplink_saver import Saver
from edge.uplink_session import Conversation
from edge.uplink_state import Line, UplinkState
from protos import sync_pb2 as pb

BACKOFF_FIRST_S: Final = 1.0
BACKOFF_MAX_S: Final = 60.0
FENCED_MIN_S: Final = 30.0
"""Who was fenced waits longer than who fences: two copies must not throw each other out fast."""
GOOD_SESSION_S: Final = 10.0
"""A session that was live this long was no failure; a shorter one lengthens the pauses."""
TURN_S: Final = 10.0
"""How long a pause may be without a sign of life."""
WAKE_LINGER_S: Final = 0.25
"""From a commit to sealing: a block for every commit would be a block for every reading."""


def pause_s(failures: int, close: Close, chance: random.Random) -> float:
    """How long to wait after ``failures`` bad sessions in a row: doubling, bounded, jittered.

    Evenly over the upper half, so that a thousand gateways do not come back at once; the cloud's
    own wish, and the pause of one that was fenced, are lower bounds.
    """
    longest = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(failures, 16))
    least = FENCED_MIN_S if close.code in (pb.FENCED, pb.FORK) else 0.0
    least = max(least, close.retry_after_ms / 1000)
    return least * chance.uniform(1.0, 1.2) + chance.uniform(longest / 2, longest)


class Uplink:
    """Delivers the buffer to the cloud. Made on the loop that runs it.

    ``report`` makes the Status for hello and every so often; it must not block. ``terms`` is called
    on the loop with what the cloud says of the certificate. ``models`` carries rollouts out; None:
    what the cloud says of models is ignored. ``saver`` bounds what is sent when, if there is one.
    """

    def __init__(
        self,
        *,
        gateway: str,
        endpoint: Endpoint,
        buffer: Store,
        clock: Clock,
        agent_version: str,
        report: Callable[[], pb.Status],
        terms: Callable[[pb.CertificateTerms], None] = lambda _: None,
        models: ModelPost | None = None,
        chance: random.Random | None = None,
        wake_linger_s: float = WAKE_LINGER_S,
        saver: Saver | None = None,
    ) -> None:
        self._gateway = gateway
        self._endpoint = endpoint
        self._buffer = buffer
        self._clock = clock
        self._agent_version = agent_version
        self._report = report
        self._terms, self._models = terms, models
        self._chance = chance or random.Random()
        self._saver = saver or Saver(as_profiled(Settings()))
        self._wake_linger_s = self._saver.wake_linger_s if saver else wake_linger_s
        self._is_urgent = False
        self._loop = asyncio.get_running_loop()
        self._talk: Conversation | None = None
        self._state = UplinkState()
        self._moved = asyncio.Event()
        self._hurry = asyncio.Event()
        self._is_waking = False
        self._live_since_s = math.inf
        self._sent_before = (0, 0)
        self.turns = 0
        """How often it came round: each event of a session, and every so often in a pause."""

    @property
    def state(self) -> UplinkState:
        """Where delivery stands; immutable, may be read from any thread."""
        return self._state

    def wake(self, *, urgent: bool = False) -> None:
        """New chunks wait in the buffer. From any thread, cheap, as often as it happens."""
        self._is_urgent = self._is_urgent or urgent
        if not self._is_waking:
            self._is_waking = True
            self._loop.call_soon_threadsafe(self._linger)

    def use(self, endpoint: Endpoint) -> None:
        """Go on with another endpoint, from a session of its own at once; on the loop."""
        self._endpoint = endpoint
        self._hurry.set()
        if self._talk is not None:
            self._talk.leave()

    async def run(self) -> None:
        """Deliver until cancelled; what goes wrong on the way is in `state`, never raised.

        Only a fault of this program surfaces, as what it is.
        """
        try:
            while True:
                close = await self._converse()
                await self._rest(close)
        finally:
            self._become(line=Line.STOPPED)

    async def drain(self, deadline_s: float) -> bool:
        """Wait until nothing is left to send and all of it is archived.

        Says False when ``deadline_s`` seconds passed first. Also cuts a pause short.
        """
        self._hurry.set()
        self._saver.hurry()
        try:
            async with asyncio.timeout(deadline_s):
                self._wake_now()
                while self._talk is None or not self._talk.session.drained:
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def _converse(self) -> Close:
        self._become(line=Line.CONNECTING, attempts=self._state.attempts + 1)
        self._live_since_s = math.inf
        session = Session(self._gateway, self._clock.boot_id, self._agent_version)
        async with open_channel(self._endpoint) as channel:
            self._talk = Conversation(
                session,
                channel,
                self._endpoint,
                self._buffer,
                self._clock,
                self._report,
                self._on_moved,
                self._terms,
                self._models,
                self._saver,
            )
            try:
                return await self._talk.hold()
            finally:
                self._saver.closing()
                blocks, sent = self._sent_before
                self._sent_before = (blocks + self._talk.blocks, sent + self._talk.bytes)
                self._talk = None

    async def _rest(self, close: Close) -> None:
        lived_s = self._loop.time() - self._live_since_s
        failures = 0 if lived_s >= GOOD_SESSION_S else self._state.failures + 1
        pause = pause_s(failures, close, self._chance)
        self._become(
            line=Line.WAITING,
            eta_s=None,
            error=close.message,
            hint=close.hint,
            retry_s=pause,
            failures=failures,
            code=close.code,
        )
        self._hurry.clear()
        until_s = self._loop.time() + pause
        while (left_s := until_s - self._loop.time()) > 0 and not self._hurry.is_set():
            self.turns += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, TURN_S)):
                    await self._hurry.wait()

    def _linger(self) -> None:
        self._loop.call_later(self._wake_linger_s, self._wake_now)

    def _wake_now(self) -> None:
        self._is_waking, urgent, self._is_urgent = False, self._is_urgent, False
        if self._talk is not None:
            self._talk.wake(urgent=urgent)

    def _on_moved(self) -> None:
        self.turns += 1
        talk = self._talk
        if talk is None:
            return
        session = talk.session
        blocks, sent = self._sent_before
        self._become(
            session=session.number,
            epoch=session.epoch,
            head=session.head,
            stored=session.stored,
            archived=session.archived,
            blocks_sent=blocks + talk.blocks,
            bytes_sent=sent + talk.bytes,
            eta_s=talk.eta_s,
            allowed=self._saver.by_limit,
        )
        if session.phase is Phase.LIVE:
            if self._state.line is not Line.LIVE:
                self._live_since_s = self._loop.time()
            self._become(line=Line.LIVE, error="", hint="", retry_s=0.0, code=pb.CODE_UNSPECIFIED)
        self._moved.set()

    def _become(self, **changes: Any) -> None:
        self._state = replace(self._state, **changes)
