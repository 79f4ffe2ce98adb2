"""The stages of a run as ordinarily made: observe and reconcile, fit (from the cache), appraise, render.

:func:`cba.runs.execute.execute` takes them as one record, so that a notebook, a test or a later command can
put its own in the place of any of them.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.errors import InputError
from cba.inputs.files import text_of, written_beside
from cba.inputs.leftovers import clear_parts
from cba.inputs.safe_files import shown, strict_json, write_csv
from cba.runs.fingerprints import MODEL_ROOMS, code_fingerprint, file_sha256, fit_fingerprints, prior_stance
from cba.runs.reading import RunRecord, runs_of
from cba.runs.whole_files import write_whole

if TYPE_CHECKING:
    import xarray as xr

    from cba.appraisal.record import Appraisal
    from cba.inputs.analyses import Analysis


@dataclass(frozen=True)
class Stages:
    """What a run calls, in order."""

    observe: Callable[[Analysis], xr.Dataset]  # analysis to the observed series, reconciled
    # ``fit(analysis, stance=, observations=, root=)`` to the baseline and effects fits of one stance.
    fit: Callable[..., tuple[xr.DataTree, xr.DataTree]]
    # ``appraise(analysis, stance=, baseline=, effects=, observations=, evidence=,
    # progress=)`` to an Appraisal; `evidence` is the appraisal under that stance, None before there is one.
    appraise: Callable[..., Appraisal]
    # ``render(appraisals, headline=, manifest=)`` to the pages, HTML by file; None writes none.
    render: Callable[..., Mapping[str, str]] | None = None
    # ``reuse(root, analysis=, stance=, fingerprint=)`` to the stored appraisal of that fingerprint, or None;
    # None makes every appraisal anew.
    reuse: Callable[..., StoredStage | None] | None = None
    # ``write_beside(folder, appraisals=, headline=, manifest=)`` writes workbook and checklist; None writes
    # none.
    write_beside: Callable[..., None] | None = None


def ordinary_stages(
    *,
    use_cache: bool = True,
    render: Callable[..., Mapping[str, str]] | None = None,
    write_beside: Callable[..., None] | None = None,
) -> Stages:
    """Return the stages of an ordinary run.

    `render`: makes the pages; the caller hands it in, because the store does not depend on the reporting
    room. `write_beside`: writes the other files readers get, handed in for the same reason.
    """
    # `use_cache`: take fits from ``<root>/.cache`` and keep new ones there; take appraisals from stored runs.
    code = code_fingerprint(MODEL_ROOMS)  # once, before the models are loaded: what runs is what is named
    fit = partial(fit_stance, use_cache=use_cache, code=code)
    return Stages(
        observe,
        fit,
        _appraise,
        render,
        reuse=stored_appraisal if use_cache else None,
        write_beside=write_beside,
    )


def observe(analysis: Analysis) -> xr.Dataset:
    """Read the observed series as known in the analysis's release and refuse figures that disagree."""
    from cba.inputs.completeness import require_complete
    from cba.inputs.observations import load_observations
    from cba.inputs.reconciliation import check_reconciliation
    from cba.models.slow_results import refuse_damaged_results

    refuse_damaged_results()
    observations = load_observations(analysis.release)
    require_complete(observations)
    check_reconciliation(observations)
    return observations


def fit_stance(
    analysis: Analysis,
    *,
    stance: str,
    observations: xr.Dataset,
    root: Path,
    use_cache: bool = True,
    code: str | None = None,
) -> tuple[xr.DataTree, xr.DataTree]:
    """Return the baseline and the effects fit of one stance, cached where what they read is unchanged.

    Stances whose overrides do not reach a model share its fit: the key is what the model reads. `stance`:
    ``review`` uses the fits of ``evidence``: it conditions their draws.
    """
    # `use_cache`: false fits again and keeps nothing.
    from cba.appraisal.inputs import sampler_settings
    from cba.inputs.priors import load_priors

    belief = prior_stance(stance)
    priors, sampler = load_priors(stance=belief), sampler_settings(analysis)

    def baseline() -> xr.DataTree:
        from cba.models.baseline import fit_baseline
        from cba.models.sampling import Gates

        return fit_baseline(observations, priors, **sampler, gates=Gates(**analysis.gates.model_dump()))

    def effects() -> xr.DataTree:
        from cba.inputs.evidence import load_evidence
        from cba.models.authority_findings import known_panel
        from cba.models.effects import fit_effects
        from cba.models.sampling import Gates

        until, gates = analysis.evidence_until, Gates(**analysis.gates.model_dump())
        evidence, panel = load_evidence(until=until), known_panel(until)
        return fit_effects(evidence, priors, observations=observations, panel=panel, **sampler, gates=gates)

    if not use_cache:
        return baseline(), effects()
    settings = analysis.model_dump(mode="json", by_alias=True)
    prints = fit_fingerprints(settings, (belief,), code=code)
    return (
        cached_fit(root, model="baseline", fingerprint=prints[f"baseline/{belief}"], fit=baseline),
        cached_fit(root, model="effects", fingerprint=prints[f"effects/{belief}"], fit=effects),
    )


def _appraise(analysis: Analysis, *, stance: str, progress: bool, **given: Any) -> Appraisal:
    from cba.recipe import appraise

    return appraise(analysis, stance=stance, progress=progress, **given)


# --- fits kept between runs ---
#
# A fit is one netCDF file, ``<reports root>/.cache/<model>-<fingerprint>.nc``, which holds its own key, with its
# SHA-256 beside it. One that is of another key, does not match its hash, or cannot be read, is never used: the
# model is fitted again and a warning printed. The cache only saves time: where it cannot be written the fit is
# still returned.


