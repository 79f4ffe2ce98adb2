"""Words for draws that come from the fits and have no entry of their own among the priors to describe them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from threadpoolctl import threadpool_limits

from cba.appraisal.quantities import children_in_care, fewer_children, lead_option
from cba.appraisal.workings import Workings
from cba.decisions.shares import shapley_effects
from cba.inputs.options import Option
from cba.inputs.priors import PriorRegistry, load_priors
from cba.interventions.kinds import own_entries
from cba.models.slow_results import kept_release, kept_table
from cba.tables.catalogue import BY_ROW, FEWEST_DRAWS, Table, catalogued, catalogued_together

_AGES = {
    "under_1": "under age 1",
    "1_4": "at ages 1 to 4",
    "5_9": "at ages 5 to 9",
    "10_15": "at ages 10 to 15",
    "16_plus": "at ages 16 and over",
}


_RATES = {
    "log_start_rate": "Rate of starting to be looked after {}, last level",
    "logit_exit": "Rate of leaving care {}, last level",
    "logit_ageing": "Rate of growing into the next age band {}, last level",
    "logit_stay": "Share of those who start {} and stay there at 31 March, last level",
}


_COSTS = {
    "unit_costs.residential": "cost of a residential placement",
    "unit_costs.fostering": "cost of a foster placement",
    "system.leaving_care": "spending on leaving care",
    "system.other_care": "spending on other services for looked-after children",
    "system.safeguarding": "spending on safeguarding",
    "system.family_support": "spending on family support",
    "system.need_rate": "children in need for each child",
}


_PARTS = {
    "growth": "Real growth of {} today",
    "level": "True level of {} against the published one",
    "surprise": "What no equation foresees of {}",
}


_SHARES = {
    "lasting_share": "Share of yearly changes of {} that lasts",
    "error_share": "Share of yearly changes of {} that is error",
}


_SETS = {"unit_costs": "unit costs", "system": "other spending"}


FITTED_NAMES = (
    {
        f"baseline.level_{rate}_{age}": w.format(said)
        for rate, w in _RATES.items()
        for age, said in _AGES.items()
    }
    | {f"{cost}_{part}": w.format(said) for cost, said in _COSTS.items() for part, w in _PARTS.items()}
    | {f"{group}.{share}": w.format(said) for group, said in _SETS.items() for share, w in _SHARES.items()}
    | {
        "baseline.level_log_closure_rate": "Rate of change that neither starts nor ceases explain, last level",
    }
)
"""Name of a draw to its words; the first letter of what is counted is small inside them."""


UNGRADED = "fitted"
"""Stands for the grade of a draw that comes from a fit: priors are graded, fits are checked."""


def described(name: str, attrs: Mapping[str, object]) -> str:
    """Words for an uncertain input: those it carries, else those of the fits, else its name.

    `name`: name of the input, ``group.item``. `attrs`: what the draws carry; ``description`` is read.
    """
    return str(attrs.get("description") or FITTED_NAMES.get(name, name))


# --- How much of a result rests on one input: shares of variance, measured beside the inputs that lead ---


CLEAR = 3.0
"""Errors an influence must be above nought by: with over a hundred inputs, two would let several in by chance."""


HIGH = 0.05
"""Share of the variance from which an influence counts as high."""


LEADING = 3
"""Inputs beside which every other one is measured: those that move a result most."""


def leading_inputs(parameters: xr.Dataset, outcome: xr.DataArray) -> dict[str, np.ndarray]:
    """Return the inputs most correlated with a result, beside which the others are measured."""
    varying = {str(n): v.values for n, v in parameters.data_vars.items() if np.ptp(v.values) > 0}
    if float(outcome.std()) == 0.0:
        return {}
    fit = {name: abs(float(np.corrcoef(values, outcome.values)[0, 1])) for name, values in varying.items()}
    return {name: varying[name] for name in sorted(fit, key=lambda n: -fit[n])[:LEADING]}


def measured_influence(
    outcomes: Mapping[str, xr.DataArray],
    inputs: tuple[str, Mapping[str, np.ndarray]],
    leading: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, object]:
    """Return how much of each result's variance one entry explains, with its error.

    The columns of `assumptions_log` from ``measured`` on. `outcomes`: results by name.
    """
    how, columns = inputs
    row: dict[str, object] = {"measured": how}
    clear_shares = [0.0]
    for name, outcome in outcomes.items():
        share, error = _share(outcome, columns, leading.get(name, {}) if how != "bound" else {})
        clear = bool(np.isfinite(share) and share > CLEAR * error)
        clear_shares += [share] if clear and how != "bound" else []
        row |= {f"{name}_share": share, f"{name}_share_se": error, f"{name}_clear": clear}
    influence = max(clear_shares)
    level = "high" if influence >= HIGH else "some" if influence > 0 else "none"
    return row | {"influence": influence, "level": level}


def _share(
    outcome: xr.DataArray, columns: Mapping[str, np.ndarray], leading: Mapping[str, np.ndarray]
) -> tuple[float, float]:
    """Share of the variance and its error; missing where nothing was drawn or the result does not vary."""
    varying = {name: values for name, values in columns.items() if np.ptp(values) > 0}
    if not varying or outcome.size < FEWEST_DRAWS or float(outcome.std()) == 0.0:
        return float("nan"), float("nan")
    beside = {f"leading {n}": v for n, v in leading.items() if n not in varying}
    groups = {"entry": list(varying)} | ({"leading": list(beside)} if beside else {})
    table = shapley_effects(outcome, pd.DataFrame({**varying, **beside}), groups)
    found = table.set_index("group").loc["entry"]
    return float(found["effect"]), float(found["se"])


# --- The assumptions log: every entry of the prior registry with its papers and its *measured* … ---


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


@catalogued(
    "assumptions_log",
    "Assumptions log: every input with its source, quality and influence",
    BY_ROW,
    once=True,
)
def assumptions_log(workings: Workings) -> pd.DataFrame:
    """Every entry of the registry: what it is, where it comes from, and how much of the result rests on it.

    One row per entry, that of most influence first. What it is: name, description, distribution, parameters,
    q05, q50, q95, unit, price_year. `workings`: under the headline stance.
    """
    # Papers: confidence (green, amber, red, blue), basis, owner, reviewed (ISO date), source (titles), links
    # (JSON list of title and URL), other_stances (JSON list of stance, reason, q05, q50, q95). Influence on
    # the option a report follows: measured (``draws``, ``fit``, ``bound``, ``none``, ``fixed``), and for npv
    # and fewer_children ``X_share`` (share of the variance), ``X_share_se`` and ``X_clear`` (whether it is
    # above nought by three errors); influence (the larger of the two shares where clear, else 0) and level
    # (``high``, ``some``, ``none``).
    #
    # The share is the Shapley effect of the entry in a game of two: the entry, and the three inputs that move
    # the result most (`shapley_effects`). With V the share of the variance a set explains, it is
    # ``(V(entry) + V(entry, leading) - V(leading)) / 2``: half of what the entry does by scaling a leading
    # input is its own. A first-order share alone would call an input without influence that only multiplies
    # an effect whose mean is near nought. Entries are measured one at a time, so shares need not add up to
    # one.
    # ``fit``: the entry is a prior of a fitted model, and its own fitted draws are used. ``bound``: it acts
    # only inside a fit that keeps no draws of it, and the share is what that fit's results explain, the most
    # it could. ``none``: neither result reads it.
    papers = log_entries(workings.inputs.priors, workings.inputs.options)
    option = lead_option(workings)
    outcomes = {
        "npv": workings.arrays.npv.sel(option=option, drop=True),
        "fewer_children": xr.DataArray(fewer_children(workings, option), dims="sample"),
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


def log_entries(priors: PriorRegistry, options: Sequence[Option] = ()) -> pd.DataFrame:
    """Return the papers of every entry, with what other stances put in its place and why.

    The first columns of `assumptions_log`. `priors`: as the headline stance holds them.
    """
    table = priors.table().rename(columns={"p05": "q05", "p50": "q50", "p95": "q95"}).reset_index()
    kept = ["name", "description", "distribution", "parameters", "q05", "q50", "q95", "unit", "price_year"]
    log = table[[*kept, "confidence", "basis", "owner", "reviewed", "source"]].copy()
    log["links"] = [json.dumps([[s.title, s.url] for s in priors[name].source]) for name in log["name"]]
    others = {stance for name in log["name"] for stance in priors[name].overridden_by}
    registries = {
        stance: load_priors(stance=stance).joined(own_entries(options, stance=stance))
        for stance in sorted(others - {priors.stance})
    }
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

    By entry: ``draws``, ``fit``, ``bound``, ``none`` or ``fixed``, and columns of draws, shape (sample,).
    """
    parameters = workings.system.parameters
    size = parameters.sizes["sample"]
    base, synthesis = (_columns(tree, size) for tree in (workings.baseline, workings.effects))
    usual = {"children on current policy": children_in_care(workings, "bau")}
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

    Empty where the fit keeps none. `columns`: draws of the fit by ``variable`` or ``variable[label]``.
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


