"""Enrolment, seen from the gateway: a pasted token against a certificate.

The key is made here and stays here. The server must show a certificate of the authority in the
token before anything is said to it; what it sends back must be for our key, under our name, and
signed by that same authority.
"""

from collections.abc import Iterable
from typing import Final, cast

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge import identity_next
from edge.config import EdgeConfig
from edge.errors import OperatorError, PeerError, TidegateError, UnreachableError
from edge.identity import Identity, common_name, is_enrolled, keep, load, pending_key
from edge.uplink_channel import proxy_options
from protos import sync_pb2, sync_pb2_grpc
from protos.limits import ENROL_BYTES_MAX, PROTOCOL_MAX, PROTOCOL_MIN
from protos.token import Token, TokenError, read_token

TIMEOUT_S: Final = 20.0
HINT_KEY: Final = "tidegate-hint-bin"
_NEW_TOKEN = "on the cloud, make another with `tidegate-cloud token create NAME`"


def parse_token(line: str) -> Token:
    """Read what was pasted.

    Raises:
        OperatorError: it is no token, is cut off, or was altered.
    """
    try:
        return read_token(line)
    except TokenError as error:
        hint = "paste the whole line that `tidegate-cloud token create` printed"
        raise OperatorError("read the enrolment token", error.what, hint) from error


def enrol(
    token: Token,
    config: EdgeConfig,
    agent_version: str,
    *,
    replace: bool = False,
    timeout_s: float = TIMEOUT_S,
) -> Identity:
    """Get an identity for this gateway, and keep it; readings in the buffer are not touched.

    A token for another name is for the cloud to refuse, so that both sides know of it.

    Raises:
        OperatorError: there is an identity already, or the token holds no certificate.
        UnreachableError: the cloud did not answer.
        PeerError: it refused, is not the cloud of this token, or answered what cannot be right.
        StorageError: key or certificate cannot be written.
    """
    tried = f"enrol the gateway {config.name!r} at {token.address}"
    if is_enrolled(config.identity_folder) and not replace:
        cause = "this gateway is enrolled already"
        raise OperatorError(tried, cause, "to enrol it anew, add --replace")
    authority = _authority(tried, token)
    key = pending_key(config.identity_folder)
    answer = _ask(
        tried,
        token,
        authority,
        _request(token, config.name, key, agent_version),
        config.cloud_proxy(),
        timeout_s,
    )
    certificate = _checked(tried, answer, token, authority, key)
    folder = config.identity_folder
    keep(folder, certificate, authority, answer.sync_address, answer.cloud_name)
    identity_next.discard(folder)
    return load(folder, config.name)


def _authority(tried: str, token: Token) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(token.ca_der)
    except ValueError as error:
        raise OperatorError(tried, "the token holds no certificate", _NEW_TOKEN) from error


def _request(
    token: Token, name: str, key: ec.EllipticCurvePrivateKey, agent_version: str
) -> sync_pb2.EnrolRequest:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return sync_pb2.EnrolRequest(
        token_id=token.id,
        token_secret=token.secret,
        gateway=name,
        csr_der=csr.public_bytes(serialization.Encoding.DER),
        protocol_min=PROTOCOL_MIN,
        protocol_max=PROTOCOL_MAX,
        agent_version=agent_version,
    )


def _ask(
    tried: str,
    token: Token,
    authority: x509.Certificate,
    request: sync_pb2.EnrolRequest,
    proxy: str,
    timeout_s: float,
) -> sync_pb2.EnrolResponse:
    pem = authority.public_bytes(serialization.Encoding.PEM)
    options = (("grpc.max_receive_message_length", ENROL_BYTES_MAX), *proxy_options(proxy))
    credentials = grpc.ssl_channel_credentials(pem)
    with grpc.secure_channel(token.address, credentials, options) as channel:
        # Generated code carries no types.
        stub = sync_pb2_grpc.EnrolmentStub(channel)  # type: ignore[no-untyped-call]
        try:
            answer: sync_pb2.EnrolResponse = stub.Enrol(request, timeout=timeout_s)
        except grpc.RpcError as error:
            raise _told(tried, token, error) from error
    return answer


def _told(tried: str, token: Token, error: grpc.RpcError) -> TidegateError:
    """Put gRPC's error into words; what the cloud itself said is passed on as it is."""
    status, details = error.code(), error.details() or ""
    metadata = dict(cast("Iterable[tuple[str, bytes]]", error.trailing_metadata() or ()))
    if HINT_KEY in metadata:
        return PeerError(tried, details, metadata[HINT_KEY].decode(errors="replace"))
    if "CERTIFICATE_VERIFY_FAILED" in details:
        cause = "the server there does not belong to the cloud that made the token"
        return PeerError(tried, cause, _NEW_TOKEN)
    if "Hostname Verification" in details or "not in peer certificate" in details:
        cause = f"the server's certificate is not for {token.address}"
        hint = "on the cloud, add the name to listen.hosts in cloud.toml and restart it"
        return PeerError(tried, cause, hint)
    if status in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        hint = "is the cloud running, and its enrolment port reachable from here?"
        if "HTTP proxy" in details:
            hint = "check cloud.proxy and its user and password in edge.toml"
        return UnreachableError(tried, _reason(status, details), hint)
    cause = f"the cloud answered {status.name}: {details}"
    return PeerError(tried, cause, "see the cloud's log")


def _reason(status: grpc.StatusCode, details: str) -> str:
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "it did not answer in time"
    for known in ("Connection refused", "No route to host", "Network is unreachable"):
        if known in details:
            return known.lower()
    if "DNS" in details or "resolution" in details:
        return "its name is not known here"
    return details[:200] or "it did not answer"


def _checked(
    tried: str,
    answer: sync_pb2.EnrolResponse,
    token: Token,
    authority: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    hint = "nothing was kept; the cloud is at fault, see its log"
    try:
        certificate = x509.load_der_x509_certificate(answer.certificate_der)
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature) as error:
        cause = "the certificate that came back is not of the token's authority"
        raise PeerError(tried, cause, hint) from error
    if certificate.public_key() != key.public_key():
        raise PeerError(tried, "the certificate that came back is for another key", hint)
    if common_name(certificate) != token.gateway:
        raise PeerError(tried, "the certificate that came back has another name", hint)
    if not answer.sync_address.rpartition(":")[0]:
        raise PeerError(tried, "the answer names no address to send readings to", hint)
    return certificate
