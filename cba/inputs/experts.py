"""What experts say, as distributions: an interval with its probability, or the quantiles of several, pooled.

An interval is turned into a member of a family by closed form, or by PreliZ as the member of greatest entropy.
The pool of several experts is handed to the family of the entry as quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import special
from scipy.integrate import cumulative_trapezoid

from cba.errors import InputError
from cba.inputs.distributions import Distribution, Floats, check_family, distribution, in_unit
from cba.inputs.files import placed
from cba.inputs.quantile_fits import QuantileFit, fit_quantiles
from cba.inputs.written_records import Amount, Number, Text, WrittenRecord, checked_record

MASS_TOLERANCE = 1e-6
"""Largest accepted distance between the stated mass of an interval and the fitted one."""


@dataclass(frozen=True)
class Elicited:
    """The member of a family that has a stated mass in an interval."""

    distribution: Distribution
    fit_error: float  # distance between stated and fitted mass
    method: str  # ``"closed form"`` or ``"greatest entropy (PreliZ)"``


def elicit(family: str, *, mass: float, lower: float, upper: float) -> Elicited:
    """Find the member of a family with this mass between two values."""
    # Normal: ``sigma = (upper - lower) / 2 / z((1 + mass) / 2)``; HalfNormal: ``upper / z((1 + mass) / 2)``;
    # Exponential: ``rate = -ln(1 - mass) / upper``; Uniform and Triangular: half-widths ``h / mass`` and
    # ``h / (1 - sqrt(1 - mass))`` for an interval of half-width h. LogNormal, Gamma and Beta: the member of
    # greatest differential entropy among those with the stated mass.
    # Source: Icazatti et al. (2023) PreliZ: a tool-box for prior elicitation. Journal of Open Source Software
    # 8(89), 5499. https://doi.org/10.21105/joss.05499.
    check_family(family)
    if not (0 < mass < 1 and -math.inf < lower < upper < math.inf):
        raise InputError(
            "a judgement is not a full interval",
            field="judgement",
            found=f"mass {mass}, interval {lower} to {upper}",
            allowed="mass in (0, 1) with lower < upper",
        ).advice("per cent for a proportion, or the ends swapped", remedy="state mass, lower and upper")
    stated = f"mass {mass} in {lower} to {upper}"
    parameters, method = _interval_closed_form(family, mass, lower, upper), "closed form"
    if parameters is None:
        if family not in ("LogNormal", "Gamma", "Beta"):
            raise _cannot(family, stated, "no rule for this family and interval")
        if lower < 0 or (family == "Beta" and upper > 1):
            raise _cannot(family, stated, "an interval outside the support")
        parameters, method = _greatest_entropy(family, mass, lower, upper), "greatest entropy (PreliZ)"
    fitted = distribution(family, parameters=parameters)
    held = float(fitted.cdf(upper) - fitted.cdf(lower))
    if abs(held - mass) > MASS_TOLERANCE:
        raise _cannot(family, stated, f"mass {held:.6g}")
    return Elicited(fitted, abs(held - mass), method)


def _interval_closed_form(family: str, mass: float, lower: float, upper: float) -> dict[str, float] | None:
    """Return the parameters of families an interval determines, None for the others."""
    z = float(special.ndtri((1 + mass) / 2))
    if family == "Normal":
        return {"mu": (lower + upper) / 2, "sigma": (upper - lower) / 2 / z}
    if family in ("HalfNormal", "Exponential") and lower == 0:
        return {"sigma": upper / z} if family == "HalfNormal" else {"lam": -math.log1p(-mass) / upper}
    centre, half = (lower + upper) / 2, (upper - lower) / 2
    if family == "Uniform":
        return {"lower": centre - half / mass, "upper": centre + half / mass}
    if family == "Triangular":
        width = half / (1 - math.sqrt(1 - mass))
        return {"lower": centre - width, "mode": centre, "upper": centre + width}
    return None


def _greatest_entropy(family: str, mass: float, lower: float, upper: float) -> dict[str, float]:
    """Ask PreliZ for the member of greatest entropy with this mass in the interval."""
    import preliz

    member: Any = getattr(preliz, family)()
    # its optimiser stops at steps of a fixed size: the interval is put to it in units of its upper end
    unit = 1.0 if family == "Beta" else upper
    with np.errstate(all="ignore"):  # it steps outside the family's limits on the way
        preliz.maxent(member, lower / unit, upper / unit, mass, plot=False)
    found = {name: float(value) for name, value in zip(member.param_names, member.params, strict=True)}
    return in_unit(family, found, unit=unit)


def _cannot(family: str, stated: str, found: str) -> InputError:
    return InputError(
        f"a {family} cannot hold this judgement",
        field="judgement",
        found=found,
        allowed=f"{stated}, within {MASS_TOLERANCE:g}",
    ).advice(
        "a family whose support or shape excludes the interval",
        remedy="choose another family, or state quantiles",
    )


# --- Pool the distributions of several experts into one, linearly or logarithmically ---


_GRID = 20_001


_TAIL = 1e-7


@dataclass(frozen=True)
class Pool:
    """Several experts as one distribution, tabulated on a grid."""

    method: str  # "linear" or "logarithmic"
    weights: tuple[float, ...]  # one per expert, summing to 1
    # grid and cumulative: values in ascending order and the pooled probability of lying at or below each.
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

    `weights`: one per expert, not negative, summing to 1; equal by default.
    """
    # Linear: ``F(x) = sum_i w_i F_i(x)``. Logarithmic: ``f(x)`` proportional to ``prod_i f_i(x)^w_i``; for
    # Normals the precision is the weighted mean of precisions.
    # Source: O'Hagan et al. (2006) Uncertain Judgements: Eliciting Experts' Probabilities, section 9.2.
    # Wiley.
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
        ).advice("experts answering different questions", remedy="pool linearly, or ask again")
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
        ).advice(
            "an expert added without a weight", remedy="state the weights again; they are never rescaled"
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


# --- Priors stated by several experts: each one's quantiles, pooled into those of the entry ---


POOLED_AT = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Probabilities at which the pool is handed to the family of the entry."""


class Expert(WrittenRecord):
    """What one expert said, and the weight of it."""

    name: Text
    distribution: Text
    quantiles: Mapping[Text, Amount]
    weight: Annotated[Number, Field(ge=0.0, le=1.0)]
    lower: Amount | None = None
    upper: Amount | None = None


class _Panel(WrittenRecord):
    pool: Literal["linear", "logarithmic"]
    experts: Annotated[tuple[Expert, ...], Field(min_length=2)]


@dataclass(frozen=True)
class PooledExperts:
    """The experts behind an entry."""

    pool: str  # "linear" or "logarithmic"
    experts: tuple[Expert, ...]
    fits: tuple[QuantileFit, ...]  # each expert's own distribution, with its fit error
    quantiles: Mapping[str, float]  # of the pool, at `POOLED_AT`, keyed as in a prior file

    def words(self) -> str:
        """Return in one line who said what, and how it was pooled."""
        said = [
            f"{expert.name} (weight {expert.weight:g}, {expert.distribution}, fit error {fit.error:.1%}): "
            + ", ".join(f"{float(p):.0%} at {value:g}" for p, value in expert.quantiles.items())
            for expert, fit in zip(self.experts, self.fits, strict=True)
        ]
        return f"{self.pool} pool of " + "; ".join(said)

    def content(self) -> list[Any]:
        """Return everything that identifies the panel, as plain values."""
        return [self.pool, [expert.model_dump(mode="json") for expert in self.experts]]


def split_experts(
    written: Mapping[str, Any], *, name: str, file: str
) -> tuple[dict[str, Any], PooledExperts | None]:
    """Replace the experts of a written entry by the quantiles of their pool.

    Returns `entry`: without experts; with the pooled quantiles where there were any.
    """
    rest = {key: value for key, value in written.items() if key not in ("experts", "pool")}
    if len(rest) == len(written):
        return rest, None
    if {"quantiles", "params"} & set(rest):
        raise InputError(
            "an entry states experts and a distribution of its own",
            file=file,
            field=f"{name}.experts",
            found=" and ".join(sorted({"quantiles", "params"} & set(rest))) + " beside experts",
            allowed="one of the two",
        ).advice(
            "an earlier judgement left in place",
            remedy="remove the quantiles or params; they are worked out from the pool",
        )
    stated = {key: written[key] for key in ("pool", "experts") if key in written}
    panel = checked_record(_Panel, stated, file=file, field=name)
    try:
        pooled = _pooled(panel)
    except InputError as error:
        raise placed(error, file=file, field=f"{name}.experts") from None
    return rest | {"quantiles": dict(pooled.quantiles)}, pooled


def _pooled(panel: _Panel) -> PooledExperts:
    fits = tuple(
        fit_quantiles(
            expert.distribution,
            quantiles={float(p): value for p, value in expert.quantiles.items()},
            lower=expert.lower,
            upper=expert.upper,
        )
        for expert in panel.experts
    )
    pool = pool_experts(
        [fit.distribution for fit in fits], weights=[e.weight for e in panel.experts], method=panel.pool
    )
    quantiles = {f"{p:g}": float(pool.ppf(p)) for p in POOLED_AT}
    return PooledExperts(panel.pool, panel.experts, fits, quantiles)
