"""Pure: which series a model of one series is for: by kind, and by what its manifest applies to."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.detect.places import SeriesNames
from protos.model_manifest import Applies, Manifest
from protos.series import SeriesKind


class Meant:
    """Remembers of each series whether it is meant.

    Args:
        manifest: names ``kinds`` and what it ``applies`` to.
    """

    def __init__(self, manifest: Manifest) -> None:
        kinds = [SeriesKind[kind.upper()] for kind in manifest.kinds]
        self._kinds = np.isin(np.arange(max(SeriesKind) + 1), sorted(kinds))
        self._applies = manifest.applies
        self._is_for_all = manifest.applies == Applies()
        self._known = np.zeros(0, np.bool_)

    def of(self, series: NDArray[Any], names: SeriesNames) -> NDArray[np.bool_]:
        """`(n,)` whether each of ``series``, `(n,)` entries of ``names``, is meant."""
        if self._is_for_all:
            kinds: NDArray[np.bool_] = self._kinds[names.kind_of[series]]
            return kinds
        if len(self._known) < len(names.kind_of):
            new = range(len(self._known), len(names.kind_of))
            told = np.fromiter((self._is_meant(entry, names) for entry in new), np.bool_, len(new))
            self._known = np.concatenate([self._known, told])
        meant: NDArray[np.bool_] = self._known[series]
        return meant

    def _is_meant(self, entry: int, names: SeriesNames) -> bool:
        key = names.key(entry) if self._kinds[names.kind_of[entry]] else None
        if key is None:
            return False
        of_class = dict(key.labels).get("class", "")
        return self._applies.to(key.device, key.metric, key.unit, of_class)
