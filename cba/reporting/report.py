"""The report: the appraisals of one run as a single HTML file that loads nothing and runs one script, its own.

The prose is in ``templates/``; every number in it comes from a function that looks it up in the appraisal,
so the text can be read and changed without touching Python, and no number is typed twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cba.errors import InputError
from cba.reporting.checklist import checklist_of_run
from cba.reporting.page_sections import anchors_of, shown_sections
from cba.reporting.page_templates import templates
from cba.reporting.report_choices import lead_option
from cba.reporting.report_context import report_context
from cba.reporting.run_record import run_people
from cba.reporting.security import secured

if TYPE_CHECKING:
    import pandas as pd

    from cba.appraisal import Appraisal


def render_report(
    appraisals: Sequence[Appraisal] | Mapping[str, Appraisal],
    *,
    headline: Mapping[str, Any],
    manifest: Mapping[str, Any],
) -> str:
    """Return the report of a run as one HTML page.

    Parameters
    ----------
    appraisals : sequence of Appraisal, or mapping of stance to Appraisal
        One per stance, all of the same analysis; the first is the headline stance.
    headline : mapping
        Content of headline.json; its ``results`` must be those of the first appraisal.
    manifest : mapping
        Content of manifest.json; printed under provenance.

    Returns
    -------
    str
        HTML 5, UTF-8, under 5 MB; text from inputs is escaped.

    Raises
    ------
    InputError
        No appraisal, or a headline whose results are not the first appraisal's.

    Examples
    --------
    >>> render_report([appraisal], headline=headline, manifest=manifest)[:15]  # doctest: +SKIP
    '<!DOCTYPE html>'
    """
    given = tuple(appraisals.values()) if isinstance(appraisals, Mapping) else tuple(appraisals)
    if not given:
        raise InputError(
            "there is nothing to report", field="appraisals", found="none", allowed="one or more"
        )
    _check_headline(given[0], headline)
    page = templates().get_template("report.html.j2").render(report_context(given, manifest=manifest))
    return secured(page)


def report_checklist(
    appraisals: Sequence[Appraisal] | Mapping[str, Appraisal], *, manifest: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Return the checklist of standards as a run meets it, for ``tables/checklist.csv`` of the run.

    Parameters
    ----------
    appraisals : sequence of Appraisal, or mapping of stance to Appraisal
        The first is the headline stance.
    manifest : mapping, optional
        Content of manifest.json, which says whether an earlier run is compared.

    Returns
    -------
    DataFrame
        As :func:`cba.reporting.checklist.checklist_of_run`, the same rows as the page prints.

    Examples
    --------
    >>> report_checklist([appraisal])["status"].value_counts()  # doctest: +SKIP
    """
    given = tuple(appraisals.values()) if isinstance(appraisals, Mapping) else tuple(appraisals)
    first = given[0]
    shown = shown_sections(first, lead_option(first), manifest=manifest or {})
    return checklist_of_run(first, anchors=anchors_of(shown), people=run_people(first))


def _check_headline(appraisal: Appraisal, headline: Mapping[str, Any]) -> None:
    """Refuse a headline that is not of the first appraisal."""
    stated = headline.get("results", {})
    different = sorted(set(stated) ^ set(appraisal.results))
    if different:
        raise InputError(
            "headline and first appraisal hold different results",
            field="headline.results",
            found=", ".join(different[:5]),
            allowed="the keys of the first appraisal",
            cause="appraisals out of order",
            remedy="give the appraisal of the headline stance first",
        )
