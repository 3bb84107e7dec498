"""The count that cannot be fooled: every value of history, asked for through the HTTP API."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from deploy.demo.stack import Stack

# Everything a µs clock can say: 1970 to 2200.
FROM_US, TO_US = 0, 7_258_118_400_000_000


def series(stack: Stack) -> list[dict[str, Any]]:
    """Every series the cloud knows."""
    found: list[dict[str, Any]] = stack.get("/api/v1/series?limit=100000")["series"]
    return found


def raw(stack: Stack, series_id: str) -> Iterator[tuple[int, float | None, str | None]]:
    """Every (event time µs, number, text) of one series, in time order, page by page."""
    cursor: str | None = None
    while True:
        query: dict[str, Any] = {
            "series": series_id, "from": FROM_US, "to": TO_US, "resolution": "raw",
        }  # fmt: skip
        if cursor is not None:
            query["cursor"] = cursor
        answer = stack.get(f"/api/v1/history?{urlencode(query)}")
        for one in answer["series"]:
            texts = one.get("text") or [None] * len(one["t"])
            yield from zip(one["t"], one["v"], texts, strict=True)
        cursor = answer.get("next")
        if cursor is None:
            return


def history_count(stack: Stack) -> int:
    """How many readings history holds, counted one by one."""
    return sum(1 for one in series(stack) for _ in raw(stack, one["id"]))
