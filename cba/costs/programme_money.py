"""Programme money of an option by year, in real terms: every line converted once from its own price year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cba.costs.prices import PriceIndex
from cba.errors import InputError

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
