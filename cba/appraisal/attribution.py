"""Credit for an option's effect, split among its interventions by exact Shapley values over their subsets."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import pandas as pd

from cba.costs.option_account import OptionAccount, option_account
from cba.decisions.shapley import shapley
from cba.inputs.option_records import Effects

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings
    from cba.inputs.options import Option

PLAYERS = ("family_help", "kinship", "foster", "cost_only")
"""Interventions credit is split among; `cost_only` holds workforce, regional care and other money."""

_COST_ONLY = ("workforce", "regional_care", "other")


def with_components(option: Option, players: tuple[str, ...]) -> Option:
    """Return the option with only the money and effects of some players.

    Parameters
    ----------
    option : Option
    players : tuple of str
        Members of :data:`PLAYERS`.

    Returns
    -------
    Option
        Financing as in the option where its recurrent money is kept, ``fade`` otherwise.
    """
    wanted = {c for p in players for c in (_COST_ONLY if p == "cost_only" else (p,))}
    effects = option.effects.model_dump()
    if "kinship" not in wanted:
        effects |= {"allowance_scope": "none", "family_network": False}
    if "foster" not in wanted:
        effects |= {"foster_carers_target": 0.0, "foster_target_offset": 0}
    if "cost_only" not in players:
        effects |= {"price_reform": False}
    recurrent = option.recurrent if option.recurrent and option.recurrent.component in wanted else None
    return option.model_copy(update={
        "spend": tuple(line for line in option.spend if line.component in wanted), "effects": Effects(**effects),
        "recurrent": recurrent, "financing": option.financing if recurrent else "fade",
    })


def component_account(workings: Workings, option: str, players: tuple[str, ...]) -> OptionAccount:
    """Work out an option with only some of its interventions, on the same draws."""
    full = next(o for o in workings.inputs.options if o.id == option)
    return option_account(with_components(full, players), workings.system, workings.basis)


def attribution_table(workings: Workings, option: str = "care_review") -> pd.DataFrame:
    """Split the mean effect and net present value of an option among its interventions.

    Parameters
    ----------
    workings : Workings
    option : str
        Id of an option of the analysis.

    Returns
    -------
    DataFrame
        Columns option, component, fewer_children, npv (GBP): exact Shapley values over all 2^4 subsets; they sum
        to the option's mean effect and mean net present value.
    """
    from cba.appraisal.arrays import net_saving
    from cba.appraisal.headline import discounted

    year = workings.years.index(workings.inputs.analysis.target_year)
    fewer: dict[frozenset[str], float] = {}
    value: dict[frozenset[str], float] = {}
    for size in range(len(PLAYERS) + 1):
        for players in combinations(PLAYERS, size):
            account = component_account(workings, option, players)
            fewer[frozenset(players)] = float(account.children.fewer_by_age[:, year].sum(axis=-1).mean())
            value[frozenset(players)] = float(discounted(workings, net_saving(account)).mean())
    children = shapley(lambda members: fewer[frozenset(members)], PLAYERS)
    money = shapley(lambda members: value[frozenset(members)], PLAYERS)
    return pd.DataFrame([{"option": option, "component": p, "fewer_children": float(children[p]),
                          "npv": float(money[p])} for p in PLAYERS])
