"""`make test-pi`: docs/guide/pi.md tried from the first command to the last, on arm64.

On any Linux, as root: Debian bookworm and trixie under emulation, a cloud outside. On a real Pi:
`python3 -m tests.pi --here --token LINE` types the guide there, with the package in the home
folder, and measures; no cloud is touched but the one of the token.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.pi import here
from tests.pi.tally import Tally, say

ROOT = Path(__file__).parent.parent.parent
SUITES = ("bookworm", "trixie")
FIRST = ("1.", "2.", "3.", "4.", "5.", "6.")
SECOND, THIRD = "7.", "Without"
"""What follows the years, and what needs no package."""
NEWER = "newer.deb"


def main() -> int:
    """Run what was asked for; 0 only if everything held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", choices=SUITES, action="append")
    parser.add_argument("--deb", type=Path, help="the package; without it one is built")
    parser.add_argument("--here", action="store_true", help="this machine is the Pi")
    parser.add_argument("--token", default="", help="the line of `tidegate-cloud token create`")
    asked = parser.parse_args()
    tally = Tally()
    if asked.here:
        here.follow(tally, asked.token)
        return tally.end()
    from tests.pi import root

    try:
        root.ready()
        with tempfile.TemporaryDirectory(prefix="tidegate-pi-") as folder:
            files = built(Path(folder), asked.deb)
            for suite in asked.suite or SUITES:
                tally.suite = suite
                emulated(root.EmulatedPi(suite), files, Path(folder) / suite, tally)
    except root.NotHereError as error:
        say(f"no Pi can be emulated here: {error}")
        return 2
    return tally.end()


def built(folder: Path, deb: Path | None) -> tuple[Path, Path, Path]:
    """The package, one like it with a higher version, and the wheel."""
    python = [sys.executable, "-m"]
    made = folder / "made"
    wheel = [*python, "hatchling", "build", "-t", "wheel", "-d", str(made)]
    subprocess.run(
        wheel, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    if deb is None:
        say("building the package …")
        words = ["deploy.debian", "--arch", "arm64", "--level", "1", "--out", str(made)]
        subprocess.run([*python, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        (deb,) = made.glob("*_arm64.deb")
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "-R", str(deb), str(tree)], check=True)
    for name in ("control", "preinst"):
        text = (tree / "DEBIAN" / name).read_text()
        (tree / "DEBIAN" / name).write_text(text.replace("0.1.0-1", "0.1.0-2"))
    newer = folder / NEWER
    pack = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(newer)]
    subprocess.run(pack, check=True, stdout=subprocess.DEVNULL)
    (wheel_file,) = made.glob("*.whl")
    return deb, newer, wheel_file


def emulated(pi: object, files: tuple[Path, Path, Path], folder: Path, tally: Tally) -> None:
    """The whole story on one suite."""
    from tests.pi import root, story
    from tests.pi.outside import Cloud

    assert isinstance(pi, root.EmulatedPi)
    folder.mkdir()
    deb, newer, wheel = files
    for file, name in ((deb, deb.name), (newer, NEWER), (wheel, wheel.name)):
        pi.bring(file, name)
    say(f"\n== {tally.suite}, arm64")
    cloud = Cloud(folder)
    try:
        cloud.prepare()
        cloud.start()
        pi.switch_on()
        told = story.Story(pi, tally, cloud)
        story.refuse_a_cpu(told, deb)
        told.follow(*FIRST)
        story.lose_nothing(told, cloud, pi)
        told.follow(SECOND)
        story.newer_and_older(told, NEWER, deb.name)
        story.compile_for_a_new_python(told)
        told.follow(THIRD)
        tally.print_waits()
    finally:
        pi.cut_power()
        cloud.stop()


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - on a Pi whoever calls it has what he has
        sys.exit("this needs Python 3.11 or newer")
    os.chdir(ROOT)
    for ended in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ended, lambda *_: sys.exit(130))  # what was started is ended on the way out
    sys.exit(main())
