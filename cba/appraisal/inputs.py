"""What an appraisal is made of: its inputs read, the two fits, the joint draws, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from cba.errors import InputError
from cba.inputs.completeness import not_held
from cba.inputs.evidence import Claims, Evidence, load_claims, load_evidence
from cba.inputs.files import library_versions
from cba.inputs.observations import load_authorities, load_observations
from cba.inputs.options import Option, load_options
from cba.inputs.priors import PriorRegistry, load_priors
from cba.inputs.safe_files import strict_json
from cba.interventions import kinds
from cba.models.authority_findings import known_panel
from cba.models.parameters import joint_parameters, require_finite
from cba.models.sampling import Gates, made_from

if TYPE_CHECKING:
    from cba.inputs.analyses import Analysis


def fitted(
    inputs: Inputs, *, baseline: xr.DataTree | None, effects: xr.DataTree | None, progress: bool
) -> tuple[xr.DataTree, xr.DataTree]:
    """Return the fits of business as usual and of the effects, made here where left out; others are refused."""
    analysis, seen, parts = inputs.analysis, inputs.observations, sources_of_fits(inputs)
    how = sampler_settings(analysis) | {"progress": progress, "gates": Gates(**analysis.gates.model_dump())}
    if baseline is None:
        from cba.models.baseline import fit_baseline

        baseline = fit_baseline(seen, inputs.priors, **how)
    if effects is None:
        from cba.models.effects import fit_effects

        panel = known_panel(analysis.evidence_until)
        effects = fit_effects(inputs.evidence, inputs.priors, observations=seen, panel=panel, **how)
    for name, fit in (("baseline", baseline), ("effects", effects)):
        _refuse_another(fit, parts[name], name=name)
    return baseline, effects


def sources_of_fits(inputs: Inputs) -> dict[str, dict[str, str | int]]:
    """What the analysis would make each of its fits from, part by part."""
    shared = {"observations": inputs.observations, **sampler_settings(inputs.analysis)}
    panel = known_panel(inputs.analysis.evidence_until)
    return {
        "baseline": made_from("baseline", inputs.priors, **shared),
        "effects": made_from("effects", inputs.priors, evidence=inputs.evidence, panel=panel, **shared),
    }


def _refuse_another(fit: xr.DataTree, parts: dict[str, str | int], *, name: str) -> None:
    """Refuse a fit that was not made from what the analysis would make it from."""
    other = [part for part, content in parts.items() if str(fit.attrs.get(part)) != str(content)]
    if other:
        raise InputError(
            f"the fit of {name} was not made from what this analysis would make it from",
            field=name,
            found="not those of the analysis, or not stated by the fit: " + ", ".join(other),
            allowed="a fit of the same " + ", ".join(parts),
            cause="a fit made for another analysis or stance, with other priors or data, or by an earlier version",
            remedy=f"leave `{name}` out, and it is made here, or fit again with what the analysis names",
        )


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


def sampler_settings(analysis: Analysis) -> dict[str, Any]:
    """Arguments of a fit that its draws depend on; the analysis counts draws over all chains, a fit per chain."""
    each = {"draws": analysis.draws // analysis.chains}
    return each | {name: getattr(analysis, name) for name in ("tune", "chains", "seed")}


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
    authorities: pd.DataFrame  # by three-digit code: ONS code and deprivation, which no fit reads


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
        load_authorities(),
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
        "carried_forward": list(not_held(observations)),
        "licence": observations.attrs["licence"],
        "fingerprints": {
            "analysis": analysis.fingerprint(),
            "priors": inputs.priors.fingerprint(),
            "evidence": inputs.evidence.fingerprint(),
            "options": {o.id: o.fingerprint() for o in inputs.options},
        },
        "versions": library_versions(("cba", "pymc", "nutpie", "numpy", "xarray", "arviz")),
    }
