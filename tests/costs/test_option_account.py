"""One option's account: financing modes, what costs and savings do when an input moves, and who pays."""

from __future__ import annotations

import numpy as np
import pytest

from cba.costs.account import (
    SUPPORT,
    MoneyLine,
    Terms,
    cashable,
    child_years,
    cost_lines,
    price_cut,
    programme_money,
    recurrent_cap,
    saving_lines,
    starts_averted,
    total_cost,
    total_saving,
)
from cba.costs.option_account import _account, _of_draws, cashed, option_account, reinvested_account
from cba.dimensions import PLACEMENTS
from cba.inputs.options import Recurrent
from cba.interventions.records import Work
from cba.models.unit_costs_accounts import WEEKS
from tests.appraisal.made_workings import (
    changed,
    line_sum,
    made_draws,
    made_inputs,
    made_workings,
    option,
    worked,
)

OPTIONS = [
    "care_review",
    "care_review_injection_only",
    "care_review_reinvest",
    "care_review_delayed",
    "ffp_2025",
    "family_help_only",
    "kinship_only",
    "foster_only",
    "placement_reform",
]


@pytest.fixture(scope="module")
def base():
    return made_workings()


def account_of(base, chosen):
    return option_account(chosen, base.system, base.basis)


def settings(base):
    basis = base.basis
    return Terms(basis.start_year, base.years, basis.price_base, basis.index, base.system.reach.size)


# --- money that buys nothing ----------------------------------------------------------------------------


def test_an_option_without_money_changes_nothing_at_all(base):
    """C14-1: its effects are asked for, but nothing pays for them."""
    free = option("care_review", id="free", spend=(), recurrent=None, financing="fade")
    account = account_of(base, free)
    for line in (*account.costs, *account.savings):
        assert (line.amount == 0).all(), line
    assert (account.children.fewer_by_age == 0).all()
    assert (account.children.fewer_by_placement == 0).all()
    assert (account.children.moved == 0).all()


def test_an_option_without_effect_costs_its_money_and_saves_nothing(base):
    """Workforce money alone: fixed money, so its cost is the money, and no saving in any draw."""
    spend = tuple(line for line in option("care_review").spend if line.component == "workforce")
    account = account_of(base, option("care_review", spend=spend, recurrent=None, financing="fade"))
    assert (total_saving(account) == 0).all()
    money = line_sum(programme_money(option("care_review", spend=spend), settings(base)))
    np.testing.assert_allclose(total_cost(account), money, rtol=1e-12)


def test_business_as_usual_has_no_lines(base):
    account = base.accounts["bau"]
    assert not total_cost(account).any() and not total_saving(account).any()


# --- financing modes ------------------------------------------------------------------------------------


def test_what_fades_has_no_recurrent_programme_money(base):
    account = base.accounts["care_review_injection_only"]
    assert not account.recurrent.any()
    assert {line.component for line in account.costs if line.kind == "recurrent"} == set(SUPPORT)
    last = base.years.index(2029)
    programme = line_sum(line for line in account.costs if line.kind == "programme")
    assert (programme[:, : last + 1].sum(axis=1) > 0).all() and not programme[:, last + 1 :].any()


def council_cashes(account) -> np.ndarray:
    """By hand: what councils save, less what they pay for children at home and with special guardians."""
    saved = line_sum(line for line in account.savings if line.payer == "council")
    return saved - line_sum(line for line in account.costs if line.component in SUPPORT)


def test_reinvested_money_is_what_a_year_by_year_account_finds(base):
    """An independent forward recursion: each year's money from the account of the years before it."""
    chosen = option("care_review_reinvest")
    lines, cap = programme_money(chosen, settings(base)), recurrent_cap(chosen, settings(base))
    share = base.system.value("delivery.reinvest_share")
    money = np.zeros_like(cap)
    for year in range(1, cap.shape[1]):
        known = _account(chosen, base.system, base.basis, lines, money)
        spare = council_cashes(known)[:, year - 1]
        money[:, year] = np.minimum(cap[:, year], share * np.maximum(spare, 0.0))
    found = base.accounts["care_review_reinvest"]
    np.testing.assert_allclose(found.recurrent, money, rtol=1e-9, atol=1.0)
    exact = _account(chosen, base.system, base.basis, lines, money)
    np.testing.assert_allclose(total_saving(found), total_saving(exact), rtol=1e-9, atol=1.0)
    np.testing.assert_allclose(cashed(chosen, found), council_cashes(found), rtol=1e-12, atol=1e-6)


