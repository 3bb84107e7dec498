"""The lake's own campaign: it finds nothing in the product, and what a disk did not sync."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.lake_campaign import MUTANTS
from tests.crash.lake_disk import Notes, after_cut
from tests.crash.lake_story import Sort, Story

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    (tmp_path / "home" / "lake").mkdir(parents=True)
    (tmp_path / "home" / "lake" / "held").write_bytes(b"before")
    made = Notes(tmp_path / "home", tmp_path / "notes")
    made.begin()
    return made


def _cut_whole(notes: Notes, into: Path) -> dict[str, bytes]:
    """Nothing unsynced got to the disk: half of all cuts."""
    sure = next(seed for seed in range(99) if random.Random(seed).random() < 0.5)
    after_cut(notes, into, random.Random(sure))
    return {path.name: path.read_bytes() for path in into.rglob("*") if path.is_file()}


def test_what_was_synced_is_there_after_a_cut_and_nothing_else(notes, tmp_path):
    lake = notes.home / "lake"
    (lake / "held").write_bytes(b"after")
    (lake / "nameless").write_bytes(b"synced, but not its folder")
    notes.file(lake / "nameless")
    assert _cut_whole(notes, tmp_path / "first") == {"held": b"before"}
    notes.file(lake / "held")
    notes.entries(lake)
    (lake / "late").write_bytes(b"")
    found = _cut_whole(notes, tmp_path / "second")
    assert found == {"held": b"after", "nameless": b"synced, but not its folder"}


def test_a_file_that_was_removed_may_be_back_after_a_cut(notes, tmp_path):
    (notes.home / "lake" / "held").unlink()
    (notes.home / "lake" / "other").write_bytes(b"may take its number")
    assert _cut_whole(notes, tmp_path / "card") == {"held": b"before"}


@pytest.mark.parametrize("seed", range(20))
def test_an_unsynced_file_of_the_place_to_be_torn_is_there_and_not_whole(notes, tmp_path, seed):
    log = notes.home / "lake" / "readings" / "_delta_log"
    log.mkdir(parents=True)
    for folder in (log.parents[1], log.parent, log):
        notes.entries(folder)
    held = {f"{n}.json": bytes([65 + n]) * 700 for n in range(2)}
    (log / "0.json").write_bytes(held["0.json"])
    notes.file(log / "0.json")
    notes.entries(log)
    (log / "1.json").write_bytes(held["1.json"])
    after_cut(notes, tmp_path / "card", random.Random(seed), "readings log .json")
    found = {path.name: path.read_bytes() for path in (tmp_path / "card").rglob("*.json")}
    assert found.keys() == held.keys()
    assert found["0.json"] == held["0.json"], "what was synced is torn"
    assert b"\0" * 100 in found["1.json"]


def test_a_story_has_every_sort_of_block_and_no_reading_twice():
    story = Story(1)
    assert {story.sort(block) for block in range(1, 100)} == {*Sort}
    rows = [row for block in range(1, 100) for row in story.rows(block)]
    assert len({row.key for row in rows}) == len(rows)
    assert sum(row.is_aged(story.now_us(100)) for row in rows) > 100


def test_two_rounds_leave_history_whole_and_no_folder(tmp_path):
    command = [sys.executable, "-m", "tests.crash.lake_campaign", "--rounds", "2", "--seed", "5"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, told["rounds"]) == (0, 2), told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_is_never_synced_is_found_and_nothing_else(mutant, tmp_path):
    told = json.loads(_told(mutant, tmp_path))
    assert bool(told.get("problems")) == bool(mutant), told


def _told(mutant: str, folder: Path) -> str:
    command = [sys.executable, "-m", "tests.crash.lake_campaign", "--rounds", "80", "--seed", "1"]
    done = subprocess.run(
        [*command, "--mutant", mutant],
        cwd=ROOT,
        env={"TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.splitlines()[-1]
