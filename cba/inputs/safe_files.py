"""Files and texts that do no harm: CSV that is no formula, JSON held to the standard, text shown."""

from __future__ import annotations

import io
import json
import math
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.inputs.files import bytes_of

if TYPE_CHECKING:
    import pandas as pd


# --- Tables as CSV: the one writer, and its inverse ---


_FORMULA = re.compile(r"['\s]*[=+\-@\uff0b\uff0d\uff1d\uff20]|'*[\t\r\n]")
"""How a text begins that a spreadsheet may take for a formula; apostrophes before it are counted as they stand."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_text(table: pd.DataFrame, *, float_format: str | None = None) -> str:
    """Return a table as CSV with an apostrophe before every text, and name of a column, that begins like a formula."""
    safe = _each_text(table, lambda text: f"'{text}" if _is_formula(text) else text)
    return str(safe.to_csv(index=False, lineterminator="\n", float_format=float_format))


def write_csv(table: pd.DataFrame, file: Path, *, float_format: str | None = None) -> None:
    """Write a table as CSV, as :func:`csv_text` words it."""
    file.write_text(csv_text(table, float_format=float_format), encoding="utf-8", newline="")


def as_before_csv(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table read from CSV without the apostrophes that :func:`csv_text` put there."""
    return _each_text(table, lambda text: text[1:] if text[:1] == "'" and _is_formula(text) else text)


def frame_of(file: str | Path, **how: Any) -> pd.DataFrame:
    """Return the table of a CSV file, read up to the limit of files, as it was before it was written."""
    import pandas as pd

    return as_before_csv(pd.read_csv(io.BytesIO(bytes_of(file)), **how))


def _is_formula(text: str) -> bool:
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)


def _each_text(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """Return a table with its texts changed; a column in which nothing changes stays the very column."""
    import pandas as pd

    changed = table.rename(columns=lambda name: change(name) if isinstance(name, str) else name)
    for place, kind in enumerate(table.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            values = table.iloc[:, place]
            new = [change(value) if isinstance(value, str) else value for value in values]
            if any(one is not other for one, other in zip(new, values, strict=True)):
                changed.isetitem(place, pd.Series(new, index=table.index, dtype=object))
    return changed


# --- JSON as it is read: to the standard, however it was damaged ---


def strict_json(text: str | bytes, *, finite: bool = True) -> Any:
    """Return what JSON says. ValueError where it is not JSON, too deep to be read or, unless it may be, not finite."""
    try:
        return json.loads(text, parse_constant=_refused, parse_float=_finite) if finite else json.loads(text)
    except RecursionError:
        raise ValueError("its brackets stand too deep inside one another") from None


def _refused(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refused(digits)


# --- Text from outside, as it is shown ---


def shown(text: str) -> str:
    """Return a text for a terminal: what would control it, or could not be seen, stands as its code."""
    return _UNSURE.sub(lambda found: _visible(found[0]), text)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return JSON in which what would control a terminal, or could not be seen, stands as its code."""
    written = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    return _UNSURE.sub(
        lambda found: found[0] if _visible(found[0]) == found[0] else json.dumps(found[0])[1:-1], written
    )


_UNSURE = re.compile(r"[^\n\t -~]")


def _visible(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
