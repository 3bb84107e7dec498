"""Which role each route needs: the one table of it, `METHOD /path` against a role.

A route that is added gets a row here, with its path as the route writes it (`/api/v1/marks/{mark}`;
`{rest:path}` for what may hold slashes): `Role.VIEWER` for what reads, also where it is asked with
POST, `Role.OPERATOR` for what says something of the history or takes a model back, `Role.ADMIN` for
what changes who may or what gateways run, `Role.ANYONE` for what somebody who is not signed in may
see. HEAD needs what GET does. A test holds the table against the routes there are, and
docs/guide/sign-in.md is made of it.

What is in no row fails closed: it needs a viewer where it is read with GET, else an admin.
"""

import re
from collections.abc import Mapping
from typing import Final

from cloud.access.role import Role

NEEDS: Final[Mapping[str, Role]] = {
    "GET /": Role.ANYONE,
    "GET /index.html": Role.ANYONE,
    "GET /favicon.svg": Role.ANYONE,
    "GET /assets/{file}": Role.ANYONE,
    "GET /healthz": Role.ANYONE,
    "GET /api/v1/session": Role.ANYONE,
    "POST /api/v1/session": Role.ANYONE,
    "DELETE /api/v1/session": Role.ANYONE,
    "GET /api/v1/openapi.json": Role.VIEWER,
    "GET /api/v1/status": Role.VIEWER,
    "GET /api/v1/gateways": Role.VIEWER,
    "GET /api/v1/devices": Role.VIEWER,
    "GET /api/v1/series": Role.VIEWER,
    "GET /api/v1/latest": Role.VIEWER,
    "GET /api/v1/history": Role.VIEWER,
    "GET /api/v1/states": Role.VIEWER,
    "GET /api/v1/anomalies": Role.VIEWER,
    "GET /api/v1/episodes": Role.VIEWER,
    "GET /api/v1/gaps": Role.VIEWER,
    "GET /api/v1/ledger": Role.VIEWER,
    "GET /api/v1/live": Role.VIEWER,
    "GET /api/v1/marks": Role.VIEWER,
    "GET /api/v1/marks/{mark}": Role.VIEWER,
    "POST /api/v1/marks": Role.OPERATOR,
    "DELETE /api/v1/marks/{mark}": Role.OPERATOR,
    "GET /api/v1/operations": Role.VIEWER,
    "GET /api/v1/operations/check": Role.VIEWER,
    "POST /api/v1/operations": Role.OPERATOR,
    "GET /api/v1/segments": Role.VIEWER,
    "GET /api/v1/proposals": Role.VIEWER,
    "GET /api/v1/verdicts": Role.VIEWER,
    "POST /api/v1/verdicts": Role.OPERATOR,
    "GET /api/v1/models": Role.VIEWER,
    "GET /api/v1/models/running": Role.VIEWER,
    "GET /api/v1/rollouts": Role.VIEWER,
    "POST /api/v1/rollouts": Role.ADMIN,
    "POST /api/v1/rollouts/{rollout}/advance": Role.ADMIN,
    "POST /api/v1/rollouts/{rollout}/rollback": Role.OPERATOR,
    "GET /api/v1/quarantine": Role.VIEWER,
    "GET /api/v1/quarantine/{block}": Role.VIEWER,
    "GET /api/v1/standing": Role.VIEWER,
    "GET /api/v1/notices": Role.VIEWER,
    "GET /api/prometheus/api/v1/query": Role.VIEWER,
    "POST /api/prometheus/api/v1/query": Role.VIEWER,
    "GET /api/prometheus/api/v1/query_range": Role.VIEWER,
    "POST /api/prometheus/api/v1/query_range": Role.VIEWER,
    "GET /api/prometheus/api/v1/labels": Role.VIEWER,
    "POST /api/prometheus/api/v1/labels": Role.VIEWER,
    "GET /api/prometheus/api/v1/series": Role.VIEWER,
    "POST /api/prometheus/api/v1/series": Role.VIEWER,
    "GET /api/prometheus/api/v1/label/{name}/values": Role.VIEWER,
    "GET /api/prometheus/api/v1/metadata": Role.VIEWER,
    "GET /api/prometheus/api/v1/status/buildinfo": Role.VIEWER,
}
PAGE: Final = frozenset({"/", "/index.html", "/favicon.svg", "/assets/{file}"})
"""Rows of the page's files, which are no routes of their own; they hold no data."""
READ_METHODS: Final = frozenset({"GET", "HEAD"})


class Needed:
    """The table, as requests are held against it."""

    def __init__(self, needs: Mapping[str, Role] = NEEDS) -> None:
        self._whole = {row: role for row, role in needs.items() if "{" not in row}
        self._patterns = [(_pattern(row), role) for row, role in needs.items() if "{" in row]

    def role(self, method: str, path: str) -> Role:
        """What a request needs."""
        row = f"{'GET' if method == 'HEAD' else method} {path}"
        role = self._whole.get(row)
        if role is not None:
            return role
        for pattern, role in self._patterns:
            if pattern.fullmatch(row):
                return role
        return Role.VIEWER if method in READ_METHODS else Role.ADMIN


def _pattern(row: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[a-z_]+(?::path)?\})", row)
    return re.compile(
        "".join(
            (".+" if part.endswith(":path}") else "[^/]+")
            if part.startswith("{")
            else re.escape(part)
            for part in parts
        ),
        re.DOTALL,
    )
