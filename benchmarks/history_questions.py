"""The five questions of the history benchmark, each with a random key, as everybody is asked them.

Engines beside ours number the series densely, in the order of the lake (`Key.series`).
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.history_sets import START_US, YEAR_START_US, Size
from benchmarks.history_year import EPISODES_A_DAY
from cloud.rollup.partials import DAY_US

MONTH_US: Final = 30 * DAY_US
TOP: Final = 20
assert EPISODES_A_DAY > TOP


@dataclass(frozen=True, slots=True)
class Key:
    """What one question is about: series by number, times µs in [from, to)."""

    series: tuple[int, ...]
    from_us: int
    to_us: int


@dataclass(frozen=True, slots=True)
class Question:
    """One of the five: how a key is drawn, and the path it is at the API.

    ``sql`` is for ClickHouse and, where ``postgres`` is empty, for PostgreSQL; ``{from}`` and
    ``{to}`` are times as the engine writes them.
    """

    name: str
    draw: Callable[[random.Random, Size], Key]
    path: Callable[[Key, Sequence[str]], str]
    sql: str
    postgres: str = ""

    @property
    def is_raw(self) -> bool:
        """Whether it asks for readings rather than for rollups or events."""
        return "FROM readings" in self.sql

    def ask(self, key: Key, time: Callable[[int], str], *, postgres: bool = False) -> str:
        """The statement for a key; ``time`` writes µs as the engine's own time."""
        given = {"from": time(key.from_us), "to": time(key.to_us)}
        series = ", ".join(map(str, key.series))
        return ((postgres and self.postgres) or self.sql).format(series=series, **given)


def _raw(drawn: random.Random, size: Size) -> Key:
    span = min(DAY_US, size.end_us - START_US)
    start = drawn.randint(START_US, size.end_us - span)
    return Key((drawn.randrange(size.series),), start, start + span)


def _month(drawn: random.Random, size: Size) -> Key:
    start = drawn.randint(YEAR_START_US, START_US - MONTH_US)
    return Key((drawn.randrange(size.series),), start, start + MONTH_US)


def _year(drawn: random.Random, size: Size) -> Key:
    series = drawn.sample(range(size.series), min(10, size.series))
    return Key(tuple(series), YEAR_START_US, START_US)


def _latest(_: random.Random, size: Size) -> Key:
    return Key((), size.end_us - DAY_US, size.end_us)


def _episodes(drawn: random.Random, _: Size) -> Key:
    day = YEAR_START_US + drawn.randrange(365) * DAY_US
    return Key((), day, day + DAY_US)


def _history(key: Key, ids: Sequence[str], more: str) -> str:
    series = ",".join(ids[number] for number in key.series)
    return f"/api/v1/history?series={series}&from={key.from_us}&to={key.to_us}&{more}"


QUESTIONS: Final = (
    Question(
        "series_24h_raw",
        _raw,
        lambda key, ids: _history(key, ids, "resolution=raw&limit=100000"),
        "SELECT ts, value FROM readings WHERE series = {series} AND ts >= {from} AND ts < {to}"
        " ORDER BY ts",
    ),
    Question(
        "series_30d_1000_points",
        _month,
        lambda key, ids: _history(key, ids, "points=1000"),
        "SELECT ts, count, sum / valid, min, max, first, last FROM rollup_1h"
        " WHERE series = {series} AND ts >= {from} AND ts < {to} ORDER BY ts",
    ),
    Question(
        "series10_year_of_days",
        _year,
        lambda key, ids: _history(key, ids, "resolution=1d&points=400"),
        "SELECT series, ts, count, sum / valid, min, max, first, last FROM rollup_1d"
        " WHERE series IN ({series}) AND ts >= {from} AND ts < {to} ORDER BY series, ts",
    ),
    Question(
        "latest_of_all",
        _latest,
        lambda key, ids: "/api/v1/latest",
        "SELECT series, max(last_ts), argMax(last, last_ts) FROM rollup_1d"
        " WHERE ts >= {from} - INTERVAL 1 DAY GROUP BY series",
        "SELECT DISTINCT ON (series) series, last_ts, last FROM rollup_1d"
        " WHERE ts >= {from} - INTERVAL '1 DAY' ORDER BY series, ts DESC",
    ),
    Question(
        "top_episodes_of_a_day",
        _episodes,
        lambda key, ids: (
            f"/api/v1/episodes?from={key.from_us}&to={key.to_us}&order=peak&limit={TOP}"
        ),
        "SELECT series, ts, end_ts, peak FROM episodes"
        f" WHERE end_ts >= {{from}} AND ts < {{to}} ORDER BY peak DESC LIMIT {TOP}",
    ),
)


def keys(question: Question, size: Size, count: int) -> list[Key]:
    """Keys of a question, the same in every run."""
    drawn = random.Random(f"{question.name} {size}")
    return [question.draw(drawn, size) for _ in range(count)]
