"""Shares of authorities: their sum, the closed form of their spread, parameters found again, and what is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from cba.errors import InputError
from cba.inputs.observations import load_observations
from cba.models.authority_shares import ShareWalk, authority_quantiles, share_paths, share_walk

KNOWN = {"sigma": 0.05, "kappa": 1.0, "shock_probability": 0.0, "memory": 0.5}


def made(stock: np.ndarray, *, first: list[int] | None = None, last: list[int] | None = None) -> xr.Dataset:
    """Observations of made authorities, (year, authority); years end in 2024."""
    years = np.arange(2025 - len(stock), 2025)
    size = stock.shape[1]
    coords = {
        "year": years,
        "authority": [f"{900 + i}" for i in range(size)],
        "first_year": ("authority", first or [2000] * size),
        "last_year": ("authority", last or [2024] * size),
    }
    return xr.Dataset({"stock_by_authority": (("year", "authority"), stock)}, coords=coords)


def simulated(walk: ShareWalk, *, years: int, seed: int) -> xr.Dataset:
    """Numbers that one draw of the walk gives, whole England standing still."""
    total = walk.stock.sum()
    paths = share_paths(walk, size=1, years=years, seed=seed)[0] * total
    return made(np.vstack([walk.stock, paths]))


def walk_of(stock: np.ndarray, **changed: float) -> ShareWalk:
    codes = np.array([f"{900 + i}" for i in range(stock.size)])
    return ShareWalk(codes, 2024, stock, np.zeros(stock.size), **(KNOWN | changed))


def test_authorities_add_up_to_england_in_every_draw():
    walk = share_walk(load_observations(2024))
    england = 80_000.0 + 500.0 * np.random.default_rng(1).standard_normal((300, 5)).cumsum(axis=1)
    shares = share_paths(walk, size=300, years=5, seed=2)
    assert shares.shape == (300, 5, 153) and (shares >= 0.0).all()
    np.testing.assert_allclose(shares.sum(axis=2), 1.0, rtol=1e-14)
    np.testing.assert_allclose((england[..., None] * shares).sum(axis=2), england, rtol=1e-14)
    found = authority_quantiles(england[..., None] * shares, walk, levels=(0.05, 0.5, 0.95))
    assert found["year"].unique().tolist() == [2025, 2026, 2027, 2028, 2029] and len(found) == 5 * 153
    np.testing.assert_allclose(found.groupby("year")["mean"].sum(), england.mean(axis=0))
    assert (found["q0.05"] <= found["q0.95"]).all()
    leeds = found[(found["authority"] == "383") & (found["year"] == 2027)].iloc[0]
    place = list(walk.authority).index("383")
    assert leeds["q0.5"] == np.quantile(england[:, 2] * shares[:, 2, place], 0.5)


@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_the_spread_is_that_of_the_closed_form(memory):
    """Log ratio of two authorities: England and all others cancel, and each adds v sum_k ((1 - m^k) / (1 - m))^2."""
    walk = walk_of(np.array([100.0, 900.0, 5_000.0]), memory=memory)
    draws = 20_000
    paths = np.log(share_paths(walk, size=draws, years=5, seed=3))
    variance = KNOWN["sigma"] ** 2 + KNOWN["kappa"] / walk.stock
    kept = memory * KNOWN["sigma"] ** 2 / variance
    for ahead in (1, 3, 5):
        steps = np.arange(1, ahead + 1)[:, None]
        each = variance * (((1.0 - kept**steps) / (1.0 - kept)) ** 2).sum(axis=0)
        found = (paths[:, ahead - 1, 0] - paths[:, ahead - 1, 1]).var()
        assert found == pytest.approx(each[0] + each[1], rel=4.5 * np.sqrt(2.0 / draws))


def test_counting_alone_leaves_the_expected_number_where_it_is():
    walk = walk_of(np.array([30.0, 1e9]), sigma=1e-9, memory=0.0)
    found = 1e9 * share_paths(walk, size=40_000, years=5, seed=4)[..., 0]
    for year in found.T:
        assert year.mean() == pytest.approx(30.0, abs=4.5 * year.std() / np.sqrt(len(found)))


def test_shocks_have_the_stated_share():
    """Kurtosis of a mixture of N(0, v) and N(0, 9 v): 3 (1 + 80 p) / (1 + 8 p)^2."""
    p = 0.1
    walk = walk_of(np.array([1e6, 1e6]), shock_probability=p, memory=0.0)
    one = np.log(share_paths(walk, size=200_000, years=1, seed=5)[:, 0])
    moved = one[:, 0] - one[:, 1]  # two alike: half the excess of one
    excess = 3.0 * (1.0 + 80.0 * p) / (1.0 + 8.0 * p) ** 2 - 3.0
    found = (moved**4).mean() / (moved**2).mean() ** 2 - 3.0
    assert found == pytest.approx(excess / 2.0, rel=0.05)


def test_parameters_are_found_again():
    """Mean over made histories within 4.5 standard errors, or a tenth of the truth (bias of order one over years)."""
    stock = np.exp(np.random.default_rng(6).uniform(np.log(60), np.log(1500), 150))
    truth = KNOWN | {"shock_probability": 0.03}
    fits = [
        share_walk(simulated(walk_of(stock, **truth), years=13, seed=seed), memory=True) for seed in range(12)
    ]
    for name, value in truth.items():
        found = np.array([getattr(fit, name) for fit in fits])
        assert abs(found.mean() - value) < max(4.5 * found.std(ddof=1) / np.sqrt(12), 0.1 * value), name
    assert share_walk(simulated(walk_of(stock), years=13, seed=1)).memory == 0.0


# What is missing, renamed or merged


def test_a_merger_makes_no_change_of_a_share():
    """Two become one in 2022: the old codes leave, the new one starts from its own number with nothing carried over."""
    stock = simulated(walk_of(np.full(60, 400.0)), years=10, seed=7)["stock_by_authority"].values
    merged = np.column_stack([stock, stock[:, 0] + stock[:, 1]])
    merged[-3:, :2], merged[:-3, 60] = np.nan, np.nan
    first, last = [2000] * 60 + [2022], [2021] * 2 + [2024] * 59
    walk = share_walk(made(merged, first=first, last=last))
    assert "900" not in walk.authority and "901" not in walk.authority and "960" in walk.authority
    assert walk.stock.sum() == pytest.approx(stock[-1].sum())
    apart = share_walk(made(stock))
    assert walk.sigma == pytest.approx(apart.sigma, rel=0.1)
    last_but_two = made(merged[:-2], first=[2000] * 60 + [2024], last=[2023] * 2 + [2024] * 59)
    begun = share_walk(last_but_two, memory=True)
    assert begun.carried[-1] == 0.0 and (begun.carried[:-1] != 0.0).all()


def test_a_suppressed_last_cell_keeps_the_last_number_and_carries_nothing():
    stock = simulated(walk_of(np.full(60, 400.0)), years=10, seed=8)["stock_by_authority"].values
    hidden = stock.copy()
    hidden[-1, 3] = np.nan
    walk = share_walk(made(hidden), memory=True)
    assert walk.stock[3] == stock[-2, 3] and walk.carried[3] == 0.0


def test_nobody_in_care_stays_nobody_and_few_children_are_uncertain():
    walk = share_walk(load_observations(2024))
    spread = dict(zip(walk.authority, np.sqrt(walk.variance), strict=True))
    shares = share_paths(walk, size=200, years=2, seed=1)
    assert (shares[..., list(walk.authority).index("420")] == 0.0).all()
    assert spread["201"] > 1.7 * spread["857"] > 1.7 * 2.0 * spread["330"]


def test_what_cannot_be_used_is_refused():
    stock = simulated(walk_of(np.full(60, 400.0)), years=10, seed=9)["stock_by_authority"].values
    stock[:, 5] = np.nan
    with pytest.raises(InputError, match="never published") as refused:
        share_walk(made(stock))
    assert "905" in refused.value.details["found"]
    with pytest.raises(InputError, match="too few yearly changes"):
        share_walk(made(stock[-2:, :5]))
    gap = made(stock[:, :5].repeat(12, axis=1)).drop_sel(year=2020)
    with pytest.raises(InputError, match="too few yearly changes"):
        share_walk(gap)


def test_the_same_seed_gives_the_same_bits():
    walk = walk_of(np.array([100.0, 900.0]))
    first, again = (share_paths(replace(walk), size=50, years=3, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first, again)
