"""The real API and page over a hundred thousand series of a thousand gateways, in memory.

Run it by hand: python -m tests.browser.many_series
"""

import socket
import tempfile
from pathlib import Path

import numpy as np
import uvicorn

from protos import records
from protos.series import SeriesKey, make_entry
from tests.cloud.lake_world import T0, Gateway
from tests.cloud.serve_world import World

DIST = Path(__file__).resolve().parents[2] / "cloud" / "web" / "dist"
GATEWAYS, DEVICES = 1_000, 20
METRICS = (
    ("temperature", "°C"), ("humidity", "%"), ("voltage", "V"), ("energy", "kWh"), ("state", ""),
)  # fmt: skip
SERIES = GATEWAYS * DEVICES * len(METRICS)


def declared(gateway: Gateway, number: int) -> int:
    """Declare the series of a gateway; returns how many."""
    for device in range(DEVICES):
        labels = (("room", f"hall {number % 40}"),)
        for metric, unit in METRICS:
            key = SeriesKey(f"meter-{device}", metric, labels, unit)
            place = len(gateway.table) + 1
            gateway.table.append(make_entry(place, device + 1, key, bytes(16)))
    return len(gateway.table)


def fill(world: World) -> None:
    """One reading of every series, a block a gateway."""
    for number in range(GATEWAYS):
        gateway = Gateway(world.journal, f"site-{number:04}")
        count = declared(gateway, number)
        times = np.full(count, T0 + number * 1_000_000, np.int64)
        values = np.arange(count) + number / 10
        gateway.send(
            records.numbers(np.arange(1, count + 1), times, values, np.zeros(count), times)
        )
    while world.live.advance():
        pass


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "lake", DIST)
        fill(world)
        listening = socket.create_server(("127.0.0.1", 0))
        print(f"http://127.0.0.1:{listening.getsockname()[1]}/", flush=True)
        config = uvicorn.Config(world.app, log_level="warning", timeout_graceful_shutdown=1)
        uvicorn.Server(config).run(sockets=[listening])
        world.close()


if __name__ == "__main__":
    main()
