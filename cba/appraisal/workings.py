"""The stages of an appraisal, in order: inputs, fits, business as usual, options, money, headline, tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from cba.appraisal.inputs import Inputs, fitted, joint_draws
from cba.costs.account import CostBasis, OptionAccount, child_years, total_cost, total_saving
from cba.costs.option_account import account_on_top, option_account, run_off_account
from cba.costs.prices import PriceIndex, cash_index, in_price_base, placement_prices
from cba.costs.system_cost import usual_cost
from cba.dimensions import AGE_BANDS, PLACEMENTS
from cba.discounting import discount_factors
from cba.inputs.analyses import Analysis
from cba.inputs.options import DO_MINIMUM, Option
from cba.models.parameters import with_family_help
from cba.models.stays import stay_length
from cba.projection.business_as_usual import business_as_usual, future_population, usual_rates
from cba.projection.care_system import RETURN_YEARS, CareSystem, care_system


@dataclass(frozen=True)
class RunOff:
    """What an option comes to once its money has stopped with the horizon; present values, (sample,)."""

    npv: np.ndarray  # GBP of the price base
    child_years: np.ndarray  # out of care
    help_years: np.ndarray  # child-years of family help: children served in a year, each for a year


@dataclass(frozen=True)
class Workings:
    """What the stages hand to tables and headline."""

    inputs: Inputs
    baseline: xr.DataTree
    effects: xr.DataTree
    system: CareSystem
    basis: CostBasis
    accounts: dict[str, OptionAccount]  # by option id, in the order of the analysis
    arrays: OptionArrays  # the accounts as labelled arrays
    chains: int | None  # Markov chains the draws come from, for their errors; None for independent draws

    @property
    def years(self) -> list[int]:
        """Years ending 31 March of the whole projection."""
        return [int(y) for y in self.system.years]

    @property
    def target(self) -> int:
        """Place of the target year among them."""
        return self.years.index(self.inputs.analysis.target_year)

    @property
    def horizon(self) -> list[int]:
        """Years ending 31 March of the headline horizon."""
        first = self.inputs.analysis.start_year
        return list(range(first, first + self.inputs.analysis.horizon))

    @property
    def factors(self) -> np.ndarray:
        """Discount factors of the headline horizon, (year,)."""
        analysis = self.inputs.analysis
        return discount_factors(np.arange(analysis.horizon), analysis.schedule, mid_year=analysis.mid_year)

    @cached_property
    def run_offs(self) -> dict[str, RunOff]:
        """Every option whose money stops with the horizon, followed over the long horizon; by its id."""
        factors, last = yearly_factors(self.inputs.analysis, self.system.years), self.horizon[-1]
        eligible, found = self.system.value("family_help.eligible_children")[:, None], {}
        for option in self.inputs.options:
            account = run_off_account(option, self.system, self.basis, last_year=last)
            help_years = account.delivered("family_help") * eligible
            lived = child_years(account.children.fewer)
            found[option.id] = RunOff(*(path @ factors for path in (net_saving(account), lived, help_years)))
        return found

    @cached_property
    def on_do_minimum(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Net present value and children fewer in the target year of options on top of the do-minimum, less it alone.

        Options of other areas are left out: coverage of two sets of areas has no joint cap.
        """
        if DO_MINIMUM not in self.accounts:
            return {}
        below, alone, found = self.option(DO_MINIMUM), self.accounts[DO_MINIMUM], {}
        factors = yearly_factors(self.inputs.analysis, self.system.years)
        factors = factors * (self.system.years <= self.horizon[-1])
        for option in self.inputs.options:
            if option.id in ("bau", DO_MINIMUM) or option.areas != below.areas:
                continue
            both = account_on_top(option, self.system, self.basis, below=below, alone=alone)
            gain = (net_saving(both) - net_saving(alone)) @ factors
            fewer = (both.children.fewer - alone.children.fewer)[:, self.target]
            found[option.id] = (gain, fewer)
        return found

    def pound_of(self, year: int) -> float:
        """Money of the price base that buys what one pound of a published year bought."""
        index = self.basis.index
        return float(np.mean(index.index(self.basis.price_base) / index.index(year)))

    def to_cash(self, years: Iterable[int]) -> xr.DataArray:
        """Cash of each year that buys what one pound of the price base buys, dims (year) and perhaps sample."""
        return cash_index(years, price_base=self.basis.price_base, prices=self.basis.index)

    def option(self, name: str) -> Option:
        """Return an option of the analysis by its id."""
        return next(option for option in self.inputs.options if option.id == name)


def run_off(workings: Workings, option: str) -> tuple[np.ndarray, np.ndarray]:
    """Net present value and discounted child-years out of care, (sample,), money stopping with the horizon."""
    found = workings.run_offs[option]
    return found.npv, found.child_years


