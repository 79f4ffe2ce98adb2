"""Results that take minutes to hours: made by `cba refresh` alone, kept in files, and read by every run.

Beside its tables each keeps a record of when, by which version and from which release it was made, and a key: the
SHA-256 of the code, published tables and priors it was made from. It is current while the key is that of now.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from cba.errors import InputError, StoreError
from cba.inputs.files import bytes_of, priors_folder, published_file, read_toml, replace_file, text_of
from cba.inputs.priors import load_priors
from cba.inputs.safe_files import csv_text, frame_of, strict_json

PACKAGE = Path(__file__).parents[1]

_INPUTS = PACKAGE / "inputs"


@dataclass(frozen=True)
class SlowResult:
    """A kept result: where it lies and what it is made from."""

    name: str
    title: str
    folder: Path
    minutes: int  # on two cores
    makers: tuple[str, ...]  # ``module:name`` of what computes it; what these use counts with them
    tables: tuple[str, ...]  # published tables it is made from, or files under ``inputs/``
    refreshed_by: str  # ``module:name`` that makes and keeps it; empty for calibrations
    every_prior: bool  # made from all priors, options and interventions, not from those that its code names

    @property
    def record(self) -> str:
        """Name of the file that says how it was made."""
        return f"{self.name}.json"

    @property
    def command(self) -> str:
        """What makes it again."""
        return f"cba refresh {self.name.partition('_')[0]}"


def _result(name: str, written: Mapping[str, Any]) -> SlowResult:
    makers, tables = tuple(written["makers"]), tuple(written["tables"])
    folder = PACKAGE / written["folder"]
    refreshed_by = written.get("refreshed_by", "")
    every = bool(written.get("every_prior"))
    return SlowResult(name, written["title"], folder, written["minutes"], makers, tables, refreshed_by, every)


SLOW_RESULTS = {
    name: _result(name, written) for name, written in read_toml(Path(__file__).with_suffix(".toml")).items()
}
"""Every kept result, as ``slow_results.toml`` says."""


def slow_results_named(name: str) -> tuple[SlowResult, ...]:
    """Return what a name means: ``calibration`` is that of all models, ``all`` is everything."""
    found = tuple(
        one for one in SLOW_RESULTS.values() if name in ("all", one.name, one.name.partition("_")[0])
    )
    if not found:
        raise InputError(
            "no such result to make again",
            field="NAME",
            found=name,
            allowed=", ".join((*SLOW_RESULTS, "calibration", "all")),
            cause="a misspelt name",
            remedy="choose one of these; `cba refresh` alone lists them",
        )
    return found


# --- what is kept, and whether it is current ---


def how_made(name: str, folder: Path | None = None) -> dict[str, Any]:
    """Return when and from what a result was made, and whether it is ``current``; empty where none is kept.

    ``made`` (date), ``release``, ``version``, ``made_from`` (the key), what its maker noted; or ``damage`` alone.
    """
    try:
        kept = _sound_record(name, folder)
    except StoreError as error:
        return {"damage": error.details["found"], "current": False}
    kept.pop("files", None)
    return kept and kept | {"current": kept["made_from"] == made_from(name)}


def kept_release(name: str) -> int | None:
    """Return the release a result was made from; None where none is kept."""
    return _sound_record(name).get("release")


def _sound_record(name: str, folder: Path | None = None) -> dict[str, Any]:
    """Return the record of a result, empty where none is kept, or refuse it where a file is not what was kept."""
    result = SLOW_RESULTS[name]
    place = folder or result.folder
    file = result.record
    if not (place / file).is_file():
        return {}
    try:
        kept: dict[str, Any] = strict_json(text_of(place / file))
        _ = kept["release"], kept["version"], kept["made_from"]
        for file, digest in kept["files"].items():
            if _sha256(bytes_of(place / file)) != digest:
                raise ValueError("its SHA-256 is not the one kept")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            "a kept result is damaged",
            file=place / file,
            found=f"{file}: {error}",
            allowed="the files as they were kept, the SHA-256 of each in the record beside them",
            cause="edited by hand, or a copy that stopped half way",
            remedy=f"restore the file, or make the result again with `{result.command}`",
        ) from None
    return kept


def _sha256(content: bytes) -> str:
    """Return the SHA-256 of a text, however its lines end."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def kept_table(name: str, title: str, *, folder: Path | None = None) -> pd.DataFrame:
    """Return a table of a kept result, every file of which is what was kept."""
    _sound_record(name, folder)
    return frame_of((folder or SLOW_RESULTS[name].folder) / f"{title}.csv")


