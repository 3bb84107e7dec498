"""How a model is named on the command line, and what it is signed with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.config import CloudConfig
from cloud.errors import OperatorError
from cloud.models.shelf import Shelf
from protos.model import PACKAGE_BYTES_MAX, SUFFIX, Package, PackageError, read_package
from protos.model_key import load_key, make_key, save_key


@contextmanager
def packages_told() -> Iterator[None]:
    """A package or key that cannot be used, told as every fault of an operator is."""
    try:
        yield
    except PackageError as error:
        raise OperatorError(error.what, error.why, error.hint) from error


def package_of(config: CloudConfig, model: str) -> Package:
    """The package that NAME, NAME@VERSION or the path of a file names. OperatorError: none."""
    with packages_told():
        if model.endswith(SUFFIX):
            return read_package(_file(Path(model)), Path(model).name)
        shelf, (name, _, version) = Shelf(config.models_folder), model.partition("@")
        return read_package(shelf.get(name, version or shelf.newest(name).version))


def key_of(config: CloudConfig, path: Path | None) -> tuple[Ed25519PrivateKey, bool]:
    """The key of a file, else this cloud's own, and whether it was made just now. OperatorError."""
    with packages_told():
        if path is not None:
            return load_key(path), False
        own = config.model_key_path
        if own.exists():
            return load_key(own), False
        key = make_key()
        save_key(own, key)
        return key, True


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(PACKAGE_BYTES_MAX + 1)
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        raise OperatorError(f"read the model {path}", cause, "name a package's file") from error
