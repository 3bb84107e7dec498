"""What models are made from, as a running cloud tells it: readings, and what people said.

One series is asked at a time: an operation may have joined it of several, and the cloud alone knows
which marks speak of it then.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cloud.client.series import SeriesApi

PAGE_ROWS: Final = 100_000
EVENT_ROWS: Final = 10_000
F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark that speaks of a series, in [from, to) µs; ``kind`` is fault, maintenance or bad."""

    kind: str
    from_us: int
    to_us: int
    note: str


@dataclass(frozen=True, slots=True)
class Episode:
    """An episode as history has it, from its first to its last reading (µs).

    ``verdict`` is confirmed, dismissed or empty; ``model`` found it.
    """

    id: str
    from_us: int
    to_us: int
    model: str
    peak: float
    verdict: str
    note: str


@dataclass(frozen=True, slots=True)
class Said:
    """What stands beside the readings of one series."""

    marks: Sequence[Mark]
    episodes: Sequence[Episode]


class TrainingApi(SeriesApi):
    """Asks one cloud; raises as `HistoryApi` does."""

    def readings(self, series: str, from_us: int, to_us: int) -> Iterator[tuple[I8, F8]]:
        """The numbers of a series in [from, to) in the order of time, a page at a time.

        Returns:
            Times in µs and values, `(n,)` each; texts and what is not finite are left out.
        """
        asked: dict[str, object] = {
            "series": series, "from": from_us, "to": to_us, "resolution": "raw",
            "limit": PAGE_ROWS,
        }  # fmt: skip
        cursor: object = None
        while True:
            answer = self._get("/api/v1/history", {**asked, "cursor": cursor})
            for one in answer["series"]:
                ts = np.array(one["t"], np.int64)
                value = np.array([np.nan if v is None else v for v in one["v"]], np.float64)
                good = np.isfinite(value)
                yield ts[good], value[good]
            cursor = answer.get("next")
            if cursor is None:
                return

    def said(self, series: str, from_us: int, to_us: int) -> Said:
        """Marks that hold and episodes of a series, of those that meet [from, to), by beginning."""
        asked = {"series": series, "from": from_us, "to": to_us}
        marks = [
            Mark(row["kind"], row["from"], row["to"], row["note"])
            for row in self._paged("/api/v1/marks", "marks", asked)
        ]
        episodes = [
            Episode(
                row["id"], row["from"], row["to"], row["model"], float(row["peak"]),
                row["verdict"] or "", row["verdict_note"],
            )
            for row in self._paged("/api/v1/episodes", "episodes", asked)
        ]  # fmt: skip
        return Said(
            sorted(marks, key=lambda mark: mark.from_us),
            sorted(episodes, key=lambda episode: episode.from_us),
        )

    def anomalies(self, series: str, from_us: int, to_us: int) -> Iterator[tuple[int, str]]:
        """Time (µs) and model of each anomaly that gateways told of a series, newest first."""
        asked = {"series": series, "from": from_us, "to": to_us}
        for row in self._paged("/api/v1/anomalies", "anomalies", asked):
            yield row["ts"], row["model"]

    def _paged(
        self, path: str, name: str, asked: Mapping[str, object]
    ) -> Iterator[Mapping[str, Any]]:
        cursor: object = None
        while True:
            answer = self._get(path, {**asked, "limit": EVENT_ROWS, "cursor": cursor})
            yield from answer[name]
            cursor = answer.get("next")
            if cursor is None:
                return
