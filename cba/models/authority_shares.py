"""Each authority's share of England's children in care, forecast: log shares walk.

With s_i the share of authority i, N_i its children and d_it = log s_it - log s_i,t-1,

    d_it = m_it d_i,t-1 - kappa / (2 N_i,t-1) + e_it,    e_it ~ N(0, v_it), with probability p N(0, 9 v_it)
    v_it = sigma^2 + kappa / N_i,t-1,    m_it = phi sigma^2 / v_i,t-1

kappa / N is what counting children leaves to chance, and leaves the expected number where it is. Shares are normalised
in every draw, so that authorities add up to England whatever England does. The parameters are maximum likelihood over
the yearly changes of all authorities, about 150 a year.

In use is the random walk, phi = 0. Memory, a share phi of the part of a change that is not chance of counting carrying
over to the next year, was specified first, from release 2015 alone (changes of five years had 1.4 times the variance of
five changes of a year), with the rule that it must not forecast worse than the walk by a standard error at any horizon:
it did five years ahead, and its intervals were too wide (:mod:`cba.validation.authority_skill`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import minimize

from cba.errors import InputError

FEWEST = 20
"""Children at both ends of a change that counts: below it changes are mostly rounding and suppression."""


LEAST_CHANGES = 100
"""Fewest yearly changes, over all authorities, the parameters are read from."""


SHOCK_RATIO = 3.0
"""A shock is so many times an ordinary change, as for England's rates."""


FIRST_GUESS, LIMITS = (-3.0, 0.0, 0.02, 0.1), ((-7.0, 0.0), (-4.0, 3.0), (0.0, 0.5), (-0.5, 0.9))
"""Log of sigma, log of kappa, p and phi: where the search begins, and how far it may go."""


@dataclass(frozen=True)
class ShareWalk:
    """The authorities of one year, what is known of them, and how their shares move."""

    authority: np.ndarray  # (authority,): codes of those that existed in the year
    year: int  # year ending 31 March, the last one known
    stock: np.ndarray  # (authority,): looked-after children, the last published number
    carried: np.ndarray  # (authority,): m d, what the last change adds to the next; 0 where it is not known
    sigma: float
    kappa: float
    shock_probability: float
    memory: float

    @property
    def variance(self) -> np.ndarray:
        """Variance of an ordinary year's change of the log share, (authority,)."""
        return self.sigma**2 + self.kappa / np.maximum(self.stock, 1.0)

    @property
    def kept(self) -> np.ndarray:
        """Share of a year's change that carries over to the next, (authority,)."""
        return self.memory * self.sigma**2 / self.variance


def share_walk(observations: xr.Dataset, *, memory: bool = False) -> ShareWalk:
    """Read how shares move from ``stock_by_authority`` of one release. `memory`: phi is learned too."""
    # A code that begins or ends with a reorganisation has no change across it. A cell that is missing in the last year
    # is filled by the last number published; changes from or to a missing cell do not count.
    stock = observations["stock_by_authority"].transpose("year", "authority").dropna("year", how="all")
    year = int(stock["year"][-1])
    today = ((stock["first_year"] <= year) & (year <= stock["last_year"])).values
    last = pd.DataFrame(stock.values).ffill().to_numpy()[-1]
    _refuse_unpublished(stock["authority"].values[today & np.isnan(last)], year)
    number = stock.values
    shares = np.where(number >= FEWEST, number, np.nan) / np.nansum(number, axis=1, keepdims=True)
    changes, before = np.diff(np.log(shares), axis=0), number[:-1]
    if np.isfinite(changes).sum() < LEAST_CHANGES or np.ptp(np.diff(stock["year"].values)) > 0:
        raise InputError(
            "too few yearly changes of authorities to tell how their shares move",
            file="authority_children.csv",
            field="stock_by_authority",
            found=f"{int(np.isfinite(changes).sum())} changes, years {stock['year'].values.tolist()}",
            allowed=f"at least {LEAST_CHANGES}, over consecutive years",
            cause="an early release, or a year missing from the series",
            remedy="choose a later release, or complete the table",
        )
    sigma, kappa, probability, phi = _most_likely(changes, before, memory=memory)
    variance = sigma**2 + kappa / np.maximum(before[-1], 1.0)
    return ShareWalk(
        authority=stock["authority"].values[today],
        year=year,
        stock=last[today],
        carried=np.nan_to_num(phi * sigma**2 / variance * changes[-1])[today],
        sigma=sigma,
        kappa=kappa,
        shock_probability=probability,
        memory=phi,
    )


