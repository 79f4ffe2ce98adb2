"""Join prior and posterior draws into one table: every uncertain input of the appraisal, paired by sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.errors import InputError
from cba.models.effects_areas import (
    FITTED_ENTRIES,
    START_SHARES,
    TIERS,
    by_estimand_of,
    overall_reach,
    tier_shares,
)
from cba.models.growth import GROWTH
from cba.models.studies import ALREADY_PAID, ATTENUATION, ESTIMANDS
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

STRAIGHT = "baseline.population_growth"
"""Entry of the fitted models' groups that is drawn straight from its prior."""


def joint_parameters(
    priors: PriorRegistry,
    *,
    baseline: xr.DataTree,
    effects: xr.DataTree,
    observations: xr.Dataset,
    seed: int,
) -> xr.Dataset:
    """Draw every uncertain input once, paired: one ``sample`` is one state of the world for all options.

    Reach, its ages and the effect of family help come from one posterior, because area-level studies speak of
    their product: they are correlated, and stay so.
    """
    # Dims (sample). One variable per registry entry (``baseline.*`` and ``effects.*`` excepted, which enter
    # through the fits), those of `FITTED_ENTRIES` as the synthesis leaves them; the roll-out effects of
    # `ROLL_OUT`; growth, level and surprise of every unit cost (`unit_cost_draws`);
    # ``baseline.growth_mean`` and ``baseline.growth_persistence`` as the fit leaves them; and
    # ``baseline.level_*``, the fitted last level of each rate.
    #
    # Roll-out effect = effect in a new setting x (1 - attenuation): the same share is lost at scale by every
    # intervention within a draw, because what erodes effects (weaker fidelity, other targeting) is common to
    # them.
    base = _flat(baseline)
    synthesis = _flat(effects)
    drawn = priors.sample(base.sizes["sample"], seed)
    fitted = ("baseline.", "effects.")
    parameters = drawn[[n for n in drawn.data_vars if n == STRAIGHT or not str(n).startswith(fitted)]]
    for entry in FITTED_ENTRIES:
        values = synthesis[entry.rsplit(".", 1)[-1]].values
        parameters[entry] = ("sample", values, drawn[entry].attrs)
    parameters = parameters.assign(_roll_out(synthesis["class_setting"].values, parameters))
    parameters = parameters.merge(
        unit_cost_draws(observations, priors=priors, draws=base.sizes["sample"], seed=seed)
    )
    for entry in (f"baseline.{name}" for name in GROWTH):  # a fixed one is no variable of the fit
        fitted_draws = base.get(entry.removeprefix("baseline."), drawn[entry])
        parameters[entry] = ("sample", fitted_draws.values, drawn[entry].attrs)
    for series in base["series"].values:
        parameters[f"baseline.level_{series}"] = ("sample", base["last_level"].sel(series=series).values)
    return parameters


def _roll_out(
    setting: np.ndarray, parameters: xr.Dataset
) -> dict[str, tuple[str, np.ndarray, dict[str, str]]]:
    """Effects in a national roll-out, less what is lost at scale, from those of each class (sample, class)."""
    kept = setting * (1.0 - parameters[ATTENUATION].values[:, None])
    effects = by_estimand_of(kept, {entry: parameters[entry].values for entry in START_SHARES})
    return {
        ROLL_OUT[estimand]: (
            "sample",
            effects[:, place],
            {"description": f"{about.label}, national roll-out"},
        )
        for place, (estimand, about) in enumerate(ESTIMANDS.items())
    }


ELIGIBLE = "family_help.eligible_children"
COST, RISK = "family_help.cost_per_child", "family_help.yearly_entry_risk"


def with_family_help(parameters: xr.Dataset, starts: np.ndarray) -> xr.Dataset:
    """Add what a child served costs anew, and the yearly risk of an eligible child that reach and starts imply.

    `starts` (age,) a year, without unaccompanied children. Money in the prices `parameters` are in.
    """
    # Every draw keeps eligible x risk = reach x starts; the same holds at each tier (`family_help_tiers`).
    draws = {str(name): parameters[name].values for name in parameters.data_vars}
    tiers = family_help_tiers(draws, starts)
    eligible = draws[ELIGIBLE]
    cost = (tiers["eligible"] * tiers["cost_per_child"]).sum("tier") / eligible
    risk = overall_reach(draws) * starts.sum() / eligible
    said = {
        COST: (cost.values, "New money for a child served, over all tiers of need", "GBP per child"),
        RISK: (
            risk,
            "Yearly risk of starting to be looked after of an eligible child",
            "probability per year",
        ),
    }
    return parameters.assign(
        {
            name: ("sample", values, {"description": about, "unit": unit})
            for name, (values, about, unit) in said.items()
        }
    )


def family_help_tiers(draws: Mapping[str, np.ndarray], starts: np.ndarray) -> xr.Dataset:
    """Eligible children, reach, entry risk and new money for a child served at each tier, dims (sample, tier)."""
    eligible = draws[ELIGIBLE][:, None] * np.stack(
        [draws[f"family_help.eligible_tier_{tier}"] for tier in TIERS], axis=-1
    )
    reach = tier_shares(draws) * overall_reach(draws)[:, None]
    full = np.stack([draws[f"family_help.cost_per_family_{tier}"] for tier in TIERS], axis=-1)
    new = full / draws["family_help.children_per_family"][:, None] * (1.0 - draws[ALREADY_PAID][:, None])
    found = {
        "eligible": eligible,
        "reach": reach,
        "entry_risk": reach * starts.sum() / eligible,
        "cost_per_child": new,
    }
    return xr.Dataset(
        {name: (("sample", "tier"), values) for name, values in found.items()}, coords={"tier": list(TIERS)}
    )


def _flat(tree: xr.DataTree) -> xr.Dataset:
    posterior = tree["posterior"].to_dataset()
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
