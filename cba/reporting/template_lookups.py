"""The functions templates call to look numbers up, each bound to where the number comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from cba.reporting.bound_numbers import bound, cell_text, result_number, style_of, table_number
from cba.reporting.horizon import horizon_years
from cba.reporting.html_tables import columns, csv_link, html_table
from cba.reporting.numbers import Style, is_defined, show
from cba.reporting.page_sections import holds
from cba.reporting.report_choices import reason
from cba.reporting.verbal_scale import words_for

if TYPE_CHECKING:
    from cba.appraisal import Appraisal


TARGET_KEYS = {
    "stock": "children_in_care_2032",
    "fewer": "fewer_children_2032",
    "prob_fewer": "prob_fewer_30000_2032",
    "yearly": "annual_saving_2032",
    "prob_yearly": "prob_annual_saving_1bn_2032",
    "system_cash": "system_cost_2032_cash",
    "system_real": "system_cost_2032_real",
    "prob_system_cash": "prob_system_cost_15bn_2032_cash",
    "prob_system_real": "prob_system_cost_15bn_2032_real",
}
"""Quantities of the target year by the name templates use; the keys say 2032 whatever the year."""


def lookups(by_stance: Mapping[str, Appraisal], first: Appraisal, lead: str) -> dict[str, Callable[..., Any]]:
    """Return the functions the templates call; ``stance`` defaults to the headline's.

    Parameters
    ----------
    by_stance : mapping of str to Appraisal
    first : Appraisal
        Of the headline stance.
    lead : str
        Option the report follows.

    Returns
    -------
    dict of str to callable

    Examples
    --------
    >>> lookups({"evidence": appraisal}, appraisal, "care_review")["n"]("bcr.care_review")  # doctest: +SKIP
    """
    return {
        **_by_stance(by_stance, first),
        **_of_headline_stance(first, lead),
        "fact": _fact_of(by_stance, first),
        "plain_style": _plain_style,
        "error_style": _error_style,
    }


def _by_stance(by_stance: Mapping[str, Appraisal], first: Appraisal) -> dict[str, Callable[..., Any]]:
    """Return the functions that look in the appraisal of any stance."""

    def held(stance: str | None) -> Appraisal:
        return by_stance[stance or first.stance]

    def n(key: str, field: str = "mean", stance: str | None = None, style: Style | None = None) -> Markup:
        return result_number(held(stance), key, field, style=style)

    def defined(key: str, field: str = "mean", stance: str | None = None) -> bool:
        return is_defined(held(stance).results[key][field])

    def cell(
        table: str,
        field: str,
        style: Style = "number",
        stance: str | None = None,
        error: float | None = None,
        **where: object,
    ) -> Markup:
        return table_number(held(stance), table, field, style=style, where=where, error=error)

    def table(
        name: str,
        specified: Sequence[str],
        caption: str,
        where: Mapping[str, object] | None = None,
        stance: str | None = None,
        order: str = "",
    ) -> Markup:
        shown = columns(*specified)
        return html_table(held(stance), name, shown, caption=caption, where=where, order=order)

    def likelihood(key: str, stance: str | None = None) -> str:
        return words_for(float(held(stance).results[key]["mean"]))

    return {
        "n": n,
        "defined": defined,
        "cell": cell,
        "table": table,
        "likelihood": likelihood,
        "reason": lambda key, stance=None: reason(held(stance), key),
    }


def _of_headline_stance(first: Appraisal, lead: str) -> dict[str, Callable[..., Any]]:
    """Return the functions that look in the appraisal of the headline stance."""

    def total(table: str, field: str, aggregate: str, **where: object) -> Markup:
        return table_number(first, table, field, style="plain", aggregate=aggregate, where=where)

    def horizon_total(**where: object) -> Markup:
        first_year, last_year = horizon_years(first)
        picked = {"option": lead, "year__from": first_year, "year__to": last_year, **where}
        return table_number(first, "cash_flow_by_year", "mean", style="money", aggregate="sum", where=picked)

    def row_number(name: str, position: int, field: str, style: Style = "number") -> Markup:
        row = first.tables[name].iloc[position].to_dict()
        place = {"data-stance": first.stance, "data-table": name, "data-row": position, "data-field": field}
        return bound(row[field], cell_text(row, field, style=style, appraisal=first), place)

    return {
        "total": total,
        "horizon_total": horizon_total,
        "row_number": row_number,
        "label": lambda option: first.option_labels.get(option, option),
        "csv": lambda table_name, name: csv_link(first, table_name, name=name),
        "has_rows": lambda name: len(first.tables.get(name, ())) > 0,
        "holds": lambda name: holds(first, name, lead),
    }


def _plain_style(key: str) -> Style:
    """Return the style of a quantity in a table, where signs stand for words."""
    style = style_of(key)
    signed: dict[Style, Style] = {"net": "money", "fewer": "count"}
    return signed.get(style, style)


def _error_style(key: str) -> Style:
    """Return the style of a quantity's error: an error of a probability or of a year is a plain number."""
    style = _plain_style(key)
    return "number" if style in ("probability", "year", "ratio") else style


def _fact_of(by_stance: Mapping[str, Appraisal], first: Appraisal) -> Callable[..., Markup]:
    """Return the function that binds a setting or an entry of the provenance."""

    def fact(
        path: str,
        style: Style = "plain",
        stance: str | None = None,
        value: object = None,
        error: float | None = None,
    ) -> Markup:
        found: Any = by_stance[stance or first.stance]
        if value is None:
            for step in path.split("."):
                found = found[step] if isinstance(found, Mapping) else getattr(found, step)
            value = found
        if not is_defined(value):
            return escape(str(value))
        text = show(value, style=style, unit=error)
        return bound(value, text, {"data-stance": stance or first.stance, "data-fact": path})

    return fact
