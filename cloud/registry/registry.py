"""Who may connect, and what is known of them: gateways, tokens, certificates, an audit trail."""

import json
from collections.abc import Mapping
from typing import Final

from cloud.registry.certificates import Certificates
from cloud.registry.file import AUDIT_ROWS_MAX
from cloud.registry.marks import MarkRows
from cloud.registry.operations import OperationRows
from cloud.registry.people import PeopleRows
from cloud.registry.rollouts import RolloutRows
from cloud.registry.rows import Admission, CertificateRow, GatewayRow, TokenRow, columns
from cloud.registry.verdicts import VerdictRows

__all__ = [
    "AUDIT_ROWS_MAX", "Admission", "CertificateRow", "GatewayRow", "Registry", "TokenRow",
]  # fmt: skip

STATUS_CHARS_MAX: Final = 16_384


class Registry(Certificates, MarkRows, OperationRows, PeopleRows, RolloutRows, VerdictRows):
    """The registry of one cloud; every method may be called from any thread."""

    def add_token(self, token: TokenRow) -> None:
        """Keep a new token."""
        with self.transaction():
            self._db.table("tokens").insert(columns(token))

    def token(self, identifier: str) -> TokenRow | None:
        """Find one token by its id (hexadecimal)."""
        rows = self._rows("SELECT * FROM tokens WHERE id = ?", identifier)
        return TokenRow(**rows[0]) if rows else None

    def tokens(self) -> list[TokenRow]:
        """Every token, newest first."""
        return [TokenRow(**r) for r in self._rows("SELECT * FROM tokens ORDER BY created_us DESC")]

    def revoke_tokens(self, id_or_gateway: str, now_us: int) -> int:
        """Withdraw the unused tokens of this id or gateway; says how many."""
        with self.transaction():
            return self._connection.execute(
                "UPDATE tokens SET revoked_us = ? WHERE (id = ? OR gateway = ?)"
                " AND used_us IS NULL AND revoked_us IS NULL",
                (now_us, id_or_gateway, id_or_gateway),
            ).rowcount

    def seen(
        self, name: str, now_us: int, agent_version: str, status: Mapping[str, object]
    ) -> None:
        """Note that a gateway was heard, and what it said of itself; unknown names are not kept."""
        told = json.dumps(status, default=str)
        with self.transaction():
            self._connection.execute(
                "UPDATE gateways SET last_seen_us = ?1, agent_version = ?2, status = ?3,"
                " first_seen_us = CASE first_seen_us WHEN 0 THEN ?1 ELSE first_seen_us END"
                " WHERE name = ?4",
                (now_us, agent_version[:64], told if len(told) < STATUS_CHARS_MAX else "{}", name),
            )

    def gateways(self) -> list[GatewayRow]:
        """Every gateway that ever enrolled, by name."""
        rows = self._rows(
            "SELECT g.*, coalesce((SELECT max(min(c.not_after_us, c.issued_us + ?)) FROM"
            " certificates c WHERE c.gateway = g.name AND c.revoked_us IS NULL), 0)"
            " AS certificate_not_after_us, coalesce((SELECT max(c.issued_us) FROM certificates c"
            " WHERE c.gateway = g.name AND c.revoked_us IS NULL), 0) AS certificate_issued_us"
            " FROM gateways g ORDER BY g.name",
            self.life_us,
        )
        return [GatewayRow(**(row | {"status": json.loads(row["status"])})) for row in rows]
