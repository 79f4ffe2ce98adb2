"""The evidence table: every study, what it costs and what was claimed, checked and put on common scales.

Nothing is dropped silently: studies outside the synthesis stay in the table with the reason, and rows left
out because they were not yet known are listed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import astuple, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from cba.errors import InputError, Rule, refuse_broken
from cba.inputs.evidence_rules import (
    IN_MODEL,
    WEB_ADDRESS,
    Row,
    check_rows,
    in_row,
    read_table,
    year_within,
)
from cba.inputs.files import fingerprint, priors_folder, published_file, read_toml, records_of, shipped_folder
from cba.inputs.prior_entries import Source
from cba.inputs.table_words import CLASSES_OF_ESTIMAND, EVIDENCE
from cba.inputs.written_records import Text, Whole, WrittenRecord, checked_record

# --- Published effects on the scale of the quantity they estimate, with a standard error ---


_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Arms:
    """Events and people of both arms; events need not be whole where they are a published risk times n."""

    events_treat: float
    n_treat: float
    events_control: float
    n_control: float


@dataclass(frozen=True)
class HarmonisedEffect:
    """An effect on the scale of its estimand."""

    effect: float  # log risk ratio, log ratio or risk difference; NaN where only an interval is known
    se: float  # standard error, same scale, the middle of the design effect included
    derivation: str  # how both were obtained
    arms: Arms | None = None  # counts of both arms where they are known: the study then enters as binomial


def harmonise(row: Row) -> HarmonisedEffect:
    """Return the effect of one synthesis row on the scale of its estimand."""
    # In this order: (1) counts of both arms, published or a published risk times n: ``ln(p1/p0)`` with
    # ``se^2 = 1/e1 - 1/n1 + 1/e0 - 1/n0`` (Katz and others, 1978), or ``p1 - p0`` with the sum of
    # ``p (1 - p) / n``; (2) the published log ratio or risk difference; (3) ``ln(1 + change/100)``; (4) a log
    # odds ratio, turned into a log risk ratio with the control risk where the row has one
    # (Zhang and Yu, 1998), with the standard error multiplied by one minus the treated risk, and taken as it
    # is where not; (5) the ratio of both published risks. The standard error of (2) to (5) is the published
    # one, else (upper - lower) / 3.92, else the assumed one. A design effect, known as a range, multiplies
    # the variance by the geometric middle of the range.
    effect = _unclustered(row)
    middle = math.sqrt(row["design_effect_low"] * row["design_effect_high"])
    if math.isnan(middle):
        return effect
    return replace(
        effect,
        se=effect.se * math.sqrt(middle),
        derivation=f"{effect.derivation}; times the root of a design effect of about {middle:.2f}",
    )


def _unclustered(row: Row) -> HarmonisedEffect:
    difference = row["estimand"] == "permanence_risk_diff"
    arms = _arms(row)
    if row["use"] == "censored":
        se, how = _standard_error(row)
        return HarmonisedEffect(math.nan, se, f"{row['bound_reason']}; {how}")
    if arms is not None:
        return _from_counts(
            arms,
            "the published risks times n" if row["risk_treat"] > 0 else "the counts",
            difference=difference,
        )
    if difference:
        return _as_published(row, "risk difference as published")
    match row["scale"]:
        case "risk_diff":
            return _from_risks(row)
        case "percent_change":
            return _from_percent(row)
        case "log_or":
            return _from_odds(row)
    return _as_published(row, f"{row['scale']} as in the table")


def _arms(row: Row) -> Arms | None:
    """Counts of both arms; None where a size is missing, or both events and risk."""
    found = []
    for arm in ("treat", "control"):
        n, events, risk = row[f"n_{arm}"], row[f"events_{arm}"], row[f"risk_{arm}"]
        found += [events if events >= 0 else risk * n, n]
    arms = Arms(*found)
    known = all(not math.isnan(value) for value in found)
    return arms if known else None


def _as_published(row: Row, derivation: str) -> HarmonisedEffect:
    se, how = _standard_error(row)
    return HarmonisedEffect(_estimate(row), se, f"{derivation}; {how}")


def _from_counts(arms: Arms, origin: str, *, difference: bool) -> HarmonisedEffect:
    e1, n1, e0, n0 = arms.events_treat, arms.n_treat, arms.events_control, arms.n_control
    if min(e1, n1 - e1, e0, n0 - e0) <= 0:  # only for the normal approximation: the binomial needs no help
        e1, n1, e0, n0 = e1 + 0.5, n1 + 1, e0 + 0.5, n0 + 1
        origin += ", half an event added to each cell for the normal approximation"
    p1, p0 = e1 / n1, e0 / n0
    if difference:
        se = math.sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
        return HarmonisedEffect(p1 - p0, se, f"risk difference from {origin}", arms)
    se = math.sqrt(1 / e1 - 1 / n1 + 1 / e0 - 1 / n0)
    origin = f"log risk ratio and its standard error from {origin}"
    return HarmonisedEffect(math.log(p1) - math.log(p0), se, origin, arms)


def _from_risks(row: Row) -> HarmonisedEffect:
    p1, p0 = row["risk_treat"], row["risk_control"]
    if not (p1 > 0 and p0 > 0):
        raise _missing(row, "risk_treat", "a risk difference needs both risks to become a log risk ratio")
    se, how = _assumed(row)
    return HarmonisedEffect(math.log(p1 / p0), se, f"log of the ratio of the published risks; {how}")


def _from_percent(row: Row) -> HarmonisedEffect:
    change = _estimate(row)
    if change <= -100:
        raise InputError(
            "a change of -100% or less has no logarithm", field="estimate", found=change, allowed="above -100"
        ).advice("a proportion or a count for a per cent", remedy="correct it")
    effect = math.log1p(change / 100)
    if row["ci_low"] > -100:
        se = (math.log1p(row["ci_high"] / 100) - math.log1p(row["ci_low"] / 100)) / (2 * _Z95)
        return HarmonisedEffect(
            effect, se, "log of (1 + change); standard error from the interval on the log scale"
        )
    if row["se"] > 0:
        slope = 100 + change
        return HarmonisedEffect(
            effect, row["se"] / slope, "log of (1 + change); standard error by the delta method"
        )
    se, how = _assumed(row)
    return HarmonisedEffect(effect, se, f"log of (1 + change); {how}")


def _from_odds(row: Row) -> HarmonisedEffect:
    log_odds, control = _estimate(row), row["risk_control"]
    se, how = _standard_error(row)
    if not control > 0:
        note = "log odds ratio taken as log risk ratio: no control risk published, so too far from 0"
        return HarmonisedEffect(log_odds, se, f"{note}; {how}")
    ratio = math.exp(log_odds) / (1 - control + control * math.exp(log_odds))
    note = f"log odds ratio turned into log risk ratio with control risk {control:g}"
    return HarmonisedEffect(math.log(ratio), se * (1 - control * ratio), f"{note}; {how}")


def _estimate(row: Row) -> float:
    if math.isnan(row["estimate"]):
        raise _missing(row, "estimate", "a synthesis row has no estimate")
    return float(row["estimate"])


def _standard_error(row: Row) -> tuple[float, str]:
    if row["se"] > 0:
        return float(row["se"]), "standard error as in the table"
    if not math.isnan(row["ci_low"]):
        return (row["ci_high"] - row["ci_low"]) / (2 * _Z95), "standard error from the interval"
    return _assumed(row)


def _assumed(row: Row) -> tuple[float, str]:
    if not row["se_assumed"] > 0:
        raise _missing(row, "se", "a synthesis row has no uncertainty: no counts, standard error or interval")
    return float(row["se_assumed"]), f"standard error {row['se_assumed_reason']}"


def _missing(row: Row, column: str, problem: str) -> InputError:
    return InputError(
        problem, field=column, found="empty", allowed="a number, or use = excluded with a reason"
    ).advice(
        "a direction-only or partly reported result",
        remedy="add what is published, an assumed standard error with its reason, or exclude the row",
    )


# --- The tables of effects, costs and claims, each checked and cut to what was known ---


_HARMONISED = ["effect", "effect_se", "effect_derivation"]


_HARMONISED += [f"arm_{count}_{arm}" for arm in ("treat", "control") for count in ("events", "n")]


_NOT_USED = (math.nan, math.nan, "", *(math.nan,) * 4)


_EFFECTS, _COSTS, _CLAIMS = "evidence_effects.csv", "evidence_costs.csv", "published_claims.csv"


_AWAITED, _STATUS = "evidence_awaited.csv", EVIDENCE["evidence_awaited"].words["status"]
_CLASSES = CLASSES_OF_ESTIMAND["care_entry_log_rr"]


@dataclass(frozen=True)
class Evidence:
    """What is known about effects, costs and claims, up to a year."""

    # One row per study and scale, columns as in the file plus, for the rows that enter the synthesis and on
    # the scale named by `estimand`, `effect` (NaN for a censored row), `effect_se` and `effect_derivation`;
    # and `arm_events_treat`, `arm_n_treat`, `arm_events_control`, `arm_n_control` where both arms can be
    # counted.
    effects: pd.DataFrame
    # Unit costs, base rates, ceilings and scale-up attenuation; `year_end` is the last year of the period.
    costs: pd.DataFrame
    # Figures claimed by the review, its economists and government; never used as evidence of effect.
    claims: pd.DataFrame
    left_out: pd.DataFrame  # rows not known by `until`, columns table, key, reason
    until: int | None = None  # last calendar year of publication admitted
    # Studies whose results are awaited, or published and not read; no model reads them and no fingerprint holds them.
    awaited: pd.DataFrame = field(default_factory=pd.DataFrame)

    def synthesis(self, estimand: str, *, designs: tuple[str, ...] | None = None) -> pd.DataFrame:
        """Return the rows that enter the synthesis of one estimand, of the given designs (None for all)."""
        chosen = self.effects["use"].isin(IN_MODEL) & (self.effects["estimand"] == estimand)
        if designs is not None:
            chosen &= self.effects["design_class"].isin(designs)
        return self.effects[chosen].reset_index(drop=True)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the three tables: same rows, same fingerprint."""
        tables = {"effects": self.effects, "costs": self.costs, "claims": self.claims}
        return fingerprint({name: _plain(table) for name, table in tables.items()})


