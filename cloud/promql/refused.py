"""Pure: what a query is refused for, with its place, and what is nearest of what there is."""

import difflib
from typing import Final

from cloud.promql.tree import AGGREGATIONS, FUNCTIONS

_INSTEAD: Final = {
    "irate": "rate",
    "delta": "increase",
    "idelta": "increase",
    "deriv": "rate",
    "resets": "increase",
    "quantile_over_time": "max_over_time",
    "first_over_time": "last_over_time",
    "mad_over_time": "avg_over_time",
    "stddev_over_time": "avg_over_time",
    "stdvar_over_time": "avg_over_time",
    "present_over_time": "count_over_time",
    "absent_over_time": "count_over_time",
    "absent": "count_over_time",
    "changes": "count_over_time",
    "topk": "max",
    "bottomk": "min",
    "limitk": "max",
    "quantile": "max",
    "stddev": "avg",
    "stdvar": "avg",
    "group": "count",
    "count_values": "count",
    "histogram_quantile": "max_over_time",
    "predict_linear": "avg_over_time",
    "holt_winters": "avg_over_time",
}
"""What comes nearest to what PromQL has and this part of it does not."""


class BadQuery(ValueError):  # noqa: N818 - the caller's fault, told with its place
    """A query that cannot be read or is not supported: ``at`` is where in it, counted from 0."""

    def __init__(self, text: str, at: int, message: str) -> None:
        line = text.count("\n", 0, at) + 1
        column = at - (text.rfind("\n", 0, at) + 1) + 1
        super().__init__(f"{line}:{column}: {message}")
        self.at = at


def unknown_function(text: str, at: int, name: str) -> BadQuery:
    """The refusal of a function or an aggregation that there is not."""
    known = sorted(FUNCTIONS | AGGREGATIONS)
    near = _INSTEAD.get(name.lower()) or next(
        iter(difflib.get_close_matches(name.lower(), known, 1, 0.6)), ""
    )
    hint = f"the nearest is {near}" if near else f"there are {', '.join(known)}"
    return BadQuery(text, at, f"parse error: {name[:40]}() is not supported here; {hint}")


def unsupported(text: str, at: int, what: str, instead: str) -> BadQuery:
    """The refusal of something that PromQL has; ``instead`` is what would do."""
    return BadQuery(text, at, f"parse error: {what} is not supported here; {instead}")
