"""The campaign itself: it misses what must not be missing, and leaves nothing behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deploy.demo.broker import mosquitto_path
from tests.crash.conftest import need
from tests.crash.disk import Disk
from tests.crash.mutants import MUTANTS, Mutant, attacked
from tests.crash.site import await_until

pytestmark = [pytest.mark.broker, pytest.mark.campaign, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path) -> None:
    need(mosquitto_path(), "mosquitto")
    disk = Disk(tmp_path / "probe", 16)
    if not disk.mount():
        pytest.skip("a disk can be mounted by root alone")
    disk.remove(None)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_readings_are_lost_where_a_rule_is_missing_and_nowhere_else(mutant: Mutant) -> None:
    campaign = attacked(mutant, rounds=2, seed=1, per_s=1000)
    assert campaign.done or mutant.change, campaign.problem
    assert bool(campaign.verdict.lost) == bool(mutant.change), campaign.problem
    assert campaign.verdict.doubled == []


def test_an_interrupted_campaign_leaves_no_process_no_mount_and_no_folder() -> None:
    folder = Path(tempfile.mkdtemp())
    command = [sys.executable, "-m", "tests.crash.campaign", "--rounds", "500", "--seed", "11"]
    environment = os.environ | {"TMPDIR": str(folder)}
    with (folder / "said").open("w+") as said:
        running = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=said, stderr=said, start_new_session=True
        )
        await_until("rounds pass", lambda: "round 1:" in (folder / "said").read_text(), 120)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 1
    line = json.loads((folder / "said").read_text().splitlines()[-1])
    assert (line["problem"], line["rounds"] >= 1) == ("interrupted", True)
    assert str(folder) not in Path("/proc/mounts").read_text()
    assert list(folder.glob("tidegate*")) == []
    assert _that_name(str(folder)) == []
    shutil.rmtree(folder)


def _that_name(word: str) -> list[str]:
    """Command lines of processes that name something."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in said:
            found.append(said)
    return found
