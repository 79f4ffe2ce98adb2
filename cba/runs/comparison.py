"""A comparison of two runs: exact Shapley shares of paired differences with their errors, its record and its words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from cba.appraisal.quantities import spoken_quantities
from cba.decisions.draws import mcse_mean
from cba.decisions.shares import shapley
from cba.errors import InputError
from cba.inputs.analyses import lead_among

if TYPE_CHECKING:
    from cba.appraisal.inputs import Inputs
    from cba.inputs.prior_entries import PriorEntry
    from cba.models.authority_findings import PanelFinding


TWO_ERRORS = 2.0
"""A figure of less than this many of its Monte Carlo errors is not told from none."""


@dataclass(frozen=True)
class Shift:
    """A difference of means, or a share of one."""

    value: float
    mcse: float  # Monte Carlo standard error, of paired draws

    @property
    def within_error(self) -> bool:
        """Whether it cannot be told from no change: at most two of its Monte Carlo errors."""
        return abs(self.value) <= TWO_ERRORS * self.mcse

    def record(self, value: str = "value") -> dict[str, Any]:
        """Return plain values; `value`: what the difference is called."""
        return {value: self.value, "mcse": self.mcse, "within_error": self.within_error}

    def plus(self, other: Shift) -> Shift:
        """Return the sum, the two errors taken as independent."""
        return Shift(self.value + other.value, float(np.hypot(self.mcse, other.mcse)))


NO_SHIFT = Shift(0.0, 0.0)
"""The share of a group that is the same in both runs."""


@dataclass(frozen=True)
class Split:
    """One figure's difference and its shares."""

    # first and last: mean where every group is as before, and where every group is as after.
    first: float
    last: float
    total: Shift
    shares: Mapping[str, Shift]  # by group; they sum to `total` to rounding


