"""Blocks, bodies and series entries as a stranger may send them: read, or refused by name.

An input that begins as a block is one; of any other the first byte says whether the rest is a body
or a series entry. `mutate` works on the parts of a sound block and mends the digest, and mostly the
content root too, so that what lies behind both is reached.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from random import Random

from protos.block import MAGIC, erase_device, read_block, read_header
from protos.codec.body import decode_body, encode_body
from protos.codec.content import decode_proof, leaves_of
from protos.codec.frame import STORED, ZSTD, frame, unframe
from protos.codec.header import chain_hash, decode_header, encode_header
from protos.codec.wire import FormatError, MalformedBlock, MalformedEntry, Reader, prefixed, varint
from protos.limits import BLOCK_MEMORY_MAX, BLOCK_ROWS_MAX, MIB, PLAIN_BYTES_MAX
from protos.records import SCHEMAS
from protos.series import SeriesKey, decode_entry, encode_entry, erase_entry, make_entry

INPUT_BYTES_MAX = 1 << 16
MEMORY_MAX = BLOCK_MEMORY_MAX
VECTORS = Path(__file__).parent.parent.parent / "protos" / "vectors" / "v1"
MUTATED_PLAIN_MAX = MIB
DEVICES_ERASED_MAX = 2
WORDS = [MAGIC + b"\0", b"\x10", b"\x11", b"\x20", b"\xff" * 9 + b"\x01", b"\x80\x80\x04"]

Mutate = Callable[[bytes, int], bytes]


def seeds() -> list[bytes]:
    """The golden vectors, their bodies, and entries."""
    blocks = [path.read_bytes() for path in sorted(VECTORS.glob("block-*.bin"))]
    bodies = [path.read_bytes() for path in sorted(VECTORS.glob("body-*.bin"))]
    bodies += [parts.body for parts in map(split, blocks) if parts is not None]
    key = SeriesKey("pump", "temperature", (("side", "left"),), "°C")
    entry = make_entry(3, 2, key, bytes(16))
    entries = [encode_entry(entry), encode_entry(erase_entry(entry))]
    return [*blocks, *(b"\0" + body for body in bodies), *(b"\1" + one for one in entries)]


def check(data: bytes) -> None:
    """Raise unless the input is read soundly or refused as malformed."""
    if data[:1] == MAGIC[:1]:
        check_block(data)
    elif data[:1] == b"\0":
        check_body(data[1:])
    else:
        check_entry(data[1:])


def check_block(data: bytes) -> None:
    try:
        known, hash_ = read_header(data)
    except MalformedBlock:
        known, hash_ = None, b""
    try:
        header, found, batch = read_block(data)
    except MalformedBlock:
        return
    assert (header, found) == (known, hash_), "two readers of one header differ"
    assert chain_hash(encode_header(header)) == found, "a header with two forms"
    assert batch.rows <= BLOCK_ROWS_MAX
    assert all(batch.count(kind) <= header.rows.get(kind, 0) for kind in SCHEMAS)
    parts = split(data)
    assert parts is not None
    devices = [int(no) for no in decode_proof(parts.proof).members.devices if no]
    for device in devices[:DEVICES_ERASED_MAX]:
        erased = read_block(erase_device(data, device))
        assert erased[1] == found, "erasing changed the hash"


def check_body(data: bytes) -> None:
    try:
        batch = decode_body(data)
    except MalformedBlock:
        return
    assert decode_body(encode_body(batch)).same_as(batch), "rows that do not come back"


def check_entry(data: bytes) -> None:
    try:
        entry = decode_entry(data)
    except MalformedEntry:
        return
    assert encode_entry(entry) == data, "an entry with two forms"


@dataclass(frozen=True, slots=True)
class Parts:
    """A block taken apart, its digest left out."""

    header: bytes
    proof: bytes
    body: bytes

    def joined(self) -> bytes:
        head = MAGIC + b"\0"
        rest = prefixed(self.header) + prefixed(self.proof) + self.body
        return head + sha256(head + rest).digest() + rest


def split(data: bytes) -> Parts | None:
    """The parts of what looks like a block; None when it does not."""
    reader = Reader(data, "seed", at=len(MAGIC) + 33)
    try:
        header = reader.prefixed("header", len(data))
        proof = reader.prefixed("proof", len(data))
        return Parts(header, proof, reader.take(reader.left, "body"))
    except FormatError:
        return None


def mutate(data: bytes, size_max: int, seed: int, mutate_bytes: Mutate) -> bytes:
    """Another input; ``mutate_bytes`` changes plain bytes up to a size."""
    chance = Random(seed)
    if data[:1] == b"\0" and chance.random() < 0.7:
        return b"\0" + reframed(data[1:], size_max, chance, mutate_bytes)
    parts = split(data) if data[:4] == MAGIC else None
    if parts is None or chance.random() < 0.05:
        return mutate_bytes(data, size_max)
    match chance.randrange(5):
        case 0:
            parts = replace(parts, header=mutate_bytes(parts.header, size_max))
        case 1:
            parts = replace(parts, proof=mutate_bytes(parts.proof, size_max))
        case 2:
            parts = replace(parts, proof=_other_members(parts.proof, size_max, mutate_bytes))
        case _:
            parts = replace(parts, body=reframed(parts.body, size_max, chance, mutate_bytes))
    if chance.random() < 0.8:
        parts = resealed(parts)
    made = parts.joined()
    return made if len(made) <= size_max else mutate_bytes(data, size_max)


def reframed(body: bytes, size_max: int, chance: Random, mutate_bytes: Mutate) -> bytes:
    """The body with other plain bytes, or in a frame that lies about them."""
    try:
        plain = unframe(body, "seed", PLAIN_BYTES_MAX, MalformedBlock)
    except FormatError:
        return mutate_bytes(body, size_max)
    if len(plain) > MUTATED_PLAIN_MAX:
        return mutate_bytes(body, size_max)
    match chance.randrange(4):
        case 0:
            return bytes((STORED,)) + mutate_bytes(plain, size_max)
        case 1:
            packed = Reader(frame([plain], 1), "seed", at=1)
            if frame([plain], 1)[0] == STORED:
                return mutate_bytes(body, size_max)
            packed.number("plain size", PLAIN_BYTES_MAX)
            lie = chance.choice((0, 1, len(plain) - 1, len(plain) + 1, PLAIN_BYTES_MAX, 1 << 63))
            return bytes((ZSTD,)) + varint(max(lie, 0)) + packed.take(packed.left, "frame")
        case _:
            return frame([mutate_bytes(plain, size_max)], chance.choice((1, 3)))


def resealed(parts: Parts) -> Parts:
    """The block with counts and content root as its rows have them, where they can be read."""
    try:
        header, proof = decode_header(parts.header), decode_proof(parts.proof)
        batch = decode_body(parts.body)
        root = proof.root(leaves_of(batch, proof.members, proof.salts()))
        rows = {kind: batch.count(kind) for kind in SCHEMAS if batch.count(kind)}
        mended = encode_header(replace(header, rows=rows, content_root=root))
    except ValueError:  # FormatError is one: these parts stay forged
        return parts
    return replace(parts, header=mended)


def _other_members(proof: bytes, size_max: int, mutate_bytes: Mutate) -> bytes:
    reader = Reader(proof, "seed")
    try:
        form = reader.take(1, "form")
        listing = unframe(reader.prefixed("members", len(proof)), "seed", MIB, MalformedBlock)
    except FormatError:
        return mutate_bytes(proof, size_max)
    rest = reader.take(reader.left, "rest")
    return form + prefixed(frame([mutate_bytes(listing, size_max)], 3)) + rest
