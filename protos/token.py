"""Pure: the enrolment token, one pasted line, and the name of a gateway.

A token carries everything a gateway needs for its first contact: where the enrolment service is,
the authority it must show (so that first contact is pinned), the name the gateway will have, and a
secret. Form: ``tg1-`` and base64url without padding of

    u16 length of the body · u32 CRC-32 of the body (both big-endian) · body
    body = id (8) · secret (32) · address · name · CA certificate (DER), the last three prefixed

The length tells a paste that was cut off from one that was altered; the secret alone proves
anything. A certificate of the built-in authority makes the line about 700 characters long.
"""

import binascii
import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Final

from protos.codec.wire import FormatError, Reader, prefixed
from protos.limits import GATEWAY_NAME_BYTES_MAX

MARK: Final = "tg1-"
ID_BYTES: Final = 8
SECRET_BYTES: Final = 32
ADDRESS_BYTES_MAX: Final = 300  # a DNS name is at most 253, an IPv6 address less, and a port
CA_BYTES_MAX: Final = 4096
TOKEN_CHARS_MAX: Final = 8192
_FRAME_BYTES: Final = 6

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


class TokenError(FormatError):
    """A pasted token that is none, is cut off, or was altered."""


@dataclass(frozen=True, slots=True)
class Token:
    """What one token says; the secret never shows in a representation.

    `address` is host:port of the enrolment service, `ca_der` the cloud's authority.
    """

    id: bytes
    secret: bytes = field(repr=False)
    address: str
    gateway: str
    ca_der: bytes = field(repr=False)

    def line(self) -> str:
        """Write the line that an operator copies."""
        body = self.id + self.secret
        for part in (self.address.encode(), self.gateway.encode(), self.ca_der):
            body += prefixed(part)
        frame = len(body).to_bytes(2, "big") + zlib.crc32(body).to_bytes(4, "big")
        return MARK + urlsafe_b64encode(frame + body).decode().rstrip("=")


def read_token(line: str) -> Token:
    """Read a pasted line; blanks and line breaks inside it are forgiven.

    Raises:
        TokenError: saying whether it is no token at all, cut off, or altered.
    """
    reader = Reader(_body("".join(line.split())), "token", TokenError)
    token = Token(
        id=reader.take(ID_BYTES, "id"),
        secret=reader.take(SECRET_BYTES, "secret"),
        address=reader.text("address", ADDRESS_BYTES_MAX),
        gateway=reader.text("gateway", GATEWAY_NAME_BYTES_MAX),
        ca_der=reader.prefixed("authority", CA_BYTES_MAX),
    )
    reader.end()
    problem = gateway_name_problem(token.gateway)
    if problem:
        raise TokenError(problem, "token, gateway")
    return token


def _body(text: str) -> bytes:
    if not text.startswith(MARK):
        raise TokenError(f"a token begins with {MARK}, this does not", "token")
    if len(text) > TOKEN_CHARS_MAX:
        raise TokenError(f"{len(text)} characters are too many", "token")
    letters = text.removeprefix(MARK)
    try:
        data = urlsafe_b64decode(letters[: len(letters) - (len(letters) % 4 == 1)] + "==")
    except (binascii.Error, ValueError) as error:
        raise TokenError("it holds characters that no token has", "token") from error
    size = int.from_bytes(data[:2], "big") + _FRAME_BYTES
    if len(data) < max(size, _FRAME_BYTES + 1):
        raise TokenError("it is cut off: the end is missing", "token")
    if len(data) > size:
        raise TokenError("it is followed by something else", "token")
    body = data[_FRAME_BYTES:]
    if zlib.crc32(body) != int.from_bytes(data[2:_FRAME_BYTES], "big"):
        raise TokenError("it was altered: its checksum does not fit", "token")
    return body


def gateway_name_problem(name: str) -> str:
    """Say what is wrong with a gateway's name, or nothing.

    Names go into certificates, URIs, topics and file names: ASCII letters, digits and ``._-``
    inside, at most 64 (X.520's bound of a common name).
    """
    if not name:
        return "a gateway needs a name"
    if len(name) > GATEWAY_NAME_BYTES_MAX:
        return f"the name is {len(name)} characters long, {GATEWAY_NAME_BYTES_MAX} are allowed"
    if not _NAME.fullmatch(name):
        return (
            f"the name {name!r} may hold letters, digits, and inside it dots, dashes, underscores"
        )
    return ""
