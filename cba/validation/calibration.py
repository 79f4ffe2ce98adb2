"""Simulation-based calibration of the shipped models: replicates done or resumed, then judged and kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from cba.errors import InputError
from cba.models.calibrated_models import LATENT, library_versions, made_from, shipped_refit
from cba.validation.calibration_ranks import judged_ranks
from cba.validation.calibration_store import keep_replicate, kept_replicates, store_folder
from cba.validation.calibration_workers import run_replicates

SEED = 20220523
FEWEST = 20
"""Replicates below which ranks say too little to judge."""

RANKED = 99

STUCK = 0.5
"""Share of divergent steps beyond which a chain has not moved and its draws are none."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A finished calibration of one model.

    Attributes
    ----------
    model : str
    seed : int
    fingerprint : str
        Of the code, priors and data it was made from.
    versions : dict of str to str
    ranks : DataFrame
        One row per replicate that is not stuck, one column per quantity, 0 to 99; in the order of the replicates.
    replicates : DataFrame
        Per replicate: divergences, least_effective_draws, thinned_by, redrawn, stuck.
    verdicts : DataFrame
        As returned by :func:`cba.validation.calibration_ranks.judged_ranks`.
    """

    model: str
    seed: int
    fingerprint: str
    versions: dict[str, str]
    ranks: pd.DataFrame
    replicates: pd.DataFrame
    verdicts: pd.DataFrame

    @property
    def passed(self) -> bool:
        """Whether no quantity is found wanting."""
        return bool(self.verdicts["passed"].all())


def calibrate(
    model: str,
    *,
    store: str | Path,
    replicates: int = 200,
    workers: int = 1,
    scheduler: str | None = None,
    seed: int = SEED,
    progress: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Calibrate a shipped model, going on from the replicates already in the store.

    Parameters
    ----------
    model : {"baseline", "effects"}
    store : str or Path
        Folder of stored replicates.
    replicates : int
        Replicates in all, at least 20; those numbered 0 to `replicates` - 1.
    workers, scheduler
        As in :func:`cba.validation.calibration_workers.run_replicates`.
    seed : int
        With a replicate's number it settles all its random numbers: results do not depend on the workers.
    progress : callable, optional
        ``progress(done, of)``, after each replicate.

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
        For an unknown model, too few replicates, or a stored replicate that cannot be read.

    Notes
    -----
    A replicate on which the sampler gets stuck (an appraisal would refuse such a fit) is counted and not ranked. That
    is sound: whether it gets stuck depends on the made-up data, and ranks are even given any data.

    Examples
    --------
    >>> calibrate("baseline", store="reports/.calibration", workers=2).passed  # doctest: +SKIP
    True
    """
    fingerprint = made_from(model)
    if replicates < FEWEST:
        raise InputError(
            "too few replicates to judge ranks by",
            field="replicates",
            found=replicates,
            allowed=f"{FEWEST} or more; 200 for a record",
            cause="a trial run",
            remedy=f"ask for at least {FEWEST}",
        )
    folder = store_folder(store, model=model, fingerprint=fingerprint, seed=seed)
    work = partial(shipped_refit, model=model, seed=seed, fingerprint=fingerprint)
    results = _all_replicates(
        work, folder, replicates=replicates, workers=workers, scheduler=scheduler, progress=progress
    )
    ranks, details = as_frames(results)
    return Calibration(
        model=model,
        seed=seed,
        fingerprint=fingerprint,
        versions=library_versions(),
        ranks=ranks,
        replicates=details,
        verdicts=judged_ranks(ranks, ranked=RANKED, latent=LATENT[model]),
    )


def _all_replicates(
    work: Callable[[int], dict[str, Any]],
    folder: Path,
    *,
    replicates: int,
    workers: int,
    scheduler: str | None,
    progress: Callable[[int, int], None] | None,
) -> dict[int, dict[str, Any]]:
    """Do the replicates not yet stored, and return all asked for in order."""
    stored = kept_replicates(folder)
    left = [number for number in range(replicates) if number not in stored]
    done = [replicates - len(left)]

    def keep(number: int, result: dict[str, Any]) -> None:
        keep_replicate(folder, number, result)
        done[0] += 1
        if progress is not None:
            progress(done[0], replicates)

    run_replicates(work, left, keep=keep, workers=workers, scheduler=scheduler)
    stored = kept_replicates(folder)
    return {number: stored[number] for number in range(replicates)}


def as_frames(results: dict[int, dict[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ranks and details of replicates as tables, those on which the sampler was stuck without ranks.

    Parameters
    ----------
    results : dict of int to dict
        As returned by :func:`cba.models.simulated_refits.simulated_refit`, by number.

    Returns
    -------
    ranks, details : DataFrame
        As in :class:`Calibration`.

    Examples
    --------
    >>> one = {"ranks": {"a": 3}, "divergences": 0, "thinned_by": 10}
    >>> ranks, details = as_frames({0: one, 1: one | {"divergences": 990}})
    >>> len(ranks), details["stuck"].tolist()
    (1, [False, True])
    """
    ranks = pd.DataFrame([result["ranks"] for result in results.values()], index=list(results))
    details = pd.DataFrame(
        [{name: value for name, value in result.items() if name != "ranks"} for result in results.values()],
        index=list(results),
    )
    details["stuck"] = details["divergences"] > STUCK * RANKED * details["thinned_by"]
    return ranks[~details["stuck"]].rename_axis("replicate"), details.rename_axis("replicate")
