"""Rotation of the key: killed after any step, the buffer opens and the rest is finished."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import pytest

from edge.cli import console
from edge.config import load
from edge.errors import OperatorError, StorageError
from edge.keys import KeySource, KeyTier, next_key_path
from edge.store.limits import StoreLimits
from edge.store.rotate import Step, rotate

CHILD = """
import os, sys
from pathlib import Path
from edge.keys import find_key
from edge.store.limits import StoreLimits
from edge.store.rotate import Step, rotate

folder, last = Path(sys.argv[1]), Step[sys.argv[2]]
rotate(folder / "buffer.db", gateway="gw-1", keys=find_key(folder / "keys" / "buffer.key", {}),
       limits=StoreLimits(bytes_max=64 << 20),
       on_step=lambda step: os._exit(9) if step is last else None)
"""


def filled(world: Any) -> list[Any]:
    store = world.open()
    chunks = [world.chunk(20, marks=bytes([n]) * 16) for n in range(4)]
    for chunk in chunks:
        store.commit(chunk).result()
    store.close()
    return sorted((v for chunk in chunks for v in world.values_of(chunk.batch)), key=repr)


def turn(world: Any) -> bytes:
    return rotate(world.path, gateway="gw-1", keys=world.keys, limits=StoreLimits())


@pytest.mark.parametrize("step", Step)
def test_a_kill_after_any_step_leaves_a_buffer_that_opens_with_all_in_it(
    world: Any, step: Step
) -> None:
    values = filled(world)
    store = world.open()
    secret = store.load().marks_key
    store.close()
    old = world.folder / "old.key"
    old.write_bytes(world.keys.path.read_bytes())
    old.chmod(0o600)
    child = subprocess.run([sys.executable, "-c", CHILD, world.folder, step.name], check=False)
    assert child.returncode == 9
    store = world.open()
    loaded = store.load()
    assert (loaded.marks_key, len(loaded.marks)) == (secret, 64), "redeliveries are still known"
    store.close()
    is_new = step is not Step.KEY_WRITTEN
    assert (world.keys.path.read_bytes() != old.read_bytes()) == is_new
    world.keys, kept = KeySource(KeyTier.FILE, old), world.keys
    if is_new:
        assert not next_key_path(kept.path).exists()
        with pytest.raises(StorageError, match="sealed with another key"):
            world.open()
    world.keys = kept
    turn(world)
    assert sorted(world.drained(world.open()), key=repr) == values


def test_the_old_wrapping_is_nowhere_in_the_files(world: Any) -> None:
    filled(world)
    db = apsw.Connection(str(world.path))
    old = [bytes(sealed) for (sealed,) in db.execute("SELECT sealed FROM keys")]
    db.close()
    turn(world)
    files = [p.read_bytes() for p in world.folder.iterdir() if p.name.startswith("buffer.db")]
    assert len(old) == 2
    assert not any(sealed in data for sealed in old for data in files)


def test_rows_are_not_touched(world: Any) -> None:
    filled(world)

    def rows() -> list[Any]:
        db = apsw.Connection(str(world.path))
        found = db.execute("SELECT * FROM chunks").fetchall()
        db.close()
        return found

    before = rows()
    first, second = turn(world), turn(world)
    assert first != second
    assert rows() == before


def test_a_buffer_in_use_is_left_alone(world: Any) -> None:
    world.open().commit(world.chunk()).result()
    key = world.keys.path.read_bytes()
    with pytest.raises(StorageError, match="another agent has it open"):
        turn(world)
    assert world.keys.path.read_bytes() == key


def test_a_key_of_the_units_is_not_ours_to_rotate(world: Any) -> None:
    world.keys = KeySource(KeyTier.SYSTEMD_CREDS, world.keys.path)
    with pytest.raises(OperatorError, match="seal the new one as the credential"):
        turn(world)


def test_the_command_rotates_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = str(tmp_path / "edge")
    assert console().call(["--home", home, "init", "--name", "pump-1"]) == 0
    capsys.readouterr()
    assert console().call(["--home", home, "key", "rotate", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["key"] == str(load(Path(home)).buffer_key_path)
    assert console().call(["--home", home, "key", "rotate"]) == 0
    assert "opens this buffer no more" in capsys.readouterr().out
