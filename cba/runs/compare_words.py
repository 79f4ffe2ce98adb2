"""A comparison of two runs in plain sentences, every figure rounded to what its Monte Carlo error supports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cba.appraisal.quantities import spoken_quantities
from cba.inputs.analyses import lead_among

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
        from cba.errors import InputError

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
