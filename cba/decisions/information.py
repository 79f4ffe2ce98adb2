"""Expected value of perfect information, with its standard error and its small-sample bias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from cba.decisions.choice import threshold_array
from cba.decisions.draws import (
    Estimate,
    FloatArray,
    options_matrix,
    parameter_table,
    refuse_non_finite,
    require_dims,
    require_paired,
    require_two_options,
    resolve_groups,
)
from cba.decisions.regression import (
    COMPLEXITY_PRICE,
    AdditiveFit,
    GroupFit,
    SplineBasis,
    block_count,
    block_edges,
    block_of_draw,
    block_sums,
    contrasts,
    find_controls,
    fit_group,
    group_basis,
    shuffled,
    spline_basis,
)
from cba.errors import InputError


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
    net_benefit = require_dims(net_benefit, ("sample", "option"), field="net_benefit", exact=False)
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


# --- Value of choosing by what one learns, from rules learnt on half of the draws and tried on the … ---


@dataclass(frozen=True)
class HalfSampleFits:
    """Conditional means fitted on half-samples and the net benefit to value rules with, on one set of points.

    All arrays are linear in the responses, so fits of effects and costs combine into a fit of
    ``threshold * effects - costs``.
    """

    fitted: FloatArray  # (option, point): conditional mean on all draws
    # (option, half, point): what is added to it on the half that learns (and subtracted on its mirror image).
    fitted_shift: FloatArray
    # (option, point): net benefit to value rules with, times the share of draws at each point.
    total: FloatArray
    total_shift: FloatArray  # (option, half, point): the same, learning half minus valuing half

    def at_threshold(self, threshold: float) -> HalfSampleFits:
        """From responses (effects of every option, then costs) to net benefit at one threshold."""
        half = len(self.fitted) // 2
        return HalfSampleFits(
            *(
                threshold * array[:half] - array[half:]
                for array in (self.fitted, self.fitted_shift, self.total, self.total_shift)
            )
        )


def value_of_rules(fits: HalfSampleFits) -> Estimate:
    """Gain from deciding point by point rather than once for all.

    Value not below zero, and standard error, in units of net benefit. `fits`: two options or more.
    """
    return estimate_from_halves(*gains_of_rules(fits))


def gains_of_rules(fits: HalfSampleFits) -> tuple[FloatArray, FloatArray]:
    """Gain of each half-sample's rule: over all draws, and on its learning less its valuing half.

    Returns `everyone`, `contrast` (half,): for every half-sample and then for its mirror images; what
    `estimate_from_halves` takes. `fits`: two options or more.
    """
    outcomes = [_learn_and_value(fits, sign) for sign in (1.0, -1.0)]
    everyone = np.concatenate([everyone for everyone, _ in outcomes])
    contrast = np.concatenate([contrast for _, contrast in outcomes])
    return everyone, contrast


def estimate_from_halves(everyone: FloatArray, contrast: FloatArray) -> Estimate:
    """Combine the gains of rules over all draws with the contrast between learning and valuing halves."""
    # ``everyone - contrast`` is the gain on the half that did not learn; ``everyone`` the average of both.
    # Their mean costs a rule learnt on n/2 draws what one learnt on all n draws would lose. The standard
    # error is the spread over half-samples of the out-of-sample gain: with halves, the variance of the
    # difference between two halves is that of the whole-sample estimate. It is widened by Student's quantile
    # over the normal one, so that 1.96 of it makes a 95% interval.
    #
    # Where two options nearly tie, rules on other draws would choose otherwise, and a rule that gives up the
    # gain in doubt varies less than the gain itself: the interval then ended below the truth too often (83% to
    # 92% where an input has two to four values). It therefore reaches at least as far as the luckiest rules
    # gain on the draws they learnt from; several quantiles, because there are few rules.
    value = max(float(np.mean(everyone - contrast / 2)), 0.0)
    spread = float(np.std(everyone - contrast)) * _student(len(contrast) // 2)
    reached = np.quantile(everyone + contrast, _LUCKY) - value
    return Estimate(value=value, se=max(spread, float(np.mean(reached / _normal_quantiles(_LUCKY)))))


def covariance_of_halves(gains: list[tuple[FloatArray, FloatArray]], *, errors: ArrayLike) -> FloatArray:
    """Covariance of the errors of estimates whose gains come from the same half-samples.

    Shape (estimate, estimate). Its diagonal is the square of `errors`, those of `estimate_from_halves`.
    """
    unseen = np.stack([everyone - contrast for everyone, contrast in gains])
    unseen -= unseen.mean(axis=1, keepdims=True)
    spread = unseen.std(axis=1)
    scale = np.divide(errors, spread, out=np.zeros_like(spread), where=spread > 0)
    return unseen @ unseen.T / unseen.shape[1] * np.outer(scale, scale)


def _learn_and_value(fits: HalfSampleFits, sign: float) -> tuple[FloatArray, FloatArray]:
    chosen = (fits.fitted[:, None] + sign * fits.fitted_shift).argmax(axis=0)  # (half, point)
    half, point = np.ogrid[: chosen.shape[0], : chosen.shape[1]]
    everywhere = fits.total.sum(axis=1)
    contrast = sign * fits.total_shift.sum(axis=2)  # (option, half)
    best = (everywhere[:, None] + contrast).argmax(axis=0)
    everyone = fits.total[chosen, point].sum(axis=1) - everywhere[best]
    return everyone, sign * fits.total_shift[chosen, half, point].sum(axis=1) - contrast[best, half[:, 0]]


_LUCKY = (0.9, 0.925, 0.95, 0.975)


@lru_cache(maxsize=8)
def _normal_quantiles(probabilities: tuple[float, ...]) -> FloatArray:
    from scipy.special import ndtri

    return np.asarray(ndtri(probabilities))


@lru_cache(maxsize=8)
def _student(freedom: int) -> float:
    from scipy.special import ndtri, stdtrit

    return float(stdtrit(freedom, 0.975) / ndtri(0.975))


# --- Value of deciding on a group of inputs: rules from `group_inputs` tried draw by draw on the other … ---


def value_of_group_rules(
    fit: GroupFit,
    net_benefit: FloatArray,
    *,
    controls: FloatArray | None = None,
    weights: FloatArray | None = None,
) -> Estimate:
    """Gain from deciding on the group rather than once for all.

    Units of net benefit. `net_benefit` (sample, option). `controls` (sample, option): contribution of the
    other, independent inputs to net benefit; mean zero. `weights` (response, option).
    """
    draws, options = net_benefit.shape
    blocks = fit.signs.shape[1]
    rest = net_benefit if controls is None else net_benefit - controls
    coefficients = fit.half_coefficients if weights is None else fit.half_coefficients @ weights
    drift = np.zeros((len(fit.signs), options))
    if controls is not None:
        drift = fit.signs @ block_sums(controls, blocks) / draws
    everyone, contrast = _follow_rules(fit, rest, coefficients, drift)
    sums = block_sums(rest, blocks) / draws
    overall, tilt = sums.sum(axis=0), fit.signs @ sums + drift
    best = (overall + tilt).argmax(axis=1)
    row = np.arange(len(best))
    return estimate_from_halves(everyone - overall[best], contrast - tilt[row, best])


def _follow_rules(
    fit: GroupFit, rest: FloatArray, coefficients: FloatArray, drift: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Net benefit of each half-sample's rule: over all draws, and over its learning less its valuing half."""
    draws, options = rest.shape
    halves, blocks = fit.signs.shape
    half = np.arange(halves)
    wide = coefficients.transpose(1, 0, 2).reshape(-1, halves * options)
    everyone, contrast = np.zeros(halves), np.zeros(halves)
    for block, (first, last) in enumerate(pairwise(block_edges(draws, blocks))):
        predicted = (fit.functions[first:last] @ wide).reshape(-1, halves, options) + drift
        chosen = predicted.argmax(axis=2)  # (draw, half)
        gained = rest[np.arange(first, last)[:, None], chosen].sum(axis=0)
        everyone += gained
        contrast += fit.signs[:, block] * gained + drift[half, chosen].sum(axis=0)
    return everyone / draws, contrast / draws


