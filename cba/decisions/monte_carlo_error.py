"""Monte Carlo standard errors of means, quantiles and probabilities, and rounding to what they support."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from cba.decisions.draws import FloatArray, refuse_non_finite
from cba.errors import InputError


def effective_sample_size(draws: ArrayLike, *, chains: int | None = None) -> float:
    """Number of independent draws that would give the same precision for the mean.

    Parameters
    ----------
    draws : array (sample,)
        Draws; with `chains`, the chains one after another, each in the order drawn.
    chains : int, optional
        Number of equally long Markov chains; None for independent draws.

    Returns
    -------
    float
        The number of draws for independent draws; otherwise between 1 and that number times its logarithm to
        base 10 (chains that alternate can beat independence).

    Raises
    ------
    InputError
        For NaN, or draws that do not divide into `chains` of at least four.

    Notes
    -----
    Autocorrelations from within- and between-chain variance, summed in pairs while these stay positive and do
    not rise (Geyer) [1]_. Draws that never vary are taken as independent: their error is zero either way.

    References
    ----------
    .. [1] Vehtari et al. (2021) *Bayesian Analysis* 16:667-718; Geyer (1992) *Statistical Science* 7:473-483.

    Examples
    --------
    >>> effective_sample_size(np.arange(8.0))
    8.0
    >>> bool(effective_sample_size(np.cumsum(np.random.default_rng(0).normal(size=1000)), chains=1) < 50)
    True
    """
    values = _draws(draws)
    if chains is None or np.ptp(values) == 0:
        return float(len(values))
    if chains < 1 or len(values) % chains or len(values) // chains < 4:
        raise InputError(
            "draws do not divide into chains",
            field="chains",
            found=f"{len(values)} draws, {chains} chains",
            allowed="equal chains of at least 4 draws",
            cause="chains of different lengths, or draws thinned after stacking",
        )
    table = values.reshape(chains, -1)
    return _geyer(table)


def _geyer(table: FloatArray) -> float:
    chains, length = table.shape
    centred = table - table.mean(axis=1, keepdims=True)
    size = 1 << (2 * length - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, size, axis=1)[:, :length].mean(axis=0) / length
    within = covariance[0] * length / (length - 1.0)
    between = table.mean(axis=1).var(ddof=1) if chains > 1 else 0.0
    pooled = within * (length - 1.0) / length + between
    correlation = 1.0 - (within - covariance) / pooled
    correlation[0] = 1.0
    pairs = correlation[: length - length % 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    pairs = np.minimum.accumulate(pairs[: negative[0] if len(negative) else len(pairs)])
    total = chains * length
    time = max(2.0 * pairs.sum() - 1.0, 1.0 / math.log10(max(total, 11)))
    return float(total / time)


def mcse_mean(draws: ArrayLike, *, chains: int | None = None) -> float:
    """Monte Carlo standard error of the mean.

    Parameters
    ----------
    draws : array (sample,)
    chains : int, optional
        As in `effective_sample_size`.

    Returns
    -------
    float
        Units of `draws`; zero for draws that never vary.

    Raises
    ------
    InputError
        For NaN, fewer than two draws, or draws that do not divide into `chains`.

    Examples
    --------
    >>> round(mcse_mean([1.0, 2.0, 3.0, 4.0]), 4)
    0.6455
    """
    values = _draws(draws)
    return float(values.std(ddof=1) / math.sqrt(effective_sample_size(values, chains=chains)))


def mcse_probability(events: ArrayLike, *, chains: int | None = None) -> float:
    """Monte Carlo standard error of a probability.

    Parameters
    ----------
    events : array of bool (sample,)
        Whether the event happens in each draw.
    chains : int, optional
        As in `effective_sample_size`.

    Returns
    -------
    float
        Where the event happens in all draws or in none, the plain formula gives zero, which no finite number
        of draws supports: the error is then that of half an event, ``0.5 / draws``.

    Raises
    ------
    InputError
        As `mcse_mean`.

    Examples
    --------
    >>> round(mcse_probability([True, False, False, False]), 4)
    0.2165
    """
    values = _draws(np.asarray(events).astype(np.float64))
    share = float(values.mean())
    if share in (0.0, 1.0):
        return 0.5 / len(values)
    return math.sqrt(share * (1.0 - share) / effective_sample_size(values, chains=chains))


def mcse_quantile(draws: ArrayLike, probability: float, *, chains: int | None = None) -> float:
    """Monte Carlo standard error of a quantile.

    Parameters
    ----------
    draws : array (sample,)
    probability : float in (0, 1)
        Of the quantile; 0.5 for the median.
    chains : int, optional
        As in `effective_sample_size`.

    Returns
    -------
    float
        Units of `draws`.

    Raises
    ------
    InputError
        As `mcse_mean`; also for a probability out of range.

    Notes
    -----
    Half the distance between the order statistics that bound the quantile with the probability of one
    standard error each way, from the beta distribution of the share of draws below it, with the effective
    sample size of "draw below the quantile" [1]_.

    References
    ----------
    .. [1] Vehtari et al. (2021) *Bayesian Analysis* 16:667-718, section 4.2.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=10_000)
    >>> bool(abs(mcse_quantile(x, 0.5) - 1.2533 / 100) < 0.003)
    True
    """
    from scipy.stats import beta

    values = _draws(draws)
    if not 0 < probability < 1:
        raise InputError(
            "this is not a probability of a quantile",
            field="probability",
            found=probability,
            allowed="0 to 1",
        )
    below = (values <= np.quantile(values, probability)).astype(np.float64)
    size = effective_sample_size(below, chains=chains)
    share = beta.ppf([0.1586553, 0.8413447], size * probability + 1.0, size * (1.0 - probability) + 1.0)
    ordered = np.sort(values)
    place = np.clip(share * len(values) - 1.0, 0, len(values) - 1)
    low, high = ordered[int(math.floor(place[0]))], ordered[int(math.ceil(place[1]))]
    return float((high - low) / 2.0)


def round_to_error(value: float, mcse: float) -> float:
    """Round a value to the last digit its Monte Carlo error supports.

    Parameters
    ----------
    value : float
    mcse : float, >= 0
        Its Monte Carlo standard error. Zero or NaN leaves the value as it is.

    Returns
    -------
    float
        Rounded to the place of the first digit of twice the error, so that a re-run with another seed seldom
        changes more than that digit.

    Raises
    ------
    InputError
        If `mcse` is negative.

    Examples
    --------
    >>> round_to_error(123_456.0, 30.0), round_to_error(0.51234, 0.004)
    (123460.0, 0.512)
    """
    if mcse < 0:
        raise InputError(
            "a standard error cannot be negative", field="mcse", found=mcse, allowed="0 or above"
        )
    if not math.isfinite(value) or not math.isfinite(mcse) or mcse == 0:
        return float(value)
    return float(round(value, -math.floor(math.log10(2.0 * mcse))))


def _draws(draws: ArrayLike) -> FloatArray:
    raw = np.asarray(draws)
    refuse_non_finite(raw, field="draws")
    values = raw.astype(np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise InputError(
            "draws must be one row of numbers",
            field="draws",
            found=f"shape {values.shape}",
            allowed="two draws or more in one dimension",
            remedy="stack chains: draws.stack(sample=('chain', 'draw'))",
        )
    return values
