"""What the registry keeps of whom: rows as they are read, and what a certificate may do."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

LIFE_US: Final = 730 * 86_400_000_000
"""The default of `certificates.gateway_days`."""
RENEWED: Final = "renewed"
"""Why a certificate is revoked whose successor was shown."""


class Admission(Enum):
    """Whether a certificate may open a session."""

    ADMITTED = "admitted"
    NOT_ENROLLED = "not enrolled here"
    REVOKED = "revoked"
    REPLACED = "replaced by its renewal"
    PAST_ITS_LIFE = "past its life"
    """Good for nothing but its renewal."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One enrolment token; its secret is kept only as a SHA-256 of 256 random bits."""

    id: str
    gateway: str
    secret_sha256: bytes
    created_us: int
    expires_us: int
    used_us: int | None = None
    used_key: str | None = None
    serial: str | None = None
    revoked_us: int | None = None


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """One certificate of a gateway; `serial` and `key_sha256` are hexadecimal."""

    serial: str
    gateway: str
    key_sha256: str
    der: bytes
    issued_us: int
    not_after_us: int
    revoked_us: int | None = None
    revoked_why: str = ""
    replaces: str = ""
    shown_us: int | None = None


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """One gateway; `status` is the last that it sent, `first_seen_us` 0 until it connected.

    `certificate_not_after_us` is the end of its certificate's life, 0 when it has none,
    `certificate_issued_us` when the newest was signed, likewise,
    `renewed_us` when a renewal was last shown, `renewal_asked_us` that an operator waits for one.
    """

    name: str
    enrolled_us: int
    first_seen_us: int
    last_seen_us: int
    agent_version: str
    status: Mapping[str, object]
    certificate_not_after_us: int
    renewal_asked_us: int | None = None
    renewed_us: int = 0
    certificate_issued_us: int = 0


def columns(row: TokenRow | CertificateRow) -> dict[str, object]:
    """The row as its table has it."""
    return {name: getattr(row, name) for name in type(row).__dataclass_fields__}
