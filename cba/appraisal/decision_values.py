"""What a child-year must be worth for an option to break even, beside anchors, and what knowing more is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.value_of_lives import CARE_CLAIM, claimed_amount, years_in_care
from cba.decisions.frontier import break_even_value
from cba.decisions.partial_information import evppi_by_threshold
from cba.decisions.perfect_information import evpi_with_error
from cba.inputs.stance_weights import refuse_review

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

QUESTIONS = {
    "family help effect": ("family_help.",),
    "kinship effect": ("kinship.",),
    "foster supply": ("foster.",),
    "baseline path": ("baseline.",),
    "unit costs": ("unit_costs.", "avoidable.", "cashable.", "legal.", "payers.", "prices.", "home_support."),
    "whose evidence": ("mixture.",),
    "delivery": ("delivery.", "effects."),
    "price reform": ("reform.",),
}
"""Research question to the beginnings of the names of the inputs that would answer it."""

ANCHOR_LEVELS = (0.05, 0.5, 0.95)
"""Quantiles of the registry's entries at which an anchor is stated: low, central, high."""


def break_even_values(workings: Workings) -> pd.DataFrame:
    """Value of a child-year at which each option breaks even, beside values others have put on it.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    DataFrame
        Columns kind ("option", "anchor"), name, label, value_per_child_year, se, lower, upper (GBP of the price
        base), with_harm (break-even where a child-year of harm costs what a safe one is worth), note.
        Missing where the option averts no care; below zero where it pays in cash alone. Options have an error
        and anchors a range.

    Notes
    -----
    ``lambda* = -E[NPV] / E[CY_safe]``; with harm ``-E[NPV] / E[CY_safe - H]``.

    Examples
    --------
    >>> break_even_values(workings).set_index("name")["value_per_child_year"]  # doctest: +SKIP
    """
    arrays = workings.arrays
    plain = break_even_value(-arrays.npv, arrays.child_years_safe)
    harmed = break_even_value(-arrays.npv, arrays.child_years_safe - arrays.child_years_harm)
    labels = {option.id: option.label for option in workings.inputs.options}
    table = pd.DataFrame(
        {
            "kind": "option",
            "name": plain["option"],
            "label": [labels[name] for name in plain["option"]],
            "value_per_child_year": plain["value"],
            "se": plain["se"],
            "lower": np.nan,
            "upper": np.nan,
            "with_harm": harmed["value"],
            "note": "",
        }
    )
    return pd.concat([table, _anchors(workings)], ignore_index=True)


def _anchors(workings: Workings) -> pd.DataFrame:
    """Values of a child-year from elsewhere, in the price base."""
    priors, index = workings.inputs.priors, workings.basis.index
    year = priors["social.wellby"].price_year
    assert year is not None  # every entry of money carries one
    to_base = float(np.mean(index.index(workings.basis.price_base) / index.index(year)))
    stay, claimed = years_in_care(workings), claimed_amount(workings, CARE_CLAIM)
    wellby = [priors.quantile("social.wellby", level) * to_base for level in ANCHOR_LEVELS]
    causal = [priors.quantile("social.causal_share", level) for level in ANCHOR_LEVELS]
    rows = [
        ("wellby", "One point of life satisfaction for one child for a year", wellby,
         "value of a WELLBY x 1 point; the change in points is an assumption"),
        ("lifetime_cost", "Lifetime cost of care experience, its causal share, by year of care",
         [claimed * share / stay for share in causal],
         f"published lifetime cost x {causal[1]:.2f} ({causal[0]:.2f} to {causal[2]:.2f}) / {stay:.1f} years of care; "
         "the causal share is judgement without a source"),
    ]  # fmt: skip
    return pd.DataFrame(
        [
            {"kind": "anchor", "name": name, "label": label, "value_per_child_year": value[1],
             "lower": value[0], "upper": value[2], "note": note}
            for name, label, value, note in rows
        ]
    )  # fmt: skip


