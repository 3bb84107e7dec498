"""One effective configuration, with a real agent: the file, what runs, what a restart changes."""

import json
from typing import Any

import pytest

from deploy.demo.stack import Stack, run

pytestmark = pytest.mark.broker


def shown(stack: Stack) -> dict[str, Any]:
    home = str(stack.home("edge"))
    said = json.loads(run("tidegate-edge", "--home", home, "config", "show", "--json"))
    return {row["key"]: row for row in said["settings"]}


def test_a_changed_file_is_told_until_the_agent_was_restarted(stack: Stack) -> None:
    assert stack.edge_status()["settings_changed"] == []
    path = stack.home("edge") / "edge.toml"
    path.write_text(path.read_text() + "\n[ingest]\nlinger_ms_max = 100\n")
    assert stack.edge_status()["settings_changed"] == ["ingest.linger_ms_max"]
    row = shown(stack)["ingest.linger_ms_max"]
    assert (row["value"], row["origin"], row["runs_with"]) == (100, "file", 250)
    stack.edge.stop()
    stack.start_edge()
    assert stack.edge_status()["settings_changed"] == []
    assert shown(stack)["ingest.linger_ms_max"]["runs_with"] is None
