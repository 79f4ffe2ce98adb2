"""Mean of an outcome given one input, as a curve with errors, from the draws a run already has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from cba.decisions.draws import FloatArray, parameter_table, refuse_non_finite, require_dims
from cba.decisions.half_samples import content_order
from cba.decisions.single_input import fit_single_input
from cba.decisions.spline_basis import spline_basis
from cba.errors import InputError


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
    order = content_order([values], np.stack([outcome, np.zeros_like(outcome)], axis=1))
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
    require_dims(outcome, ("sample",), field="outcome")
    if not 0 < low < high < 1:
        raise InputError(
            "low and high are not two probabilities in order",
            field="low, high",
            found=f"{low}, {high}",
            allowed="0 < low < high < 1",
        )
    columns = parameter_table(parameters, outcome)
    values = np.asarray(outcome.values, dtype=np.float64)
    rows = []
    for name, column in columns.items():
        ends = np.quantile(column, [low, high])
        at_ends, moved = conditional_mean(column, values).at(ends)
        error = np.sqrt(np.mean((moved[:, 1] - moved[:, 0]) ** 2))
        rows.append((name, *ends, *at_ends, at_ends[1] - at_ends[0], error))
    names = ["input", "input_low", "input_high", "outcome_low", "outcome_high", "swing", "swing_se"]
    table = pd.DataFrame(rows, columns=names)
    widest = np.argsort(-table["swing"].abs().to_numpy(), kind="stable")
    return table.iloc[widest].reset_index(drop=True)
