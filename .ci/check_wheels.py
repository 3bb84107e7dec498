"""Check that the edge installs on a Pi from binary wheels alone: aarch64, Python 3.11 and 3.13.

The pinned `requirements/edge.txt` is resolved as a 64-bit ARM Linux would, with source builds
forbidden. Nothing is installed and, where the index serves metadata, nothing is downloaded.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHONS = ("3.11", "3.13")
# glibc 2.36 (bookworm) accepts every manylinux tag up to it; pip matches the names literally.
GLIBC_MINORS = range(17, 37)


def resolve(python: str) -> list[str]:
    """Names of the wheels that one Python on aarch64 would install.

    Raises:
        CalledProcessError: a requirement has no wheel.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", "--require-hashes"]
        command += ["--ignore-installed", "--target", folder, "--report", str(report)]
        command += ["--implementation", "cp", "--python-version", python]
        command += ["--platform", "linux_aarch64", "--platform", "manylinux2014_aarch64"]
        for minor in reversed(GLIBC_MINORS):
            command += ["--platform", f"manylinux_2_{minor}_aarch64"]
        command += ["-r", str(ROOT / "requirements/edge.txt")]
        subprocess.run(command, check=True)
        installs = json.loads(report.read_text())["install"]
    return [install["download_info"]["url"].rsplit("/", 1)[-1] for install in installs]


def main() -> int:
    """Print what each Python would install; exit 1 when a wheel is missing or not for ARM."""
    for python in PYTHONS:
        try:
            wheels = resolve(python)
        except subprocess.CalledProcessError:
            print(f"FAILED: the edge does not install from wheels on aarch64, Python {python}")
            return 1
        wrong = [w for w in wheels if not w.endswith(("-any.whl", "aarch64.whl"))]
        if wrong or not wheels:
            print(f"FAILED: not a wheel for aarch64, Python {python}: {wrong}")
            return 1
        native = sum(wheel.endswith("aarch64.whl") for wheel in wheels)
        print(f"aarch64, Python {python}: {len(wheels)} wheels, {native} of them native")
    return 0


if __name__ == "__main__":
    sys.exit(main())
