"""The clock: what a stamp is worth, with every source replaced."""

import uuid
from pathlib import Path

from edge.clock import SANE_FROM_US, SYNC_CHECK_US, Clock, kernel_synced, read_boot_id
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

    clock = Clock(wall=lambda: NOW_US, mono=lambda: mono[0], synced=synced)
    assert clock.now().quality is Quality.GATEWAY_UNSYNCED
    mono[0] = SYNC_CHECK_US - 1
    assert clock.now().quality is Quality.GATEWAY_UNSYNCED
    mono[0] = SYNC_CHECK_US
    assert clock.now().quality is Quality.GATEWAY_SYNCED
    assert asked == [0, SYNC_CHECK_US]


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
