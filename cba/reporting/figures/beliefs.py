"""Figure of the break-even map: cut in starts against cashable saving per child-year, with beliefs and claims."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from cba.reporting.figures import (
    beliefs as break_even,
)
from cba.reporting.figures import (
    beliefs as panel,
)
from cba.reporting.figures import (
    beliefs as reach,
)
from cba.reporting.figures import (
    system as accounts,
)
from cba.reporting.figures.style import (
    TEXT,
    FigureBlock,
    TableFigure,
    colours,
    draw_block,
    duo,
    label_end,
    name_values,
    new_axes,
    range_columns,
    styled,
    table_and_link,
    table_figures,
)
from cba.reporting.html_tables import columns, csv_link, html_table
from cba.reporting.names import stance_name
from cba.reporting.numbers import matching_rows, show
from cba.reporting.sections import holds

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from cba.appraisal.record import Appraisal


_SHAPES = ("o", "s", "D", "^")


_DASHES = ("-", "--", ":", "-.")


_THOUSAND = 1e3


_TOP = 150.0
"""Thousand pounds at the top of the axis, unless beliefs or claims lie higher."""


@styled
def plot_break_even_map(appraisals: Sequence[Appraisal], option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the curve on which an option breaks even, where each stance puts it, and the review's figures.

    `appraisals`: their tables ``break_even_map`` are read; one without rows (a stance without draws) is left
    out.
    """
    ax = new_axes(height=4.4) if ax is None else ax
    tables = _tables(appraisals, option)
    first = next(iter(tables.values()))
    lowest, highest, top = _limits(list(tables.values()))
    curve = first[(first["kind"] == "contour") & (first["value"] / _THOUSAND <= top)]
    ax.plot(100 * curve["cut"], curve["value"] / _THOUSAND, color=TEXT, lw=2)
    for number, (stance, table) in enumerate(tables.items()):
        _draw_stance(ax, table, stance, number)
    for row in first[first["kind"] == "claim"].itertuples():
        ax.plot(100 * row.cut, row.value / _THOUSAND, marker="X", ms=9, color=TEXT, ls="none")
        _label(
            ax, 100 * row.cut, row.value / _THOUSAND, fill(str(row.label), 16), dy=-9, va="top", ha="center"
        )
    if len(curve):
        nearest = curve.iloc[0]
        _label(ax, 100 * nearest["cut"], nearest["value"] / _THOUSAND, "Breaks even", dy=2, ha="left", dx=8)
        _label(ax, highest - 1, top, "Net saving", dy=-4, va="top", ha="right")
    ax.axvline(0.0, color=TEXT, lw=0.8)
    ax.set_xlim(lowest, highest)
    ax.set_ylim(0.0, top)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}".replace("-", "\N{MINUS SIGN}"))
    ax.set_xlabel("Fewer starts in the target year, %")
    name_values(ax, "Cashable saving per child-year, £ thousand")
    return ax


def _draw_stance(ax: Axes, table: pd.DataFrame, stance: str, number: int) -> None:
    colour = colours(4)[number % 4]
    edge, point = table[table["kind"] == "region"], table[table["kind"] == "point"]
    dash = _DASHES[number % len(_DASHES)]
    ax.plot(100 * edge["cut"], edge["value"] / _THOUSAND, color=colour, lw=1.6, ls=dash)
    x, y = 100 * float(point["cut"].iloc[0]), float(point["value"].iloc[0]) / _THOUSAND
    ax.plot(x, y, marker=_SHAPES[number % len(_SHAPES)], ms=7, color=colour, ls="none")
    above = number % 2 == 0
    height = float((edge["value"].max() if above else edge["value"].min()) / _THOUSAND)
    place = float(100 * edge.loc[edge["value"].idxmax() if above else edge["value"].idxmin(), "cut"])
    words = stance_name(stance)
    _label(ax, place, height, words, dy=4 if above else -4, va="bottom" if above else "top", ha="center")


def _label(
    ax: Axes, x: float, y: float, text: str, *, dy: float, ha: str, va: str = "center", dx: float = 0.0
) -> None:
    ax.annotate(
        text, (x, y), xytext=(dx, dy), textcoords="offset points", ha=ha, va=va, color=TEXT, fontsize=9.5
    )


