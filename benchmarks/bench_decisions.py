"""Time and accuracy of decision analysis on its reference workloads.

Each benchmark prints, beside pytest-benchmark's medians, its error against exact values (`extra_info`), and
fails where an accuracy target is missed. Targets are for one process on 2 idle cores after warm-up. Peers on
such machines: decision summary BCEA 16.5 s, hesim 8.9 s, dampack 4.9 s, a NumPy loop 0.27 s; twenty EVPPI
voi (gam) 2.4 s with mean absolute error 31, dampack 13.4 s, BCEA 122 s, a NumPy cubic 0.02 s with 27; one
group of four voi 0.5 to 14.6 s, 33 to 41 off; five EVSI voi 0.18 s with worst relative error 11%, dampack
1.05 s with 4.5%.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import norm

from cba.decisions import (
    acceptability,
    evppi,
    evppi_by_threshold,
    evsi,
    evsi_normal_study,
    normal_study,
    shapley_effects,
    sobol,
)
from tests.decisions.known_answers import (
    C16_EXACT,
    C16_GROUP,
    C17_EXACT,
    C17_SIZES,
    acceptability_workload,
    normal_loss,
    normal_study_workload,
    twenty_inputs,
)

STANDARD_ERRORS = [5 / np.sqrt(n) for n in C17_SIZES]


@pytest.fixture(scope="module")
def linear():
    costs, effects, inputs = twenty_inputs()
    return 20_000 * effects - costs, inputs


def timed(benchmark, function, *arguments, target: float, rounds: int = 20, **keywords):
    result = benchmark.pedantic(function, args=arguments, kwargs=keywords, rounds=rounds, warmup_rounds=2)
    median = benchmark.stats.stats.median
    benchmark.extra_info.update(target_s=target, median_s=median, ratio_to_target=median / target)
    print(f"\n{benchmark.name}: median {median * 1e3:.1f} ms, target {target * 1e3:.0f} ms")
    return result


def report(benchmark, **figures: float) -> None:
    benchmark.extra_info.update(figures)
    print("  " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))


def bench_decision_summary(benchmark):
    """10,000 draws, 5 options, 501 thresholds: EIB, CEAC, CEAF, EVPI."""
    costs, effects, grid = acceptability_workload()
    result = timed(benchmark, acceptability, costs, effects, grid, target=0.02)
    tracemalloc.start()
    acceptability(costs, effects, grid)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    report(benchmark, peak_mb=peak, evpi_error=float(result.evpi.sel(threshold=20_000)) - 5_910.150979)
    assert peak < 300


def bench_decision_summary_at_a_hundred_thousand_thresholds(benchmark):
    costs, effects, _ = acceptability_workload()
    grid = np.linspace(0.0, 50_000.0, 100_000)
    timed(benchmark, acceptability, costs, effects, grid, target=0.2, rounds=5)
    tracemalloc.start()
    acceptability(costs, effects, grid)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    report(benchmark, peak_mb=peak)
    assert peak < 300


def bench_twenty_single_inputs(benchmark, linear):
    table = timed(benchmark, evppi, *linear, target=0.1)
    error = np.abs(table["evppi"].to_numpy() - C16_EXACT)
    within = float(np.mean(error <= 1.96 * table["se"]))
    last = table.iloc[-1]
    report(benchmark, mean_absolute_error=error.mean(), within_interval=within, worthless=last["evppi"])
    assert error.mean() <= 20
    assert last["evppi"] <= 1.96 * last["se"]


def bench_twenty_single_inputs_taken_as_dependent(benchmark, linear):
    """Without the other inputs' share taken out: what correlated inputs would cost in accuracy."""
    table = timed(benchmark, evppi, *linear, independent=False, target=0.1)
    error = np.abs(table["evppi"].to_numpy() - C16_EXACT)
    report(
        benchmark,
        mean_absolute_error=error.mean(),
        within_interval=float(np.mean(error <= 1.96 * table["se"])),
    )


def bench_group_of_four(benchmark, linear):
    groups = {"four": ["x1", "x2", "x3", "x4"]}
    row = timed(benchmark, evppi, *linear, groups, target=0.2).iloc[0]
    report(benchmark, error=row["evppi"] - C16_GROUP, se=row["se"])
    assert abs(row["evppi"] - C16_GROUP) <= 35


