"""Fit a distribution to stated quantiles, in closed form where they determine it, else by least squares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from types import MappingProxyType

import numpy as np
from scipy import special
from scipy.optimize import least_squares

from cba.errors import InputError, Rule, refuse_broken
from cba.inputs.distributions import (
    BOUNDED_BY_PARAMETERS,
    FAMILIES,
    POSITIVE,
    Distribution,
    Floats,
    check_family,
    distribution,
    in_unit,
)

LARGEST_FIT_ERROR = 0.15
"""Largest accepted fit error: beyond it the family cannot say what the quantiles say."""


@dataclass(frozen=True)
class QuantileFit:
    """A fitted distribution, what was asked of it and how well it answers."""

    distribution: Distribution
    stated: Mapping[float, float]  # by probability
    fitted: Mapping[float, float]  # by probability
    # Largest distance between stated and fitted quantile, as a share of the distance between the lowest and
    # highest stated quantile (of the quantile itself where only one is stated).
    error: float
    method: str  # ``"closed form"`` or ``"least squares"``


def fit_quantiles(
    family: str,
    *,
    quantiles: Mapping[float, float],
    lower: float | None = None,
    upper: float | None = None,
    largest_error: float = LARGEST_FIT_ERROR,
) -> QuantileFit:
    """Find the member of a family whose quantiles are nearest to the stated ones.

    `family`: a key of `FAMILIES`, not ``Fixed``. `lower`, `upper`: hard bounds of the support.
    """
    # `lower`, `upper`: BetaScaled needs both; Triangular and PERT take them as their ends; other families are
    # truncated to them *before* the fit, so the truncated quantiles match.
    #
    # Normal: ``sigma = (x2 - x1) / (z2 - z1)``, ``mu = x1 - sigma z1`` with z the standard normal quantile;
    # LogNormal the same on logarithms; HalfNormal ``sigma = x / z((1 + p) / 2)``; Exponential
    # ``lam = -ln(1 - p) / x``; Uniform the straight line through two points. Otherwise the sum of squared
    # differences of quantiles, each divided by the stated spread, is minimised.
    check_family(family)
    return _fit(family, tuple(sorted(quantiles.items())), lower, upper, largest_error)


@lru_cache(maxsize=4096)
def _fit(
    family: str,
    quantiles: tuple[tuple[float, float], ...],
    lower: float | None,
    upper: float | None,
    largest_error: float,
) -> QuantileFit:
    """Fit; kept, because every stance and every stage of a run reads the registry again."""
    stated = dict(quantiles)
    p, x = np.array(list(stated), dtype=float), np.array(list(stated.values()), dtype=float)
    asked = _Asked(family, p, x, lower, upper)
    refuse_broken(_RULES, asked)
    exact = _closed_form(asked) if asked.ends == 0 else None
    fitted = _least_squares(asked) if exact is None else distribution(family, parameters=exact)
    answers = fitted.ppf(p)
    error = float(np.max(np.abs(answers - x)) / asked.spread)
    if not error <= largest_error:
        raise InputError(
            f"a {family} cannot have these quantiles",
            field="quantiles",
            found=f"stated {x.tolist()}, nearest {[float(f'{v:.4g}') for v in answers]} "
            f"(worst miss {error:.0%} of the spread)",
            allowed=f"a worst miss of {largest_error:.0%} or less",
        ).advice(
            "skewed quantiles given to a symmetric family, or a mistyped value",
            remedy="choose another family (LogNormal, Gamma, BetaScaled) or revise the quantiles",
        )
    return QuantileFit(
        fitted,
        MappingProxyType(stated),
        MappingProxyType({q: float(v) for q, v in zip(stated, answers, strict=True)}),
        error,
        "closed form" if exact is not None else "least squares",
    )


@dataclass(frozen=True)
class _Asked:
    """A family, the quantiles stated for it in ascending order, and hard bounds."""

    family: str
    p: Floats
    x: Floats
    lower: float | None
    upper: float | None

    @property
    def bounds(self) -> tuple[float, float]:
        """Where values may lie: inside the bounds given and, where the family has a fixed one, its support."""
        low = -math.inf if self.lower is None else self.lower
        high = math.inf if self.upper is None else self.upper
        floor, ceiling = FAMILIES[self.family].support or (-math.inf, math.inf)
        return max(low, floor), min(high, ceiling)

    @property
    def ends(self) -> int:
        """How many of the two bounds are given."""
        return (self.lower is not None) + (self.upper is not None)

    @property
    def span(self) -> tuple[float, float] | None:
        """Both bounds, where both are given."""
        return None if self.lower is None or self.upper is None else (self.lower, self.upper)

    @property
    def needed(self) -> int:
        """How many quantiles are needed at least."""
        given = self.ends if self.family in BOUNDED_BY_PARAMETERS else 0
        return len(FAMILIES[self.family].parameters) - given

    @property
    def spread(self) -> float:
        """Distance between the lowest and highest stated value; the value itself where there is one only."""
        return float(self.x[-1] - self.x[0] if len(self.x) > 1 else abs(self.x[0]))

    @property
    def unit(self) -> float:
        """The power of ten by which the spread is thousands; 1 where bounds or the family set the scale."""
        fixed = self.span is not None or self.family == "Beta"
        return 1.0 if fixed else 10.0 ** (math.floor(math.log10(self.spread)) - 3)

    def in_units(self, unit: float) -> _Asked:
        """Return the same question in another unit."""
        lower, upper = (None if end is None else end / unit for end in (self.lower, self.upper))
        return replace(self, x=self.x / unit, lower=lower, upper=upper)

    @property
    def values(self) -> list[float]:
        """The stated values as plain numbers."""
        return list(map(float, self.x))


_RULES = (
    Rule("quantiles", lambda asked: asked.family == "Fixed", "quantiles")
    .wrong("a Fixed value has no quantiles", allowed="params = { value = ... }")
    .advice("an entry turned into a fixed value by halves", remedy="give params"),
    Rule("quantiles", lambda asked: not np.all((asked.p > 0) & (asked.p < 1)), lambda asked: asked.p.tolist())
    .wrong("a probability is not strictly between 0 and 1", allowed="0 < p < 1")
    .advice(
        "per cent written for a proportion, or a minimum given as quantile 0",
        remedy="write 5% as 0.05; use `lower` and `upper` for hard bounds",
    ),
    Rule("quantiles", lambda asked: not np.all(np.isfinite(asked.x)), lambda asked: asked.values)
    .wrong("a quantile is NaN or infinite", allowed="finite numbers")
    .advice("a blank cell", remedy="give finite numbers"),
    Rule(
        "quantiles",
        lambda asked: np.any(np.diff(asked.x) <= 0),
        lambda asked: dict(zip(asked.p.tolist(), asked.values, strict=True)),
    )
    .wrong("quantiles are out of order", allowed="values strictly increasing with their probability")
    .advice("two values swapped", remedy="put the values in order; use Fixed for a known value"),
    Rule(
        "quantiles",
        lambda asked: asked.x[0] <= asked.bounds[0] or asked.x[-1] >= asked.bounds[1],
        lambda asked: asked.values,
    )
    .wrong(
        lambda asked: f"a quantile lies outside the bounds of the {asked.family}",
        allowed=lambda asked: "strictly between {} and {}".format(*asked.bounds),
    )
    .advice(
        "a bound or a family that excludes stated values",
        remedy="correct the bound, or choose a family that reaches the values",
    ),
    Rule("quantiles", lambda asked: asked.family == "Uniform" and asked.ends, "lower, upper and quantiles")
    .wrong("a Uniform is given both by bounds and by quantiles", allowed="one of the two")
    .advice("two forms mixed", remedy="remove the bounds or the quantiles"),
    Rule(
        "quantiles",
        lambda asked: (
            (asked.family == "BetaScaled" and asked.ends < 2)
            or (asked.family in ("Triangular", "PERT") and asked.ends == 1)
        ),
        lambda asked: f"{asked.ends} bound(s)",
    )
    .wrong(lambda asked: f"a {asked.family} needs both bounds", allowed="lower and upper")
    .advice("a bound left out", remedy="add `lower` and `upper` beside the quantiles"),
    Rule("quantiles", lambda asked: len(asked.p) < asked.needed, lambda asked: len(asked.p))
    .wrong(
        lambda asked: f"too few quantiles to determine a {asked.family}",
        allowed=lambda asked: f"{asked.needed} or more",
    )
    .advice("quantiles left out", remedy="state more quantiles, for example 0.05, 0.5 and 0.95"),
)


def _closed_form(asked: _Asked) -> dict[str, float] | None:
    """Return the parameters where the quantiles determine them, else None."""
    family, p, x = asked.family, asked.p, asked.x
    if family in ("Normal", "LogNormal") and len(p) == 2:
        z, y = special.ndtri(p), np.log(x) if family == "LogNormal" else x
        sigma = float((y[1] - y[0]) / (z[1] - z[0]))
        return {"mu": float(y[0] - sigma * z[0]), "sigma": sigma}
    if family == "Uniform" and len(p) == 2:
        slope = float((x[1] - x[0]) / (p[1] - p[0]))
        start = float(x[0] - slope * p[0])
        return {"lower": start, "upper": start + slope}
    if family == "HalfNormal" and len(p) == 1:
        return {"sigma": float(x[0] / special.ndtri((1 + p[0]) / 2))}
    if family == "Exponential" and len(p) == 1:
        return {"lam": float(-np.log1p(-p[0]) / x[0])}
    return None


def _least_squares(asked: _Asked) -> Distribution:
    """Minimise the squared, spread-scaled differences of quantiles over unconstrained parameters."""
    unit = asked.unit
    truncated = asked.family not in BOUNDED_BY_PARAMETERS
    ends = {"lower": asked.lower, "upper": asked.upper} if truncated else {}
    if unit != 1.0:  # the solver's first steps have a fixed size
        found = _least_squares(asked.in_units(unit)).parameters
        return distribution(asked.family, parameters=in_unit(asked.family, found, unit=unit), **ends)

    def member(theta: Floats) -> Distribution:
        return distribution(asked.family, parameters=_parameters(asked, theta), **ends)

    def misfit(theta: Floats) -> Floats:
        try:
            gap = (member(theta).ppf(asked.p) - asked.x) / asked.spread
        except InputError:  # a trial step left the family's own limits: make it unattractive
            return np.full(len(asked.p), 1e3)
        return np.where(np.isfinite(gap), gap, 1e3)

    start = np.asarray(_start(asked), dtype=float)
    answer = least_squares(misfit, start, xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=2000)
    return member(answer.x)


def _parameters(asked: _Asked, theta: Floats) -> dict[str, float]:
    """Map unconstrained numbers to the family's parameters."""
    t = [float(value) for value in theta]
    names = FAMILIES[asked.family].parameters
    if asked.family in BOUNDED_BY_PARAMETERS and asked.span is None:
        return dict(zip(names, accumulate([t[0], *map(math.exp, t[1:])]), strict=True))
    low, high = asked.span or (math.nan, math.nan)
    if "mode" in names:
        return {"lower": low, "mode": low + (high - low) * float(special.expit(t[0])), "upper": high}
    free = [name for name in names if name not in ("lower", "upper")]
    found = {name: math.exp(v) if name in POSITIVE else v for name, v in zip(free, t, strict=True)}
    return found if free == list(names) else found | {"lower": low, "upper": high}


