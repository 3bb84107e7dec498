"""Synthetic data for the page's stand-in server: the same in every run, anchored at its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000


@dataclass
class Line:
    """One series: what it is, its readings, its anomalies as (ts, value, score)."""

    id: str
    gateway: str
    device: str
    metric: str
    unit: str
    t: np.ndarray
    v: np.ndarray
    anomalies: list[tuple[int, float, float]] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        return {
            **self.place(),
            "id": self.id,
            "unit": self.unit,
            "kind": "state" if self.words else "gauge",
            "labels": self.labels,
            "first_ts": int(self.t[0]),
            "last_ts": int(self.t[-1]),
            "last_value": None if self.words else float(self.v[-1]),
            "last_text": self.text(-1, None)[-1] if self.words else None,
            "readings": len(self.t),
            "anomalies": len(self.anomalies),
        }

    def text(self, a: int, b: int | None) -> list[str]:
        return [self.words[int(v)] for v in self.v[a:b]]

    def raw(self, a: int, b: int) -> dict[str, Any]:
        values = {"v": [None] * (b - a), "text": self.text(a, b)} if self.words else {}
        quality = [0] * (b - a)
        return {"t": self.t[a:b].tolist(), "v": self.v[a:b].tolist(), "quality": quality} | values

    def place(self) -> dict[str, str]:
        return {"gateway": self.gateway, "device": self.device, "metric": self.metric}

    def marks(self) -> list[dict[str, Any]]:
        model = "window-residual-1.0"
        return [
            {"series": self.id, **self.place(), "ts": ts, "value": value, "score": score}
            | {"threshold": 4.2, "model": model}
            for ts, value, score in sorted(self.anomalies, reverse=True)
        ]


def hourly_temperature() -> Line:
    """July 2013 to May 2014 by the hour: three gaps and six anomalies in a building's air."""
    rng = np.random.default_rng(7)
    start = 1_372_900_000 * SECOND // HOUR * HOUR
    hours = np.arange(7_900)
    season = 71 + 3.5 * np.sin(hours / 7_900 * 5.2)
    v = season + 1.8 * np.sin(hours / 24 * 2 * np.pi) + np.cumsum(rng.normal(0, 0.09, 7_900)) * 0.35
    v += rng.normal(0, 0.45, 7_900)
    odd = {1_130: 9.5, 2_604: -8.0, 3_721: 10.5, 3_722: 11.8, 6_017: -11.0, 7_455: 8.2}
    for hour, jump in odd.items():
        v[hour] += jump
    keep = np.ones(7_900, bool)
    for a, b in ((612, 655), (2_980, 3_240), (5_500, 5_522)):
        keep[a:b] = False
    t = start + hours * HOUR
    marks = [
        (int(t[h]), float(round(v[h], 4)), round(4.2 + abs(j) * 0.7, 2)) for h, j in odd.items()
    ]
    place = ("greenhouse-3", "air-handler", "temperature", "°F")
    return Line("00000000000000a1", *place, t[keep], v[keep].round(4), marks)


def live_vibration(now: int) -> Line:
    """Two days by the second up to now, with a swing per quarter of an hour and two anomalies."""
    rng = np.random.default_rng(11)
    t = now // SECOND * SECOND - np.arange(2 * 86_400)[::-1] * SECOND
    i = np.arange(len(t))
    v = 2.4 + 0.35 * np.sin(i / 900 * 2 * np.pi) + rng.normal(0, 0.12, len(t))
    v += 0.5 * np.sin(i / 20_000)
    odd = (len(t) - 1_500, len(t) - 30_000)
    v[list(odd)] += 3.1
    marks = [(int(t[at]), float(round(v[at], 4)), 9.61) for at in odd]
    place = ("pump-house", "pump-1", "vibration", "mm/s")
    return Line("00000000000000b2", *place, t, v.round(4), marks, {"axis": "radial"})


def minute_line(number: int, device: str, metric: str, unit: str, base: float, now: int) -> Line:
    """A plain series by the minute over the last three days, to fill a device."""
    rng = np.random.default_rng(number)
    t = now // MINUTE * MINUTE - np.arange(3 * 1_440)[::-1] * MINUTE
    v = base * (1 + 0.04 * np.sin(np.arange(len(t)) / 230 + number) + rng.normal(0, 0.006, len(t)))
    keep = np.ones(len(t), bool)
    keep[-700:-610] = number % 3 != 0
    return Line(f"{number:016x}", "pump-house", device, metric, unit, t[keep], v[keep].round(3))


def valve_states(now: int) -> Line:
    """A valve's own words, every twenty minutes of the last day."""
    t = now // MINUTE * MINUTE - np.arange(72)[::-1] * 20 * MINUTE
    v = np.arange(72) % 3
    place = ("pump-house", "pump-1", "valve", "")
    return Line("00000000000000c3", *place, t, v, words=("open", "closing", "shut"))
