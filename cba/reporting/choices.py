"""What a page chooses to show and to say of a run: years, rows, what is named first, and who answers for it.

Each section's choices are a function of the `View`; what it returns, the templates read by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from cba.errors import InputError
from cba.inputs.analyses import lead_among
from cba.inputs.evidence import load_claims
from cba.reporting.names import stance_name
from cba.reporting.numbers import is_defined, matching_rows, priced

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal


@dataclass(frozen=True)
class View:
    """What a page shows: the appraisals of one run, headline stance first, and the option it follows."""

    appraisals: tuple[Appraisal, ...]
    option: str

    @property
    def first(self) -> Appraisal:
        """The appraisal of the headline stance."""
        return self.appraisals[0]

    @property
    def last_year(self) -> int:
        """The last year charts show: the end of the horizon or the target year, whichever is later."""
        return max(horizon_years(self.first)[1], int(self.first.analysis.target_year))

    def rows(self, table: str, **where: object) -> pd.DataFrame:
        """Return the matching rows of a table of the headline stance."""
        return matching_rows(self.first.tables[table], where)

    @property
    def programme(self) -> str:
        """The option that the review's claims are about, which some tables are of."""
        return load_claims().programme

    def holds(self, table: str) -> bool:
        """Return whether a table of the headline stance has rows, of the option or programme where it is by option."""
        return any(holds(self.first, table, option) for option in (self.option, self.programme))

    def label(self, option: str) -> str:
        """Return an option's label as a chart can write it, where a dollar would begin a formula."""
        return self.first.option_labels.get(option, option).replace("$", r"\$")


def holds(appraisal: Appraisal, table: str, option: str) -> bool:
    """Return whether a table is there with rows, of the option where it is by option."""
    frame = appraisal.tables.get(table)
    if frame is None or frame.empty:
        return False
    return "option" not in frame or bool((frame["option"] == option).any())


type Appraisals = Sequence[Appraisal] | Mapping[str, Appraisal]
"""The appraisals of one run, that of the headline stance first."""


def in_order(appraisals: Appraisals) -> tuple[Appraisal, ...]:
    """Return the appraisals of a run, by stance or not, in their order."""
    return tuple(appraisals.values() if isinstance(appraisals, Mapping) else appraisals)


def headline_first(appraisals: Appraisals, headline: Mapping[str, Any]) -> tuple[Appraisal, ...]:
    """Return the appraisals of a run; refuse a headline that is not of the first of them."""
    given = in_order(appraisals)
    if not given:
        raise InputError(
            "there is nothing to report", field="appraisals", found="none", allowed="one or more"
        )
    different = sorted(set(headline.get("results", {})) ^ set(given[0].results))
    if different:
        raise InputError(
            "headline and first appraisal hold different results",
            field="headline.results",
            found=", ".join(different[:5]),
            allowed="the keys of the first appraisal",
            cause="appraisals out of order",
            remedy="give the appraisal of the headline stance first",
        )
    return given


# --- Which option and which years ---


def lead_option(appraisal: Appraisal) -> str:
    """Return the option the report follows, among those appraised."""
    return lead_among(appraisal.option_labels, lead=appraisal.analysis.lead)


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


# --- Grades and carriers ---


ABSENT: Mapping[str, Any] = {
    "top_driver": None,
    "announced": None,
    "best_questions": None,
    "tracker_years": (),
}
"""What other sections read of one that a run leaves out."""


def grade_choices(view: View) -> dict[str, Any]:
    """Return the grades of the inputs, by group."""
    table = view.first.tables["priors"]
    groups = table["name"].str.split(".").str[0]
    grades = {name: _grade(table.loc[groups == name, "confidence"]) for name in dict.fromkeys(groups)}
    return {
        "grades": GRADES,
        "prior_groups": [{"name": name, "grade": grade} for name, grade in grades.items()],
    }


def attribution_choices(view: View) -> dict[str, Any]:
    """Return the intervention that takes most children out of care in an option; empty where none does."""
    rows = view.rows("attribution", option=view.option)
    carries = len(rows) and float(rows["fewer_children"].max()) > 0.0
    return {"carrier": str(rows.loc[rows["fewer_children"].idxmax(), "component"]) if carries else ""}


