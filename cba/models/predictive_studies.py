"""Would the synthesis have expected each study it was fitted to? Every study predicted from the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import log_ndtr, ndtr

from cba.models.effects_studies import OPEN_END, StudyArrays
from cba.models.estimands import ESTIMANDS
from cba.models.predictive_checks import left_out


@dataclass(frozen=True)
class _Expected:
    """Centre and spread of what each study would report, given each draw; shape (draw, study)."""

    centre: np.ndarray
    sd: np.ndarray


def study_checks(fit: xr.DataTree, studies: StudyArrays) -> pd.DataFrame:
    """Hold each study against what the other studies let one expect of it.

    Parameters
    ----------
    fit : DataTree
        As returned by :func:`cba.fit_effects`.
    studies : StudyArrays
        Those it was fitted to, in their order.

    Returns
    -------
    DataFrame
        One row per study: ``study``, ``estimand``, ``kind`` (served or area), ``reported`` (NaN for an interval),
        ``expected``, ``expected_sd``, ``residual`` (in standard deviations), ``pit`` (probability of a result no
        larger), ``probability_inside`` (of the interval reported), ``pareto_k``.

    Notes
    -----
    What is particular to a study of children served (its own setting, its bias, its error) is integrated out; counted
    studies are held against the normal approximation of their log risk ratio or risk difference. Studies of areas keep
    their own setting and coverage and are weighed out by Pareto-smoothed weights alone.

    Examples
    --------
    >>> study_checks(fit, studies)["residual"].abs().max()  # doctest: +SKIP
    1.4
    """
    expected = _expected(fit["posterior"].to_dataset(), studies)
    log_density = _log_density(studies, expected)
    weighed = left_out(log_density)
    mean = (weighed.weights * expected.centre).sum(axis=0)
    square = (weighed.weights * (expected.sd**2 + expected.centre**2)).sum(axis=0)
    sd = np.sqrt(square - mean**2)
    reported = np.where(studies.censored, np.nan, studies.effect)
    pit = (weighed.weights * ndtr((reported - expected.centre) / expected.sd)).sum(axis=0)
    inside = (weighed.weights * np.exp(_log_inside(studies, expected))).sum(axis=0)
    names = list(ESTIMANDS)
    return pd.DataFrame(
        {
            "study": studies.names,
            "estimand": [names[place] for place in studies.estimand],
            "kind": np.where(studies.area, "area", "served"),
            "reported": reported,
            "expected": mean,
            "expected_sd": sd,
            "residual": (reported - mean) / sd,
            "pit": pit,
            "probability_inside": np.where(studies.censored, inside, np.nan),
            "pareto_k": weighed.pareto_k,
        }
    )


def _expected(posterior: xr.Dataset, s: StudyArrays) -> _Expected:
    flat = posterior.stack(sample=("chain", "draw"), create_index=False).transpose("sample", ...)
    mean, spread, transport = (
        flat[name].values[:, s.estimand] for name in ("mean", "heterogeneity", "transport")
    )
    unit = s.sign * s.scale
    kappa = np.where(s.in_care, flat["in_care_ratio"].values[:, None], 1.0)
    centre = kappa * (mean + s.foreign * unit * transport) + unit * s.bias_mean
    variance = (kappa * s.scale * spread) ** 2 + (s.scale * s.bias_sd) ** 2 + s.se**2
    if s.area.any():
        areas = flat["area_change"].sel(area=list(s.names[s.area])).values
        centre[:, s.area] = areas + s.sign[s.area] * s.bias_mean[s.area]
        variance[:, s.area] = s.se[s.area] ** 2 + s.bias_sd[s.area] ** 2
    return _Expected(centre, np.sqrt(variance))


def _log_inside(s: StudyArrays, expected: _Expected) -> np.ndarray:
    """Log probability of each reported interval, on the side where both tails are small; 0 without an interval."""
    lower = np.where(s.censored, s.lower, -OPEN_END)
    upper = np.where(s.censored, s.upper, OPEN_END)
    a, b = (lower - expected.centre) / expected.sd, (upper - expected.centre) / expected.sd
    swap = a + b > 0
    small, large = log_ndtr(np.where(swap, -b, a)), log_ndtr(np.where(swap, -a, b))
    return large + np.log1p(-np.exp(np.minimum(small - large, -1e-15)))


def _log_density(s: StudyArrays, expected: _Expected) -> np.ndarray:
    effect = np.where(s.censored, 0.0, s.effect)
    normal = -0.5 * ((effect - expected.centre) / expected.sd) ** 2 - np.log(expected.sd)
    return np.where(s.censored, _log_inside(s, expected), normal - 0.5 * np.log(2.0 * np.pi))
