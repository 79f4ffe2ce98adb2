"""Worlds between two runs: each group of inputs as the earlier or as the later run held it, all on common draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.inputs.shipped_files import reading_from
from cba.runs.compare_players import (
    DATA,
    OPTIONS,
    PRICES,
    PRIORS,
    SETTINGS,
    Held,
    player_of_entry,
    player_of_series,
)
from cba.runs.fingerprints import file_sha256
from cba.runs.stages import fit_stance

if TYPE_CHECKING:
    from cba.appraisal.inputs_read import Inputs
    from cba.inputs.analysis_records import Analysis

Fit = Callable[..., tuple[xr.DataTree, xr.DataTree]]
"""``fit(analysis, stance=, observations=, root=)`` to the baseline and effects fits, as the stage of a run."""

World = Callable[[frozenset[str]], dict[str, np.ndarray]]
"""Groups taken from the later run to headline draws by key."""

EVIDENCE_TABLES = ("evidence_effects.csv", "evidence_costs.csv", "published_claims.csv")
"""Published tables that go with priors and evidence; fits read them from where the priors come from."""


def read_held(
    analysis: Analysis,
    *,
    stance: str,
    name: str,
    published: Path | None = None,
    priors: Path | None = None,
    observations: xr.Dataset | None = None,
) -> Held:
    """Read what a run was made from.

    Parameters
    ----------
    analysis : Analysis
        Of the run.
    stance : {"evidence", "sceptical"}
    name : str
        Of the run.
    published, priors : Path, optional
        Folders of its tables and priors; those of the package when left out.
    observations : Dataset, optional
        The observed series of its release, where they are already read from the same tables.

    Returns
    -------
    Held

    Raises
    ------
    InputError
        If an input is refused.

    Examples
    --------
    >>> read_held(analysis, stance="evidence", name="now").inputs.stance  # doctest: +SKIP
    'evidence'
    """
    from cba.appraisal.inputs_read import read_inputs
    from cba.models.panel_results import known_panel

    with reading_from(published=published, priors=priors):
        inputs = read_inputs(analysis, stance=stance, observations=observations)
        panel = known_panel(analysis.evidence_until)
    return Held(inputs, panel, name, published, priors)


def worlds_between(
    before: Held,
    after: Held,
    *,
    players: tuple[str, ...],
    options: tuple[str, ...],
    root: Path,
    fit: Fit = fit_stance,
) -> World:
    """Return a function that works out any mixture of two runs; a fit is made, or read, once.

    Parameters
    ----------
    before, after : Held
        The earlier and the later run.
    players : tuple of str
        Groups that differ; the others are those of the later run in every world.
    options : tuple of str
        Options that both runs have, business as usual first.
    root : Path
        Folder of the reports, which holds the cache of fits.
    fit : callable
        As :data:`Fit`.

    Returns
    -------
    callable
        From the set of groups taken from the later run to headline draws by key (sample), all on the seeds of the
        later run.

    Examples
    --------
    >>> world = worlds_between(before, after, players=("data",), options=("bau",), root=root)  # doctest: +SKIP
    >>> world(frozenset())["children_in_care_2032.bau"].mean()  # doctest: +SKIP
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
        from cba.appraisal.fits import joint_draws
        from cba.appraisal.headline_draws import headline_draws
        from cba.appraisal.stages import worked_options

        later = {player: player in moved or player not in players for player in SETTINGS}
        inputs = mixed_inputs(before, after, later=later, options=options)
        baseline, effects = fitted(inputs, later)
        drawn = joint_draws(inputs, baseline=baseline, effects=effects)
        return headline_draws(worked_options(inputs, drawn, baseline=baseline, effects=effects))

    return world


def mixed_inputs(before: Held, after: Held, *, later: Mapping[str, bool], options: tuple[str, ...]) -> Inputs:
    """Put together the inputs of a world.

    Parameters
    ----------
    before, after : Held
        The earlier and the later run.
    later : mapping of str to bool
        By group of inputs, whether it is that of the later run.
    options : tuple of str
        Options that both runs have.

    Returns
    -------
    Inputs
        Sampler, gates and level are those of the later run. An entry of the registry that only the later run has
        is taken from it; what only the earlier one has is left out.

    Examples
    --------
    >>> mixed_inputs(before, after, later=dict.fromkeys(SETTINGS, True), options=("bau",))  # doctest: +SKIP
    """
    of = {player: (after if chosen else before).inputs for player, chosen in later.items()}
    settings = {name: getattr(of[p].analysis, name) for p, names in SETTINGS.items() for name in names}
    analysis = after.inputs.analysis.model_copy(update={**settings, "options": options})
    entries = {}
    for name, entry in after.inputs.priors.entries.items():
        held = of[player_of_entry(entry)].priors
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
        source = of[player_of_series(str(name))].observations
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
def _fit_folders(data: Held, beliefs: Held) -> Iterator[tuple[Path | None, Path | None]]:
    """Folders a fit reads: tables of one source, priors of another, evidence with the priors."""
    if data.published == beliefs.published or _evidence(data) == _evidence(beliefs):
        yield data.published, beliefs.priors
        return
    with TemporaryDirectory() as made:
        for source, wanted in ((data, False), (beliefs, True)):
            for file in _tables(source).glob("*.csv"):
                if (file.name in EVIDENCE_TABLES) == wanted:
                    (Path(made) / file.name).symlink_to(file.resolve())
        yield Path(made), beliefs.priors


def _tables(source: Held) -> Path:
    from cba.inputs.shipped_files import shipped_published_folder

    return source.published or shipped_published_folder()


def _evidence(source: Held) -> list[str]:
    return [file_sha256(_tables(source) / name) for name in EVIDENCE_TABLES]
