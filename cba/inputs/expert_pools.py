"""Pool the distributions of several experts into one, linearly or logarithmically."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.integrate import cumulative_trapezoid

from cba.errors import InputError
from cba.inputs.distributions import Distribution, Floats

_GRID = 20_001
_TAIL = 1e-7


@dataclass(frozen=True)
class Pool:
    """Several experts as one distribution, tabulated on a grid.

    Parameters
    ----------
    method : {"linear", "logarithmic"}
    weights : tuple of float
        One per expert, summing to 1.
    grid, cumulative : ndarray
        Values in ascending order and the pooled probability of lying at or below each.
    """

    method: str
    weights: tuple[float, ...]
    grid: Floats
    cumulative: Floats

    def ppf(self, probability: npt.ArrayLike) -> Floats:
        """Return pooled quantiles, by interpolation on the grid."""
        return np.interp(np.asarray(probability, dtype=float), self.cumulative, self.grid)

    def cdf(self, value: npt.ArrayLike) -> Floats:
        """Return the pooled P(X <= value)."""
        return np.interp(np.asarray(value, dtype=float), self.grid, self.cumulative, left=0.0, right=1.0)


def pool_experts(
    experts: Sequence[Distribution],
    *,
    weights: Sequence[float] | None = None,
    method: Literal["linear", "logarithmic"] = "linear",
) -> Pool:
    """Pool the distributions of several experts.

    Parameters
    ----------
    experts : sequence of Distribution
        Two or more, continuous.
    weights : sequence of float, optional
        One per expert, not negative, summing to 1; equal by default.
    method : {"linear", "logarithmic"}
        Linear keeps every expert's view as a possibility (a mixture); logarithmic looks for common ground
        and is narrower.

    Returns
    -------
    Pool

    Raises
    ------
    InputError
        Fewer than two experts, weights that do not sum to 1, or (logarithmic) experts with no value in
        common.

    Notes
    -----
    Linear: ``F(x) = sum_i w_i F_i(x)``. Logarithmic: ``f(x)`` proportional to ``prod_i f_i(x)^w_i`` [1]_; for
    Normals the precision is the weighted mean of precisions.

    References
    ----------
    .. [1] O'Hagan et al. (2006) Uncertain Judgements: Eliciting Experts' Probabilities, section 9.2. Wiley.

    Examples
    --------
    >>> from cba.inputs.distributions import distribution
    >>> pair = [distribution("Normal", parameters={"mu": m, "sigma": 1.0}) for m in (-1.0, 1.0)]
    >>> round(float(pool_experts(pair, method="logarithmic").ppf(0.975)), 3)
    1.96
    """
    shares = _checked_weights(experts, weights)
    if method not in ("linear", "logarithmic"):
        raise InputError(
            "an unknown way of pooling", field="method", found=method, allowed="linear, logarithmic"
        )
    grid = _common_grid(experts)
    if method == "linear":
        cumulative = sum(share * expert.cdf(grid) for share, expert in zip(shares, experts, strict=True))
        return Pool(method, shares, *_increasing(grid, np.asarray(cumulative)))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [s * np.log(e.pdf(grid)) for s, e in zip(shares, experts, strict=True) if s > 0]
        density = np.sum(logs, axis=0)
    density = np.where(np.isfinite(density), density, -np.inf)
    if not np.isfinite(density).any():
        raise InputError(
            "the experts have no value in common",
            field="experts",
            found=f"supports {[expert.support for expert in experts]}",
            allowed="overlapping supports",
            cause="experts answering different questions",
            remedy="pool linearly, or ask again",
        )
    mass = cumulative_trapezoid(np.exp(density - density.max()), grid, initial=0.0)
    return Pool(method, shares, *_increasing(grid, mass / mass[-1]))


def _checked_weights(experts: Sequence[Distribution], weights: Sequence[float] | None) -> tuple[float, ...]:
    shares = tuple(weights) if weights is not None else tuple(1 / len(experts) for _ in experts)
    sound = len(shares) == len(experts) and all(share >= 0 for share in shares)
    if len(experts) < 2 or not sound or abs(sum(shares) - 1) > 1e-9:
        raise InputError(
            "the weights of the experts do not sum to 1",
            field="weights",
            found=f"{len(experts)} experts, weights {list(shares)}",
            allowed="two experts or more, one weight each, none negative, sum 1",
            cause="an expert added without a weight",
            remedy="state the weights again; they are never rescaled",
        )
    return shares


def _common_grid(experts: Sequence[Distribution]) -> Floats:
    """Return a grid dense where any expert has mass: equal steps in value and in each one's probability."""
    inner = np.linspace(_TAIL, 1 - _TAIL, _GRID // 2)
    by_probability = [expert.ppf(inner) for expert in experts]
    ends = np.concatenate(by_probability)
    return np.unique(np.concatenate([ends, np.linspace(ends.min(), ends.max(), _GRID)]))


def _increasing(grid: Floats, cumulative: Floats) -> tuple[Floats, Floats]:
    """Keep grid points at which the cumulative probability rises, so that it can be inverted."""
    rises = np.concatenate([[True], np.diff(cumulative) > 0])
    return grid[rises], cumulative[rises]
