"""The list of all runs for readers: one record a run with its status and headline, and the page they stand on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cba.runs.run_names import run_moment
from cba.runs.stored_runs import RunRecord, list_runs
from cba.runs.whole_writing import StoreError, store_errors, write_whole

INDEX = "index.html"
"""Name of the page, under the folder of the reports."""

PREFERRED = ("npv_fiscal.care_review", "npv_fiscal.care_review_full")
"""Headline results shown in the list, best first; the first net present value of another option otherwise."""


@dataclass(frozen=True)
class IndexRow:
    """One run in the list.

    Attributes
    ----------
    analysis, title, run : str
    finished : str
        UTC.
    status : {"published", "held", "superseded", "not published", "damaged"}
    reasons : tuple of str
        Why it is held, or what is damaged.
    approved_by : str
        Empty where nobody released it.
    key, label, unit : str
        The headline result shown; empty where the run has none.
    mean, lower, upper : float or None
        In `unit`.
    level : float or None
    report : str
        Address of its report, relative to the page; empty where it has none.

    Examples
    --------
    >>> index_rows("no such folder")
    []
    """

    analysis: str
    title: str
    run: str
    finished: str
    status: str
    reasons: tuple[str, ...]
    approved_by: str
    key: str
    label: str
    unit: str
    mean: float | None
    lower: float | None
    upper: float | None
    level: float | None
    report: str


def index_rows(root: str | Path) -> list[IndexRow]:
    """Return every stored run, newest first.

    Parameters
    ----------
    root : str or Path
        Folder of the reports; need not exist.

    Returns
    -------
    list of IndexRow
        A damaged run is listed as such, without figures.

    Raises
    ------
    StoreError
        If the folder cannot be read.

    Examples
    --------
    >>> [row.status for row in index_rows("reports")]  # doctest: +SKIP
    ['held', 'published', 'superseded']
    """
    runs = list_runs(root)
    shown = {run.analysis: run for run in runs if run.published}
    newest_first = sorted(runs, key=lambda run: (run_moment(run), run.analysis), reverse=True)
    return [_row(run, shown=shown.get(run.analysis)) for run in newest_first]


def write_index(root: str | Path, *, render: Callable[[Sequence[IndexRow]], str]) -> Path:
    """Write the list of all runs as a page, whole.

    Parameters
    ----------
    root : str or Path
        Folder of the reports.
    render : callable
        Makes the page; the caller hands it in, because the store does not depend on the reporting room.

    Returns
    -------
    Path
        ``<root>/index.html``.

    Raises
    ------
    StoreError
        If it cannot be written; the page that was there stays.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as root:
    ...     write_index(root, render=lambda rows: f"{len(rows)} runs").read_text()
    '0 runs'
    """
    place = Path(root) / INDEX
    with store_errors("the list of runs could not be written", file=place):
        place.parent.mkdir(parents=True, exist_ok=True)
    write_whole(place, render(index_rows(root)))
    return place


def _row(run: RunRecord, *, shown: RunRecord | None) -> IndexRow:
    damage, reasons = run.damage, run.held
    figures: dict[str, Any] = {}
    key = ""
    if not damage:
        try:
            results = run.headline["results"]
            key = _headline_key(results)
            figures = results.get(key) or {}
        except (StoreError, KeyError) as error:
            damage = getattr(error, "problem", "headline.json holds no results")
    report = f"{run.analysis}/{run.name}/report.html" if (run.path / "report.html").is_file() else ""
    return IndexRow(
        analysis=run.analysis,
        title=str(run.manifest.get("title") or run.analysis),
        run=run.name,
        finished=str(run.manifest.get("finished") or ""),
        status="damaged" if damage else _status(run, shown=shown),
        reasons=(damage,) if damage else reasons,
        approved_by=str(run.approval.get("approved_by", "")),
        key=key,
        label=str(figures.get("label", "")),
        unit=str(figures.get("unit", "")),
        mean=figures.get("mean"),
        lower=figures.get("lower"),
        upper=figures.get("upper"),
        level=figures.get("level"),
        report=report,
    )


def _status(run: RunRecord, *, shown: RunRecord | None) -> str:
    if run.published:
        return "published"
    if run.held:
        return "held"
    return "superseded" if shown is not None and run_moment(run) < run_moment(shown) else "not published"


def _headline_key(results: dict[str, Any]) -> str:
    """Return the result that stands for a run."""
    defined = [key for key, entry in results.items() if entry.get("mean") is not None]
    worth = [key for key in defined if key.startswith("npv_fiscal.") and not key.endswith(".bau")]
    return next((key for key in (*PREFERRED, *worth, *defined) if key in defined), "")
