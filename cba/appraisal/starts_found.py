"""What one start more in a year costs until the horizon ends, and how many children it adds by the target year.

Used for children whom help finds: they stay, are placed and are priced as an averted start would have been, but what
they cost is paid in full as it arises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cba.appraisal.headline import discounted
from cba.costs.savings import avoidable_share
from cba.projection.care_system import RETURN_YEARS

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings


@dataclass(frozen=True)
class FoundStart:
    """One start of average age in each year, shape (sample, year of the start).

    Attributes
    ----------
    cost : ndarray, GBP of the price base, present value
        Placement until the horizon ends, and proceedings.
    children : ndarray, children at 31 March of the target year
    """

    cost: np.ndarray
    children: np.ndarray


def found_start(workings: Workings) -> FoundStart:
    """Work out one more start in each year, on every draw.

    Parameters
    ----------
    workings : Workings
        Gives stays, placements, prices and the discount schedule.

    Returns
    -------
    FoundStart
        Years to the later of the end of the horizon and the target year.

    Notes
    -----
    With K(l) the children left l years on (summed over ages, weighted by the ages of starts in that year), m the
    placement of such children and V = P x avoidable share, a start in year t costs

        sum_l d(t+l) (K(l-1) m(l-1) + K(l) m(l)) / 2 . V(t+l)  +  case (d(t) - deferred mean_w d(t+w)),

    d the discount factor, w the years in which deferred starts happen after all.

    Examples
    --------
    >>> found_start(workings).cost.mean(axis=0)  # doctest: +SKIP
    """
    analysis, system = workings.inputs.analysis, workings.system
    last = max(analysis.start_year + analysis.horizon - 1, analysis.target_year)
    size, target = workings.years.index(last) + 1, workings.years.index(analysis.target_year)
    factors = discounted(workings, np.eye(len(workings.years)))
    starts = system.baseline["starts_reachable"].transpose("sample", "year", "age").values[:, :size]
    ages = starts / starts.sum(axis=-1, keepdims=True)
    left = ages @ system.averted_kernel[..., :size].sum(axis=2)  # (sample, year of start, lag)
    worth = workings.basis.prices.path[:, :size] * avoidable_share(system.parameters)[:, None, :]
    priced = system.entrant_mix[:, :size] @ worth.transpose(0, 2, 1)  # (sample, lag, year)
    cost = np.zeros((starts.shape[0], size))
    children = np.zeros_like(cost)
    for begun in range(size):
        lags, years = np.arange(size - begun), np.arange(begun, size)
        spent = left[:, begun, lags] * priced[:, lags, years] / 2.0
        spent[:, 1:] += left[:, begun, lags[:-1]] * priced[:, lags[:-1], years[1:]] / 2.0
        cost[:, begun] = spent @ factors[years]
        if begun <= target:
            children[:, begun] = left[:, begun, target - begun]
    return FoundStart(cost + _proceedings(workings, factors, size=size), children)


def _proceedings(workings: Workings, factors: np.ndarray, *, size: int) -> np.ndarray:
    """Present value of proceedings for one start in each year, less those of starts that are only deferred."""
    value = workings.system.value
    case = value("legal.proceedings_share") * value("legal.cost_per_case")
    late = np.concatenate([factors, np.zeros(max(RETURN_YEARS))])
    again = np.mean([late[wait : wait + size] for wait in RETURN_YEARS], axis=0)
    deferred = value("family_help.deferral_share")[:, None]
    return np.asarray(case[:, None] * (factors[None, :size] - deferred * again[None, :]))
