"""EVPPI against exact values, and what must not matter to it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cba.decisions import ConditionalMean, conditional_mean, evpi, evppi, evppi_by_threshold
from cba.errors import InputError
from tests.decisions.known_answers import (
    C16_EXACT,
    C16_GROUP,
    PROBLEMS,
    against_zero,
    labelled,
    run_problem,
    twenty_inputs,
)


@pytest.fixture(scope="module")
def workload():
    costs, effects, inputs = twenty_inputs()
    return 20_000 * effects - costs, inputs


@pytest.mark.parametrize("name", ["toy normal", "beta", "correlated 0.6", "product", "four options"])
def test_matches_closed_forms(name):
    problem = PROBLEMS[name]
    table = evppi(*run_problem(problem, 11, 20_000))
    truth = np.array(list(problem.truth.values()))
    assert (np.abs(table["evppi"] - truth) <= 4 * table["se"]).all()
    assert (table["se"] < 0.15 * truth.max()).all()


def test_twenty_inputs_of_known_value(workload):
    """Mean absolute error at most 20; the worthless input's interval holds zero."""
    table = evppi(*workload)
    error = np.abs(table["evppi"].to_numpy() - C16_EXACT)
    assert error.mean() <= 20
    worthless = table.iloc[-1]
    assert worthless["evppi"] - 1.96 * worthless["se"] <= 0
    assert (error <= 3 * table["se"].to_numpy() + 1).all()


def test_group_of_four_inputs_of_known_value(workload):
    table = evppi(*workload, {"four": ["x1", "x2", "x3", "x4"]})
    assert table["group"].tolist() == ["four"]
    assert abs(table["evppi"].iloc[0] - C16_GROUP) <= 35
    assert 0 < table["se"].iloc[0] < 150


def test_knowing_everything_is_worth_the_evpi():
    """All parameters of a net benefit without noise: EVPPI is EVPI on the same draws."""
    net_benefit, inputs, _ = run_problem(PROBLEMS["toy normal"], 3, 5_000)
    table = evppi(net_benefit, inputs, {"all": ["p0", "p1"]})
    assert abs(table["evppi"].iloc[0] - float(evpi(net_benefit))) <= 0.5 * table["se"].iloc[0]


def test_adding_parameters_does_not_lower_the_value(workload):
    net_benefit, inputs = workload
    groups = {str(size): [f"x{place}" for place in range(1, size + 1)] for size in (1, 2, 3, 4, 6)}
    table = evppi(net_benefit, inputs, groups)
    steps = table["evppi"].diff().to_numpy()[1:]
    assert (steps >= -table["se"].to_numpy()[1:]).all()
    assert (table["evppi"] <= float(evpi(net_benefit)) + 2 * table["se"]).all()


def test_interaction_within_a_group_is_found():
    """x1 * x2 is worth nothing by x1 alone and 1/pi by both."""
    table = evppi(*run_problem(PROBLEMS["product"], 5, 10_000)).set_index("group")
    assert table.loc["(0, 1)", "evppi"] == pytest.approx(1 / np.pi, abs=4 * table.loc["(0, 1)", "se"])
    assert table.loc["(0,)", "evppi"] < 0.1


def test_three_options_with_a_strongly_non_linear_input():
    rng = np.random.default_rng(8)
    x, noise = rng.uniform(-1, 1, 8_000), rng.normal(size=(2, 8_000))
    nb = labelled(np.stack([noise[0], np.cos(4 * x) + noise[1], 0.3 + 0 * x], 1))
    grid = np.linspace(-1, 1, 200_001)
    means = np.stack([0 * grid, np.cos(4 * grid), 0.3 + 0 * grid], 1)
    truth = means.max(axis=1).mean() - means.mean(axis=0).max()
    row = evppi(nb, pd.DataFrame({"x": x})).iloc[0]
    assert abs(row["evppi"] - truth) <= 4 * row["se"]
    assert row["se"] < 0.1 * truth


@pytest.fixture(scope="module")
def case():
    costs, effects, inputs = twenty_inputs()
    few = ["x1", "x3", "x6", "x20"]
    return (20_000 * effects - costs).isel(sample=slice(0, 2_000)), inputs[few].iloc[:2_000]


@pytest.fixture(scope="module")
def groups():
    return {"x1": ["x1"], "x20": ["x20"], "pair": ["x3", "x6"]}


@pytest.fixture(scope="module")
def table(case, groups):
    return evppi(*case, groups)


