"""What an expert says, as a distribution: the member of a family that has a stated mass in an interval.

It is found by closed form, or by PreliZ as the member of greatest entropy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from cba.errors import InputError
from cba.inputs.distributions import Distribution, check_family, distribution, in_unit

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
