"""Records as files state them: checked by pydantic, whose complaints become refusals worded as all others are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from cba.errors import InputError
from cba.inputs.files import nearest, placed

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


Whole = Annotated[int, Field(strict=True)]


Text = Annotated[str, Field(strict=True, min_length=1)]


Switch = Annotated[bool, Field(strict=True)]


class WrittenRecord(BaseModel):
    """A record as a file states it: no field that is not known, nothing changed after it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_MISTAKES = {
    "missing": (
        "a required field is missing",
        "the entry was shortened or copied from an older form",
        "add the field",
    ),
    "extra_forbidden": (
        "an unknown field",
        "a misspelt name, or a field in the wrong table",
        "correct the name or remove the field",
    ),
    "finite_number": (
        "a number is NaN or infinite",
        "a blank or failed cell pasted from a spreadsheet",
        "give a finite number, or remove the entry",
    ),
    "literal_error": (
        "a value is not one of the allowed words",
        "a spelling mistake or a word from an older version",
        "use one of the allowed words",
    ),
    "string_too_short": ("a text is empty", "a field left blank", "fill it in"),
    "too_short": ("a list or table is empty", "a field left blank", "give at least one"),
    "greater_than_equal": (
        "a number is below the lowest allowed",
        "a sign, or a figure in other units",
        "correct the number",
    ),
    "less_than_equal": (
        "a number is above the highest allowed",
        "a figure in other units",
        "correct the number",
    ),
    "greater_than": ("a number is too low", "a sign, or a figure in other units", "correct the number"),
    "less_than": ("a number is too high", "per cent for a proportion", "correct the number"),
    "string_pattern_mismatch": (
        "a text is not of the required form",
        "a name or code mistyped",
        "correct it",
    ),
}


def checked_record[Record: BaseModel](
    model: type[Record], data: Any, *, file: str | Path, field: str = ""
) -> Record:
    """Validate `data` against a pydantic model, turning its complaints into one InputError."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise _as_input_error(problems, model, file=file, field=field) from None


def _as_input_error(
    problems: list[ErrorDetails], model: type[BaseModel], *, file: str | Path, field: str
) -> InputError:
    """Word the first of pydantic's complaints the way all our errors are worded."""
    first = problems[0]
    location = ".".join(str(part) for part in first["loc"] if part != "[key]")
    place = ".".join(part for part in (field, location) if part)
    inner = first.get("ctx", {}).get("error")
    if isinstance(inner, InputError):
        return placed(inner, file=file, field=place)
    problem, cause, remedy = _MISTAKES.get(
        first["type"], (first["msg"], "a value of the wrong type", "correct the value")
    )
    allowed = _allowed(first.get("ctx", {}))
    if first["type"] == "extra_forbidden":
        names = _field_names(model, first["loc"][:-1])
        allowed = ", ".join(names)
        remedy += nearest(str(first["loc"][-1]), names)
    if first["type"] == "missing":
        remedy += f" `{first['loc'][-1]}`"
    if first["type"] == "finite_number":
        allowed = "a finite number"
    if len(problems) > 1:
        remedy += f" ({len(problems) - 1} more problem(s) in this entry)"
    found = None if first["type"] == "missing" else repr(first["input"])
    return InputError(
        problem, file=file, field=place, found=found, allowed=allowed, cause=cause, remedy=remedy
    )


def _allowed(context: Mapping[str, Any]) -> str | None:
    """Say what pydantic would have accepted."""
    words = {"ge": "or more", "le": "or less", "gt": "(not included) or more", "lt": "(not included) or less"}
    limits = [f"{context[key]} {word}" for key, word in words.items() if key in context]
    return "; ".join(limits) or context.get("expected") or context.get("pattern")


def _field_names(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[str, ...]:
    """Return the field names of the model nested at `location`."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            inner = _nested_model(model.model_fields[part].annotation)
            model = inner or model
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    """Return the first pydantic model inside a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _nested_model(part))), None)
