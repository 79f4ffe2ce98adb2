"""Findings of pure noise are rarely called clear, however many are tried; real ones are."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cba.appraisal.quantities import clear_of_chance, errors_asked
from cba.stances.review import need_to_believe
from cba.tables.assumptions import FITTED_NAMES, described
from tests.appraisal.made_workings import made_draws


@pytest.mark.parametrize("tried", [20, 150, 600])
def test_of_many_findings_of_noise_one_is_let_in_once_in_twenty_times_at_most(tried):
    rng = np.random.default_rng(tried)
    let_in = [clear_of_chance(rng.normal(size=tried), np.ones(tried)).any() for _ in range(4000)]
    assert np.mean(let_in) <= 0.05 + 4 * (0.05 * 0.95 / 4000) ** 0.5


def test_three_errors_are_asked_of_a_few_and_more_of_many():
    assert errors_asked(1) == errors_asked(10) == 3.0
    assert 3.0 < errors_asked(100) < errors_asked(1000) < 4.5


def test_nothing_that_does_not_move_is_clear_even_without_an_error():
    assert clear_of_chance(np.array([0.0, 1e-9]), np.array([0.0, 0.0])).tolist() == [False, True]


@pytest.fixture(scope="module")
def noise():
    """Two hundred inputs that have nothing to do with the outcome and one that is most of it."""
    rng = np.random.default_rng(5)
    draws = rng.normal(size=(201, 4000))
    fewer = 10.0 * draws[0] + rng.normal(size=4000)
    drawn = xr.Dataset({f"made.input_{place}": ("sample", values) for place, values in enumerate(draws)})
    chosen = fewer >= np.sort(fewer)[-100]
    return drawn, fewer, chosen


def test_only_the_input_that_carries_the_claims_clearly_shifts(noise):
    drawn, fewer, chosen = noise
    table = need_to_believe(drawn, fewer, chosen=chosen, level=0.9)
    assert table.loc[table["clear"], "parameter"].tolist() == ["made.input_0"]
    assert (table["shift"].abs() > 2.0 * table["shift_se"]).sum() > 1  # two errors would let noise in


def test_the_error_of_a_shift_is_its_spread_when_draws_are_chosen_blindly(noise):
    drawn, fewer, chosen = noise
    values = drawn["made.input_7"].values
    rng = np.random.default_rng(9)
    shifts = [
        (rng.choice(values, 100, replace=False).mean() - values.mean()) / values.std() for _ in range(3000)
    ]
    stated = need_to_believe(drawn, fewer, chosen=chosen, level=0.9)["shift_se"]
    assert stated.nunique() == 1
    assert stated.iloc[0] == pytest.approx(np.std(shifts), rel=4 / (2 * 3000) ** 0.5)


def test_every_uncertain_input_has_words():
    drawn = made_draws()
    worded = {str(name): described(str(name), values.attrs) for name, values in drawn.data_vars.items()}
    assert not [name for name, words in worded.items() if words == name or "_" in words]
    assert set(FITTED_NAMES.values()) & set(worded.values())
    assert len(set(FITTED_NAMES.values())) == len(FITTED_NAMES)
