"""A stream's models: what was read for a gateway, and what it is offered, as the stream may say it.

Packages are read in threads: no acknowledgement waits for the disk they lie on.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from cloud.errors import TidegateError
from cloud.rollout.line import ModelLine, Reading
from protos import sync_pb2 as pb


class Models(Protocol):
    """What streams need of `cloud.rollout.desk.RolloutDesk`."""

    def offers(self, gateway: str) -> pb.ModelOffers:
        """What this gateway is to run; from memory, on the loop."""
        ...

    def read(self, sha256: bytes, offset: int, length: int) -> bytes:
        """Bytes of a package; blocks. TidegateError or OSError where they cannot be had."""
        ...

    def reported(self, gateway: str, report: pb.ModelReport) -> None:
        """What this gateway runs; on the loop, to be kept in memory."""
        ...


class ModelPost:
    """The models' part of one stream; on its loop. ``stir`` has the stream say what is due."""

    def __init__(self, gateway: str, models: Models | None, stir: Callable[[], None]) -> None:
        self._gateway, self._models, self._stir = gateway, models, stir
        self._line = ModelLine()
        self._task: asyncio.Task[None] | None = None

    def offer(self) -> None:
        """Say what is offered now, if that is news."""
        if self._models is not None and self._line.offer(self._models.offers(self._gateway)):
            self._stir()

    def takes(self, message: pb.GatewayMessage, session: int) -> bool:
        """Whether the message is of models; then it is dealt with."""
        body = message.WhichOneof("body")
        if self._models is None or body not in ("model_ask", "model_report"):
            return False
        if body == "model_report" and message.model_report.session == session:
            self._models.reported(self._gateway, message.model_report)
        elif body == "model_ask" and message.model_ask.session == session:
            self._line.asked(message.model_ask)
            self._look()
        return True

    @property
    def is_due(self) -> bool:
        """Whether there is something to say."""
        return self._line.is_due

    def due(self, session: int) -> list[pb.CloudMessage]:
        """What is to be said now, behind the acknowledgements that are due."""
        return self._line.due(session)

    def end(self) -> None:
        """The stream ends."""
        if self._task is not None:
            self._task.cancel()

    def _look(self) -> None:
        if (reading := self._line.to_read()) is not None:
            self._task = asyncio.create_task(self._read(reading), name="read a package")
        elif self._line.is_due:
            self._stir()

    async def _read(self, reading: Reading) -> None:
        assert self._models is not None
        try:
            data: bytes | None = await asyncio.to_thread(
                self._models.read, reading.sha256, reading.offset, reading.length
            )
            refused = ""
        except (TidegateError, OSError) as error:
            data, refused = None, str(error)
        self._line.was_read(data, refused)
        self._look()
