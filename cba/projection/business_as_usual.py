"""Children looked after in England if nothing changes: stock and flows rolled forward by age."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.projection.kernel import project


def business_as_usual(fit: xr.DataTree, rates: xr.Dataset, population: xr.DataArray) -> xr.Dataset:
    """Roll the stock forward from the last published 31 March. `rates`, dims (sample, year, age)."""
    # Returned: ``children`` (sample, year, age) at 31 March; ``starts_reachable`` (sample, year, age), starts
    # of children who are not unaccompanied; ``starts``, ``ceases`` (sample, year, age); ``closure`` and
    # ``population`` (sample, year). Every draw conserves children: change in stock = starts - ceases +
    # closure.
    flows = _flows(rates, population, fit)
    account, closure = flows.account, flows.closure
    constant = fit["constant_data"].to_dataset()
    stock = np.broadcast_to(constant["stock"].values, (rates.sizes["sample"], 5))
    children = _rolled(account, stock, years=rates["year"])
    before = np.concatenate([stock[:, None], children.values[:, :-1]], axis=1)
    ceases = children.copy(data=_ceases(account, before))
    _require_closed(
        children.values.sum(-1) - before.sum(-1),
        starts=account.starts.sum(-1),
        ceases=ceases.values.sum(-1),
        closure=closure.values,
    )
    return xr.Dataset(
        {
            "children": children,
            "starts_reachable": flows.reachable,
            "starts": flows.starts,
            "ceases": ceases,
            "exits": rates["exit"].transpose("sample", "year", "age"),
            "closure": closure,
            "population": population.broadcast_like(closure),
        }
    )


def next_stock(
    rates: xr.Dataset, stock: np.ndarray, *, population: xr.DataArray, fit: xr.DataTree
) -> np.ndarray:
    """Roll the stock one year on.

    Shape (sample, age), children. By the account of `business_as_usual`. `rates`, dims (sample, year, age).
    `stock` (sample, age): children at the 31 March before. `population`, dims (year) or (sample, year).
    """
    account = _flows(rates, population, fit).account
    moved = np.einsum("sa,sab->sb", stock, _moves(account)[:, 0])
    return moved + _entries(account)[:, 0]


class _Flows(NamedTuple):
    """Starts and closure that the rates of future years come to, and the account they make."""

    reachable: xr.DataArray
    starts: xr.DataArray
    closure: xr.DataArray
    account: _Account


def _flows(rates: xr.Dataset, population: xr.DataArray, fit: xr.DataTree) -> _Flows:
    order = ("sample", "year", "age")
    uasc_share = fit["constant_data"]["uasc_share"]
    reachable = (rates["start_rate"] * population).transpose(*order)
    starts = (reachable + rates["uasc_starts"] * uasc_share).transpose(*order)
    closure = (rates["closure_rate"] * reachable.sum("age")).transpose("sample", "year")
    residual = (closure * reachable / reachable.sum("age")).transpose(*order)
    account = _Account(
        starts=starts.values,
        residual=residual.values,
        exits=rates["exit"].transpose(*order).values,
        ageing=rates["ageing"].transpose(*order).values,
        stay=rates["stay"].transpose("sample", "year").values,
    )
    return _Flows(reachable, starts, closure, account)


class _Account(NamedTuple):
    """Flows and rates of future years: shape (sample, year, age), the stay rate (sample, year)."""

    starts: np.ndarray
    residual: np.ndarray
    exits: np.ndarray
    ageing: np.ndarray
    stay: np.ndarray


def _rolled(account: _Account, stock: np.ndarray, *, years: xr.DataArray) -> xr.DataArray:
    """Children by age at each 31 March, from the stock before the first year; dims (sample, year, age)."""
    bands = list(AGE_BANDS)
    initial = xr.DataArray(stock, dims=("sample", "state"), coords={"state": bands})
    entries = xr.DataArray(
        _entries(account), dims=("sample", "year", "state"), coords={"year": years, "state": bands}
    )
    moves = xr.DataArray(
        _moves(account),
        dims=("sample", "year", "from_state", "to_state"),
        coords={"year": years, "from_state": bands, "to_state": bands},
    )
    return project(initial, entries, moves).rename(state="age").transpose("sample", "year", "age")


def _moves(account: _Account) -> np.ndarray:
    """Share of each band's children who are in each band a year later, (sample, year, from, to)."""
    exits, ageing = account.exits, account.ageing
    moves = np.zeros((*exits.shape, 5))
    for band in range(5):
        kept = 1.0 - exits[..., band]
        grows = np.ones_like(kept) if band == 0 else ageing[..., band]
        if band < 4:
            moves[..., band, band] = kept * (1.0 - grows)
            moves[..., band, band + 1] = kept * grows * (1.0 - exits[..., band + 1] / 2.0)
        else:
            moves[..., band, band] = kept
    return moves


