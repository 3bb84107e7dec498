"""What one session says and does, one rule a test; both sides together are in tests/sim."""

from dataclasses import replace
from typing import Any

from edge.sync import SILENCE_US_MAX, Session
from edge.sync_effects import (
    BeginEpoch,
    BufferState,
    Close,
    Effect,
    LoadBlocks,
    LoadEntries,
    Mark,
    Phase,
    Seal,
    Send,
)
from edge.sync_pace import BLOCK_BYTES_MIN
from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH, Block, ChunkRun, Header
from protos.limits import BLOCK_BYTES_TARGET, DECLARE_BYTES_MAX, DECLARE_ENTRIES_MAX
from protos.series import EMPTY_ROOT, SeriesKey, make_entry

HASH = b"h" * 32
STATE = BufferState(
    epoch=2, head=5, head_hash=HASH, oldest_kept=4, stored=5, archived=3, series_high=0,
    series_root=EMPTY_ROOT, unsealed_bytes=0, unsealed_rows=0,
)  # fmt: skip


def block(seq: int, *, size: int = 100, series_high: int = 0) -> Block:
    header = Header(
        gateway="attic", epoch=2, seq=seq, prev_hash=HASH, boot_id=bytes(16), sealed_mono_us=0,
        sealed_wall_us=0, series_high=series_high, series_root=EMPTY_ROOT,
        content_root=bytes(32), rows={}, ts_min_us=0, ts_max_us=0, chunks=(),
    )  # fmt: skip
    return Block(header, HASH, bytes(size))


def resume(**changes: Any) -> pb.CloudMessage:
    known: dict[str, Any] = {
        "protocol": 1,
        "session": 9,
        "generation": 7,
        "epoch": 2,
        "stored": 5,
        "archived": 4,
        "stored_hash": HASH,
        "window_bytes": 1 << 20,
    }
    return pb.CloudMessage(resume=pb.Resume(**{**known, **changes}))


def ack(stored: int, archived: int = 4, **changes: Any) -> pb.CloudMessage:
    known = {"session": 9, "epoch": 2, "stored": stored, "archived": archived}
    return pb.CloudMessage(ack=pb.Ack(**{**known, **changes}))


def grant(**changes: Any) -> pb.CloudMessage:
    known = {"session": 9, "epoch": 3, "previous_epoch": 2, "previous_stored": 5}
    known["stored_epoch"] = 2
    return pb.CloudMessage(epoch_grant=pb.EpochGrant(**{**known, **changes}))


def resend(from_seq: int) -> pb.CloudMessage:
    return pb.CloudMessage(resend=pb.Resend(session=9, epoch=2, from_seq=from_seq))


def opened(state: BufferState = STATE) -> Session:
    session = Session("attic", bytes(16), "a test")
    session.greet(state, pb.Status(), 1)
    return session


def live(state: BufferState = STATE, **changes: Any) -> Session:
    """A session at its first Seal."""
    session = opened(state)
    effects = session.received(resume(**changes))
    assert session.phase is Phase.LIVE, effects
    return session


def measured(**changes: Any) -> Session:
    """A session that sent block 6 over a link without an end, and has nothing more to send."""
    session = live(**changes)
    session.sealed(block(6))
    session.received(ack(6))
    assert session.sealed(None) == []
    return session


def seqs(effects: list[Effect]) -> list[int]:
    """Seqs of the blocks sent."""
    sends = (effect.message for effect in effects if isinstance(effect, Send))
    return [message.block.seq for message in sends if message.HasField("block")]


def test_the_hello_says_where_the_buffer_stands() -> None:
    (sent,) = Session("attic", bytes(16), "1.0").greet(STATE, pb.Status(rejected=3), 1)
    assert isinstance(sent, Send)
    hello = sent.message.hello
    assert (hello.gateway, hello.epoch, hello.head, hello.oldest_kept) == ("attic", 2, 5, 4)
    assert (hello.head_hash, hello.status.rejected) == (HASH, 3)


def test_a_resume_is_marked_and_then_the_next_block_is_sealed() -> None:
    effects = opened().received(resume())
    assert effects == [Mark(5, 4, 7), Seal(BLOCK_BYTES_MIN)]


def test_one_small_block_goes_alone_before_anything_is_known_of_the_link() -> None:
    session = live()
    assert seqs(session.sealed(block(6, size=1000))) == [6]
    session.pace.tick(100_000)
    _, question = session.received(ack(6))
    assert question == Seal(3000)  # half of what it carries in its round trip and half a second


def test_a_sealed_block_is_sent_and_the_next_is_sealed_until_none_waits() -> None:
    session = measured()
    effects = session.wake()
    assert effects == [Seal(BLOCK_BYTES_TARGET)]
    effects = session.sealed(block(7))
    assert (seqs(effects), effects[-1]) == ([7], Seal(BLOCK_BYTES_TARGET))
    assert session.sealed(None) == []
    assert session.wake() == [Seal(BLOCK_BYTES_TARGET)]


def test_no_more_is_sealed_than_the_window_holds() -> None:
    session = measured(window_bytes=100_000)
    session.wake()
    assert session.sealed(block(7, size=60_000))[1:] == []
    assert isinstance(session.received(ack(7))[-1], Seal)


def test_a_block_bigger_than_the_window_goes_when_nothing_else_is_on_its_way() -> None:
    session = live(window_bytes=10)
    assert seqs(session.sealed(block(6, size=1000))) == [6]


