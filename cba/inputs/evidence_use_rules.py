"""The checks on how a row of the evidence table is used: as an estimate, an interval, at area level, clustered."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from cba.errors import InputError
from cba.inputs.evidence_columns import IN_MODEL, LEVELS, SCALES_OF_ESTIMAND, STARTS_AGES
from cba.inputs.toml_reading import nearest

Row = Mapping[str, Any]
Refuse = Callable[..., InputError]

AREA_ESTIMAND = "care_entry_log_rr"
"""Only family help has a product of coverage, reach and effect."""


def check_use(row: Row, refuse: Refuse) -> None:
    """Refuse a row that is not what its `use` says.

    Parameters
    ----------
    row : mapping
        One row, numbers as float (NaN where empty).
    refuse : callable
        ``refuse(problem, column, found=, allowed=, cause=, remedy=)`` returns the error for one cell.

    Raises
    ------
    InputError
        An excluded row without a reason; a used row with one, without an estimand or on a scale that cannot
        become it; a censored row without bounds, or with bounds on an estimate; a design effect or a
        coverage that is no range, has no reason or stands where it has no meaning.
    """
    if row["use"] not in IN_MODEL:
        if not row["exclusion_reason"]:
            raise refuse(
                "a study is excluded without a reason", "exclusion_reason", found="empty", allowed="text",
                cause="a row switched off", remedy="say why it does not enter the synthesis",
            )  # fmt: skip
        return
    _check_estimand(row, refuse)
    _check_bounds(row, refuse)
    _check_range(
        row, refuse, "design_effect", lowest=0.0, highest=math.inf, allowed="above 0, low below high"
    )
    _check_level(row, refuse)


def _check_estimand(row: Row, refuse: Refuse) -> None:
    if row["exclusion_reason"]:
        raise refuse(
            "a study in the synthesis has a reason for exclusion", "exclusion_reason",
            found=row["exclusion_reason"], allowed="empty", cause="a row switched on by halves",
            remedy="empty the cell or set use to excluded",
        )  # fmt: skip
    allowed = SCALES_OF_ESTIMAND.get(row["estimand"])
    if allowed is None:
        raise refuse(
            "an unknown estimand", "estimand", found=repr(row["estimand"]),
            allowed=", ".join(SCALES_OF_ESTIMAND), cause="a synthesis row does not say what it estimates",
            remedy="use an allowed estimand" + nearest(row["estimand"], SCALES_OF_ESTIMAND),
        )  # fmt: skip
    if row["use"] == "synthesis" and row["scale"] not in allowed:
        raise refuse(
            "a scale cannot be turned into the estimand", "scale", found=row["scale"],
            allowed=", ".join(allowed), cause=f"{row['estimand']} asked of a row on another scale",
            remedy="give the estimate on an allowed scale, or exclude the row with a reason",
        )  # fmt: skip


def _check_bounds(row: Row, refuse: Refuse) -> None:
    low, high = row["bound_low"], row["bound_high"]
    bounded = not (math.isnan(low) and math.isnan(high))
    if row["use"] == "synthesis":
        if bounded:
            raise refuse(
                "a study with an estimate has bounds too", "bound_low", found=f"{low:g} to {high:g}",
                allowed="empty, or use = censored", cause="an interval typed in the wrong columns",
                remedy="empty the bounds, or set use to censored",
            )  # fmt: skip
        return
    if not bounded:
        raise refuse(
            "a censored study has no bounds", "bound_low", found="empty",
            allowed="bound_low, bound_high or both, on the scale of the estimand",
            cause="a direction or a null result without the interval it implies",
            remedy="add a bound (not significant at 5%: plus and minus 1.96 standard errors), or exclude the row",
        )  # fmt: skip
    if low >= high:
        raise refuse(
            "the bounds of a censored study are not in order", "bound_low", found=f"{low:g} to {high:g}",
            allowed="bound_low below bound_high", cause="the two swapped", remedy="swap them",
        )  # fmt: skip
    if not row["bound_reason"]:
        raise refuse(
            "the bounds of a censored study have no reason", "bound_reason", found="empty", allowed="text",
            cause="numbers typed without their derivation", remedy="say why these bounds",
        )  # fmt: skip
    if not (row["se"] > 0 or row["se_assumed"] > 0):
        raise refuse(
            "a censored study has no uncertainty", "se_assumed", found="empty", allowed="above 0",
            cause="a null result whose precision is not published",
            remedy="add an assumed standard error with its reason, or exclude the row",
        )  # fmt: skip


def _check_range(row: Row, refuse: Refuse, name: str, *, lowest: float, highest: float, allowed: str) -> None:
    """Refuse a pair <name>_low, <name>_high that is not a range inside the limits with a reason."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if math.isnan(low) and math.isnan(high):
        return
    words = name.replace("_", " ")
    if not lowest < low < high < highest:
        raise refuse(
            f"the {words} is not a range", f"{name}_low", found=f"{low:g} to {high:g}", allowed=allowed,
            cause="one end left out, or the two swapped", remedy="give its 5% and 95% point",
        )  # fmt: skip
    if not row[f"{name}_reason"]:
        raise refuse(
            f"the {words} has no reason", f"{name}_reason", found="empty", allowed="text",
            cause="numbers typed without their derivation", remedy="say why this range",
        )  # fmt: skip


def _check_level(row: Row, refuse: Refuse) -> None:
    if row["level"] not in LEVELS:
        raise refuse(
            "an unknown level", "level", found=repr(row["level"]), allowed=", ".join(LEVELS),
            cause="a used row does not say whether its effect is on those served or on an area",
            remedy="use an allowed word" + nearest(row["level"], LEVELS),
        )  # fmt: skip
    _check_range(row, refuse, "coverage", lowest=0.0, highest=1.0, allowed="0 < low < high < 1")
    covered = not math.isnan(row["coverage_low"])
    if row["level"] == "served":
        if covered or row["starts_ages"]:
            raise refuse(
                "an effect on those served has a coverage", "coverage_low" if covered else "starts_ages",
                found=f"{row['coverage_low']:g}" if covered else row["starts_ages"],
                allowed="empty, or level = area", cause="the level left as it was",
                remedy="empty coverage and ages, or set level to area",
            )  # fmt: skip
        return
    if row["estimand"] != AREA_ESTIMAND:
        raise refuse(
            "an area-level effect is of another estimand", "level", found=row["estimand"],
            allowed=f"{AREA_ESTIMAND} only", cause="coverage and reach are modelled for family help alone",
            remedy="set level to served, or exclude the row with a reason",
        )  # fmt: skip
    if not covered:
        raise refuse(
            "an area-level effect has no coverage", "coverage_low", found="empty",
            allowed="5% and 95% point of the share of eligible children served",
            cause="a whole-area result without the share of families served",
            remedy="add coverage_low, coverage_high and coverage_reason (wide where it is a judgement)",
        )  # fmt: skip
    if row["starts_ages"] not in STARTS_AGES:
        raise refuse(
            "an area-level effect does not say whose starts", "starts_ages", found=repr(row["starts_ages"]),
            allowed=", ".join(STARTS_AGES), cause="a cell left out",
            remedy="use an age band, or all" + nearest(row["starts_ages"], STARTS_AGES),
        )  # fmt: skip
