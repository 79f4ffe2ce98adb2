"""Expected value of perfect information, with its standard error and its small-sample bias."""

from __future__ import annotations

import numpy as np
import xarray as xr

from cba.decisions.draws import options_matrix, require_dims, require_two_options


def evpi(net_benefit: xr.DataArray) -> xr.DataArray:
    """Most one decision-maker should pay to remove all uncertainty in the model.

    Parameters
    ----------
    net_benefit : DataArray, dims (sample, option, ...), present value, GBP
        One value per draw and option; two options or more. Draws are paired: one ``sample`` is the same state
        of the world in every option.

    Returns
    -------
    DataArray, dims (...), same units
        Never negative; zero when one option is best in every draw.

    Raises
    ------
    InputError
        If ``sample`` or ``option`` is missing, only one option is given, or a value is not finite.

    Notes
    -----
    ``E[max_d NB(d)] - max_d E[NB(d)]`` [1]_. Biased low when options tie (about 14% at 50 draws, 5% at 500,
    1% at 5,000): the second term picks its winner on the same draws. `evpi_with_error` estimates that bias;
    report the number of draws beside the value.

    References
    ----------
    .. [1] Heath, Kunst & Jackson (eds, 2024) *Value of Information for Healthcare Decision-Making*. CRC
    Press.

    Examples
    --------
    Option B loses 10 or gains 30; knowing which first is worth 5.

    >>> nb = xr.DataArray([[0.0, -10.0], [0.0, 30.0]], dims=("sample", "option"))
    >>> float(evpi(nb))
    5.0
    """
    require_dims(net_benefit, ("sample", "option"), field="net_benefit", exact=False)
    require_two_options(net_benefit, field="net_benefit")
    # what is common to all options cancels: taking it out first keeps large totals from eating the digits
    relative = net_benefit - net_benefit.isel(option=0, drop=True)
    value = relative.max("option").mean("sample") - relative.mean("sample").max("option")
    return value.clip(min=0.0).rename("evpi")


def evpi_with_error(net_benefit: xr.DataArray) -> xr.Dataset:
    """EVPI with its Monte Carlo standard error and an estimate of its small-sample bias.

    Parameters
    ----------
    net_benefit : DataArray, dims (sample, option), present value, GBP

    Returns
    -------
    Dataset: evpi, se, bias (GBP), draws
        `bias` is what finite draws add on average (never positive); subtract it to correct.

    Raises
    ------
    InputError
        As `evpi`.

    Notes
    -----
    ``se`` is the standard deviation of the regret of the best option over the root of the number of draws.
    The bias is ``max_d m(d) - E*[max_d m*(d)]`` with ``m*`` normal around the sample means with their joint
    standard errors, computed on 512 fixed quasi-random normal points. Where options tie exactly it finds
    about half of the bias, and the standard error is on the safe side.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> nb = xr.DataArray(rng.normal(0.0, 10.0, (500, 3)), dims=("sample", "option"))
    >>> result = evpi_with_error(nb)
    >>> bool(result.bias < 0 < result.se), int(result.draws)
    (True, 500)
    """
    values = options_matrix(net_benefit)
    relative = values - values[:, :1]
    means = relative.mean(axis=0)
    regret = relative.max(axis=1) - relative[:, means.argmax()]
    draws = len(values)
    covariance = np.cov(relative, rowvar=False) / draws
    scale, axes = np.linalg.eigh(covariance)
    moved = means + _normal_points(values.shape[1]) @ (axes * np.sqrt(np.maximum(scale, 0.0))).T
    return xr.Dataset(
        {
            "evpi": max(float(regret.mean()), 0.0),
            "se": float(regret.std(ddof=1) / np.sqrt(draws)),
            "bias": min(float(means.max() - moved.max(axis=1).mean()), 0.0),
            "draws": draws,
        }
    )


def _normal_points(dimensions: int) -> np.ndarray:
    """Fixed, centred standard normal points; mirrored so that their mean is exactly zero."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    points = ndtri(qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(20240601)).random(256))
    return np.concatenate([points, -points])
