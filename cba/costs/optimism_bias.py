"""Optimism bias: raising a cost estimate by how far such estimates have fallen short before, and by what device.

Each input is corrected once: by a prior already widened and moved for optimism, or by an uplift, never both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from cba.errors import InputError


@dataclass(frozen=True)
class Device:
    """How one input is corrected for optimism.

    Attributes
    ----------
    entry : str
        Name of the input in the prior registry.
    corrects : {"cost", "time", "benefit"}
        What would be too favourable without it.
    kind : {"widened prior", "uplift"}
        A prior centred on what programmes come to rather than on what they plan, or a percentage on top.
    neutral : float
        Value of the input at which nothing is corrected.

    Examples
    --------
    >>> Device("delivery.cost_overrun", "cost", "widened prior", 1.0).neutral
    1.0
    """

    entry: str
    corrects: Literal["cost", "time", "benefit"]
    kind: Literal["widened prior", "uplift"]
    neutral: float


DEVICES = (
    Device("delivery.cost_overrun", "cost", "widened prior", 1.0),
    Device("delivery.setup_share", "cost", "widened prior", 0.0),
    Device("delivery.start_delay", "time", "widened prior", 0.0),
    Device("delivery.ramp_stretch", "time", "widened prior", 0.0),
    Device("effects.attenuation", "benefit", "widened prior", 0.0),
)
"""The device in force for each input that carries one."""

UPLIFTS = {"grade 5": 0.25, "grade 6, the worst": 0.40}
"""Uplift on cost, and cut in benefit, by grade of evidence: HM Treasury and New Economy (2014) *Supporting public
service transformation: cost benefit analysis guidance for local partnerships*, chs 6-7, from secondary reports.
In place of the widened priors, never on top of them."""


def require_one_device(devices: Iterable[Device]) -> None:
    """Refuse two corrections of the same input for the same bias.

    Parameters
    ----------
    devices : iterable of Device
        Those to be in force together.

    Raises
    ------
    InputError
        Naming the first input that carries two.

    Examples
    --------
    >>> require_one_device(DEVICES)
    """
    seen: dict[str, Device] = {}
    for device in devices:
        before = seen.setdefault(device.entry, device)
        if before is not device:
            raise InputError(
                "an input is corrected for optimism twice",
                field=device.entry,
                found=f"{before.kind} and {device.kind}",
                allowed="one device for each input",
                cause="an uplift laid on a prior that is already widened",
                remedy="set the input to its neutral value before the uplift, or leave the uplift out",
            )


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