def bench_group_of_four_alone(benchmark, linear):
    """Only the four inputs are passed, so the noise of the other sixteen stays in."""
    net_benefit, inputs = linear
    few = inputs[["x1", "x2", "x3", "x4"]]
    row = timed(benchmark, evppi, net_benefit, few, {"four": list(few)}, target=0.2).iloc[0]
    report(benchmark, error=row["evppi"] - C16_GROUP, se=row["se"])
    assert abs(row["evppi"] - C16_GROUP) <= 35


def bench_evppi_along_fifty_thresholds(benchmark):
    costs, effects, inputs = twenty_inputs()
    grid = np.linspace(0, 50_000, 51)
    timed(benchmark, evppi_by_threshold, costs, effects, inputs[["x1"]], grid, target=0.2, rounds=5)


def bench_five_studies_with_known_prior(benchmark):
    net_benefit, theta = normal_study_workload()
    table = timed(
        benchmark,
        evsi_normal_study,
        net_benefit,
        theta,
        standard_errors=STANDARD_ERRORS,
        prior=norm(0.3, 1),
        target=0.02,
    )
    worst = np.abs(table["evsi"].to_numpy() / C17_EXACT - 1).max()
    report(benchmark, worst_relative_error=worst)
    assert worst <= 0.04


def bench_five_studies_from_draws(benchmark):
    """No prior: told nothing but the draws, no estimator beats the exact formula on their mean and spread.

    That formula is 5.5% off on these draws and has a standard deviation of 3.8% over seeds at the smallest
    study, so 4% cannot be promised (it holds for 69% of seeds, here for 67%); distance to it is what a method
    answers for.
    """
    net_benefit, theta = normal_study_workload()
    table = timed(
        benchmark, evsi_normal_study, net_benefit, theta, standard_errors=STANDARD_ERRORS, target=0.02
    )
    found, formula = table["evsi"].to_numpy(), formula_on_draws(net_benefit, theta)
    report(
        benchmark,
        worst_relative_error=np.abs(found / C17_EXACT - 1).max(),
        formula_on_these_draws=np.abs(formula / C17_EXACT - 1).max(),
        distance_to_formula=np.abs(found / formula - 1).max(),
    )
    assert np.abs(found / formula - 1).max() <= 0.025
    assert (np.abs(found - C17_EXACT) <= 1.96 * table["se"]).all()


def formula_on_draws(net_benefit: xr.DataArray, theta: xr.DataArray) -> np.ndarray:
    """Exact EVSI with the sample's mean, slope and spread put in."""
    gain, x = net_benefit.values[:, 1], theta.values
    variance = x.var(ddof=1)
    slope = np.cov(x, gain)[0, 1] / variance
    spread = slope * variance / np.sqrt(variance + np.square(STANDARD_ERRORS))
    return np.array([normal_loss(gain.mean(), s) for s in spread])


def bench_five_simulated_studies(benchmark):
    net_benefit, theta = normal_study_workload()
    studies = [normal_study(theta, standard_error=size, seed=n) for n, size in enumerate(STANDARD_ERRORS)]

    def all_five() -> list[float]:
        return [evsi(net_benefit, study).value for study in studies]

    values = timed(benchmark, all_five, target=0.02)
    report(benchmark, worst_relative_error=np.abs(np.array(values) / C17_EXACT - 1).max())


def bench_shapley_effects(benchmark):
    x = np.random.default_rng(3).uniform(-np.pi, np.pi, (10_000, 3))
    outcome = np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
    frame = pd.DataFrame(x, columns=list("abc"))
    table = timed(
        benchmark, shapley_effects, xr.DataArray(outcome, dims="sample"), frame, target=1.0, rounds=5
    )
    exact = np.array([0.435747023, 0.442411145, 0.121841832])
    report(benchmark, worst_error=np.abs(table["effect"].to_numpy() - exact).max())


def bench_sobol(benchmark):
    shapes = {name: norm() for name in ("x", "y", "z")}
    table = timed(benchmark, sobol, lambda x, y, z: x + 2 * y + y * z, shapes, 2**14, 0, target=1.0, rounds=3)
    report(benchmark, worst_error=np.abs(table["first"].to_numpy() - np.array([1, 4, 0]) / 6).max())
