"""What an appraisal reads: analysis, observed series, priors, evidence and options, as known in its frame."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import xarray as xr

from cba.inputs.evidence import Evidence, load_evidence
from cba.inputs.observations import load_observations
from cba.inputs.option_records import Option
from cba.inputs.options import load_options
from cba.inputs.prior_registry import PriorRegistry
from cba.inputs.priors import load_priors

if TYPE_CHECKING:
    from cba.inputs.analysis_records import Analysis


@dataclass(frozen=True)
class Inputs:
    """Everything an appraisal reads, as loaded for one analysis and stance.

    Attributes
    ----------
    analysis : Analysis
    stance : {"evidence", "sceptical"}
    observations : Dataset
        As published in the analysis's release.
    priors : PriorRegistry
    evidence : Evidence
    options : tuple of Option
        In the order of the analysis.
    """

    analysis: Analysis
    stance: str
    observations: xr.Dataset
    priors: PriorRegistry
    evidence: Evidence
    options: tuple[Option, ...]


def read_inputs(analysis: Analysis, *, stance: str, observations: xr.Dataset | None = None) -> Inputs:
    """Load what an analysis needs, as known in its frame.

    Parameters
    ----------
    analysis : Analysis
        A checked specification.
    stance : {"evidence", "sceptical"}
        Whose priors.
    observations : Dataset, optional
        The observed series of the analysis's release, if already loaded.

    Returns
    -------
    Inputs

    Examples
    --------
    >>> from cba.inputs.analyses import load_analysis
    >>> read_inputs(load_analysis("smoke"), stance="evidence").observations.attrs["release"]
    2024
    """
    return Inputs(
        analysis,
        stance,
        load_observations(analysis.release) if observations is None else observations,
        load_priors(stance=stance),
        load_evidence(until=analysis.evidence_until),
        _priced(load_options(analysis.options, own=analysis.own_options), analysis),
    )


def _priced(options: tuple[Option, ...], analysis: Analysis) -> tuple[Option, ...]:
    """Apply the scenario that restates the price year of the review's figures, which it leaves open."""
    year = analysis.scenarios.review_price_year
    if year is None:
        return options
    return tuple(
        option.model_copy(
            update={
                "spend": tuple(line.model_copy(update={"price_year": year}) for line in option.spend),
                "recurrent": option.recurrent and option.recurrent.model_copy(update={"price_year": year}),
            }
        )
        if option.id.startswith("care_review") or option.base == "care_review"
        else option
        for option in options
    )


def provenance(inputs: Inputs) -> dict[str, Any]:
    """Where the numbers of an appraisal come from, ready for JSON.

    Parameters
    ----------
    inputs : Inputs
        As read.

    Returns
    -------
    dict
        Settings, fingerprints, single-vintage exceptions and versions.

    Examples
    --------
    >>> provenance(inputs)["fingerprints"]["priors"]  # doctest: +SKIP
    """
    analysis, observations = inputs.analysis, inputs.observations
    return {
        "analysis": analysis.name,
        "stance": inputs.stance,
        "release": analysis.release,
        "evidence_until": analysis.evidence_until,
        "start_year": analysis.start_year,
        "target_year": analysis.target_year,
        "price_base": analysis.price_base,
        "schedule": analysis.schedule,
        "level": analysis.level,
        "draws": analysis.draws,
        "seed": analysis.seed,
        "single_vintage_exceptions": json.loads(observations.attrs["single_vintage_exceptions"]),
        "licence": observations.attrs["licence"],
        "fingerprints": {
            "analysis": analysis.fingerprint(),
            "priors": inputs.priors.fingerprint(),
            "evidence": inputs.evidence.fingerprint(),
            "options": {o.id: o.fingerprint() for o in inputs.options},
        },
        "versions": {name: _version(name) for name in ("cba", "pymc", "nutpie", "numpy", "xarray", "arviz")},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed as a package"
