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

QUADRATURE = 8
"""Points per year over which starts are spread; the midpoint rule is off by at most 2 per 1,000 starts."""

SPENT_POINTS, AGE_POINTS = 1800, 41
"""Points over the time a child met in care has spent there (18 years), and over the ages of a band."""


@dataclass(frozen=True)
class StayLength:
    """Share of stays longer than x years among children not yet 18.

    Attributes
    ----------
    years : ndarray
        Lengths of stay, increasing from 0.
    log_share : ndarray
        Log of the share still looked after; 0 at the start, decreasing; linear in between and beyond.

    Examples
    --------
    Half leave in each year.

    >>> stays = StayLength(np.array([0.0, 1.0]), np.array([0.0, np.log(0.5)]))
    >>> stays.share(np.array([0.0, 1.0, 3.0])).round(3).tolist()
    [1.0, 0.5, 0.125]
    """

    years: np.ndarray
    log_share: np.ndarray

    def share(self, length: np.ndarray) -> np.ndarray:
        """Share still looked after `length` years on, given not yet 18.

        Parameters
        ----------
        length : ndarray, any shape, years, 0 or more

        Returns
        -------
        ndarray, same shape, in (0, 1]
        """
        slope = (self.log_share[-1] - self.log_share[-2]) / (self.years[-1] - self.years[-2])
        beyond = self.log_share[-1] + slope * (length - self.years[-1])
        return np.exp(
            np.where(length <= self.years[-1], np.interp(length, self.years, self.log_share), beyond)
        )


def age_position(length: np.ndarray) -> np.ndarray:
    """Share of children of each starting band who are in each band `length` years later.

    Parameters
    ----------
    length : ndarray, any shape
        Years since the start of care; entry ages are spread evenly over the band.

    Returns
    -------
    ndarray, shape (from age, to age, *length.shape)
        Rows sum to the share still under 18.

    Examples
    --------
    After a year a quarter of those who started at 1 to 4 are 5, and half of those at 16 or 17 are 18.

    >>> shares = age_position(np.array(1.0))
    >>> shares[1].tolist(), shares[4].tolist()
    ([0.0, 0.75, 0.25, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.5])
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

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.
    years : int
        How many of the latest published years are pooled.

    Returns
    -------
    StayLength
        Lengths are those of the published bands; the last, open band is carried on at the rate before it.

    Raises
    ------
    InputError
        If no year is published, or the share implied for children under 18 rises with length of stay.

    Examples
    --------
    >>> import cba
    >>> stays = stay_length(cba.load_observations())
    >>> bool(0.5 < stays.share(np.array(1.0)) < 0.7)
    True
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

    Parameters
    ----------
    stays : StayLength
        Distribution of stays.
    stay_ratio : ndarray, shape (sample,)
        Length of stay of children at the margin over that of the average entrant, above 0.
    lags : int
        Year ends covered; lag 0 is the end of the year in which the start would have happened.

    Returns
    -------
    ndarray, shape (sample, from age, to age, lag)
        Values in [0, 1]: starts are spread evenly over their year.

    Examples
    --------
    Nobody leaves before 18: all who started at 5 to 9 are there at the year end, a tenth of them 10 by then.

    >>> forever = StayLength(np.array([0.0, 1.0]), np.zeros(2))
    >>> averted_stock_kernel(forever, stay_ratio=np.ones(1), lags=1)[0, 2, :, 0].round(2).tolist()
    [0.0, 0.0, 0.9, 0.1, 0.0]
    """
    offsets = (np.arange(QUADRATURE) + 0.5) / QUADRATURE
    length = np.arange(lags)[:, None] + offsets[None, :]
    position = age_position(length)
    share = stays.share(length[None] / np.asarray(stay_ratio)[:, None, None])
    return averaged_over_year(share, position)


def averaged_over_year(share: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Average over the points of a year of the share still in care times the share in each age band.

    Parameters
    ----------
    share : ndarray, shape (sample, lag, point)
        Share still looked after, given not yet 18.
    position : ndarray, shape (from age, to age, lag, point)
        As returned by :func:`age_position`.

    Returns
    -------
    ndarray, shape (sample, from age, to age, lag)
        One matrix product per lag, laid out in memory with the ages of a lag side by side, as the convolution
        over years reads them.

    Examples
    --------
    >>> averaged_over_year(np.ones((2, 1, 4)), np.full((5, 5, 1, 4), 0.5)).shape
    (2, 5, 5, 1)
    """
    kernel = np.empty((share.shape[0], share.shape[1], 25))
    for lag in range(share.shape[1]):
        kernel[:, lag] = share[:, lag] @ (position[:, :, lag].reshape(25, -1).T / share.shape[2])
    return np.moveaxis(kernel.reshape(*share.shape[:2], 5, 5), 1, 3)


def remaining_stay_kernel(stays: StayLength, *, lags: int, age: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Children fewer in care at each year end for one child who leaves early from a settled placement.

    Parameters
    ----------
    stays : StayLength
        Distribution of stays.
    lags : int
        Year ends covered; lag 0 is the end of the year in which the child leaves.
    age : ndarray, shape (age,)
        Age mix of the children who leave, sums to 1.
    starts : ndarray, shape (age,)
        Age mix of the children who start, any total.

    Returns
    -------
    ndarray, shape (to age, lag)
        The remaining stay of a child met in care, for a steady population. There are w(y - u) F(u) children
        of age y who have spent u years in care, w the density of starts by age; each is there x years on
        with probability F(u + x)/F(u) while under 18. Nobody has been in care since before birth, so a young
        child has mostly just come.

    Examples
    --------
    Nobody leaves before 18, all started as babies: of those met at 5 to 9, a tenth are 10 by the year end.

    >>> forever = StayLength(np.array([0.0, 1.0]), np.zeros(2))
    >>> met, starts = np.eye(5)[2], np.eye(5)[0]
    >>> remaining_stay_kernel(forever, lags=1, age=met, starts=starts)[:, 0].round(1).tolist()
    [0.0, 0.0, 0.9, 0.1, 0.0]
    """
    lowest, highest = np.array(AGE_LIMITS).T
    spent = (np.arange(SPENT_POINTS) + 0.5) * highest[-1] / SPENT_POINTS
    offsets = (np.arange(QUADRATURE) + 0.5) / QUADRATURE
    length = (np.arange(lags)[:, None] + offsets).ravel()
    later = stays.share(spent[:, None] + length)
    kernel = np.zeros((len(AGE_BANDS), lags))
    for band in np.flatnonzero(age):
        points = lowest[band] + (np.arange(AGE_POINTS) + 0.5) / AGE_POINTS * (highest - lowest)[band]
        started = points[:, None] - spent
        density = (starts / (highest - lowest))[np.digitize(started, highest[:-1])] * (started >= 0)
        in_care = density @ stays.share(spent)
        left = density @ later / in_care.sum()
        then = points[:, None] + length
        for end in range(band, len(AGE_BANDS)):
            there = (left * ((then >= lowest[end]) & (then < highest[end]))).sum(axis=0)
            kernel[end] += age[band] * there.reshape(lags, QUADRATURE).mean(axis=1)
    return kernel
