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
from cba.decisions.studies import pathfinder_standard_error
from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.inputs.options import Option, load_options
from cba.interventions.kinds import shipped_effect
from cba.interventions.records import share_averted
from cba.models.sampling import normal_settings
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


# --- What a comparison of authorities could see: their scatter, the effect to be found and the power … ---


FEWEST_STARTS = 10
"""Authorities with fewer starts a year are left out: the log of a handful says nothing."""


SIGNIFICANT, DETECTED = 1.959964, 0.841621
"""Normal quantiles of a two-sided test at 5% and of a power of 80%."""


@dataclass(frozen=True)
class AuthorityScatter:
    """How authorities differ in the log change between totals of starts over so many years."""

    years: int  # years in each of the two adjacent totals
    sd: float  # standard deviation between authorities, root mean square over the periods published
    authorities: int  # authorities in the newest period


def authority_scatter(starts: xr.DataArray, *, years: int) -> AuthorityScatter:
    """Standard deviation between authorities of the log change between adjacent totals of starts.

    Periods with fewer than half of the authorities that ever report are left out. `starts`, dims
    (authority, year), children; `years`, >= 1.
    """
    # Measured for each length: it falls far more slowly than one over the root of the length, because
    # authorities drift apart.
    values = starts.transpose("authority", "year").values
    found: list[np.ndarray] = []
    for end in range(values.shape[1], 2 * years - 1, -1):
        after = values[:, end - years : end].sum(axis=1)
        before = values[:, end - 2 * years : end - years].sum(axis=1)
        usable = (after > 0) & (before >= FEWEST_STARTS * years)  # false where a year is missing
        found.append(np.log(after[usable] / before[usable]))
    most = max((change.size for change in found), default=0)
    kept = [change for change in found if change.size > most / 2]
    variance = np.mean([change.var(ddof=1) for change in kept])
    return AuthorityScatter(years, float(np.sqrt(variance)), kept[0].size)


def study_error(scatter: AuthorityScatter, *, areas: int) -> float:
    """Standard error of the difference in log change between areas with and without help."""
    return pathfinder_standard_error(
        pilots=areas,
        comparisons=scatter.authorities - areas,
        years=scatter.years,
        yearly_sd=scatter.sd * scatter.years**0.5,
    )


def first_step_areas(scatter: AuthorityScatter) -> int:
    """Return the number of authorities in the first step of a roll-out in steps."""
    return round(FIRST_STEP * scatter.authorities)


def shown_effects(
    workings: Workings, found: Courses, scatter: AuthorityScatter
) -> tuple[xr.Dataset, xr.Dataset]:
    """Log change in starts in the areas studied: as it is, and as a study without sampling error would show it.

    Returns `true`, `shown`: ``pilot`` in pilot areas, ``steps`` in the first step, log points; negative is
    fewer starts. In `true` also ``pilot_full`` and ``steps_full``, were every eligible child there served.
    """
    # Pilot areas see the effect before what is lost in a national roll-out; the first step is a part of the
    # roll-out and sees it after. Both are shown with the bias of an area panel (``effects.area_bias_panel``),
    # drawn anew, on the change of the whole area: no number of areas removes it. A study informs the product of
    # coverage, reach and effect only.
    roll_out = workings.system.value("family_help.log_risk_ratio")
    in_pilot = roll_out / (1.0 - workings.system.value("effects.attenuation"))
    rng = np.random.default_rng([workings.inputs.analysis.seed, 2023])
    mean, sd = normal_settings(workings.inputs.priors, "effects.area_bias_panel")
    # a bias in favour of the programme shows as a lower risk than there is
    bias = {name: -rng.normal(mean, sd, roll_out.size) for name in ("pilot", "steps")}
    effect = {"pilot": in_pilot, "steps": roll_out}
    share_of_country = PUBLISHED_AREAS / scatter.authorities
    coverage = {
        "pilot": np.minimum(_best_years(found.pilot.coverage, scatter.years) / share_of_country, 1.0),
        "steps": _best_years(found.now.coverage, scatter.years),
    }
    true, shown = xr.Dataset(), xr.Dataset()
    everyone = np.ones_like(roll_out)
    for name in ("pilot", "steps"):
        true[f"{name}_full"] = ("sample", _log_change(workings, everyone, effect[name]))
        true[name] = ("sample", _log_change(workings, coverage[name], effect[name]))
        shown[name] = true[name] + bias[name]
    return true, shown


