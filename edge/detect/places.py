"""Pure: which series is which channel of which device, for a model of several metrics.

A model names its channels as metrics. A device is scored once all of them were heard from it; then
it has a number, from 0, and keeps it. Series of one device with other labels (`core=1`, `core=2`)
are not mixed: what is aligned has one device and one set of labels. Of several series of one
channel, as when its unit is learned later, each brings values, and the newest stands for it.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from protos.model_manifest import Manifest
from protos.series import SeriesKey, SeriesKind

I8 = NDArray[np.int64]
Owner = tuple[str, tuple[tuple[str, str], ...]]
"""Device and labels."""


class SeriesNames(Protocol):
    """What is to be known of the series, by entry number."""

    @property
    def kind_of(self) -> NDArray[np.uint8]:
        """`(entries + 1,)` kind of each series entry."""
        ...

    def key(self, entry: int) -> SeriesKey | None:
        """The name of a series; None for one that is erased."""
        ...


class Places:
    """The devices of one model.

    Args:
        manifest: names ``channels``, ``kinds`` and what it ``applies`` to.

    Attributes:
        device, channel: `(entries + 1,)` int64 of each series entry, -1 for those of no device.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._channels = {name: number for number, name in enumerate(manifest.channels)}
        self._kinds = {SeriesKind[kind.upper()] for kind in manifest.kinds}
        self._heard: dict[Owner, list[tuple[int, int]]] = {}
        self._numbers: dict[Owner, int] = {}
        self.device: I8 = np.full(0, -1)
        self.channel: I8 = np.full(0, -1)
        self._series: NDArray[np.uint32] = np.zeros((0, len(self._channels)), np.uint32)
        self._named: NDArray[np.uint32] = np.zeros(0, np.uint32)

    @property
    def series(self) -> NDArray[np.uint32]:
        """`(devices, channels)` the entry that stands for each channel."""
        return self._series[: len(self._numbers)]

    @property
    def named(self) -> NDArray[np.uint32]:
        """`(devices,)` the first entry of the first channel: the same in every run."""
        return self._named[: len(self._numbers)]

    def learn(self, names: SeriesNames) -> None:
        """Take up the series that are new since the last call."""
        first, end = len(self.device), len(names.kind_of)
        if first == end:
            return
        more = np.full(end - first, -1)
        self.device = np.concatenate([self.device, more])
        self.channel = np.concatenate([self.channel, more])
        for entry in range(first, end):
            key = names.key(entry)
            if key is not None and key.kind in self._kinds and self._is_meant(key):
                self._place(entry, (key.device, key.labels), self._channels[key.metric])

    def whose(self, series: I8) -> I8:
        """`(n,)` what the device of each of ``series`` is `named`; one of no device is itself."""
        known = (series < len(self.device)).nonzero()[0]
        mine = known[self.device[series[known]] >= 0]
        told = series.copy()
        told[mine] = self.named[self.device[series[mine]]]
        return told

    def _is_meant(self, key: SeriesKey) -> bool:
        of_class = dict(key.labels).get("class", "")
        applies = self._manifest.applies
        return key.metric in self._channels and applies.to(
            key.device, key.metric, key.unit, of_class
        )

    def _place(self, entry: int, owner: Owner, channel: int) -> None:
        heard = self._heard.setdefault(owner, [])
        heard.append((entry, channel))
        number = self._numbers.get(owner)
        if number is None:
            if len({known for _, known in heard}) < len(self._channels):
                return
            number = self._numbers[owner] = len(self._numbers)
            if number == len(self._named):
                self._named, self._series = _doubled(self._named), _doubled(self._series)
            self._named[number] = next(known for known, of in heard if of == 0)
        for known, of in heard:
            self.device[known], self.channel[known] = number, of
            self._series[number, of] = known
        heard.clear()


def _doubled(held: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return np.concatenate([held, np.zeros((max(len(held), 64), *held.shape[1:]), np.uint32)])
