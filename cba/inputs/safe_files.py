"""Files and texts that do no harm: CSV that is no formula, JSON held to the standard, text shown, scratch folders."""

from __future__ import annotations

import io
import json
import math
import os
import re
import secrets
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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


def strict_json(text: str | bytes) -> Any:
    """Return what JSON says. ValueError where it is not JSON, not finite, or too deep to be read."""
    try:
        return json.loads(text, parse_constant=_refused, parse_float=_finite)
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


# --- What killed processes left ---


_SCRATCH = re.compile(r"cba-[a-z]+-[0-9a-f]{12}\.lock")


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """Yield a temporary folder, removed at the end; those that killed processes left are removed first."""
    from filelock import FileLock

    clear_scratch()
    while True:
        place = Path(tempfile.gettempdir(), f"cba-{purpose}-{secrets.token_hex(6)}")
        held = Path(f"{place}.lock")
        lock = FileLock(held)
        lock.acquire()
        if held.exists():
            break
        lock.release()  # another took it for a leftover between being made and being held
    try:
        place.mkdir(mode=0o700)
        yield place
    finally:
        _remove(place)
        held.unlink(missing_ok=True)
        lock.release()


def clear_scratch() -> None:
    """Remove the temporary folders that no process holds any more."""
    left = [file for file in Path(tempfile.gettempdir()).glob("cba-*.lock") if _SCRATCH.fullmatch(file.name)]
    if not left:
        return
    from filelock import FileLock, Timeout

    for file in left:
        with suppress(OSError, Timeout), FileLock(file, timeout=0):
            _remove(file.with_suffix(""))
            file.unlink(missing_ok=True)


def _remove(folder: Path) -> None:
    for place, _, _ in os.walk(folder):
        with suppress(OSError):
            os.chmod(place, 0o700)  # a copied snapshot is read-only
    shutil.rmtree(folder, ignore_errors=True)


def clear_parts(folder: Path, name: str = "*") -> None:
    """Remove files half-written for a name, ``.NAME.PID.part``, whose process has ended."""
    for part in folder.glob(f".{name}.*.part"):
        process = part.suffixes[-2][1:] if len(part.suffixes) > 1 else ""
        if process.isdecimal() and not _is_running(int(process)):
            with suppress(OSError):
                _remove(part) if part.is_dir() else part.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name != "posix":
        return True  # asking would end it
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
