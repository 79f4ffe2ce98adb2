"""The stances as beliefs: which exist, and inputs, fits and joint draws of those that can be mixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import xarray as xr

from cba.appraisal.fits import fitted, joint_draws
from cba.appraisal.inputs_read import Inputs, read_inputs
from cba.errors import InputError
from cba.inputs.stance_weights import MIXED

if TYPE_CHECKING:
    from cba.inputs.analysis_records import Analysis

STANCES = ("evidence", "sceptical", "mixture", "review")
"""Stances an appraisal can be made under."""


@dataclass(frozen=True)
class Belief:
    """One stance to be mixed.

    Attributes
    ----------
    inputs : Inputs
    drawn : Dataset, dims (sample)
        Joint draws of every parameter.
    baseline, effects : DataTree
        The fits they were joined from.
    """

    inputs: Inputs
    drawn: xr.Dataset
    baseline: xr.DataTree
    effects: xr.DataTree


def fit_of(given: xr.DataTree | Mapping[str, xr.DataTree] | None, *, stance: str) -> xr.DataTree | None:
    """Return the fit of one stance where fits were handed over by stance; one fit serves them all.

    Parameters
    ----------
    given : DataTree, mapping of stance to DataTree, or None
    stance : str

    Returns
    -------
    DataTree or None
        None where it has to be made.

    Examples
    --------
    >>> fit_of(None, stance="evidence") is None
    True
    """
    if given is None or isinstance(given, xr.DataTree):
        return given
    return given.get(stance)


def same_baseline_priors(one: Inputs, other: Inputs) -> bool:
    """Whether two stances hold the same priors of business as usual, so that one fit serves both.

    Parameters
    ----------
    one, other : Inputs
        Of the same analysis.

    Returns
    -------
    bool

    Examples
    --------
    >>> same_baseline_priors(evidence, sceptical)  # doctest: +SKIP
    True
    """
    names = [name for name in one.priors if name.startswith("baseline.")]
    return all(one.priors[name].content() == other.priors[name].content() for name in names)


def check_stance(stance: str, *, weights: Mapping[str, float] | None) -> None:
    """Refuse a stance that does not exist, and weights where nothing is mixed.

    Parameters
    ----------
    stance : str
    weights : mapping of str to float, or None

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_stance("evidence", weights=None)
    """
    if stance not in STANCES:
        raise InputError(
            "an unknown stance",
            field="stance",
            found=stance,
            allowed=", ".join(STANCES),
            cause="a spelling mistake",
            remedy="use an allowed stance",
        )
    if weights is not None and stance != "mixture":
        raise InputError(
            "weights are given to a stance that mixes nothing",
            field="weights",
            found=f"stance {stance}",
            allowed="weights with stance mixture only",
            cause="the stance left at its default",
            remedy='add stance="mixture", or leave the weights out',
        )


def mixed_beliefs(
    analysis: Analysis,
    *,
    baseline: xr.DataTree | Mapping[str, xr.DataTree] | None,
    effects: xr.DataTree | Mapping[str, xr.DataTree] | None,
    progress: bool,
    observations: xr.Dataset | None,
) -> dict[str, Belief]:
    """Return inputs, fits and joint draws of the stances that can be mixed, on one baseline where they agree.

    Parameters
    ----------
    analysis : Analysis
    baseline, effects : DataTree, mapping of stance to DataTree, or None
        Fits already made.
    progress : bool
        Show the sampler's progress.
    observations : Dataset or None
        The observed series, if already loaded.

    Returns
    -------
    dict of str to Belief
        ``evidence`` and ``sceptical``.

    Raises
    ------
    InputError
        If a single fit of the effects is given for both.

    Examples
    --------
    >>> mixed_beliefs(analysis, baseline=None, effects=None, progress=False, observations=None)  # doctest: +SKIP
    """
    if isinstance(effects, xr.DataTree):
        raise InputError(
            "one fit of the effects is given for two stances",
            field="effects",
            found="a single fit",
            allowed='{"evidence": fit, "sceptical": fit}',
            cause="a call written for one stance",
            remedy="give a fit by stance, or none",
        )
    beliefs: dict[str, Belief] = {}
    for stance in MIXED:
        inputs = read_inputs(analysis, stance=stance, observations=observations)
        observations, usual = inputs.observations, fit_of(baseline, stance=stance)
        first = next(iter(beliefs.values()), None)
        if first is not None and same_baseline_priors(first.inputs, inputs):
            usual = first.baseline
        usual, found = fitted(
            inputs, baseline=usual, effects=fit_of(effects, stance=stance), progress=progress
        )
        beliefs[stance] = Belief(inputs, joint_draws(inputs, baseline=usual, effects=found), usual, found)
    return beliefs
