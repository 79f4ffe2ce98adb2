"""A result card for notebooks: the headline of one appraisal in a small block of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cba.appraisal.quantities import QUANTITIES
from cba.reporting.choices import lead_option
from cba.reporting.names import stance_name
from cba.reporting.numbers import is_defined, show, style_of
from cba.reporting.page import TARGET_KEYS, lookups
from cba.reporting.sections import templates

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal


def result_card(appraisal: Appraisal) -> str:
    """Return the headline of an appraisal as HTML, for ``_repr_html_``.

    One ``<section>`` with its own styles, no script and nothing loaded; text from inputs is escaped.
    """
    return templates().get_template("card.html.j2").render(_context(appraisal))


def _context(appraisal: Appraisal) -> dict[str, Any]:
    """Return what the card uses."""
    return {
        "analysis": appraisal.analysis,
        "lead_stance": appraisal.stance,
        "options": list(appraisal.option_labels),
        "stance_name": stance_name,
        "more": [(entry.stem, entry.filled(entry.words)) for entry in QUANTITIES.values() if entry.on_card],
        **TARGET_KEYS,
        **lookups({appraisal.stance: appraisal}, appraisal, lead_option(appraisal)),
    }


# --- The page that lists all runs with their status and headline ---


_STATUS_WORDS = {
    "published": "Published: readers see this run",
    "held": "Held: waits for approval",
    "superseded": "Superseded",
    "not published": "Not published",
    "damaged": "Damaged: do not use",
}


def render_runs_index(rows: Sequence[Any]) -> str:
    """Return the list of all runs as one HTML page.

    HTML 5; every text from outside is escaped; each analysis has a table.
    """
    analyses: dict[str, list[Any]] = {}
    for row in rows:
        analyses.setdefault(row.analysis, []).append(row)
    groups = [
        {
            "name": name,
            "title": runs[0].title,
            "quantity": next((run.label for run in runs if run.label), ""),
            "runs": [_cells(run) for run in runs],
        }
        for name, runs in analyses.items()
    ]
    return templates().get_template("runs_index.html.j2").render(groups=groups)


def _cells(row: Any) -> dict[str, Any]:
    """Return the words of one row of the table."""
    style = style_of(row.key) if row.key else "number"
    between = ""
    if is_defined(row.lower) and is_defined(row.upper):
        ends = f"{_amount(row.lower, style)} to {_amount(row.upper, style)}"
        between = f"{ends} ({row.level:.0%} interval)" if is_defined(row.level) else ends
    return {
        **vars(row),
        "finished": row.finished.replace("T", " ").replace("Z", " UTC") or "not known",
        "status_words": _STATUS_WORDS.get(row.status, row.status),
        "mean": show(row.mean, style=style) if row.key else "no result",
        "between": between,
    }


def _amount(value: float | None, style: Any) -> str:
    """Return the end of an interval: money with its sign, as a range of a saving and a cost cannot be spoken."""
    return show(value, style="money" if style == "net" else style)
