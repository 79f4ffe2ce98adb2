"""Keep a finished calibration as small files in the package, which every report shows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from cba.models.calibration_files import RECORD, SUMMARY
from cba.validation.calibration import RANKED, Calibration
from cba.validation.calibration_ranks import rank_band, rank_shares

KEPT_PLACES = 2
"""Every second place of the shares is kept: half the size, and no line in a figure is any different."""


def write_record(calibrations: Sequence[Calibration], folder: str | Path | None = None) -> Path:
    """Write calibrations over the record's earlier ones of the same models; other models stay.

    Parameters
    ----------
    calibrations : sequence of Calibration
    folder : str or Path, optional
        The package's own place by default.

    Returns
    -------
    Path
        The folder: ``calibration_summary.csv``, one row per model, and for each model
        ``calibration_<model>.csv`` (a verdict per quantity), ``..._ranks.csv`` (of parameters, for whoever wants to
        judge them otherwise) and ``..._shares.csv`` (what the figure shows).

    Examples
    --------
    >>> write_record([calibration], "elsewhere")  # doctest: +SKIP
    """
    place = RECORD if folder is None else Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    summaries = {found.model: _summary(found) for found in calibrations}
    kept = place / SUMMARY
    if kept.exists():
        earlier = pd.read_csv(kept, dtype=str).fillna("")
        summaries = {row["model"]: row for row in earlier.to_dict("records")} | summaries
    for found in calibrations:
        parameters = found.verdicts.loc[found.verdicts["family"] == "parameters", "quantity"]
        _write(place / f"calibration_{found.model}.csv", found.verdicts)
        _write(place / f"calibration_{found.model}_ranks.csv", found.ranks[list(parameters)].reset_index())
        _write(place / f"calibration_{found.model}_shares.csv", _shares(found, list(parameters)))
    _write(kept, pd.DataFrame([summaries[name] for name in sorted(summaries)]))
    return place


def _summary(found: Calibration) -> dict[str, object]:
    """Return what was done and found, as plain values."""
    divergent = found.replicates["divergences"] > 0
    slow = found.replicates["least_effective_draws"] < RANKED
    return {
        "model": found.model,
        "replicates": len(found.replicates),
        "stuck_replicates": int(found.replicates["stuck"].sum()),
        "quantities": len(found.verdicts),
        "failed": int((~found.verdicts["passed"]).sum()),
        "below_5_percent": int((found.verdicts["p_value"] < 0.05).sum()),
        "smallest_p_adjusted": float(found.verdicts["p_adjusted"].min()),
        "divergent_replicates": int(divergent.sum()),
        "slow_replicates": int(slow.sum()),
        "redrawn": int(found.replicates["redrawn"].sum()),
        "seed": found.seed,
        "made": datetime.now(UTC).date().isoformat(),
        "made_from": found.fingerprint,
        "versions": "; ".join(f"{name} {number}" for name, number in sorted(found.versions.items())),
    }


def _shares(found: Calibration, quantities: list[str]) -> pd.DataFrame:
    """Share of ranks below each place less the place itself, one column per quantity; and the band."""
    band = rank_band(len(found.ranks), ranked=RANKED)
    shares = rank_shares(found.ranks[quantities].to_numpy(int), ranked=RANKED)
    place = band["place"].to_numpy()
    table = pd.DataFrame(
        np.column_stack([place, band["lower"] - place, band["upper"] - place, shares - place[:, None]]),
        columns=["place", "lower", "upper", *quantities],
    )
    return table.iloc[KEPT_PLACES - 1 :: KEPT_PLACES]


def _write(place: Path, table: pd.DataFrame) -> None:
    beside = place.with_suffix(".part")
    table.to_csv(beside, index=False, lineterminator="\n", float_format="%.4g")
    os.replace(beside, place)
