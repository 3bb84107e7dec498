"""Every promise, and every pain of others, names the tests that hold it: they are looked up."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = {"promises": range(1, 12), "pains": range(1, 28)}


@dataclass(frozen=True)
class Row:
    """One numbered section of a page; ``later`` says what is not held yet, and why."""

    number: int
    title: str
    tests: tuple[str, ...]
    later: str


def rows_of(text: str) -> list[Row]:
    parts = re.split(r"^## (\d+)\. (.+)$", text, flags=re.MULTILINE)[1:]
    rows = []
    for number, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        tests = tuple(re.findall(r"^- `(.+)`$", body, flags=re.MULTILINE))
        later = re.search(r"^Not yet: (.+)$", body, flags=re.MULTILINE)
        rows.append(Row(int(number), title, tests, later[1] if later else ""))
    return rows


def names_of(path: Path) -> set[str]:
    """The tests that pytest would collect from a file, without importing it."""
    if not path.is_file() or not path.name.startswith("test_"):
        return set()
    return {
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def missing(rows: list[Row]) -> list[str]:
    """What is wrong with the rows: tests that are not there, and rows that nothing holds."""
    found = []
    for row in rows:
        for name in row.tests:
            path, _, test = name.partition("::")
            if not path.startswith("tests/") or test not in names_of(ROOT / path):
                found.append(f"{row.number}: there is no {name}")
        if not row.tests and len(row.later) < 20:
            found.append(f"{row.number}: no test, and no reason why not")
    return found


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_row_is_held_by_tests_that_exist_or_says_why_not(
    page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of((ROOT / "docs" / f"{page}.md").read_text())
    assert [row.number for row in rows] == list(PAGES[page])
    assert missing(rows) == []
    with capsys.disabled():
        for row in rows:
            if row.later:
                print(f"\n{page} {row.number}, {row.title.lower()}: not yet: {row.later}", end="")


def test_every_promise_is_held_by_some_test() -> None:
    rows = rows_of((ROOT / "docs" / "promises.md").read_text())
    assert [row.number for row in rows if not row.tests] == []


def test_a_row_that_names_a_missing_test_does_not_pass() -> None:
    here = f"tests/{Path(__file__).name}"
    text = (
        "## 1. One\n\nHeld by:\n\n- `tests/test_promises.py::test_gone`\n\n"
        "Not yet: because of a reason that is long enough.\n"
        "## 2. Two\n\n- `tests/no_such_file.py::test_x`\n\n## 3. Three\n\nNot yet: later\n"
        f"## 4. Four\n\n- `{here}::test_every_promise_is_held_by_some_test`\n"
        "## 5. Five\n\nNot yet: there is no such thing here so far.\n"
    )
    assert missing(rows_of(text)) == [
        "1: there is no tests/test_promises.py::test_gone",
        "2: there is no tests/no_such_file.py::test_x",
        "3: no test, and no reason why not",
    ]
