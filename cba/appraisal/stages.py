"""The stages of an appraisal, in order: inputs, fits, business as usual, options, money, headline, tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from cba.appraisal.arrays import OptionArrays, option_arrays
from cba.appraisal.headline import headline_results
from cba.appraisal.record import Appraisal
from cba.appraisal.review import conditioned_on_claims
from cba.appraisal.tables import all_tables
from cba.costs.option_account import CostBasis, OptionAccount, option_account
from cba.costs.parameter_prices import in_price_base
from cba.costs.placement_prices import placement_prices
from cba.costs.prices import PriceIndex
from cba.errors import InputError
from cba.inputs.analyses import load_analysis
from cba.inputs.evidence import Evidence, load_evidence
from cba.inputs.observations import load_observations
from cba.inputs.options import Option, load_options
from cba.inputs.priors import PriorRegistry, load_priors
from cba.models.gates import Gates
from cba.models.parameters import joint_parameters, require_finite
from cba.projection.business_as_usual import business_as_usual
from cba.projection.care_system import CareSystem, care_system
from cba.projection.future_population import future_population
from cba.projection.rate_paths import rate_paths
from cba.projection.stay_length import stay_length

if TYPE_CHECKING:
    from cba.inputs.analysis_records import Analysis


@dataclass(frozen=True)
class Inputs:
    """Everything an appraisal reads, as loaded for one analysis and stance."""

    analysis: Analysis
    stance: str
    observations: xr.Dataset
    priors: PriorRegistry
    evidence: Evidence
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Workings:
    """What the stages hand to tables and headline: inputs, fits, business as usual, prices and option accounts."""

    inputs: Inputs
    baseline: xr.DataTree
    effects: xr.DataTree
    system: CareSystem
    basis: CostBasis
    accounts: dict[str, OptionAccount]
    arrays: OptionArrays

    @property
    def years(self) -> list[int]:
        """Years ending 31 March of the whole projection."""
        return [int(y) for y in self.system.years]


def appraise(
    analysis: Analysis | str,
    *,
    stance: str = "evidence",
    baseline: xr.DataTree | None = None,
    effects: xr.DataTree | None = None,
    progress: bool = True,
) -> Appraisal:
    """Appraise every option of an analysis under one stance.

    Parameters
    ----------
    analysis : Analysis or str
        A specification, or the name or path of one.
    stance : {"evidence", "sceptical", "review"}
        Whose beliefs; ``review`` conditions the evidence draws on the review's claims being met, and never stands
        for a set of priors.
    baseline, effects : DataTree, optional
        Fits to use; made here when left out.
    progress : bool
        Show the sampler's progress.

    Returns
    -------
    Appraisal
        Under ``review`` with fewer than 100 effective draws every result is undefined, and the provenance holds
        the probability the evidence gives the claims.

    Raises
    ------
    InputError
        If an input is refused.
    GateError
        If a fit has not converged.

    Examples
    --------
    >>> import cba
    >>> result = cba.appraise("latest", progress=False)  # doctest: +SKIP
    >>> result.headline["results"]["npv_fiscal.care_review"]["mean"]  # doctest: +SKIP
    """
    if not hasattr(analysis, "options"):
        analysis = load_analysis(analysis)
    if stance not in ("evidence", "sceptical", "review"):
        raise InputError("an unknown stance", field="stance", found=stance, allowed="evidence, sceptical, review",
                         cause="a spelling mistake", remedy="use an allowed stance")
    inputs = read_inputs(analysis, stance="evidence" if stance == "review" else stance)
    workings = work_through(inputs, baseline=baseline, effects=effects, progress=progress)
    return conditioned_on_claims(workings, assemble=_assembled) if stance == "review" else _assembled(workings)


def read_inputs(analysis: Analysis, *, stance: str) -> Inputs:
    """Load what an analysis needs, as known in its frame."""
    return Inputs(analysis, stance, load_observations(analysis.release), load_priors(stance=stance),
                  load_evidence(until=analysis.evidence_until), _priced(load_options(analysis.options), analysis))


def _priced(options: tuple[Option, ...], analysis: Analysis) -> tuple[Option, ...]:
    """Apply the scenario that restates the price year of the review's figures, which the review leaves open."""
    year = analysis.scenarios.review_price_year
    if year is None:
        return options
    return tuple(
        option.model_copy(update={
            "spend": tuple(line.model_copy(update={"price_year": year}) for line in option.spend),
            "recurrent": option.recurrent and option.recurrent.model_copy(update={"price_year": year}),
        }) if option.id.startswith("care_review") or option.base == "care_review" else option
        for option in options
    )


