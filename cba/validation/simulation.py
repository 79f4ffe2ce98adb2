"""The three models as cases to calibrate: data made up from the process each describes, in place of the published.

Everything is drawn here in plain NumPy from the process as it is documented, not by the model's own graph: a
likelihood that says something else than the process shows up in the ranks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from cba.inputs.evidence import load_evidence
from cba.inputs.observations import load_observations, load_programme_rollout
from cba.inputs.priors import PriorRegistry, load_priors
from cba.models.authorities import HORIZON, build_authority_panel
from cba.models.authority_data import OUTCOMES, YEAR_END, AuthorityPanel, authority_panel
from cba.models.authority_findings import PanelFinding, known_panel
from cba.models.baseline import ACCEPTED, FlowRates, build_baseline, flow_rates
from cba.models.checks import spread_of_total_starts
from cba.models.effects import SMALL_STEPS, build_effects
from cba.models.effects_areas import CareFacts, by_estimand_of, care_facts, fitted_entries_of, reach_of_draws
from cba.models.growth import SHOCK, GrowthSeries, growth_series
from cba.models.sampling import normal_settings
from cba.models.studies import CLASS_ESTIMAND, ESTIMANDS, PANEL, arm_draw, class_means, studies_used
from cba.validation.refits import Case, Simulated, constant_above, draw_priors, with_replaceable_data

YEARS_AHEAD = 8
"""Years ahead of the predicted starts that are ranked: the target year seen from the newest release."""


def shipped_baseline() -> Case:
    """Return business as usual of the newest release."""
    priors = load_priors()
    leave = float(priors["baseline.uasc_leave_share"].median)
    seen = load_observations()
    return baseline_case(flow_rates(seen, uasc_leave_share=leave), growth_series(seen), priors)


def shipped_effects() -> Case:
    """Return the effects with all their evidence, the panel of authorities included."""
    priors, facts = load_priors(), care_facts(load_observations())
    studies = studies_used(load_evidence(), priors)
    return effects_case(studies, priors, facts=facts, panel=known_panel(9999))


def shipped_authorities() -> Case:
    """Return the joint model of authorities, few of them in few years."""
    priors = load_priors()
    panel = authority_panel(load_observations(), load_programme_rollout(), priors)
    return authorities_case(few_authorities(panel), priors)


SHIPPED = {"baseline": shipped_baseline, "effects": shipped_effects, "authorities": shipped_authorities}
"""The shipped models as cases to calibrate."""


# --- Histories of the flow rates ---


def baseline_case(rates: FlowRates, number: GrowthSeries, priors: PriorRegistry) -> Case:
    """Return the baseline model with replaceable data, and how to make up data for it.

    Everything the model observes is made up: the changes of all 15 series and of total starts before ages, and the
    growth of the number in care, its split and the unaccompanied children.
    """
    model = build_baseline(rates, number, priors)
    constants = {rv.name: model.rvs_to_values[rv] for rv in model.observed_RVs}
    if priors["baseline.growth_persistence"].median:  # growth without memory does not read the year before
        constants["growth_before"] = constant_above(model["growth"], number.growth)
    constants["alone_before"] = constant_above(model["unaccompanied"], np.log(number.uasc_stock)[:-1])
    constants["last_rates"] = constant_above(model["last_level"], rates.values[:, -1])
    ratio = float(priors["baseline.shock_ratio"].median)

    def simulate(rng: np.random.Generator) -> Simulated:
        truth, redrawn = draw_priors(model, rng)
        data = simulated_history(rates, truth, shock_ratio=ratio, rng=rng)
        data |= simulated_growth(number, truth, priors, rng=rng)
        last = data["last_rates"] - rates.noise[:, -1] * truth["counting_noise"].values[:, -1]
        truth = truth.assign(last_level=("series", last))
        return Simulated(truth, {name: data[name] for name in constants}, redrawn)

    return Case(
        name="baseline",
        model=with_replaceable_data(model, constants),
        simulate=simulate,
        quantities=lambda draws, rng: _baseline_quantities(draws, rates=rates, shock_ratio=ratio, rng=rng),
        also=("last_level",),
        target_accept=ACCEPTED,
    )


def simulated_history(
    rates: FlowRates, truth: Mapping, *, shock_ratio: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Make up one history of the rates.

    ``walk_change`` (series, year - 1), ``early_total_change``, ``last_rates`` (series), and ``rates`` (series,
    year). `rates`: first year, counting noise and years.
    """
    # `truth`: one value of every free variable of the model, and ``innovation_sd`` (walk).
    #
    # Latent rates start at the published ones of the first year less the counting noise and follow the
    # process of `cba.models.baseline` year by year; what is seen is the latent rate plus counting noise.
    given = {name: np.asarray(truth[name]) for name in truth}
    noise = rates.noise * given["counting_noise"]
    years = rates.values.shape[1]
    sd, shared = given["innovation_sd"], float(given["common_correlation"])
    level = rates.values[:, 0] - noise[:, 0]
    latent = [level]
    for year in range(1, years):
        f_starts, f_exits = given["common_factor"][:, year - 1]
        exits = shared * f_starts + np.sqrt(1.0 - shared**2) * f_exits
        step = _steps(sd, given["shock_probability"], shock_ratio, rng)
        step[:5] += given["start_common_loading"] * f_starts
        step[5:10] += given["exit_common_loading"] * exits
        level = level + step
        latent.append(level)
    seen = np.stack(latent, axis=1) + noise
    changes = np.diff(seen, axis=1)
    spread = np.full(len(rates.total_start_changes), _spread(rates, given))
    return {
        "rates": seen,
        "walk_change": changes,
        "last_rates": seen[:, -1],
        "early_total_change": _steps(spread, given["shock_probability"], shock_ratio, rng),
    }


