"""The Python client's guide: its snippets run, its tables are the code. Run this to write it."""

import inspect
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import tidegate
from tests.cloud.client.served_world import Served, recent
from tidegate.questions import Questions

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "guide" / "python.md"
NOTEBOOK = ROOT / "docs" / "guide" / "first-frame.ipynb"
MARK = "<!-- made from the client -->\n"
ADDRESS = "http://127.0.0.1:8460"
ERRORS = (
    "`page_rows` of `connect` says how many rows are asked for at a time: 100,000, of lists 10,000",
    "at most.", "", "## Errors", "",
    "All are a `TidegateError`, with `message` and `hint`. Those of the cloud are a",
    "`RefusedError`, in its own words, with `status`, `code`, `parameter` and `nearest`.", "",
    "| error | when |", "|---|---|",
)  # fmt: skip


def first(text: str | None) -> str:
    """The first paragraph of a docstring, in one line."""
    assert text
    return " ".join(inspect.cleandoc(text).partition("\n\n")[0].split()).replace("``", "`")


def tables() -> str:
    lines = ["| question | gives | may be told |", "|---|---|---|"]
    for name, method in inspect.getmembers(Questions, inspect.isfunction):
        if not name.startswith("_"):
            told = ", ".join(f"`{one}`" for one in list(inspect.signature(method).parameters)[1:])
            lines.append(f"| `{name}` | {first(method.__doc__)} | {told} |")
    lines += ["| `status` | " + first(tidegate.Client.status.__doc__) + " |  |", "", *ERRORS]
    for name in tidegate.__all__:
        one = getattr(tidegate, name)
        base = inspect.isclass(one) and issubclass(one, tidegate.TidegateError)
        if base and one not in (tidegate.TidegateError, tidegate.RefusedError):
            lines.append(f"| `{name}` | {first(one.__doc__)} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    before, _, rest = PAGE.read_text().partition(MARK)
    _, _, after = rest.partition(MARK)
    return f"{before}{MARK}\n{tables()}\n{MARK}{after}"


def snippets() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = recent(tmp_path_factory.mktemp("recent"))
    yield made
    made.close()


def test_the_tables_of_the_guide_are_current() -> None:
    assert PAGE.read_text() == page(), f"run `python -m tests.cloud.client.{Path(__file__).stem}`"


def test_every_snippet_of_the_guide_does_what_it_says(
    demo: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    *runs, distant = snippets()
    names: dict[str, Any] = {}
    for snippet in runs:
        exec(compile(snippet.replace(ADDRESS, demo.url), PAGE.name, "exec"), names)
    assert names["hour"].height == 3 * 180
    assert names["count"] == names["frame"].height > 25
    assert "run" in capsys.readouterr().out
    assert names["days"].columns[-3:] == ["min", "p50", "max"]
    assert names["inputs"].shape in ((180, 3), (181, 3))  # as the tens of seconds fall
    assert names["anomalies"].height == 1
    assert names["marks"].height == 1
    assert len(names["warmest"].fetchall()) == 3
    assert [frame.height > 0 for frame in names["frames"]] == [True, True]
    authority = tmp_path / "ca.pem"
    with pytest.raises(tidegate.SetupError, match="there is no file"):
        exec(compile(distant.replace("/etc/tidegate/ca.pem", str(authority)), "", "exec"), names)


def test_the_notebook_runs_from_its_first_cell_to_its_last(
    demo: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.pathsep.join([str(ROOT), str(ROOT / "cloud" / "client")])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("TIDEGATE_URL", demo.url)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = [each for cell in notebook.cells for each in cell.get("outputs", ())]
    assert [each for each in shown if each.output_type == "error"] == []
    tables_shown = [each for each in shown if "text/html" in each.get("data", {})]
    assert len(tables_shown) >= 3


def test_the_notebook_is_kept_without_what_it_showed() -> None:
    held = json.loads(NOTEBOOK.read_text())
    codes = [cell for cell in held["cells"] if cell["cell_type"] == "code"]
    assert len(codes) >= 6
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in codes)
    assert set(held["metadata"]) == {"kernelspec", "language_info"}


if __name__ == "__main__":
    PAGE.write_text(page())
