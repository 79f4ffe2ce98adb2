"""Stresses leave the account alone at size 0, agree with a second route, and change the answer where they say."""

from __future__ import annotations

import dataclasses
import math
from functools import partial

import numpy as np
import pytest

from cba.appraisal.quantities import discounted
from cba.costs.account import placement_savings, saving_lines, total_cost
from cba.dimensions import PLACEMENTS
from cba.projection.care_system import averted_stock
from cba.tables.catalogue import TABLES
from cba.tables.children import one_more_start
from cba.tables.stress import (
    BOUGHT,
    CONCLUSIONS,
    KINDS,
    OWN_CARERS,
    Slopes,
    StressedDraws,
    StressKind,
    Switch,
    _row,
    _said,
    child_years_at_home,
    children_helped,
    even_chance,
    price_response,
    stress_tests,
    stressed_draws,
    switch_of_best,
    switch_of_mean,
)
from tests.appraisal.made_workings import line_sum, made_draws, made_inputs, made_workings, worked

LEAD = "care_review"
NAMES = [kind.name for kind in KINDS]


@pytest.fixture(scope="module")
def drawn(workings):
    return stressed_draws(workings)


@pytest.fixture(scope="module")
def found(workings):
    return stress_tests(workings)


def npv_at(draws, option, size):
    return draws.npv[option] + size * draws.slopes[option].npv


def fewer_at(draws, option, size):
    return draws.fewer[option] + size * draws.slopes[option].fewer


@pytest.mark.parametrize("name", NAMES)
def test_without_a_stress_every_account_is_as_it_was_bit_for_bit(workings, drawn, name):
    target = workings.arrays.children.sel(year=2032).sum("age")
    for option in drawn[name].npv:
        assert np.array_equal(npv_at(drawn[name], option, 0.0), workings.arrays.npv.sel(option=option).values)
        fewer = (target.sel(option="bau") - target.sel(option=option)).values
        assert np.array_equal(fewer_at(drawn[name], option, 0.0), fewer)


def test_full_displacement_takes_away_every_saving_and_child_but_no_cost(workings, drawn):
    for option, account in workings.accounts.items():
        if option == "bau":
            continue
        left = npv_at(drawn["displaced"], option, 1.0)
        np.testing.assert_allclose(left, -discounted(workings, total_cost(account)), rtol=1e-10, atol=1.0)
        assert not fewer_at(drawn["displaced"], option, 1.0).any()


def test_child_protection_is_support_at_home_at_the_published_cost_of_a_child_in_need(drawn):
    """Second route: the whole appraisal again, with that cost put on top of the input for support at home."""
    inputs, share = made_inputs(), 0.4
    weekly = 165.0  # LA and school expenditure 2023-24: social work, GBP per child in need per week
    draws = made_draws()
    supported = draws["home_support.supported_share"]
    cost = supported * draws["home_support.cost_per_year"] + share * weekly * 365 / 7
    changed = draws.assign(
        {"home_support.supported_share": supported * 0.0 + 1.0, "home_support.cost_per_year": cost}
    )
    again = worked(inputs, changed)
    for option in (LEAD, "family_help_only", "kinship_only"):
        expected = npv_at(drawn["protection"], option, share)
        np.testing.assert_allclose(again.arrays.npv.sel(option=option).values, expected, rtol=1e-6, atol=1e3)


