"""Future yearly flow rates, drawn forward from the fitted business-as-usual model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from cba.dimensions import AGE_BANDS
from cba.errors import InputError


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

    Parameters
    ----------
    fit : DataTree
        As returned by :func:`cba.fit_baseline`.
    years : sequence of int
        Consecutive years ending 31 March, the first being the year after the last observed one.
    seed : int
        Seed of the yearly innovations; the same seed gives the same paths whatever the options.
    persistence : ndarray, shape (sample,), optional
        Share of a year's change of start rates and exits that is repeated the year after, 0 to 1; the
        first change is that of the last year's totals. 0, a random walk, where left out.

    Returns
    -------
    Dataset, dims (sample, year, age)
        ``start_rate`` (starts of children who are not unaccompanied, per child aged 0 to 17), ``exit`` and
        ``ageing`` (shares of the year's pools, see :mod:`cba.models.flow_rates`; ``ageing`` is 0 outside
        1-15), and, with dims (sample, year): ``stay`` (share of the youngest who stay under 1),
        ``closure_rate`` (children per start) and ``uasc_starts`` (children).

    Raises
    ------
    InputError
        If the years are not consecutive from the year after the last observed one.

    Examples
    --------
    >>> import cba
    >>> fit = cba.fit_baseline(cba.load_observations(), cba.load_priors())  # doctest: +SKIP
    >>> rate_paths(fit, range(2025, 2033), seed=0)["exit"].dims  # doctest: +SKIP
    ('sample', 'year', 'age')

    Notes
    -----
    Rates follow the process of :mod:`cba.models.baseline`: a random walk with a national common factor, and
    for unaccompanied starts a slow return to a level. With persistence phi the change of a year is
    ``d(t) = phi d(t-1) + e(t)``, e being the walk's innovation and d before the first year the last change of the
    totals, the same for every age.
    """
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
    ageing = np.zeros((draws, steps, 5))
    ageing[..., 1:4] = _expit(walks[..., 10:13])
    by_age = ("sample", "year", "age")
    return xr.Dataset(
        {
            "start_rate": (by_age, np.exp(walks[..., 0:5])),
            "exit": (by_age, _expit(walks[..., 5:10])),
            "ageing": (by_age, ageing),
            "stay": (("sample", "year"), _expit(walks[..., 13])),
            "closure_rate": (("sample", "year"), np.exp(walks[..., 14])),
            "uasc_starts": (("sample", "year"), np.exp(uasc)),
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
