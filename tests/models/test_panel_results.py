"""The kept results of England's panel: made from what ships, read whole, known only once its data were out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cba.models.authority_data import OUTCOMES
from cba.models.authority_findings import RESULTS, SHIFTS, known_panel, panel_tables


def test_the_finding_is_what_the_placebo_dates_show_with_errors_of_the_placebo_adopters():
    dates = pd.read_csv(RESULTS / "placebo_dates.csv").query("used == 'all'").set_index(["shift", "outcome"])
    sets = pd.read_csv(RESULTS / "placebo_adopters.csv").query("placebo > 0").groupby("outcome")
    wider = np.maximum(1.0, sets["effect"].std() / sets["se"].mean())
    found = known_panel(2026)
    keys = [(shift, outcome) for shift in SHIFTS for outcome in OUTCOMES]
    errors = np.sqrt(np.diag(found.covariance))
    for place, key in enumerate(keys):
        assert found.estimate[place] == pytest.approx(dates.loc[key, "effect"], rel=1e-5)
        assert errors[place] == pytest.approx(dates.loc[key, "se"] * wider[key[1]], rel=1e-3)


@pytest.mark.parametrize("specification", ["base", "own_trends", "all_children"])
def test_errors_of_each_specification_have_a_covariance(specification):
    found = known_panel(2026, specification=specification)
    assert np.allclose(found.covariance, np.transpose(found.covariance))
    assert found.seen[:2] == (1.0, 1.0) and np.all(np.diff(found.seen[2::2]) > 0)


def test_the_closed_form_agrees_with_the_full_fit():
    """Within a fifth of the posterior's standard deviation, on every outcome."""
    summary = pd.read_csv(RESULTS / "summary.csv")
    assert (abs(summary["log_mean"] - summary["closed_form"]) < 0.2 * summary["log_sd"]).all()


def test_the_fit_that_is_kept_passed_its_gates():
    checks = pd.read_csv(RESULTS / "convergence.csv").set_index("check")
    assert checks["passed"].all()
    assert checks.loc["R-hat", "found"] <= 1.01 and checks.loc["divergences", "found"] == 0


def test_nothing_is_known_before_the_data_were_out():
    year = known_panel(2026).known_by
    assert known_panel(year) is not None and known_panel(year - 1) is None
    assert panel_tables(year - 1) == {}


def test_the_position_among_placebos_is_that_of_the_kept_sets():
    sets = pd.read_csv(RESULTS / "placebo_adopters.csv")
    summary = pd.read_csv(RESULTS / "summary.csv").set_index("outcome")
    for outcome, rows in sets.groupby("outcome"):
        real, placebos = rows[rows["placebo"] == 0]["effect"].item(), rows[rows["placebo"] > 0]["effect"]
        assert len(placebos) == summary.loc[outcome, "placebo_sets"] >= 50
        apart = (abs(placebos - placebos.mean()) >= abs(real - placebos.mean())).mean()
        assert apart == pytest.approx(summary.loc[outcome, "share_larger"], abs=2.5 / 500)
