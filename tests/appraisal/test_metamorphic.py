"""What must not matter, and what must add up: relations of CASES C14 on a whole appraisal."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr

from cba.appraisal.inputs import sources_of_fits
from cba.appraisal.quantities import discounted, headline_results
from cba.costs.account import total_cost, total_saving
from cba.costs.option_account import option_account
from cba.decisions import evpi
from cba.discounting import discount_factors, present_value
from cba.errors import InputError
from cba.inputs.evidence import load_evidence
from cba.recipe import appraise
from tests.appraisal.made_workings import made_draws, made_fits, made_inputs, made_workings, worked
from tests.made_fits import made_effects

EXACT = ("bau", "care_review", "care_review_injection_only", "ffp_2025", "kinship_only", "placement_reform")
"""Options without reinvestment, whose path is settled to a pound and so moves by as much."""


@pytest.fixture(scope="module")
def base():
    return made_workings()


@pytest.fixture(scope="module")
def in_2022_prices():
    inputs = made_inputs()
    analysis = inputs.analysis.model_copy(update={"price_base": 2022})
    return worked(dataclasses.replace(inputs, analysis=analysis), made_draws())


# --- prices (C14-10 and 11) -----------------------------------------------------------------------------


def ratio(workings):
    index = workings.basis.index
    return float(index.index(2022) / index.index(2024))


def test_npv_in_another_price_base_is_the_same_money(base, in_2022_prices):
    np.testing.assert_allclose(
        in_2022_prices.arrays.npv.sel(option=list(EXACT)),
        base.arrays.npv.sel(option=list(EXACT)) * ratio(base),
        rtol=1e-9,
    )
    np.testing.assert_allclose(in_2022_prices.arrays.npv, base.arrays.npv * ratio(base), rtol=1e-7)


def test_every_line_and_the_system_cost_move_with_the_price_base(base, in_2022_prices):
    for name in ("cash_flow", "system_cost"):
        found, before = (getattr(w.arrays, name).sel(option=list(EXACT)) for w in (in_2022_prices, base))
        np.testing.assert_allclose(found, before * ratio(base), rtol=1e-9, atol=1e-3, err_msg=name)


def test_children_do_not_know_the_price_base(base, in_2022_prices):
    for name in ("children", "placements", "child_years_safe"):
        found, before = (getattr(w.arrays, name).sel(option=list(EXACT)) for w in (in_2022_prices, base))
        np.testing.assert_allclose(found, before, rtol=1e-9, atol=1e-6, err_msg=name)


def test_ratios_probabilities_and_cash_do_not_know_the_price_base(base, in_2022_prices):
    """Thresholds are in stated prices, so whether a claim is met cannot depend on how the run states money."""
    before, after = headline_results(base), headline_results(in_2022_prices)
    free = ("prob_", "bcr", "payback_year", "system_cost_2032_cash", "system_cost_2032_real")
    compared = 0
    for key, entry in before.items():
        if key.startswith(free) and key.rpartition(".")[2] in EXACT and entry["mean"] is not None:
            assert after[key]["mean"] == pytest.approx(entry["mean"], rel=1e-9), key
            compared += 1
    assert compared > 40


def test_value_of_information_scales_with_money_and_the_best_option_stays(base, in_2022_prices):
    """C14-10, with a value per child-year scaled alike."""
    worth = {}
    for name, workings, pound in (("then", base, 1.0), ("now", in_2022_prices, ratio(base))):
        arrays = workings.arrays
        worth[name] = (arrays.npv + 2e5 * pound * arrays.child_years_safe).sel(option=list(EXACT))
    assert float(evpi(worth["now"])) == pytest.approx(float(evpi(worth["then"])) * ratio(base), rel=1e-9)
    best = [list(w.argmax("option").values) for w in worth.values()]
    assert best[0] == best[1]


def test_there_and_back_changes_nothing(base, in_2022_prices):
    np.testing.assert_allclose(
        in_2022_prices.arrays.npv.sel(option=list(EXACT)) / ratio(base),
        base.arrays.npv.sel(option=list(EXACT)),
        rtol=1e-9,
    )


def test_adding_the_same_amount_to_every_option_leaves_the_decision(base):
    """C14-9."""
    worth = base.arrays.npv + 1e5 * base.arrays.child_years_safe
    shock = xr.DataArray(np.random.default_rng(0).normal(0, 1e9, worth.sizes["sample"]), dims="sample")
    assert float(evpi(worth + shock)) == pytest.approx(float(evpi(worth)), rel=1e-8)
    np.testing.assert_array_equal((worth + shock).argmax("option"), worth.argmax("option"))


# --- order (C14-6 and 7) --------------------------------------------------------------------------------


def test_permuting_options_only_permutes_results(base):
    inputs = made_inputs()
    order = (inputs.options[0], *inputs.options[:0:-1])
    analysis = inputs.analysis.model_copy(update={"options": tuple(o.id for o in order)})
    turned = worked(dataclasses.replace(inputs, analysis=analysis, options=order), made_draws())
    names = list(base.accounts)
    for name in ("npv", "npv_long", "children", "placements", "system_cost", "child_years_harm"):
        np.testing.assert_array_equal(
            getattr(turned.arrays, name).sel(option=names), getattr(base.arrays, name)
        )
    lines = base.arrays.cash_flow["line"].values
    assert set(lines) == set(turned.arrays.cash_flow["line"].values)
    position = [list(turned.arrays.cash_flow["line"].values).index(line) for line in lines]
    flows = turned.arrays.cash_flow.sel(option=names).isel(line=position)
    np.testing.assert_array_equal(flows.values, base.arrays.cash_flow.values)
    assert headline_results(turned) == headline_results(base)


def permuted(value, order):
    """All arrays whose first axis is the draws, in another order."""
    if isinstance(value, xr.Dataset | xr.DataArray):
        return value.isel(sample=order) if "sample" in value.dims else value
    if isinstance(value, np.ndarray):
        return value[order] if value.ndim and value.shape[0] == order.size else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: permuted(getattr(value, f.name), order) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    return value


@pytest.mark.parametrize("name", ["care_review", "care_review_reinvest", "placement_reform"])
def test_permuting_the_draws_of_all_inputs_permutes_the_account(base, name):
    order = np.random.default_rng(5).permutation(base.system.reach.size)
    chosen = next(o for o in base.inputs.options if o.id == name)
    found = option_account(chosen, permuted(base.system, order), permuted(base.basis, order))
    account = base.accounts[name]
    np.testing.assert_allclose(total_saving(found), total_saving(account)[order], rtol=1e-12, atol=1e-6)
    np.testing.assert_allclose(total_cost(found), total_cost(account)[order], rtol=1e-12, atol=1e-6)
    np.testing.assert_allclose(
        total_saving(found).mean(axis=0), total_saving(account).mean(axis=0), rtol=1e-9, atol=1e-3
    )


# --- totals (C14-8) -------------------------------------------------------------------------------------


def close(found, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * scale)


def test_lines_add_up_to_the_net_cash_flow(base):
    flow = base.arrays.cash_flow
    net = base.arrays.flows_long.sel(year=flow["year"])
    close(-flow.sum("line").values, net.transpose("sample", "option", "year").values)


@pytest.mark.parametrize("by", ["payer", "kind", "component"])
def test_sums_over_payers_kinds_and_components_are_the_total(base, by):
    flow = base.arrays.cash_flow
    close(flow.groupby(by).sum("line").sum(by).values, flow.sum("line").values)


def test_discounted_lines_add_up_to_the_npv(base):
    """Over lines and years, by the other route: each line's present value."""
    analysis, flow = base.inputs.analysis, base.arrays.cash_flow
    horizon = slice(analysis.start_year, analysis.start_year + analysis.horizon - 1)
    worth = present_value(flow.sel(year=horizon), analysis.schedule, analysis.start_year)
    close(-worth.sum("line").values, base.arrays.npv.values)