def load_evidence(path: str | Path | None = None, until: int | None = None) -> Evidence:
    """Load the evidence, cost and claims tables.

    Parameters
    ----------
    path : str or Path, optional
        A folder with evidence_effects.csv, evidence_costs.csv and published_claims.csv, or one CSV file of
        effects (costs and claims as shipped). The shipped tables by default.
    until : int, optional
        Keep what was known by the end of this calendar year: studies by `known_by`, or `year` where that is
        empty; claims by `known_by`; costs by the last year they refer to. Rows that carry no such year are
        kept only when `until` is None. What is left out is listed in `Evidence.left_out`.

    Returns
    -------
    Evidence

    Raises
    ------
    InputError
        For a missing file or column and for any row that breaks a rule; the message names row and column.

    Examples
    --------
    >>> evidence = load_evidence(until=2022)
    >>> bool((evidence.synthesis("care_entry_log_rr")["effect_se"] > 0).all())
    True
    >>> "CORAM2023_CLA12" in set(evidence.effects["study_id"])     # published after 2022
    False
    """
    place = None if path is None else Path(path)
    effects_file, costs_file, claims_file = (_located(place, name) for name in (_EFFECTS, _COSTS, _CLAIMS))
    effects = _load_effects(effects_file)
    costs = _checked(costs_file, _COST_CELLS, name="evidence_costs")
    costs = costs.assign(year_end=[_last_year(text) for text in costs["year"]])
    claims = _checked(claims_file, _CLAIM_CELLS, name="published_claims")
    effects, late_effects = _known(effects, _first(effects, "known_by", "year"), until, "effects", "study_id")
    costs, late_costs = _known(costs, costs["year_end"], until, "costs", "item_id")
    claims, late_claims = _known(claims, claims["known_by"], until, "claims", "claim_id")
    left_out = pd.DataFrame([*late_effects, *late_costs, *late_claims], columns=["table", "key", "reason"])
    return Evidence(effects, costs, claims, left_out, until, _load_awaited(effects_file.parent / _AWAITED))


