"""The pinned wheels of a gateway, unpacked for a machine that need not be this one.

Nothing of them runs here, so a package for arm64 is made on amd64 without emulation. What is the
same for every Python (pure packages, and native ones of the stable ABI) is kept once.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
PINS: Final = ROOT / "requirements" / "edge.txt"
PYTHONS: Final = ("3.11", "3.13")
"""Of Debian bookworm and trixie, and of Raspberry Pi OS, which is built on them."""
MACHINES: Final = {"arm64": "aarch64", "amd64": "x86_64"}
"""Debian's name of an architecture: that of wheels and of the kernel."""
GLIBC: Final = "2_36"
"""That of bookworm, the older of the two."""
NOT_NEEDED: Final = (
    "pip", "pip-*.dist-info", "bin", ".*", "**/tests", "numpy/f2py",
    "onnxruntime/tools", "onnxruntime/transformers", "onnxruntime/quantization",
    "onnxruntime/datasets", "onnxruntime/capi/libonnxruntime.so*",
    "apsw/sqlite_extra_binaries", "zstandard/_cffi*.so",
)  # fmt: skip
"""What wheels bring for those who build with them, and twins of native code that Python does not
load; the gateway imports none of it."""


class BuildError(Exception):
    """Why there is no package: one line, for whoever built it."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where Python finds packages: ``common`` for any, ``own`` by version ("3.11")."""

    common: Path
    own: dict[str, Path]


def unpack(arch: str, place: Path) -> Site:
    """Unpack the pinned wheels for one architecture into ``place``, which must not be there.

    Raises:
        BuildError: a pin that has no wheel for it, or a hash that does not fit.
    """
    own = {one: place / "lib" / f"python{one}" / "site-packages" for one in PYTHONS}
    site = Site(place / "common", own)
    for version, folder in site.own.items():
        _install(arch, version, folder)
        _drop(folder)
    site.common.mkdir()
    first, *others = site.own.values()
    for record in sorted(first.glob("*.dist-info/RECORD")):
        twins = [folder / record.relative_to(first) for folder in others]
        if all(twin.is_file() and twin.read_bytes() == record.read_bytes() for twin in twins):
            _move(record, first, site.common)
            for folder in others:
                _remove(record.relative_to(first), folder)
    return site


def add(wheel: Path, folder: Path, keep: tuple[str, ...]) -> None:
    """Unpack our own wheel into ``folder``: of its packages only those in ``keep``."""
    shutil.unpack_archive(wheel, folder / ".wheel", "zip")
    (made,) = (folder / ".wheel").glob("*.dist-info")
    (made / "RECORD").unlink()  # it lists what is left out
    for part in (*keep, made.name):
        (folder / ".wheel" / part).rename(folder / part)
    shutil.rmtree(folder / ".wheel")


def _install(arch: str, version: str, folder: Path) -> None:
    command = [Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--no-deps"]
    command += ["--target", folder, "--link-mode", "copy", "--require-hashes"]
    command += ["--only-binary", ":all:", "--python-version", version]
    command += ["--python-platform", f"{MACHINES[arch]}-manylinux_{GLIBC}", "-r", PINS]
    done = subprocess.run([str(word) for word in command], check=False, stderr=subprocess.PIPE)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise BuildError(f"the pins do not install for {arch}, Python {version}:\n{said}")


def _drop(folder: Path) -> None:
    for found in [path for glob in NOT_NEEDED for path in folder.glob(glob)]:
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink(missing_ok=True)


def _move(record: Path, source: Path, target: Path) -> None:
    for name in _files(record):
        if (source / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).rename(target / name)
    _sweep(source)


def _remove(record: Path, folder: Path) -> None:
    for name in _files(folder / record):
        (folder / name).unlink(missing_ok=True)
    _sweep(folder)


def _files(record: Path) -> list[str]:
    """Names in a wheel's RECORD (PEP 376): a line a file, its name before the first comma."""
    lines = record.read_text(encoding="utf-8").splitlines()
    return [line.partition(",")[0].strip('"') for line in lines if not line.startswith("../")]


def _sweep(folder: Path) -> None:
    """Remove the folders that are empty by now."""
    for found in sorted(folder.rglob("*"), reverse=True):
        if found.is_dir() and not any(found.iterdir()):
            found.rmdir()
