"""The clock: what a stamp is worth, with every source replaced."""

import os
import uuid
from pathlib import Path

from edge.clock import SANE_FROM_US, SYNC_CHECK_US, Clock, SystemSync, kernel_synced, read_boot_id
from protos.records import Quality

NOW_US = SANE_FROM_US + 1


def test_a_synchronised_clock_says_so() -> None:
    clock = Clock(wall=lambda: NOW_US, mono=lambda: 7, synced=lambda: True, boot_id=bytes(16))
    stamp = clock.now()
    assert (stamp.wall_us, stamp.mono_us) == (NOW_US, 7)
    assert stamp.quality is Quality.GATEWAY_SYNCED


def test_a_clock_in_1970_is_never_believed_whatever_the_kernel_says() -> None:
    clock = Clock(wall=lambda: 60_000_000, mono=lambda: 7, synced=lambda: True)
    assert clock.now().quality is Quality.GATEWAY_UNSYNCED


def test_the_kernel_is_asked_once_in_a_while_and_by_the_clock_that_never_steps() -> None:
    mono, asked = [0], []

    def synced() -> bool:
        asked.append(mono[0])
        return len(asked) > 1

    clock = Clock(wall=lambda: NOW_US + mono[0], mono=lambda: mono[0], synced=synced)
    assert clock.now().quality is Quality.GATEWAY_UNSYNCED
    mono[0] = SYNC_CHECK_US - 1
    assert clock.now().quality is Quality.GATEWAY_UNSYNCED
    mono[0] = SYNC_CHECK_US
    assert clock.now().quality is Quality.GATEWAY_SYNCED
    assert asked == [0, SYNC_CHECK_US]


def test_a_clock_that_was_set_is_asked_about_at_once() -> None:
    ahead, asked = [0], []

    def synced() -> bool:
        asked.append(ahead[0])
        return not ahead[0]

    clock = Clock(
        wall=lambda: NOW_US + ahead[0], mono=lambda: 7, synced=synced, stepped=lambda: None
    )
    assert clock.now().quality is Quality.GATEWAY_SYNCED
    ahead[0] = 365 * 86_400_000_000
    stamp = clock.now()
    assert stamp.quality is Quality.GATEWAY_UNSYNCED
    assert stamp.wall_us == NOW_US, "the line it was on when it was last believed goes on"
    assert asked == [0, ahead[0]]


def test_the_mark_of_timesyncd_is_worth_nothing_after_the_clock_was_set(tmp_path: Path) -> None:
    mark = tmp_path / "synchronized"
    sync = SystemSync(kernel=lambda: False, mark=mark)
    assert not sync.synced()
    mark.touch()
    assert sync.synced()
    sync.stepped()
    assert not sync.synced()
    os.utime(mark, ns=(1, mark.stat().st_mtime_ns + 1))
    assert sync.synced()


def test_what_is_known_of_the_time_survives_the_process(tmp_path: Path) -> None:
    path, mono, wall = tmp_path / "clock.json", [5_000_000], [60_000_000]
    boot = b"b" * 16

    def new() -> Clock:
        return Clock(
            wall=lambda: wall[0] + mono[0], mono=lambda: mono[0], synced=lambda: True,
            stepped=lambda: None, boot_id=boot, path=path,
        )  # fmt: skip

    stamp = new().now()
    assert stamp.quality is Quality.GATEWAY_UNSYNCED
    mono[0] += 1_000_000_000
    wall[0] = NOW_US
    again = new()
    assert again.now().quality is Quality.GATEWAY_SYNCED
    assert again.settle() == ()
    mono[0] += 6_000_000
    (known,) = again.settle()
    assert known.tag == stamp.stretch
    assert stamp.wall_us + (known.offset_us or 0) == NOW_US + 5_000_000
    assert new().settle() == (known,), "until it is told it is said again, the same"
    again.told((known,))
    assert new().settle() == ()


def test_a_card_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    clock = Clock(wall=lambda: 7, mono=lambda: 7, path=tmp_path / "none" / "clock.json")
    assert clock.now().wall_us == clock.now().wall_us == 7


def test_a_damaged_state_is_told_and_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    path.write_bytes(b"{]")
    assert Clock(wall=lambda: 7, mono=lambda: 7, path=path).now().wall_us == 7


def test_the_boot_id_is_the_kernels_own(tmp_path: Path) -> None:
    file = tmp_path / "boot_id"
    file.write_text("6fd5a9a6-7c2e-4c3e-9d6a-0f6e3b9b1c11\n")
    assert read_boot_id(file) == uuid.UUID("6fd5a9a6-7c2e-4c3e-9d6a-0f6e3b9b1c11").bytes


def test_without_a_boot_id_each_start_is_a_boot_of_its_own(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    assert len(read_boot_id(missing)) == 16
    assert read_boot_id(missing) != read_boot_id(missing)


def test_this_machine_answers() -> None:
    clock = Clock()
    first, second = clock.now(), clock.now()
    assert second.mono_us >= first.mono_us > 0
    assert kernel_synced() in (True, False, None)
