"""Random series and queries, and sources that answer from readings and from buckets of them."""

from collections.abc import Mapping, Sequence
from random import Random

import numpy as np

from cloud.promql.cells import Cells, cells_of, cells_of_readings, told
from cloud.promql.evaluate import Frame
from cloud.promql.labels import NAME
from cloud.promql.steps import Steps, layout
from cloud.promql.tree import Selector
from cloud.rollup.partials import Readings, merge, reduce_in
from tests.cloud.promql.naive_model import Labels, Reading

SECOND_US = 1_000_000
STALE_US = 300 * SECOND_US


class ListSource:
    """Answers from lists: cells are single readings, or buckets (``is_bucketed``)."""

    def __init__(
        self, series: Mapping[Labels, Sequence[Reading]], stale_us: int, *, is_bucketed: bool
    ) -> None:
        self.series, self.stale_us, self.is_bucketed = series, stale_us, is_bucketed

    def frame(self, selector: Selector, function: str, steps: Steps) -> Frame:
        labels, values, there = [], [], []
        for each, rows in self.series.items():
            held = dict(each)
            if all(one.accepts([held.get(one.label, "")])[0] for one in selector.matchers):
                cells = self._cells(rows, selector, steps)
                value, is_there = told(cells, selector, function, steps, self.stale_us)
                labels.append(held)
                values.append(value)
                there.append(is_there)
        shape = len(labels), steps.count
        return Frame(labels, np.reshape(values, shape), np.reshape(there, shape).astype(bool))

    def _cells(self, rows: Sequence[Reading], selector: Selector, steps: Steps) -> Cells:
        ts = np.array([row[0] for row in rows], np.int64)
        value = np.array([row[1] for row in rows], np.float64)
        if self.is_bucketed:
            edges = layout(selector, steps, self.stale_us).edges
            inside = (ts >= edges[0]) & (ts < edges[-1])
            bucket = edges[np.searchsorted(edges, ts[inside], "right") - 1]
            count = len(bucket)
            readings = Readings(
                np.zeros(count, np.int64), ts[inside], value[inside],
                np.full(count, None, object), np.zeros(count, np.uint8),
            )  # fmt: skip
            cells = cells_of(merge(reduce_in(readings, bucket, 0), 1))
            if cells is not None:
                return cells
        return cells_of_readings(ts, value)


def random_series(
    random: Random, count: int, start: int, every: int, *, jitter: int = 0
) -> dict[Labels, list[Reading]]:
    """Whole numbers at even times, some times left out, in stretches and one by one."""
    found: dict[Labels, list[Reading]] = {}
    for number in range(count):
        labels = {NAME: random.choice(("up", "energy")), "device": f"d{number}"}
        labels["gateway"] = random.choice(("north", "south"))
        rows, value, is_away = [], 0.0, False
        for at in range(random.randrange(1, 120)):
            is_away = random.random() < (0.9 if is_away else 0.05)
            value = (
                float(random.randrange(4))
                if random.random() < 0.1
                else value + (random.randrange(20))
            )
            if not is_away and random.random() < 0.9:
                rows.append((start + at * every + random.randrange(jitter + 1), value))
        found[tuple(sorted(labels.items()))] = rows
    return found


def random_query(random: Random, functions: Sequence[str], depth: int = 0) -> str:
    """A query of what is supported."""
    kind = random.randrange(6 if depth < 3 else 2)
    inside = random_query(random, functions, depth + 1) if kind > 1 else ""
    match kind:
        case 0:
            return _selector(random) + _offset(random)
        case 1:
            width = random.choice(("30s", "1m", "3m", "7m", "10m"))
            return f"{random.choice(functions)}({_selector(random)}[{width}]{_offset(random)})"
        case 2:
            labels = random.choice(("device", "gateway", "gateway, device", "", "nothing"))
            operator = random.choice(("sum", "avg", "min", "max", "count"))
            how = random.choice((f"by ({labels})", f"without ({labels})", ""))
            return f"{operator} {how} ({inside})"
        case 3:
            sign = random.choice(("+", "-", "*", "/"))
            return f"({inside}) {sign} {random.choice((2, 4, 0.5))}"
        case 4:
            sign = random.choice(("==", "!=", "<", ">", "<=", ">="))
            return f"({inside}) {sign} {random.choice(('', 'bool '))}{random.randrange(60)}"
        case _:
            return f"-({inside})"


def _selector(random: Random) -> str:
    device = random.choice(("", 'device=~"d[0-4]"', 'device!~"d1|d2"', 'gateway!="north"'))
    return f"{random.choice(('up', 'energy'))}{{{device}}}"


def _offset(random: Random) -> str:
    return random.choice(("", "", " offset 1m", " offset -2m"))
