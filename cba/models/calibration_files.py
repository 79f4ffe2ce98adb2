"""Read the kept calibrations of both models, and say whether they fit the models as they are now."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

RECORD = Path(__file__).parents[1] / "validation" / "record"
SUMMARY = "calibration_summary.csv"


def calibration_tables(folder: str | Path | None = None) -> dict[str, pd.DataFrame]:
    """Return the kept calibrations as tables.

    Parameters
    ----------
    folder : str or Path, optional
        The package's own record by default.

    Returns
    -------
    dict of str to DataFrame
        ``calibration_summary``: a row per model, with ``stale`` true where code, priors or data of the model have
        changed since, and ``calibration_stale`` those rows; ``calibration_quantities``: a row per model and
        quantity; ``calibration_shares_<model>``: what the figure draws. Empty where nothing is kept.

    Examples
    --------
    >>> calibration_tables("no such folder")
    {}
    """
    place = RECORD if folder is None else Path(folder)
    if not (place / SUMMARY).exists():
        return {}
    summary = pd.read_csv(place / SUMMARY)
    models = summary["model"].tolist()
    summary["stale"] = [is_stale(row.model, str(row.made_from)) for row in summary.itertuples()]
    quantities = [pd.read_csv(place / f"calibration_{name}.csv").assign(model=name) for name in models]
    tables = {
        "calibration_summary": summary,
        "calibration_stale": summary.loc[summary["stale"], ["model", "made"]].reset_index(drop=True),
        "calibration_quantities": pd.concat(quantities, ignore_index=True),
    }
    for name in models:
        tables[f"calibration_shares_{name}"] = pd.read_csv(place / f"calibration_{name}_shares.csv")
    return tables


def is_stale(model: str, made_from_then: str) -> bool:
    """Say whether a model has changed since it was calibrated.

    Parameters
    ----------
    model : {"baseline", "effects"}
    made_from_then : str
        Kept with the calibration.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_stale("effects", "another state")
    True
    """
    from cba.models.calibrated_models import made_from

    return made_from(model) != made_from_then