def work_through(
    inputs: Inputs,
    *,
    baseline: xr.DataTree | None = None,
    effects: xr.DataTree | None = None,
    progress: bool = False,
) -> Workings:
    """Fit where needed, then project and cost every option on common draws."""
    baseline, effects = fitted(inputs, baseline=baseline, effects=effects, progress=progress)
    drawn = joint_draws(inputs, baseline=baseline, effects=effects)
    return worked_options(inputs, drawn, baseline=baseline, effects=effects)


def worked_options(
    inputs: Inputs, drawn: xr.Dataset, *, baseline: xr.DataTree, effects: xr.DataTree
) -> Workings:
    """Project and cost every option on given draws of every parameter."""
    analysis, observations = inputs.analysis, inputs.observations
    growth = drawn["prices.deflator_growth"].copy(data=np.expm1(drawn["prices.deflator_growth"].values))
    index = PriceIndex(published=observations["gdp_deflator"], growth_beyond=growth)
    reachable = reachable_starts(baseline)
    parameters = in_price_base(drawn, inputs.priors, price_base=analysis.price_base, prices=index)
    system = _care_system(inputs, baseline, with_family_help(parameters, reachable), reachable=reachable)
    parameters = system.parameters
    prices = placement_prices(
        observations, parameters, years=system.years, price_base=analysis.price_base, prices=index
    )
    basis = CostBasis(prices, index, analysis.price_base, analysis.start_year, analysis.scenarios.overrun)
    accounts = {option.id: option_account(option, system, basis) for option in inputs.options}
    arrays = option_arrays(inputs, system, basis, accounts)
    chains = int(baseline["posterior"].sizes["chain"])
    return Workings(inputs, baseline, effects, system, basis, accounts, arrays, chains)


def reachable_starts(baseline: xr.DataTree) -> np.ndarray:
    """Starts of the last published year by age, without unaccompanied children."""
    constant = baseline["constant_data"].to_dataset()
    rates = constant["observed_rates"].isel(year=-1, series=slice(len(AGE_BANDS)))
    return np.asarray(np.exp(rates.values) * float(constant["population"]))


def _care_system(
    inputs: Inputs, baseline: xr.DataTree, parameters: xr.Dataset, *, reachable: np.ndarray
) -> CareSystem:
    analysis = inputs.analysis
    constant = baseline["constant_data"].to_dataset()
    first = int(constant["last_year"]) + 1
    years = range(first, analysis.start_year + analysis.long_horizon)
    people = future_population(
        inputs.observations, years=years, growth=parameters["baseline.population_growth"]
    )
    after = analysis.scenarios.returns_after
    rates = usual_rates(baseline, years=years, population=people, parameters=parameters, seed=analysis.seed)
    usual = business_as_usual(baseline, rates, people)
    return care_system(
        inputs.observations,
        usual,
        parameters,
        stays=stay_length(inputs.observations),
        reachable_starts=reachable,
        uasc_starts=float(constant["uasc_starts"]),
        returns=RETURN_YEARS if after is None else tuple(range(after, after + len(RETURN_YEARS))),
    )


# --- The accounts of the options as labelled arrays, every option on the same draws ---


_IN_OUTTURN = ("council", "dfe", "nhs")
"""Payers whose money passes through section 251: councils spend grants and health contributions; courts and
benefits are not in it."""


@dataclass(frozen=True)
class OptionArrays:
    """Arrays by option; `year` runs to the later of horizon and target year, except in ``flows_long``."""

    children: xr.DataArray
    placements: xr.DataArray
    cash_flow: xr.DataArray
    system_cost: xr.DataArray
    npv: xr.DataArray
    npv_long: xr.DataArray  # dims (sample, option): net present value to the long horizon
    # Dims (sample, option, year): net saving of each year to the long horizon, undiscounted; positive is a
    # saving.
    flows_long: xr.DataArray
    child_years_safe: xr.DataArray
    child_years_harm: xr.DataArray
    # Parts of the system cost under business as usual, (sample, year), to the long horizon.
    bau_parts: dict[str, np.ndarray]


def option_arrays(
    inputs: Inputs, system: CareSystem, basis: CostBasis, accounts: dict[str, OptionAccount]
) -> OptionArrays:
    """Stack the accounts of the options into labelled arrays.

    Sums over ``line`` equal the net cash flow; children by age and by placement sum to the same total.
    """
    analysis, years = inputs.analysis, system.years
    shown = years <= max(analysis.start_year + analysis.horizon - 1, analysis.target_year)
    calendar = {"year": years[shown]}
    children, placements = _stocks(system, accounts, shown)
    flows = stacked({o: net_saving(a) for o, a in accounts.items()}, dims=("year",), coords={"year": years})
    parts = usual_cost(
        inputs.observations,
        system,
        placements=basis.prices,
        price_base=basis.price_base,
        prices=basis.index,
    )
    usual = sum(parts.values())
    cost = {o: (usual + _system_change(a))[:, shown] for o, a in accounts.items()}
    factors = yearly_factors(analysis, years)
    within = factors * (years < analysis.start_year + analysis.horizon)
    averted = {o: child_years(a.children.fewer) @ within for o, a in accounts.items()}
    harm_share = system.value("family_help.harm_share")
    return OptionArrays(
        children=children,
        placements=placements,
        cash_flow=_cash_flow(accounts, shown, years),
        system_cost=stacked(cost, dims=("year",), coords=calendar),
        npv=_worth(flows, within),
        npv_long=_worth(flows, factors),
        flows_long=flows,
        child_years_safe=stacked({o: y * (1.0 - harm_share) for o, y in averted.items()}, dims=(), coords={}),
        child_years_harm=stacked({o: y * harm_share for o, y in averted.items()}, dims=(), coords={}),
        bau_parts=parts,
    )


