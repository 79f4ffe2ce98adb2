"""The published pilot and a roll-out that is stopped, as options: money only, so that they are costed like any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr

from cba.appraisal.quantities import lead_option, spread_at
from cba.appraisal.workings import Workings
from cba.costs.account import CostBasis, OptionAccount, child_years, total_cost, total_saving
from cba.costs.option_account import option_account, run_off_account
from cba.decisions.draws import Estimate
from cba.decisions.staged import (
    LearnedChoice,
    StagedDecision,
    compare_strategies,
    learn_then_choose,
    mean_payoff,
)
from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.inputs.analyses import Analysis
from cba.inputs.options import Option, load_options
from cba.interventions.kinds import shipped_effect
from cba.interventions.records import share_averted
from cba.models.authority_findings import STOCK, known_panel
from cba.models.authority_pilots import AREAS as SIZES
from cba.models.authority_pilots import YEARS
from cba.models.sampling import normal_settings
from cba.models.slow_results import kept_table
from cba.projection.care_system import CareSystem
from cba.tables.catalogue import MONEY, Table, catalogued_together, enough_to_learn

PUBLISHED_AREAS = 12
"""Most areas of the pathfinders announced in February 2023, for two years."""


PUBLISHED_YEARS = 2


def pilot_option(years: int) -> Option:
    """The family help pathfinders of 2023 in 12 areas, at their yearly money, from the second year.

    Money in cash of the years in which it is spent, as announced: £45m over two years. `years`, >= 1.
    """
    announced = [line for line in load_options(["dfe_2023"])[0].spend if line.component == "family_help"]
    yearly = sum(sum(line.gbp_million.values()) for line in announced) / PUBLISHED_YEARS
    spent = {1 + year: yearly for year in range(years)}
    stated = {
        "schema": 1,
        "id": "pilot",
        "label": "Pathfinders",
        "description": "Family help in some areas, observed and then ended.",
        "timing": "shift",
        "financing": "fade",
        "frames": ("review_2022", "latest"),
        "spend": (announced[0].model_copy(update={"gbp_million": spent}),),
    }
    return Option.model_validate(stated)


# --- Money and child-years of each course open at the start: go now, go later, pilot, go in steps or … ---


SET_UP_AND_REPORT = 2
"""Years a study takes beside its years of delivery."""


FIRST_STEP = 0.5
"""Share of authorities in the first step of a roll-out in steps: half against half is seen most sharply."""


STOPPING_SHARE = 0.25
"""Cost of stopping, as a share of the last year's money of the areas that stop: three months of contracts and
redundancies. Judgement, no source."""


@dataclass(frozen=True)
class Course:
    """One course, against business as usual, summed over the horizon in present values; arrays (sample,)."""

    npv: np.ndarray  # GBP of the price base
    # safe and harm: at home rather than in care, and the part of them that should not have been, child-years.
    safe: np.ndarray
    harm: np.ndarray
    # (sample, year): Family help's coverage of eligible children, by year of the horizon.
    coverage: np.ndarray

    def worth(self, value: float) -> np.ndarray:
        """Payoff ``NPV + lambda (CY_safe - H)`` of each draw, GBP; a child-year of harm counts against a safe one."""
        return self.npv + value * self.safe - value * self.harm

    def __add__(self, other: Course) -> Course:
        """Both courses, in different areas."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Course(*(one + two for one, two in pairs))

    def scaled(self, share: float) -> Course:
        """Return the course in a share of the areas."""
        return Course(*(share * array for array in vars(self).values()))


@dataclass(frozen=True)
class Courses:
    """The courses of a decision with a study of so many years."""

    # now and later: the whole roll-out, at the start or once the study has reported.
    now: Course
    later: Course
    pilot: Course  # the published pilot alone, in its 12 areas; n areas are n / 12 of it
    # continued and stopped: steps carried to the end, or stopped when the first has been evaluated.
    continued: Course
    stopped: Course


