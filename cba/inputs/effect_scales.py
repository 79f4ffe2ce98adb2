"""Put published effects on the scale of the quantity they estimate, with a standard error and its derivation.

Log risk ratios (negative = less care) for family help and family network decision making, differences in the
risk of permanence (positive = better) for guardianship, log ratios of fostered to other placements for
foster recruitment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from cba.errors import InputError
from cba.inputs.evidence_rules import Row

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
    """An effect on the scale of its estimand.

    Parameters
    ----------
    effect : float
        Log risk ratio, log ratio or risk difference; NaN where only an interval is known.
    se : float
        Standard error, same scale, the middle of the design effect included.
    derivation : str
        How both were obtained.
    arms : Arms or None
        Counts of both arms where they are known: the study then enters as binomial.
    """

    effect: float
    se: float
    derivation: str
    arms: Arms | None = None


def harmonise(row: Row) -> HarmonisedEffect:
    """Return the effect of one synthesis row on the scale of its estimand.

    Parameters
    ----------
    row : mapping
        A checked row (see :func:`cba.inputs.evidence_rules.check_rows`).

    Returns
    -------
    HarmonisedEffect

    Raises
    ------
    InputError
        If the row has no estimate, or neither counts, nor a standard error, nor an interval, nor an
        assumed standard error.

    Notes
    -----
    In this order: (1) counts of both arms, published or a published risk times n: ``ln(p1/p0)`` with ``se^2 =
    1/e1 - 1/n1 + 1/e0 - 1/n0`` (Katz and others, 1978), or ``p1 - p0`` with the sum of ``p (1 - p) / n``; (2)
    the published log ratio or risk difference; (3) ``ln(1 + change/100)``; (4) a log odds ratio, turned into a
    log risk ratio with the control risk where the row has one (Zhang and Yu, 1998), with the standard error
    multiplied by one minus the treated risk, and taken as it is where not; (5) the ratio of both published
    risks. The standard error of (2) to (5) is the published one, else (upper - lower) / 3.92, else the assumed
    one. A design effect, known as a range, multiplies the variance by the geometric middle of the range.

    Examples
    --------
    >>> nan = float("nan")
    >>> row = dict.fromkeys(("se", "ci_low", "ci_high", "se_assumed", "risk_treat", "risk_control"), nan)
    >>> row |= {"design_effect_low": nan, "design_effect_high": nan, "use": "synthesis"}
    >>> row |= {"estimand": "care_entry_log_rr", "scale": "log_or", "estimate": -0.099,
    ...         "n_treat": 760, "events_treat": 25, "n_control": 746, "events_control": 27}
    >>> found = harmonise(row)
    >>> round(found.effect, 4), round(found.se, 4)
    (-0.0956, 0.2727)
    """
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
        return _from_counts(arms, "the published risks times n" if row["risk_treat"] > 0 else "the counts",
                            difference=difference)  # fmt: skip
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
            "a change of -100% or less has no logarithm",
            field="estimate",
            found=change,
            allowed="above -100",
            cause="a proportion or a count for a per cent",
            remedy="correct it",
        )
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
        problem,
        field=column,
        found="empty",
        allowed="a number, or use = excluded with a reason",
        cause="a direction-only or partly reported result",
        remedy="add what is published, an assumed standard error with its reason, or exclude the row",
    )
