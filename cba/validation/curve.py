"""The specification curve: the answer under every combination of a plan of defensible choices, unweighted.

The plan (`curve.toml`) was written before the first run. Its design: the headline; each other level alone; the corner
where every axis is at its less favourable level and that where every axis is at its more favourable one; and a
fraction that sets beside each fit of the effects nine of 27 rows of a three-level orthogonal array over the axes that
need no fit,

    level of axis j in row (a, b, c) = (u_j a + v_j b + w_j c) mod 3,      c = number of the fit mod 3,

so that every level of such an axis stands equally often beside every fit, and no two axes move together over all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.inputs import Inputs, joint_draws, read_inputs, sampler_settings
from cba.appraisal.quantities import QUANTITIES, spread_at
from cba.appraisal.workings import Workings, run_off, worked_options
from cba.dimensions import STAGE_PRIOR_GROUPS
from cba.errors import GateError
from cba.inputs.analyses import Analysis, Scenarios, load_analysis
from cba.inputs.distributions import distribution
from cba.inputs.files import read_toml
from cba.inputs.options import ways_of_paying
from cba.inputs.priors import PriorRegistry
from cba.models.authority_findings import BASE, known_panel
from cba.models.baseline import fit_baseline
from cba.models.effects import SMALL_STEPS, build_effects, handed_on
from cba.models.effects_areas import IN_TIME, OF_KIND, START_SHARES, care_facts, overall_reach
from cba.models.sampling import sample_gated
from cba.models.slow_results import keep_result
from cba.models.studies import studies_used, study_arrays, with_panel
from cba.validation.calibration import run_replicates

FORMS = ((1, 0, 0), (0, 1, 0), (1, 1, 1), (1, 2, 1), (1, 1, 2), (1, 2, 2))
"""Linear forms (u, v, w) of the columns: no two are multiples of each other modulo 3."""

CORNERS = {"less": "less_favourable", "more": "more_favourable"}

ALONE = "alone"

Setting = Mapping[str, str]
"""Level by axis, of the axes that are not at the level of the headline."""


@dataclass(frozen=True, eq=False)  # each is made once and known by itself
class Level:
    """One level of one axis, and what it changes."""

    axis: str
    name: str
    label: str
    direction: str  # less or more favourable to the programme, or extra: tried alone only
    why: str
    change: Mapping[str, Any]

    @property
    def fits(self) -> bool:
        """Whether the effects are fitted again for it."""
        groups = {name.partition(".")[0] for name in self.change.get("params", {})}
        fitted = not groups.isdisjoint(STAGE_PRIOR_GROUPS["effects"])
        return fitted or not {"designs", "without", "small", "panel", "specification"}.isdisjoint(self.change)


@cache
def plan() -> Mapping[str, Any]:
    """Return the plan as written."""
    return MappingProxyType(read_toml(Path(__file__).with_suffix(".toml")))


@cache
def levels() -> tuple[Level, ...]:
    """Return every level but those of the headline."""
    words = ("label", "direction", "why")
    return tuple(
        Level(
            axis=axis,
            name=name,
            **{word: level[word] for word in words},
            change={k: v for k, v in level.items() if k not in words},
        )
        for axis, written in plan()["axis"].items()
        for name, level in written["level"].items()
    )


def chosen(setting: Setting) -> tuple[Level, ...]:
    """Return the levels of a setting."""
    return tuple(level for level in levels() if setting.get(level.axis) == level.name)


def fit_of(setting: Setting) -> tuple[Level, ...]:
    """Return the levels of a setting for which the effects are fitted again."""
    return tuple(level for level in chosen(setting) if level.fits)


# --- The design ---


def specifications() -> list[tuple[str, Setting]]:
    """Return kind and setting of every specification, each setting once, that of the headline first."""
    rows: list[tuple[str, Setting]] = [("headline", {})]
    rows += [(ALONE, {level.axis: level.name}) for level in levels()]
    rows += [(kind, _corner(direction)) for direction, kind in CORNERS.items()]
    rows += [("fraction", setting) for setting in _fraction()]
    once: dict[frozenset[tuple[str, str]], tuple[str, Setting]] = {}
    for kind, setting in rows:
        once.setdefault(frozenset(setting.items()), (kind, setting))
    return list(once.values())


def _corner(direction: str) -> Setting:
    return {level.axis: level.name for level in levels() if level.direction == direction}


def _fraction() -> Iterator[Setting]:
    """Yield the rows of the fraction: each setting of the axes with fits beside nine of the axes without."""
    fitted = {level.axis for level in levels() if level.fits}
    beside = [{}, *({v.axis: v.name} for v in levels() if v.axis in fitted and v.direction != "extra")]
    beside += [{a: n for a, n in _corner(d).items() if a in fitted} for d in CORNERS]
    rng = np.random.default_rng(plan()["seed"])
    columns = {}
    varied = [v.axis for v in levels() if v.direction in CORNERS]  # the others are tried alone
    free = [axis for axis in plan()["axis"] if axis in varied and axis not in fitted]
    for axis, form in zip(free, rng.permutation(FORMS)[: len(free)], strict=True):
        named = [v.name for v in levels() if v.axis == axis and v.direction in CORNERS]
        columns[axis] = form, rng.permutation(["", *named])
    for number, fit in enumerate(beside):
        for a, b in np.ndindex(3, 3):
            drawn = {axis: str(names[form @ (a, b, number) % 3]) for axis, (form, names) in columns.items()}
            yield fit | {axis: name for axis, name in drawn.items() if name}


def fits() -> list[tuple[Level, ...]]:
    """Return what is fitted again, each once, that of the headline first."""
    return list(dict.fromkeys(fit_of(setting) for _, setting in specifications()))


# --- One specification ---


def changed_priors(priors: PriorRegistry, fit: tuple[Level, ...]) -> PriorRegistry:
    """Return the priors with the parameters and designs that levels state."""
    stated = {name: given for level in fit for name, given in level.change.get("params", {}).items()}
    entries = {
        name: replace(
            priors[name],
            fitted=distribution(priors[name].distribution, parameters={**priors[name].parameters, **given}),
        )
        for name, given in stated.items()
    }
    designs = next(
        (tuple(v.change["designs"]) for v in fit if "designs" in v.change), priors.evidence_designs
    )
    return replace(priors.joined(entries), evidence_designs=designs)


def fitted_effects(inputs: Inputs, fit: tuple[Level, ...]) -> xr.DataTree:
    """Fit the effects with the studies and the panel that levels leave; `inputs` with their priors."""
    analysis, priors = inputs.analysis, inputs.priors
    facts, studies = care_facts(inputs.observations), studies_used(inputs.evidence, priors)
    without = [name for level in fit for name in level.change.get("without", ())]
    studies = studies[~studies["study_id"].isin(without)].reset_index(drop=True)
    if any("small" in level.change for level in fit):
        studies = studies.assign(at_scale="no")
    counts = all(level.change.get("panel", True) for level in fit)
    said = next((level.change["specification"] for level in fit if "specification" in level.change), BASE)
    panel = known_panel(analysis.evidence_until, specification=said) if counts else None
    model = build_effects(studies, priors, facts=facts, panel=panel)
    tree = sample_gated(model, name="effects", target_accept=SMALL_STEPS, **sampler_settings(analysis))
    every = study_arrays(with_panel(studies, panel, priors), priors, stays=facts.stays)
    posterior = handed_on(tree["posterior"].to_dataset(), every.of(every.area), facts, seed=analysis.seed)
    tree["posterior"] = xr.DataTree(posterior)
    return tree


def with_levels(drawn: xr.Dataset, setting: Setting) -> xr.Dataset:
    """Return draws of every parameter with the inputs that the levels of a setting hold at a value."""
    held: dict[str, np.ndarray] = {}
    for level in chosen(setting):
        for name, value in level.change.get("values", {}).items():
            held[name] = np.full(drawn.sizes["sample"], float(value))
        for name, point in level.change.get("quantiles", {}).items():
            held[name] = np.full(drawn.sizes["sample"], np.quantile(drawn[name].values, point))
        if "reach" in level.change:
            held |= with_reach({name: drawn[name].values for name in _REACH}, float(level.change["reach"]))
    return drawn.assign({name: ("sample", values, drawn[name].attrs) for name, values in held.items()})


_REACH = (*START_SHARES, IN_TIME, OF_KIND)


def with_reach(draws: Mapping[str, np.ndarray], median: float) -> dict[str, np.ndarray]:
    """Return the shares that reach is made of, their odds all moved alike so that its median is as stated.

    Known before, in time and of a kind move alike; who of the known was known to which service stays as it is.
    """
    from scipy.optimize import brentq

    known = np.sum([draws[name] for name in START_SHARES[:-1]], axis=0)

    def moved(by: float) -> dict[str, np.ndarray]:
        now = _odds_moved(known, by)
        shares = {name: draws[name] * now / known for name in START_SHARES[:-1]}
        shares[START_SHARES[-1]] = 1.0 - now
        return shares | {name: _odds_moved(draws[name], by) for name in (IN_TIME, OF_KIND)}

    found = brentq(lambda by: float(np.median(overall_reach(moved(by)))) - median, -8.0, 8.0)
    return moved(float(found))


def _odds_moved(share: np.ndarray, by: float) -> np.ndarray:
    return np.asarray(share / (share + (1.0 - share) * np.exp(-by)))


def worked(
    inputs: Inputs, setting: Setting, *, baseline: xr.DataTree, effects: xr.DataTree, options: tuple[str, ...]
) -> Workings:
    """Work out some options under a setting. `inputs` with the priors of its fit."""
    switches = {k: v for level in chosen(setting) for k, v in level.change.get("scenarios", {}).items()}
    scenarios = Scenarios(**inputs.analysis.scenarios.model_dump() | switches)
    some = replace(
        inputs,
        priors=changed_priors(inputs.priors, chosen(setting)),  # of the fit, and those that need none
        analysis=inputs.analysis.model_copy(update={"scenarios": scenarios}),
        options=tuple(option for option in inputs.options if option.id in options),
    )
    drawn = with_levels(joint_draws(some, baseline=baseline, effects=effects), setting)
    return worked_options(some, drawn, baseline=baseline, effects=effects)


def found_of(workings: Workings, option: str, setting: Setting) -> dict[str, float]:
    """Return what the curve shows of one option: children, money and chances."""
    level = workings.inputs.analysis.level
    fewer, saved, npv = (
        QUANTITIES[name].draws(workings, option) for name in ("fewer_children", "annual_saving", "npv")
    )
    worth = next((v.change["worth"] for v in chosen(setting) if "worth" in v.change), "")
    if worth == "long":
        npv = workings.arrays.npv_long.sel(option=option).values
    elif worth == "run_off":
        npv = run_off(workings, option)[0]
    found = {
        **spread_at(level, fewer, "fewer_", median=True),
        **spread_at(level, npv, "npv_", median=True),
        "saving_mean": saved.mean(),
        "prob_npv_positive": (npv > 0).mean(),
        "prob_more_children": (fewer < 0).mean(),
    }
    return {name: float(value) for name, value in found.items()}


# --- The whole curve ---


def curve_inputs() -> Inputs:
    """Return what the analysis of the plan reads, at the plan's draws."""
    written = plan()
    settings = {name: written[name] for name in ("draws", "chains", "seed")}
    analysis: Analysis = load_analysis(written["analysis"]).model_copy(update=settings)
    return read_inputs(analysis, stance="evidence")