def _load_awaited(file: Path) -> pd.DataFrame:
    """Read the studies awaited; none beside tables of a time before they were listed."""
    if not file.is_file():
        return pd.DataFrame(columns=list(EVIDENCE["evidence_awaited"].columns))
    return _checked(file, _AWAITED_CELLS, name="evidence_awaited")


def _located(place: Path | None, name: str) -> Path:
    """Return the file a table is read from."""
    if place is not None and place.is_dir():
        return place / name
    if place is not None and name == _EFFECTS:
        return place
    return published_file(name)


def _load_effects(file: Path) -> pd.DataFrame:
    table = read_table(file, name="evidence_effects")
    rows = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    check_rows(rows, file=file)
    found = []
    for line, row in enumerate(rows, start=2):
        if row["use"] not in IN_MODEL:
            found.append(_NOT_USED)
            continue
        with in_row(line, file=file, key=row["study_id"]):
            effect = harmonise(row)
        arms = (math.nan,) * 4 if effect.arms is None else astuple(effect.arms)
        found.append((effect.effect, effect.se, effect.derivation, *arms))
    return table.join(pd.DataFrame(found, columns=_HARMONISED, index=table.index))


def _checked(file: Path, rules: tuple[Rule, ...], *, name: str) -> pd.DataFrame:
    """Read the table of costs or of claims, each key once and every row within the rules."""
    table, key = read_table(file, name=name), EVIDENCE[name].key[0]
    repeated = table.index[table[key].duplicated()]
    if len(repeated):
        again = table.loc[repeated[0], key]
        raise InputError(
            "a key appears twice",
            file=file,
            field=f"row {repeated[0] + 2} ({again}), column {key}",
            found=again,
            allowed="each key once",
        ).advice("a row copied and not renamed", remedy="rename or remove one")
    for line, row in enumerate(table.to_dict("records"), start=2):
        with in_row(line, file=file, key=row[key]):
            refuse_broken(rules, row)
    return table


