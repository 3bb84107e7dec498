"""What a role's process and its parent say to each other, and the socket they say it on.

The child calls, one call at a time, and the parent answers each in order; the parent gives orders
besides. A frame is its length (4 bytes, little-endian) and MessagePack. Either side's death is the
end of the socket: there is no other sign of life, and none is needed. Both sides are one version of
this program, so nothing here is a format.
"""

import socket
import struct
import threading
from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from cloud.errors import OperatorError, StorageError, TidegateError
from cloud.lake.consolidator import Progress
from cloud.lake.table.changes import Change
from cloud.lake.upkeep import UpkeepSettings
from cloud.retention.rules import Retired
from protos.log import LogFormat, LogLevel

FRAME_BYTES_MAX: Final = 256 << 20
"""Of one message; a list of a million files takes some 200 MB."""
_LENGTH: Final = struct.Struct("<I")

T = TypeVar("T")


class EndedError(Exception):
    """The other side is gone."""


class Start(msgspec.Struct, frozen=True, tag=True):
    """The first order: what to consolidate, and how."""

    journal_folder: str
    lake_folder: str
    generation: int
    interval_s: float
    batch_bytes: int
    upkeep: UpkeepSettings
    log_format: LogFormat
    log_level: LogLevel


class Begin(msgspec.Struct, frozen=True, tag=True):
    """Run passes from now on."""


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Finish the pass under way, and end."""


class Done(msgspec.Struct, frozen=True, tag=True):
    """The answer to a call; ``value`` as that call says."""

    value: msgspec.Raw


class Told(msgspec.Struct, frozen=True, tag=True):
    """An error, as an answer or as a word about the child; `error` makes it one again."""

    tried: str
    cause: str
    hint: str = ""
    is_operators: bool = False

    @classmethod
    def of(cls, error: Exception) -> "Told":
        """One that happened; what is none of ours is told as a fault of storage."""
        if isinstance(error, TidegateError):
            is_operators = isinstance(error, OperatorError)
            return cls(error.tried, error.cause, error.hint, is_operators)
        return cls("consolidate", f"{type(error).__name__}: {error}")

    def error(self) -> TidegateError:
        """The same on this side."""
        kind = OperatorError if self.is_operators else StorageError
        return kind(self.tried, self.cause, self.hint)

    def failure(self) -> StorageError:
        """The same as a fault of storage."""
        return StorageError(self.tried, self.cause, self.hint)


Order = Start | Begin | Stop | Done | Told


class AskHead(msgspec.Struct, frozen=True, tag=True):
    """The journal's highest durable offset: int."""


class AskArchived(msgspec.Struct, frozen=True, tag=True):
    """The highest offset that was marked archived: int."""


class AskCursors(msgspec.Struct, frozen=True, tag=True):
    """Every gateway's cursor: list[Cursor]."""


class AskCounts(msgspec.Struct, frozen=True, tag=True):
    """How much was ever stored of each gateway: dict[str, Tally]."""


class AskInUse(msgspec.Struct, frozen=True, tag=True):
    """Absolute paths of files in any view that someone holds: list[str]."""


class MarkArchived(msgspec.Struct, frozen=True, tag=True):
    """The tables hold everything up to ``offset`` durably: None, once that is durable."""

    offset: int


class SetApart(msgspec.Struct, frozen=True, tag=True):
    """Quarantine the block at ``offset``: None, once that is durable."""

    offset: int
    reason: str


class Show(msgspec.Struct, frozen=True, tag=True):
    """The next batch view: None, once it is shown.

    ``changes`` by table; others are as before, and so is ``retired`` where it is None.
    """

    offset: int
    corrected: tuple[int, int]
    is_anew: bool
    changes: Mapping[str, Change]
    retired: Retired | None


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The lake is taken and mended, and its first view shown: None."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The lake cannot be taken: None, and then the child ends."""

    told: Told


class Passed(msgspec.Struct, frozen=True, tag=True):
    """A pass is over, and how things stand: None. ``faults`` since the child began."""

    progress: Progress | None
    fault: Told | None
    faults: int
    failure: Told | None


Question = AskHead | AskArchived | AskCursors | AskCounts | AskInUse
Call = Question | MarkArchived | SetApart | Show | Ready | Refused | Passed

_ORDERS: Final[msgspec.msgpack.Decoder[Order]] = msgspec.msgpack.Decoder(Order)
_CALLS: Final[msgspec.msgpack.Decoder[Call]] = msgspec.msgpack.Decoder(Call)


class Channel:
    """One end of the socket; `send` from any thread, `order` or `call` from one."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()

    def send(self, message: msgspec.Struct) -> None:
        """Say something.

        Raises:
            EndedError: the other side is gone.
            ValueError: it is over FRAME_BYTES_MAX.
        """
        data = msgspec.msgpack.encode(message)
        if len(data) > FRAME_BYTES_MAX:
            raise ValueError(f"a message of {len(data)} bytes, {FRAME_BYTES_MAX} are allowed")
        with self._sending:
            try:
                self._socket.sendall(_LENGTH.pack(len(data)) + data)
            except OSError as error:
                raise EndedError from error

    def order(self) -> Order:
        """The parent's next word, for the child; EndedError when it is gone."""
        return _ORDERS.decode(self.frame())

    def call(self) -> Call:
        """The child's next call, for the parent; EndedError when it is gone."""
        return _CALLS.decode(self.frame())

    def close(self) -> None:
        """End it, for both sides."""
        self._socket.close()

    def frame(self) -> bytearray:
        """The next message as it came; EndedError when the other side is gone."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        if length > FRAME_BYTES_MAX:
            raise EndedError
        return self._exactly(length)

    def _exactly(self, count: int) -> bytearray:
        found, at = bytearray(count), 0
        while at < count:
            try:
                taken = self._socket.recv_into(memoryview(found)[at:])
            except OSError as error:
                raise EndedError from error
            if not taken:
                raise EndedError
            at += taken
        return found
