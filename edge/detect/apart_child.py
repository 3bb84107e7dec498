"""The process that a model runs in apart from the agent: `python -m edge.detect.apart_child FD`.

It bounds itself before it looks at the graph: no core, no file larger than none, the first that the
kernel ends when memory is short, seconds of CPU for the trial, memory over what the runtime holds,
and an alarm around every run that ends it when the agent no longer does. What a library prints goes
to stderr, for stdout is the way to the agent. It ends when that is closed, and by no word that is
meant for the agent: whoever stops a unit or types Ctrl-C tells all of its processes, and a model
that ended then would look like one that died.
"""

import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import numpy as np

from edge import memory
from edge.detect.apart_wire import (
    FAILED,
    GIVEN,
    LENGTH,
    OF_CONTRIBUTIONS,
    OF_LINE,
    TEXT_BYTES_MAX,
    Reason,
    Report,
    Task,
    decode_question,
    decode_task,
    lacks_memory,
)
from edge.detect.models import (
    Model,
    ModelRefusedError,
    open_session,
    probe,
    probe_scores,
    told,
)
from protos.model_text import parse_manifest

FILES_MAX: Final = 64
BATCH: Final = 256
"""Windows of the batch whose time is taken."""
RUNS: Final = 5
ENDS_THE_AGENT: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
WARM_S: Final = 0.5
"""Seconds of runs at most; a model that is far too slow is known after the first."""


def main() -> int:
    """Run one task, then answer questions until nobody asks."""
    for word in ENDS_THE_AGENT:
        signal.signal(word, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    _bound_files()
    task, graph = _task(int(sys.argv[1]))
    with _alarm(3 * task.bounds.trial_s):
        model, report = _tried(task, graph)
    del graph
    _say(answers, msgspec.json.encode(report))
    if model is None:
        return 1
    _lift_cpu()
    _answer(model, task, answers)
    return 0


def _bound_files() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, FILES_MAX),
    ):
        resource.setrlimit(what, (most, most))


def _task(fd: int) -> tuple[Task, bytes]:
    with os.fdopen(fd, "rb") as file:
        return decode_task(file.read())


def _bound_trial(task: Task) -> int:
    """Bound CPU and memory from here on; what the process holds now."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = usage.ru_utime + usage.ru_stime
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent + task.bounds.trial_s) + 1, most))
    for what, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        bytes_max = _held(name) + task.bounds.memory_bytes
        resource.setrlimit(what, (bytes_max, bytes_max))
    return _held("VmRSS")


def _lift_cpu() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))


def _held(name: str) -> int:
    """Bytes that the kernel tells of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    raise OSError(f"the kernel tells no {name}")


def _tried(task: Task, graph: bytes) -> tuple[Model | None, Report]:
    """The model with its session, and how its trial went."""
    try:
        memory.load("numpy", "onnxruntime")
        before = _bound_trial(task)
        manifest = parse_manifest(task.manifest.encode())
        model = Model(manifest, open_session(task.label, manifest, graph))
        window_us = _window_us(model)
    except MemoryError:
        cause = f"its trial takes more than {task.bounds.memory_bytes >> 20} MiB of memory"
        return None, Report(reason=Reason.GREW, cause=cause, hint="make a smaller model")
    except ModelRefusedError as error:
        reason = Reason.GREW if lacks_memory(error.cause) else Reason.REFUSED
        return None, Report(reason=reason, cause=error.cause, hint=error.hint)
    if window_us > task.bounds.window_us:
        cause = (
            f"a window takes {window_us:,.1f} µs in a batch of {BATCH}, "
            f"{task.bounds.window_us:,.1f} are allowed"
        )
        hint = "make a smaller model, or raise `models.window_us_max`"
        report = Report(reason=Reason.SLOW, cause=cause, hint=hint, window_us=window_us)
        return None, report
    grown = max(_held("VmRSS") - before, 0)
    return model, Report(window_us=window_us, memory_bytes=grown, tells=model.tells)


def _window_us(model: Model) -> float:
    """The least time of one window in a few runs of a batch."""
    line, at = probe(model.manifest, BATCH)
    least, begun = float("inf"), time.perf_counter()
    for _ in range(RUNS):
        start = time.perf_counter()
        probe_scores(model, line, at)
        now = time.perf_counter()
        least = min(least, now - start)
        if now - begun > WARM_S:
            break
    return least / len(at) * 1e6


def _answer(model: Model, task: Task, answers: BinaryIO) -> None:
    questions = sys.stdin.buffer
    while True:
        head = questions.read(LENGTH.size)
        if len(head) < LENGTH.size:
            return
        kind, values, at = decode_question(questions.read(*LENGTH.unpack(head)))
        manifest = model.manifest
        with _alarm(2 * task.bounds.answer_s(len(at) or len(values))):
            try:
                if kind == OF_LINE:
                    scores = model.score(values, at)
                else:
                    frames = values.reshape((-1, manifest.window, len(manifest.channels)))
                    tells = kind == OF_CONTRIBUTIONS
                    scores = model.contributions(frames) if tells else model.score_frames(frames)
            except Exception as error:  # noqa: BLE001 — a foreign graph raises what it likes
                text = told(error).encode()[:TEXT_BYTES_MAX]
                _say(answers, bytes((FAILED,)) + text)
                continue
        _say(answers, bytes((GIVEN,)) + scores.astype("<f8").tobytes())


def _say(answers: BinaryIO, body: bytes) -> None:
    data = LENGTH.pack(len(body)) + body
    while data:
        data = data[answers.write(data) :]


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """End this process if what is within takes longer: an agent that is gone ends nobody."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    np.seterr(all="ignore")
    sys.exit(main())
