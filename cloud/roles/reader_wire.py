"""What a reader's process and its parent say to each other, and the socket they say it on.

The parent asks one question at a time; the reader answers it. A frame is a head, the lengths of its
parts, then the parts: a pickle, and behind it the columns that it speaks of, as they lie in memory.
Both ends are one version of this program and of one user, and nobody else has hold of the socket,
so nothing here is a format, and a pickle tells no more than who made it could do itself.
"""

import copyreg
import io
import pickle
import select
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

import msgspec
import pyarrow as pa

from cloud.errors import StorageError
from cloud.lake.table.changes import Change
from cloud.lake.table.schema import TABLES, TableSpec
from cloud.live.series import Known
from cloud.live.view import View
from cloud.query.events import EventsAsk
from cloud.query.history import Ask, History
from protos.log import LogFormat, LogLevel

FRAME_BYTES_MAX: Final = 256 << 20
"""Of one question or answer."""
PARTS_MAX: Final = 1 << 20
_HEAD: Final = struct.Struct("<QI")
"""Bytes behind it, and parts."""
_TIMEOUT: Final = struct.Struct("@ll")
_CHANGES: Final = msgspec.msgpack.Decoder(dict[str, Change])


class GoneError(Exception):
    """The other side is gone."""


@dataclass(frozen=True, slots=True)
class Start:
    """The first word: ``index_bytes`` of what is known of files, ``memory_bytes`` of all data."""

    index_bytes: int
    memory_bytes: int
    log_format: LogFormat
    log_level: LogLevel


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked, of one moment.

    ``view`` has of the tail the rows of the asked series alone, and no tables: those are as the
    question before had them, but for ``changes`` (`change_bytes`). ``known`` is what is known of
    the stored series that are asked.
    """

    ask: Ask
    view: View
    known: Known
    changes: bytes


@dataclass(frozen=True, slots=True, eq=False)
class EventsQuestion:
    """The first ``limit`` rows of events in the tables, which are as ``changes`` make them."""

    ask: EventsAsk
    limit: int
    changes: bytes = b""


class Failure(Enum):
    """Why there is no answer."""

    STORAGE = 0
    READINGS = 1
    MEMORY = 2
    LENGTH = 3
    FAULT = 4
    ROWS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """``found``, or why not: ``failure``, and its ``words``.

    ``held_bytes`` the process held when it began with the question.
    """

    found: History | list[dict[str, Any]] | None
    held_bytes: int
    failure: Failure | None = None
    words: tuple[str, str, str] = ("", "", "")
    readings: int = 0

    def error(self) -> StorageError:
        """What failed, as a fault of storage."""
        return StorageError(*self.words)


def change_bytes(changes: Mapping[str, Change]) -> bytes:
    """What became of the lists of files, by table."""
    return msgspec.msgpack.encode(changes)


def changes_of(data: bytes) -> dict[str, Change]:
    """The reverse of `change_bytes`."""
    return _CHANGES.decode(data)


class Link:
    """One end of the socket; from one thread at a time.

    The kernel waits, also for all of a frame: a thread that came back for every piece of it would
    ask for the interpreter each time.

    Args:
        end: of the socket.
        keeps: each column that comes has memory of its own; one that is kept keeps no other.
    """

    def __init__(self, end: socket.socket, *, keeps: bool = False) -> None:
        self._socket, self._keeps = end, keeps

    def send(self, message: object, until: float | None = None) -> None:
        """Say something; ``until`` is a time of `time.monotonic`.

        Raises:
            GoneError: the other side is gone.
            TimeoutError: it does not listen.
            ValueError: it is over FRAME_BYTES_MAX; nothing was sent.
        """
        parts = _packed(message)
        total = sum(len(part) for part in parts)
        if total > FRAME_BYTES_MAX or len(parts) > PARTS_MAX:
            raise ValueError(f"a message of {total} bytes, {FRAME_BYTES_MAX} are allowed")
        lengths = struct.pack(f"<{len(parts)}Q", *map(len, parts))
        head = _HEAD.pack(len(lengths) + total, len(parts))
        self._wait(socket.SO_SNDTIMEO, until)
        try:
            self._socket.sendall(b"".join((head, lengths, *parts)))
        except BlockingIOError:
            raise TimeoutError from None
        except OSError as error:
            raise GoneError from error

    def receive(self, until: float | None = None) -> Any:
        """What the other side says next. GoneError, TimeoutError as `send`."""
        size, count = _HEAD.unpack(self._exactly(_HEAD.size, until))
        if not 0 < count <= PARTS_MAX or not 8 * count <= size <= 8 * count + FRAME_BYTES_MAX:
            raise GoneError
        held, at, parts = memoryview(self._exactly(size, until)), 8 * count, []
        lengths = struct.unpack_from(f"<{count}Q", held)
        for length in lengths:
            part = held[at : at + length]
            parts.append(bytes(part) if self._keeps else part)
            at += length
        return pickle.loads(parts[0], buffers=parts[1:])

    def is_heard(self) -> bool:
        """Whether the other side said something, or is gone."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def close(self) -> None:
        """End it, for both sides."""
        self._socket.close()

    def _wait(self, option: int, until: float | None) -> None:
        """Have the kernel wait no longer than that."""
        left = 0.0 if until is None else max(until - time.monotonic(), 1e-3)
        seconds = _TIMEOUT.pack(int(left), int(left % 1 * 1e6))
        self._socket.setsockopt(socket.SOL_SOCKET, option, seconds)

    def _exactly(self, count: int, until: float | None) -> bytearray:
        found, at = bytearray(count), 0
        while at < count:
            self._wait(socket.SO_RCVTIMEO, until)
            try:
                taken = self._socket.recv_into(memoryview(found)[at:], 0, socket.MSG_WAITALL)
            except BlockingIOError:
                raise TimeoutError from None
            except OSError as error:
                raise GoneError from error
            if not taken:
                raise GoneError
            at += taken
        return found


