"""What changed between two runs and why: each headline difference split exactly among the groups of inputs.

Both runs are worked out again by the present code, group by group, on the same seeds, so that the difference of two
figures is a difference of paired draws. Where the earlier run was made by other code, the share of the code is what
the present code makes of the earlier run's inputs less what that run had stored, and is taken first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from cba.errors import InputError
from cba.inputs.stored_analyses import stored_analysis
from cba.runs.attribution import NOT_MOVED, Moved, Split, split_differences
from cba.runs.compare_notes import comparison_notes, is_remade
from cba.runs.compare_players import CODE, INPUT_PLAYERS, SAMPLER, moved_players
from cba.runs.compare_record import Change, Comparison, Stored
from cba.runs.compare_worlds import Fit, read_held, worlds_between
from cba.runs.fingerprints import input_fingerprints
from cba.runs.stages import fit_stance
from cba.runs.stored_runs import MANIFEST

if TYPE_CHECKING:
    import xarray as xr

    from cba.runs.stored_runs import RunRecord

COMPARABLE = ("evidence", "sceptical")
"""Stances with priors of their own; the others condition or mix the draws of these."""

_AT_ONCE = 2
"""Worlds worked out at a time: their arrays are large, and products in them small and many."""

Folders = tuple[Path | None, Path | None]
"""Where the published tables and the priors of a run are."""


def common_options(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """Return the options of both runs, which alone are compared.

    Parameters
    ----------
    before, after : sequence of str
        Ids of the options of each.

    Returns
    -------
    tuple of str
        In the order of the later run.

    Examples
    --------
    >>> common_options(["bau", "care_review"], ["kinship_only", "care_review", "bau"])
    ('care_review', 'bau')
    """
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

    Parameters
    ----------
    before, after : RunRecord
        As :func:`cba.runs.stored_runs.find_run` finds them.
    root : str or Path
        Folder of the reports, which holds the cache of fits.
    stance : {"evidence", "sceptical"}, optional
        The first of the later run that has priors of its own, when left out.
    folders : callable, optional
        Where a run's tables and priors are; :func:`kept_folders` when left out.
    fit : callable
        Stage that fits; from the cache where nothing a fit reads has changed.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If the stance is in one run only or has no priors of its own, the runs share no option, or their inputs are
        not known any more, or do not fit this version.

    Examples
    --------
    >>> compare_runs(find_run("reports", "published"), find_run("reports", "latest"), root="reports")  # doctest: +SKIP
    """
    stance = _common_stance(before, after, stance)
    places = folders or kept_folders
    one = stored_run(before, stance=stance, folders=places(before))
    known = one.held.inputs.observations if _same_series(before, after) else None
    other = stored_run(after, stance=stance, folders=places(after), observations=known)
    return compare_stored(one, other, root=root, fit=fit)


def stored_run(
    run: RunRecord, *, stance: str, folders: Folders, observations: xr.Dataset | None = None
) -> Stored:
    """Read a stored run's inputs and headline.

    Parameters
    ----------
    run : RunRecord
    stance : {"evidence", "sceptical"}
    folders : tuple of Path or None
        Of its published tables and its priors.
    observations : Dataset, optional
        Its observed series, where they are already read.

    Returns
    -------
    Stored

    Raises
    ------
    InputError
        If another version stored the run and its settings do not fit this one.

    Examples
    --------
    >>> stored_run(run, stance="evidence", folders=(None, None)).results["npv_fiscal.care_review"]  # doctest: +SKIP
    """
    published, priors = folders
    analysis = stored_analysis(run.manifest["settings"], file=run.path / MANIFEST, field="settings")
    held = read_held(
        analysis,
        stance=stance,
        name=f"{run.analysis}/{run.name}",
        published=published,
        priors=priors,
        observations=observations,
    )
    headline = run.headline
    first = run.manifest["stances"][0]
    results = headline["results"] if stance == first else headline["results_by_stance"][stance]
    prints = run.manifest["fingerprints"]
    return Stored(held, results, made_by(prints["code"], prints["environment"], settings=analysis))


