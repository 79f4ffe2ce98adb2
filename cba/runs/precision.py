"""Draws added until the headline is as precise as an analysis asks, or a statement that it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cba.inputs.analysis_records import Analysis

ROUNDS = 3
"""Times draws are added at most: the first guess of how many are needed is itself uncertain."""


def with_precision[Result](
    analysis: Analysis,
    *,
    appraise: Callable[[Analysis], Result],
    results: Callable[[Result], Mapping[str, Mapping[str, Any]]],
    tell: Callable[[str], None] = lambda what: None,
) -> tuple[Result, dict[str, Any] | None]:
    """Appraise, and appraise again with more draws while the headline is less precise than asked.

    Parameters
    ----------
    analysis : Analysis
        Its ``precision`` says what is asked; None takes the draws as they are.
    appraise : callable
        Analysis to what was found; called with more draws until the precision is met, the most draws allowed are
        made, or draws were added three times.
    results : callable
        What was found to headline entries of the headline stance, each with its ``mcse``.
    tell : callable
        Told when draws are added.

    Returns
    -------
    tuple
        What was found, and the record for the manifest: ``asked``, ``draws``, ``met`` and ``missed`` (a sentence for
        each quantity less precise than asked); None where nothing was asked.

    Notes
    -----
    Every round starts the samplers anew with the analysis's seed, so a run with precision asked is as reproducible as
    one without.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> found, record = with_precision(
    ...     SimpleNamespace(precision=None), appraise=lambda analysis: "found", results=lambda found: {}
    ... )
    >>> found, record
    ('found', None)
    """
    found = appraise(analysis)
    asked = analysis.precision
    if asked is None:
        return found, None
    from cba.appraisal.decision_convergence import draws_needed, precision_missed

    made = analysis
    for _ in range(ROUNDS):
        needed = draws_needed(results(found), asked, draws=made.draws, chains=analysis.chains)
        if needed <= made.draws:
            break
        tell(f"{needed:,} draws")
        made = made.model_copy(update={"draws": needed})
        found = appraise(made)
    missed = precision_missed(results(found), asked)
    return found, {
        "asked": asked.model_dump(mode="json"),
        "draws": made.draws,
        "met": not missed,
        "missed": missed,
    }