# --- Conditional mean of responses given one input: a smoothing spline, refitted on balanced … ---


STRENGTHS = np.concatenate([10.0 ** np.linspace(-8.0, 2.0, 31), [1e12]])


KEPT_BEND = 0.5
"""A fit that keeps less than this of every bend counts as a straight line."""


def fit_single_input(
    basis: SplineBasis, responses: FloatArray, *, controls: FloatArray | None = None
) -> HalfSampleFits:
    """Fit E[response | input] on all draws and on every balanced half-sample.

    `responses` (sample, response). `controls` (sample, response): part of the responses, with mean zero,
    known not to depend on the input: taken out before the fit, so that it disturbs only the overall mean.
    """
    # Where the fit is close to a straight line, rules are valued with it, which is less noisy; otherwise with
    # the sums of the draws themselves, which no smoothing can bias.
    # One smoothing strength serves all responses, so the fit is linear in them. It minimises Mallows'
    # criterion summed over responses, each in units of its own residual variance. "No dependence at all" is
    # one of the choices for the fit, while half-samples may then still differ by a straight line: what noise
    # could have produced stays in the standard error.
    draws = len(responses)
    blocks = block_count(draws)
    rest = responses if controls is None else responses - controls
    mean = rest.mean(axis=0)
    centred = rest - mean
    share, sums = _cells(basis, centred, blocks)
    functions = basis.functions
    coefficients = functions.T @ sums.sum(axis=0)
    square = np.einsum("ij,ij->j", centred, centred) / draws
    shrink, noise_shrink = _shrinkage(coefficients, basis.roughness, square, draws)
    rule, rule_shift = _half_fits(functions, share, sums, shrink, noise_shrink)
    moved_share = contrasts(share)
    moved_share -= (
        moved_share.sum(axis=1, keepdims=True) * basis.share
    )  # halves differ in size by a few draws
    if (shrink[2:] < KEPT_BEND).all():
        total = (rule + mean).T * basis.share
        total_shift = rule_shift * basis.share + (rule + mean).T[:, None] * moved_share
    else:
        total = (sums.sum(axis=0) + basis.share[:, None] * mean).T
        total_shift = contrasts(sums).transpose(2, 0, 1) + mean[:, None, None] * moved_share
    if controls is not None:
        drift = contrasts(block_sums(controls, blocks) / draws).T[:, :, None]
        rule_shift = rule_shift + drift
        total_shift = total_shift + drift * basis.share
    return HalfSampleFits((rule + mean).T, rule_shift, total, total_shift)


