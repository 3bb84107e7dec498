"""Messages that could not be read: shown on request, and told in the log without flooding it."""

import asyncio
import json
import logging
from pathlib import Path

import pytest

from edge.chunk import Reject
from edge.cli import console
from edge.config import FILE_NAME
from edge.control import Control
from edge.rejected import PAYLOAD_BYTES_SHOWN, TELL_S, RejectLog, shown
from protos.console import OUR_FAULT

AT_US = 1_700_000_000_000_000
HOSTILE = Reject(AT_US, "a/\x1b[2J", b"\x1b]0;owned\x07" + b"x" * 500, "no \x00 JSON")
TORN = Reject(AT_US + 1, "plant/pump", b"{torn", "JSON ends in the middle")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / FILE_NAME).write_text('[gateway]\nname = "pump-1"\n')
    return tmp_path


async def asked(home: Path, *arguments: str, rejects: tuple[Reject, ...] = (TORN, HOSTILE)) -> int:
    async def answer() -> object:
        return shown(enumerate(rejects, 1))

    async with Control(home / "run" / "control.sock", {"rejects": answer}):
        call = console().call
        return await asyncio.to_thread(call, ["--home", str(home), "rejects", *arguments])


async def test_a_reject_is_shown_with_time_topic_reason_and_payload(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asked(home, "--limit", "1") == 0
    assert capsys.readouterr().out == (
        "2023-11-14T22:13:20.000+00:00  plant/pump  (no. 1)\n"
        "    JSON ends in the middle\n    {torn\n"
    )


async def test_no_reject_commands_the_terminal(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asked(home) == 0
    told = capsys.readouterr().out
    assert r"a/\x1b[2J" in told
    assert r"\x1b]0;owned\x07xxx" in told
    assert "…" in told
    assert not set(told) & set("\x00\x07\x1b")


async def test_rejects_are_one_json_object_a_line(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asked(home, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["at"], line["topic"]) for line in lines] == [
        (AT_US + 1, "plant/pump"), (AT_US, r"a/\x1b[2J")]  # fmt: skip
    assert lines[1]["cut"]
    assert lines[1]["payload"].count("x") < PAYLOAD_BYTES_SHOWN


async def test_without_rejects_that_is_said_beside_the_output(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asked(home, rejects=()) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "every message so far could be read\n")


def test_without_an_agent_the_way_out_is_told(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = console().call(["--home", str(home), "rejects"])
    assert code not in (0, OUR_FAULT)
    assert "tidegate-edge run" in capsys.readouterr().err


def test_the_log_tells_the_first_reject_at_once_and_then_one_line_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now_s = [1000.0]
    told = RejectLog(lambda: now_s[0])
    with caplog.at_level(logging.WARNING):
        told.add(())
        assert caplog.messages == []
        told.add((HOSTILE,))
        for _ in range(1500):
            told.add((HOSTILE, TORN))
        assert len(caplog.messages) == 1
        now_s[0] += TELL_S
        told.add(())
        now_s[0] += TELL_S
        told.add(())
    first, second = caplog.messages
    assert first.startswith("1 message could not be read, the last on a/\\x1b[2J: no \\x00 JSON;")
    assert second.startswith("3,000 messages could not be read, the last on plant/pump: JSON ends")
    assert "`tidegate-edge rejects` shows them" in second