def test_children_found_cost_what_the_account_charges_for_starts_an_option_adds(workings, drawn):
    """Second route: the compiled convolution, the placement prices and the saving lines of the account itself."""
    system, account, size = workings.system, workings.accounts[LEAD], 2.5
    starts = system.baseline["starts_reachable"].transpose("sample", "year", "age").values
    more = size / 1000.0 * children_helped(workings, account)
    added = -more[..., None] * starts / starts.sum(axis=-1, keepdims=True)
    by_age, by_placement = averted_stock(added, kernel=system.averted_kernel, mix=system.entrant_mix)
    prices = workings.basis.prices.path
    avoided = placement_savings(by_placement, 0.0 * by_placement, prices=prices, parameters=system.parameters)
    assert (avoided <= 1e-9).all()  # so that the account pays them in full
    children = dataclasses.replace(account.children, averted_starts=added)
    lines = saving_lines(system, children, avoided, cut=np.zeros_like(avoided))
    money = [line for line in lines if line.component != "care_proceedings"]
    worth = discounted(workings, line_sum(money)) + discounted(workings, _proceedings(system, more))
    change = npv_at(drawn["found"], LEAD, size) - drawn["found"].npv[LEAD]
    np.testing.assert_allclose(change, worth, rtol=1e-9)
    target = workings.years.index(2032)
    fewer = fewer_at(drawn["found"], LEAD, size) - drawn["found"].fewer[LEAD]
    np.testing.assert_allclose(fewer, by_age[:, target].sum(axis=-1), rtol=1e-9)


def _proceedings(system, more):
    """Proceedings of starts found, written out: deferred ones come back two to five years on, a quarter each."""
    case = system.value("legal.proceedings_share") * system.value("legal.cost_per_case")
    paid = np.zeros_like(more)
    for year in range(more.shape[1]):
        paid[:, year] -= more[:, year] * case
        for wait in (3, 4, 5, 6):
            if year >= wait:
                deferred = system.value("family_help.deferral_share")
                paid[:, year] += more[:, year - wait] * case * deferred / 4.0
    return paid


@pytest.mark.parametrize(("name", "chosen"), [("market", BOUGHT), ("fees", OWN_CARERS)])
def test_prices_that_follow_numbers_are_paid_on_the_placements_left(workings, drawn, name, chosen):
    """Plain loops over years and placements for one draw: price change times what is left to pay for."""
    elasticity, option = 0.7, "placement_reform"
    draw = int(np.argmax(workings.system.value("reform.step_down_share")))  # one in which children step down
    children = workings.accounts[option].children
    gone = children.moved if name == "fees" else children.moved + children.fewer_by_placement
    usual = workings.system.baseline["children"].transpose("sample", "year", "age").values[draw].sum(axis=-1)
    amount = np.zeros(len(workings.years))
    for t in range(len(workings.years)):
        for place in chosen:
            p = PLACEMENTS.index(place)
            number = usual[t] * workings.system.placement_mix[draw, t, p]
            fewer = (gone[draw, t, p] + (gone[draw, t - 1, p] if t else 0.0)) / 2.0
            cheaper = elasticity * fewer / number * workings.basis.prices.path[draw, t, p]
            amount[t] += cheaper * (number - fewer)
    expected = discounted(workings, amount[None, :])[0]
    change = npv_at(drawn[name], option, elasticity) - drawn[name].npv[option]
    assert change[draw] == pytest.approx(expected, rel=1e-9)
    assert expected > 0.0 if name == "market" else expected < 0.0


def test_places_that_stand_empty_take_the_saving_of_each_placement_and_nothing_else(workings, drawn):
    """Plain loops for one draw: the saving lines of placements with fewer children, not those of more."""
    draw, share, option = 3, 0.3, LEAD
    account, value = workings.accounts[option], workings.system.value
    now, rest = (float(value(f"cashable.{n}")[draw]) for n in ("share_at_once", "rest_later"))
    amount = np.zeros(len(workings.years))
    for t in range(len(workings.years)):
        for p in range(len(PLACEMENTS)):
            amount[t] += now * max(account.avoided[draw, t, p], 0.0)
            if t >= 2:
                amount[t] += (1.0 - now) * rest * max(account.avoided[draw, t - 2, p], 0.0)
    expected = -share * discounted(workings, amount[None, :])[0]
    change = npv_at(drawn["empty"], option, share) - drawn["empty"].npv[option]
    assert change[draw] == pytest.approx(expected, rel=1e-9) and expected < 0.0
    assert not drawn["empty"].slopes[option].fewer.any()


