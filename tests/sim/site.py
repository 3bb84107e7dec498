"""A cloud on loopback with real certificates and a real journal, and the papers of a gateway."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloud.ingest.identity import Authority, GatewayCertificate
from cloud.ingest.model_post import Models
from cloud.ingest.renewal import RenewalDesk
from cloud.ingest.service import Ingest, IngestLimits, Presence, make_server
from cloud.journal.contract import Journal
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from cloud.registry.registry import Admission

DEADLINE_S = 20.0
PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Papers:
    certificate_pem: bytes
    key_pem: bytes


def enrol(authority: Authority, name: str) -> Papers:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    csr = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    signed = authority.sign(csr, name)
    pem = x509.load_der_x509_certificate(signed.der).public_bytes(PEM)
    private = key.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Papers(pem, private)


@dataclass
class Site:
    """What a test needs of a running cloud. ``barred``: gateways and why they are not admitted."""

    folder: Path
    authority: Authority
    barred: dict[str, Admission] = field(default_factory=dict)
    heard: list[Presence] = field(default_factory=list)
    limits: IngestLimits = field(default_factory=IngestLimits)
    desk: RenewalDesk | None = None
    models: Models | None = None
    port: int = 0

    @asynccontextmanager
    async def serve(
        self, wrap: Callable[[Journal], Journal] = lambda journal: journal
    ) -> AsyncIterator["Running"]:
        """Serve on the port of the last time; ``wrap`` may stand between ingest and journal."""
        opened = SqliteJournal.open(self.folder / "journal", now_us=lambda: time.time_ns() // 1000)
        journal = wrap(opened)
        ingest = Ingest(
            journal,
            admit=self._admission,
            heard=self.heard.append,
            now_us=lambda: time.time_ns() // 1000,
            limits=self.limits,
            desk=self.desk,
            models=self.models,
        )
        credentials = self.authority.server(("localhost",))
        address = f"127.0.0.1:{self.port}"
        server, self.port = make_server(ingest, address, credentials, self.limits)
        await server.start()
        try:
            yield Running(journal, ingest, server)
        finally:
            await ingest.close()
            await server.stop(0.2)
            opened.close()

    def _admission(self, shown: GatewayCertificate) -> Admission:
        if self.desk is not None:
            return self.desk.registry.admission(shown, self.desk.now_us())
        return self.barred.get(shown.name, Admission.ADMITTED)

    def channel(self, papers: Papers) -> grpc.aio.Channel:
        """A plain client's channel with these papers."""
        credentials = grpc.ssl_channel_credentials(
            self.authority.pem, papers.key_pem, papers.certificate_pem
        )
        options = (
            ("grpc.ssl_target_name_override", "localhost"),
            ("grpc.use_local_subchannel_pool", 1),
        )
        return grpc.aio.secure_channel(f"127.0.0.1:{self.port}", credentials, options=options)


@dataclass
class Running:
    journal: Journal
    ingest: Ingest
    server: grpc.aio.Server

    def archive_all(self) -> None:
        self.journal.mark_archived(self.journal.head()).result(DEADLINE_S)


async def until(condition: Callable[[], object]) -> None:
    """Wait until it holds, or fail."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)
