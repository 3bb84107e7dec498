"""Where gateways renew their certificates: the Renew call of the Sync service, and who calls.

It is open to a certificate that is past its life, to which every session is closed.
"""

import asyncio
import logging
from typing import Any

import grpc

from cloud.errors import PeerError, StorageError
from cloud.identity import GatewayCertificate, read_gateway_certificate
from cloud.journal_cursor import fault
from cloud.renewal import ENROL, RenewalDesk
from protos import sync_pb2 as pb
from protos.sync_pb2_grpc import SyncServicer

log = logging.getLogger(__name__)

Peer = GatewayCertificate | pb.CloudMessage
"""Who calls, or why not."""


class RenewService(SyncServicer):
    """The part of the Sync servicer that renews; ``desk`` None: this server renews nothing."""

    def __init__(self, desk: RenewalDesk | None) -> None:
        self._desk = desk

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
        try:
            answer = await asyncio.to_thread(self._desk.renew, peer, request.csr_der)
        except StorageError as error:
            log.error("could not renew the certificate of %s: %s", peer.name, error)
            told, hint = "it could not be written down", "it is tried again"
            return pb.RenewResponse(fault=pb.Fault(code=pb.STORAGE_FAILED, message=told, hint=hint))
        log.info("renewal for %s: %s", peer.name, answer.fault.message or "signed")
        return answer


def peer_of(context: grpc.aio.ServicerContext[Any, Any]) -> Peer:
    """Whose certificate it is, or the refusal."""
    try:
        for pem in context.auth_context().get("x509_pem_cert", ()):
            return read_gateway_certificate(pem)
        return fault(pb.NOT_ENROLLED, "no certificate was shown", ENROL)
    except PeerError as error:
        return fault(pb.NOT_ENROLLED, error.cause, ENROL)
