"""The years of the headline horizon, and sums over them of a table's yearly means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from cba.reporting.bound_numbers import matching_rows

if TYPE_CHECKING:
    from cba.appraisal import Appraisal


def horizon_years(appraisal: Appraisal) -> tuple[int, int]:
    """Return first and last year of the headline horizon, years ending 31 March.

    Parameters
    ----------
    appraisal : Appraisal
        Its ``analysis`` is read.

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> horizon_years(SimpleNamespace(analysis=SimpleNamespace(start_year=2026, horizon=10)))
    (2026, 2035)
    """
    start = int(appraisal.analysis.start_year)
    return start, start + int(appraisal.analysis.horizon) - 1


def within_horizon(appraisal: Appraisal, table: str, **where: object) -> pd.DataFrame:
    """Return the matching rows of a table in the years of the headline horizon, by year.

    Parameters
    ----------
    appraisal : Appraisal
    table : str
        Name of a table with a column ``year``.
    **where : object
        Column values that pick the rows.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> table = pd.DataFrame({"option": "a", "year": [2025, 2026, 2027]})
    >>> settings = SimpleNamespace(start_year=2026, horizon=1)
    >>> one = SimpleNamespace(analysis=settings, tables={"net_by_year": table})
    >>> within_horizon(one, "net_by_year", option="a")["year"].tolist()
    [2026]
    """
    first, last = horizon_years(appraisal)
    rows = matching_rows(appraisal.tables[table], where)
    return rows[rows["year"].between(first, last)].sort_values("year")


def payer_totals(appraisal: Appraisal, option: str) -> pd.Series:
    """Return mean net cost by payer over the horizon, undiscounted GBP: the sum of the yearly means.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``cash_flow_by_year`` is read.
    option : str
        Option id.

    Returns
    -------
    Series
        By payer; costs positive, savings negative.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> flows = pd.DataFrame({"option": "a", "year": [2026, 2027], "payer": "dfe", "mean": [3.0, -1.0]})
    >>> settings = SimpleNamespace(start_year=2026, horizon=10)
    >>> payer_totals(SimpleNamespace(analysis=settings, tables={"cash_flow_by_year": flows}), "a").to_dict()
    {'dfe': 2.0}
    """
    rows = within_horizon(appraisal, "cash_flow_by_year", option=option)
    return rows.groupby("payer", sort=False)["mean"].sum()