def test_dearer_guardians_cost_what_their_support_costs_already(workings, drawn):
    """A quarter more: a quarter of the account's support of guardians, present value, from a plain loop."""
    factors = workings.factors
    for option in drawn["guardians"].npv:
        paid = np.zeros(workings.system.reach.size)
        for line in workings.accounts[option].costs:
            if line.component == "guardianship_support":
                for year, factor in zip(workings.horizon, factors, strict=True):
                    paid += line.amount[:, workings.years.index(year)] * factor
        change = npv_at(drawn["guardians"], option, 0.25) - drawn["guardians"].npv[option]
        np.testing.assert_allclose(change, -0.25 * paid, rtol=1e-9, atol=1e-3)
    assert drawn["guardians"].slopes[LEAD].npv.mean() < 0.0
    assert not drawn["guardians"].slopes["foster_only"].npv.any()


def test_starts_that_are_all_replaced_leave_as_many_children_and_proceedings_as_before(workings, drawn):
    """Children averted at the ages of all starts: full replacement undoes every one of them, and its cost stays."""
    option = "family_help_only"
    averted = workings.accounts[option].children.averted_starts.sum(axis=-1)
    helped = averted.mean(axis=1) > 0.0
    left = fewer_at(drawn["threshold"], option, 1.0)[helped]
    before = drawn["threshold"].fewer[option][helped]
    assert abs(left.mean()) < 0.1 * before.mean()  # ages of those averted differ a little from those of all
    start = one_more_start(workings)
    paid = (np.maximum(averted, 0.0)[:, : start.cost.shape[1]] * start.cost).sum(axis=1)
    np.testing.assert_allclose(drawn["threshold"].slopes[option].npv, -paid, rtol=1e-12)


def test_harm_is_counted_by_child_years_that_should_not_have_been(workings, drawn):
    """Second route: the payoff that the acceptability table takes harm from, at one value of a child-year of harm."""
    value = 12_345.0
    expected = workings.arrays.npv - value * workings.arrays.child_years_harm
    for option in drawn["harm"].npv:
        np.testing.assert_allclose(
            npv_at(drawn["harm"], option, value), expected.sel(option=option), rtol=1e-12
        )
    table = child_years_at_home(workings).set_index("option")
    share = workings.system.value("family_help.harm_share")
    both = (workings.arrays.child_years_safe + workings.arrays.child_years_harm).sel(option=LEAD).values
    assert table.loc[LEAD, "harm_mean"] == pytest.approx((share * both).mean(), rel=1e-9)
    assert table.loc[LEAD, "safe_mean"] == pytest.approx(((1.0 - share) * both).mean(), rel=1e-9)


def test_each_stress_moves_the_result_the_way_its_words_say(drawn):
    lead = {name: drawn[name].slopes[LEAD] for name in NAMES}
    assert (lead["protection"].npv <= 0.0).all() and (lead["found"].npv < 0.0).all()
    assert (lead["found"].fewer < 0.0).all() and (lead["fees"].npv < 0.0).all()
    assert np.array_equal(lead["displaced"].fewer, -drawn["displaced"].fewer[LEAD])
    helped = drawn["market"].fewer[LEAD] > 100.0
    assert helped.any() and lead["market"].npv[helped].mean() > 0.0
    for name in ("protection", "found"):  # recruitment of carers averts no start and helps no child
        assert not drawn[name].slopes["foster_only"].npv.any()


def test_a_switching_size_put_back_leaves_a_mean_of_nothing(drawn, found):
    rows = found[found["size"].notna() & found["quantity"].isin(("npv_sign", "fewer_children"))]
    assert len(rows) > 20
    for row in rows.itertuples():
        draws = drawn[row.stress]
        at = partial(npv_at if row.quantity == "npv_sign" else fewer_at, draws)
        scale = abs(row.now) + abs(at(row.option, 0.0)).mean()
        assert abs(at(row.option, row.size).mean()) < 1e-9 * scale, (row.stress, row.option)


