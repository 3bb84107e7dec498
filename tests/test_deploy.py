"""What is installed on machines: systemd units that systemd itself accepts."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.detect.apart_wire import Bounds

ROOT = Path(__file__).parent.parent
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
    assert (verdict.returncode, verdict.stderr) == (0, "")


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
