"""One encrypted line to the cloud: the gRPC channel, its bounds, and what its failures mean.

The certificate, the key and the cloud's authority come as PEM bytes; the cloud is known by its own
authority alone, so a public certificate for the same name does not pass.
"""

import os
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import grpc

from edge.settings_links import PROXY_VARIABLES
from edge.sync_effects import Close
from protos import sync_pb2 as pb
from protos.limits import MESSAGE_BYTES_MAX
from protos.sync_pb2_grpc import SyncStub

KEEPALIVE_S: Final = 20
"""An idle line is asked for a sign of life this often; a half-open one is found in 30 s."""
KEEPALIVE_TIMEOUT_S: Final = (10, 60)
"""How long it is waited for: half of that time within these, for a thin line has a block on it."""

_FOREIGN: Final = "the server there is not the cloud this gateway enrolled with: check the address"
_UNWANTED: Final = "if it recurs, the cloud may not accept this certificate: enrol again"
_NO_NAME: Final = "check the address, and the name server of this network"
_PROXY: Final = "check cloud.proxy and its user and password in edge.toml: the proxy refuses"
_SIGNS: Final = (
    ("http proxy returned response code", _PROXY),
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
    """Where the cloud is and who we are to it. ``cloud_name``: the name in its certificate.

    ``proxy`` is `EdgeConfig.cloud_proxy`: it may hold a password, so it is never shown.
    ``keepalive_s``: how often an idle line is asked for a sign of life; where that is seldom, the
    line is not measured by packets of its own either.
    """

    address: str
    cloud_name: str
    ca_pem: bytes
    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    proxy: str = field(default="", repr=False)
    keepalive_s: int = KEEPALIVE_S

    @property
    def ports(self) -> frozenset[int]:
        """TCP ports that its connections may go to: the cloud's, and those of proxies."""
        named = [self.proxy] if self.proxy else [os.environ.get(n, "") for n in PROXY_VARIABLES]
        proxies = (urlsplit(one).port for one in named if one)
        port = self.address.rpartition(":")[2]
        return frozenset(found for found in (*proxies, int(port)) if found)


def proxy_options(proxy: str) -> tuple[tuple[str, str], ...]:
    """The channel options that lead through an HTTP CONNECT proxy; none when there is none.

    gRPC asks the proxy for a tunnel and speaks TLS with the cloud inside it, so the proxy sees
    addresses and sizes only. Without the option gRPC looks at the environment by itself.
    """
    return (("grpc.http_proxy", proxy),) if proxy else ()


def open_channel(endpoint: Endpoint) -> grpc.aio.Channel:
    """A channel that connects when it is first used; needs a running loop."""
    credentials = grpc.ssl_channel_credentials(
        endpoint.ca_pem, endpoint.key_pem, endpoint.certificate_pem
    )
    least_s, most_s = KEEPALIVE_TIMEOUT_S
    timeout_s = min(max(endpoint.keepalive_s // 2, least_s), most_s)
    options = (
        ("grpc.ssl_target_name_override", endpoint.cloud_name),
        ("grpc.default_authority", endpoint.cloud_name),
        ("grpc.keepalive_time_ms", 1000 * endpoint.keepalive_s),
        ("grpc.keepalive_timeout_ms", 1000 * timeout_s),
        ("grpc.http2.bdp_probe", int(endpoint.keepalive_s <= KEEPALIVE_S)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.enable_retries", 0),
        ("grpc.use_local_subchannel_pool", 1),  # a new session is a new connection
        *proxy_options(endpoint.proxy),
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


async def ask_renewal(
    endpoint: Endpoint, request: pb.RenewRequest, timeout_s: float
) -> pb.RenewResponse:
    """The cloud's answer to a request for a certificate; a failed call is a fault in it."""
    async with open_channel(endpoint) as channel:
        stub = SyncStub(channel)  # type: ignore[no-untyped-call]
        try:
            answer: pb.RenewResponse = await stub.Renew(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            close = explain(error, endpoint)
            return pb.RenewResponse(fault=pb.Fault(message=close.message, hint=close.hint))
    return answer