def test_at_a_tie_the_option_is_as_good_as_the_best_and_beyond_it_places_change(drawn, found):
    rows = found[found["reachable"] & (found["quantity"] == "best_by_npv")]
    assert len(rows)
    for row in rows.itertuples():
        draws = drawn[row.stress]

        def lead_over_others(size, draws=draws, option=row.option):
            means = {o: npv_at(draws, o, size).mean() for o in draws.npv} | {"bau": 0.0}
            return means.pop(option) - max(means.values())

        assert abs(lead_over_others(row.size)) < 1e-6 * abs(row.now)
        step = 0.01 * row.size
        assert (lead_over_others(row.size - step) > 0.0) == row.holds_now
        assert (lead_over_others(row.size + step) > 0.0) != row.holds_now


def test_what_is_possible_is_told_from_what_is_not(found):
    assert set(found["quantity"]) == set(CONCLUSIONS)
    high = found["possible_upper"].fillna(np.inf)
    inside = (found["size"] >= found["possible_lower"]) & (found["size"] <= high)
    untold = found["size_words"] == "cannot be told"
    assert (found["reachable"] == (inside & ~untold)).all() and found["reachable"].any() and not inside.all()
    assert (found["verdict"].str.startswith("It would have to be") == (inside & ~untold)).all()
    assert found.loc[~inside & ~untold, "verdict"].str.startswith("Cannot change it").all()
    assert found.loc[untold, "verdict"].str.startswith("Cannot be told").all()
    chance = found[found["quantity"] == "prob_fewer_30000"]
    assert not chance["reachable"].any() and chance["size"].isna().all()


@pytest.mark.parametrize(
    ("size", "se", "words"),
    [(-1846.6, 166.3, "\N{MINUS SIGN}2,000"), (0.0377, 0.0188, "0.04"), (21.8007, 0.2357, "22"), (21.8, 0.0, "21.8"),
     (1.0, 0.0, "1.00"), (0.0, 0.1, "0"), (0.6077, float("nan"), "0.608")],
)  # fmt: skip
def test_a_size_is_said_as_exactly_as_its_error_lets_it(size, se, words):
    assert _said(size, se) == words


def test_no_effect_is_said_to_change_a_sign_at_a_size_of_nothing(found):
    """Sizes of pure error were once rounded to 0: a loss of two billion that nothing would turn."""
    rows = found[found["now"].abs() > 0.0]
    assert (rows["size_words"] == "0").sum() == 0
    close = found["size"].notna() & (found["size"].abs() < 2.0 * found["size_se"])
    assert ((found["size_words"] == "cannot be told") == close).all()
    assert ((found["size_words"] == "none does") == found["size"].isna()).all()


def test_an_effect_that_does_not_act_on_an_option_has_a_size_that_cannot_be_told():
    """A loss, and a slope that is noise about nought: the size is anything, and its error says so."""
    rng = np.random.default_rng(3)
    pure = switch_of_mean(rng.normal(-2e9, 1e9, 4000), rng.normal(0.0, 1e9, 4000), chains=None)
    assert not pure.told and pure.se > abs(pure.size) / 2.0
    row = _row(KINDS[3], "made", "npv_sign", pure, (1.5, "made"))
    assert (row["size_words"], row["reachable"], row["hinted"]) == ("cannot be told", False, False)
    acting = switch_of_mean(rng.normal(-2e9, 1e9, 4000), rng.normal(1e9, 1e9, 4000), chains=None)
    assert acting.told and acting.size == pytest.approx(2.0, abs=4 * acting.se)


@pytest.mark.parametrize(("size", "seen", "hinted"), [
    (1.0, 1.5, True), (25.8, 1.5, False), (-0.5, 1.5, False), (-0.5, -0.7, True), (0.5, math.nan, False),
])  # fmt: skip
def test_a_size_is_hinted_at_only_between_nothing_and_the_figure_it_is_compared_with(size, seen, hinted):
    market = next(kind for kind in KINDS if kind.name == "market")
    assert _row(market, "made", "npv_sign", Switch(-1.0, False, size, 0.01), (seen, ""))["hinted"] is hinted


