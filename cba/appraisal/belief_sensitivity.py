"""Whose belief decides: the weight on the evidence, against the sceptic, at which the preferred option changes.

The expected payoff of an option under a mixture of two stances is linear in the weight, so the preferred option is
found exactly, by following the upper envelope of one line per option; no draws are mixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from cba.decisions.monte_carlo_error import mcse_mean
from cba.errors import InputError
from cba.inputs.stance_weights import refuse_review

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal

VALUES = (0.0, 50e3, 100e3, 250e3, 500e3, 1e6, 2.5e6)
"""GBP of the price base for a child-year safely at home: the axis of the table."""


def weight_of_change(
    evidence: Appraisal, sceptical: Appraisal, *, values: Sequence[float] = VALUES
) -> pd.DataFrame:
    """Weights on the evidence over which each option is preferred, at several values of a child-year.

    Parameters
    ----------
    evidence, sceptical : Appraisal
        Of the same analysis, with the same options; draws paired.
    values : sequence of float, >= 0, GBP of the price base
        Value of a child-year safely at home; a child-year of harm costs the same.

    Returns
    -------
    DataFrame
        One row per value and preferred option, from weight 0 (sceptic alone) to 1 (evidence alone):
        value_per_child_year, option, label, weight_from, weight_to, change_se (Monte Carlo standard error of
        weight_from; missing at 0), payoff_from, payoff_to (its expected payoff at the two ends, GBP).

    Raises
    ------
    InputError
        If the options differ, or one of the two is `review`.

    Notes
    -----
    ``U_o(w) = w E_evidence[U_o] + (1 - w) E_sceptical[U_o]`` with ``U = NPV + value (CY_safe - H)``. Between options
    a and b the change is at ``w = -s / (e - s)``, e and s the expected advantages of b under the two stances; its
    error is that of the influence of each paired draw.

    Examples
    --------
    >>> weight_of_change(evidence, sceptical)[["value_per_child_year", "option", "weight_from"]]  # doctest: +SKIP
    """
    for appraisal in (evidence, sceptical):
        refuse_review(appraisal.stance, use="weighed against another stance")
    options = [str(o) for o in evidence.npv["option"].values]
    if options != [str(o) for o in sceptical.npv["option"].values]:
        raise InputError(
            "the two stances hold different options",
            field="options",
            found=[str(o) for o in sceptical.npv["option"].values],
            allowed=options,
            cause="appraisals of two analyses",
            remedy="appraise one analysis under both stances",
        )
    rows = []
    for value in values:
        one, other = _payoff(evidence, value), _payoff(sceptical, value)
        chains = evidence.analysis.chains if one.shape[0] == evidence.analysis.draws else None
        for best, start, end, before in preferred(one.mean(axis=0), other.mean(axis=0)):
            error = np.nan
            if before is not None:
                error = _change_error(
                    one[:, best] - one[:, before], other[:, best] - other[:, before], chains
                )
            payoff = [w * one[:, best].mean() + (1 - w) * other[:, best].mean() for w in (start, end)]
            rows.append(
                {
                    "value_per_child_year": float(value),
                    "option": options[best],
                    "label": evidence.option_labels[options[best]],
                    "weight_from": start,
                    "weight_to": end,
                    "change_se": error,
                    "payoff_from": payoff[0],
                    "payoff_to": payoff[1],
                }
            )
    return pd.DataFrame(rows)


def with_weight_of_change(appraisals: Mapping[str, Appraisal]) -> dict[str, Appraisal]:
    """Add the table ``weight_of_change`` to the first of a run's appraisals where both stances were appraised.

    Parameters
    ----------
    appraisals : mapping of str to Appraisal
        By stance, the headline stance first.

    Returns
    -------
    dict of str to Appraisal
        The same, in the same order.

    Examples
    --------
    >>> with_weight_of_change({})
    {}
    """
    import dataclasses

    done = dict(appraisals)
    if {"evidence", "sceptical"} <= set(done):
        first = next(iter(done))
        table = weight_of_change(done["evidence"], done["sceptical"])
        tables = dict(done[first].tables) | {"weight_of_change": table}
        done[first] = dataclasses.replace(done[first], tables=tables)
    return done


def preferred(evidence: np.ndarray, sceptical: np.ndarray) -> list[tuple[int, float, float, int | None]]:
    """Follow the best of several lines from weight 0 to weight 1.

    Parameters
    ----------
    evidence, sceptical : ndarray, shape (option,)
        Expected payoff of each option at weight 1 and at weight 0.

    Returns
    -------
    list of (option, from, to, option before)
        In order of the weight; the first has no option before it. Where options tie, the one that is better just
        after is taken, then the first listed.

    Examples
    --------
    >>> preferred(np.array([0.0, 3.0]), np.array([0.0, -1.0]))
    [(0, 0.0, 0.25, None), (1, 0.25, 1.0, 0)]
    """
    slope = evidence - sceptical
    best = max(range(len(slope)), key=lambda o: (sceptical[o], slope[o], -o))
    start, before = 0.0, None
    found: list[tuple[int, float, float, int | None]] = []
    while True:
        rising = [o for o in range(len(slope)) if slope[o] > slope[best]]
        crossing = {o: float((sceptical[best] - sceptical[o]) / (slope[o] - slope[best])) for o in rising}
        ahead = {o: w for o, w in crossing.items() if start <= w < 1.0}
        if not ahead:
            return [*found, (best, start, 1.0, before)]
        following = min(ahead, key=lambda o: (ahead[o], -slope[o], o))
        found.append((best, start, ahead[following], before))
        best, start, before = following, ahead[following], best


def _payoff(appraisal: Appraisal, value: float) -> np.ndarray:
    """Payoff of each option in every draw, (sample, option), GBP."""
    worth: xr.DataArray = appraisal.net_benefit(value_per_child_year=value, value_per_harm_year=value)
    return worth.transpose("sample", "option").values


def _change_error(evidence: np.ndarray, sceptical: np.ndarray, chains: int | None) -> float:
    """Monte Carlo standard error of the weight at which an advantage changes sign, by the delta method."""
    e, s = evidence.mean(), sceptical.mean()
    if evidence.size != sceptical.size:
        own, other = s / (e - s) ** 2, -e / (e - s) ** 2
        return float(np.hypot(own * mcse_mean(evidence), other * mcse_mean(sceptical)))
    influence = (s * (evidence - e) - e * (sceptical - s)) / (e - s) ** 2
    return mcse_mean(influence, chains=chains)
