"""How much of a result rests on one input: shares of variance, measured beside the inputs that lead."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from cba.decisions.variance_shares import shapley_effects

CLEAR = 3.0
"""Errors an influence must be above nought by: with over a hundred inputs, two would let several in by chance."""

HIGH = 0.05
"""Share of the variance from which an influence counts as high."""

FEWEST_DRAWS = 128

LEADING = 3
"""Inputs beside which every other one is measured: those that move a result most."""


def leading_inputs(parameters: xr.Dataset, outcome: xr.DataArray) -> dict[str, np.ndarray]:
    """Return the inputs most correlated with a result, beside which the others are measured.

    Parameters
    ----------
    parameters : Dataset, dims (sample)
        Every uncertain input.
    outcome : DataArray, dims (sample,)

    Returns
    -------
    dict of str to ndarray
        :data:`LEADING` at most.

    Examples
    --------
    >>> drawn = xr.Dataset({"a": ("sample", [0.0, 1.0, 2.0]), "b": ("sample", [1.0, 1.0, 1.0])})
    >>> list(leading_inputs(drawn, xr.DataArray([0.0, 2.0, 4.0], dims="sample")))
    ['a']
    """
    varying = {str(n): v.values for n, v in parameters.data_vars.items() if np.ptp(v.values) > 0}
    if float(outcome.std()) == 0.0:
        return {}
    fit = {name: abs(float(np.corrcoef(values, outcome.values)[0, 1])) for name, values in varying.items()}
    return {name: varying[name] for name in sorted(fit, key=lambda n: -fit[n])[:LEADING]}


def measured_influence(
    outcomes: Mapping[str, xr.DataArray],
    inputs: tuple[str, Mapping[str, np.ndarray]],
    leading: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, object]:
    """Return how much of each result's variance one entry explains, with its error.

    Parameters
    ----------
    outcomes : mapping of str to DataArray, dims (sample,)
        Results by name.
    inputs : (str, mapping of str to ndarray)
        How it is measured, and the draws; one column or several that are learnt together.
    leading : mapping of str to mapping of str to ndarray
        By result, the inputs beside which the entry is measured.

    Returns
    -------
    dict
        The columns of :func:`cba.appraisal.assumptions_log.assumptions_log` from ``measured`` on.

    Examples
    --------
    Of y = 3 a + 4 b, the input a explains 9 parts in 25.

    >>> a, b = np.random.default_rng(0).normal(size=(2, 4000))
    >>> y = {"npv": xr.DataArray(3 * a + 4 * b, dims="sample")}
    >>> found = measured_influence(y, ("draws", {"a": a}), {"npv": {"b": b}})
    >>> abs(found["npv_share"] - 0.36) < 4 * found["npv_share_se"], found["level"]
    (True, 'high')
    """
    how, columns = inputs
    row: dict[str, object] = {"measured": how}
    clear_shares = [0.0]
    for name, outcome in outcomes.items():
        share, error = _share(outcome, columns, leading.get(name, {}) if how != "bound" else {})
        clear = bool(np.isfinite(share) and share > CLEAR * error)
        clear_shares += [share] if clear and how != "bound" else []
        row |= {f"{name}_share": share, f"{name}_share_se": error, f"{name}_clear": clear}
    influence = max(clear_shares)
    level = "high" if influence >= HIGH else "some" if influence > 0 else "none"
    return row | {"influence": influence, "level": level}


def _share(
    outcome: xr.DataArray, columns: Mapping[str, np.ndarray], leading: Mapping[str, np.ndarray]
) -> tuple[float, float]:
    """Share of the variance and its error; missing where nothing was drawn or the result does not vary."""
    varying = {name: values for name, values in columns.items() if np.ptp(values) > 0}
    if not varying or outcome.size < FEWEST_DRAWS or float(outcome.std()) == 0.0:
        return float("nan"), float("nan")
    beside = {f"leading {n}": v for n, v in leading.items() if n not in varying}
    groups = {"entry": list(varying)} | ({"leading": list(beside)} if beside else {})
    table = shapley_effects(outcome, pd.DataFrame({**varying, **beside}), groups)
    found = table.set_index("group").loc["entry"]
    return float(found["effect"]), float(found["se"])
