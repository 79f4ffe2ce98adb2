"""Lines of an option's account: what it costs whom, what it saves whom, and what support at home costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cba.costs.programme_money import MoneyLine
from cba.costs.savings import SavingLine, cashable, child_years
from cba.dimensions import PLACEMENTS
from cba.projection.care_system import RETURN_YEARS, CareSystem
from cba.projection.option_children import OptionChildren, Services

if TYPE_CHECKING:
    from cba.inputs.options import Option

_HOME = PLACEMENTS.index("childrens_home")
_FOSTER = np.array([float(p.startswith("foster")) for p in PLACEMENTS])
_OTHER = 1.0 - _FOSTER - np.eye(len(PLACEMENTS))[_HOME]

SUPPORT = ("home_support", "guardianship_support")
"""Components of what councils spend on children who are not in care because of an option."""


def cost_lines(
    system: CareSystem, lines: tuple[MoneyLine, ...], *, deadweight: np.ndarray
) -> tuple[MoneyLine, ...]:
    """Lines of money with their overrun, and allowances to existing carers apart from the rest.

    Parameters
    ----------
    system : CareSystem
        Gives the overrun.
    lines : tuple of MoneyLine
        Programme and recurrent money.
    deadweight : ndarray, shape (sample, year), GBP of the price base
        Allowances to existing carers: part of the kinship money of each year.

    Returns
    -------
    tuple of MoneyLine
        They sum to the money times its overrun.

    Examples
    --------
    >>> cost_lines(system, lines, deadweight=deadweight)  # doctest: +SKIP
    """
    overrun = system.value("delivery.cost_overrun")[:, None]
    costs = [MoneyLine(line.component, line.payer, line.kind, line.amount * overrun) for line in lines]
    return tuple(_with_deadweight(costs, deadweight * overrun) if deadweight.any() else costs)


def _with_deadweight(costs: list[MoneyLine], deadweight: np.ndarray) -> list[MoneyLine]:
    """Show the allowances paid to existing carers apart from the rest of the kinship money; the sum stays."""
    kinship = [line for line in costs if line.component == "kinship"]
    total = sum((line.amount for line in kinship), np.zeros_like(deadweight))
    share = np.divide(deadweight, total, out=np.zeros_like(total), where=total > 0)
    shown = [line for line in costs if line.component != "kinship"]
    for line in kinship:
        shown.append(MoneyLine("kinship", line.payer, line.kind, line.amount * (1.0 - share)))
        shown.append(MoneyLine("kinship", line.payer, "deadweight", line.amount * share))
    return shown


def support_lines(option: Option, system: CareSystem, children: OptionChildren) -> tuple[MoneyLine, ...]:
    """What councils spend on children who are not in care: at home, or with special guardians.

    Parameters
    ----------
    option : Option
        Allowances make special guardians; without them nobody is added.
    system : CareSystem
        Gives the yearly costs.
    children : OptionChildren
        As returned by :func:`cba.projection.option_children.option_children`.

    Returns
    -------
    tuple of MoneyLine
        Component ``home_support`` (child-years at home x share supported under a plan x yearly cost) and
        ``guardianship_support``, paid by councils year after year (kind ``recurrent``).

    Notes
    -----
    An adverse effect brings children into care, and support at home is then not taken off: a plan not made
    leaves no budget, as an extra cost does not wait to be cashable. The line is never below 0.

    Examples
    --------
    >>> support_lines(option, system, children)  # doctest: +SKIP
    """
    lines: tuple[MoneyLine, ...] = ()
    if children.at_home.any():
        rate = system.value("home_support.supported_share") * system.value("home_support.cost_per_year")
        at_home = child_years(np.maximum(children.at_home, 0.0)) * rate[:, None]
        lines = (MoneyLine("home_support", "council", "recurrent", at_home),)
    if option.effects.allowance_scope == "none":
        return lines
    support = child_years(children.under_guardianship) * system.value("kinship.guardianship_support")[:, None]
    return (*lines, MoneyLine("guardianship_support", "council", "recurrent", support))


def price_cut(
    option: Option, system: CareSystem, services: Services, children: OptionChildren, *, prices: np.ndarray
) -> np.ndarray:
    """Money less paid for the children's home placements that remain once a reform lowers their price.

    Parameters
    ----------
    option : Option
        Without ``price_reform`` there is none.
    system : CareSystem
        Business as usual.
    services : Services
        How much of the reform is in place.
    children : OptionChildren
        Who has left or moved out of children's homes.
    prices : ndarray, shape (sample, year, placement), GBP a year of the price base
        Average cost of a placement.

    Returns
    -------
    ndarray, shape (sample, year), GBP of the price base
        Below 0 where the reform makes homes dearer.

    Examples
    --------
    >>> price_cut(option, system, services, children, prices=prices)  # doctest: +SKIP
    """
    if not option.effects.price_reform:
        return np.zeros_like(services.reform)
    total = system.baseline["children"].transpose("sample", "year", "age").values.sum(axis=-1)
    gone = children.fewer_by_placement[..., _HOME] + children.moved[..., _HOME]
    left = total * system.placement_mix[..., _HOME] - gone
    cut = services.reform * system.value("reform.home_price_cut")[:, None]
    return np.asarray(cut * left * prices[..., _HOME])


def starts_averted(system: CareSystem, children: OptionChildren) -> np.ndarray:
    """Starts fewer in each year once deferred ones have happened after all.

    Parameters
    ----------
    system : CareSystem
        Gives the share of averted starts that are deferred.
    children : OptionChildren
        As returned by :func:`cba.projection.option_children.option_children`.

    Returns
    -------
    ndarray, shape (sample, year), children
        Averted starts less, in equal parts 2 to 5 years later, the deferred ones.

    Examples
    --------
    >>> starts_averted(system, children)  # doctest: +SKIP
    """
    averted = children.averted_starts.sum(axis=-1)
    later = np.zeros_like(averted)
    for wait in RETURN_YEARS:
        later[:, wait:] += averted[:, : max(averted.shape[1] - wait, 0)] / len(RETURN_YEARS)
    return averted - system.value("family_help.deferral_share")[:, None] * later


def saving_lines(
    system: CareSystem, children: OptionChildren, avoided: np.ndarray, *, cut: np.ndarray
) -> tuple[SavingLine, ...]:
    """Cashable savings by who gains; homes, fostering, other placements and care proceedings.

    Parameters
    ----------
    system : CareSystem
        Gives cashable shares, the cost of proceedings and who bears it.
    children : OptionChildren
        Starts averted.
    avoided : ndarray, shape (sample, year, placement), GBP of the price base
        Avoidable cost of placements.
    cut : ndarray, shape (sample, year), GBP of the price base
        As returned by :func:`price_cut`: it closes no place, so it leaves budgets as it is paid.

    Returns
    -------
    tuple of SavingLine

    Examples
    --------
    >>> saving_lines(system, children, avoided, cut=cut)  # doctest: +SKIP
    """
    share = {
        "at_once": system.value("cashable.share_at_once"),
        "rest_later": system.value("cashable.rest_later"),
    }
    placed = cashable(avoided, **share)
    homes = placed[..., _HOME] + cut
    nhs = system.value("payers.nhs_share_of_homes")[:, None]
    case = system.value("legal.proceedings_share") * system.value("legal.cost_per_case")
    legal = cashable(starts_averted(system, children) * case[:, None], **share)
    council = system.value("legal.council_share")[:, None]
    return (
        SavingLine("childrens_homes", "council", homes * (1.0 - nhs)),
        SavingLine("childrens_homes", "nhs", homes * nhs),
        SavingLine("fostering", "council", placed @ _FOSTER),
        SavingLine("other_placements", "council", placed @ _OTHER),
        SavingLine("care_proceedings", "council", legal * council),
        SavingLine("care_proceedings", "justice", legal * (1.0 - council)),
    )
