"""Studies of the synthesis as arrays: where each belongs, what it reports, and what may be wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.inputs.evidence_columns import IN_MODEL
from cba.models.estimands import ESTIMANDS, FAMILY_HELP
from cba.models.normal_priors import normal_settings

if TYPE_CHECKING:
    from cba.inputs.evidence import Evidence
    from cba.inputs.prior_registry import PriorRegistry
    from cba.models.panel_finding import PanelFinding

HOME = "England"
"""Effects in any other country carry the shift of transport."""

OPEN_END = 25.0
"""Stands for an open end of an interval: a log ratio or difference no study comes near."""

_TAIL = 1.6448536269514722


PANEL = "england_panel"
"""Design of the finding of England's own panel: it has a bias prior of its own."""


@dataclass(frozen=True, kw_only=True)
class StudyArrays:
    """Studies in the order of their rows; every array has shape (study,) unless it says otherwise.

    Attributes
    ----------
    names : ndarray of str
    estimand : ndarray of int
        Position in :data:`cba.models.estimands.ESTIMANDS`.
    sign, scale : ndarray
        Direction that favours the programme; multiplier of bias, transport and heterogeneity.
    effect, se : ndarray
        Harmonised; `effect` is NaN for a censored study.
    lower, upper : ndarray
        Bounds of a censored study, open ends at plus and minus :data:`OPEN_END`.
    bias_mean, bias_sd : ndarray
        Of the design, log points in favour of the programme.
    foreign, in_care, censored, area : ndarray of bool
        Not in England; family help judged by children in care some months on; interval only; whole area.
    arms : ndarray, shape (study, 4)
        Events and people treated, events and people of the control arm; NaN where not counted.
    design_log_mean, design_log_sd : ndarray
        Log of the design effect; 0 and 0 where none is stated.
    coverage_mean, coverage_sd : ndarray
        Log odds of the share covered in an area; NaN elsewhere.
    ages : ndarray of str
        Whose starts an area-level effect speaks of; empty elsewhere.
    """

    names: np.ndarray
    estimand: np.ndarray
    sign: np.ndarray
    scale: np.ndarray
    effect: np.ndarray
    se: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    bias_mean: np.ndarray
    bias_sd: np.ndarray
    foreign: np.ndarray
    in_care: np.ndarray
    censored: np.ndarray
    area: np.ndarray
    arms: np.ndarray
    design_log_mean: np.ndarray
    design_log_sd: np.ndarray
    coverage_mean: np.ndarray
    coverage_sd: np.ndarray
    ages: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def of(self, chosen: np.ndarray) -> StudyArrays:
        """Return the chosen studies."""
        return StudyArrays(**{name: values[chosen] for name, values in vars(self).items()})


def studies_used(evidence: Evidence, priors: PriorRegistry) -> pd.DataFrame:
    """Studies that enter the synthesis in this stance.

    Parameters
    ----------
    evidence : Evidence
        As returned by :func:`cba.load_evidence`.
    priors : PriorRegistry
        Its ``evidence_designs`` says which designs the stance admits; None admits all.

    Returns
    -------
    DataFrame
        Rows with use ``synthesis`` or ``censored``, all columns of the evidence table.

    Raises
    ------
    InputError
        If a study names an estimand the synthesis does not know.

    Examples
    --------
    >>> import cba
    >>> sceptical = cba.load_priors(stance="sceptical")
    >>> studies_used(cba.load_evidence(), sceptical)["design_class"].unique().tolist()
    ['rct']
    """
    used = evidence.effects[evidence.effects["use"].isin(IN_MODEL)]
    if priors.evidence_designs is not None:
        used = used[used["design_class"].isin(list(priors.evidence_designs))]
    unknown = sorted(set(used["estimand"]) - set(ESTIMANDS))
    if unknown:
        raise InputError(
            "a study names an estimand that the synthesis does not know",
            file="evidence_effects.csv",
            field="estimand",
            found=unknown[0],
            allowed=", ".join(ESTIMANDS),
            cause="a new kind of outcome",
            remedy="use a listed estimand or set use to excluded",
        )
    return used.reset_index(drop=True)


