"""Value of studies: arithmetic by hand, sampling error by simulation, limits, and what no study removes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from cba.decisions import evpi, randomised_trial
from cba.discounting import discount_factors
from cba.errors import InputError
from cba.inputs.distributions import distribution
from cba.inputs.files import priors_folder
from cba.inputs.priors import load_priors
from cba.stances.review import kept_workings
from cba.tables.pilots import PUBLISHED_AREAS, pilot_by_length, pilot_errors
from cba.tables.studies import (
    NEEDED,
    TRIAL_FAMILIES,
    optimal_studies,
    remaining_share,
    studies_on_offer,
    study_costs,
    study_values,
)
from tests.appraisal.made_workings import made_workings

DRAWS = 400
VALUES = (0.0, 500e3, 2.5e6)
SPREAD = "effects.authority_spread"
NAMES = ["pathfinder_1", "pathfinder_2", "pathfinder_3", "trial", "cost_return_help", "cost_return_homes"]


@pytest.fixture(scope="module")
def workings():
    return made_workings("review_2022", DRAWS, 12)


@pytest.fixture(scope="module")
def table(workings):
    return study_values(workings, values=VALUES)


@pytest.fixture(scope="module")
def designs(workings):
    return {design.name: design for design in studies_on_offer(workings)}


def believing(workings, **constants):
    """Workings in which some parameters (dots written as two underscores) are certain."""
    drawn = workings.system.parameters
    fixed = {n.replace("__", "."): xr.full_like(drawn[n.replace("__", ".")], v) for n, v in constants.items()}
    return replace(workings, system=replace(workings.system, parameters=drawn.assign(fixed)))


def with_prior(workings, name, family, **parameters):
    """Workings in which one entry of the registry is another distribution."""
    priors = workings.inputs.priors
    entry = replace(priors[name], fitted=distribution(family, parameters=parameters))
    changed = replace(priors, entries={**priors.entries, name: entry})
    return replace(workings, inputs=replace(workings.inputs, priors=changed))


def the_trial(workings):
    return next(design for design in studies_on_offer(workings) if design.name == "trial")


def test_every_design_at_every_size_and_value(table):
    counts = table.groupby(["value_per_child_year", "design"], sort=False).size()
    assert list(counts.loc[0.0].index) == NAMES
    assert counts.loc[0.0, "pathfinder_2"] == len(pilot_errors(2))
    assert counts.loc[2.5e6, "trial"] == len(TRIAL_FAMILIES)
    assert table.notna().all().all()


def test_net_value_is_value_less_cost(table):
    np.testing.assert_allclose(table["enbs"], table["value"] - table["cost"], rtol=1e-9, atol=1e-6)
    left = 1.0 - table["years_to_decision"].map(
        lambda wait: (
            discount_factors(np.arange(wait), "green_book_2026").sum()
            / discount_factors(np.arange(10), "green_book_2026").sum()
        )
    )
    np.testing.assert_allclose(table["value"], left * table["evsi"], rtol=1e-9)
    np.testing.assert_allclose(table["enbs_se"], left * table["evsi_se"], rtol=1e-9)


@pytest.mark.parametrize("wait, horizon", [(0, 10), (4, 10), (10, 10), (12, 10), (1, 30)])
def test_undiscounted_the_share_left_is_that_of_years(wait, horizon):
    assert remaining_share(wait=wait, horizon=horizon, rate=0.0) == max(horizon - wait, 0) / horizon
    near = remaining_share(wait=wait, horizon=horizon, rate=1e-9)
    assert near == pytest.approx(max(horizon - wait, 0) / horizon, abs=1e-7)


def test_later_years_count_less():
    """At 3.5% years 4 to 9 hold (f(4) + .. + f(9)) / (f(0) + .. + f(9)) of ten years."""
    factors = 1.035 ** -np.arange(10.0)
    assert remaining_share(wait=4, horizon=10, rate=0.035) == pytest.approx(factors[4:].sum() / factors.sum())
    assert remaining_share(wait=4, horizon=10, rate=0.035) < 0.6


def test_the_published_pathfinder_costs_its_money_less_what_it_saves(workings, table):
    """GBP 45m in cash for 12 areas over two years, less cashable savings, and its evaluation."""
    price = study_costs(workings)
    pilot = pilot_by_length(workings, [2])[2]
    row = table.query("design == 'pathfinder_2' and size == @PUBLISHED_AREAS and value_per_child_year == 0")
    evaluation = (
        price["pathfinder.evaluation_fixed"] + PUBLISHED_AREAS * price["pathfinder.evaluation_per_area"]
    )
    assert row["cost"].item() == pytest.approx(evaluation - pilot.npv.mean(), rel=1e-9)
    assert 30e6 < row["cost"].item() < 70e6


def test_help_in_the_areas_studied_counts_for_what_it_is_worth(workings, table):
    pilot = pilot_by_length(workings, [2])[2]
    gain = float((pilot.safe - pilot.harm).mean()) / PUBLISHED_AREAS
    rows = table.query("design == 'pathfinder_2'").pivot(
        index="size", columns="value_per_child_year", values="cost"
    )
    np.testing.assert_allclose(rows[0.0] - rows[2.5e6], 2.5e6 * gain * rows.index, rtol=1e-6)


def test_money_is_in_the_price_base(workings):
    """Entries of the file, moved by the published deflator from their price year to that of the run."""
    entries = load_priors(priors_folder() / "studies")
    drawn = entries.sample(4000, seed=workings.inputs.analysis.seed)["trial.fixed"]
    deflator = workings.inputs.observations["gdp_deflator"]
    ratio = float(deflator.sel(deflator_year=workings.basis.price_base) / deflator.sel(deflator_year=2017))
    assert ratio > 1.05
    assert study_costs(workings)["trial.fixed"] == pytest.approx(ratio * float(drawn.mean()), rel=1e-12)
    assert set(NEEDED) == set(entries)


def test_error_of_a_trial_is_that_of_its_families(workings):
    """Beside 20,000 simulated trials of certain risks; authorities alike."""
    risk, ratio = 0.02, 0.9
    certain = believing(
        workings,
        family_help__yearly_entry_risk=risk,
        family_help__log_risk_ratio=np.log(ratio),
        effects__attenuation=0.0,
    )
    trial = the_trial(with_prior(certain, SPREAD, "HalfNormal", sigma=1e-6))
    stated = trial.standard_errors[trial.sizes.index(15_000)]
    many = xr.DataArray(np.full(20_000, risk), dims="sample")
    seen = randomised_trial(many, 0 * many + ratio, families=15_000, seed=3).sel(statistic="log_risk_ratio")
    assert stated == pytest.approx(float(seen.std()), rel=0.03)


def test_authorities_that_differ_make_a_trial_less_sharp(workings):
    alike, unlike = (
        the_trial(with_prior(workings, SPREAD, "HalfNormal", sigma=sigma)) for sigma in (1e-6, 0.3)
    )
    added = np.square(unlike.standard_errors) - np.square(alike.standard_errors)
    authorities = np.array(alike.sizes) / (1511 / 21)
    np.testing.assert_allclose(added, 0.3**2 / authorities, rtol=2e-3)


def test_four_times_the_families_halve_the_error(designs):
    for name in ("trial", "cost_return_help", "cost_return_homes"):
        design = designs[name]
        scaled = np.array(design.standard_errors) * np.sqrt(design.sizes)
        np.testing.assert_allclose(scaled, scaled[0], rtol=1e-12)


def test_value_rises_with_size_up_to_that_of_an_endless_study(table):
    for _, rows in table.groupby(["value_per_child_year", "design"]):
        slack = 0.1 * rows["evsi_se"].max() + 1.0
        assert (rows["evsi"].diff().dropna() >= -slack).all()
        assert (rows["evsi"] <= rows["evsi_endless"] + slack).all()


def test_no_study_is_worth_more_than_knowing_everything(workings, table):
    arrays = workings.arrays
    for value, rows in table.groupby("value_per_child_year"):
        payoff = arrays.npv + value * (arrays.child_years_safe - arrays.child_years_harm)
        everything = float(evpi(payoff))
        assert (rows["evsi"] <= everything + 2 * rows["evsi_se"]).all()
        assert (
            rows["best_without"] == payoff["option"].values[int(payoff.mean("sample").argmax("option"))]
        ).all()


def test_bias_is_not_removed_by_any_number_of_families(workings, table):
    """An endless trial of a design that may be far off is worth little; of one without bias, more."""
    usual = table.query("design == 'trial' and value_per_child_year == 2.5e6")["evsi_endless"].iloc[0]
    blurred, sharp = (
        study_values(with_prior(workings, "effects.bias_rct", "Normal", mu=0.0, sigma=sd), values=[2.5e6])
        for sd in (5.0, 1e-6)
    )
    endless = [t.loc[t["design"] == "trial", "evsi_endless"].iloc[0] for t in (blurred, sharp)]
    assert usual > 0
    assert endless[0] < 0.1 * usual
    assert endless[1] > 0.9 * usual


def test_best_size_with_its_range(table):
    best = optimal_studies(table)
    assert len(best) == len(VALUES) * len(NAMES)
    assert ((best["lower"] <= best["size"]) & (best["size"] <= best["upper"])).all()
    top = table.groupby(["value_per_child_year", "design"])["enbs"].max()
    np.testing.assert_allclose(best["enbs"], top.loc[list(zip(best.iloc[:, 0], best["design"], strict=True))])
    assert (best["worth_doing"] == (best["enbs"] > 0)).all()


def test_on_cash_alone_no_pathfinder_is_worth_its_money(table):
    cash = optimal_studies(table).query("value_per_child_year == 0")
    assert not cash.loc[cash["design"].str.startswith("pathfinder"), "worth_doing"].any()


def test_studies_that_report_too_late_are_left_out(workings):
    short = workings.inputs.analysis.model_copy(update={"horizon": 4})
    cut = replace(workings, inputs=replace(workings.inputs, analysis=short))
    names = set(study_values(cut, values=[0.0])["design"])
    assert names == {"pathfinder_1", "cost_return_help", "cost_return_homes"}


def test_draws_of_the_review_are_refused(workings):
    named = replace(workings, inputs=replace(workings.inputs, stance="review"))
    conditioned = kept_workings(workings, np.arange(DRAWS) < 200)
    for refused in (named, conditioned):
        with pytest.raises(InputError, match="conditioned on a claim") as caught:
            study_values(refused)
        assert "field: stance" in str(caught.value) and "evidence" in str(caught.value)


def test_few_draws_are_refused():
    with pytest.raises(InputError, match="too few draws") as caught:
        study_values(made_workings())
    assert "field: draws" in str(caught.value)


@pytest.mark.parametrize(
    "keywords, field",
    [
        ({"values": []}, "values"),
        ({"values": [-1.0]}, "values"),
        ({"values": [np.nan]}, "values"),
    ],
)
def test_impossible_questions_are_refused(workings, keywords, field):
    with pytest.raises(InputError) as caught:
        study_values(workings, **keywords)
    assert f"field: {field}" in str(caught.value)


def test_a_file_that_lacks_a_cost_is_refused(workings, tmp_path):
    text = (priors_folder() / "studies" / "study_costs.toml").read_text(encoding="utf-8")
    written = tmp_path / "mine.toml"
    written.write_text(text.replace("[trial.fixed]", "[trial.fixd]"), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        study_costs(workings, written)
    assert "trial.fixed" in str(caught.value)
