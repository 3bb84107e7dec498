"""An import that is killed at any moment, beside a running cloud and without one."""

import random
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.cloud.import_home import PROGRAM, T, call, new_home, serving, stored


@pytest.mark.parametrize("is_running", [False, True], ids=["stopped", "running"])
@pytest.mark.campaign
def test_killed_at_any_moment_and_run_again_every_reading_is_there_once(
    tmp_path: Path, is_running: bool
) -> None:
    """Seeded rounds of kill -9, and at the end a run that is let be."""
    home = new_home(tmp_path / "cloud")
    draw = random.Random(5)
    file = home.parent / "big.csv"
    rows = 60_000
    with file.open("w") as out:
        out.write("time," + ",".join("abcdefgh") + "\n")
        for at in range(rows):
            out.write(f"{T + at}," + ",".join(f"{at + n}.25" for n in range(8)) + "\n")
    with serving(home) if is_running else nullcontext():
        killed = 0
        for _ in range(12):
            run = subprocess.Popen([*PROGRAM, "--home", str(home), "import", str(file)])
            try:
                run.wait(draw.uniform(0.5, 4.0))
            except subprocess.TimeoutExpired:
                killed += 1
            run.kill()
            run.wait()
        assert killed
        assert call(home, "import", str(file)) == 0
    assert stored(home) == rows * 8
