"""Who gains and who pays beyond public budgets: families, benefits and children's lives, line by line.

The fiscal account counts public money alone. A child at home instead of in care also costs the family its keep
and brings it benefits; allowances to existing carers and support of special guardians are a cost to the state and a
gain to them. Benefits and allowances are transfers: they change who bears what and cancel in the social total.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.arrays import stacked
from cba.appraisal.headline import discounted
from cba.appraisal.summaries import interval, probability
from cba.appraisal.value_of_lives import worth_of_lives
from cba.costs.savings import child_years
from cba.costs.social_value import MEASURES, VALUED

if TYPE_CHECKING:
    from collections.abc import Callable

    from cba.appraisal.stages import Workings

GUARDIANS = "guardianship_support"
"""Component of what councils pay special guardians: a transfer, as allowances to existing carers are."""

COUNCIL, CENTRAL = ("council",), ("dfe", "nhs", "justice", "dwp_hmrc")


@dataclass(frozen=True)
class Gain:
    """One line of the social account.

    Attributes
    ----------
    payer : str
        Who gains or, below 0, pays: a public payer, ``families`` or ``children``.
    kind : str
        ``fiscal``, ``benefits``, ``allowances``, ``keep`` or the measure that values child-years.
    amount : ndarray, shape (sample,)
        Present value over the headline horizon, GBP; positive is a gain.
    """

    payer: str
    kind: str
    amount: np.ndarray


def social_lines(workings: Workings, option: str, measure: str | None = None) -> tuple[Gain, ...]:
    """Every line of an option's social account, positive for who gains.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    option : str
        Id of an option of the analysis.
    measure : str, optional
        How children's lives are valued; left out, their change is shown by no line.

    Returns
    -------
    tuple of Gain
        They add up to the social net present value.

    Examples
    --------
    >>> [line.payer for line in social_lines(workings, "care_review")]  # doctest: +SKIP
    """
    account, system = workings.accounts[option], workings.system
    payers: dict[str, np.ndarray] = {}
    carers = np.zeros(system.reach.size)
    for cost in account.costs:
        amount = discounted(workings, cost.amount)
        payers[cost.payer] = payers.get(cost.payer, 0.0) - amount
        if cost.kind == "deadweight" or cost.component == GUARDIANS:
            carers = carers + amount
    for saving in account.savings:
        payers[saving.payer] = payers.get(saving.payer, 0.0) + discounted(workings, saving.amount)
    at_home = discounted(workings, child_years(account.children.fewer_by_age.sum(axis=-1)))
    benefits = at_home * system.value("social.benefits_per_child_year")
    lines = [Gain(payer, "fiscal", amount) for payer, amount in payers.items()]
    lines += [
        Gain("dwp_hmrc", "benefits", -benefits),
        Gain("families", "benefits", benefits),
        Gain("families", "allowances", carers),
        Gain("families", "keep", -at_home * system.value("social.family_cost_per_child_year")),
    ]
    if measure is not None:
        lines.append(Gain("children", measure, worth_of_lives(workings, option, measure)))
    return tuple(lines)


def social_net_benefit(workings: Workings) -> xr.DataArray:
    """Social net present value of every option before any value of children's lives.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataArray, dims (sample, option), GBP, present value over the headline horizon
        Fiscal net present value with transfers to families taken out and what families spend taken off. A
        value per child-year is added by whoever uses it, once.

    Examples
    --------
    >>> social_net_benefit(workings).mean("sample")  # doctest: +SKIP
    """
    return stacked(
        {o: _sum(social_lines(workings, o), lambda _: True) for o in workings.accounts}, dims=(), coords={}
    )


def _sum(lines: tuple[Gain, ...], keep: Callable[[Gain], bool]) -> np.ndarray:
    zero = np.zeros_like(lines[0].amount) if lines else np.zeros(0)
    return sum((line.amount for line in lines if keep(line)), zero)


PERSPECTIVES: dict[str, tuple[str, Callable[[Gain], bool]]] = {
    "council": ("Councils alone", lambda g: g.payer in COUNCIL and g.kind == "fiscal"),
    "central": ("Central government alone, benefits included", lambda g: g.payer in CENTRAL),
    "fiscal": ("All public payers (headline)", lambda g: g.kind == "fiscal"),
    "fiscal_with_benefits": (
        "All public payers, with benefits for children at home",
        lambda g: g.payer not in ("families", "children"),
    ),
    "families": ("Families", lambda g: g.payer == "families"),
    "social": ("Social, children's lives not valued", lambda g: g.payer != "children"),
}
"""Perspective to its words and the lines it counts."""


def perspectives_table(workings: Workings) -> pd.DataFrame:
    """Net present value of every option from each perspective, and in social terms by measure of value.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, perspective, label, mean, median, lower, upper, prob_positive, mcse (of the
        probability): GBP, present value over the headline horizon, positive is a net gain. Perspectives
        ``social_<measure>`` are alternatives and are never added to each other.

    Examples
    --------
    >>> perspectives_table(workings)  # doctest: +SKIP
    """
    rows = []
    for option in workings.accounts:
        if option == "bau":
            continue
        lines = social_lines(workings, option)
        found = {name: (label, _sum(lines, keep)) for name, (label, keep) in PERSPECTIVES.items()}
        social = found["social"][1]
        for measure in VALUED:
            worth = social + worth_of_lives(workings, option, measure)
            found[f"social_{measure}"] = (f"Social: {MEASURES[measure].label}", worth)
        rows += [
            {"option": option, "perspective": name, "label": label} | _summary(workings, draws)
            for name, (label, draws) in found.items()
        ]
    return pd.DataFrame(rows)


def _summary(workings: Workings, draws: np.ndarray) -> dict[str, float]:
    lower, upper = interval(draws, level=workings.inputs.analysis.level)
    gain = probability(draws > 0, label="", chains=workings.chains)
    return {
        "mean": float(draws.mean()),
        "median": float(np.median(draws)),
        "lower": float(lower),
        "upper": float(upper),
        "prob_positive": gain["mean"],
        "mcse": gain["mcse"],
    }


def social_account(workings: Workings, measure: str = "lifetime_cost") -> pd.DataFrame:
    """Who gains and who pays in the social account, by option, line by line.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    measure : str
        How children's lives are valued.

    Returns
    -------
    DataFrame
        Columns option, payer, kind, mean, lower, upper: GBP, present value, positive is a gain. Means of an
        option's lines add up to its row ``all``, ``total``.

    Examples
    --------
    >>> social_account(workings).query("payer == 'families'")  # doctest: +SKIP
    """
    rows = []
    for option in workings.accounts:
        if option == "bau":
            continue
        lines = social_lines(workings, option, measure)
        for line in (*lines, Gain("all", "total", _sum(lines, lambda _: True))):
            lower, upper = interval(line.amount, level=workings.inputs.analysis.level)
            rows.append(
                (option, line.payer, line.kind, float(line.amount.mean()), float(lower), float(upper))
            )
    return pd.DataFrame(rows, columns=["option", "payer", "kind", "mean", "lower", "upper"])
