"""Which option is best as a child-year at home is worth more: acceptability, frontier and the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from cba.decisions.acceptability_curves import acceptability
from cba.decisions.frontier import cost_effectiveness_frontier, plane_quadrants

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

VALUES = (
    0.0,
    *(step * 10.0**power for power in (4, 5, 6) for step in (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)),
    1e7,
)
"""GBP per child-year safely at home: nothing, then ten steps a decade to well above every anchor."""  # fmt: skip


def net_effects(workings: Workings) -> xr.DataArray:
    """Discounted child-years at home less those that are harm, each counted as heavily as a safe one.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    DataArray, dims (sample, option), child-years
        ``CY_safe - H``: what the value of a child-year multiplies in tables that are read along it.

    Examples
    --------
    >>> net_effects(workings).mean("sample")  # doctest: +SKIP
    """
    return workings.arrays.child_years_safe - workings.arrays.child_years_harm


def acceptability_table(workings: Workings) -> pd.DataFrame:
    """Expected net benefit and chance of being best, by option and value of a child-year.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    DataFrame
        Columns value_per_child_year, option, net_benefit and net_benefit_se (GBP, present value, against
        business as usual), prob_best, mcse, best (highest expected net benefit).

    Notes
    -----
    Net benefit is ``NPV + lambda (CY_safe - H)``. Errors take the draws as independent.

    Examples
    --------
    >>> acceptability_table(workings).query("best")[["value_per_child_year", "option"]]  # doctest: +SKIP
    """
    cost, effect = -workings.arrays.npv, net_effects(workings)
    curves = acceptability(cost, effect, VALUES)
    draws, options = cost.sizes["sample"], list(curves["option"].values)
    spread = _spread(cost, effect, np.array(VALUES))
    best = curves["best"].values[:, None] == np.array(options)[None, :]
    return pd.DataFrame(
        {
            "value_per_child_year": np.repeat(VALUES, len(options)),
            "option": options * len(VALUES),
            "net_benefit": curves["eib"].transpose("threshold", "option").values.ravel(),
            "net_benefit_se": (spread / np.sqrt(draws)).ravel(),
            "prob_best": curves["ceac"].transpose("threshold", "option").values.ravel(),
            "mcse": share_error(curves["ceac"].transpose("threshold", "option").values, draws).ravel(),
            "best": best.ravel(),
        }
    )


def best_option_table(workings: Workings) -> pd.DataFrame:
    """The option to choose at each value of a child-year, how surely it is best, and what being sure is worth.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    DataFrame
        Columns value_per_child_year, best, label, prob_best (the acceptability frontier), mcse, evpi, evpi_se
        (GBP, present value, once for the country).

    Examples
    --------
    >>> best_option_table(workings)  # doctest: +SKIP
    """
    npv, effect = workings.arrays.npv, net_effects(workings)
    curves = acceptability(-npv, effect, VALUES)
    labels = {option.id: option.label for option in workings.inputs.options}
    money, gain = (array.transpose("sample", "option").values for array in (npv, effect))
    regrets = [_regret_of_best(money + value * gain) for value in VALUES]
    return pd.DataFrame(
        {
            "value_per_child_year": VALUES,
            "best": curves["best"].values,
            "label": [labels[str(name)] for name in curves["best"].values],
            "prob_best": curves["ceaf"].values,
            "mcse": share_error(curves["ceaf"].values, npv.sizes["sample"]),
            "evpi": curves["evpi"].values,
            "evpi_se": [regret.std(ddof=1) / np.sqrt(regret.size) for regret in regrets],
        }
    )


def frontier_table(workings: Workings) -> pd.DataFrame:
    """Options by mean cost and mean child-years, with strong and extended dominance.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    DataFrame
        Columns option, cost (GBP, net, present value), effect (child-years less harm), status ("frontier",
        "dominated", "extended"), versus, incremental_cost, incremental_effect, icer (GBP per child-year).

    Examples
    --------
    >>> frontier_table(workings).set_index("option")["status"]  # doctest: +SKIP
    """
    return cost_effectiveness_frontier(-workings.arrays.npv, net_effects(workings))


def plane_table(workings: Workings) -> pd.DataFrame:
    """Probability of each quadrant of the cost-effectiveness plane, against business as usual.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    DataFrame
        Columns option, better_cheaper, better_dearer, worse_cheaper, worse_dearer: "better" is more child-years
        at home less harm, "cheaper" a net saving. Rows sum to one.

    Examples
    --------
    >>> plane_table(workings).set_index("option").loc["care_review"]  # doctest: +SKIP
    """
    return plane_quadrants(-workings.arrays.npv, net_effects(workings))


def share_error(share: np.ndarray, draws: int) -> np.ndarray:
    """Monte Carlo standard error of shares of independent draws.

    Parameters
    ----------
    share : ndarray, in [0, 1]
    draws : int, >= 1

    Returns
    -------
    ndarray
        ``sqrt(p (1 - p) / n)``; what happened in no draw, or in all, still has that of half a draw.

    Examples
    --------
    >>> share_error(np.array([0.5, 0.0]), 100).round(4).tolist()
    [0.05, 0.0071]
    """
    inside = np.clip(share, 0.5 / draws, 1.0 - 0.5 / draws)
    return np.sqrt(inside * (1.0 - inside) / draws)


def _regret_of_best(payoff: np.ndarray) -> np.ndarray:
    """By how much the option with the highest mean falls short of the best one of each draw, (sample,)."""
    return payoff.max(axis=1) - payoff[:, payoff.mean(axis=0).argmax()]


def _spread(cost: xr.DataArray, effect: xr.DataArray, values: np.ndarray) -> np.ndarray:
    """Standard deviation over draws of net benefit against the first option, (value, option)."""
    money, gain = (
        (
            array.transpose("sample", "option").values
            - array.isel(option=[0]).transpose("sample", "option").values
        )
        for array in (-cost, effect)
    )
    money, gain = money - money.mean(axis=0), gain - gain.mean(axis=0)
    parts = [(one * two).mean(axis=0) for one, two in ((money, money), (money, gain), (gain, gain))]
    grid = values[:, None]
    return np.sqrt(np.maximum(parts[0] + 2.0 * grid * parts[1] + grid**2 * parts[2], 0.0))
