"""What one would need to believe: how the draws that meet the review's claims differ from the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.clear_of_chance import clear_of_chance
from cba.appraisal.fitted_names import described
from cba.appraisal.summaries import interval

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal

SHOWN = 15
"""Parameters listed: those whose mean moves most."""

MEETING = "draws that meet the claims"
NEAREST = "draws nearest to the claims: too few meet them"


def need_to_believe(
    parameters: xr.Dataset, fewer: np.ndarray, *, chosen: np.ndarray, level: float, which: str = MEETING
) -> pd.DataFrame:
    """Compare the parameters of chosen draws with those of all.

    Parameters
    ----------
    parameters : Dataset, dims (sample)
        Every uncertain input, all draws of the evidence.
    fewer : ndarray, shape (sample,), children
        Fewer children in care under ``care_review`` in the target year.
    chosen : ndarray of bool, shape (sample,)
        The draws in question.
    level : float
        Probability of the intervals.
    which : str
        What the chosen draws are.

    Returns
    -------
    DataFrame
        The parameters whose mean moves most, most first: parameter, description, unit; mean, lower, upper (all
        draws) and needed_mean, needed_lower, needed_upper (chosen draws), shift (difference of means in standard
        deviations of all draws), shift_se (its Monte Carlo error were the input unrelated to the choice), clear
        (whether the shift is more than that error explains, all inputs tried), which, draws (number chosen) and
        fewer_children (their mean).

    Notes
    -----
    The mean of n draws taken blindly from N has the variance ``(1 / n) (N - n) / (N - 1)`` of one draw.

    Examples
    --------
    >>> drawn = xr.Dataset({"reach": ("sample", np.arange(4.0)), "cost": ("sample", [1.0, 2.0, 2.0, 1.0])})
    >>> fewer = np.array([0.0, 10.0, 20.0, 30.0])
    >>> found = need_to_believe(drawn, fewer, chosen=fewer >= 20, level=0.9)
    >>> found.loc[0, "parameter"], float(found.loc[0, "needed_mean"]), float(found.loc[0, "fewer_children"])
    ('reach', 2.5, 25.0)
    """
    rows = []
    for name, values in parameters.data_vars.items():
        draws = values.values
        if draws.ndim != 1 or np.ptp(draws) == 0:
            continue
        lower, upper = interval(draws, level=level)
        needed_lower, needed_upper = interval(draws[chosen], level=level)
        rows.append(
            {
                "parameter": str(name),
                "description": described(str(name), values.attrs),
                "unit": values.attrs.get("unit", ""),
                "mean": draws.mean(),
                "lower": lower,
                "upper": upper,
                "needed_mean": draws[chosen].mean(),
                "needed_lower": needed_lower,
                "needed_upper": needed_upper,
                "shift": (draws[chosen].mean() - draws.mean()) / draws.std(),
            }
        )
    table = pd.DataFrame(rows)
    table["shift_se"] = np.sqrt(max(chosen.size / chosen.sum() - 1.0, 0.0) / (chosen.size - 1.0))
    table["clear"] = clear_of_chance(table["shift"].to_numpy(), table["shift_se"].to_numpy())
    table = table.sort_values("shift", key=np.abs, ascending=False, kind="stable").head(SHOWN)
    about = {"which": which, "draws": int(chosen.sum()), "fewer_children": float(fewer[chosen].mean())}
    return table.assign(**about).reset_index(drop=True)


def nearest_draws(fewer: np.ndarray, *, count: int) -> np.ndarray:
    """Mark the draws with the most children fewer.

    Parameters
    ----------
    fewer : ndarray, shape (sample,)
    count : int
        How many, at most a tenth of all so that they remain a tail.

    Returns
    -------
    ndarray of bool, shape (sample,)

    Examples
    --------
    >>> nearest_draws(np.arange(20.0), count=100).sum().item()
    2
    """
    marked = np.zeros(fewer.size, dtype=bool)
    marked[np.argsort(fewer, kind="stable")[-min(count, max(fewer.size // 10, 1)) :]] = True
    return marked


def nearest_beliefs(evidence: Appraisal, *, count: int) -> dict[str, pd.DataFrame]:
    """What the draws of the evidence nearest to the claims believe, as a table by its name.

    Parameters
    ----------
    evidence : Appraisal
        Under ``evidence``.
    count : int
        As in :func:`nearest_draws`.

    Returns
    -------
    dict of str to DataFrame
        ``need_to_believe``; empty where the analysis has no ``care_review``.

    Examples
    --------
    >>> nearest_beliefs(evidence, count=100)["need_to_believe"]  # doctest: +SKIP
    """
    if "care_review" not in evidence.option_labels:
        return {}
    total = evidence.children.sel(year=evidence.analysis.target_year).sum("age")
    fewer = (total.sel(option="bau") - total.sel(option="care_review")).values
    table = need_to_believe(
        evidence.parameters,
        fewer,
        chosen=nearest_draws(fewer, count=count),
        level=evidence.analysis.level,
        which=NEAREST,
    )
    return {"need_to_believe": table}