def refuse_damaged_results() -> None:
    """Refuse a kept result that is damaged, before a run spends its time and reads it at its end."""
    for name in SLOW_RESULTS:
        _sound_record(name)


def keep_result(
    name: str,
    tables: Mapping[str, pd.DataFrame],
    *,
    release: int,
    folder: Path | None = None,
    **facts: Any,
) -> Path:
    """Keep the tables of a result just made, one CSV file each, and the record of how it was made."""
    result = SLOW_RESULTS[name]
    place = folder or result.folder
    texts = {f"{title}.csv": csv_text(table, float_format="%.6g") for title, table in tables.items()}
    files = {file: _sha256(text.encode()) for file, text in texts.items()}
    made = {"made": datetime.now(UTC).date().isoformat(), "release": release, "version": version("cba")}
    record = json.dumps(facts | made | {"made_from": made_from(name), "files": files}, indent=2)
    place.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        replace_file(place / file, text)
    replace_file(place / result.record, record + "\n")  # the record last: it never vouches for half its files
    return place


def provenance_words(result: SlowResult, kept: Mapping[str, Any]) -> str:
    """Say from what a result was made and, where it is stale, what makes it again. `kept`: of :func:`how_made`."""
    if not kept:
        return f"{result.title}: not made yet; make it with `{result.command}`"
    if "damage" in kept:
        return f"{result.title}: damaged ({kept['damage']}); `{result.command}` makes it again"
    words = f"{result.title}: made from release {kept['release']}, version {kept['version']}"
    return words if kept["current"] else f"{words}; stale: `{result.command}` makes it again"


def provenance_of_slow_results(*, stale: bool = False) -> list[str]:
    """Say from what each result was made, or each that is stale."""
    found = [(result, how_made(name)) for name, result in SLOW_RESULTS.items()]
    return [provenance_words(result, kept) for result, kept in found if not (stale and kept.get("current"))]


def made_from(name: str) -> str:
    """Return the key a result would have if it were made now: of its code, tables and priors."""
    result, priors = SLOW_RESULTS[name], load_priors()
    code = code_reached(result.makers)
    found = hashlib.sha256("\n".join(code).encode())
    files = [_INPUTS / table if "/" in table else published_file(table) for table in result.tables]
    if result.every_prior:
        files += sorted(priors_folder().glob("*/*.toml"))
    for file in files:
        found.update(bytes_of(file).replace(b"\r\n", b"\n"))
    words = _words_of(result.makers)
    groups = tuple(word for word in words if word.endswith("."))
    for entry in sorted(priors):
        if result.every_prior or entry in words or entry.startswith(groups):
            stated = priors[entry]
            found.update(f"{entry} {stated.distribution} {sorted(stated.parameters.items())}".encode())
    return found.hexdigest()


# --- what code does, wherever it stands and however it is laid out ---


_BY_CONTENT = ("cba.inputs", "cba.errors", "cba.dimensions", "cba.models.slow_results")
"""Rooms and files whose code does not count: what they read counts by its content."""


def code_reached(makers: tuple[str, ...]) -> list[str]:
    """Return the syntax trees of some definitions and of all they use in the package.

    Where a definition stands does not count, nor do comments, docstrings, annotations and the words of refusals.
    """
    return sorted(f"{name} {ast.dump(node)}" for (_, name), node in _reached(makers).items())


def _words_of(makers: tuple[str, ...]) -> frozenset[str]:
    """Return all text in the code reached: entries of the registry are named in it, whole or up to a dot."""
    return frozenset(
        part.value
        for node in _reached(makers).values()
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and "." in part.value
    )


