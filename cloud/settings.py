"""The cloud's settings: every section and key of `cloud.toml`, described once.

Limits, units and meanings stand here alone; the reader of the file, the file that `init` writes
and `docs/guide/settings.md` all come from these structs.
"""

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from cloud.http_settings import Http
from cloud.notify.settings import Notify
from cloud.page_settings import Page
from protos.address import split_address
from protos.limits import MIB, WINDOW_BYTES_DEFAULT, WINDOW_BYTES_MAX
from protos.log import LogFormat, LogLevel
from protos.scrape_settings import Metrics
from protos.settings import WrongValueError

_BYTES: Final = {"unit": "bytes"}
_SECONDS: Final = {"unit": "s"}


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """Where the cloud listens; loopback until something else is said here."""

    sync: Annotated[str, Meta(description="`host:port` for enrolled gateways (mutual TLS).")] = (
        "127.0.0.1:8461"
    )
    enrol: Annotated[
        str, Meta(description="`host:port` for enrolment (TLS and a one-time token).")
    ] = "127.0.0.1:8462"
    http: Annotated[
        str,
        Meta(
            description="`host:port` of page and API; off loopback they need users and a "
            "certificate or a proxy, under `http`."
        ),
    ] = "127.0.0.1:8460"
    hosts: Annotated[
        list[str],
        Meta(
            description="Names and addresses under which gateways reach this machine; the first "
            "goes into tokens, all into the server's certificate.",
            min_length=1,
        ),
    ] = msgspec.field(default_factory=lambda: ["localhost"])

    def __post_init__(self) -> None:
        """Refuse addresses that cannot be listened on and hosts that no certificate can carry."""
        for key in ("sync", "enrol", "http"):
            try:
                split_address(getattr(self, key))
            except ValueError as error:
                hint = "write host:port, as in 127.0.0.1:8460 or [::]:8461"
                raise WrongValueError(key, str(error), hint) from error
        for host in self.hosts:
            if not host.isascii() or not host or len(host) > 253 or set(host) & set(" /@"):
                cause = f"{host!r} is neither a DNS name nor an address"
                raise WrongValueError("hosts", cause, "name each host without scheme and port")


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """How gateways are let in."""

    failures_per_minute_max: Annotated[
        int,
        Meta(
            description="Refused attempts of one address in a minute, after which it has to wait.",
            ge=1,
            le=10_000,
        ),
    ] = 10


class Certificates(msgspec.Struct, frozen=True, kw_only=True):
    """How long gateways' certificates serve."""

    gateway_days: Annotated[
        int,
        Meta(
            description="Life of a gateway's certificate, from its issue by this cloud's clock. It "
            "is renewed by itself in the last third; past its life nothing but its renewal is "
            "accepted.",
            ge=1,
            le=18_250,
            extra={"unit": "days"},
        ),
    ] = 730


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """The log of blocks, the source of truth until they are in the lake."""

    segment_bytes: Annotated[
        int,
        Meta(
            description="Size at which a segment is closed and the next begun.",
            ge=1 * MIB,
            le=1 << 34,
            extra=_BYTES,
        ),
    ] = 64 * MIB
    bytes_max: Annotated[
        int,
        Meta(
            description="Most that the journal may take; what is archived leaves first, and when "
            "nothing is archived gateways are told to wait.",
            ge=16 * MIB,
            le=1 << 44,
            extra=_BYTES,
        ),
    ] = 4096 * MIB
    free_bytes_min: Annotated[
        int,
        Meta(
            description="Free space of the journal's disk below which gateways are told to wait: "
            "the lake needs it to take what waits, and so to empty the journal. 0 keeps none.",
            ge=0,
            le=1 << 44,
            extra=_BYTES,
        ),
    ] = 256 * MIB
    window_bytes: Annotated[
        int,
        Meta(
            description="Bytes that one gateway may send ahead of the acknowledgement.",
            ge=1 * MIB,
            le=WINDOW_BYTES_MAX,
            extra=_BYTES,
        ),
    ] = WINDOW_BYTES_DEFAULT

    def __post_init__(self) -> None:
        """Refuse a journal that could not be emptied once it is full."""
        if self.bytes_max < 4 * self.segment_bytes:
            cause = "no room for four segments of journal.segment_bytes"
            hint = f"make it at least {4 * self.segment_bytes:_}, or the segments smaller"
            raise WrongValueError("bytes_max", cause, hint)


