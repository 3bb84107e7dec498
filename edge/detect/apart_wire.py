"""What the agent and a model's child process say to each other, and within which bounds.

The child is handed one file: the task, then the graph. It answers with frames, a length of four
bytes and that many: first a report, then one answer for each question, in order. A question is a
head (what it asks, how many values, how many windows), the values and the places; an answer a byte,
0 and the scores or 1 and why there are none. Numbers are little-endian.
"""

import struct
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

LENGTH: Final = struct.Struct("<I")
HEAD: Final = struct.Struct("<BII")
OF_LINE: Final = 0
OF_FRAMES: Final = 1
OF_CONTRIBUTIONS: Final = 2
GIVEN: Final = 0
FAILED: Final = 1
REPORT_BYTES_MAX: Final = 16 << 10
TEXT_BYTES_MAX: Final = 1000


class Reason(StrEnum):
    """Why a model is set aside."""

    REFUSED = "refused"  # before it scored anything: its bytes, its session, its probe
    SLOW = "slow"  # its trial took longer than allowed, or a window of it does
    HUNG = "hung"  # no answer in time
    DIED = "died"  # its process ended
    GREW = "grew"  # its process holds more memory than allowed
    NO_NUMBER = "no_number"  # a score that is not finite
    FAILED = "failed"  # the runtime raised, or gave scores of another shape


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a model may take in a process of its own.

    ``memory_bytes`` is over what the process holds once the runtime is loaded; ``trial_s`` is for
    making the session and its probes, in seconds of CPU and, tripled, of time; ``call_s`` for one
    answer beyond what its windows may take at ``window_us``, the time for one window of 256.
    """

    memory_bytes: int = 128 << 20
    trial_s: float = 5.0
    call_s: float = 1.0
    window_us: float = 200.0

    def answer_s(self, windows: int) -> float:
        """Seconds until the answer for so many windows must be there."""
        return self.call_s + 4e-6 * self.window_us * windows


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is to do: ``manifest`` is its text, ``label`` what errors call the model."""

    label: str
    manifest: str
    bounds: Bounds


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How the trial went; ``reason`` is empty when the model is taken.

    ``window_us`` is the time of one window in a batch of 256, ``memory_bytes`` what the trial added
    to the process, ``tells`` whether the graph says what channels contributed.
    """

    reason: str = ""
    cause: str = ""
    hint: str = ""
    window_us: float = 0.0
    memory_bytes: int = 0
    tells: bool = False


def encode_task(task: Task, graph: bytes) -> bytes:
    """The file that a child is handed."""
    head = msgspec.json.encode(task)
    return LENGTH.pack(len(head)) + head + graph


def decode_task(data: bytes) -> tuple[Task, bytes]:
    """The reverse of `encode_task`."""
    (size,) = LENGTH.unpack_from(data)
    end = LENGTH.size + size
    return msgspec.json.decode(data[LENGTH.size : end], type=Task), data[end:]


def encode_question(kind: int, values: F8, at: I8) -> bytes:
    """A question, its length before it; ``at`` is empty for frames."""
    body = values.astype("<f8").tobytes() + at.astype("<i8").tobytes()
    head = HEAD.pack(kind, values.size, len(at))
    return LENGTH.pack(len(head) + len(body)) + head + body


def decode_question(data: bytes) -> tuple[int, F8, I8]:
    """Kind, values and places of a question without its length."""
    kind, values, places = HEAD.unpack_from(data)
    return (
        kind,
        np.frombuffer(data, "<f8", values, HEAD.size),
        np.frombuffer(data, "<i8", places, HEAD.size + 8 * values),
    )


def lacks_memory(text: str) -> bool:
    """Whether what the runtime says is that it was given no memory."""
    return "bad_alloc" in text or "Failed to allocate memory" in text
