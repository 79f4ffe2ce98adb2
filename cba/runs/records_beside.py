"""What a re-run kept beside a run for its report: what changed since the run before, and how forecasts scored."""

from __future__ import annotations

from typing import Any

from cba.runs.seals import damaged, read_json, seal_problem, sealed
from cba.runs.stored_runs import RunRecord

RECORDS = ("comparison", "scores")
"""Records that a report shows, each in a file of its name."""


def records_beside(run: RunRecord) -> dict[str, dict[str, Any]]:
    """Return the records that a re-run kept beside a run, as its report was given them.

    Parameters
    ----------
    run : RunRecord

    Returns
    -------
    dict of str to dict
        ``comparison`` and ``scores``, as far as the run has them; without their seals.

    Raises
    ------
    StoreError
        If one of them is not what was stored; names the file.

    Examples
    --------
    >>> from pathlib import Path
    >>> records_beside(RunRecord(Path("nowhere"), "latest", "20261121T093000Z-0123abcd", {}))
    {}
    """
    found = {}
    for name in RECORDS:
        file = run.path / f"{name}.json"
        if not file.is_file():
            continue
        record = read_json(file)
        problem = seal_problem(record)
        if problem:
            raise damaged(file, problem)
        found[name] = {key: value for key, value in record.items() if key not in sealed({})}
    return found
