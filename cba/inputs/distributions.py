"""Probability distributions of the prior registry: families, parameters, quantiles and densities.

Parameter names follow PyMC and PreliZ, so that an entry reads the same in a model. Everything is evaluated
with SciPy's closed forms; draws are quantile functions of uniforms (see :mod:`cba.inputs.priors`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from cba.errors import InputError, Rule, refuse_broken

Floats = npt.NDArray[np.float64]

type _Law = tuple[Any, tuple[float, ...]]
"""A SciPy distribution and its arguments; SciPy's own frozen form takes a millisecond to build each time."""


@dataclass(frozen=True)
class Family:
    """A family: its parameters, its law given them in that order, and where it lies before any truncation."""

    parameters: tuple[str, ...]
    law: Callable[..., _Law]
    support: tuple[float, float] | None = (-math.inf, math.inf)  # None: between its `lower` and `upper`


_PERT_WEIGHT = 4.0


def _pert(lower: float, mode: float, upper: float) -> _Law:
    peak = _PERT_WEIGHT * (mode - lower) / (upper - lower)
    return stats.beta, (1 + peak, 1 + _PERT_WEIGHT - peak, lower, upper - lower)


def _triangular(lower: float, mode: float, upper: float) -> _Law:
    return stats.triang, ((mode - lower) / (upper - lower), lower, upper - lower)


_POSITIVE_ONLY = (0.0, math.inf)

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "Normal": Family(("mu", "sigma"), lambda mu, sd: (stats.norm, (mu, sd))),
        "LogNormal": Family(
            ("mu", "sigma"), lambda mu, sd: (stats.lognorm, (sd, 0.0, math.exp(mu))), _POSITIVE_ONLY
        ),
        "Beta": Family(("alpha", "beta"), lambda a, b: (stats.beta, (a, b)), (0.0, 1.0)),
        "Gamma": Family(("alpha", "beta"), lambda a, b: (stats.gamma, (a, 0.0, 1 / b)), _POSITIVE_ONLY),
        "HalfNormal": Family(("sigma",), lambda sd: (stats.halfnorm, (0.0, sd)), _POSITIVE_ONLY),
        "Exponential": Family(("lam",), lambda rate: (stats.expon, (0.0, 1 / rate)), _POSITIVE_ONLY),
        "Uniform": Family(("lower", "upper"), lambda low, high: (stats.uniform, (low, high - low)), None),
        "Triangular": Family(("lower", "mode", "upper"), _triangular, None),
        "PERT": Family(("lower", "mode", "upper"), _pert, None),
        "BetaScaled": Family(
            ("alpha", "beta", "lower", "upper"),
            lambda a, b, low, high: (stats.beta, (a, b, low, high - low)),
            None,
        ),
        "TruncatedNormal": Family(("mu", "sigma"), lambda mu, sd: (stats.norm, (mu, sd))),
        "Fixed": Family(("value",), lambda value: (stats.uniform, (value, 0.0))),  # a point: never asked
    }
)
"""Families a prior may have. `beta` of a Gamma and `lam` are rates; `mu` and `sigma` of a LogNormal belong to the
logarithm; PERT is the Beta on its bounds with weight 4 on the mode."""

BOUNDED_BY_PARAMETERS = tuple(name for name, family in FAMILIES.items() if family.support is None)
"""Families whose `lower` and `upper` are parameters, not a truncation."""

POSITIVE = ("sigma", "alpha", "beta", "lam")
"""Parameters that must be above zero."""


