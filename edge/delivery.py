"""From an identity to a living uplink, and from one certificate to the next.

Waits to be enrolled, then delivers for ever; what is wrong is told once and tried again, and
collecting goes on. A certificate that is due is renewed over the line it serves; the new one is
shown first from then on, and the old one forgotten once the cloud took it.

gRPC is loaded once there is an identity: a gateway without a cloud does without its 10 MB.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import msgspec

from edge import agent_parts as parts
from edge import identity, identity_next, memory
from edge.clock import Clock
from edge.config import EdgeConfig
from edge.errors import LibraryError, OperatorError, PeerError, StorageError
from edge.identity import Identity
from edge.model_post import ModelPost
from edge.renewal import HOUR_US, Renewal
from edge.settings_budget import as_profiled
from edge.spending import Spending
from edge.store.store import Store
from edge.uplink_state import Line
from protos import sync_pb2 as pb
from protos.durable import put

if TYPE_CHECKING:
    from edge.uplink import Uplink
    from edge.uplink_channel import Endpoint
    from edge.uplink_saver import Saver

WATCH_S: Final = 1.0
RENEW_S_MAX: Final = 30.0
LOAD_S: Final = 60.0
"""Between attempts to load a library that does not load."""
LINKS: Final = ("grpc", "edge.uplink")
"""What only a gateway that has a cloud needs; loaded one after the other."""
SAVE_EVERY_US: Final = HOUR_US
REFUSED: Final = frozenset({pb.NOT_ENROLLED, pb.REVOKED})
"""A renewed certificate that meets these was not the last word: the one before is shown again."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Delivery:
    """One gateway's delivery; made on the loop that runs it.

    ``report`` makes the Status for the cloud, ``models`` carries rollouts out. ``uplink`` and
    ``who`` are None until it is enrolled, ``renewal`` likewise.
    """

    config: EdgeConfig
    clock: Clock
    store: Store
    report: Callable[[], pb.Status]
    models: ModelPost | None = None
    spending: Spending | None = None
    uplink: "Uplink | None" = None
    who: Identity | None = None
    renewal: Renewal | None = None
    _is_on_trial: bool = False
    _trial_after: int = 0
    _held: pb.CertificateTerms | None = None
    _saved_us: int = 0
    _told: str = ""
    _waits: int = 0
    _chance: random.Random = field(default_factory=random.Random)

    @property
    def not_after_us(self) -> int:
        """When the certificate's life ends, by the gateway's clock; 0 until the cloud told it.

        What stands in the certificate itself is 2099 and says nothing (`cloud.ingest.renewal`).
        """
        now = self.clock.now()
        left_us = None if self.renewal is None else self.renewal.left_us(now.mono_us)
        return 0 if left_us is None else now.wall_us + left_us

    @property
    def turns(self) -> int:
        """How often it came round, waiting to be enrolled or delivering."""
        return self._waits + (0 if self.uplink is None else self.uplink.turns)

    def wake(self, *, urgent: bool = False) -> None:
        """New chunks wait in the buffer, ``urgent`` with anomalies; from any thread."""
        if self.uplink is not None:
            self.uplink.wake(urgent=urgent)

    async def drain(self, deadline_s: float) -> None:
        """Deliver what can be delivered in a moment, if the cloud is there at all."""
        if self.uplink is not None and self.uplink.state.line is Line.LIVE:
            await self.uplink.drain(deadline_s)

    async def run(self) -> None:
        """Deliver for ever."""
        who, coming = await self._enrolled()
        await self._linked()
        from edge.uplink import Uplink

        self._is_on_trial = coming is not None
        self.who = coming or who
        mono_us = self.clock.now().mono_us
        kept = identity_next.read_record(self.config.renewal_path)
        try:
            self.who.require_valid(self.clock.now().wall_us)
        except OperatorError as error:
            # The clock may be wrong and the cloud decides in the end, so it is told and tried.
            log.error("%s", error)
        self.renewal = Renewal(self.config.name, identity_next.fingerprint(who), kept, mono_us)
        self.uplink = uplink = Uplink(
            gateway=self.config.name,
            endpoint=self._endpoint(self.who),
            buffer=self.store,
            clock=self.clock,
            agent_version=version("tidegate"),
            report=self.report,
            terms=self._terms,
            models=self.models,
            saver=self._saver(),
        )
        # What reading the identity touched goes before the first attempt touches as much of gRPC.
        await asyncio.to_thread(memory.settle)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(uplink.run(), name="uplink")
            tasks.create_task(self._watch(uplink, self.renewal), name="watch the cloud")

    async def _enrolled(self) -> tuple[Identity, Identity | None]:
        """Wait for a usable identity; what is missing or wrong is told once, collecting goes on."""
        folder, name, told = self.config.identity_folder, self.config.name, ""
        while True:
            self._waits += 1
            try:
                if identity.is_enrolled(folder):
                    who = await asyncio.to_thread(identity.load, folder, name)
                    return who, await asyncio.to_thread(self._coming)
                now = f"not enrolled: {identity.way_out(name, replace=False)}"
            except OperatorError as error:
                now = str(error)
            if now != told:
                log.error("%s; readings are collected and kept meanwhile", now)
                told = now
            await asyncio.sleep(WATCH_S)

    async def _linked(self) -> None:
        """Load what speaks to the cloud; what keeps it from loading is told once."""
        while True:
            self._waits += 1
            try:
                return await asyncio.to_thread(memory.load, *LINKS)
            except LibraryError as error:
                self._say(f"{error}; it is tried again, and readings are kept meanwhile")
            await asyncio.sleep(LOAD_S)

    def _saver(self) -> "Saver":
        from edge.uplink_saver import Saver

        return Saver(as_profiled(self.config.settings.uplink), self.spending)

    def _coming(self) -> Identity | None:
        """A renewed identity that was never promoted; a damaged one is forgotten."""
        try:
            return identity_next.found(self.config.identity_folder, self.config.name)
        except OperatorError as error:
            log.error("%s; the identity before it is used", error)
            identity_next.discard(self.config.identity_folder)
            return None

    def _endpoint(self, who: Identity) -> "Endpoint":
        from edge.uplink_channel import Endpoint

        endpoint = Endpoint(
            self.config.settings.cloud.address or who.sync_address,
            who.cloud_name,
            who.authority_pem,
            who.certificate_pem,
            who.key_pem,
            self.config.cloud_proxy(),
            as_profiled(self.config.settings.uplink).keepalive_s,
        )
        if self.spending is not None:
            self.spending.ports = endpoint.ports
        return endpoint

    def _terms(self, terms: pb.CertificateTerms) -> None:
        if self._is_on_trial:
            self._held = terms  # of the certificate on trial, should it be taken
        elif self.renewal is not None:
            mono_us = self.clock.now().mono_us
            asked = terms.asked
            self._saved_us = mono_us - SAVE_EVERY_US  # to be kept soon, for `status` too
            self.renewal.told(terms.life_us, terms.left_us, asked=asked, mono_us=mono_us)

    async def _watch(self, uplink: "Uplink", renewal: Renewal) -> None:
        """Tell once when the cloud is away and when it is back; tend the certificate meanwhile."""
        told = ""
        while True:
            state = uplink.state
            if state.line is Line.LIVE and told:
                log.info("the cloud is back: delivery goes on")
                told = ""
            elif state.error and state.error != told:
                told = state.error
                log.warning("%s", parts.undelivered(told, state.hint))
            try:
                await self._tend(uplink, renewal)
            except (StorageError, OperatorError) as error:  # tried again at its pace
                self._say(str(error))
                renewal.failed(self.clock.now().mono_us, self._chance.random())
            await asyncio.sleep(WATCH_S)

    async def _tend(self, uplink: "Uplink", renewal: Renewal) -> None:
        state, mono_us = uplink.state, self.clock.now().mono_us
        if self._is_on_trial:
            if state.attempts <= self._trial_after:
                return  # still the session of the certificate before
            if state.line is Line.LIVE:
                await asyncio.to_thread(self._promote, renewal, mono_us)
            elif state.code in REFUSED:
                self.who = await asyncio.to_thread(self._step_back)
                uplink.use(self._endpoint(self.who))
            return
        if state.code == pb.RENEWAL_DUE:
            renewal.demanded()
        is_open = state.line is Line.LIVE or state.code == pb.RENEWAL_DUE
        if is_open and renewal.is_due(mono_us):
            await self._renew(uplink, renewal)
        if mono_us - self._saved_us >= SAVE_EVERY_US:
            await asyncio.to_thread(self._save, renewal, mono_us)

    async def _renew(self, uplink: "Uplink", renewal: Renewal) -> None:
        """Ask for a certificate and show it from now on; what stands in the way is told once."""
        folder, name, who = self.config.identity_folder, self.config.name, self.who
        assert who is not None
        csr_der = await asyncio.to_thread(identity_next.request, folder, name)
        answer = await self._ask(self._endpoint(who), csr_der)
        if answer.HasField("fault"):
            self._say(f"could not renew the certificate: {answer.fault.message}")
            retry_us = answer.fault.retry_after_ms * 1000
            renewal.failed(self.clock.now().mono_us, self._chance.random(), retry_us)
            return
        try:
            fresh = await asyncio.to_thread(
                identity_next.keep, folder, name, answer.certificate_der
            )
        except PeerError as error:
            raise StorageError(error.tried, error.cause, error.hint) from error
        self._is_on_trial, self.who, self._held = True, fresh, None
        self._trial_after = uplink.state.attempts
        uplink.use(self._endpoint(fresh))

    async def _ask(self, endpoint: "Endpoint", csr_der: bytes) -> pb.RenewResponse:
        from edge.uplink_channel import ask_renewal

        request = pb.RenewRequest(csr_der=csr_der, agent_version=version("tidegate"))
        return await ask_renewal(endpoint, request, RENEW_S_MAX)

    def _promote(self, renewal: Renewal, mono_us: int) -> None:
        identity_next.promote(self.config.identity_folder)
        self.who = identity.load(self.config.identity_folder, self.config.name)
        self._is_on_trial = False
        renewal.renewed(identity_next.fingerprint(self.who), mono_us)
        if self._held is not None:
            self._terms(self._held)
        self._save(renewal, mono_us)
        log.info("the certificate was renewed, with a new key")

    def _step_back(self) -> Identity:
        log.warning("the cloud does not take the renewed certificate; the one before is shown")
        identity_next.discard(self.config.identity_folder)
        self._is_on_trial = False
        return identity.load(self.config.identity_folder, self.config.name)

    def _save(self, renewal: Renewal, mono_us: int) -> None:
        self._saved_us = mono_us
        try:
            put(self.config.renewal_path, msgspec.json.encode(renewal.record(mono_us)))
        except OSError as error:
            path = self.config.renewal_path
            raise StorageError(f"write {path}", str(error), "check the disk") from error

    def _say(self, told: str) -> None:
        if told != self._told:
            self._told = told
            log.warning("%s", told)
