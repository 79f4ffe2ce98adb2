"""The cohort kernel against closed forms, a plain loop and what must not matter (CASES C13, C14)."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cba.errors import InputError
from cba.projection.kernel import project

KEEP, JOIN, START = 0.997, 0.3, 100.0  # C13: 0.3% leave each day, 0.3 join, 100 children at day 0


def one_state(*, samples: int, steps: int, keep=KEEP, join=JOIN, start=START):
    """Inputs of a single state whose children stay with probability `keep`."""
    sample = np.arange(samples)
    initial = xr.DataArray(np.full((samples, 1), start), {"sample": sample}, ("sample", "state"))
    entries = xr.DataArray(
        np.full((samples, steps, 1), join), {"sample": sample}, ("sample", "year", "state")
    )
    moves = xr.DataArray(
        np.broadcast_to(np.reshape(keep, (-1, 1, 1)), (samples, 1, 1)).copy(),
        {"sample": sample},
        ("sample", "from_state", "to_state"),
    )
    return initial, entries, moves


def care_like(rng, *, samples=7, options=2, years=5, states=3, move_years=None):
    """Random but valid inputs with every optional dim and labels on all of them."""
    labels = {
        "sample": np.arange(samples) * 3,
        "option": [f"option_{number}" for number in range(options)],
        "year": np.arange(2024, 2024 + years),
    }
    names = [f"state_{number}" for number in range(states)]
    rows = rng.dirichlet(np.ones(states + 1), (samples, options, move_years or years, states))[..., :states]
    initial = xr.DataArray(
        rng.uniform(0, 1000, (samples, options, states)),
        {"sample": labels["sample"], "option": labels["option"], "state": names},
        ("sample", "option", "state"),
    )
    entries = xr.DataArray(
        rng.uniform(0, 100, (samples, options, years, states)),
        {**labels, "state": names},
        ("sample", "option", "year", "state"),
    )
    moves = xr.DataArray(
        rows,
        {**labels, "from_state": names, "to_state": names},
        ("sample", "option", "year", "from_state", "to_state"),
    )
    return initial, entries, moves


def by_plain_loop(initial, entries, moves):
    """The recursion of the docstring, one matrix product at a time: the second implementation."""
    out = xr.zeros_like(entries)
    for sample in range(entries.sizes["sample"]):
        for option in range(entries.sizes["option"]):
            stock = initial.values[sample, option]
            for year in range(entries.sizes["year"]):
                stock = stock @ moves.values[sample, option, year] + entries.values[sample, option, year]
                out.values[sample, option, year] = stock
    return out


# --- closed forms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("start, join", [(START, JOIN), (20.0, JOIN), (0.0, 1.5)])
def test_expectation_of_one_state_is_the_geometric_sum(start, join):
    """E N(d) = start q^d + join (1 - q^d)/(1 - q): C13, where it is 100 on every day."""
    days = np.arange(1, 731)
    path = project(*one_state(samples=2, steps=730, start=start, join=join))
    exact = start * KEEP**days + join * (1 - KEEP**days) / (1 - KEEP)
    np.testing.assert_allclose(path.isel(state=0), np.tile(exact, (2, 1)), rtol=0, atol=1e-9)


def test_time_constant_moves_give_matrix_powers():
    """Without entries x(t) = x(0) M^t."""
    initial, entries, moves = care_like(np.random.default_rng(0), options=1, years=6)
    constant = moves.isel(year=0, drop=True)
    path = project(initial, xr.zeros_like(entries), constant)
    for sample in range(initial.sizes["sample"]):
        power = np.linalg.matrix_power(constant.values[sample, 0], 6)
        np.testing.assert_allclose(path.values[sample, 0, -1], initial.values[sample, 0] @ power, rtol=1e-12)


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 150), st.integers(1, 3), st.integers(1, 6), st.integers(1, 5)
)
def test_equals_a_plain_loop(seed, samples, options, years, states):
    """Sizes on both sides of a block of 64 samples, with moves that change by year and option."""
    shape = {"samples": samples, "options": options, "years": years, "states": states}
    inputs = care_like(np.random.default_rng(seed), **shape)
    xr.testing.assert_allclose(project(*inputs), by_plain_loop(*inputs), rtol=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_children_conserve(seed):
    """Stock at year end = stock before + entries - leavers, per sample: what does not stay has left."""
    initial, entries, moves = care_like(np.random.default_rng(seed))
    path = project(initial, entries, moves)
    before = xr.concat([initial.expand_dims(year=[2023]), path.isel(year=slice(None, -1))], dim="year")
    before = before.assign_coords(year=path["year"]).transpose(*path.dims)
    staying = moves.sum("to_state").rename(from_state="state")
    leavers = before * (1.0 - staying)
    change = path.sum("state") - before.sum("state")
    xr.testing.assert_allclose(change, (entries - leavers).sum("state"), atol=1e-8)


def test_leaving_named_as_a_state_changes_nothing_and_loses_nobody():
    """With 'left' as a state the rows sum to exactly 1 and the total is start plus all entries."""
    initial, entries, moves = care_like(np.random.default_rng(1))
    names = [*initial["state"].values, "left"]
    wider = moves.reindex(from_state=names, to_state=names, fill_value=0.0)
    wider.loc[{"to_state": "left"}] = 1.0 - wider.sel(to_state=names[:-1]).sum("to_state")
    path = project(
        initial.reindex(state=names, fill_value=0.0), entries.reindex(state=names, fill_value=0.0), wider
    )
    xr.testing.assert_allclose(path.sel(state=names[:-1]), project(initial, entries, moves), rtol=1e-12)
    total = initial.sum("state") + entries.sum("state").cumsum("year")
    xr.testing.assert_allclose(path.sum("state"), total.transpose(*path.sum("state").dims), rtol=1e-12)


# --- what must not matter -------------------------------------------------------------------------------


def test_absent_option_and_year_are_broadcast():
    """Moves without year or option act as if they were repeated."""
    initial, entries, moves = care_like(np.random.default_rng(2))
    constant = moves.isel(year=0, option=0, drop=True)
    repeated = constant.expand_dims(option=entries["option"], year=entries["year"])
    xr.testing.assert_identical(project(initial, entries, constant), project(initial, entries, repeated))
    shared = initial.isel(option=0, drop=True)
    repeated = shared.expand_dims(option=entries["option"])
    xr.testing.assert_identical(project(shared, entries, moves), project(repeated, entries, moves))


def test_options_may_come_from_the_moves_alone():
    initial, entries, moves = care_like(np.random.default_rng(3))
    initial, entries = initial.isel(option=0, drop=True), entries.isel(option=0, drop=True)
    path = project(initial, entries, moves)
    assert path.dims == ("sample", "option", "year", "state")
    single = project(initial, entries, moves.isel(option=1, drop=True))
    xr.testing.assert_identical(path.isel(option=1, drop=True), single)


def test_order_of_dims_does_not_matter():
    inputs = care_like(np.random.default_rng(4))
    turned = [array.transpose(*reversed(array.dims)) for array in inputs]
    xr.testing.assert_identical(project(*turned), project(*inputs))


@pytest.mark.parametrize("dim", ["sample", "option"])
def test_permuting_draws_or_options_only_reorders(dim):
    """C14 relations 6 and 7, exact."""
    inputs = care_like(np.random.default_rng(5), options=4)
    order = np.random.default_rng(6).permutation(inputs[0].sizes[dim])
    permuted = project(*(array.isel({dim: order}) for array in inputs))
    xr.testing.assert_identical(permuted, project(*inputs).isel({dim: order}))


def test_permuting_states_only_reorders():
    initial, entries, moves = care_like(np.random.default_rng(7))
    order = [2, 0, 1]
    permuted = project(
        initial.isel(state=order), entries.isel(state=order), moves.isel(from_state=order, to_state=order)
    )
    xr.testing.assert_allclose(permuted, project(initial, entries, moves).isel(state=order), rtol=1e-13)


@pytest.mark.parametrize("rng", [None, 0])
def test_an_option_without_effect_differs_by_exactly_nothing(rng):
    """C14 relation 1, with and without process noise."""
    initial, entries, moves = care_like(np.random.default_rng(8))
    same = [
        array.isel(option=[0, 0]).assign_coords(option=["bau", "idle"]) for array in (initial, entries, moves)
    ]
    path = project(same[0].round(), *same[1:], rng=rng)
    np.testing.assert_array_equal(path.sel(option="idle"), path.sel(option="bau"))


def test_inputs_are_not_changed():
    inputs = care_like(np.random.default_rng(9))
    copies = [array.copy(deep=True) for array in inputs]
    project(*inputs)
    for array, copy in zip(inputs, copies, strict=True):
        xr.testing.assert_identical(array, copy)


# --- process noise --------------------------------------------------------------------------------------

SAMPLES = 8_000


@pytest.fixture(scope="module")
def noisy_path():
    """C13 simulated for a year."""
    return project(*one_state(samples=SAMPLES, steps=365), rng=np.random.default_rng(20240601)).isel(state=0)


@pytest.mark.parametrize(
    "day, exact_sd, added_up_sd",
    [(30, 4.061474277, 4.24), (90, 6.463161208, 7.34), (365, 9.425768028, 14.79)],
)
def test_process_noise_has_the_exact_moments(noisy_path, day, exact_sd, added_up_sd):
    """C13: thinning forgets old noise, so variances do not simply add up."""
    counts = noisy_path.isel(year=day - 1).values
    assert abs(counts.mean() - 100.0) <= 4 * exact_sd / np.sqrt(SAMPLES)
    # Near-normal counts: the relative standard error of a variance is sqrt(2 / n), of an sd half that.
    error_of_sd = exact_sd / np.sqrt(2 * SAMPLES)
    assert abs(counts.std(ddof=1) - exact_sd) <= 4 * error_of_sd
    if day >= 90:  # before that, the wrong recursion is too close to tell apart by so many draws
        assert abs(counts.std(ddof=1) - added_up_sd) > 8 * error_of_sd


def test_exact_moments_used_above_satisfy_the_recursion():
    """Var(t+1) = q^2 Var(t) + q (1 - q) E x(t) + join, from 0; the wrong one has no q^2."""
    variance = added_up = 0.0
    for _ in range(365):
        variance = KEEP**2 * variance + KEEP * (1 - KEEP) * 100.0 + JOIN
        added_up += KEEP * (1 - KEEP) * 100.0 + JOIN
    assert np.sqrt(variance) == pytest.approx(9.425768028, abs=1e-9)
    assert np.sqrt(added_up) == pytest.approx(14.79, abs=5e-3)


def test_parameter_uncertainty_adds_to_process_noise():
    """Total variance = mean process variance + variance of conditional means, when the rate is drawn too."""
    keep = np.random.default_rng(1).beta(60, 20, SAMPLES)  # about 0.75, sd 0.05
    path = project(*one_state(samples=SAMPLES, steps=1, keep=keep, join=12.0), rng=np.random.default_rng(2))
    counts = path.values.ravel()
    mean = 0.75
    spread = mean * (1 - mean) / 81
    total = START * (mean * (1 - mean) - spread) + 12.0 + START**2 * spread
    kurtosis_bound = np.sqrt(np.var((counts - counts.mean()) ** 2) / SAMPLES)
    assert abs(counts.var(ddof=1) - total) <= 4 * kurtosis_bound


def test_moves_are_multinomial():
    """Over two goals and leaving: means n p, variances n p (1 - p), covariance -n p1 p2."""
    chance, stock = np.array([0.5, 0.2]), 200.0
    sample = np.arange(SAMPLES)
    initial = xr.DataArray(np.tile([stock, 0.0], (SAMPLES, 1)), {"sample": sample}, ("sample", "state"))
    entries = xr.DataArray(np.zeros((SAMPLES, 1, 2)), {"sample": sample}, ("sample", "year", "state"))
    moves = xr.DataArray(
        np.tile([chance, [0.0, 0.0]], (SAMPLES, 1, 1)),
        {"sample": sample},
        ("sample", "from_state", "to_state"),
    )
    counts = project(initial, entries, moves, rng=np.random.default_rng(3)).isel(year=0).values
    spread = stock * chance * (1 - chance)
    assert np.all(np.abs(counts.mean(0) - stock * chance) <= 4 * np.sqrt(spread / SAMPLES))
    assert np.all(np.abs(counts.var(0, ddof=1) / spread - 1) <= 4 * np.sqrt(2 / SAMPLES))
    products = np.prod(counts - counts.mean(0), axis=1)
    assert abs(products.mean() + stock * chance.prod()) <= 4 * products.std() / np.sqrt(SAMPLES)


def test_noise_is_whole_children_and_never_creates_any():
    initial, entries, moves = care_like(np.random.default_rng(10))
    path = project(initial.round(), xr.zeros_like(entries), moves, rng=0)
    np.testing.assert_array_equal(path, path.round())
    assert (path >= 0).all()
    totals = path.sum("state").transpose("sample", "option", "year").values
    assert np.all(np.diff(totals, axis=-1) <= 0)
    assert np.all(totals[..., 0] <= initial.round().sum("state").values)


def test_the_seed_decides_the_noise_and_zero_is_a_seed():
    inputs = one_state(samples=50, steps=10)
    xr.testing.assert_identical(project(*inputs, rng=0), project(*inputs, rng=np.random.default_rng(0)))
    assert not project(*inputs, rng=0).equals(project(*inputs, rng=1))


def test_certain_moves_carry_no_noise():
    inputs = one_state(samples=5, steps=4, keep=1.0, join=0.0)
    np.testing.assert_array_equal(project(*inputs, rng=0), 100.0)


# --- what is refused ------------------------------------------------------------------------------------


def refused(*inputs, rng=None) -> str:
    with pytest.raises(InputError) as caught:
        project(*inputs, rng=rng)
    assert "next step: " in str(caught.value)
    return str(caught.value)


def test_the_worst_row_of_moves_is_named():
    initial, entries, moves = care_like(np.random.default_rng(11))
    moves = moves.copy()
    moves.loc[{"sample": 3, "option": "option_0", "year": 2025, "from_state": "state_1"}] = 0.34
    moves.loc[{"sample": 6, "option": "option_1", "year": 2026, "from_state": "state_2"}] = 0.40
    message = refused(initial, entries, moves)
    assert "sample=6, option=option_1, year=2026, from_state=state_2 sum to 1.2" in message
    assert "2 of 210 rows" in message and "usual cause: yearly and monthly rates mixed" in message


def test_rounding_in_a_row_is_not_an_error():
    inputs = one_state(samples=2, steps=2, keep=1.0 + 5e-10)
    assert np.isfinite(project(*inputs)).all()
    assert np.isfinite(project(*one_state(samples=2, steps=2, keep=1.0 + 1e-9))).all()
    assert (project(*one_state(samples=2, steps=1, keep=1.0 + 1e-9, join=0.0), rng=0) == 100.0).all()
    assert "sum to 1" in refused(*one_state(samples=2, steps=2, keep=1.0 + 5e-9))


@pytest.mark.parametrize("value", [-0.1, np.nan])
def test_moves_outside_their_range_are_refused(value):
    initial, entries, moves = care_like(np.random.default_rng(12))
    moves = moves.copy()
    moves[4, 1, 2, 0, 1] = value
    message = refused(initial, entries, moves)
    assert "moves[sample=12, option=option_1, year=2026, from_state=state_0, to_state=state_1]" in message
    assert "negative or missing" in message


@pytest.mark.parametrize("rng", [None, 0])
@pytest.mark.parametrize("value, kind", [(-1.0, "negative"), (np.nan, "not finite"), (np.inf, "not finite")])
def test_bad_entries_are_refused_wherever_they_are(value, kind, rng):
    initial, entries, moves = care_like(np.random.default_rng(13), samples=130)
    entries = entries.copy()
    entries[129, 1, 4, 2] = value
    message = refused(initial.round(), entries, moves, rng=rng)
    assert "entries[sample=387, option=option_1, year=2028, state=state_2]" in message
    assert f"the worst is {kind}" in message


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_bad_initial_stock_is_refused(value):
    initial, entries, moves = care_like(np.random.default_rng(14))
    initial = initial.copy()
    initial[2, 0, 1] = value
    assert "initial[sample=6, option=option_0, state=state_1]" in refused(initial, entries, moves)


def test_part_children_are_refused_with_noise():
    inputs = one_state(samples=3, steps=2, start=100.5)
    assert "not whole" in refused(*inputs, rng=0)
    assert project(*inputs).shape == (3, 2, 1)


@pytest.mark.parametrize(
    "which, dim", [(0, "sample"), (1, "sample"), (2, "sample"), (0, "option"), (2, "year")]
)
def test_inputs_with_other_labels_are_refused(which, dim):
    """C14 relation 7: draws that are not the same state of the world."""
    inputs = list(care_like(np.random.default_rng(15)))
    inputs[which] = inputs[which].isel({dim: slice(None, None, -1)})
    message = refused(*inputs)
    assert (
        f"labels of {dim!r} differ" in message and "usual cause: inputs drawn or sorted separately" in message
    )


@pytest.mark.parametrize("dim", ["from_state", "to_state"])
def test_states_in_another_order_are_refused(dim):
    initial, entries, moves = care_like(np.random.default_rng(16))
    message = refused(initial, entries, moves.isel({dim: [1, 0, 2]}))
    assert f"moves.{dim}" in message and "labels of 'state' differ" in message


def test_lengths_that_differ_are_refused_without_labels_too():
    initial, entries, moves = one_state(samples=3, steps=2)
    bare = [array.drop_vars("sample") for array in (initial, entries, moves)]
    assert project(*bare).sizes["sample"] == 3
    assert "differ in the length of 'sample'" in refused(bare[0].isel(sample=[0]), *bare[1:])


@pytest.mark.parametrize("which, name", [(0, "initial"), (1, "entries"), (2, "moves")])
def test_wrong_dims_are_refused(which, name):
    inputs = list(care_like(np.random.default_rng(17)))
    inputs[which] = inputs[which].rename(sample="draw")
    assert f"{name} has the wrong dims" in refused(*inputs)


@pytest.mark.parametrize("rng", [None, 0])
def test_certain_moves_of_two_years_and_two_options_by_hand(rng):
    """All go to the second state in the first year and leave in the next, or the other way round; 1 option, or 2."""
    initial = xr.DataArray([[8.0, 0.0]], dims=("sample", "state"))
    entries = xr.DataArray(np.zeros((1, 2, 2)), dims=("sample", "year", "state"))
    go, out = np.array([[0.0, 1.0], [0.0, 1.0]]), np.zeros((2, 2))
    dims = ("sample", "option", "year", "from_state", "to_state")
    moves = xr.DataArray(np.array([[[go, out], [out, go]]]), dims=dims)
    path = project(initial, entries, moves, rng=rng)
    assert path.values.tolist() == [[[[0.0, 8.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]]
    alone = project(initial, entries, moves.isel(option=0), rng=rng)
    assert alone.values.tolist() == [[[0.0, 8.0], [0.0, 0.0]]]
    stocks = xr.DataArray([[[8.0, 0.0], [3.0, 2.0]]], dims=("sample", "option", "state"))
    both = project(stocks, entries, moves.isel(option=0), rng=rng)
    assert both.values.tolist() == [[[[0.0, 8.0], [0.0, 0.0]], [[0.0, 5.0], [0.0, 0.0]]]]


def test_the_first_label_that_differs_is_named():
    initial, entries, moves = care_like(np.random.default_rng(18), samples=4)
    other = initial.assign_coords(sample=[0, 3, 7, 10])
    assert "found: 7 at position 2" in refused(other, entries, moves)
    assert "allowed: 6, as in entries" in refused(other, entries, moves)
