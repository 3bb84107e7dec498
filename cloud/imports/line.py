"""How the import gateway reaches the cloud: the messages of the Sync service, both ways.

`JournalLine` is the journal of a stopped cloud, opened in this process; `cloud.imports.line_sync`
the running cloud's own port for gateways. Both answer in the order of the messages.
"""

from collections import deque
from concurrent.futures import Future
from typing import Protocol

from cloud.errors import StorageError
from cloud.journal.contract import Journal, JournalOverloadedError
from cloud.journal.cursor import Decision, fault
from protos import sync_pb2 as pb
from protos.limits import WINDOW_BYTES_DEFAULT
from protos.series import decode_entry

RETRY_MS = 2_000


class Line(Protocol):
    """One session's line; every method raises UnreachableError or StorageError when it fails."""

    def send(self, message: pb.GatewayMessage) -> None:
        """Send a message; may wait until there is room."""

    def receive(self) -> pb.CloudMessage:
        """The next answer; waits for it."""

    def close(self) -> None:
        """End the session."""


class JournalLine:
    """A line into a journal in this process."""

    def __init__(self, journal: Journal, gateway: str) -> None:
        self._journal, self._gateway = journal, gateway
        self._pending: deque[Future[Decision]] = deque()
        self._replies: deque[pb.CloudMessage] = deque()

    def send(self, message: pb.GatewayMessage) -> None:
        """Hand a message to the journal."""
        self._pending.append(self._submit(message))

    def receive(self) -> pb.CloudMessage:
        """The next answer, after its fsync."""
        while not self._replies:
            try:
                self._replies += self._pending.popleft().result().replies
            except JournalOverloadedError as error:
                self._replies.append(fault(pb.OVERLOADED, error.cause, error.hint, RETRY_MS))
        return self._replies.popleft()

    def close(self) -> None:
        """Wait for what was handed over; the journal stays open."""
        for future in self._pending:
            try:
                future.result()
            except StorageError:
                continue  # nothing of it was stored, and nobody counts on it
        self._pending.clear()

    def _submit(self, message: pb.GatewayMessage) -> "Future[Decision]":
        journal, name = self._journal, self._gateway
        match message.WhichOneof("body"):
            case "hello":
                return journal.hello(name, message.hello, WINDOW_BYTES_DEFAULT)
            case "block":
                block = message.block
                return journal.append(name, block.session, block.epoch, block.seq, block.data)
            case "declare":
                told = message.declare
                entries = [decode_entry(entry) for entry in told.entries]
                return journal.declare(name, told.session, told.epoch, told.first, entries)
            case _:
                return journal.request_epoch(name, message.epoch_request)
