"""One bit of the buffer's files turns, anywhere: it is told, or touched nothing; never silent."""

import random
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from edge.errors import StorageError
from edge.keys import KeySource, find_key, make_key_file
from tests.edge.conftest import BufferWorld

FLIPS = 150
PAGE = 4096


@dataclass(slots=True)
class Filled:
    """A closed buffer as a kill left it, with its log; the values in it, and of its first block."""

    home: Path
    keys: KeySource
    values: set[Any]

    def copy(self, to: Path) -> BufferWorld:
        shutil.copytree(self.home, to)
        return BufferWorld(to, random.Random(1), self.keys)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    folder = tmp_path_factory.mktemp("filled")
    make_key_file(folder / "buffer.key")
    keys = find_key(folder / "buffer.key", {})
    (folder / "life").mkdir()
    world = BufferWorld(folder / "life", random.Random(5), keys)
    values: set[Any] = set()
    world.open().close()
    for wal in (False, True):
        store = world.open()
        if not wal:
            store.begin_epoch(1, ()).result()
        for n in range(30):
            chunk = world.chunk(40, new_series=1, marks=bytes([n]) * 64)
            store.commit(chunk).result()
            values |= set(world.values_of(chunk.batch))
            if n % 10 == 9:
                store.seal_next(bytes_target=8192, mono_us=1, wall_us=2).result()
        if wal:  # as a kill leaves it: with its log
            shutil.copytree(folder / "life", folder / "home")
        store.close()
    return Filled(folder / "home", keys, values)


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def outcome(world: BufferWorld, values: set[Any]) -> str:
    """What the product makes of the damaged file; anything else than a StorageError surfaces."""
    try:
        store = world.open()
    except StorageError as error:
        return "refused" if error.hint else f"refused without a way out: {error}"
    try:
        store.begin_epoch(2, ()).result()
        found = world.drained(store)
        told = store.stats().result()
    except StorageError:
        return "ended"
    finally:
        close(store.close)
    assert set(found) <= values, "values that were never given"
    assert len(found) == len(set(found)), "values came twice"
    if told.quarantined:
        return "quarantined"
    if told.counters.get("log_ends_torn"):
        return "torn"
    return "whole" if set(found) == values else "SILENT"


def close(closing: Callable[[], None]) -> None:
    try:
        closing()
    except StorageError:
        return


def outcomes(filled: Filled, tmp_path: Path, name: str, bits: list[int]) -> dict[int, str]:
    said = {}
    for number, bit in enumerate(bits):
        world = filled.copy(tmp_path / str(number))
        flip(world.folder / name, bit)
        try:
            said[bit] = outcome(world, filled.values)
        except Exception as error:  # noqa: BLE001 - a traceback is an outcome, and a wrong one
            said[bit] = f"{type(error).__name__}: {error}"
        shutil.rmtree(world.folder)
    return said


def wrong(said: dict[int, str]) -> dict[int, str]:
    good = ("whole", "refused", "quarantined", "ended", "torn")
    return {bit: what for bit, what in said.items() if what not in good}


def test_an_undamaged_copy_is_whole(filled: Filled, tmp_path: Path) -> None:
    assert outcome(filled.copy(tmp_path / "copy"), filled.values) == "whole"