def test_acks_of_other_sessions_and_epochs_and_overtaken_ones_change_nothing() -> None:
    session = live()
    session.sealed(block(6))
    assert session.received(ack(6, session=8)) == []
    assert session.received(ack(6, epoch=1)) == []
    assert session.received(ack(6, 5))[0] == Mark(6, 5, 7)
    session.sealed(None)
    assert session.received(ack(5, 4)) == []


def test_an_ack_of_what_was_never_sealed_ends_the_session() -> None:
    (close,) = live().received(ack(6))
    assert isinstance(close, Close)


def test_a_block_waits_for_the_declaration_of_its_series() -> None:
    session = live(replace(STATE, series_high=2))
    assert session.sealed(block(6, series_high=2)) == [LoadEntries(1, DECLARE_ENTRIES_MAX)]
    entries = [make_entry(n, 1, SeriesKey("pump", f"m{n}"), bytes(16)) for n in (1, 2)]
    declared, sent = session.entries_loaded(entries)
    assert isinstance(declared, Send)
    assert (declared.message.declare.first, len(declared.message.declare.entries)) == (1, 2)
    assert seqs([sent]) == [6]


def test_many_long_series_are_declared_in_messages_within_the_bound() -> None:
    session = live(replace(STATE, series_high=4000))
    session.sealed(block(6, series_high=4000))
    entries = [
        make_entry(n, 1, SeriesKey("d" * 200, f"{n}-" + "m" * 200), bytes(16))
        for n in range(1, 4001)
    ]
    sends = [
        effect.message for effect in session.entries_loaded(entries) if isinstance(effect, Send)
    ]
    told = [message.declare for message in sends if message.HasField("declare")]
    assert sum(len(one.entries) for one in told) == 4000
    assert all(sum(map(len, one.entries)) <= DECLARE_BYTES_MAX for one in told)
    assert len(told) > 1


def test_one_lost_block_is_sent_again_once_with_those_behind_it() -> None:
    session = live()
    for seq in (6, 7, 8):
        session.sealed(block(seq))
    session.sealed(None)
    assert session.received(resend(6)) == [LoadBlocks(6, 1 << 20)]
    assert session.received(resend(6)) == []  # what block 8 made the cloud say
    assert seqs(session.blocks_loaded([block(6), block(7), block(8)])) == [6, 7, 8]


def test_an_ack_that_overtakes_a_resend_skips_what_is_stored() -> None:
    session = live()
    for seq in (6, 7):
        session.sealed(block(seq))
    session.sealed(None)
    session.received(resend(6))
    session.received(ack(7))
    assert seqs(session.blocks_loaded([block(6), block(7)])) == []
    assert session.received(ack(7, 7)) == [Mark(7, 7, 7)]


def test_a_gateway_without_an_epoch_asks_for_one_and_begins_it() -> None:
    session = opened(replace(STATE, epoch=0, head=0, head_hash=GENESIS_HASH, oldest_kept=1))
    (request,) = session.received(resume(epoch=0, stored=0, archived=0, stored_hash=GENESIS_HASH))
    assert isinstance(request, Send)
    assert request.message.epoch_request.session == 9
    granted = session.received(grant(epoch=1, previous_epoch=0, previous_stored=0, stored_epoch=0))
    assert granted[-1] == BeginEpoch(1, (), (0, 0), 7)
    begun = replace(STATE, epoch=1, head=0, head_hash=GENESIS_HASH, oldest_kept=1)
    assert session.epoch_begun(begun) == [Seal(BLOCK_BYTES_MIN)]


def test_a_rewound_gateway_waits_for_the_grant_and_drops_what_the_cloud_has() -> None:
    session = opened()
    assert session.received(resume(stored=8, stored_hash=b"x" * 32)) == [Mark(5, 4, 7)]
    runs = [pb.ChunkRun(prefix=b"p" * 12, first=3, count=2)]
    effects = session.received(grant(previous_stored=8, stored_chunks=runs))
    assert effects == [BeginEpoch(3, (ChunkRun(b"p" * 12, 3, 2),), (2, 5), 7)]


def test_a_grant_says_what_of_the_old_epoch_is_stored_even_if_the_ack_was_lost() -> None:
    session = live()
    session.sealed(block(6))
    session.sealed(None)
    assert session.received(grant(previous_stored=6)) == [BeginEpoch(3, (), (2, 6), 7)]


def test_a_grant_that_meets_an_open_question_waits_for_its_answer() -> None:
    session = live()
    assert session.received(grant()) == []
    assert session.received(ack(5, 5)) == []
    effects = session.sealed(block(6))
    assert (seqs(effects), effects[-1]) == ([], BeginEpoch(3, (), (2, 5), 7))


def test_a_fault_ends_the_session_with_the_clouds_own_words() -> None:
    fault = pb.Fault(code=pb.OVERLOADED, message="full", hint="wait", retry_after_ms=50)
    assert live().received(pb.CloudMessage(fault=fault)) == [
        Close(pb.OVERLOADED, "full", "wait", 50)
    ]


def test_a_cloud_that_falls_silent_is_left() -> None:
    session = live()
    session.sealed(block(6))
    assert session.tick(0) == []
    assert session.tick(SILENCE_US_MAX - 1) == []
    (close,) = session.tick(SILENCE_US_MAX)
    assert isinstance(close, Close)


def test_silence_is_no_fault_when_nothing_is_awaited() -> None:
    session = live()
    session.sealed(None)
    assert [session.tick(n * SILENCE_US_MAX) for n in range(5)] == [[]] * 5


def test_it_is_drained_when_all_is_archived_and_no_chunk_is_expected() -> None:
    session = live(archived=5)
    assert not session.drained
    session.sealed(None)
    assert session.drained
    session.expect()
    assert not session.drained