GRADES = ("green", "amber", "red", "blue")


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


# --- Children ---


def children_choices(view: View) -> dict[str, Any]:
    """Return whether the paths overlap, and the years shown."""
    return {
        "paths_overlap": paths_overlap(view.first, view.option, view.last_year),
        "last_observed": int(view.first.tables["history"]["year"].max()),
        "last_shown": view.last_year,
    }


def paths_overlap(
    appraisal: Appraisal, option: str, last_year: int, *, table: str = "children_by_year"
) -> bool:
    """Return whether the intervals with and without an option overlap in every year shown."""
    rows = appraisal.tables[table]
    rows = rows[rows["year"] <= last_year]
    without, with_it = (matching_rows(rows, {"option": name}).set_index("year") for name in ("bau", option))
    apart = (without["lower"] > with_it["upper"]) | (with_it["lower"] > without["upper"])
    return not bool(apart.any())


# --- The tracker ---


def belief_rows(appraisal: Appraisal, belief: str) -> pd.DataFrame:
    """Return the rows of one belief, by year.

    `belief`: ``current_policy``, ``programme``, ``claim`` or ``published``.
    """
    return matching_rows(appraisal.tables["tracker"], {"belief": belief}).sort_values("year")


def tracker_beliefs(appraisals: Sequence[Appraisal]) -> list[tuple[Appraisal, str, str]]:
    """Return the beliefs the tracker draws: the appraisal that holds each, its name in the table, and its label.

    Current policy, the programme under each stance that has a tracker, and the claim where it can be drawn.
    """
    first = appraisals[0]
    found = [(first, "current_policy", "Current policy")]
    for appraisal in appraisals:
        if len(appraisal.tables.get("tracker", ())):
            found.append((appraisal, "programme", f"Programme: {stance_name(appraisal.stance).lower()}"))
    if (first.tables["tracker"]["belief"] == "claim").any():
        found.append((first, "claim", "The review’s claim"))
    return found


def tracker_choices(view: View) -> dict[str, Any]:
    """Return the years, beliefs and figures the words of the tracker name; and whether the paths can be told apart."""
    ahead, published = belief_rows(view.first, "current_policy"), belief_rows(view.first, "published")
    programme = belief_rows(view.first, "programme").set_index("year")["mean"]
    ends = ahead.set_index("year")
    return {
        "tracker_years": [int(y) for y in ahead.loc[ahead["line"].notna(), "year"]],
        "tracker_beliefs": [
            {"stance": a.stance, "belief": belief, "label": label}
            for a, belief, label in tracker_beliefs(view.appraisals)
        ],
        "tracker_last": int(published["year"].max()),
        # Published years with a line, known after the frame.
        "tracker_tested": [int(y) for y in published.loc[published["line"].notna(), "year"]],
        # Whether the programme's mean lies inside the interval of current policy in every year.
        "tracker_blurred": bool(((programme >= ends["lower"]) & (programme <= ends["upper"])).all()),
    }


# --- Beliefs, drivers and what they change ---


def belief_choices(view: View) -> dict[str, Any]:
    """Return what the claims need, and how far one input alone gets."""
    made: dict[str, Any] = {"needed": None, "needed_which": ""}
    review = next((a for a in view.appraisals if a.stance == "review"), None)
    table = None if review is None else review.tables.get("need_to_believe")
    if table is not None and len(table):
        first = table.iloc[0]
        made |= {"needed": {"parameter": str(first["parameter"])}, "needed_which": str(first["which"])}
    if view.holds("switching_values"):
        rows = view.rows("switching_values", option=view.option)
        # Rows of the first input tried: how far it gets alone towards each target.
        first_input = str(rows["input"].iloc[0])
        made |= {
            "switching_reachable": int(rows["reachable"].astype(bool).sum()),
            "switching_first": first_input,
            "switching_targets": list(rows.loc[rows["input"] == first_input, "target"]),
        }
    return made


