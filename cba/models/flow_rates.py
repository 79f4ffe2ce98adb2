"""Yearly rates that reproduce the published stock-and-flow account of looked-after children exactly.

Each year is split so that every child is counted once. For age band a, with N the stock at the start of
the year, S the starts of the year, A the children who grow into the band and r the closure residual:

    ceases      C_a = h_a * (N_a + S_a/2 + A_a/2)
    ageing out  O_a = g_a * ((1 - h_a) N_a + ((1 - h_a/2) S_a + r_a) / 2),    a = 1-4, 5-9, 10-15
    next stock  N'_a = (1 - h_a) N_a + (1 - h_a/2) (S_a + A_a) + r_a - O_a

Nobody stays under 1 for a year, so N'_under_1 = q * ((1 - h/2) S + r) and the rest of that band grows out.
The closure residual is the change in stock less (starts - ceases); it is published by nobody and is spread
over ages like the starts of children who are not unaccompanied. Solving the account year by year gives h, g
and q in closed form, so nothing is estimated here: the model in :mod:`cba.models.baseline` describes how
these rates move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from cba.dimensions import AGE_BANDS
from cba.errors import InputError

SERIES = (
    *(f"log_start_rate_{age}" for age in AGE_BANDS),
    *(f"logit_exit_{age}" for age in AGE_BANDS),
    *(f"logit_ageing_{age}" for age in AGE_BANDS[1:4]),
    "logit_stay_under_1",
    "log_closure_rate",
    "log_uasc_starts",
)
"""Rows of the rate matrix: 5 start, 5 exit, 3 ageing rates, the stay rate, closure, unaccompanied starts."""

MINIMUM_YEARS = 5


@dataclass(frozen=True)
class FlowRates:
    """Yearly rates derived from one release.

    Attributes
    ----------
    values : ndarray, shape (series, year)
        Rates on the log or logit scale, rows in the order of :data:`SERIES`.
    noise : ndarray, shape (series, year)
        Standard deviation of the counting noise of each value, same scale.
    years : ndarray of int, shape (year,)
        Years ending 31 March.
    uasc_share : ndarray, shape (age,)
        Share of unaccompanied starts by age band, sums to 1.
    stock : ndarray, shape (age,)
        Looked-after children at 31 March of the last year.
    population : float
        Children aged 0 to 17 used as denominator for the last year.
    total_start_changes : ndarray, shape (years before the ages begin,)
        Yearly changes of the log of total starts before ages are published.

    Examples
    --------
    Records come from :func:`flow_rates`.

    >>> import cba
    >>> flow_rates(cba.load_observations()).values.shape
    (16, 14)
    """

    values: np.ndarray
    noise: np.ndarray
    years: np.ndarray
    uasc_share: np.ndarray
    stock: np.ndarray
    population: float
    total_start_changes: np.ndarray


def _logit(share: np.ndarray | float) -> np.ndarray:
    return np.log(share) - np.log1p(-np.asarray(share))


def unaccompanied_starts(observations: xr.Dataset, *, leave_share: float) -> xr.DataArray:
    """Starts of unaccompanied children: published from 2019 in releases from 2023, else from their stock.

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.
    leave_share : float
        Share of unaccompanied children (stock + half the starts) who cease in a year, used where starts are
        not published: U' = U + s - leave_share (U + s/2), solved for s.

    Returns
    -------
    DataArray, dims (year), children
        Published where available, otherwise implied by the stock; NaN where neither exists.

    Examples
    --------
    A stock that stands at 1,000 while half of it (and of half the starts) leaves needs 667 starts a year.

    >>> year = {"year": [2011, 2012]}
    >>> stock = xr.DataArray([1000.0, 1000.0], dims="year", coords=year)
    >>> known = xr.Dataset({"uasc_stock": stock, "uasc_starts": stock * np.nan})
    >>> unaccompanied_starts(known, leave_share=0.5).round(1).values.tolist()
    [nan, 666.7]
    """
    stock = observations["uasc_stock"]
    before = stock.shift(year=1)
    implied = (stock - (1.0 - leave_share) * before) / (1.0 - leave_share / 2.0)
    return observations["uasc_starts"].fillna(implied).rename("uasc_starts")


def uasc_age_share(observations: xr.Dataset, *, where_unknown: float | None = None) -> np.ndarray:
    """Share of unaccompanied children by age band: 16+ as in their published stock, the rest aged 10-15.

    Parameters
    ----------
    observations : Dataset
        Gives ``uasc_stock`` and ``uasc_stock_16_plus`` by year, children.
    where_unknown : float, optional
        Share aged 16 or over taken where the release publishes none.

    Returns
    -------
    ndarray, shape (age,)
        The mean over the published years; sums to 1.

    Raises
    ------
    InputError
        If the release publishes no age of unaccompanied children and `where_unknown` is not given.

    Examples
    --------
    >>> year = {"year": [2023, 2024]}
    >>> stock = xr.DataArray([100.0, 200.0], dims="year", coords=year)
    >>> uasc_age_share(xr.Dataset({"uasc_stock": stock, "uasc_stock_16_plus": 0.9 * stock})).round(3).tolist()
    [0.0, 0.0, 0.0, 0.1, 0.9]
    """
    share = observations["uasc_stock_16_plus"] / observations["uasc_stock"]
    known = share.dropna("year")
    if known.sizes["year"] == 0 and where_unknown is None:
        raise InputError(
            "no age of unaccompanied children is published in this release",
            field="uasc_stock_16_plus",
            found="all missing",
            allowed="at least one year",
            cause="releases before 2021 do not carry it",
            remedy="use a release from 2021, or state the share aged 16 or over",
        )
    older = float(known.mean()) if known.sizes["year"] else float(where_unknown or 0.0)
    return np.array([0.0, 0.0, 0.0, 1.0 - older, older])


def _account(
    stock: np.ndarray, following: np.ndarray, starts: np.ndarray, ceases: np.ndarray, residual: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Solve one year of the account; returns exits (5), ageing (3) and the stay rate of the youngest band."""
    exits, ageing, grown_in, stay = np.empty(5), np.empty(3), 0.0, np.nan
    for band in range(5):
        exits[band] = ceases[band] / (stock[band] + (starts[band] + grown_in) / 2.0)
        kept = (1.0 - exits[band]) * stock[band]
        fresh = (1.0 - exits[band] / 2.0) * starts[band] + residual[band]
        arrived = (1.0 - exits[band] / 2.0) * grown_in
        grown_out = kept + fresh + arrived - following[band]
        if band == 0:
            stay = following[0] / fresh
        elif band < 4:
            ageing[band - 1] = grown_out / (kept + fresh / 2.0)
        grown_in = grown_out
    return exits, ageing, stay


