"""Read what England's panel of authorities was found to say: kept files, made by `cba.appraisal.panel_results`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from cba.inputs.shipped_files import priors_folder, published_file
from cba.models.panel_finding import PanelFinding

RESULTS = Path(__file__).parents[1] / "inputs" / "panel_results"
FINDING = "finding"
TABLES = ("path", "summary", "authorities", "placebo_dates")
"""Tables shown with a run; the placebo sets themselves stay in their file."""

_MADE_FROM = (
    "authority_children.csv",
    "authorities.csv",
    "population_authority.csv",
    "programme_rollout.csv",
)


def inputs_sha256() -> str:
    """Return the SHA-256 of what the panel is made from: its published tables and its priors.

    Returns
    -------
    str

    Examples
    --------
    >>> len(inputs_sha256())
    64
    """
    found = hashlib.sha256()
    for file in (*(published_file(name) for name in _MADE_FROM), priors_folder() / "panel.toml"):
        found.update(Path(file).read_bytes().replace(b"\r\n", b"\n"))
    return found.hexdigest()


def known_panel(until: int) -> PanelFinding | None:
    """Return the finding of the panel, where its data were out by a year.

    Parameters
    ----------
    until : int
        Last calendar year of evidence admitted.

    Returns
    -------
    PanelFinding or None
        None where the panel was not known by then.

    Examples
    --------
    >>> known_panel(2022) is None
    True
    """
    row = pd.read_csv(RESULTS / f"{FINDING}.csv").iloc[0]
    if int(row["known_by"]) > until:
        return None
    return PanelFinding(
        study_id=str(row["study_id"]),
        log_change=float(row["log_change"]),
        se=float(row["se"]),
        coverage_low=float(row["coverage_low"]),
        coverage_high=float(row["coverage_high"]),
        age_note=str(row["age_note"]),
        known_by=int(row["known_by"]),
    )


def panel_tables(until: int) -> dict[str, pd.DataFrame]:
    """Return the tables of the panel as ``panel_<name>``, where its data were out by a year.

    Parameters
    ----------
    until : int
        Last calendar year of evidence admitted.

    Returns
    -------
    dict of str to DataFrame
        As :mod:`cba.appraisal.tables_panel` describes them; empty where the panel was not known by then.

    Examples
    --------
    >>> panel_tables(2022)
    {}
    """
    if known_panel(until) is None:
        return {}
    kept = {"panel_" + name: pd.read_csv(RESULTS / f"{name}.csv") for name in TABLES}
    kept["panel_authorities"] = kept["panel_authorities"].astype({"authority": str})
    return kept