def _half_fits(
    functions: FloatArray, share: FloatArray, sums: FloatArray, shrink: FloatArray, noise_shrink: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Fit at the bins (bin, response), about the mean, and what half-samples add (response, half, bin)."""
    fitted = functions @ (shrink[:, None] * (functions.T @ sums.sum(axis=0)))
    left = sums - share[:, :, None] * fitted  # what the fit leaves, by block and bin
    scores = np.matmul(functions.T, left) * noise_shrink[:, None]  # (block, function, response)
    shift = np.matmul(functions, contrasts(scores))
    return fitted, np.ascontiguousarray(shift.transpose(2, 0, 1))


def _cells(basis: SplineBasis, centred: FloatArray, blocks: int) -> tuple[FloatArray, FloatArray]:
    """Share of the draws, and sums of the responses over the number of draws, by block and bin."""
    draws, responses = centred.shape
    bins = len(basis.share)
    cell = block_of_draw(draws, blocks) * bins + basis.bin_of_draw
    share = np.bincount(cell, minlength=blocks * bins).reshape(blocks, bins) / draws
    sums = np.stack([np.bincount(cell, column, minlength=blocks * bins) for column in centred.T], axis=1)
    return share, sums.reshape(blocks, bins, responses) / draws


def _shrinkage(
    coefficients: FloatArray, roughness: FloatArray, variance: FloatArray, draws: int
) -> tuple[FloatArray, FloatArray]:
    """Factors on the coefficients: for the fit, and for its noise (at least a straight line)."""
    kept = 1.0 / (1.0 + STRENGTHS[:, None] * roughness)
    kept[:, :2] = 1.0
    kept = np.concatenate([np.eye(1, len(roughness)), kept])
    useful = variance > 1e-12 * variance.max(initial=0.0)
    if not useful.any():
        return kept[0], kept[-1]
    energy = coefficients[:, useful] ** 2
    full = np.maximum(variance[useful] - energy.sum(axis=0), 1e-12 * variance[useful])
    noise = full / (1.0 - len(roughness) / draws)
    explained = (1.0 - (1.0 - kept) ** 2) @ (energy / noise)
    criterion = -draws * explained.sum(axis=1) + 2.0 * COMPLEXITY_PRICE * useful.sum() * kept.sum(axis=1)
    best = int(criterion.argmin())
    return kept[best], kept[best] if best else kept[-1]


# --- Mean of an outcome given one input, as a curve with errors, from the draws a run already has ---


@dataclass(frozen=True)
class ConditionalMean:
    """E[outcome | input] on the input's bins.

    Parameters
    ----------
    points : array (bin,)
        Mean of the input in each bin, ascending, in its own units.
    share : array (bin,)
        Share of draws in each bin.
    mean : array (bin,)
        Conditional mean of the outcome, in its units.
    shift : array (half, bin)
        By how much the fit moves on each balanced half-sample; its root mean square is the standard error.
    """

    points: FloatArray
    share: FloatArray
    mean: FloatArray
    shift: FloatArray

    def at(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and half-sample shifts (half, value) at some values of the input, by linear interpolation."""
        moved = np.array([np.interp(values, self.points, shift) for shift in self.shift])
        return np.interp(values, self.points, self.mean), moved


def conditional_mean(values: FloatArray, outcome: FloatArray) -> ConditionalMean:
    """Fit a smoothing spline of the outcome on one input.

    Parameters
    ----------
    values, outcome : array (sample,)
        Paired draws.

    Returns
    -------
    ConditionalMean

    Raises
    ------
    InputError
        For arrays of other shapes, NaN, or fewer than 128 draws.

    Examples
    --------
    >>> x = np.linspace(0.0, 1.0, 1000)
    >>> curve = conditional_mean(x, 3.0 * x)
    >>> curve.at(np.array([0.5]))[0].round(3).tolist()
    [1.5]
    """
    if values.ndim != 1 or values.shape != outcome.shape:
        raise InputError(
            "the outcome is not paired with the input draw by draw",
            field="values, outcome",
            found=f"shapes {values.shape} and {outcome.shape}",
            allowed="one dimension of equal length",
        )
    refuse_non_finite(values, field="values")
    refuse_non_finite(outcome, field="outcome")
    values, outcome = values.astype(np.float64), outcome.astype(np.float64)
    order = shuffled(len(values))
    basis = spline_basis(values[order])
    fits = fit_single_input(basis, outcome[order][:, None])
    return ConditionalMean(basis.centre, basis.share, fits.fitted[0], fits.fitted_shift[0])


def tornado(
    outcome: xr.DataArray, parameters: xr.Dataset | pd.DataFrame, *, low: float = 0.05, high: float = 0.95
) -> pd.DataFrame:
    """How far each input moves the expected outcome between its low and its high value.

    Parameters
    ----------
    outcome : DataArray, dims (sample,)
        Any quantity; its draws are paired with `parameters`.
    parameters : Dataset over sample, or DataFrame
    low, high : float in (0, 1)
        Probabilities of the input's low and high values.

    Returns
    -------
    DataFrame, one row per input, widest swing first
        Columns input, input_low, input_high (units of the input), outcome_low, outcome_high (expected outcome
        there), swing (their difference, signed) and swing_se, in units of the outcome.

    Raises
    ------
    InputError
        For unpaired draws, NaN, fewer draws than parameters or fewer than 128, or `low` not below `high`.

    Notes
    -----
    ``E[outcome | input = its quantile]``, from the draws of the run itself: correlated inputs move together,
    as the evidence says they do, and no second run at made-up values is needed. A bar can be short for an
    input that matters through its spread only; compare with `evppi`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 4000))
    >>> table = tornado(xr.DataArray(x + 3 * y, dims="sample"), pd.DataFrame({"x": x, "y": y}))
    >>> table["input"].tolist(), bool(abs(table["swing"][0] - 3 * 3.29) < 4 * table["swing_se"][0] + 0.3)
    (['y', 'x'], True)
    """
    outcome = require_dims(outcome, ("sample",), field="outcome")
    if not 0 < low < high < 1:
        raise InputError(
            "low and high are not two probabilities in order",
            field="low, high",
            found=f"{low}, {high}",
            allowed="0 < low < high < 1",
        )
    columns = parameter_table(parameters, outcome)
    rows = []
    for name, column in columns.items():
        ends = np.quantile(column, [low, high])
        at_ends, moved = conditional_mean(column, outcome.values).at(ends)
        error = np.sqrt(np.mean((moved[:, 1] - moved[:, 0]) ** 2))
        rows.append((name, *ends, *at_ends, at_ends[1] - at_ends[0], error))
    names = ["input", "input_low", "input_high", "outcome_low", "outcome_high", "swing", "swing_se"]
    table = pd.DataFrame(rows, columns=names)
    widest = np.argsort(-table["swing"].abs().to_numpy(), kind="stable")
    return table.iloc[widest].reset_index(drop=True)


# --- Expected value of partial perfect information: what knowing one input, or one group, would be … ---


def evppi(
    net_benefit: xr.DataArray,
    parameters: xr.Dataset | pd.DataFrame,
    groups: Mapping[str, Sequence[str]] | None = None,
    *,
    independent: bool | None = None,
) -> pd.DataFrame:
    """Value of learning each input, or group of inputs, exactly before deciding.

    Parameters
    ----------
    net_benefit : DataArray, dims (sample, option), present value, GBP
        Paired draws of two options or more.
    parameters : Dataset over sample, or DataFrame with one row per draw
        The inputs' draws, paired with `net_benefit`. Inputs not named in `groups` still help: see Notes.
    groups : mapping of str to list of str, optional
        Columns learnt together, by group; None takes each column on its own.
    independent : bool, optional
        True where the inputs are independent by construction, False where they are not; by default decided
        from the draws. See Notes.

    Returns
    -------
    DataFrame, columns group, evppi, se
        In the order of `groups`; `evppi` is not negative, `se` its standard error, both in the units of
        `net_benefit`. The 95% interval is ``evppi -+ 1.96 se`` cut at zero.

    Raises
    ------
    InputError
        For unpaired draws, one option, NaN, an unknown column, fewer draws than parameters or fewer than 128.

    Notes
    -----
    ``E[max_d E[NB(d) | x]] - max_d E[NB(d)]`` [1]_. Conditional means are smoothing splines for one input,
    and main effects with pairwise interactions for a group (three-way interactions are not sought: a group
    with strong ones is undervalued, never overvalued). Rules are learnt on balanced half-samples and valued
    on the draws they have not seen, so an input worth nothing is not credited with its own noise [2]_; the
    standard error is the spread over half-samples. Inputs may be correlated, and draws are taken as
    independent: thin a Markov chain, or widen by the square root of draws over effective draws.

    With eight inputs or more and no test finding dependence among them, what the other inputs contribute is
    taken out first, which removes most of the noise; dependence too weak to be found can then bias a value by
    up to about one standard error. ``independent=False`` switches this off.

    Where two options are nearly tied in expectation every estimator is at its worst: which of them is the
    baseline is then noise too.

    References
    ----------
    .. [1] Heath, Kunst & Jackson (eds, 2024) *Value of Information for Healthcare Decision-Making*, ch. 3.
    .. [2] Strong, Oakley & Brennan (2014) *Medical Decision Making* 34:311-326 (regression, without
    splitting);
       McCarthy (1969) *Review of the International Statistical Institute* 37:239-264 (balanced half-samples).

    Examples
    --------
    Option B gains x - y; knowing x, spread 1, is worth less than knowing y, spread 2.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(1, 1, 4000), rng.normal(0, 2, 4000)
    >>> nb = xr.DataArray(np.stack([0 * x, x - y], 1), dims=("sample", "option"))
    >>> table = evppi(nb, pd.DataFrame({"x": x, "y": y}))
    >>> error = table["evppi"] - [0.0833, 0.3956]
    >>> bool((error.abs() < 3 * table["se"]).all())
    True
    """
    values = options_matrix(net_benefit)
    columns = parameter_table(parameters, net_benefit)
    chosen = resolve_groups(groups, columns)
    block_count(len(values))
    bases, values = _shuffled(columns, values)
    additive = find_controls(bases, values, independent=independent)
    rows = []
    for group, members in chosen.items():
        estimate = _value(members, bases, values, additive)
        rows.append((group, estimate.value, estimate.se))
    return pd.DataFrame(rows, columns=["group", "evppi", "se"])


def evppi_by_threshold(
    costs: xr.DataArray,
    effects: xr.DataArray,
    parameters: xr.Dataset | pd.DataFrame,
    thresholds: ArrayLike,
    groups: Mapping[str, Sequence[str]] | None = None,
    *,
    independent: bool | None = None,
) -> pd.DataFrame:
    """EVPPI along the value of one unit of effect; costs and effects are fitted once.

    Parameters
    ----------
    costs, effects : DataArray, dims (sample, option)
        Present value GBP, and units of effect; net benefit is ``threshold * effects - costs``.
    parameters : Dataset over sample, or DataFrame
        As in `evppi`.
    thresholds : array of float, >= 0
        GBP per unit of effect.
    groups : mapping of str to list of str, optional
        As in `evppi`.
    independent : bool, optional
        As in `evppi`.

    Returns
    -------
    DataFrame, columns group, threshold, evppi, se

    Raises
    ------
    InputError
        As in `evppi`; also for thresholds that are negative or not finite.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(1.0, 1.0, 4000)
    >>> effects = xr.DataArray(np.stack([0 * x, x], 1), dims=("sample", "option"))
    >>> costs = xr.DataArray(np.tile([0.0, 1.0], (4000, 1)), dims=("sample", "option"))
    >>> curve = evppi_by_threshold(costs, effects, pd.DataFrame({"x": x}), [0.0, 1.0])
    >>> curve["evppi"].round(1).tolist()
    [0.0, 0.4]
    """
    grid = threshold_array(thresholds)
    cost, effect = options_matrix(costs, field="costs"), options_matrix(effects, field="effects")
    require_paired(costs, effects, fields=("costs", "effects"))
    columns = parameter_table(parameters, costs)
    chosen = resolve_groups(groups, columns)
    block_count(len(cost))
    bases, both = _shuffled(columns, effect, cost)
    additive = find_controls(bases, both, independent=independent)
    rows = []
    for group, members in chosen.items():
        fits, controls = _fit(members, bases, both, additive)
        for threshold in grid:
            estimate = _at_threshold(fits, both, controls, float(threshold))
            rows.append((group, float(threshold), estimate.value, estimate.se))
    return pd.DataFrame(rows, columns=["group", "threshold", "evppi", "se"])


def value_of_learning(columns: dict[str, FloatArray], net_benefit: FloatArray) -> Estimate:
    """Value of learning all these columns together; the shared core of `evppi` and `evsi`.

    `net_benefit` (sample, option).
    """
    block_count(len(net_benefit))
    bases, values = _shuffled(columns, net_benefit)
    return _value(list(bases), bases, values, None)


def _shuffled(
    columns: dict[str, FloatArray], *responses: FloatArray
) -> tuple[dict[str, SplineBasis], FloatArray]:
    """Shuffle the draws, and take out of each what is common to all options: it cannot matter."""
    order = shuffled(len(responses[0]))
    relative = [response - response.mean(axis=1, keepdims=True) for response in responses]
    return {name: spline_basis(column[order]) for name, column in columns.items()}, np.hstack(relative)[order]


def _fit(
    members: list[str], bases: dict[str, SplineBasis], responses: FloatArray, additive: AdditiveFit | None
) -> tuple[HalfSampleFits | GroupFit, FloatArray | None]:
    varying = [bases[name] for name in members if len(bases[name].roughness) > 1]
    others = additive is not None and len(members) < len(additive.parts)
    controls = additive.without(members) if additive is not None and others else None
    if len(varying) < 2:
        basis = varying[0] if varying else bases[members[0]]
        return fit_single_input(basis, responses, controls=controls), controls
    rest = responses if controls is None else responses - controls
    return fit_group(group_basis(varying), rest), controls


def _value(
    members: list[str], bases: dict[str, SplineBasis], values: FloatArray, additive: AdditiveFit | None
) -> Estimate:
    fits, controls = _fit(members, bases, values, additive)
    if isinstance(fits, HalfSampleFits):
        return value_of_rules(fits)
    return value_of_group_rules(fits, values, controls=controls)


def _at_threshold(
    fits: HalfSampleFits | GroupFit, both: FloatArray, controls: FloatArray | None, threshold: float
) -> Estimate:
    if isinstance(fits, HalfSampleFits):
        return value_of_rules(fits.at_threshold(threshold))
    options = both.shape[1] // 2
    weights = np.concatenate([threshold * np.eye(options), -np.eye(options)])
    return value_of_group_rules(
        fits, both @ weights, controls=None if controls is None else controls @ weights, weights=weights
    )
