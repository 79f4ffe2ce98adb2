"""Reach: the share of would-be starts among children whom family help would serve, by age, derived and not guessed.

Of S_a starts in an age band, N_a b_a are of eligible children, with N_a the eligible children and b_a their
yearly risk of starting to be looked after, so phi_a = N_a b_a / S_a. Only N and b over all ages are stated; the
age pattern follows from how eligible children and their relative risks are spread over the ages, and no phi_a can
pass 1. Written on any array module, so that a fitted model and the draws of a run use the same lines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.models.flow_rates import flow_rates

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry

ELIGIBLE, RISK = "family_help.eligible_children", "family_help.yearly_entry_risk"
SHARES = tuple(f"family_help.eligible_share_{age}" for age in AGE_BANDS)
RELATIVE_RISKS = ("family_help.relative_risk_under_1", "family_help.relative_risk_16_plus")
TILTS = ("family_help.age_tilt_under_1", "family_help.age_tilt_16_plus")
REACH_ENTRIES = (ELIGIBLE, RISK, *SHARES, *RELATIVE_RISKS, *TILTS)
"""Registry entries that are random variables of the synthesis: their posterior goes downstream."""

STEPS = 3
"""Newton steps: over draws of the shipped priors the largest error left is 2e-11."""


def recent_starts(observations: xr.Dataset, *, uasc_leave_share: float = 0.5) -> dict[str, float]:
    """Children starting to be looked after in the last published year, without unaccompanied children.

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.
    uasc_leave_share : float
        As in :func:`cba.models.flow_rates.flow_rates`; acts on releases that do not publish starts of
        unaccompanied children only.

    Returns
    -------
    dict of str to float
        Children a year by age band.

    Examples
    --------
    >>> import cba
    >>> round(sum(recent_starts(cba.load_observations(2024)).values()))
    25790
    """
    rates = flow_rates(observations, uasc_leave_share=uasc_leave_share)
    starts = np.exp(rates.values[: len(AGE_BANDS), -1]) * rates.population
    return dict(zip(AGE_BANDS, starts.tolist(), strict=True))


def checked_starts(starts: Mapping[str, float], priors: PriorRegistry) -> np.ndarray:
    """Starts in the order of the age bands, refused where eligible children could start more than all do.

    Parameters
    ----------
    starts : mapping of str to float
        Children a year by age band.
    priors : PriorRegistry
        Gives the upper ends of eligible children and of their risk.

    Returns
    -------
    ndarray, shape (age,)

    Raises
    ------
    InputError
        For a missing or impossible number, or where reach could pass 1.

    Examples
    --------
    >>> import cba
    >>> checked_starts(dict.fromkeys(AGE_BANDS, 6000.0), cba.load_priors()).sum()
    np.float64(30000.0)
    """
    values = np.array([starts.get(age, math.nan) for age in AGE_BANDS], dtype=float)
    if set(starts) != set(AGE_BANDS) or not (values > 0).all():
        raise InputError(
            "starts by age are not complete",
            field="starts",
            found=dict(starts),
            allowed="a number above 0 for each of " + ", ".join(AGE_BANDS),
            cause="an age band left out",
            remedy="use cba.models.reach.recent_starts",
        )
    most = priors[ELIGIBLE].support[1] * priors[RISK].support[1]
    if not most <= values.sum():
        raise InputError(
            "family help would reach more starts than there are",
            file="priors/effects.toml",
            field=f"{ELIGIBLE}, {RISK}",
            found=f"upper bounds give {most:,.0f} starts of {values.sum():,.0f}",
            allowed="upper bounds whose product is at most the yearly starts",
            cause="an entry risk that is a share in care at follow-up, not a yearly risk",
            remedy="lower the upper bounds",
        )
    return values


def reach_by_age(overall: Any, weights: Any, starts_share: np.ndarray, *, arrays: Any = np) -> Any:
    """Reach by age band whose average over starts is the overall reach.

    Parameters
    ----------
    overall : array, shape (..., 1)
        Eligible children times their yearly risk over all starts; in (0, 1).
    weights : array, shape (..., age)
        Where the starts of eligible children fall: share of eligible children times relative risk, any scale.
    starts_share : ndarray, shape (age,)
        Share of all starts by age band; sums to 1.
    arrays : module
        NumPy, or ``pytensor.tensor`` inside a model.

    Returns
    -------
    array, shape (..., age)

    Notes
    -----
    ``logit phi_a = l + ln(w_a / s_a)`` with l solved for so that ``sum_a s_a phi_a = phi``. Where reach is small
    this is phi_a = phi (w_a / s_a) / sum(w), the plain ratio of eligible starts to all starts; as it grows no
    band can pass 1, because there are no more starts than all.

    Examples
    --------
    >>> shares = np.array([0.2, 0.8])
    >>> found = reach_by_age(np.array([[0.4]]), np.array([[0.1, 0.9]]), shares)
    >>> found.round(4).tolist(), float((found @ shares).round(12)[0])
    ([[0.2558, 0.4361]], 0.4)
    """
    pattern = arrays.log(weights / starts_share)
    target = arrays.log(overall / (1.0 - overall))
    centred = pattern - arrays.sum(pattern * starts_share, axis=-1, keepdims=True)
    level = target
    for _ in range(STEPS):
        share = 1.0 / (1.0 + arrays.exp(-(level + centred)))
        mean = arrays.sum(share * starts_share, axis=-1, keepdims=True)
        slope = arrays.sum(share * (1.0 - share) * starts_share, axis=-1, keepdims=True)
        level = level - (arrays.log(mean / (1.0 - mean)) - target) * mean * (1.0 - mean) / slope
    return 1.0 / (1.0 + arrays.exp(-(level + centred)))


def log_change_in_starts(
    coverage: Any, reach: Any, log_risk_ratio: Any, tilt: Any, ages: np.ndarray, *, arrays: Any = np
) -> Any:
    """Log of starts with family help over starts without, in an area of which part is covered.

    Parameters
    ----------
    coverage : array, shape (..., study)
        Share of eligible children served, in (0, 1).
    reach : array, shape (..., age)
        As returned by :func:`reach_by_age`.
    log_risk_ratio : array, shape (..., study)
        Effect on a child served.
    tilt : array, shape (..., age)
        Multiple of that effect by age.
    ages : ndarray, shape (study, age)
        Share of the study's starts by age; rows sum to 1.
    arrays : module
        NumPy, or ``pytensor.tensor`` inside a model.

    Returns
    -------
    array, shape (..., study)

    Notes
    -----
    ``ln(1 - c sum_a s_a phi_a (1 - RR^tilt_a))``.

    Examples
    --------
    >>> found = log_change_in_starts(
    ...     np.array([0.5]), np.array([0.4, 0.4]), np.log([0.8]), np.ones(2), np.array([[0.5, 0.5]])
    ... )
    >>> found.round(6).tolist() == np.log([1 - 0.5 * 0.4 * 0.2]).round(6).tolist()
    True
    """
    effect = 1.0 - arrays.exp(log_risk_ratio[..., :, None] * tilt[..., None, :])
    return arrays.log1p(-coverage * arrays.sum(reach[..., None, :] * effect * ages, axis=-1))


def tilt_by_age(under_1: Any, plus_16: Any, *, arrays: Any = np) -> Any:
    """Stack a value under 1, ones between and a value at 16 and over along a last axis of age.

    Parameters
    ----------
    under_1, plus_16 : array
        Same shape.
    arrays : module
        NumPy, or ``pytensor.tensor`` inside a model.

    Returns
    -------
    array, shape (..., age)

    Examples
    --------
    >>> tilt_by_age(np.float64(0.6), np.float64(0.7)).tolist()
    [0.6, 1.0, 1.0, 1.0, 0.7]
    """
    one = arrays.ones_like(under_1)
    return arrays.stack([under_1, *[one] * (len(AGE_BANDS) - 2), plus_16], axis=-1)


def reach_of_draws(draws: Mapping[str, Any], starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reach over all ages and by age, from draws of the entries it is derived from.

    Parameters
    ----------
    draws : mapping of str to array, shape (sample,)
        Holds :data:`REACH_ENTRIES`.
    starts : ndarray, shape (age,)
        Children starting a year, without unaccompanied children.

    Returns
    -------
    overall : ndarray, shape (sample,)
    by_age : ndarray, shape (sample, age)

    Raises
    ------
    InputError
        If family help would reach more starts than there are.

    Examples
    --------
    >>> import cba
    >>> drawn = cba.load_priors().sample(100, seed=0)
    >>> overall, by_age = reach_of_draws(drawn, np.full(5, 5200.0))
    >>> by_age.shape, bool(np.allclose(by_age.mean(axis=1), overall))
    ((100, 5), True)
    """
    overall = np.asarray(draws[ELIGIBLE]) * np.asarray(draws[RISK]) / starts.sum()
    if (overall >= 1.0).any():
        raise InputError(
            "family help would reach more starts than there are",
            file="priors/effects.toml",
            field=f"{ELIGIBLE}, {RISK}",
            found=f"reach up to {overall.max():.2f}",
            allowed="eligible children x yearly entry risk below the yearly starts",
            cause="an entry risk that is a share in care at follow-up, not a yearly risk",
            remedy="lower the upper bounds",
        )
    shares = np.stack([np.asarray(draws[name]) for name in SHARES], axis=-1)
    relative = tilt_by_age(*(np.asarray(draws[name]) for name in RELATIVE_RISKS))
    by_age = reach_by_age(overall[:, None], shares * relative, starts / starts.sum())
    return overall, by_age
