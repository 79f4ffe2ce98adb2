"""The sections of the report in order: each has its anchor, its heading in the contents, and a template of its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cba.appraisal import Appraisal


@dataclass(frozen=True)
class PageSection:
    """One section of the page, in ``templates/<anchor>.html.j2``.

    Attributes
    ----------
    anchor : str
        Identifier of its heading.
    title : str
        In the list of contents.
    needs : tuple of str
        Tables it shows; left out where one of them is missing, or holds nothing of the option followed.
    """

    anchor: str
    title: str
    needs: tuple[str, ...] = ()

    @property
    def template(self) -> str:
        """File name of its template."""
        return f"{self.anchor}.html.j2"


SECTIONS = (
    PageSection("summary", "Summary"),
    PageSection("children", "Children in care, with and without"),
    PageSection("drivers", "What drives the result", ("drivers", "variance_shares")),
    PageSection("attribution", "Which intervention carries it", ("attribution",)),
    PageSection("chain", "From money to children, step by step", ("effect_chain",)),
    PageSection("believe", "What one would have to believe"),
    PageSection("options", "Options and stances side by side"),
    PageSection(
        "worth",
        "Which option is best, by the value of a child-year",
        ("acceptability", "best_option", "break_even_values"),
    ),
    PageSection("risk", "Risk, regret and ranks", ("risk", "ranking")),
    PageSection("pilot", "Pilot first or go now?", ("pilot_or_now", "pilot_learning", "pilot_power")),
    PageSection("information", "What finding out is worth", ("information_value",)),
    PageSection("money", "Cost and saving by year"),
    PageSection("payback", "Payback"),
    PageSection("payers", "Who pays and who gains"),
    PageSection("councils", "What it means for one council", ("councils",)),
    PageSection("counting", "Other ways of counting", ("perspectives",)),
    PageSection("ladder", "From average cost to cash"),
    PageSection("system", "What the system costs"),
    PageSection("calibration", "Calibration to the published accounts", ("accounts_reconciliation",)),
    PageSection("evidence", "What the evidence says"),
    PageSection("assumptions", "Assumptions log"),
    PageSection("diagnostics", "Diagnostics"),
    PageSection("provenance", "Provenance"),
    PageSection("limits", "What this cannot tell you"),
    PageSection("checklist", "Checklist of standards"),
)


def sections_of(appraisal: Appraisal, option: str) -> tuple[PageSection, ...]:
    """Return the sections an appraisal has the tables for.

    Parameters
    ----------
    appraisal : Appraisal
        Of the headline stance.
    option : str
        Option the report follows.

    Returns
    -------
    tuple of PageSection

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> [section.anchor for section in sections_of(SimpleNamespace(tables={}), "care_review")][:3]
    ['summary', 'children', 'believe']
    """
    return tuple(s for s in SECTIONS if all(holds(appraisal, table, option) for table in s.needs))


def holds(appraisal: Appraisal, table: str, option: str) -> bool:
    """Return whether a table is there with rows, of the option where it is by option.

    Parameters
    ----------
    appraisal : Appraisal
    table : str
        Name in ``appraisal.tables``.
    option : str
        Option the report follows.

    Returns
    -------
    bool

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> holds(SimpleNamespace(tables={}), "drivers", "care_review")
    False
    """
    frame = appraisal.tables.get(table)
    if frame is None or frame.empty:
        return False
    return "option" not in frame or bool((frame["option"] == option).any())