# --- Defensible choices: the answer under each alone, and under combinations of them, none weighed against another ---


SHOWN = ("fewer", "npv")
"""Results that the curve shows: children fewer in the target year, and net present value."""


def kept_curve(workings: Workings) -> pd.DataFrame | None:
    """Return the specification curve kept for the data and stance of these workings, of options they hold."""
    inputs = workings.inputs
    if kept_release("curve") != inputs.analysis.release or inputs.stance != "evidence":
        return None
    every = kept_table("curve", "specifications")
    shown = set(every.loc[every["panel_of_curve"].astype(bool), "option"])
    return every if lead_option(workings) in shown <= set(workings.accounts) else None


def holds_curve(workings: Workings) -> bool:
    """Whether one is kept."""
    return kept_curve(workings) is not None


@catalogued_together(
    Table("specification_curve", "The answer under every combination of choices tried", BY_ROW),
    Table("specification_summary", "How far the choices move the answer", BY_ROW),
    Table(
        "specification_notes",
        "What the curve does not vary, and combinations that cannot be",
        "Words; no figures.",
    ),
    Table("specification_levels", "What each choice does to the answer, alone and on average", BY_ROW),
    once=True,
    needs=holds_curve,
)
def specification_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """How far the answer moves over combinations of defensible choices, none weighed against another."""
    # curve: option, number, kind (headline, alone, a corner, fraction), axis and level of what is tried alone,
    # a column per axis (empty: as in the headline), means, medians and limits of `SHOWN`, ``saving_mean`` (GBP a year),
    # and the place of each mean among those of its option, 1 for the least.
    every = kept_table("curve", "specifications").fillna({"axis": "", "level": ""})
    levels = kept_table("curve", "levels").fillna("")
    curve = every[every["panel_of_curve"].astype(bool)].drop(columns="panel_of_curve")
    curve[list(levels["axis"].unique())] = curve[list(levels["axis"].unique())].fillna("")
    for name in SHOWN:
        places = curve.groupby("option")[f"{name}_mean"].rank(method="first")
        curve[f"{name}_place"] = places.astype(int)
    groups = {str(option): rows for option, rows in curve.groupby("option", sort=False)}
    summary = [over_the_curve(rows, name) for rows in groups.values() for name in SHOWN]
    effects = [_of_level(rows, level, levels) for rows in groups.values() for _, level in levels.iterrows()]
    return {
        "specification_curve": curve,
        "specification_summary": pd.DataFrame(summary),
        "specification_levels": pd.DataFrame(effects),
        "specification_notes": kept_table("curve", "notes"),
    }