def _stocks(
    system: CareSystem, accounts: dict[str, OptionAccount], shown: np.ndarray
) -> tuple[xr.DataArray, xr.DataArray]:
    """Children looked after at 31 March by age and by placement, for every option."""
    usual = system.baseline["children"].transpose("sample", "year", "age").values
    placed = usual.sum(-1)[..., None] * system.placement_mix
    calendar = {"year": system.years[shown]}
    by_age = {o: (usual - a.children.fewer_by_age)[:, shown] for o, a in accounts.items()}
    by_placement = {
        o: (placed - a.children.fewer_by_placement - a.children.moved)[:, shown] for o, a in accounts.items()
    }
    return (
        stacked(by_age, dims=("year", "age"), coords={**calendar, "age": list(AGE_BANDS)}),
        stacked(by_placement, dims=("year", "placement"), coords={**calendar, "placement": list(PLACEMENTS)}),
    )


def net_saving(account: OptionAccount) -> np.ndarray:
    """Savings less costs of each year, undiscounted, all public payers.

    Shape (sample, year), GBP of the price base.
    """
    return total_saving(account) - total_cost(account)


def _system_change(account: OptionAccount) -> np.ndarray:
    """Change of the system's yearly cost: money of those whose spending the outturn shows, (sample, year)."""
    zero = np.zeros_like(account.recurrent)
    costs = sum((line.amount for line in account.costs if line.payer in _IN_OUTTURN), zero)
    return costs - sum((line.amount for line in account.savings if line.payer in _IN_OUTTURN), zero)


def _worth(flows: xr.DataArray, factors: np.ndarray) -> xr.DataArray:
    """Present value of net savings, dims (sample, option)."""
    return xr.dot(flows, xr.DataArray(factors, dims="year"), dim="year")


def yearly_factors(analysis: Analysis, years: np.ndarray) -> np.ndarray:
    """Discount factors of calendar years, 0 before the start: nothing is spent or saved before it."""
    offsets = years - analysis.start_year
    factors = np.zeros(years.size)
    factors[offsets >= 0] = discount_factors(
        offsets[offsets >= 0], analysis.schedule, mid_year=analysis.mid_year
    )
    return factors


def _cash_flow(accounts: dict[str, OptionAccount], shown: np.ndarray, years: np.ndarray) -> xr.DataArray:
    """Join the lines of all options: costs positive, savings negative."""
    keys: dict[tuple[str, str, str], None] = {}
    by_option: dict[str, dict[tuple[str, str, str], np.ndarray]] = {}
    for option, account in accounts.items():
        lines: dict[tuple[str, str, str], np.ndarray] = by_option.setdefault(option, {})
        amounts = [((c.component, c.payer, c.kind), c.amount[:, shown]) for c in account.costs]
        amounts += [((s.component, s.payer, "saving"), -s.amount[:, shown]) for s in account.savings]
        for key, amount in amounts:
            lines[key] = lines[key] + amount if key in lines else amount
        keys.update(dict.fromkeys(lines))
    zero = np.zeros_like(next(iter(accounts.values())).recurrent[:, shown])
    arrays = {o: np.stack([lines.get(key, zero) for key in keys], axis=-1) for o, lines in by_option.items()}
    names = {
        name: ("line", [key[i] for key in keys]) for i, name in enumerate(("component", "payer", "kind"))
    }
    coords = {"year": years[shown], "line": ["/".join(key) for key in keys], **names}
    return stacked(arrays, dims=("year", "line"), coords=coords)


def stacked(
    arrays: Mapping[str, np.ndarray], *, dims: tuple[str, ...], coords: Mapping[str, Any]
) -> xr.DataArray:
    """Join one array per option along a new ``option`` dimension after ``sample``.

    Dims (sample, option, ...). `arrays` (sample, ...). `dims`: names of the axes after ``sample``.
    """
    data = np.stack(list(arrays.values()), axis=1)
    return xr.DataArray(data, dims=("sample", "option", *dims), coords={"option": list(arrays), **coords})
