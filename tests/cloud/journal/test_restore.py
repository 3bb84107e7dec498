"""A cloud that stepped back in time, or a hello that came too late: who hears what."""

from dataclasses import replace

from cloud.journal.cursor import LATE_MAX, Alarm, Closed, Cursor
from cloud.journal.restore import EPOCHS_OF_A_GENERATION, Floor, reborn
from protos import sync_pb2 as pb
from protos.block import GENESIS_HASH, ChunkRun
from tests.sim.cursors import CURSOR, NEXT_HASH, OTHER_HASH, STORED_HASH, Held, code, hello, said


def test_another_generation_is_a_fallback_that_names_what_both_still_have() -> None:
    held = Held(runs=[ChunkRun(b"p" * 12, 4, 2)])
    decision = hello(held=held, generation=6, head=9, head_hash=OTHER_HASH)
    assert (said(decision), decision.alarm) == (["resume", "epoch_grant"], Alarm.FALLBACK)
    grant = decision.replies[1].epoch_grant
    assert (grant.stored_epoch, grant.previous_stored, held.asked) == (2, 5, [(2, 5)])


def test_an_epoch_that_the_copy_never_saw_frees_all_behind_the_newest_it_did() -> None:
    cursor = reborn(CURSOR, [], 7)
    decision = hello(cursor, generation=6, epoch=4, head=3, head_hash=OTHER_HASH, oldest_kept=1)
    grant = decision.replies[1].epoch_grant
    assert (grant.previous_epoch, grant.stored_epoch, grant.previous_stored) == (4, 2, 5)
    assert grant.epoch == 7 * EPOCHS_OF_A_GENERATION + 1


def test_a_journal_that_lost_all_frees_all() -> None:
    lost = hello(Cursor("attic"), generation=6, head=5, oldest_kept=4)
    grant = lost.replies[1].epoch_grant
    assert (grant.epoch, grant.stored_epoch, grant.previous_stored) == (3, 0, 0)


def test_what_the_gateway_had_deleted_for_the_lost_journal_is_a_gap_of_the_cursor() -> None:
    decision = hello(Cursor("attic"), generation=6, head=5, oldest_kept=4)
    assert decision.cursor.closed == (Closed(2, 0, GENESIS_HASH, 0, deleted=3),)


def test_the_same_generation_and_none_yet_are_no_fallback() -> None:
    assert said(hello(generation=7)) == said(hello(generation=0)) == ["resume"]


def test_a_late_hello_fences_nobody() -> None:
    newest = hello(mono_us=500).cursor
    late = hello(newest, mono_us=400)
    assert code(late) == pb.FENCED
    assert late.cursor.session == newest.session
    assert said(hello(newest, mono_us=501)) == ["resume"]


def test_a_clock_that_was_set_back_is_believed_in_the_end() -> None:
    cursor = hello(mono_us=500).cursor
    for _ in range(LATE_MAX):
        decision = hello(cursor, mono_us=1)
        cursor = decision.cursor
        assert code(decision) == pb.FENCED
    assert said(hello(cursor, mono_us=1)) == ["resume"]


def test_another_boot_is_never_late() -> None:
    newest = hello(mono_us=500).cursor
    assert said(hello(newest, mono_us=1, boot_id=b"n" * 16)) == ["resume"]


def test_the_lake_lifts_what_a_restored_journal_holds_and_never_lowers_it() -> None:
    floors = [Floor("attic", 2, 9, NEXT_HASH), Floor("attic", 3, 1, OTHER_HASH)]
    floors.append(Floor("cellar", 9, 9, OTHER_HASH))
    cursor = reborn(CURSOR, floors, 7)
    assert cursor.closed == (Closed(2, 9, NEXT_HASH, 9), Closed(3, 1, OTHER_HASH, 1))
    assert cursor.epoch == 7 * EPOCHS_OF_A_GENERATION
    below = reborn(CURSOR, [Floor("attic", 2, 4, NEXT_HASH)], 7)
    assert below.closed == (Closed(2, 5, STORED_HASH, 4),)


def test_a_reborn_cursor_still_knows_the_machine_and_its_strikes() -> None:
    cursor = replace(CURSOR, strikes=2)
    assert (reborn(cursor, [], 7).boots, reborn(cursor, [], 7).strikes) == (cursor.boots, 2)


def test_one_copy_restored_twice_never_grants_an_epoch_twice() -> None:
    first, second = reborn(CURSOR, [], 7), reborn(CURSOR, [], 8)
    assert second.epoch > first.epoch + EPOCHS_OF_A_GENERATION // 2