def test_reinvested_spending_never_exceeds_what_the_council_cashed_the_year_before(base):
    """Money that was not saved cannot be spent; others' savings are not the council's."""
    account = base.accounts["care_review_reinvest"]
    spent = account.recurrent
    saved = np.maximum(council_cashes(account), 0.0)
    assert (spent[:, 1:] <= saved[:, :-1] + 2.0).all()
    assert spent.max() > 1e6 and (spent >= 0).all()
    assert (council_cashes(account) <= total_saving(account) + 1e-6).mean() > 0.5


def test_a_draw_reinvests_the_same_alone_or_among_others(base):
    """Leaving settled draws out of a round moves no other draw."""
    chosen = option("care_review_reinvest")
    together = base.accounts["care_review_reinvest"].recurrent
    for draw in (0, 7, 42):
        keep = np.array([draw])
        alone, basis, lines = _of_draws(
            keep, base.system, base.basis, programme_money(chosen, settings(base))
        )
        cap = recurrent_cap(chosen, settings(base))[keep]
        found = reinvested_account(chosen, alone, basis, lines, cap)
        np.testing.assert_allclose(found.recurrent[0], together[draw], rtol=1e-9, atol=1.0)


def test_money_for_good_is_at_least_what_is_reinvested(base):
    for_good, reinvested = base.accounts["care_review"], base.accounts["care_review_reinvest"]
    assert (for_good.recurrent >= reinvested.recurrent).all()
    assert (reinvested.recurrent >= 0).all()
    fade, full = base.accounts["care_review_injection_only"], base.accounts["care_review"]
    years = slice(0, base.years.index(2029) + 1)
    np.testing.assert_allclose(total_cost(fade)[:, years], total_cost(full)[:, years], rtol=1e-12)


def test_delay_moves_the_whole_cost_by_two_years(base):
    now, later = base.accounts["care_review"], base.accounts["care_review_delayed"]
    spent = [line_sum(x for x in a.costs if x.kind in ("programme", "deadweight")) for a in (now, later)]
    np.testing.assert_allclose(spent[1][:, 2:], spent[0][:, :-2], rtol=1e-9, atol=1e-3)
    np.testing.assert_allclose(later.recurrent[:, 2:], now.recurrent[:, :-2], rtol=1e-12)


# --- raising a cost (C14-2) -----------------------------------------------------------------------------


def npv_and_savings(workings):
    return workings.arrays.npv, {o: total_saving(a) for o, a in workings.accounts.items()}


@pytest.fixture(scope="module")
def dearer():
    """Every option with an overrun a fifth above that of each draw."""
    return worked(made_inputs(), changed(made_draws(), delivery__cost_overrun=1.2))


PAYS_ALLOWANCES = {"care_review", "care_review_injection_only", "care_review_reinvest"}
PAYS_ALLOWANCES |= {"care_review_delayed", "kinship_only"}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_higher_overrun_never_raises_net_benefit_or_savings(base, dearer, name):
    beneficial = base.system.value("family_help.log_risk_ratio") <= 0
    change = (dearer.arrays.npv - base.arrays.npv).sel(option=name).values
    if name in PAYS_ALLOWANCES:
        assert (change <= 1e-3).all() and change.min() < -1e3
    else:  # its money is fixed
        np.testing.assert_array_equal(change, 0.0)
    saved = total_saving(dearer.accounts[name]) - total_saving(base.accounts[name])
    if name == "care_review_reinvest":  # dearer help means less of it, also where it does harm
        saved = saved[beneficial]
    assert (saved <= 1e-3).all()


