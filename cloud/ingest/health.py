"""The standard gRPC health service, for probes and load balancers of the sync port."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import grpc

from cloud.ingest.identity import GatewayCertificate
from protos import health_pb2
from protos import sync_pb2 as pb
from protos.health_pb2_grpc import HealthServicer

WATCH_S: Final = 1.0
"""Between looks of one who watches."""
WATCH_AGE_S_MAX: Final = 300.0
"""Then a watch ends; who watches on asks again, and is admitted again."""
SERVICES: Final = frozenset({"", "tidegate.v1.Sync"})

Request = health_pb2.HealthCheckRequest
Response = health_pb2.HealthCheckResponse
Context = grpc.aio.ServicerContext[Request, Response]


class Health(HealthServicer):
    """Says SERVING while ``is_well`` says so; asked per call, on the loop.

    ``admitted`` says whose certificate a call shows, or the refusal, as for a session.
    """

    def __init__(
        self,
        is_well: Callable[[], bool],
        admitted: Callable[[Context], Awaitable[GatewayCertificate | pb.CloudMessage]],
    ) -> None:
        self._is_well = is_well
        self._admitted = admitted

    async def Check(  # noqa: N802 - gRPC's name for it
        self,
        request: Request,
        context: Context,
    ) -> Response:
        """How the service is; NOT_FOUND for one that is not here."""
        await self._admit(context)
        if request.service not in SERVICES:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r} here")
        return self._now()

    async def Watch(  # noqa: N802 - gRPC's name for it
        self,
        request: Request,
        context: Context,
    ) -> AsyncIterator[Response]:
        """How the service is now, and again whenever that changes; for WATCH_AGE_S_MAX."""
        await self._admit(context)
        said = None
        until = time.monotonic() + WATCH_AGE_S_MAX
        while time.monotonic() < until:
            now = self._now()
            if request.service not in SERVICES:
                now = Response(status=Response.SERVICE_UNKNOWN)
            if now != said:
                said = now
                yield now
            await asyncio.sleep(WATCH_S)

    async def _admit(self, context: Context) -> None:
        peer = await self._admitted(context)
        if isinstance(peer, pb.CloudMessage):
            denied = grpc.StatusCode.PERMISSION_DENIED
            await context.abort(denied, f"{peer.fault.message}; {peer.fault.hint}")

    def _now(self) -> Response:
        return Response(status=Response.SERVING if self._is_well() else Response.NOT_SERVING)
