"""Make the golden vectors of the present version; refuses to touch a version that exists.

Run once a format version as ``python -m protos.vectors.make``. A vector is never made anew: a
reader that cannot read it is what is wrong.
"""

import json
import struct
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np

from protos.block import GENESIS_HASH, Block, ChunkRun, build_block, erase_device, read_block
from protos.codec.body import encode_body
from protos.records import SCHEMAS, Batch, ColumnType, Kind, concat, ids, numbers, table, texts
from protos.series import (
    EMPTY_ROOT,
    SeriesEntry,
    SeriesKey,
    SeriesKind,
    encode_entry,
    erase_entry,
    make_entry,
    root_of,
    series_id,
)

VERSION: Final = "v1"
FOLDER: Final = Path(__file__).parent
GATEWAY: Final = "vessel-7"
START_US: Final = 1_760_000_000_000_000
DEVICE_OF: Final = (0, 1, 1, 2, 3, 3)
HARD_BITS: Final = (
    0x0000000000000000, 0x8000000000000000, 0x7FF0000000000000, 0xFFF0000000000000,
    0x7FF8000000000000, 0x7FF8000000000001, 0xFFF80000DEADBEEF, 0x7FF0000000000001,
    0x0000000000000001, 0x000FFFFFFFFFFFFF, 0x7FEFFFFFFFFFFFFF, 0xFFEFFFFFFFFFFFFF,
    0x3FD3333333333334, 0x3FB999999999999A, 0x4340000000000000, 0x4340000000000001,
)  # fmt: skip


def listed(batch: Batch) -> dict[str, dict[str, list[Any]]]:
    """A batch as JSON: whole numbers and texts as they are, floats and ids as hex of their bits."""
    return {
        kind.name: {c.name: _column(batch.kind(kind)[c.name], c.type) for c in columns}
        for kind, columns in SCHEMAS.items()
        if batch.count(kind)
    }


def _column(values: Any, type_: ColumnType) -> list[Any]:
    match type_:
        case ColumnType.F8:
            return [f"{bits:016x}" for bits in values.view(np.uint64).tolist()]
        case ColumnType.ID16:
            return [value.hex() for value in values.tolist()]
        case _:
            return list(values.tolist())


def plain_batch() -> Batch:
    """Four series of three devices, thirty rows each, jittered times, values of one decimal."""
    step = np.arange(30)
    parts = []
    for entry in (1, 2, 3, 5):
        ts = START_US + step * 1_000_000 + step * 7919 * entry % 1847
        value = np.round(20 + entry + np.sin(step / 5 + entry), 1)
        parts.append(numbers(np.full(30, entry), ts, value, 0, ts + 4000 + step * 31 % 97))
    return concat(parts)


def hard_batch() -> Batch:
    """Floats that any shortcut would change, and times at the ends of int64."""
    value = np.array([struct.unpack("<d", struct.pack("<Q", bits))[0] for bits in HARD_BITS])
    value.view(np.uint64)[:] = HARD_BITS
    ts = np.full(len(value), START_US)
    ts[:2] = (-(1 << 63), (1 << 63) - 1)
    return numbers(np.full(len(value), 3), ts, value, [0, 1, 2, 0] * 4, np.zeros(len(value)))


def rich_batch() -> Batch:
    """Rows of every kind."""
    ts = np.array([START_US, START_US + 1])
    score: dict[str, Any] = {
        "series": [1, 4],
        "ts": ts,
        "value": [1.5, 2.5],
        "score": [9.75, 1e300],
    }
    times: dict[str, Any] = {"series": 2, "ts": ts, "end": ts + 60_000_000, "peak_ts": ts + 5}
    episode = times | {
        "id": ids([bytes(range(16)), bytes(16)]),
        "state": [0, 1],
        "peak": [7.0, -0.5],
    }
    gap: dict[str, Any] = {"series": 0, "ts": ts, "to": ts + 9, "count": [1 << 40, 3], "reason": 1}
    return concat(
        [
            plain_batch(),
            texts([4, 1, 4], START_US + np.arange(3), ["läuft", "", "läuft"], 1, [0, 5, 6]),
            table(Kind.SCORES, score | {"threshold": 4.5, "model": ["ewma 1", "pca 2"]}),
            table(
                Kind.EPISODES, episode | {"threshold": 4.5, "model": "ewma 1", "points": [1, 70000]}
            ),
            table(Kind.GAPS, gap | {"seq_from": 0, "seq_to": [0, 12]}),
            table(
                Kind.CORRECTIONS,
                {
                    "series": 0,
                    "ts": ts[:1],
                    "boot_id": ids([b"sixteen bytes id"]),
                    "mono_from": 0,
                    "mono_to": 9_000_000,
                    "offset": -START_US,
                },
            ),
        ]
    )


