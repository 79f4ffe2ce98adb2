"""Prior checks on policy outputs, alone and beside the posterior; and the one standard that every option passes.

No study and no yearly change of a series is seen: effects, and how rates move, come from the priors; only the
account of the year a projection starts from is data. A back-cast from the first published account is held against
the years published since; the target year is held against stated plausibility bounds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.inputs import Inputs
from cba.appraisal.quantities import (
    QUANTITIES,
    Summary,
    children_in_care,
    fewer_children,
    probability,
    spread_at,
)
from cba.appraisal.workings import Workings
from cba.costs.account import total_saving
from cba.decisions.draws import mcse_probability
from cba.inputs.evidence import Claim
from cba.inputs.prior_checks import Bounds, Standard, load_plausibility, load_standard
from cba.interventions import kinds
from cba.interventions.effects import Effect
from cba.interventions.records import Work
from cba.models.authority_findings import STUDY, known_panel
from cba.models.checks import prior_baseline, prior_effects
from cba.models.effects_areas import LEAVING
from cba.models.parameters import ROLL_OUT, joint_parameters
from cba.models.unit_costs import prior_unit_cost_draws
from cba.projection.business_as_usual import business_as_usual, usual_rates
from cba.stances.review import claims_reached
from cba.tables.assumptions import kept_curve
from cba.tables.catalogue import chance, reforms
from cba.tables.decisions import break_even_values, net_effects

COST_LINES = ("total_cla", "total_safeguarding", "total_family_support")
"""Lines of the outturn that make the yearly cost of the system."""


FIRST_COMPARABLE = 2013
"""First year ending 31 March whose outturn is defined as today."""


CHAINS = 2


_STOCK = {"label": "Children looked after at 31 March", "unit": "children"}


TARGETS = {
    "children_in_care": _STOCK,
    "system_cost": {
        "label": "Yearly cost of the system, real, as a multiple of the last outturn",
        "unit": "ratio",
    },
    "fewer_children": {
        "label": "Fewer children under the care review, share of business as usual",
        "unit": "share",
    },
    "annual_saving": {
        "label": "Cashable saving of the care review, share of the cost of the system",
        "unit": "share",
    },
}
"""What is held against plausibility bounds in the target year, with its words."""


def prior_workings(inputs: Inputs, *, draws: int, work: Callable[..., Workings]) -> Workings:
    """Work out every option on independent draws of the priors alone.

    `inputs`: its draws are not used. `work`: ``work(inputs, drawn, baseline=, effects=)``, `worked_options`.
    """
    analysis = inputs.analysis
    each = {"draws": draws // CHAINS, "chains": CHAINS, "seed": analysis.seed}
    baseline = prior_baseline(inputs.observations, inputs.priors, **each)
    panel = known_panel(analysis.evidence_until)
    effects = prior_effects(
        inputs.evidence, inputs.priors, observations=inputs.observations, panel=panel, **each
    )
    drawn = joint_parameters(
        inputs.priors,
        baseline=baseline,
        effects=effects,
        observations=inputs.observations,
        seed=analysis.seed,
    )
    drawn = drawn.assign(
        prior_unit_cost_draws(inputs.priors, draws=drawn.sizes["sample"], seed=analysis.seed)
    )
    return dataclasses.replace(work(inputs, drawn, baseline=baseline, effects=effects), chains=None)


def prior_tables(
    workings: Workings, made: Mapping[str, pd.DataFrame], *, draws: int, work: Callable[..., Workings]
) -> dict[str, pd.DataFrame]:
    """What the priors alone say, beside history, plausibility bounds and the posterior; and the standard.

    `made`: the tables of the same workings. The growth of spending to the target year is held against the real
    growth over as many years to the last outturn, where definitions are comparable.
    """
    # ``prior_predictive``: columns quantity, check ("history" for a back-cast, "target" for the target year),
    # year, label, unit, mean, median, lower, upper (at the analysis's level), observed (missing where there is
    # nothing to hold it against), share_below (share of draws below what was observed), bound_lower,
    # bound_upper, share_inside with its mcse, basis and source (of the bounds).
    bounds, inputs = load_plausibility(), workings.inputs
    alone = prior_workings(inputs, draws=draws, work=work)
    found = _history_rows(inputs, bounds["children_in_care"], draws=draws)
    return {
        "prior_predictive": pd.DataFrame(found + _target_rows(alone, bounds)),
        "prior_beside_posterior": prior_beside_posterior(workings, alone=alone),
        "standard": standard_table(workings, made, alone=alone),
    }


def _history_rows(inputs: Inputs, bounds: Bounds, *, draws: int) -> list[dict[str, Any]]:
    """One row per year published after the first account, of a back-cast of the number in care from it."""
    seen, seed = inputs.observations, inputs.analysis.seed
    known = seen["stock_by_age"].dropna("year")["year"].values
    first, last = int(known[0]) + 1, int(known[-1])
    each = {"draws": draws // CHAINS, "chains": CHAINS, "seed": seed}
    fit = prior_baseline(seen, inputs.priors, **each, since=first)
    years = range(first + 1, last + 1)
    people = seen["population_0_17"].sel(year=list(years))
    rates = usual_rates(
        fit, years=years, population=people, parameters=inputs.priors.sample(draws, seed), seed=seed
    )
    children = business_as_usual(fit, rates, people)["children"].sum("age")
    level, start = inputs.analysis.level, float(seen["stock"].sel(year=first))
    return [
        {"quantity": "children_in_care", "check": "history", "year": year, **_STOCK}
        | _held(
            children.sel(year=year).values, bounds, level, float(seen["stock"].sel(year=year)), scale=start
        )
        for year in map(int, children["year"].values)
    ]


def _target_rows(workings: Workings, bounds: Mapping[str, Bounds]) -> list[dict[str, Any]]:
    """Rows of the target year: children, spending and what the care review changes."""
    analysis, arrays, seen = workings.inputs.analysis, workings.arrays, workings.inputs.observations
    year, level = analysis.target_year, analysis.level
    usual = children_in_care(workings, "bau")
    cost = arrays.system_cost.sel(option="bau", year=year).values
    outturn = real_outturn(workings)
    last = int(outturn["year"][-1])
    before, children = _growth_before(outturn, years=year - last), float(seen["stock"].dropna("year")[-1])
    found = {"children_in_care": usual, "system_cost": cost / float(outturn[-1])}
    programme = workings.inputs.claims.programme
    if programme in workings.accounts:
        saving = total_saving(workings.accounts[programme])[:, workings.target]
        found |= {
            "fewer_children": fewer_children(workings, programme) / usual,
            "annual_saving": saving / cost,
        }
    observed, scales = {"system_cost": before}, {"children_in_care": children}
    return [
        {"quantity": name, "check": "target", "year": year, **TARGETS[name]}
        | _held(draws, bounds[name], level, observed.get(name, np.nan), scale=scales.get(name, 1.0))
        for name, draws in found.items()
    ]


def real_outturn(workings: Workings) -> xr.DataArray:
    """Published yearly cost of the system in prices of the price base, as far back as definitions compare.

    Dims (year), GBP of the price base.
    """
    seen = workings.inputs.observations
    cash = seen["spending"].sel(line=list(COST_LINES)).sum("line", skipna=False).dropna("year")
    cash = cash.sel(year=slice(FIRST_COMPARABLE, None))
    return cash * np.array([workings.pound_of(int(year)) for year in cash["year"].values]) * 1e6


def _growth_before(outturn: xr.DataArray, *, years: int) -> float:
    """Ratio of the last outturn to that of as many years before; missing where the series is too short."""
    first = int(outturn["year"][-1]) - years
    if first not in outturn["year"].values:
        return float("nan")
    return float(outturn[-1] / outturn.sel(year=first))


def _held(
    draws: np.ndarray, bounds: Bounds, level: float, observed: float, *, scale: float
) -> dict[str, Any]:
    """Draws against what was observed and what is plausible; `scale` is the unit of bounds that are multiples."""
    low, high = bounds.lower * scale, bounds.upper * scale
    inside = (draws >= low) & (draws <= high)
    return spread_at(level, draws, median=True) | {
        "observed": observed,
        "share_below": float((draws < observed).mean()) if np.isfinite(observed) else np.nan,
        "bound_lower": low,
        "bound_upper": high,
        "share_inside": inside.mean(),
        "mcse": mcse_probability(inside),
        "basis": bounds.basis,
        "source": "; ".join(source.title for source in bounds.source),
    }


# --- Prior beside posterior: where no prior draw meets a claim, no study could have made it likely ---


_SAID = ("mean", "median", "lower", "upper", "mcse")


def prior_beside_posterior(workings: Workings, *, alone: Workings) -> pd.DataFrame:
    """What the priors alone give for headline probabilities, children and money, beside the posterior."""
    # Columns option, quantity, unit, ``prior_`` and ``posterior_`` mean, median, lower, upper and mcse (of a
    # probability mean and mcse only), most_fewer (children, in any prior draw), words (for a claim: what would
    # have to change for it to be within reach). `alone`: the workings of the priors.
    both, claims = (alone, workings), workings.inputs.claims
    rows, draws = [], alone.arrays.npv.sizes["sample"]
    for option in workings.accounts:
        most = float(fewer_children(alone, option).max())
        for entry in QUANTITIES.values():
            told = entry.kind == "probability" or entry.name in ("npv", "fewer_children")
            if told and entry.usual == (option == "bau"):
                found, claim = [entry.summary(each, option) for each in both], claims.each.get(entry.claim)
                words = entry.filled(entry.words, workings)
                about = {"option": option, "quantity": words, "unit": entry.unit}
                rows.append(about | _beside(found, claim, most=most, draws=draws))
    if claims.programme in workings.accounts:
        reached = [claims_reached(each)["family_help"] for each in both]
        claim, words = claims.family_help_children, "Chance of {} fewer children because of family help"
        about = {"option": claims.programme, "quantity": words.format(claim), "unit": "probability"}
        events = zip(reached, both, strict=True)
        found = [probability(one >= claim.value, label="", chains=each.chains) for one, each in events]
        rows.append(about | _beside(found, claim, most=float(reached[0].max()), draws=draws))
    return pd.DataFrame(rows)


def _beside(found: Sequence[Summary], claim: Claim | None, *, most: float, draws: int) -> dict[str, Any]:
    """Both summaries in one row, with what a claim that no prior draw meets would need."""
    sides, words = dict(zip(("prior", "posterior"), found, strict=True)), ""
    if claim is not None and not found[0]["mean"]:
        words = f"none of {draws:,} prior draws reaches it: the priors, not the studies, keep it out of reach"
        if claim.unit == "children" and most > 0.0:
            times = f"{claim.value / most:.2f} times the most of any prior draw ({most:,.0f})"
            words += f"; coverage, reach, effect and stay together would have to give {times}"
    elif claim is not None:
        words = f"{found[0]['mean']:.1%} of prior draws reach it, so studies can move it"
    numbers = {f"{side}_{field}": entry[field] for side, entry in sides.items() for field in _SAID}
    return {**numbers, "most_fewer": most, "words": words}


# --- One standard for every option: a comparison, a prior of both signs, the chance, a sign that stays ---


STRENGTH = ("ratio", "log_ratio", "gain", "cut", "share", "places_per_million")
"""The field of an effect that says how strong it is, whatever its kind: what a comparison must have compared."""

NOT_KNOWN = "not known: no curve stored"


def one_at_a_time_turns(curve: pd.DataFrame | None, option: str, *, median: float) -> tuple[str, ...] | None:
    """Choices that alone turn the sign of an option's median; None where no curve of it is kept."""
    rows = None if curve is None else curve[(curve["option"] == option) & (curve["kind"] == "alone")]
    if rows is None or rows.empty:
        return None
    turned = rows[rows["npv_median"] * median <= 0.0]
    return tuple(f"{row.axis}: {row.level}" for row in turned.itertuples())


