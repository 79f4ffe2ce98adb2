"""Tables of the decision agree with plain loops over the draws, with each other and with known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cba.appraisal.quantities import lead_option, of_headline_stance
from cba.discounting import discount_factors
from cba.tables.catalogue import TABLES, all_tables, enough_to_learn
from cba.tables.decisions import (
    NOT_MONEY,
    RISK_VALUES,
    VALUES,
    best_option_table,
    drivers_table,
    frontier_table,
    grouped_questions,
    question_inputs,
    share_error,
    switching_table,
    variance_table,
)
from tests.appraisal.made_workings import made_workings

DRAWS = 400
DECISIONS = (
    "break_even_values", "acceptability", "best_option", "frontier", "plane", "risk",
    "fewer_children_chances", "payback_by_payer",
)  # fmt: skip


def made(workings, name):
    """One table as its registered function makes it."""
    return TABLES[name].make(workings)


@pytest.fixture(scope="module")
def workings():
    return made_workings("review_2022", DRAWS, 12)


@pytest.fixture(scope="module")
def tables(workings):
    return {name: made(workings, name) for name in DECISIONS}


@pytest.fixture(scope="module")
def payoff(workings):
    """Payoff of every option at a value of a child-year, (sample, option), in plain arithmetic."""
    arrays = workings.arrays
    npv, safe, harm = (
        a.transpose("sample", "option").values
        for a in (arrays.npv, arrays.child_years_safe, arrays.child_years_harm)
    )
    return lambda value: npv + value * safe - value * harm


def test_acceptability_is_a_count_of_draws(workings, tables, payoff):
    for value in (0.0, 1e5, 2.5e6):
        rows = tables["acceptability"].query("value_per_child_year == @value")
        worth = payoff(value)
        wins = np.bincount(worth.argmax(axis=1), minlength=worth.shape[1]) / DRAWS
        np.testing.assert_allclose(rows["prob_best"], wins)
        gained = worth - worth[:, :1]
        np.testing.assert_allclose(rows["net_benefit"], gained.mean(axis=0), rtol=1e-9, atol=1e-3)
        np.testing.assert_allclose(
            rows["net_benefit_se"], gained.std(axis=0) / np.sqrt(DRAWS), rtol=1e-6, atol=1.0
        )
        assert rows.loc[rows["best"], "option"].tolist() == [
            list(workings.accounts)[worth.mean(axis=0).argmax()]
        ]


def test_best_option_and_its_certainty(tables, payoff):
    table = tables["best_option"].set_index("value_per_child_year")
    assert list(table.index) == list(VALUES)
    for value in (0.0, 5e5, 1e7):
        worth = payoff(value)
        perfect = worth.max(axis=1).mean() - worth.mean(axis=0).max()
        assert table.loc[value, "evpi"] == pytest.approx(perfect, rel=1e-9)
        wins = (worth.argmax(axis=1) == worth.mean(axis=0).argmax()).mean()
        assert table.loc[value, "prob_best"] == pytest.approx(wins)


def test_the_frontier_says_who_is_best_at_each_value(workings):
    """Second method: the option to choose is the last on the frontier whose ratio the value reaches."""
    frontier = frontier_table(workings)
    on = frontier[frontier["status"] == "frontier"]
    ratios = on["icer"].fillna(-np.inf).to_numpy()
    assert (np.diff(ratios) > 0).all()
    best = best_option_table(workings)
    for row in best.itertuples():
        expected = on["option"].to_numpy()[np.flatnonzero(ratios <= row.value_per_child_year)[-1]]
        assert row.best == expected, row.value_per_child_year


def test_quadrants_are_shares_of_draws(workings, tables):
    table = tables["plane"].set_index("option")
    np.testing.assert_allclose(table.sum(axis=1), 1.0)
    arrays = workings.arrays
    gain = (arrays.child_years_safe - arrays.child_years_harm).sel(option="care_review")
    dearer = arrays.npv.sel(option="care_review") < 0
    assert table.loc["care_review", "better_dearer"] == pytest.approx(float(((gain >= 0) & dearer).mean()))


def test_worst_cases_and_regret(tables, payoff):
    for value in RISK_VALUES:
        rows = tables["risk"].query("value_per_child_year == @value")
        worth = payoff(value)
        worst = np.sort(worth, axis=0)[: DRAWS // 20].mean(axis=0)
        np.testing.assert_allclose(rows["cvar"], worst, rtol=1e-9, atol=1e-3)
        assert (rows["cvar"] <= rows["mean"] + 1e-3).all()
        loss = (worth.max(axis=1, keepdims=True) - worth).mean(axis=0)
        np.testing.assert_allclose(rows["expected_loss"], loss, rtol=1e-9, atol=1e-3)


def test_least_regret_is_the_value_of_perfect_information(tables):
    evpi = tables["best_option"].set_index("value_per_child_year")["evpi"]
    for value, rows in tables["risk"].groupby("value_per_child_year"):
        assert rows["expected_loss"].min() == pytest.approx(evpi.loc[value], rel=1e-9)


def test_chances_of_fewer_children_are_counts(workings, tables):
    table, year = tables["fewer_children_chances"], workings.inputs.analysis.target_year
    total = workings.arrays.children.sum("age").sel(year=year)
    fewer = (total.sel(option="bau") - total.sel(option="care_review")).values
    rows = table.query("option == 'care_review' and year == @year").sort_values("fewer_children")
    expected = [(fewer >= number).mean() for number in rows["fewer_children"]]
    np.testing.assert_allclose(rows["probability"], expected)
    assert (np.diff(rows["probability"]) <= 0).all()
    assert "bau" not in set(table["option"])


def test_payback_by_payer_is_worked_out_draw_by_draw(workings, tables):
    """Plain loop: the first year from which the payer's running total is never below zero again."""
    table, analysis = tables["payback_by_payer"], workings.inputs.analysis
    flow = workings.arrays.cash_flow.sel(option="care_review")
    years = np.arange(analysis.start_year, analysis.start_year + analysis.horizon)
    factors = discount_factors(np.arange(analysis.horizon), analysis.schedule)
    for payer in ("council", "nhs"):
        lines = flow.isel(line=np.flatnonzero(flow["payer"].values == payer)).sel(year=years)
        net = -lines.sum("line").transpose("sample", "year").values * factors
        found = []
        for draw in net.cumsum(axis=1):
            slack = 1e-9 * np.abs(draw).max()
            behind = np.flatnonzero(draw < -slack)
            late = behind[-1] + 1 if behind.size else 0
            found.append(years[late] if late < years.size else np.nan)
        rows = table.query("option == 'care_review' and payer == @payer")
        never = rows.loc[rows["year"].isna(), "probability"].iloc[0]
        assert never == pytest.approx(np.isnan(found).mean(), abs=2 / DRAWS)
        for year, chance in rows.dropna(subset="year")[["year", "probability"]].itertuples(index=False):
            assert chance == pytest.approx(np.mean(np.array(found) == year), abs=2 / DRAWS)
    sums = table.groupby(["option", "payer"])["probability"].sum()
    np.testing.assert_allclose(sums, 1.0)


