"""What the review's path, "approaching 100,000 by 2032" and £15bn a year, looks like from each release.

Each release is appraised with what it and the accounts of its time say; only business as usual is worked out. One model
looks at every release, so what moves from one to the next is the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cba.appraisal.fits import joint_draws
from cba.appraisal.headline import headline_results
from cba.appraisal.inputs_read import read_inputs
from cba.appraisal.stages import worked_options
from cba.decisions.monte_carlo_error import mcse_mean
from cba.inputs.analyses import load_analysis
from cba.models.baseline import fit_baseline
from cba.models.prior_fits import prior_effects

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings
    from cba.inputs.analysis_records import Analysis

RELEASES = (2021, 2022, 2023, 2024)
"""Releases with accounts of spending and ages enough for the whole model."""

CHILDREN = (95_000, 100_000)
"""Two readings of "approaching 100,000" looked-after children."""


def vintage_record(releases: Sequence[int] = RELEASES, *, draws: int = 4000) -> pd.DataFrame:
    """Look at the target year from each release.

    Parameters
    ----------
    releases : sequence of int
    draws : int
        In all, over four chains.

    Returns
    -------
    DataFrame
        One row per release and quantity: release, quantity, label, mean, lower, median, upper, mcse. Probabilities have
        a mean and its error alone.

    Raises
    ------
    GateError
        If a fit has not converged.

    Examples
    --------
    >>> vintage_record((2021,), draws=400)  # doctest: +SKIP
    """
    rows: list[dict[str, Any]] = []
    for release in releases:
        workings = _usual_alone(_analysis(release, draws=draws))
        rows.extend({"release": release, **row} for row in _rows(workings))
    return pd.DataFrame(rows)


def _analysis(release: int, *, draws: int) -> Analysis:
    """The review's own frame moved to another release: programmes and evidence of the year after it."""
    base = load_analysis("review_2022")
    changed = {
        "release": release,
        "evidence_until": release + 1,
        "start_year": release + 2,
        "options": ("bau",),
        "stances": ("evidence",),
        "price_base": min(release + 1, 2024),
        "draws": draws,
    }
    return base.model_copy(update=changed)


def _usual_alone(analysis: Analysis) -> Workings:
    """Work out business as usual; effects come from their priors, since no option uses them."""
    inputs = read_inputs(analysis, stance="evidence")
    each: dict[str, Any] = {
        "draws": analysis.draws // analysis.chains,
        "chains": analysis.chains,
        "seed": analysis.seed,
    }
    baseline = fit_baseline(inputs.observations, inputs.priors, tune=analysis.tune, **each)
    effects = prior_effects(inputs.evidence, inputs.priors, observations=inputs.observations, **each)
    drawn = joint_draws(inputs, baseline=baseline, effects=effects)
    return worked_options(inputs, drawn, baseline=baseline, effects=effects)


def _rows(workings: Workings) -> list[dict[str, Any]]:
    """Quantities of the target year under business as usual."""
    results = headline_results(workings)
    wanted = (
        "children_in_care_2032",
        "system_cost_2032_real",
        "system_cost_2032_cash",
        "prob_system_cost_15bn_2032_real",
        "prob_system_cost_15bn_2032_cash",
    )
    kept = ("label", "mean", "lower", "median", "upper", "mcse")
    rows = [{"quantity": name, **{key: results[f"{name}.bau"].get(key) for key in kept}} for name in wanted]
    year = workings.inputs.analysis.target_year
    children = workings.arrays.children.sel(option="bau", year=year).sum("age").values
    for threshold in CHILDREN:
        reached = (children >= threshold).astype(float)
        rows.append(
            {
                "quantity": f"prob_children_{threshold}",
                "label": f"Probability of at least {threshold:,} looked-after children at 31 March {year}",
                "mean": float(reached.mean()),
                "mcse": float(mcse_mean(np.asarray(reached), chains=workings.chains)),
            }
        )
    return rows
