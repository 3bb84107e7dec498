"""Pure: roles, in their order; each may do what those before it may."""

from enum import IntEnum
from typing import Final


class Role(IntEnum):
    """What somebody may do; ANYONE is nobody's role, but what a route may need."""

    ANYONE = 0
    VIEWER = 1
    """Reads history, fleet and ledger."""
    OPERATOR = 2
    """Also says something of it: marks, operations, verdicts."""
    ADMIN = 3
    """Everything."""

    @property
    def word(self) -> str:
        """The role as it is written, in settings, answers and on the command line."""
        return self.name.lower()


ROLES: Final = {role.word: role for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN)}
"""Those that a user or a token may have, by their word."""
