"""Fit a distribution to stated quantiles, in closed form where they determine it, else by least squares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from types import MappingProxyType
from typing import Any

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

MASS_TOLERANCE = 1e-6
"""Largest accepted distance between the stated mass of an interval and the fitted one."""


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


# --- What an expert says: the member of a family that has a stated mass in an interval ---


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
