"""One gateway's stream: messages into the journal, its decisions back, in order and bounded.

Reading and answering run side by side: reading stops when too many bytes wait for the disk, and
answers are sent as the fsyncs come, one ack for all that became durable together.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future
from dataclasses import replace
from typing import Final, TypeVar

import grpc

from cloud.ingest.bell import Bell
from cloud.ingest.model_post import ModelPost, Models
from cloud.journal.contract import Journal
from cloud.journal.cursor import Cursor, Decision, ack, fault
from protos import sync_pb2 as pb
from protos.codec.wire import MalformedEntry
from protos.limits import DECLARE_BYTES_MAX, DECLARE_ENTRIES_MAX
from protos.series import SeriesEntry, decode_entry

Requests = AsyncIterator[pb.GatewayMessage]
Context = grpc.aio.ServicerContext[pb.GatewayMessage, pb.CloudMessage]
T = TypeVar("T")

ANSWERS_MAX: Final = 256
"""Messages of one stream that wait for the disk, whatever their size."""
MESSAGE_COST: Final = 512
"""Bytes that a message costs beyond those it came in."""
LAST_WORD_S_MAX: Final = 2.0
"""How long a stream that ends may take its last message; a half-open one takes none."""


class ByteBudget:
    """Bytes that may wait at one time, over all streams; who waits longest is served first."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.used = 0
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()

    async def take(self, size: int) -> None:
        """Wait until ``size`` bytes are free, or nothing is used at all."""
        if not self._waiting and self._fits(size):
            self.used += size
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, size))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(size)
            raise

    def give(self, size: int) -> None:
        """Give them back."""
        self.used -= size
        while self._waiting and (self._waiting[0][0].done() or self._fits(self._waiting[0][1])):
            turn, wanted = self._waiting.popleft()
            if not turn.done():
                self.used += wanted
                turn.set_result(None)

    def _fits(self, size: int) -> bool:
        return self.used == 0 or self.used + size <= self.bytes_max


class Stream:
    """A session on the line. ``session`` is 0 until its hello was decided.

    ``serial`` is of the certificate that it was opened with. ``reported`` is called with the stream
    after each Status. ``models`` are what is offered to gateways; None: nothing ever is.
    """

    def __init__(
        self,
        gateway: str,
        serial: str,
        journal: Journal,
        context: Context,
        budget: ByteBudget,
        bell: Bell,
        reported: Callable[["Stream"], None],
        models: Models | None = None,
    ) -> None:
        self.gateway = gateway
        self.serial = serial
        self.session = 0
        self.agent_version = ""
        self.status = pb.Status()
        self._journal = journal
        self._context = context
        self._budget = budget
        self._bell = bell
        self._reported = reported
        self._pending: deque[tuple[Future[Decision], int]] = deque()
        self._slots = asyncio.Semaphore(ANSWERS_MAX)
        self._stirred = asyncio.Event()
        self._answered = asyncio.Event()
        self._answered.set()
        self._archived: Cursor | None = None
        self._terms: pb.CertificateTerms | None = None
        self.models = ModelPost(gateway, models, self._stirred.set)
        self._ended: asyncio.Future[pb.CloudMessage | None]
        self._ended = asyncio.get_running_loop().create_future()

    async def greet(self, hello: pb.Hello, window_bytes: int) -> bool:
        """Open the session in the journal and answer; False when it was refused."""
        decided = await kept(self._journal.hello(self.gateway, hello, window_bytes))
        self.status, self.agent_version = hello.status, hello.agent_version
        if not decided.ends:
            self.session = decided.cursor.session
        await self._write(decided.replies)
        return not decided.ends

    async def talk(self, requests: Requests) -> None:
        """Read and answer until the gateway leaves, is refused, or `end` is called."""
        reader = asyncio.create_task(self._read(requests))
        answerer = asyncio.create_task(self._answer())
        tasks: set[asyncio.Future[None] | asyncio.Future[pb.CloudMessage | None]]
        tasks = {reader, answerer, self._ended}
        try:
            while not (self._ended.done() or answerer.done()):
                done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            await self._let_go(reader, answerer)
        if self._ended.done() and (last := self._ended.result()) is not None:
            async with asyncio.timeout(LAST_WORD_S_MAX):
                await self._write([last])

    def end(self, last: pb.CloudMessage | None) -> None:
        """End the stream, ``last`` being its last word; what was ended before stays so."""
        if not self._ended.done():
            self._ended.set_result(last)

    def archived(self, cursor: Cursor, after_s: float) -> None:
        """The lake moved: the gateway is told with the next answers, or in ``after_s``.

        May come before the hello is decided: what it says is durable all the same.
        """
        self._archived = cursor
        asyncio.get_running_loop().call_later(after_s, self._stirred.set)

    def tell(self, terms: pb.CertificateTerms) -> None:
        """Say how old the certificate is, with the next answers or at once."""
        self._terms = terms
        self._stirred.set()

    async def _read(self, requests: Requests) -> None:
        async for message in requests:
            body = message.WhichOneof("body")
            if body == "status":
                self.status = message.status
                self._reported(self)
                continue
            if self.models.takes(message, self.session):
                continue
            if body not in ("block", "declare", "epoch_request"):
                told = f"{body or 'an unknown message'} has no place in a session that has begun"
                self.end(fault(pb.OUT_OF_ORDER, told, "upgrade the older side"))
                return
            await self._slots.acquire()
            size = MESSAGE_COST + message.ByteSize()
            await self._budget.take(size)
            try:
                answer = self._submit(message)
            except MalformedEntry as error:
                self._budget.give(size)
                self.end(fault(pb.MALFORMED, str(error), "upgrade the gateway"))
                return
            self._pending.append((answer, size))
            self._answered.clear()
            self._bell.ring_after(answer, self._stirred)
        # The gateway has said all: what it sent is still answered, then the stream ends.
        await self._answered.wait()
        self.end(None)

    def _submit(self, message: pb.GatewayMessage) -> Future[Decision]:
        journal = self._journal
        match message.WhichOneof("body"):
            case "block":
                block = message.block
                where = (block.session, block.epoch, block.seq)
                return journal.append(self.gateway, *where, block.data)
            case "declare":
                told = message.declare
                where = (told.session, told.epoch, told.first)
                return journal.declare(self.gateway, *where, _entries(told))
            case _:
                return journal.request_epoch(self.gateway, message.epoch_request)

    async def _answer(self) -> None:
        while True:
            self._stirred.clear()
            decided = self._decided()
            is_due = self._archived is not None or self._terms is not None or self.models.is_due
            if not decided and (self._pending or not is_due):
                await self._stirred.wait()
                continue
            replies = [reply for one in decided for reply in one.replies]
            if self._archived is not None:
                replies.append(ack(replace(self._archived, session=self.session)))
                self._archived = None
            if self._terms is not None:
                replies.append(pb.CloudMessage(terms=self._terms))
                self._terms = None
            replies += self.models.due(self.session)
            await self._write(coalesced(replies))
            if decided and decided[-1].ends:
                return
            if not self._pending:
                self._answered.set()

    def _decided(self) -> list[Decision]:
        """The decisions that are there, in the order of their messages; the last may be an end."""
        found: list[Decision] = []
        while self._pending and self._pending[0][0].done() and not (found and found[-1].ends):
            answer, size = self._pending.popleft()
            self._slots.release()
            self._budget.give(size)
            found.append(answer.result())
        return found

    async def _write(self, messages: Iterable[pb.CloudMessage]) -> None:
        for message in messages:
            await self._context.write(message)

    async def _let_go(self, *tasks: asyncio.Task[None]) -> None:
        self.models.end()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while self._pending:
            self._budget.give(self._pending.popleft()[1])


