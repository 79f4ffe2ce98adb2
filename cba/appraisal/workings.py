"""The stages of an appraisal, in order: inputs, fits, business as usual, options, money, headline, tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from cba.appraisal.arrays import OptionArrays, option_arrays
from cba.appraisal.inputs import Inputs, fitted, joint_draws
from cba.costs.account import CostBasis, OptionAccount
from cba.costs.option_account import option_account
from cba.costs.prices import PriceIndex, in_price_base, placement_prices
from cba.inputs.options import Option
from cba.projection.business_as_usual import business_as_usual, future_population
from cba.projection.care_system import CareSystem, care_system
from cba.projection.processes import usual_rates
from cba.projection.stay_length import stay_length


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

    def option(self, name: str) -> Option:
        """Return an option of the analysis by its id."""
        return next(option for option in self.inputs.options if option.id == name)


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
    parameters = in_price_base(drawn, inputs.priors, price_base=analysis.price_base, prices=index)
    system = _care_system(inputs, baseline, parameters)
    prices = placement_prices(
        observations, parameters, years=system.years, price_base=analysis.price_base, prices=index
    )
    basis = CostBasis(prices, index, analysis.price_base, analysis.start_year)
    accounts = {option.id: option_account(option, system, basis) for option in inputs.options}
    arrays = option_arrays(inputs, system, basis, accounts)
    chains = int(baseline["posterior"].sizes["chain"])
    return Workings(inputs, baseline, effects, system, basis, accounts, arrays, chains)


def _care_system(inputs: Inputs, baseline: xr.DataTree, parameters: xr.Dataset) -> CareSystem:
    analysis = inputs.analysis
    constant = baseline["constant_data"].to_dataset()
    first = int(constant["last_year"]) + 1
    years = range(first, analysis.start_year + analysis.long_horizon)
    people = future_population(
        inputs.observations, years=years, growth=parameters["baseline.population_growth"]
    )
    rates = usual_rates(baseline, years=years, population=people, parameters=parameters, seed=analysis.seed)
    usual = business_as_usual(baseline, rates, people)
    last = np.exp(constant["observed_rates"].isel(year=-1).values)
    reachable = last[:5] * float(constant["population"])
    return care_system(
        inputs.observations,
        usual,
        parameters,
        stays=stay_length(inputs.observations),
        reachable_starts=reachable,
        uasc_starts=float(last[-1]),
    )
