"""One package: the tree of its files as they will lie on the machine, and the `.deb` of it.

Everything is made from what is pinned, and files have the time of the changelog's last entry, so
the same sources give the same bytes.
"""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Final

from deploy.debian import manual, native, wheels
from deploy.debian.wheels import PYTHONS, ROOT, BuildError, Site

NAME: Final = "tidegate-edge"
SITE: Final = Path("usr/lib/tidegate")
FILES: Final = Path(__file__).parent / "files"
SCRIPTS: Final = ("preinst", "postinst", "prerm", "postrm")
OURS: Final = ("edge", "protos")
"""Of our wheel; the cloud is no part of a gateway."""
CPU: Final = {
    "arm64": ("Features", "asimd"),
    "amd64": ("flags", "ssse3 sse4_1 sse4_2 popcnt"),
}
"""The list in /proc/cpuinfo, and what must be in it: ARMv8-A, and x86-64-v2 of the psABI."""
WAY_OUT: Final = {
    "arm64": "use a Raspberry Pi 3, 4, 5 or Zero 2, or another ARMv8 machine",
    "amd64": "use a machine whose CPU is of 2009 or later (x86-64-v2)",
}
CPUINFO: Final = Path("/proc/cpuinfo")
_ENTRY = re.compile(rf"{NAME} \(([^)]+)\) .*?\n -- (.+?>)  (.+?)\n", re.DOTALL)
_CONTROL = """\
Package: {name}
Version: {version}
Architecture: {arch}
Maintainer: {maintainer}
Installed-Size: {kib}
Depends: {depends}
Recommends: mosquitto
Section: net
Priority: optional
Description: gateway for sensors: MQTT in, anomalies found, nothing lost
 Tidegate takes what sensors publish by MQTT, finds anomalies where they arise,
 keeps everything in an encrypted buffer, and brings it to a cloud that makes
 history of it. Pull the plug at any moment: what was acknowledged is kept.
 .
 This is the agent that runs beside the sensors, with an environment of its own
 for Python {pythons}.
"""


@dataclass(frozen=True, slots=True)
class Release:
    """What the changelog's first entry says; ``made`` is its time."""

    version: str
    maintainer: str
    made: datetime


def release() -> Release:
    """Read the changelog.

    Raises:
        BuildError: it has no entry.
    """
    found = _ENTRY.match((FILES / "changelog").read_text(encoding="utf-8"))
    if found is None:
        raise BuildError("the changelog does not begin with an entry of tidegate-edge")
    made = parsedate_to_datetime(found[3]).astimezone(UTC)
    return Release(found[1], found[2], made)


def build(arch: str, wheel: Path, place: Path, out: Path, level: int = 6) -> Path:
    """Make the package for one architecture of our wheel, in the empty folder ``place``.

    ``level`` is xz's: 6 makes it small in minutes, 0 in seconds, for a test.

    Raises:
        BuildError: it cannot be made, or would not run there.
    """
    told = release()
    if not told.version.startswith(f"{wheel.name.split('-')[1]}-"):
        raise BuildError(f"{wheel.name} is not of the changelog's version {told.version}")
    site = wheels.unpack(arch, place / SITE)
    wheels.add(wheel, site.common, OURS)
    packages = native.depends(place / SITE, arch)
    _environment(place, site)
    _system(place, told, site)
    control = place / "DEBIAN"
    control.mkdir()
    for name in SCRIPTS:
        _write(control / name, script(name, arch, told), 0o755)
    _settle(place, told.made)
    _write(control / "conffiles", "/etc/default/tidegate-edge\n")
    _write(control / "md5sums", "".join(_sums(place)))
    _write(control / "control", _control(place, arch, told, packages))
    target = out / f"{NAME}_{told.version}_{arch}.deb"
    out.mkdir(exist_ok=True)
    _pack(place, target, told.made, level)
    return target


def _environment(place: Path, site: Site) -> None:
    """An environment as `venv` makes them, for whichever Python of ours is the machine's."""
    root = place / SITE
    _write(root / "pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\n")
    (root / "bin").mkdir()
    (root / "bin/python3").symlink_to("../../../bin/python3")
    for folder in site.own.values():
        _write(folder / "common.pth", os.path.relpath(site.common, folder) + "\n")
    starter = (FILES / "start.py").read_text(encoding="utf-8")
    _write(root / "start.py", starter.replace("@PYTHONS@", " and ".join(PYTHONS)))


