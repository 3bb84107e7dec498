"""The product's own steps as points of the campaign: which are there, and within what they come.

The product tells a step by its name (`step("committed")`). A commit of a merge and one of a release
leave different things to whoever comes next, so a point is the step within the innermost activity
under way.
"""

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final

from cloud.lake import consolidator, upkeep
from cloud.lake.consolidator import Consolidator
from cloud.lake.correct import Corrector
from cloud.lake.made import Made
from cloud.lake.release import Releases
from cloud.lake.sorter import Sorter
from cloud.lake.table.table import LakeTable
from cloud.retention import erase, erasure
from cloud.retention.removal import Retention
from tests.crash.lake_points import Points

PRODUCT: Final = Path(consolidator.__file__).parent.parent
SERVE: Final = "serve"
RECOVERED: Final = "serve, recovery: recovered"
"""Where all tables were mended: from here on other engines can open them."""


def _of_pass(made: Made, *_: Any) -> str:
    return "pass" if made._is_one else "large pass"


def _of_merge(table: LakeTable, *_: Any) -> str:
    return f"merge of {'readings' if table.spec.name == 'readings' else 'others'}"


ACTIVITIES: Final[tuple[tuple[Any, str, str | Callable[..., str]], ...]] = (
    (Consolidator, "recover", "recovery"),
    (consolidator, "catch_up", "levelling"),
    (Made, "add", _of_pass),
    (Made, "commit", _of_pass),
    (upkeep, "merge_in", _of_merge),
    (Sorter, "carry_out", "sorting"),
    (Retention, "carry_out", "retention"),
    (Corrector, "carry_out", "correction"),
    (Releases, "_one", "release"),
    (erasure, "give", "order"),
    (erasure, "carry_out", "erasure"),
    (upkeep, "carry_out", "erasure taken up"),
    (erase, "_follow", "erasure of rollups"),
    (erase, "_clear", "erasure of rare rows"),
)
"""Whose attribute, its name, and what it is called; the last that began is told."""
AS_SERVED: Final = ("carry_over", "empty_journal")
"""Of `erasure`: what the cloud itself does with the tables and the journal before an order."""


class Steps:
    """Of this process, from `install` on."""

    def __init__(self, points: Points) -> None:
        self._points = points
        self._within: list[str] = []

    def told(self, step: str) -> None:
        """The product came to a step."""
        self._points.visit(step, self._within[-1] if self._within else "itself")

    def install(self) -> None:
        """Whoever opens a table or consolidates tells its steps, also commands that tell none."""
        for owner, name, of in ACTIVITIES:
            setattr(owner, name, self._doing(of, vars(owner)[name]))
        for name in AS_SERVED:
            setattr(erasure, name, self._as_served(vars(erasure)[name]))
        for owner, name in ((LakeTable, "step"), (Consolidator, "_step")):
            owner.__init__ = self._telling(name, owner.__init__)

    def _doing(self, of: str | Callable[..., str], original: Callable[..., Any]) -> Any:
        @wraps(original)
        def doing(*args: Any, **named: Any) -> Any:
            with self._in(of if isinstance(of, str) else of(*args)):
                done = original(*args, **named)
                if of == "recovery":
                    self.told("recovered")
                return done

        return doing

    def _as_served(self, original: Callable[..., Any]) -> Any:
        @wraps(original)
        def served(*args: Any, **named: Any) -> Any:
            command, self._points.command = self._points.command, SERVE
            try:
                return original(*args, **named)
            finally:
                self._points.command = command

        return served

    @contextmanager
    def _in(self, activity: str) -> Iterator[None]:
        self._within.append(activity)
        try:
            yield
        finally:
            self._within.pop()

    def _telling(self, name: str, original: Callable[..., None]) -> Any:
        @wraps(original)
        def made(made: Any, *args: Any, **named: Any) -> None:
            original(made, *args, **named)
            setattr(made, name, self.told)

        return made


def names_in_code(folder: Path = PRODUCT) -> frozenset[str]:
    """Every step that the product's code names."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _called(node.func) in ("step", "_step"):
                told = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
                found.update(one for one in told if isinstance(one, str))
    return frozenset(found)


def names_among(points: frozenset[str]) -> frozenset[str]:
    """The steps of the code that are among points."""
    return names_in_code() & {point.rpartition(": ")[2] for point in points}


def _called(function: ast.expr) -> str:
    match function:
        case ast.Name(name) | ast.Attribute(_, name):
            return name
    return ""
