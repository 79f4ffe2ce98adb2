"""The names of all uncertain inputs that this version draws, and the refusal of draws that lack some of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import xarray as xr

from cba.errors import InputError
from cba.inputs.evidence import Evidence, load_evidence
from cba.inputs.observations import load_observations
from cba.inputs.options import Option, load_options
from cba.inputs.priors import PriorRegistry, load_priors
from cba.models.parameters import joint_parameters, require_finite
from cba.models.sampling import Gates

if TYPE_CHECKING:
    from cba.inputs.analyses import Analysis


LEVEL = "baseline.level_"
"""Beginning of the names of the last fitted levels of rates."""


_FITTED = ("baseline.", "effects.")
"""Groups of the registry that are priors of the fitted models."""


class DrawsOfAnotherVersion(InputError):
    """Stored draws lack an uncertain input that this version of the package draws."""


def drawn_inputs(registry: Iterable[str]) -> frozenset[str]:
    """Return the name of every uncertain input that a joint draw of this version holds.

    What `joint_parameters` draws: entries of the registry but for those that enter through the fits, and what
    the fits, the totals and the unit costs add. `registry`: names of the entries of the prior registry.
    """
    from cba.models.baseline import SERIES, TOTALS
    from cba.models.parameters import ROLL_OUT, STRAIGHT
    from cba.models.unit_costs import NAMES, SETS

    return frozenset(
        (
            *(name for name in registry if name in STRAIGHT or not name.startswith(_FITTED)),
            *ROLL_OUT.values(),
            *(f"{cost}_{part}" for cost in NAMES.values() for part in ("growth", "level", "surprise")),
            *(f"{costs}.{share}" for costs in SETS for share in ("lasting_share", "error_share")),
            *(f"baseline.{name}" for name in TOTALS),
            *(f"{LEVEL}{series}" for series in SERIES),
        )
    )


def refuse_draws_of_another_version(drawn: Collection[str], *, registry: Iterable[str]) -> None:
    """Refuse draws that lack an input of this version."""
    missing = sorted(drawn_inputs(registry) - set(drawn))
    if missing:
        raise DrawsOfAnotherVersion(
            "the draws lack uncertain inputs of this version",
            field="parameters",
            found=f"no draws of {', '.join(missing)}",
            allowed="draws of every uncertain input",
            cause="a run stored by another version of the package",
            remedy="run the analysis again",
        )


# --- The two fits of an appraisal made where none are given, and the joint draws of every parameter … ---


def fitted(
    inputs: Inputs, *, baseline: xr.DataTree | None, effects: xr.DataTree | None, progress: bool
) -> tuple[xr.DataTree, xr.DataTree]:
    """Return the fits of business as usual and of the effects, made here where left out."""
    sampler = _sampler(inputs, progress=progress)
    if baseline is None:
        from cba.models.baseline import fit_baseline

        baseline = fit_baseline(inputs.observations, inputs.priors, **sampler)
    if effects is None:
        from cba.models.authority_findings import known_panel
        from cba.models.effects import fit_effects
        from cba.models.effects_areas import recent_starts

        effects = fit_effects(
            inputs.evidence,
            inputs.priors,
            starts=recent_starts(inputs.observations),
            panel=known_panel(inputs.analysis.evidence_until),
            **sampler,
        )
    return baseline, effects


def joint_draws(inputs: Inputs, *, baseline: xr.DataTree, effects: xr.DataTree) -> xr.Dataset:
    """Draw every parameter once, paired, and refuse draws that are not numbers."""
    drawn = joint_parameters(
        inputs.priors,
        baseline=baseline,
        effects=effects,
        observations=inputs.observations,
        seed=inputs.analysis.seed,
    )
    require_finite(drawn)
    return drawn


def _sampler(inputs: Inputs, *, progress: bool) -> dict[str, Any]:
    analysis = inputs.analysis
    return {
        "draws": analysis.draws // analysis.chains,
        "tune": analysis.tune,
        "chains": analysis.chains,
        "seed": analysis.seed,
        "progress": progress,
        "gates": Gates(**analysis.gates.model_dump()),
    }


# --- What an appraisal reads: analysis, observed series, priors, evidence and options, as known in its … ---


@dataclass(frozen=True)
class Inputs:
    """Everything an appraisal reads, as loaded for one analysis and stance."""

    analysis: Analysis
    stance: str  # "evidence" or "sceptical"
    observations: xr.Dataset
    priors: PriorRegistry
    evidence: Evidence
    options: tuple[Option, ...]  # in the order of the analysis


def read_inputs(analysis: Analysis, *, stance: str, observations: xr.Dataset | None = None) -> Inputs:
    """Load what an analysis needs, as known in its frame. `stance`, "evidence" or "sceptical"."""
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

    Settings, fingerprints, single-vintage exceptions and versions.
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