def courses(
    workings: Workings, option: str, *, years: Sequence[int], pilots: Mapping[int, Course] | None = None
) -> dict[int, Courses]:
    """Work out every course open at the start for one option and studies of several lengths."""
    # Areas are alike, so money and effect are proportional to the share of areas:
    # ``continued = s now + (1 - s) later`` and ``stopped = s stopped roll-out - stopping cost``, with s the
    # first step.
    chosen = workings.option(option)
    _require_within_horizon(workings, years)
    system, basis = within_horizon(workings)
    now = _course(workings, option_account(chosen, system, basis))
    pilots = pilot_by_length(workings, years) if pilots is None else pilots
    found = {}
    for length in years:
        wait = length + SET_UP_AND_REPORT
        delayed = chosen.model_copy(update={"delay_years": chosen.delay_years + wait})
        later = _course(workings, option_account(delayed, system, basis))
        last = workings.inputs.analysis.start_year + wait - 1
        ended = run_off_account(chosen, system, basis, last_year=last)
        found[length] = Courses(
            now=now,
            later=later,
            pilot=pilots[length],
            continued=now.scaled(FIRST_STEP) + later.scaled(1.0 - FIRST_STEP),
            stopped=_stopped(workings, ended, after=wait).scaled(FIRST_STEP),
        )
    return found


def pilot_by_length(workings: Workings, years: Sequence[int]) -> dict[int, Course]:
    """Work out the published pilot alone, for studies of several lengths. By years of study."""
    system, basis = within_horizon(workings)
    return {
        length: _course(workings, option_account(pilot_option(length), system, basis)) for length in years
    }


def within_horizon(workings: Workings) -> tuple[CareSystem, CostBasis]:
    """Return business as usual and prices cut at the end of the headline horizon: what comes later cannot matter."""
    analysis, system, prices = workings.inputs.analysis, workings.system, workings.basis.prices
    size = int((system.years < analysis.start_year + analysis.horizon).sum())
    cut = replace(
        system,
        baseline=system.baseline.isel(year=slice(size)),
        placement_mix=system.placement_mix[:, :size],
        averted_kernel=system.averted_kernel[..., :size],
        entrant_mix=system.entrant_mix[:, :size],
    )
    return cut, replace(workings.basis, prices=replace(prices, path=prices.path[:, :size]))


def _course(workings: Workings, account: OptionAccount) -> Course:
    factors = workings.factors
    inside = slice(-factors.size, None)
    averted = child_years(account.children.fewer)[:, inside] @ factors
    harm = workings.system.value("family_help.harm_share")
    flows = (total_saving(account) - total_cost(account))[:, inside]
    return Course(
        npv=flows @ factors,
        safe=averted * (1.0 - harm),
        harm=averted * harm,
        coverage=account.delivered("family_help")[:, inside],
    )


def _stopped(workings: Workings, account: OptionAccount, *, after: int) -> Course:
    """Course of an option that ends, less what ending costs in the first year without money."""
    course, factors = _course(workings, account), workings.factors
    last = total_cost(account)[:, -factors.size + after - 1]
    return replace(course, npv=course.npv - STOPPING_SHARE * last * factors[after])


def _require_within_horizon(workings: Workings, years: Sequence[int]) -> None:
    longest = workings.inputs.analysis.horizon - SET_UP_AND_REPORT - 1
    if not all(1 <= length <= longest for length in years):
        raise InputError(
            "a study reports after the horizon, or observes nothing",
            field="years",
            found=list(years),
            allowed=f"1 to {longest}",
            cause="a short horizon",
            remedy="shorten the study or lengthen the horizon",
        )


# --- What a comparison of authorities could see: its error, what its arms differ by, the effect and the power ---


SIGNIFICANT, DETECTED = 1.959964, 0.841621
"""Normal quantiles of a two-sided test at 5% and of a power of 80%."""


NATIONAL_SINCE = 2026
"""First year, ending 31 March, in which Families First is delivered in every authority."""


GONE = "no longer available: Families First has been national since April 2025"


CONTRASTS = (1.0, 0.5, 0.25)
"""Shares of the full dose by which arms may differ where no authority is without: more in some, or in steps."""


POSSIBLE = 0.5
"""The contrast asked about then. Families First brings about half of the yearly money the review asked for
(£582m in 2026-27), so that about half of the full dose is left to give to some areas and not to others."""


def contrast(analysis: Analysis) -> float:
    """Share of the full dose by which areas with and without would differ: 1 while some areas had nothing."""
    return 1.0 if analysis.start_year < NATIONAL_SINCE else POSSIBLE


