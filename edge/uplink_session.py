"""One session's shell: carries out the effects of `edge.sync` over one gRPC stream.

Everything that happens (a message, an answer of the buffer, a tick) becomes an event; events are
fed to the rules one at a time, in order of arrival, and their effects are carried out in order.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final, TypeVar

import grpc

from edge.clock import Clock
from edge.errors import StorageError
from edge.model_post import ModelPost
from edge.settings_budget import Uplink, as_profiled
from edge.store.limits import BlockUnreadable
from edge.sync import Session
from edge.sync_effects import (
    Allowed,
    BeginEpoch,
    BufferState,
    Close,
    Effect,
    LoadBlocks,
    LoadEntries,
    Mark,
    Phase,
    Seal,
    Send,
)
from edge.sync_pace import Drain
from edge.uplink_buffer import Buffer
from edge.uplink_channel import Endpoint, explain
from edge.uplink_saver import Saver
from protos import sync_pb2 as pb
from protos.sync_pb2_grpc import SyncStub

TICK_S: Final = 1.0
"""Between looks at the buffer."""
READ_AHEAD_MAX: Final = 64
"""Messages of the cloud that wait for the rules; more stay in gRPC's flow control."""
WRITE_S_MAX: Final = 60.0
"""A message that cannot be handed to the network for this long: the cloud reads no more."""

T = TypeVar("T")
Event = Callable[[], list[Effect]]


