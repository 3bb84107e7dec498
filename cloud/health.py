"""The standard gRPC health service, for probes and load balancers of the sync port."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

import grpc

from protos import health_pb2
from protos.health_pb2_grpc import HealthServicer

WATCH_S: Final = 1.0
"""Between looks of one who watches."""
SERVICES: Final = frozenset({"", "tidegate.v1.Sync"})

Request = health_pb2.HealthCheckRequest
Response = health_pb2.HealthCheckResponse
Context = grpc.aio.ServicerContext[Request, Response]


class Health(HealthServicer):
    """Says SERVING while ``is_well`` says so; asked per call, on the loop."""

    def __init__(self, is_well: Callable[[], bool]) -> None:
        self._is_well = is_well

    async def Check(  # noqa: N802 - gRPC's name for it
        self,
        request: Request,
        context: Context,
    ) -> Response:
        """How the service is; NOT_FOUND for one that is not here."""
        if request.service not in SERVICES:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r} here")
        return self._now()

    async def Watch(  # noqa: N802 - gRPC's name for it
        self,
        request: Request,
        context: Context,
    ) -> AsyncIterator[Response]:
        """How the service is now, and again whenever that changes."""
        said = None
        while True:
            now = self._now()
            if request.service not in SERVICES:
                now = Response(status=Response.SERVICE_UNKNOWN)
            if now != said:
                said = now
                yield now
            await asyncio.sleep(WATCH_S)

    def _now(self) -> Response:
        return Response(status=Response.SERVING if self._is_well() else Response.NOT_SERVING)
