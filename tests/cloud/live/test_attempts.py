"""A block that kills whoever decodes it: counted by real processes, set apart by name, passed."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from cloud.journal.contract import Entry
from cloud.lake.attempts import DEATHS_MAX, KILLS, Attempts
from tests.cloud.verify_world import Home

CHILD = """
import os, signal, sys
from pathlib import Path
from cloud.lake import consolidator as lake
from cloud.live import live, step
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.lake.consolidator import Consolidator
from cloud.lake.attempts import Attempts
from cloud.lake.embedded import decode
from cloud.lake.names import Names
from tests.contract.segmented import SMALL

def deadly(entries, names, pause):
    if any(entry.offset == 3 for entry in entries):
        os.kill(os.getpid(), signal.SIGKILL)
    return decode(entries, names, pause)

step.decode = lake.decode = deadly
root = Path(sys.argv[1])
journal = SqliteJournal.open(root / "journal", now_us=lambda: 1, limits=SMALL)
names = Names(journal.series)
view = live.Live(journal, names, attempts=Attempts(root / "lake" / "attempt-live.json"))
consolidator = Consolidator(root / "lake", journal, names, view)
consolidator.recover()
while view.advance():
    pass
while sys.argv[2] == "both" and consolidator.run_once().more:
    pass
print(view.view.journal, view.view.lake, sum(b.rows for b in view.view.tail))
"""


def run(root: Path, what: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(root), what], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode, done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    home = Home(tmp_path)
    for count in (5, 6, 7, 8):
        home.send("gw", count)
    home.stop()
    return tmp_path


def test_a_block_that_kills_the_view_is_given_up_after_a_few_processes(root: Path) -> None:
    deaths = 0
    while run(root, "view")[0]:
        deaths += 1
        assert deaths < 2 * DEATHS_MAX
    assert DEATHS_MAX <= deaths <= DEATHS_MAX + 1
    assert run(root, "view") == (0, "4 0 19"), "and it stays so"
    home = Home(root)
    (apart,) = home.journal.quarantined()
    assert (apart.offset, apart.readings, apart.reason) == (3, 7, KILLS)
    home.stop()


def test_the_tables_pass_a_block_that_the_view_gave_up_without_dying_of_it(root: Path) -> None:
    while run(root, "view")[0]:
        pass
    assert run(root, "both") == (0, "4 4 0")


def entry(offset: int) -> Entry:
    return Entry(offset, "gw", 1, offset, bytes([offset]) * 32, b"", 0)


def die_of(path: Path, start: int, blocks: Sequence[Entry]) -> frozenset[int]:
    """A process reads ``blocks`` after ``start``, and dies unless these are given up."""
    attempts = Attempts(path)
    many = attempts.begin(start, 100)
    given_up = attempts.given_up(blocks[start : start + many])
    attempts.leave()  # as the system does for the dead
    return given_up


def test_blocks_around_a_killer_are_taken_one_by_one_and_once(tmp_path: Path) -> None:
    """A killer far inside what is read at once costs no more processes than one at its front."""
    blocks, deaths, at = [entry(n) for n in range(1, 41)], 0, 0
    while at < 40:
        attempts = Attempts(tmp_path / "attempt.json")
        many = attempts.begin(at, 100)
        taken = blocks[at : at + many]
        if any(one.offset == 30 for one in taken) and 30 not in attempts.given_up(taken):
            deaths += 1
            attempts.leave()
            continue
        attempts.given_up(taken)
        attempts.done()
        attempts.leave()
        at += len(taken)
    assert deaths == DEATHS_MAX + 1


def test_only_deaths_alone_count_against_a_block(tmp_path: Path) -> None:
    """The first death is of one among many: it says which to take singly, and nothing more."""
    path, blocks = tmp_path / "attempt.json", [entry(n) for n in range(1, 4)]
    for _ in range(1 + DEATHS_MAX):
        assert die_of(path, 0, blocks) == frozenset()
    assert die_of(path, 0, blocks) == {1}


def test_who_takes_blocks_singly_decodes_while_nobody_else_does(tmp_path: Path) -> None:
    """The view would else die of its killer while the tables commit a healthy block, and both
    markers would stand: after DEATHS_MAX such processes the healthy one would be set apart."""
    die_of(tmp_path / "attempt.json", 0, [entry(1), entry(2)])
    tables, view = Attempts(tmp_path / "attempt.json"), Attempts(tmp_path / "attempt-live.json")
    assert tables.begin(0, 100) == 1
    tables.given_up([entry(1)])
    view.begin(1, 100)
    with ThreadPoolExecutor(1) as pool:
        decoding = pool.submit(view.given_up, [entry(2)])
        wait([decoding], 0.2)
        try:
            assert not decoding.done()
            assert not view.path.exists(), "a death now is not the view's"
        finally:
            tables.done()
            tables.leave()
        assert decoding.result() == frozenset()
    assert view.path.exists()
    view.leave()


def test_many_decode_at_once_while_no_block_is_suspected(tmp_path: Path) -> None:
    both = Attempts(tmp_path / "attempt.json"), Attempts(tmp_path / "attempt-live.json")
    for one in both:
        one.begin(0, 100)
        one.given_up([entry(1), entry(2)])  # waits for ever if the first shuts the second out
    for one in both:
        one.done()
        one.leave()


def test_a_fault_that_is_not_the_blocks_does_not_count(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path / "attempt.json")
    for _ in range(3 * DEATHS_MAX):
        assert attempts.begin(0, 100) == 100
        assert attempts.given_up([entry(1)]) == frozenset()
        attempts.undone()
        attempts.leave()


def test_other_content_in_the_place_of_a_killer_is_tried(tmp_path: Path) -> None:
    """A journal begun anew uses offsets again."""
    attempts = Attempts(tmp_path / "attempt.json")
    for _ in range(1 + DEATHS_MAX):
        assert die_of(attempts.path, 0, [entry(1)]) == frozenset()
    assert die_of(attempts.path, 0, [entry(1)]) == {1}
    attempts.begin(0, 100)
    attempts.given_up([entry(1)])
    attempts.done()
    attempts.begin(0, 100)
    assert attempts.given_up([Entry(1, "gw", 2, 1, bytes(32), b"", 0)]) == frozenset()
    attempts.leave()
