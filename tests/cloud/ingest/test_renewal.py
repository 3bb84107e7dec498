"""Renewals as the cloud judges them: which certificate counts, and who is told to enrol anew."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloud.ingest.identity import Authority, GatewayCertificate, read_gateway_certificate
from cloud.ingest.renewal import DAY_US, RENEWALS_PER_DAY_MAX, RenewalDesk, refusal
from cloud.registry.registry import Admission, CertificateRow, Registry, TokenRow
from protos import sync_pb2 as pb

LIFE_US = 100 * DAY_US
NOW_US = 1_800_000_000_000_000


def csr(name: str = "pump", key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = made.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


class World:
    """A desk with one gateway enrolled, and its clock."""

    def __init__(self, folder: Path) -> None:
        self.now_us = NOW_US
        self.authority = Authority.create(folder / "ca", "a test")
        self.registry = Registry.open(folder / "registry.db", LIFE_US)
        self.desk = RenewalDesk(self.authority, self.registry, lambda: self.now_us)
        self.first = self.enrol("aa")

    def enrol(self, identifier: str) -> GatewayCertificate:
        made = self.authority.sign(csr(), "pump")
        token = TokenRow(identifier, "pump", b"h" * 32, self.now_us, self.now_us + DAY_US)
        self.registry.add_token(token)
        names = (made.serial, made.name, made.key_sha256, made.der)
        self.registry.grant(token, CertificateRow(*names, self.now_us, made.not_after_us))
        assert self.admission(made) is Admission.ADMITTED
        return made

    def admission(self, shown: GatewayCertificate) -> Admission:
        return self.registry.admission(shown, self.now_us)

    def renewed(self, shown: GatewayCertificate, request: bytes = b"") -> GatewayCertificate:
        answer = self.desk.renew(shown, request or csr())
        assert not answer.HasField("fault"), answer.fault.message
        assert answer.life_us == LIFE_US
        return read_gateway_certificate(x509.load_der_x509_certificate(answer.certificate_der))

    def refused(self, shown: GatewayCertificate, request: bytes = b"") -> int:
        answer = self.desk.renew(shown, request or csr())
        assert answer.HasField("fault")
        assert answer.fault.message
        return answer.fault.code


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_old_certificate_is_good_until_the_new_one_was_shown(world: World) -> None:
    second = world.renewed(world.first)
    assert world.admission(world.first) is Admission.ADMITTED
    assert world.admission(second) is Admission.ADMITTED
    assert world.admission(world.first) is Admission.REPLACED
    (row,) = world.registry.gateways()
    assert row.renewed_us == world.now_us
    assert row.certificate_not_after_us == world.now_us + LIFE_US


def test_an_answer_that_was_lost_is_given_again(world: World) -> None:
    request = csr()
    assert world.renewed(world.first, request) == world.renewed(world.first, request)


def test_of_two_requests_the_later_counts(world: World) -> None:
    lost, second = world.renewed(world.first), world.renewed(world.first)
    assert world.admission(lost) is Admission.REVOKED
    assert world.admission(second) is Admission.ADMITTED


def test_a_copy_that_shows_what_was_renewed_is_told_that_it_is_one(world: World) -> None:
    world.admission(world.renewed(world.first))
    told = refusal(world.admission(world.first), "pump")
    assert told is not None
    assert told.fault.code == pb.CLONE
    assert "enroll --replace" in told.fault.hint
    assert world.refused(world.first) == pb.REVOKED


def test_how_certificates_stand_is_told_of_all_at_once_and_changes_nothing(world: World) -> None:
    second = world.renewed(world.first)
    serials = (world.first.serial, second.serial, "ff")

    def standing() -> list[Admission]:
        return [*world.registry.standing(serials, world.now_us).values()]

    assert standing() == [Admission.ADMITTED, Admission.ADMITTED, Admission.NOT_ENROLLED]
    row = world.registry.certificate(second.serial)
    assert row is not None
    assert row.shown_us is None
    world.admission(second)
    assert standing()[:2] == [Admission.REPLACED, Admission.ADMITTED]
    world.now_us += LIFE_US
    assert standing()[:2] == [Admission.REPLACED, Admission.PAST_ITS_LIFE]
    world.registry.revoke_gateway("pump", world.now_us, "stolen")
    assert standing()[:2] == [Admission.REPLACED, Admission.REVOKED]
    assert world.registry.standing([], world.now_us) == {}


def test_past_its_life_a_certificate_is_good_for_its_renewal_alone(world: World) -> None:
    world.now_us += LIFE_US
    assert world.admission(world.first) is Admission.PAST_ITS_LIFE
    told = refusal(Admission.PAST_ITS_LIFE, "pump")
    assert told is not None
    assert told.fault.code == pb.RENEWAL_DUE
    assert world.desk.terms(world.first).left_us == 0
    second = world.renewed(world.first)
    assert world.admission(second) is Admission.ADMITTED


def test_years_of_outage_shut_no_gateway_out(world: World) -> None:
    world.now_us += 40 * LIFE_US
    second = world.renewed(world.first)
    world.now_us += 40 * LIFE_US
    assert world.admission(world.renewed(second)) is Admission.ADMITTED


def test_a_revoked_gateway_renews_nothing(world: World) -> None:
    second = world.renewed(world.first)
    world.registry.revoke_gateway("pump", world.now_us, "stolen")
    assert world.refused(world.first) == pb.REVOKED
    assert world.refused(second) == pb.REVOKED
    assert refusal(world.admission(second), "pump").fault.code == pb.REVOKED


def test_a_gateway_enrolled_anew_ends_what_was_renewed_before(world: World) -> None:
    second = world.renewed(world.first)
    third = world.enrol("bb")
    assert world.admission(second) is Admission.REVOKED
    assert world.admission(third) is Admission.ADMITTED


def test_renewals_of_one_gateway_are_few_a_day(world: World) -> None:
    for _ in range(RENEWALS_PER_DAY_MAX):
        world.renewed(world.first)
    assert world.refused(world.first) == pb.OVERLOADED
    world.now_us += DAY_US + 1
    world.renewed(world.first)


@pytest.mark.parametrize(
    "make",
    [lambda _: b"junk", lambda _: csr("other"), lambda _: csr() + bytes(5000)],
    ids=["junk", "another name", "oversized"],
)
def test_a_bad_request_is_refused(world: World, make: Callable[[World], bytes]) -> None:
    assert world.refused(world.first, make(world)) == pb.MALFORMED
    assert world.admission(world.first) is Admission.ADMITTED


def test_the_key_in_use_is_not_certified_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    key = ec.generate_private_key(ec.SECP256R1())
    second = world.renewed(world.first, csr(key=key))
    world.admission(second)
    assert world.refused(second, csr(key=key)) == pb.MALFORMED


def test_a_wish_waits_until_the_new_certificate_was_shown(world: World) -> None:
    world.registry.ask_renewal("pump", world.now_us)
    assert world.desk.terms(world.first).asked
    second = world.renewed(world.first)
    assert world.registry.renewals_asked() == ["pump"]
    world.admission(second)
    assert world.registry.renewals_asked() == []
    assert not world.desk.terms(second).asked


def test_a_clock_of_the_cloud_that_jumps_makes_no_certificate_worthless(world: World) -> None:
    for jump_us in (-NOW_US, NOW_US, NOW_US + 40 * LIFE_US, NOW_US):
        world.now_us = abs(jump_us)
        terms = world.desk.terms(world.first)
        assert terms.life_us == LIFE_US
        admission = world.admission(world.first)
        assert admission in (Admission.ADMITTED, Admission.PAST_ITS_LIFE)
    assert world.admission(world.first) is Admission.ADMITTED


def test_every_renewal_is_in_the_audit_trail(world: World) -> None:
    world.renewed(world.first)
    world.refused(world.first, b"junk")
    told = [row["outcome"] for row in world.registry.audit_rows() if row["action"] == "renew"]
    assert told[1] == "signed"
    assert "cannot be read" in told[0]