@cache
def _reached(makers: tuple[str, ...]) -> dict[tuple[str, str], ast.stmt]:
    left = [(module, name) for module, _, name in (maker.partition(":") for maker in makers)]
    for module, name in left:
        if name not in _definitions(module)[0]:
            raise ValueError(f"{module} does not define {name}: correct the makers of a slow result")
    found: dict[tuple[str, str], ast.stmt] = {}
    while left:
        module, name = left.pop()
        if (module, name) in found or module.startswith(_BY_CONTENT):
            continue
        defined, imported = _definitions(module)
        if name in defined:
            found[module, name] = defined[name]
            left += _used(defined[name], module=module, imported=imported)
        elif name in imported:
            left.append(imported[name])
    return found


def _used(
    node: ast.stmt, *, module: str, imported: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Yield what a definition names: of an imported file what it reads, or all of it where it is passed on."""
    files = {name: ".".join(of) for name, of in imported.items() if _path(".".join(of)).is_file()}
    read_of = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in files:
            read_of.add(part.value)
            yield files[part.value.id], part.attr
        elif isinstance(part, ast.Name) and part.id not in files:
            yield module, part.id
        elif isinstance(part, ast.Name) and part not in read_of:
            file = files[part.id]
            yield from ((file, name) for name in _definitions(file)[0])


def _path(module: str) -> Path:
    """Return where a module of the package is written; no file where there is no such module."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _definitions(module: str) -> tuple[dict[str, ast.stmt], dict[str, tuple[str, str]]]:
    """Return what a module defines, and for the names it imports from the package where they are from."""
    tree = ast.parse(text_of(_path(module)))
    imported = {
        alias.asname or alias.name: (str(node.module), alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("cba.")
        for alias in node.names
    }
    defined = {name: node for node in _Substance().visit(tree).body for name in _names(node)}
    return defined, imported


def _names(node: ast.stmt) -> Iterator[str]:
    """Yield what a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    for target in getattr(node, "targets", [getattr(node, "target", None)]):
        for part in ast.walk(target) if target is not None else ():
            if isinstance(part, ast.Name):
                yield part.id


class _Substance(ast.NodeTransformer):
    """Takes away what does not change a number: docstrings, annotations, imports and refusals."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node

    def visit_Raise(self, node: ast.Raise | ast.Import | ast.ImportFrom) -> None:
        return None

    visit_Import = visit_ImportFrom = visit_Raise

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)


# --- the kept tables, as a run shows them ---


BACKTEST_TABLES = ("headline", "reached", "by_horizon", "by_origin", "candidates", "vintages", "skipped")
"""Tables of the backtest shown with a run; single scores stay in ``scores.csv``."""

CALIBRATED = {"baseline": "business as usual", "effects": "effects", "authorities": "authorities"}
"""Models that are calibrated, with the words for them."""


def backtest_tables(folder: Path | None = None) -> dict[str, pd.DataFrame]:
    """How past forecasts would have done, as ``backtest_<name>``; ``backtest_about`` has columns item and value."""
    about = how_made("backtest", folder)
    if not about:
        return {}
    found = {f"backtest_{name}": kept_table("backtest", name, folder=folder) for name in BACKTEST_TABLES}
    return found | {"backtest_about": pd.DataFrame(list(about.items()), columns=["item", "value"])}


def calibration_tables(folder: Path | None = None) -> dict[str, pd.DataFrame]:
    """Return the kept calibrations: a row per model, those that are stale, the quantities, and the shares drawn."""
    kept = {model: how_made(f"calibration_{model}", folder) for model in CALIBRATED}
    models = [model for model, record in kept.items() if record]
    if not models:
        return {}

    def table(model: str, of: str = "") -> pd.DataFrame:
        return kept_table(f"calibration_{model}", f"calibration_{model}{of}", folder=folder)

    quantities = [table(model).assign(model=model) for model in models]
    summary = pd.DataFrame({"model": model, **kept[model]} for model in models)
    summary["stale"] = ~summary.pop("current")
    return {
        "calibration_summary": summary,
        "calibration_stale": summary.loc[summary["stale"], ["model", "made"]].reset_index(drop=True),
        "calibration_quantities": pd.concat(quantities, ignore_index=True),
        **{f"calibration_shares_{model}": table(model, "_shares") for model in models},
    }
