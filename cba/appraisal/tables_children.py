"""Tables of children: history, and looked-after children, starts and differences by option and year."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.arrays import stacked
from cba.appraisal.summaries import interval
from cba.costs.option_account import starts_averted

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings


def by_option_and_year(array: xr.DataArray, *, level: float) -> pd.DataFrame:
    """Summarise draws by option and year.

    Parameters
    ----------
    array : DataArray, dims (sample, option, year)
        Any quantity.
    level : float
        Probability of the equal-tailed interval.

    Returns
    -------
    DataFrame
        Columns option, year, mean, median, lower, upper.

    Examples
    --------
    >>> draws = xr.DataArray(
    ...     np.arange(5.0).reshape(5, 1, 1), dims=("sample", "option", "year"),
    ...     coords={"option": ["bau"], "year": [2026]},
    ... )
    >>> by_option_and_year(draws, level=0.5).values.tolist()
    [['bau', 2026, 2.0, 2.0, 1.0, 3.0]]
    """
    values = array.transpose("sample", "option", "year").values
    lower, upper = interval(values, level=level)
    index = pd.MultiIndex.from_product(
        [array["option"].values, array["year"].values], names=["option", "year"]
    )
    columns = {
        "mean": values.mean(axis=0),
        "median": np.median(values, axis=0),
        "lower": lower,
        "upper": upper,
    }
    return pd.DataFrame({n: c.ravel() for n, c in columns.items()}, index=index).reset_index()


def history(observations: xr.Dataset) -> pd.DataFrame:
    """Published stock, starts and ceases of England by year.

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.

    Returns
    -------
    DataFrame
        Columns year, stock, starts, ceases.

    Examples
    --------
    >>> from cba.inputs.observations import load_observations
    >>> history(load_observations(2024))["stock"].iloc[-1].item()
    83630.0
    """
    return (
        observations[["stock", "starts", "ceases"]]
        .to_dataframe()
        .reset_index()[["year", "stock", "starts", "ceases"]]
        .dropna(subset=["stock"])
    )


def children_by_year(workings: Workings) -> pd.DataFrame:
    """Children looked after at 31 March by option and year.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, year, mean, median, lower, upper.

    Examples
    --------
    >>> children_by_year(workings)  # doctest: +SKIP
    """
    return by_option_and_year(workings.arrays.children.sum("age"), level=workings.inputs.analysis.level)


def fewer_children_by_year(workings: Workings) -> pd.DataFrame:
    """Children fewer than under business as usual by option and year.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, year, mean, median, lower, upper.

    Examples
    --------
    >>> fewer_children_by_year(workings)  # doctest: +SKIP
    """
    total = workings.arrays.children.sum("age")
    fewer = total.sel(option="bau", drop=True) - total
    return by_option_and_year(fewer, level=workings.inputs.analysis.level)


def starts_by_year(workings: Workings) -> pd.DataFrame:
    """Starts by option and year: what to expect each year if the option works as believed.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, year, mean, median, lower, upper: starts of business as usual less those averted, with
        deferred starts back in the years in which they happen.

    Examples
    --------
    >>> starts_by_year(workings)  # doctest: +SKIP
    """
    shown = workings.arrays.children["year"].values
    position = [workings.years.index(int(y)) for y in shown]
    usual = workings.system.baseline["starts"].transpose("sample", "year", "age").values.sum(axis=-1)
    starts = {
        name: (usual - starts_averted(workings.system, account.children))[:, position]
        for name, account in workings.accounts.items()
    }
    return by_option_and_year(
        stacked(starts, dims=("year",), coords={"year": shown}), level=workings.inputs.analysis.level
    )
