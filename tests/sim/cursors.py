"""A cursor in the middle of its life, and messages that meet it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cloud.journal.cursor import Cursor, Decision, decide_block
from cloud.journal.hello import decide_hello
from protos import sync_pb2 as pb
from protos.block import ChunkRun, Header
from protos.series import EMPTY_ROOT

STORED_HASH, OTHER_HASH, NEXT_HASH = b"s" * 32, b"o" * 32, b"n" * 32
BOOT = bytes(16)
CURSOR = Cursor(
    "attic", session=4, epoch=2, stored=5, stored_hash=STORED_HASH, archived=3, boots=(BOOT,)
)


@dataclass
class Held:
    """What a journal would answer."""

    hashes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    runs: Sequence[ChunkRun] = ()
    roots: dict[tuple[int, int], bytes] = field(default_factory=dict)
    asked: list[tuple[int, int]] = field(default_factory=list)

    def hash_at(self, epoch: int, seq: int) -> bytes | None:
        return self.hashes.get((epoch, seq))

    def chunks_above(self, epoch: int, seq: int) -> Sequence[ChunkRun]:
        self.asked.append((epoch, seq))
        return self.runs

    def root_at(self, epoch: int, entry: int) -> bytes | None:
        return self.roots.get((epoch, entry))


def header(**changes: Any) -> Header:
    known = Header(
        gateway="attic", epoch=2, seq=6, prev_hash=STORED_HASH, boot_id=BOOT, sealed_mono_us=0,
        sealed_wall_us=0, series_high=0, series_root=EMPTY_ROOT, content_root=bytes(32), rows={},
        ts_min_us=0, ts_max_us=0, chunks=(),
    )  # fmt: skip
    return replace(known, **changes)


def block(cursor: Cursor = CURSOR, held: Held | None = None, **changes: Any) -> Decision:
    where = {
        name: changes.pop(name, value) for name, value in (("session", 4), ("hash", NEXT_HASH))
    }
    told = header(**changes)
    return decide_block(
        cursor, held or Held(), epoch=told.epoch, seq=told.seq, header=told, **where
    )


def hello(cursor: Cursor = CURSOR, held: Held | None = None, **changes: Any) -> Decision:
    known: dict[str, Any] = {
        "protocol_min": 1,
        "protocol_max": 1,
        "gateway": "attic",
        "epoch": 2,
        "head": 5,
        "head_hash": STORED_HASH,
        "oldest_kept": 4,
        "boot_id": BOOT,
        "series_root": EMPTY_ROOT,
    }
    told = pb.Hello(**{**known, **changes})
    return decide_hello(cursor, held or Held(), told, generation=7, window_bytes=1000)


def said(decision: Decision) -> list[str]:
    return [str(reply.WhichOneof("body")) for reply in decision.replies]


def code(decision: Decision) -> int:
    assert said(decision) == ["fault"]
    assert decision.ends
    return decision.replies[0].fault.code
