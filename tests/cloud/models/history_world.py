"""A cloud over a small history, asked by the command line as a running one is asked."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cloud.cli import console
from cloud.client.history import HistoryApi
from cloud.client.training import TrainingApi
from cloud.rollup.partials import MINUTE_US
from protos import records
from protos.records import Kind
from tests.cloud.lake_world import T0
from tests.cloud.serve_world import World

FAULT_READINGS = 40


def daily(readings: int, seed: int, *, level: float = 50.0, size: float = 1.0) -> np.ndarray:
    """A signal that repeats itself every 96 readings, with noise."""
    noise = np.random.default_rng(seed).normal(0, 0.3, readings)
    return level + size * (3 * np.sin(2 * np.pi * np.arange(readings) / 96) + noise)


def with_fault(values: np.ndarray, at: int, seed: int) -> np.ndarray:
    """The same with a fault from ``at`` on: it rises and becomes restless."""
    noise = np.random.default_rng(seed).normal(0, 1.5, FAULT_READINGS)
    broken = values.copy()
    broken[at : at + FAULT_READINGS] += np.linspace(0, 6, FAULT_READINGS) + noise
    return broken


def time_of(reading: int) -> int:
    """When a reading was taken, one a minute."""
    return T0 + reading * MINUTE_US


@dataclass
class HistoryWorld:
    """``world`` is the cloud; ``call`` types a command at it."""

    world: World
    home: Path
    call: Callable[..., str]

    @property
    def api(self) -> TrainingApi:
        return TrainingApi("127.0.0.1", 1)

    def send(self, device: str, values: np.ndarray, metric: str = "temperature") -> None:
        """Readings of a device, one a minute; half of them go into the tables."""
        gateway, half = self.world.gateway, len(values) // 2
        times = time_of(0) + MINUTE_US * np.arange(len(values))
        entry = gateway.series(device, metric)
        for start, end in ((0, half), (half, len(values))):
            ts = times[start:end]
            for at in range(0, len(ts), 8192):
                part, count = ts[at : at + 8192], len(ts[at : at + 8192])
                value = values[start + at : start + at + count]
                gateway.send(
                    records.numbers(np.full(count, entry), part, value, np.zeros(count), part)
                )
            while start == 0 and self.world.consolidator.run_once().more:
                pass
        while self.world.live.advance():
            pass

    def episode(self, device: str, at: int, readings: int, id_: int, model: str = "old@1") -> None:
        """An episode that a gateway told of."""
        gateway, ts = self.world.gateway, np.array([time_of(at)], np.int64)
        columns = {
            "series": np.array([gateway.series(device)], np.uint32), "ts": ts,
            "id": np.array([id_.to_bytes(16, "big")], "V16"), "state": np.ones(1, np.uint8),
            "end": ts + (readings - 1) * MINUTE_US, "peak_ts": ts, "peak": np.array([9.0]),
            "threshold": np.array([3.0]), "model": np.array([model], object),
            "points": np.array([readings], np.uint32),
        }  # fmt: skip
        gateway.send(records.Batch({Kind.EPISODES: columns}))
        while self.world.live.advance():
            pass

    def judge(self, device: str, at: int, id_: int, verdict: str, note: str = "") -> None:
        """What somebody said of an episode on the page."""
        body = {
            "episode": f"{id_:032x}", "series": self.world.id(device), "from": time_of(at),
            "verdict": verdict, "author": "ann", "note": note,
        }  # fmt: skip
        response = self.world.client.post("/api/v1/verdicts", json=body)
        assert response.status_code == 201, response.text

    def mark(self, kind: str, first: int, end: int, note: str = "", **of: str) -> None:
        """What somebody marked, from reading ``first`` up to ``end``."""
        body = {
            "kind": kind, "from": time_of(first), "to": time_of(end), "author": "ann",
            "note": note, **of,
        }  # fmt: skip
        response = self.world.client.post("/api/v1/marks", json=body)
        assert response.status_code == 201, response.text


def history_world(tmp_path: Path, monkeypatch, capsys) -> HistoryWorld:
    """A world; its `world` is to be closed."""
    world = World(tmp_path / "lake")

    def answer(self, method: str, target: str, body: bytes | None = None) -> dict:
        headers = {"content-type": "application/json"} if body is not None else {}
        response = world.client.request(method, target, content=body, headers=headers)
        return self._told(response.status_code, response.json(), "ask the cloud")

    monkeypatch.setattr(HistoryApi, "_answer", answer)
    home = tmp_path / "cloud"
    assert console().call(["--home", str(home), "init"]) == 0
    capsys.readouterr()

    def call(*arguments: str, code: int = 0) -> str:
        assert console().call(["--home", str(home), *arguments]) == code, capsys.readouterr()
        out, err = capsys.readouterr()
        return err if code else out

    return HistoryWorld(world, home, call)
