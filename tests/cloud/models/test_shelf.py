"""Packages on the shelf: kept once and whole, found by name and version, damaged ones told."""

import threading
from pathlib import Path

import pytest

from cloud.errors import OperatorError, StorageError
from cloud.models import shelf as models_shelf
from cloud.models.shelf import Shelf
from protos.model import Manifest, PackageError, write_package
from protos.model_key import make_key

KEY = make_key()


def package(version: str = "1", name: str = "pump-vibration", graph: bytes = b"graph") -> bytes:
    return write_package(Manifest(name=name, version=version, window=8), graph, KEY)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "home" / "models")


def test_what_is_put_is_got_back_and_listed_by_name_and_version(shelf):
    assert shelf.list() == []
    for version in ("10", "9", "1.2"):
        shelf.put(package(version))
    entry = shelf.put(package(name="fan"))
    assert [(one.name, one.version) for one in shelf.list()] == [
        ("fan", "1"), ("pump-vibration", "1.2"), ("pump-vibration", "9"), ("pump-vibration", "10"),
    ]  # fmt: skip
    assert shelf.get("pump-vibration", "9") == package("9")
    assert shelf.newest("pump-vibration").version == "10"
    assert (entry.bytes, entry.path.name) == (len(package(name="fan")), "fan-1.tgm")
    assert entry.path.stat().st_mode & 0o077 == 0


def test_a_version_is_never_changed_and_the_same_bytes_may_come_again(shelf):
    first = shelf.put(package())
    assert shelf.put(package()) == first
    with pytest.raises(OperatorError, match=r"another package has that name.*a new version"):
        shelf.put(package(graph=b"another"))
    assert shelf.get("pump-vibration", "1") == package()


def test_of_many_who_put_one_version_at_once_one_wins(shelf):
    refused = []
    made = [package(graph=bytes([i])) for i in range(8)]

    def put(data: bytes) -> None:
        try:
            shelf.put(data)
        except OperatorError as error:
            refused.append(error)

    threads = [threading.Thread(target=put, args=(data,)) for data in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7
    assert shelf.get("pump-vibration", "1") in made


def test_what_is_no_package_is_refused_and_leaves_nothing(shelf):
    with pytest.raises(PackageError):
        shelf.put(package()[:-1])
    assert shelf.list() == []


def test_a_name_that_is_not_there_is_told_with_what_is(shelf):
    with pytest.raises(OperatorError, match="`model train` makes one"):
        shelf.get("fan", "1")
    shelf.put(package("1"))
    shelf.put(package("2"))
    with pytest.raises(OperatorError, match="there is pump-vibration 1, pump-vibration 2"):
        shelf.get("pump-vibration", "3")
    with pytest.raises(OperatorError, match="fan"):
        shelf.newest("fan")


@pytest.mark.parametrize("name", ["../secret", "a/b", ".hidden", "/etc/passwd"])
def test_no_name_leads_out_of_the_folder(shelf, name):
    (shelf.folder.parent).mkdir(parents=True)
    (shelf.folder.parent / "secret-1.tgm").write_bytes(b"secret")
    with pytest.raises(OperatorError):
        shelf.get(name, "1")


def test_a_damaged_file_is_told_by_name_and_hides_no_other(shelf):
    shelf.put(package("1"))
    damaged = shelf.put(package("2")).path
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    entries, refused = shelf.read()
    assert [one.version for one in entries] == ["1"]
    assert "pump-vibration-2.tgm" in str(refused[0])
    assert [one.version for one in shelf.list()] == ["1"]


def test_a_file_under_another_name_than_its_manifest_has_is_told(shelf):
    entry = shelf.put(package("1"))
    entry.path.rename(entry.path.with_name("fan-1.tgm"))
    entries, (refused,) = shelf.read()
    assert entries == []
    assert "pump-vibration 1" in str(refused)


def test_a_full_shelf_takes_no_more(shelf, monkeypatch):
    monkeypatch.setattr(models_shelf, "PACKAGES_MAX", 2)
    shelf.put(package("1"))
    shelf.put(package("2"))
    with pytest.raises(OperatorError, match="2 packages are there"):
        shelf.put(package("3"))
    shelf.put(package("2"))


def test_a_disk_that_refuses_is_a_storage_error(tmp_path):
    (tmp_path / "models").write_bytes(b"no folder")
    with pytest.raises(StorageError, match="keep the model pump-vibration-1"):
        Shelf(tmp_path / "models").put(package())
