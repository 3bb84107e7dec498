"""The agent's parts, made as the settings ask for them."""

import logging
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from edge.catalog import Catalog
from edge.chunk import Loaded
from edge.clock import Clock
from edge.config import MAIN, EdgeConfig, NamedBroker
from edge.errors import UnreachableError
from edge.ingest import Ingest
from edge.ingest_broker import Broker
from edge.ingest_native import NativeIngest
from edge.ingest_several import SeveralIngest
from edge.keys import KeySource
from edge.payload.said import ReadingLimits
from edge.reading import Reader
from edge.recognition import Recognition
from edge.redelivery import Redelivery
from edge.settings import ClockTrust
from edge.settings_links import BrokerClient
from edge.store.lessons import Lesson
from edge.store.limits import StoreLimits
from edge.store.store import Store
from protos.limits import MIB

if TYPE_CHECKING:
    import aiomqtt

PACKET_SPARE_BYTES: Final = 4 * MIB
"""What is longer than may be read is still taken, as a reject; with its topic it is within this."""

log = logging.getLogger(__name__)


class Clients(Protocol):
    """Makes an MQTT client of its own for a purpose, with a retained will if there is a topic."""

    def __call__(self, purpose: str, topic: str = "", payload: bytes = b"") -> "aiomqtt.Client":
        """A client that is not connected yet."""


def store(config: EdgeConfig, keys: KeySource, clock: Clock) -> Store:
    """The opened buffer.

    Raises:
        OperatorError: there is no key.
        StorageError: a buffer that cannot be used.
    """
    return Store.open(
        config.buffer_path,
        gateway=config.name,
        keys=keys,
        limits=store_limits(config),
        boot_id=clock.boot_id,
        begun_as=config.buffer_name,
    )


def clock(config: EdgeConfig) -> Clock:
    """The gateway's clock, believed as the settings say, with what is known from before."""
    always = config.settings.clock.trust is ClockTrust.ALWAYS
    return Clock(path=config.clock_path, synced=(lambda: True) if always else None)


def store_limits(config: EdgeConfig) -> StoreLimits:
    """The buffer's bounds as the settings give them."""
    buffer = config.settings.buffer
    return StoreLimits(
        bytes_max=buffer.bytes_max,
        dedup_messages_max=buffer.dedup_messages_max,
        rejects_max=buffer.rejects_max,
        when_full=buffer.when_full,
    )


def reader(
    config: EdgeConfig, loaded: Loaded, lessons: Sequence[Lesson] = ()
) -> tuple[Catalog, Reader]:
    """The catalog of the series so far, and the reader that adds to it; it knows ``lessons``."""
    settings = config.settings
    taught = recognition(config)
    taught.recall(lessons)
    catalog = Catalog(
        loaded.entries,
        salt=lambda: secrets.token_bytes(16),
        series_max=settings.ingest.series_max,
    )
    redelivery = Redelivery(
        loaded.marks_key, loaded.marks, messages_max=settings.buffer.dedup_messages_max
    )
    return catalog, Reader(
        catalog,
        redelivery,
        ignore=settings.ingest.ignore,
        alerts=settings.alerts.own_topics,
        recognition=taught,
    )


def recognition(config: EdgeConfig) -> Recognition:
    """What knows the conventions, with the operator's rules.

    Raises:
        OperatorError: a rules file that cannot be used.
    """
    limits = ReadingLimits(payload_bytes_max=config.settings.ingest.payload_bytes_max)
    return Recognition(limits, config.rules())


def ingest(config: EdgeConfig, clock: Clock) -> Ingest:
    """The way in that the settings name; not started.

    Raises:
        OperatorError: a password, certificate or key file that cannot be used.
    """
    sessions = {one.name: _session(config, one, clock) for one in config.brokers}
    return sessions[MAIN] if len(sessions) == 1 else SeveralIngest(sessions)


def _session(config: EdgeConfig, one: NamedBroker, clock: Clock) -> Ingest:
    if one.settings.client is BrokerClient.NATIVE:
        return NativeIngest(broker(config, one), clock.now)
    from edge.ingest_paho import PahoIngest  # 10 MB that the native way does without

    return PahoIngest(broker(config, one), clock.now)


def broker(config: EdgeConfig, one: NamedBroker) -> Broker:
    """A broker that the settings name.

    Raises:
        OperatorError: a password, certificate or key file that cannot be used.
    """
    named = one.settings
    return Broker(
        name=one.name,
        host=named.host,
        port=named.port,
        client_id=config.broker_client_id(one),
        topics=tuple(named.topics),
        username=named.username,
        password=config.broker_password(one),
        tls=config.broker_tls(one),
        version=named.version,
        receive_maximum=named.receive_maximum,
        packet_bytes_max=config.settings.ingest.payload_bytes_max + PACKET_SPARE_BYTES,
    )


def clients(config: EdgeConfig, one: NamedBroker) -> "Clients":
    """What makes MQTT clients for what is not hot; files are read once, as for the ingest.

    Raises:
        OperatorError: a password, certificate or key file that cannot be used.
    """
    named = one.settings
    password, tls = config.broker_password(one), config.broker_tls(one)

    def connect(purpose: str, topic: str = "", payload: bytes = b"") -> "aiomqtt.Client":
        import aiomqtt

        return aiomqtt.Client(
            named.host,
            named.port,
            identifier=f"{config.broker_client_id(one)}-{purpose}",
            username=named.username or None,
            password=password,
            tls_context=tls,
            will=aiomqtt.Will(topic, payload, 1, retain=True) if topic else None,
        )

    return connect


def unreachable(config: EdgeConfig, one: NamedBroker, cause: str) -> UnreachableError:
    """The one message about a broker that is not there."""
    return UnreachableError(
        f"reach the broker {one.settings.host}:{one.settings.port}",
        cause,
        f"is it running? check {one.key}.url in {config.settings_path}; it is tried again",
    )


def undelivered(cause: str, hint: str) -> UnreachableError:
    """The one message about a cloud that is not there; `hint` is the uplink's."""
    return UnreachableError(
        "deliver to the cloud", cause, f"{hint}; readings are kept meanwhile" if hint else ""
    )
