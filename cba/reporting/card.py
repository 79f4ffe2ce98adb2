"""A result card for notebooks: the headline of one appraisal in a small block of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cba.appraisal.quantities import QUANTITIES
from cba.reporting.choices import lead_option
from cba.reporting.names import stance_name
from cba.reporting.numbers import is_defined, pounds, show, style_of
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


# --- The page that lists all runs: status, headline and its trend, without script and with nothing to … ---


_WIDTH, _HEIGHT, _EDGE = 600.0, 160.0, 12.0


_STATUS_WORDS = {
    "published": "Published: readers see this run",
    "held": "Held: waits for approval",
    "superseded": "Superseded",
    "not published": "Not published",
    "damaged": "Damaged: do not use",
}


def render_runs_index(rows: Sequence[Any]) -> str:
    """Return the list of all runs as one HTML page.

    HTML 5; every text from outside is escaped; each analysis has a table and, from two runs with the same
    headline result on, a picture of it with the same figures in words.
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
            "trend": _trend(runs),
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


def _trend(rows: Sequence[Any]) -> dict[str, Any] | None:
    """Place the headline of each run, oldest left, with the interval as a line; None below two points."""
    newest = next((row for row in rows if is_defined(row.mean)), None)
    same = [row for row in reversed(rows) if newest and row.key == newest.key and is_defined(row.mean)]
    if newest is None or len(same) < 2:
        return None
    values = [v for row in same for v in (row.mean, row.lower, row.upper) if v is not None and is_defined(v)]
    low, high = min(values), max(values)
    if newest.key.startswith("npv"):
        low, high = min(low, 0.0), max(high, 0.0)
    span = (high - low) or 1.0

    def down(value: float) -> float:
        return round(_EDGE + (high - value) / span * (_HEIGHT - 2 * _EDGE), 1)

    style, step = style_of(newest.key), (_WIDTH - 2 * _EDGE) / (len(same) - 1)
    points = []
    for position, row in enumerate(same):
        mean = float(row.mean or 0.0)
        ends = [down(v) if v is not None and is_defined(v) else down(mean) for v in (row.upper, row.lower)]
        across = round(_EDGE + position * step, 1)
        points.append({"x": across, "y": down(mean), "top": ends[0], "bottom": ends[1], "held": row.status})
    first, last = (_amount(row.mean, style) for row in (same[0], same[-1]))
    return {
        "label": newest.label,
        "width": _WIDTH,
        "height": _HEIGHT,
        "points": points,
        "path": " ".join(f"{point['x']},{point['y']}" for point in points),
        "zero": down(0.0) if low < 0.0 < high else None,
        "words": f"{newest.label} over {len(same)} runs: {first} in the first"
        f" ({same[0].run}), {last} in the newest ({same[-1].run}).",
    }


def _amount(value: float | None, style: Any) -> str:
    """Return the end of an interval: money with its sign, as a range of a saving and a cost cannot be spoken."""
    return pounds(value if style == "net" else style)