@pytest.mark.parametrize(
    "entry, name",
    [
        ("family_help.cost_per_family_in_need", "family_help_only"),
        ("kinship.meeting_cost", "kinship_only"),
        ("kinship.guardianship_support", "kinship_only"),
        ("foster.cost_per_carer", "foster_only"),
    ],
)
def test_a_dearer_unit_never_raises_savings_where_the_effect_helps(base, entry, name):
    """Where an effect is adverse, less of it is a saving: those draws must move the other way."""
    drawn = made_draws()
    after = worked(made_inputs(), drawn.assign({entry: drawn[entry] * 1.3}))
    saved = total_saving(after.accounts[name]) - total_saving(base.accounts[name])
    if entry == "family_help.cost_per_family_in_need":
        effect = base.system.value("family_help.log_risk_ratio")
        tilt = np.minimum(
            base.system.value("family_help.age_tilt_under_1"),
            base.system.value("family_help.age_tilt_16_plus"),
        )
        helps = (effect < 0) & (tilt > 0) & (base.system.value("family_help.log_odds_of_leaving") >= 0)
    elif entry == "kinship.meeting_cost":
        helps = base.system.value("kinship.log_risk_ratio") <= 0
    elif entry == "kinship.guardianship_support":
        helps = base.system.value("kinship.permanence_gain") >= 0
    else:  # a place may replace what is cheaper than itself; a target met later leaves fewer carers gone by the end
        before, then = (made.accounts[name].delivered("foster_places") for made in (base, after))
        helps = (total_saving(base.accounts[name]) >= 0).all(axis=1) & (then <= before).all(axis=1)
    assert helps.sum() > 20
    total = saved[helps].sum(axis=1)
    assert (total <= 1.0).all()
    if entry == "kinship.guardianship_support":
        np.testing.assert_array_equal(saved, 0.0)
        cost = total_cost(after.accounts[name]) - total_cost(base.accounts[name])
        assert (cost[helps] >= 0).all() and cost.max() > 0
    else:
        assert total.min() < -1.0


def allowance_bill(system):
    """Yearly cost of closing the allowance gap for every existing carer in the scope of the review."""
    children = system.value("kinship.guardianship_children") + system.value("kinship.arrangement_children")
    return system.value("kinship.allowance_gap") * WEEKS * children


# --- who pays, and for what -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["care_review", "kinship_only"])
def test_deadweight_and_the_rest_are_the_kinship_money(base, name):
    account = base.accounts[name]
    money = [line for line in programme_money(option(name), settings(base)) if line.component == "kinship"]
    shown = [
        line.amount
        for line in account.costs
        if line.component == "kinship" and line.kind in ("programme", "deadweight")
    ]
    led = base.system.value("kinship.allowance_share") * (base.system.value("delivery.cost_overrun") - 1.0)
    np.testing.assert_allclose(sum(shown), line_sum(money) * (1.0 + led)[:, None], rtol=1e-12)
    assert all((amount >= 0).all() for amount in shown)


def test_allowances_are_paid_as_late_as_services_start_and_cost_what_they_pay(base):
    """The gap paid over all years is the money over the bill, and none of it comes before its money."""
    account = base.accounts["kinship_only"]
    bill = allowance_bill(base.system)[:, None]
    overrun = base.system.value("delivery.cost_overrun")[:, None]
    spent = line_sum(line for line in account.costs if line.kind == "deadweight") / overrun / bill
    paid = account.delivered("allowances")
    assert (np.cumsum(paid, axis=1) <= np.cumsum(spent, axis=1) + 1e-12).all()
    last = base.system.value("delivery.start_delay") + base.system.value("delivery.ramp_stretch") < 7.0
    assert last.mean() > 0.9
    np.testing.assert_allclose(paid[last].sum(axis=1), spent[last].sum(axis=1), rtol=1e-9)
    late = base.system.value("delivery.start_delay") > 1.0
    first = int(np.argmax(spent[0] > 0))
    assert late.any() and not paid[late, first].any() and (spent[late, first] > 0).all()


# --- children who are not in care -----------------------------------------------------------------------


