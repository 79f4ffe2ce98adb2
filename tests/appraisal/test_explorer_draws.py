"""The explorer's parts add up to the option worked out in full, at the settings of the run and away from them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from arviz_stats.base import array_stats

from cba.appraisal.quantities import discounted, payback_draws
from cba.appraisal.workings import net_saving
from cba.costs.account import child_years, total_cost, total_saving
from cba.costs.option_account import option_account
from cba.discounting import discount_factors
from cba.tables.explorer import (
    QUANTITIES,
    explorer_draws,
    explorer_results,
    option_streams,
    quantile_with_error,
    unpacked,
)
from tests.appraisal.made_workings import changed, made_draws, made_inputs, worked

OPTIONS = ("care_review", "care_review_reinvest", "family_help_only", "kinship_only", "placement_reform")


@pytest.fixture(scope="module")
def draws(workings):
    return explorer_draws(workings)


def _option(workings, name):
    return next(o for o in workings.inputs.options if o.id == name)


def _shown(workings, draws, values):
    years = list(workings.years)
    return values[:, years.index(int(draws["year"][0])) : years.index(int(draws["year"][-1])) + 1]


@pytest.mark.parametrize("name", OPTIONS)
def test_the_parts_sum_to_the_account(workings, name):
    parts = option_streams(workings, _option(workings, name))
    account = workings.accounts[name]
    earned = sum(parts[n] + parts[f"{n}_help"] for n in ("placements", "other"))
    largest = np.abs(total_cost(account)).max()
    np.testing.assert_allclose(earned - parts["money"], net_saving(account), rtol=1e-9, atol=1e-9 * largest)
    fewer = account.children.fewer_by_age.sum(axis=-1)
    np.testing.assert_allclose(parts["fewer"] + parts["fewer_help"], fewer, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["care_review", "family_help_only"])
def test_no_effect_of_family_help_is_the_option_without_it(workings, name):
    parts = option_streams(workings, _option(workings, name))
    idle = dataclasses.replace(workings.system, reach_by_age=0.0 * workings.system.reach_by_age)
    account = option_account(_option(workings, name), idle, workings.basis)
    np.testing.assert_allclose(parts["fewer"], account.children.fewer_by_age.sum(axis=-1), atol=1e-9)
    placed = sum(s.amount for s in account.savings if s.component != "care_proceedings")
    np.testing.assert_allclose(parts["placements"], placed, atol=1e-3)


def test_children_scale_with_the_effect_exactly(workings):
    """Half the reach halves what family help averts, and the parts say so."""
    option = _option(workings, "care_review")
    half = dataclasses.replace(workings.system, reach_by_age=0.5 * workings.system.reach_by_age)
    account = option_account(option, half, workings.basis)
    parts = option_streams(workings, option)
    fewer = account.children.fewer_by_age.sum(axis=-1)
    np.testing.assert_allclose(parts["fewer"] + 0.5 * parts["fewer_help"], fewer, rtol=1e-9, atol=1e-8)


def test_the_error_named_for_the_effect_is_what_the_full_account_shows(workings, draws):
    """Of the two effects it looks at, half is feasible here: its own difference is no larger than what is named."""
    for name in ("care_review", "family_help_only"):
        option, parts = _option(workings, name), option_streams(workings, _option(workings, name))
        half = dataclasses.replace(workings.system, reach_by_age=0.5 * workings.system.reach_by_age)
        again = net_saving(option_account(option, half, workings.basis))
        scaled = sum(parts[n] + 0.5 * parts[f"{n}_help"] for n in ("placements", "other"))
        scaled = scaled - parts["money"]
        found = abs(discounted(workings, scaled - again).mean())
        assert found <= abs(float(draws["npv_error"].sel(option=name))) + 1.0


@pytest.mark.parametrize("name", ["care_review", "placement_reform"])
def test_an_avoidable_share_scales_only_what_placements_cost(workings, name):
    """The account with every avoidable share at 0.8 of its value, against the parts at 0.8."""
    scale = {f"avoidable__{n}": 0.8 for n in ("childrens_home", "foster", "other")}
    other = worked(made_inputs(), changed(made_draws(), **scale))
    parts = option_streams(workings, _option(workings, name))
    saved = 0.8 * (parts["placements"] + parts["placements_help"]) + parts["other"] + parts["other_help"]
    account = other.accounts[name]
    support = sum(
        (c.amount for c in account.costs if c.component in ("home_support", "guardianship_support")),
        np.zeros_like(saved),
    )
    found = total_saving(account) - support
    np.testing.assert_allclose(saved, found, rtol=1e-9, atol=1e-9 * np.abs(found).max() + 1e-6)


def test_an_overrun_of_all_money_scales_only_the_money(workings):
    """A draw's overrun on every line, as the switch of the analysis has it, is the setting at that overrun."""
    option = _option(workings, "family_help_only")
    basis = dataclasses.replace(workings.basis, overrun="money")
    parts = option_streams(workings, option)
    change = net_saving(workings.accounts[option.id]) - net_saving(
        option_account(option, workings.system, basis)
    )
    more = workings.system.value("delivery.cost_overrun")[:, None] - 1.0
    np.testing.assert_allclose(change, more * parts["money"], rtol=1e-6, atol=1e-3)