def simulated_growth(
    number: GrowthSeries, truth: Mapping, priors: PriorRegistry, *, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Make up the growth of the number in care, its split and unaccompanied children, year by year."""
    given = {name: np.asarray(truth[name]) for name in truth}
    ratio = float(priors["baseline.shock_ratio"].median)
    people = normal_settings(priors, "baseline.population_growth")[1]
    fixed = priors["baseline.growth_persistence"].median
    mean, sd, memory = (
        given["growth_mean"],
        given["growth_innovation_sd"],
        given.get("growth_persistence", fixed),
    )
    now = mean + sd / np.sqrt(1.0 - memory**2) * rng.standard_normal()
    clean = [now]
    for year in number.years[1:]:
        now = mean + memory * (now - mean) + sd * (ratio if year == SHOCK else 1.0) * rng.standard_normal()
        clean.append(now)
    unknown = np.hypot(
        people * number.without_people, number.unaccompanied_share * given["uasc_innovation_sd"]
    )
    noise = np.zeros(number.years.size)
    noise[unknown > 0] = given["unpublished_growth"] * unknown[unknown > 0]
    seen = np.array(clean) + noise
    level, kept = np.log(given["uasc_long_run_stock"]), 0.5 ** (1.0 / given["uasc_half_life"])
    alone = [np.log(number.uasc_stock[0])]
    for _ in number.uasc_years[1:]:
        step = given["uasc_innovation_sd"] * rng.standard_normal()
        alone.append(level + kept * (alone[-1] - level) + step)
    split = given["growth_through_starts"] * number.split[0]
    split = split + given["growth_split_sd"] * rng.standard_normal(split.size)
    return {
        "growth": seen,
        "growth_before": seen,
        "unaccompanied": np.array(alone[1:]),
        "alone_before": np.array(alone[:-1]),
        "growth_split": split,
    }


def _spread(rates: FlowRates, given: Mapping[str, np.ndarray]) -> np.ndarray:
    loading, sd = given["start_common_loading"], given["innovation_sd"][..., :5]
    return spread_of_total_starts(rates.values[:5, 0], loading=loading, sd=sd)


def _steps(sd: np.ndarray, probability: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    shock = rng.random(np.shape(sd)) < probability
    return np.where(shock, ratio, 1.0) * sd * rng.standard_normal(np.shape(sd))


def _baseline_quantities(
    draws: xr.Dataset, *, rates: FlowRates, shock_ratio: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return what matters beyond single parameters, shape (sample,): spread of starts, and starts years ahead."""
    given = {str(name): draws[name].transpose("sample", ...).values for name in draws.data_vars}
    level = given["last_level"][:, :5].copy()
    sd = given["innovation_sd"][:, :5]
    chance = given["shock_probability"][:, None]
    for _ in range(YEARS_AHEAD):
        common = rng.standard_normal((len(level), 1))
        level = level + given["start_common_loading"] * common + _steps(sd, chance, shock_ratio, rng)
    return {
        "spread_of_total_starts": _spread(rates, given),
        "start_rate_years_ahead": np.exp(level).sum(axis=1),
    }


# --- Results of studies ---


def effects_case(
    studies: pd.DataFrame,
    priors: PriorRegistry,
    *,
    facts: CareFacts,
    panel: PanelFinding | None = None,
) -> Case:
    """Return the synthesis, and how to make up data for it. All kinds of data are made up."""
    model = build_effects(studies, priors, facts=facts, panel=panel)
    for variable in model.free_RVs:  # starting points set by the published results mean nothing here
        model.rvs_to_initial_values[variable] = None
    kinds = [name for name in (PANEL, "effect", "between", "arms") if name in model.named_vars]
    made = [variable for name in kinds for variable in model[name].owner.inputs[2:]]

    def simulate(rng: np.random.Generator) -> Simulated:
        truth, found, redrawn = draw_priors(model, rng, extra=tuple(made), possible=_possible)
        *joint, centre, sd, inside = found[:-3]
        arms, data = (
            found[-3:],
            {"reported": rng.normal(centre, sd), "inside": rng.random(inside.shape) < inside},
        )
        data |= {"panel_reported": rng.multivariate_normal(*joint)} if joint else {}
        return Simulated(truth, data | {"events": arm_draw(*arms, rng=rng)}, redrawn)

    return Case(
        name="effects",
        model=model,
        simulate=simulate,
        quantities=lambda draws, rng: _effect_quantities(draws, starts=facts.starts, rng=rng),
        target_accept=SMALL_STEPS,
    )


def _possible(found: list[np.ndarray]) -> bool:
    """Say whether risks lie between 0 and 1: a difference in risks beyond 1 has no arms."""
    risks = found[-2]
    return bool(np.isfinite(risks).all() and (risks > 0).all() and (risks < 1).all())


def _effect_quantities(
    draws: xr.Dataset, *, starts: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the effect of a new national roll-out by estimand, and reach, shape (sample,)."""
    flat = draws.transpose("sample", ...)
    scale = np.array([estimand.scale for estimand in ESTIMANDS.values()])
    means = class_means(flat)
    spread = (scale * flat["heterogeneity"].values)[:, CLASS_ESTIMAND]
    entries = {name: values.values for name, values in fitted_entries_of(flat).items()}
    predicted = by_estimand_of(means + spread * rng.standard_normal(means.shape), entries)
    found = {f"new_roll_out[{name}]": predicted[:, place] for place, name in enumerate(ESTIMANDS)}
    return found | {"reach": reach_of_draws(entries, starts)[0]}


# --- Authorities: starts and exits with programmes that begin at dates known only roughly ---


FEW_REGIONS = ("East of England", "South West", "Yorkshire and The Humber")
"""Regions with inventors of programmes, those who followed, and others who began nothing."""


FEW, NEWEST = 14, 8
"""Authorities of these regions, and years, that are calibrated: all parameters, in seconds a refit."""


PARTS_OF_A_YEAR = 200
"""Moments of a year over which the share of a programme's effect is averaged."""


def few_authorities(panel: AuthorityPanel) -> AuthorityPanel:
    """Return `FEW` authorities of a panel, those with programmes first, in the newest years."""
    inside = np.flatnonzero(np.isin(panel.region, FEW_REGIONS))
    began = np.isin(inside, panel.launch_row)
    rows = np.sort(inside[np.argsort(~began, kind="stable")][:FEW])
    chosen, years = np.isin(panel.launch_row, rows), slice(-NEWEST, None)
    return replace(
        panel,
        **{name: getattr(panel, name)[rows] for name in ("authority", "region")},
        years=panel.years[years],
        **{name: getattr(panel, name)[rows][..., years] for name in ("value", "noise")},
        launches=panel.launches.of(chosen),
        launch_row=np.searchsorted(rows, panel.launch_row[chosen]),
    )


def authorities_case(panel: AuthorityPanel, priors: PriorRegistry) -> Case:
    """Return the joint model of authorities, and how to make up data for it."""
    model = build_authority_panel(panel, priors)

    def simulate(rng: np.random.Generator) -> Simulated:
        truth, redrawn = draw_priors(model, rng)
        made = simulated_authorities(panel, truth, rng=rng)
        return Simulated(truth, {"reported": made.reshape(len(made), -1)}, redrawn)

    return Case(
        name="authorities",
        model=model,
        simulate=simulate,
        quantities=lambda draws, rng: _authority_quantities(draws),
    )


def simulated_authorities(panel: AuthorityPanel, truth: Mapping, *, rng: np.random.Generator) -> np.ndarray:
    """Make up a panel year by year, shape (authority, outcome, year), as `cba.models.authorities` describes it."""
    given = {str(name): np.asarray(truth[name]) for name in truth}
    region = np.unique(panel.region, return_inverse=True)[1]
    usual = np.cumsum(given["year_step"], axis=1)
    moved = np.cumsum(given["region_step"], axis=1) * given["region_year_sd"][:, None, None]
    value = np.empty(panel.value.shape)
    phi, nu = given["persistence"], given["noise_sd"]
    level = rng.multivariate_normal(np.zeros(2), _pair(given, "level"), size=len(panel.authority))
    shock = _pair(given, "shock")
    settled = shock / (1.0 - np.outer(phi, phi))
    apart = rng.multivariate_normal(np.zeros(2), settled, size=len(level))
    for t in range(len(panel.years)):
        if t:
            apart = phi * apart + rng.multivariate_normal(np.zeros(2), shock, size=len(level))
        walked = moved[:, t - 1, region].T if t else 0.0
        spread = np.sqrt(panel.noise[:, :, t] + nu**2)
        value[:, :, t] = usual[:, t] + walked + level + apart + spread * rng.standard_normal(level.shape)
    for launch, (row, first) in enumerate(zip(panel.launch_row, panel.launches.innovator, strict=True)):
        theta = given["innovator_effect" if first else "effect"]
        value[row] += theta[:, None] * _share_reached(panel, launch, given["ramp_years"])
    return value


def _pair(given: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Covariance of starts and exits."""
    sd, joint = given[f"{name}_sd"], 2.0 * float(given[f"{name}_correlation"]) - 1.0
    return np.outer(sd, sd) * np.array([[1.0, joint], [joint, 1.0]])


def _share_reached(panel: AuthorityPanel, launch: int, ramp: np.ndarray) -> np.ndarray:
    """Share of a programme's full effect in each year, (outcome, year): by moments of the year and candidate dates."""
    moments = panel.years[:, None] + YEAR_END - 1.0 + (np.arange(PARTS_OF_A_YEAR) + 0.5) / PARTS_OF_A_YEAR
    since = np.maximum(moments[..., None] - panel.launches.dates[launch], 0.0)
    return np.stack([-np.expm1(-since / years).mean(axis=(1, 2)) for years in ramp])


def _authority_quantities(draws: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the effect five years after launch by outcome, shape (sample,)."""
    flat = draws.transpose("sample", ...)
    reached = -np.expm1(-HORIZON / flat["ramp_years"].values) * flat["effect"].values
    return {f"after_five_years[{outcome}]": reached[:, place] for place, outcome in enumerate(OUTCOMES)}