def standard_table(workings: Workings, made: Mapping[str, pd.DataFrame], *, alone: Workings) -> pd.DataFrame:
    """Hold every option but business as usual to one standard, that of `load_standard`.

    `made`: the tables of the workings, of which values of studies are read.
    """
    # Columns option, label, mechanism, controlled_comparison (direct, transported, none: the weakest of its
    # effects), studies, prior_both_signs, prior_harm (share of prior draws in which each effect harms),
    # prob_npv_positive and mcse at the stated value, ``prob_at_`` and ``mcse_at_`` each anchor, median_npv,
    # sign_turned_by, verdict, condition, reason.
    rule, rows, both = load_standard(), [], (workings.arrays.npv, net_effects(workings))
    anchors = break_even_values(workings).query("kind == 'anchor'").set_index("name")["value_per_child_year"]
    curve = kept_curve(workings)
    for option in reforms(workings):
        effects = kinds.checked(workings.option(option))
        row: dict[str, Any] = {"option": option, "label": workings.option(option).label}
        row |= _compared(workings, effects, rule=rule) | _prior_signs(alone, option, rule=rule)
        net, years = (array.sel(option=option).values for array in both)
        worth = net + rule.value_per_child_year * years
        row |= chance(workings, worth > 0.0, "prob_npv_positive")
        for name, value in anchors.items():
            row |= chance(workings, net + value * years > 0.0, f"prob_at_{name}", f"mcse_at_{name}")
        row["median_npv"] = float(np.median(worth))
        turned = one_at_a_time_turns(curve, option, median=row["median_npv"])
        row["sign_turned_by"] = NOT_KNOWN if turned is None else "; ".join(turned)
        rows.append(row | _verdict(row, rule=rule, condition=_settled_by(made, effects, rule=rule)))
    return pd.DataFrame(rows)