def _entries(account: _Account) -> np.ndarray:
    """Children who entered in the year and are still there at its end, by band, (sample, year, age)."""
    exits = account.exits
    fresh = (1.0 - exits / 2.0) * account.starts + account.residual
    grows = account.ageing / 2.0
    grows[..., 0] = 1.0 - account.stay
    entries = fresh * (1.0 - grows)
    entries[..., 1:] += (fresh * grows)[..., :-1] * (1.0 - exits[..., 1:] / 2.0)
    return entries


def _ceases(account: _Account, before: np.ndarray) -> np.ndarray:
    """Children who ceased, by band: h (N + S/2 + A/2) with A the children who grew into the band."""
    exits = account.exits
    fresh = (1.0 - exits / 2.0) * account.starts + account.residual
    grown = account.ageing * ((1.0 - exits) * before + fresh / 2.0)
    grown[..., 0] = (1.0 - exits[..., 0]) * before[..., 0] + (1.0 - account.stay) * fresh[..., 0]
    arrived = np.zeros_like(grown)
    arrived[..., 1:] = grown[..., :-1]
    return exits * (before + (account.starts + arrived) / 2.0)


def _require_closed(
    change: np.ndarray, *, starts: np.ndarray, ceases: np.ndarray, closure: np.ndarray
) -> None:
    gap = np.abs(change - (starts - ceases + closure)).max()
    if not gap <= 1e-6:  # written so that NaN fails too
        raise AssertionError(
            f"the account of children does not close: {gap:.3g} children are lost or made up"
        )


# --- Children aged 0 to 17 in future years: the official projection where there is one, stated growth … ---


def future_population(
    observations: xr.Dataset, *, years: Sequence[int], growth: xr.DataArray
) -> xr.DataArray:
    """Population used as denominator of each future year.

    Dims (sample, year), children. `observations`: ``population_projection`` (population_year), rebased to the
    last estimate; missing in older releases. `growth`, dims (sample), log points a year.
    """
    known = observations["population_projection"].dropna("population_year")
    last = observations["population_0_17"].dropna("year").isel(year=-1)
    anchor_year, anchor = int(last["year"]), float(last)
    columns = []
    for year in years:
        if year in known["population_year"].values:
            anchor_year, anchor = year, float(known.sel(population_year=year))
        columns.append(anchor * np.exp(growth.values * (year - anchor_year)))
    return xr.DataArray(np.stack(columns, axis=1), dims=("sample", "year"), coords={"year": list(years)})


# --- Future yearly flow rates, drawn forward from the fitted business-as-usual model ---


def _expit(value: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-value))


def _shocks(rng: np.random.Generator, *, sd: np.ndarray, probability: np.ndarray, ratio: float) -> np.ndarray:
    """Heavy-tailed yearly changes: ordinary years with standard deviation `sd`, shocks `ratio` times that."""
    shocked = rng.random(sd.shape) < probability
    return rng.standard_normal(sd.shape) * np.where(shocked, ratio * sd, sd)


def _require_next(years: Sequence[int], *, last: int) -> None:
    """Refuse years that do not follow on: each step of the process is one year, from `last`."""
    expected = list(range(last + 1, last + 1 + len(years)))
    if len(years) == 0 or list(years) != expected:
        raise InputError(
            "the projected years do not follow the last observed one",
            field="years",
            found=[int(year) for year in years],
            allowed=f"consecutive years from {last + 1}",
            cause="a fit of another release, or a start year that skips some",
            remedy="project every year from the one after the release, and select years afterwards",
        )


