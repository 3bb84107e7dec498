"""Pure: what the content root of a block commits to, and what erasing a device leaves of it.

Rows are ordered by (device, series, ts) and hashed by device under a salt of the device's own, so
that the rows of one device can go while the root stays provable. The rows themselves travel in the
body, columnar over all devices; the *proof* beside it says which series belong to which device and
holds the salts, or the leaves of devices that are gone. Layout in docs/format/block.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from protos.codec.columns import Ints, Parts, get_ints, get_uints, put_ints, put_uints, runs
from protos.codec.frame import frame, unframe
from protos.codec.strings import encoded_once
from protos.codec.wire import MalformedBlock, Reader, prefixed, varint
from protos.limits import BLOCK_DEVICES_MAX, BLOCK_ROWS_MAX, SERIES_MAX
from protos.records import SCHEMAS, Array, Batch, ColumnType, Kind, Rows

SECRET_BYTES: Final = 16
SALT_BYTES: Final = 16
LEAF_BYTES: Final = 32
_SECRET: Final = 1
_SALTS: Final = 2
_LEAF_DOMAIN: Final = b"tidegate leaf 1\0"
_ROOT_DOMAIN: Final = b"tidegate content 1\0"
_JOINED_ROWS: Final = 256
"""Strings hashed at once: joining saves a call for each, and holds up to a megabyte."""
_MEMBERS_BYTES_MAX: Final = 16 * (BLOCK_ROWS_MAX + BLOCK_DEVICES_MAX)
_HEARD_MAX: Final = 1024
"""Listings that are remembered; beyond it that begins anew."""
_HEARD_BYTES_MAX: Final = 4096  # of one of them, as it came and as it is read


@dataclass(frozen=True, slots=True)
class Members:
    """The series of a block, device by device.

    ``devices`` ascending; ``counts`` of series of each (0: erased); ``series`` of one device after
    the other, ascending within each.
    """

    devices: Ints
    counts: Ints
    series: Ints

    def ranks(self, series: Array) -> tuple[Ints, Ints]:
        """(rank of each row's series in this order, index of its device); -1 for a stranger."""
        if not len(self.series):
            none = np.full(len(series), -1, np.int64)
            return none, none
        runs_ = runs(series)
        wanted = series[runs_.starts].astype(np.int64)
        by_number = np.argsort(self.series, kind="stable")
        at = np.searchsorted(self.series[by_number], wanted)
        at[at == len(by_number)] = 0
        rank = by_number[at]
        rank[self.series[rank] != wanted] = -1
        device = np.repeat(np.arange(len(self.devices)), self.counts)[rank]
        return np.repeat(rank, runs_.lengths), np.repeat(device, runs_.lengths)


_heard: Final[dict[bytes, Members]] = {}


def members_of(batch: Batch, device_of: NDArray[np.uint32]) -> Members:
    """The series of ``batch`` by device; ``device_of`` is indexed by series entry.

    ValueError when a series is outside ``device_of`` or devices are over the limit.
    """
    numbers = [np.unique(rows["series"][runs(rows["series"]).starts]) for rows in _filled(batch)]
    series = np.unique(np.concatenate(numbers)).astype(np.int64) if numbers else _no_ints()
    if len(series) and int(series[-1]) >= len(device_of):
        raise ValueError(f"series {series[-1]} has no device, {len(device_of)} entries are known")
    device = np.asarray(device_of)[series].astype(np.int64)
    order = np.argsort(device, kind="stable")
    devices, counts = np.unique(device, return_counts=True)
    if len(devices) > BLOCK_DEVICES_MAX:
        raise ValueError(f"{len(devices)} devices in one block, {BLOCK_DEVICES_MAX} are the limit")
    return Members(devices, counts.astype(np.int64), series[order])


def in_canonical_order(batch: Batch, members: Members) -> Batch:
    """The rows of each kind by (device, series, ts), stable where all three are equal."""
    tables: dict[Kind, Rows] = {}
    for kind in SCHEMAS:
        if batch.count(kind):
            rows = batch.tables[kind]
            rank, _ = members.ranks(rows["series"])
            tables[kind] = rows
            if not _ordered(rank, rows["ts"]):
                order = _order(rank, rows["ts"], len(members.series))
                tables[kind] = {name: column[order] for name, column in rows.items()}
    return Batch(tables)


def _ordered(rank: Ints, ts: Ints) -> bool:
    up = rank[1:] > rank[:-1]
    return bool((up | ((rank[1:] == rank[:-1]) & (ts[1:] >= ts[:-1]))).all())


def _order(rank: Ints, ts: Ints, series: int) -> Ints:
    by_time = np.argsort(ts, kind="stable")
    # Sixteen-bit keys make numpy's stable sort a radix sort.
    narrow = rank.astype(np.uint16 if series <= 1 << 16 else np.uint32)
    return by_time[np.argsort(narrow[by_time], kind="stable")]


# --- hashing --------------------------------------------------------------------------------


def salt_of(secret: bytes, device_no: int) -> bytes:
    """The salt of one device under the secret of its block."""
    return sha256(secret + device_no.to_bytes(4, "little")).digest()[:SALT_BYTES]


def content_root(leaves: Sequence[bytes]) -> bytes:
    """The root over the leaves in order of device number."""
    return sha256(_ROOT_DOMAIN + b"".join(leaves)).digest()


def leaves_of(batch: Batch, members: Members, salts: Sequence[bytes]) -> list[bytes]:
    """The leaf of every device of ``members``, rows in canonical order.

    MalformedBlock when rows are out of order, or their series are not exactly those of ``members``.
    """
    hashers = [
        sha256(_LEAF_DOMAIN + salt + device_no.to_bytes(4, "little"))
        for salt, device_no in zip(salts, members.devices.tolist(), strict=True)
    ]
    seen = np.zeros(len(members.series), np.bool_)
    for kind in SCHEMAS:
        if not batch.count(kind):
            continue
        rows = batch.tables[kind]
        rank, device = members.ranks(rows["series"])
        if rank.min() < 0:
            raise MalformedBlock("a row of a series that the proof does not name", kind.name)
        if not _ordered(rank, rows["ts"]):
            raise MalformedBlock("rows that are not in (device, series, ts) order", kind.name)
        seen[rank] = True
        bounds = np.searchsorted(device, np.arange(len(hashers) + 1)).tolist()
        _hash_rows(hashers, bounds, rows, kind)
    if not seen.all():
        raise MalformedBlock("a series that has no row", "proof")
    return [hasher.digest() for hasher in hashers]


def _hash_rows(hashers: Sequence[Any], bounds: list[int], rows: Rows, kind: Kind) -> None:
    count = bounds[-1]
    fields = [(c.name, "<u4" if c.type is ColumnType.STR else c.dtype) for c in SCHEMAS[kind]]
    packed = np.empty(count, np.dtype(fields))
    texts: list[bytes] = []
    for column in SCHEMAS[kind]:
        if column.type is ColumnType.STR:
            texts, packed[column.name] = encoded_once(rows[column.name])
        else:
            packed[column.name] = rows[column.name]
    data, size = packed.view(np.uint8), packed.itemsize
    for hasher, start, stop in zip(hashers, bounds, bounds[1:], strict=False):
        if start < stop:
            hasher.update(bytes((kind,)) + (stop - start).to_bytes(4, "little"))
            hasher.update(data[start * size : stop * size])
            for at in range(start, stop, _JOINED_ROWS):
                hasher.update(b"".join(texts[at : min(at + _JOINED_ROWS, stop)]))


# --- the proof ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proof:
    """``secret`` of a whole block; or empty, then ``marks`` has a salt or a leaf a device."""

    members: Members
    secret: bytes
    marks: tuple[bytes, ...] = ()

    def salts(self) -> list[bytes]:
        """The salt of each device; of an erased one nothing stands in for it."""
        if self.secret:
            return [salt_of(self.secret, device_no) for device_no in self.members.devices.tolist()]
        pairs = zip(self.marks, self.members.counts.tolist(), strict=True)
        return [mark if count else b"" for mark, count in pairs]

    def root(self, leaves: Sequence[bytes]) -> bytes:
        """The content root, with the kept leaf of each erased device in place of the given one."""
        if self.secret:
            return content_root(leaves)
        counts = self.members.counts.tolist()
        marked = zip(leaves, self.marks, counts, strict=True)
        return content_root([leaf if count else mark for leaf, mark, count in marked])


def encode_proof(proof: Proof) -> bytes:
    """Bytes of the proof."""
    members = proof.members
    out: Parts = [varint(len(members.devices)) + varint(len(members.series))]
    if len(members.devices):
        put_ints(out, members.devices, None)
        put_uints(out, members.counts.view(np.uint64))
    if len(members.series):
        put_ints(out, members.series, None)
    form = _SECRET if proof.secret else _SALTS
    listing = prefixed(frame(out, level=3))
    return bytes((form,)) + listing + proof.secret + b"".join(proof.marks)


def decode_proof(data: bytes) -> Proof:
    """The reverse of ``encode_proof``; MalformedBlock names what is wrong and where."""
    reader = Reader(data, "proof")
    form = reader.take(1, "form")[0]
    if form not in (_SECRET, _SALTS):
        raise reader.fail(f"form {form} is not of this version (1 secret, 2 salts)", "form")
    listing = reader.prefixed("members", _MEMBERS_BYTES_MAX)
    members = _members(listing)
    if form == _SECRET:
        secret = reader.take(SECRET_BYTES, "secret")
        marks: tuple[bytes, ...] = ()
        if not members.counts.all():
            raise reader.fail("an erased device in a whole block", "members")
    else:
        secret = b""
        marks = tuple(
            reader.take(SALT_BYTES if count else LEAF_BYTES, "salts and leaves")
            for count in members.counts.tolist()
        )
    reader.end()
    return Proof(members, secret, marks)


def _members(listing: bytes) -> Members:
    """What a listing says: most blocks of a gateway have that of the block before."""
    found = _heard.get(listing)
    if found is None:
        plain = unframe(listing, "proof members", _MEMBERS_BYTES_MAX, MalformedBlock)
        found = _read_members(plain)
        columns = (found.devices, found.counts, found.series)
        if len(listing) + sum(column.nbytes for column in columns) <= _HEARD_BYTES_MAX:
            if len(_heard) >= _HEARD_MAX:
                _heard.clear()
            _heard[listing] = found
    return found


def _read_members(data: bytes) -> Members:
    reader = Reader(data, "proof members")
    devices = reader.number("number of devices", BLOCK_DEVICES_MAX)
    total = reader.number("number of series", BLOCK_ROWS_MAX)
    numbers = get_ints(reader, None, devices, "devices") if devices else _no_ints()
    counts = get_uints(reader, devices, "series counts") if devices else _no_ints()
    series = get_ints(reader, None, total, "series") if total else _no_ints()
    reader.end()
    members = Members(numbers, counts.view(np.int64), series)
    # Each count first: their sum could wrap around to the right total.
    if any(count > total for count in counts.tolist()) or int(counts.sum()) != total:
        raise reader.fail("series counts that do not add up", "series counts")
    if not _rising(members):
        raise reader.fail("devices or series out of range, out of order or twice", "members")
    for column in (members.devices, members.counts, members.series):
        column.flags.writeable = False
    return members


def _rising(members: Members) -> bool:
    for numbers in (members.devices, np.sort(members.series)):
        if len(numbers) and not 0 <= int(numbers[0]) <= int(numbers[-1]) <= SERIES_MAX:
            return False
        if (numbers[1:] <= numbers[:-1]).any():
            return False
    device = np.repeat(np.arange(len(members.devices)), members.counts)
    same = device[1:] == device[:-1]
    return bool((~same | (members.series[1:] > members.series[:-1])).all())


def erase(proof: Proof, leaves: Sequence[bytes], index: int) -> Proof:
    """The proof without what could prove the rows of device number ``index`` of its members.

    The block's secret goes too: it would give the erased device's salt.
    """
    members = proof.members
    kept = np.repeat(np.arange(len(members.devices)), members.counts) != index
    counts = members.counts.copy()
    counts[index] = 0
    marks = list(proof.marks or proof.salts())
    marks[index] = leaves[index]
    return Proof(Members(members.devices, counts, members.series[kept]), b"", tuple(marks))


def _filled(batch: Batch) -> list[Rows]:
    return [batch.tables[kind] for kind in SCHEMAS if batch.count(kind)]


def _no_ints() -> Ints:
    return np.empty(0, np.int64)
