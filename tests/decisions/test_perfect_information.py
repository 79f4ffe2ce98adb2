"""EVPI against the unit normal loss, the expected-loss formula, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cba.decisions import evpi, evpi_with_error
from cba.errors import InputError
from tests.decisions.known_answers import against_zero, labelled, normal_loss


def two_options(mean: float, sd: float, seed: int, draws: int = 40_000) -> xr.DataArray:
    return labelled(against_zero(np.random.default_rng(seed).normal(mean, sd, draws)))


@pytest.mark.parametrize("mean, sd", [(0.0, 10.0), (5.0, 10.0), (-5.0, 10.0), (50.0, 1.0)])
def test_matches_unit_normal_loss(mean, sd):
    nb = two_options(mean, sd, seed=0)
    regret = nb.max("option") - nb.isel(option=int(mean > 0))
    standard_error = float(regret.std()) / np.sqrt(nb.sizes["sample"])
    assert abs(float(evpi(nb)) - normal_loss(mean, sd)) <= 4 * standard_error + 1e-12


def test_toy_normal_model():
    """p1 - p2 with p1 ~ N(1, 1), p2 ~ N(0, 2): 0.4798107063."""
    rng = np.random.default_rng(4)
    nb = labelled(against_zero(rng.normal(1, 1, 200_000) - rng.normal(0, 2, 200_000)))
    result = evpi_with_error(nb)
    assert abs(float(result.evpi) - 0.4798107063) <= 4 * float(result.se)


def test_equals_the_smallest_mean_regret():
    nb = two_options(3.0, 10.0, seed=1)
    regret = nb.max("option") - nb
    np.testing.assert_allclose(evpi(nb), regret.mean("sample").min(), rtol=1e-12)


def test_ignores_a_shock_common_to_all_options():
    nb = two_options(3.0, 10.0, seed=2)
    shock = xr.DataArray(np.random.default_rng(3).normal(0, 1e3, nb.sizes["sample"]), dims="sample")
    np.testing.assert_allclose(evpi(nb + shock), evpi(nb), rtol=1e-8)


def test_scales_with_money_and_ignores_order():
    nb = labelled(np.random.default_rng(5).normal(0, 10, (3_000, 4)))
    np.testing.assert_allclose(evpi(1e6 * nb), 1e6 * evpi(nb), rtol=1e-12)
    shuffled = nb.isel(sample=np.random.default_rng(6).permutation(3_000), option=[2, 0, 3, 1])
    np.testing.assert_allclose(evpi(shuffled), evpi(nb), rtol=1e-12)


def test_further_dimensions_are_kept():
    nb = xr.DataArray(
        np.random.default_rng(7).normal(size=(500, 3, 2)),
        dims=("sample", "option", "payer"),
        coords={"payer": ["council", "nhs"]},
    )
    result = evpi(nb)
    assert result.dims == ("payer",)
    for payer in ("council", "nhs"):
        np.testing.assert_allclose(result.sel(payer=payer), evpi(nb.sel(payer=payer)), rtol=1e-12)


def test_one_dominant_option_needs_no_information():
    assert float(evpi(labelled(np.array([[0.0, 1.0], [0.0, 2.0]])))) == 0.0


def test_standard_error_is_the_spread_over_repetitions():
    runs = [evpi_with_error(two_options(5.0, 10.0, seed=seed, draws=1_000)) for seed in range(400)]
    seen = np.std([float(run.evpi) for run in runs])
    assert np.mean([float(run.se) for run in runs]) == pytest.approx(seen, rel=0.15)


def test_bias_is_found_where_options_tie():
    """Three tied options, 200 draws: EVPI falls short, the stated bias says so, by less than all of it."""
    exact = 10 * 0.8462843753216345  # mean of the largest of three standard normals
    runs = [evpi_with_error(labelled(np.random.default_rng(s).normal(0, 10, (200, 3)))) for s in range(400)]
    shortfall = np.mean([float(run.evpi) for run in runs]) - exact
    stated = np.mean([float(run.bias) for run in runs])
    assert shortfall < -0.3
    assert 0.25 < stated / shortfall <= 1.0


def test_no_bias_where_one_option_is_clearly_best():
    assert float(evpi_with_error(two_options(20.0, 10.0, seed=1, draws=1_000)).bias) == pytest.approx(
        0.0, abs=1e-9
    )


@pytest.mark.parametrize(
    "values, dims, found, remedy",
    [
        (np.zeros((5, 1)), ("sample", "option"), "1 option", "keep the comparator"),
        (np.zeros((5, 2)), ("draw", "option"), "draw", "rename"),
        (np.array([[0.0, np.nan]]), ("sample", "option"), "1 of 2 values", "never dropped silently"),
        (np.array([[0.0, np.inf]]), ("sample", "option"), "1 of 2 values", "never dropped silently"),
    ],
)
def test_bad_input_is_refused(values, dims, found, remedy):
    with pytest.raises(InputError) as caught:
        evpi(xr.DataArray(values, dims=dims))
    message = str(caught.value)
    assert "net_benefit" in message and found in message and remedy in message


def test_a_bare_array_is_refused():
    with pytest.raises(InputError, match="named dimensions"):
        evpi(np.zeros((5, 2)))


@pytest.mark.parametrize("mean, sd, draws", [(0.5, 10.0, 400), (-0.5, 5.0, 100), (0.05, 1.0, 250)])
def test_bias_and_error_of_two_options_are_known_from_mean_and_spread(mean, sd, draws):
    """The better mean is picked too high by the unit normal loss of the standard error."""
    gain = np.random.default_rng(draws).normal(0.0, 1.0, draws)
    gain = mean + sd * (gain - gain.mean()) / gain.std(ddof=1)
    found = evpi_with_error(labelled(against_zero(gain)))
    assert float(found.bias) == pytest.approx(-normal_loss(mean, sd / np.sqrt(draws)), rel=0.02)
    regret = np.maximum(gain, 0.0) - (gain if mean > 0 else 0.0)
    assert float(found.evpi) == pytest.approx(regret.mean(), rel=1e-12)
    assert float(found.se) == pytest.approx(regret.std(ddof=1) / np.sqrt(draws), rel=1e-12)


def test_bias_does_not_depend_on_which_option_comes_first():
    nb = labelled(np.random.default_rng(8).normal([0.0, 0.3, -0.2], [1.0, 5.0, 3.0], (300, 3)))
    one, two = evpi_with_error(nb), evpi_with_error(nb.isel(option=[2, 0, 1]))
    assert float(one.bias) == pytest.approx(float(two.bias), rel=0.05)


def test_a_shock_common_to_all_options_moves_neither_bias_nor_error():
    nb = labelled(np.random.default_rng(9).normal([0.0, 0.3, -0.2], [1.0, 5.0, 3.0], (300, 3)))
    shock = xr.DataArray(np.random.default_rng(10).normal(0, 1e9, 300), dims="sample")
    plain, moved = evpi_with_error(nb), evpi_with_error(nb + shock)
    for name in ("evpi", "se", "bias"):
        assert float(moved[name]) == pytest.approx(float(plain[name]), rel=1e-4), name
