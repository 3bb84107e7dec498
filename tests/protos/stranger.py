"""A reader of blocks written from docs/format/block.md alone: it imports nothing of the product.

Plain Python, a value at a time; what it needs to agree with is the document and the vectors.
"""

import hashlib
import struct
from typing import Any

import zstandard

SCHEMAS = {
    1: "series u4, ts i8, value f8, quality u1, arrival i8",
    2: "series u4, ts i8, text str, quality u1, arrival i8",
    3: "series u4, ts i8, value f8, score f8, threshold f8, model str",
    4: "series u4, ts i8, id id, state u1, end i8, peak_ts i8, peak f8, threshold f8, model str,"
    " points u4",
    5: "series u4, ts i8, to i8, count i8, reason u1, seq_from i8, seq_to i8",
    6: "series u4, ts i8, boot_id id, mono_from i8, mono_to i8, offset i8",
}
REFERENCE = {"arrival": "ts", "to": "ts", "end": "ts", "peak_ts": "ts",
             "seq_to": "seq_from", "mono_to": "mono_from"}  # fmt: skip
PACKED = {"u1": "B", "u4": "I", "i8": "q", "f8": "Q", "str": "I", "id": "16s"}


def wrap(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def columns(kind: int) -> list[list[str]]:
    return [each.split() for each in SCHEMAS[kind].split(",")]


class Bytes:
    """What is left to read."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        taken, self.data = self.data[:size], self.data[size:]
        assert len(taken) == size
        return taken

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def zigzag(self) -> int:
        value = self.varint()
        return value >> 1 if value % 2 == 0 else -(value + 1 >> 1)

    def prefixed(self) -> bytes:
        return self.take(self.varint())


def unframe(data: bytes) -> Bytes:
    if data[0] == 0x10:
        return Bytes(data[1:])
    assert data[0] == 0x11
    rest = Bytes(data[1:])
    size = rest.varint()
    plain = zstandard.ZstdDecompressor().decompress(b"\x28\xb5\x2f\xfd" + rest.data, size)
    assert len(plain) == size
    return Bytes(plain)


def uints(r: Bytes, n: int) -> list[int]:
    planes = [r.take(n) for _ in range(r.take(1)[0])]
    return [sum(plane[i] << 8 * k for k, plane in enumerate(planes)) for i in range(n)]


def offsets(r: Bytes, n: int) -> list[int]:
    least = r.zigzag()
    return [wrap(least + each) for each in uints(r, n)]


def gathered(lengths: list[list[int]], values: list[Any]) -> list[Any]:
    """Values of segment order at their rows."""
    rows = [row for segment in lengths for row in segment]
    placed: list[Any] = [None] * len(rows)
    for row, value in zip(rows, values, strict=True):
        placed[row] = value
    return placed


def ints(
    r: Bytes, n: int, segments: list[list[int]] | None = None, place: bool = True
) -> list[int]:
    """``segments``: the rows of each; ``place``: bring values back to their rows."""
    head = r.take(1)[0]
    form, unit = head & 15, (1, 1_000, 1_000_000)[head >> 4]
    if form == 0:
        return [r.zigzag()] * n
    if form == 1 or segments is None:
        assert form == 1
        segments = [list(range(n))]
    remainder = r.varint() if unit > 1 else 0
    count = len(segments)
    coding, anchors, bases = (offsets(r, count) for _ in range(3))
    folded = iter(uints(r, n))
    values = []
    for segment, code, anchor, base in zip(segments, coding, anchors, bases, strict=True):
        last = 0
        for at in range(len(segment)):
            fold = next(folded)
            e = fold >> 1 if fold % 2 == 0 else -(fold + 1 >> 1)
            last = wrap(anchor + e) if code == 0 or at == 0 else wrap(last + base + e)
            values.append(wrap(last * unit + remainder))
    return gathered(segments, values) if place else values


def floats(r: Bytes, n: int, segments: list[list[int]]) -> list[int]:
    """The bits of each value."""
    form = r.take(1)[0]
    if form == 0:
        return list(struct.unpack("<Q", r.take(8))) * n
    if form == 3:
        return uints(r, n)
    if form == 1:
        segments = [list(range(n))]
    powers = offsets(r, len(segments))
    of_row = [p for p, segment in zip(powers, segments, strict=True) for _ in segment]
    raw = {at for at, power in enumerate(of_row) if power == 15}
    count = r.varint()
    at = 0
    for distance in offsets(r, count) if count else []:
        at += distance
        raw.add(at)
    bits = dict(zip(sorted(raw), uints(r, len(raw)) if raw else [], strict=True))
    whole = ints(r, n, None if form == 1 else segments, place=False)
    values = [
        bits[i]
        if i in raw
        else struct.unpack("<Q", struct.pack("<d", whole[i] / 10.0 ** of_row[i]))[0]
        for i in range(n)
    ]
    return gathered(segments, values)


def series(r: Bytes, n: int) -> tuple[list[int], list[list[int]]]:
    if r.take(1)[0] == 0x20:
        count = r.varint()
        entries, lengths = ints(r, count), [each + 1 for each in uints(r, count)]
        ends = [sum(lengths[: i + 1]) for i in range(count)]
        segments = [list(range(end - size, end)) for end, size in zip(ends, lengths, strict=True)]
        return [e for e, size in zip(entries, lengths, strict=True) for _ in range(size)], segments
    values = ints(r, n)
    return values, [[i for i in range(n) if values[i] == e] for e in sorted(set(values))]


def strings(r: Bytes, n: int) -> list[str]:
    sizes = offsets(r, r.varint())
    distinct = [r.take(size).decode() for size in sizes]
    return [distinct[code] for code in ints(r, n)]


def ids(r: Bytes, n: int) -> list[bytes]:
    distinct = [r.take(16) for _ in range(r.varint())]
    return [distinct[code] for code in ints(r, n)]


def body(data: bytes) -> dict[int, dict[str, list[Any]]]:
    r = unframe(data)
    tables = {}
    for _ in range(r.take(1)[0]):
        kind, n = r.take(1)[0], r.varint()
        values, segments = series(r, n)
        table: dict[str, list[Any]] = {"series": values}
        for name, of in columns(kind)[1:]:
            if of == "f8":
                table[name] = floats(r, n, segments)
            elif of in ("str", "id"):
                table[name] = strings(r, n) if of == "str" else ids(r, n)
            else:
                column = ints(r, n, segments)
                if name in REFERENCE:
                    pairs = zip(column, table[REFERENCE[name]], strict=True)
                    column = [wrap(a + b) for a, b in pairs]
                table[name] = column
        tables[kind] = table
    assert not r.data
    return tables


def header(data: bytes) -> dict[str, Any]:
    r = Bytes(data)
    fields = {
        "gateway": r.prefixed().decode(),
        "epoch": r.varint(),
        "seq": r.varint(),
        "prev_hash": r.take(32).hex(),
        "boot_id": r.take(16).hex(),
        "sealed_mono_us": r.zigzag(),
        "sealed_wall_us": r.zigzag(),
        "series_high": r.varint(),
        "series_root": r.take(32).hex(),
        "content_root": r.take(32).hex(),
        "rows": {r.varint(): r.varint() for _ in range(r.varint())},
        "ts_min_us": r.zigzag(),
        "ts_max_us": r.zigzag(),
        "chunks": [[r.take(12).hex(), r.varint(), r.varint()] for _ in range(r.varint())],
    }
    assert not r.data
    return fields


def leaf(
    salt: bytes, device: int, mine: list[int], tables: dict[int, dict[str, list[Any]]]
) -> bytes:
    parts = [b"tidegate leaf 1\0", salt, struct.pack("<I", device)]
    for kind, table in sorted(tables.items()):
        rows = [i for i, entry in enumerate(table["series"]) if entry in mine]
        blob = b""
        packed = b""
        for i in rows:
            for name, of in columns(kind):
                value = table[name][i]
                if of == "str":
                    blob += value.encode()
                    value = len(value.encode())
                packed += struct.pack("<" + PACKED[of], value)
        if rows:
            parts += [struct.pack("<BI", kind, len(rows)), packed, blob]
    return hashlib.sha256(b"".join(parts)).digest()


def block(data: bytes) -> tuple[dict[str, Any], bytes, dict[int, dict[str, list[Any]]]]:
    """(header, chain hash, tables), the content root proved."""
    assert data[:5] == b"TGB\x01\x00"
    assert data[5:37] == hashlib.sha256(data[:5] + data[37:]).digest()
    r = Bytes(data[37:])
    header_bytes, proof = r.prefixed(), Bytes(r.prefixed())
    tables = body(r.data)
    form, members = proof.take(1)[0], unframe(proof.prefixed())
    count, total = members.varint(), members.varint()
    devices = ints(members, count) if count else []
    sizes = uints(members, count) if count else []
    entries = ints(members, total) if total else []
    secret = proof.take(16) if form == 1 else b""
    leaves = []
    for device, size in zip(devices, sizes, strict=True):
        mine, entries = entries[:size], entries[size:]
        if form == 2 and size == 0:
            leaves.append(proof.take(32))
            continue
        salt = hashlib.sha256(secret + struct.pack("<I", device)).digest()[:16]
        leaves.append(leaf(salt if form == 1 else proof.take(16), device, mine, tables))
    fields = header(header_bytes)
    root = hashlib.sha256(b"tidegate content 1\0" + b"".join(leaves)).hexdigest()
    assert root == fields["content_root"]
    return fields, hashlib.sha256(b"tidegate block 1\0" + header_bytes).digest(), tables
