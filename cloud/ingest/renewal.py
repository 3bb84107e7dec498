"""Renewal of gateways' certificates: a life that the registry counts, not the certificate itself.

A certificate is good for decades as TLS sees it, because a gateway's clock may say anything and
gRPC in Python cannot be told what time it is. How long it serves is counted here, from its issue,
by the cloud's clock: past its life nothing but a renewal is open to it. A renewal is asked for over
mutual TLS by the certificate in use, so it needs no token; the one before stays good until the new
one was shown once, and the newest that was asked for is the one that counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cloud.errors import PeerError
from cloud.ingest.identity import Authority, GatewayCertificate, request_key_sha256
from cloud.journal.cursor import fault
from cloud.registry.registry import Admission, CertificateRow, Registry
from protos import sync_pb2 as pb

DAY_US: Final = 86_400_000_000
RENEWALS_PER_DAY_MAX: Final = 8
"""Of one gateway. More are two machines with one identity, or a card that forgets."""
RETRY_MS: Final = 3_600_000
ENROL: Final = "enrol the gateway: `tidegate-cloud token create`, then `tidegate-edge enroll`"
_ANEW: Final = "enrol it anew: `tidegate-cloud token create`, `tidegate-edge enroll --replace`"


@dataclass(frozen=True, slots=True)
class RenewalDesk:
    """Where renewals are judged; blocking, for a worker thread."""

    authority: Authority
    registry: Registry
    now_us: Callable[[], int]

    def renew(self, shown: GatewayCertificate, csr_der: bytes) -> pb.RenewResponse:
        """A certificate for a new key, or the fault that says why not. StorageError: no change."""
        now_us = self.now_us()
        with self.registry.transaction():
            answer = self._judge(shown, csr_der, now_us)
            told = answer.fault.message if answer.HasField("fault") else "signed"
            self.registry.audit(now_us, "renew", shown.name, f"certificate {shown.serial}", told)
        return answer

    def terms(self, shown: GatewayCertificate) -> pb.CertificateTerms:
        """What the gateway is told of its certificate. StorageError."""
        row = self.registry.certificate(shown.serial)
        life_us = self.registry.life_us
        if row is None:
            return pb.CertificateTerms()
        left_us = row.issued_us + life_us - self.now_us()
        asked = self.registry.is_renewal_asked(shown.name)
        return pb.CertificateTerms(life_us=life_us, left_us=left_us, asked=asked)

    def _judge(self, shown: GatewayCertificate, csr_der: bytes, now_us: int) -> pb.RenewResponse:
        admission = self.registry.admission(shown, now_us)
        if admission not in (Admission.ADMITTED, Admission.PAST_ITS_LIFE):
            return _refused(pb.REVOKED, f"the certificate of {shown.name} was withdrawn", _ANEW)
        try:
            key = request_key_sha256(csr_der, shown.name)
            pending = self.registry.successor(shown.serial)
            if pending is not None and pending.key_sha256 == key:
                return self._response(pending.der)  # the answer was lost on its way
            if key == shown.key_sha256:
                return _refused(pb.MALFORMED, "a renewal is of a new key", "upgrade the gateway")
            if self.registry.issued_since(shown.name, now_us - DAY_US) >= RENEWALS_PER_DAY_MAX:
                told = f"{shown.name} was renewed {RENEWALS_PER_DAY_MAX} times within a day"
                hint = "if two machines have this identity, enrol one of them anew"
                return _refused(pb.OVERLOADED, told, hint, RETRY_MS)
            made = self.authority.sign(csr_der, shown.name)
        except PeerError as error:
            return _refused(pb.MALFORMED, error.cause, error.hint)
        row = CertificateRow(
            made.serial, made.name, made.key_sha256, made.der, now_us, made.not_after_us,
            replaces=shown.serial,
        )  # fmt: skip
        self.registry.add_successor(row)
        return self._response(made.der)

    def _response(self, der: bytes) -> pb.RenewResponse:
        return pb.RenewResponse(certificate_der=der, life_us=self.registry.life_us)


def refusal(admission: Admission, gateway: str) -> pb.CloudMessage | None:
    """Why a session is refused to who shows such a certificate; None when it is not."""
    match admission:
        case Admission.ADMITTED:
            return None
        case Admission.NOT_ENROLLED:
            return fault(pb.NOT_ENROLLED, f"{gateway} is not enrolled here", ENROL)
        case Admission.REVOKED:
            return fault(pb.REVOKED, f"the certificate of {gateway} was withdrawn", ENROL)
        case Admission.REPLACED:
            told = f"the certificate of {gateway} was renewed, and its successor is in use"
            hint = f"this is a copy, or was restored from a backup: {_ANEW}"
            return fault(pb.CLONE, told, hint, RETRY_MS)
        case Admission.PAST_ITS_LIFE:
            told = f"the certificate of {gateway} is past its life"
            return fault(pb.RENEWAL_DUE, told, "the gateway renews it by itself, then delivers")


def _refused(code: pb.Code, message: str, hint: str, retry_ms: int = 0) -> pb.RenewResponse:
    told = pb.Fault(code=code, message=message, hint=hint, retry_after_ms=retry_ms)
    return pb.RenewResponse(fault=told)
