"""Why an update stopped: a person must decide, a source did not answer, or the store of snapshots failed."""

from __future__ import annotations

from pathlib import Path


class UpdateStop(RuntimeError):
    """An update that stopped before anything was written, worded like every other error of the project.

    Parameters
    ----------
    problem : str
        One sentence.
    file, field, found, allowed, cause, remedy : optional
        As in :class:`cba.errors.InputError`.
    """

    exit_code = 1

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        field: str | None = None,
        found: object = None,
        allowed: object = None,
        cause: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.details = {
            "file": None if file is None else str(file),
            "field": field,
            "found": None if found is None else str(found),
            "allowed": None if allowed is None else str(allowed),
            "usual cause": cause,
            "next step": remedy,
        }
        lines = [f"  {name}: {value}" for name, value in self.details.items() if value is not None]
        super().__init__("\n".join([problem, *lines]))


class NeedsPerson(UpdateStop):
    """A change that is not accepted unseen: a major version, a withdrawn or superseded data set.

    Examples
    --------
    >>> NeedsPerson("the data set was withdrawn", file="stock").exit_code
    4
    """

    exit_code = 4


class SourceUnreachable(UpdateStop):
    """A source that gave no usable answer, after every retry.

    Examples
    --------
    >>> SourceUnreachable("the source did not answer", found="timeout").exit_code
    5
    """

    exit_code = 5


class SnapshotDamaged(UpdateStop):
    """A snapshot or its store that cannot be read or written as it should.

    Examples
    --------
    >>> SnapshotDamaged("a file of a snapshot was changed", file="stock.csv").exit_code
    1
    """

    exit_code = 1