def work_through(inputs: Inputs, *, baseline: xr.DataTree | None = None, effects: xr.DataTree | None = None,
                 progress: bool = False) -> Workings:
    """Fit where needed, then project and cost every option on common draws."""
    analysis, observations = inputs.analysis, inputs.observations
    settings = {"draws": analysis.draws // analysis.chains, "tune": analysis.tune, "chains": analysis.chains,
                "seed": analysis.seed, "progress": progress, "gates": Gates(**analysis.gates.model_dump())}
    if baseline is None:
        from cba.models.baseline import fit_baseline

        baseline = fit_baseline(observations, inputs.priors, **settings)
    if effects is None:
        from cba.models.effects import fit_effects

        effects = fit_effects(inputs.evidence, inputs.priors, **settings)
    drawn = joint_parameters(inputs.priors, baseline=baseline, effects=effects, observations=observations,
                             seed=analysis.seed)
    require_finite(drawn)
    index = PriceIndex(published=observations["gdp_deflator"], growth_beyond=np.expm1(drawn["prices.deflator_growth"]))
    parameters = in_price_base(drawn, inputs.priors, price_base=analysis.price_base, prices=index)
    system = _care_system(inputs, baseline, parameters)
    prices = placement_prices(observations, parameters, years=system.years, price_base=analysis.price_base,
                              prices=index)
    basis = CostBasis(prices, index, analysis.price_base, analysis.start_year)
    accounts = {option.id: option_account(option, system, basis) for option in inputs.options}
    return Workings(inputs, baseline, effects, system, basis, accounts,
                    option_arrays(inputs, system, basis, accounts))


def _care_system(inputs: Inputs, baseline: xr.DataTree, parameters: xr.Dataset) -> CareSystem:
    analysis = inputs.analysis
    constant = baseline["constant_data"].to_dataset()
    first = int(constant["last_year"]) + 1
    years = range(first, analysis.start_year + analysis.long_horizon)
    rates = rate_paths(baseline, years, seed=analysis.seed)
    people = future_population(inputs.observations, years=years, growth=parameters["baseline.population_growth"])
    usual = business_as_usual(baseline, rates, people)
    last = np.exp(constant["observed_rates"].isel(year=-1).values)
    reachable = float(last[:5].sum() * constant["population"])
    return care_system(inputs.observations, usual, parameters, stays=stay_length(inputs.observations),
                       reachable_starts=reachable, uasc_starts=float(last[-1]))


def _assembled(workings: Workings) -> Appraisal:
    inputs, arrays = workings.inputs, workings.arrays
    return Appraisal(
        analysis=inputs.analysis, stance=inputs.stance,
        option_labels={option.id: option.label for option in inputs.options},
        parameters=workings.system.parameters, children=arrays.children, placements=arrays.placements,
        cash_flow=arrays.cash_flow, system_cost=arrays.system_cost, npv=arrays.npv,
        child_years_safe=arrays.child_years_safe, child_years_harm=arrays.child_years_harm,
        tables=all_tables(workings), results=headline_results(workings), provenance=_provenance(inputs),
    )


def _provenance(inputs: Inputs) -> dict[str, Any]:
    analysis, observations = inputs.analysis, inputs.observations
    return {
        "analysis": analysis.name, "stance": inputs.stance, "release": analysis.release,
        "evidence_until": analysis.evidence_until, "start_year": analysis.start_year,
        "target_year": analysis.target_year, "price_base": analysis.price_base, "schedule": analysis.schedule,
        "level": analysis.level, "draws": analysis.draws, "seed": analysis.seed,
        "single_vintage_exceptions": json.loads(observations.attrs["single_vintage_exceptions"]),
        "licence": observations.attrs["licence"],
        "fingerprints": {"analysis": analysis.fingerprint(), "priors": inputs.priors.fingerprint(),
                         "evidence": inputs.evidence.fingerprint(),
                         "options": {o.id: o.fingerprint() for o in inputs.options}},
        "versions": {name: _version(name) for name in ("cba", "pymc", "nutpie", "numpy", "xarray", "arviz")},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed as a package"
