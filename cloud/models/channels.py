"""Several metrics of one kind of device learned together: frames of history, and T² and Q of them.

Every device that has all the channels teaches, one after the other; where something is left out of
one channel's history, the frames of that time are left out of all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.errors import OperatorError
from cloud.models import pca
from cloud.models.calibration import SCORES_MIN
from cloud.models.devices import by_device, windows_of
from cloud.models.fitted import Fitted
from cloud.models.frames import Frames, frames_of
from cloud.models.history import Story, left_out
from cloud.models.pca import PcaSettings
from cloud.models.predictor import PROBE_MAX
from cloud.models.runs import HELD_OUT, usual_step
from protos.model import Takes
from protos.model_manifest import CHANNELS_MAX, SECONDS_MAX

GAP_STEPS: Final = 5
"""Steps for which a channel keeps its value where nobody says."""
VALUES_MAX: Final = 32_000_000
"""Values in all windows of all frames together, which fitting holds a few times: 256 MB each."""
_TRIED: Final = "learn several channels"
_S: Final = 1_000_000

F8 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """``channels`` are metrics, in order; 0 s leaves step and gap to the data."""

    channels: tuple[str, ...]
    sample_s: float = 0.0
    gap_s: float = 0.0
    pca: PcaSettings = field(default_factory=PcaSettings)

    def check(self) -> None:
        """OperatorError for what cannot be."""
        count = len(self.channels)
        if not 2 <= count <= CHANNELS_MAX or len(set(self.channels)) < count:
            hint = f"name 2 to {CHANNELS_MAX} metrics, none twice, by --channel"
            raise OperatorError(_TRIED, f"{count} channels are named", hint)
        for name, value in (("sample-s", self.sample_s), ("gap-s", self.gap_s)):
            if value and not 0.001 <= value <= SECONDS_MAX:
                hint = f"give 0.001 to {SECONDS_MAX:.0f} seconds, or 0"
                raise OperatorError(_TRIED, f"--{name} is {value}", hint)
        try:
            self.pca.check()
        except ValueError as error:
            raise OperatorError(_TRIED, str(error), "see `model train --help`") from error


@dataclass(frozen=True, slots=True)
class Learned:
    """A fitted model, and by which step and gap its frames were made (seconds)."""

    fitted: Fitted
    sample_s: float
    gap_s: float


def fit(told: Sequence[Story], settings: ChannelSettings) -> Learned:
    """Fit to every device of these stories that has all channels.

    Raises:
        OperatorError: no device has all, or there are too few frames.
    """
    devices = by_device(told, settings.channels)
    sample_us = round(settings.sample_s * _S) or _step(devices)
    gap_us = round(settings.gap_s * _S) or GAP_STEPS * sample_us
    frames = [_normal(device, sample_us, gap_us) for device in devices]
    window = settings.pca.window
    if window * sum(one.values.size for one in frames) > VALUES_MAX:
        cause = f"windows by steps of {sample_us / _S:g} s have more than {VALUES_MAX:,} values"
        raise OperatorError(_TRIED, cause, "choose a longer --sample-s, or a shorter time")
    cuts = [int(np.ceil(len(one.ts) * (1 - HELD_OUT))) for one in frames]
    seam = np.full((1, len(settings.channels)), np.nan)
    fitting = np.concatenate(
        [part for one, cut in zip(frames, cuts, strict=True) for part in (one.values[:cut], seam)]
    )
    try:
        made = pca.fitted(fitting, settings.pca)
    except ValueError as error:
        hint = "choose a longer time by --from and --to"
        raise OperatorError(_TRIED, str(error), hint) from error
    rest = [
        Frames(one.ts[cut:], one.values[cut:], one.heard[cut:])
        for one, cut in zip(frames, cuts, strict=True)
    ]
    held = [windows_of(one, one.ends(window), window) for one in rest]
    probe = np.concatenate(held)[:PROBE_MAX]
    scores = np.concatenate([_scored(made, each) for each in held])
    if len(scores) < SCORES_MIN:
        cause = f"{len(scores)} windows of {window} frames are held out"
        raise OperatorError(_TRIED, cause, f"{SCORES_MIN} are needed: choose a longer time")

    def score(views: F8) -> F8:
        return made.score(views)[0]

    graph, said = pca.graph(made), f"{len(settings.channels)} metrics of {len(devices)} devices"
    fitted = Fitted(
        graph=graph, window=window, score=score, held_out=scores,
        probe=probe, takes=Takes.FRAME, channels=settings.channels,
        meaning="how far the device is from all it was foretold to be; 1 is the edge of that",
        about=f"T² and Q of {said}, steps of {sample_us / _S:g} s.",
        figures={"devices": len(devices), "frames": len(fitting), "sample_s": sample_us / _S},
    )  # fmt: skip
    return Learned(fitted, sample_us / _S, gap_us / _S)


def _step(devices: Sequence[Mapping[str, Story]]) -> int:
    """The step of the slowest channel, so that each arrives in every one; µs, whole ms."""
    steps = [usual_step(story.ts) for device in devices for story in device.values()]
    return max(1, round(max(steps) / 1000)) * 1000


def _normal(device: Mapping[str, Story], sample_us: int, gap_us: int) -> Frames:
    """The frames of a device; those in time that is left out of any channel are not known."""
    told = list(device.values())
    made = frames_of([one.ts for one in told], [one.value for one in told], sample_us, gap_us)
    for one in told:
        made.values[~left_out(one.said).good(made.ts)] = np.nan
    return made


def _scored(made: pca.Pca, views: F8) -> F8:
    """Scores in parts, which bound memory."""
    parts = [made.score(views[at : at + PROBE_MAX])[0] for at in range(0, len(views), PROBE_MAX)]
    return np.concatenate([np.zeros(0), *parts])