@dataclass(frozen=True)
class Distribution:
    """A distribution with its parameters, truncated to ``[lower, upper]`` where that cuts its support."""

    family: str  # a key of `FAMILIES`
    parameters: Mapping[str, float]
    # lower and upper: truncation; minus and plus infinity for none. Built and checked by `distribution`.
    lower: float = -math.inf
    upper: float = math.inf

    @property
    def support(self) -> tuple[float, float]:
        """Lowest and highest value with positive density."""
        low, high = natural_support(self.family, self.parameters)
        return max(low, self.lower), min(high, self.upper)

    @property
    def truncated(self) -> bool:
        """Whether the bounds cut off part of the family's own support."""
        return self.support != natural_support(self.family, self.parameters)

    @property
    def label(self) -> str:
        """Family name, with ``Truncated`` before it where the bounds cut the support."""
        prefix = "Truncated" if self.truncated and self.family != "TruncatedNormal" else ""
        return prefix + self.family

    def ppf(self, probability: npt.ArrayLike) -> Floats:
        """Return the quantiles at `probability` (0 to 1), same shape."""
        wanted = np.asarray(probability, dtype=float)
        if self.family == "Fixed":
            return np.full(wanted.shape, self.parameters["value"])
        law, args = self._law
        if not self.truncated:
            return np.asarray(law.ppf(wanted, *args))
        below, kept = _kept_mass(self._law, self.lower, self.upper)
        inside = law.ppf(below + wanted * kept, *args)
        return np.clip(inside, *self.support)  # rounding of the last digit only

    def cdf(self, value: npt.ArrayLike) -> Floats:
        """Return P(X <= value), same shape as `value`."""
        at = np.asarray(value, dtype=float)
        if self.family == "Fixed":
            return (at >= self.parameters["value"]).astype(float)
        law, args = self._law
        if not self.truncated:
            return np.asarray(law.cdf(at, *args))
        below, kept = _kept_mass(self._law, self.lower, self.upper)
        return (law.cdf(np.clip(at, self.lower, self.upper), *args) - below) / kept

    def pdf(self, value: npt.ArrayLike) -> Floats:
        """Return the density at `value`; a Fixed value has none and gives InputError."""
        at = np.asarray(value, dtype=float)
        if self.family == "Fixed":
            raise InputError(
                "a fixed value has no density",
                found="Fixed",
                allowed="a continuous family",
                remedy="ask for the density of an uncertain value",
            )
        law, args = self._law
        low, high = self.support
        _, kept = _kept_mass(self._law, self.lower, self.upper) if self.truncated else (0.0, 1.0)
        return np.where((at >= low) & (at <= high), law.pdf(at, *args) / kept, 0.0)

    @property
    def _law(self) -> _Law:
        return _scipy(self.family, self.parameters)


def distribution(
    family: str, *, parameters: Mapping[str, float], lower: float | None = None, upper: float | None = None
) -> Distribution:
    """Build a checked `Distribution`. `parameters`: one value per parameter."""
    # `lower`, `upper`: hard bounds of the support. A family that reaches beyond them is truncated (its
    # density divided by the mass kept), never clipped.
    check_family(family)
    values = dict(parameters)
    if family in BOUNDED_BY_PARAMETERS:
        for name, bound in (("lower", lower), ("upper", upper)):
            if bound is not None and name in values:
                raise InputError(
                    "a bound is given twice", field=name, found=f"{values[name]} and {bound}", allowed="once"
                ).advice("given in params and beside it", remedy="remove one of the two")
            if bound is not None:
                values[name] = bound
        lower = upper = None
    _check_parameters(family, values)
    made = Distribution(
        family,
        MappingProxyType({k: float(v) for k, v in values.items()}),
        -math.inf if lower is None else float(lower),
        math.inf if upper is None else float(upper),
    )
    bounded = family in BOUNDED_BY_PARAMETERS
    checked = replace(made, lower=values["lower"], upper=values["upper"]) if bounded else made
    refuse_broken(_BOUND_RULES, checked)
    return made


def in_unit(family: str, parameters: Mapping[str, float], *, unit: float) -> dict[str, float]:
    """Return the parameters of `unit` times a variable of a family; a Beta alone has no unit."""
    log = family == "LogNormal"
    rates = ("beta", "lam") if family in ("Gamma", "Exponential") else ()
    found = {}
    for name, value in parameters.items():
        if name in rates:
            found[name] = value / unit
        elif name in ("alpha", "beta") or (log and name == "sigma"):
            found[name] = value
        else:
            found[name] = value + math.log(unit) if log else value * unit
    return found