WIDEST = 1e6
"""GBP: value of a child-year at which the text quotes what certainty is worth, beside cash alone."""


PLAIN_WORDS = {
    "delivery.cost_overrun": "how far allowances overrun the money planned for them",
    "family_help.log_risk_ratio": "how far family help lowers the risk that a child starts to be looked after",
    "kinship.log_risk_ratio": "how far family-network meetings lower the chance of being looked after",
    "reform.home_price_cut": "how far reform of placements lowers the price of children’s homes",
}
"""Inputs that may matter most, as the front page names them; others by their description."""


def driver_choices(view: View) -> dict[str, Any]:
    """Return the input and the question that matter most."""
    mine = view.rows("drivers", option=view.option)
    top = mine[mine["rank"] == 1]
    shares = view.rows("variance_shares", option=view.option, split="question")
    return {
        "top_driver": top.set_index("outcome")["input"].to_dict(),
        "top_words": {
            row["outcome"]: PLAIN_WORDS.get(row["input"], f"“{row['description']}”")
            for row in top.to_dict("records")
        },
        "top_question": str(shares.loc[shares["effect"].idxmax(), "name"]),
    }


def option_choices(view: View) -> dict[str, Any]:
    """Return the ways of paying for the programme afterwards, its own first."""
    tables = view.first.tables
    modes = tables.get("financing_modes", pd.DataFrame(columns=["option"]))
    funded = tables.get("against_funded", pd.DataFrame(columns=["reading", "words"]))
    how = dict(zip(modes["option"], modes.get("financing", modes["option"]), strict=True))
    return {
        "financing_modes": list(modes["option"]),
        "financing_in_full": "financing" in modes,  # runs stored before lack it
        # Whether the option followed spends what it saves: then net present value does not judge it.
        "shift": how.get(view.option) == "reinvest",
        "funded_readings": dict(zip(funded["reading"], funded["words"], strict=True)),
        **standard_choices(view),
    }


def worth_choices(view: View) -> dict[str, Any]:
    """Return the option with the highest mean on cash alone."""
    table = view.first.tables["best_option"]
    return {
        "breaks_even_in_full": "prob_never" in view.first.tables["break_even_values"],
        "best_at_zero": str(table.loc[table["value_per_child_year"].idxmin(), "best"]),
        "widest_value": WIDEST,
    }


def standard_choices(view: View) -> dict[str, Any]:
    """Return the options that the standard recommends; None where a run did not hold it."""
    table = view.first.tables.get("standard")
    if table is None or table.empty:
        return {"recommended": None}
    return {"recommended": [str(name) for name in table.loc[table["verdict"] == "recommended", "option"]]}


# --- Learning: a pilot, and research ---


def announced_row(appraisal: Appraisal, option: str) -> pd.Series:
    """Return the row of ``pilot_power`` of the design announced in 2023, with the arms asked about; else the first."""
    rows = matching_rows(appraisal.tables["pilot_power"], {"option": option, "asked": True})
    return rows.sort_values("published", ascending=False, kind="stable").iloc[0]


def published_learning(appraisal: Appraisal, option: str) -> pd.DataFrame:
    """Return the rows of ``pilot_learning`` for the design announced in 2023: 12 areas, two years.

    By value of a child-year, ascending.
    """
    announced = announced_row(appraisal, option)
    where = {"option": option, "areas": announced["areas"], "years": announced["years"]}
    return matching_rows(appraisal.tables["pilot_learning"], where).sort_values("value_per_child_year")


def pilot_choices(view: View) -> dict[str, Any]:
    """Return the announced design, the best strategy by value, and where learning is worth most."""
    row = announced_row(view.first, view.option)
    design = {"areas": int(row["areas"]), "years": int(row["years"])}
    where = {"option": view.option, **design}
    rows = view.rows("pilot_or_now", **where)
    best = rows[rows["best"].astype(bool)].sort_values("value_per_child_year")
    steps = best[best["strategy"] != best["strategy"].shift()]
    learning = published_learning(view.first, view.option)
    top = learning.loc[learning["value_of_learning"].idxmax()]
    return {
        "announced": {**where, "design": str(row["design"]), "asked": True},
        "announced_design": design,
        "pilot_steps": [
            {**where, "strategy": str(name), "value_per_child_year": float(value)}
            for name, value in zip(steps["strategy"], steps["value_per_child_year"], strict=True)
        ],
        "learning_is_clear": bool(top["value_of_learning"] > 1.96 * top["value_of_learning_se"]),
        "top_learning": {**where, "value_per_child_year": float(top["value_per_child_year"])},
    }


