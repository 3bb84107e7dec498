"""What a caller says as the parameters of a request."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate import plan
from tidegate.errors import QuestionError
from tidegate.times import Time, time_us

Words = str | Sequence[str]
"""One word, or several."""
Labels = Mapping[str, str | None] | Words
"""Labels by name with the pattern of their value, None for any; or as the API writes them."""


def hundred(ids: list[str]) -> list[str]:
    """The ids, no more than one request may name. QuestionError."""
    if len(ids) > plan.SERIES_MAX:
        hint = "ask for them a hundred at a time, or for less than all"
        raise QuestionError(f"{len(ids)} series are more than {plan.SERIES_MAX} at once", hint)
    return ids


def span(start: Time | None, end: Time | None) -> dict[str, Any]:
    """`from` and `to` in µs since 1970, None where an end is left open. QuestionError."""
    now_us = time.time_ns() // 1000
    return {
        "from": None if start is None else time_us("start", start, now_us),
        "to": None if end is None else time_us("end", end, now_us),
    }


def ends(from_us: int, to_us: int) -> dict[str, str]:
    """`from` and `to` as parameters."""
    return {"from": str(from_us), "to": str(to_us)}


def words(given: Words | None) -> Sequence[str] | None:
    """Words that may be joined by commas, one by one."""
    return given.split(",") if isinstance(given, str) else given


def labels(given: Labels | None) -> Words | None:
    """Labels as the API writes them."""
    if isinstance(given, Mapping):
        return [name if value is None else f"{name}:{value}" for name, value in given.items()]
    return given


def query(said: Mapping[str, Any]) -> dict[str, str]:
    """All of it as parameters; what was not said is left out. QuestionError."""
    return {
        name: value if isinstance(value, str) else _joined(name, value)
        for name, value in said.items()
        if value is not None
    }


def _joined(name: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Sequence) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    raise QuestionError(f"`{name}` is {value!r}", "give a text or several")
