"""Between the uplink and the rollouts: pieces to the folder, questions and reports to the cloud.

One task, which goes on while the cloud is away too: candidates prove themselves or fail all the
same. Its work is done on threads, one thing after the other; nothing on the way of readings waits.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from edge.clock import Clock
from edge.detect.rollout_desk import RolloutDesk
from edge.errors import StorageError
from edge.sync_models import Fetch, Wanted
from protos import sync_pb2 as pb

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
REPORT_US: Final = 15_000_000
AGAIN_US: Final = 60_000_000
"""From a disk that refused a piece to the next question."""

Send = Callable[[pb.GatewayMessage], None]


class ModelPost:
    """The models' part of delivery; made and used on the loop that runs it."""

    def __init__(self, desk: RolloutDesk, clock: Clock) -> None:
        self._desk, self._clock = desk, clock
        self._fetch = Fetch()
        self._send: Send | None = None
        self._offers: pb.ModelOffers | None = None
        self._piece: pb.ModelPiece | None = None
        self._asked_for: Wanted | None = None
        self._reported_us = -REPORT_US
        self._stirred = asyncio.Event()
        self._told = ""
        self._again_us = 0

    def begin(self, send: Send) -> None:
        """A session begins, which ``send`` says things in."""
        self._send, self._piece, self._asked_for = send, None, None
        self._fetch.begin()

    def end(self) -> None:
        """The session is over."""
        self._send = None
        self._fetch.begin()

    def takes(self, message: pb.CloudMessage) -> bool:
        """Whether a message is of models; then it is dealt with."""
        body = message.WhichOneof("body")
        if body == "model_offers":
            self._offers = message.model_offers
            self._fetch.offered(message.model_offers.session)
        elif body == "model_piece":
            self._piece = message.model_piece  # one question is open: an earlier one is no answer
        else:
            return False
        self._stirred.set()
        return True

    async def run(self) -> None:
        """Carry rollouts out, for ever."""
        try:
            while True:
                await self._step()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._stirred.wait()
        finally:
            self._desk.close()

    async def _step(self) -> None:
        self._stirred.clear()
        try:
            has_news = await self._hear()
            has_news |= await asyncio.to_thread(self._desk.look)
            wanted = await asyncio.to_thread(self._desk.wanted)
            self._told = ""
        except StorageError as error:
            # The disk: what is wanted stands in the offers, and is tried again, but not at once.
            has_news, wanted, self._again_us = False, None, self._now_us() + AGAIN_US
            if str(error) != self._told:
                self._told = str(error)
                log.error("%s", error)
        now_us = self._now_us()
        if self._send is None:
            return
        if now_us >= self._again_us and (ask := self._fetch.ask(wanted, now_us)) is not None:
            self._asked_for = wanted
            self._send(pb.GatewayMessage(model_ask=ask))
        if self._fetch.may_speak and (has_news or now_us - self._reported_us >= REPORT_US):
            self._reported_us = now_us
            models = await asyncio.to_thread(self._desk.report)
            report = pb.ModelReport(session=self._fetch.session, models=models)
            if self._send is not None:
                self._send(pb.GatewayMessage(model_report=report))

    async def _hear(self) -> bool:
        """Take what came; whether offers did."""
        offers, piece, self._piece = self._offers, self._piece, None
        if offers is not None:
            await asyncio.to_thread(self._desk.offered, offers)
            if self._offers is offers:  # none came meanwhile
                self._offers = None
        wanted = self._asked_for
        if piece is not None and wanted is not None and (data := self._fetch.piece(piece)):
            self._asked_for = None
            await asyncio.to_thread(self._desk.piece, wanted, data)
        return offers is not None

    def _now_us(self) -> int:
        return self._clock.now().mono_us
