"""Tables agree with the arrays, with the headline and with each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

COLUMNS = {
    "history": ["year", "stock", "starts", "ceases"],
    "children_by_year": ["option", "year", "mean", "median", "lower", "upper"],
    "fewer_children_by_year": ["option", "year", "mean", "median", "lower", "upper"],
    "starts_by_year": ["option", "year", "mean", "median", "lower", "upper"],
    "cash_flow_by_year": ["option", "year", "payer", "kind", "mean", "lower", "upper"],
    "net_by_year": [
        "option", "year", "mean", "lower", "upper", "cumulative_mean", "cumulative_lower", "cumulative_upper",
        "prob_cumulative_positive",
    ],
    "npv": [
        "option", "label", "mean", "median", "lower", "upper", "mcse", "prob_positive", "prob_negative", "prob_mcse",
        "npv_long_mean", "npv_long_lower", "npv_long_upper", "prob_long_positive",
        "npv_run_off_mean", "npv_run_off_lower", "npv_run_off_upper", "prob_run_off_positive",
    ],
    "break_even_values": [
        "kind", "name", "label", "note", "value_per_child_year", "lower", "upper", "prob_never", "prob_mcse", "grade",
    ],
    "what_it_would_take": [
        "start_year", "target_children", "cut_median", "cut_lower", "cut_upper", "risk_ratio_reach_0_6",
        "risk_ratio_reach_0_4", "prob_evidence",
    ],
    "effects": ["estimand", "label", "stage", "mean", "lower", "upper", "prob_beneficial"],
    "evidence": [
        "study_id", "intervention", "outcome", "design_class", "country", "year", "estimand", "effect", "effect_se",
        "bound_low", "bound_high", "level", "coverage_low", "coverage_high", "use", "exclusion_reason",
    ],
    "priors": [
        "name", "description", "distribution", "q05", "q50", "q95", "unit", "price_year", "confidence", "owner",
        "reviewed", "basis", "source", "stated", "fit_error", "stance",
    ],
    "convergence": ["model", "check", "found", "required", "where", "passed"],
    "attribution": ["option", "component", "fewer_children", "npv"],
    "financing_modes": [
        "option", "label", "financing",
        *(
            f"{name}_{end}"
            for name in (
                "recurrent_2030", "shift", "saving", "helped", "help_years", "care_years", "recurrent", "npv",
                "npv_before",
            )
            for end in ("mean", "lower", "upper")
        ),
        "prob_recurrent_2030_full", "prob_npv_positive", "fewer_mean",
    ],
    "against_funded": [
        "reading", "words", "option", "label", "npv_mean", "npv_lower", "npv_upper", "fewer_mean", "fewer_lower",
        "fewer_upper", "prob_npv_positive", "prob_mcse",
    ],
    "system_cost_by_year": ["option", "year", "price", "mean", "median", "lower", "upper"],
    "cost_ladder": [
        "placement",
        *(
            f"{step}{end}"
            for step in ("average", "avoidable_share", "avoidable", "cashable_first_year", "cashable_later")
            for end in ("", "_lower", "_upper")
        ),
    ],
    "claims": ["claim", "value", "unit", "probability", "mcse"],
    "unmonetised": ["option", "item"],
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_those_of_the_interface(appraisal, name):
    assert list(appraisal.tables[name].columns) == COLUMNS[name]
    assert len(appraisal.tables[name]) > 0


def test_every_option_is_in_every_table_by_option(appraisal):
    for name in ("children_by_year", "fewer_children_by_year", "starts_by_year", "net_by_year", "npv"):
        assert list(dict.fromkeys(appraisal.tables[name]["option"])) == list(appraisal.option_labels), name


def test_history_is_the_published_series(appraisal):
    last = appraisal.tables["history"].set_index("year").loc[2024]
    assert last["stock"] == 83_630 and last["starts"] == pytest.approx(33_000, rel=0.03)


def test_children_by_year_are_the_draws_summed_over_age(appraisal):
    total = appraisal.children.sum("age").sel(option="care_review", year=2032)
    row = appraisal.tables["children_by_year"].query("option == 'care_review' and year == 2032").iloc[0]
    assert row["mean"] == pytest.approx(float(total.mean()), rel=1e-12)
    assert row["upper"] == pytest.approx(float(np.quantile(total, 0.95)), rel=1e-12)


def test_cash_flow_by_year_adds_up_to_the_net_flow(appraisal):
    flows = appraisal.tables["cash_flow_by_year"].groupby(["option", "year"])["mean"].sum()
    net = appraisal.tables["net_by_year"].set_index(["option", "year"])["mean"]
    both = pd.concat([-flows, net], axis=1, join="inner")
    np.testing.assert_allclose(both.iloc[:, 0], both.iloc[:, 1], rtol=1e-9, atol=1.0)
    assert len(both) > 80


def test_cumulative_net_ends_at_the_npv(appraisal):
    last = appraisal.tables["net_by_year"].groupby("option")["cumulative_mean"].last()
    npv = appraisal.tables["npv"].set_index("option")["mean"]
    np.testing.assert_allclose(last.loc[npv.index], npv, rtol=1e-9, atol=1e-3)


def test_npv_table_is_the_headline(appraisal):
    for row in appraisal.tables["npv"].to_dict("records"):
        entry = appraisal.results[f"npv_fiscal.{row['option']}"]
        assert [row[f] for f in ("mean", "median", "lower", "upper", "mcse")] == pytest.approx(
            [entry[f] for f in ("mean", "median", "lower", "upper", "mcse")]
        )
        if row["option"] != "bau":
            assert row["prob_positive"] == appraisal.results[f"prob_npv_positive.{row['option']}"]["mean"]
            assert row["prob_positive"] + row["prob_negative"] == pytest.approx(1.0)


def test_system_cost_in_cash_is_the_real_one_times_prices(appraisal, workings):
    table = (
        appraisal.tables["system_cost_by_year"]
        .query("option == 'bau'")
        .pivot(index="year", columns="price")["mean"]
    )
    index = workings.basis.index
    ratio = [float((index.index(int(y)) / index.index(2024)).mean()) for y in table.index]
    np.testing.assert_allclose(table["cash"] / table["real"], ratio, rtol=2e-3)


def test_system_cost_at_the_prices_of_the_review_is_the_headline(appraisal, workings):
    """The line drawn beside the claim is the quantity whose chance is stated, not one in another price base."""
    table = appraisal.tables["system_cost_by_year"].query("price == 'prices_of_2021-22'")
    rows = table[table["year"] == 2032].set_index("option")
    for option in ("bau", "care_review"):
        stated = appraisal.results[f"system_cost_2032_real.{option}"]
        assert rows.loc[option, ["mean", "lower", "upper"]].tolist() == pytest.approx(
            [stated[field] for field in ("mean", "lower", "upper")]
        )
    deflator = workings.inputs.observations["gdp_deflator"].to_series()
    real = appraisal.tables["system_cost_by_year"].query("price == 'real'")["mean"].to_numpy()
    np.testing.assert_allclose(real / table["mean"].to_numpy(), deflator[2024] / deflator[2022], rtol=1e-9)


def test_cost_ladder_only_goes_down(appraisal):
    ladder = appraisal.tables["cost_ladder"]
    assert (ladder["average"] > ladder["avoidable"]).all()
    assert (ladder["avoidable"] > ladder["cashable_first_year"]).all()
    home = ladder.set_index("placement").loc["childrens_home"]
    sd = (home["average_upper"] - home["average_lower"]) / (2 * 1.645)
    draws = appraisal.npv.sizes["sample"]
    assert abs(home["average"] - 6775 * 365 / 7) <= 4 * sd / draws**0.5


def test_claims_are_read_in_prices_of_the_review(appraisal):
    claims = appraisal.tables["claims"]
    cost = claims[claims["claim"].str.contains("cost of the system")].iloc[0]
    assert cost["probability"] == appraisal.results["prob_system_cost_15bn_2032_real.bau"]["mean"]
    assert "2021-22" in cost["unit"]
    saving = claims[claims["value"] == 1e9].iloc[0]
    assert saving["probability"] == appraisal.results["prob_annual_saving_1bn_2032.care_review"]["mean"]
    fewer = claims[claims["value"] == 30_000].iloc[0]
    assert fewer["probability"] == appraisal.results["prob_fewer_30000_2032.care_review"]["mean"]


def test_what_it_would_take_is_in_the_published_range(appraisal):
    """Starts must fall by about 28-36% for 17,000 and 49-64% for 30,000 when the programme starts in 2025-26."""
    table = appraisal.tables["what_it_would_take"].set_index("target_children")
    assert 0.26 < table.loc[17_000, "cut_median"] < 0.38
    assert 0.47 < table.loc[30_000, "cut_median"] < 0.66
    assert table.loc[30_000, "cut_median"] / table.loc[17_000, "cut_median"] == pytest.approx(
        30 / 17, rel=1e-9
    )
    assert table.loc[17_000, "risk_ratio_reach_0_6"] == pytest.approx(
        1 - table.loc[17_000, "cut_median"] / 0.6
    )
    assert np.isnan(table.loc[30_000, "risk_ratio_reach_0_4"])


def test_financing_modes_are_in_the_order_of_what_they_spend(appraisal):
    table = appraisal.tables["financing_modes"].set_index("option")
    money = table["recurrent_2030_mean"]
    assert money["care_review"] > money["care_review_reinvest"] > money["care_review_injection_only"] == 0.0
    assert table.loc["care_review", "prob_recurrent_2030_full"] == 1.0
    assert table.loc["care_review_reinvest", "prob_recurrent_2030_full"] < 1.0


def test_financing_modes_are_counted_by_hand(appraisal, workings):
    """Help, shift and money of each way of paying, summed here over draws and years in loops."""
    table = appraisal.tables["financing_modes"].set_index("option")
    year, value = workings.years.index(2030), workings.system.value
    own = workings.accounts["care_review"].recurrent[:, year]
    for name, row in table.iterrows():
        account = workings.accounts[name]
        within = [workings.years.index(y) for y in workings.horizon]
        helped = [
            [
                account.delivered("family_help")[d, t] * value("family_help.eligible_children")[d]
                for t in within
            ]
            for d in range(own.size)
        ]
        assert row["help_years_mean"] == pytest.approx(np.mean([sum(path) for path in helped]))
        assert row["helped_mean"] == pytest.approx(np.mean([path[within.index(year)] for path in helped]))
        shift = [account.recurrent[d, year] / own[d] for d in range(own.size)]
        if row["financing"] == "new_recurrent":  # new money shifts nothing
            shift = [np.nan] * own.size
        assert row["shift_mean"] == pytest.approx(np.mean(shift), nan_ok=True)
        assert row["shift_upper"] == pytest.approx(np.quantile(shift, 0.95), nan_ok=True)
        saved = sum(line.amount[:, year] for line in account.savings)
        deflator = workings.inputs.observations["gdp_deflator"]
        pound = float(deflator.sel(deflator_year=2024) / deflator.sel(deflator_year=2022))
        assert row["saving_mean"] == pytest.approx(saved.mean() / pound)
        present = [account.recurrent[:, t] / 1.035**k for k, t in enumerate(within)]
        assert row["recurrent_mean"] == pytest.approx(np.mean(sum(present)))  # fixed money: no overrun
        assert row["npv_before_mean"] == pytest.approx(row["npv_mean"] + row["recurrent_mean"])
        stock = account.children.fewer
        years = sum((stock[:, t] + (stock[:, t - 1] if t else 0.0)) / 2 for t in within)
        assert row["care_years_mean"] == pytest.approx(np.mean(years))


def test_starts_fall_by_what_is_averted_net_of_what_was_deferred(appraisal, workings):
    from cba.costs.account import starts_averted

    averted = starts_averted(workings.system, workings.accounts["care_review"].children).mean(axis=0)
    table = appraisal.tables["starts_by_year"].pivot(index="year", columns="option", values="mean")
    found = (table["bau"] - table["care_review"]).to_numpy()
    np.testing.assert_allclose(found, averted[: found.size], rtol=1e-9, atol=1e-6)