def coalesced(replies: Iterable[pb.CloudMessage]) -> list[pb.CloudMessage]:
    """The replies with each run of acks as one; other messages keep their place.

    Acks may come out of order: what the lake has archived is told beside what the journal stored,
    with the cursor as it was then. All that an ack says only grows within an epoch, so the highest
    of each says all of a run; its last alone could say less than one before it.
    """
    said: list[pb.CloudMessage] = []
    for reply in replies:
        both = said and said[-1].HasField("ack") and reply.HasField("ack")
        if both and said[-1].ack.epoch == reply.ack.epoch:
            reply = _highest(said.pop().ack, reply.ack)
        said.append(reply)
    return said


def _highest(one: pb.Ack, other: pb.Ack) -> pb.CloudMessage:
    """All that two acks of one epoch say."""
    return pb.CloudMessage(
        ack=pb.Ack(
            session=other.session,
            epoch=other.epoch,
            stored=max(one.stored, other.stored),
            archived=max(one.archived, other.archived),
            series_known=max(one.series_known, other.series_known),
        )
    )


async def first_hello(requests: Requests, within_s: float) -> pb.Hello | None:
    """The hello that a stream begins with; None when it begins with anything else."""
    async with asyncio.timeout(within_s):
        message = await anext(requests, None)
    return message.hello if message is not None and message.HasField("hello") else None


async def kept(future: Future[T]) -> T:
    """Await a journal's future; being cancelled does not cancel what the journal is doing."""
    return await asyncio.shield(asyncio.wrap_future(future))


def _entries(told: pb.Declare) -> list[SeriesEntry]:
    if len(told.entries) > DECLARE_ENTRIES_MAX:
        count = len(told.entries)
        raise MalformedEntry(f"{count} entries are over {DECLARE_ENTRIES_MAX}", "declaration")
    if (size := sum(map(len, told.entries))) > DECLARE_BYTES_MAX:
        raise MalformedEntry(f"{size} bytes are over {DECLARE_BYTES_MAX}", "declaration")
    return [decode_entry(entry) for entry in told.entries]
