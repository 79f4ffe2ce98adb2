"""The two models as cases to calibrate: data made up from the process each describes, in place of the published.

Everything is drawn here in plain NumPy from the process as it is documented, not by the model's own graph: a
likelihood that says something else than the process shows up in the ranks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from pytensor.graph.traversal import ancestors
from pytensor.tensor import TensorConstant
from scipy.special import gammaln, xlogy

from cba.inputs.evidence import load_evidence
from cba.inputs.observations import load_observations
from cba.inputs.priors import PriorRegistry, load_priors
from cba.models.authorities import PanelFinding
from cba.models.authority_findings import known_panel
from cba.models.baseline import FlowRates, build_baseline, flow_rates
from cba.models.checks import spread_of_total_starts
from cba.models.effects import SMALL_STEPS, build_effects
from cba.models.effects_areas import checked_starts, reach_entries_of, reach_of_draws, recent_starts
from cba.models.studies import (
    ADJUSTED,
    ESTIMANDS,
    OPEN_END,
    SIGNIFICANT,
    StudyArrays,
    studies_used,
    study_arrays,
    with_panel,
)
from cba.validation.refits import Case, Simulated, constant_above, draw_priors, with_replaceable_data

YEARS_AHEAD = 8
"""Years ahead of the predicted starts that are ranked: the target year seen from the newest release."""


def shipped_baseline() -> Case:
    """Return business as usual of the newest release."""
    priors = load_priors()
    leave = float(priors["baseline.uasc_leave_share"].median)
    return baseline_case(flow_rates(load_observations(), uasc_leave_share=leave), priors)


def shipped_effects() -> Case:
    """Return the effects with all their evidence, the panel of authorities included."""
    priors, starts = load_priors(), recent_starts(load_observations())
    studies = studies_used(load_evidence(), priors)
    return effects_case(studies, priors, starts=starts, panel=known_panel(9999))


SHIPPED = {"baseline": shipped_baseline, "effects": shipped_effects}
"""The shipped models as cases to calibrate."""


# --- Histories of the flow rates ---


def baseline_case(rates: FlowRates, priors: PriorRegistry) -> Case:
    """Return the baseline model with replaceable data, and how to make up data for it.

    Everything the model observes is made up: the changes of all 16 series and of total starts before ages.
    """
    model = build_baseline(rates, priors)
    constants = {rv.name: model.rvs_to_values[rv] for rv in model.observed_RVs}
    constants["rates_before"] = constant_above(model["uasc_change"], rates.values[-1, :-1])
    constants["last_rates"] = constant_above(model["last_level"], rates.values[:, -1])
    ratio = float(priors["baseline.shock_ratio"].median)

    def simulate(rng: np.random.Generator) -> Simulated:
        truth, redrawn = draw_priors(model, rng)
        data = simulated_history(rates, truth, shock_ratio=ratio, rng=rng)
        last = data["last_rates"] - rates.noise[:, -1] * truth["counting_noise"].values[:, -1]
        truth = truth.assign(last_level=("series", last))
        return Simulated(truth, {name: data[name] for name in constants}, redrawn)

    return Case(
        name="baseline",
        model=with_replaceable_data(model, constants),
        simulate=simulate,
        quantities=lambda draws, rng: _baseline_quantities(draws, rates=rates, shock_ratio=ratio, rng=rng),
        also=("last_level",),
        target_accept=0.8,
    )


def simulated_history(
    rates: FlowRates, truth: Mapping, *, shock_ratio: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Make up one history of the rates.

    ``walk_change`` (15, year - 1), ``uasc_change``, ``rates_before`` and ``early_total_change`` (year - 1),
    ``last_rates`` (series), and ``rates`` (series, year). `rates`: first year, counting noise and years.
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
        target = np.log(given["uasc_long_run_starts"])
        pull = (1.0 - given["uasc_persistence"]) * (target - level[-1])
        unaccompanied = pull + given["uasc_innovation_sd"] * rng.standard_normal()
        level = level + np.append(step, unaccompanied)
        latent.append(level)
    seen = np.stack(latent, axis=1) + noise
    changes = np.diff(seen, axis=1)
    spread = np.full(len(rates.total_start_changes), _spread(rates, given))
    return {
        "rates": seen,
        "walk_change": changes[:-1],
        "uasc_change": changes[-1],
        "rates_before": seen[-1, :-1],
        "last_rates": seen[:, -1],
        "early_total_change": _steps(spread, given["shock_probability"], shock_ratio, rng),
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


_SELECTION = "selection"


@dataclass(frozen=True, kw_only=True)
class _Reports:
    """How each report of the model is made: its study's sign and standard error, and where its intervals end."""

    estimates: tuple[str, ...]
    intervals: tuple[str, ...]
    served: tuple[str, ...]
    sign: Mapping[str, float]
    se: Mapping[str, float]
    bounds: tuple[tuple[float, float], ...]

    def significant(self, study: str, result: float) -> bool:
        """Say whether a result is a significant benefit."""
        return bool(self.sign[study] * result > SIGNIFICANT * self.se[study])

    def threshold(self, study: str) -> float:
        """Result at which a benefit becomes significant."""
        return float(self.sign[study] * SIGNIFICANT * self.se[study])


