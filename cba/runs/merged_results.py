"""Results of a run over its stances: the headline and the tables, one file each, with the stance named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cba.runs.whole_writing import plain

if TYPE_CHECKING:
    import pandas as pd

    from cba.appraisal import Appraisal


def merged_headline(appraisals: Mapping[str, Appraisal], *, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headline of a run.

    Parameters
    ----------
    appraisals : mapping of str to Appraisal
        By stance; the first is the headline stance.
    manifest : mapping
        Without hashes of files (the headline is one of them).

    Returns
    -------
    dict
        ``schema`` 1, ``run`` (the manifest), ``results`` of the headline stance and ``results_by_stance`` of
        the others. A result that is undefined is None.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> appraisal = SimpleNamespace(results={"bcr.care_review": {"mean": float("nan")}})
    >>> merged_headline({"evidence": appraisal}, manifest={})["results"]
    {'bcr.care_review': {'mean': None}}
    """
    headline, *others = appraisals
    return plain(
        {
            "schema": 1,
            "run": dict(manifest),
            "results": appraisals[headline].results,
            "results_by_stance": {stance: appraisals[stance].results for stance in others},
        }
    )


def merged_tables(appraisals: Mapping[str, Appraisal]) -> dict[str, pd.DataFrame]:
    """Return each table over all stances, with `stance` as its first column.

    Parameters
    ----------
    appraisals : mapping of str to Appraisal
        By stance.

    Returns
    -------
    dict of str to DataFrame
        By name of table. A table that has a column `stance` of its own (the priors: whose override is in
        force) keeps it as `set_by_stance`.

    Examples
    --------
    >>> import pandas as pd
    >>> from types import SimpleNamespace
    >>> appraisal = SimpleNamespace(tables={"npv": pd.DataFrame({"option": ["bau"], "mean": [0.0]})})
    >>> merged_tables({"evidence": appraisal})["npv"].columns.tolist()
    ['stance', 'option', 'mean']
    """
    import pandas as pd

    names = dict.fromkeys(name for appraisal in appraisals.values() for name in appraisal.tables)
    merged = {}
    for name in names:
        parts = []
        for stance, appraisal in appraisals.items():
            if name in appraisal.tables:
                part = (
                    appraisal.tables[name].copy().rename(columns={"stance": "set_by_stance"})
                )  # whole again
                part.insert(0, "stance", stance)
                parts.append(part)
        merged[name] = pd.concat(parts, ignore_index=True)
    return merged
