"""The headline contract: every quantity of every option, nulls where undefined, and entries that agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cba.appraisal.quantities import interval, payback, payback_draws, probability, quantity
from cba.costs.account import total_cost, total_saving
from cba.decisions.draws import mcse_mean
from cba.discounting import discount_factors

QUANTITIES = (
    "children_in_care_2032",
    "fewer_children_2032",
    "prob_fewer_30000_2032",
    "prob_more_children_2032",
    "npv_fiscal",
    "prob_npv_positive",
    "bcr",
    "payback_year",
    "prob_never",
    "gross_saving_total",
    "annual_saving_2032",
    "prob_annual_saving_1bn_2032",
    "system_cost_2032_cash",
    "system_cost_2032_real",
    "prob_system_cost_15bn_2032_cash",
    "prob_system_cost_15bn_2032_real",
    *(
        f"{stem}_{end}_ffp_2025"
        for end in ("vs", "on")
        for stem in ("fewer_children_2032", "npv_fiscal", "prob_npv_positive")
    ),
)
FIELDS = {"label", "unit", "mean", "median", "lower", "upper", "level", "mcse"}
UNDEFINED_FOR_BAU = {"prob_more_children_2032", "prob_npv_positive", "bcr", "payback_year", "prob_never"}


def test_every_quantity_of_every_option_is_there_and_nothing_else(appraisal):
    assert set(appraisal.results) == {f"{q}.{o}" for q in QUANTITIES for o in appraisal.option_labels}
    assert all(set(entry) == FIELDS for entry in appraisal.results.values())


def test_headline_has_the_schema_of_the_contract(appraisal):
    found = appraisal.headline
    assert set(found) == {"schema", "run", "results", "results_by_stance"} and found["schema"] == 1
    assert (
        found["run"]["seed"] == appraisal.analysis.seed and found["run"]["level"] == appraisal.analysis.level
    )
    assert found["results"] == {k: dict(v) for k, v in appraisal.results.items()}


def test_probabilities_have_mean_and_error_only(appraisal):
    for key, entry in appraisal.results.items():
        if key.startswith("prob_"):
            assert entry["median"] is entry["lower"] is entry["upper"] is entry["level"] is None, key
            assert entry["unit"] == "probability"
            if entry["mean"] is not None:
                assert 0.0 <= entry["mean"] <= 1.0 and entry["mcse"] > 0.0, key


def test_quantities_record_their_level_and_error(appraisal):
    for key, entry in appraisal.results.items():
        if not key.startswith("prob_") and entry["mean"] is not None and not key.startswith("payback"):
            assert entry["level"] == appraisal.analysis.level, key
            assert entry["lower"] <= entry["median"] <= entry["upper"], key
            assert entry["mcse"] >= 0.0, key


def test_what_is_undefined_for_business_as_usual_is_null_with_a_label(appraisal):
    for name in UNDEFINED_FOR_BAU:
        entry = appraisal.results[f"{name}.bau"]
        assert entry["label"] and entry["unit"]
        assert all(entry[field] is None for field in FIELDS - {"label", "unit"})
    assert appraisal.results["npv_fiscal.bau"]["mean"] == 0.0
    assert appraisal.results["fewer_children_2032.bau"]["upper"] == 0.0


def test_entries_are_summaries_of_the_draws_that_are_saved(appraisal):
    year, level = appraisal.analysis.target_year, appraisal.analysis.level
    for option in ("care_review", "kinship_only"):
        npv = appraisal.npv.sel(option=option).values
        entry = appraisal.results[f"npv_fiscal.{option}"]
        assert entry["mean"] == pytest.approx(npv.mean(), rel=1e-12)
        assert [entry["lower"], entry["upper"]] == pytest.approx(list(np.quantile(npv, [0.05, 0.95])))
        assert level == 0.9
        children = appraisal.children.sel(option=option, year=year).sum("age").values
        assert appraisal.results[f"children_in_care_2032.{option}"]["median"] == pytest.approx(
            np.median(children)
        )
        assert appraisal.results[f"prob_npv_positive.{option}"]["mean"] == (npv > 0).mean()


def test_ratio_is_of_means_and_never_the_mean_of_ratios(appraisal, workings):
    for option in ("care_review", "kinship_only"):  # costs that differ by draw
        account, years = workings.accounts[option], np.array(workings.years)
        analysis = workings.inputs.analysis
        within = (years >= analysis.start_year) & (years < analysis.start_year + analysis.horizon)
        factors = discount_factors(np.arange(analysis.horizon), analysis.schedule)
        saved, spent = (m(account)[:, within] @ factors for m in (total_saving, total_cost))
        entry = appraisal.results[f"bcr.{option}"]
        assert entry["mean"] == pytest.approx(saved.mean() / spent.mean(), rel=1e-12)
        assert entry["mean"] != pytest.approx((saved / spent).mean(), rel=1e-6)
        assert appraisal.results[f"gross_saving_total.{option}"]["mean"] == pytest.approx(
            saved.mean(), rel=1e-12
        )


def test_real_system_cost_is_in_prices_of_2021_22_and_cash_in_those_of_the_year(appraisal, workings):
    """£13.3bn in 2023-24 is about £11.7bn in prices of two years before."""
    index, year = workings.basis.index, appraisal.analysis.target_year
    real = appraisal.results["system_cost_2032_real.bau"]["mean"]
    base = float(appraisal.system_cost.sel(option="bau", year=year).mean())
    assert real == pytest.approx(base * float(index.index(2022) / index.index(2024)), rel=1e-12)
    cash = appraisal.results["system_cost_2032_cash.bau"]["mean"]
    assert cash / real == pytest.approx(float((index.index(year) / index.index(2022)).mean()), rel=0.01)
    assert appraisal.results["prob_system_cost_15bn_2032_cash.bau"]["mean"] > 0.95


def test_a_billion_a_year_is_a_billion_of_the_review(workings):
    """In prices of 2023-24 it takes about £1.13bn; at £1.1bn the claim is not met."""
    import dataclasses

    from cba.appraisal.quantities import QUANTITIES as ENTRIES

    at = workings.years.index(workings.inputs.analysis.target_year)
    account = workings.accounts["care_review"]
    line = dataclasses.replace(account.savings[0], amount=np.zeros_like(account.recurrent))
    chance = {}
    for amount in (1.1e9, 1.2e9):
        line.amount[:, at] = amount
        chosen = {**workings.accounts, "care_review": dataclasses.replace(account, savings=(line,))}
        entry = ENTRIES["prob_annual_saving"].summary(
            dataclasses.replace(workings, accounts=chosen), "care_review"
        )
        chance[amount] = entry["mean"]
    assert chance == {1.1e9: 0.0, 1.2e9: 1.0}


# --- payback --------------------------------------------------------------------------------------------


def test_never_and_the_year_of_payback_agree(appraisal, workings):
    for option in appraisal.option_labels:
        if option == "bau":
            continue
        draws = payback_draws(workings, option)
        never = appraisal.results[f"prob_never.{option}"]["mean"]
        assert never == pytest.approx(np.isnan(draws).mean())
        entry = appraisal.results[f"payback_year.{option}"]
        assert (entry["median"] is None) == (never > 0.5), option
        assert (entry["mean"] is None) == (never > 0.0)
        table = appraisal.tables["payback_measures"].query("option == @option")
        assert table["prob_cumulative"].sum() == pytest.approx(1.0)
        assert table.loc[table["year"].isna(), "prob_cumulative"].item() == pytest.approx(never)


def test_what_pays_back_ends_with_a_net_saving(appraisal, workings):
    """Payback stays to the horizon, so paying back and a positive present value are one event (save at zero)."""
    for option in ("placement_reform", "foster_only", "kinship_only"):
        paid = ~np.isnan(payback_draws(workings, option))
        np.testing.assert_array_equal(paid, appraisal.npv.sel(option=option).values >= 0)


@given(years=st.lists(st.sampled_from([2026.0, 2028.0, 2031.0, float("nan")]), min_size=3, max_size=60))
def test_payback_quantiles_count_never_as_late(years):
    draws = np.array(years)
    entry = payback(draws, label="", level=0.9)
    late = np.sort(np.where(np.isnan(draws), np.inf, draws))
    for field, share in (("lower", 0.05), ("median", 0.5), ("upper", 0.95)):
        at_or_before = np.inf if entry[field] is None else entry[field]
        assert (late <= at_or_before).mean() >= share - 1e-9
        assert (late < at_or_before).mean() < share + 1e-9


# --- summaries ------------------------------------------------------------------------------------------


def test_interval_is_equal_tailed():
    lower, upper = interval(np.arange(10_001) / 1e4, level=0.8)
    assert (lower, upper) == pytest.approx((0.1, 0.9))


def test_error_of_independent_draws_is_the_standard_error():
    draws = np.random.default_rng(0).normal(3.0, 2.0, 4000)
    entry = quantity(draws, label="", unit="", level=0.9, chains=None)
    assert entry["mcse"] == pytest.approx(draws.std(ddof=1) / np.sqrt(4000))
    assert entry["mcse"] == mcse_mean(draws)


def test_an_event_that_never_happened_has_an_error():
    assert probability(np.zeros(400, dtype=bool), label="", chains=4)["mcse"] > 0
