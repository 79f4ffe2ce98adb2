"""Tables of accounts: calibration to section 251, forecasts from earlier years, parts of the system's cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.summaries import interval
from cba.costs.accounts_history import LINES, by_line, forecast_history, modelled_history, published_real
from cba.models.unit_costs import NAMES
from cba.models.unit_costs_accounts import PARTS, driver_weights, last_account_year

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

FIRST_ORIGIN = 2019
"""First year from which unit costs, published since 2015-16, have the three yearly changes an estimate needs."""


def accounts_reconciliation(workings: Workings) -> pd.DataFrame:
    """Published section 251 spending beside what the equations of the projection give, by year and line.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns year, line (a group total, or ``total``), published_cash, published_real, modelled_mean,
        modelled_lower, modelled_upper, inside; GBP, all but the first in the price base. From 2012-13: earlier
        years have other definitions.

    Notes
    -----
    Modelled from the projection's own starting point backwards, with the published drivers and nothing fitted
    to a single year: :func:`cba.costs.accounts_history.modelled_history`.

    Examples
    --------
    >>> accounts_reconciliation(workings)["inside"].mean()  # doctest: +SKIP
    """
    analysis, observations = workings.inputs.analysis, workings.inputs.observations
    base = analysis.price_base
    real = by_line(published_real(observations, price_base=base))
    modelled = by_line(
        modelled_history(
            observations,
            priors=workings.inputs.priors,
            price_base=base,
            draws=workings.system.reach.size,
            seed=analysis.seed,
        )
    )
    prices = observations["gdp_deflator"]
    cash = prices.sel(deflator_year=real["year"].values).values / float(prices.sel(deflator_year=base))
    table = _compared(real, modelled, level=analysis.level)
    place = {int(year): value for year, value in zip(real["year"].values, cash, strict=True)}
    table.insert(2, "published_cash", table["published_real"] * table["year"].map(place))
    return table


def _compared(published: xr.DataArray, modelled: xr.DataArray, *, level: float) -> pd.DataFrame:
    """One row per year and line: published, modelled mean and limits, and whether it lies between."""
    years, lines = published["year"].values, list(LINES)
    mean = modelled.mean("sample").transpose("year", "line").values
    lower, upper = interval(modelled.transpose("sample", "year", "line").values, level=level)
    seen = published.transpose("year", "line").values
    return pd.DataFrame(
        {
            "year": np.repeat(years, len(lines)),
            "line": lines * len(years),
            "published_real": seen.ravel(),
            "modelled_mean": mean.ravel(),
            "modelled_lower": lower.ravel(),
            "modelled_upper": upper.ravel(),
            "inside": ((seen >= lower) & (seen <= upper)).ravel(),
        }
    )


def accounts_backtest(workings: Workings) -> pd.DataFrame:
    """Published spending beside forecasts made from earlier years, growth estimated from those years back.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns origin, year, line, published_real, modelled_mean, modelled_lower, modelled_upper, inside; GBP of
        the price base. The number of children and other drivers are the published ones; origins overlap, so
        their errors are not independent. Empty before release 2022.

    Examples
    --------
    >>> accounts_backtest(workings).groupby("origin")["inside"].mean()  # doctest: +SKIP
    """
    analysis, observations = workings.inputs.analysis, workings.inputs.observations
    base = analysis.price_base
    real = by_line(published_real(observations, price_base=base))
    frames = []
    for origin in range(FIRST_ORIGIN, last_account_year(observations)):
        ahead = forecast_history(
            observations,
            workings.system.parameters,
            priors=workings.inputs.priors,
            origin=origin,
            price_base=base,
            seed=analysis.seed,
        )
        table = _compared(real.sel(year=ahead["year"]), by_line(ahead), level=analysis.level)
        table.insert(0, "origin", origin)
        frames.append(table)
    columns = ["origin", "year", "line", "published_real", "modelled_mean", "modelled_lower"]
    empty = pd.DataFrame(columns=[*columns, "modelled_upper", "inside"])
    return pd.concat(frames, ignore_index=True) if frames else empty


def system_cost_parts(workings: Workings) -> pd.DataFrame:
    """Parts of the system's yearly cost under business as usual: today, in the target year, and what they follow.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns part, follows, published (last account), mean, lower, upper (target year), unit_cost_growth (mean
        real growth today, a proportion); GBP of the price base; the last row is the total.

    Examples
    --------
    >>> system_cost_parts(workings)  # doctest: +SKIP
    """
    analysis, observations = workings.inputs.analysis, workings.inputs.observations
    position = workings.years.index(analysis.target_year)
    weights, _ = driver_weights(observations)
    today = published_real(observations, price_base=analysis.price_base).isel(year=-1)
    parts = {part: workings.arrays.bau_parts[part][:, position] for part in PARTS}
    names = {"homes": "residential_care", "fostering": "fostering"}
    rows = []
    for part, amounts in (parts | {"total": np.sum(list(parts.values()), axis=0)}).items():
        lower, upper = interval(amounts, level=analysis.level)
        row = {"part": part, "follows": "", "published": float(today.sum()), "mean": amounts.mean()}
        row |= {"lower": float(lower), "upper": float(upper), "unit_cost_growth": np.nan}
        if part != "total":
            shares = weights.sel(part=part)
            most = shares.where(shares > 0, drop=True).sortby(
                shares.where(shares > 0, drop=True), ascending=False
            )
            follows = [f"{d} {float(s):.0%}" for d, s in zip(most["driver"].values, most.values, strict=True)]
            growth = workings.system.value(f"{NAMES[names.get(part, part)]}_growth")
            row |= {
                "follows": ", ".join(follows),
                "published": float(today.sel(part=part)),
                "unit_cost_growth": float(np.expm1(growth).mean()),
            }
        rows.append(row)
    return pd.DataFrame(rows)
