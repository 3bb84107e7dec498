"""Changes of episodes with their names, made by hand."""

from edge.detect.episode import Change
from edge.detect.found import Occurrence
from protos.records import EpisodeState
from protos.series import SeriesKey

OPENED, UPDATED, CLOSED = EpisodeState


def change(state: EpisodeState, number: int = 1, metric: str = "flow", **more: object) -> Change:
    told = {
        "start": 5_000_000, "end": 9_000_000, "peak_ts": 7_000_000, "peak": 7.5, "value": 90.0,
        "threshold": 4.0, "points": 3, "channels": ((1, 3),), "kept": b"",
    }  # fmt: skip
    id_ = number.to_bytes(16, "big")
    return Change(state, id_, "residual@1", 1, **(told | more))  # type: ignore[arg-type]


def occurrence(
    state: EpisodeState, number: int = 1, device: str = "pump", metric: str = "flow"
) -> Occurrence:
    key = SeriesKey(device, metric)
    return Occurrence(key, change(state, number), (key,))
