"""The health service of the sync port, as a load balancer with a certificate asks it."""

from pathlib import Path

import grpc
import pytest

from cloud.ingest.identity import Authority
from cloud.registry.registry import Admission
from protos import health_pb2
from protos.health_pb2_grpc import HealthStub
from tests.sim.site import Site, enrol

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "cloud", Authority.create(tmp_path / "ca", "a test"))


async def test_a_probe_hears_that_it_serves_and_then_that_it_stops(site: Site) -> None:
    async with site.serve() as cloud, site.channel(enrol(site.authority, "probe")) as channel:
        stub = HealthStub(channel)  # type: ignore[no-untyped-call]
        for service in ("", "tidegate.v1.Sync"):
            asked = await stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert asked.status == SERVING
        watched = stub.Watch(health_pb2.HealthCheckRequest())
        assert (await watched.read()).status == SERVING
        await cloud.ingest.close()
        assert (await watched.read()).status == NOT_SERVING
        watched.cancel()


async def test_a_service_that_is_not_here_is_not_found(site: Site) -> None:
    async with site.serve(), site.channel(enrol(site.authority, "probe")) as channel:
        stub = HealthStub(channel)  # type: ignore[no-untyped-call]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Check(health_pb2.HealthCheckRequest(service="other"))
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_withdrawn_certificate_hears_nothing_of_how_the_cloud_is(site: Site) -> None:
    site.barred["probe"] = Admission.REVOKED
    async with site.serve(), site.channel(enrol(site.authority, "probe")) as channel:
        stub = HealthStub(channel)  # type: ignore[no-untyped-call]
        for ask in (stub.Check, lambda request: stub.Watch(request).read()):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await ask(health_pb2.HealthCheckRequest())
            assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_watch_ends_after_its_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.ingest.health.WATCH_AGE_S_MAX", 0.5)
    async with site.serve(), site.channel(enrol(site.authority, "probe")) as channel:
        stub = HealthStub(channel)  # type: ignore[no-untyped-call]
        watched = stub.Watch(health_pb2.HealthCheckRequest(), timeout=30)
        said = [answer.status async for answer in watched]
        assert said == [SERVING]