def effects_case(
    studies: pd.DataFrame,
    priors: PriorRegistry,
    *,
    starts: Mapping[str, float],
    panel: PanelFinding | None = None,
) -> Case:
    """Return the synthesis with replaceable data, and how to make up data for it.

    All three kinds of data and the alternatives are made up.
    """
    # The design effect's density (an extended quasi-likelihood) adds up to nearly, not exactly, 1: counts are
    # drawn from it made to add up to 1. Each way of pooling gets results of its own, as the four share no
    # variable.
    model = build_effects(studies, priors, starts=starts, panel=panel)
    for variable in model.free_RVs:  # starting points set by the published results mean nothing here
        model.rvs_to_initial_values[variable] = None
    every = study_arrays(with_panel(studies, panel, priors), priors)
    served = every.of(~every.area)
    constants = _constants(model, served)
    reports = _reports(model, every, constants)
    observed = {rv.name: rv for rv in model.observed_RVs}
    inside = [observed[name].owner.inputs[2:] for name in ("effect", "between", "arms")]
    counts = checked_starts(starts, priors)

    def simulate(rng: np.random.Generator) -> Simulated:
        truth, found, redrawn = draw_priors(model, rng, extra=tuple(sum(inside, [])), possible=_possible)
        effect, between, arms = found[:2], found[2:4], found[5:8]
        omega = float(truth["publication_weight"])
        reported, seen = _estimates(reports, *effect, omega=omega, rng=rng)
        lower, upper, seen_too = _intervals(reports, *between, omega=omega, rng=rng)
        significant = np.array([(seen | seen_too)[study] for study in reports.served])
        data = {"reported": reported, "lower": lower, "upper": upper, "significant": significant}
        return Simulated(truth, data | {"events": simulated_events(*arms, rng=rng)}, redrawn)

    return Case(
        name="effects",
        model=with_replaceable_data(model, constants),
        simulate=simulate,
        quantities=lambda draws, rng: _effect_quantities(draws, priors=priors, starts=counts, rng=rng),
        target_accept=SMALL_STEPS,
    )


def _constants(model: pm.Model, served: StudyArrays) -> dict[str, TensorConstant]:
    """Find where the results of studies stand in the graph, other than the estimates, which are data already."""
    between, arms = model["between"], model["arms"]
    flags = [
        node
        for node in ancestors(model.potentials)
        if isinstance(node, TensorConstant) and node.dtype == "bool" and node.data.shape == (len(served),)
    ]
    if len(flags) != 1:
        raise ValueError(f"{len(flags)} flags of significance in the model, not one")
    return {
        "lower": model.rvs_to_values[between],
        "upper": between.owner.inputs[-1],
        "events": model.rvs_to_values[arms],
        "significant": flags[0],
    }


