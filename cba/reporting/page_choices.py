"""The checklist of what a report must contain, with how far this one does: stated, and checked against the run."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pandas as pd

from cba.errors import InputError
from cba.reporting.choices import record_is_current
from cba.reporting.figures.learning import (
    announced_row,
    best_question,
    never_by_payer,
    published_learning,
    value_shown,
)
from cba.reporting.numbers import is_defined, matching_rows, show
from cba.reporting.sections import holds, sections_of

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal


STATUSES = ("met", "partly", "not met")


_FIELDS = ["group", "text", "status", "where", "note"]


_NEEDS = "needs"


LACKING = "not in this run"


def checklist() -> pd.DataFrame:
    """Return the checklist as the project states it, whatever a run holds.

    Columns ``group``, ``text``, ``status`` (met, partly or not met), ``where`` (an anchor of the report or
    empty), ``note`` and ``needs`` (tables without which it is not met, separated by spaces).
    """
    file = files("cba.reporting") / "checklist.toml"
    items = tomllib.loads(file.read_text(encoding="utf-8"))["item"]
    for number, item in enumerate(items, start=1):
        if sorted(set(item) - {_NEEDS}) != sorted(_FIELDS) or item["status"] not in STATUSES:
            raise InputError(
                "an item of the checklist is not complete",
                file="checklist.toml",
                field=f"item {number}",
                found=str(item),
                allowed=f"{', '.join(_FIELDS)}; status {', '.join(STATUSES)}",
                cause="a field left out or a status misspelt",
                remedy="complete the item",
            )
    return pd.DataFrame([{_NEEDS: ""} | item for item in items])[[*_FIELDS, _NEEDS]]


def checklist_of_run(
    appraisal: Appraisal, *, anchors: Collection[str], people: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the checklist as this run meets it; a report prints it and a run keeps it beside its tables.

    Columns ``group``, ``text``, ``status``, ``where``, ``note``.
    """
    # An item whose table or place the run has not is ``not met``, whatever the project states; who
    # commissioned the run and when it is to be reviewed is met only where the specification says.
    rows = []
    for item in checklist().to_dict("records"):
        lacking = [table for table in item[_NEEDS].split() if not len(appraisal.tables.get(table, ()))]
        row = {field: str(item[field]) for field in _FIELDS}
        if row["status"] != "not met" and (lacking or row["where"] not in anchors):
            row |= {"status": "not met", "note": f"{LACKING}{': ' + ', '.join(lacking) if lacking else ''}"}
        if row["where"] == "backtest" and row["status"] == "met" and not record_is_current(appraisal):
            row |= {"status": "partly", "note": "the record is of an earlier version of the model"}
        if "commissioner" in row["text"] and row["where"] in anchors:
            row |= _recorded(people)
        rows.append(row)
    return pd.DataFrame(rows, columns=_FIELDS)


def _recorded(people: Mapping[str, Any]) -> dict[str, str]:
    """Return the status of who is named: met only where everyone and the date of review are."""
    missing = [name for name, said in people.items() if not said]
    if not missing:
        return {"status": "met", "note": ""}
    return {"status": "partly", "note": f"not recorded: {', '.join(missing)}"}


# --- Choices the decision sections make from an appraisal: what to name first, and where the best … ---


WIDEST = 1e6
"""GBP: value of a child-year at which the text quotes what certainty is worth, beside cash alone."""


PLAIN_WORDS = {
    "delivery.cost_overrun": "how far the programme overruns its published money",
    "family_help.log_risk_ratio": "how far family help lowers the risk that a child starts to be looked after",
    "kinship.log_risk_ratio": "how far family-network meetings lower the chance of being looked after",
    "reform.home_price_cut": "how far reform of placements lowers the price of children’s homes",
}
"""Inputs that may matter most, as the front page names them; others by their description."""


def decision_choices(appraisal: Appraisal, option: str) -> dict[str, Any]:
    """Return what the templates of the decision sections name; empty entries where a table is not there."""
    made: dict[str, Any] = {}
    shown = {section.anchor for section in sections_of(appraisal, option)}
    for anchor, choose in (
        ("drivers", _of_drivers),
        ("worth", _of_worth),
        ("pilot", _of_pilot),
        ("information", _of_information),
    ):
        made |= choose(appraisal, option) if anchor in shown else {}
    for table, choose in (
        ("break_even_values", _of_break_even),
        ("fewer_children_chances", _of_targets),
        ("switching_values", _of_switching),
    ):
        made |= choose(appraisal, option) if holds(appraisal, table, option) else {}
    absent = dict.fromkeys(("top_driver", "announced", "best_questions", "lead_breaks_even", "best_at_zero"))
    return absent | made


def _of_drivers(appraisal: Appraisal, option: str) -> dict[str, Any]:
    table = appraisal.tables["drivers"].reset_index(drop=True)
    mine = matching_rows(table, {"option": option})
    first = mine[mine["rank"] == 1].set_index("outcome")["input"]
    shares = matching_rows(appraisal.tables["variance_shares"], {"option": option, "split": "question"})
    return {
        "top_driver": first.to_dict(),
        "top_words": {
            row["outcome"]: PLAIN_WORDS.get(row["input"], f"“{row['description']}”")
            for row in mine[mine["rank"] == 1].to_dict("records")
        },
        "top_question": str(shares.loc[shares["effect"].idxmax(), "name"]),
    }


def _of_worth(appraisal: Appraisal, option: str) -> dict[str, Any]:
    table = appraisal.tables["best_option"]
    changed = table[(table["best"] != table["best"].shift()) & (table["value_per_child_year"] > 0)]
    return {
        "best_at_zero": str(table.loc[table["value_per_child_year"].idxmin(), "best"]),
        "best_steps": [
            {"value": float(row["value_per_child_year"]), "best": str(row["best"])}
            for row in changed.to_dict("records")
        ],
        "widest_value": WIDEST,
    }