def _inputs_of(effect: Effect) -> set[str]:
    """Names of the inputs that say how strong an effect is."""
    given = [effect.numbers[field].times for field in STRENGTH if effect.has(field)]
    return {str(factor) for factors in given for factor in factors}


def _compared(workings: Workings, effects: Sequence[Effect], *, rule: Standard) -> dict[str, Any]:
    """Which controlled comparisons speak of each effect of an option; the weakest of them is the option's."""
    grades: dict[str, str] = {}
    said = []
    for effect in effects:
        named = [estimand for estimand, name in ROLL_OUT.items() if name in _inputs_of(effect)]
        studies = workings.inputs.evidence.synthesis("".join(named[:1]), designs=rule.controlled_designs)
        here = studies["country"] == rule.place_studied
        used = list(dict.fromkeys(studies[here | (studies["transport_note"] != "")]["study_id"]))
        # England's own panel, where the fit holds it, is the one controlled comparison of exits.
        own = [STUDY] * (LEAVING in _inputs_of(effect) and "panel_bias" in workings.effects["posterior"])
        grades[effect.label] = "direct" if here.any() or own else "transported" if used else "none"
        said.append(f"{effect.label}: {', '.join(used + own) or 'none'}")
    return {
        "mechanism": "; ".join(effect.label for effect in effects) or "no modelled effect",
        "controlled_comparison": min(
            grades.values(), key=("none", "transported", "direct").index, default="none"
        ),
        "not_compared": ", ".join(label for label, grade in grades.items() if grade == "none"),
        "studies": "; ".join(said),
    }


