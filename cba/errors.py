"""The errors a user can cause or must act on, each with the exit code the command line returns for it."""

from __future__ import annotations

from pathlib import Path


class InputError(ValueError):
    """An input was refused: says where, what was found, what is allowed, why and what to do next.

    Parameters
    ----------
    problem : str
        One sentence saying what is wrong.
    file, field : optional
        The file and the entry, column or key that holds the problem.
    found, allowed : optional
        The offending value and the values that would have been accepted.
    cause, remedy : str, optional
        The usual cause, and the next step.

    Examples
    --------
    >>> print(InputError("a share is above 1", file="priors/foster.toml", field="foster.filled_share",
    ...                  found=1.4, allowed="0 to 1", cause="a percentage typed for a proportion",
    ...                  remedy="divide by 100"))
    a share is above 1
      file: priors/foster.toml
      field: foster.filled_share
      found: 1.4
      allowed: 0 to 1
      usual cause: a percentage typed for a proportion
      next step: divide by 100
    """

    exit_code = 2

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
        lines = [
            problem,
            *(f"  {name}: {value}" for name, value in self.details.items() if value is not None),
        ]
        super().__init__("\n".join(lines))


class GateError(RuntimeError):
    """A correctness gate failed (convergence, reconciliation, schema): no results may leave the run.

    Parameters
    ----------
    problem : str
        Which gate failed and by how much.
    failures : sequence of str, optional
        One line per failed check, each with the figure found and the figure required.
    """

    exit_code = 3

    def __init__(self, problem: str, failures: tuple[str, ...] | list[str] = ()) -> None:
        self.problem = problem
        self.failures = tuple(failures)
        super().__init__("\n".join([problem, *(f"  {failure}" for failure in self.failures)]))