def test_packed_draws_are_those_of_the_run_to_sixteen_bits(workings, draws):
    assert set(draws["quantity"].values) == set(QUANTITIES)
    assert draws["packed"].dtype == np.int16 and "bau" not in draws["option"].values
    for name in OPTIONS:
        parts = option_streams(workings, _option(workings, name))
        for quantity in QUANTITIES:
            wanted = _shown(workings, draws, parts[quantity])
            found = unpacked(draws, quantity, name)
            step = np.abs(wanted).max(axis=0) / np.iinfo(np.int16).max
            assert (np.abs(found - wanted) <= 0.51 * step + 1e-6).all(), (name, quantity)


@pytest.mark.parametrize("name", OPTIONS)
def test_at_the_settings_of_the_run_the_results_are_the_headline_of_these_draws(workings, draws, name):
    """All made draws are kept, so only the packing separates the two."""
    found = explorer_results(draws, analysis=workings.inputs.analysis, option=name)
    npv = workings.arrays.npv.sel(option=name).values
    assert found["npv_median"] == pytest.approx(np.median(npv), abs=1e-4 * np.abs(npv).max())
    assert found["npv_lower"] == pytest.approx(np.quantile(npv, 0.05), abs=1e-4 * np.abs(npv).max())
    assert found["benefit_median"] == found["npv_median"]
    never = float(np.isnan(payback_draws(workings, name)).mean())
    assert found["prob_never"] == pytest.approx(never, abs=1e-9)
    fewer = workings.arrays.children.sel(year=2032).sum("age")
    gone = (fewer.sel(option="bau") - fewer.sel(option=name)).values
    assert found["fewer_median"] == pytest.approx(np.median(gone), abs=1e-3 * np.abs(gone).max() + 1e-6)
    assert found["ess"] == pytest.approx(npv.size)


def _net(draws, name):
    """Net saving of each year, put together from the parts."""
    part = {str(q): unpacked(draws, str(q), name) for q in draws["quantity"].values}
    saved = sum(part[q] for q in ("placements", "placements_help", "other", "other_help"))
    return saved - part["money"]


def test_a_value_of_a_child_year_adds_safe_child_years(workings, draws):
    analysis, arrays = workings.inputs.analysis, workings.arrays
    fewer = unpacked(draws, "fewer", "care_review") + unpacked(draws, "fewer_help", "care_review")
    factors = discount_factors(np.arange(analysis.horizon), analysis.schedule)
    lived = child_years(fewer)[:, : analysis.horizon] @ factors * (1.0 - draws["harm_share"].values)
    worth = _net(draws, "care_review")[:, : analysis.horizon] @ factors + 50_000.0 * lived
    wanted = (arrays.npv + 50_000.0 * arrays.child_years_safe).sel(option="care_review").values
    np.testing.assert_allclose(worth, wanted, atol=1e-4 * np.abs(wanted).max())


def test_another_schedule_is_used_throughout(workings, draws):
    analysis = workings.inputs.analysis
    flows = workings.arrays.flows_long.sel(option="care_review", year=slice(analysis.start_year, None))
    factors = discount_factors(np.arange(analysis.horizon), "green_book_2026_health")
    npv, wanted = (net[:, : analysis.horizon] @ factors for net in (_net(draws, "care_review"), flows.values))
    np.testing.assert_allclose(npv, wanted, atol=1e-4 * np.abs(wanted).max())


def test_errors_of_quantiles_agree_with_those_of_the_report():
    """ArviZ's formula (beta distribution of the share below), on many draws."""
    values = np.random.default_rng(1).normal(size=4000)
    for share in (0.05, 0.5, 0.95):
        quantile, error = quantile_with_error(values, share)
        assert quantile == np.quantile(values, share)
        theirs = array_stats.mcse(values[None, :], method="quantile", prob=share)
        assert error == pytest.approx(float(theirs), rel=0.15)


def test_a_stance_without_priors_of_its_own_has_none(workings):
    inputs = dataclasses.replace(workings.inputs, stance="review")
    assert explorer_draws(dataclasses.replace(workings, inputs=inputs)) is None


def test_supported_multipliers_hold_the_settings_of_the_run(draws):
    for control in draws["control"].values:
        low, high = draws["supported"].sel(control=control).values
        assert low <= 1.0 <= high