def test_errors_of_shares_never_vanish():
    none = 0.5 / 400  # half a draw
    expected = [0.025, (none * (1 - none) / 400) ** 0.5, (none * (1 - none) / 400) ** 0.5]
    np.testing.assert_allclose(share_error(np.array([0.5, 0.0, 1.0]), 400), expected)


@pytest.fixture(scope="module")
def known():
    """Workings whose net present value is a known sum of two independent inputs."""
    made = made_workings("review_2022", 2000, 12)
    inputs = question_inputs(made)
    one, two = inputs["delivery.cost_overrun"], inputs["legal.cost_per_case"]
    npv = 3e9 * (one - one.mean()) / one.std() + 4e9 * (two - two.mean()) / two.std() + 1e9
    arrays = made.arrays
    together = arrays.npv.copy()
    together.loc[{"option": "care_review_reinvest"}] = npv.values  # the option the report follows
    return replace(made, arrays=replace(arrays, npv=together)), one, two


def test_the_tornado_finds_known_slopes(known):
    workings, one, two = known
    table = drivers_table(workings).query("outcome == 'npv'").set_index("input")
    assert list(table.index[:2]) == ["legal.cost_per_case", "delivery.cost_overrun"]
    for values, slope in ((one, 3e9), (two, 4e9)):
        row = table.loc[values.name]
        ends = np.quantile(values, [0.05, 0.95])
        expected = slope * (ends[1] - ends[0]) / float(values.std())
        assert row["swing"] == pytest.approx(expected, abs=4 * row["swing_se"] + 0.03 * expected)
        assert (row["input_low"], row["input_high"]) == pytest.approx(tuple(ends))
    rest = table.iloc[2:]
    assert (rest["swing"].abs() / rest["swing_se"] > 4).mean() < 0.05
    assert table["clear"].iloc[:2].all()
    assert (
        rest["clear"].sum() <= 1
    )  # of a hundred that are nothing, a fitted slope strays so far in one table of four