def _tables(appraisals: Sequence[Appraisal], option: str) -> dict[str, pd.DataFrame]:
    found = {}
    for appraisal in appraisals:
        if "break_even_map" in appraisal.tables:
            rows = matching_rows(appraisal.tables["break_even_map"], {"option": option})
            if len(rows):
                found[appraisal.stance] = rows
    return found


def _limits(tables: list[pd.DataFrame]) -> tuple[float, float, float]:
    """Lowest and highest cut (per cent) and highest value (thousand pounds) that the axes must hold."""
    shown = [table[table["kind"].isin(("region", "point", "claim"))] for table in tables]
    lowest = min(0.0, *(100 * float(rows["cut"].min()) for rows in shown))
    highest = max(100 * float(rows["cut"].max()) for rows in shown)
    top = max(_TOP, *(float(rows["value"].max()) / _THOUSAND for rows in shown))
    room = 0.18 * (highest - lowest)
    return lowest - room / 2, highest + room, 1.1 * top


def describe_break_even_map(appraisals: Sequence[Appraisal], option: str) -> str:
    """Return the text alternative of `plot_break_even_map`."""
    tables = _tables(appraisals, option)
    first = next(iter(tables.values()))
    points = [(stance_name(s), t[t["kind"] == "point"].iloc[0]) for s, t in tables.items()]
    said = [f"{name}: {_place(row)}" for name, row in points]
    said += [f"{row.label}: {_place(row)}" for row in first[first["kind"] == "claim"].itertuples()]
    curve = first[first["kind"] == "contour"]
    ends = "No curve: the option pays without any cut in starts."
    if len(curve):
        ends = (
            "A falling curve marks break-even, from "
            f"{_place(curve.iloc[0])} to {_place(curve.iloc[-1])}; above it the option saves, below it costs."
        )
    return (
        "Dot chart with rings and a curve. Horizontal axis: fewer starts in the target year, per cent. "
        "Vertical axis: cashable saving per child-year, thousand pounds. "
        f"{ends} {'; '.join(said)}. A ring round a stance's point holds most of its draws."
    )


def _place(row: object) -> str:
    cut, value = float(row.cut), float(row.value)  # type: ignore[attr-defined]  # a row of the table
    words = show(abs(cut), style="share")
    return f"{words} {'fewer' if cut >= 0 else 'more'} starts at {show(value, style='money')} a child-year"


# --- Figure of the panel of authorities: the effect by years since launch, against placebo adopters ---


_NAMES = {"starts": "Starts to be looked after", "stock": "Children looked after at 31 March"}


@styled
def plot_panel_effect(
    appraisal: Appraisal, outcome: str, *, group: str = "spread", ax: Axes | None = None
) -> Axes:
    """Draw the effect of the Strengthening Families programmes by years since launch."""
    rows = matching_rows(appraisal.tables["panel_path"], {"outcome": outcome, "group": group})
    ax = new_axes() if ax is None else ax
    first, second = duo()
    since, last = rows["since_launch"].to_numpy(), int(rows["since_launch"].iloc[-1])
    ax.fill_between(since, rows["lower"] * 100, rows["upper"] * 100, color=first, alpha=0.22, lw=0)
    ax.plot(since, rows["mean"] * 100, color=first, lw=2.2)
    label_end(ax, last, rows["mean"].iloc[-1] * 100, "Estimate")
    if rows["placebo_lower"].notna().all():
        for side in ("placebo_lower", "placebo_upper"):
            ax.plot(since, rows[side] * 100, color=second, lw=1.6, ls="--")
        label_end(ax, last, rows["placebo_upper"].iloc[-1] * 100, "Placebos")
    ax.axhline(0.0, color=TEXT, lw=1)
    ax.set_xticks(since, [str(int(year)) for year in since])
    ax.set_xlim(since[0] - 0.2, last + 0.2 + 0.22 * (last - since[0]))
    ax.grid(axis="x", visible=False)
    ax.set_xlabel("Years since launch")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}%".replace("-", "\N{MINUS SIGN}"))
    name_values(ax, f"{_NAMES[outcome]}, change")
    return ax


