"""`make deb`: the gateway's package for Debian and Raspberry Pi OS, into dist/.

For arm64 and amd64, or the one that --arch names; either is made on either.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.debian import package
from deploy.debian.wheels import MACHINES, ROOT, BuildError


def main() -> int:
    """Build the packages and print where each is; 1 with a reason where one cannot be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", choices=sorted(MACHINES), action="append")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--level", type=int, default=6, help="of xz: 0 quick to 9 small")
    asked = parser.parse_args()
    if not list((ROOT / "edge/detect/shipped").glob("*.onnx")):
        print("the shipped models are not built: run `make models`", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="tidegate-deb-") as folder:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        (wheel,) = Path(folder).glob("tidegate-*.whl")
        for arch in asked.arch or sorted(MACHINES, reverse=True):
            place = Path(folder) / arch
            place.mkdir()
            try:
                made = package.build(arch, wheel, place, asked.out.absolute(), asked.level)
            except BuildError as error:
                print(f"FAILED: no package for {arch}: {error}", file=sys.stderr)
                return 1
            print(f"{made} ({made.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
