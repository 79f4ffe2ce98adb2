"""What the priors alone say: no study and no series enters, bounds and observations are where they are said to be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cba.appraisal.workings import worked_options
from cba.inputs.evidence import load_claims
from cba.inputs.prior_checks import load_plausibility
from cba.models.checks import prior_baseline
from cba.stances.prior_checks import _beside, prior_tables, prior_workings, real_outturn
from tests.appraisal.made_workings import made_inputs, made_workings

DRAWS = 400


@pytest.fixture(scope="module")
def inputs():
    return made_inputs("smoke", DRAWS, 12)


@pytest.fixture(scope="module")
def workings():
    return made_workings("smoke", DRAWS, 12)


@pytest.fixture(scope="module")
def tables(workings):
    return prior_tables(workings, {}, draws=DRAWS, work=worked_options)


@pytest.fixture(scope="module")
def alone(inputs):
    return prior_workings(inputs, draws=DRAWS, work=worked_options)


def test_the_back_cast_is_held_against_every_published_year(inputs, tables):
    history = tables["prior_predictive"].query("check == 'history'").set_index("year")
    stock = inputs.observations["stock"]
    assert history.index.tolist() == list(range(2012, 2025))
    np.testing.assert_array_equal(history["observed"], stock.sel(year=history.index.values))
    assert (history["lower"] < history["median"]).all() and (history["median"] < history["upper"]).all()


def test_the_back_cast_knows_nothing_of_the_years_it_is_held_against(inputs):
    """Later published counts may be anything: the draws from 2011 are the same."""
    seen = inputs.observations
    fit = prior_baseline(seen, inputs.priors, draws=5, chains=2, seed=1, since=2011)
    later = seen["stock_by_age"].where(seen["year"] < 2024, seen["stock_by_age"] * 1.01)
    other = prior_baseline(
        seen.assign(stock_by_age=later), inputs.priors, draws=5, chains=2, seed=1, since=2011
    )
    for name in ("last_level", "innovation_sd"):
        np.testing.assert_array_equal(fit["posterior"][name], other["posterior"][name])
    np.testing.assert_array_equal(fit["constant_data"]["stock"], seen["stock_by_age"].sel(year=2011))


def test_shares_inside_are_counted_on_the_draws(inputs, alone, tables):
    bounds, analysis = load_plausibility(), inputs.analysis
    target = tables["prior_predictive"].query("check == 'target'").set_index("quantity")
    usual = alone.arrays.children.sel(option="bau", year=analysis.target_year).sum("age").values
    fewer = (
        usual - alone.arrays.children.sel(option="care_review", year=analysis.target_year).sum("age").values
    )
    limits = bounds["fewer_children"]
    inside = (fewer / usual >= limits.lower) & (fewer / usual <= limits.upper)
    assert target.loc["fewer_children", "share_inside"] == inside.mean()
    last = float(inputs.observations["stock"].dropna("year")[-1])
    assert target.loc["children_in_care", "bound_upper"] == pytest.approx(
        bounds["children_in_care"].upper * last
    )
    assert set(target.index) == set(bounds)


def test_effects_of_the_priors_are_their_priors(alone):
    """No study moves the mean: it is the stated normal, here by its two moments."""
    mean = alone.effects["posterior"]["mean"].sel(estimand="care_entry_log_rr").values.ravel()
    entry = alone.inputs.priors["effects.mean_log_risk_ratio"].parameters
    assert mean.mean() == pytest.approx(entry["mu"], abs=4 * entry["sigma"] / np.sqrt(mean.size))
    assert mean.std() == pytest.approx(entry["sigma"], rel=4 / np.sqrt(2 * mean.size))


def test_growth_of_unit_costs_is_its_prior_and_not_the_series(alone):
    entry = alone.inputs.priors["unit_costs.real_growth"].parameters
    for name in ("unit_costs.residential_growth", "unit_costs.fostering_growth"):
        draws = alone.system.parameters[name].values
        assert draws.std() == pytest.approx(entry["sigma"], rel=4 / np.sqrt(2 * draws.size))


def test_the_outturn_in_one_price_base_is_that_of_the_accounts(alone):
    outturn = real_outturn(alone)
    assert int(outturn["year"][0]) >= 2013
    seen = alone.inputs.observations["spending"].sel(year=2024)
    lines = ("total_cla", "total_safeguarding", "total_family_support")
    assert float(outturn.sel(year=2024)) == pytest.approx(1e6 * sum(float(seen.sel(line=n)) for n in lines))


def test_prior_and_posterior_stand_side_by_side_on_their_own_draws(workings, alone, tables):
    """Second route: counts and quantiles of both sets of draws, taken from the arrays."""
    table = tables["prior_beside_posterior"]
    for side, at in (("prior", alone), ("posterior", workings)):
        rows = table[table["option"] == "care_review"].set_index("quantity")
        npv = at.arrays.npv.sel(option="care_review").values
        assert rows.loc["Net present value", f"{side}_median"] == pytest.approx(np.median(npv))
        assert rows.loc["Chance of a net saving", f"{side}_mean"] == (npv > 0).mean()
        total = at.arrays.children.sel(year=2032).sum("age")
        fewer = (total.sel(option="bau") - total.sel(option="care_review")).values
        assert rows.loc["Fewer children", f"{side}_upper"] == pytest.approx(np.quantile(fewer, 0.95))
        if side == "prior":
            assert rows.loc["Fewer children", "most_fewer"] == fewer.max()


def test_a_claim_that_no_prior_draw_meets_says_what_it_would_need(tables):
    rows = tables["prior_beside_posterior"].query("option == 'care_review'").set_index("quantity")
    row = rows.loc["Chance of 30,000 fewer children"]
    assert row["prior_mean"] == 0.0 and row["prior_mcse"] > 0.0
    assert f"give {30_000 / row['most_fewer']:.2f} times" in row["words"]
    family = rows.loc["Chance of 17,000 fewer children because of family help"]
    assert family["most_fewer"] <= row["most_fewer"] + 1.0 or family["words"]
    assert rows.loc["Fewer children", "words"] == ""
    some = {"mean": 0.2} | dict.fromkeys(("median", "lower", "upper", "mcse"))
    within = _beside([some, some], load_claims().fewer_children, most=40_000.0, draws=DRAWS)
    assert within["words"].startswith("20.0% of prior draws")


def test_an_analysis_without_the_review_is_checked_on_the_rest(workings):
    rest = [o for o in workings.inputs.options if o.id != "care_review"]
    inputs = dataclasses.replace(workings.inputs, options=tuple(rest))
    accounts = {name: account for name, account in workings.accounts.items() if name != "care_review"}
    others = dataclasses.replace(workings, inputs=inputs, accounts=accounts)
    found = prior_tables(others, {}, draws=50, work=worked_options)
    target = found["prior_predictive"].query("check == 'target'")
    assert target["quantity"].tolist() == ["children_in_care", "system_cost"]
    assert "care_review" not in set(found["prior_beside_posterior"]["option"])
