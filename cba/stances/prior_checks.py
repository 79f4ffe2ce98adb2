"""Prior checks on policy outputs: what the priors alone say about children, spending and savings.

No study and no yearly change of a series is seen: effects, and how rates move, come from the priors; only the
account of the year a projection starts from is data. A back-cast from the first published account is held against
the years published since; the target year is held against stated plausibility bounds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.inputs import Inputs
from cba.appraisal.quantities import children_in_care, fewer_children, spread_at
from cba.appraisal.workings import Workings
from cba.costs.account import total_saving
from cba.decisions.draws import mcse_probability
from cba.inputs.prior_checks import Bounds, load_plausibility
from cba.models.checks import prior_baseline, prior_effects
from cba.models.parameters import joint_parameters
from cba.models.unit_costs import prior_unit_cost_draws
from cba.projection.business_as_usual import business_as_usual
from cba.projection.processes import usual_rates
from cba.stances.review import CLAIM_COLUMNS, claims_found

COST_LINES = ("total_cla", "total_safeguarding", "total_family_support")
"""Lines of the outturn that make the yearly cost of the system."""


FIRST_COMPARABLE = 2013
"""First year ending 31 March whose outturn is defined as today."""


CHAINS = 2


_STOCK = {"label": "Children looked after at 31 March", "unit": "children"}


TARGETS = {
    "children_in_care": _STOCK,
    "system_cost": {
        "label": "Yearly cost of the system, real, as a multiple of the last outturn",
        "unit": "ratio",
    },
    "fewer_children": {
        "label": "Fewer children under the care review, share of business as usual",
        "unit": "share",
    },
    "annual_saving": {
        "label": "Cashable saving of the care review, share of the cost of the system",
        "unit": "share",
    },
}
"""What is held against plausibility bounds in the target year, with its words."""


def prior_workings(inputs: Inputs, *, draws: int, work: Callable[..., Workings]) -> Workings:
    """Work out every option on draws of the priors alone.

    ``bau`` and, where the analysis has it, the programme of the claims; draws are independent. `inputs`: its
    draws are not used. `work`: ``work(inputs, drawn, baseline=, effects=)``, `worked_options`.
    """
    analysis = inputs.analysis
    looked_at = ("bau", inputs.claims.programme)
    inputs = dataclasses.replace(inputs, options=tuple(o for o in inputs.options if o.id in looked_at))
    each = {"draws": draws // CHAINS, "chains": CHAINS, "seed": analysis.seed}
    baseline = prior_baseline(inputs.observations, inputs.priors, **each)
    effects = prior_effects(inputs.evidence, inputs.priors, observations=inputs.observations, **each)
    drawn = joint_parameters(
        inputs.priors,
        baseline=baseline,
        effects=effects,
        observations=inputs.observations,
        seed=analysis.seed,
    )
    drawn = drawn.assign(
        prior_unit_cost_draws(inputs.priors, draws=drawn.sizes["sample"], seed=analysis.seed)
    )
    return dataclasses.replace(work(inputs, drawn, baseline=baseline, effects=effects), chains=None)


def prior_tables(inputs: Inputs, *, draws: int, work: Callable[..., Workings]) -> dict[str, pd.DataFrame]:
    """What the priors alone say about policy outputs, beside history, plausibility bounds and claims.

    The growth of spending to the target year is held against the real growth over as many years to the last
    outturn, where definitions are comparable.
    """
    # Returned: ``prior_predictive``: columns quantity, check ("history" for a back-cast, "target" for the
    # target year), year, label, unit, mean, median, lower, upper (at the analysis's level), observed (missing
    # where there is nothing to hold it against), share_below (share of draws below what was observed),
    # bound_lower, bound_upper, share_inside with its mcse, basis and source (of the bounds).
    # ``prior_claims``: one row per claim of the review, as `claim_chance`.
    bounds = load_plausibility()
    workings = prior_workings(inputs, draws=draws, work=work)
    found = _history_rows(inputs, bounds["children_in_care"], draws=draws)
    return {
        "prior_predictive": pd.DataFrame(found + _target_rows(workings, bounds)),
        "prior_claims": pd.DataFrame(claims_found(workings)["each"], columns=list(CLAIM_COLUMNS)),
    }


def _history_rows(inputs: Inputs, bounds: Bounds, *, draws: int) -> list[dict[str, Any]]:
    """One row per year published after the first account, of a back-cast of the number in care from it."""
    seen, seed = inputs.observations, inputs.analysis.seed
    known = seen["stock_by_age"].dropna("year")["year"].values
    first, last = int(known[0]) + 1, int(known[-1])
    each = {"draws": draws // CHAINS, "chains": CHAINS, "seed": seed}
    fit = prior_baseline(seen, inputs.priors, **each, since=first)
    years = range(first + 1, last + 1)
    people = seen["population_0_17"].sel(year=list(years))
    rates = usual_rates(
        fit, years=years, population=people, parameters=inputs.priors.sample(draws, seed), seed=seed
    )
    children = business_as_usual(fit, rates, people)["children"].sum("age")
    level, start = inputs.analysis.level, float(seen["stock"].sel(year=first))
    return [
        {"quantity": "children_in_care", "check": "history", "year": year, **_STOCK}
        | _held(
            children.sel(year=year).values, bounds, level, float(seen["stock"].sel(year=year)), scale=start
        )
        for year in map(int, children["year"].values)
    ]


def _target_rows(workings: Workings, bounds: Mapping[str, Bounds]) -> list[dict[str, Any]]:
    """Rows of the target year: children, spending and what the care review changes."""
    analysis, arrays, seen = workings.inputs.analysis, workings.arrays, workings.inputs.observations
    year, level = analysis.target_year, analysis.level
    usual = children_in_care(workings, "bau")
    cost = arrays.system_cost.sel(option="bau", year=year).values
    outturn = real_outturn(workings)
    last = int(outturn["year"][-1])
    before, children = _growth_before(outturn, years=year - last), float(seen["stock"].dropna("year")[-1])
    found = {"children_in_care": usual, "system_cost": cost / float(outturn[-1])}
    programme = workings.inputs.claims.programme
    if programme in workings.accounts:
        saving = total_saving(workings.accounts[programme])[:, workings.target]
        found |= {
            "fewer_children": fewer_children(workings, programme) / usual,
            "annual_saving": saving / cost,
        }
    observed, scales = {"system_cost": before}, {"children_in_care": children}
    return [
        {"quantity": name, "check": "target", "year": year, **TARGETS[name]}
        | _held(draws, bounds[name], level, observed.get(name, np.nan), scale=scales.get(name, 1.0))
        for name, draws in found.items()
    ]


def real_outturn(workings: Workings) -> xr.DataArray:
    """Published yearly cost of the system in prices of the price base, as far back as definitions compare.

    Dims (year), GBP of the price base.
    """
    seen = workings.inputs.observations
    cash = seen["spending"].sel(line=list(COST_LINES)).sum("line", skipna=False).dropna("year")
    cash = cash.sel(year=slice(FIRST_COMPARABLE, None))
    return cash * np.array([workings.pound_of(int(year)) for year in cash["year"].values]) * 1e6


def _growth_before(outturn: xr.DataArray, *, years: int) -> float:
    """Ratio of the last outturn to that of as many years before; missing where the series is too short."""
    first = int(outturn["year"][-1]) - years
    if first not in outturn["year"].values:
        return float("nan")
    return float(outturn[-1] / outturn.sel(year=first))


def _held(
    draws: np.ndarray, bounds: Bounds, level: float, observed: float, *, scale: float
) -> dict[str, Any]:
    """Draws against what was observed and what is plausible; `scale` is the unit of bounds that are multiples."""
    low, high = bounds.lower * scale, bounds.upper * scale
    inside = (draws >= low) & (draws <= high)
    return spread_at(level, draws, median=True) | {
        "observed": observed,
        "share_below": float((draws < observed).mean()) if np.isfinite(observed) else np.nan,
        "bound_lower": low,
        "bound_upper": high,
        "share_inside": inside.mean(),
        "mcse": mcse_probability(inside),
        "basis": bounds.basis,
        "source": "; ".join(source.title for source in bounds.source),
    }
