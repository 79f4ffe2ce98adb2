"""The checklist of what a report must contain, with how far this one does: stated, and checked against the run."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pandas as pd

from cba.errors import InputError
from cba.reporting.report_choices import record_is_current

if TYPE_CHECKING:
    from cba.appraisal import Appraisal

STATUSES = ("met", "partly", "not met")
_FIELDS = ["group", "text", "status", "where", "note"]
_NEEDS = "needs"
LACKING = "not in this run"


def checklist() -> pd.DataFrame:
    """Return the checklist as the project states it, whatever a run holds.

    Returns
    -------
    DataFrame
        Columns ``group``, ``text``, ``status`` (met, partly or not met), ``where`` (an anchor of the report
        or empty), ``note`` and ``needs`` (tables without which it is not met, separated by spaces).

    Raises
    ------
    InputError
        An item lacks a field or has an unknown status.

    Examples
    --------
    >>> sorted(checklist()["status"].unique())
    ['met', 'not met', 'partly']
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

    Parameters
    ----------
    appraisal : Appraisal
        Of the headline stance; its tables are asked for.
    anchors : collection of str
        Places the page has.
    people : mapping of str to object
        As :func:`cba.reporting.run_record.run_people` returns it.

    Returns
    -------
    DataFrame
        Columns ``group``, ``text``, ``status``, ``where``, ``note``. An item whose table or place the run has not
        is ``not met``, whatever the project states; who commissioned the run and when it is to be reviewed is met
        only where the specification says.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> bare = checklist_of_run(SimpleNamespace(tables={}), anchors=(), people={})
    >>> set(bare["status"])
    {'not met'}
    """
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
