"""Money that stops with the horizon, and options on top of what is funded already: closed forms and invariants."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr

from cba.appraisal.quantities import QUANTITIES, fewer_children, headline_results
from cba.appraisal.workings import net_saving, run_off, yearly_factors
from cba.costs.account import SUPPORT, total_cost
from cba.costs.option_account import account_on_top, cashed, option_account, run_off_account
from cba.inputs.options import DO_MINIMUM
from tests.appraisal.made_workings import line_sum, made_workings, option

OPTIONS = (
    "care_review",
    "care_review_injection_only",
    "care_review_reinvest",
    "family_help_only",
    "kinship_only",
    "foster_only",
    "placement_reform",
)
STAY = 3


@pytest.fixture(scope="module")
def base():
    return made_workings("latest", 40, 24)


def without_exits(system):
    """The same with family help that changes no exits."""
    none = xr.zeros_like(system.parameters["family_help.log_odds_of_leaving"])
    return dataclasses.replace(
        system, parameters=system.parameters.assign({"family_help.log_odds_of_leaving": none})
    )


def scaled(name, times):
    """An option with all of its money some times as much."""
    whole = option(name)
    spend = tuple(
        line.model_copy(update={"gbp_million": {y: times * m for y, m in line.gbp_million.items()}})
        for line in whole.spend
    )
    later = whole.recurrent and whole.recurrent.model_copy(
        update={"gbp_million": times * whole.recurrent.gbp_million}
    )
    return whole.model_copy(update={"spend": spend, "recurrent": later})


# --- run-off --------------------------------------------------------------------------------------------


def test_one_averted_start_of_a_known_stay_is_followed_to_its_end(base):
    """Each averted start keeps one child away at the next three year ends: a half, two and a half child-years."""
    base = dataclasses.replace(base, system=without_exits(base.system))
    kernel = np.zeros_like(base.system.averted_kernel)
    for age in range(kernel.shape[1]):
        kernel[:, age, age, :STAY] = 1.0
    system = dataclasses.replace(base.system, averted_kernel=kernel)
    small = scaled("family_help_only", 0.1)  # so few that each age has them
    inputs = dataclasses.replace(base.inputs, options=(small,))
    _, found = run_off(dataclasses.replace(base, system=system, inputs=inputs), "family_help_only")
    account = run_off_account(small, system, base.basis, last_year=base.horizon[-1])
    factors = yearly_factors(base.inputs.analysis, base.system.years)
    averted = account.children.averted_starts.sum(axis=-1)
    last = len(base.years) - STAY - 1
    ended = np.abs(averted[:, last:]).max(axis=1) == 0.0  # the services of the last money are over in time
    assert ended.sum() >= 10
    for draw in np.flatnonzero(ended):
        by_hand = 0.0
        for year in range(last):
            weights = [0.5, *[1.0] * (STAY - 1), 0.5]
            by_hand += averted[draw, year] * sum(w * factors[year + k] for k, w in enumerate(weights))
        assert found[draw] == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("name", ["care_review", "care_review_reinvest", "placement_reform"])
def test_no_money_flows_after_the_horizon_and_all_before_is_as_it_was(base, name):
    ended = run_off_account(base.option(name), base.system, base.basis, last_year=base.horizon[-1])
    usual, place = base.accounts[name], base.years.index(base.horizon[-1])
    spent = line_sum(line for line in ended.costs if line.component not in SUPPORT)
    assert not spent[:, place + 1 :].any() and spent[:, place].any()
    np.testing.assert_allclose(net_saving(ended)[:, : place + 1], net_saving(usual)[:, : place + 1])
    later = line_sum(line for line in usual.costs if line.component not in SUPPORT)
    assert later[:, place + 1 :].max() > 0.0


def test_programme_money_of_later_years_is_not_spent_either(base):
    late = base.option("care_review").model_copy(update={"delay_years": 8})  # 2,523 million over 2034 to 2037
    ended = run_off_account(late, base.system, base.basis, last_year=base.horizon[-1])
    place = base.years.index(base.horizon[-1])
    for account, later in ((ended, False), (option_account(late, base.system, base.basis), True)):
        spent = line_sum(line for line in account.costs if line.kind == "programme")
        assert spent[:, place - 1 : place + 1].any() and spent[:, place + 1 :].any() == later


def test_averted_starts_run_on_and_a_price_does_not(base):
    place = base.years.index(base.horizon[-1])
    last = {"last_year": base.horizon[-1]}
    help_ended = run_off_account(base.option("family_help_only"), base.system, base.basis, **last)
    assert np.abs(help_ended.children.fewer[:, -1]).max() > 1.0
    reform = run_off_account(base.option("placement_reform"), base.system, base.basis, **last)
    # Half a child-year is left in the year after, and what was not cashable at once is two years later.
    assert not net_saving(reform)[:, place + 4 :].any() and net_saving(reform)[:, place].any()


def test_an_option_whose_money_ends_before_runs_off_as_it_is(base):
    npv, _ = run_off(base, "care_review_injection_only")
    np.testing.assert_allclose(npv, base.arrays.npv_long.sel(option="care_review_injection_only"))


# --- on top of what is funded already -------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIONS)
def test_on_top_of_nothing_is_the_option(base, name):
    bau = base.accounts["bau"]
    found = account_on_top(base.option(name), base.system, base.basis, below=base.option("bau"), alone=bau)
    usual = base.accounts[name]
    np.testing.assert_allclose(net_saving(found), net_saving(usual), rtol=1e-12, atol=1e-3)
    np.testing.assert_array_equal(found.children.fewer_by_age, usual.children.fewer_by_age)


@pytest.mark.parametrize("name", OPTIONS)
def test_little_money_adds_up(base, name):
    """Coverage capped nowhere and effects small: what the option brings on top is what it brings alone.

    Where all that is saved leaves budgets, and no effect is adverse: otherwise an extra cost counts for more than a
    saving, and what is never negative does not add up.
    """
    value = base.system.value
    whole = xr.ones_like(base.system.parameters["cashable.share_at_once"])
    parameters = base.system.parameters.assign({"cashable.share_at_once": whole})
    system = dataclasses.replace(base.system, parameters=parameters)
    good = (
        (value("family_help.log_odds_of_leaving") > 0)
        & (value("family_help.log_risk_ratio") < 0)
        & (value("kinship.log_risk_ratio") < 0)
    )
    good &= value("kinship.permanence_gain") > 0
    good &= (value("family_help.age_tilt_under_1") > 0) & (value("family_help.age_tilt_16_plus") > 0)
    assert good.sum() >= 10
    small, below = scaled(name, 1e-4), scaled(DO_MINIMUM, 1e-4)
    if name == "foster_only":  # nobody else recruits: the same carers, exactly
        small = option(name)
    alone = option_account(below, system, base.basis)
    both = account_on_top(small, system, base.basis, below=below, alone=alone)
    usual = net_saving(option_account(small, system, base.basis))
    more = net_saving(both) - net_saving(alone)
    size = np.abs(usual).max()
    np.testing.assert_allclose(more[good], usual[good], rtol=0, atol=1e-3 * size)


def test_money_of_both_is_spent_and_coverage_is_capped_jointly(base):
    alone = base.accounts[DO_MINIMUM]
    both = account_on_top(
        base.option("care_review"), base.system, base.basis, below=base.option(DO_MINIMUM), alone=alone
    )
    parts = [a for a in (alone, base.accounts["care_review"])]
    fixed = [line_sum(c for c in a.costs if c.component == "family_help") for a in (both, *parts)]
    np.testing.assert_allclose(fixed[0], fixed[1] + fixed[2], rtol=1e-12)
    kinship = [line_sum(c for c in a.costs if c.component == "kinship") for a in (both, *parts)]
    np.testing.assert_allclose(kinship[0], kinship[1] + kinship[2], rtol=1e-12, atol=1e-3)
    cover = [a.delivered("family_help") for a in (both, *parts)]
    assert cover[0].max() <= 1.0 and (cover[0] <= cover[1] + cover[2] + 1e-12).all()
    assert (cover[0] < cover[1] + cover[2] - 1e-3).any()
    free = cover[0] < 1.0  # both programmes start in one year, so set-up is the same share of each
    np.testing.assert_allclose(cover[0][free], (cover[1] + cover[2])[free], rtol=1e-9, atol=1e-12)


def test_money_reinvested_on_top_comes_out_of_the_options_own_savings(base):
    alone, chosen = base.accounts[DO_MINIMUM], base.option("care_review_reinvest")
    both = account_on_top(chosen, base.system, base.basis, below=base.option(DO_MINIMUM), alone=alone)
    own = np.maximum(cashed(chosen, both) - cashed(chosen, alone), 0.0)
    assert (both.recurrent[:, 1:] <= own[:, :-1] + 2.0).all() and both.recurrent.max() > 1e6


def test_quantities_are_differences_on_the_same_draws(base):
    results = headline_results(base)
    for stem in ("npv_fiscal", "fewer_children_2032", "prob_npv_positive"):
        assert results[f"{stem}_vs_{DO_MINIMUM}.{DO_MINIMUM}"]["mean"] == 0.0
        assert results[f"{stem}_on_{DO_MINIMUM}.{DO_MINIMUM}"]["mean"] is None
    npv = base.arrays.npv
    for name in OPTIONS:
        gain = (npv.sel(option=name) - npv.sel(option=DO_MINIMUM)).values
        found = results[f"npv_fiscal_vs_{DO_MINIMUM}.{name}"]
        assert found["mean"] == pytest.approx(gain.mean())
        assert results[f"prob_npv_positive_vs_{DO_MINIMUM}.{name}"]["mean"] == np.mean(gain > 0)
        fewer = fewer_children(base, name) - fewer_children(base, DO_MINIMUM)
        assert results[f"fewer_children_2032_vs_{DO_MINIMUM}.{name}"]["mean"] == pytest.approx(fewer.mean())
        both = account_on_top(
            base.option(name),
            base.system,
            base.basis,
            below=base.option(DO_MINIMUM),
            alone=base.accounts[DO_MINIMUM],
        )
        factors = yearly_factors(base.inputs.analysis, base.system.years)
        factors = factors * np.isin(base.system.years, base.horizon)
        more = net_saving(both) @ factors - npv.sel(option=DO_MINIMUM).values
        assert results[f"npv_fiscal_on_{DO_MINIMUM}.{name}"]["mean"] == pytest.approx(more.mean(), rel=1e-9)
        year = base.years.index(base.inputs.analysis.target_year)
        alone = base.accounts[DO_MINIMUM].children.fewer[:, year]
        found = results[f"fewer_children_2032_on_{DO_MINIMUM}.{name}"]["mean"]
        assert found == pytest.approx((both.children.fewer[:, year] - alone).mean(), abs=1e-6)
    assert not any(QUANTITIES[n].held for n in (f"npv_vs_{DO_MINIMUM}", f"npv_on_{DO_MINIMUM}")), (
        "they follow from quantities that hold a run"
    )


def test_without_what_is_funded_already_nothing_is_held_against_it():
    results = headline_results(made_workings("review_2022", 40, 12))
    ends = (f"_vs_{DO_MINIMUM}", f"_on_{DO_MINIMUM}")
    told = [found for key, found in results.items() if key.partition(".")[0].endswith(ends)]
    assert told and all(found["mean"] is None for found in told)


def test_an_option_of_other_areas_has_no_joint_cap(base):
    some = option("care_review").model_copy(update={"areas": ("301",)})
    inputs = dataclasses.replace(base.inputs, options=(option("bau"), option(DO_MINIMUM), some))
    known = dataclasses.replace(base, inputs=inputs)
    assert known.on_do_minimum == {}


def test_total_cost_of_what_is_funded_is_its_money(base):
    """Families First is fixed money throughout: no line of it overruns."""
    spent = total_cost(base.accounts[DO_MINIMUM]) - line_sum(
        c for c in base.accounts[DO_MINIMUM].costs if c.component in SUPPORT
    )
    basis = dataclasses.replace(base.basis, overrun="none")
    again = option_account(base.option(DO_MINIMUM), base.system, basis)
    assert np.array_equal(
        spent, total_cost(again) - line_sum(c for c in again.costs if c.component in SUPPORT)
    )
