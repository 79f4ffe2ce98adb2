"""Join prior draws and posterior draws into one table: every uncertain input of the appraisal, paired by sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.errors import InputError
from cba.models.effects import ESTIMANDS
from cba.models.growth import real_growth_draws

if TYPE_CHECKING:
    from cba.inputs.priors import PriorRegistry

ROLL_OUT = {
    "care_entry_log_rr": "family_help.log_risk_ratio",
    "family_network_log_rr": "kinship.log_risk_ratio",
    "permanence_risk_diff": "kinship.permanence_gain",
    "foster_substitution_log_ratio": "foster.substitution",
}
"""Estimand to the name of its effect in a national roll-out."""


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

    Notes
    -----
    Roll-out effect = effect in a new setting x (1 - attenuation): the same share is lost at scale by every
    intervention within a draw, because what erodes effects (weaker fidelity, other targeting) is common to them.
    """
    base = _flat(baseline)
    synthesis = _flat(effects)
    if base.sizes["sample"] != synthesis.sizes["sample"]:
        raise InputError("the two fits hold different numbers of draws", field="draws",
                         found=f"{base.sizes['sample']} and {synthesis.sizes['sample']}", allowed="the same number",
                         cause="fits made with different settings", remedy="refit both with the analysis's settings")
    drawn = priors.sample(base.sizes["sample"], seed)
    through_fits = [n for n in drawn.data_vars if str(n).startswith(("baseline.", "effects.mean", "effects.bias",
                                                                     "effects.heterogeneity"))]
    kept = [n for n in drawn.data_vars if n not in through_fits or n == "baseline.population_growth"]
    parameters = drawn[kept]
    kept_share = 1.0 - drawn["effects.attenuation"].values
    for position, name in enumerate(ESTIMANDS):
        parameters[ROLL_OUT[name]] = ("sample", synthesis["new_setting"].values[:, position] * kept_share,
                                      {"description": ESTIMANDS[name].label + ", national roll-out"})
    for service, name in (("residential_care", "unit_costs.residential_growth"),
                          ("fostering", "unit_costs.fostering_growth")):
        parameters[name] = ("sample", real_growth_draws(observations, service=service, priors=priors,
                                                        draws=base.sizes["sample"], seed=seed))
    for position, series in enumerate(base["series"].values):
        parameters[f"baseline.level_{series}"] = ("sample", base["last_level"].values[:, position])
    return parameters


def _flat(tree: xr.DataTree) -> xr.Dataset:
    flat = tree["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    return flat.drop_vars(["chain", "draw"], errors="ignore").transpose("sample", ...)


def require_finite(parameters: xr.Dataset) -> None:
    """Refuse parameters with a missing or infinite draw, naming the first."""
    for name in parameters.data_vars:
        if not np.isfinite(parameters[name].values).all():
            raise InputError("a parameter has a draw that is not a number", field=str(name), found="NaN or infinity",
                             allowed="finite draws", cause="an extreme prior", remedy="narrow the prior of this entry")