def over_the_curve(rows: pd.DataFrame, name: str) -> dict[str, object]:
    """Least, median and greatest mean of one option, where the headline stands, and the spread within and between."""
    means = rows[f"{name}_mean"]
    first, third = means.quantile([0.25, 0.75])
    headline = rows[rows["kind"] == "headline"].iloc[0]
    return {
        **{"option": headline["option"], "quantity": name, "specifications": len(rows)},
        **{"least": means.min(), "median": means.median(), "greatest": means.max()},
        **{"headline": headline[f"{name}_mean"], "headline_place": headline[f"{name}_place"]},
        **{"lower_quarter": first, "upper_quarter": third},
        "in_middle_half": bool(first <= headline[f"{name}_mean"] <= third),
        "between": means.max() - means.min(),
        "within": (rows[f"{name}_upper"] - rows[f"{name}_lower"]).median(),
    }


def _of_level(rows: pd.DataFrame, level: pd.Series, levels: pd.DataFrame) -> dict[str, object]:
    """Change of the means of one option that one level brings: from the headline, and averaged over other choices."""
    # Axes with fits move one at a time in the fraction, but for its two corners, which are left out where one of them
    # is asked about; the other axes are balanced over everything beside them.
    fitted = set(levels.loc[levels["fits"].astype(bool), "axis"])
    others = list(fitted - {level["axis"]}) if level["axis"] in fitted else []
    fraction = rows[(rows["kind"] == "fraction") & (rows[others] == "").all(axis=1)]
    at, usual = (fraction[fraction[level["axis"]] == name] for name in (level["level"], ""))
    alone = rows[(rows["axis"] == level["axis"]) & (rows["level"] == level["level"])]
    headline = rows[rows["kind"] == "headline"].iloc[0]
    found: dict[str, object] = {"option": headline["option"], **level}
    for name in (f"{shown}_mean" for shown in SHOWN):
        tried = level["level"] != ""
        found[f"{name}_alone"] = alone[name].iloc[0] - headline[name] if tried and len(alone) else np.nan
        found[f"{name}_average"] = at[name].mean() - usual[name].mean() if tried else np.nan
    return found