def _of_pilot(appraisal: Appraisal, option: str) -> dict[str, Any]:
    row = announced_row(appraisal, option)
    design = {"areas": int(row["areas"]), "years": int(row["years"])}
    rows = matching_rows(appraisal.tables["pilot_or_now"], {"option": option, **design})
    best = rows[rows["best"].astype(bool)].sort_values("value_per_child_year")
    steps = best[best["strategy"] != best["strategy"].shift()]
    learning = published_learning(appraisal, option)
    top = learning.loc[learning["value_of_learning"].idxmax()]
    where = {"option": option, **design}
    return {
        "announced": {**where, "design": str(row["design"])},
        "announced_design": design,
        "pilot_steps": [
            {
                **where,
                "strategy": str(step["strategy"]),
                "value_per_child_year": float(step["value_per_child_year"]),
            }
            for step in steps.to_dict("records")
        ],
        "learning_is_clear": bool(top["value_of_learning"] > 1.96 * top["value_of_learning_se"]),
        "top_learning": {**where, "value_per_child_year": float(top["value_per_child_year"])},
    }


def _of_information(appraisal: Appraisal, option: str) -> dict[str, Any]:
    values = sorted(map(float, appraisal.tables["information_value"]["value_per_child_year"].unique()))
    asked = [(value, best_question(appraisal, value)) for value in values]
    return {
        "best_questions": [
            {"value": value, "question": question}
            for place, (value, question) in enumerate(asked)
            if question and (place == 0 or question != asked[place - 1][1])
        ],
        "information_price": show(value_shown(appraisal), style="price"),
        "information_values": values,
    }


def _of_break_even(appraisal: Appraisal, option: str) -> dict[str, Any]:
    table = appraisal.tables["break_even_values"]
    row = matching_rows(table, {"kind": "option", "name": option})
    anchors = matching_rows(table, {"kind": "anchor"}).set_index("name")["value_per_child_year"]
    return {
        "lead_breaks_even": bool(len(row)) and is_defined(float(row["value_per_child_year"].iloc[0])),
        "highest_anchor": str(anchors.idxmax()) if len(anchors) else "",
    }


def _of_targets(appraisal: Appraisal, option: str) -> dict[str, Any]:
    targets: pd.Series[float] = appraisal.tables["fewer_children_chances"]["fewer_children"]
    made: dict[str, Any] = {"smallest_target": float(targets.min())}
    if holds(appraisal, "payback_by_payer", option):
        made["worst_payer"] = never_by_payer(appraisal, option).iloc[0].to_dict()
    return made


def _of_switching(appraisal: Appraisal, option: str) -> dict[str, Any]:
    """Rows of the first input tried: how far it gets alone towards each target."""
    rows = matching_rows(appraisal.tables["switching_values"], {"option": option})
    first = rows[rows["input"] == rows["input"].iloc[0]]
    return {
        "switching_reachable": int(rows["reachable"].astype(bool).sum()),
        "switching_first": str(rows["input"].iloc[0]),
        "switching_targets": list(first["target"]),
    }


# --- Which rows of long tables the page prints: councils at both ends, inputs that move, evidence by … ---


COUNCILS_SHOWN = 10
"""Authorities printed at each end of the list."""


def row_choices(by_stance: Mapping[str, Appraisal], first: Appraisal, option: str) -> dict[str, Any]:
    """Return which rows of long tables the templates print; empty entries where a table is not there."""
    # Returned: ``unused`` (uses of the evidence that do not enter), ``censored`` (whether any enters as a
    # bound), ``council_ends`` (captions and rows), ``weight_matters`` (whether any weight on the sceptic
    # changes the choice at some value of a child-year), ``needed`` (what picks the first row of
    # ``need_to_believe``) and ``needed_which`` (what its draws are).
    uses = [str(use) for use in first.tables["evidence"]["use"].unique()]
    return {
        "unused": [use for use in uses if use not in ("synthesis", "censored")],
        "censored": "censored" in uses,
        "council_ends": _council_ends(first, option),
        "weight_matters": _weight_matters(first),
        **_needed(by_stance.get("review")),
    }


def _council_ends(appraisal: Appraisal, option: str) -> list[dict[str, Any]]:
    """Return what picks the authorities whose own saving less cost is highest and lowest."""
    if not holds(appraisal, "councils", option):
        return []
    mine = appraisal.tables["councils"].query("option == @option").sort_values("council_net")
    shown = min(COUNCILS_SHOWN, len(mine) // 2)
    if shown == 0:
        return []
    low, high = (float(mine["council_net"].iloc[place]) for place in (shown - 1, -shown))
    return [
        {"caption": "highest", "where": {"option": option, "council_net__from": high}},
        {"caption": "lowest", "where": {"option": option, "council_net__to": low}},
    ]


def _weight_matters(appraisal: Appraisal) -> bool:
    """Return whether, at some value of a child-year, more than one option is best as the weight moves."""
    table = appraisal.tables.get("weight_of_change")
    return (
        table is not None
        and len(table) > 0
        and bool((table.groupby("value_per_child_year").size() > 1).any())
    )


def _needed(review: Appraisal | None) -> dict[str, Any]:
    table = None if review is None else review.tables.get("need_to_believe")
    if table is None or table.empty:
        return {"needed": None, "needed_which": ""}
    first = table.iloc[0]
    return {"needed": {"parameter": str(first["parameter"])}, "needed_which": str(first["which"])}