def _refuse_unpublished(codes: np.ndarray, year: int) -> None:
    if codes.size:
        raise InputError(
            "an authority's children in care were never published",
            file="authority_children.csv",
            field="stock_by_authority",
            found=f"{', '.join(map(str, codes))}, up to {year}",
            allowed="a number in one year at least, since the authority began",
            cause="an authority begun in a reorganisation whose figures are not in the table yet",
            remedy="add its first figure, or correct first_year in authorities.csv",
        )


def _most_likely(changes: np.ndarray, before: np.ndarray, *, memory: bool) -> tuple[float, ...]:
    """Sigma, kappa, p and phi that make the changes (year, authority) likeliest. `before`: children a year earlier."""
    known = np.isfinite(changes)
    earlier = np.zeros_like(changes)
    earlier[1:] = np.nan_to_num(changes[:-1])
    since = np.vstack([before[:1], before[:-1]])
    since = np.where(np.isfinite(since) & (since > 0), since, 1.0)  # where it counts nothing is carried over
    change, earlier, before, since = (each[known] for each in (changes, earlier, before, since))

    def minus_log(values: np.ndarray) -> float:
        (sigma, kappa), probability, phi = np.exp(values[:2]), values[2], values[3]
        counting = kappa / before
        kept = phi * sigma**2 / (sigma**2 + kappa / since)
        error2, variance = (change - kept * earlier + counting / 2.0) ** 2, sigma**2 + counting
        wide = SHOCK_RATIO**2 * variance
        density = (1.0 - probability) * np.exp(-error2 / (2.0 * variance)) / np.sqrt(variance)
        density = density + probability * np.exp(-error2 / (2.0 * wide)) / np.sqrt(wide)
        return float(-np.log(density + 1e-300).sum())

    limits = LIMITS if memory else (*LIMITS[:3], (0.0, 0.0))
    first = np.array(FIRST_GUESS) * (1.0, 1.0, 1.0, float(memory))
    found = minimize(minus_log, first, method="L-BFGS-B", bounds=limits).x
    return float(np.exp(found[0])), float(np.exp(found[1])), float(found[2]), float(found[3])


def share_paths(walk: ShareWalk, *, size: int, years: int, seed: int) -> np.ndarray:
    """Draw the authorities' shares of England's children in care, (sample, year, authority), that add up to one."""
    rng = np.random.default_rng([seed, 41])
    spread, down = np.sqrt(walk.variance), (walk.variance - walk.sigma**2) / 2.0
    change, moved, paths = walk.carried, np.zeros(()), []
    for _ in range(years):
        shocked = rng.random((size, spread.size)) < walk.shock_probability
        chance = rng.standard_normal((size, spread.size)) * np.where(shocked, SHOCK_RATIO, 1.0)
        change = change - down + spread * chance
        moved = moved + change
        weight = walk.stock * np.exp(moved)
        paths.append(weight / weight.sum(axis=1, keepdims=True))
        change = walk.kept * change
    return np.stack(paths, axis=1)


def authority_quantiles(draws: np.ndarray, walk: ShareWalk, *, levels: Sequence[float]) -> pd.DataFrame:
    """Mean and quantiles of draws (sample, ahead, authority), a row for each: year, authority, mean, ``q<level>``."""
    found = np.concatenate([draws.mean(axis=0)[None], np.quantile(draws, levels, axis=0)])
    years = range(walk.year + 1, walk.year + 1 + draws.shape[1])
    index = pd.MultiIndex.from_product([years, walk.authority], names=["year", "authority"])
    names = ["mean", *(f"q{level:g}" for level in levels)]
    return pd.DataFrame(found.reshape(len(names), -1).T, index=index, columns=names).reset_index()
