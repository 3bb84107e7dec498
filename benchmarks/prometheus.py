"""What Grafana's way of asking costs beside our own: `python -m benchmarks.prometheus`.

Ten series over thirty days at a thousand steps: as `query_range` of the Prometheus API, and as
/api/v1/history with buckets of the same width, of one application in one run, without a network
between. Both say the same, which is checked. Steps of an hour (720 of them) are told by rollups,
those of 43 minutes (1,000) by readings. CPU is that of the process: the answer, its JSON, and what
reads it. The last line is one JSON object.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from starlette.testclient import TestClient

from protos import records
from tests.cloud.lake_world import T0
from tests.cloud.serve_world import World

SERIES: Final = 10
EVERY_S: Final = 30
SECOND_US: Final = 1_000_000
STEPS: Final = {"1h": 3600, "43m": 43 * 60}
ROOT: Final = "/api/prometheus/api/v1/query_range"


def filled(folder: Path, days: int) -> World:
    """Ten series, a block of each a day; the last day is in the tail."""
    world, chance = World(folder / "lake"), np.random.default_rng(5)
    count = 86_400 // EVERY_S
    for day in range(days):
        if day == days - 1:
            _consolidate(world)
        for series in range(SERIES):
            entry = world.gateway.series(f"device-{series}")
            ts = T0 + (day * 86_400 + np.arange(count) * EVERY_S) * SECOND_US
            values = np.round(20 + chance.standard_normal(count), 2)
            at = np.full(count, entry)
            world.gateway.send(records.numbers(at, ts, values, np.zeros(count), ts + 5))
    while world.live.advance():
        continue
    return world


def _consolidate(world: World) -> None:
    while world.consolidator.run_once().more:
        continue


def _cost(ask: Callable[[], Any], rounds: int) -> dict[str, float]:
    """The median of CPU and of wall, ms."""
    found = []
    for _ in range(rounds):
        cpu, wall = time.process_time(), time.perf_counter()
        ask()
        found.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpu_s, wall_s = np.median(found, axis=0)
    return {"cpu_ms": round(float(cpu_s) * 1e3, 1), "wall_ms": round(float(wall_s) * 1e3, 1)}


def _told(client: TestClient, path: str, asked: dict[str, Any]) -> Any:
    answer = client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _same(found: Any, held: Any, step_s: int) -> int:
    """How many values both say; AssertionError where they differ."""
    of = {row["metric"]["device"]: dict(row["values"]) for row in found["data"]["result"]}
    names = sorted(of)
    assert len(names) == SERIES == len(held["series"])
    for name, series in zip(names, held["series"], strict=True):
        ends = [t // SECOND_US + step_s for t in series["t"]]
        assert ends == list(of[name])
        assert np.allclose([float(v) for v in of[name].values()], series["mean"], rtol=1e-12)
    return sum(len(each) for each in of.values())


def main(days: int, rounds: int) -> dict[str, Any]:
    """What each way costs, by the width of the steps."""
    with tempfile.TemporaryDirectory() as folder:
        world = filled(Path(folder), days)
        try:
            steps = {name: _measured(world, name, width, days, rounds) for name, width in
                     STEPS.items()}  # fmt: skip
        finally:
            world.close()
    return {
        "series": SERIES,
        "days": days,
        "readings": SERIES * days * 86_400 // EVERY_S,
        "steps": steps,
    }


def _measured(world: World, name: str, width: int, days: int, rounds: int) -> dict[str, Any]:
    client = world.client
    first = -(-T0 // SECOND_US // width) * width
    count = min(1_000, (T0 // SECOND_US + days * 86_400 - first) // width)
    end = first + count * width
    listed = client.get("/api/v1/series").json()["series"]
    ids = ",".join(each["id"] for each in sorted(listed, key=lambda each: str(each["device"])))
    spanned = {"start": first + width, "end": end, "step": width}
    ours = {"series": ids, "from": first * SECOND_US, "to": end * SECOND_US, "bucket": name}
    ours |= {"columns": "mean"}
    last = {"query": "temperature", **spanned}
    mean = {"query": f"avg_over_time(temperature[{name}])", **spanned}
    values = _same(_told(client, ROOT, mean), _told(client, "/api/v1/history", ours), width)
    told = {
        "steps": count,
        "values": values,
        "avg_over_time": _cost(lambda: _told(client, ROOT, mean), rounds),
        "history": _cost(lambda: _told(client, "/api/v1/history", ours), rounds),
        "last_reading": _cost(lambda: _told(client, ROOT, last), rounds),
    }
    ratio = told["avg_over_time"]["cpu_ms"] / told["history"]["cpu_ms"]
    return {**told, "to_history_cpu_ratio": round(ratio, 2)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    print(json.dumps(main(asked.days, asked.rounds)))
    sys.exit(0)
