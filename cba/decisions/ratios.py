"""Ratios of benefit to cost: always a ratio of means over draws, never a mean of ratios."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from cba.decisions.draws import FloatArray, refuse_non_finite, require_dims, require_same_draws
from cba.errors import InputError


@dataclass(frozen=True)
class Mvpf:
    """Marginal value of public funds.

    Parameters
    ----------
    value : float
        Pounds of benefit per pound of net cost; infinite where the policy pays for itself; NaN where it
        neither benefits anyone nor costs anything.
    probability_self_financing : float
        Share of draws in which net cost is not above zero.
    willingness_to_pay, net_cost : float
        Means over draws, present value.
    """

    value: float
    probability_self_financing: float
    willingness_to_pay: float
    net_cost: float


def mvpf(willingness_to_pay: ArrayLike, net_cost: ArrayLike) -> Mvpf:
    """Marginal value of public funds: beneficiaries' willingness to pay over net cost to government.

    Parameters
    ----------
    willingness_to_pay : float or array (sample,), present value, GBP
        What the policy is worth to those it reaches.
    net_cost : float or array (sample,), present value, GBP
        Spending less all savings and taxes it brings; paired with `willingness_to_pay`.

    Returns
    -------
    Mvpf

    Raises
    ------
    InputError
        If the draws are unpaired or not finite.

    Notes
    -----
    ``mean(WTP) / mean(net cost)`` [1]_; with mean net cost at or below zero and mean WTP above, infinite.
    With both at or below zero the ratio says nothing and is missing. It is not additive over draws: the mean
    of ratios is not reported.

    References
    ----------
    .. [1] Hendren & Sprung-Keyser (2020) *Quarterly Journal of Economics* 135:1209-1318.

    Examples
    --------
    >>> round(mvpf(49_170, 28_020).value, 4)
    1.7548
    >>> result = mvpf([10.0, 10.0], [5.0, -5.0])
    >>> result.value, result.probability_self_financing
    (inf, 0.5)
    """
    benefit, cost = _paired(willingness_to_pay, net_cost, fields=("willingness_to_pay", "net_cost"))
    mean_benefit, mean_cost = float(benefit.mean()), float(cost.mean())
    if mean_cost > 0:
        value = mean_benefit / mean_cost
    else:
        value = np.inf if mean_benefit > 0 else np.nan
    return Mvpf(value, float((cost <= 0).mean()), mean_benefit, mean_cost)


def benefit_cost_ratio(benefits: xr.DataArray, costs: xr.DataArray) -> xr.DataArray:
    """Ratio of mean present value of benefits to mean present value of costs.

    Parameters
    ----------
    benefits, costs : DataArray, dims (sample, ...), present value, GBP
        Paired draws. What is a benefit and what is a negative cost must be settled before: the ratio moves if
        a saving changes sides.

    Returns
    -------
    DataArray, dims (...)
        Missing where mean cost is not above zero.

    Raises
    ------
    InputError
        If the draws are unpaired or not finite.

    Examples
    --------
    Ratios of 4 and 1 average 2.5; the policy returns 2 for each pound.

    >>> benefits = xr.DataArray([40.0, 20.0], dims="sample")
    >>> costs = xr.DataArray([10.0, 20.0], dims="sample")
    >>> float(benefit_cost_ratio(benefits, costs))
    2.0
    """
    for array, field in ((benefits, "benefits"), (costs, "costs")):
        require_dims(array, ("sample",), field=field, exact=False)
    require_same_draws(benefits, costs, fields=("benefits", "costs"))
    for dim in set(benefits.dims) & set(costs.dims) - {"sample"}:
        if (
            dim in benefits.indexes
            and dim in costs.indexes
            and not benefits.indexes[dim].equals(costs.indexes[dim])
        ):
            raise InputError(
                "benefits and costs are labelled differently",
                field=str(dim),
                found=f"{list(benefits.indexes[dim])} and {list(costs.indexes[dim])}",
                allowed="identical labels in the same order",
                remedy=f"benefits.sel({dim}=costs['{dim}'])",
            )
    mean_cost = costs.mean("sample")
    return (benefits.mean("sample") / mean_cost.where(mean_cost > 0)).rename("benefit_cost_ratio")


def _paired(one: ArrayLike, two: ArrayLike, *, fields: tuple[str, str]) -> tuple[FloatArray, FloatArray]:
    if isinstance(one, xr.DataArray) and isinstance(two, xr.DataArray) and one.ndim == 1 == two.ndim:
        require_dims(one, ("sample",), field=fields[0])
        require_dims(two, ("sample",), field=fields[1])
        require_same_draws(one, two, fields=fields)
    first, second = np.asarray(one, dtype=np.float64), np.asarray(two, dtype=np.float64)
    refuse_non_finite(first, field=fields[0])
    refuse_non_finite(second, field=fields[1])
    if first.shape != second.shape or first.ndim > 1 or not first.size:
        raise InputError(
            f"{fields[0]} and {fields[1]} are not paired draw by draw",
            field="sample",
            found=f"shapes {first.shape} and {second.shape}",
            allowed="two numbers, or two arrays of equal length",
        )
    return first, second
