"""A model of several metrics of a pump, made as the cloud makes it, and calm rows of these."""

from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from cloud.models.pca import fit
from edge.detect import models
from protos.model_manifest import Calibration, Manifest, Takes

CHANNELS = ("flow", "pressure", "speed")
F8 = NDArray[np.float64]


def calm(rows: int, seed: int = 1) -> F8:
    """`(rows, 3)` of what is usual."""
    return np.random.default_rng(seed).normal(size=(rows, 3)) * [1.0, 0.1, 5.0] + [30, 2, 1400]


def pump_model() -> models.Model:
    """T² and Q of what is usual, with the threshold that came with it."""
    graph, said = fit(calm(400))
    manifest = Manifest(
        name="pump", version="1", window=said["window"], takes=Takes.FRAME, channels=CHANNELS,
        sample_s=1.0, gap_s=3.0, sha256=sha256(graph).hexdigest(),
        calibration=msgspec.convert(said["calibration"], Calibration),
    )  # fmt: skip
    return models.Model(manifest, models.open_session(Path("pump"), manifest, graph))
