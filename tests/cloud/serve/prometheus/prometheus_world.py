"""The HTTP API over a small lake and tail, asked as Prometheus is."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cloud.promql.stale import LEAST_US, MOST_US, USUAL_US
from protos import records
from protos.series import SeriesKey, SeriesKind, make_entry
from tests.cloud.lake_world import Gateway
from tests.cloud.promql.naive_model import Labels
from tests.cloud.serve_world import World

API = "/api/prometheus/api/v1"
Row = tuple[int, float | str]


class PrometheusWorld(World):
    """What is `put` is in the tail; `consolidate` brings it into the tables."""

    def __init__(self, root: Path, **more: Any) -> None:
        super().__init__(root, **more)
        self.sent: dict[Labels, list[Row]] = {}

    def declare(self, gateway: Gateway, key: SeriesKey) -> int:
        """The number of a series in its gateway's table, which it is added to."""
        for entry in gateway.table:
            if entry.key == key:
                return entry.entry
        devices = {e.key.device: e.device_no for e in gateway.table if e.key}
        number = devices.get(key.device, max(devices.values(), default=0) + 1)
        gateway.table.append(make_entry(len(gateway.table) + 1, number, key, bytes(16)))
        return len(gateway.table)

    def put(
        self, device: str, rows: Sequence[Row], metric: str = "up", *, unit: str = "",
        kind: SeriesKind = SeriesKind.GAUGE, gateway: Gateway | None = None, **labels: str,
    ) -> None:  # fmt: skip
        """One block of numbers or texts of one series."""
        of = gateway or self.gateway
        key = SeriesKey(device, metric, tuple(sorted(labels.items())), unit, kind)
        entry = np.full(len(rows), self.declare(of, key))
        times = np.array([ts for ts, _ in rows], np.int64)
        if isinstance(rows[0][1], str):
            said = [str(value) for _, value in rows]
            batch = records.texts(entry, times, said, np.ones(len(rows)), times)
        else:
            values = np.array([value for _, value in rows], np.float64)
            batch = records.numbers(entry, times, values, np.zeros(len(rows)), times + 5)
        of.send(batch)
        told = {"__name__": metric, "gateway": of.name, "device": device, "metric": metric}
        told |= {"unit": unit} if unit else {}
        self.sent.setdefault(tuple(sorted((told | labels).items())), []).extend(rows)
        while self.live.advance():
            pass

    def consolidate(self) -> None:
        while self.consolidator.run_once().more:
            pass

    def ask(self, path: str, status: int = 200, **asked: Any) -> Any:
        """What an answer says: its data, or its error."""
        names = {name.rstrip("_"): value for name, value in asked.items()}
        given = {"match[]" if name == "match" else name: v for name, v in names.items()}
        response = self.client.get(f"{API}/{path}", params=given)
        assert response.status_code == status, response.text
        told = response.json()
        assert told["status"] == ("success" if status == 200 else "error"), told
        return told["data"] if status == 200 else told["error"]

    def instant(self, query: str, at_us: int, **more: Any) -> dict[Labels, float]:
        """The values of a query at one time, by labels."""
        told = self.ask("query", query=query, time=at_us / 1e6, **more)
        assert told["resultType"] == "vector"
        return {labels_of(row): float(row["value"][1]) for row in told["result"]}

    def ranged(
        self, query: str, start_us: int, end_us: int, step_us: int
    ) -> dict[Labels, dict[int, float]]:
        """The values of a query at each time, by labels."""
        told = self.ask(
            "query_range", query=query, start=start_us / 1e6, end=end_us / 1e6, step=step_us / 1e6
        )
        assert told["resultType"] == "matrix"
        return {
            labels_of(row): {round(ts * 1e6): float(value) for ts, value in row["values"]}
            for row in told["result"]
        }


def labels_of(row: dict[str, Any]) -> Labels:
    return tuple(sorted(row["metric"].items()))


def stale_of(rows: Sequence[Row]) -> int:
    """When a series' last reading is stale, by plain reckoning."""
    if len(rows) < 3:
        return USUAL_US
    times = [ts for ts, _ in rows]
    between = (max(times) - min(times)) // (len(times) - 1)
    longest = max(min(4 * between, USUAL_US), 2 * between)
    return min(max(longest, LEAST_US), MOST_US)


def close(found: float, wanted: float) -> bool:
    return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9) or found == wanted
