"""Scores of one forecast: closed forms, and percentiles that are uniform where the forecast tells the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, norm

from cba.errors import InputError
from cba.runs.forecasts import LEVELS, outturn_score


def test_crps_is_that_of_a_normal_forecast():
    draws = norm.ppf((np.arange(2_000) + 0.5) / 2_000)
    for outturn in (-1.5, 0.0, 0.7):
        exact = outturn * (2 * norm.cdf(outturn) - 1) + 2 * norm.pdf(outturn) - 1 / np.sqrt(np.pi)
        assert outturn_score(draws, outturn)["crps"] == pytest.approx(exact, abs=1e-3)


def test_percentile_counts_ties_half():
    assert outturn_score([1.0, 2.0, 2.0, 3.0], 2.0)["percentile"] == 0.5


def test_truthful_forecasts_have_uniform_percentiles_and_nominal_coverage():
    rng = np.random.default_rng(1)
    scores = [
        outturn_score(centre + rng.standard_normal(400), centre + rng.standard_normal())
        for centre in range(600)
    ]
    assert kstest([s["percentile"] for s in scores], "uniform").pvalue > 0.001
    for level in LEVELS:
        share = np.mean([s[f"inside_{100 * level:.0f}"] for s in scores])
        assert abs(share - level) < 3.5 * np.sqrt(level * (1 - level) / len(scores))


@pytest.mark.parametrize(("draws", "outturn"), [([1.0], 1.0), ([1.0, np.nan], 1.0), ([1.0, 2.0], np.inf)])
def test_what_is_no_forecast_or_no_outturn_is_refused(draws, outturn):
    with pytest.raises(InputError):
        outturn_score(draws, outturn)
