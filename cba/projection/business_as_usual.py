"""Children looked after in England if nothing changes: stock and flows rolled forward by age.

The number in care grows as :mod:`cba.models.growth` says; by themselves the rates of ages would walk. A shift common
to all ages, of which a share kappa lies on the log start rates and the rest on the odds of ceasing, is laid over them
and solved for each year, so that every draw has the number of its growth path and every child of it starts, ages and
ceases in the account. What the walks of single rates would add to the growth of the total is thereby taken off again;
what they do to its composition stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.special import expit, logit

from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.models.baseline import SERIES
from cba.models.growth import GROWTH, number_paths, responses
from cba.projection.kernel import project


def business_as_usual(fit: xr.DataTree, rates: xr.Dataset, population: xr.DataArray) -> xr.Dataset:
    """Roll the stock forward from the last published 31 March. `rates`, dims (sample, year, age)."""
    # Returned: ``children`` (sample, year, age) at 31 March, ``unaccompanied`` of them (sample, year);
    # ``starts_reachable`` (sample, year, age), starts of children who are not unaccompanied; ``starts``,
    # ``ceases`` (sample, year, age); ``closure`` and ``population`` (sample, year). Every draw conserves
    # children: change in stock = starts - ceases + closure.
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
            "unaccompanied": rates["uasc_stock"].transpose("sample", "year"),
            "population": population.broadcast_like(closure),
        }
    )


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


CLOSE = 1e-10
"""Growth, log points, to within which the number in care is met."""


STEPS = 60
"""Steps of the secant method after which a draw has no rates that give its number; six are usual."""


def usual_rates(
    fit: xr.DataTree, *, years: Sequence[int], population: xr.DataArray, parameters: xr.Dataset, seed: int
) -> xr.Dataset:
    """Draw flow rates of future years under which the number in care grows as the fitted model says.

    Dims (sample, year, age), as `as_rates`. `population`, dims (year) or (sample, year). `parameters`: what growth
    returns to, and how slowly.
    """
    _require_next(years, last=int(fit["constant_data"]["last_year"]))
    posterior, last = _drawn(fit)
    paths = number_in_care(fit, population=population, parameters=parameters, seed=seed)
    people = population.broadcast_like(posterior["growth_mean"]).transpose("sample", "year").values
    stock = paths["unaccompanied"].values
    alone = _unaccompanied_starts(stock, leave=float(last["uasc_leave_share"])), stock[:, 1:]
    rates = as_rates(rate_paths(posterior, last, steps=len(years), seed=seed), alone, years)
    return held_to(
        rates,
        last,
        people=people,
        number=paths["children"].values[:, 1:],
        through_starts=posterior["growth_through_starts"].values,
    )


def _drawn(fit: xr.DataTree) -> tuple[xr.Dataset, xr.Dataset]:
    """Draws of a fit, dims (sample, ...), and what it knew of the last year."""
    posterior = fit["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    return posterior.transpose("sample", ...), fit["constant_data"].to_dataset()


def number_in_care(
    fit: xr.DataTree, *, population: xr.DataArray, parameters: xr.Dataset, seed: int
) -> xr.Dataset:
    """Draw the number in care from the last year known on, as `number_paths`. Arguments as `usual_rates`."""
    posterior, last = _drawn(fit)
    growing = {name: ("sample", parameters[f"baseline.{name}"].values) for name in GROWTH}
    people = population.broadcast_like(posterior["growth_mean"]).transpose("sample", "year").values
    return number_paths(posterior.assign(growing), last, people=people / float(last["population"]), seed=seed)


def _unaccompanied_starts(stock: np.ndarray, *, leave: float) -> np.ndarray:
    """Starts of unaccompanied children that their stock implies, (sample, year).

    Where the number falls by more than that share leaves in a year nobody starts, and more leave.
    """
    return np.maximum((stock[:, 1:] - (1.0 - leave) * stock[:, :-1]) / (1.0 - leave / 2.0), 0.0)


def rate_paths(posterior: xr.Dataset, last: xr.Dataset, *, steps: int, seed: int) -> np.ndarray:
    """Draw log rates and log odds of future years as the walks of `cba.models.baseline`, (sample, year, series)."""
    draws = posterior.sizes["sample"]
    rng = np.random.default_rng([seed, 1])
    probability = posterior["shock_probability"].values[:, None, None]
    sd = np.broadcast_to(posterior["innovation_sd"].values[:, None, :], (draws, steps, len(SERIES)))
    changes = _shocks(rng, sd=sd, probability=probability, ratio=float(last["shock_ratio"]))
    factors = rng.standard_normal((draws, steps, 2))
    changes[..., 0:5] += posterior["start_common_loading"].values[:, None, :] * factors[..., :1]
    shared = posterior["common_correlation"].values[:, None, None]
    exits = shared * factors[..., :1] + np.sqrt(1.0 - shared**2) * factors[..., 1:]
    changes[..., 5:10] += posterior["exit_common_loading"].values[:, None, :] * exits
    walks: np.ndarray = posterior["last_level"].values[:, None] + np.cumsum(changes, axis=1)
    return walks


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


def as_rates(
    series: np.ndarray, unaccompanied: tuple[np.ndarray, np.ndarray], years: Sequence[int]
) -> xr.Dataset:
    """Return log rates and log odds (sample, year, series) as the rates a projection reads.

    `unaccompanied`: starts and stock at 31 March, each (sample, year), children.
    """
    # Dims (sample, year, age): ``start_rate`` (starts of children who are not unaccompanied, per child aged 0 to
    # 17), ``exit`` and ``ageing`` (shares of the year's pools, see `cba.models.baseline`; ``ageing`` is 0 outside
    # 1-15); dims (sample, year): ``stay`` (share of the youngest who stay under 1), ``closure_rate`` (children per
    # start), ``uasc_starts`` and ``uasc_stock`` (children).
    by_age, by_year = ("sample", "year", "age"), ("sample", "year")
    ageing = np.zeros_like(series[..., :5])
    ageing[..., 1:4] = expit(series[..., 10:13])
    return xr.Dataset(
        {
            "start_rate": (by_age, np.exp(series[..., 0:5])),
            "exit": (by_age, expit(series[..., 5:10])),
            "ageing": (by_age, ageing),
            "stay": (by_year, expit(series[..., 13])),
            "closure_rate": (by_year, np.exp(series[..., 14])),
            "uasc_starts": (by_year, unaccompanied[0]),
            "uasc_stock": (by_year, unaccompanied[1]),
        },
        coords={"year": list(years), "age": list(AGE_BANDS)},
    )


def held_to(
    rates: xr.Dataset, last: xr.Dataset, *, people: np.ndarray, number: np.ndarray, through_starts: np.ndarray
) -> xr.Dataset:
    """Shift start rates and odds of ceasing so that the number in care is the one given.

    `people`, `number` (sample, year): children aged 0 to 17, and in care at 31 March; `through_starts` (sample,).
    """
    by_start, by_exit = _responses(last)
    on_starts, on_exits = through_starts / by_start, -(1.0 - through_starts) / by_exit
    stock = np.broadcast_to(last["stock"].values, (len(number), 5))
    shift, found = np.zeros(len(number)), rates.copy(deep=True)
    starts, exits = found["start_rate"].values, found["exit"].values
    for step in range(number.shape[1]):
        year = _Year(stock, rates.isel(year=step), people[:, step], last, on_starts, on_exits)
        shift = _solved(year, number[:, step], first=shift)
        starts[:, step], exits[:, step] = year.shifted(shift)
        stock = year.stock_after(shift)
    return found


class _Year(NamedTuple):
    """A year to come: the stock before it, its rates by themselves, and what a unit of shift adds to their logs."""

    stock: np.ndarray
    rates: xr.Dataset
    people: np.ndarray
    last: xr.Dataset
    on_starts: np.ndarray
    on_exits: np.ndarray

    def shifted(self, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Start rates and exits under a shift, each (sample, age)."""
        starts = self.rates["start_rate"].values * np.exp(self.on_starts * shift)[:, None]
        return starts, expit(logit(self.rates["exit"].values) + (self.on_exits * shift)[:, None])

    def stock_after(self, shift: np.ndarray) -> np.ndarray:
        """Children by age at the end of the year, by the account of `business_as_usual`."""
        rate, exits = self.shifted(shift)
        reachable = rate * self.people[:, None]
        alone = self.rates["uasc_starts"].values[:, None] * self.last["uasc_share"].values
        account = _Account(
            starts=(reachable + alone)[:, None],
            residual=(self.rates["closure_rate"].values[:, None] * reachable)[:, None],
            exits=exits[:, None],
            ageing=self.rates["ageing"].values[:, None],
            stay=self.rates["stay"].values[:, None],
        )
        moved = np.einsum("sa,sab->sb", self.stock, _moves(account)[:, 0])
        return np.asarray(moved + _entries(account)[:, 0])