def _reports(model: pm.Model, every: StudyArrays, constants: Mapping[str, TensorConstant]) -> _Reports:
    ends = zip(constants["lower"].data.tolist(), constants["upper"].data.tolist(), strict=True)
    names = [str(name) for name in every.names]
    return _Reports(
        estimates=tuple(str(name) for name in model.coords["estimate"]),
        intervals=tuple(str(name) for name in model.coords["interval"]),
        served=tuple(name for name, area in zip(names, every.area, strict=True) if not area),
        sign=dict(zip(names, every.sign.tolist(), strict=True)),
        se=dict(zip(names, every.se.tolist(), strict=True)),
        bounds=tuple(ends),
    )


def _possible(found: list[np.ndarray]) -> bool:
    """Say whether risks lie between 0 and 1: a difference in risks beyond 1 has no arms."""
    risks = found[6]
    return bool(np.isfinite(risks).all() and (risks > 0).all() and (risks < 1).all())


def _result(
    reports: _Reports, label: str, centre: float, sd: float, *, omega: float, rng: np.random.Generator
) -> float:
    """Draw one study's result; in the selection alternative, until one would have been published."""
    way, study = label.split(":", 1)
    while True:
        result = float(rng.normal(centre, sd))
        if way != _SELECTION or reports.significant(study, result) or rng.random() < omega:
            return result


def _estimates(
    reports: _Reports, centre: np.ndarray, sd: np.ndarray, *, omega: float, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, bool]]:
    """Return the estimates, and which of those in the selection alternative are significant."""
    found = [
        _result(reports, label, centre[i], sd[i], omega=omega, rng=rng)
        for i, label in enumerate(reports.estimates)
    ]
    pairs = [(label.split(":", 1), result) for label, result in zip(reports.estimates, found, strict=True)]
    seen = {study: reports.significant(study, y) for (way, study), y in pairs if way == _SELECTION}
    return np.array(found), seen


def _intervals(
    reports: _Reports, centre: np.ndarray, sd: np.ndarray, *, omega: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, bool]]:
    """Return the bounds reported: of the study's own interval, or of what lies to either side of it."""
    ends, seen = [], {}
    for i, label in enumerate(reports.intervals):
        way, study = label.split(":", 1)
        result = _result(reports, label, centre[i], sd[i], omega=omega, rng=rng)
        cuts = {end for end in reports.bounds[i] if abs(end) < OPEN_END}
        if way == _SELECTION:  # the density is exact where an interval lies wholly on one side
            cuts.add(reports.threshold(study))
            seen[study] = reports.significant(study, result)
        edges = [-OPEN_END, *sorted(cuts), OPEN_END]
        place = int(np.clip(np.searchsorted(edges, result), 1, len(edges) - 1))
        ends.append((edges[place - 1], edges[place]))
    lower, upper = np.array(ends).T
    return lower, upper, seen


def simulated_events(
    people: np.ndarray, risk: np.ndarray, design_effect: np.ndarray, *, rng: np.random.Generator
) -> np.ndarray:
    """Draw events in each arm from the density of the model, made to add up to 1 over the possible counts."""
    drawn = []
    for n, p, extra in zip(people, risk, design_effect, strict=True):
        count = np.arange(int(n) + 1)
        coefficient = gammaln(n + 1.0) - gammaln(count + 1.0) - gammaln(n - count + 1.0)
        best = xlogy(count, count / n) + xlogy(n - count, 1.0 - count / n)
        found = count * np.log(p) + (n - count) * np.log1p(-p)
        log = coefficient + best + (found - best) / extra
        drawn.append(int((log + rng.gumbel(size=log.shape)).argmax()))
    return np.array(drawn, dtype=float)


def _effect_quantities(
    draws: xr.Dataset, *, priors: PriorRegistry, starts: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the effect of a new national roll-out by estimand, and reach, shape (sample,)."""
    mean = draws["mean"].transpose("sample", ...).values[:, ADJUSTED]
    spread = draws["heterogeneity"].transpose("sample", ...).values[:, ADJUSTED]
    scale = np.array([estimand.scale for estimand in ESTIMANDS.values()])
    predicted = mean + scale * spread * rng.standard_normal(mean.shape)
    entries = {name: values.values for name, values in reach_entries_of(draws, priors).items()}
    overall, _ = reach_of_draws(entries, starts)
    found = {f"new_roll_out[{name}]": predicted[:, place] for place, name in enumerate(ESTIMANDS)}
    return found | {"reach": overall}
