"""Decision problems whose values of information are known in closed form or to quadrature accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

C16_EXACT = np.array(
    [1700.93, 938.711, 2157.161, 896.543, 1041.516, 1870.8, 1281.299, 902.471, 656.556, 724.607]
    + [293.063, 315.675, 540.662, 255.894, 341.754, 264.922, 306.705, 94.729, 86.441, 0.0]
)
C16_GROUP = 3428.00
C17_SIZES = (10, 25, 50, 100, 400)
C17_EXACT = np.array([959.748685, 1571.092413, 1974.780654, 2267.101460, 2553.897115])


def normal_loss(mean: float, sd: float) -> float:
    """Value of perfect information on a gain that is N(mean, sd) against an option worth zero."""
    size = abs(mean)
    return float(sd * norm.pdf(size / sd) - size * norm.cdf(-size / sd)) if sd > 0 else 0.0


def labelled(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims=("sample", "option"))


def against_zero(gain: np.ndarray) -> np.ndarray:
    return np.stack([np.zeros_like(gain), gain], axis=1)


def acceptability_workload(draws: int = 10_000) -> tuple[xr.DataArray, xr.DataArray, np.ndarray]:
    """Costs, effects and thresholds of the decision summary workload."""
    rng = np.random.default_rng(20240602)
    common_effect, common_cost = rng.normal(0, 0.6, draws), rng.normal(0, 0.15, draws)
    effects = np.array([8.0, 8.25, 8.6, 8.9, 9.05]) + common_effect[:, None]
    effects = effects + rng.normal(0, 1, (draws, 5)) * (0.15, 0.25, 0.3, 0.35, 0.4)
    costs = np.array([10.0, 12.0, 18.0, 26.0, 33.0]) * 1000
    costs = costs * np.exp(common_cost[:, None] + rng.normal(0, 0.15, (draws, 5)) - 0.0225)
    return labelled(costs), labelled(effects), np.arange(0.0, 50_001.0, 100.0)


def twenty_inputs() -> tuple[xr.DataArray, xr.DataArray, pd.DataFrame]:
    """Costs, effects and inputs of the linear-Gaussian workload; its threshold is 20,000."""
    rng = np.random.default_rng(20240603)
    inputs = rng.standard_normal((10_000, 20))
    on_effects = rng.normal(0, 0.05, (20, 5)).round(4)
    on_costs = rng.normal(0, 600, (20, 5)).round(1)
    scale = [3, 2.5, 2, 1.5, 1.2, 1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0]
    column = np.array(scale)[:, None]
    effects = np.array([8, 8.1, 8.2, 8.25, 8.3]) + inputs @ (on_effects * column)
    costs = np.array([10_000.0, 12_000, 14_000, 15_000, 16_200]) + inputs @ (on_costs * column)
    names = [f"x{place}" for place in range(1, 21)]
    return labelled(costs), labelled(effects), pd.DataFrame(inputs, columns=names)


def normal_study_workload() -> tuple[xr.DataArray, xr.DataArray]:
    """Net benefit and the parameter a study would estimate with standard error 5 / sqrt(n)."""
    rng = np.random.default_rng(20240604)
    theta = rng.normal(0.3, 1, 10_000)
    noise = rng.standard_normal(10_000)
    return labelled(against_zero(10_000 * theta + 3_000 * noise)), xr.DataArray(theta, dims="sample")


@dataclass(frozen=True)
class Problem:
    """Draws by seed, and the exact value of learning each group."""

    draw: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
    truth: dict[tuple[int, ...], float]


def _correlated(rho: float) -> Problem:
    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=n)
        y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=n)
        return np.stack([x, y], 1), against_zero(0.5 + x + 2 * y)

    spread = np.sqrt(1 + 4 + 4 * rho)
    return Problem(
        draw,
        {
            (0,): normal_loss(0.5, abs(1 + 2 * rho)),
            (1,): normal_loss(0.5, abs(2 + rho)),
            (0, 1): normal_loss(0.5, spread),
        },
    )


def _with_noise(gain: Callable[[np.ndarray], np.ndarray], noise: float, truth: float) -> Problem:
    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        x, y = rng.normal(size=n), rng.normal(size=n)
        return np.stack([x, y], 1), against_zero(gain(x) + noise * y)

    return Problem(draw, {(0,): truth})


def _quadrature(gain: Callable[[np.ndarray], np.ndarray]) -> float:
    x = np.linspace(-9, 9, 900_001)
    weight = norm.pdf(x) * (x[1] - x[0])
    value = gain(x)
    return float(np.maximum(value, 0) @ weight - max(value @ weight, 0.0))


def _toy(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    p1, p2 = rng.normal(1, 1, n), rng.normal(0, 2, n)
    return np.stack([p1, p2], 1), against_zero(p1 - p2)


def _beta(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    theta = rng.beta(4, 6, n)
    return theta[:, None], against_zero(1000 * theta - 350)


def _product(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(n, 3))
    return x, against_zero(x[:, 0] * x[:, 1] + x[:, 2])


def _product_correlated(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=n)
    y = 0.7 * x + np.sqrt(0.51) * rng.normal(size=n)
    return np.stack([x, y], 1), against_zero(x * y - 0.9)


def _discrete(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    x = rng.integers(0, 3, n)
    y = rng.normal(size=n)
    return np.stack([x.astype(float), y], 1), against_zero(np.array([-1.0, 0.5, 1.0])[x] + 2 * y)


def _skewed(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.exp(rng.normal(size=n)), 3 * rng.normal(size=n)
    return np.stack([x, y], 1), against_zero(x - 2 + y)


def _lines(x: np.ndarray) -> np.ndarray:
    return np.stack([0 * x, x + 0.2, -0.7 * x + 0.1, 0.3 * x + 0.25], axis=1)


def _four(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    x, z = rng.normal(size=n), rng.normal(size=(n, 3))
    mixing = np.array([[0, 1.5, 0, 1], [0, 0, 1.5, 1], [1, 0, 0, 0]])
    return np.column_stack([x, z]), _lines(x) + z @ mixing


def _four_truth() -> float:
    x = np.linspace(-9, 9, 900_001)
    return float(_lines(x).max(axis=1) @ (norm.pdf(x) * (x[1] - x[0])) - 0.25)


def _near_a_tie(slope: float, *, levels: int) -> Problem:
    """At the lowest of a few values the options nearly tie, so that rules on other draws choose otherwise."""

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        b, k = (rng.uniform(size=n) < 0.3).astype(float), rng.integers(0, levels, n).astype(float)
        return np.stack([k, b], 1), against_zero(-1 + 3 * b + slope * k + rng.normal(0, 2, n))

    gain = -0.1 + slope * np.arange(levels)
    return Problem(draw, {(0,): float(np.maximum(gain, 0).mean() - max(gain.mean(), 0.0))})


PROBLEMS = {
    "toy normal": Problem(_toy, {(0,): 0.0833154706, (1,): 0.3955931148, (0, 1): 0.4798107063}),
    "beta": Problem(_beta, {(0,): 37.4851589361}),
    "correlated 0.6": _correlated(0.6),
    "correlated, no value": _correlated(-0.5),
    "quadratic": _with_noise(lambda x: x**2 - 1.3, 2.0, _quadrature(lambda x: x**2 - 1.3)),
    "sine": _with_noise(lambda x: np.sin(3 * x) + 0.1, 1.0, _quadrature(lambda x: np.sin(3 * x) + 0.1)),
    "step": _with_noise(lambda x: 5.0 * (x > 1) - 1, 1.0, _quadrature(lambda x: 5.0 * (x > 1) - 1)),
    "worthless, options tied": _with_noise(lambda x: 0 * x, 3.0, 0.0),
    "worthless": _with_noise(lambda x: 0 * x + 0.5, 3.0, 0.0),
    "worth little": _with_noise(lambda x: 0.3 * x + 0.5, 3.0, normal_loss(0.5, 0.3)),
    "product": Problem(_product, {(0,): 0.0, (2,): float(norm.pdf(0)), (0, 1): 1 / np.pi}),
    "product, correlated": Problem(_product_correlated, {(0,): _quadrature(lambda x: 0.7 * x**2 - 0.9)}),
    "three values": Problem(_discrete, {(0,): 0.5 - 0.5 / 3, (1,): normal_loss(0.5 / 3, 2.0)}),
    "skewed": Problem(_skewed, {(0,): _quadrature(lambda x: np.exp(x) - 2)}),
    "four options": Problem(_four, {(0,): _four_truth()}),
}

NEAR_TIES = {
    f"{levels} values": _near_a_tie(slope, levels=levels) for levels, slope in ((2, 0.8), (3, 0.8), (4, 0.5))
}
"""Where an interval that looks at the spread of rules alone holds the truth in 83% to 92% of seeds."""


def run_problem(
    problem: Problem, seed: int, draws: int
) -> tuple[xr.DataArray, pd.DataFrame, dict[str, list[str]]]:
    """Net benefit, parameters and groups of one replication."""
    inputs, net_benefit = problem.draw(np.random.default_rng(seed), draws)
    frame = pd.DataFrame(inputs, columns=[f"p{place}" for place in range(inputs.shape[1])])
    groups = {str(group): [f"p{place}" for place in group] for group in problem.truth}
    return labelled(net_benefit), frame, groups