class TestWhatMustNotMatter:
    """Order of options and parameters; a common shock; the unit of money; to their error, the order of draws."""

    def test_order_of_draws(self, case, groups, table):
        order = np.random.default_rng(1).permutation(2_000)
        net_benefit, inputs = case
        shuffled = evppi(net_benefit.isel(sample=order), inputs.iloc[order].reset_index(drop=True), groups)
        assert (abs(shuffled["evppi"] - table["evppi"]) <= table["se"]).all()  # other blocks, the same draws
        assert (abs(shuffled["se"] / table["se"] - 1) < 0.25).all()

    def test_order_of_parameters_and_members(self, case, table):
        net_benefit, inputs = case
        groups = {"pair": ["x6", "x3"], "x20": ["x20"], "x1": ["x1"]}
        turned = (
            evppi(net_benefit, inputs[inputs.columns[::-1]], groups).set_index("group").loc[table["group"]]
        )
        np.testing.assert_allclose(turned["evppi"], table["evppi"], rtol=1e-7, atol=1e-6)

    def test_order_of_options(self, case, groups, table):
        net_benefit, inputs = case
        turned = evppi(net_benefit.isel(option=[3, 1, 4, 0, 2]), inputs, groups)
        np.testing.assert_allclose(turned["evppi"], table["evppi"], rtol=1e-7, atol=1e-6)

    def test_common_shock(self, case, groups, table):
        net_benefit, inputs = case
        shock = xr.DataArray(np.random.default_rng(2).normal(0, 1e5, 2_000), dims="sample")
        np.testing.assert_allclose(
            evppi(net_benefit + shock, inputs, groups)["evppi"], table["evppi"], rtol=1e-7
        )

    def test_unit_of_money(self, case, groups, table):
        net_benefit, inputs = case
        scaled = evppi(1e-6 * net_benefit, inputs, groups)
        np.testing.assert_allclose(scaled["evppi"], 1e-6 * table["evppi"], rtol=1e-7)

    def test_unit_of_a_parameter(self, case, groups, table):
        """Years or days: a linear change leaves a smoothing spline alone, up to the split of draws."""
        net_benefit, inputs = case
        moved = evppi(net_benefit, inputs * 365.0 + 7.0, groups)
        assert (np.abs(moved["evppi"] - table["evppi"]) <= table["se"] + 1e-9).all()


def test_dataset_and_frame_agree(workload):
    net_benefit, inputs = workload
    few = inputs[["x1", "x2"]]
    dataset = xr.Dataset({name: ("sample", few[name].to_numpy()) for name in few})
    pd.testing.assert_frame_equal(evppi(net_benefit, dataset), evppi(net_benefit, few))


def test_a_constant_parameter_is_worth_nothing():
    net_benefit, inputs, _ = run_problem(PROBLEMS["toy normal"], 0, 1_000)
    table = evppi(net_benefit, inputs.assign(fixed=3.0))
    assert table.loc[table["group"] == "fixed", "evppi"].iloc[0] == 0.0
    pair = evppi(net_benefit, inputs.assign(fixed=3.0), {"pair": ["p0", "fixed"]})
    assert pair["evppi"].iloc[0] == pytest.approx(table["evppi"].iloc[0], rel=0.2)


def test_dependence_switches_controls_off():
    """Ten correlated inputs: treating them as independent would be wrong, and is not done unasked."""
    rng = np.random.default_rng(9)
    common = rng.normal(size=6_000)
    inputs = pd.DataFrame({f"z{i}": 0.6 * common + 0.8 * rng.normal(size=6_000) for i in range(10)})
    nb = labelled(against_zero(inputs.sum(axis=1).to_numpy() + 1.0))
    slope = 1 + 9 * 0.36
    truth = slope * 0.3989423 - 1.0 * 0.5 + 0.5 * 1.0**2 * 0.3989423 / slope  # close to normal_loss(1, slope)
    row = evppi(nb, inputs, {"z0": ["z0"]}).iloc[0]
    assert abs(row["evppi"] - truth) <= 4 * row["se"] + 0.02
    pd.testing.assert_frame_equal(evppi(nb, inputs), evppi(nb, inputs, independent=False))


def test_thresholds_share_one_fit():
    """Along thresholds the value is that of a fit at each threshold, to a fraction of its error."""
    costs, effects, inputs = twenty_inputs()
    few, groups = inputs[["x1", "x3", "x6"]], {"x1": ["x1"], "pair": ["x3", "x6"]}
    curve = evppi_by_threshold(costs, effects, few, [0.0, 20_000.0], groups)
    assert curve.columns.tolist() == ["group", "threshold", "evppi", "se"]
    at = curve[curve["threshold"] == 20_000.0].set_index("group")
    direct = evppi(20_000 * effects - costs, few, groups).set_index("group")
    assert (np.abs(at["evppi"] - direct["evppi"]) <= 0.5 * direct["se"]).all()


@pytest.fixture(scope="module")
def toy():
    net_benefit, inputs, _ = run_problem(PROBLEMS["toy normal"], 0, 500)
    return net_benefit, inputs