def rows_of_fit(number: int, *, baseline: xr.DataTree) -> dict[str, Any]:
    """Fit the effects for one of `fits` and work out every specification that rests on it.

    Its ``rows`` depend on the number and the baseline alone; there are none where the fit has not converged.
    """
    fit, inputs = fits()[number], curve_inputs()
    inputs = replace(inputs, priors=changed_priors(inputs.priors, fit))
    try:
        effects = fitted_effects(inputs, fit)
    except GateError:
        return {"rows": []}
    paying = ways_of_paying(inputs.options, programme=inputs.claims.programme)
    panels = ("bau", *(option.id for option in paying))
    every = tuple(option.id for option in inputs.options)
    rows = []
    for place, (kind, setting) in enumerate(specifications()):
        if fit_of(setting) != fit:
            continue
        options = panels if kind == "fraction" else every
        workings = worked(inputs, setting, baseline=baseline, effects=effects, options=options)
        about = {"number": place, "kind": kind, "panel_of_curve": False}
        axis, level = next(iter(setting.items())) if kind == ALONE else ("", "")
        about |= {"axis": axis, "level": level} | {name: setting.get(name, "") for name in plan()["axis"]}
        for option in options[1:]:
            row = about | {"option": option, "panel_of_curve": option in panels}
            rows.append(row | found_of(workings, option, setting))
    return {"rows": rows}