def test_nothing_flows_before_the_start(base):
    early = base.arrays.flows_long.sel(year=slice(None, base.inputs.analysis.start_year - 1))
    assert early.sizes["year"] > 0 and not early.values.any()


def test_npv_over_the_long_horizon_by_hand(base):
    analysis = base.inputs.analysis
    flows = base.arrays.flows_long.sel(option="kinship_only", year=slice(analysis.start_year, None)).values
    assert flows.shape[1] == analysis.long_horizon
    worth = sum(flows[:, t] * 1.035**-t for t in range(flows.shape[1]))
    np.testing.assert_allclose(base.arrays.npv_long.sel(option="kinship_only"), worth, rtol=1e-9)


def test_npv_is_the_difference_of_discounted_savings_and_costs(base):
    for name, account in base.accounts.items():
        worth = discounted(base, total_saving(account)) - discounted(base, total_cost(account))
        np.testing.assert_allclose(base.arrays.npv.sel(option=name), worth, rtol=1e-9, atol=1e-3)


def test_ages_and_placements_sum_to_the_same_children(base):
    ages, places = base.arrays.children.sum("age"), base.arrays.placements.sum("placement")
    np.testing.assert_allclose(places, ages, rtol=1e-9)


def test_child_years_are_discounted_like_money(base):
    """C of a constant difference: factors times the mean of both ends."""
    analysis = base.inputs.analysis
    fewer = base.accounts["care_review"].children.fewer_by_age.sum(axis=-1)
    start = base.years.index(analysis.start_year)
    factors = discount_factors(np.arange(analysis.horizon), analysis.schedule)
    ends = fewer[:, start : start + analysis.horizon], fewer[:, start - 1 : start + analysis.horizon - 1]
    expected = ((ends[0] + ends[1]) / 2) @ factors
    arrays = base.arrays
    found = (arrays.child_years_safe + arrays.child_years_harm).sel(option="care_review")
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_system_cost_is_business_as_usual_plus_what_goes_through_the_accounts(base):
    """Courts are not in section 251: their saving is a fiscal saving and not a saving of the system."""
    flow, cost = base.arrays.cash_flow, base.arrays.system_cost
    inside = flow.isel(line=np.flatnonzero(np.isin(flow["payer"].values, ["council", "dfe", "nhs"]))).sum(
        "line"
    )
    close((cost - cost.sel(option="bau")).values, inside.transpose("sample", "option", "year").values)
    assert np.abs(flow.isel(line=np.flatnonzero(flow["payer"].values == "justice"))).sum() > 0


