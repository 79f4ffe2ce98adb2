"""What an appraisal is made of: its inputs read, the two fits, the joint draws, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import xarray as xr

from cba.inputs.evidence import Claims, Evidence, load_claims, load_evidence
from cba.inputs.observations import load_observations
from cba.inputs.options import Option, load_options
from cba.inputs.priors import PriorRegistry, load_priors
from cba.inputs.safe_files import strict_json
from cba.interventions import kinds
from cba.models.parameters import joint_parameters, require_finite
from cba.models.sampling import Gates

if TYPE_CHECKING:
    from cba.inputs.analyses import Analysis


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

        effects = fit_effects(
            inputs.evidence,
            inputs.priors,
            observations=inputs.observations,
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
    claims: Claims


def read_inputs(analysis: Analysis, *, stance: str, observations: xr.Dataset | None = None) -> Inputs:
    """Load what an analysis needs, as known in its frame. `stance`, "evidence" or "sceptical"."""
    claims = load_claims()
    options = load_options(analysis.options, own=analysis.own_options)
    options = _priced(options, analysis, claims.programme)
    priors = load_priors(stance=stance)
    return Inputs(
        analysis,
        stance,
        load_observations(analysis.release) if observations is None else observations,
        priors.joined(kinds.own_entries(options, stance=stance, known=priors.entries)),
        load_evidence(until=analysis.evidence_until),
        options,
        claims,
    )


def _priced(options: tuple[Option, ...], analysis: Analysis, programme: str) -> tuple[Option, ...]:
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
        if programme in (option.id, option.base)
        else option
        for option in options
    )


_FRAME = ("release", "evidence_until", "start_year", "target_year")
_SETTINGS = (*_FRAME, "price_base", "schedule", "level", "draws", "seed")


def provenance(inputs: Inputs) -> dict[str, Any]:
    """Where the numbers of an appraisal come from, ready for JSON.

    Settings, fingerprints, single-vintage exceptions and versions.
    """
    analysis, observations = inputs.analysis, inputs.observations
    return {
        "analysis": analysis.name,
        "stance": inputs.stance,
        **{name: getattr(analysis, name) for name in _SETTINGS},
        "single_vintage_exceptions": strict_json(observations.attrs["single_vintage_exceptions"]),
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
