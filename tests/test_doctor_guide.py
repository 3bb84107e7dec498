"""The guide's table of what `doctor` finds is its own: run this file to write it anew."""

import re
from pathlib import Path

from edge.doctor.kind import Severity
from edge.doctor.themes import THEMES

PAGE = Path(__file__).parent.parent / "docs" / "guide" / "doctor.md"
START = "<!-- the table below is generated: python tests/test_doctor_guide.py -->\n"
AS_FOUND = "what it says there"


def table() -> str:
    parts = []
    for theme in THEMES:
        rows = ["| finding | severity | looked at | to do |", "|---|---|---|---|"]
        for kind in theme.kinds:
            to_do = re.sub(r"^\{hint\}$", AS_FOUND, kind.to_do) or "–"
            to_do = re.sub(r"\{(\w+)\}", lambda place: place[1].upper(), to_do).replace("|", r"\|")
            rows.append(f"| `{kind.name}` | {kind.severity.value} | {kind.looked} | {to_do} |")
        parts.append("\n".join([f"### {theme.name}\n", *rows, ""]))
    return "\n" + "\n".join(parts)


def test_the_guides_table_of_findings_is_current() -> None:
    assert PAGE.read_text().partition(START)[2] == table(), f"run `python {Path(__file__).name}`"


def test_every_fault_and_warning_has_its_remedy_in_the_table() -> None:
    kinds = [kind for theme in THEMES for kind in theme.kinds]
    assert len(kinds) > 80
    for kind in kinds:
        assert f"| `{kind.name}` | {kind.severity.value} |" in table()
        assert bool(kind.to_do) == (kind.severity is not Severity.OK), kind.name


if __name__ == "__main__":
    head, _, _ = PAGE.read_text().partition(START)
    PAGE.write_text(head + START + table())
