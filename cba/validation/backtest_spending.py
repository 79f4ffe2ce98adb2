"""Backtest of spending: real cost of the system one to five years ahead, from accounts and unit costs known then.

Numbers of children and other drivers are the published ones, so this scores what is assumed of unit costs; the number
of children is scored on its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from cba.costs.accounts_history import by_line, forecast_history, published_real
from cba.validation.backtest_totals import AHEAD, SHIPPED
from cba.validation.known_then import SINCE_REVISED, Skipped
from cba.validation.reference_forecasts import drift, naive
from cba.validation.score_rows import score_rows

if TYPE_CHECKING:
    import xarray as xr

    from cba.inputs.prior_registry import PriorRegistry

FIRST_ORIGIN = 2019
"""First account with three yearly changes of unit costs before it."""

LEAST_YEARS = 4
"""Accounts a reference forecast needs: three yearly changes."""


def backtest_spending(
    observations: xr.Dataset,
    priors: PriorRegistry,
    *,
    price_base: int,
    draws: int = 2000,
    seed: int = 20220523,
) -> tuple[pd.DataFrame, tuple[Skipped, ...]]:
    """Forecast every published account after each origin, and score.

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`; accounts have one vintage.
    priors : PriorRegistry
        As for :func:`cba.costs.accounts_history.forecast_history`.
    price_base : int
        Year ending 31 March of the prices.
    draws, seed : int

    Returns
    -------
    tuple of DataFrame and tuple of Skipped
        Columns as :func:`cba.validation.backtest_totals.backtest_totals`; quantity is ``spending`` for the system and
        ``spending, <line>`` for its published lines, GBP of the price base.

    Examples
    --------
    >>> backtest_spending(observations, priors, price_base=2024)  # doctest: +SKIP
    """
    real = by_line(published_real(observations, price_base=price_base))
    parameters = priors.sample(draws, seed)
    rows: list[dict[str, object]] = []
    skipped: list[Skipped] = []
    last = int(real["year"][-1])
    for origin in range(FIRST_ORIGIN, last):
        history = real.sel(year=slice(None, origin))
        if history.sizes["year"] < LEAST_YEARS:
            skipped.append(Skipped(f"spending from {origin}", "fewer than three yearly changes are known"))
            continue
        made = forecast_history(
            observations, parameters, priors=priors, origin=origin, price_base=price_base, seed=seed
        )
        ahead = by_line(made).transpose("sample", "year", ...)
        steps = min(AHEAD, ahead.sizes["year"])
        for line in ahead["line"].values:
            past = history.sel(line=line).values
            forecasts = {SHIPPED: ahead.sel(line=line).values}
            forecasts |= {
                name: other(past, years=steps, draws=draws, seed=seed + origin)
                for name, other in (("last value", naive), ("drift", drift))
            }
            for step in range(steps):
                outturn = float(real.sel(line=line, year=origin + step + 1))
                made_here = {name: values[:, step] for name, values in forecasts.items()}
                quantity = "spending" if line == "total" else f"spending, {line}"
                found = score_rows(
                    made_here,
                    origin=origin,
                    kind=SINCE_REVISED,
                    quantity=quantity,
                    ahead=step + 1,
                    outturn=outturn,
                )
                rows.extend(found)
    return pd.DataFrame(rows), tuple(skipped)
