"""Where gateways connect: the Sync service over mutual TLS.

Whose stream it is says the certificate alone. One stream a gateway lives: a newer one fences the
older, in the journal and here. Every refusal is a Fault with its reason and a way out; nothing of
this program's insides is ever told to a peer.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc

from cloud.errors import StorageError
from cloud.ingest.bell import Bell
from cloud.ingest.health import Health
from cloud.ingest.identity import GatewayCertificate, ServerCredentials
from cloud.ingest.model_post import Models
from cloud.ingest.renew_call import Peer, RenewService, peer_of
from cloud.ingest.renewal import RenewalDesk, refusal
from cloud.ingest.stream import ByteBudget, Context, Requests, Stream, first_hello
from cloud.journal.contract import Journal, JournalOverloadedError
from cloud.journal.cursor import Cursor, fault
from cloud.registry.registry import Admission
from protos import sync_pb2 as pb
from protos.health_pb2_grpc import add_HealthServicer_to_server
from protos.limits import MESSAGE_BYTES_MAX, MIB, WINDOW_BYTES_DEFAULT
from protos.sync_pb2_grpc import add_SyncServicer_to_server

log = logging.getLogger(__name__)

HELLO_S_MAX: Final = 20.0
"""How long a new stream may say nothing."""
OVERLOADED_RETRY_MS: Final = 5_000
STREAMS_PER_CONNECTION_MAX: Final = 4
"""A gateway has one; another is open for a moment when it comes back."""
GREETINGS_MAX: Final = 4
"""Streams of one gateway that may wait for their hello, over all its connections."""
APART_S: Final = 0.001
"""From one gateway to the next who is told what was archived; most say something before it is their
turn, and are told with the answer. All at once would hold up what everybody waits for."""
PING_MIN_MS: Final = 10_000
PING_STRIKES_MAX: Final = 100
"""Pings that come sooner; those of minutes come at once where either end was too busy to read."""
KEEPALIVE_MS: Final = 30_000
KEEPALIVE_TIMEOUT_MS: Final = 15_000


@dataclass(frozen=True, slots=True)
class IngestLimits:
    """What is bounded. ``waiting_bytes_max``: blocks read and not yet durable, over all streams.

    ``window_bytes``: what one gateway may have sealed and not stored; ``sessions_max``: streams.
    """

    waiting_bytes_max: int = 64 * MIB
    window_bytes: int = WINDOW_BYTES_DEFAULT
    sessions_max: int = 10_000


@dataclass(frozen=True, slots=True)
class Presence:
    """A gateway that was heard since this process started; times in µs UTC.

    ``session`` 0: not connected now. ``status`` is what it last said of itself.
    """

    gateway: str
    session: int
    since_us: int
    agent_version: str
    status: pb.Status


class Ingest(RenewService):
    """The Sync servicer. Made on the loop that serves it.

    ``admit`` says whether a certificate may speak now; it may block, and is called from threads.
    ``heard`` is told when a gateway comes, goes, and reports, on the loop. ``now_us``: µs UTC.
    ``desk`` renews certificates, ``models`` are offered to gateways; None: none are.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        admit: Callable[[GatewayCertificate], Admission],
        heard: Callable[[Presence], None],
        now_us: Callable[[], int],
        limits: IngestLimits | None = None,
        desk: RenewalDesk | None = None,
        models: Models | None = None,
    ) -> None:
        self._journal, self._models = journal, models
        self._admit = admit
        self._heard = heard
        self._now_us = now_us
        super().__init__(desk)
        self._reminded: dict[str, int] = {}
        self._limits = limits or IngestLimits()
        self._budget = ByteBudget(self._limits.waiting_bytes_max)
        self._bell = Bell()
        self._streams: dict[str, set[Stream]] = {}
        self._greeting: Counter[str] = Counter()
        self._presence: dict[str, Presence] = {}
        self._is_closing = False
        loop = asyncio.get_running_loop()

        def moved(cursors: Sequence[Cursor]) -> None:
            loop.call_soon_threadsafe(self._archived, cursors)

        self._unsubscribe = journal.subscribe_archived(moved)

    @property
    def is_well(self) -> bool:
        """True while new streams are taken."""
        return not self._is_closing

    @property
    def presence(self) -> Mapping[str, Presence]:
        """Gateways by name, as they are now."""
        return self._presence

    @property
    def waiting_bytes(self) -> int:
        """Bytes read and not yet durable."""
        return self._budget.used

    def serials(self) -> frozenset[str]:
        """The certificates that streams were opened with."""
        return frozenset(stream.serial for each in self._streams.values() for stream in each)

    def hold_to(self, standing: Mapping[str, Admission]) -> list[tuple[str, Admission]]:
        """End the streams of certificates that may open none now; which gateways', and why."""
        ended = []
        for stream in [stream for each in self._streams.values() for stream in each]:
            admission = standing.get(stream.serial, Admission.ADMITTED)
            last = refusal(admission, stream.gateway)
            if last is not None:
                stream.end(last)
                ended.append((stream.gateway, admission))
        return ended

    def remind(self, gateways: Sequence[str]) -> None:
        """Tell these, once a session, that an operator wants their certificates renewed."""
        for name in gateways:
            for stream in list(self._streams.get(name, ())):
                if stream.session and self._reminded.get(name) != stream.session:
                    self._reminded[name] = stream.session
                    stream.tell(pb.CertificateTerms(asked=True))

    def offer(self) -> None:
        """Tell every gateway whose models changed."""
        for stream in [one for each in self._streams.values() for one in each if one.session]:
            stream.models.offer()

    async def close(self) -> None:
        """Take no more streams, and end those that live in good order."""
        self._is_closing = True
        self._unsubscribe()
        last = fault(pb.SHUTTING_DOWN, "the cloud is being stopped", "it is tried again")
        for gateway in list(self._streams):
            self._end(gateway, last)

    async def Session(  # noqa: N802 - gRPC's name for it
        self, request_iterator: Requests, context: Context
    ) -> None:
        """One session, from its hello to its end."""
        try:
            refusal = await self._session(request_iterator, context)
            if refusal is not None:
                await context.write(refusal)
        except (grpc.aio.BaseError, asyncio.InvalidStateError, TimeoutError) as error:
            log.info("a stream ended by itself: %s", error)
        except Exception:  # the supervisor of sessions: one must not end the others
            log.exception("a session failed by a fault of this program")
            told = "an internal fault, see the cloud's log"
            await context.write(fault(pb.CODE_UNSPECIFIED, told, "it is tried again"))

    async def _session(self, requests: Requests, context: Context) -> pb.CloudMessage | None:
        peer = await self.admitted(context)
        if isinstance(peer, pb.CloudMessage):
            return peer
        if self._is_closing:
            return fault(pb.SHUTTING_DOWN, "the cloud is being stopped", "it is tried again")
        if self._greeting[peer.name] >= GREETINGS_MAX:
            told = f"{GREETINGS_MAX} sessions of {peer.name} have said no hello yet"
            return fault(pb.OVERLOADED, told, "it is tried again", OVERLOADED_RETRY_MS)
        self._greeting[peer.name] += 1
        try:
            hello = await first_hello(requests, HELLO_S_MAX)
        finally:
            self._greeting -= Counter((peer.name,))
        if hello is None:
            return fault(pb.OUT_OF_ORDER, "a session begins with a hello", "upgrade the gateway")
        stream = Stream(
            peer.name, peer.serial, self._journal, context, self._budget, self._bell, self._note,
            self._models,
        )  # fmt: skip
        others = self._streams.setdefault(peer.name, set())
        others.add(stream)
        try:
            if await stream.greet(hello, self._limits.window_bytes):
                self._fence(others, stream.session)
                self._note(stream)
                if self._desk is not None:
                    stream.tell(await asyncio.to_thread(self._desk.terms, peer))
                stream.models.offer()
                await stream.talk(requests)
        except JournalOverloadedError as error:
            return fault(pb.OVERLOADED, error.cause, error.hint, OVERLOADED_RETRY_MS)
        except StorageError:
            log.exception("could not store what %s sent", peer.name)
            told = "what was sent could not be made durable; it stays with the gateway"
            return fault(pb.STORAGE_FAILED, told, "look at the cloud's disk and its log")
        finally:
            others.discard(stream)
            self._gone(stream)
        return None

    async def admitted(self, context: grpc.aio.ServicerContext[Any, Any]) -> Peer:
        """Whose certificate a call shows, or the refusal."""
        peer = peer_of(context)
        if isinstance(peer, pb.CloudMessage):
            return peer
        try:
            admission = await asyncio.to_thread(self._admit, peer)
        except StorageError as error:
            log.error("could not look up whether %s may connect: %s", peer.name, error)
            told = "who may connect cannot be looked up now"
            return fault(pb.STORAGE_FAILED, told, "look at the cloud's disk and its log")
        return refusal(admission, peer.name) or peer

    def _fence(self, streams: set[Stream], session: int) -> None:
        """End all older streams; the one asking may be the older itself."""
        newest = max(session, max(stream.session for stream in streams))
        for stream in streams:
            if 0 < stream.session < newest:
                told = f"session {stream.session} was fenced by session {newest}"
                hint = "if it recurs, two machines share one identity"
                stream.end(fault(pb.FENCED, told, hint))

    def _end(self, gateway: str, last: pb.CloudMessage) -> None:
        for stream in self._streams.get(gateway, ()):
            stream.end(last)

    def _archived(self, cursors: Sequence[Cursor]) -> None:
        for place, cursor in enumerate(cursors):
            for stream in self._streams.get(cursor.gateway, ()):
                stream.archived(cursor, place * APART_S)

    def _note(self, stream: Stream, *, is_here: bool = True) -> None:
        session = stream.session if is_here else 0
        told = Presence(
            stream.gateway, session, self._now_us(), stream.agent_version, stream.status
        )
        self._presence[stream.gateway] = told
        self._heard(told)

    def _gone(self, stream: Stream) -> None:
        left = self._streams[stream.gateway]
        if not left:
            del self._streams[stream.gateway]
        known = self._presence.get(stream.gateway)
        if known is not None and stream.session and known.session == stream.session:
            self._note(stream, is_here=False)


def make_server(
    ingest: Ingest, address: str, credentials: ServerCredentials, limits: IngestLimits | None = None
) -> tuple[grpc.aio.Server, int]:
    """A server of the Sync service with mutual TLS, not yet started, and the port it has bound.

    OSError-like RuntimeError of gRPC when the address is taken.
    """
    bounds = limits or IngestLimits()
    options = (
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_concurrent_streams", STREAMS_PER_CONNECTION_MAX),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", PING_MIN_MS),
        ("grpc.http2.max_ping_strikes", PING_STRIKES_MAX),
        ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a lottery
    )
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=bounds.sessions_max)
    add_SyncServicer_to_server(ingest, server)  # type: ignore[no-untyped-call]
    health = Health(lambda: ingest.is_well, ingest.admitted)
    add_HealthServicer_to_server(health, server)  # type: ignore[no-untyped-call]
    chain = [(credentials.key_pem, credentials.certificate_pem)]
    secure = grpc.ssl_server_credentials(chain, credentials.authority_pem, require_client_auth=True)
    return server, server.add_secure_port(address, secure)
