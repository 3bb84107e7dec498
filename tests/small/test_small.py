"""The agent under a hard limit of memory; `make small` has a month of readings for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from protos.limits import MIB
from tests.small.agent import Small
from tests.small.hard_limit import hard_limit

TOUCH = "x = bytearray({size}); x[::4096] = b'1' * len(x[::4096])"


def test_who_takes_more_than_the_limit_is_killed_and_that_is_counted() -> None:
    with hard_limit(64 * MIB) as group:
        if group is None:
            pytest.skip("no control group with a limit of memory can be made here")
        ends = []
        for size in (16 * MIB, 128 * MIB):
            shell = f'echo $$ > "{group.members}" && exec "$@"'
            program = [sys.executable, "-c", TOUCH.format(size=size)]
            done = subprocess.run(["/bin/sh", "-c", shell, "one", *program], check=False)
            ends.append(done.returncode)
        assert ends == [0, -9]
        assert group.kills == 1
        assert 16 * MIB < group.peak_bytes <= 64 * MIB


@pytest.mark.campaign
@pytest.mark.broker
def test_a_backlog_drains_under_a_hard_limit_with_a_model_loaded(tmp_path: Path) -> None:
    small = Small(tmp_path, readings=1_000_000, days=0.5, limit_mb=160)
    try:
        figures = small.run()
    except RuntimeError as error:
        pytest.skip(str(error))
    assert not small.faults, figures
