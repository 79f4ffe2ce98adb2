"""Every uncertain input, moved alone, moves an output: no entry of the registry does nothing (C14-12)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import cba
from cba.appraisal.workings import Workings, worked_options
from cba.costs.prices import cash_index
from cba.inputs.priors import load_priors
from cba.models.authority_findings import known_panel
from cba.models.baseline import build_baseline, flow_rates
from cba.models.effects import build_effects
from cba.models.effects_areas import by_estimand_of, care_facts
from cba.models.growth import growth_series
from cba.models.studies import VARIANTS, studies_used
from cba.models.unit_costs import NAMES
from cba.tables.society import distributional_sensitivity, mvpf_table, perspectives_table
from tests.appraisal.made_workings import made_draws, made_fits, made_inputs

MODELS = Path(cba.__file__).parent / "models"
DRAWS, LONG = 400, 12
OPTIONS = ("bau", "care_review", "care_review_reinvest", "placement_reform")

AUTHORITY_MODEL = "panel."
"""Entries of the model of authorities' launches, whose finding stands beside the appraisal."""

INERT: Mapping[str, str] = {
    "effects.area_bias_rct": "no trial of whole areas has reported: acts on a row that may be added",
    "effects.bias_provider_claim": "providers' claims in the table are of whole areas: acts on a row that may be added",
    "unit_costs.real_growth": "a prior combined with the published series: tests/models/test_unit_costs.py",
    "unit_costs.yearly_change": "a prior combined with the published series: tests/models/test_unit_costs.py",
    "baseline.population_growth": "`latest` has an official projection of every year: tested where there is none",
    "baseline.uasc_leave_share": "only for releases that do not publish unaccompanied starts: tested below",
    "baseline.uasc_16_plus_share": "only for releases that do not publish their ages: tested below",
}
"""Entries that move nothing in this analysis, and why."""


ROLL_OUT_EFFECTS = ("kinship.log_risk_ratio", "family_help.log_risk_ratio", "foster.substitution")
SHARES = tuple(f"{cost}.{part}_share" for cost in ("unit_costs", "system") for part in ("lasting", "error"))
UNIT_COSTS = tuple(f"{n}_{what}" for n in sorted(NAMES.values()) for what in ("growth", "level", "surprise"))

LIMITED = ("kinship.route_share", "kinship.uncovered_share", "delivery.reinvest_share")
"""Stop at a limit in many draws, so they are moved in several."""

JOINED = "effects.attenuation"
"""Acts where effects are joined to the draws, which is tested on its own."""


def names() -> list[str]:
    """Entries of the registry but for those of the model of authorities."""
    return sorted(n for n in load_priors().entries if not n.startswith(AUTHORITY_MODEL))


def moved(drawn: xr.DataArray, name: str) -> np.ndarray:
    """An input a little further on, in every draw."""
    if name in UNIT_COSTS:
        return drawn.values + 0.001
    if name in SHARES:
        return drawn.values + 0.05
    return drawn.values * 0.99 + (0.01 if name == "baseline.growth_persistence" else 0.0)  # nought as shipped


def rows_of(drawn: xr.Dataset) -> dict[str, list[int]]:
    """Draws in which each input, alone, is moved: one each, and twenty for those that stop at a limit."""
    wanted = [n for n in (*names(), *ROLL_OUT_EFFECTS, *UNIT_COSTS, *SHARES) if n in drawn]
    rows: dict[str, list[int]] = {}
    for name in dict.fromkeys(wanted):
        first = sum(len(taken) for taken in rows.values())
        rows[name] = list(range(first, first + (20 if name in LIMITED else 1)))
    return rows


def by_draw(workings: Workings) -> np.ndarray:
    """Every number of an appraisal that is drawn, draws first."""
    arrays = workings.arrays
    parts = [getattr(arrays, f.name) for f in dataclasses.fields(arrays) if f.name != "bau_parts"]
    parts.append(
        cash_index(workings.years, price_base=workings.basis.price_base, prices=workings.basis.index)
    )
    return np.hstack([part.transpose("sample", ...).values.reshape(DRAWS, -1) for part in parts])


def of_society(workings: Workings) -> np.ndarray:
    """Numbers of the tables on society, which are means over draws."""
    tables = (perspectives_table, distributional_sensitivity, mvpf_table)
    parts = [table(workings).select_dtypes("number").to_xarray().to_array() for table in tables]
    return np.concatenate([np.ravel(part.values) for part in parts])


@pytest.fixture(scope="module")
def inputs():
    made = made_inputs("latest", DRAWS, LONG)
    wide = [  # one option whose allowances reach every kinship carer
        o.model_copy(update={"effects": o.effects.model_copy(update={"allowance_scope": "all_kinship"})})
        if o.id == "care_review_reinvest"
        else o
        for o in made.options
        if o.id in OPTIONS
    ]
    return dataclasses.replace(made, options=tuple(wide))


@pytest.fixture(scope="module")
def worked(inputs):
    baseline, effects = made_fits("latest", DRAWS, LONG)
    return lambda drawn: worked_options(inputs, drawn, baseline=baseline, effects=effects)


@pytest.fixture(scope="module")
def before(worked):
    return worked(made_draws("latest", DRAWS, LONG))


@pytest.fixture(scope="module")
def society(before) -> np.ndarray:
    return of_society(before)


@pytest.fixture(scope="module")
def moving(worked, before) -> set[str]:
    """Inputs that move an output: all are moved in one projection, each in draws of its own."""
    drawn = made_draws("latest", DRAWS, LONG)
    rows = rows_of(drawn)
    assert sum(map(len, rows.values())) <= DRAWS, "more inputs than draws: raise DRAWS"
    changes = {}
    for name, taken in rows.items():
        values = drawn[name].values.copy()
        values[taken] = moved(drawn[name], name)[taken]
        changes[name] = drawn[name].copy(data=values)
    old, new = by_draw(before), by_draw(worked(drawn.assign(changes)))
    same = (old == new) | (np.isnan(old) & np.isnan(new))
    return {name for name, taken in rows.items() if not same[taken].all()}


