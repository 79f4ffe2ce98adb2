"""Time of the cohort kernel on its reference workload: 4 states, 60 years, 2 options, 10,000 draws.

Moves are constant in time. Arrays are float64 in C order with dims (sample, option, year, state), ``state``
fastest; the time includes every check of the inputs and the memory of the result. Target: 20 ms.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cba.projection.kernel import project

SAMPLES, OPTIONS, YEARS, STATES = 10_000, 2, 60, 4


@pytest.fixture(scope="module")
def workload():
    rng = np.random.default_rng(20240605)
    sample, option = np.arange(SAMPLES), ["bau", "care_review"]
    labels = {"sample": sample, "option": option}
    initial = xr.DataArray(
        rng.uniform(0, 30_000, (SAMPLES, OPTIONS, STATES)), labels, ("sample", "option", "state")
    )
    entries = xr.DataArray(
        rng.uniform(0, 10_000, (SAMPLES, OPTIONS, YEARS, STATES)),
        {**labels, "year": np.arange(2025, 2025 + YEARS)},
        ("sample", "option", "year", "state"),
    )
    moves = xr.DataArray(
        rng.dirichlet(np.ones(STATES + 1), (SAMPLES, OPTIONS, STATES))[..., :STATES],
        labels,
        ("sample", "option", "from_state", "to_state"),
    )
    return initial, entries, moves


def batched_matrix_products(initial, entries, moves):
    """The plain NumPy way, to compare with."""
    out, stock = np.empty_like(entries), initial
    for year in range(entries.shape[2]):
        stock = (stock[..., None, :] @ moves)[..., 0, :] + entries[:, :, year]
        out[:, :, year] = stock
    return out


def bench_project(benchmark, workload):
    path = benchmark.pedantic(project, args=workload, rounds=30, warmup_rounds=3)
    expected = batched_matrix_products(*(array.values for array in workload))
    np.testing.assert_allclose(path.values, expected, rtol=1e-12)


def bench_project_with_plain_numpy(benchmark, workload):
    arrays = [array.values for array in workload]
    benchmark.pedantic(batched_matrix_products, args=arrays, rounds=10, warmup_rounds=1)


def bench_project_with_process_noise(benchmark, workload):
    """One authority's worth of noise: ten years, otherwise the same size."""
    initial, entries, moves = workload
    short = (initial.round() // 100, entries.isel(year=slice(10)) / 100, moves)
    benchmark.pedantic(project, args=short, kwargs={"rng": 0}, rounds=3, warmup_rounds=0)
