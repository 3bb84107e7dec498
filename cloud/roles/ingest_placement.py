"""Where the ingest role runs: in the first process, or in one of its own.

Apart, no acknowledgement waits for an interpreter that decodes blocks for the live view or answers
questions; that costs one more interpreter, so a small machine keeps one process (`placement`).
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from cloud.config import CloudConfig
from cloud.ingest.gate import TIDY_S, Gate, open_journal
from cloud.ingest.identity import Authority
from cloud.ingest.service import Presence
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.registry.registry import Registry
from cloud.roles import ingest_wire as wire
from cloud.roles.ingest_keeper import IngestProcess, JournalApart
from cloud.roles.placement import is_apart, machine

OpenJournal = SqliteJournal | JournalApart
"""The journal as the first process has it."""


class Intake(Protocol):
    """Where gateways come in, as whoever runs a cloud sees it."""

    @property
    def pid(self) -> int | None:
        """Of its process, None while it has none of its own."""

    @property
    def presence(self) -> Mapping[str, Presence]:
        """Gateways by name, as they are now."""

    @property
    def waiting_bytes(self) -> int:
        """Bytes read and not yet durable; may block."""

    async def start(self) -> None:
        """Take gateways in; OperatorError when it cannot listen where the settings say."""

    async def tend(self) -> None:
        """Keep journal and sessions in order, for ever."""

    async def close(self) -> None:
        """End all sessions in good order, and take no more."""


class IntakeHere:
    """In this process."""

    pid = None

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.start, self.tend, self.close = gate.start, gate.tend, gate.close

    @property
    def presence(self) -> Mapping[str, Presence]:
        """Gateways by name, as they are now."""
        return self._gate.ingest.presence

    @property
    def waiting_bytes(self) -> int:
        """Bytes read and not yet durable."""
        return self._gate.ingest.waiting_bytes


class IntakeApart:
    """In a process of its own, which tends the journal too."""

    def __init__(self, journal: JournalApart, heard: Callable[[Presence], None]) -> None:
        self._journal, self._process, self._heard = journal, journal.process, heard
        self.close = self._process.close

    @property
    def pid(self) -> int | None:
        """Of its process."""
        return self._process.pid

    @property
    def presence(self) -> Mapping[str, Presence]:
        """Gateways by name, as they were last told."""
        return self._process.presence

    @property
    def waiting_bytes(self) -> int:
        """Bytes read and not yet durable."""
        return self._process.ask(wire.AskWaiting(), int)

    async def start(self) -> None:
        """Take gateways in; OperatorError when it cannot listen where the settings say."""
        await self._process.start(self._heard)

    async def tend(self) -> None:
        """Let go of what the other process trims, for ever."""
        while True:
            await asyncio.sleep(TIDY_S)
            await asyncio.to_thread(self._journal.rest)


def begin_ingest(config: CloudConfig, now_us: Callable[[], int]) -> OpenJournal:
    """Open the journal, in a process of its own where the settings say.

    Raises:
        OperatorError, StorageError: it cannot be opened.
    """
    if not is_apart(config.settings.roles.ingest, *machine()):
        return open_journal(config, now_us)
    process = IngestProcess(config)
    try:
        return JournalApart(config, process)
    except BaseException:
        process.end()
        raise


def make_intake(
    config: CloudConfig,
    authority: Authority,
    registry: Registry,
    journal: OpenJournal,
    heard: Callable[[Presence], None],
    now_us: Callable[[], int],
) -> Intake:
    """Where gateways come in to an open journal; made on the running loop.

    Raises:
        OperatorError: it cannot listen where the settings say.
    """
    if isinstance(journal, JournalApart):
        return IntakeApart(journal, heard)
    return IntakeHere(Gate.make(config, authority, registry, journal, heard, now_us))
