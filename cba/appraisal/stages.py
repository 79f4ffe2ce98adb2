"""The stages of an appraisal, in order: inputs, fits, business as usual, options, money, headline, tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.arrays import OptionArrays, option_arrays
from cba.appraisal.decision_drivers import lead_option
from cba.appraisal.decision_tables import of_headline_stance
from cba.appraisal.explorer_draws import explorer_draws
from cba.appraisal.fits import fitted, joint_draws
from cba.appraisal.headline import headline_results
from cba.appraisal.inputs_read import Inputs, provenance, read_inputs
from cba.appraisal.mixture import HELD, as_mixture, mixed_workings
from cba.appraisal.perspectives import social_net_benefit
from cba.appraisal.power_scaling import power_scaling
from cba.appraisal.prior_checks import prior_tables
from cba.appraisal.record import Appraisal
from cba.appraisal.review import claims_found, conditioned_on_claims, review_without_draws
from cba.appraisal.stance_beliefs import check_stance, fit_of, mixed_beliefs
from cba.appraisal.tables import all_tables
from cba.appraisal.tables_fit_checks import fit_check_tables
from cba.costs.option_account import CostBasis, OptionAccount, option_account
from cba.costs.parameter_prices import in_price_base
from cba.costs.placement_prices import placement_prices
from cba.costs.prices import PriceIndex
from cba.inputs.analyses import load_analysis
from cba.inputs.prior_alternatives import prior_alternatives
from cba.inputs.releases.chosen_tables import tables_of
from cba.inputs.stance_weights import MIXED, stance_weights
from cba.projection.business_as_usual import business_as_usual
from cba.projection.care_system import CareSystem, care_system
from cba.projection.future_population import future_population
from cba.projection.process_mixture import usual_rates
from cba.projection.stay_length import stay_length

if TYPE_CHECKING:
    from cba.inputs.analysis_records import Analysis


PRIOR_DRAWS = 1000
"""Draws of the priors alone: enough to see where they put policy outputs."""


@dataclass(frozen=True)
class Workings:
    """What the stages hand to tables and headline.

    Attributes
    ----------
    inputs : Inputs
        As read.
    baseline, effects : DataTree
        Fits.
    system : CareSystem
        Business as usual.
    basis : CostBasis
        Prices and money conventions.
    accounts : dict of str to OptionAccount
        By option id, in the order of the analysis.
    arrays : OptionArrays
        The accounts as labelled arrays.
    chains : int or None
        Markov chains the draws come from, for their errors; None for independent draws.
    """

    inputs: Inputs
    baseline: xr.DataTree
    effects: xr.DataTree
    system: CareSystem
    basis: CostBasis
    accounts: dict[str, OptionAccount]
    arrays: OptionArrays
    chains: int | None

    @property
    def years(self) -> list[int]:
        """Years ending 31 March of the whole projection."""
        return [int(y) for y in self.system.years]


def appraise(
    analysis: Analysis | str | Path,
    *,
    stance: str = "evidence",
    baseline: xr.DataTree | Mapping[str, xr.DataTree] | None = None,
    effects: xr.DataTree | Mapping[str, xr.DataTree] | None = None,
    progress: bool = True,
    observations: xr.Dataset | None = None,
    evidence: Appraisal | None = None,
    weights: Mapping[str, float] | None = None,
) -> Appraisal:
    """Appraise every option of an analysis under one stance.

    Parameters
    ----------
    analysis : Analysis, str or path
        A specification, or the name or path of one.
    stance : {"evidence", "sceptical", "mixture", "review"}
        Whose beliefs; ``review`` conditions the evidence draws on the review's claims being met, and never
        stands for a set of priors; ``mixture`` draws from evidence and sceptical in stated shares.
    baseline, effects : DataTree, optional
        Fits to use; made here when left out. For ``mixture`` a mapping of stance to fit; one baseline serves
        both where their priors of it agree.
    progress : bool
        Show the sampler's progress.
    observations : Dataset, optional
        The observed series of the analysis's release, if already loaded.
    evidence : Appraisal, optional
        For ``review``: the appraisal of the same analysis and fits under ``evidence``, whose work is then not
        done again where too few of its draws meet the claims.
    weights : mapping of str to float, optional
        For ``mixture``: weight of ``evidence`` and of ``sceptical``, summing to 1; those of the analysis when
        left out.

    Returns
    -------
    Appraisal
        Under ``review`` with fewer than 100 effective draws every result is undefined, and the provenance
        holds the probability the evidence gives the claims.

    Raises
    ------
    InputError
        If an input is refused.
    GateError
        If a fit has not converged.

    Notes
    -----
    Published tables are those in force inside :func:`cba.inputs.shipped_files.reading_from`, else the snapshot that
    the analysis names, else the shipped ones.

    Examples
    --------
    >>> import cba
    >>> result = cba.appraise("latest", progress=False)  # doctest: +SKIP
    >>> result.headline["results"]["npv_fiscal.care_review"]["mean"]  # doctest: +SKIP
    """
    specification = load_analysis(analysis) if isinstance(analysis, str | Path) else analysis
    check_stance(stance, weights=weights)
    with tables_of(specification):
        return _appraised(
            specification,
            stance=stance,
            baseline=baseline,
            effects=effects,
            progress=progress,
            observations=observations,
            evidence=evidence,
            weights=weights,
        )


def _appraised(
    specification: Analysis,
    *,
    stance: str,
    baseline: xr.DataTree | Mapping[str, xr.DataTree] | None,
    effects: xr.DataTree | Mapping[str, xr.DataTree] | None,
    progress: bool,
    observations: xr.Dataset | None,
    evidence: Appraisal | None,
    weights: Mapping[str, float] | None,
) -> Appraisal:
    """Appraise with the tables that are in force."""
    if stance == "mixture":
        mixture = stance_weights(specification.mixture if weights is None else weights)
        beliefs = mixed_beliefs(
            specification, baseline=baseline, effects=effects, progress=progress, observations=observations
        )
        mixed = mixed_workings(beliefs, mixture, work=worked_options)
        return as_mixture(assembled(mixed), mixture, beliefs, held=mixed.system.value(HELD))
    if stance == "review" and evidence is not None:
        none = review_without_draws(evidence)
        if none is not None:
            return none
    belief = "evidence" if stance == "review" else stance
    inputs = read_inputs(specification, stance=belief, observations=observations)
    workings = work_through(
        inputs,
        baseline=fit_of(baseline, stance=belief),
        effects=fit_of(effects, stance=belief),
        progress=progress,
    )
    if stance == "review":
        return conditioned_on_claims(workings, assemble=assembled)
    return assembled(workings)


def work_through(
    inputs: Inputs,
    *,
    baseline: xr.DataTree | None = None,
    effects: xr.DataTree | None = None,
    progress: bool = False,
) -> Workings:
    """Fit where needed, then project and cost every option on common draws.

    Parameters
    ----------
    inputs : Inputs
        As returned by :func:`cba.appraisal.inputs_read.read_inputs`.
    baseline, effects : DataTree, optional
        Fits to use; made here when left out.
    progress : bool
        Show the sampler's progress.

    Returns
    -------
    Workings

    Examples
    --------
    >>> work_through(inputs).accounts["care_review"].recurrent  # doctest: +SKIP
    """
    baseline, effects = fitted(inputs, baseline=baseline, effects=effects, progress=progress)
    drawn = joint_draws(inputs, baseline=baseline, effects=effects)
    return worked_options(inputs, drawn, baseline=baseline, effects=effects)


def worked_options(
    inputs: Inputs, drawn: xr.Dataset, *, baseline: xr.DataTree, effects: xr.DataTree
) -> Workings:
    """Project and cost every option on given draws of every parameter.

    Parameters
    ----------
    inputs : Inputs
        As returned by :func:`cba.appraisal.inputs_read.read_inputs`.
    drawn : Dataset, dims (sample)
        As returned by :func:`cba.models.parameters.joint_parameters`: money in its own price years.
    baseline, effects : DataTree
        The fits `drawn` was joined from.

    Returns
    -------
    Workings

    Examples
    --------
    >>> worked_options(inputs, drawn, baseline=baseline, effects=effects).arrays.npv  # doctest: +SKIP
    """
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


def assembled(workings: Workings) -> Appraisal:
    """Summarise workings into the record that is kept.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    Appraisal

    Examples
    --------
    >>> assembled(workings).summary()  # doctest: +SKIP
    """
    inputs, arrays = workings.inputs, workings.arrays
    return Appraisal(
        analysis=inputs.analysis,
        stance=inputs.stance,
        option_labels={option.id: option.label for option in inputs.options},
        parameters=workings.system.parameters,
        children=arrays.children,
        placements=arrays.placements,
        cash_flow=arrays.cash_flow,
        system_cost=arrays.system_cost,
        npv=arrays.npv,
        npv_social=social_net_benefit(workings),
        child_years_safe=arrays.child_years_safe,
        child_years_harm=arrays.child_years_harm,
        tables=all_tables(workings) | _belief_checks(workings),
        results=headline_results(workings),
        provenance=provenance(inputs) | _claims(workings),
        explorer=explorer_draws(workings),
    )


def _belief_checks(workings: Workings) -> dict[str, pd.DataFrame]:
    """Return what the priors alone say, how far each moves the result, and other fits; once a run."""
    inputs = workings.inputs
    if not of_headline_stance(workings) or inputs.stance not in MIXED or workings.chains is None:
        return {}
    lead = lead_option(workings)
    return {
        **prior_tables(inputs, draws=PRIOR_DRAWS, work=worked_options),
        "power_scaling": power_scaling(workings, option=lead),
        **fit_check_tables(workings),
        "prior_alternatives": prior_alternatives(inputs.priors),
    }


def _claims(workings: Workings) -> dict[str, Any]:
    """Return how likely the evidence makes the review's claims; other stances are not asked."""
    if workings.inputs.stance != "evidence":
        return {}
    return {"review_claims": claims_found(workings)}
