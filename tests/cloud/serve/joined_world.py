"""An old sensor in °C and a new one in °F that takes its place, over HTTP."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from cloud.rollup.partials import HOUR_US, MINUTE_US
from protos import records
from tests.cloud.lake_world import T0
from tests.cloud.serve_world import World

SEAM = T0 + 30 * MINUTE_US


def two_sensors(folder: Path) -> World:
    """The old one is heard for an hour, in the tables; the new one from before the seam on."""
    world = World(folder / "lake")
    send(world, "old", "°C", range(60), float)
    while world.consolidator.run_once().more:
        pass
    send(world, "new", "°F", range(20, 90), lambda i: 212.0)
    follow(world)
    return world


def send(
    world: World,
    device: str,
    unit: str,
    minutes: Iterable[int],
    value: Callable[[int], float],
    score: bool = True,
) -> None:
    gateway, minutes = world.gateway, list(minutes)
    number = gateway.series(device, unit=unit)
    ts = np.array([T0 + i * MINUTE_US for i in minutes])
    at, values = np.full(len(ts), number), np.array([value(i) for i in minutes])
    batches = [records.numbers(at, ts, values, np.zeros(len(ts)), ts)]
    if score:
        nine, three = np.full(len(ts), 9.0), np.full(len(ts), 3.0)
        batches.append(records.scores(at, ts, values, nine, three, ["drift-1"] * len(ts)))
    gateway.send(*batches)


def follow(world: World) -> None:
    while world.live.advance():
        pass


def ids(world: World) -> tuple[str, str]:
    names = {name.device: f"{name.id:016x}" for name in world.live.book.known().names}
    return names["old"], names["new"]


def operate(world: World, kind: str, status: int = 201, **said) -> dict:
    body = {"kind": kind, "author": "ann", **said}
    response = world.client.post("/api/v1/operations", json=body)
    assert response.status_code == status, response.text
    return response.json()


def replaced(world: World) -> dict:
    old, new = ids(world)
    return operate(world, "replace", series=old, other=new, **{"from": SEAM})


def history(world: World, series: str, more: str = "resolution=raw") -> dict:
    span = f"from={T0}&to={T0 + 2 * HOUR_US}"
    return world.get(f"/api/v1/history?series={series}&{span}&{more}")
