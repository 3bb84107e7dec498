"""The agent's socket: for its owner alone, bounded, and one agent a home."""

import asyncio
import contextlib
import os
import socket
from pathlib import Path

import pytest

from edge.control import CALLERS_MAX, REQUEST_BYTES_MAX, Control, ask, sole_agent
from edge.errors import OperatorError, PeerError, StorageError, UnreachableError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "control.sock"


async def three_rows() -> object:
    return {"rows": 3}


async def nothing() -> object:
    return {}


async def asked(path: Path, question: str = "status") -> bytes:
    return await asyncio.to_thread(ask, path, question)


async def test_a_question_is_answered(path: Path) -> None:
    async with Control(path, {"status": three_rows}):
        assert await asked(path) == b'{"rows":3}\n'
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.exists()


async def test_an_unknown_question_is_refused_by_name(path: Path) -> None:
    async with Control(path, {"status": nothing}):
        with pytest.raises(PeerError, match="'frob' is not answered here"):
            await asked(path, "frob")


async def test_an_answer_that_fails_is_told_and_the_agent_goes_on(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def storage() -> object:
        raise StorageError("read the buffer", "it is damaged")

    async def bug() -> object:
        raise ZeroDivisionError

    async with Control(path, {"storage": storage, "bug": bug, "status": nothing}):
        with pytest.raises(PeerError, match="could not read the buffer: it is damaged"):
            await asked(path, "storage")
        with pytest.raises(PeerError, match="our fault: ZeroDivisionError"):
            await asked(path, "bug")
        assert await asked(path) == b"{}\n"
    assert "ZeroDivisionError" in caplog.text


async def test_a_home_however_deep_has_a_socket(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120) / ("y" * 120) / "control.sock"
    async with Control(path, {"status": nothing}):
        assert await asked(path) == b"{}\n"


async def test_no_agent_is_told_as_no_agent(path: Path) -> None:
    with pytest.raises(UnreachableError, match="no agent is running"):
        await asked(path)
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    with pytest.raises(UnreachableError, match="no agent is running"):
        await asked(path)


async def test_a_socket_left_by_a_killed_agent_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    async with Control(path, {"status": nothing}):
        assert await asked(path) == b"{}\n"


def test_two_agents_do_not_share_a_home(path: Path) -> None:
    with sole_agent(path), pytest.raises(OperatorError, match="another agent"), sole_agent(path):
        pass
    with sole_agent(path):
        assert path.with_name("agent.lock").stat().st_mode & 0o777 == 0o600


def test_a_lock_left_by_a_killed_agent_holds_nobody_up(path: Path) -> None:
    path.parent.mkdir()
    path.with_name("agent.lock").touch()
    with sole_agent(path):
        pass


@pytest.mark.parametrize(
    "line", [b"\n", b"junk\n", b"[]\n", b'{"ask":3}\n', b"x" * (2 * REQUEST_BYTES_MAX) + b"\n", b""]
)
async def test_nonsense_does_no_harm(path: Path, line: bytes) -> None:
    async with Control(path, {"status": nothing}):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(line)
        writer.write_eof()
        said = await asyncio.wait_for(reader.read(), 10)
        assert said == b"" or b'"error"' in said
        writer.close()
        assert await asked(path) == b"{}\n"


async def test_idle_callers_are_bounded_and_leave_room_again(path: Path) -> None:
    async with Control(path, {"status": nothing}):
        idle = [await asyncio.open_unix_connection(path) for _ in range(CALLERS_MAX)]
        with pytest.raises(UnreachableError):
            await asked(path)
        for _, writer in idle:
            writer.close()
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(UnreachableError):
                    assert await asked(path) == b"{}\n"
                    break


async def test_a_caller_that_says_nothing_does_not_hold_up_the_end(path: Path) -> None:
    async with Control(path, {"status": nothing}):
        reader, writer = await asyncio.open_unix_connection(path)
        assert await asked(path) == b"{}\n"
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_file_descriptors_stay_as_they_were(path: Path) -> None:
    async with Control(path, {"status": nothing}):
        await asked(path)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            await asked(path)
        assert len(os.listdir("/proc/self/fd")) <= before + 1