WAIT_SECONDS = 1800.0
"""How long a run waits for another that is making the same fit."""

_KEY = "made_for"
"""Attribute of a kept fit that holds its whole key."""


def cached_fit(
    root: str | Path, *, model: str, fingerprint: str, fit: Callable[[], xr.DataTree]
) -> xr.DataTree:
    """Return the fit kept under a fingerprint of all it depends on, or make it and keep it.

    Loaded in memory. `fit`: makes the fit; called only where no sound copy exists.
    """
    # A fit just made is returned as the cache returns it, so that both paths agree.
    from filelock import FileLock, Timeout

    path, key = Path(root) / ".cache" / f"{model}-{fingerprint[:16]}.nc", f"{model}/{fingerprint}"
    lock = FileLock(path.parent / f"{model}.lock", timeout=WAIT_SECONDS)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, Timeout) as error:
        _warn(f"fits are not cached in {path.parent}: {error}")
        return fit()
    try:
        kept = _read(path, key)
        return kept if kept is not None else _made(path, key, fit)
    finally:
        lock.release()


def _read(path: Path, key: str) -> xr.DataTree | None:
    """Return the kept fit if it is there, sound and of this key."""
    side = _side(path)
    if not path.exists() or not side.exists():
        return None
    import xarray as xr

    try:
        if file_sha256(path) != text_of(side).strip():
            raise ValueError("it does not match its hash: damaged on disk")
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            if opened.attrs.pop(_KEY, None) != key:
                raise ValueError("it is another fit than its name says")
            return opened.load()
    except Exception as error:  # whatever is wrong with what only saves time must not cost the run
        _warn(f"the cached fit {path} cannot be read ({error}): fitting again")
        return None


def _made(path: Path, key: str, fit: Callable[[], xr.DataTree]) -> xr.DataTree:
    """Make the fit and keep it; return what the cache will return next time."""
    tree = fit()
    clear_parts(path.parent, f"{path.name.partition('-')[0]}-*")
    try:
        kept = tree.copy()
        kept.attrs[_KEY] = key
        with written_beside(path) as beside:
            kept.to_netcdf(beside, engine="h5netcdf")
            digest = file_sha256(beside)
            _side(path).unlink(missing_ok=True)  # killed between the renames: no hash, so it is made again
        write_whole(_side(path), digest + "\n")
    except Exception as error:  # keeping it is a convenience: whatever stops it must not cost the fit
        _warn(f"the fit could not be kept in {path}: {error}")
        return tree
    return _read(path, key) or tree


def _side(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _warn(message: str) -> None:
    print(shown(f"warning: {message}"), file=sys.stderr)


# --- Stages found in the store: the appraisal of a stance whose fingerprint an earlier run holds is … ---


RECORD = "appraisal.json"


@dataclass(frozen=True)
class StoredStage:
    """An appraisal read from an earlier run."""

    # As the stage made it, without what later stages added; it names the analysis asked for.
    appraisal: Appraisal
    folder: Path  # where it was read from
    run: str


def stored_appraisal(
    root: str | Path, *, analysis: Analysis, stance: str, fingerprint: str
) -> StoredStage | None:
    """Find the appraisal of a stance among the stored runs of an analysis.

    None where no sound copy is stored. `analysis`: what is asked for; it may differ from the stored one in
    what the appraisal does not depend on.
    """
    for run in reversed(runs_of(root, analysis.name)):
        if run.manifest.get("stages", {}).get(f"appraisal/{stance}") != fingerprint:
            continue
        damage = _damage(run, stance)
        if damage:
            _warn(f"{run.path / damage} is damaged: the stage is made again")
            continue
        try:
            return _read_stage(run, analysis=analysis, stance=stance)
        except InputError as error:
            _warn(f"{error.problem} ({run.path}): the stage is made again")
    return None


def write_stage(stage: StoredStage, appraisal: Appraisal, *, folder: Path) -> None:
    """Write an appraisal that was read from the store into a new run, without packing its draws anew."""
    (folder / "tables").mkdir(parents=True)
    for file in sorted(stage.folder.iterdir()):
        if file.is_file() and file.name != RECORD:
            shutil.copyfile(file, folder / file.name)
    record = strict_json(text_of(stage.folder / RECORD))
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
            write_csv(table, place)


def stored_appraisals(run: RunRecord) -> dict[str, Appraisal]:
    """Read every appraisal of a run; most of their draws stay in its files until they are used."""
    from cba.appraisal.record import Appraisal

    return {
        stance: Appraisal.from_directory(run.path / "stances" / stance, lazy=True)
        for stance in run.manifest["stances"]
    }


def _read_stage(run: RunRecord, *, analysis: Analysis, stance: str) -> StoredStage:
    """Read an appraisal and give it the analysis asked for."""
    from cba.appraisal.record import Appraisal

    folder = run.path / "stances" / stance
    stored = Appraisal.from_directory(folder, lazy=True)
    tables = {name: stored.tables[name] for name in run.manifest["stage_tables"][stance]}
    prints = {**stored.provenance.get("fingerprints", {}), "analysis": analysis.fingerprint()}
    provenance = {**stored.provenance, "fingerprints": prints}
    asked = dataclasses.replace(stored, analysis=analysis, tables=tables, provenance=provenance)
    return StoredStage(asked, folder, run.name)


def _damage(run: RunRecord, stance: str) -> str:
    """Return the first file of a stance that is not what was stored."""
    for name, entry in run.manifest["files"].items():
        if name.startswith(f"stances/{stance}/"):
            file = run.path / name
            if not file.is_file() or file_sha256(file) != entry["sha256"]:
                return name
    return ""