def pilot_errors(years: int, *, outcome: str = "starts") -> pd.DataFrame:
    """Error of a study of so many years by number of areas, half of all last: standard_error (log points), wider.

    At full contrast, from England's panel of authorities and widened to the spread of its placebo pilots.
    """
    rows = kept_table("panel", "pilot_power").query("years == @years and outcome == @outcome")
    rows = rows.assign(standard_error=rows["standard_error"] * rows["wider"])
    return rows.set_index("areas")[["standard_error", "wider"]]


def shown_effects(workings: Workings, found: Courses, *, years: int) -> tuple[xr.Dataset, xr.Dataset]:
    """Log change in starts in the areas studied: as it is, and as a study without sampling error would show it.

    Returns `true`, `shown`: ``pilot`` in pilot areas, ``steps`` in the first step, log points of the full dose;
    negative is fewer starts. In `true` also ``pilot_full`` and ``steps_full``, were every eligible child there served.
    """
    # Pilot areas see the effect before what is lost in a national roll-out; the first step is a part of the
    # roll-out and sees it after. Both are shown with the bias of an area panel (``effects.area_bias_panel``), or of
    # arms by lot where no area is without (``effects.area_bias_rct``), drawn anew, on the change of the whole area:
    # no number of areas removes it. Arms that differ by a part of the dose show a part of the effect, so error and
    # bias in units of the full dose are those over the contrast. A study informs the product of coverage, reach and
    # effect only.
    roll_out = workings.system.value("family_help.log_risk_ratio")
    in_pilot = roll_out / (1.0 - workings.system.value("effects.attenuation"))
    rng = np.random.default_rng([workings.inputs.analysis.seed, 2023])
    part = contrast(workings.inputs.analysis)
    known_bias = "effects.area_bias_panel" if part == 1.0 else "effects.area_bias_rct"
    mean, sd = normal_settings(workings.inputs.priors, known_bias)
    # a bias in favour of the programme shows as a lower risk than there is
    bias = {name: -rng.normal(mean, sd, roll_out.size) for name in ("pilot", "steps")}
    effect = {"pilot": in_pilot, "steps": roll_out}
    share_of_country = FIRST_STEP * PUBLISHED_AREAS / pilot_errors(years).index[-1]
    coverage = {
        "pilot": np.minimum(_best_years(found.pilot.coverage, years) / share_of_country, 1.0),
        "steps": _best_years(found.now.coverage, years),
    }
    true, shown = xr.Dataset(), xr.Dataset()
    everyone = np.ones_like(roll_out)
    for name in ("pilot", "steps"):
        true[f"{name}_full"] = ("sample", _log_change(workings, everyone, effect[name]))
        true[name] = ("sample", _log_change(workings, coverage[name], effect[name]))
        shown[name] = true[name] + bias[name] / part
    return true, shown


def power_table(true: dict[int, xr.Dataset], analysis: Analysis) -> pd.DataFrame:
    """What each design could detect beside what there is to be found."""
    # Columns design ("pilot", "first step"), areas, years, published (areas and years as announced in 2023), controls
    # ("untreated", "lower dose"), contrast, available, asked (the arms that the value of learning is worked out for),
    # hindsight (the panel was not out by then), standard_error, wider, detectable (fall in log starts found with a
    # power of 80%; all in units of the full dose), expected, lower, upper (fall believed in), full_coverage (fall
    # believed in were every eligible child served), power (probability of finding a significant fall, over what is
    # believed), detectable_percent, detectable_stock_percent (of the number in care, at the end), fall_percent_mean,
    # fall_percent_lower, fall_percent_upper (the same falls as per cent of starts).
    part, rows = contrast(analysis), []
    hindsight = known_panel(analysis.evidence_until) is None
    arms = [("untreated", 1.0, "yes" if part == 1.0 else GONE)]
    arms += [("lower dose", one, "yes") for one in CONTRASTS if part < 1.0]
    for years, effects in true.items():
        starts, stock = (pilot_errors(years, outcome=o) for o in ("starts", STOCK))
        for (controls, share, available), count in product(arms, (*AREAS, starts.index[-1])):
            design, name = ("pilot", "pilot") if count in AREAS else ("first step", "steps")
            row = {
                "design": design,
                "areas": count,
                "years": years,
                "published": (design, count, years) == ("pilot", PUBLISHED_AREAS, PUBLISHED_YEARS),
                "controls": controls,
                "contrast": share,
                "available": available,
                "asked": available == "yes" and share == part,
                "hindsight": hindsight,
                "standard_error": starts.loc[count, "standard_error"] / share,
                "wider": starts.loc[count, "wider"],
                "full_coverage": -float(effects[f"{name}_full"].mean()),
            }
            stock_error = stock.loc[count, "standard_error"] / share
            change, error = effects[name].values, row["standard_error"]
            rows.append(row | _seen(change, error, stock_error=stock_error, level=analysis.level))
    return pd.DataFrame(rows)


