"""Files as the package finds, reads, locks and replaces them: shipped folders, those in force for a block, TOML."""

from __future__ import annotations

import csv
import difflib
import errno
import hashlib
import io
import json
import os
import re
import stat
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from glob import escape
from importlib import metadata
from pathlib import Path
from typing import Any

from cba.errors import InputError, Rule, refuse_broken
from cba.inputs.leftovers import clear_parts

# --- Where input files are: those that come with the package, or the folders put in force for a while ---


_PACKAGE = Path(__file__).resolve().parents[1]


_PACKED = _PACKAGE / "_shipped"


@dataclass(frozen=True)
class _Folders:
    """Folders put in force; None where the shipped one is read."""

    published: Path | None = None
    priors: Path | None = None


_SHIPPED = _Folders()


_IN_FORCE: ContextVar[_Folders] = ContextVar("folders_in_force", default=_SHIPPED)


@contextmanager
def reading_from(*, published: Path | None = None, priors: Path | None = None) -> Iterator[None]:
    """Make every reader of inputs take other folders while the block runs.

    `published`: folder in the layout of ``cba/inputs/published``: observed series and evidence tables.
    `priors`: folder in the layout of ``priors/``, with ``options``, ``checks`` and ``studies`` inside.
    """
    # Blocks nest: what an inner block leaves out stays as the outer one had it, and leaving a block, also by
    # an error, restores what was in force before. The setting belongs to the thread (and asyncio task) that
    # made it; a reader given a path of its own does not look at it.
    for folder in (published, priors):
        if folder is not None and not Path(folder).is_dir():
            raise InputError("a folder of inputs does not exist", file=folder).advice(
                "a snapshot or an archive of inputs that was moved or removed",
                remedy="restore the folder, or leave it out to read the shipped files",
            )
    before = _IN_FORCE.get()
    token = _IN_FORCE.set(
        _Folders(
            published=before.published if published is None else Path(published),
            priors=before.priors if priors is None else Path(priors),
        )
    )
    try:
        yield
    finally:
        _IN_FORCE.reset(token)


def shipped_published_folder() -> Path:
    """Return the folder of the published tables that came with the package, whatever is in force."""
    return _PACKAGE / "inputs" / "published"


def published_folder() -> Path:
    """Return the folder of published tables in force: the shipped one outside :func:`reading_from`."""
    return _IN_FORCE.get().published or shipped_published_folder()


def published_in_force() -> bool:
    """Return whether :func:`reading_from` has put another folder of published tables in force."""
    return _IN_FORCE.get().published is not None


def shipped_folder(name: str) -> Path:
    """Return the folder ``priors`` or ``reports`` that came with the package.

    ``cba/_shipped/<name>`` of an installed wheel, else ``<name>`` of the source checkout.
    """
    for folder in (_PACKED / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise InputError(
        f"the folder {name}/ that comes with the package is missing", file=_PACKED / name
    ).advice(
        "an incomplete installation",
        remedy="install the package again, or name a folder of your own with `path`",
    )


def priors_folder() -> Path:
    """Return the folder of prior files in force (one ``*.toml`` per group of priors)."""
    return _IN_FORCE.get().priors or shipped_folder("priors")


def options_folder() -> Path:
    """Return the folder of option files in force (one ``*.toml`` per option)."""
    return priors_folder() / "options"


def published_file(name: str) -> Path:
    """Return the path of a published table in the folder in force.

    `name`: file name, for example ``"evidence_effects.csv"``.
    """
    path = published_folder() / name
    if not path.is_file():
        raise InputError("a published table is missing", file=path).advice(
            "a folder of inputs copied in part" if published_in_force() else "an incomplete installation",
            remedy="copy the table into the folder" if published_in_force() else "install the package again",
        )
    return path


def analysis_file(name: str) -> Path | None:
    """Return the file of an analysis given by name: ``reports/<name>.toml`` here first, then as shipped.

    ``None`` where no such file exists. `name`: name of the analysis, without folder or ending.
    """
    here = Path.cwd() / "reports" / f"{name}.toml"
    if here.is_file():
        return here
    shipped = shipped_folder("reports") / f"{name}.toml"
    return shipped if shipped.is_file() else None


def analysis_names() -> tuple[str, ...]:
    """Return the names of the analyses that :func:`analysis_file` can find, sorted."""
    folders = (Path.cwd() / "reports", shipped_folder("reports"))
    return tuple(sorted({file.stem for folder in folders for file in folder.glob("*.toml")}))


# --- Text that a reader can see ---


LONGEST_TEXT = 2_000
"""Most characters of a text: what ships stays below 400."""

_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2028\u2029\u2800\u3164\ufe00-\ufe0f\uffa0]"
)
"""Letters, marks and separators that print as nothing or as a line of its own; Unicode has no category for them."""