def test_business_as_usual_is_the_origin_of_everything(base):
    arrays = base.arrays
    for name in ("npv", "npv_long", "child_years_safe", "child_years_harm", "flows_long", "cash_flow"):
        assert not getattr(arrays, name).sel(option="bau").values.any(), name


@pytest.mark.parametrize("name", ["care_review", "placement_reform", "foster_only", "kinship_only"])
def test_the_length_of_the_projection_moves_neither_money_nor_services(name):
    """Looking further ahead cannot change what is spent or in place before."""
    short, long = made_workings().accounts[name], made_workings("latest", 100, 20).accounts[name]
    years = short.recurrent.shape[1]
    # meetings are a share of the starts, whose draws do depend on how far ahead they go
    names = [done.name for done in short.work if done.name != "meetings"]
    assert names
    for name_of_effect in names:
        found, expected = (account.delivered(name_of_effect)[:, :years] for account in (long, short))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12, err_msg=name_of_effect)
    for kind in ("programme", "deadweight"):
        spent = [sum(x.amount[:, :years] for x in a.costs if x.kind == kind) for a in (long, short)]
        np.testing.assert_allclose(spent[0], spent[1], rtol=1e-9)


def test_fits_made_from_something_else_are_refused_by_what_differs():
    """Draws, seed, release, evidence and priors of another run, and fits that say nothing of themselves."""
    inputs = made_inputs()
    baseline, effects = made_fits()
    entry = inputs.priors["effects.heterogeneity"]
    moved = dict(inputs.priors.entries) | {entry.name: dataclasses.replace(entry, unit="another")}
    others = {
        "draws": {"analysis": inputs.analysis.model_copy(update={"draws": 80})},
        "seed": {"analysis": inputs.analysis.model_copy(update={"seed": 1})},
        "observations": {"observations": inputs.observations.isel(year=slice(1, None))},
        "evidence": {"evidence": load_evidence(until=2022)},
        "priors": {"priors": dataclasses.replace(inputs.priors, entries=moved)},
        "priors, observations, libraries, evidence, panel, draws, tune, chains, seed": None,
    }
    for named, change in others.items():
        another = made_effects(draws=50)
        if change is not None:
            another.attrs = dict(sources_of_fits(dataclasses.replace(inputs, **change))["effects"])
        with pytest.raises(InputError, match="the fit of effects was not made from") as caught:
            appraise(inputs.analysis, baseline=baseline, effects=another, progress=False)
        found = str(caught.value.details["found"])
        assert found.partition(": ")[2] == named and "leave `effects` out" in str(caught.value.details)
    with pytest.raises(InputError, match="the fit of baseline was not made from"):
        appraise(inputs.analysis, baseline=effects, effects=effects, progress=False)


def test_a_prior_that_no_fit_reads_and_the_stance_do_not_count():
    """One baseline serves stances that agree on it, and money priors are drawn after the fits."""
    inputs = made_inputs()
    entry = inputs.priors["delivery.cost_overrun"]
    moved = dict(inputs.priors.entries) | {entry.name: dataclasses.replace(entry, unit="another")}
    changed = dataclasses.replace(inputs.priors, entries=moved, stance="sceptical")
    assert changed.fingerprint() != inputs.priors.fingerprint()
    assert sources_of_fits(dataclasses.replace(inputs, priors=changed)) == sources_of_fits(inputs)
