"""The catalogue of tables: each is one registered function with its name, title, unit and when it is made.

To add a table, write a function of the workings in a file of this room and put `@catalogued(...)` above it: an
appraisal then holds it, the workbook has a sheet of it, and the catalogue lists it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from cba.appraisal.quantities import lead_option, of_headline_stance, probability, spread_at
from cba.appraisal.record import Appraisal
from cba.appraisal.workings import Workings
from cba.costs.account import OptionAccount
from cba.decisions.regression import MINIMUM_DRAWS
from cba.inputs.analyses import MIXED

CHILDREN, MONEY, SHARES = (
    "Children.",
    "Money is in GBP of the run's price base.",
    "Probabilities and shares run from 0 to 1.",
)
BY_ROW, AS_INPUTS = "Units are given in each row.", "Units as in the inputs."

Made = TypeVar("Made", bound=Callable[..., Any])


@dataclass(frozen=True)
class Table:
    """One table: its words, when it is made and by what."""

    name: str
    title: str
    unit: str  # what its figures are in
    answers: str = ""  # the first line of the docstring of the function that makes it
    once: bool = False  # once a run, from all draws of the headline stance; else for every stance
    needs: Callable[[Workings], bool] | None = None  # what else the workings must have
    # A frame, or the frames of a group by name; None where it takes more than the workings of one stance.
    make: Callable[[Workings], pd.DataFrame | Mapping[str, pd.DataFrame]] | None = None


TABLES: dict[str, Table] = {
    entry.name: entry
    for entry in (
        Table(
            "need_to_believe",
            "What one would have to believe for the review's claims to hold",
            AS_INPUTS,
            "How the draws that meet the review's claims differ from the rest.",
        ),
        Table(
            "prior_predictive",
            "What the priors alone predict, against what was seen",
            BY_ROW,
            "What the priors alone say about children, spending and savings, beside history and plausibility bounds.",
            once=True,
        ),
        Table(
            "prior_beside_posterior",
            "Results of the priors alone",
            BY_ROW,
            "What the studies moved.",
            once=True,
        ),
        Table(
            "standard",
            "The standard every option passes",
            f"{MONEY} {SHARES}",
            "Which it recommends.",
            once=True,
        ),
    )
}
"""Every table by name. Those listed here compare stances and are made where stances are; all others register."""


def catalogued(
    name: str, title: str, unit: str, *, of: Callable[[Workings], Any] | None = None, **when: Any
) -> Callable[[Made], Made]:
    """Register a function as the maker of a table; it answers what its docstring's first line says.

    `of`: what the function takes, where it is less than the workings. `when`: `once` and `needs` of the table.
    """
    return catalogued_together(Table(name, title, unit), of=of, **when)


def catalogued_together(
    *described: Table, of: Callable[[Workings], Any] | None = None, **when: Any
) -> Callable[[Made], Made]:
    """Register a function as the maker of several tables that are computed together: frames by name."""

    def registered(make: Made) -> Made:
        taking = make if of is None else lambda workings: make(of(workings))
        answers = (make.__doc__ or "").partition("\n")[0]
        for entry in described:
            TABLES[entry.name] = replace(entry, answers=answers, make=taking, **when)
        return make

    return registered


# --- How draws become the columns of a row ---


def spread(workings: Workings, draws: np.ndarray, of: str = "", *, median: bool = False) -> dict[str, Any]:
    """Mean and limits of draws over their first axis, `of` before each column's name; with the median if asked."""
    return spread_at(workings.inputs.analysis.level, draws, of, median=median)


def chance(workings: Workings, event: np.ndarray, name: str, error: str = "mcse") -> dict[str, float]:
    """Probability of an event and its Monte Carlo error, under two column names."""
    found = probability(event, label="", chains=workings.chains)
    return {name: found["mean"], error: found["mcse"]}


def reforms(workings: Workings) -> dict[str, OptionAccount]:
    """Accounts of all options but business as usual."""
    return {option: account for option, account in workings.accounts.items() if option != "bau"}


# --- What a table may need ---


FEWEST_DRAWS = MINIMUM_DRAWS
"""Fewer draws cannot say what an input moves or what learning is worth."""


def review_programme(workings: Workings) -> bool:
    """Whether the analysis appraises the review's programme."""
    return workings.inputs.claims.programme in workings.accounts


def a_reform(workings: Workings) -> bool:
    """Whether the analysis has an option beside business as usual."""
    return set(workings.accounts) > {"bau"}


def enough_to_learn(workings: Workings) -> bool:
    """Whether there are draws enough, and the option the report follows is not the same in all of them."""
    npv = workings.arrays.npv.sel(option=lead_option(workings))
    return npv.sizes["sample"] >= FEWEST_DRAWS and float(npv.std()) > 0.0


def own_fits(workings: Workings) -> bool:
    """Whether the draws are the posterior of one set of priors, chain by chain."""
    return workings.inputs.stance in MIXED and workings.chains is not None


# --- All tables of an appraisal, and the list of them ---


def all_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """Return every table that the workings of one stance can make, by name.

    Numbers are means and interval limits at the analysis's level; money is GBP of the price base.
    """
    headline = of_headline_stance(workings)
    found: dict[str, pd.DataFrame] = {}
    # Matrix products here are small and many. A linear algebra library that shares each among threads spends its
    # time waiting for them, up to 30 times as long on a busy machine, so it is held to one.
    with threadpool_limits(1, user_api="blas"):
        for make, entry in {entry.make: entry for entry in TABLES.values()}.items():
            if make is None or entry.once > headline or not (entry.needs is None or entry.needs(workings)):
                continue
            made = make(workings)
            found |= {entry.name: made} if isinstance(made, pd.DataFrame) else made
    return found


def catalogue(*appraisals: Appraisal) -> pd.DataFrame:
    """List every table: name, title, unit, what it answers and when it is made; with its rows in appraisals given."""
    rows = [
        {
            "table": entry.name,
            "title": entry.title,
            "unit": entry.unit,
            "answers": entry.answers,
            "made": "once a run" if entry.once else "for every stance",
            **{f"rows_{a.stance}": len(a.tables[entry.name]) for a in appraisals if entry.name in a.tables},
        }
        for entry in TABLES.values()
    ]
    return pd.DataFrame(rows)
