"""Results of one option as each effect outside the model grows: means, intervals and the chance of a net saving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.decision_drivers import lead_option
from cba.appraisal.stress_slopes import KINDS, StressKind
from cba.appraisal.summaries import interval, probability

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings
    from cba.appraisal.stress_switching import StressedDraws

POINTS = 11
"""Sizes of a curve from none upwards."""


def stress_curves(
    workings: Workings, drawn: Mapping[str, StressedDraws], tests: pd.DataFrame
) -> pd.DataFrame:
    """Results of the option a report follows at a grid of sizes of each effect.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    drawn : mapping of str to StressedDraws
        As returned by :func:`cba.appraisal.stress_tests.stressed_draws`.
    tests : DataFrame
        As returned by :func:`cba.appraisal.stress_tests.stress_tests`: says how far a curve without an end goes.

    Returns
    -------
    DataFrame
        Columns stress, label, option, mark (``now``, ``comparison`` or empty), size, unit, npv_mean, npv_lower,
        npv_upper (GBP), prob_positive, prob_mcse, fewer_mean, fewer_lower, fewer_upper (children).

    Examples
    --------
    >>> stress_curves(workings, drawn, stress_tests(workings, drawn))  # doctest: +SKIP
    """
    option, level, rows = lead_option(workings), workings.inputs.analysis.level, []
    for kind in KINDS:
        draws = drawn[kind.name]
        own = tests[(tests["stress"] == kind.name) & (tests["option"] == option)].set_index("quantity")
        for mark, size in curve_sizes(kind, own):
            npv, fewer = draws.npv_at(option, size), draws.fewer_at(option, size)
            gain = probability(npv > 0.0, label="", chains=workings.chains)
            (npv_lower, npv_upper), (lower, upper) = interval(npv, level=level), interval(fewer, level=level)
            rows.append(
                {
                    **{
                        "stress": kind.name,
                        "label": kind.label,
                        "option": option,
                        "mark": mark,
                        "size": size,
                    },
                    **{"unit": kind.unit, "npv_mean": npv.mean(), "npv_lower": float(npv_lower)},
                    **{"npv_upper": float(npv_upper), "prob_positive": gain["mean"]},
                    **{"prob_mcse": gain["mcse"], "fewer_mean": fewer.mean()},
                    **{"fewer_lower": float(lower), "fewer_upper": float(upper)},
                }
            )
    return pd.DataFrame(rows)


def curve_sizes(kind: StressKind, own: pd.DataFrame) -> list[tuple[str, float]]:
    """Sizes of a curve: what is possible or, without a sensible bound, as far as anything happens.

    Parameters
    ----------
    kind : StressKind
        The effect.
    own : DataFrame
        Rows of :func:`cba.appraisal.stress_tests.stress_tests` of the effect and one option, by quantity.

    Returns
    -------
    list of (str, float)
        Ascending, each with its mark: ``now`` for 0, ``comparison``, else empty. Where the largest size is no
        sensible end (starts found, elasticities), to twice the comparison or a tenth beyond the switching size,
        whichever is further, and at least to 1.

    Examples
    --------
    >>> rows = pd.DataFrame({"reachable": [False], "size": [np.nan], "comparison": [0.25]}, index=["npv_sign"])
    >>> curve_sizes(KINDS[0], rows)[:5]
    [('now', 0.0), ('', 0.1), ('', 0.2), ('comparison', 0.25), ('', 0.30000000000000004)]
    """
    comparison, end = float(own["comparison"].iloc[0]), kind.upper
    if end > 1.0:
        reached = own.loc[own["reachable"] & (own.index != "prob_fewer_30000"), "size"]
        ends = [1.0, 2.0 * comparison, 1.1 * float(reached.max())]
        end = min(max(size for size in ends if np.isfinite(size)), kind.upper)
    marks = {float(size): "" for size in np.linspace(0.0, end, POINTS)}
    if kind.lower < 0.0:
        marks[kind.lower] = ""
    if kind.lower <= comparison <= end:
        marks[comparison] = "comparison"
    marks[0.0] = "now"
    return [(marks[size], size) for size in sorted(marks)]
