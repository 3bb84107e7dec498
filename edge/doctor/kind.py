"""Pure: what may be found, how grave it is, and what to do about it.

A theme declares each `Kind` once; what is found is made of it, so that the guide's table, the
terminal and the JSON say the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

OPERATOR: Final = 2
UNREACHABLE: Final = 3
REFUSED: Final = 4
STORAGE: Final = 5
OURS: Final = 70
GRAVEST_FIRST: Final = (STORAGE, OPERATOR, REFUSED, UNREACHABLE, OURS)
"""Exit codes of faults (docs/guide/exit-codes.md); of several the first of these is the verb's."""


class Severity(StrEnum):
    """How grave a finding is.

    A hint may be meant so; a warning costs readings or time some day; a fault costs them now.
    """

    OK = "ok"
    HINT = "hint"
    WARNING = "warning"
    FAULT = "fault"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at: what was found there, and what to do (empty when ok)."""

    name: str
    severity: Severity
    looked: str
    found: str
    to_do: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """What may be found: its name (`theme.word`), what was looked at, and the way out.

    ``to_do`` may hold places like ``{path}``; ``code`` is the exit code of a fault's class.
    """

    name: str
    severity: Severity
    looked: str
    to_do: str = ""
    code: int = 0

    def found(self, what: str, **places: object) -> Finding:
        """It was found: ``what`` in words, and the places of the way out."""
        to_do = self.to_do.format(**places) if places else self.to_do
        return Finding(
            name=self.name,
            severity=self.severity,
            looked=self.looked,
            found=what,
            to_do=to_do,
            code=self.code,
        )


def ok(name: str, looked: str) -> Kind:
    """All is well there."""
    return Kind(name, Severity.OK, looked)


def hint(name: str, looked: str, to_do: str) -> Kind:
    """May be meant so."""
    return Kind(name, Severity.HINT, looked, to_do)


def warning(name: str, looked: str, to_do: str) -> Kind:
    """Costs readings or time some day."""
    return Kind(name, Severity.WARNING, looked, to_do)


def fault(name: str, looked: str, to_do: str, code: int) -> Kind:
    """Costs readings or time now."""
    return Kind(name, Severity.FAULT, looked, to_do, code)


def exit_code(findings: Iterable[Finding]) -> int:
    """0 without a fault, else the code of the gravest."""
    codes = {one.code for one in findings if one.severity is Severity.FAULT}
    return next((code for code in GRAVEST_FIRST if code in codes), 0)
