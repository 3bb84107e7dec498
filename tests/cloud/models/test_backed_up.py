"""A backup has the models on the shelf, and the key that gateways trust them by."""

from pathlib import Path

from cloud.cli import console
from cloud.config import load
from cloud.models.shelf import Shelf
from protos.model import Manifest, write_package
from protos.model_key import load_key, make_key, public_of, save_key
from tests.cloud.verify_world import Home


def call(home: Path, *arguments: str) -> None:
    assert console().call(["--home", str(home), *arguments]) == 0


def test_a_restored_cloud_has_its_models_and_the_key_that_signs_them(tmp_path: Path):
    old, copy, new = tmp_path / "old", tmp_path / "copy", tmp_path / "new"
    call(old, "init")
    home, key = Home(old), make_key()
    home.send("gw", 5)
    home.drain()
    save_key(load(old).model_key_path, key)
    package = write_package(Manifest(name="pump", version="1", window=8), b"graph", key)
    Shelf(load(old).models_folder).put(package)
    call(old, "backup", str(copy))
    home.stop()
    call(new, "restore", str(copy))
    assert Shelf(load(new).models_folder).get("pump", "1") == package
    assert public_of(load_key(load(new).model_key_path)) == public_of(key)
