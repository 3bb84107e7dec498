"""Debian's promtool as a judge of what `/metrics` says, and as a client of the Prometheus API."""

import os
import shutil
import subprocess

import pytest

PROMTOOL = shutil.which("promtool")


def check(text: str) -> None:
    """Fail the test with what `promtool check metrics` finds; skip where it is not installed."""
    done = run("check", "metrics", given=text)
    assert (done.returncode, done.stdout + done.stderr) == (0, ""), done.stdout + done.stderr


def run(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """What promtool says, given some input; the test is skipped where it is not installed."""
    if PROMTOOL is None:
        why = "promtool is not installed: apt-get install -y --no-install-recommends prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    return subprocess.run(
        [PROMTOOL, *arguments], input=given, capture_output=True, text=True, timeout=60
    )
