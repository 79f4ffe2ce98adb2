"""Runs of the golden analyses through the command line, with fits made without the sampler.

Everything the goldens need of the package is imported here: two public functions, in whose place the made fits are
put, and the command line. All else is read from the files that a run stores.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cba
from cba.cli import main
from cba.models.sampling import made_from
from tests.made_fits import made_baseline, made_effects
from tests.reporting.page_reading import Element, read_page

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ANALYSES = ("golden_2024", "golden_2021")
SMALL = "golden_stored"
STANCES = ("evidence", "sceptical", "mixture", "review")
STORED = HERE / "stored_run.tar.xz"
ANALYST, ASSURER = "A. Analyst", "B. Assurer"

RUN_NAME = re.compile(r"\b\d{8}T\d{6}Z-[0-9a-f]{8}\b")
HASH = re.compile(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{40}\b")
MOMENT = re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|\+\d{2}:\d{2})")
WHOLE = re.compile(r"-?[0-9]{1,15}")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?(e[-+]?[0-9]+)?|-?inf")
OF_THE_DAY = ("reviewed__before", "calibration_stale", "&quantity=prob_system_cost_15bn")
"""Numbers in a page that come and go with the day of the run, or with the code: shown, or not, where a kept record
(the backtest, the calibration) was made by the code as it is now."""

OF_THE_CODE = (("backtest_about", "item", "current"), ("checklist", "where", "backtest"))
"""Rows that say whether the kept record of the backtest was made by the code as it is now: table, column, cell."""

MASKED_FIELDS = ("commit", "fingerprint", "seconds", "version", "bytes")


@contextmanager
def made_fits() -> Iterator[None]:
    """Put made fits in the place of the two models: nothing is sampled, and all else is as in an ordinary run."""

    def baseline(observations: Any, priors: Any, *, draws: int, chains: int, seed: int, **more: Any) -> Any:
        how = {"draws": draws, "chains": chains, "seed": seed}
        fit = made_baseline(observations, priors, **how)
        fit.attrs = made_from("baseline", priors, observations=observations, tune=more["tune"], **how)
        return fit

    def effects(evidence: Any, priors: Any, *, draws: int, chains: int, seed: int, **more: Any) -> Any:
        fit = made_effects(draws=draws, chains=chains, seed=seed + 1)
        known = {name: more[name] for name in ("observations", "panel", "tune")}
        how = {"draws": draws, "chains": chains, "seed": seed, **known}
        fit.attrs = made_from("effects", priors, evidence=evidence, **how)
        return fit

    models = {cba.fit_baseline: baseline, cba.fit_effects: effects}
    places = [(sys.modules[model.__module__], model.__name__, made) for model, made in models.items()]
    with patch.object(*places[0]), patch.object(*places[1]):
        yield


@dataclass(frozen=True)
class Shop:
    """A folder of reports with the runs of the golden analyses in it.

    `answers` holds what commands printed, by a name of ours; run names stand in it as they were.
    """

    root: Path
    answers: dict[str, Any] = field(default_factory=dict)

    def ask(self, *words: str, name: str | None = None) -> dict[str, Any]:
        """Run one command with --json in made fits and return its one document; keep it under `name`."""
        with made_fits(), patch.object(sys, "stdout", StringIO()) as said:
            code = main([*words, "--json"])
        answer: dict[str, Any] = json.loads(said.getvalue())
        assert answer.get("exit_code", 0) == code, f"cba {' '.join(words)}: exit code {code}"
        if name is not None:
            self.answers[name] = answer
        return answer

    def run(self, analysis: Path | str, *, name: str | None = None) -> Path:
        """Run an analysis and return the folder of its run."""
        answer = self.ask("run", str(analysis), "--root", str(self.root), "--by", ANALYST, name=name)
        assert "path" in answer, answer
        return Path(answer["path"])


def specification(analysis: str) -> Path:
    """Return the file of a golden analysis."""
    return HERE / f"{analysis}.toml"


def masked(value: Any, *, root: Path) -> Any:
    """Return plain values without times, paths, hashes and names of runs."""
    if isinstance(value, Mapping):
        return {
            _masked_text(str(key), root=root): "(masked)"
            if key in MASKED_FIELDS and item is not None
            else masked(item, root=root)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [masked(item, root=root) for item in value]
    return _masked_text(value, root=root) if isinstance(value, str) else value


def _masked_text(text: str, *, root: Path) -> str:
    for place, word in ((root, "(reports)"), (ROOT, "(package)")):
        text = text.replace(str(place), word).replace(str(place.resolve()), word)
    for pattern, word in ((RUN_NAME, "(run)"), (HASH, "(hash)"), (MOMENT, "(moment)")):
        text = pattern.sub(word, text)
    return text


# -- a stored run as plain values ------------------------------------------------------------------------------


def results_of(run: Path, stance: str) -> dict[str, Any]:
    """Return the headline results of one stance."""
    record = json.loads((run / "stances" / stance / "appraisal.json").read_text(encoding="utf-8"))
    results: dict[str, Any] = record["results"]
    return results


def headline_of(run: Path) -> dict[str, Any]:
    """Return the results that the headline file of a run holds for its first stance."""
    results: dict[str, Any] = json.loads((run / "headline.json").read_text(encoding="utf-8"))["results"]
    return results


def tables_of(run: Path, stance: str) -> dict[str, dict[str, list[Any]]]:
    """Return every table of one stance: name, then column, to its cells."""
    folder = run / "stances" / stance / "tables"
    return {file.stem: table_cells(file, root=run.parents[1]) for file in sorted(folder.glob("*.csv"))}


def table_cells(file: Path, *, root: Path) -> dict[str, list[Any]]:
    """Return the cells of a table by column: numbers as such, nothing as None, text as it stands, masked."""
    with file.open(encoding="utf-8", newline="") as text:
        head, *rows = csv.reader(text)
    for table, column, cell in OF_THE_CODE:
        if file.stem == table:
            at = head.index(column)
            rows = [["(of the code)"] * len(row) if row[at] == cell else row for row in rows]
    columns = zip(*rows, strict=True) if rows else ([] for _ in head)
    return {
        name: [_cell(cell, root=root) for cell in cells] for name, cells in zip(head, columns, strict=True)
    }


def _cell(text: str, *, root: Path) -> Any:
    if text == "":
        return None
    if WHOLE.fullmatch(text):
        return int(text)
    return float(f"{float(text):.13g}") if NUMBER.fullmatch(text) else _masked_text(text, root=root)


def merged_tables_of(run: Path) -> dict[str, Any]:
    """Return the columns and the number of lines of each table of the run as a whole; its cells are those above."""
    shapes = {}
    for file in sorted((run / "tables").glob("*.csv")):
        head, *lines = file.read_text(encoding="utf-8").splitlines()
        shapes[file.stem] = {"columns": head, "lines": len(lines)}
    return shapes


def checklist_of(run: Path) -> dict[str, list[Any]]:
    """Return the checklist, the one table that only the run as a whole has."""
    return table_cells(run / "tables" / "checklist.csv", root=run.parents[1])


def page_of(run: Path) -> Element:
    """Return the pages of a run as one tree, the report first; the brief is part of the report."""
    files = [run / "report.html", *sorted((run / "annexes").glob("*.html"))]
    return Element("root", {}, [read_page(file.read_text(encoding="utf-8")) for file in files])


def bound_numbers_of(page: Element) -> list[dict[str, Any]]:
    """Return the bound numbers of a page in their order: the section, where each is from, its value and its text."""
    found = []
    section = ""
    for element in page.find():
        if element.tag == "h2":
            section = element.attributes.get("id", "")
        if element.tag == "data" and not any(word in str(element.attributes) for word in OF_THE_DAY):
            raw = element.attributes["value"]
            value = float(f"{float(raw):.13g}") if raw else None
            where = {
                k.removeprefix("data-"): v
                for k, v in element.attributes.items()
                if k not in ("class", "value")
            }
            found.append(
                {"section": section, **where, "value": value, "text": " ".join(element.text().split())}
            )
    return found


def explorer_of(page: Element) -> dict[str, Any]:
    """Return what the page embeds for its explorer, and the results printed at the settings of the run."""
    (store,) = (e for e in page.find("script") if e.attributes.get("id") == "explorer-data")
    printed = {
        element.attributes["id"]: [
            [float(raw) for raw in element.attributes.get("data-raw", "nan").split(",")],
            element.text(),
        ]
        for element in page.find("td")
        if element.attributes.get("id", "").startswith("explorer-")
    }
    return {"embedded": json.loads(store.text()), "printed": printed}


# -- the run stored by an earlier version ----------------------------------------------------------------------


def unpack_stored_run(root: Path) -> Path:
    """Unpack the run that an earlier version stored, with the inputs kept with it, and return its folder."""
    with tarfile.open(STORED) as archive:
        archive.extractall(root, filter="data")
    (manifest,) = root.glob(f"{SMALL}/*/manifest.json")
    return manifest.parent


def pack_stored_run(root: Path) -> None:
    """Pack the one run of :data:`SMALL` under `root`: done once, by the version whose run it is to be."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if entry.name.split("/")[-1].endswith((".lock", ".part")):
            return None
        entry.mtime = entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    with tarfile.open(STORED, "w:xz", preset=9) as archive:
        for name in (SMALL, ".inputs"):
            archive.add(root / name, arcname=name, filter=plain)
