"""`tidegate-edge selftest`: what is measured, what it means, and that nothing is left behind."""

import json
import os
from pathlib import Path

import msgspec
import pytest

from edge.cli import console
from edge.selftest import fill, place_of, quantile
from edge.selftest_words import Filled, Finding, Measured, Place, Trust, judge, told

GOOD = Measured(
    commits=100, commit_ms_p50=8.0, commit_ms_p99=40.0, commit_ms_max=90.0, fsync_us_p50=4000.0,
    fsync_us_p99=9000.0, write_us_p50=3.0,
)  # fmt: skip
SOUND = Filled(
    bytes_max=1000, bytes_peak=990, acknowledged=500, lost=0, doubled=0, refused=2, recovered=True
)
CARD = Place(
    filesystem="ext4", options=("rw", "noatime"), device="/dev/mmcblk0p2", rotational=False
)
DISK = msgspec.structs.replace(CARD, rotational=True, write_cache="write back")


def found(place: Place = CARD, measured: Measured = GOOD, filled: Filled = SOUND) -> Finding:
    return judge("/data", place, measured, filled)


def test_a_good_card_is_trusted_as_far_as_software_can_tell() -> None:
    finding = found()
    assert (finding.trust, finding.fit) == (Trust.NOTHING_AGAINST, True)
    text = "\n".join(told(finding))
    assert "readings can be kept here" in text
    assert "only pulling the plug" in text


@pytest.mark.parametrize(
    ("place", "fsync_us", "why"),
    [
        (Place(filesystem="tmpfs"), 1.0, "is memory"),
        (CARD, 3.0, "faster than any medium"),
        (msgspec.structs.replace(CARD, options=("rw", "nobarrier")), 4000.0, "nobarrier"),
    ],
)
def test_a_medium_that_cannot_have_kept_its_word_is_refused(
    place: Place, fsync_us: float, why: str
) -> None:
    finding = found(place, msgspec.structs.replace(GOOD, fsync_us_p50=fsync_us))
    assert (finding.trust, finding.fit) == (Trust.NONE, False)
    assert any(why in reason for reason in finding.why)
    assert "do NOT keep readings here" in "\n".join(told(finding))


@pytest.mark.parametrize("filesystem", ["nfs4", "vfat", "overlay", "fuse.mergerfs", ""])
def test_what_hides_the_medium_is_a_doubt_and_no_refusal(filesystem: str) -> None:
    finding = found(Place(filesystem=filesystem))
    assert (finding.trust, finding.fit) == (Trust.DOUBTFUL, True)
    assert "with the doubt named above" in "\n".join(told(finding))


@pytest.mark.parametrize(
    "wrong",
    [{"lost": 1}, {"doubled": 1}, {"recovered": False}, {"bytes_peak": 1001}, {"refused": 0}],
)
def test_a_card_on_which_a_full_buffer_fails_is_refused(wrong: dict[str, int]) -> None:
    assert not found(filled=msgspec.structs.replace(SOUND, **wrong)).fit


def test_a_spinning_disk_that_is_too_fast_is_a_doubt() -> None:
    fast = msgspec.structs.replace(GOOD, fsync_us_p50=300.0)
    finding = found(DISK, fast)
    assert (finding.trust, finding.fit) == (Trust.DOUBTFUL, True)
    assert "a cache answers before the platter" in finding.why[0]
    assert found(DISK).trust is Trust.NOTHING_AGAINST


def test_a_slow_card_is_told_what_that_means() -> None:
    slow = msgspec.structs.replace(GOOD, commit_ms_p99=900.0)
    assert "alerts and PUBACKs wait" in "\n".join(told(found(measured=slow)))


def test_quantiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile([7.0], 0.99)) == (51, 100, 7)


def test_the_mount_of_a_folder_is_found_with_its_options(tmp_path: Path) -> None:
    number = tmp_path.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 999:7 / /proc rw - proc proc rw\n"
        f"36 35 {device} / /data rw,noatime master:1 - ext4 /dev/mmcblk0p2 rw,nobarrier\n"
    )
    place = place_of(tmp_path, str(mounts))
    assert (place.filesystem, place.device) == ("ext4", "/dev/mmcblk0p2")
    assert place.options == ("rw", "noatime", "nobarrier")
    mounts.write_text("22 1 999:7 / /proc rw - proc proc rw\n")
    assert place_of(tmp_path, str(mounts)) == Place()


def test_a_filled_buffer_keeps_its_bound_and_every_reading(tmp_path: Path) -> None:
    filled = fill(tmp_path / "full", 2 << 20)
    assert (filled.lost, filled.doubled, filled.recovered) == (0, 0, True)
    assert filled.acknowledged > 1000
    assert filled.refused == 2
    assert filled.bytes_peak <= filled.bytes_max


def test_the_command_measures_and_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = console().call(["selftest", str(tmp_path), "--seconds", "0.3", "--json"])
    finding = msgspec.json.decode(capsys.readouterr().out, type=Finding)
    assert code == (0 if finding.fit else 5)
    measured = finding.measured
    assert 0 < measured.commit_ms_p50 <= measured.commit_ms_p99 <= measured.commit_ms_max
    assert measured.fsync_us_p50 > 0
    assert finding.filled.lost == 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_the_operators_to_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console().call(["selftest", str(tmp_path / "none")]) == 2
    assert "there is no such folder" in capsys.readouterr().err
    assert json.dumps(list(map(str, tmp_path.iterdir()))) == "[]"
