"""Credit for an option's effect, split among its interventions by exact Shapley values over their subsets."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.arrays import net_saving
from cba.appraisal.headline import discounted
from cba.costs.option_account import OptionAccount, option_account
from cba.decisions.shapley_values import shapley
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

    Examples
    --------
    >>> from cba.inputs.options import load_options
    >>> part = with_components(load_options(["care_review"])[0], ("kinship",))
    >>> part.effects.allowance_scope, part.effects.foster_carers_target, part.financing
    ('sgo_and_cao', 0.0, 'fade')
    """
    wanted = {c for p in players for c in (_COST_ONLY if p == "cost_only" else (p,))}
    effects = option.effects.model_dump()
    if "kinship" not in wanted:
        effects |= {"allowance_scope": "none", "family_network": False}
    if "foster" not in wanted:
        effects |= {"foster_carers_target": 0.0}
    if "cost_only" not in players:
        effects |= {"price_reform": False}
    recurrent = option.recurrent if option.recurrent and option.recurrent.component in wanted else None
    return option.model_copy(
        update={
            "spend": tuple(line for line in option.spend if line.component in wanted),
            "effects": Effects(**effects),
            "recurrent": recurrent,
            "financing": option.financing if recurrent else "fade",
        }
    )


def component_account(workings: Workings, option: str, players: tuple[str, ...]) -> OptionAccount:
    """Work out an option with only some of its interventions, on the same draws.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    option : str
        Id of an option of the analysis.
    players : tuple of str
        Members of :data:`PLAYERS`.

    Returns
    -------
    OptionAccount
        One that was worked out before where an option of the analysis has the same money and effects.

    Examples
    --------
    >>> component_account(workings, "care_review", ("family_help",))  # doctest: +SKIP
    """
    full = next(o for o in workings.inputs.options if o.id == option)
    part = with_components(full, players)
    for known in workings.inputs.options:
        if _same_account(known, part):
            return workings.accounts[known.id]
    return option_account(part, workings.system, workings.basis)


def _same_account(one: Option, other: Option) -> bool:
    """Whether two options must have the same account: all that :func:`option_account` reads is the same."""
    fields = ("timing", "delay_years", "financing", "recurrent", "spend", "effects")
    return all(getattr(one, field) == getattr(other, field) for field in fields)


def attribution_table(workings: Workings, option: str = "care_review") -> pd.DataFrame:
    """Split the mean effect and net present value of an option among its interventions.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    option : str
        Id of an option of the analysis.

    Returns
    -------
    DataFrame
        Columns option, component, fewer_children, npv (GBP): exact Shapley values over all 2^4 subsets; they
        sum to the option's mean effect and mean net present value.

    Examples
    --------
    >>> attribution_table(workings).set_index("component")["npv"]  # doctest: +SKIP
    """
    target = workings.years.index(workings.inputs.analysis.target_year)
    full = next(o for o in workings.inputs.options if o.id == option)
    acting = PLAYERS if full.effects.price_reform or _acts(full) else PLAYERS[:-1]
    bill = _idle_bill(workings, option)

    @cache
    def achieved(players: tuple[str, ...]) -> np.ndarray:
        """Mean effect and worth of some of the interventions that act."""
        if players == acting:
            account = workings.accounts[option]
            add_back = np.array([0.0, 0.0 if acting == PLAYERS else -bill])
        elif players:
            account, add_back = component_account(workings, option, players), np.zeros(2)
        else:
            return np.zeros(2)
        fewer = account.children.fewer_by_age[:, target].sum(axis=-1).mean()
        return np.array([fewer, discounted(workings, net_saving(account)).mean()]) + add_back

    def value(members: frozenset[str]) -> np.ndarray:
        idle = "cost_only" in members and acting != PLAYERS
        return achieved(tuple(p for p in acting if p in members)) + np.array([0.0, bill if idle else 0.0])

    credit = shapley(value, PLAYERS)
    return pd.DataFrame(
        [
            {"option": option, "component": p, "fewer_children": float(c[0]), "npv": float(c[1])}
            for p, c in credit.items()
        ]
    )


def _acts(option: Option) -> bool:
    """Whether money of `cost_only` is reinvested savings, and so depends on the other interventions."""
    return option.recurrent is not None and option.recurrent.component in _COST_ONLY


def _idle_bill(workings: Workings, option: str) -> float:
    """Mean worth of money that acts on nothing and is only added: below 0."""
    lines = [line for line in workings.accounts[option].costs if line.component in _COST_ONLY]
    spent = sum((line.amount for line in lines), np.zeros_like(workings.accounts[option].recurrent))
    return -float(discounted(workings, spent).mean())
