"""The identity on the disk: whole or told, and whole again after a power cut."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloud.ingest.identity import Authority
from edge import identity
from edge.errors import OperatorError
from edge.identity import (
    AUTHORITY_FILE,
    CERTIFICATE_FILE,
    CLOUD_FILE,
    KEY_FILE,
    Identity,
    is_enrolled,
    keep,
    load,
    pending_key,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
DER = serialization.Encoding.DER


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "ca", "a test")


def certify(authority: Authority, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pump")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    csr = builder.sign(key, hashes.SHA256()).public_bytes(DER)
    return x509.load_der_x509_certificate(authority.sign(csr, "pump").der)


def enrol(authority: Authority, folder: Path) -> Identity:
    certificate = certify(authority, pending_key(folder))
    keep(folder, certificate, authority.certificate, "cloud.example:8461", 'a "name"')
    return load(folder, "pump")


@pytest.fixture
def folder(authority: Authority, tmp_path: Path) -> Path:
    enrol(authority, tmp_path / "identity")
    return tmp_path / "identity"


def test_what_was_kept_is_loaded(folder: Path, authority: Authority) -> None:
    identity = load(folder, "pump")
    assert (identity.sync_address, identity.cloud_name) == ("cloud.example:8461", 'a "name"')
    assert identity.authority_pem == authority.pem
    assert identity.not_before_us == 0
    assert (folder / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in folder.parent.glob("identity*")) == ["identity"]


def test_a_certificate_is_good_from_1970_to_its_end(folder: Path) -> None:
    identity = load(folder, "pump")
    identity.require_valid(0)
    identity.require_valid(identity.not_after_us - 1)


def test_an_expired_certificate_names_its_end_and_the_way_out(folder: Path) -> None:
    identity = load(folder, "pump")
    with pytest.raises(OperatorError) as caught:
        identity.require_valid(identity.not_after_us)
    assert "it expired on 2099-12-31 (the clock says 2099-12-31)" in caught.value.cause
    assert "tidegate-cloud token create pump" in caught.value.hint
    assert "tidegate-edge enroll --replace" in caught.value.hint


def test_a_certificate_of_the_future_blames_the_clock(folder: Path) -> None:
    identity = replace(load(folder, "pump"), not_before_us=NOW_US)
    with pytest.raises(OperatorError, match="check the clock"):
        identity.require_valid(NOW_US - 1)


def _foreign_key(folder: Path) -> None:
    key = pending_key(folder.with_name("other"))
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / KEY_FILE).write_bytes(pem)


def _foreign_authority(folder: Path) -> None:
    foreign = Authority.create(folder.with_name("foreign"), "a test")
    (folder / AUTHORITY_FILE).write_bytes(foreign.pem)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no key": (lambda f: (f / KEY_FILE).unlink(), "gateway.key: No such file"),
    "no certificate": (lambda f: (f / CERTIFICATE_FILE).unlink(), "gateway.crt: No such file"),
    "no authority": (lambda f: (f / AUTHORITY_FILE).unlink(), "ca.crt: No such file"),
    "damaged key": (lambda f: (f / KEY_FILE).write_text("x"), "gateway.key is damaged"),
    "damaged certificate": (lambda f: (f / CERTIFICATE_FILE).write_text("x"), "gateway.crt is"),
    "damaged authority": (lambda f: (f / AUTHORITY_FILE).write_text("x"), "ca.crt is damaged"),
    "damaged address": (lambda f: (f / CLOUD_FILE).write_text("x"), "cloud.toml is damaged"),
    "no address": (lambda f: (f / CLOUD_FILE).write_text(""), "cloud.toml is damaged"),
    "foreign key": (_foreign_key, "gateway.key is not the key of gateway.crt"),
    "foreign authority": (_foreign_authority, "was not issued by the authority in ca.crt"),
    "not enrolled": (lambda f: (f / CLOUD_FILE).unlink(), "is not enrolled"),
}


@pytest.mark.parametrize("why", BROKEN)
def test_a_broken_identity_is_one_clear_error(folder: Path, why: str) -> None:
    breaks, cause = BROKEN[why]
    breaks(folder)
    with pytest.raises(OperatorError) as caught:
        load(folder, "pump")
    assert cause in caught.value.cause
    assert "tidegate-edge enroll" in caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_certificate_of_another_name_is_refused(folder: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        load(folder, "fan")
    assert caught.value.cause == "the certificate is for 'pump', the settings say 'fan'"


def test_the_pending_key_stays_the_same_until_it_is_certified(
    authority: Authority, tmp_path: Path
) -> None:
    folder = tmp_path / "identity"
    first = pending_key(folder)
    assert pending_key(folder).private_numbers() == first.private_numbers()
    assert not is_enrolled(folder)
    assert enrol(authority, folder).key_pem
    assert pending_key(folder).private_numbers() != first.private_numbers()


def test_a_damaged_pending_key_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "identity"
    pending_key(folder)
    (tmp_path / "identity.new" / KEY_FILE).write_text("torn")
    assert pending_key(folder).key_size == 256


@pytest.mark.parametrize("cut", ["before the swap", "between the renames", "before the cleaning"])
def test_a_power_cut_in_mid_replacement_ends_in_the_newer_identity(
    authority: Authority, folder: Path, tmp_path: Path, cut: str
) -> None:
    old = load(folder, "pump")
    new = enrol(authority, tmp_path / "made" / "identity")
    if cut == "before the cleaning":
        folder.rename(tmp_path / "identity.old")
        (tmp_path / "made" / "identity").rename(folder)
    else:
        (tmp_path / "made" / "identity").rename(tmp_path / "identity.new")
        if cut == "between the renames":
            folder.rename(tmp_path / "identity.old")
    assert load(folder, "pump") == new != old
    assert not (tmp_path / "identity.new").exists()
    assert not (tmp_path / "identity.old").exists()


def test_an_incomplete_replacement_leaves_the_identity_before(folder: Path) -> None:
    before = load(folder, "pump")
    pending_key(folder)
    assert load(folder, "pump") == before


def test_whoever_looks_while_an_identity_is_replaced_moves_nothing_twice(tmp_path: Path) -> None:
    """Eight look at once, again and again: the newest is there in the end, and none was lost."""
    folder = tmp_path / "identity"
    for number in range(40):
        complete = tmp_path / "made"
        complete.mkdir()
        for name in (identity.CERTIFICATE_FILE, identity.AUTHORITY_FILE, identity.CLOUD_FILE):
            (complete / name).write_text(str(number))
        complete.rename(tmp_path / "identity.new")
        with ThreadPoolExecutor(8) as lookers:
            for looked in [lookers.submit(identity._settle, folder) for _ in range(8)]:
                looked.result()
        assert (folder / identity.CERTIFICATE_FILE).read_text() == str(number)
        assert not (tmp_path / "identity.new").exists()
