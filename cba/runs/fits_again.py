"""What re-weighting an earlier run's draws needs beside them: the priors it was made with, and what totals add anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.inputs.shipped_files import reading_from
from cba.runs.reweighting import REWEIGHTED, fit_note
from cba.runs.stored_runs import runs_of
from cba.runs.whole_writing import StoreError

if TYPE_CHECKING:
    import xarray as xr

    from cba.inputs.analysis_records import Analysis
    from cba.inputs.prior_registry import PriorRegistry
    from cba.runs.stored_runs import RunRecord


def earlier_priors(
    analysis: Analysis, *, root: Path, stance: str, run: bool | RunRecord
) -> PriorRegistry | None:
    """Return the priors an earlier run was made with.

    Parameters
    ----------
    analysis : Analysis
    root : Path
        Folder of the reports.
    stance : str
        Whose priors.
    run : bool or RunRecord
        The run; the analysis's last undamaged one where no run is given.

    Returns
    -------
    PriorRegistry or None
        None where there is no such run or its archive is not whole.

    Examples
    --------
    >>> earlier_priors(analysis, root=Path("reports"), stance="evidence", run=True)  # doctest: +SKIP
    """
    from cba.inputs.priors import load_priors
    from cba.runs.input_archive import archived_inputs

    if isinstance(run, bool):
        known = [record for record in runs_of(root, analysis.name) if not record.damage]
        if not known:
            return None
        run = known[-1]
    try:
        folder = archived_inputs(run)
    except StoreError:
        return None
    with reading_from(priors=folder / "priors"):
        return load_priors(stance=stance)


def with_totals(
    baseline: xr.DataTree, observations: xr.Dataset, priors: PriorRegistry, *, settings: Mapping[str, Any]
) -> xr.DataTree:
    """Work out again what the totals add to re-weighted draws: it is a closed form of the new priors.

    Parameters
    ----------
    baseline : DataTree
        As :func:`cba.runs.reweighting.reweighted_fit` returns it.
    observations : Dataset
    priors : PriorRegistry
        Priors now.
    settings : mapping
        With ``draws`` (a chain), ``chains`` and ``seed``.

    Returns
    -------
    DataTree
        The same where the draws were not re-weighted.

    Examples
    --------
    >>> import xarray as xr
    >>> fitted = xr.DataTree()
    >>> with_totals(fitted, xr.Dataset(), None, settings={}) is fitted
    True
    """
    if fit_note(baseline)["made_by"] != REWEIGHTED:
        return baseline
    from cba.models.baseline import TOTALS, total_draws

    sizes = {name: settings[name] for name in ("draws", "chains", "seed")}
    found = total_draws(observations, priors, **sizes)
    renewed = baseline.copy()
    renewed["totals"] = type(baseline)(found[list(TOTALS)])
    return renewed
