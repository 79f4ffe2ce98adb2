"""Which rows of long tables the page prints: councils at both ends, inputs that move, evidence by its use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cba.reporting.page_sections import holds

if TYPE_CHECKING:
    from cba.appraisal import Appraisal

COUNCILS_SHOWN = 10
"""Authorities printed at each end of the list."""


def row_choices(by_stance: Mapping[str, Appraisal], first: Appraisal, option: str) -> dict[str, Any]:
    """Return which rows of long tables the templates print; empty entries where a table is not there.

    Parameters
    ----------
    by_stance : mapping of str to Appraisal
    first : Appraisal
        Of the headline stance.
    option : str
        Option the report follows.

    Returns
    -------
    dict of str to object
        ``unused`` (uses of the evidence that do not enter), ``censored`` (whether any enters as a bound),
        ``council_ends`` (captions and rows), ``weight_matters`` (whether any weight on the sceptic changes the
        choice at some value of a child-year), ``needed`` (what picks the first row of ``need_to_believe``) and
        ``needed_which`` (what its draws are).

    Examples
    --------
    >>> row_choices({"evidence": appraisal}, appraisal, "care_review")["censored"]  # doctest: +SKIP
    True
    """
    uses = [str(use) for use in first.tables["evidence"]["use"].unique()]
    return {
        "unused": [use for use in uses if use not in ("synthesis", "censored")],
        "censored": "censored" in uses,
        "council_ends": _council_ends(first, option),
        "weight_matters": _weight_matters(first),
        **_needed(by_stance.get("review")),
    }


def _council_ends(appraisal: Appraisal, option: str) -> list[dict[str, Any]]:
    """Return what picks the authorities whose own saving less cost is highest and lowest."""
    if not holds(appraisal, "councils", option):
        return []
    mine = appraisal.tables["councils"].query("option == @option").sort_values("council_net")
    shown = min(COUNCILS_SHOWN, len(mine) // 2)
    if shown == 0:
        return []
    low, high = (float(mine["council_net"].iloc[place]) for place in (shown - 1, -shown))
    return [
        {"caption": "highest", "where": {"option": option, "council_net__from": high}},
        {"caption": "lowest", "where": {"option": option, "council_net__to": low}},
    ]


def _weight_matters(appraisal: Appraisal) -> bool:
    """Return whether, at some value of a child-year, more than one option is best as the weight moves."""
    table = appraisal.tables.get("weight_of_change")
    return (
        table is not None
        and len(table) > 0
        and bool((table.groupby("value_per_child_year").size() > 1).any())
    )


def _needed(review: Appraisal | None) -> dict[str, Any]:
    table = None if review is None else review.tables.get("need_to_believe")
    if table is None or table.empty:
        return {"needed": None, "needed_which": ""}
    first = table.iloc[0]
    return {"needed": {"parameter": str(first["parameter"])}, "needed_which": str(first["which"])}