def _start(asked: _Asked) -> list[float]:
    """Return starting values by matching a centre and a spread."""
    p, x, span = asked.p, asked.x, asked.span
    y = np.log(x) if asked.family == "LogNormal" else x
    if asked.family == "BetaScaled" and span is not None:
        y = (x - span[0]) / (span[1] - span[0])
    z = special.ndtri(p)
    centre = float(np.interp(0.5, p, y))
    spread = float((y[-1] - y[0]) / (z[-1] - z[0])) if len(p) > 1 else abs(float(y[0]))
    match asked.family:
        case "Normal" | "LogNormal" | "TruncatedNormal":
            return [centre, math.log(spread)]
        case "Beta" | "BetaScaled":
            size = max(centre * (1 - centre) / spread**2 - 1, 0.5)
            return [math.log(centre * size), math.log((1 - centre) * size)]
        case "Gamma":
            return [2 * math.log(centre / spread), math.log(centre / spread**2)]
        case "HalfNormal":
            return [math.log(float(np.mean(x / special.ndtri((1 + p) / 2))))]
        case "Exponential":
            return [math.log(float(np.mean(-np.log1p(-p) / x)))]
        case "Uniform":
            return [float(x[0]) - spread / 2, math.log(4 * spread)]
    if span is not None:
        return [float(special.logit((centre - span[0]) / (span[1] - span[0])))]
    first = float(x[0])
    return [first - spread, math.log(centre - first + spread), math.log(float(x[-1]) - centre + spread)]
