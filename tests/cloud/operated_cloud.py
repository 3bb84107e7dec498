"""A whole cloud in its home, tables made wherever its settings say, asked over HTTP.

Device names end in the unit of their readings, as `joined_model` has it.
"""

import os
import signal
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from starlette.testclient import TestClient

from cloud.aggregator import Aggregator, now_us
from cloud.config import load
from cloud.ingest.gate import open_journal
from cloud.rollup.partials import DAY_US
from cloud.serve.reach import reach_of
from cloud.settings import Placement
from protos import records
from tests.cloud.imports.import_home import call, new_home
from tests.cloud.imports.import_world import write
from tests.cloud.joined_model import Model
from tests.cloud.lake.test_over_journal import Line
from tests.cloud.lake_world import T0, Gateway
from tests.cloud.over_model import Row
from tests.cloud.roles.role_world import wait_for

SPAN = f"from={T0 - 2 * DAY_US}&to={T0 + 2 * DAY_US}"
COLUMNS = "count,mean,min,max,first,last,sum,text,time_mean,covered_us,increase,p5,p50,durations"
UNTOLD = ("watermark", "now", "next", "created", "marks")
"""Of an answer: what depends on when it was asked, and nothing that history says."""


class Cloud:
    """One home; ``sent`` are the numbers of each device in the order they came."""

    def __init__(self, root: Path) -> None:
        self.home = new_home(root / "cloud")
        self.settings = (self.home / "cloud.toml").read_text()
        self.sent: dict[str, list[Row]] = defaultdict(list)
        self.aggregator: Aggregator | None = None

    def place(self, placement: Placement) -> None:
        """Where the next process of this home consolidates."""
        role = f'consolidation = "{placement.value}"'
        text = self.settings.replace("# interval_s = 10.0", "interval_s = 0.1")
        text = text.replace('# consolidation = "auto"', role)
        assert text.count(role) == text.count("interval_s = 0.1") == 1
        (self.home / "cloud.toml").write_text(text)

    def open(self, placement: Placement) -> None:
        self.place(placement)
        config = load(self.home)
        journal = open_journal(config, now_us)  # here, whatever the settings say of ingest
        self.aggregator = Aggregator.assemble(config, journal)
        self.aggregator.lake.start()
        assert (self.aggregator.lake.pid is not None) is (placement is Placement.APART)
        reach = reach_of(self.aggregator.config, has_users=False)
        site = self.aggregator._site(SimpleNamespace(presence={}), reach)  # type: ignore[arg-type]
        self.client = TestClient(site, base_url="http://localhost:8460")
        line = Line(journal)
        self.gateway = Gateway(line, epoch=line.epoch)  # type: ignore[arg-type]

    def close(self) -> None:
        if self.aggregator is not None:
            self.aggregator.close()
            self.aggregator = None

    def send(self, device: str, rows: Sequence[tuple[int, float]]) -> None:
        """One block of numbers, each scored as no anomaly but the largest."""
        self.sent[device] += rows
        series = self.gateway.series(device, unit=device.split()[1])
        ts, values = (np.array(column) for column in zip(*rows, strict=True))
        at, count = np.full(len(ts), series), len(ts)
        peak = [int(values.argmax())]
        nine, three = np.full(1, 9.0), np.full(1, 3.0)
        self.gateway.send(
            records.numbers(at, ts, values, np.zeros(count), ts + 5),
            records.scores(at[:1], ts[peak], values[peak], nine, three, ["drift-1"]),
        )

    def say(self, device: str, rows: Sequence[tuple[int, str]]) -> None:
        ts, texts = zip(*rows, strict=True)
        self.gateway.send(self.gateway.texts(device, list(ts), list(texts)))

    def bring(self, device: str, rows: Sequence[tuple[int, float]]) -> None:
        """Import a file, as an operator does while the cloud is stopped."""
        assert self.aggregator is None
        self.sent[device] += [row for row in rows if row not in self.sent[device]]
        lines = "".join(f"{ts / 1e6:.6f},{value}\n" for ts, value in rows)
        file = write(self.home.parent / "past.csv", f"time,temperature\n{lines}")
        unit = f"temperature={device.split()[1]}"
        assert call(self.home, "import", str(file), "--device", device, "--unit", unit) == 0

    def drain(self) -> None:
        """Until all is in the tables, and shown."""
        assert self.aggregator is not None
        live, journal = self.aggregator.live, self.aggregator.journal
        wait_for(lambda: live.view.lake == journal.head() == journal.archived())
        wait_for(lambda: live.told == journal.head())

    def kill_consolidation(self) -> None:
        """By SIGKILL, where it has a process of its own; the next one is at work on return."""
        assert self.aggregator is not None
        lake = self.aggregator.lake
        if lake.pid is not None:
            before = lake.restarts
            os.kill(lake.pid, signal.SIGKILL)
            wait_for(lambda: lake.restarts > before and lake.fault is None)

    def get(self, path: str) -> dict:
        response = self.client.get(f"/api/v1/{path}")
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, **said) -> dict:
        response = self.client.post(f"/api/v1/{path}", json={"author": "ann", **said})
        assert response.status_code == 201, response.text
        return response.json()

    def ids(self) -> dict[str, str]:
        """Of each stored series of numbers, by its device."""
        found = self.get("series?view=stored&limit=1000")["series"]
        return {one["device"]: one["id"] for one in found if one["metric"] == "temperature"}

    def model(self) -> Model:
        """What the operations so far make of the devices."""
        assert self.aggregator is not None
        operations, _ = self.aggregator.operations.all()
        return Model(operations, {int(id_, 16): device for device, id_ in self.ids().items()})

    def answers(self) -> dict[str, object]:
        """Everything that history says, by how it was asked."""
        every = "series?limit=1000", "latest?limit=1000", "devices"
        asked = [*every, f"anomalies?{SPAN}", f"gaps?{SPAN}", "series?view=stored"]
        for id_ in sorted(self.ids().values()):
            for how in ("", "&view=stored", "&bad=exclude"):
                asked += [
                    f"history?series={id_}&{SPAN}{how}&resolution=raw",
                    f"history?series={id_}&{SPAN}{how}&bucket=1h&columns={COLUMNS}",
                    f"history?series={id_}&{SPAN}{how}&bucket=1d&columns={COLUMNS}",
                ]
            asked += [f"states?series={id_}&{SPAN}", f"segments?series={id_}"]
        return {path: _told(self.get(path)) for path in asked}


def _told(answer: object) -> object:
    match answer:
        case dict():
            return {key: _told(value) for key, value in answer.items() if key not in UNTOLD}
        case list():
            return [_told(value) for value in answer]
        case _:
            return answer
