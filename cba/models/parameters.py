"""Join prior and posterior draws into one table: every uncertain input of the appraisal, paired by sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.errors import InputError
from cba.models.estimands import ESTIMANDS
from cba.models.growth import real_growth_draws

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry

ROLL_OUT = {
    "care_entry_log_rr": "family_help.log_risk_ratio",
    "family_network_log_rr": "kinship.log_risk_ratio",
    "permanence_risk_diff": "kinship.permanence_gain",
    "foster_substitution_log_ratio": "foster.substitution",
}
"""Estimand to the name of its effect in a national roll-out."""

UNIT_COST_GROWTH = {
    "residential_care": "unit_costs.residential_growth",
    "fostering": "unit_costs.fostering_growth",
}
"""Service to the name of the recent real growth of its unit cost."""


def joint_parameters(
    priors: PriorRegistry,
    *,
    baseline: xr.DataTree,
    effects: xr.DataTree,
    observations: xr.Dataset,
    seed: int,
) -> xr.Dataset:
    """Draw every uncertain input once, paired: one ``sample`` is one state of the world for all options.

    Parameters
    ----------
    priors : PriorRegistry
        Inputs drawn straight from their priors.
    baseline, effects : DataTree
        Fits with the same number of draws.
    observations : Dataset
        Gives the unit-cost series whose recent real growth is estimated.
    seed : int
        Seed of the prior draws.

    Returns
    -------
    Dataset, dims (sample)
        One variable per registry entry (``baseline.*`` and ``effects.mean*``/``bias*`` excepted, which enter
        through the fits); the roll-out effects of :data:`ROLL_OUT`; ``unit_costs.residential_growth`` and
        ``unit_costs.fostering_growth``; and ``baseline.level_*``, the fitted last level of each rate.

    Raises
    ------
    InputError
        If the two fits hold different numbers of draws.

    Examples
    --------
    >>> import cba
    >>> known, priors = cba.load_observations(), cba.load_priors()
    >>> fits = {"baseline": cba.fit_baseline(known, priors)}  # doctest: +SKIP
    >>> fits["effects"] = cba.fit_effects(cba.load_evidence(), priors)  # doctest: +SKIP
    >>> joint_parameters(priors, **fits, observations=known, seed=0).sizes["sample"]  # doctest: +SKIP
    4000

    Notes
    -----
    Roll-out effect = effect in a new setting x (1 - attenuation): the same share is lost at scale by every
    intervention within a draw, because what erodes effects (weaker fidelity, other targeting) is common to
    them.
    """
    base = _flat(baseline)
    synthesis = _flat(effects)
    if base.sizes["sample"] != synthesis.sizes["sample"]:
        raise InputError(
            "the two fits hold different numbers of draws",
            field="draws",
            found=f"{base.sizes['sample']} and {synthesis.sizes['sample']}",
            allowed="the same number",
            cause="fits made with different settings",
            remedy="refit both with the analysis's settings",
        )
    drawn = priors.sample(base.sizes["sample"], seed)
    parameters = drawn[[name for name in drawn.data_vars if not _enters_through_fits(str(name))]]
    kept_share = 1.0 - drawn["effects.attenuation"].values
    for estimand, name in ROLL_OUT.items():
        about = {"description": ESTIMANDS[estimand].label + ", national roll-out"}
        effect = synthesis["new_setting"].sel(estimand=estimand).values
        parameters[name] = ("sample", effect * kept_share, about)
    for service, name in UNIT_COST_GROWTH.items():
        grown = real_growth_draws(
            observations, service=service, priors=priors, draws=base.sizes["sample"], seed=seed
        )
        parameters[name] = ("sample", grown)
    for series in base["series"].values:
        parameters[f"baseline.level_{series}"] = ("sample", base["last_level"].sel(series=series).values)
    return parameters


def _enters_through_fits(entry: str) -> bool:
    """Say whether an entry is a prior of a fitted model; the growth of the population is not."""
    fitted = ("baseline.", "effects.mean", "effects.bias", "effects.heterogeneity")
    return entry.startswith(fitted) and entry != "baseline.population_growth"


def _flat(tree: xr.DataTree) -> xr.Dataset:
    flat = tree["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    return flat.drop_vars(["chain", "draw"], errors="ignore").transpose("sample", ...)


def require_finite(parameters: xr.Dataset) -> None:
    """Refuse parameters with a missing or infinite draw, naming the first.

    Parameters
    ----------
    parameters : Dataset, dims (sample)
        As returned by :func:`joint_parameters`.

    Raises
    ------
    InputError
        Naming the first variable that holds NaN or infinity.

    Examples
    --------
    >>> require_finite(xr.Dataset({"foster.attrition": ("sample", [0.1, 0.2])}))
    """
    for name in parameters.data_vars:
        if not np.isfinite(parameters[name].values).all():
            raise InputError(
                "a parameter has a draw that is not a number",
                field=str(name),
                found="NaN or infinity",
                allowed="finite draws",
                cause="an extreme prior",
                remedy="narrow the prior of this entry",
            )
