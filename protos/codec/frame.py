"""Pure: a section of bytes, stored or compressed, that cannot open into more than it says.

Layout (docs/format/block.md, "frame"): one byte 0x10 and the plain bytes; or one byte 0x11, the
plain size as a varint, and one zstd frame without magic, content size, checksum or dictionary.
Large parts of the plain bytes get zstd blocks of their own, so that each has its own entropy table:
a matter of size alone, any decoder reads the frame as it is.
"""

from collections.abc import Sequence
from typing import Final

import zstandard

from protos.codec.wire import FormatError, Reader, varint

STORED: Final = 0x10
ZSTD: Final = 0x11

_WINDOW_LOG_MAX: Final = 21
_WINDOW_LOG_MIN: Final = 10
_TINY: Final = 64
"""Below this zstd gains nothing on columns already narrowed."""
_OWN_BLOCK: Final = 2048
"""A part this long earns the three bytes and the table of a block of its own."""


def frame(parts: Sequence[bytes], level: int) -> bytes:
    """The frame of the concatenated ``parts``; compressed only where that is smaller."""
    size = sum(map(len, parts))
    if size >= _TINY:
        packed = bytes((ZSTD,)) + varint(size) + _compressed(parts, size, level)
        if len(packed) <= size:
            return packed
    return bytes((STORED,)) + b"".join(parts)


def _compressed(parts: Sequence[bytes], size: int, level: int) -> bytes:
    window_log = min(max(size.bit_length(), _WINDOW_LOG_MIN), _WINDOW_LOG_MAX)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level,
        source_size=size,
        window_log=window_log,
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        write_content_size=False,
        write_checksum=False,
        write_dict_id=False,
    )
    # A compressor a call: one shared between threads is not safe, and it costs 15 µs.
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    if size < 2 * _OWN_BLOCK:
        return compressor.compress(b"".join(parts))
    stream = compressor.compressobj(size=size)
    out = []
    for joined in _blocks(parts):
        out.append(stream.compress(joined))
        out.append(stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
    out.append(stream.flush())
    return b"".join(out)


def _blocks(parts: Sequence[bytes]) -> list[bytes]:
    """``parts`` with runs of small ones joined."""
    blocks: list[bytes] = []
    small: list[bytes] = []
    for part in parts:
        if len(part) < _OWN_BLOCK:
            small.append(part)
            continue
        if small:
            blocks.append(b"".join(small))
            small = []
        blocks.append(part)
    if small:
        blocks.append(b"".join(small))
    return blocks


def unframe(data: bytes, where: str, plain_bytes_max: int, error: type[FormatError]) -> bytes:
    """The plain bytes; at most ``plain_bytes_max`` are ever allocated. Raises ``error``."""
    reader = Reader(data, where, error)
    form = reader.take(1, "frame form")[0]
    if form == STORED:
        if reader.left > plain_bytes_max:
            raise reader.fail(f"{reader.left} bytes are over {plain_bytes_max}", "frame")
        return reader.take(reader.left, "frame")
    if form != ZSTD:
        raise reader.fail(f"form {form:#04x} is not of this version", "frame form")
    size = reader.number("plain size", plain_bytes_max)
    packed = reader.take(reader.left, "zstd frame")
    if not packed or packed[0] != 0:
        # A content size in the frame would be believed before it is checked.
        raise reader.fail("a zstd frame header other than the format's", "zstd frame")
    decompressor = zstandard.ZstdDecompressor(
        format=zstandard.FORMAT_ZSTD1_MAGICLESS, max_window_size=1 << _WINDOW_LOG_MAX
    )
    try:
        plain = decompressor.decompress(packed, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as cause:
        raise reader.fail(f"zstd: {cause}, {size} plain bytes expected", "zstd frame") from cause
    if len(plain) != size:
        raise reader.fail(f"{len(plain)} plain bytes, {size} were announced", "zstd frame")
    return plain
