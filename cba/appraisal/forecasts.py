"""The forecasts of a run under business as usual, kept so that a later release can hold them against what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.dimensions import AGE_BANDS

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

YEARS_AHEAD = 5
"""Years of a forecast that are kept to be scored."""

POINTS = 200
"""Quantiles kept of each forecast, at ``(i - 1/2) / 200``: equally weighted draws in all but name."""

ALL_AGES = "all"
"""Where a forecast is of children of every age."""

QUANTILES = tuple(f"q{i:03d}" for i in range(1, POINTS + 1))
"""Columns of the quantiles."""


def forecast_table(workings: Workings) -> pd.DataFrame:
    """Forecasts of the next years under business as usual, each as a row of quantiles.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns quantity (``stock`` at 31 March; ``starts`` and ``ceases`` of the year), age (``all``, and the bands
        for the stock), year (ending 31 March), mean, and 200 quantiles ``q001`` to ``q200``. Children.

    Examples
    --------
    >>> forecast_table(workings).query("quantity == 'stock' and age == 'all'")  # doctest: +SKIP
    """
    usual = workings.system.baseline
    years = usual["year"].values[:YEARS_AHEAD]
    rows: dict[tuple[str, str, int], np.ndarray] = {}
    for position, year in enumerate(map(int, years)):
        for quantity, name in (("stock", "children"), ("starts", "starts"), ("ceases", "ceases")):
            by_age = usual[name].transpose("sample", "year", "age").values[:, position]
            rows[quantity, ALL_AGES, year] = by_age.sum(axis=-1)
            if quantity == "stock":
                rows |= {(quantity, age, year): by_age[:, i] for i, age in enumerate(AGE_BANDS)}
    return quantile_rows(rows)


def quantile_rows(draws: dict[tuple[str, str, int], np.ndarray]) -> pd.DataFrame:
    """Return one row of quantiles for each forecast.

    Parameters
    ----------
    draws : dict of (quantity, age, year) to ndarray, shape (sample,)

    Returns
    -------
    DataFrame
        As :func:`forecast_table`.

    Examples
    --------
    >>> table = quantile_rows({("stock", "all", 2025): np.arange(1001.0)})
    >>> float(table["mean"].iloc[0]), float(table["q001"].iloc[0])
    (500.0, 2.5)
    """
    at = (np.arange(POINTS) + 0.5) / POINTS
    index = pd.DataFrame(list(draws), columns=["quantity", "age", "year"])
    values = np.array([np.quantile(row, at) for row in draws.values()])
    means = [float(row.mean()) for row in draws.values()]
    return pd.concat([index.assign(mean=means), pd.DataFrame(values, columns=list(QUANTILES))], axis=1)
