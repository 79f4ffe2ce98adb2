"""Stages found in the store: the appraisal of a stance whose fingerprint an earlier run holds is read, not made.

Reading an appraisal back gives the same numbers to the last bit, and its tables are written again byte for
byte; the files are compared with their hashes first, and a damaged copy is named and never used.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.errors import InputError
from cba.runs.fingerprints import file_sha256
from cba.runs.stored_runs import RunRecord, runs_of

if TYPE_CHECKING:
    from cba.appraisal import Appraisal
    from cba.inputs.analysis_records import Analysis

RECORD = "appraisal.json"


@dataclass(frozen=True)
class StoredStage:
    """An appraisal read from an earlier run.

    Attributes
    ----------
    appraisal : Appraisal
        As the stage made it, without what later stages added; it names the analysis asked for.
    folder : Path
        Where it was read from.
    run : str
        Name of that run.

    Examples
    --------
    >>> StoredStage(appraisal=None, folder=Path("stances/evidence"), run="20261121T093000Z-0123abcd").run
    '20261121T093000Z-0123abcd'
    """

    appraisal: Appraisal
    folder: Path
    run: str


def stored_appraisal(
    root: str | Path, *, analysis: Analysis, stance: str, fingerprint: str
) -> StoredStage | None:
    """Find the appraisal of a stance among the stored runs of an analysis.

    Parameters
    ----------
    root : str or Path
        Folder of the reports.
    analysis : Analysis
        What is asked for; it may differ from the stored one in what the appraisal does not depend on.
    stance : str
    fingerprint : str
        Of the stage, as :func:`cba.runs.stage_fingerprints.stage_fingerprints` gives it.

    Returns
    -------
    StoredStage or None
        None where no sound copy is stored.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> stored_appraisal("nowhere", analysis=SimpleNamespace(name="latest"), stance="evidence", fingerprint="0")
    """
    for run in reversed(runs_of(root, analysis.name)):
        if run.manifest.get("stages", {}).get(f"appraisal/{stance}") != fingerprint:
            continue
        damage = _damage(run, stance)
        if damage:
            print(f"warning: {run.path / damage} is damaged: the stage is made again", file=sys.stderr)
            continue
        try:
            return _read(run, analysis=analysis, stance=stance)
        except InputError as error:
            print(f"warning: {error.problem} ({run.path}): the stage is made again", file=sys.stderr)
    return None


def write_stage(stage: StoredStage, appraisal: Appraisal, *, folder: Path) -> None:
    """Write an appraisal that was read from the store into a new run, without packing its draws anew.

    Parameters
    ----------
    stage : StoredStage
        Where its draws are.
    appraisal : Appraisal
        The same one, with the tables later stages gave it.
    folder : Path
        Of the new run; must not exist.

    Examples
    --------
    >>> write_stage(stage, stage.appraisal, folder=Path("stances/evidence"))  # doctest: +SKIP
    """
    (folder / "tables").mkdir(parents=True)
    for file in sorted(stage.folder.iterdir()):
        if file.is_file() and file.name != RECORD:
            shutil.copyfile(file, folder / file.name)
    record = json.loads((stage.folder / RECORD).read_text(encoding="utf-8"))
    record["analysis"] = appraisal.analysis.model_dump(mode="json", by_alias=True)
    record["provenance"] = dict(appraisal.provenance)
    record["tables"] = list(appraisal.tables)
    written = json.dumps(record, indent=1, allow_nan=False)
    (folder / RECORD).write_text(written, encoding="utf-8")
    for name, table in appraisal.tables.items():
        place = folder / "tables" / f"{name}.csv"
        if table is stage.appraisal.tables.get(name):
            shutil.copyfile(stage.folder / "tables" / place.name, place)
        else:
            table.to_csv(place, index=False, lineterminator="\n")


def stored_appraisals(run: RunRecord) -> dict[str, Appraisal]:
    """Read every appraisal of a run; most of their draws stay in its files until they are used.

    Parameters
    ----------
    run : RunRecord
        Must stay where it is until then.

    Returns
    -------
    dict of str to Appraisal
        By stance, the headline stance first.

    Raises
    ------
    InputError
        If one cannot be read, or another version stored it with other settings.

    Examples
    --------
    >>> list(stored_appraisals(run))  # doctest: +SKIP
    ['evidence', 'sceptical', 'review']
    """
    from cba.appraisal import Appraisal

    return {
        stance: Appraisal.from_directory(run.path / "stances" / stance, lazy=True)
        for stance in run.manifest["stances"]
    }


def _read(run: RunRecord, *, analysis: Analysis, stance: str) -> StoredStage:
    """Read an appraisal and give it the analysis asked for."""
    from cba.appraisal import Appraisal

    folder = run.path / "stances" / stance
    stored = Appraisal.from_directory(folder, lazy=True)
    made = run.manifest["stage_tables"][stance]
    prints: dict[str, Any] = dict(stored.provenance.get("fingerprints", {}))
    provenance = {
        **stored.provenance,
        "fingerprints": {**prints, "analysis": analysis.fingerprint()},
    }
    appraisal = dataclasses.replace(
        stored,
        analysis=analysis,
        tables={name: stored.tables[name] for name in made},
        provenance=provenance,
    )
    return StoredStage(appraisal, folder, run.name)


def _damage(run: RunRecord, stance: str) -> str:
    """Return the first file of a stance that is not what was stored."""
    for name, entry in run.manifest["files"].items():
        if name.startswith(f"stances/{stance}/"):
            file = run.path / name
            if not file.is_file() or file_sha256(file) != entry["sha256"]:
                return name
    return ""
