"""The figures of belief and calibration in the report: break-even map, England's own panel, published accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cba.reporting import figures_accounts as accounts
from cba.reporting import figures_break_even_map as break_even
from cba.reporting import figures_panel as panel
from cba.reporting import figures_reach as reach
from cba.reporting.figure_blocks import FigureBlock, draw_block, range_columns, table_and_link
from cba.reporting.full_names import stance_name
from cba.reporting.html_tables import columns, csv_link, html_table
from cba.reporting.page_sections import holds
from cba.reporting.table_figures import TableFigure, table_figures

if TYPE_CHECKING:
    from cba.appraisal import Appraisal

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
    """Return the figures of belief and calibration that the appraisals have tables for, by name.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance, the headline first.
    option : str
        Option the report follows.

    Returns
    -------
    dict of str to FigureBlock

    Examples
    --------
    >>> sorted(belief_figures([appraisal], "care_review"))  # doctest: +SKIP
    ['accounts', 'break_even_map', 'panel_starts', 'panel_stock']
    """
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
