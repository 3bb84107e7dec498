"""A model in a process of its own: what it does there stops nothing here.

A foreign graph is tried apart before it is taken, and one that is not yet trusted with the agent
goes on apart. Its process has bounds of its own (`apart_child`); here it has a time for every
answer, and the memory it holds is looked at. One that dies, hangs, grows or gives what is no number
is ended and told with its reason; who asked goes on.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from edge.detect.apart_wire import (
    F8,
    GIVEN,
    I8,
    LENGTH,
    OF_CONTRIBUTIONS,
    OF_FRAMES,
    OF_LINE,
    REPORT_BYTES_MAX,
    TEXT_BYTES_MAX,
    Bounds,
    Reason,
    Report,
    Task,
    encode_question,
    encode_task,
    lacks_memory,
)
from edge.errors import OperatorError
from protos.model_manifest import Manifest
from protos.model_text import canonical_bytes

PROGRAM: Final = "edge.detect.apart_child"
WINDOWS_MAX: Final = 1024
"""Windows of one question: with what each may take, they bound the wait for an answer that never
comes to two seconds."""
LOADING_S: Final = 30.0
"""Seconds for Python and the runtime to load, on a card."""
ENDING_S: Final = 5.0
_KEPT: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "TZ", "HOME")
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class SetAsideError(OperatorError):
    """A model that was ended or refused: ``reason`` names why, ``cause`` tells it."""

    def __init__(self, label: str, reason: Reason, cause: str, hint: str = "") -> None:
        super().__init__(f"run the model {label}", f"{reason}: {cause}", hint)
        self.reason = reason
        self.why = cause


@dataclass(slots=True)
class Apart:
    """One process with one model; it is ready once `report` has given its report."""

    manifest: Manifest
    bounds: Bounds
    _process: "subprocess.Popen[bytes]"
    _begun_s: float
    _held: bytearray = field(default_factory=bytearray)
    _report: Report | None = None
    _memory_max: int = 0

    @classmethod
    def start(cls, manifest: Manifest, graph: bytes, bounds: Bounds) -> "Apart":
        """Start a process that tries the model; it is not waited for.

        Raises:
            SetAsideError: no process can be started.
        """
        text = canonical_bytes(manifest).decode()
        task = encode_task(Task(label=manifest.label, manifest=text, bounds=bounds), graph)
        fd = -1
        try:
            fd = os.memfd_create("model")
            with os.fdopen(os.dup(fd), "wb") as file:
                file.write(task)
            os.lseek(fd, 0, os.SEEK_SET)
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", PROGRAM, str(fd)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                pass_fds=[fd], env=_environment(os.environ), bufsize=0,
            )  # fmt: skip
        except OSError as error:
            cause = f"its process cannot be started: {error.strerror or error}"
            raise SetAsideError(manifest.label, Reason.DIED, cause) from error
        finally:
            if fd >= 0:
                os.close(fd)
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
        return cls(manifest, bounds, process, time.monotonic())

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def report(self, *, wait: bool = True) -> Report | None:
        """How the trial went, once it is over; without ``wait`` None before that.

        Raises:
            SetAsideError: the model was refused, its process ended, or took too long.
        """
        if self._report is None:
            deadline_s = self._begun_s + LOADING_S + 3 * self.bounds.trial_s
            try:
                body = self._frame(deadline_s, REPORT_BYTES_MAX, wait=wait)
            except TimeoutError:
                cause = "its trial was not over in time"
                raise self._ended(Reason.SLOW, cause, "make a smaller model") from None
            if body is None:
                return None
            self._report = self._taken(body)
            self._memory_max = self.memory_bytes() + self.bounds.memory_bytes
        return self._report

    def _taken(self, body: bytes) -> Report:
        try:
            report = msgspec.json.decode(body, type=Report)
            reason = Reason(report.reason) if report.reason else None
        except (msgspec.DecodeError, ValueError) as error:
            raise self._ended(
                Reason.DIED, f"its process said what it should not: {error}"
            ) from error
        if reason is not None:
            raise self._ended(reason, report.cause, report.hint)
        return report

    def score(self, line: F8, at: I8) -> F8:
        """Score windows of a line as `Model.score` does.

        Raises:
            SetAsideError: there is no good answer in time; the process is ended then.
        """
        scores = [np.zeros(0)]
        for start in range(0, len(at), WINDOWS_MAX):
            part = at[start : start + WINDOWS_MAX]
            first, end = int(part.min()), int(part.max()) + self.manifest.window
            question = encode_question(OF_LINE, line[first:end], part - first)
            scores.append(self._asked(question, len(part)))
        return np.concatenate(scores)

    def score_frames(self, frames: F8) -> F8:
        """Score frames as `Model.score_frames` does; SetAsideError as `score`."""
        scores = [np.zeros(0)]
        for start in range(0, len(frames), WINDOWS_MAX):
            part = frames[start : start + WINDOWS_MAX]
            question = encode_question(OF_FRAMES, part, np.zeros(0, np.int64))
            scores.append(self._asked(question, len(part)))
        return np.concatenate(scores)

    @property
    def tells(self) -> bool:
        """Whether it says what channels contributed, as far as it is known."""
        return self._report is not None and self._report.tells

    def contributions(self, frames: F8) -> F8:
        """Contributions as `Model.contributions`; SetAsideError as `score`."""
        width, told = len(self.manifest.channels), [np.zeros((0, len(self.manifest.channels)))]
        for start in range(0, len(frames), WINDOWS_MAX):
            part = frames[start : start + WINDOWS_MAX]
            question = encode_question(OF_CONTRIBUTIONS, part, np.zeros(0, np.int64))
            told.append(self._asked(question, len(part), width).reshape(-1, width))
        return np.concatenate(told)

    def memory_bytes(self) -> int:
        """What the process holds; 0 when it is gone."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()
        except OSError:
            return 0
        return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if pages else 0

    def close(self) -> None:
        """End the process, however it is; one that the kernel holds is left to it."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDING_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _asked(self, question: bytes, windows: int, width: int = 1) -> F8:
        """The answer for so many windows, of ``width`` numbers each."""
        self.report()
        deadline_s = time.monotonic() + self.bounds.answer_s(windows)
        try:
            self._send(question, deadline_s)
            body = self._frame(deadline_s, max(8 * windows * width, TEXT_BYTES_MAX) + 1) or b""
        except TimeoutError:
            cause = f"no answer for {windows} windows in {self.bounds.answer_s(windows):.1f} s"
            raise self._ended(Reason.HUNG, cause) from None
        if body[:1] != bytes((GIVEN,)):
            text = body[1:].decode(errors="replace") or "no answer"
            raise self._ended(Reason.GREW if lacks_memory(text) else Reason.FAILED, text)
        if len(body) != 1 + 8 * windows * width:
            cause = f"{windows} windows gave {len(body) - 1} bytes of scores"
            raise self._ended(Reason.FAILED, cause)
        scores: F8 = np.frombuffer(body, "<f8", windows * width, 1)
        if not np.isfinite(scores).all():
            bad = int((~np.isfinite(scores)).sum())
            cause = f"{bad} of {len(scores)} scores are no numbers"
            raise self._ended(Reason.NO_NUMBER, cause)
        held = self.memory_bytes()
        if held > self._memory_max:
            cause = f"its process holds {held >> 20} MiB, {self._memory_max >> 20} are allowed"
            raise self._ended(Reason.GREW, cause)
        return scores

    def _send(self, data: bytes, deadline_s: float) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        view = memoryview(data)
        while view:
            self._until(pipe.fileno(), select.POLLOUT, deadline_s)
            try:
                view = view[os.write(pipe.fileno(), view) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._died() from error

    def _frame(self, deadline_s: float, most: int, *, wait: bool = True) -> bytes | None:
        """The next frame; None where it is not waited for, TimeoutError where it is in vain."""
        pipe, held = self._process.stdout, self._held
        assert pipe is not None
        while True:
            if len(held) >= LENGTH.size:
                (size,) = LENGTH.unpack_from(held)
                if size > most:
                    cause = f"its process said {size} bytes where {most} are the most"
                    raise self._ended(Reason.DIED, cause)
                if len(held) >= LENGTH.size + size:
                    body = bytes(held[LENGTH.size : LENGTH.size + size])
                    del held[: LENGTH.size + size]
                    return body
            if not self._until(pipe.fileno(), select.POLLIN, deadline_s, wait=wait):
                return None
            try:
                more = os.read(pipe.fileno(), 1 << 20)
            except BlockingIOError:
                continue
            if not more:
                raise self._died()
            held += more

    @staticmethod
    def _until(fd: int, event: int, deadline_s: float, *, wait: bool = True) -> bool:
        """Wait for a pipe; TimeoutError past the deadline, False where it is not waited for."""
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        poll = select.poll()
        poll.register(fd, event)
        if poll.poll(left_s * 1e3 if wait else 0):
            return True
        if wait:
            raise TimeoutError
        return False

    def _died(self) -> SetAsideError:
        """Its process closed the way: how it ended."""
        try:
            code = self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            return self._ended(Reason.DIED, "its process answers no more")
        if -code in (signal.SIGXCPU, signal.SIGALRM):  # its own bounds of time
            reason = Reason.HUNG if self._report else Reason.SLOW
            return self._ended(reason, f"it was ended for its time: {signal.Signals(-code).name}")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return self._ended(Reason.DIED, f"its process ended: {how}")

    def _ended(self, reason: Reason, cause: str, hint: str = "") -> SetAsideError:
        self.close()
        return SetAsideError(self.manifest.label, reason, cause, hint)


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What the child needs of our environment: no secret that a unit hands over, one thread."""
    path = os.pathsep.join(part for part in sys.path if part)
    return {k: ours[k] for k in _KEPT if k in ours} | _ONE_THREAD | {"PYTHONPATH": path}
