"""Each step from money to children, against plain loops over draws and ages."""

from __future__ import annotations

import numpy as np
import pytest

from cba.dimensions import AGE_BANDS
from cba.tables.children import effect_chain

TILTS = {"under_1": "family_help.age_tilt_under_1", "16_plus": "family_help.age_tilt_16_plus"}


@pytest.fixture(scope="module")
def steps(workings):
    return effect_chain(workings, "care_review").set_index("step")


def test_starts_averted_are_starts_times_coverage_times_reach_times_effect(workings, steps):
    system, target = workings.system, workings.years.index(2032)
    covered = workings.accounts["family_help_only"].delivered("family_help")[:, target]
    starts = system.baseline["starts_reachable"].transpose("sample", "year", "age").values[:, target]
    found = []
    for draw in range(system.reach.size):
        averted = 0.0
        for position, age in enumerate(AGE_BANDS):
            tilt = system.value(TILTS[age])[draw] if age in TILTS else 1.0
            fall = 1.0 - np.exp(system.value("family_help.log_risk_ratio")[draw] * tilt)
            averted += starts[draw, position] * covered[draw] * system.reach_by_age[draw, position] * fall
        found.append(averted)
    row = steps.loc["Starts averted"]
    assert row["mean"] == pytest.approx(np.mean(found), rel=1e-9)
    assert row["median"] == pytest.approx(np.median(found), rel=1e-9)
    assert (row["lower"], row["upper"]) == pytest.approx(np.quantile(found, [0.05, 0.95]), rel=1e-9)


def test_the_chain_ends_where_the_option_of_family_help_alone_does(workings, steps):
    total = workings.arrays.children.sum("age").sel(year=2032)
    fewer = (total.sel(option="bau") - total.sel(option="family_help_only")).values
    assert steps.loc["Fewer children in care at 31 March", "mean"] == pytest.approx(fewer.mean(), rel=1e-9)
    flow = workings.arrays.cash_flow.sel(option="family_help_only", year=2032)
    spent = flow.isel(line=np.flatnonzero(flow["kind"].values != "saving")).sum("line").values
    assert steps.loc["Money for family help", "mean"] == pytest.approx(spent.mean(), rel=1e-9)


def test_children_served_are_what_the_money_buys_at_most(workings, steps):
    """Coverage is capped at 1, so nobody beyond the eligible is served."""
    served, eligible = steps.loc["Children served"], workings.system.value("family_help.eligible_children")
    assert served["upper"] <= eligible.max()
    assert 0.0 <= steps.loc["Share of eligible children served (coverage)", "lower"] <= 1.0
