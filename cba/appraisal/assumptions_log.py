"""The assumptions log: every entry of the prior registry with its papers and its *measured* influence.

Influence is a share of the variance of a result, measured on the draws of the run: of net present value and of
fewer children, each with its error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from threadpoolctl import threadpool_limits

from cba.appraisal.decision_drivers import lead_option
from cba.appraisal.input_influence import leading_inputs, measured_influence
from cba.inputs.priors import load_priors

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings
    from cba.inputs.prior_registry import PriorRegistry

NO_PART = ("social.",)
"""Entries that neither result reads: values that others put on outcomes."""

INSIDE = ("effects.", "panel.")
"""Entries that act inside the synthesis of effects."""

EFFECTS = (
    "family_help.log_risk_ratio",
    "kinship.log_risk_ratio",
    "kinship.permanence_gain",
    "foster.substitution",
)
"""What entries that act only inside the synthesis act through; together no entry can do more than they do."""

WALKS = {
    "baseline.start_innovation_sd": "log_start",
    "baseline.exit_innovation_sd": "logit_exit",
    "baseline.ageing_innovation_sd": "logit_ageing",
    "baseline.stay_innovation_sd": "logit_stay",
    "baseline.closure_innovation_sd": "log_closure",
}
"""Entries that are the scale of a walk, and how its series are named."""

MEANS = {
    "effects.mean_log_risk_ratio": ("care_entry_log_rr", "family_network_log_rr"),
    "effects.mean_permanence": ("permanence_risk_diff",),
    "effects.mean_substitution": ("foster_substitution_log_ratio",),
}
"""Entries that are the prior of a mean effect, and the estimands they stand for."""


def assumptions_log(workings: Workings) -> pd.DataFrame:
    """Every entry of the registry: what it is, where it comes from, and how much of the result rests on it.

    Parameters
    ----------
    workings : Workings
        Under the headline stance.

    Returns
    -------
    DataFrame
        One row per entry, that of most influence first. What it is: name, description, distribution, parameters,
        q05, q50, q95, unit, price_year. Papers: confidence (green, amber, red, blue), basis, owner, reviewed
        (ISO date), source (titles), links (JSON list of title and URL), other_stances (JSON list of stance,
        reason, q05, q50, q95). Influence on the option a report follows: measured (``draws``, ``fit``, ``bound``,
        ``none``, ``fixed``), and for npv and fewer_children ``X_share`` (share of the variance), ``X_share_se`` and
        ``X_clear`` (whether it is above nought by three errors); influence (the larger of the two shares where
        clear, else 0) and level (``high``, ``some``, ``none``).

    Notes
    -----
    The share is the Shapley effect of the entry in a game of two: the entry, and the three inputs that move the
    result most (:func:`cba.decisions.shapley_effects`). With V the share of the variance a set explains, it is
    ``(V(entry) + V(entry, leading) - V(leading)) / 2``: half of what the entry does by scaling a leading input is
    its own. A first-order share alone would call an input without influence that only multiplies an effect whose
    mean is near nought. Entries are measured one at a time, so shares need not add up to one.

    ``fit``: the entry is a prior of a fitted model, and its own fitted draws are used. ``bound``: it acts only
    inside a fit that keeps no draws of it, and the share is what that fit's results explain, the most it could.
    ``none``: neither result reads it.

    Examples
    --------
    >>> assumptions_log(workings).query("level == 'high'")[["name", "confidence"]]  # doctest: +SKIP
    """
    papers = log_entries(workings.inputs.priors)
    option, year = lead_option(workings), workings.inputs.analysis.target_year
    total = workings.arrays.children.sel(year=year, drop=True).sum("age")
    outcomes = {
        "npv": workings.arrays.npv.sel(option=option, drop=True),
        "fewer_children": total.sel(option="bau", drop=True) - total.sel(option=option, drop=True),
    }
    inputs = entry_draws(workings, list(papers["name"]))
    leading = {
        name: leading_inputs(workings.system.parameters, outcome) for name, outcome in outcomes.items()
    }
    # Set once, because the products are small and many, and setting it takes longer than each.
    with threadpool_limits(1, user_api="blas"):
        found = pd.DataFrame([measured_influence(outcomes, inputs[name], leading) for name in papers["name"]])
    table = pd.concat([papers, found], axis=1)
    return table.sort_values("influence", ascending=False, kind="stable").reset_index(drop=True)


def log_entries(priors: PriorRegistry) -> pd.DataFrame:
    """Return the papers of every entry, with what other stances put in its place and why.

    Parameters
    ----------
    priors : PriorRegistry
        As the headline stance holds them.

    Returns
    -------
    DataFrame
        The first columns of :func:`assumptions_log`.

    Examples
    --------
    >>> log = log_entries(load_priors()).set_index("name")
    >>> json.loads(log.loc["effects.attenuation", "other_stances"])[0]["stance"]
    'sceptical'
    """
    table = priors.table().rename(columns={"p05": "q05", "p50": "q50", "p95": "q95"}).reset_index()
    kept = ["name", "description", "distribution", "parameters", "q05", "q50", "q95", "unit", "price_year"]
    log = table[[*kept, "confidence", "basis", "owner", "reviewed", "source"]].copy()
    log["links"] = [json.dumps([[s.title, s.url] for s in priors[name].source]) for name in log["name"]]
    others = {stance for name in log["name"] for stance in priors[name].overridden_by}
    registries = {stance: load_priors(stance=stance) for stance in sorted(others - {priors.stance})}
    log["other_stances"] = [_other_stances(name, registries) for name in log["name"]]
    return log


def _other_stances(name: str, registries: Mapping[str, PriorRegistry]) -> str:
    rows = []
    for stance, registry in registries.items():
        if name not in registry or registry[name].stance != stance:
            continue
        entry = registry[name]
        low, middle, high = (entry.quantile(q) for q in (0.05, 0.5, 0.95))
        rows.append({"stance": stance, "reason": entry.reason, "q05": low, "q50": middle, "q95": high})
    return json.dumps(rows)


def entry_draws(workings: Workings, names: list[str]) -> dict[str, tuple[str, dict[str, np.ndarray]]]:
    """Return the draws an entry's influence is measured by, and what they are.

    Parameters
    ----------
    workings : Workings
    names : list of str
        Entries of the registry.

    Returns
    -------
    dict of str to (str, dict of str to ndarray)
        By entry: ``draws``, ``fit``, ``bound``, ``none`` or ``fixed``, and columns of draws, shape (sample,).

    Examples
    --------
    >>> entry_draws(workings, ["effects.heterogeneity"])["effects.heterogeneity"][0]  # doctest: +SKIP
    'fit'
    """
    parameters = workings.system.parameters
    size = parameters.sizes["sample"]
    base, synthesis = (_columns(tree, size) for tree in (workings.baseline, workings.effects))
    path = workings.arrays.children.sel(option="bau", year=workings.inputs.analysis.target_year)
    usual = {"children on current policy": path.sum("age").values}
    through = {name: parameters[name].values for name in EFFECTS if name in parameters}
    found: dict[str, tuple[str, dict[str, np.ndarray]]] = {}
    for name in names:
        if name.startswith(NO_PART):
            found[name] = ("none", {})
        elif name.startswith("panel."):
            found[name] = ("bound", through)
        elif name in parameters:
            column = parameters[name].values
            found[name] = ("draws", {name: column}) if np.ptp(column) > 0 else ("fixed", {})
        elif workings.inputs.priors[name].fitted.label == "Fixed":
            found[name] = ("fixed", {})
        else:
            inside = name.startswith(INSIDE)
            held = fitted_columns(name, synthesis if inside else base)
            found[name] = ("fit", held) if held else ("bound", through if inside else usual)
    return found


def fitted_columns(entry: str, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the fitted draws that stand for an entry of a fitted model, by the names the model gives them.

    Parameters
    ----------
    entry : str
        Dotted name.
    columns : mapping of str to ndarray
        Draws of the fit by ``variable`` or ``variable[label]``.

    Returns
    -------
    dict of str to ndarray
        Empty where the fit keeps none.

    Examples
    --------
    >>> held = {"mean[permanence_risk_diff]": np.zeros(1), "heterogeneity[a]": np.zeros(1), "mean[b]": np.zeros(1)}
    >>> list(fitted_columns("effects.mean_permanence", held)), list(fitted_columns("effects.heterogeneity", held))
    (['mean[permanence_risk_diff]'], ['heterogeneity[a]'])
    """
    if entry in WALKS:
        wanted = [c for c in columns if c.startswith(f"innovation_sd[{WALKS[entry]}")]
    elif entry in MEANS:
        wanted = [f"mean[{estimand}]" for estimand in MEANS[entry]]
    else:
        variable = entry.rsplit(".", 1)[-1]
        wanted = [c for c in columns if c == variable or c.startswith(f"{variable}[")]
    return {name: columns[name] for name in wanted if name in columns}


def _columns(tree: xr.DataTree, size: int) -> dict[str, np.ndarray]:
    """Draws of a fit as columns, in the order of the joint draws; none where they are not paired with them."""
    posterior = tree["posterior"].to_dataset()
    if posterior.sizes["chain"] * posterior.sizes["draw"] != size:
        return {}  # draws conditioned or mixed afterwards: rows of the fit are not rows of the run
    columns: dict[str, np.ndarray] = {}
    for name, values in posterior.data_vars.items():
        rest = [dim for dim in values.dims if dim not in ("chain", "draw")]
        if len(rest) > 1:
            continue
        table = values.transpose("chain", "draw", *rest).values.reshape(size, -1)
        labels = [f"{name}[{label}]" for label in values[rest[0]].values] if rest else [str(name)]
        columns |= dict(zip(labels, table.T, strict=True))
    return columns