class Lake(msgspec.Struct, frozen=True, kw_only=True):
    """The tables that history is read from."""

    interval_s: Annotated[
        float,
        Meta(
            description="From the beginning of one consolidation to that of the next, at least; "
            "readings are visible before.",
            ge=0.1,
            le=3600,
            extra=_SECONDS,
        ),
    ] = 10.0
    batch_bytes: Annotated[
        int,
        Meta(
            description="Blocks taken from the journal into one commit, at most; their rows are in "
            "memory two million at a time.",
            ge=1 * MIB,
            le=1 << 30,
            extra=_BYTES,
        ),
    ] = 128 * MIB
    sort_after_s: Annotated[
        float,
        Meta(
            description="A day into which no reading came for so long is sorted: its files are "
            "written anew, in one order, so that a series lies in one of them.",
            ge=1,
            le=86_400,
            extra=_SECONDS,
        ),
    ] = 600.0
    query_threads: Annotated[int, Meta(description="Threads that answer queries.", ge=1, le=64)] = 2


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long history of some series is kept; of a series the first section that fits decides."""

    series: Annotated[
        str,
        Meta(
            description="Pattern of `gateway/device/metric` with `*`, `?` and `[…]`, whatever "
            "their case.",
            max_length=512,
            examples=["gw-*/*/temperature"],
        ),
    ]
    readings_days: Annotated[
        int,
        Meta(
            description="Readings leave when they are older, by whole days; 0 keeps them.",
            examples=[400],
            ge=0,
            le=36_500,
            extra={"unit": "days"},
        ),
    ]
    rollups_days: Annotated[
        int,
        Meta(
            description="Their minutes, hours and days leave when they are older; 0 keeps them.",
            ge=0,
            le=36_500,
            extra={"unit": "days"},
        ),
    ] = 0

    def __post_init__(self) -> None:
        """Refuse a pattern that fits no series, and rollups that would go before their readings."""
        if self.series.count("/") < 2 and "*" not in self.series:
            cause = f"no series has a name like {self.series!r}"
            hint = 'write GATEWAY/DEVICE/METRIC, as in "gw-*/*/temperature"'
            raise WrongValueError("series", cause, hint)
        if self.rollups_days and not 0 < self.readings_days <= self.rollups_days:
            days = self.readings_days
            cause = "rollups cannot leave before their readings"
            hint = f"make it {days} or more, or 0 to keep them" if days else "write 0 to keep them"
            raise WrongValueError("rollups_days", cause, hint)


class Placement(StrEnum):
    """Where a role runs."""

    AUTO = "auto"
    TOGETHER = "together"
    APART = "apart"


class ReaderPlacement(StrEnum):
    """Where history is read, where no number of processes is named."""

    AUTO = "auto"
    TOGETHER = "together"


READERS_MAX: Final = 16


class Roles(msgspec.Struct, frozen=True, kw_only=True):
    """Which parts of the cloud have a process of their own."""

    ingest: Annotated[
        Placement,
        Meta(
            description="Where blocks are taken in and the journal is written: `together` with the "
            "live view and the page, or `apart` in a process of its own, so that no "
            "acknowledgement waits for them, and with blocks decoded for the view in one more; "
            "`auto` as for consolidation."
        ),
    ] = Placement.AUTO
    consolidation: Annotated[
        Placement,
        Meta(
            description="Where tables are made: `together` with taking blocks in, or `apart` in a "
            "process of its own, which the cloud starts, watches and ends; `auto` is apart on "
            "three cores and 4 GB of memory or more."
        ),
    ] = Placement.AUTO
    readers: Annotated[
        Annotated[int, Meta(ge=1, le=READERS_MAX)] | ReaderPlacement,
        Meta(
            description="Where questions about history read the tables: `together` with taking "
            "blocks in, or in so many processes of their own; `auto` is as many as there are cores "
            "but one, four at most and one for each GB of memory, on three cores and 4 GB or more."
        ),
    ] = ReaderPlacement.AUTO


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What the cloud tells on stderr."""

    format: Annotated[
        LogFormat, Meta(description="`auto` is text on a terminal and JSON lines under systemd.")
    ] = LogFormat.AUTO
    level: Annotated[LogLevel, Meta(description="Least important line that is written.")] = (
        LogLevel.INFO
    )


class CloudSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All sections of `cloud.toml`."""

    listen: Listen
    http: Http
    enrolment: Enrolment
    certificates: Certificates
    journal: Journal
    lake: Lake
    retention: dict[str, Retention]
    roles: Roles
    notify: Notify
    page: Page
    metrics: Metrics
    log: Log
