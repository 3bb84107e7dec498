"""Blocks sealed as an edge does, of small batches."""

from typing import Any

import numpy as np

from protos.block import Block, ChunkRun, build_block
from protos.records import Batch, concat, numbers, texts

SECRET = bytes(range(100, 116))
DEVICE_OF = np.array([0, 3, 1, 3, 2, 1, 7, 7, 2, 3], np.uint32)
DEVICES = [1, 2, 3, 7]


def sealed(rows: Batch, **fields: Any) -> Block:
    plain: dict[str, Any] = {
        "gateway": "vessel-7",
        "epoch": 3,
        "seq": 2,
        "prev_hash": bytes([1]) * 32,
        "boot_id": bytes(range(16)),
        "sealed_mono_us": 5,
        "sealed_wall_us": 1_760_000_000_000_000,
        "series_high": 9,
        "series_root": bytes([2]) * 32,
        "chunks": [ChunkRun(b"twelve bytes", 4, 2)],
        "batch": rows,
        "device_of": DEVICE_OF,
        "secret": SECRET,
    }
    return build_block(**plain | fields)


def small() -> Batch:
    return concat(
        [
            numbers([1, 2, 4, 6, 1], [10, 11, 12, 13, 14], [1.5, 2.5, 3.5, 4.5, 5.5], 0, [0] * 5),
            texts([3, 5], [20, 21], ["here", "there"], 1, [0, 0]),
        ]
    )