def readable_text(
    text: str, *, field: str | None = None, file: str | Path | None = None, longest: int = LONGEST_TEXT
) -> str:
    """Return a text as it is, or refuse it: nothing to read in it, characters that cannot be seen, or too long."""
    hidden = [c for c in text if unicodedata.category(c)[0] == "C" or _UNSEEN.match(c)]
    seen = any(unicodedata.category(c)[0] in "LNPS" for c in unicodedata.normalize("NFKC", text))
    if seen and not hidden and len(text) <= longest:
        return text
    problem, found, cause = "a text is empty", repr(text[:60]), "a field left blank"
    if hidden:
        codes = ", ".join(dict.fromkeys(f"U+{ord(c):04X}" for c in hidden[:100]))
        problem, found = (
            "a text holds characters that a reader cannot see",
            f"{ascii(text[:60])}: {codes[:60]}",
        )
        cause = "text pasted from a page, a terminal or a word processor, or a line end inside it"
    elif seen:
        problem, found = "a text is too long", f"{len(text):,} characters"
        cause = "a whole document pasted into one field"
    raise InputError(
        problem,
        file=file,
        field=field,
        found=found,
        allowed=f"text that can be read, {longest:,} characters at most",
    ).advice(cause, remedy="write it in letters, figures and plain spaces" if seen else "fill it in")


def same_name(one: str | None, other: str | None) -> bool:
    """Return whether a reader may take two names for one person's: what looks alike counts as alike.

    Case, spaces and dots do not count; letters of two alphabets may be drawn alike, and a name without letters may be
    anybody's. None is nobody.
    """
    seen, alphabets = [], set()
    for name in (one, other):
        plain = unicodedata.normalize("NFKC", name or "").casefold().translate(_ALIKE)
        letters = [c for c in plain if unicodedata.category(c) in ("Ll", "Lo") or c.isdecimal()]
        alphabets |= {_alphabet(c) for c in letters if c.isalpha()}
        seen.append("".join(letters).replace("rn", "m").replace("vv", "w"))
    return None not in (one, other) and (len(alphabets) > 1 or "" in seen or seen[0] == seen[1])


_ALIKE = str.maketrans("l1|\u01310", "iiiio")
"""Letters and figures of one alphabet that many fonts print alike, in small letters."""


def _alphabet(letter: str) -> tuple[str, bool]:
    """Return the alphabet of a letter; the signs of phonetics, drawn like Latin letters, are one of their own."""
    alphabet = unicodedata.name(letter, "").partition(" ")[0]
    return alphabet, alphabet == "LATIN" and letter > "\u024f" and not unicodedata.decomposition(letter)


# --- Files as read: ordinary ones, of a size and a depth that a person writes ---


MOST_BYTES = 100_000_000
"""Most bytes read of one file: what ships stays below 10 million, and no release comes near it."""

DEEPEST = 12
"""Most tables inside one another: what ships stays below 6."""


def ordinary(path: str | Path) -> Path:
    """Return the path of a file that has an end. Raises OSError for a folder, a device or a pipe."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a device, a pipe or a socket"
        raise OSError(errno.EISDIR, kind, str(path))
    return Path(path)


def as_folder(path: str | Path, *, field: str) -> Path:
    """Return a folder that is named, which need not exist, or refuse it where a file stands there or above."""
    path = Path(path)
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise InputError(
                "a folder is named that is not a folder",
                file=path,
                field=field,
                found=f"{place} is a file",
                allowed="a folder, or a name that is still free",
            ).advice(
                "the name of a file, a report or an analysis in place of the folder that holds them",
                remedy="name another folder, or move the file",
            )
    return path


def bytes_of(path: str | Path) -> bytes:
    """Return what a file holds. Raises OSError where it is no ordinary file, or larger than `MOST_BYTES`."""
    with ordinary(path).open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"more than {MOST_BYTES:,} bytes", str(path))
    return content


def text_of(path: str | Path) -> str:
    """Return the text a file holds, read as `bytes_of` reads it."""
    return bytes_of(path).decode("utf-8")


def records_of(path: str | Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, each by the names of its columns, read as `bytes_of` reads it."""
    return list(csv.DictReader(io.StringIO(text_of(path), newline="")))


