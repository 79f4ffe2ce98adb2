"""Numbers as a reader sees them: rounded to what their error supports, in words where a sign could be missed.

The unit a value is rounded to is the coarser of two: the power of ten at or above its Monte Carlo standard
error, and
the place of its third significant figure. A probability is a whole per cent, or a coarser step where its
error is
more than one point; one that would print as 0 or 100 prints as "<1%" or ">99%".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import urlencode

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from cba.appraisal.quantities import Style, quantity_of
from cba.dimensions import financial_year
from cba.errors import InputError

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal


UNDEFINED = "not defined"


_MINUS = "\N{MINUS SIGN}"


_BILLION, _MILLION = 1e9, 1e6


def is_defined(value: object) -> TypeGuard[int | float]:
    """Return whether a value is a finite number."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def rounding_unit(value: float, error: float | None = None, *, figures: int = 3) -> float:
    """Return the unit a value is rounded to.

    ``max(10**ceil(log10(error)), 10**(floor(log10(|value|)) - figures + 1))``. `error`: its Monte Carlo
    standard error, same unit; None or 0 where it has none. `figures`: most significant figures to print.
    """
    by_size = 10.0 ** (math.floor(math.log10(abs(value))) - figures + 1) if value else 0.0
    by_error = 10.0 ** math.ceil(math.log10(error) - 1e-9) if error and math.isfinite(error) else 0.0
    return max(by_size, by_error) or 1.0


def error_from_interval(lower: float, upper: float, *, draws: int, level: float = 0.9) -> float:
    """Return the approximate standard error of a mean from the width of its interval.

    ``(upper - lower) / (2 z sqrt(draws))``, z the normal quantile at ``(1 + level) / 2``.
    """
    from statistics import NormalDist

    return (upper - lower) / (2.0 * NormalDist().inv_cdf((1.0 + level) / 2.0) * math.sqrt(draws))


def show(value: object, *, style: Style = "number", unit: float | None = None) -> str:
    """Return a number as text.

    ``"not defined"`` for None and NaN. `unit`: what to round to, by default the place of the third
    significant figure; for a probability its Monte Carlo standard error, by default 0.
    """
    # `style`: ``count`` children; ``fewer`` a fall in children, in words; ``money`` GBP; ``price`` GBP that
    # was stated and not estimated, in full; ``net`` GBP as "a net saving of" or "a net cost of";
    # ``probability``; ``share`` a per cent without "<" or ">"; ``ratio``; ``year``; ``number`` anything else;
    # ``plain`` as given.
    if style not in _STYLES:
        raise InputError("a number has no such style", field="style", found=style, allowed=", ".join(_STYLES))
    if not is_defined(value):
        return UNDEFINED
    number = float(value)
    default = 0.0 if style == "probability" else rounding_unit(number)
    return _STYLES[style](number, default if unit is None else unit)


counted = partial(show, style="count")
pounds = partial(show, style="money")
priced = partial(show, style="price")
netted = partial(show, style="net")
chance_of = partial(show, style="probability")
per_cent = partial(show, style="share")
"""A number in one style."""


def spanned(row: Mapping[str, Any] | pd.Series, say: Callable[..., str], of: str = "") -> str:
    """Return an interval as its two ends. `say`: what writes one; `of`: what their names begin with."""
    return f"{say(row[f'{of}lower'])} to {say(row[f'{of}upper'])}"


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
    """Return the step a probability or a share is rounded to: 1, 5 or 10 points."""
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


def _pence(value: float, unit: float) -> str:
    """Write what comes back for a pound."""
    return f"{_plain(100.0 * value, max(100.0 * unit, 1.0))}p"


def _year(value: float, unit: float) -> str:
    """Write the year ending 31 March as a financial year."""
    return financial_year(round(value))


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
    "pence": _pence,
    "year": _year,
    "number": _plain,
    "plain": _verbatim,
}


# --- How a cell of a table is printed: as far as its Monte Carlo error lets it, in the style its row's … ---


ERRORS_IN_SE = ("value", "expected_payoff", "effect")
"""Columns whose standard error stands in a column ``se`` of their table; others have ``<column>_se``, if any."""


SAMPLED = ("effect", "crps_less_walk")
"""Columns whose ``_se`` is a sampling error, not a Monte Carlo error: it does not round the estimate."""


COMPARISONS = ("shift", "learned")
"""Columns that compare two intervals: the interval of their row is of another quantity."""


ERRORS = ("mcse", "se")
"""Columns that hold an error, alone or as the beginning or the end of a name (``mcse_lower``, ``swing_se``)."""


