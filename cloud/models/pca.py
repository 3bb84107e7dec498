"""Hotelling's T² and a Q of several metrics of one device, for a future that has drifted.

A model that is trained on an hour and used for a day meets levels that wandered off without any
fault: a room warms up, a bearing runs in. The plain T² of the training hour takes all of that for
anomalies. So the covariance it is measured by is the one that is foretold. Let N be the covariance
of the noise within blocks of training rows, and W that by which block means wander apart for each
row that passes (averaged over several lags, what noise alone makes of block means taken off,
negative directions cut). The mean of the last `mean_of` frames is then expected to differ from the
training mean by

    S = N / mean_of + W · horizon · rows.

Its principal components Λ, P give T² = Σ (Pᵀd)²/Λ (Hotelling 1947). Components with less than
`floor` of a channel's noise share that variance: what lies in them is the Q, the squared residual
of the others (Jackson and Mudholkar 1979), so that metrics that say the same make no singular
matrix. T² is taken over the χ² quantile of its channels for `false_share` of frames, or that of the
training rows if larger.

The second statistic sees what moves no mean: V, the variance of the frames of a window about their
own mean, whitened by N, over `spread` times the 99 % quantile of training windows.

The score is √max(T², V), each over its limit, and 1 is the threshold. The contributions of channels
are the squares that add up to the larger of both, whitened by the symmetric root, which mixes the
channels least (Kessy, Lewin and Strimmer 2018).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]

OPSET: Final = 17
IR_VERSION: Final = 8
LAGS: Final = (1, 2, 4, 8)
"""Blocks between two block means whose difference tells of wander."""
BLOCKS_MIN: Final = 5
CALM_QUANTILE: Final = 0.99
# Of a channel that never moved: steps smaller than this share of its value are rounding.
STILL: Final = 1e-6
TINY: Final = 1e-300


@dataclass(frozen=True, slots=True)
class PcaSettings:
    """How a model is fitted.

    Attributes:
        window: frames in a window; V is their variance.
        mean_of: frames whose mean T² looks at; blocks of training rows are twice as long.
        horizon: for how many times the training rows the model is to hold.
        floor: share of the noise of a channel below which components share one variance.
        false_share: share of frames that may pass the limit of T² though nothing is wrong.
        spread: how many times its calm variance a window may have.
    """

    window: int = 20
    mean_of: int = 10
    horizon: float = 2.0
    floor: float = 0.01
    false_share: float = 1e-3
    spread: float = 2.0

    def check(self) -> None:
        """ValueError for what cannot be."""
        checks = [
            (2 <= self.mean_of <= self.window <= 4096, "2 ≤ mean_of ≤ window ≤ 4096"),
            (0 < self.horizon <= 1000, "0 < horizon ≤ 1000"),
            (0 < self.floor <= 1, "0 < floor ≤ 1"),
            (0 < self.false_share < 0.5, "0 < false_share < 0.5"),
            (1 <= self.spread <= 100, "1 ≤ spread ≤ 100"),
        ]
        broken = [told for good, told in checks if not good]
        if broken:
            raise ValueError(f"settings of PCA: {broken[0]} does not hold")


@dataclass(frozen=True, slots=True)
class Pca:
    """A fitted model.

    Attributes:
        mean, scale: `(channels,)`, what a frame is standardised by: z = (x - mean) / scale.
        level: `(channels, channels)`; the squares of (mean of the last z) @ level add up to T² over
            its limit.
        noise: `(channels, channels)`; the squares of (z - their mean) @ noise, over all frames of
            the window, add up to V over its limit.
        window, mean_of: as in the settings.
    """

    mean: F8
    scale: F8
    level: F8
    noise: F8
    window: int
    mean_of: int

    def score(self, windows: F8) -> tuple[F8, F8]:
        """Scores `(n,)` and contributions `(n, channels)` of windows `(n, window, channels)`."""
        z = (windows - self.mean) / self.scale
        apart = (z[:, -self.mean_of :].mean(axis=1) @ self.level) ** 2
        moved = (((z - z.mean(axis=1, keepdims=True)) @ self.noise) ** 2).sum(axis=1)
        t, v = apart.sum(axis=1), moved.sum(axis=1)
        return np.sqrt(np.maximum(t, v)), np.where((t >= v)[:, None], apart, moved)


def fit(frames: F8, settings: PcaSettings | None = None) -> tuple[bytes, dict[str, Any]]:
    """Fit to the frames of one device or of several alike, one after the other.

    Args:
        frames: `(rows, channels)` float64, a frame a step; rows with a value that is not finite are
            gaps.
        settings: how; None: as they are by default.

    Returns:
        The ONNX file, and what its manifest says of it: takes, window, calibration, score, about.

    Raises:
        ValueError: a setting is out of range, or there are too few rows without gaps.
    """
    settings = settings or PcaSettings()
    made = fitted(frames, settings)
    told = {
        "takes": "frame",
        "window": settings.window,
        "calibration": {"kind": "fixed", "threshold": 1.0},
        "score": "how far the device is from all it was foretold to be; above 1 it is strange",
        "about": f"T² and Q of {frames.shape[1]} metrics, fitted to {len(frames)} rows to hold for "
        f"{settings.horizon:g} times as long.",
    }
    return graph(made), told


def fitted(frames: F8, settings: PcaSettings) -> Pca:
    """The model of some frames; arguments and errors as those of `fit`."""
    settings.check()
    whole = _all(np.isfinite(frames))
    block = 2 * settings.mean_of
    count = len(frames) // block
    cut = frames[len(frames) - count * block :].reshape(count, block, -1)
    good = _all(whole[len(frames) - count * block :].reshape(count, block))
    views = _windows(frames[whole], settings.window)
    if good.sum() < BLOCKS_MIN or not len(views):
        wanted = max(BLOCKS_MIN * block, settings.window)
        cause = f"{len(frames)} rows have {int(good.sum())} blocks of {block} without a gap"
        raise ValueError(f"{cause}: at least {wanted} rows are wanted, and {BLOCKS_MIN} blocks")
    within = cut - cut.mean(axis=1, keepdims=True)
    noise = np.einsum("nbi,nbj->ij", within[good], within[good]) / (int(good.sum()) * (block - 1))
    scale = np.sqrt(np.maximum(np.diag(noise), _rounding(frames[whole]) ** 2))
    noise = noise / np.outer(scale, scale)
    mean = frames[whole].mean(axis=0)
    wander = _wander(cut.mean(axis=1) / scale, good, noise / block) / block
    foretold = noise / settings.mean_of + wander * (settings.horizon * len(frames))
    level = _root(foretold, settings.floor / settings.mean_of)
    calm = _root(noise, settings.floor)
    made = Pca(mean, scale, level, calm, settings.window, settings.mean_of)
    return _limited(made, views, settings)


def _all(parts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`(n,)`: whether all of a row hold."""
    told: NDArray[np.bool_] = np.all(parts, axis=1)
    return told


