"""The headline in the terminal: one row an option, and two sentences that give both framings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

Results = Mapping[str, Mapping[str, Any]]


def headline_table(headline: Mapping[str, Any]) -> Table:
    """Return the results of the headline stance, every figure rounded to what its error supports.

    Parameters
    ----------
    headline : mapping
        As in headline.json.

    Returns
    -------
    Table
        One row an option, business as usual left out.

    Examples
    --------
    >>> headline_table(run.headline).row_count  # doctest: +SKIP
    10
    """
    from rich.table import Table

    run, results = headline["run"], headline["results"]
    settings = run["settings"]
    year, level = settings["target_year"], f"{settings['level']:.0%}"
    about = f"stance {run['headline_stance']}, difference from bau, {level} intervals"
    table = Table(title=f"{run.get('title') or run['analysis']}\n{about}")
    table.add_column("Option", overflow="fold", no_wrap=True)
    for column in (
        f"Fewer children {year}",
        "P(30,000 fewer)",
        "NPV, £bn",
        "P(net saving)",
        "P(net cost)",
        "Pays back",
    ):
        table.add_column(column, justify="right")
    for option in settings["options"]:
        if option != "bau":
            table.add_row(option, *_cells(results, option=option, year=year))
    return table


def headline_sentences(headline: Mapping[str, Any]) -> tuple[str, str]:
    """Return the finding in two sentences, each with the chance of it and of its opposite.

    Parameters
    ----------
    headline : mapping
        As in headline.json.

    Returns
    -------
    tuple of str
        On children in care and on money, about ``care_review``, or the first option where it is not there.

    Examples
    --------
    >>> print(headline_sentences(run.headline)[1])  # doctest: +SKIP
    care_review has a 4% chance of a net saving over 10 years and a 96% chance of a net cost; ...
    """
    settings, results = headline["run"]["settings"], headline["results"]
    options = [option for option in settings["options"] if option != "bau"]
    option = "care_review" if "care_review" in options else options[0]
    year = settings["target_year"]
    saving, cost = _framings(results.get(f"prob_npv_positive.{option}"))
    met, missed = _framings(results.get(f"prob_fewer_30000_{year}.{option}"))
    fewer = results.get(f"fewer_children_{year}.{option}")
    npv = results.get(f"npv_fiscal.{option}")
    interval = f"{settings['level']:.0%} interval"
    prices = f"{settings['price_base'] - 1}-{settings['price_base'] % 100:02d} prices"
    low, mean, high = (_shown(fewer, field, style="fewer") for field in ("lower", "mean", "upper"))
    return (
        f"{option} has a {met} chance of at least 30,000 fewer children in care by March {year} and a"
        f" {missed} chance of less than that: on average {mean} than business as usual ({interval} {low} to"
        f" {high}).",
        f"It has a {saving} chance of a net saving over {settings['horizon']} years and a {cost} chance of a"
        f" net cost: on average {_shown(npv, 'mean', style='net')}"
        f" ({interval}: {_shown(npv, 'lower', style='net')} to {_shown(npv, 'upper', style='net')};"
        f" present value, {prices}).",
    )


def _cells(results: Results, *, option: str, year: int) -> tuple[str, ...]:
    """Return the cells of one option."""
    npv = results.get(f"npv_fiscal.{option}")
    saving, cost = _framings(results.get(f"prob_npv_positive.{option}"))
    return (
        _shown(results.get(f"fewer_children_{year}.{option}"), "mean", style="count"),
        _framings(results.get(f"prob_fewer_30000_{year}.{option}"))[0],
        f"{_billions(npv, 'lower')} to {_billions(npv, 'upper')}",
        saving,
        cost,
        _payback(results.get(f"payback_year.{option}"), never=results.get(f"prob_never.{option}")),
    )


def _payback(year: Mapping[str, Any] | None, *, never: Mapping[str, Any] | None) -> str:
    """Return the median year with the chance that it never comes."""
    chance = f"never: {_framings(never)[0]}"
    if year is None or year.get("median") is None:
        return chance
    return f"{_shown(year, 'median', style='year')} ({chance})"


def _shown(entry: Mapping[str, Any] | None, field: str, *, style: Any = "money") -> str:
    """Return one figure of a result, rounded to the Monte Carlo error of its mean."""
    from cba.reporting.numbers import UNDEFINED, is_defined, rounding_unit, show

    if entry is None or not is_defined(entry.get(field)):
        return UNDEFINED
    value = float(entry[field])
    return show(value, style=style, unit=None if style == "year" else rounding_unit(value, entry.get("mcse")))


def _billions(entry: Mapping[str, Any] | None, field: str) -> str:
    """Return one figure of a result in GBP billion, rounded as `_shown` rounds."""
    from cba.reporting.numbers import UNDEFINED, is_defined, rounding_unit, show

    if entry is None or not is_defined(entry.get(field)):
        return UNDEFINED
    value = float(entry[field])
    return show(value / 1e9, style="number", unit=rounding_unit(value, entry.get("mcse")) / 1e9)


def _framings(entry: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return a probability and that of its opposite."""
    from cba.reporting.numbers import UNDEFINED, is_defined, show

    if entry is None or not is_defined(entry.get("mean")):
        return UNDEFINED, UNDEFINED
    chance, error = float(entry["mean"]), float(entry.get("mcse") or 0.0)
    return show(chance, style="probability", unit=error), show(1.0 - chance, style="probability", unit=error)