def _solved(year: _Year, number: np.ndarray, *, first: np.ndarray) -> np.ndarray:
    """Shift at which each draw has its number: the secant method, all draws at once, from that of the year before."""

    def miss(shift: np.ndarray) -> np.ndarray:
        return np.asarray(np.log(year.stock_after(shift).sum(-1) / number))

    before, off = first, miss(first)
    now = before - off
    for _ in range(STEPS):
        left = miss(now)
        met = np.abs(left) < CLOSE
        if met.all():
            return now
        slope = np.where(met, 1.0, (left - off) / np.where(now == before, 1.0, now - before))
        before, off, now = now, left, now - left / slope
    raise AssertionError(f"{(~met).sum()} draws have no rates that give their number in care")


def _responses(last: xr.Dataset) -> tuple[float, float]:
    """Growth that a unit of log start rates brings, and of log odds of ceasing takes, at the last year."""
    rates = last["observed_rates"].isel(year=-1).values
    starts = np.exp(rates[:5]) * float(last["population"])
    by_start, by_exit = responses(
        last["stock"].values,
        starts=starts,
        everyone=starts + float(last["uasc_starts"]) * last["uasc_share"].values,
        exits=expit(rates[5:10]),
        closure=np.exp(rates[14]),
    )
    return float(by_start), float(by_exit)