def _packed(message: object) -> list[memoryview]:
    sink, buffers = io.BytesIO(), list[pickle.PickleBuffer]()
    _Packer(sink, protocol=5, buffer_callback=buffers.append).dump(message)
    return [sink.getbuffer(), *(buffer.raw() for buffer in buffers)]


def _named(spec: TableSpec) -> Any:
    return _table, (spec.name,)


def _mapping(held: "MappingProxyType[Any, Any]") -> Any:
    return _proxy, (dict(held),)


def _proxy(held: dict[Any, Any]) -> "MappingProxyType[Any, Any]":
    return MappingProxyType(held)


def _rows(rows: pa.Table) -> Any:
    """As Arrow's stream, which takes of a part of a table that part alone."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return _read_rows, (pickle.PickleBuffer(sink.getvalue()),)


def _read_rows(data: Any) -> pa.Table:
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_all()


def _column(values: pa.Array) -> Any:
    sink = pa.BufferOutputStream()
    rows = pa.record_batch([values], [""])
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return _read_column, (pickle.PickleBuffer(sink.getvalue()),)


def _read_column(data: Any) -> pa.Array:
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_next_batch().column(0)


def _table(name: str) -> TableSpec:
    return TABLES[name]


class _Packer(pickle.Pickler):
    """Names tables instead of describing them, and takes rows as Arrow does.

    A part of a column is taken as its own rows: a pickle would have all memory that it lies in.
    """

    dispatch_table = copyreg.dispatch_table | {
        TableSpec: _named,
        MappingProxyType: _mapping,
        pa.Table: _rows,
    }

    def reducer_override(self, held: Any) -> Any:
        """What `pickle` asks first."""
        is_part = isinstance(held, pa.Array) and held.nbytes < held.get_total_buffer_size()
        return _column(held) if is_part else NotImplemented