WITHOUT_UNIT = ("rhat", "ess", "weight", "k_hat")
"""Beginnings of columns that judge or weigh what stands in their row: the row's error, in its unit, is not theirs."""


IN_UNIT = ("mean", "median", "lower", "upper")
"""Columns in the unit of their row, as its errors are; others, such as the ends of an input, have their own."""


MONEY = "GBP"


CHANCE = "probability"


CHILDREN = "children"


def is_error(field: str) -> bool:
    """Return whether a column holds errors."""
    return any(field == name or field.startswith(f"{name}_") or field.endswith(f"_{name}") for name in ERRORS)


def implied_unit(name: str) -> str:
    """Return the unit of what a column ``quantity`` names, where its row states none."""
    if name.startswith("prob_"):
        return CHANCE
    found = quantity_of(name)
    return found.unit.partition(" ")[0] if found else ""


def unit_style(row: Mapping[str, Any], field: str, *, style: Style) -> Style:
    """Return the style of a cell of a table that holds several quantities: the row's unit decides for a number.

    ``money`` and ``count`` for amounts and children and their errors; ``probability`` for chances, whose
    errors stay numbers. `row`: its ``unit`` is read or, where it has none, its ``quantity``.
    """
    # `style`: what the column asks for; only ``number`` gives way.
    if style != "number" or not (field in IN_UNIT or is_error(field)):
        return style
    unit = str(row.get("unit", implied_unit(str(row.get("quantity", "")))))
    if unit in (MONEY, CHILDREN):
        return "money" if unit == MONEY else "count"
    return "probability" if unit == CHANCE and not is_error(field) else style


def row_error(row: Mapping[str, Any], field: str, *, style: Style, appraisal: Appraisal) -> float:
    """Return the standard error of a cell: stated in its row, else implied by its interval, else 0.

    0 for a column that holds errors or judges its row: it has no error of its own.
    """
    if is_error(field) or field.startswith(WITHOUT_UNIT):
        return 0.0
    own = row.get(f"{field}_se", row.get("se") if field in ERRORS_IN_SE else None)
    own = None if field in SAMPLED and f"{field}_se" in row else own
    if is_defined(own):
        return float(own)
    stated = row.get("prob_mcse" if style == "probability" and "prob_mcse" in row else "mcse")
    if style != "probability" and "prob_mcse" not in row and any(name.startswith("prob_") for name in row):
        stated = None  # where a row holds a chance and one error, the error is of the chance
    if is_defined(stated):
        return float(stated)
    draws = int(appraisal.analysis.draws)
    if style == "probability":
        value = float(row[field])
        return (max(value * (1.0 - value), 0.0) / draws) ** 0.5
    stem = field.rsplit("_", 1)[0] + "_" if "_" in field else ""
    lower, upper = row.get(f"{stem}lower"), row.get(f"{stem}upper")
    if is_defined(lower) and is_defined(upper) and field not in COMPARISONS:
        return error_from_interval(float(lower), float(upper), draws=draws)
    return 0.0


# --- Numbers in the page that say where they come from ---


_TESTS: dict[str, Callable[[pd.Series, Any], pd.Series]] = {
    "": lambda cells, value: cells == value,
    "starts": lambda cells, value: cells.astype(str).str.startswith(str(value)),
    "from": lambda cells, value: cells >= value,
    "to": lambda cells, value: cells <= value,
    "never": lambda cells, value: cells.isna() == value,
    "not": lambda cells, value: cells != value,
    "before": lambda cells, value: cells.astype(str) < str(value),
    "among": lambda cells, value: cells.isin(str(value).split()),
}


def style_of(key: str) -> Style:
    """Return how a result is written, by its quantity."""
    found = quantity_of(key)
    return found.style if found else "number"


def bound(value: object, text: str, attributes: Mapping[str, object]) -> Markup:
    """Return a ``<data>`` element; every attribute and the text are escaped."""
    raw = repr(float(value)) if is_defined(value) else ""
    named = "".join(f' {name}="{escape(str(content))}"' for name, content in attributes.items())
    return Markup(f'<data class="n" value="{raw}"{named}>{escape(text)}</data>')


