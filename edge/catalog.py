"""Pure: the gateway's series: which name has which number, given once and kept for ever.

Entries and devices are numbered 1, 2, 3 … in the order in which they are first heard. An erased
entry keeps its number; should the device speak again, it is a new one. A gauge whose unit is not
told is the one of that name whose unit is known: discovery tells units, and after a start some
readings may come before it does.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from edge.payload.said import Channel, Labels
from protos.limits import (
    LABELS_MAX,
    NAME_BYTES_MAX,
    SERIES_BYTES_MAX,
    SERIES_MAX,
    UNIT_BYTES_MAX,
)
from protos.series import SeriesEntry, SeriesKey, SeriesKind, encode_entry, make_entry


class SeriesRefused(Exception):  # noqa: N818 - an answer to be acted on
    """A series that cannot be taken up; its one argument is the reason, in words."""

    @property
    def reason(self) -> str:
        """Why there is no number for this series."""
        return str(self.args[0])


class Catalog:
    """Names to entry numbers, restored from the entries of earlier runs.

    Args:
        entries: entries 1, 2, 3 … without a hole; those with ``key`` None only hold their numbers.
        salt: gives 16 random bytes for each new entry.
        series_max: most entries, erased ones included.
        bytes_max: most bytes that all entries take when they are declared; the cloud takes no more.

    Raises:
        ValueError: a hole in ``entries``.
    """

    def __init__(
        self,
        entries: Iterable[SeriesEntry] = (),
        *,
        salt: Callable[[], bytes],
        series_max: int = SERIES_MAX,
        bytes_max: int = SERIES_BYTES_MAX,
    ) -> None:
        self._salt = salt
        self._series_max = min(series_max, SERIES_MAX)
        self._bytes_max = min(bytes_max, SERIES_BYTES_MAX)
        self._bytes = 0
        self._numbers: dict[str, dict[Channel, int]] = {}
        self._with_unit: dict[tuple[str, str, Labels], int] = {}
        self._device_nos: dict[str, int] = {}
        self._keys: list[SeriesKey | None] = [None]
        self._kinds = bytearray(1)
        self._device_no_max = 0
        self._new: list[SeriesEntry] = []
        for entry in entries:
            if entry.entry != len(self._keys):
                raise ValueError(f"entry {entry.entry} where {len(self._keys)} was expected")
            self._place(entry)

    def __len__(self) -> int:
        return len(self._keys) - 1

    def channels(self, device: str) -> dict[Channel, int]:
        """Entry numbers of one device by channel, to look into, not to change."""
        return self._numbers.get(device) or {}

    def add(self, device: str, channel: Channel) -> int:
        """The entry number of a series, a new one if it is heard for the first time.

        Raises:
            SeriesRefused: a name out of its limits, or too many series.
        """
        known = self.channels(device).get(channel)
        if known is None and channel[1] is SeriesKind.GAUGE and not channel[2]:
            known = self._with_unit.get((device, channel[0], channel[3]))
            if known is not None:
                self._numbers[device][channel] = known
        if known is not None:
            return known
        key = _key(device, channel)
        if len(self) >= self._series_max:
            raise SeriesRefused(f"too many series: the limit of {self._series_max} is reached")
        device_no = self._device_nos.get(device, self._device_no_max + 1)
        entry = make_entry(len(self._keys), device_no, key, self._salt())
        if self._bytes + len(encode_entry(entry)) > self._bytes_max:
            told = f"the names of all take {self._bytes} bytes, {self._bytes_max} are the limit"
            raise SeriesRefused(f"too many series with long names: {told}")
        self._place(entry)
        self._new.append(entry)
        return entry.entry

    def key(self, entry: int) -> SeriesKey | None:
        """The name of entry number ``entry``; None for 0, the gateway itself, and erased ones."""
        return self._keys[entry]

    @property
    def kind_of(self) -> NDArray[np.uint8]:
        """`(entries + 1,)` kind of each series by entry number; GAUGE where there is no name."""
        return np.frombuffer(bytes(self._kinds), np.uint8)

    def take_new(self) -> tuple[SeriesEntry, ...]:
        """Entries made since the last call, in order of their numbers."""
        new = tuple(self._new)
        self._new.clear()
        return new

    def _place(self, entry: SeriesEntry) -> None:
        key = entry.key
        self._bytes += len(encode_entry(entry))
        self._keys.append(key)
        self._kinds.append(key.kind if key is not None else SeriesKind.GAUGE)
        self._device_no_max = max(self._device_no_max, entry.device_no)
        if key is not None:
            channel = (key.metric, key.kind, key.unit, key.labels)
            channels = self._numbers.setdefault(key.device, {})
            channels[channel] = entry.entry
            if key.unit and key.kind is not SeriesKind.STATE:
                self._with_unit[key.device, key.metric, key.labels] = entry.entry
                channels.pop((key.metric, SeriesKind.GAUGE, "", key.labels), None)
            self._device_nos[key.device] = entry.device_no


def _key(device: str, channel: Channel) -> SeriesKey:
    """The key of a series, its names checked against the limits of the contract."""
    metric, kind, unit, labels = channel
    if len(labels) > LABELS_MAX:
        raise SeriesRefused(f"more than {LABELS_MAX} labels")
    _check("device", device, NAME_BYTES_MAX)
    _check("metric", metric, NAME_BYTES_MAX)
    if unit:
        _check("unit", unit, UNIT_BYTES_MAX)
    for pair in labels:
        for name in pair:
            _check("label", name, NAME_BYTES_MAX, empty=True)
    return SeriesKey(device, metric, labels, unit, kind)


def _check(role: str, name: str, bytes_max: int, *, empty: bool = False) -> None:
    if not name and not empty:
        raise SeriesRefused(f"a {role} without a name")
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise SeriesRefused(f"the {role} name is not valid Unicode") from error
    if size > bytes_max:
        raise SeriesRefused(f"the {role} name is over {bytes_max} bytes: {name[:40]!r}…")
