"""Which series are meant: by id, by name, by a row that has an id, or by another question."""

import difflib
import glob
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tidegate.errors import NotFoundError, QuestionError
from tidegate.result import Result
from tidegate.wire import Line

PATH: Final = "/api/v1/series"
NEAR_ROWS: Final = 10_000
"""Of one name, and looked at to find the nearest."""
_ID: Final = re.compile(r"[0-9a-f]{16}")

Series = str | Mapping[str, Any] | Result | Iterable[Any]
"""An id, `device/metric` or `gateway/device/metric`, a row of `series()`, `series()` itself, or
several of these."""


def given(series: object) -> object:
    """What was given, so that it can be gone through again. QuestionError if it names nothing."""
    within = getattr(series, "result", series)
    if isinstance(within, Result):
        return within
    if isinstance(series, str) and series:
        return series
    if isinstance(series, Mapping) and isinstance(series.get("id"), str):
        return series
    if isinstance(series, Iterable) and not isinstance(series, str | Mapping):
        return [given(one) for one in series]
    raise _no_series(series)


def ids(line: Line, series: object) -> list[str]:
    """The ids of what `given` took, each once, in the order given.

    Raises:
        QuestionError: none, or a name that several have.
        NotFoundError: no series has that name, told with the nearest.
    """
    found = list(dict.fromkeys(_ids(line, series)))
    if not found:
        hint = "see what `series()` of the same filters gives"
        raise QuestionError("no series is asked for", hint)
    return found


def _ids(line: Line, series: object) -> Iterator[str]:
    if isinstance(series, str):
        yield series if _ID.fullmatch(series) else _by_name(line, series)
    elif isinstance(series, Mapping):
        yield str(series["id"])
    elif isinstance(series, Result):
        yield from (str(row["id"]) for row in series.over(line).rows())
    elif isinstance(series, list):
        for one in series:
            yield from _ids(line, one)


def _by_name(line: Line, name: str) -> str:
    """The one series of this name."""
    rows = list({row["id"]: row for row in _called(line, name)}.values())
    if len(rows) == 1:
        return str(rows[0]["id"])
    if not rows:
        raise _unknown(line, name)
    some = ", ".join(f"{row['id']} ({row['gateway']})" for row in rows[:5])
    hint = "name one as gateway/device/metric or by its id"
    raise QuestionError(f"{len(rows)} series are called {name!r}: {some}", hint)


def _called(line: Line, name: str) -> Iterator[Mapping[str, Any]]:
    """Series called so. Any part of a name may have slashes, so whole names are compared."""
    whole = glob.escape(name)
    for pattern in (f"*/{whole}", whole):
        rows = line.json(PATH, {"match": pattern, "limit": str(NEAR_ROWS)})["series"]
        yield from (row for row in rows if name in _names(row))


def _names(row: Mapping[str, Any]) -> tuple[str, str]:
    short = f"{row['device']}/{row['metric']}"
    return short, f"{row['gateway']}/{short}"


def _unknown(line: Line, name: str) -> NotFoundError:
    rows = line.json(PATH, {"limit": str(NEAR_ROWS)})["series"]
    known = sorted({_names(row)[0] for row in rows})
    near = [one for one in known if name.lower() in one.lower().split("/")][:3]
    near = near or difflib.get_close_matches(name, known, 1, 0.5)
    told = f"there is no series {name!r}"
    hint = f"did you mean {' or '.join(near)}?" if near else "`series(search=…)` lists them"
    nearest = near[0] if near else ""
    return NotFoundError(404, "unknown_series", told, hint, parameter="series", nearest=nearest)


def _no_series(series: object) -> QuestionError:
    shown = repr(series)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
    hint = "give an id, 'device/metric', a row of `series()`, `series()` itself, or a list of these"
    return QuestionError(f"`series` is {shown}, which names no series", hint)
