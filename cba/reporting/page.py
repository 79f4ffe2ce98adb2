"""The pages of a run: its appraisals as HTML files that load nothing.

The templates get functions that look numbers up, each bound to where the number comes from; the figures; and what each
section chose to name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from cba.appraisal.quantities import stem_of
from cba.discounting import find_schedule
from cba.inputs.evidence import load_claims
from cba.reporting.choices import (
    FRAMES,
    Appraisals,
    View,
    flat_rows,
    headline_first,
    horizon_years,
    in_order,
    lead_option,
    reason,
    run_identity,
    run_people,
    single_vintage_exceptions,
)
from cba.reporting.explorer import explorer_parts
from cba.reporting.figures import children, decisions, drivers, evidence, fits, learning, money
from cba.reporting.figures.style import is_shown, on_page
from cba.reporting.html_tables import (
    assumption_rows,
    columns,
    csv_link,
    frame_link,
    html_table,
    range_columns,
)
from cba.reporting.names import full_name, input_name, stance_name
from cba.reporting.numbers import (
    BANDS,
    Style,
    bound,
    cell_text,
    is_defined,
    matching_rows,
    result_number,
    show,
    style_of,
    table_number,
    words_for,
)
from cba.reporting.sections import (
    PAGES,
    STATUSES,
    anchors_of,
    checklist_of_run,
    contents,
    linked,
    secured,
    shown_sections,
    templates,
)

if TYPE_CHECKING:
    import pandas as pd

    from cba.appraisal.record import Appraisal


FIGURES = (
    *children.FIGURES,
    *decisions.FIGURES,
    *drivers.FIGURES,
    *evidence.FIGURES,
    *fits.FIGURES,
    *learning.FIGURES,
    *money.FIGURES,
)
"""Every figure of the report, but those made for what a run holds."""


TARGET_KEYS = {
    "stock": stem_of("children_in_care"),
    "fewer": stem_of("fewer_children"),
    "prob_fewer": stem_of("prob_fewer_30000"),
    "prob_more": stem_of("prob_more_children"),
    "yearly": stem_of("annual_saving"),
    "prob_yearly": stem_of("prob_annual_saving"),
    "system_cash": stem_of("system_cost_cash"),
    "system_real": stem_of("system_cost_real"),
    "prob_system_cash": stem_of("prob_system_cost_cash"),
    "prob_system_real": stem_of("prob_system_cost_real"),
}
"""Keys of the quantities of the target year by the name templates use."""


def lookups(by_stance: Mapping[str, Appraisal], first: Appraisal, lead: str) -> dict[str, Callable[..., Any]]:
    """Return the functions the templates call; ``stance`` defaults to the headline's."""

    def held(stance: str | None = None) -> Appraisal:
        return by_stance[stance or first.stance]

    def of_stance(look: Callable[..., Markup]) -> Callable[..., Markup]:
        return lambda *what, stance=None, **how: look(held(stance), *what, **how)

    total: Callable[..., Markup] = partial(table_number, first)

    def horizon_total(**where: object) -> Markup:
        years = dict(zip(("year__from", "year__to"), horizon_years(first), strict=True))
        return total("cash_flow_by_year", "mean", "sum", style="money", option=lead, **years, **where)

    return {
        "n": of_stance(result_number),
        "cell": of_stance(table_number),
        "table": of_stance(html_table),
        "fact": of_stance(_fact),
        "defined": lambda key, field="mean", stance=None: is_defined(held(stance).results[key][field]),
        "likelihood": lambda key, stance=None: words_for(float(held(stance).results[key]["mean"])),
        "reason": lambda key, stance=None: reason(held(stance), key),
        "total": partial(total, style="plain"),
        "horizon_total": horizon_total,
        "row_number": partial(_row_number, first),
        "label": lambda option: first.option_labels.get(option, option),
        "claim": lambda name: Markup('<span class="given">{}</span>').format(load_claims().each[name]),
        "claim_of": lambda name: load_claims().each[name],
        "claim_prices": lambda: Markup('<span class="given">{}</span>').format(load_claims().prices),
        "csv": lambda table_name, name: csv_link(first, table_name, name=name),
        "has_rows": lambda name, **where: (
            name in first.tables and len(matching_rows(first.tables[name], where)) > 0
        ),
        "holds": View((first,), lead).holds,
        "columns": columns,
        "range_columns": range_columns,
        "plain_style": _plain_style,
        "error_style": _error_style,
    }


def _row_number(
    appraisal: Appraisal, table: str, position: int, field: str, style: Style = "number"
) -> Markup:
    """Return one cell of a table by the position of its row."""
    row = appraisal.tables[table].iloc[position].to_dict()
    place = {"data-stance": appraisal.stance, "data-table": table, "data-row": position, "data-field": field}
    return bound(row[field], cell_text(row, field, style=style, appraisal=appraisal), place)


def _plain_style(key: str) -> Style:
    """Return the style of a quantity in a table, where signs stand for words."""
    style = style_of(key)
    signed: dict[Style, Style] = {"net": "money", "fewer": "count"}
    return signed.get(style, style)


