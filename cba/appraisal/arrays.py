"""Labelled arrays of an appraisal, from the accounts of its options; every option on the same draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.appraisal.record import stacked
from cba.costs.discounting import discount_factors
from cba.costs.system_cost import last_accounts, system_cost
from cba.dimensions import AGE_BANDS, PLACEMENTS

if TYPE_CHECKING:
    from cba.appraisal.stages import Inputs
    from cba.costs.option_account import CostBasis, OptionAccount
    from cba.projection.care_system import CareSystem


@dataclass(frozen=True)
class OptionArrays:
    """Arrays by option; `year` runs to the later of horizon and target year, except in ``flows_long``.

    Attributes
    ----------
    children, placements, cash_flow, system_cost, npv, child_years_safe, child_years_harm
        As in :class:`cba.appraisal.record.Appraisal`.
    npv_long : DataArray, dims (sample, option)
        Net present value to the long horizon.
    flows_long : DataArray, dims (sample, option, year)
        Net saving of each year to the long horizon, undiscounted; positive is a saving.
    bau_parts : dict of str to ndarray
        Parts of the system cost under business as usual, (sample, year), to the long horizon.
    """

    children: xr.DataArray
    placements: xr.DataArray
    cash_flow: xr.DataArray
    system_cost: xr.DataArray
    npv: xr.DataArray
    npv_long: xr.DataArray
    flows_long: xr.DataArray
    child_years_safe: xr.DataArray
    child_years_harm: xr.DataArray
    bau_parts: dict[str, np.ndarray]


def option_arrays(inputs: Inputs, system: CareSystem, basis: CostBasis, accounts: dict[str, OptionAccount]
                  ) -> OptionArrays:
    """Stack the accounts of the options into labelled arrays.

    Parameters
    ----------
    inputs : Inputs
    system : CareSystem
    basis : CostBasis
    accounts : dict of str to OptionAccount
        By option id, in the order of the analysis.

    Returns
    -------
    OptionArrays
        Sums over ``line`` equal the net cash flow; children by age and by placement sum to the same total.
    """
    analysis, years = inputs.analysis, system.years
    last = max(analysis.start_year + analysis.horizon - 1, analysis.target_year)
    shown = years <= last
    usual = system.baseline["children"].transpose("sample", "year", "age").values
    placed = usual.sum(-1)[..., None] * system.placement_mix
    calendar = {"year": years[shown]}
    children = stacked({o: (usual - a.children.fewer_by_age)[:, shown] for o, a in accounts.items()},
                       dims=("year", "age"), coords={**calendar, "age": list(AGE_BANDS)})
    placements = stacked(
        {o: (placed - a.children.fewer_by_placement - a.children.moved)[:, shown] for o, a in accounts.items()},
        dims=("year", "placement"), coords={**calendar, "placement": list(PLACEMENTS)})
    net = {o: net_saving(a) for o, a in accounts.items()}
    flows = stacked(net, dims=("year",), coords={"year": years})
    parts = system_cost(last_accounts(inputs.observations, price_base=basis.price_base, prices=basis.index),
                        children=usual.sum(-1), placement_mix=system.placement_mix, prices=basis.prices,
                        population=_population(system), parameters=system.parameters, years=years,
                        observations=inputs.observations)
    usual_cost = sum(parts.values())
    cost = stacked({o: (usual_cost - net[o])[:, shown] for o in accounts}, dims=("year",), coords=calendar)
    factors = _factors(analysis, years)
    within = (years >= analysis.start_year) & (years < analysis.start_year + analysis.horizon)
    safe = {o: (_averted_years(a) * (factors * within)).sum(axis=1) for o, a in accounts.items()}
    harm_share = system.value("family_help.harm_share")
    return OptionArrays(
        children, placements, _cash_flow(accounts, shown, calendar), cost,
        (flows * xr.DataArray(factors * within, dims="year")).sum("year"),
        (flows * xr.DataArray(factors, dims="year")).sum("year"), flows,
        stacked({o: y * (1.0 - harm_share) for o, y in safe.items()}, dims=(), coords={}),
        stacked({o: y * harm_share for o, y in safe.items()}, dims=(), coords={}), parts)


def net_saving(account: OptionAccount) -> np.ndarray:
    """Savings less costs of each year, undiscounted, (sample, year)."""
    zero = np.zeros_like(account.recurrent)
    return sum((line.amount for line in account.savings), zero) - sum((line.amount for line in account.costs), zero)


def _factors(analysis, years: np.ndarray) -> np.ndarray:
    """Discount factors of calendar years, 0 before the start: nothing is spent or saved before it."""
    offsets = years - analysis.start_year
    factors = np.zeros(years.size)
    factors[offsets >= 0] = discount_factors(offsets[offsets >= 0], analysis.schedule, mid_year=analysis.mid_year)
    return factors


def _averted_years(account: OptionAccount) -> np.ndarray:
    """Child-years at home or with family rather than in care, from numbers at both ends of each year."""
    fewer = account.children.fewer_by_age.sum(axis=-1)
    before = np.concatenate([np.zeros_like(fewer[:, :1]), fewer[:, :-1]], axis=1)
    return (before + fewer) / 2.0


def _population(system: CareSystem) -> np.ndarray:
    """Children aged 0 to 17 in each year, (sample, year)."""
    return system.baseline["population"].transpose("sample", "year").values


def _cash_flow(accounts: dict[str, OptionAccount], shown: np.ndarray, calendar) -> xr.DataArray:
    """Join the lines of all options: costs positive, savings negative."""
    keys: dict[tuple[str, str, str], None] = {}
    by_option: dict[str, dict[tuple[str, str, str], np.ndarray]] = {}
    for option, account in accounts.items():
        lines = by_option.setdefault(option, {})
        for line in account.costs:
            key = (line.component, line.payer, line.kind)
            lines[key] = lines.get(key, 0.0) + line.amount[:, shown]
        for line in account.savings:
            key = (line.component, line.payer, "saving")
            lines[key] = lines.get(key, 0.0) - line.amount[:, shown]
        keys.update(dict.fromkeys(lines))
    zero = np.zeros_like(next(iter(accounts.values())).recurrent[:, shown])
    arrays = {o: np.stack([lines.get(key, zero) for key in keys], axis=-1) for o, lines in by_option.items()}
    names = {name: ("line", [key[i] for key in keys]) for i, name in enumerate(("component", "payer", "kind"))}
    return stacked(arrays, dims=("year", "line"),
                   coords={**calendar, "line": ["/".join(key) for key in keys], **names})
