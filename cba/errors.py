"""The errors a user can cause or must act on, each with the exit code the command line returns for it."""

from __future__ import annotations

from pathlib import Path


class InputError(ValueError):
    """An input was refused: says where, what was found, what is allowed, why and what to do next."""

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
    """A correctness gate failed (convergence, reconciliation, schema): no results may leave the run."""

    exit_code = 3

    def __init__(self, problem: str, failures: tuple[str, ...] | list[str] = ()) -> None:
        self.problem = problem
        self.failures = tuple(failures)
        super().__init__("\n".join([problem, *(f"  {failure}" for failure in self.failures)]))
