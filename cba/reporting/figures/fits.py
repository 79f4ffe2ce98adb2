"""Figures of how far the models can be trusted: past scores, even probabilities, and the past refitted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from cba.appraisal.quantities import stem_of
from cba.inputs.evidence import load_claims
from cba.reporting.choices import View
from cba.reporting.figures import style as chart
from cba.reporting.figures.style import Data, Figure
from cba.reporting.html_tables import columns, range_columns
from cba.reporting.numbers import counted, per_cent, pounds, show, spanned

if TYPE_CHECKING:
    from matplotlib.axes import Axes


ENDS = {"lower": "Lower", "upper": "Upper"}


REACH = {"lower": "Reach of chance: lower", "upper": "Upper"}


ERROR = {"mcse": "Monte Carlo error"}


# --- Scores of past forecasts ---


COMPARED = ("cba", "drift", "ARIMA", "last value")
"""Forecasts drawn; the others are in the table."""


LIFT = {"cba": -8, "drift": 8}
"""Points by which labels of lines that end together are moved apart."""


def _horizons(table: pd.DataFrame, forecast: str) -> tuple[str, pd.DataFrame]:
    """Return what to call a forecast, and its scores by years ahead."""
    rows = table[table["forecast"] == forecast].sort_values("ahead")
    return "this model" if forecast == "cba" else forecast, rows


def _draw_backtest(ax: Axes, table: pd.DataFrame, view: View) -> None:
    """Draw the mean score of each forecast of the number in care by years ahead."""
    for name, colour, mark in zip(COMPARED, chart.colours(4), chart.MARKERS, strict=True):
        label, rows = _horizons(table, name)
        ax.plot(rows["ahead"], rows["crps"], marker=mark, color=colour, lw=2, ms=6, mec="white")
        last = rows.iloc[-1]
        chart.note(ax, label, (last["ahead"], last["crps"]), (6, LIFT.get(name, 0)))
    ax.set(xlim=(0.8, 6.1), ylim=(0, None), xlabel="Years ahead", ylabel="Mean score, children")
    ax.set_xticks(range(1, 6))
    ax.yaxis.set_major_formatter(chart.signed(",.0f"))


def _describe_backtest(table: pd.DataFrame, view: View) -> str:
    parts = []
    for name in COMPARED:
        label, rows = _horizons(table, name)
        first, last = (counted(rows["crps"].iloc[place]) for place in (0, -1))
        parts.append(f"{label}: {first} one year ahead, {last} five years ahead")
    return (
        "Line chart, one line for each forecast. Horizontal axis: years ahead, 1 to 5. Vertical axis: mean score in "
        f"children, from 0; lower is better. {'; '.join(parts)}."
    )


# --- The target year as seen from each release ---


def _vintages(view: View) -> pd.DataFrame:
    """Return children in care by release, with the chances that the review's figures are reached."""

    def of(quantity: str) -> pd.DataFrame:
        return view.rows("backtest_vintages", quantity=quantity).sort_values("release")

    rows = of(stem_of("children_in_care"))
    path = load_claims().children_without_reform.value
    return rows.assign(
        many=rows["release"].map(of(f"prob_children_{path}").set_index("release")["mean"]),
        dear=rows["release"].map(of(stem_of("prob_system_cost_real")).set_index("release")["mean"]),
    )


