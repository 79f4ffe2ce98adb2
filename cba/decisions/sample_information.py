"""Expected value of sample information: what a study would be worth before its result is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

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
from cba.decisions.rule_value import covariance_of_halves, estimate_from_halves, gains_of_rules
from cba.decisions.single_input import fit_single_input
from cba.decisions.spline_basis import spline_basis
from cba.decisions.study_results import Prior, fits_over_draws, fits_over_prior, prior_nodes
from cba.errors import InputError


@dataclass(frozen=True)
class PairedStudies:
    """Values of studies of several sizes, worked out on the same draws.

    Parameters
    ----------
    table : DataFrame, columns standard_error, evsi, se
        As `evsi_normal_study`.
    covariance : array (study, study)
        Of the errors of `evsi`, in its units squared; close to one another's because the draws are shared,
        which is why the difference between two sizes is known far better than either.
    """

    table: pd.DataFrame
    covariance: FloatArray


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
    prior : object with `ppf`, optional
        The continuous distribution `parameter` was drawn from, where it is known. The result is then
        integrated over that distribution and not over its draws, which removes most of the sampling error.

    Returns
    -------
    DataFrame, columns standard_error, evsi, se
        GBP per decision.

    Raises
    ------
    InputError
        As `evsi`; also for a standard error that is not above zero, or a prior without rising quantiles.

    Notes
    -----
    The conditional mean of net benefit given the parameter is fitted once, as in `evppi`. For each design it
    is averaged over the posterior at every possible result, on a grid: no study is simulated. With `prior`,
    the prior and its posterior are exact to the grid, and the fit is continued in straight lines beyond the
    draws.

    From draws alone the error cannot be much smaller than it is. On the normal-normal case of 10,000 draws it
    is 3.9% of the value of the smallest study, and so is that of the exact formula with the sample's mean and
    spread put in, the best any estimator can do that is not told the distribution: most of it is that of
    the mean net benefit. Told the prior, it is 1.1%.

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
    return evsi_with_covariance(net_benefit, parameter, standard_errors=standard_errors, prior=prior).table


def evsi_with_covariance(
    net_benefit: xr.DataArray,
    parameter: xr.DataArray,
    *,
    standard_errors: Sequence[float],
    prior: Prior | None = None,
) -> PairedStudies:
    """Values of studies of several sizes, and how their errors go together: what choosing a size needs.

    Parameters
    ----------
    net_benefit, parameter, standard_errors, prior
        As in `evsi_normal_study`.

    Returns
    -------
    PairedStudies

    Raises
    ------
    InputError
        As `evsi_normal_study`.

    Notes
    -----
    The covariance is that of the gains over balanced half-samples, which every size shares.

    Examples
    --------
    Two sizes close to each other: their difference is known better than either.

    >>> effect = np.random.default_rng(0).normal(1.0, 1.0, 4000)
    >>> nb = xr.DataArray(np.stack([0 * effect, effect], 1), dims=("sample", "option"))
    >>> studies = evsi_with_covariance(nb, xr.DataArray(effect, dims="sample"), standard_errors=[0.6, 0.5])
    >>> error = studies.covariance
    >>> bool(error[0, 0] + error[1, 1] - 2 * error[0, 1] < 0.1 * error[0, 0])
    True
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
    nodes = None if prior is None else prior_nodes(prior)
    draws = np.asarray(parameter.values, dtype=np.float64)
    order = content_order([draws], values)
    basis = spline_basis(draws[order])
    fits = fit_single_input(basis, (values - values.mean(axis=1, keepdims=True))[order])
    if len(basis.roughness) == 1:  # a constant has nothing to be learnt about
        nothing = np.zeros_like(sizes)
        table = pd.DataFrame({"standard_error": sizes, "evsi": nothing, "se": nothing})
        return PairedStudies(table, np.zeros((sizes.size, sizes.size)))
    gains = []
    for size in sizes:
        if nodes is None:
            gains.append(gains_of_rules(fits_over_draws(basis.centre, basis.share, fits, size=size)))
        else:
            gains.append(gains_of_rules(fits_over_prior(basis.centre, nodes, fits, size=size)))
    estimates = [estimate_from_halves(*gain) for gain in gains]
    table = pd.DataFrame(
        {"standard_error": sizes, "evsi": [e.value for e in estimates], "se": [e.se for e in estimates]}
    )
    return PairedStudies(table, covariance_of_halves(gains))