def made_by(code: str, environment: str, *, settings: Any) -> str:
    """Name what made a run beside its inputs.

    Parameters
    ----------
    code, environment : str
        Fingerprints.
    settings : Analysis
        Gives the number and seed of draws.

    Returns
    -------
    str
        The same for two runs only where both would be made alike.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> made_by("ab", "cd", settings=SimpleNamespace(draws=400, tune=1000, chains=4, seed=1))
    'ab cd 400 1000 4 1'
    """
    return " ".join([code, environment, *(str(getattr(settings, name)) for name in SAMPLER)])


def compare_stored(before: Stored, after: Stored, *, root: str | Path, fit: Fit = fit_stance) -> Comparison:
    """Compare two runs whose inputs are read.

    Parameters
    ----------
    before, after : Stored
    root : str or Path
        Folder of the reports, which holds the cache of fits.
    fit : callable
        As in :func:`compare_runs`.

    Returns
    -------
    Comparison

    Examples
    --------
    >>> compare_stored(before, after, root="reports").notes  # doctest: +SKIP
    """
    one, other = before.held.inputs.analysis, after.held.inputs.analysis
    options = common_options(one.options, other.options)
    if len(options) < 2:
        raise InputError(
            "the two runs have no option in common",
            field="options",
            found=f"{', '.join(one.options)} and {', '.join(other.options)}",
            allowed="business as usual and at least one more in both",
            cause="two analyses of different options",
            remedy="compare runs of one analysis",
        )
    players = moved_players(before.held, after.held)
    same_code = before.made_by == after.made_by
    world = worlds_between(
        before.held, after.held, players=players, options=options, root=Path(root), fit=fit
    )
    with ThreadPoolExecutor(_AT_ONCE) as pool, threadpool_limits(1, user_api="blas"):
        splits, missing = split_differences(world, players, chains=other.chains, each=pool.map)
    changes = [
        _change(key, split, before=before, after=after, same_code=same_code)
        for key, split in splits.items()
        if _mean(before, key) is not None and _mean(after, key) is not None
    ]
    changed = players if same_code else (*players, CODE)
    notes = comparison_notes(
        before, after, changes=changes, splits=splits, missing=missing, same_code=same_code
    )
    return Comparison(
        before=before.held.name,
        after=after.held.name,
        stance=after.held.inputs.stance,
        moved=changed,
        changes=tuple(changes),
        notes=notes,
        settings={"options": list(options), "target_year": other.target_year, "price_base": other.price_base},
    )


def _change(key: str, split: Split, *, before: Stored, after: Stored, same_code: bool) -> Change:
    """Put together one quantity; the share of the code closes the sum to the stored figures."""
    about = after.results[key]
    shares = {player: split.shares.get(player, NOT_MOVED) for player in INPUT_PLAYERS}
    first, last = split.first, split.last
    code = NOT_MOVED
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


def _of_code(remade: float, stored: Mapping[str, Any], *, sign: float = 1.0) -> Moved:
    """What the present code makes of a run's inputs, less what was stored; errors as of independent draws."""
    gap = remade - stored["mean"]
    if is_remade(remade, stored["mean"]):
        return Moved(sign * gap, 0.0)
    return Moved(sign * gap, 2.0**0.5 * float(stored.get("mcse") or 0.0))


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
    """Return the folders of a run's inputs: those kept with it, else the package's where nothing has changed.

    Parameters
    ----------
    run : RunRecord

    Returns
    -------
    published, priors : Path or None

    Raises
    ------
    InputError
        If the run kept no inputs and one has changed since; names the first.
    StoreError
        If a kept input is missing or damaged.

    Examples
    --------
    >>> kept_folders(run)  # doctest: +SKIP
    (None, None)
    """
    if run.manifest.get("inputs"):
        from cba.runs.input_archive import archived_inputs

        place = archived_inputs(run)
        return place / "published", place / "priors"
    stored, now = run.manifest["fingerprints"]["inputs"], input_fingerprints()
    other = [name for name in stored if name.startswith(("priors", "options", "published"))]
    moved = [name for name in other if stored[name] != now.get(name)]
    if moved:
        raise InputError(
            "the inputs of a run are not known any more",
            file=run.path,
            field=moved[0],
            found=f"{len(moved)} files changed since the run",
            allowed="inputs kept with the run, or unchanged since",
            cause="a run stored before inputs were kept with it",
            remedy="compare runs made since, or run the analysis again",
        )
    return None, None