def test_support_at_home_is_a_council_cost_of_every_averted_child_year(base):
    account = base.accounts["family_help_only"]
    (line,) = [x for x in account.costs if x.component == "home_support"]
    assert (line.payer, line.kind) == ("council", "recurrent")
    fewer = account.children.fewer_by_age.sum(axis=-1)  # no allowances: all of them are averted starts
    np.testing.assert_allclose(account.children.at_home, fewer, rtol=1e-9, atol=1e-6)
    rate = base.system.value("home_support.cost_per_year") * base.system.value("home_support.supported_share")
    expected = child_years(np.maximum(fewer, 0.0)) * rate[:, None]
    np.testing.assert_allclose(line.amount, expected, rtol=1e-9, atol=1e-3)
    harmful = (fewer <= 0).all(axis=1)
    assert harmful.any() and not line.amount[harmful].any()


def test_special_guardians_are_supported_by_the_council_for_as_long_as_the_child_is_one(base):
    account = base.accounts["kinship_only"]
    (line,) = [x for x in account.costs if x.component == "guardianship_support"]
    assert (line.payer, line.kind) == ("council", "recurrent")
    expected = child_years(account.children.under_guardianship)
    expected = expected * base.system.value("kinship.guardianship_support")[:, None]
    np.testing.assert_allclose(line.amount, expected, rtol=1e-12)
    assert line.amount[:, -1].mean() > 0  # orders outlast the programme


@pytest.mark.parametrize("name", ["foster_only", "placement_reform"])
def test_moving_children_between_placements_sends_nobody_home(base, name):
    account = base.accounts[name]
    assert not account.children.at_home.any()
    assert not any(line.component in SUPPORT for line in account.costs)


def test_deadweight_is_the_allowance_money_up_to_the_bill_of_existing_carers(base):
    account, chosen = base.accounts["kinship_only"], option("kinship_only")
    bill = allowance_bill(base.system)
    money = line_sum(programme_money(chosen, settings(base)))
    for_allowances = money * base.system.value("kinship.allowance_share")[:, None]
    expected = np.minimum(for_allowances, bill[:, None]) * base.system.value("delivery.cost_overrun")[:, None]
    found = line_sum(line for line in account.costs if line.kind == "deadweight")
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_recurrent_kinship_money_is_split_too(base):
    """An option of a user that goes on paying allowances: no line below zero, the sum is the money."""
    later = Recurrent(
        component="kinship", payer="council", gbp_million=50, first_offset=4, price_year=2024, source="x"
    )
    chosen = option("kinship_only", recurrent=later, financing="new_recurrent")
    account = account_of(base, chosen)
    kinship = [line for line in account.costs if line.component == "kinship"]
    assert all((line.amount >= -1e-6).all() for line in kinship)
    led = base.system.value("kinship.allowance_share") * (base.system.value("delivery.cost_overrun") - 1.0)
    money = line_sum(programme_money(chosen, settings(base))) + recurrent_cap(chosen, settings(base))
    np.testing.assert_allclose(line_sum(kinship), money * (1.0 + led)[:, None], rtol=1e-12)
    assert (line_sum(line for line in kinship if line.kind == "deadweight")[:, -1] > 0).all()


def test_payers_share_homes_and_proceedings(base):
    account = base.accounts["care_review"]
    amount = {(line.component, line.payer): line.amount for line in account.savings}
    nhs = base.system.value("payers.nhs_share_of_homes")[:, None]
    homes = amount["childrens_homes", "council"] + amount["childrens_homes", "nhs"]
    np.testing.assert_allclose(amount["childrens_homes", "nhs"], homes * nhs, rtol=1e-9)
    legal = amount["care_proceedings", "council"] + amount["care_proceedings", "justice"]
    council = base.system.value("legal.council_share")[:, None]
    np.testing.assert_allclose(amount["care_proceedings", "council"], legal * council, rtol=1e-9)


def test_deferred_starts_still_lead_to_proceedings(base):
    """Every averted start is counted, less the deferred share three to six years later in equal parts."""
    children = base.accounts["care_review"].children
    averted = children.averted_starts.sum(axis=-1)
    share = base.system.value("family_help.deferral_share")
    found = starts_averted(base.system, children)
    expected = averted.copy()
    for year in range(averted.shape[1]):
        for wait in (3, 4, 5, 6):
            if year >= wait:
                expected[:, year] -= share * averted[:, year - wait] / 4
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-9)


