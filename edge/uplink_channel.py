"""One encrypted line to the cloud: the gRPC channel, its bounds, and what its failures mean.

The certificate, the key and the cloud's authority come as PEM bytes; the cloud is known by its own
authority alone, so a public certificate for the same name does not pass.
"""

from dataclasses import dataclass
from typing import Final

import grpc

from edge.sync_effects import Close
from protos import sync_pb2 as pb
from protos.limits import MESSAGE_BYTES_MAX

KEEPALIVE_MS: Final = 20_000
"""An idle line is asked for a sign of life this often; a half-open one is found in 30 s."""
KEEPALIVE_TIMEOUT_MS: Final = 10_000

_FOREIGN: Final = "the server there is not the cloud this gateway enrolled with: check the address"
_UNWANTED: Final = "if it recurs, the cloud may not accept this certificate: enrol again"
_NO_NAME: Final = "check the address, and the name server of this network"
_SIGNS: Final = (
    ("certificate_verify_failed", _FOREIGN),
    ("unable to get local issuer", _FOREIGN),
    ("hostname verification", _FOREIGN),
    ("not match", _FOREIGN),
    ("dns resolution failed", _NO_NAME),
    ("name or service not known", _NO_NAME),
    ("refused", "is `tidegate-cloud serve` running there, and is the port open?"),
    ("certificate required", _UNWANTED),
    ("unknown ca", _UNWANTED),
    ("bad certificate", _UNWANTED),
    ("certificate expired", _UNWANTED),
    ("handshake", _UNWANTED),
    ("socket closed", _UNWANTED),
    ("connection reset", _UNWANTED),
)
"""What gRPC's details say, in small letters, and what to do about it; the first that fits."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the cloud is and who we are to it. ``cloud_name``: the name in its certificate."""

    address: str
    cloud_name: str
    ca_pem: bytes
    certificate_pem: bytes
    key_pem: bytes


def open_channel(endpoint: Endpoint) -> grpc.aio.Channel:
    """A channel that connects when it is first used; needs a running loop."""
    credentials = grpc.ssl_channel_credentials(
        endpoint.ca_pem, endpoint.key_pem, endpoint.certificate_pem
    )
    options = (
        ("grpc.ssl_target_name_override", endpoint.cloud_name),
        ("grpc.default_authority", endpoint.cloud_name),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.enable_retries", 0),
        ("grpc.use_local_subchannel_pool", 1),  # a new session is a new connection
    )
    return grpc.aio.secure_channel(endpoint.address, credentials, options=options)


def explain(error: grpc.aio.AioRpcError, endpoint: Endpoint) -> Close:
    """A failed call as its cause and the way out."""
    details = error.details() or "no details"
    told = f"{endpoint.address}: {details}"
    for sign, hint in _SIGNS:
        if sign in details.lower():
            return Close(pb.CODE_UNSPECIFIED, told, hint)
    match error.code():
        case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
            hint = _UNWANTED
        case grpc.StatusCode.UNIMPLEMENTED:
            hint = "this address is not a Tidegate sync port"
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            hint = "the cloud is at its limit of connections; it is tried again"
        case _:
            hint = "it is tried again; readings are kept meanwhile"
    return Close(pb.CODE_UNSPECIFIED, told, hint)
