"""The tracker: children starting care each year under each belief, beside what has been published since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.decision_drivers import lead_option
from cba.appraisal.review import IN_ALL
from cba.appraisal.summaries import interval, probability
from cba.costs.option_account import starts_averted
from cba.inputs.observations import load_observations
from cba.projection.stay_length import averted_stock_kernel, stay_length

if TYPE_CHECKING:
    import xarray as xr

    from cba.appraisal.stages import Workings

LINE = 0.95
"""Of the starts expected if the claim held, the share at or below the line that marks the claim as on track."""

CURRENT, PROGRAMME, CLAIM, PUBLISHED = "current_policy", "programme", "claim", "published"
"""Beliefs of the tracker: nothing changes; the option works as this stance holds; it works as the review claimed."""


def tracker_table(workings: Workings) -> pd.DataFrame:
    """Starts of children who are not unaccompanied, year by year, under each belief.

    Parameters
    ----------
    workings : Workings
        Everything worked out, under one stance.

    Returns
    -------
    DataFrame
        Columns option (the one a report follows), belief, year (ending 31 March), mean, lower, upper (children),
        line (at or below it a year's figure is on track for the claim; missing before the start),
        prob_on_track (that a year's starts would be at or below the line if the belief were true), mcse, and
        after_frame (published figures only: not known when the analysis starts). Beliefs: ``current_policy``,
        ``programme`` (the option as this stance holds it), ``claim`` (30,000 fewer children in the target year)
        and ``published``, whose probability is one or nought.

    Notes
    -----
    The claim's starts are those of current policy times one minus the cut that leaves 30,000 fewer children in
    the target year, in full from the first year and with stays of the average entrant: the smallest cut that
    would do (:func:`cba.appraisal.tables_beliefs.what_it_would_take`). The line is the 95% point of those
    starts, so that a true claim is called on track nineteen times in twenty; what matters is how often the other
    beliefs would be called so too.

    Published figures are those of the newest release held, whatever the analysis's own.

    Examples
    --------
    >>> tracker_table(workings).query("belief == 'published'")["mean"]  # doctest: +SKIP
    """
    analysis, option = workings.inputs.analysis, lead_option(workings)
    years = np.arange(workings.years[0], analysis.target_year + 1)
    usual = workings.system.baseline["starts_reachable"].transpose("sample", "year", "age").values
    ahead = usual.sum(axis=-1)[:, : years.size]
    averted = starts_averted(workings.system, workings.accounts[option].children)[:, : years.size]
    started = years >= analysis.start_year
    share = np.where(started, _claimed_cut(workings, usual)[:, None], 0.0)
    claimed = ahead * (1.0 - share)
    line = np.where(started, np.quantile(claimed, LINE, axis=0), np.nan)
    beliefs = {CURRENT: ahead, PROGRAMME: ahead - averted, CLAIM: claimed}
    if not (share < 1.0).all():
        del beliefs[CLAIM]  # in some draws no cut would do: the claim cannot be drawn
    rows = [
        row
        for belief, draws in beliefs.items()
        for row in _expected(draws, years, line, belief=belief, level=analysis.level, chains=workings.chains)
    ]
    rows += _published(load_observations(), years, line, release=analysis.release)
    table = pd.DataFrame(rows)
    table.insert(0, "option", option)
    return table


def _claimed_cut(workings: Workings, usual: np.ndarray) -> np.ndarray:
    """Share of starts that must go from the first year on for the claim to hold, (sample,)."""
    analysis = workings.inputs.analysis
    stays = stay_length(workings.inputs.observations)
    kernel = averted_stock_kernel(stays, stay_ratio=np.ones(1), lags=len(workings.years))[0].sum(axis=1)
    first, last = (workings.years.index(year) for year in (analysis.start_year, analysis.target_year))
    gone = np.sum([usual[:, year] @ kernel[:, last - year] for year in range(first, last + 1)], axis=0)
    return np.asarray(IN_ALL / gone)


def _expected(
    draws: np.ndarray, years: np.ndarray, line: np.ndarray, *, belief: str, level: float, chains: int | None
) -> list[dict[str, object]]:
    """Rows of one belief: what to expect in each year, and how often that would be on track."""
    lower, upper = interval(draws, level=level)
    rows: list[dict[str, object]] = []
    for place, year in enumerate(years):
        row = {
            "belief": belief,
            "year": int(year),
            "mean": float(draws[:, place].mean()),
            "lower": float(lower[place]),
            "upper": float(upper[place]),
            "line": float(line[place]),
            "prob_on_track": np.nan,
            "mcse": np.nan,
            "after_frame": False,
        }
        if np.isfinite(line[place]):
            chance = probability(draws[:, place] <= line[place], label="", chains=chains)
            row |= {"prob_on_track": chance["mean"], "mcse": chance["mcse"]}
        rows.append(row)
    return rows


def _published(
    observations: xr.Dataset, years: np.ndarray, line: np.ndarray, *, release: int
) -> list[dict[str, object]]:
    """Rows of the starts published to date, with whether each is on track where the line is drawn."""
    series = observations["non_uasc_starts"].dropna("year")
    lines = dict(zip(years.tolist(), line.tolist(), strict=True))
    rows: list[dict[str, object]] = []
    for year, value in zip(series["year"].values.tolist(), series.values.tolist(), strict=True):
        drawn = lines.get(year, np.nan)
        rows.append(
            {
                "belief": PUBLISHED,
                "year": int(year),
                "mean": value,
                "lower": np.nan,
                "upper": np.nan,
                "line": drawn,
                "prob_on_track": float(value <= drawn) if np.isfinite(drawn) else np.nan,
                "mcse": np.nan,
                "after_frame": bool(year > release),
            }
        )
    return rows