def _prior_signs(alone: Workings, option: str, *, rule: Standard) -> dict[str, Any]:
    """In what share of prior draws each effect of an option harms, and whether all may or arithmetic forbids it."""
    prices, labels = alone.basis.prices.path, {e.name: e.label for e in kinds.checked(alone.option(option))}
    harm = {done.name: float((_gain(done, prices) < 0.0).mean()) for done in alone.accounts[option].work}
    forbidden = rule.arithmetic_forbids
    said = [f"{labels[name]}: {share:.0%} {forbidden.get(name, '')}".strip() for name, share in harm.items()]
    one = [labels[name] for name, share in harm.items() if share in (0.0, 1.0) and name not in forbidden]
    both = bool(harm) and not one
    return {"prior_both_signs": both, "one_sign": ", ".join(one), "prior_harm": "; ".join(said)}


def _gain(done: Work, prices: np.ndarray) -> np.ndarray:
    """What one effect brings, (sample,), in a unit of its own: starts averted, children, money or shares moved."""
    leaving = None if done.leavers is None else done.leavers.fewer
    worth = None if done.moved is None else done.moved * prices
    parts = (done.averts, leaving, worth, done.cheaper, *(share for _, _, share in done.shifts))
    return np.asarray(sum(part.reshape(len(part), -1).sum(axis=1) for part in parts if part is not None))


def _settled_by(made: Mapping[str, pd.DataFrame], effects: Sequence[Effect], *, rule: Standard) -> str:
    """The study on offer that is worth most of those that measure one of the effects, in words; empty where none is."""
    designs = [d for effect in effects for name in _inputs_of(effect) for d in rule.studies.get(name, ())]
    table = made.get("study_values", pd.DataFrame(columns=["design", "best", "value_per_child_year"]))
    at_value = table["value_per_child_year"] == rule.value_per_child_year
    rows = table[table["design"].isin(designs) & table["best"].astype(bool) & at_value]
    if rows.empty:
        return ""
    row = rows.loc[rows["enbs"].idxmax()]
    worth, cost = (f"£{row[name] / 1e6:,.1f}m" for name in ("value", "cost"))
    study = str(row["design"]).replace("_", " ")
    return f"{study} with {row['size']:,} {row['unit']}: worth {worth}, at a cost of {cost}"


def _verdict(row: Mapping[str, Any], *, rule: Standard, condition: str) -> dict[str, str]:
    """The verdict on one option, with every part of the standard it does not meet."""
    likely, turned = row["prob_npv_positive"], row["sign_turned_by"]
    lacking, sided = row["not_compared"] or row["mechanism"], row["one_sign"] or row["mechanism"]
    parts = (
        (f"no controlled comparison of {lacking}", row["controlled_comparison"] == "none"),
        (f"a prior of {sided} with one sign, which arithmetic does not ask for", not row["prior_both_signs"]),
        (f"a chance below {rule.recommended_from:.0%}", likely < rule.recommended_from),
        (f"what turns the sign of the median, one at a time: {turned}", turned != ""),
    )
    reason = "; ".join(words for words, missed in parts if missed)
    promising = reason != "" and likely >= rule.promising_from
    if promising and not condition:
        reason += "; likely enough to be promising, but no study on offer would settle it"
        promising = False
    verdict = "promising if" if promising else "not shown" if reason else "recommended"
    return {"verdict": verdict, "condition": condition if promising else "", "reason": reason}
