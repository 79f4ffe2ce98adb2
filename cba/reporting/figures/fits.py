"""Figures of the record: scores of past forecasts, the review's path seen from each release, the processes mixed."""

from __future__ import annotations

from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from cba.reporting.figures import fits as calibration
from cba.reporting.figures import fits as checks
from cba.reporting.figures import fits as record
from cba.reporting.figures.style import (
    TEXT,
    FigureBlock,
    TableFigure,
    colours,
    duo,
    label_end,
    name_values,
    new_axes,
    set_years,
    styled,
    table_figures,
)
from cba.reporting.numbers import matching_rows, show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from cba.appraisal.record import Appraisal


COMPARED = ("cba", "drift", "ARIMA", "last value")
"""Forecasts drawn; the others are in the table."""


MARKS = ("o", "s", "D", "^")


LIFT = {"cba": -8, "drift": 8}
"""Points by which labels of lines that end together are moved apart."""


REVIEW_CHILDREN = 100_000
"""Children the review's path approaches, which a chart marks."""


@styled
def plot_backtest(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the mean score of each forecast of the number in care by years ahead."""
    ax = new_axes(height=3.6) if ax is None else ax
    for name, colour, mark in zip(COMPARED, colours(4), MARKS, strict=True):
        rows = _horizons(appraisal, name)
        ax.plot(rows["ahead"], rows["crps"], marker=mark, color=colour, lw=2, ms=6, mec="white")
        last = rows.iloc[-1]
        label = "this model" if name == "cba" else name
        ax.annotate(
            label,
            (last["ahead"], last["crps"]),
            xytext=(6, LIFT.get(name, 0)),
            textcoords="offset points",
            va="center",
        )
    ax.set_xlim(0.8, 6.1)
    ax.set_ylim(0, None)
    ax.set_xticks(range(1, 6))
    ax.set_xlabel("Years ahead")
    ax.set_ylabel("Mean score, children")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return ax


def describe_backtest(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_backtest`."""
    parts = []
    for name in COMPARED:
        rows = _horizons(appraisal, name)
        first, last = (show(rows["crps"].iloc[place], style="count") for place in (0, -1))
        parts.append(
            f"{'this model' if name == 'cba' else name}: {first} one year ahead, {last} five years ahead"
        )
    return (
        "Line chart, one line for each forecast. Horizontal axis: years ahead, 1 to 5. Vertical axis: mean score in "
        f"children, from 0; lower is better. {'; '.join(parts)}."
    )


def _horizons(appraisal: Appraisal, forecast: str) -> pd.DataFrame:
    rows = matching_rows(appraisal.tables["backtest_by_horizon"], {"quantity": "stock", "forecast": forecast})
    return rows.sort_values("ahead")


@styled
def plot_vintages(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw children in care in the target year as seen from each release, with the review's path."""
    rows = _vintages(appraisal, "children_in_care_2032")
    chances = _vintages(appraisal, f"prob_children_{REVIEW_CHILDREN}").set_index("release")["mean"]
    costs = _vintages(appraisal, "prob_system_cost_15bn_2032_real").set_index("release")["mean"]
    ax = new_axes(height=3.8) if ax is None else ax
    first = colours(3)[0]
    places = np.arange(len(rows))
    ax.vlines(places, rows["lower"], rows["upper"], color=first, lw=3)
    ax.plot(places, rows["median"], "o", color=first, ms=8, mec="white")
    for place, row in zip(places, rows.to_dict("records"), strict=True):
        words = f"100,000: {chances[row['release']]:.0%}\n£15bn: {costs[row['release']]:.0%}"
        ax.annotate(
            words, (place, row["upper"]), xytext=(0, 6), textcoords="offset points", ha="center", va="bottom"
        )
    ax.axhline(REVIEW_CHILDREN, color=TEXT, lw=1, ls="--")
    ax.annotate("100,000", (-0.48, REVIEW_CHILDREN), xytext=(0, 3), textcoords="offset points", va="bottom")
    ax.set_xticks(places, [f"Release {release}" for release in rows["release"]])
    ax.set_xlim(-0.5, len(rows) - 0.5)
    low, high = float(rows["lower"].min()), float(rows["upper"].max())
    ax.set_ylim(low - 0.1 * (high - low), high + 0.3 * (high - low))
    ax.yaxis.set_major_locator(MaxNLocator(6))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return ax


def describe_vintages(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_vintages`."""
    chances = _vintages(appraisal, f"prob_children_{REVIEW_CHILDREN}").set_index("release")["mean"]
    costs = _vintages(appraisal, "prob_system_cost_15bn_2032_real").set_index("release")["mean"]
    parts = [
        f"release {row['release']}: {show(row['lower'], style='count')} to {show(row['upper'], style='count')}, "
        f"chance of at least 100,000 {chances[row['release']]:.0%}, of at least £15bn {costs[row['release']]:.0%}"
        for row in _vintages(appraisal, "children_in_care_2032").to_dict("records")
    ]
    return (
        "Interval chart, one bar with a dot at the median for each release of the statistics. Horizontal axis: "
        f"release. Vertical axis: children in care in 2032 under current policy. {'; '.join(parts)}."
    )


def _vintages(appraisal: Appraisal, quantity: str) -> pd.DataFrame:
    rows = matching_rows(appraisal.tables["backtest_vintages"], {"quantity": quantity})
    return rows.sort_values("release")


@styled
def plot_structure(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw children in care in the target year under current policy, by process."""
    rows = _processes(appraisal)
    ax = new_axes(height=structure_height(appraisal, option)) if ax is None else ax
    places = np.arange(len(rows))
    ax.hlines(places, rows["lower"], rows["upper"], color=colours(3)[0], lw=3)
    ax.plot(rows["mean"], places, "o", color=colours(3)[0], ms=8, mec="white")
    ax.set_yticks(places, [fill(label, 24) for label in rows["label"]])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_locator(MaxNLocator(3))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_xlabel("Children in care")
    return ax


def structure_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, that gives every process a row."""
    return 1.2 + 0.55 * len(_processes(appraisal))


def describe_structure(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_structure`."""
    parts = [
        f"{row['label']}: mean {show(row['mean'], style='count')}, {show(row['lower'], style='count')} to "
        f"{show(row['upper'], style='count')}"
        for row in _processes(appraisal).to_dict("records")
    ]
    return (
        "Interval chart, one row for each process the number in care may follow, a dot at the mean. Horizontal axis: "
        f"children in care in the target year under current policy. {'; '.join(parts)}."
    )


def _processes(appraisal: Appraisal) -> pd.DataFrame:
    rows = matching_rows(appraisal.tables["structural"], {"quantity": "children_in_care"})
    return rows[rows["mean"].notna()]


# --- Figures of ranks and probabilities that should be even: how far they are from it, and how far … ---


_BAND = ("place", "lower", "upper")


_NAMES = {"baseline": "business as usual", "effects": "the effects"}


@styled
def plot_calibration(appraisal: Appraisal, option: str, *, model: str, ax: Axes | None = None) -> Axes:
    """Draw, for every quantity of a model, the share of ranks below each place less the place.

    `option` is not used: a calibration is of the model, whatever the option.
    """
    table, ax = _shares(appraisal, model), new_axes() if ax is None else ax
    place = table["place"].to_numpy()
    for quantity in table.columns.difference(_BAND):
        ax.plot(place, table[quantity], color=duo()[0], lw=0.7, alpha=0.35)
    for side in ("lower", "upper"):
        ax.plot(place, table[side], color=duo()[1], lw=2.2)
    ax.axhline(0.0, color=TEXT, lw=1)
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(*_limits(table))
    ax.set_xlabel("Rank of the truth among the draws, as a share")
    name_values(ax, "Share of ranks below, less what even ranks would give")
    middle = len(table) // 2
    ax.annotate(
        "Reach of chance",
        (place[middle], table["upper"].iloc[middle]),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        color=TEXT,
        fontsize=9.5,
    )
    return ax


def _shares(appraisal: Appraisal, model: str) -> pd.DataFrame:
    return appraisal.tables[f"calibration_shares_{model}"]


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    far = float(table.drop(columns="place").abs().to_numpy().max())
    return -1.2 * far, 1.2 * far


def describe_calibration(appraisal: Appraisal, option: str, *, model: str) -> str:
    """Return the text alternative of `plot_calibration`. `model`, "baseline" or "effects"."""
    table = _shares(appraisal, model)
    lines = table[table.columns.difference(_BAND)]
    outside = int(((lines.gt(table["upper"], axis=0)) | (lines.lt(table["lower"], axis=0))).any().sum())
    rows = matching_rows(appraisal.tables["calibration_quantities"], {"model": model})
    wanting = int((rows["passed"].astype(str) != "True").sum())
    reach = show(float(table["upper"].max()), style="number", unit=0.001)
    return (
        "Line chart. Horizontal axis: rank of the truth among the draws, as a share from 0 to 1. Vertical axis: "
        f"share of ranks below, less what even ranks would give. {lines.shape[1]} thin lines, one per quantity of "
        f"the model of {_NAMES.get(model, model)}, wander about nil; two thick lines mark how far chance takes one "
        f"of them, {reach} at most. {outside} leave it somewhere; allowing for their number, {wanting} of "
        f"{len(rows)} quantities are found wanting."
    )


@styled
def plot_pit(appraisal: Appraisal, option: str, *, which: str, ax: Axes | None = None) -> Axes:
    """Draw the share of predicted probabilities below each place less the place."""
    rows, ax = _curve(appraisal, which), new_axes() if ax is None else ax
    place = rows["place"].to_numpy()
    ax.fill_between(place, rows["lower"], rows["upper"], color=duo()[1], alpha=0.18, lw=0)
    ax.step(place, rows["departure"], where="post", color=duo()[0], lw=2.0)
    ax.axhline(0.0, color=TEXT, lw=1)
    ax.set_xlim(0.0, 1.0)
    far = float(rows[["departure", "lower", "upper"]].abs().to_numpy().max())
    ax.set_ylim(-1.2 * far, 1.2 * far)
    ax.set_xlabel("Probability given to a figure no larger than the published one")
    name_values(ax, "Share of figures below, less what a good forecast would give")
    label_end(ax, 0.02, 1.05 * far, "Shaded: reach of chance")
    return ax


def _curve(appraisal: Appraisal, which: str) -> pd.DataFrame:
    return matching_rows(appraisal.tables["fit_checks_pit_curves"], {"set": which})


def describe_pit(appraisal: Appraisal, option: str, *, which: str) -> str:
    """Return the text alternative of `plot_pit`. `which`, "series" or "studies"."""
    rows = _curve(appraisal, which)
    out = rows["departure"].gt(rows["upper"]) | rows["departure"].lt(rows["lower"])
    said = "leaves the shaded reach of chance" if out.any() else "stays inside the shaded reach of chance"
    furthest = rows.loc[rows["departure"].abs().idxmax()]
    what = "yearly changes" if which == "series" else "studies"
    place = show(furthest["place"], style="share")
    away = show(furthest["departure"], style="number", unit=0.001)
    return (
        "Line chart with a band. Horizontal axis: probability given beforehand to a figure no larger than the "
        f"published one, 0 to 1. Vertical axis: share of the {int(rows['count'].iloc[0])} {what} below it, less "
        f"what a good forecast would give. The line {said}; it is furthest from nil at {place}, by {away}."
    )


# --- Figures of how well business as usual describes the past: totals a year ahead, and memory from … ---


TOGETHER = "All series together"
"""Label of the rows that speak of all series."""


@styled
def plot_total(appraisal: Appraisal, option: str, *, quantity: str, ax: Axes | None = None) -> Axes:
    """Draw each published year of a total with what was expected of it.

    `option` is not used: these years are past, the same whatever the option.
    """
    rows, ax = _total(appraisal, quantity), new_axes() if ax is None else ax
    years = rows["year"].to_numpy()
    ax.vlines(years, rows["lower"], rows["upper"], color=duo()[0], lw=5, alpha=0.35)
    ax.plot(years, rows["expected"], color=duo()[0], marker="_", ms=11, mew=2.2, ls="none", label="Expected")
    ax.plot(years, rows["published"], color=TEXT, marker="o", ms=5, ls="none", label="Published")
    if rows["lower"].min() < 0:
        ax.axhline(0.0, color=TEXT, lw=1)
    set_years(ax, int(years[0]), int(years[-1]))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}".replace("-", "\N{MINUS SIGN}"))
    ax.legend(loc="upper left", ncols=2, frameon=False, fontsize=9.5)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.14 * (high - low))
    name_values(ax, f"{rows['label'].iloc[0]}")
    return ax


def _total(appraisal: Appraisal, quantity: str) -> pd.DataFrame:
    return matching_rows(appraisal.tables["fit_checks_totals"], {"quantity": quantity}).sort_values("year")


def describe_total(appraisal: Appraisal, option: str, *, quantity: str) -> str:
    """Return the text alternative of `plot_total`. `quantity`, "stock_change", "starts" or "ceases"."""
    rows = _total(appraisal, quantity)
    inside = rows["inside"].astype(str) == "True"
    outside = ", ".join(str(int(year)) for year in rows.loc[~inside, "year"]) or "none"
    last = rows.iloc[-1]
    label = str(rows["label"].iloc[0])
    found, lower, upper = (show(last[name], style="count") for name in ("published", "lower", "upper"))
    return (
        f"Point chart with intervals. Horizontal axis: year ending 31 March, {int(rows['year'].iloc[0])} to "
        f"{int(last['year'])}. Vertical axis: {label[:1].lower()}{label[1:]}. Each year's published figure is a dot, "
        "what the model expected of it from the year before a dash, and its interval a bar. "
        f"{int(inside.sum())} of {len(rows)} dots lie in their bars; outside: {outside}. Last year: published "
        f"{found}, interval {lower} to {upper}."
    )


@styled
def plot_autocorrelation(appraisal: Appraisal, option: str, *, lag: int = 1, ax: Axes | None = None) -> Axes:
    """Draw how changes of successive years hang together, series by series, against the model's own."""
    rows, ax = _single(appraisal, lag), new_axes(height=4.8) if ax is None else ax
    place = np.arange(len(rows))[::-1]
    ax.hlines(place, rows["lower"], rows["upper"], color=duo()[0], lw=6, alpha=0.35, label="Model")
    ax.plot(rows["found"], place, color=TEXT, marker="o", ms=5, ls="none", label="Published")
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_yticks(place, rows["series"])
    ax.grid(axis="y", visible=False)
    ax.set_xlim(-1.0, 1.0)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
    ax.set_xlabel("Correlation of a year's change with that of the year before")
    ax.legend(loc="upper right", frameon=False, fontsize=9.5)
    return ax


def _single(appraisal: Appraisal, lag: int) -> pd.DataFrame:
    rows = matching_rows(appraisal.tables["fit_checks_autocorrelation"], {"lag": lag})
    return rows[rows["series"] != TOGETHER]


def describe_autocorrelation(appraisal: Appraisal, option: str, *, lag: int = 1) -> str:
    """Return the text alternative of `plot_autocorrelation`."""
    rows = _single(appraisal, lag)
    above = rows.loc[rows["found"] > rows["upper"], "series"]
    below = rows.loc[rows["found"] < rows["lower"], "series"]
    positive = int((rows["found"] > 0).sum())
    apart = f"{lag} year{'s' if lag > 1 else ''}"
    return (
        f"Point chart with intervals, one row for each of {len(rows)} series. Horizontal axis: correlation of a "
        f"year's change with that {apart} before, from minus 1 to 1. A dot is the published series, a bar the "
        f"interval of series drawn from the model. {positive} dots are above nil. Right of the bar: "
        f"{', '.join(above) or 'none'}; left of it: {', '.join(below) or 'none'}."
    )


# --- The figures of the fits in the report: predictions of the past, memory from year to year, and … ---


_TOTAL = (
    "year|Year ending 31 March|plain", "published|Published|count", "expected|Expected|count",
    "lower|Lower|count", "upper|Upper|count", "inside|Inside",
)  # fmt: skip


FIGURES = (
    TableFigure(
        "fit_stock_change", "Change in children looked after, expected and published", "fit_checks_totals",
        partial(checks.plot_total, quantity="stock_change"), partial(checks.describe_total, quantity="stock_change"),
        _TOTAL, "Change in children looked after, each year expected from the year before",
        {"quantity": "stock_change"},
    ),
    TableFigure(
        "fit_starts", "Starts to be looked after, expected and published", "fit_checks_totals",
        partial(checks.plot_total, quantity="starts"), partial(checks.describe_total, quantity="starts"),
        _TOTAL, "Children starting to be looked after, each year expected from the year before", {"quantity": "starts"},
    ),
    TableFigure(
        "fit_pit_series", "Were the model’s probabilities of yearly changes right?", "fit_checks_pit_curves",
        partial(calibration.plot_pit, which="series"), partial(calibration.describe_pit, which="series"),
        ("place|Probability|number", "departure|Departure|number", "lower|Reach of chance: lower|number",
         "upper|Upper|number"),
        "Yearly changes by the probability given beforehand to one no larger", {"set": "series"},
    ),
    TableFigure(
        "fit_pit_studies", "Were the model’s probabilities of study results right?", "fit_checks_pit_curves",
        partial(calibration.plot_pit, which="studies"), partial(calibration.describe_pit, which="studies"),
        ("place|Probability|number", "departure|Departure|number", "lower|Reach of chance: lower|number",
         "upper|Upper|number"),
        "Studies by the probability given beforehand to a result no larger", {"set": "studies"},
    ),
    TableFigure(
        "fit_autocorrelation", "Does one year’s change carry into the next?", "fit_checks_autocorrelation",
        checks.plot_autocorrelation, checks.describe_autocorrelation,
        ("series|Series", "lag|Years apart|plain", "found|Correlation|number", "lower|Of the model: lower|number",
         "upper|Upper|number", "p_value|Probability of as much|number"),
        "Correlation of yearly changes one, two and three years apart, published and drawn from the model", {}, 4.8,
    ),
    TableFigure(
        "calibration_baseline", "Ranks of the truth, business as usual", "calibration_shares_baseline",
        partial(calibration.plot_calibration, model="baseline"),
        partial(calibration.describe_calibration, model="baseline"),
        ("place|Rank, as a share|number", "lower|Reach of chance: lower|number", "upper|Upper|number"),
        "Reach of chance for the shares of ranks, business as usual",
    ),
    TableFigure(
        "calibration_effects", "Ranks of the truth, effects", "calibration_shares_effects",
        partial(calibration.plot_calibration, model="effects"),
        partial(calibration.describe_calibration, model="effects"),
        ("place|Rank, as a share|number", "lower|Reach of chance: lower|number", "upper|Upper|number"),
        "Reach of chance for the shares of ranks, effects",
    ),
)  # fmt: skip


def fit_figures(appraisal: Appraisal, option: str) -> dict[str, FigureBlock]:
    """Return the figures of the fits that the appraisal has tables for, by name."""
    return table_figures(FIGURES, appraisal, option)


# --- The figures of how far forecasts can be trusted: past scores, the view from each release, the … ---


TRUST_FIGURES = (
    TableFigure(
        "backtest", "Scores of past forecasts", "backtest_by_horizon", record.plot_backtest, record.describe_backtest,
        ("forecast|Forecast", "ahead|Years ahead|plain", "forecasts|Forecasts scored|plain",
         "crps|Mean score|count", "inside_50|50% intervals held|share", "inside_80|80% intervals held|share",
         "inside_90|90% intervals held|share", "log_score|Log score|number"),
        "Scores of forecasts of the number in care by years ahead, England; lower scores are better",
        {"quantity": "stock"}, 3.6,
    ),
    TableFigure(
        "vintages", "2032 as seen from each release", "backtest_vintages", record.plot_vintages,
        record.describe_vintages,
        ("release|Release|plain", "label|In words", "mean|Mean|number",
         "lower|Lower|number", "median|Median|number", "upper|Upper|number", "mcse|Monte Carlo error|number"),
        "Children and cost in 2032 under current policy as seen from each release, England", {}, 3.8,
    ),
    TableFigure(
        "structure", "Children in care in the target year by process", "structural", record.plot_structure,
        record.describe_structure,
        ("label|Process", "weight|Share of draws|share", "quantity|Quantity|name", "option|Option|option",
         "mean|Mean|number", "lower|Lower|number", "upper|Upper|number", "mcse|Monte Carlo error|number"),
        "Headline quantities under each process the number in care may follow", {}, record.structure_height,
    ),
)  # fmt: skip
"""Drawn where the run holds their tables."""


def trust_figures(appraisal: Appraisal, option: str) -> dict[str, FigureBlock]:
    """Return the figures of the record and of the processes that the appraisal has tables for, by name."""
    return table_figures(TRUST_FIGURES, appraisal, option)
