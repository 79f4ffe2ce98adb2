"""Sobol indices, Shapley effects and tornado against closed forms."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import norm, uniform

from cba.decisions import conditional_mean, shapley, shapley_effects, sobol, tornado
from cba.decisions.regression import choose_penalty, group_basis, shuffled, spline_basis
from cba.errors import InputError

ANGLES = {name: uniform(-np.pi, 2 * np.pi) for name in ("x1", "x2", "x3")}
G_WEIGHTS = np.array([0, 1, 4.5, 9, 99, 99, 99, 99])
G_PARTS = 1 / (3 * (1 + G_WEIGHTS) ** 2)
G_VARIANCE = np.prod(1 + G_PARTS) - 1


def ishigami(b: float):
    return lambda x1, x2, x3: np.sin(x1) + 7 * np.sin(x2) ** 2 + b * x3**4 * np.sin(x1)


def ishigami_truth(b: float) -> dict[str, np.ndarray]:
    v1, v2 = 0.5 * (1 + b * np.pi**4 / 5) ** 2, 49 / 8
    v13 = b**2 * np.pi**8 * (1 / 18 - 1 / 50)
    total = v1 + v2 + v13
    return {
        "first": np.array([v1, v2, 0]) / total,
        "total": np.array([v1 + v13, v2, v13]) / total,
        "shapley": np.array([v1 + v13 / 2, v2, v13 / 2]) / total,
    }


def sobol_g(x: np.ndarray) -> np.ndarray:
    return np.prod((np.abs(4 * x - 2) + G_WEIGHTS) / (1 + G_WEIGHTS), axis=1)


@pytest.mark.parametrize("b, first", [(0.1, 0.313905191), (0.05, 0.218518564)])
def test_ishigami(b, first):
    truth = ishigami_truth(b)
    assert truth["first"][0] == pytest.approx(first, abs=1e-9)
    table = sobol(ishigami(b), ANGLES, 2**14, 1)
    assert np.abs(table["first"] - truth["first"]).max() < 0.01
    assert np.abs(table["total"] - truth["total"]).max() < 0.01
    assert (np.abs(table["first"] - truth["first"]) <= 4 * table["first_se"]).all()
    assert (np.abs(table["total"] - truth["total"]) <= 4 * table["total_se"]).all()


def test_sobol_g():
    others = np.array([np.prod(np.delete(1 + G_PARTS, i)) for i in range(8)])
    table = sobol(sobol_g, [uniform()] * 8, 2**14, 2)
    assert np.abs(table["first"] - G_PARTS / G_VARIANCE).max() < 0.01
    assert np.abs(table["total"] - G_PARTS * others / G_VARIANCE).max() < 0.01
    assert table["input"].tolist() == [f"x{i}" for i in range(1, 9)]


def test_three_ways_of_calling_agree():
    shapes = {"a": norm(), "b": norm(2, 3)}
    by_name = sobol(lambda a, b: a + a * b, shapes, 256, 0)
    by_frame = sobol(lambda draws: draws["a"] + draws["a"] * draws["b"], shapes, 256, 0)
    by_array = sobol(lambda draws: draws[:, 0] + draws[:, 0] * draws[:, 1], list(shapes.values()), 256, 0)
    pd.testing.assert_frame_equal(by_name, by_frame)
    np.testing.assert_allclose(by_name["total"], by_array["total"])


def test_seed_zero_is_a_seed():
    one, again, other = (sobol(ishigami(0.1), ANGLES, 256, seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(one, again)
    assert not one.equals(other)


@pytest.mark.parametrize(
    "function, shapes, n, expected",
    [
        (lambda x: x, [norm()], 1000, "power of two"),
        (lambda x: x, [], 64, "no inputs"),
        (lambda x: x, [3.0], 64, "no ppf"),
        (lambda x: x.mean(), [norm()], 64, "one value per point"),
        (lambda x: 0 * x[:, 0], [norm()], 64, "does not vary"),
        (lambda x: x[:, 0] * np.nan, [norm()], 64, "NaN"),
    ],
)
def test_bad_sobol_input_is_refused(function, shapes, n, expected):
    with pytest.raises(InputError, match=expected):
        sobol(function, shapes, n, 0)


@pytest.mark.parametrize("b", [0.1, 0.05])
def test_shapley_effects_of_independent_inputs(b):
    x = np.random.default_rng(3).uniform(-np.pi, np.pi, (10_000, 3))
    frame = pd.DataFrame(x, columns=list(ANGLES))
    table = shapley_effects(xr.DataArray(ishigami(b)(*x.T), dims="sample"), frame)
    assert np.abs(table["effect"] - [*ishigami_truth(b)["shapley"], 0.0]).max() < 0.02
    assert table["effect"].sum() == pytest.approx(1.0, abs=1e-12)


def test_shapley_effects_of_sobol_g():
    truth = np.zeros(4)
    for size in range(1, 5):
        for subset in combinations(range(4), size):
            truth[list(subset)] += np.prod(G_PARTS[list(subset)]) / size
    x = np.random.default_rng(4).uniform(size=(10_000, 8))
    outcome = xr.DataArray(sobol_g(x), dims="sample")
    frame = pd.DataFrame(x[:, :4], columns=list("abcd"))
    table = shapley_effects(outcome, frame)
    assert np.abs(table["effect"].iloc[:4] - truth / G_VARIANCE).max() < 0.01
    # the four inputs that were left out, and interactions of three
    assert table["effect"].iloc[4] == pytest.approx(1.0 - truth.sum() / G_VARIANCE, abs=0.015)


def test_what_the_fits_cannot_find_is_left_unexplained_and_said():
    """A product of three even inputs has no effect of one or two of them: by Owen each has a third."""
    x = np.random.default_rng(1).uniform(-1, 1, (3, 10_000))
    frame = pd.DataFrame(dict(zip("abc", x, strict=True)))
    table = shapley_effects(xr.DataArray(x.prod(axis=0), dims="sample"), frame).set_index("group")
    assert table.loc["unexplained", "effect"] == pytest.approx(1.0, abs=0.02)
    assert table["effect"].sum() == pytest.approx(1.0, abs=1e-12)
    with pytest.raises(InputError, match="no group explains"):
        shapley_effects(xr.DataArray(x[0], dims="sample"), frame, {"unexplained": ["a"]})


@pytest.mark.parametrize("rho", [-0.8, 0.0, 0.7])
def test_shapley_effects_of_a_linear_model_with_correlated_inputs(rho):
    """Exact: Var(E[Y | X_S]) of a linear function of jointly normal inputs."""
    slope, sd = np.array([1.0, 1.0, 1.0]), np.array([1.0, 1.0, 2.0])
    correlation = np.array([[1, 0, 0], [0, 1, rho], [0, rho, 1]])
    covariance = correlation * np.outer(sd, sd)

    def explained(subset: frozenset[int]) -> float:
        s = sorted(subset)
        c = covariance[:, s]
        return float(slope @ c @ np.linalg.solve(covariance[np.ix_(s, s)], c.T) @ slope) if s else 0.0

    exact = np.array(list(shapley(explained, range(3)).values())) / (slope @ covariance @ slope)
    x = np.random.default_rng(5).multivariate_normal(np.zeros(3), covariance, 10_000)
    table = shapley_effects(xr.DataArray(x @ slope, dims="sample"), pd.DataFrame(x, columns=list("abc")))
    assert (np.abs(table["effect"] - [*exact, 0.0]) <= 4 * table["se"] + 0.003).all()
    assert table["effect"].iloc[3] == pytest.approx(0.0, abs=1e-3)


def test_shapley_effects_by_group_and_noise():
    rng = np.random.default_rng(6)
    x = pd.DataFrame(rng.normal(size=(6_000, 3)), columns=list("abc"))
    outcome = xr.DataArray((x["a"] + x["b"] + 2 * rng.normal(size=6_000)).to_numpy(), dims="sample")
    table = shapley_effects(outcome, x, {"both": ["a", "b"], "c": ["c"]})
    assert table["effect"].iloc[0] == pytest.approx(1 / 3, abs=4 * table["se"].iloc[0])
    assert abs(table["effect"].iloc[1]) < 0.01
    assert table["effect"].iloc[2] == pytest.approx(2 / 3, abs=4 * table["se"].iloc[2])


def test_bad_shapley_input_is_refused():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 9)))
    frame.columns = [f"x{i}" for i in range(9)]
    with pytest.raises(InputError, match="too many inputs"):
        shapley_effects(xr.DataArray(frame["x0"].to_numpy(), dims="sample"), frame)
    with pytest.raises(InputError, match="does not vary"):
        shapley_effects(xr.DataArray(np.full(200, 0.1), dims="sample"), frame[["x0"]])
    with pytest.raises(InputError, match="not paired"):
        shapley_effects(xr.DataArray(np.zeros(100), dims="sample"), frame[["x0"]])


def test_tornado_of_a_linear_model():
    """Correlated inputs move together: the swing of x is that of its regression on the outcome."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=20_000)
    y = 0.5 * x + np.sqrt(0.75) * rng.normal(size=20_000)
    z = rng.normal(size=20_000)
    outcome = xr.DataArray(x + 2 * y, dims="sample")
    table = tornado(outcome, pd.DataFrame({"z": z, "x": x, "y": y})).set_index("input")
    assert table.index.tolist() == ["y", "x", "z"]
    width = 2 * norm.ppf(0.95)
    for name, slope in {"x": 1 + 2 * 0.5, "y": 2 + 0.5, "z": 0.0}.items():
        assert table.loc[name, "swing"] == pytest.approx(
            slope * width, abs=4 * table.loc[name, "swing_se"] + 0.05
        )
    assert (table["swing_se"] > 0).all()


