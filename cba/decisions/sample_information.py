"""Expected value of sample information: what a study would be worth before its result is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from cba.decisions.draws import (
    Estimate,
    FloatArray,
    options_matrix,
    refuse_non_finite,
    require_dims,
    require_same_draws,
)
from cba.decisions.half_samples import content_order
from cba.decisions.partial_information import value_of_learning
from cba.decisions.rule_value import HalfSampleFits, value_of_rules
from cba.decisions.single_input import fit_single_input
from cba.decisions.spline_basis import spline_basis
from cba.errors import InputError


class Prior(Protocol):
    """A distribution with a density and quantiles, such as ``scipy.stats.norm(0.3, 1)``."""

    def pdf(self, x: FloatArray) -> FloatArray:
        """Density at `x`."""

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Quantile at probability `q`."""


def evsi(net_benefit: xr.DataArray, summary_statistics: xr.DataArray) -> Estimate:
    """Value of seeing a study's results before deciding.

    Parameters
    ----------
    net_benefit : DataArray, dims (sample, option), present value, GBP
        Paired draws of two options or more.
    summary_statistics : DataArray, dims (sample, statistic) or (sample,)
        What the study would report in the state of the world of each draw, simulated from that draw's
        parameters (see `study_designs`). Any unit.

    Returns
    -------
    Estimate
        Value (not negative) and standard error, GBP per decision.

    Raises
    ------
    InputError
        For unpaired draws, one option, NaN, more statistics than draws or fewer than 128 draws.

    Notes
    -----
    ``E[max_d E[NB(d) | result]] - max_d E[NB(d)]``: the same estimator as `evppi`, with the simulated results
    in the place of parameters [1]_. Each draw simulates its study once, which adds noise to that of the
    draws: where the result is a normal estimate of one parameter, `evsi_normal_study` integrates it out
    instead.

    References
    ----------
    .. [1] Strong, Oakley, Brennan & Breeze (2015) *Medical Decision Making* 35:570-583.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> effect = rng.normal(1.0, 1.0, 4000)
    >>> nb = xr.DataArray(np.stack([0 * effect, effect], 1), dims=("sample", "option"))
    >>> trial = xr.DataArray((effect + rng.normal(0.0, 1.0, 4000))[:, None], dims=("sample", "statistic"))
    >>> result = evsi(nb, trial)
    >>> bool(abs(result.value - 0.0251) < 3 * result.se)
    True
    """
    values = options_matrix(net_benefit)
    if isinstance(summary_statistics, xr.DataArray) and summary_statistics.ndim == 1:
        summary_statistics = summary_statistics.expand_dims("statistic")
    require_dims(summary_statistics, ("sample", "statistic"), field="summary_statistics")
    require_same_draws(net_benefit, summary_statistics, fields=("net_benefit", "summary_statistics"))
    statistics = np.asarray(summary_statistics.transpose("sample", "statistic").values, dtype=np.float64)
    if statistics.shape[1] >= len(statistics):
        raise InputError(
            "there are not more draws than statistics",
            field="summary_statistics",
            found=f"{len(statistics)} draws of {statistics.shape[1]} statistics",
            allowed="many more draws than statistics",
            cause="raw data of the study in place of a summary, or dims swapped",
            remedy="reduce the data to the few numbers an analyst would report",
        )
    return value_of_learning({str(i): column for i, column in enumerate(statistics.T)}, values)


