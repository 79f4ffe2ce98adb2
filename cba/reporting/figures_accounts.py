"""Figure of the calibration to the published accounts: modelled spending with its interval, and the outturn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, duo, name_values, new_axes, set_years, styled
from cba.reporting.numbers import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

_BILLION = 1e9


@styled
def plot_accounts(appraisal: Appraisal, option: str, *, line: str = "total", ax: Axes | None = None) -> Axes:
    """Draw what the model says a line of the accounts cost in each published year, and what it did cost.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``accounts_reconciliation`` is read.
    option : str
        Not used: the accounts are of the past, the same whatever the option.
    line : str
        Line of the accounts.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_accounts(appraisal, "care_review")  # doctest: +SKIP
    """
    ax = new_axes() if ax is None else ax
    rows = matching_rows(appraisal.tables["accounts_reconciliation"], {"line": line}).sort_values("year")
    years = rows["year"].to_numpy()
    ax.fill_between(
        years,
        rows["modelled_lower"] / _BILLION,
        rows["modelled_upper"] / _BILLION,
        color=duo()[0],
        alpha=0.22,
        lw=0,
    )
    ax.plot(years, rows["modelled_mean"] / _BILLION, color=duo()[0], lw=2.2)
    ax.plot(years, rows["published_real"] / _BILLION, color=TEXT, marker="o", ms=5, ls="none")
    first = rows.iloc[0]
    _label(ax, first["year"], first["modelled_upper"], "Modelled", dy=8)
    _label(ax, first["year"], first["published_real"], "Published", dy=9)
    set_years(ax, int(years[0]), int(years[-1]))
    ax.set_ylim(bottom=0.0)
    name_values(ax, "Spending, real terms, £ billion")
    return ax


def _label(ax: Axes, year: float, value: float, text: str, *, dy: float) -> None:
    ax.annotate(
        text, (year, value / _BILLION), xytext=(2, dy), textcoords="offset points", color=TEXT, fontsize=9.5
    )


def describe_accounts(appraisal: Appraisal, option: str, *, line: str = "total") -> str:
    """Return the text alternative of :func:`plot_accounts`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Not used.
    line : str
        Line of the accounts.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_accounts(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["accounts_reconciliation"], {"line": line}).sort_values("year")
    said = [
        f"{int(row['year'])}: published {show(float(row['published_real']), style='money')}, modelled "
        f"{show(float(row['modelled_lower']), style='money')} to {show(float(row['modelled_upper']), style='money')}"
        for row in (rows.iloc[0].to_dict(), rows.iloc[-1].to_dict())
    ]
    inside = int((rows["inside"].astype(str) == "True").sum())
    return (
        "Line chart with an interval, and points. Horizontal axis: year ending 31 March. Vertical axis: spending in "
        f"real terms, billion pounds. {'; '.join(said)}. {inside} of {len(rows)} points lie in the interval."
    )
