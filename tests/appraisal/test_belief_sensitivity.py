"""The weight at which the preferred option changes: by hand, by brute force, and its error by simulation."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cba.appraisal.record import Appraisal
from cba.errors import InputError
from cba.tables.beliefs import preferred, weight_of_change, with_weight_of_change

LABELS = {"bau": "Business as usual", "a": "A", "b": "B"}


def appraisal(npv, safe, *, stance, draws=None):
    """What the table reads of an appraisal: payoffs of three options, draws paired."""
    options = list(LABELS)
    none = np.zeros_like(npv)
    values = {"npv": npv, "npv_social": npv, "child_years_safe": safe, "child_years_harm": none}
    coords = {"option": options}
    made = {n: xr.DataArray(v, dims=("sample", "option"), coords=coords) for n, v in values.items()}
    analysis = SimpleNamespace(chains=2, draws=draws or npv.shape[0])
    found = SimpleNamespace(**made, stance=stance, option_labels=LABELS, analysis=analysis)
    found.net_benefit = lambda **values: Appraisal.net_benefit(found, **values)
    return found


def pair(draws, rng, *, means, noise=1.0):
    common = noise * rng.normal(size=(draws, 3)) * [0, 1, 1]
    zero = np.zeros((draws, 3))
    return tuple(
        appraisal(np.array(m) + common, zero, stance=s)
        for s, m in zip(("evidence", "sceptical"), means, strict=True)
    )


def test_two_lines_cross_where_arithmetic_says():
    evidence, sceptical = pair(100, np.random.default_rng(0), means=([0, 3, -9], [0, -1, -9]), noise=0.0)
    found = weight_of_change(evidence, sceptical, values=(0.0,))
    assert found["option"].tolist() == ["bau", "a"]
    assert found["weight_from"].tolist() == [0.0, 0.25] and found["weight_to"].tolist() == [0.25, 1.0]
    assert found["payoff_from"].tolist() == [0.0, 0.0] and found["payoff_to"].tolist() == [0.0, 3.0]


def test_a_child_year_is_worth_what_is_said():
    """Option a costs 10 and brings 2 child-years under the evidence, 1 under the sceptic: 7 each makes 4 and -3."""
    zero = np.zeros((50, 3))
    evidence = appraisal(zero + [0, -10, -99], zero + [0, 2, 0], stance="evidence")
    sceptical = appraisal(zero + [0, -10, -99], zero + [0, 1, 0], stance="sceptical")
    found = weight_of_change(evidence, sceptical, values=(0.0, 7.0)).set_index(
        ["value_per_child_year", "option"]
    )
    assert list(found.index) == [(0.0, "bau"), (7.0, "bau"), (7.0, "a")]
    assert found.loc[(7.0, "a"), "weight_from"] == pytest.approx(3 / 7)


@given(arrays(float, (2, 4), elements=st.integers(-5, 5).map(float)))
def test_the_envelope_is_the_best_of_all_options_at_every_weight(payoffs):
    evidence, sceptical = payoffs
    pieces = preferred(evidence, sceptical)
    assert pieces[0][1] == 0.0 and pieces[-1][2] == 1.0
    assert all(one[2] == two[1] and two[3] == one[0] for one, two in zip(pieces, pieces[1:], strict=False))
    for weight in np.linspace(0, 1, 41):
        best = next(option for option, start, end, _ in pieces if start <= weight <= end)
        values = weight * evidence + (1 - weight) * sceptical
        assert values[best] == pytest.approx(values.max(), abs=1e-12)


def test_error_of_the_change_is_its_spread_over_repetitions():
    draws, found, stated = 400, [], []
    rng = np.random.default_rng(3)
    for _ in range(400):
        table = weight_of_change(
            *pair(draws, rng, means=([0, 4.0, -99], [0, -4.0, -99]), noise=3.0), values=(0.0,)
        )
        found.append(table["weight_from"].iloc[1])
        stated.append(table["change_se"].iloc[1])
    assert np.mean(found) == pytest.approx(0.5, abs=4 * np.std(found) / 20)
    assert np.mean(stated) == pytest.approx(np.std(found), rel=0.2)  # the spread itself is known to 4%


def test_review_and_other_options_are_refused():
    evidence, sceptical = pair(20, np.random.default_rng(0), means=([0, 1, 2], [0, 1, 2]))
    claims = appraisal(np.zeros((20, 3)), np.zeros((20, 3)), stance="review")
    with pytest.raises(InputError, match="review"):
        weight_of_change(evidence, claims)
    sceptical.npv = sceptical.npv.assign_coords(option=["bau", "a", "c"])
    with pytest.raises(InputError, match="different options"):
        weight_of_change(evidence, sceptical)


def test_a_run_with_one_stance_gets_no_table():
    assert with_weight_of_change({"evidence": "only"}) == {"evidence": "only"}
