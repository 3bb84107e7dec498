"""Devices as a model of several channels sees them: frames of history, with what people said."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from cloud.client.training import Said
from cloud.errors import OperatorError
from cloud.models.frames import Frames, frames_of
from cloud.models.history import Story

F8 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DeviceStory(Story):
    """One device: ``ts`` and ``value`` are of the frames that end a window, by the first channel.

    ``of`` is the first channel's series, under the metrics of all; ``said`` is what was said of
    any. ``ends`` are the frames with which the windows end.
    """

    frames: Frames
    ends: NDArray[np.int64]

    def windows(self, window: int, start: int, end: int) -> F8:
        """`(end - start, window, channels)`: those windows; a copy."""
        return windows_of(self.frames, self.ends[start:end], window)


def windows_of(frames: Frames, ends: NDArray[np.int64], window: int) -> F8:
    """`(n, window, channels)`: the windows that end with these frames; a copy."""
    if not len(ends):
        return np.zeros((0, window, frames.values.shape[1]))
    views = np.lib.stride_tricks.sliding_window_view(frames.values, window, axis=0)
    made: F8 = np.ascontiguousarray(views[ends - window + 1].transpose(0, 2, 1))
    return made


def by_device(told: Iterable[Story], channels: Sequence[str]) -> list[Mapping[str, Story]]:
    """Of each device that has all channels, those by metric.

    Raises:
        OperatorError: none has all.
    """

    def whose(story: Story) -> tuple[str, str]:
        return story.of.gateway, story.of.device

    every = [
        {story.of.metric: story for story in mine if len(story.ts)}
        for _, mine in groupby(sorted(told, key=whose), whose)
    ]
    whole = [device for device in every if set(channels) <= device.keys()]
    if not whole:
        known = sorted({metric for device in every for metric in device})
        cause = f"no device has all of {', '.join(channels)}"
        raise OperatorError("bring channels together", cause, f"known are {', '.join(known[:20])}")
    return [{name: device[name] for name in channels} for device in whole]


def device_stories(
    told: Iterable[Story], channels: Sequence[str], window: int, sample_s: float, gap_s: float
) -> Iterator[DeviceStory]:
    """The stories of devices that have all channels; OperatorError as `by_device`."""
    for device in by_device(told, channels):
        every = list(device.values())
        frames = frames_of(
            [one.ts for one in every], [one.value for one in every],
            round(sample_s * 1e6), round(gap_s * 1e6),
        )  # fmt: skip
        ends = frames.ends(window)
        marks = {mark: None for one in every for mark in one.said.marks}
        episodes = {episode.id: episode for one in every for episode in one.said.episodes}
        said = Said(
            sorted(marks, key=lambda mark: mark.from_us),
            sorted(episodes.values(), key=lambda episode: episode.from_us),
        )
        yield DeviceStory(
            replace(every[0].of, metric="+".join(channels), unit=""), frames.ts[ends],
            frames.values[ends, 0], np.ones(len(ends), np.bool_), said, frames, ends,
        )  # fmt: skip