def _cell(column: str, problem: str, broken: Callable[[Row], bool] | None = None) -> Rule:
    """A cell that must be as in the shipped table; one that must not be empty where no test is given."""
    return (
        Rule(column, broken or (lambda row: not row[column]), None)
        .wrong(problem, allowed="see the column's heading in the shipped table")
        .advice("a cell left out or a sign mistyped", remedy="correct the cell")
    )


def _neither_value_nor_range(row: Row) -> bool:
    return math.isnan(row["value"]) and not row["value_low"] <= row["value_high"]


_COST_CELLS = (
    _cell("value", "a cost has neither a value nor a range in order", _neither_value_nor_range),
    _cell("value", "an amount is negative", lambda row: row["value"] < 0 or row["value_low"] < 0),
    _cell("unit", "an amount has no unit"),
    _cell(
        "year", "a cost is of a year that cannot be", lambda row: not 1900 <= _last_year(row["year"]) <= 2100
    ),
    WEB_ADDRESS,
)
_CLAIM_CELLS = (
    _cell("value", "a claim has no value, or a negative one", lambda row: not row["value"] >= 0),
    *(_cell(column, "a required cell is empty") for column in ("unit", "price_base", "confidence")),
    year_within("known_by", "a claim became known in a year that cannot be"),
    WEB_ADDRESS,
)
_AWAITED_CELLS = (
    *(
        _cell(c, "a required cell is empty")
        for c in ("design", "registry", "searched", "searched_on", "found")
    ),
    _cell("status", "an unknown status", lambda row: row["status"] not in _STATUS),
    _cell("service_class", "an unknown class of service", lambda row: row["service_class"] not in _CLASSES),
    _cell("children", "a size is not positive", lambda row: row["children"] <= 0),
    WEB_ADDRESS,
)


def _last_year(text: str) -> float:
    """Return the last year of "2016", "2023-24" or "2015-20"; NaN where there is none."""
    found = re.fullmatch(r"(\d{4})(?:-(\d{2}))?", text.strip())
    if not found:
        return math.nan
    start, end = int(found[1]), found[2]
    return float(start if end is None else start - start % 100 + int(end))


def _first(table: pd.DataFrame, *columns: str) -> pd.Series:
    """Return the first column that is filled, row by row."""
    chosen = table[columns[0]]
    for column in columns[1:]:
        chosen = chosen.fillna(table[column])
    return chosen