def rate_paths(
    fit: xr.DataTree, years: Sequence[int], *, seed: int, persistence: np.ndarray | None = None
) -> xr.Dataset:
    """Draw the flow rates of future years, one path per posterior draw.

    Dims (sample, year, age). `seed`: seed of the yearly innovations; the same seed gives the same paths
    whatever the options.
    """
    # Returned: ``start_rate`` (starts of children who are not unaccompanied, per child aged 0 to 17),
    # ``exit`` and ``ageing`` (shares of the year's pools, see `cba.models.baseline`; ``ageing`` is 0 outside
    # 1-15), and, with dims (sample, year): ``stay`` (share of the youngest who stay under 1),
    # ``closure_rate`` (children per start) and ``uasc_starts`` (children). `persistence` (sample,): share of
    # a year's change of start rates and exits that is repeated the year after, 0 to 1; the first change is
    # that of the last year's totals. 0, a random walk, where left out.
    #
    # Rates follow the process of `cba.models.baseline`: a random walk with a national common factor, and for
    # unaccompanied starts a slow return to a level. With persistence phi the change of a year is
    # ``d(t) = phi d(t-1) + e(t)``, e being the walk's innovation and d before the first year the last change
    # of the totals, the same for every age.
    _require_next(years, last=int(fit["constant_data"]["last_year"]))
    posterior = fit["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    posterior = posterior.transpose("sample", ...)
    draws, steps = posterior.sizes["sample"], len(years)
    rng = np.random.default_rng([seed, 1])
    ratio = float(fit["constant_data"]["shock_ratio"])
    probability = posterior["shock_probability"].values[:, None, None]
    sd = np.broadcast_to(posterior["innovation_sd"].values[:, None, :], (draws, steps, 15))
    changes = _shocks(rng, sd=sd, probability=probability, ratio=ratio)
    factors = rng.standard_normal((draws, steps, 2))
    changes[..., 0:5] += posterior["start_common_loading"].values[:, None, :] * factors[..., :1]
    shared = posterior["common_correlation"].values[:, None, None]
    exits = shared * factors[..., :1] + np.sqrt(1.0 - shared**2) * factors[..., 1:]
    changes[..., 5:10] += posterior["exit_common_loading"].values[:, None, :] * exits
    if persistence is not None:
        changes = _carried_on(changes, persistence, fit=fit)
    level = posterior["last_level"].values
    walks = level[:, None, :15] + np.cumsum(changes, axis=1)
    uasc = _unaccompanied_path(posterior, level[:, 15], steps=steps, rng=rng)
    return as_rates(np.concatenate([walks, uasc[..., None]], axis=-1), years)


def as_rates(series: np.ndarray, years: Sequence[int]) -> xr.Dataset:
    """Return the log rates and log odds of the model, (sample, year, series), as the rates a projection reads."""
    exits, growing, staying = (_expit(series[..., place]) for place in (slice(5, 10), slice(10, 13), 13))
    by_age, by_year = ("sample", "year", "age"), ("sample", "year")
    ageing = np.zeros_like(series[..., :5])
    ageing[..., 1:4] = growing
    return xr.Dataset(
        {
            "start_rate": (by_age, np.exp(series[..., 0:5])),
            "exit": (by_age, exits),
            "ageing": (by_age, ageing),
            "stay": (by_year, staying),
            "closure_rate": (by_year, np.exp(series[..., 14])),
            "uasc_starts": (by_year, np.exp(series[..., 15])),
        },
        coords={"year": list(years), "age": list(AGE_BANDS)},
    )


def _carried_on(changes: np.ndarray, persistence: np.ndarray, *, fit: xr.DataTree) -> np.ndarray:
    """Changes of which a share is repeated the year after, for start rates and exits; (sample, year, walk)."""
    last = fit["constant_data"].to_dataset()["last_change"].values
    before = np.zeros((changes.shape[0], changes.shape[2]))
    for lever, rows in enumerate((slice(0, 5), slice(5, 10))):
        before[:, rows] = last[lever]
    moving = np.zeros((changes.shape[0], changes.shape[2]))
    moving[:, :10] = persistence[:, None]
    carried = np.empty_like(changes)
    for step in range(changes.shape[1]):
        before = moving * before + changes[:, step]
        carried[:, step] = before
    return carried


def _unaccompanied_path(
    posterior: xr.Dataset, last: np.ndarray, *, steps: int, rng: np.random.Generator
) -> np.ndarray:
    """Log unaccompanied starts, (sample, year): first-order return towards the long-run level."""
    level = np.log(posterior["uasc_long_run_starts"].values)
    persistence = posterior["uasc_persistence"].values
    sd = posterior["uasc_innovation_sd"].values
    swings = rng.standard_normal((last.size, steps))
    path = np.empty((last.size, steps))
    current = last
    for step in range(steps):
        current = level + persistence * (current - level) + sd * swings[:, step]
        path[:, step] = current
    return path
