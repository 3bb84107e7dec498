"""Pure: a payload of JSON, as strict as the standard where it can be and as lenient as it must."""

import json

import msgspec

from edge.payload.said import Unreadable

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def opening(payload: bytes) -> bytes:
    """The first byte that matters: `{` of an object, `[` of a list, anything else of no JSON."""
    first = payload[:1]
    if first in (b"{", b"["):
        return first
    return payload[:64].removeprefix(BYTE_ORDER_MARK).lstrip()[:1]


def decode(payload: bytes) -> object:
    """The value that a payload of JSON holds.

    Raises:
        Unreadable: JSON that is broken, not UTF-8, or nested without end.
    """
    try:
        return msgspec.json.decode(payload)
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8") from error
    except RecursionError as error:
        raise Unreadable("JSON nested without end") from error
    except msgspec.DecodeError as error:
        if payload.startswith(BYTE_ORDER_MARK):
            return decode(payload.removeprefix(BYTE_ORDER_MARK))
        if b"NaN" in payload or b"Infinity" in payload:
            return _decode_lenient(payload)
        raise Unreadable(f"broken JSON: {error}") from error


def _decode_lenient(payload: bytes) -> object:
    """JSON as many sensors write it, with NaN and Infinity in place of a number: those are null.

    What the standard library lets through beyond that (a lone surrogate) does not survive the
    second, strict reading.
    """
    try:
        tree = json.loads(payload, parse_constant=lambda _: None)
        return msgspec.json.decode(json.dumps(tree))
    except RecursionError as error:
        raise Unreadable("JSON nested without end") from error
    except ValueError as error:
        raise Unreadable(f"broken JSON: {error}") from error
