"""Choices the decision sections make from an appraisal: what to name first, and where the best option changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.figures_information import best_question, value_shown
from cba.reporting.figures_pilot import published_learning
from cba.reporting.figures_pilot_power import announced_row
from cba.reporting.figures_targets import never_by_payer
from cba.reporting.numbers import is_defined, show
from cba.reporting.page_sections import holds, sections_of

if TYPE_CHECKING:
    from cba.appraisal import Appraisal

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
    """Return what the templates of the decision sections name; empty entries where a table is not there.

    Parameters
    ----------
    appraisal : Appraisal
        Of the headline stance.
    option : str
        Option the report follows.

    Returns
    -------
    dict of str to object

    Examples
    --------
    >>> decision_choices(appraisal, "care_review")["best_questions"][0]  # doctest: +SKIP
    {'value': 0.0, 'question': 'price reform'}
    """
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
