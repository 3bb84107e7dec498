"""`protos.durable`: a file is whole, or as it was; and what returned outlives the power."""

import os
from pathlib import Path

import pytest

from protos.durable import put


def test_a_file_put_in_place_is_whole_and_has_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old")
    path.chmod(0o644)
    put(path, b"new", 0o600)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_power_cut_left_beside_it_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "state.new").write_bytes(b"a torn file that is longer than the new one")
    put(tmp_path / "state", b"new")
    assert (tmp_path / "state").read_bytes() == b"new"
    assert not (tmp_path / "state.new").exists()


def test_a_file_stays_as_it_was_when_the_disk_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    path = tmp_path / "state"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output"):
        put(path, b"new")
    assert path.read_bytes() == b"old"


def test_first_the_bytes_reach_the_disk_then_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[Path, set[str]]] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        file = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((file, {path.name for path in tmp_path.iterdir()}))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    put(tmp_path / "state", b"new")
    assert synced == [(tmp_path / "state.new", {"state.new"}), (tmp_path, {"state"})]
