"""Programme money of an option by year, in real terms: every line converted once from its own price year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from cba.costs.prices import PlacementPrices, PriceIndex
from cba.dimensions import PLACEMENTS
from cba.errors import InputError
from cba.projection.care_system import RETURN_YEARS, CareSystem
from cba.projection.option_children import OptionChildren, Services

if TYPE_CHECKING:
    from cba.inputs.options import Option


MILLION = 1e6


@dataclass(frozen=True)
class MoneyLine:
    """One line of money.

    Attributes
    ----------
    component, payer : str
        What it is spent on and who pays.
    kind : {"programme", "recurrent", "deadweight"}
        The programme itself, what goes on after it, or what is paid to those who need no persuading.
    amount : ndarray, shape (sample, year)
        GBP of the price base.
    """

    component: str
    payer: str
    kind: str
    amount: np.ndarray


def conversion(
    price_year: int | str, year: int, *, price_base: int, prices: PriceIndex, draws: int
) -> np.ndarray:
    """Factor from the stated prices to the price base.

    Parameters
    ----------
    price_year : int or "cash"
        Price year of the amount; ``"cash"`` means prices of the year it is spent.
    year : int
        Year ending 31 March in which it is spent.
    price_base : int
        Price base of the analysis.
    prices : PriceIndex
        Deflator with its growth beyond the last published year.
    draws : int
        Number of samples.

    Returns
    -------
    ndarray, shape (sample,), above 0
        ``index(price_base) / index(stated)``.

    Examples
    --------
    >>> import xarray as xr
    >>> published = xr.DataArray(
    ...     [100.0, 110.0], coords={"deflator_year": [2022, 2023]}, dims="deflator_year"
    ... )
    >>> prices = PriceIndex(published=published)
    >>> conversion(2022, 2023, price_base=2023, prices=prices, draws=1).round(3).tolist()
    [1.1]
    >>> conversion("cash", 2023, price_base=2022, prices=prices, draws=1).round(3).tolist()
    [0.909]
    """
    stated = year if price_year == "cash" else int(price_year)
    factor = prices.index(price_base) / prices.index(stated)
    return np.broadcast_to(np.asarray(factor, dtype=float), (draws,))


def programme_money(
    option: Option,
    *,
    start_year: int,
    years: Sequence[int],
    price_base: int,
    prices: PriceIndex,
    draws: int,
) -> tuple[MoneyLine, ...]:
    """Programme lines that are additional to existing budgets.

    Parameters
    ----------
    option : Option
        As loaded by :func:`cba.inputs.options.load_options`.
    start_year : int
        First year of the analysis; moves the money of options with ``timing = "shift"``.
    years : sequence of int
        Years ending 31 March of the projection; money after the last of them is beyond the appraisal.
    price_base : int
        Price base of the analysis.
    prices : PriceIndex
        Deflator with its growth beyond the last published year.
    draws : int
        Number of samples.

    Returns
    -------
    tuple of MoneyLine
        Money rolled in from existing budgets (``additional = false``) is left out: business as usual has it.

    Raises
    ------
    InputError
        If additional money is spent before `start_year`: its savings would count and its cost would not.

    Examples
    --------
    The money of 2025-26, stated in cash, in the prices of 2023-24; what is rolled in does not show.

    >>> import xarray as xr
    >>> from cba.inputs.options import load_options
    >>> index = xr.DataArray(
    ...     [100.0, 104.0], coords={"deflator_year": [2024, 2025]}, dims="deflator_year"
    ... )
    >>> prices = PriceIndex(published=index, growth_beyond=0.02)
    >>> option = load_options(["ffp_2025"])[0]
    >>> lines = programme_money(
    ...     option, start_year=2026, years=[2026], price_base=2024, prices=prices, draws=1
    ... )
    >>> [(line.component, round(float(line.amount[0, 0]) / 1e6, 2)) for line in lines]
    [('family_help', 252.64), ('kinship', 18.85)]
    """
    calendar = list(years)
    lines = []
    for (component, payer, price_year, additional), amounts in option.spend_by_year(start_year).items():
        if not additional:
            continue
        _require_not_sunk(amounts, option=option, start_year=start_year)
        money = np.zeros((draws, len(calendar)))
        for year, amount in amounts.items():
            if amount and year in calendar:
                factor = conversion(price_year, year, price_base=price_base, prices=prices, draws=draws)
                money[:, calendar.index(year)] += amount * MILLION * factor
        lines.append(MoneyLine(component, payer, "programme", money))
    return tuple(lines)


def _require_not_sunk(amounts: dict[int, float], *, option: Option, start_year: int) -> None:
    early = [year for year, amount in amounts.items() if year < start_year and amount > 0]
    if early:
        raise InputError(
            "an option spends before the analysis starts",
            file=f"{option.id}.toml",
            field="spend.gbp_million",
            found=early[0],
            allowed=f"years from {start_year}, the start_year of the analysis",
            cause="a calendar option whose programme is already under way, so that part of it is sunk",
            remedy="start the analysis in its first year, or leave the option out",
        )


def recurrent_cap(
    option: Option,
    *,
    start_year: int,
    years: Sequence[int],
    price_base: int,
    prices: PriceIndex,
    draws: int,
) -> np.ndarray:
    """Yearly recurrent money, or its cap where it is reinvested.

    Parameters
    ----------
    option : Option
        As loaded by :func:`cba.inputs.options.load_options`.
    start_year : int
        First year of the analysis.
    years : sequence of int
        Years ending 31 March of the projection.
    price_base : int
        Price base of the analysis.
    prices : PriceIndex
        Deflator with its growth beyond the last published year.
    draws : int
        Number of samples.

    Returns
    -------
    ndarray, shape (sample, year), GBP of the price base
        Zero before the first year of recurrent money, and throughout where the option has none.

    Examples
    --------
    >>> import xarray as xr
    >>> from cba.inputs.options import load_options
    >>> index = xr.DataArray([100.0], coords={"deflator_year": [2022]}, dims="deflator_year")
    >>> recurrent_cap(
    ...     load_options(["care_review"])[0], start_year=2023, years=[2026, 2027, 2028], price_base=2022,
    ...     prices=PriceIndex(published=index), draws=1,
    ... ).tolist()
    [[0.0, 1000000000.0, 1000000000.0]]
    """
    cap = np.zeros((draws, len(years)))
    if option.recurrent is None:
        return cap
    money = option.recurrent
    funded = np.array(years) >= option.year_of(money.first_offset, start_year)
    settings: dict[str, Any] = {"price_base": price_base, "prices": prices, "draws": draws}
    if money.price_year == "cash":
        for position in np.flatnonzero(funded).tolist():
            cap[:, position] = conversion("cash", years[position], **settings)
    elif funded.any():
        cap[:, funded] = conversion(money.price_year, start_year, **settings)[:, None]
    return cap * money.gbp_million * MILLION


# --- From children fewer in care to money: avoidable cost, and the part of it councils can take out of … ---


LATER = 2
"""Years after which what was not cashable at once becomes so in part."""


@dataclass(frozen=True)
class SavingLine:
    """One line of savings: who gains, on what; `amount` (sample, year) in GBP of the price base."""

    component: str
    payer: str
    amount: np.ndarray


def child_years(stock: np.ndarray) -> np.ndarray:
    """Child-years in each year from numbers at its two ends.

    Parameters
    ----------
    stock : ndarray, shape (sample, year, ...), children at 31 March
        Changes against business as usual, so nothing before the first year.

    Returns
    -------
    ndarray, shape of `stock`, child-years
        ``(stock(t - 1) + stock(t)) / 2``.

    Examples
    --------
    >>> child_years(np.array([[10.0, 20.0, 20.0]])).tolist()
    [[5.0, 15.0, 20.0]]
    """
    before = np.concatenate([np.zeros_like(stock[:, :1]), stock[:, :-1]], axis=1)
    return (before + stock) / 2.0


def avoidable_share(parameters: xr.Dataset) -> np.ndarray:
    """Share of the average cost that one placement fewer avoids.

    Parameters
    ----------
    parameters : Dataset, dims (sample)
        With ``avoidable.childrens_home``, ``avoidable.foster`` and ``avoidable.other``.

    Returns
    -------
    ndarray, shape (sample, placement), in [0, 1]
        The same in every year: unit costs grow, this share does not.

    Examples
    --------
    >>> names = ("childrens_home", "foster", "other")
    >>> drawn = xr.Dataset({f"avoidable.{n}": ("sample", [v]) for n, v in zip(names, (0.8, 0.6, 0.7))})
    >>> dict(zip(PLACEMENTS, avoidable_share(drawn)[0].tolist()))["foster_agency"]
    0.6
    """
    entry = {"childrens_home": "avoidable.childrens_home"}
    entry |= {p: "avoidable.foster" for p in PLACEMENTS if p.startswith("foster")}
    return np.stack([parameters[entry.get(p, "avoidable.other")].values for p in PLACEMENTS], axis=-1)


def cashable(avoided: np.ndarray, *, at_once: np.ndarray, rest_later: np.ndarray) -> np.ndarray:
    """Part of an avoidable cost that leaves budgets in each year; an extra cost counts in full.

    Parameters
    ----------
    avoided : ndarray, shape (sample, year, ...), GBP
        Avoidable cost of each year; negative where an option makes care dearer.
    at_once : ndarray, shape (sample,), in [0, 1]
        Share of a saving cashable in the year it arises.
    rest_later : ndarray, shape (sample,), in [0, 1]
        Share of the rest that is cashable from the second year after.

    Returns
    -------
    ndarray, shape of `avoided`, GBP

    Examples
    --------
    >>> share = {"at_once": np.array([0.6]), "rest_later": np.array([0.5])}
    >>> cashable(np.array([[0.0, 100.0, 100.0, 100.0]]), **share).tolist()
    [[0.0, 60.0, 60.0, 80.0]]
    >>> cashable(np.array([[-100.0, 0.0, 0.0]]), **share).tolist()
    [[-100.0, 0.0, 0.0]]
    """
    wide = (-1, *[1] * (avoided.ndim - 1))
    saved = np.maximum(avoided, 0.0)
    cash = avoided - saved  # what is dearer, in full
    cash += at_once.reshape(wide) * saved
    cash[:, LATER:] += ((1.0 - at_once) * rest_later).reshape(wide) * saved[:, :-LATER]
    return cash


def placement_savings(
    fewer: np.ndarray, moved: np.ndarray, *, prices: np.ndarray, parameters: xr.Dataset
) -> np.ndarray:
    """Avoidable cost by placement and year, before cashability.

    Parameters
    ----------
    fewer : ndarray, shape (sample, year, placement)
        Children fewer at 31 March.
    moved : ndarray, shape (sample, year, placement)
        Children moved out of (positive) or into a placement.
    prices : ndarray, shape (sample, year, placement), GBP a year of the price base
        Average cost of a placement.
    parameters : Dataset, dims (sample)
        With the entries of :func:`avoidable_share`.

    Returns
    -------
    ndarray, shape (sample, year, placement), GBP of the price base
        ``child-years x price x avoidable share``.

    Examples
    --------
    Two children fewer from the end of the first year, at £10,000 and an avoidable share of a half.

    >>> names = ("childrens_home", "foster", "other")
    >>> drawn = xr.Dataset({f"avoidable.{n}": ("sample", [0.5]) for n in names})
    >>> fewer = np.full((1, 2, 8), 2.0)
    >>> saved = placement_savings(fewer, 0.0 * fewer, prices=np.full((1, 2, 8), 1e4), parameters=drawn)
    >>> saved[0, :, 0].tolist()
    [5000.0, 10000.0]
    """
    return child_years(fewer + moved) * prices * avoidable_share(parameters)[:, None, :]


# --- Lines of an option's account: what it costs whom, what it saves whom, and what support at home … ---


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


# --- One option, from its money to its effect and its cash flow; the same draws for every option ---


@dataclass(frozen=True)
class CostBasis:
    """What every option's account shares on the money side.

    Attributes
    ----------
    prices : PlacementPrices
        What placements cost.
    index : PriceIndex
        Deflator with its growth beyond the last published year.
    price_base, start_year : int
        Years ending 31 March.
    """

    prices: PlacementPrices
    index: PriceIndex
    price_base: int
    start_year: int


@dataclass(frozen=True)
class OptionAccount:
    """What one option does.

    Attributes
    ----------
    children : OptionChildren
        Changes in children looked after.
    services : Services
        What its money buys.
    costs : tuple of MoneyLine
        Programme and recurrent money, overrun included, the part of allowances paid to existing carers (kind
        ``deadweight``), and what councils spend on children who are not in care, at home (component
        ``home_support``) or with special guardians (``guardianship_support``), (sample, year).
    savings : tuple of SavingLine
        Cashable savings, (sample, year).
    avoided : ndarray, shape (sample, year, placement)
        Avoidable cost of placements before cashability.
    recurrent : ndarray, shape (sample, year)
        Recurrent money, GBP of the price base, before any overrun.
    """

    children: OptionChildren
    services: Services
    costs: tuple[MoneyLine, ...]
    savings: tuple[SavingLine, ...]
    avoided: np.ndarray
    recurrent: np.ndarray


def total_saving(account: OptionAccount) -> np.ndarray:
    """Cashable saving of all payers in each year.

    Parameters
    ----------
    account : OptionAccount
        As returned by :func:`option_account`.

    Returns
    -------
    ndarray, shape (sample, year), GBP of the price base

    Examples
    --------
    >>> total_saving(account)  # doctest: +SKIP
    """
    return sum((line.amount for line in account.savings), np.zeros_like(account.recurrent))


def total_cost(account: OptionAccount) -> np.ndarray:
    """Programme, recurrent, allowance and support cost of all payers in each year.

    Parameters
    ----------
    account : OptionAccount
        As returned by :func:`option_account`.

    Returns
    -------
    ndarray, shape (sample, year), GBP of the price base

    Examples
    --------
    >>> total_cost(account)  # doctest: +SKIP
    """
    return sum((line.amount for line in account.costs), np.zeros_like(account.recurrent))