def split_differences(
    world: Callable[[frozenset[str]], Mapping[str, np.ndarray]],
    groups: Sequence[str],
    *,
    chains: int | None = None,
    each: Callable[..., Iterable[Mapping[str, np.ndarray]]] = map,
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Split the difference of every figure among the groups, draw by draw.

    Returns `splits`: of the figures that every world has. `missing`: figures that some worlds have and others
    have not, which cannot be split. `groups`: those that differ; none leaves nothing to split.
    """
    # `chains`: equally long Markov chains the draws come from, in order; None for independent draws. `each`:
    # ``each(world, sets)`` works the worlds out in order; that of a pool works out several at a time.
    #
    # ``phi_i = sum_S |S|! (n - |S| - 1)! / n! (v(S + i) - v(S))`` is linear in v, so that it is taken in
    # every draw: the mean is the share of the mean, and the spread over draws gives its error on common
    # random numbers.
    # Source: Shapley (1953) in *Contributions to the Theory of Games II*, 307-317.
    names = list(groups)
    sets = [frozenset(c) for size in range(len(names) + 1) for c in combinations(names, size)]
    found = dict(zip(sets, each(world, sets), strict=True))
    every = set.intersection(*(set(draws) for draws in found.values()))
    known = list(dict.fromkeys(key for draws in found.values() for key in draws))
    keys = [key for key in known if key in every]
    tables = {members: np.stack([draws[key] for key in keys]) for members, draws in found.items()}
    none, whole = tables[frozenset()], tables[frozenset(names)]
    shares = shapley(tables.__getitem__, names) if names else {}
    splits = {
        key: Split(
            float(none[row].mean()),
            float(whole[row].mean()),
            paired(whole[row] - none[row], chains=chains),
            {name: paired(share[row], chains=chains) for name, share in shares.items()},
        )
        for row, key in enumerate(keys)
    }
    return splits, tuple(key for key in known if key not in every)


def paired(difference: np.ndarray, *, chains: int | None) -> Shift:
    """Mean of a difference that was taken draw by draw, and its error."""
    return Shift(float(difference.mean()), mcse_mean(difference, chains=chains))


# --- Notes on a comparison of two runs: whose code the figures are of, and what could not be compared … ---


REMADE = 1e-9
"""Relative difference up to which a figure made again is the stored one."""


def is_remade(figure: float, stored: float) -> bool:
    """Say whether a figure made again is the stored one.

    Whether they differ by `REMADE` of the stored figure at most. `figure`, `stored`: in the same unit.
    """
    return abs(figure - stored) <= REMADE * max(abs(stored), 1e-12)


def comparison_notes(
    before: Stored,
    after: Stored,
    *,
    changes: list[Change],
    splits: Mapping[str, Split],
    missing: tuple[str, ...],
    same_code: bool,
) -> tuple[str, ...]:
    """Say how two runs were compared, as far as the reader must know it.

    Sentences; none where both runs are made again to the digit from the same options and priors.
    """
    one, other = before.made_from.inputs, after.made_from.inputs
    apart = any(
        not is_remade(made, run.results[change.key]["mean"])
        for change in changes
        for made, run in ((splits[change.key].first, before), (splits[change.key].last, after))
    )
    gone = sorted(set(one.analysis.options) - set(other.analysis.options))
    new = sorted(set(other.analysis.options) - set(one.analysis.options))
    added = sorted(set(other.priors) - set(one.priors))
    told = (
        (
            not same_code,
            "The runs were made by different code, libraries or numbers of draws. The share of the code is taken"
            " first: what the present code makes of the earlier run's inputs, less what that run had stored.",
        ),
        (
            same_code and apart,
            "The code or the libraries have changed since both runs: both were made again, and the figures here are"
            " those of the present code, not the stored ones.",
        ),
        (gone, f"Options that are in the earlier run only are not compared: {', '.join(gone)}."),
        (new, f"Options that are in the later run only are not compared: {', '.join(new)}."),
        (
            added,
            f"{len(added)} priors are in the later run only, and are as there in every comparison:"
            f" {', '.join(added[:5])}{' and others' if len(added) > 5 else ''}.",
        ),
        (missing, f"Not defined in every world, and so not split: {', '.join(missing)}."),
    )
    return tuple(words for holds, words in told if holds)


# --- Who can have moved a result between two runs: groups of inputs, and whether two runs hold the … ---


DATA, PRIORS, UNIT_COSTS, PRICES, OPTIONS, CODE = GROUPS = (
    "data",
    "priors and evidence",
    "unit costs",
    "prices and schedule",
    "options",
    "code",
)
"""Groups a difference is split among, in the order they are told."""


INPUT_GROUPS = GROUPS[:-1]
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
class RunInputs:
    """What one run holds."""

    inputs: Inputs
    panel: PanelFinding | None = None  # what England's panel of authorities says, where it was known
    name: str = ""  # of the run, for messages
    # published and priors: folders its inputs are read from; None for those of the package.
    published: Path | None = None
    priors: Path | None = None


def group_of_entry(entry: PriorEntry) -> str:
    """Return the group an entry of the registry belongs to.

    Prices for general inflation; unit costs for what a service costs and how much of it can be saved, and for
    every entry in money; priors and evidence for the rest.
    """
    group = entry.name.partition(".")[0]
    if group == "prices":
        return PRICES
    return UNIT_COSTS if group in _COST_GROUPS or entry.price_year is not None else PRIORS


def group_of_series(name: str) -> str:
    """Return the group a variable of the observed series belongs to."""
    if name.startswith(("spending", "unit_cost")):
        return UNIT_COSTS
    return PRICES if name == "gdp_deflator" else DATA


def groups_that_differ(before: RunInputs, after: RunInputs) -> tuple[str, ...]:
    """Return the groups of inputs that differ between two runs.

    Groups are compared by what is computed from them: the wording of a source, or a study that no synthesis
    uses, is no difference.
    """
    return tuple(p for p in INPUT_GROUPS if not _same(p, before, after))


def _same(group: str, before: RunInputs, after: RunInputs) -> bool:
    one, other = before.inputs, after.inputs
    if any(getattr(one.analysis, name) != getattr(other.analysis, name) for name in SETTINGS[group]):
        return False
    if not _series(one, group).equals(_series(other, group)):
        return False
    if _entries(one, group) != _entries(other, group):
        return False
    also = _ALSO.get(group)
    return also is None or also(before, after)


def _series(inputs: Inputs, group: str) -> xr.Dataset:
    """Return the observed series of a group without their notes; the labels of one group only."""
    known = inputs.observations
    return known[[name for name in known.data_vars if group_of_series(str(name)) == group]]


def _entries(inputs: Inputs, group: str) -> dict[str, Any]:
    """Return the numbers of a group's entries."""
    found = {}
    for name, entry in inputs.priors.entries.items():
        if group_of_entry(entry) == group:
            fitted = entry.fitted
            shape = (fitted.family, *sorted(fitted.parameters.items()), fitted.lower, fitted.upper)
            found[name] = (shape, entry.price_year, entry.shares_group)
    return found


def _same_evidence(before: RunInputs, after: RunInputs) -> bool:
    one, other = before.inputs, after.inputs
    return (
        one.evidence.effects.equals(other.evidence.effects)
        and one.priors.evidence_designs == other.priors.evidence_designs
        and before.panel == after.panel
    )


def _same_options(before: RunInputs, after: RunInputs) -> bool:
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


_ALSO: Mapping[str, Callable[[RunInputs, RunInputs], bool]] = {PRIORS: _same_evidence, OPTIONS: _same_options}


# --- A comparison in plain sentences, every figure rounded to what its Monte Carlo error supports ---


_EXACT_DIGITS = 4
_MONEY = ((1e9, 1e9, "bn"), (1e5, 1e6, "m"), (1e3, 1e3, "k"))
"""Least size, pounds in one, and letter of each unit of money."""


def spoken_option(record: Mapping[str, Any], option: str | None = None) -> str:
    """Return the option the sentences are about.

    `option`: the lead option of the later run when left out, or the first where both runs do not have it.
    """
    settings = record["settings"]
    options = [name for name in settings["options"] if name != "bau"]
    chosen = option or lead_among(options, lead=settings.get("lead"))
    if chosen not in options:
        raise InputError(
            "the option is not in both runs",
            field="--option",
            found=chosen,
            allowed=", ".join(options),
            cause="a misspelt name, or an option of one run only",
            remedy="name an option of both",
        )
    return chosen


def spoken_changes(record: Mapping[str, Any], *, option: str) -> list[Mapping[str, Any]]:
    """Return the changes that are told, those of business as usual last."""
    by_key = {change["key"]: change for change in record["changes"]}
    keys = [f"{entry.stem}.{option}" for entry in spoken_quantities(usual=False)]
    keys += [f"{entry.stem}.bau" for entry in spoken_quantities(usual=True)]
    return [by_key[key] for key in keys if key in by_key]


def change_sentences(record: Mapping[str, Any], *, option: str | None = None) -> list[str]:
    """Say what changed and why.

    First what differs between the runs, then one sentence a quantity, then notes on the comparison.
    """
    if not record["moved"]:
        words = f"Nothing that moves a result differs between {record['before']} and {record['after']}."
        return [words, *record["notes"]]
    about = spoken_option(record, option)
    told = [_change_sentence(change, option=about) for change in spoken_changes(record, option=about)]
    first = (
        f"What differs between {record['before']} and {record['after']} (stance {record['stance']}):"
        f" {_listed(record['moved'])}."
    )
    return [first, *told, *record["notes"]]


def ends_in_words(change: Mapping[str, Any]) -> tuple[str, str]:
    """Return the figures before and after, to the digit that the difference supports."""
    largest = max(abs(change["before"]), abs(change["after"]))
    place = _place(change["difference"], change["mcse"], largest=largest)
    old, new = (in_words(change[name], unit=change["unit"], place=place) for name in ("before", "after"))
    return old, new


def with_words(record: Mapping[str, Any]) -> dict[str, Any]:
    """Add to a comparison what is said of it, for readers that do not compute.

    With ``option`` (the one told of), ``told`` (keys of what is told), ``sentences``, and for each change
    ``before_text``, ``after_text``, ``text`` and a ``text`` of every share.
    """
    changes = []
    for change in record["changes"]:
        unit = change["unit"]
        old, new = ends_in_words(change)
        whole = {name: change[name] for name in ("mcse", "within_error")} | {"value": change["difference"]}
        shares = {p: s | {"text": difference_in_words(s, unit=unit)} for p, s in change["shares"].items()}
        said = {"before_text": old, "after_text": new, "text": difference_in_words(whole, unit=unit)}
        changes.append({**change, **said, "shares": shares})
    told = {**record, "changes": changes, "option": spoken_option(record)}
    return {
        **told,
        "told": [change["key"] for change in spoken_changes(told, option=told["option"])],
        "sentences": change_sentences(told),
    }


def _change_sentence(change: Mapping[str, Any], *, option: str) -> str:
    of = option if change["key"].endswith(f".{option}") else "business as usual"
    unit, error = change["unit"], change["mcse"]
    place = _place(change["difference"], error, largest=max(abs(change["before"]), abs(change["after"])))
    old, new = ends_in_words(change)
    start = f"{change['label']} ({of})"
    if change["within_error"]:
        what = "exactly the same" if change["difference"] == 0 and error == 0 else "not told apart"
        reason = "" if what.startswith("exactly") else ", the difference is within its Monte Carlo error"
        return f"{start}: {what}, {new}{reason}."
    by = in_words(change["difference"], unit=unit, place=place, signed=True, difference=True)
    return f"{start}: from {old} to {new}, {by}; {_shares(change, unit=unit)}."


def _shares(change: Mapping[str, Any], *, unit: str) -> str:
    """Say who moved it, the largest first; those within their error are named together."""
    shares = {p: s for p, s in change["shares"].items() if s["value"] or s["mcse"]}
    told = sorted(
        (p for p in shares if not shares[p]["within_error"]), key=lambda p: -abs(shares[p]["value"])
    )
    parts = [
        f"{group} {in_words(s['value'], unit=unit, place=_place(s['value'], s['mcse']), signed=True, difference=True)}"
        for group in told
        if (s := shares[group])
    ]
    small = [group for group in shares if group not in told]
    if small:
        parts.append(f"{_listed(small)} within Monte Carlo error")
    return ", ".join(parts)


def in_words(value: float, *, unit: str, place: int, signed: bool = False, difference: bool = False) -> str:
    """Return a figure with its unit. `place`: power of ten of the last digit shown, in `unit`."""
    scale, before, after = 1.0, "", ""
    if unit.startswith("GBP"):
        size = max(abs(value), 10.0**place)
        scale, suffix = next(((s, w) for least, s, w in _MONEY if size >= least), (1.0, ""))
        before, after = "£", suffix + (" a year" if "per year" in unit else "")
    elif unit == "probability":
        scale, after = 0.01, " percentage points" if difference else "%"
    elif unit == "children":
        after = " children"
    digits = max(0, round(math.log10(scale)) - place)
    rounded = round(value, -place) / scale
    sign = "-" if rounded < 0 else "+" if signed else ""
    return f"{sign}{before}{abs(rounded):,.{digits}f}{after}"


def _place(value: float, mcse: float, *, largest: float = 0.0) -> int:
    """Power of ten of the last digit that twice the error supports; four digits of what is exact."""
    if mcse > 0:
        return math.floor(math.log10(2.0 * mcse))
    size = max(abs(value), largest)
    return math.floor(math.log10(size)) - _EXACT_DIGITS + 1 if size > 0 else 0


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))


