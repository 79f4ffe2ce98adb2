"""What changed between two runs and why: each headline difference split exactly among the groups of inputs.

Both runs are worked out again by the present code, group by group, on the same seeds, so that the difference of two
figures is a difference of paired draws. Where the earlier run was made by other code, the share of the code is what
the present code makes of the earlier run's inputs less what that run had stored, and is taken first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from cba.errors import InputError
from cba.inputs.analyses import stored_analysis
from cba.inputs.files import reading_from
from cba.inputs.leftovers import scratch_folder
from cba.runs.comparison import (
    CODE,
    DATA,
    INPUT_GROUPS,
    NO_SHIFT,
    OPTIONS,
    PRICES,
    PRIORS,
    SAMPLER,
    SETTINGS,
    Change,
    Comparison,
    RunInputs,
    Shift,
    Split,
    Stored,
    comparison_notes,
    group_of_entry,
    group_of_series,
    groups_that_differ,
    is_remade,
    split_differences,
)
from cba.runs.fingerprints import file_sha256
from cba.runs.reading import MANIFEST
from cba.runs.stages import fit_stance

if TYPE_CHECKING:
    from cba.appraisal.inputs import Inputs
    from cba.inputs.analyses import Analysis
    from cba.runs.reading import RunRecord


# --- Worlds between two runs: each group of inputs as the earlier or as the later run held it, all on … ---


Fit = Callable[..., tuple[xr.DataTree, xr.DataTree]]
"""``fit(analysis, stance=, observations=, root=)`` to the baseline and effects fits, as the stage of a run."""


World = Callable[[frozenset[str]], dict[str, np.ndarray]]
"""Groups taken from the later run to headline draws by key."""


EVIDENCE_TABLES = ("evidence_effects.csv", "evidence_costs.csv", "published_claims.csv")
"""Published tables that go with priors and evidence; fits read them from where the priors come from."""


def read_run_inputs(
    analysis: Analysis,
    *,
    stance: str,
    name: str,
    published: Path | None = None,
    priors: Path | None = None,
    observations: xr.Dataset | None = None,
) -> RunInputs:
    """Read what a run was made from. `stance`, "evidence" or "sceptical"."""
    from cba.appraisal.inputs import read_inputs
    from cba.models.authority_findings import known_panel

    with reading_from(published=published, priors=priors):
        inputs = read_inputs(analysis, stance=stance, observations=observations)
        panel = known_panel(analysis.evidence_until)
    return RunInputs(inputs, panel, name, published, priors)


def worlds_between(
    before: RunInputs,
    after: RunInputs,
    *,
    groups: tuple[str, ...],
    options: tuple[str, ...],
    root: Path,
    fit: Fit = fit_stance,
) -> World:
    """Return a function that works out any mixture of two runs; a fit is made, or read, once.

    From the set of groups taken from the later run to headline draws by key (sample), all on the seeds of the
    later run. `groups`: groups that differ; the others are those of the later run in every world.
    """
    fits: dict[tuple[bool, bool], tuple[xr.DataTree, xr.DataTree]] = {}
    lock = Lock()

    def fitted(inputs: Inputs, later: Mapping[str, bool]) -> tuple[xr.DataTree, xr.DataTree]:
        """Fits of a world: they depend on the data, and on priors and evidence, and on nothing else."""
        key = (later[DATA], later[PRIORS])
        with lock:  # worlds are worked out at the same time, a model is compiled and fitted by one
            if key not in fits:
                fits[key] = made(inputs, key)
        return fits[key]

    def made(inputs: Inputs, key: tuple[bool, bool]) -> tuple[xr.DataTree, xr.DataTree]:
        data, beliefs = (after if chosen else before for chosen in key)
        with (
            _fit_folders(data, beliefs) as (published, priors),
            reading_from(published=published, priors=priors),
        ):
            return fit(
                inputs.analysis, stance=inputs.stance, observations=data.inputs.observations, root=root
            )

    def world(moved: frozenset[str]) -> dict[str, np.ndarray]:
        from cba.appraisal.inputs import joint_draws
        from cba.appraisal.quantities import headline_draws
        from cba.appraisal.workings import worked_options

        later = {group: group in moved or group not in groups for group in SETTINGS}
        inputs = mixed_inputs(before, after, later=later, options=options)
        baseline, effects = fitted(inputs, later)
        drawn = joint_draws(inputs, baseline=baseline, effects=effects)
        return headline_draws(worked_options(inputs, drawn, baseline=baseline, effects=effects))

    return world


def mixed_inputs(
    before: RunInputs, after: RunInputs, *, later: Mapping[str, bool], options: tuple[str, ...]
) -> Inputs:
    """Put together the inputs of a world. Sampler, gates and level are those of the later run."""
    # An entry of the registry that only the later run has is taken from it; what only the earlier one has is
    # left out.
    of = {group: (after if chosen else before).inputs for group, chosen in later.items()}
    settings = {name: getattr(of[p].analysis, name) for p, names in SETTINGS.items() for name in names}
    analysis = after.inputs.analysis.model_copy(update={**settings, "options": options})
    entries = {}
    for name, entry in after.inputs.priors.entries.items():
        held = of[group_of_entry(entry)].priors
        entries[name] = held[name] if name in held else entry
    priors = dataclasses.replace(of[PRIORS].priors, entries=MappingProxyType(entries))
    by_id = {option.id: option for option in of[OPTIONS].options}
    return dataclasses.replace(
        after.inputs,
        analysis=analysis,
        observations=_observations(of),
        priors=priors,
        evidence=of[PRIORS].evidence,
        options=tuple(by_id[name] for name in options),
    )


def _observations(of: Mapping[str, Inputs]) -> xr.Dataset:
    """Series of each group, on the years of the data: what is known later than the data is not used."""
    data = of[DATA].observations
    last = int(data["year"].values[-1])
    chosen: dict[str, xr.DataArray] = {}
    for name in data.data_vars:
        source = of[group_of_series(str(name))].observations
        if source is data or name not in source:
            chosen[str(name)] = data[name]
        elif name == "gdp_deflator":
            chosen[str(name)] = _reaching(source[name], year=last, by=data[name])
        else:
            chosen[str(name)] = source[name].reindex_like(data[name])
    whole = of[DATA] is of[PRICES]
    base = data if whole else data.drop_vars(["deflator_year", "deflator_status"], errors="ignore")
    kept = base.drop_vars([name for name in base.data_vars if name in chosen])
    return kept.assign(chosen).assign_attrs(data.attrs)


def _reaching(deflator: xr.DataArray, *, year: int, by: xr.DataArray) -> xr.DataArray:
    """Return an index that reaches a year, carried on by the growth of another where it ends earlier."""
    last = int(deflator["deflator_year"].values[-1])
    if last >= year:
        return deflator
    beyond = by.sel(deflator_year=slice(last + 1, year))
    level = deflator.sel(deflator_year=last, drop=True) / by.sel(deflator_year=last, drop=True)
    return xr.concat([deflator, beyond * level.values], dim="deflator_year").assign_attrs(deflator.attrs)


@contextmanager
def _fit_folders(data: RunInputs, beliefs: RunInputs) -> Iterator[tuple[Path | None, Path | None]]:
    """Folders a fit reads: tables of one source, priors of another, evidence with the priors."""
    if data.published == beliefs.published or _evidence(data) == _evidence(beliefs):
        yield data.published, beliefs.priors
        return
    with scratch_folder("compare") as made:
        for source, wanted in ((data, False), (beliefs, True)):
            for file in _tables(source).glob("*.csv"):
                if (file.name in EVIDENCE_TABLES) == wanted:
                    (made / file.name).symlink_to(file.resolve())
        yield made, beliefs.priors


def _tables(source: RunInputs) -> Path:
    from cba.inputs.files import shipped_published_folder

    return source.published or shipped_published_folder()


def _evidence(source: RunInputs) -> list[str]:
    return [file_sha256(_tables(source) / name) for name in EVIDENCE_TABLES]


TOLD = ("lead", "target_year", "price_base")
"""Settings of the later run by which what changed is told."""


COMPARABLE = ("evidence", "sceptical")
"""Stances with priors of their own; the others condition or mix the draws of these."""


_AT_ONCE = 2
"""Worlds worked out at a time: their arrays are large, and products in them small and many."""


Folders = tuple[Path | None, Path | None]
"""Where the published tables and the priors of a run are."""


def common_options(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """Return the options of both runs, which alone are compared. In the order of the later run."""
    return tuple(name for name in after if name in before)


def compare_runs(
    before: RunRecord,
    after: RunRecord,
    *,
    root: str | Path,
    stance: str | None = None,
    folders: Callable[[RunRecord], Folders] | None = None,
    fit: Fit = fit_stance,
) -> Comparison:
    """Compare two stored runs.

    `fit`: stage that fits; from the cache where nothing a fit reads has changed.
    """
    stance = _common_stance(before, after, stance)
    places = folders or kept_folders
    other = stored_run(after, stance=stance, folders=places(after))
    known = other.made_from.inputs.observations if _same_series(before, after) else None
    notes: tuple[str, ...] = ()
    kept = places(before)  # refused where they are damaged or gone
    try:
        one = stored_run(before, stance=stance, folders=kept, observations=known)
    except InputError as error:
        if _made_by(before) == _made_by(after):
            raise
        # Other code wrote inputs that this version does not take: both moved, and nobody can tell them apart.
        held = dataclasses.replace(other.made_from, name=f"{before.analysis}/{before.name}")
        one = Stored(held, _results(before, stance), _made_by(before))
        notes = (f"{UNREAD} ({error.problem}).",)
    found = compare_stored(one, other, root=root, fit=fit)
    return dataclasses.replace(found, notes=(*notes, *found.notes))


UNREAD = (
    "This version does not take the inputs of the earlier run, so what its code and its inputs changed is told together"
    " as the share of the code"
)


def stored_run(
    run: RunRecord, *, stance: str, folders: Folders, observations: xr.Dataset | None = None
) -> Stored:
    """Read a stored run's inputs and headline. `stance`, "evidence" or "sceptical"."""
    published, priors = folders
    analysis = stored_analysis(run.manifest["settings"], file=run.path / MANIFEST, field="settings")
    held = read_run_inputs(
        analysis,
        stance=stance,
        name=f"{run.analysis}/{run.name}",
        published=published,
        priors=priors,
        observations=observations,
    )
    return Stored(held, _results(run, stance), _made_by(run))


