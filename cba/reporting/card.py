"""A result card for notebooks: the headline of one appraisal in a small block of HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cba.reporting.full_names import stance_name
from cba.reporting.page_templates import templates
from cba.reporting.report_choices import lead_option
from cba.reporting.template_lookups import TARGET_KEYS, lookups

if TYPE_CHECKING:
    from cba.appraisal import Appraisal


def result_card(appraisal: Appraisal) -> str:
    """Return the headline of an appraisal as HTML, for ``_repr_html_``.

    Parameters
    ----------
    appraisal : Appraisal
        Any stance; what is not defined is shown as such, with the reason.

    Returns
    -------
    str
        One ``<section>`` with its own styles, no script and nothing loaded; text from inputs is escaped.

    Examples
    --------
    >>> result_card(appraisal)[:8]  # doctest: +SKIP
    '<section'
    """
    return templates().get_template("card.html.j2").render(_context(appraisal))


def _context(appraisal: Appraisal) -> dict[str, Any]:
    """Return what the card uses."""
    return {
        "analysis": appraisal.analysis,
        "lead_stance": appraisal.stance,
        "options": list(appraisal.option_labels),
        "stance_name": stance_name,
        **TARGET_KEYS,
        **lookups({appraisal.stance: appraisal}, appraisal, lead_option(appraisal)),
    }