def _known(
    table: pd.DataFrame, year: pd.Series, until: int | None, name: str, key: str
) -> tuple[pd.DataFrame, list[tuple[str, str, str]]]:
    """Split a table into the rows known by `until` and a list of the others with the reason."""
    if until is None:
        return table, []
    late = [
        (name, str(row), "no year" if math.isnan(at) else f"dated {int(at)}, after {until}")
        for row, at in zip(table[key], year, strict=True)
        if not at <= until
    ]
    return table[(year <= until).to_numpy()].reset_index(drop=True), late


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as plain rows with None for NaN."""
    return [
        {str(k): (None if isinstance(v, float) and math.isnan(v) else v) for k, v in row.items()}
        for row in table.to_dict("records")
    ]


# --- What the review claims for its programme, with papers: the figures that results are held against ---

_CLAIMS_FILE = Path("checks") / "claims.toml"
_POUNDS = {"gbp_million": 10**6, "gbp_million_per_year": 10**6}


class Claim(BaseModel):
    """One figure of the review, and where it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    description: Text
    value: Annotated[Whole, Field(gt=0, le=10**12)]
    unit: Literal["children", "GBP per year"]
    year: Annotated[Whole, Field(ge=1990, le=2100)]  # year ending 31 March that the claim is about
    published: Text  # its row in published_claims.csv
    page: Text  # where in the source
    source: Annotated[tuple[Source, ...], Field(min_length=1)]
    readings: tuple[Whole, ...] = ()  # values that a loosely worded claim may mean
    words: Text | None = None  # as they were said, for where the meaning is argued

    def __str__(self) -> str:
        """Return the figure as it is spoken of, such as 5,000, £2bn or £20m."""
        if self.unit == "children":
            return f"{self.value:,}"
        billions = self.value % 10**9 == 0
        return f"£{self.value // 10 ** (9 if billions else 6):,}{'bn' if billions else 'm'}"


class Expectation(WrittenRecord):
    """What was expected of a result outside the package, and why the model's may differ; nothing is tuned to it."""

    description: Text
    about: Literal["fall_in_starts", "at_full_coverage", "children", "saving"]  # the result held against it
    claim: Literal["fewer_children", "family_help_children", "family_help_saving"] | None = None
    lower: float | None = None  # both left out: the figure of the claim
    upper: float | None = None
    reach: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    risk_ratio: Annotated[float, Field(gt=0.0)] = 1.0
    unit: Text
    explanation: Text
    source: Annotated[tuple[Source, ...], Field(min_length=1)]


class Claims(BaseModel):
    """All claims, the option they are about and the year in whose prices their money is read.

    Those named here are read by code and must be there; the file may hold more, found in `each`.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Claim]
    schema_version: Annotated[Literal[1], Field(alias="schema")]
    programme: Text
    price_year: Annotated[Whole, Field(ge=1990, le=2100)]
    children_without_reform: Claim
    system_cost: Claim
    fewer_children: Claim
    family_help_children: Claim
    annual_saving: Claim
    family_help_saving: Claim
    expectation: tuple[Expectation, ...] = ()

    @property
    def prices(self) -> str:
        """Return the financial year of the prices, such as 2021-22."""
        return f"{self.price_year - 1}-{self.price_year % 100:02d}"

    @property
    def each(self) -> dict[str, Claim]:
        """Return every claim by its name."""
        return {name: value for name, value in self if isinstance(value, Claim)}


def load_claims(path: str | Path | None = None) -> Claims:
    """Load the claims; those that ship where the priors in force hold none, as inputs kept with old runs do not."""
    file = priors_folder() / _CLAIMS_FILE if path is None else Path(path)
    if path is None and not file.is_file():
        file = shipped_folder("priors") / _CLAIMS_FILE
    state = file.stat() if file.is_file() else None  # a missing file is refused by its reader
    return _claims_in(file, state and (state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=8)
def _claims_in(file: Path, state: tuple[int, int] | None) -> Claims:
    # The words of quantities name claims, so a page asks thousands of times: read once while the file stays.
    return checked_record(Claims, read_toml(file), file=file)


def refuse_unpublished(claims: Claims) -> None:
    """Refuse a claim that is not the figure of its row in the table of published claims."""
    table = published_file("published_claims.csv")
    rows = {row["claim_id"]: row for row in records_of(table)}
    for name, claim in claims.each.items():
        row = rows.get(claim.published)
        stated = None if row is None else float(row["value"]) * _POUNDS.get(row["unit"], 1)
        if stated != claim.value:
            raise InputError(
                "a claim is not the published figure",
                file=_CLAIMS_FILE,
                field=f"{name}.value",
                found=claim.value,
                allowed=f"{stated:.0f}" if stated else f"a row {claim.published} in {table.name}",
                cause="one of the two changed without the other",
                remedy=f"make {name} and the row {claim.published} of {table.name} the same",
            )
