"""Who can have moved a result between two runs: groups of inputs, and whether two runs hold the same of each.

Where a setting belongs: the release and the start year go with the data (a programme cannot start in a year that is
already observed); the last year of evidence with priors and evidence; the price base, the discount schedule, the
horizon and the target year with prices and schedule; the list of options and scenarios of them with the options.
The number of draws, the seed and the limits of the gates say how, not what, is computed: every world is computed
with those of the later run, and what another number of draws does is counted with the code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

if TYPE_CHECKING:
    from cba.appraisal.inputs_read import Inputs
    from cba.inputs.prior_entries import PriorEntry
    from cba.models.panel_finding import PanelFinding

DATA, PRIORS, UNIT_COSTS, PRICES, OPTIONS, CODE = PLAYERS = (
    "data",
    "priors and evidence",
    "unit costs",
    "prices and schedule",
    "options",
    "code",
)
"""Groups a difference is split among, in the order they are told."""

INPUT_PLAYERS = PLAYERS[:-1]
"""Those that are inputs; the code is no input."""

SETTINGS: Mapping[str, tuple[str, ...]] = {
    DATA: ("release", "start_year"),
    PRIORS: ("evidence_until",),
    UNIT_COSTS: (),
    PRICES: ("price_base", "schedule", "mid_year", "horizon", "long_horizon", "target_year"),
    OPTIONS: ("scenarios",),
}
"""Settings of an analysis that belong to each group."""

SAMPLER = ("draws", "tune", "chains", "seed")
"""Settings that say how a result is computed."""

_SAYS = ("schema_version", "label", "description", "frames", "unmonetised")
"""Fields of an option that no number depends on."""

_COST_GROUPS = ("unit_costs", "avoidable", "cashable", "legal", "payers")


@dataclass(frozen=True)
class Held:
    """What one run holds.

    Attributes
    ----------
    inputs : Inputs
        As read for the stance compared.
    panel : PanelFinding or None
        What England's panel of authorities says, where it was known.
    name : str
        Of the run, for messages.
    published, priors : Path or None
        Folders its inputs are read from; None for those of the package.
    """

    inputs: Inputs
    panel: PanelFinding | None = None
    name: str = ""
    published: Path | None = None
    priors: Path | None = None


def player_of_entry(entry: PriorEntry) -> str:
    """Return the group an entry of the registry belongs to.

    Parameters
    ----------
    entry : PriorEntry

    Returns
    -------
    str
        Prices for general inflation; unit costs for what a service costs and how much of it can be saved, and for
        every entry in money; priors and evidence for the rest.

    Examples
    --------
    >>> from cba.inputs.priors import load_priors
    >>> priors = load_priors()
    >>> [player_of_entry(priors[name]) for name in ("family_help.cost_per_child", "prices.deflator_growth")]
    ['unit costs', 'prices and schedule']
    """
    group = entry.name.partition(".")[0]
    if group == "prices":
        return PRICES
    return UNIT_COSTS if group in _COST_GROUPS or entry.price_year is not None else PRIORS


def player_of_series(name: str) -> str:
    """Return the group a variable of the observed series belongs to.

    Parameters
    ----------
    name : str
        As in :func:`cba.load_observations`.

    Returns
    -------
    str

    Examples
    --------
    >>> [player_of_series(name) for name in ("stock", "unit_cost_weekly", "gdp_deflator")]
    ['data', 'unit costs', 'prices and schedule']
    """
    if name.startswith(("spending", "unit_cost")):
        return UNIT_COSTS
    return PRICES if name == "gdp_deflator" else DATA


def moved_players(before: Held, after: Held) -> tuple[str, ...]:
    """Return the groups of inputs that differ between two runs.

    Parameters
    ----------
    before, after : Held
        Under one stance.

    Returns
    -------
    tuple of str
        In the order of :data:`INPUT_PLAYERS`. Groups are compared by what is computed from them: the wording of a
        source, or a study that no synthesis uses, is no difference.

    Examples
    --------
    >>> moved_players(before, after)  # doctest: +SKIP
    ('unit costs',)
    """
    return tuple(p for p in INPUT_PLAYERS if not _same(p, before, after))


def _same(player: str, before: Held, after: Held) -> bool:
    one, other = before.inputs, after.inputs
    if any(getattr(one.analysis, name) != getattr(other.analysis, name) for name in SETTINGS[player]):
        return False
    if not _series(one, player).equals(_series(other, player)):
        return False
    if _entries(one, player) != _entries(other, player):
        return False
    also = _ALSO.get(player)
    return also is None or also(before, after)


def _series(inputs: Inputs, player: str) -> xr.Dataset:
    """Return the observed series of a group without their notes; the labels of one group only."""
    known = inputs.observations
    return known[[name for name in known.data_vars if player_of_series(str(name)) == player]]


def _entries(inputs: Inputs, player: str) -> dict[str, Any]:
    """Return the numbers of a group's entries."""
    found = {}
    for name, entry in inputs.priors.entries.items():
        if player_of_entry(entry) == player:
            fitted = entry.fitted
            shape = (fitted.family, *sorted(fitted.parameters.items()), fitted.lower, fitted.upper)
            found[name] = (shape, entry.price_year, entry.shares_group)
    return found


def _same_evidence(before: Held, after: Held) -> bool:
    one, other = before.inputs, after.inputs
    return (
        one.evidence.effects.equals(other.evidence.effects)
        and one.priors.evidence_designs == other.priors.evidence_designs
        and before.panel == after.panel
    )


def _same_options(before: Held, after: Held) -> bool:
    one, other = ({o.id: o for o in held.inputs.options} for held in (before, after))
    common = [name for name in other if name in one]
    return all(_acts(one[name]) == _acts(other[name]) for name in common)


def _acts(option: Any) -> Any:
    """Return what an option does, without its words."""
    return _without_words(option.model_dump(mode="json", exclude=set(_SAYS)))


def _without_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_words(v) for k, v in value.items() if k not in ("note", "source", "description")}
    return [_without_words(item) for item in value] if isinstance(value, list | tuple) else value


_ALSO: Mapping[str, Callable[[Held, Held], bool]] = {PRIORS: _same_evidence, OPTIONS: _same_options}
