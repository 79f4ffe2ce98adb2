"""How large an effect that the model cannot see would have to be to change the answer, for every option.

The effects and what one unit of each does are in :mod:`cba.appraisal.stress_slopes`. Nothing here says how large they
are: no source does. What is found is the size at which a conclusion changes, and whether it is a size they can have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.headline import FEWER_CHILDREN
from cba.appraisal.stress_curves import stress_curves
from cba.appraisal.stress_slopes import (
    KINDS,
    PER_HELPED,
    StressKind,
    children_helped,
    fewer_children,
    price_response,
    stress_slopes,
)
from cba.appraisal.stress_switching import (
    StressedDraws,
    Switch,
    even_chance,
    switch_of_best,
    switch_of_mean,
)

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

CONCLUSIONS = {
    "npv_sign": "The sign of the mean net present value",
    "best_by_npv": "Whether no option has a higher mean net present value",
    "fewer_children": "The sign of the mean change in children in care",
    "prob_fewer_30000": f"Whether {FEWER_CHILDREN:,} fewer children are as likely as not",
}
"""What is judged, with its words."""


def stressed_draws(workings: Workings) -> dict[str, StressedDraws]:
    """Draws of every option, ready to be stressed by each effect.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    dict of str to StressedDraws
        By the name of the effect.

    Examples
    --------
    >>> stressed_draws(workings)["displaced"].npv_at("care_review", 1.0).mean()  # doctest: +SKIP
    """
    fewer = fewer_children(workings)
    npv = {o: workings.arrays.npv.sel(option=o).values for o in fewer}
    return {name: StressedDraws(npv, fewer, slopes) for name, slopes in stress_slopes(workings).items()}


def stress_tests(workings: Workings, drawn: Mapping[str, StressedDraws]) -> pd.DataFrame:
    """Size of each effect at which a conclusion about an option changes.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    drawn : mapping of str to StressedDraws
        As returned by :func:`stressed_draws`.

    Returns
    -------
    DataFrame
        Columns stress, label, option, quantity (of :data:`CONCLUSIONS`), conclusion, now (mean net present value
        in GBP, for ``best_by_npv`` less that of the best other option or nothing; mean children fewer;
        probability), holds_now, unit, size (missing where no size changes it; for ``prob_fewer_30000`` also where
        none that is possible does), size_se, size_words (no more figures than the error allows, "none does", or
        "cannot be told" below two errors), possible_lower, possible_upper (missing: no bound), reachable (the size
        can be told and is possible), comparison and compared_with (a published or modelled figure in the same
        unit), hinted (reachable between nought and that figure), verdict. Every option is under the same size.

    Notes
    -----
    With means linear in the size, ``s = -E[NPV] / E[a]``; two options tie at ``-E[NPV_1 - NPV_2] / E[a_1 - a_2]``.
    The probability is counted draw by draw at every size at which one draw changes sides. `size_se` is the Monte
    Carlo error of the mean at that size over its slope.

    Examples
    --------
    >>> stress_tests(workings, stressed_draws(workings)).query("quantity == 'npv_sign'")  # doctest: +SKIP
    """
    rows = []
    for kind in KINDS:
        draws = drawn[kind.name]
        for option in draws.npv:
            comparison = _comparison(workings, kind, option, draws)
            for quantity in CONCLUSIONS:
                found = _switch(draws, option, quantity, kind, chains=workings.chains)
                rows.append(_row(kind, option, quantity, found, comparison))
    return pd.DataFrame(rows)


def _row(
    kind: StressKind, option: str, quantity: str, found: Switch, comparison: tuple[float, str]
) -> dict[str, object]:
    reachable = found.told and kind.lower <= found.size <= kind.upper
    seen = comparison[0]
    return {
        "stress": kind.name,
        "label": kind.label,
        "option": option,
        "quantity": quantity,
        "conclusion": CONCLUSIONS[quantity],
        "now": found.now,
        "holds_now": found.holds_now,
        "unit": kind.unit,
        "size": found.size,
        "size_se": found.se,
        "size_words": _size_words(found),
        "possible_lower": kind.lower,
        "possible_upper": kind.upper if np.isfinite(kind.upper) else np.nan,
        "reachable": reachable,
        "comparison": seen,
        "compared_with": comparison[1],
        "hinted": reachable and min(seen, 0.0) <= found.size <= max(seen, 0.0),
        "verdict": _verdict(found, kind, reachable=reachable, seen=seen),
    }


def _size_words(found: Switch) -> str:
    if not np.isfinite(found.size):
        return "none does"
    return _said(found.size, found.se) if found.told else "cannot be told"


def _verdict(found: Switch, kind: StressKind, *, reachable: bool, seen: float) -> str:
    if not np.isfinite(found.size):
        return "Cannot change it: no size does"
    if not found.told:
        return "Cannot be told: the error of the size is more than half of it"
    said = _said(found.size, found.se)
    if reachable:
        published = kind.name == "market" and found.size > 0.0 and np.isfinite(seen)
        held = "within" if found.size <= seen else "beyond"
        return f"It would have to be {said}" + (
            f", {held} what published series hint at" if published else ""
        )
    beyond = "more" if found.size > kind.upper else "less"
    if kind.lower == 0.0 and found.size < 0.0:
        return f"Cannot change it: it would have to be {said}, the opposite of what it is"
    return f"Cannot change it: it would have to be {said}, {beyond} than there can be"


def _said(size: float, se: float) -> str:
    """Write a size to three figures, or fewer where its Monte Carlo error is larger, but to one at least."""
    if size == 0.0:
        return "0"
    power = np.floor(np.log10(abs(size)))
    by_error = np.ceil(np.log10(se)) if se > 0.0 else -np.inf
    power = int(min(max(power - 2, by_error), power))
    rounded = round(size / 10.0**power) * 10.0**power
    return f"{rounded:,.{max(0, -power)}f}".replace("-", "\N{MINUS SIGN}")


def _comparison(workings: Workings, kind: StressKind, option: str, draws: StressedDraws) -> tuple[float, str]:
    """Figure in the unit of an effect that its size can be held against; NaN where there is none."""
    if kind.name == "protection":
        share = float(workings.system.value("home_support.supported_share").mean())
        return share, "share of those years with support at home already in the costs"
    if kind.name == "market":
        seen = price_response(workings, cost="residential_care", placement="childrens_home")
        return seen, "published real growth of children's homes' cost per growth of their number, all causes"
    if kind.name == "found":
        account = workings.accounts[option]
        helped = float(children_helped(workings, account).mean(axis=0).sum())
        averted = float(account.children.averted_starts.mean(axis=0).sum())
        words = "starts averted per 1,000 children helped, this option"
        return (PER_HELPED * averted / helped, words) if helped > 0.0 else (np.nan, "")
    return np.nan, ""


def _switch(
    draws: StressedDraws, option: str, quantity: str, kind: StressKind, *, chains: int | None
) -> Switch:
    npv, fewer, slopes = draws.npv[option], draws.fewer[option], draws.slopes[option]
    if quantity == "npv_sign":
        return switch_of_mean(npv, slopes.npv, chains=chains)
    if quantity == "fewer_children":
        return switch_of_mean(fewer, slopes.fewer, chains=chains)
    if quantity == "best_by_npv":
        return switch_of_best(draws, option, kind, chains=chains)
    now = float((fewer >= FEWER_CHILDREN).mean())
    size = even_chance(fewer, slopes.fewer, target=FEWER_CHILDREN, lower=kind.lower, upper=kind.upper)
    return Switch(now, now >= 0.5, size, np.nan)


def stress_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """Tables of the effects that the model cannot see.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    dict of str to DataFrame
        ``stress_tests`` and ``stress_curves``; none where business as usual is the only option.

    Examples
    --------
    >>> stress_tables(workings)["stress_tests"]  # doctest: +SKIP
    """
    if set(workings.accounts) <= {"bau"}:
        return {}
    drawn = stressed_draws(workings)
    tests = stress_tests(workings, drawn)
    return {"stress_tests": tests, "stress_curves": stress_curves(workings, drawn, tests)}