def value_shown(appraisal: Appraisal) -> float:
    """Return the value of a child-year, of those worked out, nearest to the highest one put forward elsewhere.

    GBP; 0, cash alone, where no value is put forward.
    """
    worked = appraisal.tables["information_value"]["value_per_child_year"]
    known = appraisal.tables.get("break_even_values")
    anchors = [] if known is None else known.loc[known["kind"] == "anchor", "value_per_child_year"]
    highest = max(anchors, default=0.0)
    return float(min(worked, key=lambda value: abs(value - highest)))


def question_values(appraisal: Appraisal, value: float) -> pd.DataFrame:
    """Return what the answer to each research question is worth at a value of a child-year, most first."""
    rows = matching_rows(appraisal.tables["information_value"], {"value_per_child_year": value})
    return rows[rows["question"] != "everything"].sort_values("value", ascending=False)


def information_choices(view: View) -> dict[str, Any]:
    """Return the values of a child-year worked out, and the question worth most where that changes."""
    values = sorted(map(float, view.first.tables["information_value"]["value_per_child_year"].unique()))
    found: list[dict[str, Any]] = []
    before = None
    for value in values:
        top = question_values(view.first, value).iloc[0]
        # None is worth anything where the best cannot be told from nothing.
        question = str(top["question"]) if top["value"] > 1.96 * top["se"] else ""
        if question and question != before:
            found.append({"value": value, "question": question})
        before = question
    return {
        "best_questions": found,
        "information_price": priced(value_shown(view.first)),
        "information_values": values,
    }


# --- Money: payers, payback and councils ---


def payer_choices(view: View) -> dict[str, Any]:
    """Return who pays and gains."""
    flows = view.rows("cash_flow_by_year", option=view.option)
    return {
        "payers": list(payer_totals(view.first, view.option).index),
        "kinds": list(flows["kind"].unique()),
    }


def council_choices(view: View) -> dict[str, Any]:
    """Return the groups of councils by grouping, each with its place in the table of them."""
    rows = view.first.tables["councils_by_group"].reset_index(names="position")
    return {
        "council_groups": {
            str(grouping): held.to_dict("records") for grouping, held in rows.groupby("grouping")
        }
    }


# --- How it was made ---


def evidence_choices(view: View) -> dict[str, Any]:
    """Return the uses of the evidence that do not enter, and whether any enters as a bound."""
    uses = [str(use) for use in view.first.tables["evidence"]["use"].unique()]
    return {
        "unused": [use for use in uses if use not in ("synthesis", "censored")],
        "censored": "censored" in uses,
    }


def backtest_choices(view: View) -> dict[str, Any]:
    """Return the releases from which the review's path is seen, and whether the record is of this model."""
    seen = view.first.tables.get("backtest_vintages")
    return {
        "vintages_shown": None if seen is None else (int(seen["release"].min()), int(seen["release"].max())),
        "record_is_current": record_is_current(view.first),
    }


def record_is_current(appraisal: Appraisal) -> bool:
    """Return whether the record of past forecasts is of the model the run was made with."""
    about = appraisal.tables.get("backtest_about")
    if about is None:
        return True
    return "False" not in set(about.loc[about["item"] == "current", "value"].astype(str))


def diagnostic_choices(view: View) -> dict[str, Any]:
    """Return the results whose errors are printed."""
    followed = (f".{view.option}", ".bau")
    results = view.first.results
    return {
        "shown_results": [
            key for key in results if key.endswith(followed) and is_defined(results[key]["mean"])
        ]
    }


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
    "latest": "The newest data and evidence that this package held",
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
