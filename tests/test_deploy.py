"""What is installed on machines: systemd units that systemd itself accepts."""

import inspect
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.agent import STOP_DRAIN_S
from edge.collect import Collect
from edge.detect.apart_wire import Bounds
from edge.ending import AGAIN_S
from edge.ingest_session import SessionIngest
from edge.keys import CREDENTIAL_NAME
from edge.store.store import CLOSE_S
from edge.watchdog import ROUND_S_MAX

ROOT = Path(__file__).parent.parent
EDGE = "tidegate-edge.service"
EXPOSURE_MAX = 15
"""Of 100: `systemd-analyze security` shows a tenth of it."""
NEWER_KEYS = {"RestartSteps": 254, "RestartMaxDelaySec": 254}
"""Keys that Debian 12's systemd (252) does not know and passes over."""
UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        reason = "systemd-analyze is missing; install it: apt-get install -y systemd"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_the_unit(unit: Path, analyze: str, tmp_path: Path) -> None:
    # The command need not be installed here to judge the unit, but systemd wants one that exists.
    text = unit.read_text().replace(
        "ExecStart=/usr/bin/tidegate-", f"ExecStart={tmp_path}/tidegate-"
    )
    for half in ("edge", "cloud"):
        command = tmp_path / f"tidegate-{half}"
        command.write_text("#!/bin/sh\n")
        command.chmod(0o755)
    (tmp_path / unit.name).write_text(text)
    verdict = subprocess.run(
        [analyze, "verify", str(tmp_path / unit.name)], capture_output=True, text=True, check=False
    )
    told = [
        line for line in verdict.stderr.splitlines() if not is_of_a_newer_systemd(line, analyze)
    ]
    assert (verdict.returncode, told) == (0, [])


def is_of_a_newer_systemd(line: str, analyze: str) -> bool:
    """Whether an old systemd says that it passes over what only a newer one knows."""
    said = subprocess.run([analyze, "--version"], capture_output=True, text=True, check=True).stdout
    version = int(said.split()[1])
    return any(version < since and f"'{key}'" in line for key, since in NEWER_KEYS.items())


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_unit_is_exposed_no_more_than_is_promised(unit: Path, analyze: str) -> None:
    # With --offline it judges the file as it is; systemd need not run here.
    asked = ["security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(unit)]
    verdict = subprocess.run([analyze, *asked], capture_output=True, text=True, check=False)
    assert verdict.returncode == 0, verdict.stdout


def lines_of(unit: str) -> list[str]:
    return (ROOT / "deploy/systemd" / unit).read_text().splitlines()


def test_the_gateways_watchdog_leaves_room_for_the_longest_turn_in_good_order() -> None:
    (period,) = [line for line in lines_of(EDGE) if line.startswith("WatchdogSec=")]
    assert int(period.partition("=")[2]) >= 2 * ROUND_S_MAX
    assert "Type=notify" in lines_of(EDGE)


def test_a_stop_has_the_time_that_all_its_steps_may_take() -> None:
    (most,) = [line for line in lines_of(EDGE) if line.startswith("TimeoutStopSec=")]
    calls = (Collect.finish, Collect.stop, SessionIngest.stop)
    steps = [inspect.signature(call).parameters["timeout_s"].default for call in calls]
    assert int(most.partition("=")[2]) >= sum(steps) + STOP_DRAIN_S + AGAIN_S + CLOSE_S


def test_the_gateway_waits_for_a_clock_that_is_set_and_for_no_time_server() -> None:
    text = "\n".join(line for line in lines_of(EDGE) if not line.startswith("#"))
    assert "time-set.target" in text
    assert "time-sync" not in text
    assert "network-online" not in text


def test_the_gateway_has_folders_of_its_own_and_takes_its_key_from_a_store_if_it_is_there() -> None:
    for wanted in (
        "StateDirectory=tidegate-edge", "RuntimeDirectory=tidegate-edge",
        f"LoadCredentialEncrypted={CREDENTIAL_NAME}", "LimitCORE=0",
    ):  # fmt: skip
        assert wanted in lines_of(EDGE)


def test_the_gateway_is_started_again_for_ever_and_never_fast() -> None:
    said = dict(line.split("=", 1) for line in lines_of(EDGE) if "=" in line)
    pause_s, span_s = int(said["RestartSec"]), int(said["StartLimitIntervalSec"])
    assert said["Restart"] == "always"
    assert pause_s >= 5
    assert span_s / pause_s < int(said["StartLimitBurst"])  # its own pace never meets the limit
    assert "RestartSteps" in said


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_unit_holds_no_privilege(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    for wanted in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="):
        assert wanted in lines


def test_a_model_that_the_kernel_ends_for_memory_ends_nothing_else_of_the_gateways_unit() -> None:
    said = dict(
        line.split("=", 1)
        for line in (ROOT / "deploy/systemd/tidegate-edge.service").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    assert said["OOMPolicy"] == "continue", "by itself systemd stops the whole unit"
    assert said["KillMode"] == "mixed", "the agent ends models; none dies before it"
    room = int(said["MemoryMax"].removesuffix("M")) << 20
    assert room >= (160 << 20) + Bounds().memory_bytes, "an agent, and a candidate beside it"


def test_there_is_a_unit_for_each_half() -> None:
    assert [unit.stem for unit in UNITS] == ["tidegate-cloud", "tidegate-edge"]
