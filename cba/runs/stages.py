"""The stages of a run as ordinarily made: observe and reconcile, fit (from the cache), appraise, render.

:func:`cba.runs.execute.execute` takes them as one record, so that a notebook, a test or a later command can
put its own in the place of any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.runs.cache import cached_fit, fit_key
from cba.runs.fingerprints import MODEL_ROOMS, code_fingerprint, input_fingerprints, prior_stance

if TYPE_CHECKING:
    import xarray as xr

    from cba.appraisal.record import Appraisal
    from cba.inputs.analyses import Analysis
    from cba.runs.cache import StoredStage


@dataclass(frozen=True)
class Stages:
    """What a run calls, in order."""

    observe: Callable[[Analysis], xr.Dataset]  # analysis to the observed series, reconciled
    # ``fit(analysis, stance=, observations=, root=)`` to the baseline and effects fits of one stance.
    fit: Callable[..., tuple[xr.DataTree, xr.DataTree]]
    # ``appraise(analysis, stance=, baseline=, effects=, observations=, evidence=,
    # progress=)`` to an Appraisal; `evidence` is the appraisal under that stance, None before there is one.
    appraise: Callable[..., Appraisal]
    # Adds to the appraisals, by stance, the tables that need two of them.
    compare: Callable[[dict[str, Appraisal]], dict[str, Appraisal]]
    # ``render(appraisals, headline=, manifest=)`` to the HTML of the report; None writes no report.
    render: Callable[..., str] | None = None
    # ``reuse(root, analysis=, stance=, fingerprint=)`` to the stored appraisal of that fingerprint, or None;
    # None makes every appraisal anew.
    reuse: Callable[..., StoredStage | None] | None = None
    # ``write_beside(folder, appraisals=, headline=, manifest=)`` writes workbook and checklist; None writes
    # none.
    write_beside: Callable[..., None] | None = None


def ordinary_stages(
    *,
    use_cache: bool = True,
    render: Callable[..., str] | None = None,
    write_beside: Callable[..., None] | None = None,
) -> Stages:
    """Return the stages of an ordinary run.

    `render`: makes the report; the caller hands it in, because the store does not depend on the reporting
    room. `write_beside`: writes the other files readers get, handed in for the same reason.
    """
    # `use_cache`: take fits from ``<root>/.cache`` and keep new ones there; take appraisals from stored runs.
    code = code_fingerprint(MODEL_ROOMS)  # once, before the models are loaded: what runs is what is named
    fit = partial(fit_stance, use_cache=use_cache, code=code)
    return Stages(
        observe,
        fit,
        _appraise,
        _compare,
        render,
        reuse=_stored if use_cache else None,
        write_beside=write_beside,
    )


def observe(analysis: Analysis) -> xr.Dataset:
    """Read the observed series as known in the analysis's release and refuse figures that disagree."""
    from cba.inputs.observations import load_observations
    from cba.inputs.reconciliation import check_reconciliation

    observations = load_observations(analysis.release)
    check_reconciliation(observations)
    return observations


def fit_stance(
    analysis: Analysis,
    *,
    stance: str,
    observations: xr.Dataset,
    root: Path,
    use_cache: bool = True,
    code: str | None = None,
) -> tuple[xr.DataTree, xr.DataTree]:
    """Return the baseline and the effects fit of one stance, cached where what they read is unchanged.

    Stances whose overrides do not reach a model share its fit: the key is what the model reads. `stance`:
    ``review`` uses the fits of ``evidence``: it conditions their draws.
    """
    # `use_cache`: false fits again and keeps nothing.
    from cba.inputs.evidence import load_evidence
    from cba.inputs.priors import load_priors
    from cba.models.authority_findings import known_panel
    from cba.models.effects_areas import recent_starts

    priors = load_priors(stance=prior_stance(stance))
    starts, panel = recent_starts(observations), known_panel(analysis.evidence_until)
    evidence = load_evidence(until=analysis.evidence_until)
    settings, gates = sampler_settings(analysis), analysis.gates.model_dump()

    def _baseline() -> xr.DataTree:
        from cba.models.baseline import fit_baseline
        from cba.models.sampling import Gates

        return fit_baseline(observations, priors, **settings, gates=Gates(**gates))

    def _effects() -> xr.DataTree:
        from cba.models.effects import fit_effects
        from cba.models.sampling import Gates

        return fit_effects(evidence, priors, starts=starts, panel=panel, **settings, gates=Gates(**gates))

    if not use_cache:
        return _baseline(), _effects()
    full = {**settings, "gates": gates}
    baseline_key = fit_key(
        "baseline", priors=priors, settings=full, code=code, observations=_tables(analysis)
    )
    effects_key = fit_key(
        "effects",
        priors=priors,
        settings=full | {"starts": starts, "panel": None if panel is None else vars(panel)},
        code=code,
        evidence=evidence,
    )
    return (
        cached_fit(root, model="baseline", key=baseline_key, fit=_baseline),
        cached_fit(root, model="effects", key=effects_key, fit=_effects),
    )


def sampler_settings(analysis: Analysis) -> dict[str, Any]:
    """Return the arguments of a fit; the analysis counts draws over all chains, a fit per chain.

    ``draws`` (per chain), ``tune``, ``chains``, ``seed``.
    """
    return {
        "draws": analysis.draws // analysis.chains,
        "tune": analysis.tune,
        "chains": analysis.chains,
        "seed": analysis.seed,
    }


def _tables(analysis: Analysis) -> Mapping[str, Any]:
    """Return what the observations depend on: the release and the published tables."""
    tables = {name: value for name, value in input_fingerprints().items() if name.startswith("published/")}
    return {"release": analysis.release, "tables": tables}


def _appraise(analysis: Analysis, *, stance: str, progress: bool, **given: Any) -> Appraisal:
    from cba.recipe import appraise

    return appraise(analysis, stance=stance, progress=progress, **given)


def _stored(root: Path, **asked: Any) -> StoredStage | None:
    from cba.runs.cache import stored_appraisal

    return stored_appraisal(root, **asked)


def _compare(appraisals: dict[str, Appraisal]) -> dict[str, Appraisal]:
    from cba.tables.beliefs import with_weight_of_change

    return with_weight_of_change(appraisals)