class Conversation:
    """A session on the line; ``moved`` is called after each event, on the loop.

    ``terms`` is called with what the cloud says of the certificate; ``models`` is told what it says
    of models, and may say something of them in turn. ``session`` is the state
    machine, to be read at any time; ``blocks``, ``bytes`` count what was handed to the network.
    """

    def __init__(
        self,
        session: Session,
        channel: grpc.aio.Channel,
        endpoint: Endpoint,
        buffer: Buffer,
        clock: Clock,
        report: Callable[[], pb.Status],
        moved: Callable[[], None],
        terms: Callable[[pb.CertificateTerms], None] = lambda _: None,
        models: ModelPost | None = None,
        saver: Saver | None = None,
    ) -> None:
        self.session = session
        self._saver = saver or Saver(as_profiled(Uplink()))
        self._saver.begin(session)
        self.blocks = 0
        self.bytes = 0
        self._endpoint = endpoint
        self._buffer = buffer
        self._clock = clock
        self._report = report
        self._moved = moved
        self._terms, self._models = terms, models
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._credit = asyncio.Semaphore(READ_AHEAD_MAX)
        self._is_broken = False
        self._drain = Drain()
        stub = SyncStub(channel)  # type: ignore[no-untyped-call]
        self._call: grpc.aio.StreamStreamCall[pb.GatewayMessage, pb.CloudMessage] = stub.Session()

    @property
    def eta_s(self) -> float | None:
        """Seconds until the backlog is sealed and sent; None while that cannot be told."""
        if self.session.phase is not Phase.LIVE:
            return None
        return self._drain.eta_s if self.session.pace.is_behind else 0.0

    async def hold(self) -> Close:
        """Talk until it ends; says why."""
        if self._models is not None:
            self._models.begin(self._say)
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._tick())]
        try:
            # Shielded: a cancelled session must not cancel what the store's thread works on.
            state = await asyncio.shield(asyncio.wrap_future(self._buffer.sync_state()))
            mono_us = self._clock.now().mono_us
            event: Event = partial(self.session.greet, state, self._report(), mono_us)
            while True:
                self.session.pace.tick(self._clock.now().mono_us)
                close = await self._carry_out(event())
                self._moved()
                if close is not None:
                    return close
                event = await self._events.get()
        except StorageError as error:
            return _storage_failed(error)
        finally:
            if self._models is not None:
                self._models.end()
            for task in tasks:
                task.cancel()
            self._call.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self, *, urgent: bool = False) -> None:
        """New chunks wait in the buffer; to be called on the loop."""
        self.session.expect()
        if urgent and self._saver.is_saving:
            self.session.outbox.urgent = True
        if urgent or self.session.outbox.allowed is Allowed.ALL:
            self._events.put_nowait(self.session.wake)

    def leave(self) -> None:
        """End the session in good order; to be called on the loop."""
        self._events.put_nowait(lambda: [Close(pb.CODE_UNSPECIFIED, "", "")])

    def _say(self, message: pb.GatewayMessage) -> None:
        self._events.put_nowait(lambda: [Send(message)])

    async def _read(self) -> None:
        try:
            async for message in self._call:
                await self._credit.acquire()
                self._events.put_nowait(partial(self._receive, message))
            close = Close(pb.CODE_UNSPECIFIED, "the cloud ended the session", "it is tried again")
        except grpc.aio.AioRpcError as error:
            close = explain(error, self._endpoint)
        self._events.put_nowait(lambda: [close])

    def _receive(self, message: pb.CloudMessage) -> list[Effect]:
        self._credit.release()
        if message.HasField("terms"):  # of the certificate: no matter of delivery
            self._terms(message.terms)
            return []
        if self._models is not None and self._models.takes(message):
            return []
        return self.session.received(message)

    async def _tick(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(TICK_S)
            ticks += 1
            every = max(1, round(self._saver.status_every_s / TICK_S))
            self._events.put_nowait(partial(self._look, ticks % every == 0))

    def _look(self, is_time_to_report: bool) -> list[Effect]:
        effects = self.session.tick(self._clock.now().mono_us)
        self._await(self._buffer.sync_state(), self._note)
        if self.session.phase is not Phase.LIVE or not is_time_to_report:
            return effects
        status = Send(pb.GatewayMessage(status=self._report()))
        return [*effects, status, *self._woken()]

    def _woken(self) -> list[Effect]:
        """Look at the buffer, should a wake-up have been missed; where bytes are saved it waits."""
        return self.session.wake() if self.session.outbox.allowed is Allowed.ALL else []

    def _note(self, state: BufferState) -> list[Effect]:
        """How much waits; a backlog that comes after this one is watched anew."""
        if not self.session.pace.is_behind:
            self._drain = Drain()
        self._drain.note(self._clock.now().mono_us, state.unsealed_bytes)
        has_more = self._saver.is_saving and self._saver.look(self.session, state)
        return self.session.wake() if has_more else []

    async def _carry_out(self, effects: Sequence[Effect]) -> Close | None:
        for effect in effects:
            match effect:
                case Send(message):
                    await self._send(message)
                case Close():
                    return effect
                case _:
                    self._put_to_buffer(effect)
        return None

    async def _send(self, message: pb.GatewayMessage) -> None:
        if self._is_broken:
            return
        try:
            async with asyncio.timeout(WRITE_S_MAX):
                await self._call.write(message)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            # The stream is over; why is read from it, behind what the cloud still had to say.
            self._is_broken = True
        except TimeoutError:
            told = f"{self._endpoint.address} took nothing for {WRITE_S_MAX:.0f} s"
            close = Close(pb.CODE_UNSPECIFIED, told, "the connection may be half open")
            self._events.put_nowait(lambda: [close])
            self._is_broken = True
        else:
            is_block = message.WhichOneof("body") == "block"
            self.blocks += is_block
            self.bytes += len(message.block.data) if is_block else message.ByteSize()

    def _put_to_buffer(self, effect: Effect) -> None:
        buffer, session = self._buffer, self.session
        match effect:
            case Seal(bytes_target, newest_first, urgent_only):
                now = self._clock.now()
                sealed = buffer.seal_next(
                    bytes_target=bytes_target,
                    mono_us=now.mono_us,
                    wall_us=now.wall_us,
                    newest_first=newest_first,
                    urgent_only=urgent_only,
                )
                self._await(sealed, session.sealed)
            case LoadBlocks(from_seq, bytes_max):
                self._await(buffer.blocks_from(from_seq, bytes_max), session.blocks_loaded)
            case LoadEntries(first, limit):
                self._await(buffer.entries_from(first, limit), session.entries_loaded)
            case BeginEpoch(epoch, dropped, kept, generation):
                begun = buffer.begin_epoch(epoch, dropped, kept, generation)
                self._await(begun, session.epoch_begun)
            case Mark(stored, archived, generation):
                self._await(buffer.mark(stored, archived, generation), lambda _: [])

    def _await(self, future: Future[T], answer: Callable[[T], list[Effect]]) -> None:
        asyncio.wrap_future(future).add_done_callback(partial(self._answered, answer))

    def _answered(self, answer: Callable[[T], list[Effect]], future: asyncio.Future[T]) -> None:
        """Make the buffer's answer an event; what is no StorageError is ours and surfaces."""
        if future.cancelled():
            close = Close(pb.CODE_UNSPECIFIED, "the buffer was closed", "")
            self._events.put_nowait(lambda: [close])
            return
        match future.exception():
            case None:
                self._events.put_nowait(partial(answer, future.result()))
            case BlockUnreadable() as error:
                self._events.put_nowait(partial(self.session.unreadable, str(error)))
            case StorageError() as error:
                close = _storage_failed(error)
                self._events.put_nowait(lambda: [close])
            case error:
                self._events.put_nowait(partial(_surface, error))


def _storage_failed(error: StorageError) -> Close:
    return Close(pb.CODE_UNSPECIFIED, str(error), error.hint)


def _surface(error: BaseException) -> list[Effect]:
    raise error
