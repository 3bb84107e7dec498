"""Pure: the block: immutable, chained, the unit of delivery. Layout in docs/format/block.md.

    magic, minor | SHA-256 of all else | header | proof | body

The chain hash covers the header alone; the header's content root covers the rows, device by device
under salts. So bytes are checked before they are acknowledged without decoding anything, the body
may be coded anew, and one device can be erased: neither changes the hash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protos.codec.body import decode_body, encode_body
from protos.codec.content import (
    SECRET_BYTES,
    Members,
    Proof,
    decode_proof,
    encode_proof,
    erase,
    in_canonical_order,
    leaves_of,
    members_of,
)
from protos.codec.header import (
    GENESIS_HASH,
    HASH_BYTES,
    ChunkRun,
    Header,
    chain_hash,
    decode_header,
    encode_header,
)
from protos.codec.wire import MalformedBlock, Reader, prefixed
from protos.limits import (
    BLOCK_BYTES_MAX,
    BLOCK_READ_BYTES_MAX,
    BODY_BYTES_MAX,
    HEADER_BYTES_MAX,
)
from protos.records import SCHEMAS, Batch

__all__ = [
    "GENESIS_HASH",
    "Block",
    "ChunkRun",
    "Header",
    "MalformedBlock",
    "NewerFormat",
    "build_block",
    "erase_device",
    "read_block",
    "read_header",
]

MAGIC: Final = b"TGB\x01"
"""The last byte is the major version: another one is another format."""
MINOR: Final = 0
"""Highest minor version this code reads; a writer names the lowest that its content needs."""
_DIGEST_AT: Final = len(MAGIC) + 1
_HEADER_AT: Final = _DIGEST_AT + HASH_BYTES


class NewerFormat(MalformedBlock):
    """A sound block of a later version: this reader is to be upgraded, not the block refused."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its header, its chain hash, and ``data``, what travels and is stored."""

    header: Header
    hash: bytes
    data: bytes


def build_block(
    *,
    gateway: str,
    epoch: int,
    seq: int,
    prev_hash: bytes,
    boot_id: bytes,
    sealed_mono_us: int,
    sealed_wall_us: int,
    series_high: int,
    series_root: bytes,
    chunks: Sequence[ChunkRun],
    batch: Batch,
    device_of: NDArray[np.uint32],
    secret: bytes,
    level: int = 3,
) -> Block:
    """Seal ``batch`` into a block.

    ``device_of`` has the device number of every series entry (index 0, the gateway itself, is 0).
    ``secret`` is 16 fresh random bytes that are kept nowhere else, or erasure is in vain.
    ValueError when a field or the whole is over its limit, so that the maker takes less.
    """
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a block secret is of {SECRET_BYTES} bytes, not {len(secret)}")
    members = members_of(batch, device_of)
    rows = in_canonical_order(batch, members)
    proof = Proof(members, secret)
    body = encode_body(rows, level=level)  # before hashing: it is refused if it is too much
    low, high = _time_range(batch)
    header = Header(
        gateway=gateway,
        epoch=epoch,
        seq=seq,
        prev_hash=prev_hash,
        boot_id=boot_id,
        sealed_mono_us=sealed_mono_us,
        sealed_wall_us=sealed_wall_us,
        series_high=series_high,
        series_root=series_root,
        content_root=proof.root(leaves_of(rows, members, proof.salts())),
        rows={kind: batch.count(kind) for kind in SCHEMAS if batch.count(kind)},
        ts_min_us=low,
        ts_max_us=high,
        chunks=tuple(chunks),
    )
    data = _join(encode_header(header), proof, body)
    if len(data) > BLOCK_BYTES_MAX:
        raise ValueError(f"a block of {len(data)} bytes, {BLOCK_BYTES_MAX} are the limit")
    return Block(header, chain_hash(encode_header(header)), data)


def read_header(data: bytes) -> tuple[Header, bytes]:
    """(header, chain hash) after checking every byte of the block against its digest.

    Decodes no row. MalformedBlock names what is wrong and where, NewerFormat a later version.
    """
    reader = _opened(data)
    header = reader.prefixed("header", HEADER_BYTES_MAX)
    return decode_header(header), chain_hash(header)


