"""What drives the result of one option: tornado, shares of variance and switching values, from the same draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.clear_of_chance import clear_of_chance
from cba.appraisal.decision_values import grouped_questions, question_inputs
from cba.appraisal.fitted_names import UNGRADED, described
from cba.appraisal.headline import FEWER_CHILDREN, payback_draws
from cba.decisions.conditional_curves import conditional_mean, tornado
from cba.decisions.switching import switching_value
from cba.decisions.variance_shares import shapley_effects

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

LEAD = "care_review"

SHARED = 6
"""Inputs among which variance is split one by one: every subset of them is fitted."""

SWITCHED = 8
"""Inputs whose switching values are sought, those that move an outcome most."""

ENDS = np.array([0.01, 0.99])
"""Probabilities of the ends of an input at which the best it could do is read."""


def lead_option(workings: Workings) -> str:
    """The option that a report follows: the review's programme where appraised, else the first but BAU.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    str

    Examples
    --------
    >>> lead_option(workings)  # doctest: +SKIP
    'care_review'
    """
    others = [option for option in workings.accounts if option != "bau"]
    return LEAD if LEAD in others else others[0]


def drivers_table(workings: Workings) -> pd.DataFrame:
    """How far each uncertain input moves net present value and children between its 5% and 95% points.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    DataFrame
        Columns option, outcome ("npv", GBP; "fewer_children", in the target year), input, description, unit,
        question, confidence (of the input's prior; "fitted" where it has none), input_low, input_high,
        outcome_low, outcome_high, swing, swing_se, rank (1 moves the outcome most), clear (whether the swing is
        more than Monte Carlo error explains, all inputs tried). Every input that varies.

    Notes
    -----
    Conditional expectations on the draws of the run, so that correlated inputs move together.

    Examples
    --------
    >>> drivers_table(workings).query("outcome == 'npv' and rank <= 5")  # doctest: +SKIP
    """
    inputs, option = question_inputs(workings), lead_option(workings)
    about = _about(workings, inputs)
    frames = []
    for name, outcome in _outcomes(workings, option).items():
        table = tornado(outcome, inputs)
        table.insert(0, "option", option)
        table.insert(1, "outcome", name)
        table["rank"] = np.arange(1, len(table) + 1)
        table["clear"] = clear_of_chance(table["swing"].to_numpy(), table["swing_se"].to_numpy())
        frames.append(table)
    joined = pd.concat(frames, ignore_index=True)
    for place, column in enumerate(("description", "unit", "question", "confidence"), start=3):
        joined.insert(place, column, joined["input"].map(about[column]))
    return joined


def variance_table(workings: Workings, drivers: pd.DataFrame) -> pd.DataFrame:
    """Shares of the variance of net present value: by research question, and by input for those that matter most.

    Parameters
    ----------
    workings : Workings
    drivers : DataFrame
        As returned by :func:`drivers_table`.

    Returns
    -------
    DataFrame
        Columns option, split ("question", "input"), name, description, effect (share of the variance), se.
        Shapley effects, so that correlated inputs share what they have in common; shares of one split add up to
        what its members explain together.

    Examples
    --------
    >>> variance_table(workings, drivers_table(workings))  # doctest: +SKIP
    """
    inputs, option = question_inputs(workings), lead_option(workings)
    npv = _outcomes(workings, option)["npv"]
    rows = drivers[drivers["outcome"] == "npv"]
    top = list(rows["input"].head(SHARED))
    described = dict(zip(rows["input"], rows["description"], strict=True))
    frames = []
    for split, table in (
        ("question", shapley_effects(npv, inputs, grouped_questions(inputs))),
        ("input", shapley_effects(npv, inputs[top])),
    ):
        table = table.rename(columns={"group": "name"}).sort_values("effect", ascending=False)
        table.insert(0, "option", option)
        table.insert(1, "split", split)
        table.insert(3, "description", table["name"].map(described).fillna(table["name"]))
        frames.append(table)
    return pd.concat(frames, ignore_index=True)


def switching_table(workings: Workings, drivers: pd.DataFrame) -> pd.DataFrame:
    """Value of each leading input at which a conclusion changes, and how likely the evidence makes that.

    Parameters
    ----------
    workings : Workings
    drivers : DataFrame
        As returned by :func:`drivers_table`.

    Returns
    -------
    DataFrame
        Columns option, target, statistic_now (of the outcome over all draws), input, description, unit,
        input_median, value (missing where not reachable), se, reachable, probability_beyond, mcse,
        statistic_at_best (with the input at the better of its 1% and 99% points), verdict.

    Examples
    --------
    >>> switching_table(workings, drivers_table(workings))[["target", "input", "verdict"]]  # doctest: +SKIP
    """
    inputs, option = question_inputs(workings), lead_option(workings)
    chosen = _leading(drivers)
    described = drivers.drop_duplicates("input").set_index("input")
    rows = []
    for target, outcome, level in _targets(workings, option):
        for name in chosen:
            values = inputs[name]
            found = switching_value(values, outcome, statistic="mean", target=level)
            beyond = found.probability_beyond
            rows.append(
                {
                    "option": option,
                    "target": target,
                    "statistic_now": float(outcome.mean()),
                    "input": name,
                    "description": described.loc[name, "description"],
                    "unit": described.loc[name, "unit"],
                    "input_median": float(np.median(values)),
                    "value": found.value,
                    "se": found.se,
                    "reachable": found.reachable,
                    "probability_beyond": beyond,
                    "mcse": float(np.sqrt(max(beyond * (1 - beyond), 0.0) / values.size)),
                    "statistic_at_best": _at_best(values.values, outcome.values),
                    "verdict": "reachable" if found.reachable else str(found),
                }
            )
    return pd.DataFrame(rows)


def _outcomes(workings: Workings, option: str) -> dict[str, xr.DataArray]:
    year = workings.inputs.analysis.target_year
    total = workings.arrays.children.sel(year=year, drop=True).sum("age")
    fewer = total.sel(option="bau", drop=True) - total.sel(option=option, drop=True)
    return {"npv": workings.arrays.npv.sel(option=option, drop=True), "fewer_children": fewer}


def _targets(workings: Workings, option: str) -> list[tuple[str, xr.DataArray, float]]:
    """Statement, outcome and the mean at which the statement starts to hold."""
    year, outcomes = workings.inputs.analysis.target_year, _outcomes(workings, option)
    paid = xr.DataArray((payback_draws(workings, option) <= year).astype(float), dims="sample")
    enough = (outcomes["fewer_children"] >= FEWER_CHILDREN).astype(float)
    return [
        (f"Even chance of {FEWER_CHILDREN:,} fewer children by {year}", enough, 0.5),
        ("Net present value of zero", outcomes["npv"], 0.0),
        (f"Even chance of paying back by {year}", paid, 0.5),
    ]


def _at_best(values: np.ndarray, outcome: np.ndarray) -> float:
    """Mean outcome at the better end of an input, within what the draws of the outcome allow."""
    best = conditional_mean(values, outcome).at(np.quantile(values, ENDS))[0].max()
    return float(np.clip(best, outcome.min(), outcome.max()))  # a fitted curve can leave 0 to 1 a little


def _leading(drivers: pd.DataFrame) -> list[str]:
    """Inputs that move money or children most, in turn."""
    by_rank = drivers.sort_values(["rank", "outcome"], kind="stable")["input"]
    return list(dict.fromkeys(by_rank))[:SWITCHED]


def _about(workings: Workings, inputs: xr.Dataset) -> pd.DataFrame:
    """Words, unit, research question and grade of every input."""
    graded = workings.inputs.priors.table()["confidence"]
    question_of = {name: q for q, names in grouped_questions(inputs).items() for name in names}
    names: Sequence[str] = [str(name) for name in inputs.data_vars]
    return pd.DataFrame(
        {
            "description": [described(n, inputs[n].attrs) for n in names],
            "unit": [str(inputs[n].attrs.get("unit", "")) for n in names],
            "question": [question_of[n] for n in names],
            "confidence": [str(graded.get(n, UNGRADED)) for n in names],
        },
        index=names,
    )
