"""The built-in authority: what it signs, and what it never does."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from cloud.errors import OperatorError, PeerError
from cloud.ingest.identity import CSR_BYTES_MAX, Authority, read_gateway_certificate

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DER = serialization.Encoding.DER


def request(name: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, hashes.SHA256()).public_bytes(DER)


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "ca", "Tidegate of a test")


def test_the_keys_are_for_their_owner_alone(authority: Authority, tmp_path: Path) -> None:
    authority.server(("localhost",))
    for name in ("ca.key", "server.key"):
        assert stat.S_IMODE((tmp_path / "ca" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700


@pytest.mark.parametrize("year", [1970, 2000, 2026, 2060, 2099])
def test_the_server_is_accepted_by_a_gateway_whatever_its_clock_says(
    authority: Authority, year: int
) -> None:
    shown = authority.server(("cloud.example", "10.0.0.7"))
    server = x509.load_pem_x509_certificate(shown.certificate_pem)
    builder = PolicyBuilder().store(Store([authority.certificate]))
    verifier = builder.time(datetime(year, 1, 1, 0, 1, tzinfo=UTC))
    verifier.build_server_verifier(x509.DNSName("cloud.example")).verify(server, [])


def test_the_server_certificate_is_kept_until_its_names_change(authority: Authority) -> None:
    first = authority.server(("localhost", "127.0.0.1"))
    assert authority.server(("localhost", "127.0.0.1")) == first
    second = authority.server(("cloud.example", "localhost"))
    assert second.certificate_pem != first.certificate_pem
    names = x509.load_pem_x509_certificate(second.certificate_pem).extensions
    held = names.get_extension_for_class(x509.SubjectAlternativeName).value
    assert held.get_values_for_type(x509.DNSName) == ["cloud.example", "localhost"]


def test_a_damaged_server_key_is_made_anew(authority: Authority, tmp_path: Path) -> None:
    first = authority.server(("localhost",))
    (tmp_path / "ca" / "server.key").write_text("damaged")
    assert authority.server(("localhost",)).key_pem not in (first.key_pem, b"damaged")


def test_a_gateway_gets_its_name_and_nothing_more(
    authority: Authority, key: ec.EllipticCurvePrivateKey
) -> None:
    made = authority.sign(request("pump-1", key), "pump-1")
    certificate = x509.load_der_x509_certificate(made.der)
    certificate.verify_directly_issued_by(authority.certificate)
    assert certificate.public_key() == key.public_key()
    held = certificate.extensions
    assert not held.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = held.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert certificate.not_valid_before_utc == datetime(1970, 1, 1, tzinfo=UTC)
    assert certificate.not_valid_after_utc > NOW + timedelta(days=3650)
    read = read_gateway_certificate(certificate.public_bytes(serialization.Encoding.PEM))
    assert read == made
    assert read.name == "pump-1"


def _oversized(key: ec.EllipticCurvePrivateKey) -> bytes:
    return request("pump-1", key) + bytes(CSR_BYTES_MAX)


def _forged(key: ec.EllipticCurvePrivateKey) -> bytes:
    der = bytearray(request("pump-1", key))
    der[-1] ^= 1
    return bytes(der)


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda key: request("pump-2", key), "asks for the name"),
        (lambda _: request("pump-1", ec.generate_private_key(ec.SECP384R1())), "not a P-256"),
        (lambda _: request("pump-1", rsa.generate_private_key(65537, 2048)), "not a P-256"),
        (_forged, "not signed by the key"),
        (_oversized, "bytes long"),
        (lambda _: b"junk", "cannot be read"),
        (lambda _: b"", "cannot be read"),
    ],
    ids=["name", "curve", "rsa", "forged", "oversized", "junk", "empty"],
)
def test_a_bad_request_is_refused(
    authority: Authority, key: ec.EllipticCurvePrivateKey, make: object, cause: str
) -> None:
    assert callable(make)
    with pytest.raises(PeerError) as caught:
        authority.sign(make(key), "pump-1")
    assert cause in caught.value.cause


def test_the_server_is_no_gateway(authority: Authority) -> None:
    with pytest.raises(PeerError, match="not a gateway's name"):
        read_gateway_certificate(authority.server(("localhost",)).certificate_pem)
    with pytest.raises(PeerError):
        read_gateway_certificate(b"junk")


def test_an_authority_is_never_replaced(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="keep it"):
        Authority.create(tmp_path / "ca", "another")
    assert Authority.load(tmp_path / "ca").der == authority.der


@pytest.mark.parametrize("name", ["ca.key", "ca.crt"])
@pytest.mark.parametrize("damage", ["missing", "damaged", "foreign"])
def test_an_authority_that_is_not_whole_is_told(
    authority: Authority, tmp_path: Path, name: str, damage: str
) -> None:
    file = tmp_path / "ca" / name
    if damage == "missing":
        file.unlink()
    elif damage == "damaged":
        file.write_text("damaged")
    else:
        Authority.create(tmp_path / "other", "another")
        (tmp_path / "other" / name).replace(file)
    with pytest.raises(OperatorError, match=r"backup|restore"):
        Authority.load(tmp_path / "ca")
