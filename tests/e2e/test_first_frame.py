"""Somebody with only the README comes from the demo to a frame of the last hour in five minutes."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tidegate
from deploy.demo.broker import free_port
from deploy.demo.stack import wait_until

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 300
ADDRESS = "8460"
"""The port that the README names; the test has one of its own instead."""


def blocks() -> list[str]:
    """What the README says to type, block by block."""
    text = (ROOT / "README.md").read_text()
    section = text.partition("### From the demo to a frame\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.+?)^```$", section, flags=re.MULTILINE | re.DOTALL)


def test_make_demo_is_what_is_run_here() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^demo: setup .*\n\t@\$\(PY\) -m deploy\.demo$", makefile, re.MULTILINE)
    assert blocks()[0] == f"DEMO_PORT={ADDRESS} make demo\n"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The demo as the README starts it, on a port of its own."""
    port, log = free_port(), tmp_path / "demo.log"
    with log.open("w") as words:
        demo = subprocess.Popen(
            [sys.executable, "-m", "deploy.demo"], cwd=ROOT, stdout=words, stderr=words,
            env={**os.environ, "DEMO_PORT": str(port), "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )  # fmt: skip

    def is_open() -> bool:
        assert demo.poll() is None, log.read_text()
        return f"open  http://127.0.0.1:{port}" in log.read_text()

    try:
        wait_until("the demo says where it is", is_open, 120)
        yield port
    finally:
        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=60) == 0, log.read_text()


def test_from_the_demo_to_a_frame_with_the_very_commands_of_the_readme(port: int) -> None:
    began = time.monotonic()
    cloud = tidegate.connect(f"http://127.0.0.1:{port}")
    bays = cloud.series("climate/temperature")
    wait_until("every bay was heard", lambda: len(list(bays.rows())) == 10)
    before = cloud.history(bays, "-1h").to_polars().height
    typed = blocks()[1].replace(f":{ADDRESS}", f":{port}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", typed], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'cloud/client'}"},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows, columns = map(int, re.search(r"shape: \(([0-9_,]+), (\d+)\)", done.stdout).groups())  # type: ignore[union-attr]
    assert rows >= before > 0
    assert columns == len(cloud.history(bays, 0, 1).to_polars().columns)
    assert re.search(r"\d+ rows x 11 columns", done.stdout), done.stdout
    assert time.monotonic() - began < SECONDS_MAX