def read_block(data: bytes) -> tuple[Header, bytes, Batch]:
    """(header, chain hash, rows) with the rows proved against the header's content root.

    Rows of each kind are in (device, series, ts) order; those of erased devices are not there, so
    ``header.rows`` less the batch's counts are the erased. Takes BLOCK_MEMORY_MAX bytes at most,
    whatever the block. Raises as ``read_header``.
    """
    parts = _read(data)
    return parts.header, chain_hash(parts.header_bytes), parts.batch


def erase_device(data: bytes, device_no: int) -> bytes:
    """The block without any row of a device, its hash unchanged.

    What can no longer be proved or guessed: docs/decisions/0002. A block without the device comes
    back as it is. ValueError for device 0, the gateway itself.
    """
    if device_no == 0:
        raise ValueError("device 0 is the gateway itself and cannot be erased from its own stream")
    parts = _read(data)
    members = parts.proof.members
    found = np.flatnonzero((members.devices == device_no) & (members.counts > 0))
    if not len(found):
        return data
    index = int(found[0])
    kept = _without(parts.batch, members, index)
    return _join(parts.header_bytes, erase(parts.proof, parts.leaves, index), encode_body(kept))


@dataclass(frozen=True, slots=True)
class _Parts:
    header_bytes: bytes
    header: Header
    proof: Proof
    leaves: list[bytes]
    batch: Batch


def _read(data: bytes) -> _Parts:
    reader = _opened(data)
    header_bytes = reader.prefixed("header", HEADER_BYTES_MAX)
    header = decode_header(header_bytes)
    proof = decode_proof(reader.prefixed("proof", BLOCK_READ_BYTES_MAX))
    batch = decode_body(reader.take(reader.left, "body"))
    for kind in SCHEMAS:
        sealed, found = header.rows.get(kind, 0), batch.count(kind)
        if found > sealed or (found < sealed and proof.secret):
            raise MalformedBlock(f"{found} rows, the header says {sealed}", kind.name)
    leaves = leaves_of(batch, proof.members, proof.salts())
    if proof.root(leaves) != header.content_root:
        raise MalformedBlock("rows that are not those the header was sealed over", "content root")
    return _Parts(header_bytes, header, proof, leaves, batch)


def _opened(data: bytes) -> Reader:
    """A reader at the header, after magic, version, size and digest."""
    reader = Reader(data, "block")
    if len(data) > BLOCK_READ_BYTES_MAX:
        raise reader.fail(f"{len(data)} bytes are over {BLOCK_READ_BYTES_MAX}", "block")
    magic = reader.take(len(MAGIC), "magic")
    if magic[:3] != MAGIC[:3]:
        raise reader.fail(f"{magic.hex()} where {MAGIC.hex()} was expected", "magic")
    minor = reader.take(1, "minor version")[0]
    if magic != MAGIC or minor > MINOR:
        version = f"format {magic[3]}.{minor}, this reader knows 1.{MINOR}: upgrade it"
        raise NewerFormat(version, "block version")
    digest = reader.take(HASH_BYTES, "digest")
    if _digest(data[:_DIGEST_AT], data[_HEADER_AT:]) != digest:
        raise reader.fail("bytes that are not those the digest was made of", "digest")
    return reader


def _digest(head: bytes, rest: bytes) -> bytes:
    hasher = sha256(head)
    hasher.update(rest)
    return hasher.digest()


def _join(header: bytes, proof: Proof, body: bytes) -> bytes:
    if len(body) > BODY_BYTES_MAX:
        raise ValueError(f"a body of {len(body)} bytes, {BODY_BYTES_MAX} are the limit")
    head = MAGIC + bytes((MINOR,))
    rest = prefixed(header) + prefixed(encode_proof(proof)) + body
    return head + _digest(head, rest) + rest


def _time_range(batch: Batch) -> tuple[int, int]:
    times = [batch.tables[kind]["ts"] for kind in SCHEMAS if batch.count(kind)]
    if not times:
        return 0, 0
    return min(int(ts.min()) for ts in times), max(int(ts.max()) for ts in times)


def _without(batch: Batch, members: Members, index: int) -> Batch:
    tables = {}
    for kind in SCHEMAS:
        rows = batch.kind(kind)
        if batch.count(kind):
            keep = members.ranks(rows["series"])[1] != index
            if keep.any():
                tables[kind] = {name: column[keep] for name, column in rows.items()}
    return Batch(tables)