def curve_tables(*, workers: int = 1, scheduler: str | None = None) -> dict[str, pd.DataFrame]:
    """Work out the whole curve: the specifications, and the levels of the plan.

    `workers` processes, or the workers of a Dask cluster at `scheduler`; the same bits whichever.
    """
    inputs = curve_inputs()
    baseline = fit_baseline(inputs.observations, inputs.priors, **sampler_settings(inputs.analysis))
    rows: list[dict[str, Any]] = []
    run_replicates(
        partial(rows_of_fit, baseline=baseline),
        range(len(fits())),
        keep=lambda _, found: rows.extend(found["rows"]),
        workers=workers,
        scheduler=scheduler,
    )
    table = pd.DataFrame(rows).sort_values(["number", "option"], kind="stable", ignore_index=True)
    notes = [(kind, words) for kind in ("left_out", "incompatible") for words in plan()[kind]]
    notes_table = pd.DataFrame(notes, columns=["kind", "words"])
    return {"specifications": table, "levels": _levels_table(), "notes": notes_table}


def _levels_table() -> pd.DataFrame:
    """List the axes and levels with their words, the headline's level first."""
    rows = []
    for axis, written in plan()["axis"].items():
        mine = [level for level in levels() if level.axis == axis]
        about = {"axis": axis, "axis_label": written["label"], "fits": any(level.fits for level in mine)}
        rows.append(about | {"level": "", "label": written["headline"], "direction": "headline"})
        rows[-1]["why"] = (
            f"No level less favourable: {written['none_less']}" if "none_less" in written else ""
        )
        rows += [
            about | {"level": v.name, "label": v.label, "direction": v.direction, "why": v.why} for v in mine
        ]
    return pd.DataFrame(rows)


def refresh_curve(*, workers: int = 1, scheduler: str | None = None) -> Path:
    """Work out the curve and keep it."""
    tables = curve_tables(workers=workers, scheduler=scheduler)
    inputs, made = curve_inputs(), set(tables["specifications"]["number"])
    missing = [number for number in range(len(specifications())) if number not in made]
    return keep_result(
        "curve",
        tables,
        release=int(inputs.observations.attrs["release"]),
        analysis=inputs.analysis.name,
        draws=inputs.analysis.draws,
        seed=inputs.analysis.seed,
        fits=len(fits()),
        specifications=len(made),
        not_converged=missing,
    )