def difference_in_words(moved: Mapping[str, Any], *, unit: str) -> str:
    """Return a difference, or a share of one, rounded to its error; ``~`` before one within it.

    ``0`` where the inputs are the same. `moved`: ``value``, ``mcse``, ``within_error``.
    """
    if moved["value"] == 0 and moved["mcse"] == 0:
        return "0"
    place = _place(moved["value"], moved["mcse"])
    shown = in_words(moved["value"], unit=unit, place=place, signed=True, difference=True)
    return f"~ {shown}" if moved["within_error"] else shown


# --- Record of a comparison: the two runs as they are stored, each headline quantity in both, and the … ---


@dataclass(frozen=True)
class Stored:
    """One run as it stands in the store."""

    made_from: RunInputs  # its inputs, read again
    results: Mapping[str, Mapping[str, Any]]  # its headline under the stance compared
    made_by: str  # what made it: code, libraries, number and seed of draws


@dataclass(frozen=True)
class Change:
    """One headline quantity in two runs."""

    key: str  # ``<quantity>.<option>``
    label: str
    unit: str
    before: float
    after: float
    difference: Shift  # with the Monte Carlo error of the paired difference
    shares: Mapping[str, Shift]  # by member of `GROUPS`; they sum to the difference

    def record(self) -> dict[str, Any]:
        """Return plain values."""
        shares = {group: share.record() for group, share in self.shares.items()}
        told = {name: value for name, value in vars(self).items() if name != "shares"}
        return {**told, **self.difference.record("difference"), "shares": shares}


@dataclass(frozen=True)
class Comparison:
    """What changed between two runs and why."""

    # before and after: ``<analysis>/<run>``.
    before: str
    after: str
    stance: str
    moved: tuple[str, ...]  # groups that differ
    changes: tuple[Change, ...]  # in the order of the headline
    notes: tuple[str, ...] = ()  # what the reader must know of how the two were compared
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the later run

    def record(self) -> dict[str, Any]:
        """Return plain values."""
        # Returned: ``before``, ``after``, ``stance``, ``moved``, ``notes``, ``settings`` and ``changes``:
        # key, label, unit, before, after, difference, mcse, within_error and ``shares`` (by group: value,
        # mcse, within_error); and what is said of them (`with_words`).
        told = {**vars(self), "moved": list(self.moved), "notes": list(self.notes)}
        del told["changes"]
        return with_words({**told, "changes": [change.record() for change in self.changes]})
