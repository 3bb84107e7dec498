"""The index of decisions names each once, by its title: run this file to write it anew."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "docs" / "decisions"
PAGE = FOLDER / "README.md"
HEAD = """# Decisions

Why it is as it is: half a page each, with what was measured and what was not taken, listed by what
it concerns. Numbers are names, in no order of time, and have gaps: there is no 0084, no 0102.
"""
# A new decision goes under what it concerns; one that concerns several, under the first.
GROUPS = {
    "The contract: blocks, series, delivery": (
        1, 2, 3, 15, 16, 20, 21, 22, 23, 24, 25, 26, 29, 100,
    ),
    "The house": (4, 5, 40, 45, 119, 155),
    "Ingest: brokers, devices, messages": (70, 71, 72, 73, 74, 75),
    "Scores and what an agent costs": (14, 76, 77, 78, 79, 138, 139, 140, 141, 142, 143),
    "Models: package, trial, wrapping": (130, 131, 132),
    "Models made from history": (144, 145, 146),
    "Watching by rule": (136, 137),
    "The gateway's buffer": (10, 11, 12, 13, 153),
    "Identity and the way between": (41, 42, 43, 44, 46),
    "Running a gateway for years": (151,),
    "The journal": (30, 31, 32, 33, 97),
    "The lake: tables, files, consolidation": (
        50, 51, 54, 56, 82, 85, 89, 90, 93, 94, 95, 98,
    ),
    "Rollups": (52, 55, 80, 81, 88),
    "View, queries, page": (
        53, 60, 61, 83, 91, 92, 96, 99, 103, 104, 105, 116, 117, 118, 120, 121, 122, 123, 124, 125,
    ),
    "Models and their rollout": (147, 148, 149, 150),
    "Being told": (113, 114, 115, 126),
    "Detection": (133, 134, 135),
    "Signing in": (110, 111, 112),
    "How it is tested and measured": (27, 28, 57, 86, 87, 101),
}  # fmt: skip


def titles() -> dict[int, tuple[str, str]]:
    """File and first line of each decision, by its number."""
    found = {}
    for path in sorted(FOLDER.glob("[0-9]*.md")):
        head = path.read_text().partition("\n")[0]
        told = re.fullmatch(r"# ([0-9]{4}) (.+)", head)
        assert told is not None, f"{path.name} begins with {head!r}"
        number, title = told.groups()
        assert path.name.startswith(f"{number}-"), f"{path.name} calls itself {number}"
        assert int(number) not in found, f"two decisions are {number}"
        found[int(number)] = (path.name, title)
    return found


def page() -> str:
    known, parts = titles(), [HEAD]
    for group, numbers in GROUPS.items():
        lines = [f"- [{number:04} {known[number][1]}]({known[number][0]})" for number in numbers]
        parts.append("\n".join([f"## {group}\n", *lines, ""]))
    return "\n".join(parts)


def test_every_decision_is_in_the_index_once_under_what_it_concerns() -> None:
    grouped = [number for numbers in GROUPS.values() for number in numbers]
    assert sorted(grouped) == sorted(titles()), "name it in GROUPS of this file"
    assert all(list(numbers) == sorted(numbers) for numbers in GROUPS.values())


def test_the_index_of_decisions_is_current() -> None:
    assert PAGE.read_text() == page(), f"run `python {Path(__file__).name}` in tests/"


def test_every_decision_that_is_spoken_of_is_there() -> None:
    known = titles()
    root = FOLDER.parent.parent
    texts = [*FOLDER.parent.rglob("*.md"), *root.glob("*.md")]
    texts += [path for half in ("edge", "cloud", "protos") for path in (root / half).rglob("*.py")]
    for path in texts:
        text = path.read_text()
        named = re.findall(r"decisions/([0-9]{4})", text)
        if path.suffix == ".md":
            named += re.findall(r"\((0[0-9]{3})\)", text)
        missing = {number for number in named if int(number) not in known}
        assert not missing, f"{path} speaks of {missing}"


if __name__ == "__main__":
    PAGE.write_text(page())
