"""Make the whole record of past forecasts and keep it: totals, ages, spending, weights, the view from each release."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from cba.appraisal.backtest_results import ABOUT, RESULTS, backtest_sha256
from cba.inputs.observations import load_observations
from cba.inputs.priors import load_priors
from cba.validation.backtest_ages import backtest_ages
from cba.validation.backtest_spending import backtest_spending
from cba.validation.backtest_summary import headline_scores, reached, score_summary, stacking_table
from cba.validation.backtest_totals import backtest_totals
from cba.validation.known_then import KnownOrigins, Skipped, known_origins
from cba.validation.vintages import vintage_record

PRICE_BASE = 2024
"""Prices in which past spending is scored; the last year of the deflator is 2023-24."""


@dataclass(frozen=True)
class BacktestRecord:
    """Everything a backtest found.

    Attributes
    ----------
    tables : dict of str to DataFrame
        ``scores``, ``headline``, ``reached``, ``by_horizon``, ``stacking``, ``skipped``; with the models of ages and
        vintages refitted also ``vintages``.
    release : int
        Release that says what happened.
    draws : int

    Examples
    --------
    >>> backtest_record(quick=True).tables["headline"]  # doctest: +SKIP
    """

    tables: dict[str, pd.DataFrame]
    release: int
    draws: int


def backtest_record(
    *,
    quick: bool = False,
    draws: int = 4000,
    known: KnownOrigins | None = None,
    tell: Callable[[str], None] = lambda what: None,
) -> BacktestRecord:
    """Forecast from every origin and score.

    Parameters
    ----------
    quick : bool
        Totals alone: half a minute. Otherwise ages, spending and vintages too: some ten minutes.
    draws : int
        Of each forecast of totals; models by age take half as many.
    known : KnownOrigins, optional
        Origins of one's own.
    tell : callable
        Told what is being done.

    Returns
    -------
    BacktestRecord

    Examples
    --------
    >>> backtest_record(quick=True, draws=500)  # doctest: +SKIP
    """
    priors, newest = load_priors(), load_observations()
    tell("totals")
    totals = backtest_totals(known or known_origins(), priors, draws=draws)
    frames, skipped = [totals.scores], list(totals.skipped)
    tables: dict[str, pd.DataFrame] = {}
    if not quick:
        tell("spending")
        spent = backtest_spending(newest, priors, price_base=PRICE_BASE, draws=draws)
        tell("ages")
        ages = backtest_ages(priors, draws=draws // 2)
        tell("vintages")
        tables["vintages"] = vintage_record(draws=draws)
        by_age = ages[0][ages[0]["quantity"].str.contains(",")]
        shipped = ages[0][~ages[0]["quantity"].str.contains(",")]
        shipped = shipped.assign(quantity=shipped["quantity"] + " (model by age)")
        frames += [spent[0], by_age, shipped]
        skipped += [*spent[1], *ages[1]]
    scores = pd.concat(frames, ignore_index=True)
    tables |= {
        "scores": scores,
        "headline": headline_scores(totals.scores),
        "reached": reached(totals.scores),
        "by_horizon": score_summary(scores),
        "stacking": stacking_table(totals.terms),
        "skipped": pd.DataFrame(skipped, columns=list(Skipped._fields)),
    }
    return BacktestRecord(tables, release=int(newest.attrs["release"]), draws=draws)


def write_backtest(record: BacktestRecord, folder: Path = RESULTS) -> Path:
    """Keep a record: all its files are replaced, or none.

    Parameters
    ----------
    record : BacktestRecord
        Whole, not quick.
    folder : Path
        Where it is kept.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If the record lacks the vintages.

    Examples
    --------
    >>> write_backtest(backtest_record())  # doctest: +SKIP
    """
    if "vintages" not in record.tables:
        raise ValueError("a quick record is not kept: it lacks ages, spending and vintages")
    folder.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "made": datetime.now(UTC).date().isoformat(),
        "draws": record.draws,
        "release": record.release,
        "made_from": backtest_sha256(),
    }
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".backtest.") as beside:
        for name, table in record.tables.items():
            table.to_csv(Path(beside) / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")
        (Path(beside) / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        folder.mkdir(exist_ok=True)
        for file in sorted(Path(beside).iterdir(), key=lambda file: file.name == ABOUT):  # the hash goes last
            os.replace(file, folder / file.name)
    return folder
