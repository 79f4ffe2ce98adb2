"""Scores of earlier runs' forecasts, worked out when a release brings what happened and kept for good.

``<root>/<analysis>/forecast_scores.csv`` has one row for each run, quantity, age, year and release of the outturn.
Rows are added and never changed: a forecast is scored once against a release, and again only where a later release
revised the figure. The outturn is what happened, reforms of the time included; the forecast is business as usual.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cba.decisions.forecast_scores import outturn_score
from cba.errors import InputError
from cba.runs.analysis_lock import locked
from cba.runs.stored_forecasts import Key, run_forecasts
from cba.runs.stored_runs import RunRecord, list_runs
from cba.runs.whole_writing import write_whole

if TYPE_CHECKING:
    import xarray as xr

SCORES = "forecast_scores.csv"
"""Name of the record, in the folder of the analysis."""

OUTTURNS: Mapping[str, str] = {"stock": "stock", "starts": "starts", "ceases": "ceases"}
"""Quantity to the observed series it is held against; with ages ``<series>_by_age``."""


@dataclass(frozen=True)
class Score:
    """One forecast of one run against one release.

    Attributes
    ----------
    run : str
        That made the forecast.
    made_from : int
        Release it was made from.
    release : int
        Release the outturn was read in.
    quantity, age : str
        ``stock``, ``starts`` or ``ceases``; an age band or ``all``.
    year, horizon : int
        Year ending 31 March, and years after the release the forecast was made from.
    outturn, median, crps : float
        Children.
    percentile : float
        Where the outturn fell, 0 to 1.
    inside_50, inside_80, inside_90 : bool
        Whether it fell in the equal-tailed interval.
    revised : bool
        Whether the same forecast was scored before, against the figure of an earlier release.
    """

    run: str
    made_from: int
    release: int
    quantity: str
    age: str
    year: int
    horizon: int
    outturn: float
    median: float
    crps: float
    percentile: float
    inside_50: bool
    inside_80: bool
    inside_90: bool
    revised: bool = False


COLUMNS = tuple(field.name for field in fields(Score))
"""Columns of the record."""


def score_arrival(root: str | Path, analysis: str, observations: xr.Dataset) -> list[Score]:
    """Score the forecasts of earlier runs against a release, and add the scores to the record.

    Parameters
    ----------
    root : str or Path
        Folder of the reports.
    analysis : str
        Name of the analysis.
    observations : Dataset
        The new release, as :func:`cba.load_observations` reads it.

    Returns
    -------
    list of Score
        Those added; none where no forecast is due (:func:`not_scored` says why).

    Raises
    ------
    InputError
        If the record is not what was written.
    StoreError
        If it cannot be written; it then stays as it was.

    Examples
    --------
    >>> score_arrival("no such folder", "latest", observations)  # doctest: +SKIP
    []
    """
    folder = Path(root) / analysis
    runs = _earlier_runs(root, analysis, observations)
    if not runs:
        return []
    with locked(folder):
        kept = read_scores(root, analysis)
        added = [score for run in runs for score in _scores_of(run, observations, kept=kept)]
        if added:
            write_whole(folder / SCORES, _as_csv([*kept, *added]))
    return added


def not_scored(root: str | Path, analysis: str, observations: xr.Dataset) -> list[str]:
    """Say why there is nothing to score, or why a run was left out.

    Parameters
    ----------
    root, analysis, observations
        As in :func:`score_arrival`.

    Returns
    -------
    list of str
        One sentence a reason.

    Examples
    --------
    >>> import xarray as xr
    >>> not_scored("no such folder", "latest", xr.Dataset(attrs={"release": 2024}))
    ['No forecast is scored: no run of latest was made from a release before 2024.']
    """
    runs = _earlier_runs(root, analysis, observations)
    if not runs:
        release = int(observations.attrs["release"])
        return [f"No forecast is scored: no run of {analysis} was made from a release before {release}."]
    reasons = []
    for run in runs:
        forecasts = run_forecasts(run)
        if not forecasts:
            reasons.append(f"Run {run.name} is not scored: it was stored without its forecasts.")
        elif not any(outturn_of(observations, key) is not None for key in forecasts):
            reasons.append(f"Run {run.name} is not scored: the release has no year that it foretold.")
    return reasons


def read_scores(root: str | Path, analysis: str) -> list[Score]:
    """Read the record of an analysis.

    Parameters
    ----------
    root : str or Path
        Folder of the reports.
    analysis : str

    Returns
    -------
    list of Score
        In the order in which they were added; none where there is no record.

    Raises
    ------
    InputError
        If a row or a column is not what was written; names file, row and column.

    Examples
    --------
    >>> read_scores("no such folder", "latest")
    []
    """
    file = Path(root) / analysis / SCORES
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    return [_read_row(row, file=file, line=line) for line, row in enumerate(rows, start=2)]


def outturn_of(observations: xr.Dataset, key: Key) -> float | None:
    """Return what was published of a forecast quantity.

    Parameters
    ----------
    observations : Dataset
    key : (quantity, age, year)

    Returns
    -------
    float or None
        Children; None where the release has no such figure.

    Examples
    --------
    >>> from cba.inputs.observations import load_observations
    >>> outturn_of(load_observations(2024), ("stock", "all", 2024))
    83630.0
    """
    from cba.appraisal.forecasts import ALL_AGES

    quantity, age, year = key
    series = OUTTURNS.get(quantity, "") + ("" if age == ALL_AGES else "_by_age")
    if series not in observations or year not in observations["year"].values:
        return None
    of_year = observations[series].sel(year=year)
    value = float(of_year if age == ALL_AGES else of_year.sel(age=age))
    return value if np.isfinite(value) else None


def _earlier_runs(root: str | Path, analysis: str, observations: xr.Dataset) -> list[RunRecord]:
    """Runs of an analysis that were made from an earlier release, oldest first."""
    release = int(observations.attrs["release"])
    return [
        run
        for run in list_runs(root)
        if run.analysis == analysis and not run.damage and run.manifest["settings"]["release"] < release
    ]


def _scores_of(run: RunRecord, observations: xr.Dataset, *, kept: list[Score]) -> list[Score]:
    """Score what a release says of one run's forecasts and the record has not yet."""
    release = int(observations.attrs["release"])
    made_from = int(run.manifest["settings"]["release"])
    before = [score for score in kept if score.run == run.name]
    added = []
    for key, draws in run_forecasts(run).items():
        outturn = outturn_of(observations, key)
        same = [s for s in before if (s.quantity, s.age, s.year) == key]
        known = any(s.release == release or s.outturn == outturn for s in same[-1:]) or any(
            s.release == release for s in same
        )
        if outturn is None or known:
            continue
        found = outturn_score(draws, outturn)
        added.append(
            Score(
                run=run.name,
                made_from=made_from,
                release=release,
                quantity=key[0],
                age=key[1],
                year=key[2],
                horizon=key[2] - made_from,
                outturn=outturn,
                median=found.median,
                crps=found.crps,
                percentile=found.percentile,
                inside_50=found.inside[0.5],
                inside_80=found.inside[0.8],
                inside_90=found.inside[0.9],
                revised=bool(same),
            )
        )
    return added


def _as_csv(scores: list[Score]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(score) for score in scores)
    return text.getvalue()


_READ: Mapping[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": {"True": True, "False": False}.__getitem__,
}


def _read_row(row: Mapping[str, str], *, file: Path, line: int) -> Score:
    values: dict[str, Any] = {}
    for column in fields(Score):
        try:
            values[column.name] = _READ[str(column.type)](row[column.name])
        except (KeyError, ValueError, TypeError):
            raise InputError(
                "the record of forecast scores is not what was written",
                file=file,
                field=f"row {line}, column {column.name}",
                found=row.get(column.name, "no such column"),
                allowed=str(column.type),
                cause="edited by hand, or cut short",
                remedy="restore the file from a copy, or remove it: scores are worked out again",
            ) from None
    return Score(**values)
