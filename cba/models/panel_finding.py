"""What a panel of authorities says about starts after a programme began: one observational study, summarised.

Kept apart from the model that finds it and from the synthesis that uses it, so that neither imports the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from cba.errors import InputError


@dataclass(frozen=True, kw_only=True)
class PanelFinding:
    """The change in an authority's starts to be looked after some years after a programme's launch.

    Parameters
    ----------
    study_id : str
        Name of the finding in tables, e.g. ``ENGLAND_PANEL``.
    log_change : float
        Log of starts with the programme over starts without it; negative is fewer. Log points.
    se : float
        Standard error (or posterior sd) of `log_change`, above zero. Log points.
    coverage_low, coverage_high : float
        5th and 95th percentile of the share of eligible children served when the change is measured;
        0 < low < high < 1.
    age_note : str
        Which ages the starts are of, and how long after launch.
    known_by : int
        Last calendar year of the data behind it.

    Raises
    ------
    InputError
        If the standard error is not above zero or the coverage is not a range inside (0, 1).

    Examples
    --------
    >>> found = PanelFinding(
    ...     study_id="ENGLAND_PANEL", log_change=-0.03, se=0.05, coverage_low=0.3, coverage_high=0.8,
    ...     age_note="all ages, three years after launch", known_by=2024,
    ... )
    >>> found.log_change
    -0.03
    """

    study_id: str
    log_change: float
    se: float
    coverage_low: float
    coverage_high: float
    age_note: str
    known_by: int

    def __post_init__(self) -> None:
        if not math.isfinite(self.log_change):
            raise _refusal("the change in starts is not a number", "log_change", self.log_change, "finite")
        if not (math.isfinite(self.se) and self.se > 0):
            raise _refusal("the standard error is not above zero", "se", self.se, "above 0")
        if not 0 < self.coverage_low < self.coverage_high < 1:
            found = f"{self.coverage_low} to {self.coverage_high}"
            raise _refusal("the coverage is not a range", "coverage_low", found, "0 < low < high < 1")


def _refusal(problem: str, field: str, found: object, allowed: str) -> InputError:
    return InputError(
        f"panel finding: {problem}",
        field=field,
        found=str(found),
        allowed=allowed,
        cause="a summary of a fit that did not converge, or values swapped",
        remedy="correct the finding before it enters the synthesis",
    )
