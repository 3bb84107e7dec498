"""Certificates in the registry: granted, shown, replaced by their renewals, revoked."""

import json
from collections.abc import Iterable

from cloud.ingest.identity import GatewayCertificate
from cloud.registry.file import RegistryFile
from cloud.registry.rows import RENEWED, Admission, CertificateRow, TokenRow, columns


class Certificates(RegistryFile):
    """The certificates of all gateways. No row of one is ever deleted."""

    def grant(self, token: TokenRow, certificate: CertificateRow) -> None:
        """Spend a token on a certificate; the gateway's earlier ones are revoked with it."""
        now_us = certificate.issued_us
        with self.transaction():
            self._connection.execute(
                "UPDATE tokens SET used_us = ?, used_key = ?, serial = ? WHERE id = ?",
                (now_us, certificate.key_sha256, certificate.serial, token.id),
            )
            self.revoke_gateway(certificate.gateway, now_us, "enrolled again")
            self._db.table("certificates").insert(columns(certificate))
            self._connection.execute(
                "INSERT INTO gateways (name, enrolled_us) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET enrolled_us = excluded.enrolled_us",
                (certificate.gateway, now_us),
            )

    def certificate(self, serial: str) -> CertificateRow | None:
        """Find one certificate by its serial number (hexadecimal)."""
        rows = self._rows("SELECT * FROM certificates WHERE serial = ?", serial)
        return CertificateRow(**rows[0]) if rows else None

    def revoke_gateway(self, name: str, now_us: int, why: str) -> int:
        """Revoke every certificate of a gateway; says how many."""
        with self.transaction():
            return self._connection.execute(
                "UPDATE certificates SET revoked_us = ?, revoked_why = ?"
                " WHERE gateway = ? AND revoked_us IS NULL",
                (now_us, why, name),
            ).rowcount

    def admission(self, shown: GatewayCertificate, now_us: int) -> Admission:
        """Say what this certificate, which is one of our authority's, may do now.

        The first time it is shown, it takes the place of all others of its gateway.
        """
        row = self.certificate(shown.serial) or self._adopted(shown, now_us)
        if row is None or row.gateway != shown.name:
            return Admission.NOT_ENROLLED
        if row.revoked_us is None and row.shown_us is None:
            self._first_shown(row, now_us)
        return self._standing(row.issued_us, row.revoked_us, row.revoked_why, now_us)

    def standing(self, serials: Iterable[str], now_us: int) -> dict[str, Admission]:
        """What certificates that were admitted may do by now; changes nothing. One query for all.

        StorageError when the registry cannot be read.
        """
        asked = list(serials)
        found = {
            row["serial"]: self._standing(
                row["issued_us"], row["revoked_us"], row["revoked_why"], now_us
            )
            for row in self._rows(
                "SELECT serial, issued_us, revoked_us, revoked_why FROM certificates"
                " WHERE serial IN (SELECT value FROM json_each(?))",
                json.dumps(asked),
            )
        }
        return {serial: found.get(serial, Admission.NOT_ENROLLED) for serial in asked}

    def _standing(self, issued_us: int, revoked_us: int | None, why: str, now_us: int) -> Admission:
        if revoked_us is not None:
            return Admission.REPLACED if why == RENEWED else Admission.REVOKED
        is_past = now_us >= issued_us + self.life_us
        return Admission.PAST_ITS_LIFE if is_past else Admission.ADMITTED

    def _adopted(self, shown: GatewayCertificate, now_us: int) -> CertificateRow | None:
        """A certificate of ours that this registry has forgotten, for it came back from a backup.

        No row of a certificate is ever deleted, so one that is not there was made after the backup;
        it is taken in while its gateway has any that is not revoked.
        """
        with self.transaction():
            sql = "SELECT 1 FROM certificates WHERE gateway = ? AND revoked_us IS NULL LIMIT 1"
            if not self._rows(sql, shown.name):
                return None
            row = CertificateRow(
                shown.serial, shown.name, shown.key_sha256, shown.der, now_us, shown.not_after_us
            )
            self._db.table("certificates").insert(columns(row))
            self.audit(now_us, "certificate adopted", shown.name, shown.serial, "was forgotten")
            return row

    def _first_shown(self, row: CertificateRow, now_us: int) -> None:
        with self.transaction():
            self._connection.execute(
                "UPDATE certificates SET shown_us = ? WHERE serial = ?", (now_us, row.serial)
            )
            others = "gateway = ? AND serial <> ? AND revoked_us IS NULL"
            gone = self._connection.execute(
                f"UPDATE certificates SET revoked_us = ?, revoked_why = ? WHERE {others}",
                (now_us, RENEWED, row.gateway, row.serial),
            ).rowcount
            if row.replaces or gone:
                self._connection.execute(
                    "UPDATE gateways SET renewed_us = ?, renewal_asked_us = NULL WHERE name = ?",
                    (now_us, row.gateway),
                )

    # --- renewal ----------------------------------------------------------------------------

    def successor(self, serial: str) -> CertificateRow | None:
        """The newest certificate that is to replace this one and was not shown yet."""
        rows = self._rows(
            "SELECT * FROM certificates WHERE replaces = ? AND revoked_us IS NULL"
            " AND shown_us IS NULL ORDER BY rowid DESC LIMIT 1",
            serial,
        )
        return CertificateRow(**rows[0]) if rows else None

    def add_successor(self, row: CertificateRow) -> None:
        """Keep a renewed certificate; one asked for before it and never shown is revoked."""
        with self.transaction():
            self._connection.execute(
                "UPDATE certificates SET revoked_us = ?, revoked_why = 'asked for again'"
                " WHERE replaces = ? AND revoked_us IS NULL AND shown_us IS NULL",
                (row.issued_us, row.replaces),
            )
            self._db.table("certificates").insert(columns(row))

    def issued_since(self, gateway: str, since_us: int) -> int:
        """Certificates of a gateway that were renewals, issued after a time."""
        sql = "SELECT count(*) AS n FROM certificates WHERE gateway = ? AND issued_us > ?"
        return int(self._rows(f"{sql} AND replaces <> ''", gateway, since_us)[0]["n"])

    def ask_renewal(self, gateway: str, now_us: int) -> None:
        """Wish that a gateway renews its certificate at the next opportunity."""
        with self.transaction():
            self._connection.execute(
                "UPDATE gateways SET renewal_asked_us = ? WHERE name = ?", (now_us, gateway)
            )

    def renewals_asked(self) -> list[str]:
        """Gateways whose renewal an operator waits for."""
        rows = self._rows("SELECT name FROM gateways WHERE renewal_asked_us IS NOT NULL")
        return [row["name"] for row in rows]

    def is_renewal_asked(self, gateway: str) -> bool:
        """Whether an operator waits for this gateway's."""
        return gateway in self.renewals_asked()
