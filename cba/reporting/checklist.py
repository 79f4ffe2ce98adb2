"""The checklist of what a report must contain, with how far this one does."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pandas as pd

from cba.errors import InputError

STATUSES = ("met", "partly", "not met")
_FIELDS = ["group", "text", "status", "where", "note"]


def checklist() -> pd.DataFrame:
    """Return the checklist as a table.

    Returns
    -------
    DataFrame
        Columns ``group``, ``text``, ``status`` (met, partly or not met), ``where`` (an anchor of the report
        or empty) and ``note``.

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
        if sorted(item) != sorted(_FIELDS) or item["status"] not in STATUSES:
            raise InputError(
                "an item of the checklist is not complete",
                file="checklist.toml",
                field=f"item {number}",
                found=str(item),
                allowed=f"{', '.join(_FIELDS)}; status {', '.join(STATUSES)}",
                cause="a field left out or a status misspelt",
                remedy="complete the item",
            )
    return pd.DataFrame(items)[_FIELDS]
