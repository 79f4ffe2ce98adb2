"""Courses agree with the appraisal's own accounts, errors with the kept panel, tables with their parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from cba.appraisal.workings import net_saving
from cba.costs.account import total_cost
from cba.costs.option_account import option_account, run_off_account
from cba.decisions.staged import learn_then_choose
from cba.discounting import discount_factors
from cba.errors import InputError
from cba.inputs.analyses import load_analysis
from cba.models.sampling import normal_settings
from cba.models.slow_results import kept_table
from cba.tables.decisions import QUESTIONS, break_even_values, information_value
from cba.tables.pilots import (
    AREAS,
    CONTRASTS,
    FIRST_STEP,
    STOPPING_SHARE,
    VALUES,
    YEARS,
    _learned,
    contrast,
    courses,
    pilot_by_length,
    pilot_errors,
    pilot_option,
    pilot_tables,
    power_table,
    shown_effects,
    within_horizon,
)
from tests.appraisal.made_workings import made_workings

DRAWS = 400
HORIZON = 10
EFFECTS = ("pilot", "steps", "pilot_full", "steps_full")


@pytest.fixture(scope="module")
def workings():
    return made_workings("review_2022", DRAWS, 12)


@pytest.fixture(scope="module")
def tables(workings):
    return pilot_tables(workings) | {
        "break_even_values": break_even_values(workings),
        "information_value": information_value(workings),
    }


@pytest.fixture(scope="module")
def found(workings):
    return courses(workings, "care_review", years=[2])[2]


def shipped(workings, name):
    return next(o for o in workings.inputs.options if o.id == name)


def discounted(workings, yearly: np.ndarray) -> np.ndarray:
    return yearly[:, -HORIZON:] @ discount_factors(np.arange(HORIZON), workings.inputs.analysis.schedule)


def test_going_now_is_the_option_as_appraised(workings, found):
    arrays = workings.arrays
    chosen = {"option": "care_review"}
    np.testing.assert_allclose(found.now.npv, arrays.npv.sel(chosen), rtol=1e-10)
    np.testing.assert_allclose(found.now.safe, arrays.child_years_safe.sel(chosen), rtol=1e-10)
    np.testing.assert_allclose(found.now.harm, arrays.child_years_harm.sel(chosen), rtol=1e-10)


def test_cutting_the_calendar_changes_nothing_inside_the_horizon(workings):
    system, basis = within_horizon(workings)
    for option in workings.inputs.options:
        cut = discounted(workings, net_saving(option_account(option, system, basis)))
        # reinvested money is settled to a pound a year only, and differently on another calendar
        np.testing.assert_allclose(cut, workings.arrays.npv.sel(option=option.id), rtol=1e-9, atol=100.0)


def test_going_later_is_the_delayed_option(workings):
    """A study of d years delays by d + 2: three years for one, beside the account of that delay."""
    system, basis = within_horizon(workings)
    delayed = shipped(workings, "care_review_delayed").model_copy(update={"delay_years": 3})
    expected = discounted(workings, net_saving(option_account(delayed, system, basis)))
    np.testing.assert_allclose(courses(workings, "care_review", years=[1])[1].later.npv, expected, rtol=1e-10)


def test_the_pilot_spends_what_was_announced(workings):
    """£45m in cash over 2023-24 and 2024-25: family help is fixed money."""
    system, basis = within_horizon(workings)
    account = option_account(pilot_option(2), system, basis)
    programme = sum(line.amount for line in account.costs if line.kind == "programme")
    spent = programme[:, -HORIZON:]
    price = [float(np.mean(basis.index.index(2022) / basis.index.index(year))) for year in (2024, 2025)]
    np.testing.assert_allclose(spent.mean(axis=0)[1:3], 22.5e6 * np.array(price), rtol=1e-6)
    assert np.delete(spent, [1, 2], axis=1).max() == 0.0


def test_twice_the_areas_do_twice_as_much(workings, found):
    system, basis = within_horizon(workings)
    once = pilot_option(2)
    line = once.spend[0]
    doubled = line.model_copy(update={"gbp_million": {y: 2 * m for y, m in line.gbp_million.items()}})
    account = option_account(once.model_copy(update={"spend": (doubled,)}), system, basis)
    expected = found.pilot.scaled(2.0).npv
    # exactly but for exits, whose odds are OR to the power of coverage
    np.testing.assert_allclose(discounted(workings, net_saving(account)), expected, rtol=1e-4)


def test_stopping_after_the_horizon_is_not_stopping(workings, found):
    system, basis = within_horizon(workings)
    ended = run_off_account(shipped(workings, "care_review"), system, basis, last_year=2022 + HORIZON)
    npv = discounted(workings, net_saving(ended))
    np.testing.assert_allclose(npv, found.now.npv, rtol=1e-10)


def test_stopping_costs_are_a_share_of_the_last_years_money(workings, found):
    system, basis = within_horizon(workings)
    account = run_off_account(shipped(workings, "care_review"), system, basis, last_year=2026)
    programme = sum(line.amount for line in account.costs if line.kind != "recurrent")
    assert programme[:, -HORIZON + 4 :].max() == 0.0  # money ends; support of children's guardians goes on
    factor = discount_factors(np.array([4]), workings.inputs.analysis.schedule)[0]
    fee = STOPPING_SHARE * total_cost(account)[:, -HORIZON + 3] * factor
    expected = FIRST_STEP * (discounted(workings, net_saving(account)) - fee)
    np.testing.assert_allclose(found.stopped.npv, expected, rtol=1e-10)


def test_money_reinvested_in_half_of_the_areas_is_half_of_it(workings):
    """Each area spends what it saves itself, so a part of England is in proportion, as steps and pilots take it."""
    system, basis = within_horizon(workings)
    shift = shipped(workings, "care_review_reinvest")
    spend = tuple(
        line.model_copy(update={"gbp_million": {y: 0.5 * m for y, m in line.gbp_million.items()}})
        for line in shift.spend
    )
    areas, share = list(system.authority_share), 0.0
    chosen = []
    for code in areas:
        if share + system.authority_share[code] <= 0.5:
            chosen, share = [*chosen, code], share + system.authority_share[code]
    assert share == pytest.approx(0.5, abs=0.01)
    half = shift.model_copy(update={"spend": spend, "areas": tuple(chosen)})
    half = half.model_copy(update={"effects": half.effects.model_copy(update={"foster_carers_target": 4500})})
    found, whole = (option_account(o, system, basis).recurrent for o in (half, shift))
    assert whole.max() > 1e6
    np.testing.assert_allclose(found, 0.5 * whole, atol=0.02 * whole.max())


def test_what_cannot_be_worked_out_is_refused(workings):
    with pytest.raises(InputError, match="after the horizon"):
        courses(workings, "care_review", years=[2, 8])


def test_errors_are_those_kept_of_the_panel_widened():
    rows = kept_table("panel", "pilot_power").set_index(["outcome", "years", "areas"])
    found = pilot_errors(2, outcome="stock")
    assert found.index[-1] == 74 and found.index.is_monotonic_increasing
    for areas, row in found.iterrows():
        kept = rows.loc[("stock", 2, areas)]
        assert row["standard_error"] == pytest.approx(kept["standard_error"] * kept["wider"])


def test_the_published_design_sees_four_times_what_is_expected_or_less(tables):
    power = tables["pilot_power"].set_index("option").loc["care_review_reinvest"]
    assert power["hindsight"].all() and (power["available"] == "yes").all() and (power["contrast"] == 1).all()
    published = power[power["published"]].iloc[0]
    assert (published["areas"], published["years"]) == (12, 2)
    error = pilot_errors(2).loc[12, "standard_error"]
    assert published["detectable"] == pytest.approx((norm.ppf(0.975) + norm.ppf(0.8)) * error, rel=1e-5)
    assert published["expected"] < 0.05 < published["detectable"]
    assert published["detectable_percent"] == pytest.approx(100 * (1 - np.exp(-published["detectable"])))
    # The share is concave in the fall of the log: its mean lies below that of the mean, by little for small falls.
    at_mean = 100 * (1 - np.exp(-published["expected"]))
    assert at_mean - 0.01 < published["fall_percent_mean"] <= at_mean
    for end in ("lower", "upper"):
        assert published[f"fall_percent_{end}"] == pytest.approx(
            100 * (1 - np.exp(-published[end])), rel=0.02
        )
    assert 0.025 < published["power"] < 0.12  # hardly above the size of the one-sided test


def test_arms_that_differ_by_half_see_half_as_well():
    """No area is without since April 2025: the full dose is seen through a part of it, in proportion."""
    true = {2: xr.Dataset({name: ("sample", np.full(4, -0.03)) for name in EFFECTS})}
    analysis = load_analysis("latest")
    table = power_table(true, analysis).set_index(["controls", "contrast", "areas"]).sort_index()
    gone = table.loc["untreated"]
    assert gone["available"].str.startswith("no longer available").all() and not gone["asked"].any()
    assert not table["hindsight"].any()
    for part in CONTRASTS:
        rows = table.loc[("lower dose", part)]
        assert (rows["asked"] == (part == contrast(analysis))).all() and (rows["available"] == "yes").all()
        np.testing.assert_allclose(rows["detectable"] * part, gone.loc[1.0, "detectable"])
        in_stock = np.log1p(-rows["detectable_stock_percent"] / 100) * part
        np.testing.assert_allclose(in_stock, np.log1p(-gone.loc[1.0, "detectable_stock_percent"] / 100))


def test_half_the_dose_has_twice_the_bias_of_a_trial_of_areas(workings, found):
    """The same draws of the bias, at its spread by lot and in units of the full dose."""
    later = replace(
        workings.inputs, analysis=workings.inputs.analysis.model_copy(update={"start_year": 2026})
    )
    both = []
    for inputs in (workings.inputs, later):
        true, shown = shown_effects(replace(workings, inputs=inputs), found, years=2)
        both.append((shown["pilot"] - true["pilot"]).values)
    sd = [
        normal_settings(workings.inputs.priors, f"effects.area_bias_{kind}")[1] for kind in ("panel", "rct")
    ]
    np.testing.assert_allclose(both[1], both[0] * sd[1] / sd[0] / 0.5)


def test_effects_shown_vanish_without_effect_and_grow_with_coverage(workings, found):
    true, shown = shown_effects(workings, found, years=2)
    helps = workings.system.value("family_help.log_risk_ratio") < 0
    full = true["pilot_full"].values
    assert (full[helps] < 0).all() and (full[~helps] > 0).all()
    unserved = found.pilot.coverage[:, :4].max(axis=1) == 0  # draws in which delivery starts too late
    assert (true["pilot"].values[unserved] == 0).all()
    assert (np.abs(true["pilot_full"]) >= np.abs(true["pilot"])).all()
    lower = float((shown["steps"] - true["steps"]).mean())
    assert lower < 0  # the bias of an area panel favours the programme


def test_payoffs_are_linear_in_the_value_of_a_child_year(workings, tables):
    table = tables["pilot_or_now"]
    arrays = workings.arrays
    for option in ("care_review", "family_help_only"):
        chosen = (
            arrays.npv.sel(option=option).mean(),
            (arrays.child_years_safe - arrays.child_years_harm).sel(option=option).mean(),
        )
        rows = table[(table["option"] == option) & (table["strategy"] == "go_now")]
        expected = float(chosen[0]) + rows["value_per_child_year"] * float(chosen[1])
        np.testing.assert_allclose(rows["expected_payoff"], expected, rtol=1e-9)


def test_every_design_has_one_best_strategy(tables):
    table = tables["pilot_or_now"]
    cell = ["option", "value_per_child_year", "areas", "years"]
    # the programme is asked about every length of study, family help alone about the published one
    assert len(table) == len(VALUES) * len(AREAS) * (len(YEARS) + 1) * 4
    assert set(table.loc[table["option"] == "family_help_only", "years"]) == {2}
    assert (table.groupby(cell)["best"].sum() == 1).all()
    best = table[table["best"]].set_index(cell)["expected_payoff"]
    assert best.equals(table.groupby(cell)["expected_payoff"].max().loc[best.index])
    assert (table.loc[table["strategy"] == "never", "expected_payoff"] == 0).all()


def test_on_cash_alone_never_is_best(tables):
    """The programme costs more than it saves in every draw, and so does a pilot: nothing to find out."""
    table = tables["pilot_or_now"]
    cash = table[(table["value_per_child_year"] == 0) & table["best"]]
    assert set(cash["strategy"]) == {"never"}


def test_parts_of_piloting_add_up(tables):
    cell = ["option", "value_per_child_year", "areas", "years"]
    payoff = tables["pilot_or_now"].pivot(index=cell, columns="strategy", values="expected_payoff")
    parts = tables["pilot_learning"].set_index(cell)
    total = (
        payoff["go_now"].clip(lower=0)
        + parts["value_of_learning"] - parts["cost_of_delay"] - parts["pilot_cost"]
    )  # fmt: skip
    np.testing.assert_allclose(payoff["pilot_first"], total.loc[payoff.index], rtol=1e-9, atol=1.0)


def test_break_even_values_break_even(workings, tables):
    """At the median of the values an option has a net gain in half of the draws, counted one by one."""
    table = tables["break_even_values"].set_index(["kind", "name"])
    for kind in ("help", "option"):
        for name, row in table.loc[kind].dropna(subset=["value_per_child_year"]).iterrows():
            ended = workings.run_offs[name]
            years = ended.help_years if kind == "help" else ended.child_years
            pairs = list(zip(ended.npv, years, strict=True))
            for column, share in (("value_per_child_year", 0.5), ("lower", 0.05), ("upper", 0.95)):
                if np.isfinite(row[column]):
                    worth = row[column] * (1 + 1e-9 * np.sign(row[column]))
                    enough = [n + worth * y >= 0 if y > 0 else n >= 0 for n, y in pairs]
                    assert np.mean(enough) == pytest.approx(share, abs=1.0 / len(pairs)), (kind, name, column)
            never = [n < 0 and y <= 0 for n, y in pairs]
            assert row["prob_never"] == pytest.approx(np.mean(never))


def test_worth_of_help_is_read_from_the_published_claims(workings, tables):
    worth = tables["break_even_values"].query("kind == 'worth'").set_index("name")["value_per_child_year"]
    assert worth["help_worth_nothing"] == 0.0
    value = workings.system.value
    by_hand = np.median([2.28 * cost for cost in value("family_help.cost_per_child")])
    assert worth["help_worth_economic"] == pytest.approx(by_hand)
    deflator = workings.inputs.observations["gdp_deflator"]
    base = workings.inputs.analysis.price_base
    times = float(deflator.sel(deflator_year=base) / deflator.sel(deflator_year=2015))
    by_hand = np.median([11_200 * times / each for each in value("family_help.children_per_family")])
    assert worth["help_worth_before_after"] == pytest.approx(by_hand)


def test_anchors_are_in_the_price_base(workings, tables):
    anchors = tables["break_even_values"].query("kind == 'anchor'").set_index("name")
    deflator = workings.inputs.observations["gdp_deflator"]
    base = float(deflator.sel(deflator_year=2022) / deflator.sel(deflator_year=2020))
    assert anchors.loc["wellby", "value_per_child_year"] == pytest.approx(13_000 * base)
    assert anchors.loc["lifetime_cost", "value_per_child_year"] == pytest.approx(1.2e6 * 0.22 / 2.9, rel=0.08)
    assert (anchors["lower"] < anchors["value_per_child_year"]).all()


def test_no_question_is_worth_more_than_everything(tables):
    table = tables["information_value"]
    for _, rows in table.groupby("value_per_child_year"):
        everything = rows[rows["question"] == "everything"].iloc[0]
        rest = rows[rows["question"] != "everything"]
        assert set(rest["question"]) >= set(QUESTIONS) - {"whose evidence"}  # asked of a mixture only
        assert (rest["value"] <= everything["value"] + 3 * (rest["se"] + everything["se"])).all()


def test_without_an_option_in_question_there_is_no_pilot_to_judge(workings):
    assert pilot_tables(workings, options=()) == {}


def test_pilots_worked_out_once_are_those_of_each_option(workings, found):
    pilots = pilot_by_length(workings, [2])
    np.testing.assert_array_equal(pilots[2].npv, found.pilot.npv)
    shared = courses(workings, "family_help_only", years=[2], pilots=pilots)[2]
    assert shared.pilot is pilots[2]


def test_a_course_better_in_every_draw_is_chosen_without_a_study(workings, found):
    """The short cut gives what the full calculation gives: nothing to be learnt, to rounding."""
    _, shown = shown_effects(workings, found, years=2)
    later = xr.DataArray(found.later.worth(0.0), dims="sample")
    assert (later < 0).all()
    (short,) = _learned(xr.zeros_like(later), later, shown["pilot"], errors=[0.06])
    (full,) = learn_then_choose(xr.zeros_like(later), later, shown["pilot"], standard_errors=[0.06])
    assert short.payoff.value == 0.0 == short.learning.value
    assert full.learning.value == pytest.approx(0.0, abs=1e-6 * float(later.std()))
    (kept,) = _learned(later, xr.zeros_like(later), shown["pilot"], errors=[0.06])
    assert kept.payoff.value == 0.0
