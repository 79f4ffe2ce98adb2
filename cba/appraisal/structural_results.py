"""How far the headline depends on which process the number in care follows.

Every draw follows one process up to five years ahead and one beyond (:mod:`cba.projection.process_mixture`), so results
under a single process are those of its draws: nothing is refitted, and the weights can be judged by what they mix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cba.appraisal.decision_drivers import lead_option
from cba.appraisal.headline import FEWER_CHILDREN
from cba.appraisal.summaries import interval
from cba.decisions.monte_carlo_error import mcse_mean, mcse_probability
from cba.projection.process_mixture import SCORED_YEARS, at_pace

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

FEWEST = 100
"""Draws below which a process has no results."""


def structural_results(workings: Workings) -> pd.DataFrame:
    """Headline quantities under the mixture and under each process.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns process, label, weight (share of draws), draws, quantity, option, mean, lower, upper, mcse.
        Probabilities have no interval; a process with fewer than 100 draws has no results.

    Notes
    -----
    Draws of one process are independent of the others given the weights, but chains are broken up, so the Monte Carlo
    error is that of independent draws within a process.

    Examples
    --------
    >>> structural_results(workings).query("quantity == 'children_in_care'")  # doctest: +SKIP
    """
    parameters = workings.system.parameters
    near, far = (at_pace(parameters, years_ahead=ahead) for ahead in (1, SCORED_YEARS + 1))
    everyone = np.ones(near.size, dtype=bool)
    kinds = {
        "mixture": ("All processes, as weighted", everyone),
        "momentum": ("Rates carry on from where they are", ~near & ~far),
        "pace_five_years": ("Long-run pace for five years, then rates carry on", near & ~far),
        "pace": ("Long-run pace of growth, slowly fading after five years", near & far),
        "momentum_five_years": ("Rates carry on for five years, then the long-run pace", ~near & far),
    }
    rows: list[dict[str, Any]] = []
    for process, (label, chosen) in kinds.items():
        if not chosen.any():
            continue
        about = {
            "process": process,
            "label": label,
            "weight": float(chosen.mean()),
            "draws": int(chosen.sum()),
        }
        rows.extend({**about, **row} for row in _rows(workings, chosen))
    return pd.DataFrame(rows)


def _rows(workings: Workings, chosen: np.ndarray) -> list[dict[str, Any]]:
    """Quantities of one group of draws."""
    analysis, arrays, lead = workings.inputs.analysis, workings.arrays, lead_option(workings)
    children = arrays.children.sel(year=analysis.target_year).sum("age")
    usual, with_option = (children.sel(option=option).values for option in ("bau", lead))
    cost = arrays.system_cost.sel(option="bau", year=analysis.target_year).values
    npv = arrays.npv.sel(option=lead).values
    given: dict[tuple[str, str], np.ndarray] = {
        ("children_in_care", "bau"): usual,
        ("system_cost", "bau"): cost,
        ("fewer_children", lead): usual - with_option,
        ("prob_fewer_30000", lead): usual - with_option >= FEWER_CHILDREN,
        ("npv", lead): npv,
        ("prob_npv_positive", lead): npv > 0,
    }
    known = int(chosen.sum()) >= FEWEST
    rows = []
    for (quantity, option), values in given.items():
        row = {"quantity": quantity, "option": option} | dict.fromkeys(
            ("mean", "lower", "upper", "mcse"), np.nan
        )
        picked = values[chosen]
        if known and picked.dtype == bool:
            row |= {"mean": float(picked.mean()), "mcse": mcse_probability(picked)}
        elif known:
            lower, upper = interval(picked, level=analysis.level)
            row |= {
                "mean": float(picked.mean()),
                "lower": float(lower),
                "upper": float(upper),
                "mcse": mcse_mean(picked),
            }
        rows.append(row)
    return rows