def describe_panel_effect(appraisal: Appraisal, outcome: str, *, group: str = "spread") -> str:
    """Return the text alternative of `plot_panel_effect`. `outcome`, "starts" or "stock"."""
    rows = matching_rows(appraisal.tables["panel_path"], {"outcome": outcome, "group": group})
    parts = [
        f"year {row['since_launch']}: {_share(row['mean'])} (interval {_share(row['lower'])} to {_share(row['upper'])})"
        for row in rows.to_dict("records")
    ]
    last = rows.iloc[-1]
    band = (
        ""
        if rows["placebo_lower"].isna().any()
        else f" Dashed lines: the same interval over placebo adopters, {_share(last['placebo_lower'])} to "
        f"{_share(last['placebo_upper'])} in the last year."
    )
    return (
        f"Line chart with an interval. Horizontal axis: years since launch. Vertical axis: change in "
        f"{_NAMES[outcome][0].lower()}{_NAMES[outcome][1:]}; the line marks no effect. {'; '.join(parts)}.{band}"
    )


def _share(value: float) -> str:
    return f"{show(100 * value, unit=0.1)}%"


# --- Figure of what area-level studies teach: each part of the product, and the product, before and … ---


_PARTS = {
    "coverage": "Coverage",
    "reach": "Reach",
    "effect": "Effect, 1 - RR",
    "change": "Product, log change",
}