# --- placement reform -----------------------------------------------------------------------------------


def test_a_lower_price_is_paid_less_at_once_on_the_placements_that_remain(base):
    chosen = option("placement_reform")
    account = base.accounts["placement_reform"]
    home = PLACEMENTS.index("childrens_home")
    left = base.arrays.placements.sel(option="placement_reform", placement="childrens_home").values
    shown = left.shape[1]
    price = base.basis.prices.path[:, :shown, home]
    cut = (
        account.delivered("reform")[:, :shown]
        * base.system.value("reform.home_price_cut")[:, None]
        * left
        * price
    )
    spend_only = option_account(chosen.model_copy(update={"id": "x"}), zero_cut(base.system), base.basis)
    homes = [
        line_sum(x for x in a.savings if x.component == "childrens_homes") for a in (account, spend_only)
    ]
    np.testing.assert_allclose((homes[0] - homes[1])[:, :shown], cut, rtol=1e-9, atol=1.0)


def zero_cut(system):
    import dataclasses

    parameters = system.parameters.assign(
        {"reform.home_price_cut": system.parameters["reform.home_price_cut"] * 0}
    )
    return dataclasses.replace(system, parameters=parameters)


def test_a_reform_is_in_place_when_its_programme_is_paid(base):
    """Running costs do not bring it nearer, so the length of the projection does not matter."""
    reform = base.accounts["placement_reform"].delivered("reform")
    assert (np.diff(reform, axis=1) >= -1e-12).all() and reform.max() <= 1.0 + 1e-12
    soon = base.system.value("delivery.start_delay") + base.system.value("delivery.ramp_stretch") < 3.0
    assert soon.sum() > 50
    np.testing.assert_allclose(reform[soon, base.years.index(2034)], 1.0, rtol=1e-9)


def test_savings_by_line_written_out(base):
    """Who gains: homes by payer, the three kinds of fostering, all the rest, and care proceedings."""
    account, value = base.accounts["care_review"], base.system.value
    share = {"at_once": value("cashable.share_at_once"), "rest_later": value("cashable.rest_later")}
    rng = np.random.default_rng(0)
    cut = rng.uniform(0.0, 1e5, account.avoided.shape)
    found = {
        (line.component, line.payer): line.amount
        for line in saving_lines(base.system, account.children, account.avoided, cut=cut)
    }
    paid = dict(zip(PLACEMENTS, np.moveaxis(cashable(account.avoided, **share) + cut, -1, 0), strict=True))
    nhs = value("payers.nhs_share_of_homes")[:, None]
    fostered = [name for name in PLACEMENTS if name.startswith("foster")]
    rest = [name for name in PLACEMENTS if name not in (*fostered, "childrens_home")]
    case = (value("legal.proceedings_share") * value("legal.cost_per_case"))[:, None]
    legal = cashable(starts_averted(base.system, account.children) * case, **share)
    council = value("legal.council_share")[:, None]
    expected = {
        ("childrens_homes", "council"): (1 - nhs) * paid["childrens_home"],
        ("childrens_homes", "nhs"): nhs * paid["childrens_home"],
        ("fostering", "council"): sum(paid[name] for name in fostered),
        ("other_placements", "council"): sum(paid[name] for name in rest),
        ("care_proceedings", "council"): legal * council,
        ("care_proceedings", "justice"): legal * (1 - council),
    }
    assert len(fostered) == 3 and len(rest) == 4 and set(found) == set(expected)
    for line, amount in expected.items():
        np.testing.assert_allclose(found[line], amount, rtol=1e-9, atol=1e-3)
    np.testing.assert_allclose(total_saving(account), line_sum(account.savings), rtol=1e-12)
    np.testing.assert_allclose(total_cost(account), line_sum(account.costs), rtol=1e-12)


