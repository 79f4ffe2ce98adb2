"""The years of the headline horizon, and sums over them of a table's yearly means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from cba.reporting.names import full_name
from cba.reporting.numbers import matching_rows

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal


def horizon_years(appraisal: Appraisal) -> tuple[int, int]:
    """Return first and last year of the headline horizon, years ending 31 March."""
    start = int(appraisal.analysis.start_year)
    return start, start + int(appraisal.analysis.horizon) - 1


def within_horizon(appraisal: Appraisal, table: str, **where: object) -> pd.DataFrame:
    """Return the matching rows of a table in the years of the headline horizon, by year."""
    first, last = horizon_years(appraisal)
    rows = matching_rows(appraisal.tables[table], where)
    return rows[rows["year"].between(first, last)].sort_values("year")


def payer_totals(appraisal: Appraisal, option: str) -> pd.Series:
    """Return mean net cost by payer over the horizon, undiscounted GBP: the sum of the yearly means.

    By payer; costs positive, savings negative.
    """
    rows = within_horizon(appraisal, "cash_flow_by_year", option=option)
    return rows.groupby("payer", sort=False)["mean"].sum()


# --- Choices a page makes from an appraisal: which option leads, which target is hardest, how groups … ---


GRADES = ("green", "amber", "red", "blue")


_LEAD = "care_review"


def lead_option(appraisal: Appraisal) -> str:
    """Return the option the report follows: the review's programme where appraised, else the first but BAU."""
    others = [option for option in appraisal.option_labels if option != "bau"]
    return _LEAD if _LEAD in others else others[0]


def last_shown_year(appraisal: Appraisal) -> int:
    """Return the last year charts show: the end of the horizon or the target year, whichever is later."""
    return max(horizon_years(appraisal)[1], int(appraisal.analysis.target_year))


def paths_overlap(
    appraisal: Appraisal, option: str, last_year: int, *, table: str = "children_by_year"
) -> bool:
    """Return whether the intervals with and without an option overlap in every year shown."""
    rows = appraisal.tables[table]
    rows = rows[rows["year"] <= last_year]
    without, with_it = (matching_rows(rows, {"option": name}).set_index("year") for name in ("bau", option))
    apart = (without["lower"] > with_it["upper"]) | (with_it["lower"] > without["upper"])
    return not bool(apart.any())


def hardest_target(appraisal: Appraisal) -> dict[str, object]:
    """Return what picks the row of the largest target of ``what_it_would_take``; empty without rows."""
    table = appraisal.tables["what_it_would_take"]
    if table.empty:
        return {}
    row = table.sort_values(["target_children", "start_year"], ascending=[False, True]).iloc[0]
    return {"start_year": int(row["start_year"]), "target_children": row["target_children"]}


def vintages_shown(appraisal: Appraisal) -> tuple[int, int] | None:
    """Return the first and the last release from which the review's path is seen.

    None where the run has no such table.
    """
    if "backtest_vintages" not in appraisal.tables:
        return None
    releases = appraisal.tables["backtest_vintages"]["release"]
    return int(releases.min()), int(releases.max())


def record_is_current(appraisal: Appraisal) -> bool:
    """Return whether the record of past forecasts is of the model the run was made with."""
    about = appraisal.tables.get("backtest_about")
    if about is None:
        return True
    return "False" not in set(about.loc[about["item"] == "current", "value"].astype(str))


def carrier(appraisal: Appraisal, option: str) -> str:
    """Return the intervention that takes most children out of care in an option; empty where none does."""
    if "attribution" not in appraisal.tables:
        return ""
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
    return [
        {"name": name, "grade": _grade(table.loc[groups == name, "confidence"])}
        for name in dict.fromkeys(groups)
    ]


def overall_grade(appraisal: Appraisal) -> str:
    """Return the grade of all inputs together, by the rule of the groups."""
    return _grade(appraisal.tables["priors"]["confidence"])


def _grade(held: pd.Series) -> str:
    """Return the worst grade that at least a third of the inputs hold or exceed; ungraded counts as red."""
    shares = {grade: float((held == grade).mean()) for grade in GRADES}
    worst = shares["red"] + shares["blue"]
    if worst >= 1 / 3:
        return "red" if shares["red"] >= shares["blue"] else "blue"
    return "amber" if worst + shares["amber"] >= 1 / 3 else "green"


def reason(appraisal: Appraisal, key: str) -> str:
    """Return why a result is not defined. `appraisal`: its ``stance`` is read."""
    if appraisal.stance == "review":
        return "too few draws of the evidence meet the claims"
    if key.startswith("bcr"):
        return "costs are not positive"
    if key.startswith("payback_year"):
        return "in half of the draws or more it never pays back"
    return "the appraisal does not define it"


# --- What a manifest says of a run, as rows and names the page prints ---


_LONGEST_ROW = 200


FRAMES = {
    "latest": "The newest data and evidence",
    "review_2022": "What was known when the review reported in 2022",
}
"""Frame of an analysis in words."""


PEOPLE = {
    "commissioner": "commissioner",
    "analyst": "analyst",
    "assurer": "assurer",
    "approver": "approver",
    "review date": "review_by",
}
"""Who answers for a run and until when, and the field of the specification that says so."""


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
    name = manifest.get("run") or f"{appraisal.analysis.name} {fingerprint[:8]}".strip()
    when = next(
        (manifest[key] for key in ("finished", "started", "created") if manifest.get(key)), "not recorded"
    )
    return {"run_id": str(name), "as_at": str(when), "as_at_words": moment_in_words(str(when))}


def moment_in_words(moment: str) -> str:
    """Return a moment as people write it, UTC; other text as it is."""
    try:
        at = datetime.fromisoformat(moment).astimezone(UTC)
    except ValueError:
        return moment
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def run_people(appraisal: Appraisal) -> dict[str, str]:
    """Return who answers for a run and when it is to be reviewed, as far as its specification says.

    Empty text for what is not recorded.
    """
    return {words: str(getattr(appraisal.analysis, field, None) or "") for words, field in PEOPLE.items()}


def flat_rows(manifest: Mapping[str, Any], provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the manifest as pairs of dotted name and value; provenance follows where the manifest lacks it.

    List of (str, str). Gates and per-stance provenance have tables of their own and are left out.
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