def _seen(change: np.ndarray, error: float, *, stock_error: float, level: float) -> dict[str, float]:
    """What a study with these errors could detect of a change in log starts, beside what is believed of it."""
    detectable, in_stock = ((SIGNIFICANT + DETECTED) * one for one in (error, stock_error))
    believed = spread_at(level, -change)
    return {
        "detectable": detectable,
        "expected": believed.pop("mean"),
        **believed,
        "power": ndtr(-change / error - SIGNIFICANT).mean(),
        "detectable_percent": -100.0 * np.expm1(-detectable),
        "detectable_stock_percent": -100.0 * np.expm1(-in_stock),
        **spread_at(level, -100.0 * np.expm1(change), "fall_percent_"),
    }


def _best_years(coverage: np.ndarray, years: int) -> np.ndarray:
    """Coverage over the `years` years, before the study reports, in which it is highest on average."""
    before = coverage[:, : years + 2]
    windows = np.stack([before[:, first : first + years].mean(axis=1) for first in range(3)])
    return windows[windows.mean(axis=1).argmax()]


def _log_change(workings: Workings, coverage: np.ndarray, log_risk_ratio: np.ndarray) -> np.ndarray:
    """Log change in starts of an area with this coverage, at the ages and mix of the first year."""
    believed = workings.system.parameters.assign({"family_help.log_risk_ratio": ("sample", log_risk_ratio)})
    system: CareSystem = replace(workings.system, parameters=believed)
    help_ = shipped_effect("family_help")
    done = help_.kind.at(help_, system.ground, coverage[:, None])
    share = share_averted((done,), shape=(len(coverage), 1, len(AGE_BANDS)))[:, 0]
    first = system.baseline.sel(year=workings.inputs.analysis.start_year)
    reachable = first["starts_reachable"].transpose("sample", "age").values
    starts = first["starts"].transpose("sample", "age").values.sum(axis=-1)
    return np.log1p(-(reachable * share).sum(axis=-1) / starts)


# --- Was "pilot first" better than "go now"? Four strategies over the size of the pilot and the value … ---


AREAS = SIZES[1:]
"""Authorities of a pilot: of the sizes whose errors are known, those that could be a pilot of the programme."""


VALUES = (0.0, 50e3, 100e3, 250e3, 500e3, 1e6, 2.5e6, 5e6)
"""GBP per child-year safely at home, from nothing to well above every anchor."""


def _roll_outs(workings: Workings) -> list[str]:
    """The whole programme, and the part of it a pilot of family help can teach about."""
    lead = lead_option(workings)
    wholes = (lead, workings.option(lead).base)  # a way of paying is built on the programme
    return [
        o.id
        for o in workings.inputs.options
        if any(line.component == "family_help" for line in o.spend)
        and (o.id == lead or (o.base in wholes and o.components == ("family_help",)))
    ]


