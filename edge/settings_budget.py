"""The gateway's settings of what it may spend: writes, memory, processor, and bytes on the line."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from protos.limits import BLOCK_BYTES_MAX, KIB, MIB

_BYTES = {"unit": "bytes"}
CARD_BYTES_PER_DAY = 1_000_000_000
"""Ten years of it are 3.7 TB: what a card of 16 GB bears that takes 230 writes of each cell."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent may spend; `status` shows what it does."""

    written_bytes_per_day: Annotated[
        int,
        Meta(
            description="Bytes that the agent may have written in a day, the filesystem's "
            "journal included; commits are spaced to keep it. 0: 1,000,000,000 where the buffer "
            "lies on an SD card or eMMC, no bound elsewhere.",
            ge=0,
            le=1 << 50,
            extra=_BYTES,
        ),
    ] = 0
    commit_wait_ms_max: Annotated[
        int,
        Meta(
            description="Longest that commits are spaced for that; what is not committed is not "
            "acknowledged, and the broker holds it. Anomalies never wait for it.",
            ge=0,
            le=60_000,
            extra={"unit": "ms"},
        ),
    ] = 5000
    memory_bytes: Annotated[
        int,
        Meta(
            description="Resident memory above which `status` says so; nothing is ended for it.",
            ge=32 * MIB,
            le=1 << 40,
            extra=_BYTES,
        ),
    ] = 160 * MIB
    cpu_percent: Annotated[
        float,
        Meta(
            description="Percent of one core, over a minute, above which `status` says so.",
            gt=0,
            le=10_000,
        ),
    ] = 50.0


class Profile(StrEnum):
    """What a line to the cloud is like."""

    PLAIN = "plain"
    METERED = "metered"


class Uplink(msgspec.Struct, frozen=True, kw_only=True):
    """How the line to the cloud is used; a 0 stands for what the profile has."""

    profile: Annotated[
        Profile,
        Meta(
            description="`metered`, for a line that is paid by the byte: sends after 15 minutes or "
            "32 KiB, anomalies at once, and asks for a sign of life every 4 minutes. `plain` "
            "sends what was committed after 250 ms."
        ),
    ] = Profile.PLAIN
    linger_s: Annotated[
        float,
        Meta(
            description="Longest that readings wait for more before they are sent.",
            ge=0,
            le=86_400,
            extra={"unit": "s"},
        ),
    ] = 0.0
    batch_bytes: Annotated[
        int,
        Meta(
            description="So many bytes that wait are sent sooner; blocks are as large or larger.",
            ge=0,
            le=BLOCK_BYTES_MAX // 4,
            extra=_BYTES,
        ),
    ] = 0
    keepalive_s: Annotated[
        int,
        Meta(
            description="Between two signs of life on an idle line; a half-open line is found so "
            "late at most.",
            ge=0,
            le=7200,
            extra={"unit": "s"},
        ),
    ] = 0
    bytes_per_day_max: Annotated[
        int,
        Meta(
            description="Most bytes on the line in 24 hours, both ways, headers included; 0: no "
            "limit. From nine tenths on only anomalies are sent with what was read beside them, at "
            "the limit nothing is: it waits in the buffer.",
            ge=0,
            le=1 << 50,
            extra=_BYTES,
        ),
    ] = 0


_PLAIN = {"linger_s": 0.25, "batch_bytes": 64 * KIB, "keepalive_s": 20}
_METERED = {"linger_s": 900.0, "batch_bytes": 32 * KIB, "keepalive_s": 240}


def as_profiled(uplink: Uplink) -> Uplink:
    """The same with what its profile has in the place of each 0."""
    has = _METERED if uplink.profile is Profile.METERED else _PLAIN
    return msgspec.structs.replace(
        uplink, **{key: getattr(uplink, key) or value for key, value in has.items()}
    )