def flow_rates(
    observations: xr.Dataset, *, uasc_leave_share: float = 0.5, uasc_16_plus_share: float | None = None
) -> FlowRates:
    """Derive the yearly rates from the published counts.

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`; needs stock, starts and ceases by age for at least
        six years.
    uasc_leave_share : float
        See :func:`unaccompanied_starts`; only matters where unaccompanied starts are not published.
    uasc_16_plus_share : float, optional
        Share of unaccompanied children aged 16 or over where the release does not publish their ages.

    Returns
    -------
    FlowRates

    Raises
    ------
    InputError
        If fewer than six consecutive years carry a stock by age, or a rate leaves (0, 1).

    Examples
    --------
    >>> import cba
    >>> rates = flow_rates(cba.load_observations())
    >>> int(rates.years[0]), int(rates.years[-1]), round(float(np.exp(rates.values[-1, -1])))
    (2011, 2024, 7270)
    """
    stock = observations["stock_by_age"].sel(age=list(AGE_BANDS)).dropna("year")
    years = [int(y) for y in stock["year"].values]
    if len(years) < MINIMUM_YEARS + 1 or years != list(range(years[0], years[-1] + 1)):
        raise InputError(
            "too little history by age to describe how rates move",
            field="stock_by_age",
            found=f"years {years}",
            allowed=f"at least {MINIMUM_YEARS + 1} consecutive years",
            cause="an early release, or a year missing from the series",
            remedy="choose a later release or complete the series",
        )
    uasc = unaccompanied_starts(observations, leave_share=uasc_leave_share)
    share = uasc_age_share(observations, where_unknown=uasc_16_plus_share)
    columns, noises = [], []
    for year in years[1:]:
        values, noise = _one_year(observations, year, uasc=float(uasc.sel(year=year)), share=share)
        columns.append(values)
        noises.append(noise)
    totals = observations["starts"].sel(year=slice(None, years[0] + 1)).dropna("year")
    return FlowRates(
        values=np.stack(columns, axis=1),
        noise=np.stack(noises, axis=1),
        years=np.array(years[1:]),
        uasc_share=share,
        stock=stock.sel(year=years[-1]).values.astype(float),
        population=float(observations["population_0_17"].sel(year=years[-1])),
        total_start_changes=np.diff(np.log(totals.values)),
    )


def _one_year(
    observations: xr.Dataset, year: int, *, uasc: float, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rates of one year on the log or logit scale, and the counting noise of each."""

    def by_age(name: str, when: int) -> np.ndarray:
        return observations[name].sel(year=when, age=list(AGE_BANDS)).values.astype(float)

    before, after = by_age("stock_by_age", year - 1), by_age("stock_by_age", year)
    starts, ceases = by_age("starts_by_age", year), by_age("ceases_by_age", year)
    reachable = starts - share * uasc
    closure = after.sum() - before.sum() - starts.sum() + ceases.sum()
    residual = closure * reachable / reachable.sum()
    exits, ageing, stay = _account(before, after, starts, ceases, residual)
    shares = np.array([*exits, *ageing, stay])
    _require_possible(year, shares=shares, closure=closure, reachable=reachable)
    population = float(observations["population_0_17"].sel(year=year))
    values = np.concatenate(
        [np.log(reachable / population), _logit(shares), [np.log(closure / reachable.sum()), np.log(uasc)]]
    )
    noise = np.concatenate(
        [
            1.0 / np.sqrt(reachable),
            1.0 / np.sqrt(ceases * (1.0 - exits)),
            1.0 / np.sqrt(ageing * (1.0 - ageing) * np.maximum(before[1:4], 1.0)),
            [1.0 / np.sqrt(stay * (1.0 - stay) * starts[0])],
            [1.0 / np.sqrt(closure), 1.0 / np.sqrt(uasc)],
        ]
    )
    return values, noise


def _require_possible(year: int, *, shares: np.ndarray, closure: float, reachable: np.ndarray) -> None:
    """Refuse a year whose account needs a share outside (0, 1), no closure residual, or negative starts."""
    possible = (shares > 0) & (shares < 1)  # False for NaN
    if possible.all() and closure > 0 and (reachable > 0).all():
        return
    exits, ageing, stay = shares[:5].round(3), shares[5:8].round(3), shares[8]
    raise InputError(
        f"the published account of {year} implies an impossible rate",
        field="stock_by_age, starts_by_age, ceases_by_age",
        found=f"exits {exits}, ageing {ageing}, stay {stay:.3f}, closure {closure:.0f}, "
        f"starts of children who are not unaccompanied {reachable.round()}",
        allowed="shares strictly between 0 and 1, a positive closure residual, positive starts",
        cause="a missing cell or a figure in the wrong column",
        remedy="check the release file against the published table",
    )
