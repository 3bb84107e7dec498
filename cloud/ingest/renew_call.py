"""Where gateways renew their certificates: the Renew call of the Sync service, and who calls.

It is open to a certificate that is past its life, to which every session is closed.
"""

import asyncio
import logging
from collections import Counter
from typing import Any, Final

import grpc

from cloud.errors import PeerError, StorageError
from cloud.ingest.identity import GatewayCertificate, read_gateway_certificate
from cloud.ingest.renewal import ENROL, RETRY_MS, RenewalDesk
from cloud.journal.cursor import fault
from protos import sync_pb2 as pb
from protos.sync_pb2_grpc import SyncServicer

log = logging.getLogger(__name__)

CALLS_PER_HOUR_MAX: Final = 16
"""Of one certificate, whatever the answers; a gateway calls once in minutes. Each is a write to the
registry and a row of its audit trail, which a revoked one must not push out."""
HOUR_S: Final = 3600.0

Peer = GatewayCertificate | pb.CloudMessage
"""Who calls, or why not."""


class RenewService(SyncServicer):
    """The part of the Sync servicer that renews; ``desk`` None: this server renews nothing."""

    def __init__(self, desk: RenewalDesk | None) -> None:
        self._desk = desk
        self._calls: Counter[str] = Counter()
        self._hour_began = 0.0

    async def Renew(  # noqa: N802 - gRPC's name for it
        self,
        request: pb.RenewRequest,
        context: "grpc.aio.ServicerContext[pb.RenewRequest, pb.RenewResponse]",
    ) -> pb.RenewResponse:
        """A new certificate for the one shown, or a fault."""
        peer = peer_of(context)
        if isinstance(peer, pb.CloudMessage):
            return pb.RenewResponse(fault=peer.fault)
        if self._desk is None:
            told = "certificates are not renewed here"
            return pb.RenewResponse(fault=pb.Fault(code=pb.OUT_OF_ORDER, message=told))
        if not self._may_call(peer.serial, asyncio.get_running_loop().time()):
            told = f"{CALLS_PER_HOUR_MAX} renewals were asked for within the hour"
            again = pb.Fault(code=pb.OVERLOADED, message=told, retry_after_ms=RETRY_MS)
            return pb.RenewResponse(fault=again)
        try:
            answer = await asyncio.to_thread(self._desk.renew, peer, request.csr_der)
        except StorageError as error:
            log.error("could not renew the certificate of %s: %s", peer.name, error)
            told, hint = "it could not be written down", "it is tried again"
            return pb.RenewResponse(fault=pb.Fault(code=pb.STORAGE_FAILED, message=told, hint=hint))
        log.info("renewal for %s: %s", peer.name, answer.fault.message or "signed")
        return answer

    def _may_call(self, serial: str, now_s: float) -> bool:
        """Count a call of a certificate, of which others with the same name know nothing."""
        if now_s - self._hour_began >= HOUR_S:
            self._calls.clear()
            self._hour_began = now_s
        self._calls[serial] += 1
        return self._calls[serial] <= CALLS_PER_HOUR_MAX


def peer_of(context: grpc.aio.ServicerContext[Any, Any]) -> Peer:
    """Whose certificate it is, or the refusal."""
    try:
        for pem in context.auth_context().get("x509_pem_cert", ()):
            return read_gateway_certificate(pem)
        return fault(pb.NOT_ENROLLED, "no certificate was shown", ENROL)
    except PeerError as error:
        return fault(pb.NOT_ENROLLED, error.cause, ENROL)
