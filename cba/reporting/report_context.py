"""What the templates are given: look-up functions, names, figures, and the choices a page makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.checklist import STATUSES, checklist
from cba.reporting.decision_choices import decision_choices
from cba.reporting.figures_money import horizon_years
from cba.reporting.figures_payers import payer_totals
from cba.reporting.full_names import full_name, input_name, stance_name
from cba.reporting.html_tables import frame_link
from cba.reporting.numbers import is_defined, show
from cba.reporting.page_figures import all_figures, effect_figures
from cba.reporting.page_figures_beliefs import belief_figures
from cba.reporting.page_figures_decisions import decision_figures
from cba.reporting.page_sections import PageSection, sections_of
from cba.reporting.report_choices import (
    GRADES,
    carrier,
    hardest_target,
    last_shown_year,
    lead_option,
    overall_grade,
    paths_overlap,
    payer_message,
    prior_groups,
)
from cba.reporting.row_choices import row_choices
from cba.reporting.run_record import flat_rows, run_identity, single_vintage_exceptions
from cba.reporting.template_lookups import TARGET_KEYS, lookups
from cba.reporting.verbal_scale import BANDS

if TYPE_CHECKING:
    from cba.appraisal import Appraisal


def report_context(appraisals: Sequence[Appraisal], *, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything the report's templates use.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance, the headline first.
    manifest : mapping
        Content of manifest.json.

    Returns
    -------
    dict

    Examples
    --------
    >>> report_context([appraisal], manifest={})["lead"]  # doctest: +SKIP
    'care_review'
    """
    first = appraisals[0]
    by_stance = {appraisal.stance: appraisal for appraisal in appraisals}
    lead, last_shown = lead_option(first), last_shown_year(first)
    return (
        _facts(first, by_stance, lead, last_shown)
        | TARGET_KEYS
        | lookups(by_stance, first, lead)
        | {
            "figures": all_figures(appraisals, lead, last_year=last_shown)
            | decision_figures(first, lead)
            | belief_figures(appraisals, lead),
            **decision_choices(first, lead),
            **row_choices(by_stance, first, lead),
            "effect_figures": effect_figures(first),
            "manifest_rows": flat_rows(manifest, first.provenance),
            "exceptions": single_vintage_exceptions(manifest, first),
            **run_identity(manifest, first),
            **_checklist(sections_of(first, lead)),
        }
    )


def _facts(
    first: Appraisal, by_stance: Mapping[str, Appraisal], lead: str, last_shown: int
) -> dict[str, Any]:
    """Return names, lists and choices."""
    priors = first.tables["priors"]
    quantiles = [
        (f, w)
        for f, w in (
            ("p05", "5%"),
            ("q05", "5%"),
            ("p50", "50%"),
            ("q50", "50%"),
            ("p95", "95%"),
            ("q95", "95%"),
        )
        if f in priors
    ]
    flows = matching_rows(first.tables["cash_flow_by_year"], {"option": lead})
    reviews = [a.provenance["review"] for a in by_stance.values() if a.provenance.get("review")]
    return {
        "analysis": first.analysis,
        "results": first.results,
        "lead": lead,
        "lead_stance": first.stance,
        "stances": list(by_stance),
        "other_stances": [s for s in by_stance if s != first.stance],
        "options": list(first.option_labels),
        "sections": sections_of(first, lead),
        "bands": BANDS,
        "grades": GRADES,
        "last_observed": int(first.tables["history"]["year"].max()),
        "last_shown": last_shown,
        "horizon": horizon_years(first),
        "paths_overlap": paths_overlap(first, lead, last_shown),
        "hardest": hardest_target(first),
        "carrier": carrier(first, lead),
        "prior_groups": prior_groups(first),
        "overall_grade": overall_grade(first),
        "priors": [_prior_row(row) for row in priors.to_dict("records")],
        "claims": first.tables["claims"].to_dict("records"),
        "quantiles": quantiles,
        "payers": list(payer_totals(first, lead).index),
        "kinds": list(flows["kind"].unique()),
        "payer_message": payer_message(first, lead),
        "review": reviews[0] if reviews else None,
        "shown_results": [
            k
            for k in first.results
            if k.endswith((f".{lead}", ".bau")) and is_defined(first.results[k]["mean"])
        ],
        "full_name": full_name,
        "input_name": input_name,
        "stance_name": stance_name,
    }


def _prior_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the assumptions log with its price year as text, empty where it has none."""
    year = row.get("price_year")
    return {**row, "price_year": show(year, style="year") if is_defined(year) else ""}


def _checklist(shown: Sequence[PageSection]) -> dict[str, Any]:
    """Return the checklist, its counts and the names of the places it points to, those shown in this page."""
    table = checklist()
    return {
        "checklist": table.to_dict("records"),
        "checklist_counts": {status: int((table["status"] == status).sum()) for status in STATUSES},
        "checklist_link": frame_link(table, name="checklist"),
        "anchors": {s.anchor: s.title for s in shown} | {"scale": "Words used for chances"},
    }
