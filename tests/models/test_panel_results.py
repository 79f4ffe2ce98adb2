"""The kept results of England's panel: made from what ships, read whole, known only once its data were out."""

from __future__ import annotations

import pandas as pd
import pytest

from cba.models.authority_findings import RESULTS, known_panel, panel_tables


def test_the_finding_is_the_row_of_starts_with_the_wider_of_two_spreads():
    row = pd.read_csv(RESULTS / "summary.csv").set_index("outcome").loc["starts"]
    found = known_panel(2026)
    assert found.log_change == pytest.approx(row["log_mean"], rel=1e-5)
    assert found.se == pytest.approx(max(row["log_sd"], row["placebo_sd"]), rel=1e-5)


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
        assert (placebos <= real).mean() == pytest.approx(summary.loc[outcome, "share_lower"], abs=2.5 / 500)
