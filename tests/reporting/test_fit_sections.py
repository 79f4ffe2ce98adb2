"""Sections on how well the models fit and are calibrated: what they print is what the tables hold."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from cba.reporting.figures import fits
from cba.reporting.figures.style import is_shown, on_page
from cba.reporting.names import full_name
from cba.reporting.page import lookups
from cba.reporting.sections import templates
from tests.reporting.drawing import plot, view_of, words
from tests.reporting.fake_appraisal import make_appraisal

LEAD = "care_review"
YEARS = range(2012, 2025)


def fit_tables() -> dict[str, pd.DataFrame]:
    """Made-up tables of both sections; one year of starts lies outside, one quantity is found wanting."""
    totals = [
        (name, label, year, 1000.0 + year, 1010.0 + year, 900.0 + year, 1100.0 + year, 0.4, True)
        for name, label in (
            ("stock_change", "Change in children looked after"),
            ("starts", "Children starting to be looked after"),
        )
        for year in YEARS
    ]
    totals[-4] = (*totals[-4][:3], 5000.0, *totals[-4][4:7], 0.999, False)
    columns = ["quantity", "label", "year", "published", "expected", "lower", "upper", "pit", "inside"]
    place = np.linspace(0.0, 1.0, 21)
    curves = [
        pd.DataFrame({"set": name, "count": count, "place": place, "departure": 0.01 * np.sin(6 * place)})
        for name, count in (("series", 208), ("studies", 12))
    ]
    influence = {"mean_change": -350.0, "mean_change_se": 120.0, "sd_ratio": 0.97, "spread_ratio": 0.95}
    influence |= {"shock_probability_change": -0.01, "pareto_k": 0.3, "reliable": True}
    series = ["Start rate, under 1", "Closure residual", "All series together"]
    memory = [(s, lag, 0.3, -0.4, 0.2 + 0.2 * n, 0.04) for n, s in enumerate(series) for lag in (1, 2, 3)]
    return {
        "fit_checks_totals": pd.DataFrame(totals, columns=columns),
        "fit_checks_pit_curves": pd.concat(curves).assign(lower=-0.05, upper=0.05),
        "fit_checks_series": pd.DataFrame(
            {"series": series[:2], "changes": 13, "inside": [12, 13], "inside_half": 7, "size": 0.05}
        ).assign(size_lower=0.03, size_upper=0.09, chance_larger=0.6, furthest_year=2021, furthest_pit=0.02),
        "fit_checks_pit": pd.DataFrame({"year": list(YEARS), "Closure residual": 0.5}),
        "fit_checks_autocorrelation": pd.DataFrame(
            memory, columns=["series", "lag", "found", "lower", "upper", "p_value"]
        ),
        "fit_checks_influence": pd.DataFrame([{"year": year, **influence} for year in YEARS]),
        "fit_checks_studies": pd.DataFrame(
            {"study": ["A", "B", "C"], "estimand": "care_entry_log_rr", "kind": "served"}
            | {"reported": [0.1, 0.9, np.nan], "expected": 0.0, "expected_sd": 0.3}
            | {"residual": [0.3, 3.0, np.nan], "pit": [0.6, 0.99, np.nan], "pareto_k": 0.1}
            | {"probability_inside": [np.nan, np.nan, 0.7]}
        ),
        "calibration_summary": pd.DataFrame(
            {"model": ["baseline", "effects"], "replicates": 200, "quantities": [297, 98], "failed": [0, 1]}
            | {
                "below_5_percent": [12, 7],
                "divergent_replicates": 3,
                "slow_replicates": 0,
                "stuck_replicates": 0,
            }
            | {"made": "2026-11-22", "stale": [False, True]}
        ),
        "calibration_stale": pd.DataFrame({"model": ["effects"], "made": ["2026-11-22"]}),
        "calibration_quantities": pd.DataFrame(
            {
                "model": "effects",
                "quantity": ["reach", "mean"],
                "family": "parameters",
                "p_value": [0.0001, 0.4],
            }
            | {"p_adjusted": [0.01, 0.8], "mean_rank": 0.6, "spread": 1.2, "passed": [False, True]}
            | {"finding": ["draws too low", "as it should be"]}
        ),
    }


@pytest.fixture(scope="module")
def appraisal():
    made = make_appraisal()
    made.tables.update(fit_tables())
    return made


def _text(appraisal, section: str) -> str:
    context = lookups({appraisal.stance: appraisal}, appraisal, LEAD)
    view = view_of([appraisal])
    context |= {
        "figures": {f.name: on_page(f, view) for f in fits.FIGURES if is_shown(f, view)},
        "full_name": full_name,
        "analysis": appraisal.analysis,
    }
    context |= {"results": appraisal.results, "options": [], "stances": [], "stance_name": str}
    html = templates().get_template(f"{section}.html.j2").render(context)
    return re.sub(
        r"\s+",
        " ",
        re.sub(r"<svg.*?</svg>", "", re.sub(r"<style.*?</style>", "", html, flags=re.S), flags=re.S),
    )


def _plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


def test_years_inside_are_counted(appraisal):
    text = _plain(_text(appraisal, "fit_checks"))
    assert "13 of 13 yearly changes lie within" in text
    assert "12 of 13 years of starts lie within" in text


def test_the_year_of_the_pandemic_and_the_studies_are_read_off(appraisal):
    text = _plain(_text(appraisal, "fit_checks"))
    assert "0.970 times as large" in text and "0.950 times" in text
    assert "1 of 2 studies lie within two standard deviations" in text


def test_a_calibration_of_an_earlier_state_is_said_to_be_one(appraisal):
    text = _plain(_text(appraisal, "calibrated"))
    assert "Made with an earlier state of the model: 1 of 2." in text
    fresh = make_appraisal()
    fresh.tables.update(fit_tables() | {"calibration_stale": pd.DataFrame(columns=["model", "made"])})
    assert "earlier state of the model: " not in _plain(_text(fresh, "calibrated"))


def test_descriptions_say_what_is_drawn(appraisal):
    assert "outside: 2021" in words("fit_starts", [appraisal])
    assert "outside: none" in words("fit_stock_change", [appraisal])
    assert "stays inside" in words("fit_pit_series", [appraisal])


def test_charts_hold_the_tables_figures(appraisal):
    ax = plot("fit_starts", [appraisal])
    points = next(line for line in ax.lines if line.get_marker() == "o")
    rows = appraisal.tables["fit_checks_totals"].query("quantity == 'starts'")
    np.testing.assert_allclose(points.get_ydata(), rows["published"])
    band = plot("fit_pit_studies", [appraisal])
    for axes in (ax, band):
        plt.close(axes.figure)


@pytest.mark.parametrize("name", [f.name for f in fits.FIGURES if f.name.startswith("fit_")])
def test_it_draws_where_it_is_told(appraisal, name):
    figure, ax = plt.subplots()
    assert plot(name, [appraisal], ax=ax) is ax and ax.has_data()
    plt.close(figure)
