"""Forecasts that a stored run holds: equally weighted draws by quantity, age and year under its headline stance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from cba.decisions.draws import refuse_non_finite
from cba.errors import InputError
from cba.inputs.files import records_of
from cba.inputs.safe_files import csv_text
from cba.runs.reading import RunRecord, list_runs
from cba.runs.whole_files import locked, write_whole

if TYPE_CHECKING:
    import xarray as xr


FORECASTS = "tables/forecasts.csv"
"""Forecasts of a run, over all its stances."""


Key = tuple[str, str, int]
"""Quantity, age band or ``all``, year ending 31 March."""


def run_forecasts(run: RunRecord) -> dict[Key, np.ndarray]:
    """Return the forecasts of a run under its headline stance, as equally weighted draws; none where it holds none."""
    file = run.path / FORECASTS
    rows = records_of(file) if file.is_file() else []
    return {
        (row["quantity"], row["age"], int(row["year"])): np.array(
            [float(value) for name, value in row.items() if name[0] == "q" and name[1:].isdigit()]
        )
        for row in rows
        if row["stance"] == run.manifest["stances"][0]
    }


# --- Scores of earlier runs' forecasts, worked out when a release brings what happened and kept for … ---


SCORES = "forecast_scores.csv"
"""Name of the record, in the folder of the analysis."""


OUTTURNS: Mapping[str, str] = {"stock": "stock", "starts": "starts", "ceases": "ceases"}
"""Quantity to the observed series it is held against; with ages ``<series>_by_age``."""


@dataclass(frozen=True)
class Score:
    """One forecast of one run against one release."""

    run: str  # that made the forecast
    made_from: int
    release: int  # release the outturn was read in
    # quantity and age: ``stock``, ``starts`` or ``ceases``; an age band or ``all``.
    quantity: str
    age: str
    # year and horizon: year ending 31 March, and years after the release the forecast was made from.
    year: int
    horizon: int
    outturn: float
    median: float
    crps: float
    percentile: float  # where the outturn fell, 0 to 1
    # inside_50, inside_80, inside_90: whether it fell in the equal-tailed interval.
    inside_50: bool
    inside_80: bool
    inside_90: bool
    # Whether the same forecast was scored before, against the figure of an earlier release.
    revised: bool = False


COLUMNS = tuple(field.name for field in fields(Score))
"""Columns of the record."""


LEVELS = (0.5, 0.8, 0.9)
"""Equal-tailed intervals whose coverage is counted."""


def outturn_score(draws: np.ndarray, outturn: float) -> dict[str, Any]:
    """Score equally weighted draws of a forecast, in the fields of `Score`. `outturn`: what happened, same units."""
    # The percentile is the share of the forecast below the outturn, draws equal to it counted half: over many
    # independent forecasts that tell the truth it is uniform. The score is exact over all pairs of draws.
    # Source: Gneiting & Raftery (2007), Strictly Proper Scoring Rules, JASA 102:359-378.
    import scoringrules

    values = np.asarray(draws, dtype=np.float64)
    for field, given in (("draws", values), ("outturn", np.asarray([outturn]))):
        refuse_non_finite(given, field=field)
    if values.ndim != 1 or values.size < 2:
        raise InputError(
            "a forecast cannot be scored",
            field="draws",
            found=f"shape {values.shape}",
            allowed="two draws or more in one dimension",
            cause="a forecast that was not stored",
            remedy="score runs that hold their forecasts",
        )
    inside = {}
    for level in LEVELS:
        low, high = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
        inside[f"inside_{round(100 * level)}"] = bool(low <= outturn <= high)
    return {
        "median": float(np.median(values)),
        "crps": float(scoringrules.crps_ensemble(outturn, values, estimator="qd", backend="numpy")),
        "percentile": float(np.mean(values < outturn) + 0.5 * np.mean(values == outturn)),
        **inside,
    }


def score_arrival(root: str | Path, analysis: str, observations: xr.Dataset) -> list[Score]:
    """Score the forecasts of earlier runs against a release, and add the scores to the record.

    Those added; none where no forecast is due (`not_scored` says why).
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
    """Say why there is nothing to score, or why a run was left out. One sentence a reason."""
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

    In the order in which they were added; none where there is no record.
    """
    file = Path(root) / analysis / SCORES
    if not file.is_file():
        return []
    return [_read_row(row, file=file, line=line) for line, row in enumerate(records_of(file), start=2)]


def outturn_of(observations: xr.Dataset, key: Key) -> float | None:
    """Return what was published of a forecast quantity.

    Children; None where the release has no such figure.
    """
    from cba.tables.children import ALL_AGES

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
        about = (run.name, made_from, release, *key, key[2] - made_from)
        added.append(Score(*about, outturn, **outturn_score(draws, outturn), revised=bool(same)))
    return added


def _as_csv(scores: list[Score]) -> str:
    import pandas as pd

    return csv_text(pd.DataFrame([asdict(score) for score in scores], columns=COLUMNS))


def _read_row(row: Mapping[str, str], *, file: Path, line: int) -> Score:
    try:
        return TypeAdapter(Score).validate_python(row)
    except ValidationError as error:
        wrong = error.errors()[0]
        column = str(wrong["loc"][0])
        raise InputError(
            "the record of forecast scores is not what was written",
            file=file,
            field=f"row {line}, column {column}",
            found=row.get(column, "no such column"),
            allowed=wrong["msg"],
            cause="edited by hand, or cut short",
            remedy="restore the file from a copy, or remove it: scores are worked out again",
        ) from None


# --- Scores of forecasts in plain sentences: where the new figure fell, and how earlier ones did ---


_WORDS = {
    "stock": "Children looked after at 31 March {year}",
    "starts": "Children starting to be looked after in the year to 31 March {year}",
    "ceases": "Children ceasing to be looked after in the year to 31 March {year}",
}


_ENOUGH = 10


def arrival_record(root: str | Path, analysis: str, observations: xr.Dataset) -> dict[str, Any]:
    """Score a release that arrived, and say how earlier forecasts did.

    ``added`` (scores as plain values), ``sentences`` and ``not_scored`` (reasons).
    """
    added = score_arrival(root, analysis, observations)
    return {
        "added": [asdict(score) for score in added],
        "sentences": score_sentences(added, record=read_scores(root, analysis)),
        "not_scored": not_scored(root, analysis, observations),
    }


def score_sentences(scores: Sequence[Score], *, record: Sequence[Score] = ()) -> list[str]:
    """Say where the figures of a release fell in earlier forecasts.

    Of children of all ages, by the newest run that foretold the newest year: one sentence a quantity; then
    how often the outturn fell in the 90% interval.
    """
    # `record`: the whole record, for how the forecasts have done so far; left out where it is short.
    if not scores:
        return []
    new = [s for s in scores if s.age == "all" and not s.revised]
    told = []
    for quantity, words in _WORDS.items():
        of = [s for s in new if s.quantity == quantity]
        if of:
            newest = max(of, key=lambda s: (s.year, s.made_from, s.run))
            told.append(f"{words.format(year=newest.year)}: {_fell(newest)}")
    revised = [s for s in scores if s.revised]
    if revised:
        told.append(
            f"{len(revised)} forecasts scored before were scored again: release {scores[0].release} revised the"
            " figures they were held against."
        )
    return [*told, *_so_far(record)]


def _fell(score: Score) -> str:
    whose = (
        "last year's forecast" if score.horizon == 1 else f"the forecast made {score.horizon} years before"
    )
    outside = "" if score.inside_90 else ", outside its 90% interval"
    return (
        f"the new figure, {score.outturn:,.0f}, fell at the {ordinal(score.percentile)} percentile of {whose}"
        f" (median {round(score.median, -2):,.0f}){outside}."
    )


def ordinal(share: float) -> str:
    """Return a percentile in words. Of 0.5% and less, and of 99.5% and more, that it lies beyond."""
    number = round(100 * share)
    if number <= 0 or number >= 100:
        return "lowest" if number <= 0 else "highest"
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _so_far(record: Sequence[Score]) -> list[str]:
    """How often outturns fell in the 90% interval, over all that was scored; revisions once."""
    latest = {(s.run, s.quantity, s.age, s.year): s for s in record}
    if len(latest) < _ENOUGH:
        return []
    inside = sum(s.inside_90 for s in latest.values())
    return [
        f"Of {len(latest)} forecasts scored so far, {inside} had the outturn in their 90% interval; runs of one"
        " release share their errors, so these are not independent."
    ]
