"""The Renew call: how often it is open to one certificate."""

import asyncio
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cloud.ingest.identity import GatewayCertificate
from cloud.ingest.renew_call import CALLS_PER_HOUR_MAX, RenewService
from protos import sync_pb2 as pb
from tests.cloud.ingest.test_renewal import World, csr


class Caller:
    """A call with a certificate."""

    def __init__(self, shown: GatewayCertificate) -> None:
        self._pem = x509.load_der_x509_certificate(shown.der).public_bytes(Encoding.PEM)

    def auth_context(self) -> dict[str, list[bytes]]:
        """As gRPC gives it."""
        return {"x509_pem_cert": [self._pem]}


def test_a_revoked_gateway_that_asks_for_ever_does_not_push_out_the_audit_trail(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    thief = world.first
    world.registry.revoke_gateway("pump", world.now_us, "stolen")
    honest = world.enrol("bb")

    async def calls() -> list[int]:
        service = RenewService(world.desk)
        request = pb.RenewRequest(csr_der=csr())
        codes: list[int] = []
        for _ in range(3 * CALLS_PER_HOUR_MAX):
            answer = await service.Renew(request, cast(Any, Caller(thief)))
            codes.append(answer.fault.code)
        fair = await service.Renew(request, cast(Any, Caller(honest)))
        assert fair.certificate_der, "the gateway that was enrolled anew has a count of its own"
        return codes

    codes = asyncio.run(calls())
    assert codes[:CALLS_PER_HOUR_MAX] == [pb.REVOKED] * CALLS_PER_HOUR_MAX
    assert set(codes[CALLS_PER_HOUR_MAX:]) == {pb.OVERLOADED}
    written = [row for row in world.registry.audit_rows(1000) if row["action"] == "renew"]
    assert len(written) == CALLS_PER_HOUR_MAX + 1
