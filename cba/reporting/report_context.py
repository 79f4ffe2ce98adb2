"""What the templates are given: look-up functions, names, figures, and the choices a page makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cba.costs.discount_schedules import find_schedule
from cba.reporting.assumption_rows import assumption_rows
from cba.reporting.bound_numbers import matching_rows
from cba.reporting.checklist import STATUSES, checklist_of_run
from cba.reporting.decision_choices import decision_choices
from cba.reporting.explorer import explorer_parts
from cba.reporting.figures_changes import change_context
from cba.reporting.figures_money import horizon_years
from cba.reporting.figures_payers import payer_totals
from cba.reporting.full_names import full_name, input_name, stance_name
from cba.reporting.html_tables import frame_link
from cba.reporting.numbers import is_defined
from cba.reporting.page_figures import all_figures, effect_figures
from cba.reporting.page_figures_beliefs import belief_figures
from cba.reporting.page_figures_decisions import decision_figures
from cba.reporting.page_figures_fits import fit_figures
from cba.reporting.page_figures_stress import stress_figures
from cba.reporting.page_figures_tracker import tracker_choices, tracker_figures
from cba.reporting.page_figures_trust import trust_figures
from cba.reporting.page_sections import anchors_of, parts_of, sections_left_out, shown_sections
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
    record_is_current,
    vintages_shown,
)
from cba.reporting.row_choices import row_choices
from cba.reporting.run_record import FRAMES, flat_rows, run_identity, run_people, single_vintage_exceptions
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
    identity = run_identity(manifest, first)
    return (
        _facts(first, by_stance, lead, last_shown)
        | TARGET_KEYS
        | lookups(by_stance, first, lead)
        | explorer_parts(appraisals, lead=lead)
        | {
            "figures": all_figures(appraisals, lead, last_year=last_shown)
            | decision_figures(first, lead)
            | belief_figures(appraisals, lead)
            | tracker_figures(appraisals, lead)
            | fit_figures(first, lead)
            | trust_figures(first, lead)
            | stress_figures(first, lead),
            **change_context(manifest),
            **decision_choices(first, lead),
            **row_choices(by_stance, first, lead),
            **tracker_choices(appraisals, lead),
            **assumption_rows(first, as_at=identity["as_at"]),
            "effect_figures": effect_figures(first),
            "manifest_rows": flat_rows(manifest, first.provenance),
            "exceptions": single_vintage_exceptions(manifest, first),
            "people": run_people(first),
            **identity,
            **_contents(first, lead, manifest=manifest),
        }
    )


def _contents(first: Appraisal, lead: str, *, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections shown and left out, and the checklist as this run meets it."""
    shown = shown_sections(first, lead, manifest=manifest)
    anchors = anchors_of(shown)
    table = checklist_of_run(first, anchors=anchors, people=run_people(first))
    return {
        "sections": shown,
        "parts": parts_of(shown),
        "left_out": sections_left_out(first, lead),
        "checklist": table.to_dict("records"),
        "checklist_counts": {status: int((table["status"] == status).sum()) for status in STATUSES},
        "checklist_link": frame_link(table, name="checklist"),
        "anchors": anchors,
    }


def _facts(
    first: Appraisal, by_stance: Mapping[str, Appraisal], lead: str, last_shown: int
) -> dict[str, Any]:
    """Return names, lists and choices."""
    flows = matching_rows(first.tables["cash_flow_by_year"], {"option": lead})
    reviews = [a.provenance["review"] for a in by_stance.values() if a.provenance.get("review")]
    return {
        "analysis": first.analysis,
        "schedule_title": find_schedule(first.analysis.schedule).title,
        "frame_words": FRAMES.get(first.analysis.frame or "", "Settings of its own"),
        "results": first.results,
        "lead": lead,
        "lead_stance": first.stance,
        "stances": list(by_stance),
        "shown_stances": [
            s for s, held in by_stance.items() if is_defined(held.results[f"npv_fiscal.{lead}"]["mean"])
        ],
        "other_stances": [s for s in by_stance if s != first.stance],
        "options": list(first.option_labels),
        "bands": BANDS,
        "grades": GRADES,
        "last_observed": int(first.tables["history"]["year"].max()),
        "last_shown": last_shown,
        "horizon": horizon_years(first),
        "paths_overlap": paths_overlap(first, lead, last_shown),
        "vintages_shown": vintages_shown(first),
        "record_is_current": record_is_current(first),
        "hardest": hardest_target(first),
        "carrier": carrier(first, lead),
        "prior_groups": prior_groups(first),
        "overall_grade": overall_grade(first),
        "claims": first.tables["claims"].to_dict("records"),
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
