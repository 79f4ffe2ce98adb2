"""What area-level studies teach: the product of coverage, reach and effect, and not its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.summaries import interval

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

QUANTITIES = {
    "area_coverage": ("Share of eligible children served (coverage)", "share"),
    "area_reach": ("Share of starts that full coverage would reach (reach)", "share"),
    "area_effect": ("Fall in the risk of a child served (1 - RR)", "share"),
    "area_change": ("Change in the area's starts (log of 1 - product)", "log points"),
}
"""Variable of the effects fit to its words and unit; the last is the product, which alone meets data."""


def reach_table(workings: Workings) -> pd.DataFrame:
    """Prior and posterior of coverage, reach, effect and their product, by area-level study.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns study_id, quantity, label, unit, prior_mean, prior_lower, prior_upper, mean, lower, upper and
        learned, the share of the prior's standard deviation that the data took away (near 0: nothing learned;
        below 0: wider than before). The effect is informed by all studies of family help, coverage and reach by
        the area-level ones alone, through the product. No rows where no study is area-level.

    Examples
    --------
    >>> reach_table(workings)  # doctest: +SKIP
    """
    posterior, prior = (workings.effects[group].to_dataset() for group in ("posterior", "prior"))
    level, rows = workings.inputs.analysis.level, []
    for study in prior["area"].values:
        for name, (label, unit) in QUANTITIES.items():
            before = prior[name].sel(area=study).values.ravel()
            after = posterior[name].sel(area=study).values.ravel()
            ends = np.ravel([interval(draws, level=level) for draws in (before, after)])
            rows.append(
                {
                    "study_id": str(study),
                    "quantity": name.removeprefix("area_"),
                    "label": label,
                    "unit": unit,
                    "prior_mean": before.mean(),
                    "prior_lower": ends[0],
                    "prior_upper": ends[1],
                    "mean": after.mean(),
                    "lower": ends[2],
                    "upper": ends[3],
                    "learned": 1.0 - after.std() / before.std(),
                }
            )
    columns = ["study_id", "quantity", "label", "unit", "prior_mean", "prior_lower", "prior_upper"]
    return pd.DataFrame(rows, columns=[*columns, "mean", "lower", "upper", "learned"])
