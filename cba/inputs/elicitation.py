"""Turn a stated judgement into a distribution.

A judgement is a probability that the quantity lies in an interval, or a set of quantiles. Families with a
closed form are fitted by it; for the others PreliZ finds the member of greatest entropy. Every result keeps
the judgement, the fitted quantiles, the fit error and two other families that were given the same judgement.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special

from cba.errors import InputError
from cba.inputs.distributions import Distribution, check_family, distribution
from cba.inputs.quantile_fits import fit_quantiles

ALTERNATIVES = ("Normal", "LogNormal", "Gamma", "Beta", "HalfNormal", "Exponential", "Triangular", "Uniform")
"""Families compared with the one asked for, in the order preferred where they fit equally well."""

MASS_TOLERANCE = 1e-6
"""Largest accepted distance between the stated mass of an interval and the fitted one."""

_REPORTED = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Judgement:
    """What an expert said: `mass` in ``[lower, upper]``, or `quantiles` (probability to value)."""

    mass: float | None = None
    lower: float | None = None
    upper: float | None = None
    quantiles: Mapping[float, float] | None = None


@dataclass(frozen=True)
class Elicited:
    """A distribution elicited from a judgement.

    Parameters
    ----------
    judgement : Judgement
        As stated.
    distribution : Distribution
        The fitted member of the family asked for.
    fitted_quantiles : mapping of probability to value
        At 5, 25, 50, 75 and 95%, and at the stated probabilities.
    fit_error : float
        Interval: distance between stated and fitted mass. Quantiles: see
        :class:`cba.inputs.quantile_fits.QuantileFit`.
    method : str
        ``"closed form"``, ``"greatest entropy (PreliZ)"`` or ``"least squares"``.
    alternatives : tuple of Elicited
        The same judgement in up to two other families, best fit first, without alternatives of their own.
    """

    judgement: Judgement
    distribution: Distribution
    fitted_quantiles: Mapping[float, float]
    fit_error: float
    method: str
    alternatives: tuple[Elicited, ...] = ()


def elicit(
    family: str,
    *,
    mass: float | None = None,
    lower: float | None = None,
    upper: float | None = None,
    quantiles: Mapping[float, float] | None = None,
    alternatives: Sequence[str] = ALTERNATIVES,
) -> Elicited:
    """Fit a family to one judgement and store how it was obtained.

    Parameters
    ----------
    family : str
        One of :data:`ALTERNATIVES` for an interval; any family of
        :data:`cba.inputs.distributions.PARAMETERS` but Fixed for quantiles.
    mass : float
        Probability (0 to 1) that the quantity lies between `lower` and `upper`. A Normal, Triangular
        or Uniform is centred on the interval; a HalfNormal or an Exponential needs `lower = 0`.
    lower, upper : float
        The interval, in the unit of the quantity.
    quantiles : mapping, optional
        Probability to value, instead of an interval.
    alternatives : sequence of str
        Families tried for comparison; the two that fit best are kept.

    Returns
    -------
    Elicited

    Raises
    ------
    InputError
        An incomplete or impossible judgement, or a family that cannot meet it.

    Notes
    -----
    Normal: ``sigma = (upper - lower) / 2 / z((1 + mass) / 2)``; HalfNormal: ``upper / z((1 + mass) / 2)``;
    Exponential: ``rate = -ln(1 - mass) / upper``; Uniform and Triangular: half-widths ``h / mass`` and
    ``h / (1 - sqrt(1 - mass))`` for an interval of half-width h. LogNormal, Gamma and Beta: the member of
    greatest differential entropy among those with the stated mass [1]_.

    References
    ----------
    .. [1] Icazatti et al. (2023) PreliZ: a tool-box for prior elicitation. Journal of Open Source Software
       8(89), 5499. https://doi.org/10.21105/joss.05499

    Examples
    --------
    >>> found = elicit("Exponential", mass=0.9, lower=0, upper=4, alternatives=())
    >>> round(found.distribution.parameters["lam"], 6)
    0.575646
    """
    for name in (family, *alternatives):
        check_family(name)
    judgement = Judgement(mass, lower, upper, MappingProxyType(dict(quantiles)) if quantiles else None)
    _check_judgement(judgement)
    chosen = _one(family, judgement)
    others: list[Elicited] = []
    for other in alternatives:
        if other != family:
            try:
                others.append(_one(other, judgement))
            except InputError:
                continue  # this family cannot hold the judgement: it is no alternative
    best = tuple(sorted(others, key=lambda found: round(found.fit_error, 6))[:2])
    return Elicited(
        judgement, chosen.distribution, chosen.fitted_quantiles, chosen.fit_error, chosen.method, best
    )


def _check_judgement(judgement: Judgement) -> None:
    """Refuse a judgement that is neither a complete interval nor a set of quantiles, or is both."""
    interval = (judgement.mass, judgement.lower, judgement.upper)
    given = [value is not None for value in interval]
    if judgement.quantiles is not None and not any(given):
        return
    complete = all(given) and judgement.quantiles is None
    finite = complete and all(math.isfinite(value) for value in interval if value is not None)
    if (
        not finite
        or not 0 < float(judgement.mass or 0) < 1
        or not float(judgement.lower or 0) < float(judgement.upper or 0)
    ):
        raise InputError(
            "a judgement is neither a full interval nor a set of quantiles",
            field="judgement",
            found=f"mass {judgement.mass}, interval {judgement.lower} to {judgement.upper}",
            allowed="mass in (0, 1) with lower < upper, or quantiles alone",
            cause="per cent for a proportion, or the ends swapped",
            remedy="state mass, lower and upper",
        )


def _one(family: str, judgement: Judgement) -> Elicited:
    """Fit one family to a judgement."""
    if judgement.quantiles is not None:
        fit = fit_quantiles(family, quantiles=judgement.quantiles)
        return Elicited(
            judgement, fit.distribution, _quantiles(fit.distribution, judgement), fit.error, fit.method
        )
    assert judgement.mass is not None and judgement.lower is not None and judgement.upper is not None
    parameters = _interval_closed_form(family, judgement.mass, judgement.lower, judgement.upper)
    method = "closed form"
    if parameters is None:
        parameters = _greatest_entropy(family, judgement.mass, judgement.lower, judgement.upper)
        method = "greatest entropy (PreliZ)"
    fitted = distribution(family, parameters=parameters)
    held = float(fitted.cdf(judgement.upper) - fitted.cdf(judgement.lower))
    error = abs(held - judgement.mass)
    if error > MASS_TOLERANCE:
        raise _cannot(family, judgement, f"mass {held:.6g}")
    return Elicited(judgement, fitted, _quantiles(fitted, judgement), error, method)


def _quantiles(fitted: Distribution, judgement: Judgement) -> Mapping[float, float]:
    probabilities = sorted({*_REPORTED, *(judgement.quantiles or ())})
    return MappingProxyType({p: float(fitted.ppf(p)) for p in probabilities})


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
    judgement = Judgement(mass, lower, upper)
    if family not in ("LogNormal", "Gamma", "Beta"):
        raise _cannot(family, judgement, "no rule for this family and interval")
    if lower < 0 or (family == "Beta" and upper > 1):
        raise _cannot(family, judgement, "an interval outside the support")
    import preliz

    member: Any = getattr(preliz, family)()
    with np.errstate(all="ignore"):  # its optimiser steps outside the family's limits on the way
        preliz.maxent(member, lower, upper, mass, plot=False)
    return {name: float(value) for name, value in zip(member.param_names, member.params, strict=True)}


def _cannot(family: str, judgement: Judgement, found: str) -> InputError:
    return InputError(
        f"a {family} cannot hold this judgement",
        field="judgement",
        found=found,
        allowed=f"mass {judgement.mass} in {judgement.lower} to {judgement.upper}, within {MASS_TOLERANCE:g}",
        cause="a family whose support or shape excludes the interval",
        remedy="choose another family, or state quantiles",
    )
