"""The registry: what is granted stays granted, what is revoked stays revoked."""

import sqlite3
import threading
from pathlib import Path

import pytest

from cloud.errors import StorageError
from cloud.ingest.identity import GatewayCertificate
from cloud.registry import file as module
from cloud.registry.registry import Admission, CertificateRow, Registry, TokenRow


def token(identifier: str = "aa", gateway: str = "pump") -> TokenRow:
    return TokenRow(identifier, gateway, b"h" * 32, created_us=10, expires_us=100)


def certificate(serial: str = "1", gateway: str = "pump", issued_us: int = 20) -> CertificateRow:
    return CertificateRow(serial, gateway, "key" + serial, b"der", issued_us, 1000)


def admission(registry: Registry, name: str, serial: str, now_us: int = 40) -> Admission:
    """Of a certificate of our authority with this name and serial number."""
    shown = GatewayCertificate(name, serial, "key" + serial, 1000, b"der")
    return registry.admission(shown, now_us)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry.open(tmp_path / "registry.db")


def test_the_file_is_for_its_owner_alone_and_survives_reopening(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    first = Registry.open(path)
    first.add_token(token())
    first.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert Registry.open(path).tokens() == [token()]


def test_a_granted_certificate_is_admitted_under_its_own_name_only(registry: Registry) -> None:
    registry.add_token(token())
    registry.grant(token(), certificate())
    assert admission(registry, "pump", "1") is Admission.ADMITTED
    assert admission(registry, "other", "1") is Admission.NOT_ENROLLED
    spent = registry.token("aa")
    assert spent is not None
    assert (spent.used_us, spent.used_key, spent.serial) == (20, "key1", "1")


def test_enrolling_again_revokes_the_certificate_before(registry: Registry) -> None:
    for number in ("1", "2"):
        registry.add_token(token("a" + number))
        registry.grant(token("a" + number), certificate(number))
    assert admission(registry, "pump", "1") is Admission.REVOKED
    assert admission(registry, "pump", "2") is Admission.ADMITTED


def test_revoking_a_gateway_revokes_what_it_holds_and_no_other(registry: Registry) -> None:
    for number, name in (("1", "pump"), ("2", "fan")):
        registry.add_token(token("a" + number, name))
        registry.grant(token("a" + number, name), certificate(number, name))
    assert registry.revoke_gateway("pump", 30, "stolen") == 1
    assert registry.revoke_gateway("pump", 31, "stolen") == 0
    assert admission(registry, "pump", "1") is Admission.REVOKED
    assert admission(registry, "fan", "2") is Admission.ADMITTED


def test_only_unused_tokens_are_revoked(registry: Registry) -> None:
    registry.add_token(token("aa"))
    registry.add_token(token("bb"))
    registry.grant(token("aa"), certificate())
    assert registry.revoke_tokens("pump", 50) == 1
    revoked = {row.id: row.revoked_us for row in registry.tokens()}
    assert revoked == {"aa": None, "bb": 50}


def test_a_transaction_that_fails_changes_nothing(registry: Registry) -> None:
    registry.add_token(token())

    def fail_after_granting() -> None:
        with registry.transaction():
            registry.grant(token(), certificate())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_granting()
    assert admission(registry, "pump", "1") is Admission.NOT_ENROLLED
    assert registry.gateways() == []


def test_what_a_gateway_says_is_kept_for_enrolled_names_only(registry: Registry) -> None:
    registry.add_token(token())
    registry.grant(token(), certificate())
    registry.seen("pump", 40, "1.0", {"backlog_rows": 3})
    registry.seen("pump", 50, "1.1", {"backlog_rows": 0})
    registry.seen("stranger", 50, "1.1", {})
    (row,) = registry.gateways()
    assert (row.name, row.first_seen_us, row.last_seen_us) == ("pump", 40, 50)
    assert (row.agent_version, row.status) == ("1.1", {"backlog_rows": 0})
    assert row.certificate_not_after_us == 1000
    assert row.certificate_issued_us == certificate().issued_us


def test_a_status_of_absurd_size_is_not_kept(registry: Registry) -> None:
    registry.add_token(token())
    registry.grant(token(), certificate())
    registry.seen("pump", 40, "v" * 1000, {"x": "y" * 100_000})
    (row,) = registry.gateways()
    assert row.status == {}
    assert len(row.agent_version) == 64


def test_the_audit_trail_is_bounded(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AUDIT_ROWS_MAX", 3)
    for at in range(5):
        registry.audit(at, "enrol", "pump", "1.2.3.4", "refused")
    assert [row["at_us"] for row in registry.audit_rows()] == [4, 3, 2]


def test_threads_share_one_registry(registry: Registry) -> None:
    def work(number: int) -> None:
        for step in range(20):
            registry.add_token(token(f"{number}-{step}"))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry.tokens()) == 80


def test_two_processes_wait_for_each_other(tmp_path: Path) -> None:
    serving, command = (Registry.open(tmp_path / "registry.db") for _ in range(2))
    with serving.transaction():
        serving.add_token(token("aa"))
        other = threading.Thread(target=command.add_token, args=(token("bb"),))
        other.start()
    other.join()
    assert {row.id for row in serving.tokens()} == {"aa", "bb"}


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 20)
    with pytest.raises(StorageError, match="not a database"):
        Registry.open(path)


def test_a_registry_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    Registry.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('tidegate-registry', 'm0999_later', '')"
        )
    with pytest.raises(StorageError, match="newer version"):
        Registry.open(path)


def test_a_certificate_of_ours_that_a_backup_had_forgotten_is_taken_in(registry: Registry) -> None:
    registry.add_token(token())
    registry.grant(token(), certificate())
    assert admission(registry, "pump", "2") is Admission.ADMITTED
    assert admission(registry, "pump", "1") is Admission.REPLACED
    assert admission(registry, "fan", "3") is Admission.NOT_ENROLLED
    registry.revoke_gateway("pump", 50, "stolen")
    assert admission(registry, "pump", "2") is Admission.REVOKED
    assert admission(registry, "pump", "4") is Admission.NOT_ENROLLED


def test_a_registry_of_before_renewal_is_brought_forward(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    before = Registry.open(path)
    before.add_token(token())
    before.grant(token(), certificate())
    before.close()
    with sqlite3.connect(path) as db:
        for table, column in (
            ("certificates", "replaces"), ("certificates", "shown_us"),
            ("gateways", "renewal_asked_us"), ("gateways", "renewed_us"),
        ):  # fmt: skip
            db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm0002_renewal'")
    db.close()
    assert admission(Registry.open(path), "pump", "1") is Admission.ADMITTED