def result_number(
    appraisal: Appraisal, key: str, field: str = "mean", *, style: Style | None = None
) -> Markup:
    """Return one field of one result as a bound number.

    `field`: ``mean``, ``median``, ``lower``, ``upper``, ``level`` or ``mcse``.
    """
    entry = appraisal.results.get(key)
    if entry is None or field not in entry:
        raise InputError(
            "the appraisal has no such result", field=f"{key}, {field}", allowed="a key of results"
        )
    value = entry[field]
    chosen = style or ("share" if field == "level" else style_of(key))
    unit = _unit(entry, value, chosen, field=field)
    text = show(value, style=chosen, unit=unit)
    return bound(value, text, {"data-stance": appraisal.stance, "data-key": key, "data-field": field})


def _unit(entry: Mapping[str, Any], value: object, style: Style, *, field: str) -> float | None:
    """Return what to round to: for a probability its standard error, for an error its second figure."""
    if field in ("level", "mcse"):
        return rounding_unit(float(value), figures=2) if is_defined(value) else None
    stated = entry.get("mcse")
    error = float(stated) if is_defined(stated) else 0.0
    if style == "probability":
        return error
    return rounding_unit(float(value), error) if is_defined(value) else None


def matching_rows(frame: pd.DataFrame, where: Mapping[str, object]) -> pd.DataFrame:
    """Return the rows that hold the given values."""
    # `where`: column to value; ``name__starts`` asks how a text starts, ``year__from`` and ``year__to`` bound
    # a number, ``year__never`` asks whether it is missing, ``name__among`` whether it is one of several
    # words, ``name__not`` whether it differs, ``reviewed__before`` whether an ISO date is earlier.
    held = np.ones(len(frame), dtype=bool)
    for key, value in where.items():
        column, _, test = key.partition("__")
        if column not in frame:
            raise InputError(
                "a table has no such column", field=column, allowed=", ".join(map(str, frame.columns))
            )
        held &= _TESTS[test](frame[column], value).to_numpy(dtype=bool)
    return frame[held]


def table_number(
    appraisal: Appraisal,
    table: str,
    field: str,
    aggregate: str = "",
    *,
    style: Style = "number",
    error: float | None = None,
    **where: object,
) -> Markup:
    """Return one cell of a table, or the ``sum`` or ``count`` of the matching cells, as a bound number.

    `where`: column values that pick the rows. `aggregate`: empty for one cell; ``sum`` or ``count`` over the
    rows that match. `error`: Monte Carlo standard error of the cell, where its row does not state it.
    """
    rows = matching_rows(appraisal.tables[table], where)
    attributes = {"data-stance": appraisal.stance, "data-table": table, "data-field": field}
    attributes["data-where"] = urlencode(where)
    if aggregate:
        attributes["data-aggregate"] = aggregate
        value = float(rows[field].sum()) if aggregate == "sum" else float(len(rows))
        return bound(value, show(value, style=style), attributes)
    if len(rows) != 1:
        raise InputError(
            "a cell is not one cell", field=f"{table}, {where}", found=f"{len(rows)} rows", allowed="1"
        )
    row = rows.iloc[0].to_dict() | ({} if error is None else {"mcse": error})
    return bound(row[field], cell_text(row, field, style=style, appraisal=appraisal), attributes)


def cell_text(row: Mapping[str, Any], field: str, *, style: Style, appraisal: Appraisal) -> str:
    """Return the text of one cell, rounded to the error its row states or its interval implies."""
    value = row[field]
    if not is_defined(value):
        return UNDEFINED
    if style == "plain":
        return show(value, style=style)
    style = unit_style(row, field, style=style)
    error = row_error(row, field, style=style, appraisal=appraisal)
    if style == "share":
        return show(value, style=style, unit=percentage_step(error))
    unit = error if style == "probability" else rounding_unit(float(value), error)
    return show(value, style=style, unit=unit)


# --- Words for probabilities: the UK government's probability yardstick, printed in the report and … ---


@dataclass(frozen=True)
class Band:
    """One band: its words, the range the yardstick gives, and where the next one starts here (0 to 1)."""

    words: str
    yardstick: str
    below: float


BANDS = (
    Band("a remote chance", "0% to about 5%", 0.075),
    Band("highly unlikely", "about 10% to 20%", 0.225),
    Band("unlikely", "about 25% to 35%", 0.375),
    Band("a realistic possibility", "about 40% to under 50%", 0.525),
    Band("likely", "about 55% to 75%", 0.775),
    Band("highly likely", "about 80% to 90%", 0.925),
    Band("almost certain", "about 95% to 100%", 1.0),
)


def words_for(probability: float) -> str:
    """Return the words for a probability."""
    if not 0.0 <= probability <= 1.0:
        raise InputError("a probability is outside 0 to 1", found=probability, allowed="0 to 1")
    return next((band.words for band in BANDS if probability < band.below), BANDS[-1].words)
