"""Packages of models as this cloud keeps them: a folder of files that are never changed.

    models/NAME-VERSION.tgm

A file is put once and whole, on the disk before `put` returns. The same bytes may be put again,
which changes nothing; other bytes of the same name and version are refused: who runs a version must
be able to say what it is. The shelf reads what it lists, so a file that somebody damaged is refused
by name and hides no other. Signatures are not its business: it keeps what others made, too.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from cloud.errors import OperatorError, StorageError
from protos import durable
from protos.model import (
    PACKAGE_BYTES_MAX,
    SUFFIX,
    Manifest,
    PackageError,
    read_package,
    version_order,
)

PACKAGES_MAX: Final = 1000
"""Packages on one shelf: with each at its largest some 33 GB, in practice a few MB."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One package: its file, what its manifest says, size, SHA-256 (hex) and when it was put."""

    path: Path
    manifest: Manifest
    bytes: int
    sha256: str
    put_us: int

    @property
    def name(self) -> str:
        """Of the model."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """Of the model."""
        return self.manifest.version


@dataclass(frozen=True, slots=True)
class Shelf:
    """The packages in a folder, which the first `put` makes."""

    folder: Path

    def put(self, data: bytes) -> Entry:
        """Keep a package; one that is there already, byte for byte, is left as it is.

        Raises:
            PackageError: it is no package.
            OperatorError: name and version are taken by another, or the shelf is full.
            StorageError: the disk refuses.
        """
        manifest = read_package(data).manifest
        path = self._path(manifest.name, manifest.version)
        tried = f"keep the model {path.stem} on the shelf {self.folder}"
        with _errors_told(tried), self._alone():
            if path.exists():
                if self._bytes(path) == data:
                    return self._entry(path)
                cause, hint = "another package has that name and version", "give it a new version"
                raise OperatorError(tried, cause, hint)
            if len(self._paths()) >= PACKAGES_MAX:
                hint = "delete the files of versions that no gateway runs"
                raise OperatorError(tried, f"{PACKAGES_MAX} packages are there", hint)
            durable.put(path, data)
        return self._entry(path)

    def get(self, name: str, version: str) -> bytes:
        """The package of a name and version. OperatorError when there is none, with the nearest."""
        path = self._path(name, version)
        if not path.exists():
            raise self._unknown(name, version)
        return self._bytes(path)

    def newest(self, name: str) -> Entry:
        """The highest version of a name. OperatorError when there is none."""
        entries = [entry for entry in self.list() if entry.name == name]
        if not entries:
            raise self._unknown(name, "")
        return entries[-1]

    def next_version(self, name: str) -> str:
        """A version behind the highest of a name: its first number and one; `1` for the first."""
        entries = [entry for entry in self.list() if entry.name == name]
        return str(version_order(entries[-1].version)[0] + 1) if entries else "1"

    def list(self) -> list[Entry]:
        """Every package that can be read, by name and version."""
        return [*self.read()[0]]

    def read(self) -> tuple[Sequence[Entry], Sequence[PackageError]]:
        """Every package, and why files that should be one are none."""
        entries: list[Entry] = []
        refused: list[PackageError] = []
        for path in self._paths():
            try:
                entries.append(self._entry(path))
            except PackageError as error:
                refused.append(error)
        return sorted(entries, key=lambda one: (one.name, version_order(one.version))), refused

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder, made if need be, against others who put at the same time."""
        if not self.folder.exists():
            self.folder.mkdir(0o700, parents=True, exist_ok=True)
            durable.sync_folder(self.folder.parent)
        held = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)

    def _paths(self) -> Sequence[Path]:
        return sorted(self.folder.glob(f"*{SUFFIX}")) if self.folder.is_dir() else []

    def _path(self, name: str, version: str) -> Path:
        path = self.folder / f"{name}-{version}{SUFFIX}"
        if path.parent != self.folder or path.name.startswith("."):
            raise OperatorError(f"find the model {name} {version}", "no model is called so", "")
        return path

    def _entry(self, path: Path) -> Entry:
        data = self._bytes(path)
        manifest = read_package(data, path.name).manifest
        if manifest.package_file != path.name:
            why = f"it holds {manifest.name} {manifest.version}"
            raise PackageError(f"use the model {path}", why, "give the file its own name again")
        put_us = path.stat().st_mtime_ns // 1000
        return Entry(path, manifest, len(data), sha256(data).hexdigest(), put_us)

    def _bytes(self, path: Path) -> bytes:
        """What a file holds, but never more than a package may have and one byte."""
        with _errors_told(f"read the model {path}"), path.open("rb") as file:
            return file.read(PACKAGE_BYTES_MAX + 1)

    def _unknown(self, name: str, version: str) -> OperatorError:
        known = [f"{entry.name} {entry.version}" for entry in self.list()]
        near = [one for one in known if one.split()[0] == name] or known
        hint = f"there is {', '.join(near[-5:])}" if near else "`model train` makes one"
        called = f"{name} {version}".strip()
        return OperatorError(f"find the model {called}", f"{self.folder} has none", hint)


@contextlib.contextmanager
def _errors_told(tried: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cause = error.strerror or str(error)
        hint = "check the disk, and who may read and write there"
        raise StorageError(tried, cause.lower(), hint) from error
