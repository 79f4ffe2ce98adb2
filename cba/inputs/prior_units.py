"""What the unit of a prior demands: money has a price year and is not negative, a share stays within 0 to 1."""

from __future__ import annotations

import math

from cba.errors import InputError
from cba.inputs.distributions import Distribution


def check_price_year(unit: str, price_year: int | None) -> None:
    """Refuse money without a price year, and a price year without money.

    Parameters
    ----------
    unit : str
        Money where it starts with ``GBP``.
    price_year : int or None
        Year ending 31 March.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_price_year("GBP per child", 2024)
    """
    money = unit.startswith("GBP")
    if money and price_year is None:
        raise InputError(
            "an amount of money has no price year",
            field="price_year",
            found=f"unit {unit}",
            allowed="a year ending 31 March",
            cause="price base not noted when the figure was copied",
            remedy="add price_year, for example price_year = 2024",
        )
    if not money and price_year is not None:
        raise InputError(
            "a price year is given for something that is not money",
            field="price_year",
            found=f"{price_year} with unit {unit}",
            allowed="only with a unit that starts with GBP",
            cause="a wrong unit, or a field copied from another entry",
            remedy="correct the unit or remove it",
        )


def check_range(unit: str, fitted: Distribution) -> None:
    """Refuse shares that can leave 0 to 1, and money that can be negative without saying so.

    Parameters
    ----------
    unit : str
        ``share``, or money where it starts with ``GBP``.
    fitted : Distribution

    Raises
    ------
    InputError

    Examples
    --------
    >>> from cba.inputs.distributions import distribution
    >>> check_range("share", distribution("Beta", parameters={"alpha": 2.0, "beta": 3.0}))
    """
    low, high = fitted.support
    if unit == "share" and (low < 0 or high > 1):
        p05, p95 = (float(value) for value in fitted.ppf([0.05, 0.95]))
        raise InputError(
            "a share can fall outside 0 to 1",
            field="quantiles",
            found=f"5-95% from {p05:.3g} to {p95:.3g}, support {low:g} to {high:g}",
            allowed="0 to 1",
            cause="per cent written for a proportion, or an unbounded family",
            remedy="use Beta, or add lower and upper bounds within 0 to 1",
        )
    if unit.startswith("GBP") and low < 0 and (math.isinf(low) or fitted.family == "Fixed"):
        p05 = float(fitted.ppf(0.05))
        if p05 < 0:
            raise InputError(
                "an amount of money is negative",
                field="quantiles",
                found=f"5% point {p05:.4g}",
                allowed="0 or more",
                cause="a saving entered as a negative cost, or a spread too wide",
                remedy="state it as positive, or use a family bounded by stated limits",
            )