def _error_style(key: str) -> Style:
    """Return the style of a quantity's error: an error of a probability or of a year is a plain number."""
    style = _plain_style(key)
    return "number" if style in ("probability", "year", "ratio") else style


def _fact(appraisal: Appraisal, path: str, value: object = None, **how: Any) -> Markup:
    """Return a setting or an entry of the provenance. `how`: ``style`` and ``error``; as given where left out."""
    found: Any = appraisal
    if value is None:
        for step in path.split("."):
            found = found[step] if isinstance(found, Mapping) else getattr(found, step)
        value = found
    if not is_defined(value):
        return escape(str(value))
    text = show(value, style=how.get("style", "plain"), unit=how.get("error"))
    return bound(value, text, {"data-stance": appraisal.stance, "data-fact": path})


# --- What the templates are given ---


def report_context(appraisals: Sequence[Appraisal], *, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything the report's templates use."""
    first = appraisals[0]
    by_stance = {appraisal.stance: appraisal for appraisal in appraisals}
    view = View(tuple(appraisals), lead_option(first))
    identity, found = run_identity(manifest, first), contents(view, manifest=manifest)
    return {
        **_names(view, by_stance),
        **TARGET_KEYS,
        **lookups(by_stance, first, view.option),
        **explorer_parts(appraisals, lead=view.option),
        **_figures(view),
        **drivers.change_context(manifest),
        **assumption_rows(first, as_at=identity["as_at"]),
        **identity,
        **found,
        **_checklist(first, anchors=found["anchors"]),
        "loosened": manifest.get("loosened", ()),
        "stale_inputs": manifest.get("stale", ()),
        "manifest_rows": flat_rows(manifest, first.provenance),
        "exceptions": single_vintage_exceptions(manifest, first),
    }


def _figures(view: View) -> dict[str, Any]:
    """Return the figures of the page by name, and those of effects in order with what their titles name."""
    stages = view.first.tables["effects"].groupby("estimand", sort=False)["stage"].last()
    return {
        "figures": {figure.name: on_page(figure, view) for figure in FIGURES if is_shown(figure, view)},
        "effect_figures": [
            {"estimand": name, "label": figure.title, "last": stage, "figure": on_page(figure, view)}
            for figure, (name, stage) in zip(evidence.effect_figures(view), stages.items(), strict=True)
        ],
    }


def _checklist(first: Appraisal, *, anchors: Mapping[str, str]) -> dict[str, Any]:
    """Return the checklist as this run meets it, and who answers for the run."""
    people = run_people(first)
    table = checklist_of_run(first, anchors=anchors, people=people)
    return {
        "people": people,
        "checklist": table.to_dict("records"),
        "checklist_counts": {status: int((table["status"] == status).sum()) for status in STATUSES},
        "checklist_link": frame_link(table, name="checklist"),
    }


def _names(view: View, by_stance: Mapping[str, Appraisal]) -> dict[str, Any]:
    """Return what every section reads of the run: its settings, options and stances, and how they are called."""
    first = view.first
    reviews = [a.provenance["review"] for a in by_stance.values() if a.provenance.get("review")]
    valued = [s for s, a in by_stance.items() if is_defined(a.results[f"npv_fiscal.{view.option}"]["mean"])]
    return {
        "pages": PAGES,
        "analysis": first.analysis,
        "schedule_title": find_schedule(first.analysis.schedule).title,
        "frame_words": FRAMES.get(first.analysis.frame or "", "Settings of its own"),
        "results": first.results,
        "lead": view.option,
        "programme": view.programme,
        "lead_stance": first.stance,
        "stances": list(by_stance),
        "shown_stances": valued,
        "other_stances": [s for s in by_stance if s != first.stance],
        "options": list(first.option_labels),
        "bands": BANDS,
        "horizon": horizon_years(first),
        "review": reviews[0] if reviews else None,
        "full_name": full_name,
        "input_name": input_name,
        "stance_name": stance_name,
    }


# --- The pages ---


def render_pages(
    appraisals: Appraisals, *, headline: Mapping[str, Any], manifest: Mapping[str, Any]
) -> dict[str, str]:
    """Return the pages of a run as HTML, by file in its folder; each stands alone and links to the others.

    HTML 5, UTF-8; text from inputs is escaped. `headline`: content of headline.json; its ``results`` must be
    those of the first appraisal.
    """
    given = headline_first(appraisals, headline)
    context = report_context(given, manifest=manifest)
    template = templates().get_template("page.html.j2")
    made = {
        page.file: template.render(context, page=page, sections=context["by_page"][page.name])
        for page in PAGES
    }
    return {file: secured(html) for file, html in linked(made).items()}


def report_checklist(appraisals: Appraisals, *, manifest: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Return the checklist of standards as a run meets it, for ``tables/checklist.csv`` of the run."""
    given = in_order(appraisals)
    shown = shown_sections(View(given, lead_option(given[0])), manifest=manifest or {})
    return checklist_of_run(given[0], anchors=anchors_of(shown), people=run_people(given[0]))
