"""Records as files state them: checked by pydantic, whose complaints become refusals worded as all others are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from cba.errors import InputError
from cba.inputs.files import nearest, placed, read_toml, readable_text

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


Whole = Annotated[int, Field(strict=True)]


LARGEST = 1e13
"""Largest size of a stated number: a thousand times what England spends in a year, in pounds."""


Amount = Annotated[Number, Field(ge=-LARGEST, le=LARGEST)]


Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 12, 31))]


Text = Annotated[str, Field(strict=True), AfterValidator(readable_text)]


Switch = Annotated[bool, Field(strict=True)]


class WrittenRecord(BaseModel):
    """A record as a file states it: no field that is not known, nothing changed after it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_MISTAKES = read_toml(Path(__file__).with_suffix(".toml"))
"""Problem, cause and remedy by the name of pydantic's complaint."""


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
    other = {"problem": first["msg"], "cause": "a value of the wrong type", "remedy": "correct the value"}
    said = _MISTAKES.get(first["type"], other)
    problem, cause, remedy = (said[part] for part in ("problem", "cause", "remedy"))
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
    if "max_length" in context:
        return f"{context['max_length']} at most"
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