def _results(run: RunRecord, stance: str) -> Mapping[str, Any]:
    headline, first = run.headline, run.manifest["stances"][0]
    return headline["results"] if stance == first else headline["results_by_stance"][stance]


def _made_by(run: RunRecord) -> str:
    prints, settings = run.manifest["fingerprints"], run.manifest["settings"]
    analysis = stored_analysis(settings, file=run.path / MANIFEST, field="settings")
    return made_by(prints["code"], prints["environment"], settings=analysis)


def made_by(code: str, environment: str, *, settings: Any) -> str:
    """Name what made a run beside its inputs. The same for two runs only where both would be made alike."""
    return " ".join([code, environment, *(str(getattr(settings, name)) for name in SAMPLER)])


def compare_stored(before: Stored, after: Stored, *, root: str | Path, fit: Fit = fit_stance) -> Comparison:
    """Compare two runs whose inputs are read."""
    one, other = before.made_from.inputs.analysis, after.made_from.inputs.analysis
    options = _options_of_both(one.options, other.options)
    groups = groups_that_differ(before.made_from, after.made_from)
    same_code = before.made_by == after.made_by
    world = worlds_between(
        before.made_from, after.made_from, groups=groups, options=options, root=Path(root), fit=fit
    )
    with ThreadPoolExecutor(_AT_ONCE) as pool, threadpool_limits(1, user_api="blas"):
        splits, missing = split_differences(world, groups, chains=other.chains, each=pool.map)
    changes = [
        _change(key, split, before=before, after=after, same_code=same_code)
        for key, split in splits.items()
        if _mean(before, key) is not None and _mean(after, key) is not None
    ]
    changed = groups if same_code else (*groups, CODE)
    notes = comparison_notes(
        before, after, changes=changes, splits=splits, missing=missing, same_code=same_code
    )
    return Comparison(
        before=before.made_from.name,
        after=after.made_from.name,
        stance=after.made_from.inputs.stance,
        moved=changed,
        changes=tuple(changes),
        notes=notes,
        settings={"options": list(options)} | {name: getattr(other, name) for name in TOLD},
    )


