"""Pure: how rare a score is among those its series has shown, from a histogram of their logarithms.

Above the quantile u that leaves `TAIL_SHARE` of the scores, the tail is taken as a generalised
Pareto (peaks over threshold; Pickands 1975): a score is passed with probability
q·(1 + ξ(s - u)/σ)^(-1/ξ), q being the share above u. ξ and σ come from the mean and the variance of
the excesses (Hosking and Wallis 1987). Of k excesses the mean is known to one part in √k only; what
a next score does, all that may be true of σ considered, is a heavier tail, by 1/k in ξ when the
excesses are exponential (their predictive law). So a series that is young must be stranger to be
told of, and no prior is needed.

Bins are equal on the logarithm and stand where the scores of the series do: their origin moves by
whole octaves, so a score may have any unit.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

BINS: Final = 128
BINS_PER_OCTAVE: Final = 8
TAIL_SHARE: Final = 0.05
WARM_UP: Final = 128
SHAPE_LEAST: Final = -0.3
SHAPE_MOST: Final = 0.5
"""A sample tells no heavier tail by its variance."""
NEAR_THE_END: Final = 0.9
"""The part of a tail with an end within which it is taken as it is."""
STRAIGHT: Final = 1e-6
"""A shape nearer to 0 is the exponential."""
LOWEST: Final = 2.0**-500
HIGHEST: Final = 2.0**500

_WIDTH: Final = 2.0 ** (1 / BINS_PER_OCTAVE)
_EDGES: Final = _WIDTH ** np.arange(BINS)
_CENTRES: Final = _EDGES * _WIDTH**0.5


@dataclass(frozen=True, slots=True)
class Tail:
    """The tails of some series.

    Attributes:
        start: `(m,)` u, where each begins; infinite for fewer than `WARM_UP` scores.
        share: `(m,)` q, the share of scores above it, in (0, 1].
        scale, shape: `(m,)` σ, in units of the score, above 0, and ξ.
    """

    start: F8
    share: F8
    scale: F8
    shape: F8

    def at(self, rows: NDArray[np.int64]) -> "Tail":
        """The tails of these rows."""
        return Tail(self.start[rows], self.share[rows], self.scale[rows], self.shape[rows])

    def put(self, rows: NDArray[np.int64], other: "Tail") -> None:
        """Set these rows to ``other``'s."""
        self.start[rows], self.share[rows] = other.start, other.share
        self.scale[rows], self.shape[rows] = other.scale, other.shape

    def grown(self, more: int) -> "Tail":
        """These and ``more`` that begin nowhere yet."""
        ones = np.ones(more)
        return Tail(
            np.concatenate([self.start, np.full(more, np.inf)]),
            np.concatenate([self.share, ones]),
            np.concatenate([self.scale, ones]),
            np.concatenate([self.shape, ones]),
        )

    def passed_with(self, chance: F8) -> F8:
        """`(m,)` the scores that are passed with the wanted ``chance`` per reading."""
        reach = np.log(np.maximum(self.share / chance, 1.0))
        straight = np.abs(self.shape) < STRAIGHT
        shape = np.where(straight, 1.0, self.shape)
        far = np.where(straight, reach, np.expm1(shape * reach) / shape)
        return self.start + self.scale * far

    def rarity(self, score: F8) -> F8:
        """`(m,)` -log₁₀ of the chance to pass ``score``; below u a share of that of u."""
        excess = np.maximum(score - self.start, 0.0) / self.scale
        straight = np.abs(self.shape) < STRAIGHT
        shape = np.where(straight, 1.0, self.shape)
        # A tail with an end: what lies towards it and beyond still goes on getting rarer.
        within = np.maximum(shape * excess, -NEAR_THE_END)
        beyond = np.where(shape < 0, np.maximum(excess + NEAR_THE_END / shape, 0.0), 0.0)
        bent = np.log1p(within) / shape + beyond / (1 - NEAR_THE_END)
        reach = np.where(straight, excess, bent)
        begun = -np.log10(self.share) * np.minimum(score / self.start, 1.0)
        found: F8 = begun + np.where(np.isfinite(self.start), reach, 0.0) / np.log(10.0)
        return found


def place(score: F8) -> I8:
    """`(n,)` the bin of each score on a scale whose bin 0 begins at 1; of 0 a very low one."""
    octave = np.log2(np.minimum(np.maximum(score, LOWEST), HIGHEST))
    bins: I8 = np.floor(octave * BINS_PER_OCTAVE).astype(np.int64)
    return bins


def fit(counts: NDArray[np.uint16], origin: I8, clusters: F8) -> Tail:
    """The tails of series from their histograms.

    Args:
        counts: `(m, BINS)` scores seen, by bin; fewer than 2^16 of a series in all.
        origin: `(m,)` where bin 0 of each stands, in bins from a score of 1.
        clusters: `(m,)` in (0, 1], how many clusters there are for each score of the tail: what
            follows one another tells less than what stands alone.
    """
    upward = np.cumsum(counts, axis=1, dtype=np.uint16)
    total = upward[:, -1]
    # Where at most the tail's share is left above; not beyond the highest bin that was ever hit,
    # for the tail must not be empty.
    body = np.ceil((1.0 - TAIL_SHARE) * total).astype(np.uint16)
    first = (upward < body[:, None]).sum(axis=1) + 1
    highest = (upward < total[:, None]).sum(axis=1)
    start = np.minimum(first, highest)
    row = np.arange(len(counts)) * BINS
    below = upward.reshape(-1)[row + np.maximum(start - 1, 0)] * (start > 0)
    tail = np.maximum(total - below, 1).astype(np.float64)
    ends = np.stack([row + start, row + BINS], axis=1).reshape(-1)[:-1]

    def mean(weight: F8) -> F8:
        told: F8 = np.add.reduceat((counts * weight).reshape(-1), ends)[::2]
        found: F8 = told / tail
        return found

    excess = np.maximum(mean(_CENTRES) - _EDGES[start], _EDGES[start] * 1e-3)
    spread = np.maximum(mean(_CENTRES**2) - mean(_CENTRES) ** 2, 0.0)
    shape = 0.5 * (1.0 - excess**2 / np.maximum(spread, 1e-9 * excess**2))
    shape = np.clip(shape, SHAPE_LEAST, SHAPE_MOST)
    scale = excess * (1.0 - shape)
    shape = shape + 1.0 / np.maximum(tail * clusters, 2.0)
    unit = 2.0 ** (origin / BINS_PER_OCTAVE)
    start_at = np.where(total >= WARM_UP, _EDGES[start] * unit, np.inf)
    return Tail(start_at, tail / np.maximum(total, 1), scale * unit, shape)
