"""How long children who start to be looked after stay, from published ceases by length of the last period of care.

Published counts give the share of stays longer than x years, S_pub(x). Part of that is ageing out at 18, which is
known exactly from the age at the start, so

    S_pub(x) = sum_a w_a F(x) P(a child who started in band a is under 18 after x years)

is solved for F, the share still looked after among those not yet 18, with w the age mix of starts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from cba.dimensions import AGE_BANDS, AGE_LIMITS
from cba.errors import InputError


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


FOLLOW_UP_POINTS = 400
"""Points over a follow-up at which stays are looked at."""

USUAL_RATIO = 0.8
"""Length of stay at the margin of care, as a share of the average, at which follow-ups are compared."""


def follow_up_power(stays: StayLength, *, years: np.ndarray) -> np.ndarray:
    """Power of the stay ratio that an effect on entries loses by follow-up, where children in care are counted then.

    Starts averted evenly over T years are missed at its end by integral F(u/r) du over integral F(u) du, u from 0
    to T: about r^b, b between 0 (nobody has left yet) and 1 (all would have). Same shape as `years`.
    """
    at = (np.arange(FOLLOW_UP_POINTS) + 0.5) / FOLLOW_UP_POINTS * np.asarray(years, dtype=float)[..., None]
    lost = stays.share(at / USUAL_RATIO).sum(axis=-1) / stays.share(at).sum(axis=-1)
    return np.log(lost) / np.log(USUAL_RATIO)