def test_a_draw_follows_its_own_inputs_alone(worked, before):
    """Otherwise what moves in a draw could come from an input moved in another."""
    drawn = made_draws("latest", DRAWS, LONG)
    values = (
        drawn["cashable.share"].values.copy() if "cashable.share" in drawn else drawn[JOINED].values.copy()
    )
    name = "cashable.share" if "cashable.share" in drawn else JOINED
    values[0] *= 0.9
    old, new = by_draw(before), by_draw(worked(drawn.assign({name: drawn[name].copy(data=values)})))
    np.testing.assert_array_equal(old[1:], new[1:])


@pytest.mark.parametrize("name", [n for n in names() if n not in INERT and n != JOINED])
def test_moving_one_input_moves_an_output(name, moving, before, society, asked):
    """An output of the appraisal, or the model it is a prior of, whose draws the outputs are made from."""
    if name in asked or name in moving:
        return
    assert name.startswith("social."), f"{name} moves nothing"
    parameters = before.system.parameters
    system = dataclasses.replace(before.system, parameters=parameters.assign({name: parameters[name] * 0.99}))
    after = of_society(dataclasses.replace(before, system=system))
    assert not np.array_equal(after, society, equal_nan=True), f"{name} moves nothing"


@pytest.mark.parametrize("name", sorted(n for n in load_priors().entries if n.startswith(AUTHORITY_MODEL)))
def test_the_model_of_authorities_names_every_entry_of_its_own(name):
    files = [*MODELS.glob("authorit*.py"), *(MODELS.parent / "validation").glob("authorit*.py")]
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    assert f'"{name}"' in code or (f'"{name.partition(".")[2]}"' in code and 'f"panel.{name}"' in code)


def test_attenuation_moves_every_effect():
    from cba.models.parameters import ROLL_OUT, joint_parameters

    made = made_inputs("latest", DRAWS, LONG)
    baseline, effects = made_fits("latest", DRAWS, LONG)
    joint = joint_parameters(
        made.priors,
        baseline=baseline,
        effects=effects,
        observations=made.observations,
        seed=made.analysis.seed,
    )
    kept = 1.0 - joint[JOINED].values[:, None]
    setting = effects["posterior"]["class_setting"].values.reshape(DRAWS, -1)
    draws = {str(name): joint[name].values for name in joint.data_vars}
    for position, name in enumerate(ROLL_OUT.values()):
        exact = by_estimand_of(setting * kept, draws)[:, position]
        np.testing.assert_allclose(joint[name].values, exact, rtol=1e-12)
        assert (joint[name].values != by_estimand_of(setting, draws)[:, position]).all()


@pytest.mark.parametrize("name", sorted(INERT))
def test_an_input_declared_inert_exists_and_is_inert_here(name, moving):
    """A declaration that no longer holds is itself an error."""
    assert name in load_priors().entries
    assert name not in moving


@pytest.mark.parametrize("name", [*ROLL_OUT_EFFECTS, *UNIT_COSTS, *SHARES])
def test_every_effect_and_unit_cost_that_is_worked_out_moves_an_output(name, moving):
    assert name in moving


# --- entries that act through the fits ------------------------------------------------------------------


class Asked(dict):
    """Entries that note which of them were asked for."""

    def __init__(self, entries):
        super().__init__(entries)
        self.names = set()

    def __getitem__(self, name):
        self.names.add(name)
        return super().__getitem__(name)


@pytest.fixture(scope="module")
def asked():
    """Entries the two models ask for when they are built on the newest release, or an old one."""
    priors = load_priors()
    noted = Asked(priors.entries)
    watched = dataclasses.replace(priors, entries=noted)
    made = made_inputs()
    rates = flow_rates(made.observations, uasc_leave_share=float(watched["baseline.uasc_leave_share"].median))
    build_baseline(rates, growth_series(made.observations), watched)
    facts, panel = care_facts(made.observations), known_panel(2026)
    build_effects(studies_used(made.evidence, watched), watched, facts=facts, panel=panel)
    for variant in VARIANTS[1:]:
        build_effects(studies_used(made.evidence, watched), watched, facts=facts, variant=variant)
    return noted.names


def test_models_ask_for_their_priors_and_for_nothing_of_the_money(asked):
    assert {"baseline.shock_ratio", "effects.heterogeneity", "effects.bias_rct"} <= asked
    assert not any(n.startswith(("unit_costs.", "delivery.", "home_support.", "cashable.")) for n in asked)


def test_leave_share_moves_the_starts_of_releases_without_unaccompanied_starts():
    from cba.inputs.observations import load_observations

    old = load_observations(2021)
    rates = [flow_rates(old, uasc_leave_share=share).values for share in (0.55, 0.50)]
    assert not np.array_equal(*rates)


def test_share_aged_16_moves_the_rates_of_releases_without_ages():
    from cba.inputs.observations import load_observations

    old = load_observations(2018)
    rates = [flow_rates(old, uasc_16_plus_share=share).values for share in (0.86, 0.8)]
    assert not np.array_equal(*rates)


def test_population_growth_moves_years_without_a_projection():
    from cba.inputs.observations import load_observations
    from cba.projection.business_as_usual import future_population

    old = load_observations(2019)
    growth = made_draws("latest", DRAWS, LONG)["baseline.population_growth"]
    people = [
        future_population(old, years=range(2020, 2070), growth=growth + shift) for shift in (0.0, 0.001)
    ]
    assert not np.array_equal(*people)
