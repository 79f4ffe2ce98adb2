"""Programme money of an option by year, in real terms: every line converted once from its own price year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cba.costs.prices import PriceIndex

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
    kind : {"programme", "recurrent"}
        The programme itself, or what goes on after it.
    amount : ndarray, shape (sample, year)
        GBP of the price base, before any overrun.
    """

    component: str
    payer: str
    kind: str
    amount: np.ndarray


def conversion(price_year: int | str, year: int, *, price_base: int, prices: PriceIndex, draws: int) -> np.ndarray:
    """Factor from the stated prices to the price base, shape (sample,).

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
    """
    stated = year if price_year == "cash" else int(price_year)
    factor = prices.index(price_base) / prices.index(stated)
    return np.broadcast_to(np.asarray(factor, dtype=float), (draws,))


def programme_money(option: Option, *, start_year: int, years: Sequence[int], price_base: int, prices: PriceIndex,
                    draws: int) -> tuple[MoneyLine, ...]:
    """Programme lines that are additional to existing budgets.

    Parameters
    ----------
    option : Option
        As loaded by :func:`cba.inputs.options.load_options`.
    start_year : int
        First year of the analysis; moves the money of options with ``timing = "shift"``.
    years : sequence of int
        Calendar years of the appraisal.
    price_base : int
    prices : PriceIndex
    draws : int

    Returns
    -------
    tuple of MoneyLine
        Money rolled in from existing budgets (``additional = false``) is left out: it is in business as usual.
    """
    lines = []
    for (component, payer, price_year, additional), amounts in option.spend_by_year(start_year).items():
        if not additional:
            continue
        money = np.zeros((draws, len(years)))
        for year, amount in amounts.items():
            if year in years:
                factor = conversion(price_year, year, price_base=price_base, prices=prices, draws=draws)
                money[:, list(years).index(year)] += amount * MILLION * factor
        lines.append(MoneyLine(component, payer, "programme", money))
    return tuple(lines)


def recurrent_cap(option: Option, *, start_year: int, years: Sequence[int], price_base: int, prices: PriceIndex,
                  draws: int) -> np.ndarray:
    """Yearly recurrent money, or its cap where it is reinvested, shape (sample, year), GBP of the price base."""
    cap = np.zeros((draws, len(years)))
    if option.recurrent is None:
        return cap
    first = option.year_of(option.recurrent.first_offset, start_year)
    for position, year in enumerate(years):
        if year >= first:
            factor = conversion(option.recurrent.price_year, year, price_base=price_base, prices=prices, draws=draws)
            cap[:, position] = option.recurrent.gbp_million * MILLION * factor
    return cap
