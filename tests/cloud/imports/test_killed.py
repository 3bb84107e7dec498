"""An import that is killed at any moment, or whose cloud is: every reading is there once."""

import random
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.cloud.imports.import_home import PROGRAM, T, call, new_home, serving, started, stored

pytestmark = pytest.mark.campaign

METRICS = "abcdefgh"


def file_of(path: Path, first: int, rows: int) -> Path:
    with path.open("w") as out:
        out.write("time," + ",".join(METRICS) + "\n")
        for at in range(first, first + rows):
            out.write(f"{T + at}," + ",".join(f"{at + n}.25" for n in range(8)) + "\n")
    return path


def importing(home: Path, *files: Path) -> "subprocess.Popen[bytes]":
    arguments = ["import", "--device", "one", *map(str, files)]
    return subprocess.Popen([*PROGRAM, "--home", str(home), *arguments], stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("is_running", [False, True], ids=["stopped", "running"])
def test_killed_at_any_moment_and_run_again_every_reading_is_there_once(
    tmp_path: Path, is_running: bool
) -> None:
    """Seeded rounds of kill -9, each over a file that overlaps those before; then a whole run."""
    home = new_home(tmp_path / "cloud")
    draw, rows, step = random.Random(5), 60_000, 10_000
    files = [file_of(tmp_path / f"{n}.csv", n * step, rows) for n in range(12)]
    with serving(home) if is_running else nullcontext():
        killed = 0
        for number in range(len(files)):
            run = importing(home, *files[: number + 1])
            try:
                run.wait(draw.uniform(0.8, 4.0))
            except subprocess.TimeoutExpired:
                killed += 1
            run.kill()
            run.wait()
        assert killed
        assert call(home, "import", "--device", "one", *map(str, files)) == 0
    assert stored(home) == (rows + step * (len(files) - 1)) * len(METRICS)


def test_an_import_outlives_a_cloud_that_is_killed_under_it(tmp_path: Path) -> None:
    home = new_home(tmp_path / "cloud")
    draw, rows = random.Random(6), 150_000
    file = file_of(tmp_path / "big.csv", 0, rows)
    cloud = started(home)
    try:
        run = importing(home, file)
        for _ in range(3):
            try:
                run.wait(draw.uniform(1.5, 3.0))
                break
            except subprocess.TimeoutExpired:
                cloud.kill()
                cloud.wait()
                cloud = started(home)
        assert run.wait(240) == 0
    finally:
        cloud.terminate()
        cloud.wait(60)
    assert stored(home) == rows * len(METRICS)