def _options_of_both(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    options = common_options(one, other)
    if len(options) < 2:
        raise InputError(
            "the two runs have no option in common",
            field="options",
            found=f"{', '.join(one)} and {', '.join(other)}",
            allowed="business as usual and at least one more in both",
        ).advice("two analyses of different options", remedy="compare runs of one analysis")
    return options


def _change(key: str, split: Split, *, before: Stored, after: Stored, same_code: bool) -> Change:
    """Put together one quantity; the share of the code closes the sum to the stored figures."""
    about = after.results[key]
    shares = {group: split.shares.get(group, NO_SHIFT) for group in INPUT_GROUPS}
    first, last = split.first, split.last
    code = NO_SHIFT
    if not same_code:
        code = _of_code(first, before.results[key]).plus(_of_code(last, after.results[key], sign=-1.0))
        first, last = before.results[key]["mean"], after.results[key]["mean"]
    return Change(
        key,
        about["label"],
        about["unit"],
        first,
        last,
        split.total if same_code else split.total.plus(code),
        {**shares, CODE: code},
    )


def _of_code(remade: float, stored: Mapping[str, Any], *, sign: float = 1.0) -> Shift:
    """What the present code makes of a run's inputs, less what was stored; errors as of independent draws."""
    gap = remade - stored["mean"]
    if is_remade(remade, stored["mean"]):
        return Shift(sign * gap, 0.0)
    return Shift(sign * gap, 2.0**0.5 * float(stored.get("mcse") or 0.0))


def _same_series(before: RunRecord, after: RunRecord) -> bool:
    """Say whether two runs read the same observed series."""
    one, other = (
        (
            run.manifest["settings"]["release"],
            {k: v for k, v in run.manifest["fingerprints"]["inputs"].items() if k.startswith("published/")},
        )
        for run in (before, after)
    )
    return one == other


def _mean(run: Stored, key: str) -> float | None:
    mean = run.results.get(key, {}).get("mean")
    return None if mean is None else float(mean)


def _common_stance(before: RunRecord, after: RunRecord, stance: str | None) -> str:
    """Return the stance to compare under."""
    here = [s for s in after.manifest["stances"] if s in COMPARABLE and s in before.manifest["stances"]]
    chosen = stance or (here[0] if here else None)
    if chosen is None or chosen not in here:
        raise InputError(
            "the two runs cannot be compared under this stance",
            field="--stance",
            found=chosen or ", ".join(after.manifest["stances"]),
            allowed=", ".join(here) or "evidence or sceptical, in both runs",
            cause="a stance of one run only; `review` and `mixture` take their draws from the other stances",
            remedy="name one of the stances both runs have",
        )
    return chosen


def kept_folders(run: RunRecord) -> Folders:
    """Return the folders of the inputs kept with a run."""
    from cba.runs.store import archived_inputs

    place = archived_inputs(run)
    return place / "published", place / "priors"
