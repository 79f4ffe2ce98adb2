"""The two fits of an appraisal made where none are given, and the joint draws of every parameter from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from cba.models.gates import Gates
from cba.models.parameters import joint_parameters, require_finite

if TYPE_CHECKING:
    from cba.appraisal.inputs_read import Inputs


def fitted(
    inputs: Inputs, *, baseline: xr.DataTree | None, effects: xr.DataTree | None, progress: bool
) -> tuple[xr.DataTree, xr.DataTree]:
    """Return the fits of business as usual and of the effects, made here where left out.

    Parameters
    ----------
    inputs : Inputs
        As returned by :func:`cba.appraisal.inputs_read.read_inputs`.
    baseline, effects : DataTree or None
        Fits already made.
    progress : bool
        Show the sampler's progress.

    Returns
    -------
    tuple of DataTree
        Baseline, effects.

    Raises
    ------
    GateError
        If a fit has not converged.

    Examples
    --------
    >>> fitted(inputs, baseline=None, effects=None, progress=False)  # doctest: +SKIP
    """
    sampler = _sampler(inputs, progress=progress)
    if baseline is None:
        from cba.models.baseline import fit_baseline

        baseline = fit_baseline(inputs.observations, inputs.priors, **sampler)
    if effects is None:
        from cba.models.effects import fit_effects
        from cba.models.panel_results import known_panel
        from cba.models.reach import recent_starts

        effects = fit_effects(
            inputs.evidence,
            inputs.priors,
            starts=recent_starts(inputs.observations),
            panel=known_panel(inputs.analysis.evidence_until),
            **sampler,
        )
    return baseline, effects


def joint_draws(inputs: Inputs, *, baseline: xr.DataTree, effects: xr.DataTree) -> xr.Dataset:
    """Draw every parameter once, paired, and refuse draws that are not numbers.

    Parameters
    ----------
    inputs : Inputs
        As returned by :func:`cba.appraisal.inputs_read.read_inputs`.
    baseline, effects : DataTree
        The fits.

    Returns
    -------
    Dataset, dims (sample)
        As :func:`cba.models.parameters.joint_parameters`.

    Examples
    --------
    >>> joint_draws(inputs, baseline=baseline, effects=effects).sizes["sample"]  # doctest: +SKIP
    4000
    """
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
