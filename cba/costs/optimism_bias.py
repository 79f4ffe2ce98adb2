"""Optimism bias: raising a cost estimate by how far such estimates have fallen short before."""

from __future__ import annotations

import numpy as np
import xarray as xr

from cba.errors import InputError


def adjust[Amount: (float, np.ndarray, xr.DataArray)](
    cost: Amount,
    bias: float | xr.DataArray,
    mitigation: float | xr.DataArray = 0.0,
    *,
    marginal_excess_tax_burden: float | xr.DataArray = 0.0,
) -> Amount:
    """Cost raised for optimism bias and, if asked for, for the burden of the tax that pays for it.

    Parameters
    ----------
    cost : float, ndarray or DataArray, money, >= 0
        Undiscounted, in one price base.
    bias : float or DataArray, proportion of cost, >= 0
        Average overrun of comparable projects: 0.20 is 20%.
    mitigation : float or DataArray, proportion of the bias, 0 to 1
        Share of the bias already managed away; 0 keeps it whole, 1 removes it.
    marginal_excess_tax_burden : float or DataArray, proportion of the adjusted cost, >= 0
        Off (0) by default: the Green Book 2026 advises against it. 0.20 was earlier practice.

    Returns
    -------
    float, ndarray or DataArray, as `cost`
        Arrays broadcast by the names of their dims.

    Raises
    ------
    InputError
        A mitigation outside 0 to 1; a negative or missing cost, bias or burden.

    Notes
    -----
    ``cost * (1 + bias * (1 - mitigation)) * (1 + burden)``: the burden falls on the adjusted cost [1]_. An
    input whose prior is already widened for optimism takes no adjustment here as well: one device per input.

    References
    ----------
    .. [1] HM Treasury (2026) *The Green Book*, ch. 6 (optimism bias); Mott MacDonald (2002) *Review of Large
       Public Procurement in the UK*, table 2.

    Examples
    --------
    >>> round(adjust(100.0, 0.20, 0.50), 9)
    110.0
    >>> round(adjust(100.0, 0.20, 0.50, marginal_excess_tax_burden=0.20), 9)
    132.0
    """
    _check_range(mitigation, field="mitigation", upper=1.0)
    for field, value in (
        ("cost", cost),
        ("bias", bias),
        ("marginal_excess_tax_burden", marginal_excess_tax_burden),
    ):
        _check_range(value, field=field, upper=np.inf)
    factor = (1.0 + bias * (1.0 - mitigation)) * (1.0 + marginal_excess_tax_burden)
    return cost * factor  # type: ignore[return-value]  # mypy forgets that Amount is one type here


def _check_range(value: float | np.ndarray | xr.DataArray, *, field: str, upper: float) -> None:
    values = np.asarray(value, dtype=float)
    good = (values >= 0.0) & (values <= upper) & np.isfinite(values)
    if not good.all():
        raise InputError(
            f"{field} is outside its range",
            field=field,
            found=float(values[~good].flat[0]),
            allowed="0 to 1" if upper == 1.0 else "a finite number >= 0",
            cause="a percentage typed for a proportion, or a saving entered as a negative cost",
            remedy="write 50% as 0.5; nothing is clipped",
        )
