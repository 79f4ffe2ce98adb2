"""Join prior and posterior draws into one table: every uncertain input of the appraisal, paired by sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.errors import InputError
from cba.models.baseline import TOTALS
from cba.models.effects_areas import REACH_ENTRIES
from cba.models.studies import ESTIMANDS
from cba.models.unit_costs import unit_cost_draws

if TYPE_CHECKING:
    from cba.inputs.priors import PriorRegistry

ROLL_OUT = {
    "care_entry_log_rr": "family_help.log_risk_ratio",
    "family_network_log_rr": "kinship.log_risk_ratio",
    "permanence_risk_diff": "kinship.permanence_gain",
    "foster_substitution_log_ratio": "foster.substitution",
}
"""Estimand to the name of its effect in a national roll-out."""

STRAIGHT = (
    "baseline.population_growth",
    "baseline.process_rank",
    "baseline.pace_weight",
    "baseline.pace_weight_beyond",
    "baseline.pace_fade",
    "baseline.pace_through_starts",
    "effects.attenuation",
)
"""Entries of the fitted models' groups that are drawn straight from their priors."""


def joint_parameters(
    priors: PriorRegistry,
    *,
    baseline: xr.DataTree,
    effects: xr.DataTree,
    observations: xr.Dataset,
    seed: int,
) -> xr.Dataset:
    """Draw every uncertain input once, paired: one ``sample`` is one state of the world for all options.

    Eligible children, their risk, their ages and the effect of family help come from one posterior, because
    area-level studies speak of their product: they are correlated, and stay so.
    """
    # Dims (sample). One variable per registry entry (``baseline.*`` and all of ``effects.*`` but the
    # attenuation excepted, which enter through the fits), those of `REACH_ENTRIES` as the synthesis leaves
    # them; the roll-out effects of `ROLL_OUT`; growth, level and surprise of every unit cost
    # (`unit_cost_draws`); ``baseline.trend_persistence`` and ``baseline.long_run_pace`` as the totals leave
    # them; and ``baseline.level_*``, the fitted last level of each rate.
    #
    # Roll-out effect = effect in a new setting x (1 - attenuation): the same share is lost at scale by every
    # intervention within a draw, because what erodes effects (weaker fidelity, other targeting) is common to
    # them.
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
    fitted = ("baseline.", "effects.")
    parameters = drawn[[n for n in drawn.data_vars if n in STRAIGHT or not str(n).startswith(fitted)]]
    for entry in REACH_ENTRIES:
        values = synthesis[entry.rsplit(".", 1)[-1]].values
        parameters[entry] = ("sample", values, drawn[entry].attrs)
    kept_share = 1.0 - drawn["effects.attenuation"].values
    for estimand, name in ROLL_OUT.items():
        about = {"description": ESTIMANDS[estimand].label + ", national roll-out"}
        effect = synthesis["new_setting"].sel(estimand=estimand).values
        parameters[name] = ("sample", effect * kept_share, about)
    parameters = parameters.merge(
        unit_cost_draws(observations, priors=priors, draws=base.sizes["sample"], seed=seed)
    )
    totals = _flat(baseline, group="totals")
    for name in TOTALS:
        parameters[f"baseline.{name}"] = ("sample", totals[name].values, drawn[f"baseline.{name}"].attrs)
    for series in base["series"].values:
        parameters[f"baseline.level_{series}"] = ("sample", base["last_level"].sel(series=series).values)
    return parameters


def _flat(tree: xr.DataTree, *, group: str = "posterior") -> xr.Dataset:
    posterior = tree[group].to_dataset()
    held = posterior[[name for name in posterior.data_vars if posterior[name].size]]  # no area was studied
    flat = held.stack(sample=("chain", "draw"), create_index=False)
    return flat.drop_vars(["chain", "draw"], errors="ignore").transpose("sample", ...)


def require_finite(parameters: xr.Dataset) -> None:
    """Refuse parameters with a missing or infinite draw, naming the first."""
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
