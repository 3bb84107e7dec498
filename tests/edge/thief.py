"""What a thief would try on a stolen card to find values that are known to be on it.

As text, as numbers in every plain binary form, with their bytes in planes (as column codecs store
them), and inside whatever a common decompressor accepts at any offset.
"""

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import zstandard

STRIDES = range(2, 65)
OUTPUT_MAX = 1 << 20
BARE_ZSTD = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS)
WORTH = 12
"""A decompressor that yields less has read noise."""


@dataclass(frozen=True)
class Secret:
    """One thing that must not be found, and all byte strings it might be found as."""

    name: str
    needles: tuple[bytes, ...]
    planes: tuple[bytes, ...] = ()


def text_secret(text: str) -> Secret:
    return Secret(text, tuple(text.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")))


def bytes_secret(name: str, data: bytes) -> Secret:
    return Secret(name, (data, data.hex().encode()))


def number_secret(value: float) -> Secret:
    """As f64, f32, its digits, and as whole numbers at every power of ten that makes it one."""
    doubles = tuple(struct.pack(order + "d", value) for order in "<>")
    singles = tuple(struct.pack(order + "f", value) for order in "<>")
    whole = [needle for power in range(10) for needle in _scaled(value, power)]
    exact = f"{value!r}".encode()
    return Secret(f"{value!r}", (*doubles, *singles, *whole, exact), doubles)


def _scaled(value: float, power: int) -> Iterator[bytes]:
    scaled = value * 10**power
    number = round(scaled)
    if abs(scaled - number) > 1e-6 or number.bit_length() <= 32 or number.bit_length() > 62:
        return  # not a whole number, or too short to mean anything
    width = (number.bit_length() + 7) // 8
    for form in (number, number * 2):  # as it is, and zigzag
        yield form.to_bytes(8, "big")[8 - width :]
        yield form.to_bytes(8, "little")[:width]
    yield _varint(number)
    yield _varint(number * 2)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def found_in(parts: Iterable[bytes], secrets: Iterable[Secret]) -> set[str]:
    """Names of the secrets that are in any part, or in what a part holds compressed."""
    wanted = list(secrets)
    found: set[str] = set()
    for part in parts:
        for view in (part, *_opened(part)):
            found |= {secret.name for secret in wanted if _is_in(secret, view)}
    return found


def _is_in(secret: Secret, data: bytes) -> bool:
    if any(needle in data for needle in secret.needles):
        return True
    for shuffled in _unshuffled(data):
        if any(needle in shuffled for needle in secret.needles):
            return True
    return any(_in_planes(plane, data) for plane in secret.planes)


def _unshuffled(data: bytes) -> Iterator[bytes]:
    """The whole with its bytes put together again, taken as 2, 4 or 8 planes."""
    for width in (2, 4, 8):
        count = len(data) // width
        planes = np.frombuffer(data, np.uint8)[: count * width].reshape(width, count)
        yield planes.T.tobytes()


def _in_planes(needle: bytes, data: bytes) -> bool:
    """Whether the bytes of ``needle`` stand at equal distances anywhere."""
    octets = np.frombuffer(data, np.uint8)
    starts = np.flatnonzero(octets == needle[0])
    for stride in STRIDES:
        at = starts[starts + stride * (len(needle) - 1) < len(octets)]
        for place, octet in enumerate(needle[1:], 1):
            at = at[octets[at + place * stride] == octet]
        if len(at):
            return True
    return False


def _opened(data: bytes) -> Iterator[bytes]:
    """Everything that any decompressor makes of ``data`` from any offset."""
    view = memoryview(data)
    for at in range(len(data) - 8):
        for attempt in _decompressors(data[at], data[at + 1]):
            try:
                opened = attempt(view[at:])
            except (zstandard.ZstdError, zlib.error, OSError, lzma.LZMAError, ValueError):
                continue
            if len(opened) >= WORTH:
                yield opened


def _decompressors(first: int, second: int) -> Iterator[Callable[[memoryview], bytes]]:
    """Those that may accept a stream that starts with these two bytes."""
    yield lambda data: BARE_ZSTD.decompressobj().decompress(data)
    yield lambda data: zlib.decompressobj(-15).decompress(data, OUTPUT_MAX)
    if first & 0x0F == 8 and (first << 8 | second) % 31 == 0:
        yield lambda data: zlib.decompressobj().decompress(data, OUTPUT_MAX)
    match first, second:
        case 0x1F, 0x8B:
            yield lambda data: zlib.decompressobj(31).decompress(data, OUTPUT_MAX)
        case 0x28, 0xB5:
            yield lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)
        case 0x42, 0x5A:
            yield lambda data: bz2.BZ2Decompressor().decompress(bytes(data), OUTPUT_MAX)
        case (0xFD, 0x37) | (0x5D, 0x00):
            yield lambda data: lzma.LZMADecompressor().decompress(bytes(data), OUTPUT_MAX)