def test_the_review_would_need_effects_that_stresses_cannot_give(found):
    lead = found[(found["option"] == LEAD) & (found["quantity"] == "npv_sign")].set_index("stress")
    assert not lead.drop("market")["reachable"].any()
    assert lead.loc["market", "size"] > 3.0 * lead.loc["market", "comparison"]
    assert not lead["hinted"].any()
    assert lead.loc["market", "verdict"].endswith("beyond what published series hint at")


def test_starts_found_that_undo_family_help_are_about_those_it_averts(found):
    """Both are children at one rate per child helped; ages at the start differ a little between them."""
    row = found.query("stress == 'found' and option == 'family_help_only' and quantity == 'fewer_children'")
    assert float(row["size"].iloc[0]) == pytest.approx(float(row["comparison"].iloc[0]), rel=0.1)


def test_the_published_price_response_is_the_ratio_of_two_published_growths(workings):
    deflator = workings.inputs.observations["gdp_deflator"]
    real = math.log(6775 / 3630) - math.log(
        float(deflator.sel(deflator_year=2024) / deflator.sel(deflator_year=2018))
    )
    response = price_response(workings, cost="residential_care", placement="childrens_home")
    assert response == pytest.approx(real / math.log(8640 / 6650), rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_an_even_chance_changes_at_the_size_found_and_nowhere_nearer(seed):
    random = np.random.default_rng(seed)
    start, slope = random.normal(-1.0 if seed % 2 else 1.0, 2.0, 201), random.normal(0.3, 1.0, 201)
    lower, upper = (-4.0, 6.0) if seed < 4 else (0.0, 6.0)
    size = even_chance(start, slope, target=0.0, lower=lower, upper=upper)
    grid = np.linspace(lower, upper, 20_001)
    holds = ((start[:, None] + grid * slope[:, None] >= 0.0).mean(axis=0)) >= 0.5
    now = bool((start >= 0.0).mean() >= 0.5)
    turned = np.abs(grid[holds != now])
    assert math.isnan(size) == (len(turned) == 0)
    if len(turned):
        assert abs(size) == pytest.approx(turned.min(), abs=2e-3)


def test_a_tie_below_a_third_option_is_passed_over_and_possible_sizes_come_first():
    flat = np.zeros(8)
    draws = StressedDraws(
        {"a": flat - 4.0, "b": flat + 1.0, "c": flat + 3.0},
        {},
        {name: Slopes(flat + rate, flat) for name, rate in {"a": 2.0, "b": 0.5, "c": 0.0}.items()},
    )
    kind = StressKind("made", "Made", "units", 0.0, 10.0)
    assert switch_of_best(draws, "a", kind, chains=None).size == pytest.approx(3.5)  # b at 3.33, c at 3.5
    assert math.isnan(switch_of_best(draws, "b", kind, chains=None).size)
    assert switch_of_best(draws, "c", kind, chains=None).size == pytest.approx(3.5)


def test_an_analysis_of_business_as_usual_alone_has_nothing_to_stress(workings):
    alone = dataclasses.replace(workings, accounts={"bau": workings.accounts["bau"]})
    assert not TABLES["stress_tests"].needs(alone)


def test_the_frame_of_2022_with_pathfinder_areas_is_stressed_too():
    w = made_workings("review_2022")
    draws, tests = stressed_draws(w), stress_tests(w)
    left = npv_at(draws["displaced"], "dfe_2023", 1.0)
    np.testing.assert_allclose(left, -discounted(w, total_cost(w.accounts["dfe_2023"])), rtol=1e-10, atol=1.0)
    market = tests[tests["stress"] == "market"]["comparison"]
    assert market.notna().all() and (market > 0.0).all()
