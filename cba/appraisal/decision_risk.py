"""Attitudes to risk and ranks: worst cases and regret beside expected value, ranks and dominance of options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.decision_acceptability import net_effects, share_error
from cba.appraisal.summaries import interval
from cba.decisions.risk import ranking_probabilities, regret_table, stochastic_dominance

if TYPE_CHECKING:
    import xarray as xr

    from cba.appraisal.stages import Workings

VALUES = (0.0, 100e3, 500e3, 2.5e6)
"""GBP per child-year safely at home: cash alone, then values around and above the anchors."""

TAIL = 0.05
"""Share of draws counted as the worst."""


def risk_table(workings: Workings) -> pd.DataFrame:
    """Expected value of each option beside its worst cases and its regret.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    DataFrame
        Columns value_per_child_year, option, mean, mean_se, cvar (mean of the worst 5% of draws), expected_loss
        (mean regret: the shortfall from the best option of each draw), worst_loss (99th percentile of regret),
        prob_best, prob_negative: GBP, present value, and probabilities, these with their errors (``_se``).

    Examples
    --------
    >>> risk_table(workings).query("value_per_child_year == 0")  # doctest: +SKIP
    """
    frames = []
    for value in VALUES:
        frame = regret_table(_payoff(workings, value), tail=TAIL)
        frame.insert(0, "value_per_child_year", value)
        for share in ("prob_best", "prob_negative"):
            frame[f"{share}_se"] = share_error(frame[share].to_numpy(), workings.arrays.npv.sizes["sample"])
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def ranking_table(workings: Workings) -> pd.DataFrame:
    """Rank of each option by its payoff, over common draws.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    DataFrame
        Columns value_per_child_year, option, mean, mean_se, lower, upper (rank, 1 is best), prob_first,
        prob_last, prob_beats_bau, and the errors of these three (``_se``).

    Examples
    --------
    >>> ranking_table(workings).query("value_per_child_year == 0")  # doctest: +SKIP
    """
    level, frames = workings.inputs.analysis.level, []
    for value in VALUES:
        payoff = _payoff(workings, value)
        draws, options = payoff.transpose("sample", "option").values.shape
        order = np.argsort(-payoff.transpose("sample", "option").values, axis=1, kind="stable")
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.arange(1, options + 1)[None, :], axis=1)
        lower, upper = interval(ranks, level=level)
        frame = pd.DataFrame(
            {
                "value_per_child_year": value,
                "option": payoff["option"].values,
                "mean": ranks.mean(axis=0),
                "mean_se": ranks.std(axis=0, ddof=1) / np.sqrt(draws),
                "lower": lower,
                "upper": upper,
                "prob_first": (ranks == 1).mean(axis=0),
                "prob_last": (ranks == options).mean(axis=0),
                "prob_beats_bau": (payoff > payoff.isel(option=0)).mean("sample").values,
            }
        )
        for share in ("prob_first", "prob_last", "prob_beats_bau"):
            frame[f"{share}_se"] = share_error(frame[share].to_numpy(), draws)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def rank_probabilities_table(workings: Workings) -> pd.DataFrame:
    """Probability of each rank of each option.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    DataFrame
        Columns value_per_child_year, option, rank (1 is best), probability, mcse.

    Examples
    --------
    >>> rank_probabilities_table(workings)  # doctest: +SKIP
    """
    frames = []
    for value in VALUES:
        payoff = _payoff(workings, value)
        shares = ranking_probabilities(payoff)
        frame = shares.to_dataframe().reset_index()[["option", "rank", "probability"]]
        frame["mcse"] = share_error(frame["probability"].to_numpy(), payoff.sizes["sample"])
        frame.insert(0, "value_per_child_year", value)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def dominance_table(workings: Workings) -> pd.DataFrame:
    """Pairs of options of which one is preferred whatever the attitude to risk.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    DataFrame
        Columns value_per_child_year, option, other, preferred_by: "everyone" (first order: nowhere worse in
        distribution) or "everyone who dislikes risk" (second order only). Pairs without dominance are left out.

    Examples
    --------
    >>> dominance_table(workings)  # doctest: +SKIP
    """
    rows = []
    for value in VALUES:
        payoff = _payoff(workings, value)
        first, second = (stochastic_dominance(payoff, order=order).values for order in (1, 2))
        names = [str(name) for name in payoff["option"].values]
        for one, two in zip(*np.nonzero(first | second), strict=True):
            who = "everyone" if first[one, two] else "everyone who dislikes risk"
            rows.append((value, names[one], names[two], who))
    return pd.DataFrame(rows, columns=["value_per_child_year", "option", "other", "preferred_by"])


def _payoff(workings: Workings, value: float) -> xr.DataArray:
    return workings.arrays.npv + value * net_effects(workings)