def check_family(family: str) -> None:
    """Raise InputError unless `family` is a key of :data:`FAMILIES`."""
    if family not in FAMILIES:
        raise InputError(
            "an unknown distribution", field="distribution", found=family, allowed=", ".join(FAMILIES)
        ).advice("a spelling mistake (names are case sensitive)", remedy="use one of the allowed names")


def _check_parameters(family: str, values: Mapping[str, float]) -> None:
    expected = FAMILIES[family].parameters
    if set(values) != set(expected):
        raise InputError(
            f"the parameters do not fit {family}",
            field="params",
            found=", ".join(values) or "none",
            allowed=", ".join(expected),
        ).advice("parameters of another family or library", remedy="give exactly the allowed parameters")
    for name, value in values.items():
        if not math.isfinite(value):
            raise InputError(
                "a parameter is NaN or infinite",
                field=f"params.{name}",
                found=value,
                allowed="a finite number",
                remedy="give a finite number",
            )
        if name in POSITIVE and value <= 0:
            raise InputError(
                f"{name} of a {family} must be above zero",
                field=f"params.{name}",
                found=value,
                allowed="above 0",
            ).advice(
                "a sign, or a zero for a value that is known exactly",
                remedy="give a positive value, or use Fixed for a known value",
            )


_BOUND_RULES = (
    Rule(
        "lower",
        lambda law: math.isnan(law.lower) or math.isnan(law.upper) or law.lower >= law.upper,
        lambda law: f"{law.lower} and {law.upper}",
    )
    .wrong("the lower bound is not below the upper bound", allowed="lower < upper")
    .advice("the two swapped", remedy="correct the bounds"),
    Rule(
        "params.mode",
        lambda law: not law.lower <= law.parameters.get("mode", law.lower) <= law.upper,
        lambda law: law.parameters["mode"],
    )
    .wrong("the mode lies outside the bounds", allowed=lambda law: f"{law.lower} to {law.upper}")
    .advice(None, remedy="correct the mode or the bounds"),
    Rule(
        "params.value",
        lambda law: law.family == "Fixed" and not law.lower <= law.parameters["value"] <= law.upper,
        lambda law: law.parameters["value"],
    )
    .wrong("the fixed value lies outside the bounds", allowed=lambda law: f"{law.lower} to {law.upper}")
    .advice(None, remedy="correct the value or the bounds"),
    Rule(
        "lower",
        lambda law: law.family == "TruncatedNormal" and math.isinf(law.lower) and math.isinf(law.upper),
        "none",
    )
    .wrong("a TruncatedNormal needs a bound", allowed="lower, upper or both")
    .advice("bounds left out", remedy="give a bound, or use Normal"),
    Rule("lower", lambda law: not _kept(law) > 1e-6, lambda law: f"mass {_kept(law):.2g}")
    .wrong("the bounds leave almost none of the distribution", allowed="above 1e-6")
    .advice("bounds in other units than the parameters", remedy="correct the bounds or the parameters"),
)


def _kept(law: Distribution) -> float:
    """Return the share of a family that its truncation keeps."""
    if law.family in ("Fixed", *BOUNDED_BY_PARAMETERS):
        return 1.0
    return _kept_mass(_scipy(law.family, law.parameters), law.lower, law.upper)[1]


def natural_support(family: str, parameters: Mapping[str, float]) -> tuple[float, float]:
    """Return the lowest and highest value of the family before any truncation."""
    if family == "Fixed":
        return parameters["value"], parameters["value"]
    return FAMILIES[family].support or (parameters["lower"], parameters["upper"])


def _kept_mass(base: _Law, lower: float, upper: float) -> tuple[float, float]:
    """Return the probability below `lower` and the probability between the bounds."""
    law, args = base
    below = float(law.cdf(lower, *args)) if math.isfinite(lower) else 0.0
    above = float(law.sf(upper, *args)) if math.isfinite(upper) else 0.0
    return below, 1.0 - below - above


def _scipy(family: str, parameters: Mapping[str, float]) -> _Law:
    """Return the SciPy distribution of a family, untruncated, and its shapes, location and scale."""
    return FAMILIES[family].law(*(parameters[name] for name in FAMILIES[family].parameters))