_UNREADABLE = {errno.EISDIR: "not an ordinary file", errno.EFBIG: "a file is too large"}


def file_bytes(path: Path, *, missing: InputError | None = None) -> bytes:
    """Return what a file of inputs holds, or refuse it. `missing`: what is said where there is none."""
    try:
        return bytes_of(path)
    except FileNotFoundError:
        raise missing or InputError(
            "the file does not exist", file=path, cause="a misspelt path", remedy="check the name and folder"
        ) from None
    except (OSError, ValueError) as error:  # a path with a NUL in it is a ValueError
        raise InputError(
            _UNREADABLE.get(getattr(error, "errno", None) or 0, "the file cannot be read"),
            file=ascii(str(path))[1:-1],
            found=getattr(error, "strerror", None) or error,
            allowed=f"an ordinary file of up to {MOST_BYTES:,} bytes",
        ).advice(
            "a folder, a device or another kind of file in its place, a path mistyped, or no right to read it",
            remedy="check the path, and name the file itself",
        ) from None


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read one TOML file. The file as nested dictionaries."""
    path = Path(path)
    try:
        text = file_bytes(path).decode("utf-8")
        content = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise InputError(
            "the file is not UTF-8 text", file=path, found=f"byte {error.start}: {error.reason}"
        ).advice(
            "saved by a word processor or spreadsheet, or damaged", remedy="save it again as plain UTF-8 text"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise _unparsable(error, path) from None
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise _unheld(text, path, deep=isinstance(error, RecursionError)) from None
    if not content:
        raise InputError("the file is empty", file=path).advice(
            "a truncated copy", remedy="restore the file, or delete it"
        )
    _refuse_unreadable(content, path)
    return content


def _refuse_unreadable(content: Mapping[str, Any], path: Path) -> None:
    """Refuse what TOML can say and no field can mean: endless tables or digits, text that cannot be seen."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), content)]
    while waiting:
        place, value = waiting.pop()
        field = ".".join(place)
        if place:
            readable_text(place[-1], field=ascii(field)[1:-1], file=path)
        if isinstance(value, str) and value:  # whether it may be left empty, its field knows
            readable_text(value, field=field, file=path)
        if isinstance(value, int) and value.bit_length() > 63 or len(place) > DEEPEST:
            raise _unheld("", path, deep=len(place) > DEEPEST).changed(field=".".join(place[:DEEPEST]))
        pairs = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        waiting += [((*place, str(key)), inner) for key, inner in pairs]


def _unheld(text: str, path: Path, *, deep: bool) -> InputError:
    """Word a value that the reader cannot hold: a table inside tables without end, or a number of endless digits."""
    if deep:
        return InputError(
            "tables or lists stand inside one another too deep", file=path, allowed=f"{DEEPEST} levels"
        ).advice("a file made by a program, or damaged", remedy="restore the file")
    number = re.search(r"[0-9_]{4000,}", text)
    before = text[: number.start()] if number else ""
    keys = re.findall(r"""([\w."'-]+)\s*=""", before)
    return InputError(
        "a whole number has too many digits",
        file=path,
        field=f"line {before.count(chr(10)) + 1}, {keys[-1]}" if keys else None,
        found=f"{len(number[0]):,} digits" if number else "more than 18 digits",
        allowed="18 digits at most",
    ).advice("a key held down, or two numbers run together", remedy="correct the number")


def _unparsable(error: tomllib.TOMLDecodeError, path: Path) -> InputError:
    """Say whether a file holds a key twice or cannot be parsed at all."""
    found = str(error)
    if "overwrite" in found or "twice" in found or "mutate" in found:
        return InputError(
            "a key or table appears twice", file=path, found=found, allowed="each key once"
        ).advice("an entry copied and not renamed", remedy="remove or rename one of the two")
    return InputError("the file is not valid TOML", file=path, found=found).advice(
        "a truncated file, or a quote, bracket or comma left out", remedy="correct the line named above"
    )