class TestBadInput:
    """Each mistake is named with its field, what was found and what to do."""

    def refused(self, *arguments, **keywords) -> str:
        with pytest.raises(InputError) as caught:
            evppi(*arguments, **keywords)
        return str(caught.value)

    def test_different_number_of_draws(self, toy):
        message = self.refused(toy[0], toy[1].iloc[:499])
        assert "not paired" in message and "500 and 499 draws" in message and "same run" in message

    def test_different_labels(self, toy):
        net_benefit = toy[0].assign_coords(sample=np.arange(500))
        message = self.refused(net_benefit, toy[1].set_axis(np.arange(500)[::-1]))
        assert "not paired" in message and "different labels" in message
        dataset = xr.Dataset(
            {"p0": ("sample", toy[1]["p0"].to_numpy())}, coords={"sample": np.arange(1, 501)}
        )
        assert "not paired" in self.refused(net_benefit, dataset)

    def test_one_option(self, toy):
        assert "one option is no decision" in self.refused(toy[0].isel(option=[0]), toy[1])

    def test_nan(self, toy):
        broken = toy[1].copy()
        broken.iloc[3, 1] = np.nan
        message = self.refused(toy[0], broken)
        assert "p1" in message and "1 of 500" in message
        assert "net_benefit" in self.refused(toy[0].where(toy[0] != toy[0][0, 1]), toy[1])

    def test_fewer_draws_than_parameters(self, toy):
        wide = pd.DataFrame(np.zeros((20, 30)), columns=[f"c{i}" for i in range(30)])
        message = self.refused(toy[0].isel(sample=slice(0, 20)), wide)
        assert "20 draws of 30 parameters" in message and "transposed" in message

    def test_too_few_draws(self, toy):
        message = self.refused(toy[0].isel(sample=slice(0, 60)), toy[1].iloc[:60])
        assert "60 draws" in message and "draw more" in message

    def test_unknown_parameter(self, toy):
        message = self.refused(toy[0], toy[1], {"g": ["p0", "p9"]})
        assert "p9" in message and "p0, p1" in message

    def test_empty_group(self, toy):
        assert "empty" in self.refused(toy[0], toy[1], {"g": []})

    def test_bare_array(self, toy):
        assert "must have names" in self.refused(toy[0], toy[1].to_numpy())

    def test_extra_dimension(self, toy):
        assert "wrong dimensions" in self.refused(toy[0].expand_dims(payer=["nhs"]), toy[1])


def test_a_mean_needs_two_rows_of_one_length():
    row = np.linspace(0.0, 1.0, 200)
    for values, outcome in ((row, row[1:]), (row[:, None], row[:, None])):
        with pytest.raises(InputError, match="not paired"):
            conditional_mean(values, outcome)


def test_a_curve_is_read_between_its_points():
    curve = ConditionalMean(
        np.array([0.0, 1.0, 3.0]), np.full(3, 1 / 3), np.array([0.0, 2.0, 0.0]), np.array([[1.0, 2.0, 4.0]])
    )
    mean, moved = curve.at(np.array([-1.0, 0.5, 2.0]))
    assert mean.tolist() == [0.0, 1.0, 1.0] and moved.tolist() == [[1.0, 1.5, 3.0]]


def test_as_few_draws_as_parameters_are_refused():
    nb = labelled(np.random.default_rng(0).normal(size=(150, 2)))
    wide = pd.DataFrame(np.random.default_rng(1).normal(size=(150, 150)))
    with pytest.raises(InputError, match="not more draws than parameters"):
        evppi(nb, wide)
    assert len(evppi(nb, wide.iloc[:, :149], {"one": ["0"]})) == 1


def test_a_frame_numbered_from_nought_goes_by_position_and_any_other_by_its_labels():
    net_benefit, inputs, _ = run_problem(PROBLEMS["toy normal"], 0, 200)
    named = net_benefit.assign_coords(sample=np.arange(200) + 5)
    assert evppi(named, inputs).equals(evppi(net_benefit, inputs))
    assert evppi(named, inputs.set_axis(range(5, 205))).equals(evppi(net_benefit, inputs))
    for labels in (range(1, 201), range(0, 400, 2)):
        with pytest.raises(InputError, match="under different labels"):
            evppi(named, inputs.set_axis(labels))


def test_thresholds_of_a_group_that_everything_belongs_to_share_one_fit():
    """Both inputs in one group of a wide table, whose other inputs are taken out first."""
    costs, effects, inputs = twenty_inputs()
    part = {"sample": slice(0, 1_500)}
    costs, effects, few = costs.isel(part), effects.isel(part), inputs.iloc[:1_500]
    groups = {"one": ["x1"], "pair": ["x2", "x3"]}
    curve = evppi_by_threshold(costs, effects, few, [20_000.0], groups, independent=True)
    direct = evppi(20_000 * effects - costs, few, groups, independent=True)
    assert (np.abs(curve["evppi"] - direct["evppi"]) <= 0.5 * direct["se"]).all()
    np.testing.assert_allclose(curve["se"], direct["se"], rtol=0.2)
    exact = dict(zip(inputs.columns, C16_EXACT, strict=True))["x1"]
    assert abs(curve["evppi"].iloc[0] - exact) <= 4 * curve["se"].iloc[0]
