"""The inputs of the live central case: those that its formulas use, each with a name that formulas can say."""

from __future__ import annotations

from collections.abc import Mapping

from cba.dimensions import AGE_BANDS
from cba.workbook.cells import Cell, Grid

GROUPS: Mapping[str, tuple[str, ...]] = {
    "delivery": ("start_delay", "ramp_stretch", "setup_share", "cost_overrun"),
    "family_help": (
        "cost_per_child",
        "eligible_children",
        "yearly_entry_risk",
        *(f"eligible_share_{age}" for age in AGE_BANDS),
        "relative_risk_under_1",
        "relative_risk_16_plus",
        "log_risk_ratio",
        "age_tilt_under_1",
        "age_tilt_16_plus",
        "deferral_share",
    ),
    "kinship": (
        "log_risk_ratio",
        "route_share",
        "uncovered_share",
        "in_care_without_meeting",
        "meeting_cost",
        "allowance_share",
        "allowance_gap",
        "guardianship_children",
        "arrangement_children",
        "all_children",
        "permanence_gain",
        "permanence_years",
        "return_to_care",
        "guardianship_support",
    ),
    "foster": (
        "cost_per_carer",
        "target_delivered",
        "carers_per_household",
        "places_per_household",
        "filled_share",
        "attrition",
        "home_share",
        "substitution",
        "agency_share",
    ),
    "reform": ("step_down_share", "home_price_cut"),
    "avoidable": ("childrens_home", "foster", "other"),
    "cashable": ("share_at_once", "rest_later"),
    "home_support": ("supported_share", "cost_per_year"),
    "legal": ("proceedings_share", "cost_per_case"),
}
"""Inputs by group, in the order of the chain from money to savings."""


LIVE = tuple(f"{group}.{name}" for group, names in GROUPS.items() for name in names)
"""Every input that a reader can change in the spreadsheet."""


def cell_name(entry: str) -> str:
    """Name by which formulas call an input."""
    return entry.replace(".", "_")


def input_cells(value: Mapping[str, float]) -> dict[str, Cell]:
    """Cells of the live inputs, called by their names."""
    return {entry: Cell(value[entry], cell_name(entry)) for entry in LIVE}


def input_grid(
    value: Mapping[str, float], *, about: Mapping[str, Mapping[str, str]], price_base: int
) -> Grid:
    """Table of the live inputs: name, what it is, unit, value.

    Rows in the order of `LIVE`; the value stands in the last column. `about`: ``description`` and ``unit`` of
    each input. `price_base`: year ending 31 March of the prices money is in.
    """
    grid = Grid(
        "inputs",
        "Live central case: the inputs a reader can change",
        (
            "Change a figure in the column Value and the sheets that follow are worked out again.",
            "Each value is the mean of the draws of that input. What the sheets leave fixed (the stays of children, "
            "prices of placements, children in care without reform) is given by year on the sheets that follow.",
        ),
        ("Input", "Name in formulas", "What it is", "Unit", "Value"),
    )
    for entry in LIVE:
        known = about.get(entry, {})
        unit = known.get("unit", "") or "number"
        unit = f"{unit}, prices of {price_base - 1}-{price_base % 100:02d}" if "GBP" in unit else unit
        grid.add([entry, cell_name(entry), known.get("description", "") or entry, unit, value[entry]])
    return grid
