"""Cuts in starts that the review's claims would need: the printed table against loops and the stated ranges."""

from __future__ import annotations

import numpy as np
import pytest

from cba.appraisal.inputs import read_inputs
from cba.appraisal.workings import work_through
from cba.inputs.analyses import load_analysis
from cba.models.stays import stay_length
from cba.projection.kernel import averted_stock_kernel
from cba.tables.beliefs import what_it_would_take
from tests.made_fits import as_made_for, made_baseline, made_effects

# Cuts for 17,000 and for 30,000 fewer children that the design found, from 2022-23 and from 2025-26.
STATED = {"review_2022": ((0.25, 0.30), (0.44, 0.54)), "latest": ((0.28, 0.36), (0.49, 0.64))}


@pytest.fixture(scope="module", params=list(STATED))
def workings(request):
    analysis = load_analysis(request.param).model_copy(update={"options": ("bau",), "long_horizon": 10})
    inputs = read_inputs(analysis, stance="evidence")
    baseline = made_baseline(inputs.observations, inputs.priors, draws=250)
    baseline, effects = as_made_for(inputs, baseline, made_effects(draws=250))
    return work_through(inputs, baseline=baseline, effects=effects)


def gone_by_loops(workings):
    """Children fewer in the target year if no child but the unaccompanied started care, one draw at a time."""
    analysis, years = workings.inputs.analysis, workings.years
    stays = stay_length(workings.inputs.observations)
    kernel = averted_stock_kernel(stays, stay_ratio=np.ones(1), lags=len(years))[0]
    starts = workings.system.baseline["starts_reachable"].transpose("sample", "year", "age")
    gone = np.zeros(starts.sizes["sample"])
    for year in range(analysis.start_year, analysis.target_year + 1):
        for band in range(5):
            still = kernel[band, :, analysis.target_year - year].sum()
            gone += starts.sel(year=year).values[:, band] * still
    return gone


def test_cuts_equal_loops_and_lie_in_the_stated_ranges(workings):
    analysis = workings.inputs.analysis
    table = what_it_would_take(workings)
    gone = gone_by_loops(workings)
    assert list(table["target_children"]) == [17_000, 30_000]
    for row, (low, high) in zip(table.itertuples(), STATED[analysis.name], strict=True):
        cut = row.target_children / gone
        assert row.cut_median == pytest.approx(np.median(cut), rel=1e-9)
        tails = np.quantile(cut, [0.05, 0.95])
        assert (row.cut_lower, row.cut_upper) == pytest.approx(tuple(tails), rel=1e-9)
        # stated for rates that stay: more children start where growth keeps its pace
        assert low - 0.03 <= row.cut_median <= high + 0.01
        assert row.risk_ratio_reach_0_6 == pytest.approx(1 - row.cut_median / 0.6, rel=1e-9)


def test_thirty_thousand_is_out_of_reach_at_a_reach_of_two_fifths(workings):
    """At a reach of 0.6 the risk ratios are 0.49-0.59 and 0.10-0.27; at 0.4 the second does not exist."""
    first, second = what_it_would_take(workings).itertuples()
    assert 0.44 < first.risk_ratio_reach_0_6 < 0.60
    assert 0.08 < second.risk_ratio_reach_0_6 < 0.28
    assert np.isnan(second.risk_ratio_reach_0_4) and first.risk_ratio_reach_0_4 < 0.35


def test_a_risk_ratio_of_093_gives_two_to_three_thousand(workings):
    """At a reach of 0.6, full coverage from the first year, average stays."""
    fewer = np.median(gone_by_loops(workings)) * 0.6 * 0.07
    assert 1900 < fewer < 3100
