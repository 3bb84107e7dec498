"""Pure: the header of a block: what the chain hash covers. Layout in docs/format/block.md."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from protos.codec.wire import Reader, prefixed, varint, zigzag
from protos.limits import (
    BLOCK_ROWS_MAX,
    CHUNK_COUNTER_MAX,
    CHUNK_RUNS_MAX,
    GATEWAY_NAME_BYTES_MAX,
    HEADER_BYTES_MAX,
    INT64_MAX,
    INT64_MIN,
    SEQ_MAX,
    SERIES_MAX,
)
from protos.records import SCHEMAS, Kind

HASH_BYTES: Final = 32
BOOT_ID_BYTES: Final = 16
CHUNK_PREFIX_BYTES: Final = 12
GENESIS_HASH: Final = bytes(HASH_BYTES)
"""``prev_hash`` of the block with seq 1."""
_ROWS_OF: Final[Mapping[int, str]] = MappingProxyType(
    {kind: f"rows of {kind.name}" for kind in Kind}
)
_CHAIN_DOMAIN: Final = b"tidegate block 1\0"


@dataclass(frozen=True, slots=True)
class ChunkRun:
    """Chunks ``first`` … ``first + count - 1`` of one opening of a store, named by ``prefix``."""

    prefix: bytes
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Header:
    """Who sealed what, when, after which block; times in µs, hashes of 32 bytes.

    ``rows`` counts each kind as sealed (erasure does not change it); ``ts_min_us`` and
    ``ts_max_us`` bound the ``ts`` of all of them (0 without rows).
    """

    gateway: str
    epoch: int
    seq: int
    prev_hash: bytes
    boot_id: bytes
    sealed_mono_us: int
    sealed_wall_us: int
    series_high: int
    series_root: bytes
    content_root: bytes
    rows: Mapping[Kind, int]
    ts_min_us: int
    ts_max_us: int
    chunks: tuple[ChunkRun, ...]


def chain_hash(header: bytes) -> bytes:
    """The hash of a block, from the bytes of its header."""
    return sha256(_CHAIN_DOMAIN + header).digest()


def encode_header(header: Header) -> bytes:
    """Canonical bytes of a header; ValueError when a field is outside its limits."""
    for fault in _faults(header):
        raise ValueError(f"a block header with {fault}")
    kinds = sorted(header.rows.items())
    out = [
        prefixed(header.gateway.encode("utf-8")),
        varint(header.epoch),
        varint(header.seq),
        header.prev_hash,
        header.boot_id,
        varint(zigzag(header.sealed_mono_us)),
        varint(zigzag(header.sealed_wall_us)),
        varint(header.series_high),
        header.series_root,
        header.content_root,
        varint(len(kinds)),
        *(varint(kind) + varint(rows) for kind, rows in kinds),
        varint(zigzag(header.ts_min_us)),
        varint(zigzag(header.ts_max_us)),
        varint(len(header.chunks)),
        *(run.prefix + varint(run.first) + varint(run.count) for run in header.chunks),
    ]
    return b"".join(out)


def decode_header(data: bytes) -> Header:
    """The reverse of ``encode_header``; MalformedBlock names what is wrong and where."""
    reader = Reader(data, "block header")
    if len(data) > HEADER_BYTES_MAX:
        raise reader.fail(f"{len(data)} bytes are over {HEADER_BYTES_MAX}", "header")
    header = Header(
        gateway=reader.text("gateway", GATEWAY_NAME_BYTES_MAX),
        epoch=reader.number("epoch", SEQ_MAX),
        seq=reader.number("seq", SEQ_MAX),
        prev_hash=reader.take(HASH_BYTES, "prev_hash"),
        boot_id=reader.take(BOOT_ID_BYTES, "boot_id"),
        sealed_mono_us=reader.signed("sealed_mono_us"),
        sealed_wall_us=reader.signed("sealed_wall_us"),
        series_high=reader.number("series_high", SERIES_MAX),
        series_root=reader.take(HASH_BYTES, "series_root"),
        content_root=reader.take(HASH_BYTES, "content_root"),
        rows=_read_rows(reader),
        ts_min_us=reader.signed("ts_min_us"),
        ts_max_us=reader.signed("ts_max_us"),
        chunks=_read_chunks(reader),
    )
    reader.end()
    for fault in _faults(header):
        raise reader.fail(fault, "header")
    return header


def _read_rows(reader: Reader) -> Mapping[Kind, int]:
    rows: dict[Kind, int] = {}
    last = 0
    for _ in range(reader.number("number of kinds", len(SCHEMAS))):
        kind = reader.number("kind", 255)
        if kind not in SCHEMAS or kind <= last:
            raise reader.fail(f"kind {kind} is unknown to this version or out of order", "rows")
        last = kind
        rows[Kind(kind)] = reader.number(_ROWS_OF[kind], BLOCK_ROWS_MAX)
    return MappingProxyType(rows)


def _read_chunks(reader: Reader) -> tuple[ChunkRun, ...]:
    return tuple(
        ChunkRun(
            reader.take(CHUNK_PREFIX_BYTES, "chunk prefix"),
            reader.number("first chunk", CHUNK_COUNTER_MAX),
            reader.number("number of chunks", CHUNK_COUNTER_MAX),
        )
        for _ in range(reader.number("number of chunk runs", CHUNK_RUNS_MAX))
    )


def _faults(header: Header) -> Iterator[str]:
    """What no header may have."""
    hashes = (header.prev_hash, header.series_root, header.content_root)
    times = (header.sealed_mono_us, header.sealed_wall_us, header.ts_min_us, header.ts_max_us)
    rows = header.rows.values()
    if not 1 <= len(header.gateway.encode("utf-8")) <= GATEWAY_NAME_BYTES_MAX:
        yield "a gateway name that is empty or too long"
    if not (1 <= header.epoch <= SEQ_MAX and 1 <= header.seq <= SEQ_MAX):
        yield "an epoch or seq outside 1 to 2**63-1"
    if {*map(len, hashes)} != {HASH_BYTES}:
        yield "a hash that is not of 32 bytes"
    if len(header.boot_id) != BOOT_ID_BYTES:
        yield "a boot_id that is not of 16 bytes"
    if (header.seq == 1) != (header.prev_hash == GENESIS_HASH):
        yield "seq 1 after a block, or a later one after none"
    if min(times) < INT64_MIN or max(times) > INT64_MAX:
        yield "a time outside int64"
    if header.ts_min_us > header.ts_max_us:
        yield "ts_min_us above ts_max_us"
    if not 0 <= header.series_high <= SERIES_MAX:
        yield "series_high outside its limit"
    if min(rows, default=1) < 1:
        yield "a kind without rows"
    if sum(rows) > BLOCK_ROWS_MAX:
        yield "more rows than a block may hold"
    if len(header.chunks) > CHUNK_RUNS_MAX:
        yield "too many chunk runs"
    if any(map(_bad_run, header.chunks)):
        yield "a chunk run that is empty or past 2**32"


def _bad_run(run: ChunkRun) -> bool:
    last = run.first + run.count - 1
    return len(run.prefix) != CHUNK_PREFIX_BYTES or not (
        0 <= run.first <= last <= CHUNK_COUNTER_MAX
    )