def text_of_table(content: bytes, *, file: str | Path, again: str) -> str:
    """Return the text of a CSV file, refusing what is not text or was cut off. `again`: how to get it anew."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "the file cannot be read as text",
            file=file,
            found=str(error),
            allowed="comma separated text in UTF-8",
            cause="a spreadsheet or a compressed file under a .csv name, or a broken download",
            remedy=f"{again}; unpack it, or save the sheet as CSV (UTF-8)",
        ) from None
    if "\0" in text or (text and not text.endswith("\n")):
        raise InputError(
            "the file was cut off: its last line has no line end",
            file=file,
            field=f"row {text.count(chr(10)) + 1}",
            found=repr(text[-40:]),
            allowed="whole rows, each closed by a line end",
            cause="a download or a copy that stopped half way",
            remedy=again,
        )
    return text


def even_rows(text: str, *, file: str | Path) -> list[list[str]]:
    """Return header and rows of a CSV text, refusing what is no table with a cell for every column of its header."""
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), strict=True):
            rows.append(row)
    except csv.Error as error:
        raise InputError(
            "a row cannot be split into cells", file=file, field=f"row {len(rows) + 1}", found=error
        ).changed(
            allowed=f"cells of up to {csv.field_size_limit():,} characters, every quote closed",
            cause="a quote left open, or a file that is no table",
            remedy="close the quote in the row named, or restore the file from its source",
        ) from None
    try:
        refuse_broken(_EVEN, rows)
    except InputError as error:
        raise error.changed(file=file) from None
    return rows


def _uneven(rows: list[list[str]]) -> int:
    """Return which row is not as long as the header; 0 where all are."""
    return next((at for at, row in enumerate(rows) if len(row) != len(rows[0])), 0)


def _twice(rows: list[list[str]]) -> str:
    names = [name.strip() for name in rows[0]]
    return next((name for name in names if names.count(name) > 1), "")


_EVEN = (
    Rule(None, lambda rows: len(rows) < 2, lambda rows: f"{len(rows)} line(s)")
    .wrong("the file holds no rows", allowed="a header and at least one row")
    .advice("a download or a copy that stopped before it began", remedy="restore the file from its source"),
    Rule(lambda rows: f"column {_twice(rows)}, row 1", _twice, "more than once")
    .wrong("a column stands in the file twice", allowed="each column once")
    .advice("two files pasted side by side", remedy="remove one of the two"),
    Rule(lambda rows: f"row {_uneven(rows) + 1}", _uneven, lambda rows: f"{len(rows[_uneven(rows)])} cells")
    .wrong(
        lambda rows: (
            f"a row has {'more' if len(rows[_uneven(rows)]) > len(rows[0]) else 'fewer'} cells than the header"
        ),
        allowed=lambda rows: f"{len(rows[0])} cells: {', '.join(rows[0])}",
    )
    .advice(
        "a comma inside an unquoted text, two lines run together, or a file cut off",
        remedy="quote the text or restore the row, or restore the file from its source",
    ),
)
"""What every table must keep, whatever it holds."""


def placed(error: InputError, *, file: str | Path, field: str) -> InputError:
    """Return the same error with its file, and its field put under `field`."""
    inner = (part for part in (field, error.details["field"]) if part)
    return error.changed(file=error.details["file"] or file, field=".".join(inner) or None)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean x?"`` for the closest known name, or an empty text."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def fingerprint(content: Mapping[str, Any] | list[Any]) -> str:
    """Return the SHA-256 of the content in canonical JSON: same content, same fingerprint, any key order."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


NUMERICAL_LIBRARIES = tuple("numpy scipy pandas xarray pymc pytensor nutpie arviz-stats numba".split())
"""Libraries whose version can move a result."""


def library_versions(names: Iterable[str] = NUMERICAL_LIBRARIES) -> dict[str, str]:
    """Return the installed version of each library. Name to version, ``""`` where it is missing."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found


# --- One writer at a time, and files that are there whole or not at all ---


@contextmanager
def held_lock(
    file: Path, *, wait: float, busy: Exception, trouble: AbstractContextManager[None]
) -> Iterator[None]:
    """Hold a lock file while the block runs, or raise `busy` where another holds it longer than `wait` seconds.

    `trouble`: context in which the file is made and locked, to word what the disk refuses; not that of the block.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(file, timeout=wait)
    with trouble:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            raise busy from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def written_beside(file: Path) -> Iterator[Path]:
    """Yield where to write a file so that it is there complete or not at all, replacing what was there."""
    clear_parts(file.parent, escape(file.name))
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        yield beside
        to_disk(beside)
        os.replace(beside, file)
        to_disk(file.parent)
    finally:
        beside.unlink(missing_ok=True)


def replace_file(file: Path, content: str | bytes) -> None:
    """Write a file so that it is there complete or not at all, replacing what was there."""
    with written_beside(file) as beside:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)


def to_disk(place: Path) -> None:
    """Force a file, or a folder's list of names, to disk, so that it survives a power cut."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
