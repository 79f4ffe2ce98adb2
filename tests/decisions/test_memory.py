"""No array of draws x options x thresholds is ever made: 10,000 x 5 x 100,000 would take 40 GB."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cba.decisions import acceptability, evppi, evppi_by_threshold
from tests.decisions.known_answers import acceptability_workload, twenty_inputs

MOST = 300e6
"""Bytes; the whole array at 501 thresholds takes 200 MB, at 100,000 it takes 40 GB."""


def peak(work: Callable[[], Any]) -> int:
    work()  # imports and caches do not count
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("thresholds, most", [(501, 20e6), (100_000, 100e6)])
def test_decision_summary(thresholds, most):
    """The draws take 0.8 MB; the rest grows with thresholds x options only."""
    costs, effects, _ = acceptability_workload()
    grid = np.linspace(0.0, 50_000.0, thresholds)
    assert peak(lambda: acceptability(costs, effects, grid)) < most < MOST


def test_twenty_inputs_and_a_group():
    costs, effects, inputs = twenty_inputs()
    net_benefit = 20_000 * effects - costs
    four = {"four": ["x1", "x2", "x3", "x4"]}
    assert peak(lambda: evppi(net_benefit, inputs)) < MOST
    assert peak(lambda: evppi(net_benefit, inputs, four)) < MOST


def test_thresholds_of_a_group_are_valued_one_at_a_time():
    costs, effects, inputs = twenty_inputs()
    few = inputs[["x1", "x2"]]

    def at(thresholds: int) -> int:
        grid = np.linspace(0.0, 50_000.0, thresholds)
        return peak(lambda: evppi_by_threshold(costs, effects, few, grid, {"two": ["x1", "x2"]}))

    assert at(12) < 1.1 * at(2) + 1e6
