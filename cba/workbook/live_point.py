"""The package's own appraisal at one point: every uncertain input at one value, rates staying where they are.

It runs the ordinary stages on a single draw. Only business as usual differs from an appraisal: no yearly steps are
drawn, so rates of starts, exits and ageing stay at their last fitted level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.appraisal.inputs import LEVEL, refuse_draws_of_another_version
from cba.costs.account import CostBasis, OptionAccount, total_cost, total_saving
from cba.costs.discounting import discount_factors
from cba.costs.option_account import option_account
from cba.costs.prices import PriceIndex, placement_prices
from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.models.baseline import FlowRates, flow_rates
from cba.projection.business_as_usual import business_as_usual, future_population
from cba.projection.care_system import CareSystem, care_system
from cba.projection.stay_length import StayLength, stay_length

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal
    from cba.inputs.analyses import Analysis
    from cba.inputs.options import Option


@dataclass(frozen=True)
class Point:
    """One point worked out by the package; arrays have one sample."""

    analysis: Analysis
    value: Mapping[str, float]  # every uncertain input; money in the price base
    options: Mapping[str, Option]  # worked out here, by id
    left_out: Mapping[str, str]  # options that are not, and why
    system: CareSystem
    basis: CostBasis
    stays: StayLength
    starts: np.ndarray  # (age,): starts of the last published year that are not unaccompanied
    accounts: Mapping[str, OptionAccount]
    levels: Mapping[int, float]  # price level by year, from the first published to the last shown

    def factor(self, price_year: int | str, year: int) -> float:
        """Factor from stated prices to the price base, as `conversion`."""
        stated = year if price_year == "cash" else int(price_year)
        return self.levels[self.analysis.price_base] / self.levels[stated]

    @property
    def years(self) -> list[int]:
        """Years ending 31 March, from the one after the last observed."""
        return [int(year) for year in self.system.years]

    def net(self, option: str) -> np.ndarray:
        """Net saving of each year, undiscounted. Shape (year,), GBP of the price base."""
        account = self.accounts[option]
        return (total_saving(account) - total_cost(account))[0]

    def npv(self, option: str) -> float:
        """Net present value over the headline horizon. GBP of the price base, positive for a net saving."""
        offsets = np.array(self.years) - self.analysis.start_year
        within = (offsets >= 0) & (offsets < self.analysis.horizon)
        factors = discount_factors(offsets[within], self.analysis.schedule, mid_year=self.analysis.mid_year)
        return float(self.net(option)[within] @ factors)


def worked_point(
    appraisal: Appraisal,
    *,
    changes: Mapping[str, float] | None = None,
    observations: xr.Dataset | None = None,
) -> Point:
    """Work every option out at the mean of each uncertain input."""
    value = _values(appraisal, changes or {})
    try:
        return _worked(appraisal, value, observations=observations)
    except KeyError:  # draws that lack nothing do not explain it: then it is a mistake and stays one
        from cba.inputs.priors import load_priors

        refuse_draws_of_another_version(value, registry=load_priors())
        raise


def _worked(appraisal: Appraisal, value: Mapping[str, float], *, observations: xr.Dataset | None) -> Point:
    from cba.inputs.observations import load_observations

    analysis = appraisal.analysis
    seen = load_observations(analysis.release) if observations is None else observations
    rates = flow_rates(seen, uasc_leave_share=_leave_share(appraisal))
    last_year = max(analysis.start_year + analysis.horizon - 1, analysis.target_year)
    years = range(int(rates.years[-1]) + 1, last_year + 1)
    parameters = xr.Dataset({name: ("sample", [one]) for name, one in value.items()})
    drift = parameters["prices.deflator_growth"]
    growth = drift.copy(data=np.expm1(drift.values))
    index = PriceIndex(published=seen["gdp_deflator"], growth_beyond=growth)
    usual = _usual(seen, parameters, rates, years=years)
    stays, starts = stay_length(seen), np.exp(rates.values[:5, -1]) * rates.population
    alone = float(np.exp(rates.values[-1, -1]))
    system = care_system(seen, usual, parameters, stays=stays, reachable_starts=starts, uasc_starts=alone)
    prices = placement_prices(
        seen, parameters, years=system.years, price_base=analysis.price_base, prices=index
    )
    basis = CostBasis(prices, index, analysis.price_base, analysis.start_year)
    options, left_out = _options(appraisal, last_year=last_year)
    accounts = {name: option_account(option, system, basis) for name, option in options.items()}
    levels = {year: float(index.index(year).squeeze()) for year in range(index.first_year, last_year + 1)}
    return Point(analysis, value, options, left_out, system, basis, stays, starts, accounts, levels)


def _values(appraisal: Appraisal, changes: Mapping[str, float]) -> dict[str, float]:
    """Return the mean of every input, or the value it is held at."""
    drawn = appraisal.parameters
    if drawn.sizes.get("sample", 0) == 0:
        raise InputError(
            "there are no draws to take a mean of",
            field="stance",
            found=appraisal.stance,
            allowed="a stance with draws",
            cause="no draw met the conditions of the stance",
            remedy="use the headline stance",
        )
    unknown = sorted(set(changes) - {str(name) for name in drawn.data_vars})
    if unknown:
        raise InputError(
            "a change names no uncertain input",
            field="changes",
            found=unknown[0],
            allowed="names of appraisal.parameters",
            cause="a misspelt name",
            remedy="list(appraisal.parameters.data_vars)",
        )
    return {str(n): float(changes.get(str(n), drawn[n].values.mean())) for n in drawn.data_vars}


def _leave_share(appraisal: Appraisal) -> float:
    """Return the share of unaccompanied children who leave in a year, as the baseline was fitted with."""
    priors = appraisal.tables["priors"]
    row = priors[priors["name"] == "baseline.uasc_leave_share"]
    return float(row["q50"].iloc[0])


def _usual(seen: xr.Dataset, parameters: xr.Dataset, rates: FlowRates, *, years: range) -> xr.Dataset:
    """Return business as usual with every rate at its last fitted level."""
    level = {str(n)[len(LEVEL) :]: float(parameters[n][0]) for n in parameters if str(n).startswith(LEVEL)}
    steps = np.ones((1, len(years)))
    ageing = {age: _share(level[f"logit_ageing_{age}"]) for age in AGE_BANDS[1:4]}
    by_age = {
        "start_rate": [float(np.exp(level[f"log_start_rate_{age}"])) for age in AGE_BANDS],
        "exit": [_share(level[f"logit_exit_{age}"]) for age in AGE_BANDS],
        "ageing": [ageing.get(age, 0.0) for age in AGE_BANDS],
    }
    held = xr.Dataset(
        {
            **{n: (("sample", "year", "age"), steps[..., None] * np.array(v)) for n, v in by_age.items()},
            "stay": (("sample", "year"), steps * _share(level["logit_stay_under_1"])),
            "closure_rate": (("sample", "year"), steps * np.exp(level["log_closure_rate"])),
            "uasc_starts": (("sample", "year"), steps * np.exp(level["log_uasc_starts"])),
        },
        coords={"year": list(years), "age": list(AGE_BANDS)},
    )
    known = xr.Dataset(
        {"stock": ("age", rates.stock), "uasc_share": ("age", rates.uasc_share)},
        coords={"age": list(AGE_BANDS)},
    )
    people = future_population(seen, years=years, growth=parameters["baseline.population_growth"])
    return business_as_usual(xr.DataTree.from_dict({"constant_data": known}), held, people)


def _share(log_odds: float) -> float:
    return float(1.0 / (1.0 + np.exp(-log_odds)))


def _options(appraisal: Appraisal, *, last_year: int) -> tuple[dict[str, Option], dict[str, str]]:
    """Return the options that fit the one layout, and why the others do not."""
    from cba.inputs.options import load_options

    analysis = appraisal.analysis
    if analysis.scenarios.review_price_year is None:
        loaded = load_options(analysis.options, own=analysis.own_options)
    else:
        from cba.appraisal.inputs import read_inputs

        loaded = read_inputs(analysis, stance=appraisal.stance).options
    known = appraisal.provenance.get("fingerprints", {}).get("options", {})
    kept, left_out = {}, {}
    for option in loaded:
        when = [year for line in option.spend_by_year(analysis.start_year).values() for year in line]
        if option.id == "bau":
            continue
        if option.financing == "reinvest":
            left_out[option.id] = "its recurrent money depends on its own savings of the year before"
        elif known.get(option.id, option.fingerprint()) != option.fingerprint():
            left_out[option.id] = "its file has changed since the run"
        elif max(when, default=0) > last_year:
            left_out[option.id] = "it spends after the years shown"
        else:
            kept[option.id] = option
    return kept, left_out
