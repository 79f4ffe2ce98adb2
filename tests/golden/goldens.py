"""Goldens: how they are stored, and how what is found is compared with them. Knows nothing of the package."""

from __future__ import annotations

import base64
import gzip
import json
import math
import struct
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FILES = Path(__file__).parent / "files"
RETIRED = Path(__file__).with_name("retired.toml")
TOLERANCE = 1e-10
MOST_TOLD = 5
"""Differences told of one table."""


def read_golden(name: str) -> Any:
    """Return a stored golden; a name that ends in .gz is compressed."""
    content = (FILES / name).read_bytes()
    return json.loads(gzip.decompress(content) if name.endswith(".gz") else content)


def write_golden(name: str, content: Any) -> None:
    """Store a golden, to the same bytes where nothing changed."""
    FILES.mkdir(exist_ok=True)
    if name.endswith(".gz"):
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        (FILES / name).write_bytes(gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0))
    else:
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (FILES / name).write_text(text + "\n", encoding="utf-8")


def retired(what: str) -> dict[str, str]:
    """Return what of the goldens may be missing, such as ``tables`` or arrays of the ``explorer``, with the reason."""
    return tomllib.loads(RETIRED.read_text(encoding="utf-8")).get(what, {})


def retired_tables() -> dict[str, str]:
    """Return the tables that may be missing, each with the reason."""
    return retired("tables")


def same(found: Any, expected: Any) -> bool:
    """Say whether two single values agree: numbers to 1e-10, of themselves or, below 1, as they are."""
    if _is_number(found) and _is_number(expected):
        if math.isnan(found) or math.isnan(expected) or math.isinf(found) or math.isinf(expected):
            return found == expected or (math.isnan(found) and math.isnan(expected))
        return abs(found - expected) <= TOLERANCE * max(1.0, abs(expected))
    return type(found) is type(expected) and found == expected


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def differences(found: Any, expected: Any, *, at: str) -> Iterator[str]:
    """Yield each difference between two nested values: where, what is found and what was expected."""
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        yield from _of_names(list(found), list(expected), at=at, what="keys")
        for key in expected:
            if key in found:
                yield from differences(found[key], expected[key], at=f"{at}, {key}")
    elif isinstance(found, list) and isinstance(expected, list):
        if len(found) != len(expected):
            yield f"{at}: found {len(found)} entries, expected {len(expected)}"
        for number, (one, other) in enumerate(zip(found, expected, strict=False)):
            yield from differences(one, other, at=f"{at}, {number}")
    elif not same(found, expected):
        yield f"{at}: found {found!r}, expected {expected!r}"


def table_differences(found: Mapping[str, list], expected: Mapping[str, list], *, at: str) -> list[str]:
    """Return the first differences of a table: its columns, its rows, then its cells."""
    told = list(_of_names(list(found), list(expected), at=at, what="columns"))
    for column, cells in expected.items():
        if column not in found:
            continue
        if len(found[column]) != len(cells):
            told.append(f"{at}: found {len(found[column])} rows, expected {len(cells)}")
            break
        for row, (one, other) in enumerate(zip(found[column], cells, strict=True)):
            if not same(one, other):
                key = _row_words(expected, row, but=column)
                told.append(f"{at}, row {row} ({key}), column {column}: found {one!r}, expected {other!r}")
    more = len(told) - MOST_TOLD
    return [*told[:MOST_TOLD], *([f"{at}: and {more} more"] if more > 0 else [])]


def all_table_differences(found: Mapping[str, Any], expected: Mapping[str, Any], *, at: str) -> list[str]:
    """Return the differences of all tables; a retired table may be missing, and any other may not."""
    gone = retired_tables()
    told = [f"{at}: table {name} is missing" for name in expected if name not in {*found, *gone}]
    told += [f"{at}: table {name} is new: make golden" for name in found if name not in expected]
    for name, table in expected.items():
        if name in found:
            told += table_differences(found[name], table, at=f"{at}, table {name}")
    return told


