"""Numbers as a reader sees them: rounded to what their error supports, in words where a sign could be missed.

The unit a value is rounded to is the coarser of two: the power of ten at or above its Monte Carlo standard
error, and
the place of its third significant figure. A probability is a whole per cent, or a coarser step where its
error is
more than one point; one that would print as 0 or 100 prints as "<1%" or ">99%".
"""

from __future__ import annotations

import math
from typing import Literal, TypeGuard

from cba.errors import InputError

Style = Literal[
    "count", "fewer", "money", "price", "net", "probability", "share", "ratio", "year", "number", "plain"
]

UNDEFINED = "not defined"
_MINUS = "\N{MINUS SIGN}"
_BILLION, _MILLION = 1e9, 1e6


def is_defined(value: object) -> TypeGuard[int | float]:
    """Return whether a value is a finite number.

    Parameters
    ----------
    value : object
        Raw value.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_defined(0.0), is_defined(None), is_defined(float("nan"))
    (True, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def rounding_unit(value: float, error: float | None = None, *, figures: int = 3) -> float:
    """Return the unit a value is rounded to.

    Parameters
    ----------
    value : float
        The value, in any unit.
    error : float, optional
        Its Monte Carlo standard error, same unit; None or 0 where it has none.
    figures : int
        Most significant figures to print.

    Returns
    -------
    float
        ``max(10**ceil(log10(error)), 10**(floor(log10(|value|)) - figures + 1))``.

    Examples
    --------
    >>> rounding_unit(84_312.0, 70.0), rounding_unit(84_312.0, 700.0), rounding_unit(0.1234, 0.0)
    (100.0, 1000.0, 0.001)
    """
    by_size = 10.0 ** (math.floor(math.log10(abs(value))) - figures + 1) if value else 0.0
    by_error = 10.0 ** math.ceil(math.log10(error) - 1e-9) if error and math.isfinite(error) else 0.0
    return max(by_size, by_error) or 1.0


def error_from_interval(lower: float, upper: float, *, draws: int, level: float = 0.9) -> float:
    """Return the approximate standard error of a mean from the width of its interval.

    Parameters
    ----------
    lower, upper : float
        Ends of an equal-tailed interval.
    draws : int
        Draws the interval was taken from.
    level : float
        Probability the interval holds, 0 to 1.

    Returns
    -------
    float
        ``(upper - lower) / (2 z sqrt(draws))``, z the normal quantile at ``(1 + level) / 2``.

    Examples
    --------
    >>> round(error_from_interval(-1.645, 1.645, draws=100), 3)
    0.1
    """
    from statistics import NormalDist

    return (upper - lower) / (2.0 * NormalDist().inv_cdf((1.0 + level) / 2.0) * math.sqrt(draws))


def show(value: object, *, style: Style = "number", unit: float | None = None) -> str:
    """Return a number as text.

    Parameters
    ----------
    value : float or None
        Raw value: children, GBP, a probability from 0 to 1, or a year (ending 31 March).
    style : str
        ``count`` children; ``fewer`` a fall in children, in words; ``money`` GBP; ``price``
        GBP that was stated and not estimated, in full; ``net`` GBP as "a net
        saving of"
        or "a net cost of"; ``probability``; ``share`` a per cent without "<" or ">"; ``ratio``; ``year``;
        ``number`` anything else; ``plain`` as given.
    unit : float, optional
        What to round to, by default the place of the third significant figure; for a probability its Monte
        Carlo
        standard error, by default 0.

    Returns
    -------
    str
        ``"not defined"`` for None and NaN.

    Raises
    ------
    InputError
        If the style has no such name.

    Examples
    --------
    >>> show(-1_234_000_000.0, style="net", unit=1e8)
    'a net cost of £1.2 billion'
    >>> show(0.003, style="probability"), show(2032, style="year")
    ('<1%', '2031-32')
    """
    if style not in _STYLES:
        raise InputError("a number has no such style", field="style", found=style, allowed=", ".join(_STYLES))
    if not is_defined(value):
        return UNDEFINED
    number = float(value)
    default = 0.0 if style == "probability" else rounding_unit(number)
    return _STYLES[style](number, default if unit is None else unit)


def _plain(value: float, unit: float) -> str:
    """Round to the unit and write with thousands separated and a true minus sign."""
    decimals = max(0, -math.floor(math.log10(unit) + 1e-9))
    rounded = round(value / unit) * unit
    text = f"{abs(rounded):,.{decimals}f}"
    return f"{_MINUS}{text}" if rounded < 0 and text.strip("0.,") else text


def _count(value: float, unit: float) -> str:
    """Write a number of children; one that rounds to none says how near."""
    unit = max(unit, 1.0)
    text = _plain(value, unit)
    return f"within {_plain(unit / 2, unit / 20)} of 0" if text == "0" and value != 0.0 else text


def _fewer(value: float, unit: float) -> str:
    """Write a fall in children as fewer, and a rise as more."""
    text = _plain(abs(value), max(unit, 1.0))
    if text == "0":
        return "no change" if value == 0.0 else f"no change, to the nearest {_count(max(unit, 1.0), 1.0)}"
    return f"{text} {'fewer' if value > 0 else 'more'}"


def _money(value: float, unit: float) -> str:
    """Write pounds in the largest scale that keeps the value above one."""
    sign = _MINUS if value < 0 else ""
    size, unit = abs(value), max(unit, 1.0)
    for scale, name in ((_BILLION, " billion"), (_MILLION, " million")):
        if round(size / unit) * unit >= scale:
            return f"{sign}£{_plain(size / scale, unit / scale)}{name}"
    text = _plain(size, unit)
    if text.strip("0.,") == "":
        within = _money(unit / 2, unit / 20) if unit > 1.0 else "£1"  # pence are not printed
        return "£0" if value == 0.0 else f"within {within} of £0"
    return f"{sign}£{text}"


def _price(value: float, unit: float) -> str:
    """Write pounds that someone stated: all their digits and no filling noughts."""
    for scale, name in ((_BILLION, " billion"), (_MILLION, " million")):
        if abs(value) >= scale:
            return f"{_MINUS if value < 0 else ''}£{abs(value) / scale:,.6g}{name}"
    return f"{_MINUS if value < 0 else ''}£{abs(value):,.6g}"


def _net(value: float, unit: float) -> str:
    """Write a net present value in words, so that its sign cannot be missed."""
    if round(abs(value) / unit) == 0:
        return f"neither a net saving nor a net cost, to the nearest {_money(unit, unit)}"
    return f"a net {'saving' if value > 0 else 'cost'} of {_money(abs(value), unit)}"


def percentage_step(error: float) -> float:
    """Return the step a probability or a share is rounded to: 1, 5 or 10 points.

    Parameters
    ----------
    error : float
        Monte Carlo standard error, as a share.

    Returns
    -------
    float

    Examples
    --------
    >>> percentage_step(0.0), percentage_step(0.02), percentage_step(0.2)
    (0.01, 0.05, 0.1)
    """
    return 0.01 if error <= 0.01 else 0.05 if error <= 0.05 else 0.1


def _probability(value: float, unit: float) -> str:
    """Write a probability as a whole per cent; here ``unit`` is its Monte Carlo standard error."""
    if not 0.0 <= value <= 1.0:
        raise InputError("a probability is outside 0 to 1", found=value, allowed="0 to 1")
    step = percentage_step(unit)
    steps = round(value / step)
    if steps == 0:
        return f"<{round(step * 100)}%"
    if steps == round(1.0 / step):
        return f">{round((1.0 - step) * 100)}%"
    return f"{round(steps * step * 100)}%"


def _share(value: float, unit: float) -> str:
    return f"{_plain(100.0 * value, max(100.0 * unit, 1.0))}%"


def _ratio(value: float, unit: float) -> str:
    return _plain(value, max(unit, 0.01))


def _year(value: float, unit: float) -> str:
    """Write the year ending 31 March as a financial year."""
    year = round(value)
    return f"{year - 1}-{year % 100:02d}"


def _verbatim(value: float, unit: float) -> str:
    return f"{value:.0f}" if value == round(value) else f"{value:g}"


_STYLES = {
    "count": _count,
    "fewer": _fewer,
    "money": _money,
    "price": _price,
    "net": _net,
    "probability": _probability,
    "share": _share,
    "ratio": _ratio,
    "year": _year,
    "number": _plain,
    "plain": _verbatim,
}
