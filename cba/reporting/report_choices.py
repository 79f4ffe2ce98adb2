"""Choices a page makes from an appraisal: which option leads, which target is hardest, how groups grade."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.full_names import full_name
from cba.reporting.horizon import horizon_years, payer_totals

if TYPE_CHECKING:
    import pandas as pd

    from cba.appraisal import Appraisal

GRADES = ("green", "amber", "red", "blue")
_LEAD = "care_review"


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
    """Return the last year charts show: the end of the horizon or the target year, whichever is later.

    Parameters
    ----------
    appraisal : Appraisal

    Returns
    -------
    int

    Examples
    --------
    >>> last_shown_year(appraisal)  # doctest: +SKIP
    """
    return max(horizon_years(appraisal)[1], int(appraisal.analysis.target_year))


def paths_overlap(
    appraisal: Appraisal, option: str, last_year: int, *, table: str = "children_by_year"
) -> bool:
    """Return whether the intervals with and without an option overlap in every year shown.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.
    last_year : int
        Last year shown, year ending 31 March.
    table : str
        Name in ``appraisal.tables``.

    Returns
    -------
    bool

    Examples
    --------
    >>> paths_overlap(appraisal, "care_review", 2035)  # doctest: +SKIP
    """
    rows = appraisal.tables[table]
    rows = rows[rows["year"] <= last_year]
    without, with_it = (matching_rows(rows, {"option": name}).set_index("year") for name in ("bau", option))
    apart = (without["lower"] > with_it["upper"]) | (with_it["lower"] > without["upper"])
    return not bool(apart.any())


def hardest_target(appraisal: Appraisal) -> dict[str, object]:
    """Return what picks the row of the largest target of ``what_it_would_take``; empty without rows.

    Parameters
    ----------
    appraisal : Appraisal

    Returns
    -------
    dict

    Examples
    --------
    >>> hardest_target(appraisal)  # doctest: +SKIP
    """
    table = appraisal.tables["what_it_would_take"]
    if table.empty:
        return {}
    row = table.sort_values(["target_children", "start_year"], ascending=[False, True]).iloc[0]
    return {"start_year": int(row["start_year"]), "target_children": row["target_children"]}


def vintages_shown(appraisal: Appraisal) -> tuple[int, int] | None:
    """Return the first and the last release from which the review's path is seen.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``backtest_vintages`` is read.

    Returns
    -------
    tuple of int or None
        None where the run has no such table.

    Examples
    --------
    >>> vintages_shown(appraisal)  # doctest: +SKIP
    (2021, 2024)
    """
    if "backtest_vintages" not in appraisal.tables:
        return None
    releases = appraisal.tables["backtest_vintages"]["release"]
    return int(releases.min()), int(releases.max())


def record_is_current(appraisal: Appraisal) -> bool:
    """Return whether the record of past forecasts is of the model the run was made with.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``backtest_about`` is read; without one there is no record to be out of date.

    Returns
    -------
    bool

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import pandas as pd
    >>> about = pd.DataFrame({"item": ["draws", "current"], "value": [4000, False]})
    >>> record_is_current(SimpleNamespace(tables={"backtest_about": about}))
    False
    """
    about = appraisal.tables.get("backtest_about")
    if about is None:
        return True
    return "False" not in set(about.loc[about["item"] == "current", "value"].astype(str))


def carrier(appraisal: Appraisal, option: str) -> str:
    """Return the intervention that takes most children out of care in an option; empty where none does.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.

    Returns
    -------
    str

    Examples
    --------
    >>> carrier(appraisal, "care_review")  # doctest: +SKIP
    """
    if "attribution" not in appraisal.tables:
        return ""
    rows = matching_rows(appraisal.tables["attribution"], {"option": option})
    if rows.empty or not float(rows["fewer_children"].max()) > 0.0:
        return ""
    return str(rows.loc[rows["fewer_children"].idxmax(), "component"])


def payer_message(appraisal: Appraisal, option: str) -> str:
    """Return who pays most and who gains most, in words.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.

    Returns
    -------
    str

    Examples
    --------
    >>> payer_message(appraisal, "care_review")  # doctest: +SKIP
    """
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
    """Return each group of inputs and its grade: the worst that a third of its inputs hold or exceed.

    Parameters
    ----------
    appraisal : Appraisal

    Returns
    -------
    list of dict

    Examples
    --------
    >>> prior_groups(appraisal)  # doctest: +SKIP
    """
    table = appraisal.tables["priors"]
    groups = table["name"].str.split(".").str[0]
    return [
        {"name": name, "grade": _grade(table.loc[groups == name, "confidence"])}
        for name in dict.fromkeys(groups)
    ]


def overall_grade(appraisal: Appraisal) -> str:
    """Return the grade of all inputs together, by the rule of the groups.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``priors`` is read.

    Returns
    -------
    str

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import pandas as pd
    >>> priors = pd.DataFrame({"confidence": ["red", "amber", "green", "green"]})
    >>> overall_grade(SimpleNamespace(tables={"priors": priors}))
    'amber'
    """
    return _grade(appraisal.tables["priors"]["confidence"])


def _grade(held: pd.Series) -> str:
    """Return the worst grade that at least a third of the inputs hold or exceed; ungraded counts as red."""
    shares = {grade: float((held == grade).mean()) for grade in GRADES}
    worst = shares["red"] + shares["blue"]
    if worst >= 1 / 3:
        return "red" if shares["red"] >= shares["blue"] else "blue"
    return "amber" if worst + shares["amber"] >= 1 / 3 else "green"


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
