"""Blocks that a stranger forged, moved or blew up: refused before an ack, or set apart behind it.

The digest proves nothing but that bytes arrived as they were sent, so every block here has a sound
one. What is in the header is judged before the journal takes a block; what is in the body, behind
it, where one bad block stops nothing else.
"""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cloud.journal.contract import Journal
from cloud.journal.cursor import Decision
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.lake.embedded import decode
from cloud.lake.names import Names
from protos import sync_pb2 as pb
from protos.codec.frame import ZSTD, frame
from protos.codec.header import decode_header, encode_header
from protos.codec.wire import varint
from protos.limits import BLOCK_ROWS_MAX, MIB, PLAIN_BYTES_MAX
from protos.records import Batch, numbers
from tests.contract.sender import WAIT_S, Sender
from tests.fuzz.block import Parts, split


@pytest.fixture
def journal(tmp_path: Path):
    opened = SqliteJournal.open(tmp_path / "journal", now_us=lambda: 1_700_000_000_000_000)
    yield opened
    opened.close()


@pytest.fixture
def sender(journal: Journal) -> Sender:
    made = Sender(journal, "attic").begin()
    made.declare()
    return made


def rows(*values: float) -> Batch:
    """Readings of the one declared series."""
    return numbers([1] * len(values), list(range(len(values))), list(values), 0, [0] * len(values))


def said(decision: Decision) -> tuple[int, str]:
    (reply,) = decision.replies
    assert decision.ends
    return reply.fault.code, reply.fault.message


def send(sender: Sender, data: bytes, **where: int) -> Decision:
    known = {"session": sender.session, "epoch": sender.epoch, "seq": len(sender.blocks)}
    place = {**known, **where}
    args = (place["session"], place["epoch"], place["seq"], data)
    return sender.journal.append(sender.name, *args).result(WAIT_S)


def parts_of(sender: Sender) -> Parts:
    found = split(sender.make().data)
    assert found is not None
    return found


def test_a_block_moved_to_another_gateway_is_refused(journal: Journal, sender: Sender) -> None:
    thief = Sender(journal, "cellar").begin()
    block = sender.send()
    code, told = said(send(thief, block.data, seq=1))
    assert code == pb.MALFORMED
    assert "attic" in told
    assert journal.head() == 1


@pytest.mark.parametrize("where", [{"seq": 2}, {"epoch": 2}])
def test_a_block_moved_to_another_seq_or_epoch_is_refused(
    journal: Journal, sender: Sender, where: dict[str, int]
) -> None:
    block = sender.send()
    if "epoch" in where:
        sender.next_epoch()
    code, told = said(send(sender, block.data, **{"seq": 1, **where}))
    assert code == pb.MALFORMED
    assert "the block names itself (attic, 1, 1)" in told
    assert journal.head() == 1


def test_blocks_out_of_order_are_not_stored(journal: Journal, sender: Sender) -> None:
    first, second = sender.make(), sender.make()
    assert send(sender, second.data, seq=2).replies[0].resend.from_seq == 1
    assert send(sender, first.data, seq=1).append
    assert send(sender, second.data, seq=2).append


def test_a_block_with_a_forged_past_is_a_fork(journal: Journal, sender: Sender) -> None:
    sender.send()
    parts = parts_of(sender)
    forged = encode_header(replace(decode_header(parts.header), prev_hash=b"f" * 32))
    assert said(send(sender, replace(parts, header=forged).joined()))[0] == pb.FORK
    assert journal.head() == 1


@pytest.mark.parametrize(
    "field", ["epoch", "seq", "series_high", "rows", "ts", "chunks", "length of header"]
)
def test_a_header_of_absurd_sizes_is_refused_by_its_field(sender: Sender, field: str) -> None:
    header = decode_header(parts_of(sender).header)
    name = b"\x05attic"
    huge = b"\xff" * 9 + b"\x01"
    fixed = encode_header(header)
    at = len(name)
    middle = header.prev_hash + header.boot_id
    forged = {
        "epoch": name + huge + fixed[at + 1 :],
        "seq": name + b"\x01" + huge + fixed[at + 2 :],
        "series_high": name + b"\x01\x01" + middle + b"\0\0" + huge + bytes(64),
        "rows": fixed.replace(b"\x01\x01\x01", b"\x01\x01" + varint(BLOCK_ROWS_MAX + 1)),
        "ts": fixed[:-20] + huge,
        "chunks": fixed[: fixed.rindex(header.chunks[0].prefix) - 1] + huge,
        "length of header": b"",
    }[field]
    data = replace(parts_of(sender), header=forged).joined()
    if field == "length of header":
        data = data[:37] + huge + data[38:]
    code, told = said(send(sender, data))
    assert code == pb.MALFORMED
    assert told


def poisoned(sender: Sender, journal: Journal, body: Callable[[Parts], bytes]) -> tuple[str, int]:
    """Why the block with such a body is set apart, and the memory that finding out took."""
    sender.send(batch=rows(1.5))
    parts = split(sender.make(batch=rows(2.5)).data)
    assert parts is not None
    assert send(sender, replace(parts, body=body(parts)).joined()).append
    names = Names(journal.series)
    tracemalloc.start()
    found = decode(journal.read(0, 64 * MIB), names)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (bad,) = found.bad
    assert bad.entry.offset == 2
    assert found.tables["readings"].num_rows == 1, "the sound block beside it is taken"
    return bad.reason, peak


def bomb(said_bytes: int, real_bytes: int) -> bytes:
    """A frame that opens into more than it says."""
    packed = frame([bytes(real_bytes)], 19)
    size = len(varint(real_bytes))
    return bytes((ZSTD,)) + varint(said_bytes) + packed[1 + size :]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (bomb(1000, PLAIN_BYTES_MAX), "zstd"),
        (bomb(1 << 40, PLAIN_BYTES_MAX), "over the limit"),
        (bomb(PLAIN_BYTES_MAX, PLAIN_BYTES_MAX), "trailing bytes"),
    ],
    ids=["more than it says", "says more than may be", "as much as may be, of nothing"],
)
def test_a_decompression_bomb_is_set_apart_and_takes_no_memory(
    journal: Journal, sender: Sender, body: bytes, why: str
) -> None:
    told, peak = poisoned(sender, journal, lambda _: body)
    assert why in told
    assert peak <= 4 * PLAIN_BYTES_MAX


def test_a_body_of_absurd_rows_is_set_apart(journal: Journal, sender: Sender) -> None:
    rows = b"\x01\x01" + varint(1 << 40)
    told, peak = poisoned(sender, journal, lambda _: frame([rows], 3))
    assert "rows of NUMBERS" in told
    assert peak < MIB


def test_a_body_of_other_rows_than_the_header_was_sealed_over_is_set_apart(
    journal: Journal, sender: Sender
) -> None:
    def other(_: Parts) -> bytes:
        found = split(sender.make(batch=rows(99.5)).data)
        assert found is not None
        sender.blocks.pop()
        return found.body

    assert "content root" in poisoned(sender, journal, other)[0]


def test_not_a_number_in_a_block_stops_nothing(journal: Journal, sender: Sender) -> None:
    sender.send(batch=rows(np.nan, np.inf, 21.5))
    found = decode(journal.read(0, MIB), Names(journal.series))
    assert found.bad == ()
    assert found.tables["readings"].num_rows == 3