def test_tornado_follows_curves():
    """A hump: both ends are alike, so the swing is near zero though the input matters."""
    x = np.random.default_rng(8).normal(size=8_000)
    row = tornado(xr.DataArray(x**2, dims="sample"), pd.DataFrame({"x": x})).iloc[0]
    assert row["outcome_low"] == pytest.approx(norm.ppf(0.05) ** 2, abs=0.15)
    assert abs(row["swing"]) < 0.3


def test_tornado_probabilities_out_of_order_are_refused():
    x = np.zeros(200)
    with pytest.raises(InputError, match="in order"):
        tornado(xr.DataArray(x, dims="sample"), pd.DataFrame({"x": x}), low=0.9, high=0.1)


def test_sobol_indices_and_their_errors_are_those_of_the_published_estimators():
    """Saltelli et al. (2010), table 2 (b) and (f), from the very outputs, over eight scramblings of 32 points."""
    seen: list[np.ndarray] = []

    def watched(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        seen.append(a + b**2 + a * b)
        return seen[-1]

    table = sobol(watched, {"a": norm(), "b": norm(1.0, 0.5)}, 256, 0)
    assert len(seen) == 8 * 4 and len(seen[0]) == 32
    parts = []
    for one, two, *mixed in np.array(seen).reshape(8, 4, 32):
        centre = np.concatenate([one, two]).mean()
        first = [((two - centre) * (each - one)).mean() for each in mixed]
        total = [((one - each) ** 2).mean() / 2 for each in mixed]
        parts.append([*first, *total, np.concatenate([one, two]).var()])
    *indices, variance = np.mean(parts, axis=0)
    shares = np.array(indices) / variance
    np.testing.assert_allclose([*table["first"], *table["total"]], shares, rtol=1e-12)
    drawn = np.array(parts)
    misses = [drawn[:, place] - share * drawn[:, -1] for place, share in enumerate(shares)]
    errors = [np.sqrt((miss**2).sum() / 7 / 8) / variance for miss in misses]
    np.testing.assert_allclose([*table["first_se"], *table["total_se"]], errors, rtol=1e-9)


def test_sobol_needs_64_points():
    with pytest.raises(InputError, match="power of two"):
        sobol(lambda x: x[:, 0], [norm()], 32, 0)
    assert len(sobol(lambda x: x[:, 0], [norm()], 64, 0)) == 1
    with pytest.raises(InputError, match="no ppf"):
        sobol(lambda x: x[:, 0], [norm(), 3.0], 64, 0)


def test_shares_and_their_errors_are_those_of_ridge_regressions_on_each_subset():
    """Two inputs: the mean over both orders of what a fit on their functions explains, corrected for its freedom."""
    rng = np.random.default_rng(9)
    x, y = rng.normal(size=(2, 400))
    y += 0.6 * x
    outcome = 2.0 + x + np.sin(2 * y) + 0.5 * rng.normal(size=400)
    table = shapley_effects(xr.DataArray(outcome, dims="sample"), pd.DataFrame({"x": x, "y": y}))
    order = shuffled(400)
    basis = group_basis([spline_basis(values[order]) for values in (x, y)])
    centred = (outcome - outcome.mean())[order]
    gram, cross = basis.functions.T @ basis.functions / 400, basis.functions.T @ centred[:, None] / 400
    penalty = choose_penalty(basis, gram, cross, (centred[:, None] ** 2).mean(axis=0), 400)

    def gained(members: set[int]) -> np.ndarray:
        used = [i for i, owners in enumerate(basis.inputs) if set(owners.tolist()) <= {-1, *members}]
        part = basis.functions[:, used]
        smoother = part @ np.linalg.inv(part.T @ part / 400 + penalty[np.ix_(used, used)]) @ part.T / 400
        left = centred - smoother @ centred
        return centred**2 - left**2 / (1 - np.trace(smoother) / 400)

    one, two, both = gained({0}), gained({1}), gained({0, 1})
    each = [(one + both - two) / 2, (two + both - one) / 2]
    ends = np.searchsorted(np.arange(400) * 32 // 400, np.arange(33))
    shares, errors = [], []
    for parts in (*each, both):
        share = parts.mean() / (centred**2).mean()
        left = (parts - share * centred**2) / (centred**2).sum()
        sums = np.array([left[a:b].sum() for a, b in zip(ends[:-1], ends[1:], strict=True)])
        shares.append(share)
        errors.append(np.sqrt(32 / 31 * ((sums - sums.mean()) ** 2).sum()))
    np.testing.assert_allclose(table["effect"], [*shares[:2], 1 - shares[2]], rtol=1e-9)
    np.testing.assert_allclose(table["se"], errors, rtol=1e-9)


def test_an_input_that_never_varies_has_no_share():
    rng = np.random.default_rng(10)
    x, noise = rng.normal(size=(2, 1_000))
    frame = pd.DataFrame({"fixed": np.full(1_000, 2.0), "x": x})
    table = shapley_effects(xr.DataArray(x + noise, dims="sample"), frame)
    assert table["effect"].iloc[0] == 0.0 and table["se"].iloc[0] == 0.0
    alone = shapley_effects(xr.DataArray(x + noise, dims="sample"), frame[["x"]])
    np.testing.assert_allclose(table["effect"].iloc[1:], alone["effect"], rtol=1e-9)
    fixed = shapley_effects(xr.DataArray(noise, dims="sample"), frame[["fixed"]])
    assert fixed["effect"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("low, high", [(0.5, 0.5), (0.0, 0.5), (0.5, 1.0)])
def test_tornado_needs_two_probabilities_inside_nought_and_one(low, high):
    x = np.linspace(0.0, 1.0, 200)
    with pytest.raises(InputError, match="in order"):
        tornado(xr.DataArray(x, dims="sample"), pd.DataFrame({"x": x}), low=low, high=high)


def test_a_swing_moves_by_the_root_mean_square_of_half_samples():
    rng = np.random.default_rng(11)
    x, y = rng.normal(size=(2, 600))
    row = tornado(xr.DataArray(np.sin(x) + y, dims="sample"), pd.DataFrame({"x": x}), low=0.1, high=0.8).iloc[
        0
    ]
    ends = np.quantile(x, [0.1, 0.8])
    assert [row["input_low"], row["input_high"]] == pytest.approx(ends)
    fit = conditional_mean(x, np.sin(x) + y)
    low, high = np.interp(ends, fit.points, fit.mean)
    assert (row["outcome_low"], row["outcome_high"], row["swing"]) == pytest.approx((low, high, high - low))
    moves = [np.interp(ends[1], fit.points, m) - np.interp(ends[0], fit.points, m) for m in fit.shift]
    assert row["swing_se"] == pytest.approx(np.sqrt(np.mean(np.square(moves))), rel=1e-12)


def test_as_many_groups_as_are_allowed_may_share(monkeypatch):
    monkeypatch.setattr("cba.decisions.shares.MOST_GROUPS", 2)
    x = np.random.default_rng(12).normal(size=(200, 3))
    frame, outcome = pd.DataFrame(x, columns=list("abc")), xr.DataArray(x.sum(axis=1), dims="sample")
    assert len(shapley_effects(outcome, frame[["a", "b"]])) == 3
    with pytest.raises(InputError, match="3 groups"):
        shapley_effects(outcome, frame)


def test_an_outcome_of_nothing_has_no_shares():
    frame = pd.DataFrame({"x": np.linspace(0.0, 1.0, 200)})
    with pytest.raises(InputError, match="does not vary"):
        shapley_effects(xr.DataArray(np.zeros(200), dims="sample"), frame)