def _system(place: Path, told: Release, site: Site) -> None:
    """Command, unit, conffile, hook of Python's upgrades, manual and what is known of licences."""
    unit = f"usr/lib/systemd/system/{NAME}.service"
    _copy(FILES / NAME, place / "usr/bin" / NAME, 0o755)
    _copy(ROOT / "deploy/systemd" / f"{NAME}.service", place / unit)
    _copy(FILES / "only-when-set-up.conf", place / f"{unit}.d/only-when-set-up.conf")
    _copy(FILES / "default", place / "etc/default" / NAME)
    _copy(FILES / "rtupdate", place / f"usr/share/python3/runtime.d/{NAME}.rtupdate", 0o755)
    _copy(FILES / "lintian-overrides", place / "usr/share/lintian/overrides" / NAME)
    shared = place / "usr/share/doc" / NAME
    text = (FILES / "copyright").read_text(encoding="utf-8")
    _write(shared / "copyright", text.replace("@WHEELS@", "\n".join(_licences(site))))
    _squeeze(shared / "changelog.Debian.gz", (FILES / "changelog").read_bytes())
    page = manual.page(told.version, told.made.date())
    _squeeze(place / f"usr/share/man/man1/{NAME}.1.gz", page.encode())


def _licences(site: Site) -> Iterator[str]:
    """A line for each wheel that is in the package: its name, version and licence."""
    folders = [site.common, next(iter(site.own.values()))]
    found = [PathDistribution(one) for place in folders for one in place.glob("*.dist-info")]
    for wheel in sorted(found, key=lambda one: one.metadata["Name"].lower()):
        about = wheel.metadata
        named = about["License-Expression"] or about["License"] or "see its folder"
        if about["Name"] != "tidegate":
            yield f"  {about['Name']} {about['Version']}: {named.splitlines()[0]}"


def script(name: str, arch: str, told: Release, cpuinfo: Path = CPUINFO) -> str:
    """One of the scripts that dpkg calls, for one architecture."""
    listed, needs = CPU[arch]
    values = {"VERSION": told.version, "CPUINFO": str(cpuinfo), "CPU_LIST": listed}
    values |= {"CPU_NEEDS": needs, "CPU_WAY_OUT": WAY_OUT[arch]}
    text = (FILES / name).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def _control(place: Path, arch: str, told: Release, packages: list[str]) -> str:
    depends = ["adduser", "init-system-helpers (>= 1.54)", *packages]
    depends[depends.index("libc6")] = f"libc6 (>= {wheels.GLIBC.replace('_', '.')})"
    major, minor = map(int, PYTHONS[-1].split("."))
    depends += [f"python3 (>= {PYTHONS[0]})", f"python3 (<< {major}.{minor + 1})"]
    depends += [" | ".join(f"python{one}" for one in PYTHONS)]
    kib = sum(-(-path.lstat().st_size // 1024) for path, _ in _tree(place))
    return _CONTROL.format(
        name=NAME, version=told.version, arch=arch, maintainer=told.maintainer, kib=kib,
        depends=", ".join(depends), pythons=" and ".join(PYTHONS),
    )  # fmt: skip


def _settle(place: Path, made: datetime) -> None:
    """Modes as Debian has them, and one time for all, whatever the builder's are."""
    for path in [place, *place.rglob("*")]:
        if not path.is_symlink():
            runs = path.stat().st_mode & 0o100 and place / SITE not in path.parents
            path.chmod(0o755 if runs or path.is_dir() else 0o644)
        os.utime(path, (made.timestamp(),) * 2, follow_symlinks=False)


def _tree(place: Path) -> Iterator[tuple[Path, str]]:
    """Every file that will be on the machine, with its name there."""
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if not path.is_dir() and not name.startswith("DEBIAN/"):
            yield path, name


def _sums(place: Path) -> Iterator[str]:
    for path, name in _tree(place):
        if not path.is_symlink():
            with path.open("rb") as file:
                yield f"{hashlib.file_digest(file, 'md5').hexdigest()}  {name}\n"


def _pack(place: Path, target: Path, made: datetime, level: int) -> None:
    builder = shutil.which("dpkg-deb")
    if builder is None:
        raise BuildError("there is no dpkg-deb here; on Debian: apt-get install -y dpkg")
    command = [builder, "--root-owner-group", "-Zxz", f"-z{level}", "--build", place, target]
    epoch = {"SOURCE_DATE_EPOCH": str(int(made.timestamp()))}
    done = subprocess.run(command, check=False, capture_output=True, env=os.environ | epoch)
    if done.returncode:
        raise BuildError(f"dpkg-deb: {done.stderr.decode(errors='replace').strip()}")


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _copy(source: Path, target: Path, mode: int = 0o644) -> None:
    _write(target, source.read_text(encoding="utf-8"), mode)


def _squeeze(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, 9, mtime=0))
