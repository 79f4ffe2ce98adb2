"""The evidence table: every study, what it costs and what was claimed, checked and put on common scales.

Nothing is dropped silently: studies outside the synthesis stay in the table with the reason, and rows left
out because they were not yet known are listed.
"""

from __future__ import annotations

import math
import re
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cba.errors import InputError
from cba.inputs.effect_scales import harmonise
from cba.inputs.evidence_cells import read_table
from cba.inputs.evidence_columns import (
    CLAIM_COLUMNS,
    COST_COLUMNS,
    IN_MODEL,
    NUMERIC_COLUMNS,
    REQUIRED_COLUMNS,
)
from cba.inputs.evidence_rules import check_rows
from cba.inputs.shipped_files import published_file
from cba.inputs.toml_reading import fingerprint

_HARMONISED = ["effect", "effect_se", "effect_derivation"]
_HARMONISED += [f"arm_{count}_{arm}" for arm in ("treat", "control") for count in ("events", "n")]
_NOT_USED = (math.nan, math.nan, "", *(math.nan,) * 4)
_EFFECTS, _COSTS, _CLAIMS = "evidence_effects.csv", "evidence_costs.csv", "published_claims.csv"


@dataclass(frozen=True)
class Evidence:
    """What is known about effects, costs and claims, up to a year.

    Parameters
    ----------
    effects : DataFrame
        One row per study and scale, columns as in the file plus, for the rows that enter the synthesis and
        on the scale named by `estimand`, `effect` (NaN for a censored row), `effect_se` and
        `effect_derivation`; and `arm_events_treat`, `arm_n_treat`, `arm_events_control`, `arm_n_control`
        where both arms can be counted.
    costs : DataFrame
        Unit costs, base rates, ceilings and scale-up attenuation; `year_end` is the last year of the period.
    claims : DataFrame
        Figures claimed by the review, its economists and government; never used as evidence of effect.
    left_out : DataFrame, columns table, key, reason
        Rows not known by `until`.
    until : int or None
        Last calendar year of publication admitted.
    """

    effects: pd.DataFrame
    costs: pd.DataFrame
    claims: pd.DataFrame
    left_out: pd.DataFrame
    until: int | None = None

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
    costs = _load_costs(costs_file)
    claims = _load_claims(claims_file)
    effects, late_effects = _known(effects, _first(effects, "known_by", "year"), until, "effects", "study_id")
    costs, late_costs = _known(costs, costs["year_end"], until, "costs", "item_id")
    claims, late_claims = _known(claims, claims["known_by"], until, "claims", "claim_id")
    left_out = pd.DataFrame([*late_effects, *late_costs, *late_claims], columns=["table", "key", "reason"])
    return Evidence(effects, costs, claims, left_out, until)


def _located(place: Path | None, name: str) -> Path:
    """Return the file a table is read from."""
    if place is not None and place.is_dir():
        return place / name
    if place is not None and name == _EFFECTS:
        return place
    return published_file(name)


def _load_effects(file: Path) -> pd.DataFrame:
    table = read_table(file, REQUIRED_COLUMNS, NUMERIC_COLUMNS, key="study_id")
    rows = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    check_rows(rows, file=file)
    found = []
    for line, row in enumerate(rows, start=2):
        if row["use"] not in IN_MODEL:
            found.append(_NOT_USED)
            continue
        try:
            effect = harmonise(row)
        except InputError as error:
            details = {key: error.details[key] for key in ("found", "allowed")}
            raise InputError(
                error.problem,
                file=file,
                field=f"row {line} ({row['study_id']}), column {error.details['field']}",
                cause=error.details["usual cause"],
                remedy=error.details["next step"],
                **details,
            ) from None
        arms = (math.nan,) * 4 if effect.arms is None else astuple(effect.arms)
        found.append((effect.effect, effect.se, effect.derivation, *arms))
    return table.join(pd.DataFrame(found, columns=_HARMONISED, index=table.index))


def _load_costs(file: Path) -> pd.DataFrame:
    table = read_table(file, COST_COLUMNS, ("value", "value_low", "value_high"), key="item_id")
    _check_unique(table, "item_id", file)
    for line, row in enumerate(table.to_dict("records"), start=2):
        ranged = row["value_low"] <= row["value_high"]
        if math.isnan(row["value"]) and not ranged:
            raise _cell(
                "a cost has neither a value nor a range in order", file, line, "value", row["item_id"]
            )
        if row["value"] < 0 or row["value_low"] < 0:
            raise _cell("an amount is negative", file, line, "value", row["item_id"])
        if not row["unit"]:
            raise _cell("an amount has no unit", file, line, "unit", row["item_id"])
    return table.assign(year_end=[_last_year(text) for text in table["year"]])


def _load_claims(file: Path) -> pd.DataFrame:
    table = read_table(file, CLAIM_COLUMNS, ("value", "known_by"), key="claim_id")
    _check_unique(table, "claim_id", file)
    for line, row in enumerate(table.to_dict("records"), start=2):
        if not row["value"] >= 0:
            raise _cell("a claim has no value, or a negative one", file, line, "value", row["claim_id"])
        for column in ("unit", "price_base", "confidence"):
            if not row[column]:
                raise _cell("a required cell is empty", file, line, column, row["claim_id"])
    return table


def _cell(problem: str, file: Path, line: int, column: str, key: str) -> InputError:
    return InputError(
        problem,
        file=file,
        field=f"row {line} ({key}), column {column}",
        allowed="see the column's heading in the shipped table",
        cause="a cell left out or a sign mistyped",
        remedy="correct the cell",
    )


def _check_unique(table: pd.DataFrame, column: str, file: Path) -> None:
    repeated = table.index[table[column].duplicated()]
    if len(repeated):
        key = table.loc[repeated[0], column]
        raise InputError(
            "a key appears twice",
            file=file,
            field=f"row {repeated[0] + 2} ({key}), column {column}",
            found=key,
            allowed="each key once",
            cause="a row copied and not renamed",
            remedy="rename or remove one",
        )


def _last_year(text: str) -> float:
    """Return the last year of "2016", "2023-24" or "2015-20"; NaN where there is none.

    Examples
    --------
    >>> [_last_year(text) for text in ("2016", "2023-24", "2015-20")]
    [2016.0, 2024.0, 2020.0]
    """
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