def test_two_effects_on_one_price_multiply(base):
    """A tenth and a fifth off a price leave 0.72 of it, paid for the placements that remain."""
    account, prices = base.accounts["care_review"], base.basis.prices.path
    tenth, fifth = np.full(prices.shape, 0.1), np.full(prices.shape, 0.2)
    left = base.system.ground.children.sum(-1)[..., None] * base.system.placement_mix
    left = left - account.children.fewer_by_placement - account.children.moved
    for shares, cut in (((tenth,), 0.1), ((tenth, fifth), 0.28)):
        work = [Work("x", "x", np.zeros(prices.shape[:2]), cheaper=share) for share in shares]
        found = price_cut(base.system, account.children, work=work, prices=prices)
        np.testing.assert_allclose(found, cut * left * prices, rtol=1e-9)
    assert not price_cut(base.system, account.children, work=[], prices=prices).any()


def test_what_is_paid_for_nothing_is_taken_from_its_component_in_proportion(base):
    """Of lines of 30 and 10, 20 are deadweight: 15 and 5; where nothing is spent nothing is."""
    years = np.array([[1.0, 0.0]]) + np.zeros((base.system.reach.size, 1))
    lines = (
        MoneyLine("kinship", "dfe", "programme", 30.0 * years),
        MoneyLine("kinship", "council", "recurrent", 10.0 * years),
        MoneyLine("foster", "dfe", "programme", 7.0 * years),
    )
    idle, busy = (Work("x", "kinship", years, deadweight=amount * years) for amount in (0.0, 20.0))
    assert [line.kind for line in cost_lines(base.system, lines, work=[idle])] == [
        line.kind for line in lines
    ]
    found = {(x.component, x.payer, x.kind): x.amount for x in cost_lines(base.system, lines, work=[busy])}
    expected = {
        ("kinship", "dfe", "programme"): 15.0,
        ("kinship", "dfe", "deadweight"): 15.0,
        ("kinship", "council", "recurrent"): 5.0,
        ("kinship", "council", "deadweight"): 5.0,
        ("foster", "dfe", "programme"): 7.0,
    }
    assert set(found) == set(expected)
    for line, amount in expected.items():
        np.testing.assert_allclose(found[line], amount * years, rtol=1e-12)


@pytest.mark.parametrize("overrun", [None, "none", "delivery", "money"])
def test_only_what_is_led_by_demand_overruns_in_money(base, overrun):
    """Of 40, 10 are led by demand: it alone overruns, nothing does, or all of it does; by hand, line by line."""
    over = base.system.value("delivery.cost_overrun")[:, None]
    years = np.array([[1.0, 0.0]]) + np.zeros((over.size, 1))
    lines = (
        MoneyLine("kinship", "dfe", "programme", 30.0 * years),
        MoneyLine("kinship", "council", "recurrent", 10.0 * years),
        MoneyLine("foster", "dfe", "programme", 7.0 * years),
    )
    work = [Work("x", "kinship", years, deadweight=4.0 * years, demand_led=10.0 * years)]
    costs = cost_lines(base.system, lines, work=work, overrun=overrun)
    found = {(x.component, x.payer, x.kind): x.amount[:, :1] for x in costs}
    led = np.ones_like(over) if overrun == "none" else over
    fixed = over if overrun == "money" else np.ones_like(over)
    expected = {
        ("kinship", "dfe", "programme"): 0.75 * (6.0 * led + 30.0 * fixed),
        ("kinship", "dfe", "deadweight"): 3.0 * led,
        ("kinship", "council", "recurrent"): 0.25 * (6.0 * led + 30.0 * fixed),
        ("kinship", "council", "deadweight"): 1.0 * led,
        ("foster", "dfe", "programme"): 7.0 * fixed,
    }
    assert set(found) == set(expected)
    for line, amount in expected.items():
        np.testing.assert_allclose(found[line], amount, rtol=1e-12, err_msg=str(line))


def test_what_an_effect_delivers_is_found_by_its_name(base):
    account = base.accounts["care_review"]
    for work in account.work:
        assert account.delivered(work.name) is work.delivered
    assert not account.delivered("nothing of this name").any()
    assert account.delivered("nothing of this name").shape == account.recurrent.shape
