"""Read TOML and turn it into checked records, refusing what is unreadable, duplicated, unknown or missing."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from cba.errors import InputError

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True)]
Text = Annotated[str, Field(strict=True, min_length=1)]
Switch = Annotated[bool, Field(strict=True)]

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


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read one TOML file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict
        The file as nested dictionaries.

    Raises
    ------
    InputError
        If the file is missing, unreadable, not UTF-8, empty, cut short, or holds a key twice; the message
        gives the line.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputError(
            "the file does not exist", file=path, cause="a misspelt path", remedy="check the name and folder"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            "the file is not UTF-8 text",
            file=path,
            found=f"byte {error.start}: {error.reason}",
            cause="saved by a word processor or spreadsheet, or damaged",
            remedy="save it again as plain UTF-8 text",
        ) from None
    except OSError as error:
        raise InputError(
            "the file cannot be read",
            file=path,
            found=error.strerror,
            remedy="check that it is a readable file",
        ) from None
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unparsable(error, path) from None
    if not content:
        raise InputError(
            "the file is empty", file=path, cause="a truncated copy", remedy="restore the file, or delete it"
        )
    return content


def _unparsable(error: tomllib.TOMLDecodeError, path: Path) -> InputError:
    """Say whether a file holds a key twice or cannot be parsed at all."""
    found = str(error)
    if "overwrite" in found or "twice" in found or "mutate" in found:
        return InputError(
            "a key or table appears twice",
            file=path,
            found=found,
            allowed="each key once",
            cause="an entry copied and not renamed",
            remedy="remove or rename one of the two",
        )
    return InputError(
        "the file is not valid TOML",
        file=path,
        found=found,
        cause="a truncated file, or a quote, bracket or comma left out",
        remedy="correct the line named above",
    )


def checked_record[Record: BaseModel](
    model: type[Record], data: Any, *, file: str | Path, field: str = ""
) -> Record:
    """Validate `data` against a pydantic model, turning its complaints into one InputError.

    Parameters
    ----------
    model : type
        A pydantic model.
    data : dict
        What was read from the file.
    file : str or Path
        Named in the message.
    field : str
        Dotted name of the entry the data came from; put before the name of the offending field.

    Returns
    -------
    BaseModel
        An instance of `model`.

    Raises
    ------
    InputError
        For the first problem found; says how many more there are.
    """
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


def placed(error: InputError, *, file: str | Path, field: str) -> InputError:
    """Return the same error with its file, and its field put under `field`.

    Examples
    --------
    >>> inner = InputError("sigma must be positive", field="params.sigma", found=-1)
    >>> placed(inner, file="priors/costs.toml", field="costs.slippage").details["field"]
    'costs.slippage.params.sigma'
    """
    details = error.details
    inner = details["field"]
    return InputError(
        error.problem,
        file=details["file"] or file,
        field=".".join(part for part in (field, inner) if part) or None,
        found=details["found"],
        allowed=details["allowed"],
        cause=details["usual cause"],
        remedy=details["next step"],
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean x?"`` for the closest known name, or an empty text.

    Examples
    --------
    >>> nearest("care_reveiw", ["bau", "care_review"])
    '; did you mean care_review?'
    """
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def fingerprint(content: Mapping[str, Any] | list[Any]) -> str:
    """Return the SHA-256 of the content in canonical JSON: same content, same fingerprint, any key order.

    Examples
    --------
    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
