"""Scores of forecasts in plain sentences: where the new figure fell, and how earlier ones did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.runs.forecast_scores import Score, not_scored, read_scores, score_arrival

if TYPE_CHECKING:
    import xarray as xr

_WORDS = {
    "stock": "Children looked after at 31 March {year}",
    "starts": "Children starting to be looked after in the year to 31 March {year}",
    "ceases": "Children ceasing to be looked after in the year to 31 March {year}",
}
_ENOUGH = 10


def arrival_record(root: str | Path, analysis: str, observations: xr.Dataset) -> dict[str, Any]:
    """Score a release that arrived, and say how earlier forecasts did.

    Parameters
    ----------
    root : str or Path
        Folder of the reports.
    analysis : str
    observations : Dataset
        The new release.

    Returns
    -------
    dict
        ``added`` (scores as plain values), ``sentences`` and ``not_scored`` (reasons).

    Examples
    --------
    >>> import xarray as xr
    >>> arrival_record("no such folder", "latest", xr.Dataset(attrs={"release": 2024}))["added"]
    []
    """
    added = score_arrival(root, analysis, observations)
    return {
        "added": [asdict(score) for score in added],
        "sentences": score_sentences(added, record=read_scores(root, analysis)),
        "not_scored": not_scored(root, analysis, observations),
    }


def score_sentences(scores: Sequence[Score], *, record: Sequence[Score] = ()) -> list[str]:
    """Say where the figures of a release fell in earlier forecasts.

    Parameters
    ----------
    scores : sequence of Score
        Those a release brought, as :func:`cba.runs.forecast_scores.score_arrival` returns them.
    record : sequence of Score
        The whole record, for how the forecasts have done so far; left out where it is short.

    Returns
    -------
    list of str
        Of children of all ages, by the newest run that foretold the newest year: one sentence a quantity; then how
        often the outturn fell in the 90% interval.

    Examples
    --------
    >>> one = Score("20251120T090000Z-0123abcd", 2023, 2024, "stock", "all", 2024, 1, 83630.0, 84900.0, 900.0,
    ...             0.12, False, True, True)
    >>> score_sentences([one])[0].split(": ")[1]
    "the new figure, 83,630, fell at the 12th percentile of last year's forecast (median 84,900)."
    """
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
    """Return a percentile in words.

    Parameters
    ----------
    share : float
        0 to 1.

    Returns
    -------
    str
        Of 0.5% and less, and of 99.5% and more, that it lies beyond.

    Examples
    --------
    >>> ordinal(0.12), ordinal(0.93), ordinal(0.001)
    ('12th', '93rd', 'lowest')
    """
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
