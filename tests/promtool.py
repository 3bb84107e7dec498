"""Debian's promtool as a judge of what `/metrics` says."""

import os
import shutil
import subprocess

import pytest

PROMTOOL = shutil.which("promtool")


def check(text: str) -> None:
    """Fail the test with what `promtool check metrics` finds; skip where it is not installed."""
    if PROMTOOL is None:
        why = "promtool is not installed: apt-get install prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, ""), done.stdout + done.stderr