def evsi_normal_study(
    net_benefit: xr.DataArray,
    parameter: xr.DataArray,
    *,
    standard_errors: Sequence[float],
    prior: Prior | None = None,
) -> pd.DataFrame:
    """Value of studies that estimate one parameter without bias and with normal error, for several sizes.

    Parameters
    ----------
    net_benefit : DataArray, dims (sample, option), present value, GBP
    parameter : DataArray, dims (sample,)
        Draws of the parameter the study estimates, on the scale on which its error is normal (a log risk
        ratio, for example).
    standard_errors : sequence of float, > 0
        Standard error of the estimate under each design, in units of `parameter`.
    prior : object with `pdf` and `ppf`, optional
        The distribution `parameter` was drawn from, where it is known. The result is then integrated over
        that distribution and not over its draws, which removes most of the sampling error.

    Returns
    -------
    DataFrame, columns standard_error, evsi, se
        GBP per decision.

    Raises
    ------
    InputError
        As `evsi`; also for a standard error that is not above zero.

    Notes
    -----
    The conditional mean of net benefit given the parameter is fitted once, as in `evppi`. For each design it
    is averaged over the posterior at every possible result, on a grid: no study is simulated. With `prior`,
    the prior and its posterior are exact to the grid, and the fit is continued in straight lines beyond the
    draws.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> effect = norm(1.0, 1.0).rvs(4000, random_state=0)
    >>> nb = xr.DataArray(np.stack([0 * effect, effect], 1), dims=("sample", "option"))
    >>> table = evsi_normal_study(
    ...     nb, xr.DataArray(effect, dims="sample"), standard_errors=[1.0, 0.1], prior=norm(1.0, 1.0)
    ... )
    >>> [bool(abs(row.evsi - exact) < 3 * row.se) for row, exact in zip(table.itertuples(), (0.0251, 0.0821))]
    [True, True]
    """
    values = options_matrix(net_benefit)
    require_dims(parameter, ("sample",), field="parameter")
    require_same_draws(net_benefit, parameter, fields=("net_benefit", "parameter"))
    sizes = np.asarray(standard_errors, dtype=np.float64)
    refuse_non_finite(sizes, field="standard_errors")
    if sizes.ndim != 1 or not sizes.size or (sizes <= 0).any():
        raise InputError(
            "a study cannot have this standard error",
            field="standard_errors",
            found=list(sizes.ravel()),
            allowed="one or more values above 0",
            remedy="sd / sqrt(n) for each design",
        )
    draws = np.asarray(parameter.values, dtype=np.float64)
    order = content_order([draws], values)
    basis = spline_basis(draws[order])
    fits = fit_single_input(basis, (values - values.mean(axis=1, keepdims=True))[order])
    rows = []
    for size in sizes:
        if len(basis.roughness) == 1:
            estimate = Estimate(0.0, 0.0)
        elif prior is None:
            estimate = value_of_rules(_results_over_draws(basis.centre, basis.share, fits, size))
        else:
            estimate = value_of_rules(_results_over_prior(basis.centre, prior, fits, size))
        rows.append((float(size), estimate.value, estimate.se))
    return pd.DataFrame(rows, columns=["standard_error", "evsi", "se"])


def _results_over_draws(
    centre: FloatArray, share: FloatArray, fits: HalfSampleFits, size: float
) -> HalfSampleFits:
    """Averages over the posterior at each result, the draws being the prior."""
    likelihood = _likelihood(centre, size)  # (parameter, result)
    reach = share @ likelihood
    return HalfSampleFits(
        (fits.fitted * share) @ likelihood / reach,
        _row_by_row(fits.fitted_shift * share, likelihood) / reach,
        fits.total @ likelihood,
        _row_by_row(fits.total_shift, likelihood),
    )


def _results_over_prior(
    centre: FloatArray, prior: Prior, fits: HalfSampleFits, size: float
) -> HalfSampleFits:
    """Averages over the posterior at each result, under the known prior."""
    low, high = (float(np.asarray(prior.ppf(q))) for q in (1e-9, 1.0 - 1e-9))
    nodes = np.linspace(low, high, int(np.clip(4 * (high - low) / size, 301, 1501)))
    density = np.asarray(prior.pdf(nodes))
    share = np.where(np.isfinite(density), density, 0.0)
    share /= share.sum()
    likelihood = _likelihood(nodes, max(size, 0.5 * (nodes[1] - nodes[0])))
    reach = share @ likelihood
    weight = _straight_lines(centre, nodes).T @ (share[:, None] * likelihood)  # (bin, result)
    total, shift = fits.fitted @ weight, _row_by_row(fits.fitted_shift, weight)
    return HalfSampleFits(total / reach, shift / reach, total, shift)


def _likelihood(parameter: FloatArray, size: float) -> FloatArray:
    """Probability of each result given each parameter value; rows sum to one."""
    low, high = parameter.min() - 6 * size, parameter.max() + 6 * size
    results = np.linspace(low, high, int(np.clip(3 * (high - low) / size, 81, 601)))
    density = np.exp(
        -0.5 * ((results - parameter[:, None]) / max(size, 0.5 * (results[1] - results[0]))) ** 2
    )
    density += 1e-300  # no result is impossible, so that no posterior divides by zero
    density /= density.sum(axis=1, keepdims=True)
    return density


def _row_by_row(shifts: FloatArray, weight: FloatArray) -> FloatArray:
    """``shifts @ weight`` in products small enough to stay on one core."""
    return np.matmul(shifts[:, :, None], weight)[:, :, 0]


def _straight_lines(known: FloatArray, wanted: FloatArray) -> csr_array:
    """Sparse matrix (wanted, known) that interpolates linearly, and continues the outermost lines."""
    left = np.clip(np.searchsorted(known, wanted) - 1, 0, len(known) - 2)
    share = (wanted - known[left]) / (known[left + 1] - known[left])
    row = np.arange(len(wanted))
    entries = (np.r_[1.0 - share, share], (np.r_[row, row], np.r_[left, left + 1]))
    return csr_array(entries, shape=(len(wanted), len(known)))
