"""What a re-run calls beside the run itself, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cba.inputs.analysis_records import Analysis
    from cba.runs.stages import Stages
    from cba.runs.stored_runs import RunRecord

Log = Callable[..., None]
"""``log(event, **facts)``: one line of the log."""


@dataclass(frozen=True)
class Update:
    """What an update from the configured sources brought.

    Attributes
    ----------
    changed : bool
    summary : str
        In a sentence.
    held : tuple of str
        Why a person must look before readers see it: a major change of the data.

    Examples
    --------
    >>> Update(changed=False, summary="checked, no change").held
    ()
    """

    changed: bool
    summary: str
    held: tuple[str, ...] = ()


@dataclass(frozen=True)
class Doors:
    """What a re-run calls beside the run itself; each may be left out.

    Attributes
    ----------
    update : callable or None
        ``update(analysis)`` to an Update; called where the analysis names sources.
    days : callable or None
        ``days(analysis)`` to the announced days of publication, asked for at each poll.
    tables : callable or None
        ``tables(analysis)`` to a context manager that puts the snapshot of the analysis in force.
    score : callable or None
        ``score(run, earlier=)`` to plain values: earlier forecasts against the new outturn.
    compare : callable or None
        ``compare(before, run)`` to plain values: what changed since the published run, and why.
    render : callable or None
        As in :class:`cba.runs.stages.Stages`, with ``comparison`` and ``scores`` added to the manifest it is given.
    stages : callable or None
        Makes the stages; the ordinary ones when left out.

    Examples
    --------
    >>> Doors().update is None
    True
    """

    update: Callable[[Analysis], Update] | None = None
    days: Callable[[Analysis], Iterable[date]] | None = None
    tables: Callable[[Analysis], Any] | None = None
    score: Callable[..., Mapping[str, Any]] | None = None
    compare: Callable[..., Mapping[str, Any]] | None = None
    render: Callable[..., str] | None = None
    stages: Callable[[], Stages] | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a re-run.

    Attributes
    ----------
    status : {"no change", "not due", "published", "held"}
    analysis : str
    run : RunRecord or None
        The run stored, else the newest there is.
    notes : tuple of str
        What the reader must know: reasons to hold, doors that failed.

    Examples
    --------
    >>> Outcome("no change", "latest").exit_code
    0
    """

    status: str
    analysis: str
    run: RunRecord | None = None
    notes: tuple[str, ...] = ()
    records: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """Return 4 where a person is needed, 0 otherwise.

        Returns
        -------
        int

        Examples
        --------
        >>> Outcome("held", "latest").exit_code
        4
        """
        return 4 if self.status == "held" else 0
