"""How long children who start to be looked after stay, and where in age they are as time passes.

Published counts of ceases by length of the last period of care give the share of stays longer than x years,
S_pub(x). Part of that is ageing out at 18, which is known exactly from the age at the start, so

    S_pub(x) = sum_a w_a F(x) P(a child who started in band a is under 18 after x years)

is solved for F, the share still looked after among those not yet 18, with w the age mix of starts. A child of
band a is then in care x years later with probability F(x) P(under 18), and in age band b with the share of
entry ages that lead there. An age-only exit rate would overstate how long an averted start would have lasted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from cba.dimensions import AGE_BANDS, AGE_LIMITS
from cba.errors import InputError
from cba.interventions.records import MetInCare

QUADRATURE = 8
"""Points per year over which starts are spread; the midpoint rule is off by at most 2 per 1,000 starts."""

SPENT_POINTS, AGE_POINTS = 1800, 41
"""Points over the time a child met in care has spent there (18 years), and over the ages of a band."""


@dataclass(frozen=True)
class StayLength:
    """Share of stays longer than x years among children not yet 18."""

    years: np.ndarray
    # Log of the share still looked after; 0 at the start, decreasing; linear in between and beyond.
    log_share: np.ndarray

    def share(self, length: np.ndarray) -> np.ndarray:
        """Share still looked after `length` years on, given not yet 18. Same shape, in (0, 1]."""
        slope = (self.log_share[-1] - self.log_share[-2]) / (self.years[-1] - self.years[-2])
        beyond = self.log_share[-1] + slope * (length - self.years[-1])
        return np.exp(
            np.where(length <= self.years[-1], np.interp(length, self.years, self.log_share), beyond)
        )


def age_position(length: np.ndarray) -> np.ndarray:
    """Share of children of each starting band who are in each band `length` years later.

    Shape (from age, to age, *length.shape). Rows sum to the share still under 18. `length`: years since the
    start of care; entry ages are spread evenly over the band.
    """
    length = np.asarray(length, dtype=float)
    shares = np.empty((5, 5, *length.shape))
    for start, (lowest, highest) in enumerate(AGE_LIMITS):
        for end, (lower, upper) in enumerate(AGE_LIMITS):
            overlap = np.minimum(highest + length, upper) - np.maximum(lowest + length, lower)
            shares[start, end] = np.maximum(overlap, 0.0) / (highest - lowest)
    return shares


def stay_length(observations: xr.Dataset, *, years: int = 3) -> StayLength:
    """Derive the distribution of stays from published ceases by length of the last period of care.

    Lengths are those of the published bands; the last, open band is carried on at the rate before it.
    """
    counts = observations["ceases_by_duration"].dropna("year").isel(year=slice(-years, None))
    if counts.sizes["year"] == 0:
        raise InputError(
            "ceases by length of stay are not published in this release",
            field="ceases_by_duration",
            found="all missing",
            allowed="at least one year",
            cause="releases 2011 to 2018 carry none",
            remedy="choose release 2010 or a release from 2021",
        )
    pooled = counts.sum("year").values
    ends = counts["duration_upper_years"].values[:-1].astype(float)
    longer = 1.0 - np.cumsum(pooled)[:-1] / pooled.sum()
    mix = (
        observations["starts_by_age"].sel(age=list(AGE_BANDS), year=counts["year"].values).mean("year").values
    )
    under_18 = np.einsum("a,abx->x", mix / mix.sum(), age_position(ends))
    log_share = np.log(np.concatenate([[1.0], longer / under_18]))
    if (np.diff(log_share) > 0).any():
        raise InputError(
            "the published lengths of stay imply that a share rises with length of stay",
            field="ceases_by_duration",
            found=np.exp(log_share).round(3).tolist(),
            allowed="a falling share",
            cause="bands read in the wrong order, or the age mix of starts is wrong",
            remedy="check the order of the duration bands in the release",
        )
    return StayLength(np.concatenate([[0.0], ends]), log_share)


def averted_stock_kernel(stays: StayLength, *, stay_ratio: np.ndarray, lags: int) -> np.ndarray:
    """Children fewer in care at each year end for one averted start, by age at the start and age then.

    Shape (sample, from age, to age, lag). Values in [0, 1]: starts are spread evenly over their year.
    """
    offsets = (np.arange(QUADRATURE) + 0.5) / QUADRATURE
    length = np.arange(lags)[:, None] + offsets[None, :]
    position = age_position(length)
    share = stays.share(length[None] / np.asarray(stay_ratio)[:, None, None])
    return averaged_over_year(share, position)


def averaged_over_year(share: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Average over the points of a year of the share still in care times the share in each age band.

    Shape (sample, from age, to age, lag). One matrix product per lag, laid out in memory with the ages of a
    lag side by side, as the convolution over years reads them. `share` (sample, lag, point).
    """
    # `share`: share still looked after, given not yet 18. `position` (from age, to age, lag, point).
    kernel = np.empty((share.shape[0], share.shape[1], 25))
    for lag in range(share.shape[1]):
        kernel[:, lag] = share[:, lag] @ (position[:, :, lag].reshape(25, -1).T / share.shape[2])
    return np.moveaxis(kernel.reshape(*share.shape[:2], 5, 5), 1, 3)


def met_in_care(stays: StayLength, *, lags: int, starts: np.ndarray, stock: np.ndarray) -> MetInCare:
    """What becomes of children met in care at each age, for a steady population.

    `starts` and `stock` (age,) are of any total; at least `lags` year ends.
    """
    # There are w(y - u) F(u) children of age y who have spent u years in care, w the density of starts by age; each is
    # there x years on with probability F(u + x)/F(u) while under 18. Nobody has been in care since before birth, so a
    # young child has mostly just come.
    lowest, highest = np.array(AGE_LIMITS).T
    lags = max(lags, int(highest[-1]))
    spent = (np.arange(SPENT_POINTS) + 0.5) * highest[-1] / SPENT_POINTS
    offsets = (np.arange(QUADRATURE) + 0.5) / QUADRATURE
    length = (np.arange(lags)[:, None] + offsets).ravel()
    later = stays.share(spent[:, None] + length)
    remaining, under_18 = np.zeros((len(AGE_BANDS), len(AGE_BANDS), lags)), np.zeros((len(AGE_BANDS), lags))
    for band in range(len(AGE_BANDS)):
        points = lowest[band] + (np.arange(AGE_POINTS) + 0.5) / AGE_POINTS * (highest - lowest)[band]
        started = points[:, None] - spent
        density = (starts / (highest - lowest))[np.digitize(started, highest[:-1])] * (started >= 0)
        in_care = density @ stays.share(spent)
        left = density @ later / in_care.sum()
        then = points[:, None] + length
        for end in range(band, len(AGE_BANDS)):
            there = (left * ((then >= lowest[end]) & (then < highest[end]))).sum(axis=0)
            remaining[band, end] = there.reshape(lags, QUADRATURE).mean(axis=1)
        minors = in_care @ (then < highest[-1]) / in_care.sum()
        under_18[band] = minors.reshape(lags, QUADRATURE).mean(axis=1)
    evenly = age_position(np.arange(lags) + 0.5).sum(axis=1)
    return MetInCare(remaining, under_18, evenly, stock / stock.sum())