def with_panel(studies: pd.DataFrame, panel: PanelFinding | None, priors: PriorRegistry) -> pd.DataFrame:
    """Add the finding of England's own panel of authorities as one area-level study.

    Parameters
    ----------
    studies : DataFrame
        As returned by :func:`studies_used`.
    panel : PanelFinding or None
        None adds nothing; neither does a stance that does not admit panels.
    priors : PriorRegistry
        Says which designs the stance admits.

    Returns
    -------
    DataFrame

    Raises
    ------
    InputError
        If a study of that name is in the table already.

    Examples
    --------
    >>> import cba
    >>> priors = cba.load_priors()
    >>> studies = studies_used(cba.load_evidence(), priors)
    >>> with_panel(studies, None, priors) is studies
    True
    """
    admitted = priors.evidence_designs is None or "panel" in priors.evidence_designs
    if panel is None or not admitted:
        return studies
    if panel.study_id in set(studies["study_id"]):
        raise InputError(
            "the panel finding has the name of a study in the evidence table",
            file="evidence_effects.csv",
            field="study_id",
            found=panel.study_id,
            allowed="a name of its own",
            cause="the finding typed into the table as well",
            remedy="remove that row, or rename the finding",
        )
    row = {
        "study_id": panel.study_id,
        "estimand": FAMILY_HELP,
        "country": HOME,
        "design_class": PANEL,
        "outcome_class": "entered_care",
        "use": "synthesis",
        "level": "area",
        "starts_ages": "all",
        "effect": panel.log_change,
        "effect_se": panel.se,
        "coverage_low": panel.coverage_low,
        "coverage_high": panel.coverage_high,
    }
    return pd.concat([studies, pd.DataFrame([row])], ignore_index=True)


def study_arrays(studies: pd.DataFrame, priors: PriorRegistry) -> StudyArrays:
    """Return the studies as arrays, each with the bias prior of its design.

    Parameters
    ----------
    studies : DataFrame
        As returned by :func:`studies_used`.
    priors : PriorRegistry
        Needs ``effects.bias_*``.

    Returns
    -------
    StudyArrays

    Examples
    --------
    >>> import cba
    >>> priors = cba.load_priors()
    >>> arrays = study_arrays(studies_used(cba.load_evidence(), priors), priors)
    >>> bool(arrays.censored.any()), bool(arrays.area.any())
    (True, True)
    """
    names = list(ESTIMANDS)
    estimand = np.array([names.index(e) for e in studies["estimand"]], dtype=int)
    about = [ESTIMANDS[e] for e in studies["estimand"]]
    bias = np.reshape(
        [normal_settings(priors, f"effects.bias_{d}") for d in studies["design_class"]], (-1, 2)
    )
    design = _log_range(studies, "design_effect", log=np.log)
    coverage = _log_range(studies, "coverage", log=lambda share: np.log(share / (1.0 - share)))
    arms = ["arm_events_treat", "arm_n_treat", "arm_events_control", "arm_n_control"]
    return StudyArrays(
        names=studies["study_id"].to_numpy(str),
        estimand=estimand,
        sign=np.array([a.favours for a in about], dtype=float),
        scale=np.array([a.scale for a in about], dtype=float),
        effect=studies["effect"].to_numpy(float),
        se=studies["effect_se"].to_numpy(float),
        lower=np.nan_to_num(studies["bound_low"].to_numpy(float), nan=-OPEN_END),
        upper=np.nan_to_num(studies["bound_high"].to_numpy(float), nan=OPEN_END),
        bias_mean=bias[:, 0],
        bias_sd=bias[:, 1],
        foreign=(studies["country"] != HOME).to_numpy(bool),
        in_care=(
            (studies["outcome_class"] == "in_care_at_follow_up") & (studies["estimand"] == FAMILY_HELP)
        ).to_numpy(bool),
        censored=(studies["use"] == "censored").to_numpy(bool),
        area=(studies["level"] == "area").to_numpy(bool),
        arms=studies[arms].to_numpy(float),
        design_log_mean=np.nan_to_num(design[0]),
        design_log_sd=np.nan_to_num(design[1]),
        coverage_mean=coverage[0],
        coverage_sd=coverage[1],
        ages=studies["starts_ages"].to_numpy(str),
    )


def _log_range(
    studies: pd.DataFrame, name: str, *, log: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd, on a log or log-odds scale, of the normal whose 5% and 95% points are a stated range."""
    low, high = log(studies[f"{name}_low"].to_numpy(float)), log(studies[f"{name}_high"].to_numpy(float))
    return (low + high) / 2.0, (high - low) / (2.0 * _TAIL)


def age_weights(ages: np.ndarray, starts_share: np.ndarray) -> np.ndarray:
    """Share of each study's starts by age band, shape (study, age).

    Parameters
    ----------
    ages : ndarray of str
        ``all`` or an age band.
    starts_share : ndarray, shape (age,)
        England's shares.

    Returns
    -------
    ndarray, rows summing to 1

    Examples
    --------
    >>> age_weights(np.array(["all", "5_9"]), np.full(5, 0.2)).tolist()
    [[0.2, 0.2, 0.2, 0.2, 0.2], [0.0, 0.0, 1.0, 0.0, 0.0]]
    """
    one = np.eye(len(AGE_BANDS))
    rows = [starts_share if age == "all" else one[AGE_BANDS.index(str(age))] for age in ages]
    return np.reshape(rows, (-1, len(AGE_BANDS)))
