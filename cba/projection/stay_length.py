"""Children fewer in care for one averted start, by age as time passes, and what becomes of those met in care.

A child who started in band a is in care x years later with probability F(x) P(under 18), F the share of stays longer
than x (:mod:`cba.models.stays`), and in age band b with the share of entry ages that lead there. An age-only exit rate
would overstate how long an averted start would have lasted.
"""

from __future__ import annotations

import numpy as np

from cba.dimensions import AGE_BANDS, AGE_LIMITS
from cba.interventions.records import MetInCare
from cba.models.stays import StayLength, age_position

QUADRATURE = 8
"""Points per year over which starts are spread; the midpoint rule is off by at most 2 per 1,000 starts."""

SPENT_POINTS, AGE_POINTS = 1800, 41
"""Points over the time a child met in care has spent there (18 years), and over the ages of a band."""


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
