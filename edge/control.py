"""The agent's own door: a Unix socket in its home that answers the command line.

One JSON line asks (`{"ask": "status"}`), one JSON line answers. Only the owner may come in (mode
0600 in a folder of 0700), one question a connection, all of it bounded in size, number and time.
A lock beside it lets one agent alone live in a home.
"""

import asyncio
import fcntl
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from edge.errors import (
    OperatorError,
    PeerError,
    StorageError,
    TidegateError,
    UnreachableError,
)

LOG = logging.getLogger(__name__)
REQUEST_BYTES_MAX: Final = 4096
ANSWER_BYTES_MAX: Final = 4 << 20
CALLERS_MAX: Final = 8
TIMEOUT_S: Final = 5.0

Answer = Callable[[], Awaitable[object]]


class _Request(msgspec.Struct):
    ask: str


class _Refusal(msgspec.Struct):
    error: str


@contextmanager
def _short_path(path: Path) -> Iterator[str]:
    """A name of `path` that fits a socket's 107 bytes, however deep the home lies."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@contextmanager
def sole_agent(path: Path) -> Iterator[None]:
    """Be the only agent in the home of the socket `path`; the kernel lets go if we are killed.

    Raises:
        OperatorError: another agent lives there.
        StorageError: the folder cannot be written.
    """
    home = path.parent.parent
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path.with_name("agent.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        hint = "check who owns the home"
        raise StorageError(f"start the agent in {home}", str(error), hint) from error
    try:
        _lock(lock, home)
        yield
    finally:
        os.close(lock)


def _lock(lock: int, home: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        hint = "stop the other one, or give this one a home of its own with --home"
        cause = "another agent lives there"
        raise OperatorError(f"start the agent in {home}", cause, hint) from error


class Control:
    """Answers questions while it is entered (`async with`); `answers` maps each to its function.

    A function's answer is what msgspec can write as JSON; it has `TIMEOUT_S` to come.
    """

    def __init__(self, path: Path, answers: Mapping[str, Answer]) -> None:
        self._path = path
        self._answers = answers
        self._callers: dict[asyncio.Task[object], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Open the door, in the place of one that a killed agent left.

        Raises:
            StorageError: the folder cannot be written.
        """
        tried = f"open the agent's socket {self._path}"
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)
            door = self._bind()
        except OSError as error:
            raise StorageError(tried, str(error), "check who owns the home") from error
        self._server = await asyncio.start_unix_server(
            self._serve, sock=door, limit=REQUEST_BYTES_MAX
        )
        return self

    def _bind(self) -> socket.socket:
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _short_path(self._path) as short:
                door.bind(short)
            self._path.chmod(0o600)
        except OSError:
            door.close()
            raise
        return door

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the door."""
        if self._server is not None:
            self._server.close()
        callers = dict(self._callers)
        for writer in callers.values():
            writer.close()
        await asyncio.gather(*callers, return_exceptions=True)
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._callers[task] = writer
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if len(self._callers) <= CALLERS_MAX:
                    answer = await self._answer(await reader.readline())
                    writer.write(msgspec.json.encode(answer) + b"\n")
                    await writer.drain()
        except (TimeoutError, ConnectionError, ValueError) as error:
            LOG.debug("a question on the control socket was not answered: %r", error)
        finally:
            del self._callers[task]
            writer.close()

    async def _answer(self, line: bytes) -> object:
        try:
            asked = msgspec.json.decode(line, type=_Request).ask
        except msgspec.DecodeError as error:
            return _Refusal(f"that is no question: {error}")
        answer = self._answers.get(asked)
        if answer is None:
            return _Refusal(f"{asked[:40]!r} is not answered here, but {sorted(self._answers)}")
        try:
            return await answer()
        except TidegateError as error:
            return _Refusal(str(error))
        except Exception as error:
            LOG.exception("the answer to %r failed", asked)
            return _Refusal(f"our fault: {type(error).__name__}; the agent's log has the traceback")


def ask(path: Path, question: str) -> bytes:
    """Ask the running agent; the answer is JSON.

    Raises:
        UnreachableError: no agent runs in this home, or it does not answer.
        PeerError: it does not know the question.
    """
    tried = f"ask the agent at {path}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(TIMEOUT_S)
            with _short_path(path) as short:
                door.connect(short)
            door.sendall(msgspec.json.encode(_Request(question)) + b"\n")
            answer = b"".join(_received(door))
    except (FileNotFoundError, ConnectionRefusedError) as error:
        hint = "start it with `tidegate-edge run`"
        raise UnreachableError(tried, "no agent is running in this home", hint) from error
    except TimeoutError as error:
        raise UnreachableError(tried, "it does not answer", "see its log") from error
    except OSError as error:
        raise UnreachableError(tried, str(error), "are you its owner?") from error
    with suppress(msgspec.DecodeError):
        raise PeerError(tried, msgspec.json.decode(answer, type=_Refusal).error, "see its log")
    if not answer.endswith(b"\n"):
        raise UnreachableError(tried, "it is busy or stopping", "try again")
    return answer


def _received(door: socket.socket) -> Iterator[bytes]:
    room = ANSWER_BYTES_MAX
    while room > 0 and (part := door.recv(65536)):
        room -= len(part)
        yield part