def bound_differences(found: list[dict], expected: list[dict], *, at: str) -> list[str]:
    """Return the differences of bound numbers, each told by what it is bound to; then whether their order differs."""
    one, other = _by_what_they_are_bound_to(found), _by_what_they_are_bound_to(expected)
    told = list(_of_names(list(one), list(other), at=at, what="numbers"))
    for key in other:
        if key in one:
            told += differences(one[key], other[key], at=f"{at}, {key}")
    return told


def _by_what_they_are_bound_to(numbers: list[dict]) -> dict[str, dict]:
    named: dict[str, dict] = {}
    for number in numbers:
        bound = {name: part for name, part in number.items() if name not in ("value", "text")}
        words = " ".join(f"{name}={part}" for name, part in bound.items())
        again = 1
        while f"{words} #{again}" in named:
            again += 1
        named[f"{words} #{again}"] = {"value": number["value"], "text": number["text"]}
    return named


def _of_names(found: list[str], expected: list[str], *, at: str, what: str) -> Iterator[str]:
    if missing := [name for name in expected if name not in found]:
        yield f"{at}: {what} missing: {_few(missing)}"
    if new := [name for name in found if name not in expected]:
        yield f"{at}: {what} new: {_few(new)}"
    if not missing and not new and found != expected:
        first = next(n for n, (one, other) in enumerate(zip(found, expected, strict=True)) if one != other)
        yield f"{at}: {what} in another order, from number {first}: found {found[first]}, expected {expected[first]}"


def _few(names: list[str]) -> str:
    more = len(names) - 20
    return ", ".join(names[:20]) + (f" and {more} more" if more > 0 else "")


def _row_words(table: Mapping[str, list], row: int, *, but: str) -> str:
    """Return what tells a row from others: its texts and years."""
    words = [
        str(cells[row])[:40]
        for name, cells in table.items()
        if name != but and (isinstance(cells[row], str) or name == "year") and cells[row] is not None
    ]
    return ", ".join(words[:5])


# -- what the page embeds ----------------------------------------------------------------------------------------

NUMBERS = {"packed": ("h", 1.0), "harm_share": ("f", 1e-6)}
"""Draws in base64: how each number is written, and by how much the last place of it may differ."""


def explorer_differences(found: Any, expected: Any, *, at: str) -> list[str]:
    """Return the differences of an explorer; packed draws are unpacked, and may differ by their last place."""
    told = []
    plain = [json.loads(json.dumps(part)) for part in (found, expected)]
    stances = [part["embedded"]["stances"] for part in plain]
    for held in stances[1].values():
        for name in retired("explorer"):
            held.pop(name)
    for stance in stances[1]:
        for name, (kind, place) in NUMBERS.items():
            if stance in stances[0]:
                packed = [part[stance].pop(name) for part in stances]
                one, other = (_unpacked(text, kind) for text in packed)
                told += _draw_differences(one, other, place=place, at=f"{at}, {stance}, {name}")
    told += differences(*plain, at=at)
    return told[: 4 * MOST_TOLD]


def _unpacked(text: str, kind: str) -> tuple[float, ...]:
    content = base64.b64decode(text)
    return struct.unpack(f"<{len(content) // struct.calcsize(kind)}{kind}", content)


def _draw_differences(one: tuple, other: tuple, *, place: float, at: str) -> list[str]:
    if len(one) != len(other):
        return [f"{at}: found {len(one)} numbers, expected {len(other)}"]
    apart = [
        number
        for number, (a, b) in enumerate(zip(one, other, strict=True))
        if a != b and abs(a - b) > place * (1.0 if place >= 1.0 else max(1.0, abs(b)))
    ]
    return [f"{at}, number {n}: found {one[n]!r}, expected {other[n]!r}" for n in apart[:MOST_TOLD]]