def power_table(
    true: dict[int, xr.Dataset],
    scatters: dict[int, AuthorityScatter],
    *,
    areas: Sequence[int],
    level: float,
) -> pd.DataFrame:
    """What each design could detect beside what there is to be found. `level`, in (0, 1)."""
    # Columns design ("pilot", "first step"), areas, years, published, authorities, between_authority_sd,
    # standard_error, detectable (fall in log starts found with a power of 80%), expected, lower, upper
    # (fall believed in), full_coverage (fall believed in were every eligible child served), power
    # (probability of finding a significant fall, over what is believed), detectable_percent,
    # fall_percent_mean, fall_percent_lower, fall_percent_upper (the same falls as per cent of starts).
    rows = []
    for years, scatter in scatters.items():
        designs = [("pilot", "pilot", count) for count in areas]
        designs.append(("first step", "steps", first_step_areas(scatter)))
        for design, name, count in designs:
            change, error = true[years][name].values, study_error(scatter, areas=count)
            detectable = (SIGNIFICANT + DETECTED) * error
            believed = spread_at(level, -change)
            rows.append(
                {
                    "design": design,
                    "areas": count,
                    "years": years,
                    "published": (design, count, years) == ("pilot", PUBLISHED_AREAS, PUBLISHED_YEARS),
                    "authorities": scatter.authorities,
                    "between_authority_sd": scatter.sd,
                    "standard_error": error,
                    "detectable": detectable,
                    "expected": believed.pop("mean"),
                    **believed,
                    "full_coverage": -float(true[years][f"{name}_full"].mean()),
                    "power": ndtr(-change / error - SIGNIFICANT).mean(),
                    "detectable_percent": -100.0 * np.expm1(-detectable),
                    **spread_at(level, -100.0 * np.expm1(change), "fall_percent_"),
                }
            )
    return pd.DataFrame(rows)


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


AREAS = (6, 12, 24, 48)


YEARS = (1, 2, 3)


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
    starts = workings.inputs.observations["starts_by_authority"]
    scatters = {years: authority_scatter(starts, years=years) for years in lengths}
    pilots = pilot_by_length(workings, lengths)
    frames: dict[str, list[pd.DataFrame]] = {}
    for option in asked:
        studied = {n: s for n, s in scatters.items() if option == asked[0] or n == PUBLISHED_YEARS}
        if not studied:
            continue
        found = courses(workings, option, years=list(studied), pilots=pilots)
        effects = {n: shown_effects(workings, found[n], scatter) for n, scatter in studied.items()}
        true, shown = ({n: pair[side] for n, pair in effects.items()} for side in (0, 1))
        made = pilot_or_now(found, shown, studied)
        made["pilot_power"] = power_table(true, studied, areas=AREAS, level=workings.inputs.analysis.level)
        for name, table in made.items():
            table.insert(0, "option", option)
            frames.setdefault(name, []).append(table)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items()}


def pilot_or_now(
    found: dict[int, Courses],
    shown: dict[int, xr.Dataset],
    scatters: dict[int, AuthorityScatter],
) -> dict[str, pd.DataFrame]:
    """Expected payoff of never, going now, piloting first and going in steps, over a grid of designs.

    ``pilot_or_now``: columns value_per_child_year, value_per_harm_year, areas, years, strategy,
    expected_payoff, se (GBP, present value), best (one per value, areas and years).
    """
    # ``pilot_learning``: for the same grid value_of_learning, cost_of_delay, pilot_cost, value_of_stopping,
    # each with its error; piloting first is the better of never and now, plus learning, less delay and cost.
    #
    # Errors take the draws as independent.
    rows: list[dict[str, Any]] = []
    learnt: list[dict[str, Any]] = []
    for value, (years, scatter) in product(VALUES, scatters.items()):
        decisions = _decisions(found[years], shown[years], scatter, value=value)
        for count, decision in zip(AREAS, decisions, strict=True):
            place = dict.fromkeys(("value_per_child_year", "value_per_harm_year"), value)
            place |= {"areas": count, "years": years}
            for name, payoff in decision.payoffs.items():
                worth = {"expected_payoff": payoff.value, "se": payoff.se, "best": name == decision.best}
                rows.append(place | {"strategy": name} | worth)
            for part in ("value_of_learning", "cost_of_delay", "pilot_cost", "value_of_stopping"):
                estimate = getattr(decision, part)
                place |= {part: estimate.value, f"{part}_se": estimate.se}
            learnt.append(place)
    return {"pilot_or_now": pd.DataFrame(rows), "pilot_learning": pd.DataFrame(learnt)}


def _decisions(
    found: Courses, shown: xr.Dataset, scatter: AuthorityScatter, *, value: float
) -> list[StagedDecision]:
    """One decision per number of pilot areas; what does not depend on it is worked out once."""
    payoffs = xr.Dataset({name: ("sample", course.worth(value)) for name, course in vars(found).items()})
    (after_step,) = _learned(
        payoffs["stopped"],
        payoffs["continued"],
        shown["steps"],
        errors=[study_error(scatter, areas=first_step_areas(scatter))],
    )
    errors = [study_error(scatter, areas=count) for count in AREAS]
    never = xr.zeros_like(payoffs["later"])
    chosen = _learned(never, payoffs["later"], shown["pilot"], errors=errors)
    return [
        compare_strategies(
            payoffs.assign(pilot=payoffs["pilot"] * count / PUBLISHED_AREAS),
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
