"""What the cloud's sync port says to a gateway that asks beside its session."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import grpc

from edge.uplink_channel import Endpoint, explain, open_channel
from protos import health_pb2
from protos import sync_pb2 as pb
from protos.health_pb2_grpc import HealthStub
from protos.limits import PROTOCOL_MAX, PROTOCOL_MIN
from protos.sync_pb2_grpc import SyncStub

if TYPE_CHECKING:
    from edge.identity import Identity

SYNC: Final = "tidegate.v1.Sync"
_NOT_ONE: Final = {grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND}


@dataclass(frozen=True, slots=True)
class Said:
    """What it said: ``is_foreign``: no sync port; ``is_admitted``: a session would be."""

    is_foreign: bool = False
    is_admitted: bool = False
    error: str = ""
    hint: str = ""


async def ask(who: "Identity", address: str, proxy: str, seconds: float) -> Said:
    """Ask whether a session would be admitted, and whether it would be of a common protocol."""
    endpoint = Endpoint(
        address, who.cloud_name, who.authority_pem, who.certificate_pem, who.key_pem, proxy
    )
    async with open_channel(endpoint) as channel:
        try:
            health = HealthStub(channel)  # type: ignore[no-untyped-call]
            request = health_pb2.HealthCheckRequest(service=SYNC)
            answer = await health.Check(request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            close = explain(error, endpoint)
            if error.code() is grpc.StatusCode.PERMISSION_DENIED:
                cause, _, hint = (error.details() or "").partition("; ")
                return Said(error=cause, hint=hint or close.hint)
            told = close.message.removeprefix(f"{address}: ")
            return Said(is_foreign=error.code() in _NOT_ONE, error=told, hint=close.hint)
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            return Said(error="it takes no sessions now", hint="it is tried again by itself")
        return await _protocol(channel, who.name, seconds)


async def _protocol(channel: grpc.aio.Channel, gateway: str, seconds: float) -> Said:
    """Say a hello that is refused for want of a boot id, unless it is for its protocol."""
    stub = SyncStub(channel)  # type: ignore[no-untyped-call]
    hello = pb.Hello(
        protocol_min=PROTOCOL_MIN,
        protocol_max=PROTOCOL_MAX,
        gateway=gateway,
        agent_version=version("tidegate"),
    )
    call: Any = stub.Session(timeout=seconds)
    try:
        await call.write(pb.GatewayMessage(hello=hello))
        answer = await call.read()
    except grpc.aio.AioRpcError as error:
        return Said(is_admitted=True, error=error.details() or "no answer", hint="try again")
    finally:
        call.cancel()
    fault = answer.fault if answer is not grpc.aio.EOF else pb.Fault(message="no answer")
    if fault.code == pb.MALFORMED:
        return Said(is_admitted=True)
    return Said(is_admitted=True, error=fault.message or "an answer of no sense", hint=fault.hint)
