"""The ingest role whole: the Sync service on a journal, and what keeps both in order.

It runs in the cloud's first process or in one of its own (`cloud.roles.ingest`); nothing here
knows which.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Self

import grpc

from cloud.config import CloudConfig
from cloud.errors import OperatorError, StorageError
from cloud.ingest.identity import Authority
from cloud.ingest.renewal import RenewalDesk
from cloud.ingest.service import Ingest, IngestLimits, Presence, make_server
from cloud.journal.sqlite.orders import carry_out
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.journal.sqlite.writer import JournalLimits
from cloud.lake.floors import LakeGround
from cloud.registry.registry import Registry
from cloud.rollout.desk import RolloutDesk

log = logging.getLogger(__name__)

# When the journal's space comes back, and a certificate that is admitted no more ends its sessions.
TIDY_S: Final = 5.0
# Streams end in good order within this; a gateway that was cut off simply sends again.
STOP_S: Final = 5.0


def open_journal(config: CloudConfig, now_us: Callable[[], int]) -> SqliteJournal:
    """The home's journal, begun anew beside its lake where it was lost.

    Raises:
        OperatorError: another process writes to it.
        StorageError: it cannot be used.
    """
    settings = config.settings.journal
    limits = JournalLimits(
        settings.bytes_max, settings.segment_bytes, free_bytes_min=settings.free_bytes_min
    )
    beside = LakeGround(config.lake_folder)
    journal = SqliteJournal.open(
        config.journal_folder, now_us=now_us, limits=limits, ground=beside.ground
    )
    try:
        beside.adopt_into(journal.quarantined_blocks)
    except BaseException:
        journal.close()
        raise
    return journal


@dataclass(slots=True)
class Gate:
    """Where gateways come in; made on the loop that serves it."""

    journal: SqliteJournal
    registry: Registry
    ingest: Ingest
    server: grpc.aio.Server
    now_us: Callable[[], int]
    rollouts: RolloutDesk

    @classmethod
    def make(
        cls,
        config: CloudConfig,
        authority: Authority,
        registry: Registry,
        journal: SqliteJournal,
        heard: Callable[[Presence], None],
        now_us: Callable[[], int],
    ) -> Self:
        """Bind where the settings say; ``heard`` is told who comes, goes and reports, on the loop.

        Raises:
            OperatorError: it cannot listen there.
        """
        limits = IngestLimits(window_bytes=config.settings.journal.window_bytes)
        rollouts = RolloutDesk(registry, config.models_folder, now_us, config.model_key_path)
        ingest = Ingest(
            journal,
            admit=lambda certificate: registry.admission(certificate, now_us()),
            heard=heard,
            now_us=now_us,
            limits=limits,
            desk=RenewalDesk(authority, registry, now_us),
            models=rollouts,
        )
        address = config.settings.listen.sync
        credentials = authority.server(config.certificate_hosts)
        try:
            server, _ = make_server(ingest, address, credentials, limits)
        except RuntimeError as error:
            raise OperatorError(
                f"listen for gateways on {address}",
                "the address is taken or not ours",
                "is another cloud running? otherwise correct listen.sync",
            ) from error
        return cls(journal, registry, ingest, server, now_us, rollouts)

    async def start(self) -> None:
        """Take gateways in."""
        await self.server.start()

    async def close(self) -> None:
        """End all sessions in good order, and take no more."""
        await self.ingest.close()
        await self.server.stop(STOP_S)

    async def tend(self) -> None:
        """Give back what the journal no longer needs; end sessions whose certificates ended."""
        while True:
            await asyncio.sleep(TIDY_S)
            with told_only("trim the journal"):
                await asyncio.to_thread(self.journal.trim)
            with told_only("settle forks"):
                for name in await asyncio.to_thread(carry_out, self.journal):
                    log.warning("the forks of %s were settled by an operator", name)
            with told_only("look whose certificates may still hold a session"):
                serials = self.ingest.serials()
                told = await asyncio.to_thread(self.registry.standing, serials, self.now_us())
                for name, admission in self.ingest.hold_to(told):
                    log.warning(
                        "a session of %s ends: its certificate is %s", name, admission.value
                    )
            with told_only("look at rollouts"):
                if await asyncio.to_thread(self.rollouts.look):
                    self.ingest.offer()
            with told_only("look for renewals that are asked for"):
                self.ingest.remind(await asyncio.to_thread(self.registry.renewals_asked))


@contextmanager
def told_only(what: str) -> Iterator[None]:
    """Log a storage fault of something beside the data path, which must not end the cloud."""
    try:
        yield
    except StorageError as error:
        log.warning("could not %s, it is tried again: %s", what, error)