def test_a_flipped_bit_in_the_file_is_told_or_touched_nothing(
    filled: Filled, tmp_path: Path
) -> None:
    size = (filled.home / "buffer.db").stat().st_size
    chance = random.Random(1)
    pages = [page * PAGE * 8 for page in range(size // PAGE)]
    heads = [page + chance.randrange(64 * 8) for page in pages]
    anywhere = [chance.randrange(size * 8) for _ in range(FLIPS)]
    said = outcomes(filled, tmp_path, "buffer.db", heads + anywhere)
    assert wrong(said) == {}
    assert "quarantined" in said.values()


def test_a_flipped_bit_in_a_settled_file_is_told_or_touched_nothing(
    filled: Filled, tmp_path: Path
) -> None:
    """Without a log that still holds newer copies of its pages."""
    settled = filled.copy(tmp_path / "settled")
    close(settled.open().close)
    chance = random.Random(3)
    pages = range((settled.folder / "buffer.db").stat().st_size // PAGE)
    heads = [page * PAGE * 8 + chance.randrange(32 * 8) for page in pages]
    said = outcomes(
        Filled(settled.folder, filled.keys, filled.values), tmp_path, "buffer.db", heads
    )
    assert wrong(said) == {}
    assert "refused" in said.values()


def test_a_flipped_bit_in_the_log_is_told_or_touched_nothing(
    filled: Filled, tmp_path: Path
) -> None:
    size = (filled.home / "buffer.db-wal").stat().st_size
    chance = random.Random(2)
    said = outcomes(
        filled, tmp_path, "buffer.db-wal", [chance.randrange(size * 8) for _ in range(60)]
    )
    assert wrong(said) == {}


def test_a_row_of_a_wrong_shape_is_refused_with_the_way_out(filled: Filled, tmp_path: Path) -> None:
    """What a torn page under a lying disk can hold: NULL where the schema forbids it."""
    world = filled.copy(tmp_path / "copy")
    with closing(apsw.Connection(str(world.path))) as db:
        db.execute("CREATE TABLE other AS SELECT no, NULL AS salt, prefix, base FROM openings")
        db.execute("DROP TABLE openings")
        db.execute("ALTER TABLE other RENAME TO openings")
    assert outcome(world, filled.values) in ("refused", "quarantined")


def test_a_flipped_bit_in_the_last_commit_of_the_log_is_told(
    filled: Filled, tmp_path: Path
) -> None:
    """It looks as a power cut in the middle of a commit does, but this one was acknowledged."""
    log = filled.home / "buffer.db-wal"
    frame = PAGE + 24
    last = log.stat().st_size - frame
    in_head = [(last + byte) * 8 + byte % 8 for byte in range(24)]
    chance = random.Random(4)
    in_page = [(last + 24 + chance.randrange(PAGE)) * 8 for _ in range(6)]
    said = outcomes(filled, tmp_path, log.name, in_head + in_page)
    assert wrong(said) == {}
    assert set(said.values()) == {"torn"}


def test_a_page_that_counts_a_row_less_is_told(filled: Filled, tmp_path: Path) -> None:
    settled = filled.copy(tmp_path / "settled")
    close(settled.open().close)
    leaf = page_of_chunks(settled.path)
    rows = settled.path.read_bytes()[leaf + 4]
    flip(settled.path, (leaf + 4) * 8 + (rows & -rows).bit_length() - 1)
    assert outcome(settled, filled.values) in ("refused", "quarantined", "ended")


def page_of_chunks(path: Path) -> int:
    """Where the last leaf of the table of chunks begins, in bytes."""
    with closing(apsw.Connection(str(path))) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'chunks'").fetchone()
    data = path.read_bytes()
    leaf = root - 1
    if data[leaf * PAGE] == 5:  # an interior page: its rightmost child
        leaf = int.from_bytes(data[leaf * PAGE + 8 : leaf * PAGE + 12]) - 1
    return int(leaf * PAGE)


def test_a_page_that_has_one_row_twice_and_another_never_is_told(
    filled: Filled, tmp_path: Path
) -> None:
    """No count and no sum shows it: a cell pointer that turned into its neighbour."""
    settled = filled.copy(tmp_path / "settled")
    close(settled.open().close)
    data = bytearray(settled.path.read_bytes())
    cells = page_of_chunks(settled.path) + 8
    assert data[cells - 4] > 1, "a leaf of several rows"
    data[cells + 2 : cells + 4] = data[cells : cells + 2]
    settled.path.write_bytes(data)
    assert outcome(settled, filled.values) == "refused"