def _windows(frames: F8, window: int) -> F8:
    """`(n, window, channels)`: every window of training frames."""
    if len(frames) < window:
        return np.zeros((0, window, frames.shape[1]))
    views: F8 = np.lib.stride_tricks.sliding_window_view(frames, window, axis=0)
    turned: F8 = views.transpose(0, 2, 1)
    return turned


def _rounding(frames: F8) -> F8:
    """`(channels,)`: the deviation that the rounding of values makes: a step of q has q/√12."""
    steps = np.abs(np.diff(frames, axis=0))
    least = np.where(steps > 0, steps, np.inf).min(axis=0)
    still = np.maximum(np.abs(frames).max(axis=0) * STILL, STILL)
    least = np.where(np.isfinite(least), least, 0.0) / math.sqrt(12)
    rounding: F8 = np.maximum(least, still)
    return rounding


def _wander(means: F8, good: NDArray[np.bool_], noise: F8) -> F8:
    """The covariance by which block means wander apart from one block to the next.

    Args:
        means: `(blocks, channels)`, standardised.
        good: `(blocks,)` those without a gap.
        noise: covariance that noise alone gives them.
    """
    parts = []
    for lag in LAGS:
        both = good[lag:] & good[:-lag]
        if lag >= len(means) - 1 or not both.any():
            continue
        apart = (means[lag:] - means[:-lag])[both]
        parts.append((apart.T @ apart / len(apart) - 2 * noise) / lag)
    if not parts:
        return np.zeros_like(noise)
    values, vectors = np.linalg.eigh(np.mean(parts, axis=0))
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def _root(covariance: F8, least: float) -> F8:
    """The symmetric root of its inverse, variances below ``least`` raised to it."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors / np.sqrt(np.maximum(values, least))) @ vectors.T)


def _limited(made: Pca, views: F8, settings: PcaSettings) -> Pca:
    """The model with both statistics over their limits."""
    z = (views - made.mean) / made.scale
    recent = z[:, -made.mean_of :].mean(axis=1)
    t = ((recent @ made.level) ** 2).sum(axis=1)
    moved = (z - z.mean(axis=1, keepdims=True)) @ made.noise
    v = (moved**2).sum(axis=(1, 2))
    share = settings.false_share
    t_limit = max(chi_squared(made.mean.size, 1 - share), float(np.quantile(t, 1 - share)))
    v_limit = max(settings.spread * float(np.quantile(v, CALM_QUANTILE)), TINY)
    return Pca(
        made.mean, made.scale, made.level / math.sqrt(t_limit), made.noise / math.sqrt(v_limit),
        made.window, made.mean_of,
    )  # fmt: skip


def chi_squared(degrees: int, chance: float) -> float:
    """The quantile of χ² by Wilson and Hilferty (1931); within 2 % for chances of .9 to .9999."""
    part = 2 / (9 * degrees)
    return float(degrees * (1 - part + NormalDist().inv_cdf(chance) * math.sqrt(part)) ** 3)


def graph(made: Pca) -> bytes:
    """The ONNX file: `window` float64 → `score` float32 `(n,)`, `contribution` `(n, channels)`."""
    from onnx import TensorProto, checker, helper, numpy_helper

    channels = made.mean.size
    constants = {
        "mean": made.mean, "scale": made.scale, "level": made.level, "noise": made.noise,
        "first": np.array([made.window - made.mean_of]), "end": np.array([made.window]),
        "frames": np.array([1]), "channels": np.array([1]),
    }  # fmt: skip
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Sub", ["window", "mean"], "centred", {}),
        ("Div", ["centred", "scale"], "z", {}),
        ("Slice", ["z", "first", "end", "frames"], "last", {}),
        ("ReduceMean", ["last"], "recent", {"axes": [1], "keepdims": 0}),
        ("MatMul", ["recent", "level"], "away", {}),
        ("Mul", ["away", "away"], "apart", {}),
        ("ReduceSum", ["apart", "channels"], "t", {"keepdims": 1}),
        ("ReduceMean", ["z"], "middle", {"axes": [1], "keepdims": 1}),
        ("Sub", ["z", "middle"], "about", {}),
        ("MatMul", ["about", "noise"], "swing", {}),
        ("Mul", ["swing", "swing"], "swung", {}),
        ("ReduceSum", ["swung", "frames"], "moved", {"keepdims": 0}),
        ("ReduceSum", ["moved", "channels"], "v", {"keepdims": 1}),
        ("Max", ["t", "v"], "larger", {}),
        ("Sqrt", ["larger"], "distance", {}),
        ("Squeeze", ["distance", "channels"], "flat", {}),
        ("Cast", ["flat"], "score", {"to": TensorProto.FLOAT}),
        ("GreaterOrEqual", ["t", "v"], "is_apart", {}),
        ("Where", ["is_apart", "apart", "moved"], "parts", {}),
        ("Cast", ["parts"], "contribution", {"to": TensorProto.FLOAT}),
    ]
    used = {name for _, inputs, _, _ in steps for name in inputs}
    whole = helper.make_graph(
        [helper.make_node(kind, into, [out], **more) for kind, into, out, more in steps],
        "pca",
        [helper.make_tensor_value_info("window", TensorProto.DOUBLE, ["n", made.window, channels])],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("contribution", TensorProto.FLOAT, ["n", channels]),
        ],
        [numpy_helper.from_array(v, name) for name, v in constants.items() if name in used],
    )
    model = helper.make_model(
        whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
        producer_name="tidegate",
    )  # fmt: skip
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))