def entries() -> list[SeriesEntry]:
    """The table the blocks speak of, entry 4 erased."""
    keys = [
        SeriesKey("pump", "temperature", (("floor", "2"), ("side", "port")), "°C"),
        SeriesKey("pump", "starts", kind=SeriesKind.COUNTER),
        SeriesKey("door", "open", kind=SeriesKind.STATE),
        SeriesKey("badge 114", "zone"),
        SeriesKey("badge 114", "battery", unit="V"),
    ]
    made = [
        make_entry(n, DEVICE_OF[n], key, bytes([n]) * 16) for n, key in enumerate(keys, start=1)
    ]
    return [erase_entry(entry) if entry.entry == 4 else entry for entry in made]


def sealed(seq: int, previous: bytes, batch: Batch) -> Block:
    """A block of the vectors' one chain."""
    return build_block(
        gateway=GATEWAY,
        epoch=3,
        seq=seq,
        prev_hash=previous,
        boot_id=bytes(range(16)),
        sealed_mono_us=77_000_000 + seq,
        sealed_wall_us=START_US + 60_000_000,
        series_high=5,
        series_root=root_of(entries()),
        chunks=[ChunkRun(b"twelve bytes", 7, 3), ChunkRun(bytes(12), 0, 1)],
        batch=batch,
        device_of=np.array(DEVICE_OF, np.uint32),
        secret=bytes([0xA0 + seq]) * 16,
    )


def blocks() -> dict[str, tuple[bytes, bytes]]:
    """Name → (data, chain hash); the erased one has the hash of the whole."""
    plain = sealed(1, GENESIS_HASH, plain_batch())
    rich = sealed(2, plain.hash, rich_batch())
    hard = sealed(3, rich.hash, hard_batch())
    empty = sealed(4, hard.hash, Batch({}))
    once = erase_device(rich.data, 1)
    made = {each: (block.data, block.hash) for each, block in
            {"plain": plain, "rich": rich, "hard": hard, "empty": empty}.items()}  # fmt: skip
    made["rich-erased-1"] = (once, rich.hash)
    made["rich-erased-1-3"] = (erase_device(once, 3), rich.hash)
    return made


def _written(folder: Path, name: str, data: bytes, expected: dict[str, Any]) -> None:
    (folder / f"{name}.bin").write_bytes(data)
    expected = {"file_sha256": sha256(data).hexdigest()} | expected
    text = json.dumps(expected, ensure_ascii=False, indent=None, separators=(",", ":"))
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def described(data: bytes) -> dict[str, Any]:
    """What a block decodes to, as JSON."""
    header, _, batch = read_block(data)
    fields = {
        "gateway": header.gateway,
        "epoch": header.epoch,
        "seq": header.seq,
        "prev_hash": header.prev_hash.hex(),
        "boot_id": header.boot_id.hex(),
        "sealed_mono_us": header.sealed_mono_us,
        "sealed_wall_us": header.sealed_wall_us,
        "series_high": header.series_high,
        "series_root": header.series_root.hex(),
        "content_root": header.content_root.hex(),
        "rows": {kind.name: rows for kind, rows in header.rows.items()},
        "ts_min_us": header.ts_min_us,
        "ts_max_us": header.ts_max_us,
        "chunks": [[run.prefix.hex(), run.first, run.count] for run in header.chunks],
    }
    return {"header": fields, "batch": listed(batch)}


def main() -> int:
    """Write the vectors of VERSION; 1 when they exist already."""
    folder = FOLDER / VERSION
    if folder.exists():
        print(f"{folder} exists: a committed version is never made anew, raise VERSION")
        return 1
    folder.mkdir()
    for name, (data, hash_) in blocks().items():
        _written(folder, f"block-{name}", data, {"hash": hash_.hex()} | described(data))
    shuffled = rich_batch()
    order = np.argsort(np.arange(120) * 37 % 120)
    numbers_ = {name: column[order] for name, column in shuffled.kind(Kind.NUMBERS).items()}
    chunk = Batch({**shuffled.tables, Kind.NUMBERS: numbers_})
    _written(folder, "body-chunk", encode_body(chunk), {"batch": listed(chunk)})
    root = EMPTY_ROOT
    listing = []
    for entry in entries():
        root = root_of(entries()[: entry.entry])
        key = entry.key
        listing.append(
            {
                "bytes": encode_entry(entry).hex(),
                "leaf": entry.leaf.hex(),
                "root": root.hex(),
                "entry": entry.entry,
                "device_no": entry.device_no,
                "key": key and [key.device, key.metric, key.labels, key.unit, key.kind],
                "id": key and f"{series_id(GATEWAY, key):016x}",
            }
        )
    text = json.dumps(listing, ensure_ascii=False, indent=1)
    (folder / "series.json").write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
