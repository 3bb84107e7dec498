"""What the scorer wants of a model, be it a session in the agent or a process apart."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from protos.model_manifest import Manifest
from protos.series import SeriesKind

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


class Scoring(Protocol):
    """What scores: a model with a session here, or one apart."""

    @property
    def manifest(self) -> Manifest:
        """What the model says of itself."""
        ...

    @property
    def kinds(self) -> frozenset[SeriesKind]:
        """Kinds of series it scores."""
        ...

    @property
    def trouble(self) -> str:
        """Why it gives no scores for now, empty while it does."""
        ...

    @property
    def aside(self) -> Mapping[str, int]:
        """How often it was set aside, by why."""
        ...

    def score(self, line: F8, at: I8) -> F8:
        """Score windows of a line as `Model.score` does; NaN where there is no score for now."""
        ...

    def score_frames(self, frames: F8) -> F8:
        """Score frames as `Model.score_frames` does; NaN as `score`."""
        ...

    @property
    def tells(self) -> bool:
        """Whether it says what each channel of a frame contributed."""
        ...

    def contributions(self, frames: F8) -> F8:
        """Contributions as `Model.contributions`; NaN as `score`."""
        ...
