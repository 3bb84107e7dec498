"""Pure: which series a rule is for: patterns of device and metric, unit and kind."""

import re
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.settings_watch import Of, Watch, WatchedKind
from protos.series import SeriesKey

Bools = NDArray[np.bool_]
U4 = NDArray[np.uint32]

_WILD: Final = {"*": ".*", "?": "."}


class Names(Protocol):
    """What rules want to know of the series: their names, by entry number."""

    def __len__(self) -> int:
        """Entries, the last one's number."""
        ...

    def key(self, entry: int) -> SeriesKey | None:
        """The name of an entry; None when it is erased."""
        ...


def pattern(text: str) -> "re.Pattern[str]":
    """What a pattern with `*` and `?` names, by `fullmatch`."""
    return re.compile("".join(_WILD.get(one) or re.escape(one) for one in text), re.DOTALL)


class Selected:
    """The series that one rule is for; each is looked at once, when it is new.

    Attributes:
        wanted: `(entries + 1,)` whether the rule is for a series, by entry number.
        stands: `(entries + 1,)` the entry under which it is judged: its own, or the first wanted
            one of its device where the rule is for devices.
    """

    def __init__(self, watch: Watch) -> None:
        self._device, self._metric = pattern(watch.device), pattern(watch.metric)
        self._unit = watch.unit
        self._kind = "" if watch.kind is WatchedKind.ANY else watch.kind.value
        self._first: dict[str, int] | None = {} if watch.of is Of.DEVICE else None
        self.wanted: Bools = np.zeros(1, np.bool_)
        self.stands: U4 = np.zeros(1, np.uint32)

    def grow(self, names: Names) -> None:
        """Look at the series that are new since the last call."""
        have = len(self.wanted)
        if have > len(names):
            return
        fresh = range(have, len(names) + 1)
        keys = [names.key(entry) for entry in fresh]
        fits = [key is not None and self._fits(key) for key in keys]
        stands = [
            self._stand(key, entry) if fit and key is not None else entry
            for entry, key, fit in zip(fresh, keys, fits, strict=True)
        ]
        self.wanted = np.concatenate([self.wanted, np.array(fits, np.bool_)])
        self.stands = np.concatenate([self.stands, np.array(stands, np.uint32)])

    @property
    def count(self) -> int:
        """Series, or devices, that it is for."""
        return len(np.unique(self.stands[self.wanted]))

    def _stand(self, key: SeriesKey, entry: int) -> int:
        return entry if self._first is None else self._first.setdefault(key.device, entry)

    def _fits(self, key: SeriesKey) -> bool:
        return (
            self._device.fullmatch(key.device) is not None
            and self._metric.fullmatch(key.metric) is not None
            and self._unit in ("", key.unit)
            and self._kind in ("", key.kind.name.lower())
        )
