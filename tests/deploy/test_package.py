"""The gateway's Debian package: what its scripts refuse, what is in it, and that it runs."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.debian import manual, package
from deploy.debian.wheels import MACHINES, PYTHONS, ROOT
from edge.cli import VERBS

CPUS = {
    "arm64": ("Features\t: fp asimd evtstrm crc32\n", "Features\t: fp evtstrm\n"),
    "amd64": ("flags\t\t: sse2 ssse3 sse4_1 sse4_2 popcnt\n", "flags\t\t: sse2 ssse3 popcnt\n"),
}


def preinst(folder: Path, arch: str, cpu: str, *arguments: str) -> tuple[int, str]:
    """What dpkg gets of the script that runs before anything is unpacked."""
    (folder / "cpuinfo").write_text(f"processor\t: 0\n{cpu}")
    text = package.script("preinst", arch, package.release(), folder / "cpuinfo")
    ended = subprocess.run(
        ["sh", "-c", text, "preinst", *arguments], capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("arch", MACHINES)
def test_a_cpu_of_today_is_welcome_and_a_list_of_another_says_nothing(
    tmp_path: Path, arch: str
) -> None:
    for cpu in (CPUS[arch][0], "vendor_id\t: Emulated\n"):
        assert preinst(tmp_path, arch, cpu, "install") == (0, "")


@pytest.mark.parametrize(("arch", "lacks"), [("arm64", "asimd"), ("amd64", "sse4_1")])
def test_a_cpu_without_support_is_refused_before_anything_is_unpacked(
    tmp_path: Path, arch: str, lacks: str
) -> None:
    code, told = preinst(tmp_path, arch, CPUS[arch][1], "install")
    assert code == 1
    assert f"this CPU lacks {lacks}" in told
    assert "to do: use a" in told


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("install",), 0),
        (("upgrade", "0.0.1-1"), 0),
        (("upgrade", "99.0-1"), 1),
        (("install", "99.0-1"), 1),  # removed, and its home kept
        (("abort-upgrade", "99.0-1"), 0),
    ],
)
def test_an_older_version_does_not_follow_a_newer_one(
    tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    ended, told = preinst(tmp_path, "arm64", CPUS["arm64"][0], *arguments)
    assert ended == code
    assert ("99.0-1 was installed here" in told) == (code == 1)


@pytest.mark.parametrize("name", package.SCRIPTS)
def test_no_script_keeps_a_place_that_was_not_filled(name: str) -> None:
    text = package.script(name, "arm64", package.release())
    assert "@" not in text.replace('"$@"', "")
    assert subprocess.run(["sh", "-n", "-c", text], check=False).returncode == 0


def test_the_changelog_begins_with_the_version_of_the_sources() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert package.release().version.startswith(f"{version}-")


def test_package_and_unit_speak_of_one_user_and_one_home() -> None:
    unit = (ROOT / "deploy/systemd/tidegate-edge.service").read_text().splitlines()
    for name in (package.NAME, "postinst"):
        text = (package.FILES / name).read_text()
        assert "user=tidegate-edge\n" in text
        assert "home=/var/lib/tidegate-edge\n" in text
    assert "User=tidegate-edge" in unit
    assert "StateDirectory=tidegate-edge" in unit
    assert "ExecStart=/usr/bin/tidegate-edge run" in unit


def test_the_manual_has_every_verb() -> None:
    text = manual.page("0.1.0-1", package.release().made.date())
    for verb in VERBS:
        assert f"\n.B {verb}\n" in text


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (made,) = place.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def made(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for a Pi, built on whatever this is."""
    place = tmp_path_factory.mktemp("package")
    return package.build("arm64", wheel, place, tmp_path_factory.mktemp("out"), 0)


@pytest.mark.campaign
def test_the_same_sources_give_the_same_bytes(made: Path, wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    again = package.build("arm64", wheel, tmp_path / "tree", tmp_path / "out", 0)
    assert again.read_bytes() == made.read_bytes()


@pytest.mark.campaign
def test_lintian_finds_nothing(made: Path) -> None:
    lintian = shutil.which("lintian")
    if lintian is None:
        reason = "lintian is missing; install it: apt-get install -y lintian"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    command = [lintian, "--fail-on", "error,warning", "--allow-root", str(made)]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (judged.returncode, judged.stdout) == (0, "")


@pytest.mark.campaign
def test_a_package_for_another_machine_is_refused_by_dpkg_with_both_names(made: Path) -> None:
    here = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    if here == "arm64":
        pytest.skip("it is for this machine")
    ended = subprocess.run(
        ["dpkg", "--dry-run", "-i", str(made)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert f"package architecture (arm64) does not match system ({here})" in ended.stderr


@pytest.mark.campaign
def test_what_is_unpacked_runs_in_its_own_environment(wheel: Path, tmp_path: Path) -> None:
    if f"{sys.version_info.major}.{sys.version_info.minor}" not in PYTHONS:
        pytest.skip("the package is for the Pythons of Debian")
    arch = {machine: arch for arch, machine in MACHINES.items()}[os.uname().machine]
    (tmp_path / "tree").mkdir()
    made = package.build(arch, wheel, tmp_path / "tree", tmp_path, 0)
    root = tmp_path / "root"
    subprocess.run(["dpkg-deb", "-x", str(made), str(root)], check=True)
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}"
    (root / "usr/bin/python3").symlink_to(base)
    site = root / "usr/lib/tidegate"
    (site / "pyvenv.cfg").write_text(f"home = {root}/usr/bin\n")
    command = [site / "bin/python3", "-I", site / "start.py", "--home", tmp_path / "edge"]
    for verb in ("init", "status", "model"):
        words = [*map(str, command), verb, *(["list"] if verb == "model" else [])]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert not (site / "common/cloud").exists()
