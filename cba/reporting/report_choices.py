"""Choices a page makes from an appraisal: which option leads, which target is hardest, how groups grade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.full_names import full_name
from cba.reporting.horizon import horizon_years, payer_totals

if TYPE_CHECKING:
    from cba.appraisal import Appraisal

GRADES = ("green", "amber", "red", "blue")
_LEAD = "care_review"
_LONGEST_ROW = 200


def lead_option(appraisal: Appraisal) -> str:
    """Return the option the report follows: the review's programme where appraised, else the first but BAU.

    Parameters
    ----------
    appraisal : Appraisal
        Its ``option_labels`` are read.

    Returns
    -------
    str

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> lead_option(SimpleNamespace(option_labels={"bau": "", "kinship_only": "", "care_review": ""}))
    'care_review'
    """
    others = [option for option in appraisal.option_labels if option != "bau"]
    return _LEAD if _LEAD in others else others[0]


def last_shown_year(appraisal: Appraisal) -> int:
    """Return the last year charts show: the end of the horizon or the target year, whichever is later."""
    return max(horizon_years(appraisal)[1], int(appraisal.analysis.target_year))


def paths_overlap(appraisal: Appraisal, option: str, last_year: int) -> bool:
    """Return whether the intervals with and without an option overlap in every year shown."""
    table = appraisal.tables["children_by_year"]
    table = table[table["year"] <= last_year]
    without, with_it = (matching_rows(table, {"option": o}).set_index("year") for o in ("bau", option))
    apart = (without["lower"] > with_it["upper"]) | (with_it["lower"] > without["upper"])
    return not bool(apart.any())


def hardest_target(appraisal: Appraisal) -> dict[str, object]:
    """Return what picks the row of the largest target of ``what_it_would_take``; empty without rows."""
    table = appraisal.tables["what_it_would_take"]
    if table.empty:
        return {}
    row = table.sort_values(["target_children", "start_year"], ascending=[False, True]).iloc[0]
    return {"start_year": int(row["start_year"]), "target_children": row["target_children"]}


def carrier(appraisal: Appraisal, option: str) -> str:
    """Return the intervention that takes most children out of care in an option; empty where none does."""
    rows = matching_rows(appraisal.tables["attribution"], {"option": option})
    if rows.empty or not float(rows["fewer_children"].max()) > 0.0:
        return ""
    return str(rows.loc[rows["fewer_children"].idxmax(), "component"])


def payer_message(appraisal: Appraisal, option: str) -> str:
    """Return who pays most and who gains most, in words."""
    net = payer_totals(appraisal, option)
    if net.empty or not net.abs().max() > 0.0:
        return "No payer pays or gains"
    pays = [str(net.idxmax())] if net.max() > 0 else []
    gains = [str(net.idxmin())] if net.min() < 0 else []
    parts = [f"{full_name(name)}: pays most" for name in pays] + [
        f"{full_name(name)}: gains most" for name in gains
    ]
    return "; ".join(parts)


def prior_groups(appraisal: Appraisal) -> list[dict[str, str]]:
    """Return each group of inputs and its grade: the worst that a third of its inputs hold or exceed."""
    table = appraisal.tables["priors"]
    groups = table["name"].str.split(".").str[0]
    found = []
    for name in dict.fromkeys(groups):
        held = table.loc[groups == name, "confidence"]
        shares = {grade: float((held == grade).mean()) for grade in GRADES}
        ungraded_or_red = shares["red"] + shares["blue"]
        if ungraded_or_red >= 1 / 3:
            grade = "red" if shares["red"] >= shares["blue"] else "blue"
        else:
            grade = "amber" if ungraded_or_red + shares["amber"] >= 1 / 3 else "green"
        found.append({"name": name, "grade": grade})
    return found


def reason(appraisal: Appraisal, key: str) -> str:
    """Return why a result is not defined.

    Parameters
    ----------
    appraisal : Appraisal
        Its ``stance`` is read.
    key : str
        Key of the result.

    Returns
    -------
    str

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> reason(SimpleNamespace(stance="review"), "bcr.a")
    'too few draws of the evidence meet the claims'
    """
    if appraisal.stance == "review":
        return "too few draws of the evidence meet the claims"
    if key.startswith("bcr"):
        return "costs are not positive"
    if key.startswith("payback_year"):
        return "in half of the draws or more it never pays back"
    return "the appraisal does not define it"


def single_vintage_exceptions(manifest: Mapping[str, Any], appraisal: Appraisal) -> list[str]:
    """Return the inputs held in one vintage only, from the manifest or else the provenance."""
    stated = (
        manifest.get("single_vintage_exceptions")
        or appraisal.provenance.get("single_vintage_exceptions")
        or []
    )
    return [str(item) for item in stated]


def run_identity(manifest: Mapping[str, Any], appraisal: Appraisal) -> dict[str, str]:
    """Return the run's name and date, as far as the manifest knows them."""
    prints = manifest.get("fingerprints")
    fingerprint = prints.get("run", "") if isinstance(prints, Mapping) else ""
    name = manifest.get("run") or f"{appraisal.analysis.name} {fingerprint}".strip()
    when = next(
        (manifest[key] for key in ("finished", "started", "created") if manifest.get(key)), "not recorded"
    )
    return {"run_id": str(name), "as_at": str(when)}


def flat_rows(manifest: Mapping[str, Any], provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the manifest as pairs of dotted name and value; provenance follows where the manifest lacks it.

    Parameters
    ----------
    manifest, provenance : mapping
        JSON-able.

    Returns
    -------
    list of (str, str)
        Gates and per-stance provenance have tables of their own and are left out.

    Examples
    --------
    >>> flat_rows({"seed": 7, "code": {"version": "0.1.0"}}, {})
    [('seed', '7'), ('code.version', '0.1.0')]
    """
    kept = {key: value for key, value in manifest.items() if key not in ("gates", "provenance", "files")}
    extra = {key: value for key, value in provenance.items() if key not in kept}
    return [*_flat(kept, ""), *_flat(extra, "appraisal.")]


def _flat(value: object, name: str) -> list[tuple[str, str]]:
    """Return the leaves below a value; short lists of plain values stay on one line."""
    if isinstance(value, Mapping):
        stem = f"{name}." if name and not name.endswith(".") else name
        return [row for key, inner in value.items() for row in _flat(inner, f"{stem}{key}")]
    if isinstance(value, list | tuple):
        if all(not isinstance(item, Mapping | list | tuple) for item in value):
            return [(name, ", ".join(map(str, value)))]
        return [row for number, item in enumerate(value, start=1) for row in _flat(item, f"{name}.{number}")]
    text = "" if value is None else str(value)
    return [(name, text if len(text) <= _LONGEST_ROW else f"{text[:_LONGEST_ROW]}…")]
