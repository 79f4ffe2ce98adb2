"""The stages of an appraisal, in order: inputs, fits, business as usual, options, money, headline, tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from cba.appraisal.inputs import Inputs, provenance, read_inputs
from cba.appraisal.quantities import headline_results, of_headline_stance
from cba.appraisal.record import Appraisal
from cba.appraisal.workings import Workings, work_through, worked_options
from cba.inputs.analyses import load_analysis, stance_weights, tables_of
from cba.inputs.completeness import require_complete
from cba.stances.mixture import HELD, as_mixture, check_stance, fit_of, mixed_beliefs, mixed_workings
from cba.stances.prior_checks import prior_tables
from cba.stances.review import claims_found, conditioned_on_claims, review_without_draws
from cba.tables.catalogue import all_tables, own_fits
from cba.tables.council_groups import council_summary
from cba.tables.councils import council_options, council_view
from cba.tables.explorer import explorer_draws
from cba.tables.society import social_net_benefit

if TYPE_CHECKING:
    from cba.inputs.analyses import Analysis


PRIOR_DRAWS = 1000
"""Draws of the priors alone: enough to see where they put policy outputs."""


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
    NeedsPerson
        If the release lacks what no run can do without; it names the series and their files.
    GateError
        If a fit has not converged.

    Notes
    -----
    Published tables are those in force inside :func:`cba.inputs.files.reading_from`, else the snapshot that
    the analysis names, else the shipped ones.
    """
    specification = load_analysis(analysis) if isinstance(analysis, str | Path) else analysis
    check_stance(stance, weights=weights)
    with tables_of(specification):
        if stance == "mixture":
            mixture = stance_weights(specification.mixture if weights is None else weights)
            beliefs = mixed_beliefs(
                specification,
                baseline=baseline,
                effects=effects,
                progress=progress,
                observations=observations,
            )
            mixed = mixed_workings(beliefs, mixture, work=worked_options)
            return as_mixture(assembled(mixed), mixture, beliefs, held=mixed.system.value(HELD))
        if stance == "review" and evidence is not None:
            none = review_without_draws(evidence)
            if none is not None:
                return none
        belief = "evidence" if stance == "review" else stance
        inputs = read_inputs(specification, stance=belief, observations=observations)
        require_complete(inputs.observations)
        fits = {"baseline": fit_of(baseline, stance=belief), "effects": fit_of(effects, stance=belief)}
        workings = work_through(inputs, **fits, progress=progress)
        if stance == "review":
            return conditioned_on_claims(workings, assemble=assembled)
        return replace(assembled(workings), asked=_asked(inputs, workings.baseline, workings.effects))


def _asked(
    inputs: Inputs, baseline: xr.DataTree, effects: xr.DataTree
) -> dict[str, Callable[..., pd.DataFrame]]:
    """Return what works out a council when it is asked for: fits are kept, the larger workings made again."""

    @cache
    def workings() -> Workings:
        with tables_of(inputs.analysis):
            return work_through(inputs, baseline=baseline, effects=effects)

    def council(name: str, *, option: str | None, years: int | None) -> pd.DataFrame:
        if option is None:
            return council_options(workings(), name, years=years)
        return council_view(workings(), name, option, years=years)

    return {"council": council, "councils": lambda option: council_summary(workings(), option)}


def assembled(workings: Workings) -> Appraisal:
    """Summarise workings into the record that is kept."""
    inputs, arrays = workings.inputs, workings.arrays
    tables = all_tables(workings)
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
        tables=tables | _prior_checks(workings, tables),
        results=headline_results(workings),
        provenance=provenance(inputs) | _claims(workings),
        explorer=explorer_draws(workings),
    )


def _prior_checks(workings: Workings, made: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return what the priors alone say, and the standard every option passes; once a run."""
    if not (of_headline_stance(workings) and own_fits(workings)):
        return {}
    return prior_tables(workings, made, draws=PRIOR_DRAWS, work=worked_options)


def _claims(workings: Workings) -> dict[str, Any]:
    """Return how likely the evidence makes the review's claims; other stances are not asked."""
    if workings.inputs.stance != "evidence":
        return {}
    return {"review_claims": claims_found(workings)}
