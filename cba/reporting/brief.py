"""The brief: what this run finds, chosen by rules from its results, and what its two pages show beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from cba.appraisal.quantities import stem_of
from cba.inputs.evidence import load_claims
from cba.inputs.files import published_file, records_of
from cba.reporting.choices import View, overall_grade
from cba.reporting.numbers import counted, is_defined, per_cent, pounds, rounding_unit, show, spanned

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal


# --- The finding ---


Children = Literal["reached", "fewer", "none", "more", "undefined"]


SURE, EVEN = 0.95, 0.5
"""Chances from which a title says that something happens, and that it probably does."""


@dataclass(frozen=True)
class Finding:
    """What the title says of an option: of children, against the claim, and of money."""

    children: Children
    money: str  # what it does, as it follows the option's name; empty where it is not defined
    agrees: bool  # whether both halves point the same way


def finding(appraisal: Appraisal, option: str) -> Finding:
    """Return what the results say, as plainly where an option pays or meets the claim as where it does not."""
    results = appraisal.results
    fewer, chance = (results[f"{stem_of(name)}.{option}"] for name in ("fewer_children", "prob_fewer_30000"))
    mean, pays = fewer["mean"], results[f"prob_npv_positive.{option}"]["mean"]
    children: Children = "undefined"
    if is_defined(mean):
        written = show(mean, style="fewer", unit=rounding_unit(mean, fewer["mcse"]))
        children = "none" if written.startswith("no change") else "fewer" if mean > 0 else "more"
        children = "reached" if is_defined(chance["mean"]) and chance["mean"] >= EVEN else children
    if not is_defined(pays):
        return Finding(children, "", True)
    often = pays if pays >= EVEN else 1.0 - pays
    words = f"would {'' if often >= SURE else 'probably '}{'' if pays >= EVEN else 'not '}pay for itself"
    return Finding(children, words, (children == "reached") == (pays >= EVEN))


# --- What the review asked for and claimed, beyond what is held against results ---


CLAIMED = {
    "asked": "review_investment_total",
    "helped": "review_family_help_children",
    "then": "review_baseline_children_now",
}
"""Rows of the table of published claims that the brief reads."""


def claimed() -> dict[str, float]:
    """Return what the review asked for (GBP), how many children it would help, and how many were in care."""
    rows = {row["claim_id"]: row for row in records_of(published_file("published_claims.csv"))}
    scale = {"gbp_million": 1e6}
    return {
        name: float(rows[row]["value"]) * scale.get(rows[row]["unit"], 1.0) for name, row in CLAIMED.items()
    }


# --- The chain: what the review needs at each step, and what the evidence gives ---


REACH = 0.6
"""Share of would-be entrants reached at which the table says what help would have to do."""


def _shares(value: float) -> str:
    return per_cent(value, unit=0.01)


_CHAIN: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("Money a year for family help", "Money for family help", pounds),
    ("Children helped in a year", "Children served", counted),
    ("Eligible children who are helped", "Share of eligible children served (coverage)", _shares),
    ("Would-be entrants help can reach", "Share of starts that full coverage would reach (reach)", _shares),
    (
        "Fall in the risk of those reached",
        "Effect on a child reached: fall in the risk of entering care",
        _shares,
    ),
    ("Fewer children starting care in a year", "Starts averted", counted),
)
"""Words for a step, its name in the table ``effect_chain``, and how it is written."""


_STARTS = "Starts, unaccompanied children aside"


def has_chain(view: View) -> bool:
    """Return whether the run holds every step of the option followed, and what the claim would take."""
    if not (view.holds("effect_chain") and view.holds("what_it_would_take")):
        return False
    held = set(view.rows("effect_chain", option=view.option)["step"])
    targets = view.first.tables["what_it_would_take"]["target_children"]
    return {_STARTS, *(step for _, step, _ in _CHAIN)} <= held and (
        targets == load_claims().fewer_children.value
    ).any()


def chain(view: View) -> pd.DataFrame:
    """Return each step: ``label``, ``needs`` (missing where none would do), ``gives``, and both in words."""
    steps = view.rows("effect_chain", option=view.option).set_index("step")
    claims, year = load_claims(), view.first.analysis.target_year
    rows = view.rows("what_it_would_take", target_children=claims.fewer_children.value)
    take = rows.sort_values("start_year").iloc[0]
    starts = float(steps.loc[_STARTS, "mean"])
    needs = (
        claims.annual_saving.value,
        claimed()["helped"],
        1.0,
        REACH,
        1.0 - take["risk_ratio_reach_0_6"],
        take["cut_median"] * starts,
    )
    made = [
        (label, need, row["mean"], _needed(need, say), _ranged(row, say))
        for (label, step, say), need in zip(_CHAIN, needs, strict=True)
        for row in [steps.loc[step]]
    ]
    fewer, claim = view.first.results[f"{stem_of('fewer_children')}.{view.option}"], claims.fewer_children
    made.append(
        (f"Fewer children in care in {year}", claim.value, fewer["mean"], str(claim), _ranged(fewer, counted))
    )
    return pd.DataFrame(made, columns=["label", "needs", "gives", "needs_words", "gives_words"])


def _needed(need: float, say: Callable[[float], str]) -> str:
    if not is_defined(need):
        return "more than all"
    return str(load_claims().annual_saving) if say is pounds else say(need)


def _ranged(row: Any, say: Callable[[float], str]) -> str:
    return f"{say(row['mean'])} ({spanned(row, say)})"


# --- The choices ---


@dataclass(frozen=True)
class Choice:
    """One row of the table of choices."""

    key: str  # an option of the run or, with `strategy`, one of the ways of finding out first
    when: str  # when to choose it
    name: str = ""  # the option's own label where left out
    strategy: bool = False
    paying: bool = (
        False  # `key` is a way of paying for the review's programme; the run says which option that is
    )


CHOICES = (
    Choice("ffp_2025", "nothing else is shown to do better", "Carry on with what is funded"),
    Choice("pilot_first", "its result could change the choice", "Measure first, then decide", strategy=True),
    Choice("in_steps", "you can stop, and pay for stopping", "Go in steps, stop if it fails", strategy=True),
    Choice("reinvest", "help is to be paid from what it saves", paying=True),
    Choice("new_recurrent", "help is worth its cost by itself", paying=True),
    Choice("placement_reform", "the price of placements is the aim"),
)


COMPARED = {"direct": "compared directly", "transported": "compared elsewhere", "none": "not compared"}
"""Words for the controlled comparisons that the standard found of an option."""


def _shown(view: View, ways: Mapping[str, str]) -> list[Choice]:
    named = [replace(one, key=ways.get(one.key, one.key)) if one.paying else one for one in CHOICES]
    strategies = set(view.first.tables["pilot_or_now"]["strategy"]) if view.holds("pilot_or_now") else set()
    held = strategies | set(view.first.option_labels)
    known = [choice for choice in named if choice.key in held]
    if view.option in {choice.key for choice in known}:
        return known
    return [Choice(view.option, "it meets the aim you have"), *known]


def brief_choices(view: View) -> dict[str, Any]:
    """Return the finding, the figures of the review, the choices, and what the sentences name."""
    modes = view.first.tables.get("financing_modes", pd.DataFrame(columns=["option", "financing"]))
    standard = view.first.tables.get("standard", pd.DataFrame(columns=["option", "controlled_comparison"]))
    awaited = view.first.tables.get(
        "awaited_evidence", pd.DataFrame(columns=["study_id", "fewer_children_mean"])
    )
    best = awaited.dropna(subset=["fewer_children_mean"]).sort_values("fewer_children_mean").tail(1)
    figures, ways = claimed(), dict(zip(modes.get("financing", ()), modes["option"], strict=False))
    return {
        "finding": finding(view.first, view.option),
        "of_review": view.option == view.programme or view.option in set(modes["option"]),
        "asked": f"£{figures['asked'] / 1e9:.3g}bn",
        "helped": f"{figures['helped']:,.0f}",
        "choices": _shown(view, ways),
        "compared": {
            o: COMPARED[str(c)]
            for o, c in zip(standard["option"], standard["controlled_comparison"], strict=True)
        },
        "ways_of_paying": ways,
        "best_awaited": best[["study_id", "risk_ratio_found"]].to_dict("records")[0] if len(best) else None,
        "awaited_count": int(awaited["study_id"].nunique()),
        "overall_grade": overall_grade(view.first),
        "claims": view.first.tables["claims"].to_dict("records"),
    }
