"""Tables of unit costs: real growth as published and as estimated, and unit costs beside placements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.summaries import interval
from cba.costs.placement_prices import WEEKS
from cba.models.unit_costs import NAMES, SETS, cost_history

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

TURN = 2021
"""Year in which the growth of homes' prices changed; growth is shown up to it and since."""

OTHER_COSTS: Mapping[str, tuple[str, str]] = {
    "special guardianship support": ("kinship.guardianship_support", "GBP per child per year"),
    "gap between guardianship and kinship foster allowances": (
        "kinship.allowance_gap",
        "GBP per child per week",
    ),
    "care proceedings": ("legal.cost_per_case", "GBP per child"),
    "family-network meeting": ("kinship.meeting_cost", "GBP per family"),
    "family help": ("family_help.cost_per_child", "GBP per child"),
}
"""Unit costs beside placements: what each is for, its entry and unit."""


def unit_cost_growth(workings: Workings) -> pd.DataFrame:
    """Real growth of unit costs as published over windows of years, and today's as estimated.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns cost, set, first_year, last_year, whole, until_2021, since_2021 (published growth a year,
        proportions; missing where a window has no year), today_mean, today_lower, today_upper (estimated), and
        level_sd, the standard deviation of true about published cost in the last year, log points.

    Examples
    --------
    >>> unit_cost_growth(workings).set_index("cost").loc["residential_care", "whole"]  # doctest: +SKIP
    0.062
    """
    observations, rows = workings.inputs.observations, []
    for costs in SETS:
        history = cost_history(observations, costs=costs)
        for cost in history["cost"].values:
            row = {"cost": str(cost), "set": costs} | _windows(history.sel(cost=cost))
            if cost in NAMES:
                grown = np.expm1(workings.system.value(f"{NAMES[cost]}_growth"))
                lower, upper = interval(grown, level=workings.inputs.analysis.level)
                row |= {"today_mean": grown.mean(), "today_lower": float(lower), "today_upper": float(upper)}
                row |= {"level_sd": workings.system.value(f"{NAMES[cost]}_level").std()}
            rows.append(row)
    return pd.DataFrame(rows)


def _windows(history: xr.DataArray) -> dict[str, float]:
    """Published growth a year over the whole series, up to the turn and since."""
    first, last = int(history["year"][0]), int(history["year"][-1])

    def between(start: int, end: int) -> float:
        if end <= start:
            return np.nan
        moved = float(history.sel(year=end) - history.sel(year=start))
        return float(np.expm1(moved / (end - start)))

    return {
        "first_year": first,
        "last_year": last,
        "whole": between(first, last),
        f"until_{TURN}": between(first, min(TURN, last)),
        f"since_{TURN}": between(TURN, last),
    }


def other_unit_costs(workings: Workings) -> pd.DataFrame:
    """Unit costs beside placements: guardianship, proceedings, meetings, help, social work.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns item, unit, mean, lower, upper: GBP of the price base. Care proceedings per start are those per
        case times the share of starts that lead to them; social work per child is spending on social work and
        commissioning over children in need, as published.

    Examples
    --------
    >>> other_unit_costs(workings)  # doctest: +SKIP
    """
    value, level = workings.system.value, workings.inputs.analysis.level
    found = {item: (value(name), unit) for item, (name, unit) in OTHER_COSTS.items()}
    per_start = value("legal.cost_per_case") * value("legal.proceedings_share")
    found["care proceedings, per start"] = (per_start, "GBP per start of a child not unaccompanied")
    weekly = workings.inputs.observations["unit_cost_weekly"].sel(service="social_work").dropna("year")
    index = workings.basis.index
    factor = index.index(workings.basis.price_base) / index.index(int(weekly["year"][-1]))
    yearly = np.full_like(per_start, float(weekly[-1]) * WEEKS) * np.asarray(factor, dtype=float)
    found["social work and commissioning"] = (yearly, "GBP per child in need per year")
    rows = []
    for item, (draws, unit) in found.items():
        lower, upper = interval(draws, level=level)
        rows.append(
            {"item": item, "unit": unit, "mean": draws.mean(), "lower": float(lower), "upper": float(upper)}
        )
    return pd.DataFrame(rows)
