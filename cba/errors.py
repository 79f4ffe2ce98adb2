"""The errors a user can cause or must act on, each with the exit code the command line returns for it.

1 the machine or a stored file failed us, 2 an input is refused, 3 a gate failed, 4 a person must decide,
5 a source did not answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

LABELS = {
    "file": "file",
    "field": "field",
    "found": "found",
    "allowed": "allowed",
    "cause": "usual cause",
    "remedy": "next step",
}
"""What a refusal states beside its problem, and what each is called where it is printed."""


class Refusal(Exception):
    """Something was refused: says where, what was found, what is allowed, why and what to do next."""

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
        super().__init__(problem)
        self.problem = problem
        stated = zip(LABELS.values(), (file, field, found, allowed, cause, remedy), strict=True)
        self.details = {label: None if value is None else str(value) for label, value in stated}

    def __str__(self) -> str:
        lines = (f"  {label}: {value}" for label, value in self.details.items() if value is not None)
        return "\n".join([self.problem, *lines])

    def advice(self, cause: str | None, *, remedy: str | None) -> Self:
        """Return the same refusal with its usual cause and what to do next."""
        return self.changed(cause=cause, remedy=remedy)

    def changed(self, problem: str | None = None, **stated: Any) -> Self:
        """Return the same refusal with other words in the fields named, as the constructor names them."""
        before = {name: self.details[label] for name, label in LABELS.items()}
        return type(self)(problem or self.problem, **(before | stated))


class InputError(Refusal, ValueError):
    """An input was refused."""

    exit_code = 2


type Words = str | Callable[[Any], object] | None
"""Words, or what makes them of the thing they speak of."""


@dataclass(frozen=True)
class Rule:
    """A rule that an input must keep: the field, when it is broken, what was found, and what is said then."""

    field: Words
    broken: Callable[[Any], object]
    found: Words = ""  # the value of the field, where left out
    says: tuple[Words, ...] = (None, None)  # problem, allowed
    advises: tuple[Words, ...] = (None, None)  # usual cause, next step

    def wrong(self, problem: Words, *, allowed: Words = None) -> Rule:
        """Return the rule with what is said to be wrong, and what would have been right."""
        return replace(self, says=(problem, allowed))

    def advice(self, cause: Words, *, remedy: Words) -> Rule:
        """Return the rule with the usual cause of its being broken, and what to do next."""
        return replace(self, advises=(cause, remedy))

    def refusal(self, subject: object) -> InputError:
        """Return what is said of a subject that breaks the rule."""
        words = (*self.says, self.field, self.found, *self.advises)
        problem, *stated = (word(subject) if callable(word) else word for word in words)
        allowed, field, found, cause, remedy = (None if word is None else str(word) for word in stated)
        if found == "" and field:
            value: Any = subject[field] if isinstance(subject, Mapping) else getattr(subject, field)
            found = "empty" if value == "" or value != value else str(value)
        return InputError(str(problem), field=field, found=found, allowed=allowed, cause=cause, remedy=remedy)


def refuse_broken(rules: Iterable[Rule], subject: object) -> None:
    """Raise the refusal of the first rule that a subject breaks."""
    for rule in rules:
        if rule.broken(subject):
            raise rule.refusal(subject)


class NeedsPerson(Refusal, RuntimeError):
    """A change that is not accepted unseen: a major version, a withdrawn or superseded data set."""

    exit_code = 4


class SourceUnreachable(Refusal, RuntimeError):
    """A source that gave no usable answer, after every retry."""

    exit_code = 5


class StoreError(Refusal, RuntimeError):
    """The machine failed us: the store could not be read or written. Nothing half-written is left behind."""


class SnapshotDamaged(Refusal, RuntimeError):
    """A snapshot or its store that cannot be read or written as it should."""


class GateError(RuntimeError):
    """A correctness gate failed (convergence, reconciliation, schema): no results may leave the run."""

    exit_code = 3

    def __init__(self, problem: str, failures: tuple[str, ...] | list[str] = ()) -> None:
        self.problem = problem
        self.failures = tuple(failures)
        super().__init__("\n".join([problem, *(f"  {failure}" for failure in self.failures)]))
