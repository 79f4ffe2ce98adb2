"""The figure of the tracker in the report, with its tables, and the years its words speak of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cba.reporting.figure_blocks import FigureBlock, draw_block, range_columns, table_and_link
from cba.reporting.figures_tracker import (
    TABLE,
    belief_rows,
    describe_tracker,
    plot_tracker,
    tracker_beliefs,
)
from cba.reporting.html_tables import columns
from cba.reporting.page_sections import holds

if TYPE_CHECKING:
    from cba.appraisal import Appraisal


def tracker_figures(appraisals: Sequence[Appraisal], option: str) -> dict[str, FigureBlock]:
    """Return the figure of the tracker where the headline appraisal has its table.

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
    >>> list(tracker_figures([appraisal], "care_review"))  # doctest: +SKIP
    ['tracker']
    """
    first = appraisals[0]
    if not holds(first, TABLE, option):
        return {}
    shown = columns("year|Year ending 31 March|plain", *range_columns("count"))
    published = columns("year|Year ending 31 March|plain", "mean|Starts published|count")
    beliefs = [(first, "published", "Published, newest release"), *tracker_beliefs(appraisals)]
    pairs = [
        table_and_link(
            appraisal,
            TABLE,
            published if belief == "published" else shown,
            caption=f"Starts of children who are not unaccompanied, England: {label}",
            where={"belief": belief},
            name=f"tracker_{belief}_{appraisal.stance}",
        )
        for appraisal, belief, label in beliefs
    ]
    block = draw_block(
        "fig-tracker",
        title="Starts expected each year under each belief",
        draw=lambda ax: plot_tracker(appraisals, ax=ax),
        description=describe_tracker(appraisals),
        tables=[pair[0] for pair in pairs],
        links=[pair[1] for pair in pairs],
    )
    return {"tracker": block}


def tracker_choices(appraisals: Sequence[Appraisal], option: str) -> dict[str, Any]:
    """Return the years, beliefs and figures the words of the tracker name; empty where there is no tracker.

    Parameters
    ----------
    appraisals : sequence of Appraisal
    option : str

    Returns
    -------
    dict of str to object
        ``tracker_years`` (years with a line), ``tracker_beliefs`` (stance, belief and label), ``tracker_last``
        (newest published year), ``tracker_tested`` (published years with a line, known after the frame) and
        ``tracker_blurred`` (whether the programme's mean stays inside the interval of current policy).

    Examples
    --------
    >>> tracker_choices([appraisal], "care_review")["tracker_last"]  # doctest: +SKIP
    2024
    """
    first = appraisals[0]
    if not holds(first, TABLE, option):
        return {"tracker_years": []}
    ahead, published = belief_rows(first, "current_policy"), belief_rows(first, "published")
    tested = published[published["line"].notna()]
    return {
        "tracker_years": [int(y) for y in ahead.loc[ahead["line"].notna(), "year"]],
        "tracker_beliefs": [
            {"stance": a.stance, "belief": belief, "label": label}
            for a, belief, label in tracker_beliefs(appraisals)
        ],
        "tracker_last": int(published["year"].max()),
        "tracker_tested": [int(y) for y in tested["year"]],
        "tracker_blurred": _blurred(first),
    }


def _blurred(appraisal: Appraisal) -> bool:
    """Return whether the programme's mean lies inside the interval of current policy in every year."""
    ahead = belief_rows(appraisal, "current_policy").set_index("year")
    programme = belief_rows(appraisal, "programme").set_index("year")["mean"]
    return bool(((programme >= ahead["lower"]) & (programme <= ahead["upper"])).all())
