"""The figures of the report by name, each with its text alternative, data tables and CSV files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from markupsafe import Markup

from cba.reporting.figures import children, evidence
from cba.reporting.figures import money as npv
from cba.reporting.figures.money import ladder_figure, money_figures, system_figure
from cba.reporting.figures.style import (
    FigureBlock,
    draw_block,
    interval_height,
    range_columns,
    table_and_link,
)
from cba.reporting.html_tables import columns, frame_link, result_table
from cba.reporting.names import stance_name
from cba.reporting.numbers import Style, matching_rows

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal


CLAIMED_FEWER = 30_000.0
"""The review's number of children fewer by the target year, which a chart marks."""


@dataclass(frozen=True)
class EffectFigure:
    """The figure of one effect, what it is called, and its last stage."""

    estimand: str
    label: str
    last: str
    figure: FigureBlock


def all_figures(appraisals: Sequence[Appraisal], option: str, *, last_year: int) -> dict[str, FigureBlock]:
    """Return every figure but those of single effects, by name."""
    first = appraisals[0]
    figures = {
        "children": _path_figure(first, option, "children_by_year", last_year),
        "starts": _path_figure(first, option, "starts_by_year", last_year),
        "fewer": _fewer_figure(appraisals),
        "npv_by_option": _npv_options_figure(appraisals),
        "npv_distribution": _npv_figure(appraisals, option),
        "ladder": ladder_figure(first),
        "system": system_figure(first, option, last_year),
    } | money_figures(first, option)
    if len(first.tables.get("attribution", ())):
        figures["attribution"] = _attribution_figure(first, option)
    return figures


def _path_figure(appraisal: Appraisal, option: str, table: str, last_year: int) -> FigureBlock:
    what = (
        "Children in care at the end of March"
        if table == "children_by_year"
        else "Children starting to be looked after"
    )
    name = table.removesuffix("_by_year")
    field = "stock" if name == "children" else "starts"
    shown = columns("year|Year ending 31 March|plain", *range_columns("count"))
    observed = columns("year|Year ending 31 March|plain", f"{field}|{what}|count")
    pairs = [
        table_and_link(
            appraisal,
            "history",
            observed,
            caption=f"{what}, observed, England",
            where={},
            name=f"{name}_observed",
        )
    ]
    for which in ("bau", option):
        label = appraisal.option_labels.get(which, which)
        caption = f"{what}, {label}, England"
        pairs.append(
            table_and_link(
                appraisal, table, shown, caption=caption, where={"option": which}, name=f"{name}_{which}"
            )
        )
    return draw_block(
        f"fig-{name}",
        title=f"{what}, with and without",
        draw=lambda ax: children.plot_with_and_without(
            appraisal, option, table=table, last_year=last_year, ax=ax
        ),
        description=children.describe_with_and_without(appraisal, option, table=table, last_year=last_year),
        tables=[pair[0] for pair in pairs],
        links=[pair[1] for pair in pairs],
    )


def _result_tables(appraisals: Sequence[Appraisal], quantity: str, style: Style, what: str) -> list[Markup]:
    """Return one table per stance of a quantity of the results."""
    made = []
    for appraisal in appraisals:
        keys = [f"{quantity}.{option}" for option in appraisal.option_labels if option != "bau"]
        caption = f"{what}, {stance_name(appraisal.stance)}"
        made.append(result_table(appraisal, keys, style=style, caption=caption))
    return made


def _result_links(appraisals: Sequence[Appraisal], quantity: str) -> list[Markup]:
    rows = [
        {
            "stance": appraisal.stance,
            "option": option,
            **{f: appraisal.results[f"{quantity}.{option}"][f] for f in ("mean", "lower", "upper")},
        }
        for appraisal in appraisals
        for option in appraisal.option_labels
        if option != "bau"
    ]
    return [frame_link(pd.DataFrame(rows), name=quantity)]


def _fewer_figure(appraisals: Sequence[Appraisal]) -> FigureBlock:
    quantity = children.FEWER
    return draw_block(
        "fig-fewer",
        title="Fewer children in care, by option and stance",
        draw=lambda ax: children.plot_fewer_children(appraisals, claim=CLAIMED_FEWER, ax=ax),
        description=children.describe_fewer_children(appraisals),
        tables=_result_tables(appraisals, quantity, "count", "Fewer children in care"),
        links=_result_links(appraisals, quantity),
        height=interval_height(appraisals, quantity),
    )


def _npv_options_figure(appraisals: Sequence[Appraisal]) -> FigureBlock:
    return draw_block(
        "fig-npv-options",
        title="Net present value, by option and stance",
        draw=lambda ax: npv.plot_npv_by_option(appraisals, ax=ax),
        description=npv.describe_npv_by_option(appraisals),
        tables=_result_tables(appraisals, "npv_fiscal", "money", "Net present value"),
        links=_result_links(appraisals, "npv_fiscal"),
        height=interval_height(appraisals, "npv_fiscal"),
    )


def _npv_figure(appraisals: Sequence[Appraisal], option: str) -> FigureBlock:
    shares = npv.npv_shares(appraisals, option)
    return draw_block(
        "fig-npv",
        title="Distribution of net present value",
        draw=lambda ax: npv.plot_npv_distribution(appraisals, option, ax=ax),
        description=npv.describe_npv_distribution(appraisals, option),
        tables=_result_tables(appraisals, "npv_fiscal", "money", "Net present value"),
        links=[frame_link(shares, name="npv_distribution")],
    )


def _attribution_figure(appraisal: Appraisal, option: str) -> FigureBlock:
    shown = columns(
        "component|Intervention|name", "fewer_children|Fewer children|count", "npv|Net present value|money"
    )
    pair = table_and_link(
        appraisal,
        "attribution",
        shown,
        caption="Contribution of each intervention",
        where={"option": option},
        name="attribution",
    )
    rows = int((appraisal.tables["attribution"]["option"] == option).sum())
    return draw_block(
        "fig-attribution",
        title="Fewer children in care by intervention",
        draw=lambda ax: evidence.plot_attribution(appraisal, option, ax=ax),
        description=evidence.describe_attribution(appraisal, option),
        tables=[pair[0]],
        links=[pair[1]],
        height=1.1 + 0.5 * max(rows, 1),
    )


def effect_figures(appraisal: Appraisal) -> list[EffectFigure]:
    """Return one figure for each effect, from published studies to a national roll-out."""
    names = appraisal.tables["effects"]["estimand"].unique()
    return [_effect_figure(appraisal, str(name), number) for number, name in enumerate(names, start=1)]


def _effect_figure(appraisal: Appraisal, estimand: str, number: int) -> EffectFigure:
    shown = columns(
        "stage|Stage|name", *range_columns("number"), "prob_beneficial|Chance that it helps|probability"
    )
    rows = matching_rows(appraisal.tables["effects"], {"estimand": estimand})
    label = evidence.effect_label(appraisal, estimand)
    table, link = table_and_link(
        appraisal, "effects", shown, caption=label, where={"estimand": estimand}, name=f"effect_{estimand}"
    )
    block = draw_block(
        f"fig-effect-{number}",
        title=label,
        draw=lambda ax: evidence.plot_effect_stages(appraisal, estimand, ax=ax),
        description=evidence.describe_effect_stages(appraisal, estimand),
        tables=[table],
        links=[link],
        height=1.2 + 0.45 * len(rows),
    )
    return EffectFigure(estimand, label, str(rows["stage"].iloc[-1]), block)