def test_an_input_that_cannot_move_a_result_is_not_clear_and_all_have_words_and_a_grade(known):
    workings, *_ = known
    table = drivers_table(workings)
    assert not table.loc[table["swing"] == 0.0, "clear"].any() and (table["swing"] == 0.0).any()
    assert set(table["confidence"]) <= {"green", "amber", "red", "blue", "fitted"}
    assert "fitted" in set(table["confidence"])
    assert not (table["description"] == table["input"]).any()


def test_variance_is_split_as_it_was_made(known):
    workings, *_ = known
    table = variance_table(workings, drivers_table(workings))
    by_input = table[table["split"] == "input"].set_index("name")
    for name, share in (("delivery.cost_overrun", 9 / 25), ("legal.cost_per_case", 16 / 25)):
        assert by_input.loc[name, "effect"] == pytest.approx(share, abs=0.05)
    by_question = table[table["split"] == "question"].set_index("name")
    assert by_question.loc["unit costs", "effect"] == pytest.approx(16 / 25, abs=0.06)
    assert by_question["effect"].sum() == pytest.approx(1.0, abs=0.03)
    assert by_question["effect"].idxmax() == "unit costs"


def test_switching_values_stand_where_the_sum_crosses_zero(known):
    """E[NPV | x] = 1e9 + slope z, so that it is zero at z = -1/3 and -1/4 standard deviations."""
    workings, one, two = known
    table = switching_table(workings, drivers_table(workings))
    rows = table[table["target"] == "Net present value of zero"].set_index("input")
    for values, slope in ((one, 3e9), (two, 4e9)):
        row = rows.loc[values.name]
        expected = float(values.mean() - values.std() * 1e9 / slope)
        assert row["reachable"] and row["value"] == pytest.approx(
            expected, abs=5 * row["se"] + 0.1 * float(values.std())
        )
        beyond = float((values < expected).mean())
        assert row["probability_beyond"] == pytest.approx(beyond, abs=0.06)
    far = table[table["target"].str.startswith("Even chance of 30,000")]
    assert not far["reachable"].any()
    assert set(far["verdict"]) == {"not reachable within the prior's support"}
    assert far["statistic_at_best"].between(0.0, 1.0).all()


def test_every_input_belongs_to_one_question(workings):
    inputs = question_inputs(workings)
    groups = grouped_questions(inputs)
    listed = [name for members in groups.values() for name in members]
    assert sorted(listed) == sorted(map(str, inputs.data_vars))
    assert not [name for name in listed if name.startswith(NOT_MONEY)]


def test_learning_is_valued_for_the_headline_stance_only(workings):
    assert of_headline_stance(workings)
    sceptical = replace(workings, inputs=replace(workings.inputs, stance="sceptical"))
    assert not of_headline_stance(sceptical)
    arrays = workings.arrays
    fewer = replace(workings, arrays=replace(arrays, npv=arrays.npv.isel(sample=slice(0, 100))))
    assert not of_headline_stance(fewer)


def test_few_draws_and_a_sure_result_teach_nothing(workings):
    assert not enough_to_learn(made_workings())
    arrays = workings.arrays
    sure = replace(workings, arrays=replace(arrays, npv=xr.zeros_like(arrays.npv)))
    assert not enough_to_learn(sure)


def test_the_lead_is_the_review_as_a_shift_where_it_is_appraised(workings):
    assert lead_option(workings) == "care_review_reinvest"
    accounts = {name: workings.accounts[name] for name in ("bau", "kinship_only")}
    assert lead_option(replace(workings, accounts=accounts)) == "kinship_only"


def test_all_learning_tables_are_there(workings):
    learning = {name for name, entry in TABLES.items() if entry.needs is enough_to_learn}
    assert learning == {
        "drivers", "variance_shares", "switching_values", "information_value", "study_values", "optimal_studies",
        "pilot_or_now", "pilot_learning", "pilot_power",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cba.tables.catalogue.TABLES", {name: TABLES[name] for name in learning})
        found = all_tables(workings)
    assert set(found) == learning
    assert all(isinstance(table, pd.DataFrame) and len(table) for table in found.values())
