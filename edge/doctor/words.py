"""Pure: the findings for eyes: what is wrong first to be seen, everything that was looked at."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import click
import msgspec

from edge.doctor.kind import Finding, Severity
from protos.shown import printable

WIDTH: Final = 100
_COLOURS: Final = {
    Severity.OK: "green",
    Severity.HINT: "cyan",
    Severity.WARNING: "yellow",
    Severity.FAULT: "red",
}
_LABEL: Final = 9
_THEME: Final = 14


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found; ``code`` is the exit code, ``at_us`` the gateway's clock (µs UTC)."""

    gateway: str
    home: str
    version: str
    running: bool
    at_us: int
    code: int
    counts: dict[str, int]
    findings: list[Finding]


def counted(findings: Sequence[Finding]) -> dict[str, int]:
    """How many findings there are of each severity."""
    seen = Counter(one.severity for one in findings)
    return {severity.value: seen[severity] for severity in Severity}


def told(report: Report) -> Iterator[str]:
    """The report, line by line."""
    agent = "its agent runs" if report.running else "no agent runs"
    name = report.gateway or "a gateway without settings"
    yield f"{printable(name)} in {printable(report.home)}, tidegate {report.version}; {agent}"
    yield ""
    for one in report.findings:
        yield from _finding(one)
    yield ""
    yield _sum(report.counts)


def _finding(one: Finding) -> Iterator[str]:
    theme = one.name.partition(".")[0]
    label = one.severity.upper() if one.severity is Severity.FAULT else one.severity.value
    head = f"{label:{_LABEL}}{theme:{_THEME}}"
    shown = click.style(head, fg=_COLOURS[one.severity])
    if one.severity is Severity.OK:
        text = f"{one.looked}: {one.found}" if one.found else one.looked
        yield from _wrapped(shown, text)
        return
    yield from _wrapped(shown, f"{one.looked}: {one.found}  [{one.name}]")
    if one.to_do:
        yield from _wrapped(" " * (_LABEL + _THEME), f"to do: {one.to_do}")


def _wrapped(head: str, text: str) -> Iterator[str]:
    room = WIDTH - _LABEL - _THEME
    first, *more = textwrap.wrap(
        printable(text), room, break_long_words=False, break_on_hyphens=False
    ) or [""]
    yield head + first
    for line in more:
        yield " " * (_LABEL + _THEME) + line


def _sum(counts: dict[str, int]) -> str:
    parts = [
        f"{counts[severity]:,} {severity.value}{'s' if counts[severity] != 1 else ''}"
        for severity in (Severity.FAULT, Severity.WARNING, Severity.HINT)
        if counts[severity]
    ]
    return f"{', '.join(parts) or 'nothing to do'}; {counts[Severity.OK]:,} ok"