def _draw_vintages(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw children in care in the target year as seen from each release, with the review's path."""
    first, places = chart.colours(3)[0], np.arange(len(rows))
    ax.vlines(places, rows["lower"], rows["upper"], color=first, lw=3)
    ax.plot(places, rows["median"], "o", color=first, ms=8, mec="white")
    path, cost = load_claims().children_without_reform, load_claims().system_cost
    for place, row in zip(places, rows.to_dict("records"), strict=True):
        words = f"{path}: {row['many']:.0%}\n{cost}: {row['dear']:.0%}"
        chart.note(ax, words, (place, row["upper"]), (0, 6), ha="center", va="bottom")
    ax.axhline(path.value, color=chart.TEXT, lw=1, ls="--")
    chart.note(ax, str(path), (-0.48, path.value), (0, 3), va="bottom")
    ax.set_xticks(places, [f"Release {release}" for release in rows["release"]])
    ax.set_xlim(-0.5, len(rows) - 0.5)
    low, high = float(rows["lower"].min()), float(rows["upper"].max())
    ax.set_ylim(low - 0.1 * (high - low), high + 0.3 * (high - low))
    ax.yaxis.set_major_locator(MaxNLocator(6))
    ax.yaxis.set_major_formatter(chart.signed(",.0f"))


def _describe_vintages(rows: pd.DataFrame, view: View) -> str:
    path, cost = load_claims().children_without_reform, load_claims().system_cost
    parts = [
        f"release {row['release']}: {spanned(row, counted)}, "
        f"chance of at least {path} {row['many']:.0%}, of at least {cost} {row['dear']:.0%}"
        for row in rows.to_dict("records")
    ]
    return (
        "Interval chart, one bar with a dot at the median for each release of the statistics. Horizontal axis: "
        f"release. Vertical axis: children in care in {view.first.analysis.target_year} under current policy. "
        f"{'; '.join(parts)}."
    )


# --- Probabilities that should be even: how far they are from it, and how far chance takes them ---


def _draw_pit(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw the share of predicted probabilities below each place less the place."""
    place = rows["place"].to_numpy()
    ax.fill_between(place, rows["lower"], rows["upper"], color=chart.duo()[1], alpha=0.18, lw=0)
    ax.step(place, rows["departure"], where="post", color=chart.duo()[0], lw=2.0)
    ax.axhline(0.0, color=chart.TEXT, lw=1)
    ax.set_xlim(0.0, 1.0)
    far = float(rows[["departure", "lower", "upper"]].abs().to_numpy().max())
    ax.set_ylim(-1.2 * far, 1.2 * far)
    ax.set_xlabel("Probability given to a figure no larger than the published one")
    chart.name_values(ax, "Share of figures below, less what a good forecast would give")
    chart.label_end(ax, 0.02, 1.05 * far, "Shaded: reach of chance")


def _describe_pit(rows: pd.DataFrame, view: View, *, what: str) -> str:
    out = rows["departure"].gt(rows["upper"]) | rows["departure"].lt(rows["lower"])
    said = "leaves the shaded reach of chance" if out.any() else "stays inside the shaded reach of chance"
    furthest = rows.loc[rows["departure"].abs().idxmax()]
    place = per_cent(furthest["place"])
    away = show(furthest["departure"], style="number", unit=0.001)
    return (
        "Line chart with a band. Horizontal axis: probability given beforehand to a figure no larger than the "
        f"published one, 0 to 1. Vertical axis: share of the {int(rows['count'].iloc[0])} {what} below it, less "
        f"what a good forecast would give. The line {said}; it is furthest from nil at {place}, by {away}."
    )


def _pit_figure(which: str, what: str, asked: str, caption: str) -> Figure:
    shown = columns(number={"place": "Probability", "departure": "Departure", **REACH})
    return Figure(
        f"fit_pit_{which}",
        f"Were the model’s probabilities of {asked} right?",
        Data("fit_checks_pit_curves", shown, caption, chart.rows_with(set=which)),
        _draw_pit,
        partial(_describe_pit, what=what),
    )


# --- How well business as usual describes the past: totals a year ahead, and memory from year to year ---


def _draw_total(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw each published year of a total with what was expected of it."""
    years = rows["year"].to_numpy()
    ax.vlines(years, rows["lower"], rows["upper"], color=chart.duo()[0], lw=5, alpha=0.35)
    dashes = {"color": chart.duo()[0], "marker": "_", "ms": 11, "mew": 2.2, "ls": "none", "label": "Expected"}
    ax.plot(years, rows["expected"], **dashes)
    ax.plot(years, rows["published"], color=chart.TEXT, marker="o", ms=5, ls="none", label="Published")
    if rows["lower"].min() < 0:
        ax.axhline(0.0, color=chart.TEXT, lw=1)
    chart.set_years(ax, int(years[0]), int(years[-1]))
    ax.yaxis.set_major_formatter(chart.signed(",.0f"))
    ax.legend(loc="upper left", ncols=2, frameon=False, fontsize=9.5)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.14 * (high - low))
    chart.name_values(ax, str(rows["label"].iloc[0]))


def _describe_total(rows: pd.DataFrame, view: View) -> str:
    inside = rows["inside"].astype(str) == "True"
    outside = ", ".join(str(int(year)) for year in rows.loc[~inside, "year"]) or "none"
    last, label = rows.iloc[-1], str(rows["label"].iloc[0])
    found, lower, upper = (counted(last[name]) for name in ("published", "lower", "upper"))
    return (
        f"Point chart with intervals. Horizontal axis: year ending 31 March, {int(rows['year'].iloc[0])} to "
        f"{int(last['year'])}. Vertical axis: {label[:1].lower()}{label[1:]}. Each year's published figure is a dot, "
        "what the model expected of it from the year before a dash, and its interval a bar. "
        f"{int(inside.sum())} of {len(rows)} dots lie in their bars; outside: {outside}. Last year: published "
        f"{found}, interval {lower} to {upper}."
    )


def _total_figure(quantity: str, title: str, caption: str) -> Figure:
    shown = columns(
        plain={"year": "Year ending 31 March"},
        count={"published": "Published", "expected": "Expected", **ENDS},
        text={"inside": "Inside"},
    )
    return Figure(
        f"fit_{quantity}",
        f"{title}, expected and published",
        Data("fit_checks_totals", shown, caption, chart.rows_with(quantity=quantity)),
        _draw_total,
        _describe_total,
        rows=lambda view: view.rows("fit_checks_totals", quantity=quantity).sort_values("year"),
    )


# --- Calibration to the published accounts: modelled spending with its interval, and the outturn ---


_BILLION = 1e9


def _draw_accounts(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw what the model says all spending was in each published year, and what it was."""
    years, money = rows["year"].to_numpy(), rows.set_index("year").select_dtypes("number") / _BILLION
    modelled = money.filter(like="modelled_").rename(columns=lambda name: name.removeprefix("modelled_"))
    chart.band(ax, modelled.reset_index(), chart.duo()[0], alpha=0.22)
    ax.plot(years, money["published_real"], color=chart.TEXT, marker="o", ms=5, ls="none")
    for field, words, up in (("modelled_upper", "Modelled", 8), ("published_real", "Published", 9)):
        chart.note(ax, words, (years[0], money[field].iloc[0]), (2, up), va="baseline", fontsize=9.5)
    chart.set_years(ax, int(years[0]), int(years[-1]))
    ax.set_ylim(bottom=0.0)
    chart.name_values(ax, "Spending, real terms, £ billion")


def _describe_accounts(rows: pd.DataFrame, view: View) -> str:
    said = [
        f"{int(row['year'])}: published {pounds(row['published_real'])}, modelled "
        f"{spanned(row, pounds, of='modelled_')}"
        for row in (rows.iloc[0], rows.iloc[-1])
    ]
    inside = int((rows["inside"].astype(str) == "True").sum())
    return (
        "Line chart with an interval, and points. Horizontal axis: year ending 31 March. Vertical axis: spending in "
        f"real terms, billion pounds. {'; '.join(said)}. {inside} of {len(rows)} points lie in the interval."
    )


FIGURES = (
    Figure(
        "backtest",
        "Scores of past forecasts",
        Data(
            "backtest_by_horizon",
            columns(
                text={"forecast": "Forecast"},
                plain={"ahead": "Years ahead", "forecasts": "Forecasts scored"},
                count={"crps": "Mean score"},
                share={f"inside_{level}": f"{level}% intervals held" for level in (50, 80, 90)},
                number={"log_score": "Log score"},
            ),
            "Scores of forecasts of the number in care by years ahead, England; lower scores are better",
            chart.rows_with(quantity="stock", against="first published"),
        ),
        _draw_backtest,
        _describe_backtest,
    ),
    Figure(
        "vintages",
        "The target year as seen from each release",
        Data(
            "backtest_vintages",
            columns(
                plain={"release": "Release"},
                text={"label": "In words"},
                number={"mean": "Mean", "lower": "Lower", "median": "Median", "upper": "Upper", **ERROR},
            ),
            "Children and cost in the target year under current policy as seen from each release, England",
        ),
        _draw_vintages,
        _describe_vintages,
        rows=_vintages,
        height=3.8,
    ),
    _total_figure(
        "stock_change",
        "Change in children looked after",
        "Change in children looked after, each year expected from the year before",
    ),
    _total_figure(
        "starts",
        "Starts to be looked after",
        "Children starting to be looked after, each year expected from the year before",
    ),
    _pit_figure(
        "series",
        "yearly changes",
        "yearly changes",
        "Yearly changes by the probability given beforehand to one no larger",
    ),
    _pit_figure(
        "studies",
        "studies",
        "study results",
        "Studies by the probability given beforehand to a result no larger",
    ),
    Figure(
        "accounts",
        "Modelled and published spending",
        Data(
            "accounts_reconciliation",
            columns(
                columns(plain={"year": "Year ending 31 March"}, name={"line": "Line of the accounts"}),
                columns(money={"published_cash": "Published, cash", "published_real": "Published, real"}),
                range_columns("money", "modelled_", mean="Modelled: mean"),
                text={"inside": "Inside"},
            ),
            "Published outturn of children’s social care and what the model says it was, England",
        ),
        _draw_accounts,
        _describe_accounts,
        rows=lambda view: view.rows("accounts_reconciliation", line="total").sort_values("year"),
        height=4.0,
    ),
)