@styled
def plot_reach(appraisal: Appraisal, study: str, *, ax: Axes | None = None) -> Axes:
    """Draw coverage, reach, effect and their product for one area-level study, before and after the data."""
    rows = matching_rows(appraisal.tables["reach"], {"study_id": study}).to_dict("records")
    ax = new_axes(height=3.2) if ax is None else ax
    first, second = duo()
    for place, row in enumerate(rows):
        before, after = place - 0.14, place + 0.14
        ax.plot([row["prior_lower"], row["prior_upper"]], [before] * 2, color=second, lw=2.2, ls="--")
        ax.plot(row["prior_mean"], before, "s", color="white", mec=second, mew=1.6, ms=7)
        ax.plot([row["lower"], row["upper"]], [after] * 2, color=first, lw=2.2)
        ax.plot(row["mean"], after, "o", color=first, mec="white", ms=8)
    ax.annotate(
        "Before", (rows[0]["prior_upper"], -0.14), xytext=(5, -3), textcoords="offset points", color=TEXT
    )
    ax.annotate("After", (rows[0]["upper"], 0.14), xytext=(5, -5), textcoords="offset points", color=TEXT)
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_yticks(range(len(rows)), [_PARTS[row["quantity"]] for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
    ax.set_xlabel("Share, or log points for the product")
    return ax


def describe_reach(appraisal: Appraisal, study: str) -> str:
    """Return the text alternative of `plot_reach`."""
    rows = matching_rows(appraisal.tables["reach"], {"study_id": study}).to_dict("records")
    parts = [
        f"{_PARTS[row['quantity']]}: before {show(row['prior_lower'], unit=0.01)} to "
        f"{show(row['prior_upper'], unit=0.01)}, after {show(row['lower'], unit=0.01)} to "
        f"{show(row['upper'], unit=0.01)}"
        for row in rows
    ]
    return (
        f"Interval chart of {len(rows)} quantities for the study {study}, each before and after the data. "
        f"Horizontal axis: shares, or log points for the product; the line marks nought. {'; '.join(parts)}."
    )


# --- The figures of belief and calibration in the report: break-even map, England's own panel, … ---


PANEL_TITLES = {
    "starts": "Starts to be looked after by years since launch",
    "stock": "Children looked after by years since launch",
}
"""Outcome of the panel to the title of its figure."""


_ACCOUNTS = TableFigure(
    "accounts", "Modelled and published spending", "accounts_reconciliation", accounts.plot_accounts,
    accounts.describe_accounts,
    ("year|Year ending 31 March|plain", "line|Line of the accounts|name", "published_cash|Published, cash|money",
     "published_real|Published, real|money", "modelled_mean|Modelled: mean|money", "modelled_lower|Lower|money",
     "modelled_upper|Upper|money", "inside|Inside"),
    "Published outturn of children’s social care and what the model says it was, England", {}, 4.0,
)  # fmt: skip


_PLACE = (
    "cut|Fewer starts in the target year|share", "value|Cashable saving per child-year|money",
    "npv|Net present value|money", "prob_positive|Chance of a net saving|probability",
)  # fmt: skip


def belief_figures(appraisals: Sequence[Appraisal], option: str) -> dict[str, FigureBlock]:
    """Return the figures of belief and calibration that the appraisals have tables for, by name."""
    first = appraisals[0]
    made = table_figures((_ACCOUNTS,), first, option)
    if holds(first, "break_even_map", option):
        made["break_even_map"] = _map_figure(appraisals, option)
    if holds(first, "panel_path", option):
        held = set(first.tables["panel_path"]["outcome"])
        made |= {f"panel_{name}": _panel_figure(first, name) for name in PANEL_TITLES if name in held}
    if holds(first, "reach", option):
        made["reach"] = _reach_figure(first)
    return made


def _reach_figure(appraisal: Appraisal) -> FigureBlock:
    """Return what the study whose product was learned most taught of its parts."""
    rows = appraisal.tables["reach"]
    products = rows[rows["quantity"] == "change"]
    study = str(products.loc[products["learned"].idxmax(), "study_id"])
    shown = columns(
        "label|Quantity", "prior_mean|Before: mean|number", "prior_lower|Lower|number", "prior_upper|Upper|number",
        "mean|After: mean|number", "lower|Lower|number", "upper|Upper|number", "learned|Learned|share",
    )  # fmt: skip
    table, link = table_and_link(
        appraisal,
        "reach",
        shown,
        caption=f"Before and after the data: {study}",
        where={"study_id": study},
        name="reach_one",
    )
    return draw_block(
        "fig-reach",
        title=f"What {study} teaches",
        draw=lambda ax: reach.plot_reach(appraisal, study, ax=ax),
        description=reach.describe_reach(appraisal, study),
        tables=[table],
        links=[link],
        height=3.2,
    )


def _map_figure(appraisals: Sequence[Appraisal], option: str) -> FigureBlock:
    """Return the break-even map with what each stance believes, the review's claims and the curve."""
    first = appraisals[0]
    tables = [
        html_table(
            appraisal,
            "break_even_map",
            columns("name|Stance|name", *_PLACE),
            caption=f"Where the stance puts it: {stance_name(appraisal.stance)}",
            where={"option": option, "kind": "point"},
        )
        for appraisal in appraisals
        if holds(appraisal, "break_even_map", option)
    ]
    for kind, caption, heads in (
        ("claim", "Where the review’s figures put it", ("label|Claim", *_PLACE)),
        ("contour", "The curve on which net present value is nil", _PLACE[:2]),
    ):
        where = {"option": option, "kind": kind}
        tables.append(html_table(first, "break_even_map", columns(*heads), caption=caption, where=where))
    return draw_block(
        "fig-break-even-map",
        title="Break-even map",
        draw=lambda ax: break_even.plot_break_even_map(appraisals, option, ax=ax),
        description=break_even.describe_break_even_map(appraisals, option),
        tables=tables,
        links=[csv_link(first, "break_even_map", name="break_even_map", where={"option": option})],
        height=4.4,
    )


def _panel_figure(appraisal: Appraisal, outcome: str) -> FigureBlock:
    """Return the effect of the programmes on one outcome by years since launch."""
    shown = columns(
        "since_launch|Years since launch|plain",
        "reached|Launches that long ago|count",
        *range_columns("share"),
        "prob_reduction|Chance of a reduction|probability",
        "placebo_lower|Placebos: lower|share",
        "placebo_upper|Upper|share",
    )
    table, link = table_and_link(
        appraisal,
        "panel_path",
        shown,
        caption=f"{PANEL_TITLES[outcome]}: change against authorities without the programme",
        where={"outcome": outcome, "group": "spread"},
        name=f"panel_{outcome}",
    )
    return draw_block(
        f"fig-panel-{outcome}",
        title=PANEL_TITLES[outcome],
        draw=lambda ax: panel.plot_panel_effect(appraisal, outcome, ax=ax),
        description=panel.describe_panel_effect(appraisal, outcome),
        tables=[table],
        links=[link],
    )