@catalogued_together(
    Table("pilot_or_now", "Pilot first, go now or go in steps: expected payoff", MONEY),
    Table("pilot_learning", "What a pilot teaches, and what waiting for it costs", MONEY),
    Table(
        "pilot_power",
        "What pilots of each size could detect",
        "Log ratio and per cent of starts; power from 0 to 1.",
    ),
    once=True,
    needs=enough_to_learn,
)
def pilot_tables(workings: Workings, *, options: Sequence[str] | None = None) -> dict[str, pd.DataFrame]:
    """Whether to pilot first: strategies, what learning is worth against delay, power of pilots.

    For studies that report before the horizon; nothing where the analysis holds no option in question.
    """
    asked = [o for o in (_roll_outs(workings) if options is None else options) if o in workings.accounts]
    latest = workings.inputs.analysis.horizon - SET_UP_AND_REPORT - 1
    lengths = [years for years in YEARS if years <= latest]
    if not asked or not lengths:
        return {}
    pilots = pilot_by_length(workings, lengths)
    frames: dict[str, list[pd.DataFrame]] = {}
    for option in asked:
        studied = [n for n in lengths if option == asked[0] or n == PUBLISHED_YEARS]
        if not studied:
            continue
        found = courses(workings, option, years=studied, pilots=pilots)
        effects = {n: shown_effects(workings, found[n], years=n) for n in studied}
        true, shown = ({n: pair[side] for n, pair in effects.items()} for side in (0, 1))
        made = pilot_or_now(found, shown, part=contrast(workings.inputs.analysis))
        made["pilot_power"] = power_table(true, workings.inputs.analysis)
        for name, table in made.items():
            table.insert(0, "option", option)
            frames.setdefault(name, []).append(table)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items()}


def pilot_or_now(
    found: dict[int, Courses], shown: dict[int, xr.Dataset], *, part: float
) -> dict[str, pd.DataFrame]:
    """Expected payoff of never, going now, piloting first and going in steps, over a grid of designs.

    `part`: share of the full dose by which areas differ.
    """
    # ``pilot_or_now``: columns value_per_child_year, value_per_harm_year, areas, years, strategy, expected_payoff, se
    # (GBP, present value), best (one per value, areas and years).
    # ``pilot_learning``: for the same grid value_of_learning, cost_of_delay, pilot_cost, value_of_stopping,
    # each with its error; piloting first is the better of never and now, plus learning, less delay and cost.
    #
    # Errors take the draws as independent.
    rows: list[dict[str, Any]] = []
    learnt: list[dict[str, Any]] = []
    errors = {years: pilot_errors(years)["standard_error"] / part for years in found}
    for value, years in product(VALUES, found):
        decisions = _decisions(found[years], shown[years], errors[years], part=part, value=value)
        for count, decision in zip(AREAS, decisions, strict=True):
            place = dict.fromkeys(("value_per_child_year", "value_per_harm_year"), value)
            place |= {"areas": count, "years": years}
            for name, payoff in decision.payoffs.items():
                worth = {"expected_payoff": payoff.value, "se": payoff.se, "best": name == decision.best}
                rows.append(place | {"strategy": name} | worth)
            for name in ("value_of_learning", "cost_of_delay", "pilot_cost", "value_of_stopping"):
                estimate = getattr(decision, name)
                place |= {name: estimate.value, f"{name}_se": estimate.se}
            learnt.append(place)
    return {"pilot_or_now": pd.DataFrame(rows), "pilot_learning": pd.DataFrame(learnt)}


def _decisions(
    found: Courses, shown: xr.Dataset, errors: pd.Series, *, part: float, value: float
) -> list[StagedDecision]:
    """One decision per number of pilot areas; what does not depend on it is worked out once."""
    payoffs = xr.Dataset({name: ("sample", course.worth(value)) for name, course in vars(found).items()})
    first_step = [errors.iloc[-1]]
    (after_step,) = _learned(payoffs["stopped"], payoffs["continued"], shown["steps"], errors=first_step)
    never = xr.zeros_like(payoffs["later"])
    chosen = _learned(never, payoffs["later"], shown["pilot"], errors=list(errors[list(AREAS)]))
    return [
        compare_strategies(
            payoffs.assign(pilot=payoffs["pilot"] * part * count / PUBLISHED_AREAS),
            after_pilot=after_pilot,
            after_step=after_step,
        )
        for count, after_pilot in zip(AREAS, chosen, strict=True)
    ]


def _learned(
    first: xr.DataArray, second: xr.DataArray, effect: xr.DataArray, *, errors: Sequence[float]
) -> tuple[LearnedChoice, ...]:
    """Value of choosing after each study; nothing is learnt where one course is better in every draw."""
    gain = second.values - first.values
    if (gain > 0).all() or (gain <= 0).all():
        better = mean_payoff(second if gain[0] > 0 else first)
        return (LearnedChoice(better, better, Estimate(0.0, 0.0)),) * len(errors)
    return learn_then_choose(first, second, effect, standard_errors=errors)
