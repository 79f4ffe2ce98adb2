"""From money to children: each step of family help's effect, so that a reader sees where a large sum becomes small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.attribution import component_account
from cba.appraisal.summaries import interval

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings


def effect_chain(workings: Workings, option: str = "care_review") -> pd.DataFrame:
    """Steps from family help's money to children fewer in care, in the target year.

    Parameters
    ----------
    workings : Workings
    option : str
        Id of an option of the analysis that spends on family help.

    Returns
    -------
    DataFrame
        Columns option, step, kind (money, share or children), unit, mean, median, lower, upper. Starts averted
        are the product of starts, coverage, reach and effect (which differs by age) within each draw; the
        product of the means differs because the factors vary together.

    Examples
    --------
    >>> effect_chain(workings)["step"].iloc[0]  # doctest: +SKIP
    'Money for family help'
    """
    system = workings.system
    year = workings.years.index(workings.inputs.analysis.target_year)
    account = component_account(workings, option, ("family_help",))
    money = sum((line.amount[:, year] for line in account.costs), np.zeros(system.reach.size))
    covered = account.services.family_help[:, year]
    starts = system.baseline["starts_reachable"].sum("age").transpose("sample", "year").values[:, year]
    averted = account.children.averted_starts[:, year].sum(axis=-1)
    steps = [
        ("Money for family help", "money", "GBP per year", money),
        ("Cost of serving one child", "money", "GBP per child", system.value("family_help.cost_per_child")),
        ("Children served", "children", "children per year", covered * system.value("family_help.eligible_children")),
        ("Share of eligible children served (coverage)", "share", "share", covered),
        ("Share of starts that full coverage would reach (reach)", "share", "share", system.reach),
        ("Effect on a child reached: fall in the risk of entering care", "share", "share",
         1.0 - np.exp(system.value("family_help.log_risk_ratio"))),
        ("Starts, unaccompanied children aside", "children", "children per year", starts),
        ("Starts averted", "children", "children per year", averted),
        ("Fewer children in care at 31 March", "children", "children",
         account.children.fewer_by_age[:, year].sum(axis=-1)),
    ]  # fmt: skip
    level = workings.inputs.analysis.level
    rows = []
    for step, kind, unit, draws in steps:
        lower, upper = interval(draws, level=level)
        known = {"option": option, "step": step, "kind": kind, "unit": unit}
        found = {"mean": draws.mean(), "median": np.median(draws), "lower": lower, "upper": upper}
        rows.append(known | found)
    return pd.DataFrame(rows)