NOT_MONEY = ("social.", "panel.", "system.")
"""Beginnings of the names of inputs that no option's account reads: values that others put on outcomes, parts of a
fit whose result is an input itself, and growth of spending that is the same under every option."""

OTHER_QUESTIONS = "other inputs"
"""Inputs that no question of :data:`QUESTIONS` names."""


def information_value(workings: Workings, *, values: Sequence[float]) -> pd.DataFrame:
    """Value of perfect information on everything, and on each research question, before choosing an option.

    Parameters
    ----------
    workings : Workings
    values : sequence of float, >= 0, GBP
        Values of a child-year safely at home; a child-year of harm costs the same.

    Returns
    -------
    DataFrame
        Columns value_per_child_year, question, value, se (GBP, present value, once for the country), best (the
        option with the highest expected payoff). The first question of each value, "everything", is the EVPI.

    Notes
    -----
    The path of business as usual is learnt through its fitted levels and its number of children in the target
    year. Draws are taken as independent.

    Examples
    --------
    >>> information_value(workings, values=(0.0, 250_000.0))  # doctest: +SKIP
    """
    refuse_review(workings.inputs.stance, use="used for the value of information")
    arrays = workings.arrays
    effects = arrays.child_years_safe - arrays.child_years_harm
    inputs = question_inputs(workings)
    groups = grouped_questions(inputs)
    partial = evppi_by_threshold(-arrays.npv, effects, inputs, list(values), groups)
    rows = []
    for value in values:
        payoff = arrays.npv + value * effects
        best = str(payoff["option"].values[int(payoff.mean("sample").argmax("option"))])
        whole = evpi_with_error(payoff)
        rows.append((float(value), "everything", float(whole["evpi"]), float(whole["se"]), best))
        at_value = partial[partial["threshold"] == value]
        rows += [(float(value), r.group, r.evppi, r.se, best) for r in at_value.itertuples()]
    return pd.DataFrame(rows, columns=["value_per_child_year", "question", "value", "se", "best"])


def question_inputs(workings: Workings) -> xr.Dataset:
    """Inputs that vary, and where business as usual leads.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    Dataset, dims (sample,)
        The parameters that vary and enter money or children, with their descriptions, and
        ``baseline.children_in_target_year``.

    Examples
    --------
    >>> question_inputs(workings)["baseline.children_in_target_year"]  # doctest: +SKIP
    """
    parameters = workings.system.parameters
    varying = [
        name
        for name in parameters.data_vars
        if not str(name).startswith(NOT_MONEY) and float(parameters[name].values.std()) > 0
    ]
    target = workings.inputs.analysis.target_year
    path = workings.arrays.children.sel(option="bau", year=target, drop=True).sum("age")
    about = {"description": f"Children in care in {target} on current policy", "unit": "children"}
    return parameters[varying].assign({"baseline.children_in_target_year": ("sample", path.values, about)})


def grouped_questions(inputs: xr.Dataset) -> dict[str, list[str]]:
    """Names of inputs by the research question that would answer them.

    Parameters
    ----------
    inputs : Dataset
        As returned by :func:`question_inputs`.

    Returns
    -------
    dict of str to list of str
        Every input once; questions without inputs are left out, inputs of no question come last, together.

    Examples
    --------
    >>> made = xr.Dataset({name: ("sample", [0.0]) for name in ("kinship.cost", "new.input")})
    >>> grouped_questions(made)
    {'kinship effect': ['kinship.cost'], 'other inputs': ['new.input']}
    """
    names = [str(name) for name in inputs.data_vars]
    groups = {
        question: [name for name in names if name.startswith(beginnings)]
        for question, beginnings in QUESTIONS.items()
    }
    known = {name for members in groups.values() for name in members}
    groups[OTHER_QUESTIONS] = [name for name in names if name not in known]
    return {question: members for question, members in groups.items() if members}
