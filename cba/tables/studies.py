"""Studies that could be bought: what each would show, how sharply by its size, what it costs and when it reports.

What a study shows carries the bias of its design and, where the country is not the place studied, the loss in a
roll-out: both are drawn with the truth, so that no size of the study removes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.quantities import fewer_children, lead_option
from cba.appraisal.workings import Workings
from cba.decisions.regression import MINIMUM_DRAWS
from cba.decisions.studies import enbs, evsi_with_covariance, optimal_design, population_value
from cba.errors import InputError
from cba.inputs.files import priors_folder
from cba.inputs.priors import load_priors
from cba.models.authority_pilots import YEARS
from cba.models.parameters import ROLL_OUT
from cba.models.sampling import normal_settings
from cba.models.studies import ESTIMANDS, FAMILY_HELP
from cba.tables.catalogue import BY_ROW, MONEY, Table, catalogued_together, enough_to_learn, own_fits
from cba.tables.decisions import RISK_VALUES
from cba.tables.fit_checks import weighted_quantiles
from cba.tables.pilots import (
    PUBLISHED_AREAS,
    SET_UP_AND_REPORT,
    Course,
    Courses,
    contrast,
    pilot_by_length,
    pilot_errors,
    shown_effects,
)

FEWEST_STARTS = 10
"""Authorities with fewer starts a year are left out: the log of a handful says nothing."""


TRIAL_FAMILIES = (500, 1_500, 5_000, 15_000, 50_000)


RETURN_AUTHORITIES = (5, 10, 25, 50, 100, 150)


FAMILIES_PER_AUTHORITY = 1511 / 21
"""Families randomised for each authority taking part, as in the trial of family group conferences (Taylor et al.
2024, British Journal of Social Work)."""


TRIAL_WAIT = 4
"""Years until a trial can be acted on: a year to set up, one to recruit, one to follow up, one to report."""


MEAN_DRAWS = 4000
"""Draws that means of costs are taken over."""


MIDPOINTS = (np.arange(4000) + 0.5) / 4000
"""Probabilities whose quantiles stand for a whole distribution."""


NEEDED = (
    "pathfinder.evaluation_fixed",
    "pathfinder.evaluation_per_area",
    "trial.fixed",
    "trial.per_family",
    "cost_return.fixed",
    "cost_return.per_authority",
    "cost_return.help_spread",
    "cost_return.help_error",
    "cost_return.avoidable_spread",
    "cost_return.avoidable_error",
)
"""Entries a file of what studies cost must hold."""


RETURN_WAIT = 2
"""Years until a return of costs can be acted on: one to make it, one to publish it."""


@dataclass(frozen=True)
class StudyDesign:
    """One kind of study at several sizes."""

    name: str  # ``pathfinder_<years>``, ``trial``, ``cost_return_help`` or ``cost_return_homes``
    unit: str  # what `sizes` counts
    sizes: tuple[int, ...]
    standard_errors: tuple[float, ...]  # of the estimate, by size, in the units of `shown`, > 0
    # Dims (sample,): what an endless study of this kind would show in the state of the world of the draw.
    shown: xr.DataArray
    wait: int  # years from the first year of the analysis until the result can be acted on
    fixed_cost: float  # GBP of the price base
    cost_per_unit: float  # GBP of the price base
    # Money and children of the service that one unit of size is given; None where the study gives none.
    service: Course | None = None


def studies_on_offer(workings: Workings) -> list[StudyDesign]:
    """Designs an analysis can be asked about: those that report before its horizon."""
    price = study_costs(workings)
    horizon = workings.inputs.analysis.horizon
    lengths = [years for years in YEARS if years + SET_UP_AND_REPORT < horizon]
    pilots = pilot_by_length(workings, sorted({1, *lengths}))
    designs = [_pathfinder(workings, price, pilots[years], years=years) for years in lengths]
    # Costs on a common definition: what a child served for a year costs, and what one placement fewer avoids.
    value = workings.system.value
    helped, avoidable = np.log(value("family_help.cost_per_child")), value("avoidable.childrens_home")
    designs.append(_trial(workings, price, pilots[1]))
    designs.append(_cost_return(workings, price, "help", asked="help", truth=helped))
    designs.append(_cost_return(workings, price, "homes", asked="avoidable", truth=avoidable))
    return [design for design in designs if design.wait < horizon]


def study_costs(workings: Workings, path: str | Path | None = None) -> dict[str, float]:
    """Expected cost and sharpness of studies, money in the price base of the run.

    By entry; means of the stated distributions.
    """
    entries = load_priors(priors_folder() / "studies" if path is None else path)
    drawn = entries.sample(MEAN_DRAWS, seed=workings.inputs.analysis.seed)
    years = {name: entries[name].price_year for name in NEEDED}
    return {name: float(drawn[name].mean()) * _to_price_base(workings, year) for name, year in years.items()}


def _to_price_base(workings: Workings, price_year: int | None) -> float:
    """Ratio of mean price levels: costs of studies are means, and no draw of prices goes with one of them."""
    if price_year is None:
        return 1.0
    index = workings.basis.index
    return float(np.mean(index.index(workings.basis.price_base)) / np.mean(index.index(price_year)))


def _pathfinder(workings: Workings, price: dict[str, float], pilot: Course, *, years: int) -> StudyDesign:
    """Areas with help, or with more of it, against the other authorities, for so many years."""
    alone = Courses(now=pilot, later=pilot, pilot=pilot, continued=pilot, stopped=pilot)
    _, shown = shown_effects(workings, alone, years=years)
    errors, part = pilot_errors(years)["standard_error"], contrast(workings.inputs.analysis)
    return StudyDesign(
        name=f"pathfinder_{years}",
        unit="authorities",
        sizes=tuple(map(int, errors.index)),
        standard_errors=tuple(errors / part),
        shown=shown["pilot"],
        wait=years + SET_UP_AND_REPORT,
        fixed_cost=price["pathfinder.evaluation_fixed"],
        cost_per_unit=price["pathfinder.evaluation_per_area"],
        service=pilot.scaled(part / PUBLISHED_AREAS),
    )


def _trial(workings: Workings, price: dict[str, float], pilot: Course) -> StudyDesign:
    """Families offered help by lot or not, followed for a year until a child starts to be looked after.

    The log risk ratio of one child a family, half of the families served for a year. Errors are those of two
    binomials, averaged over what is believed of both risks, and of effects that differ between authorities.
    """
    system = workings.system
    log_ratio = system.value("family_help.log_risk_ratio") / (1.0 - system.value("effects.attenuation"))
    risk = system.value("family_help.yearly_entry_risk")
    served = np.minimum(risk * np.exp(log_ratio), 1.0)
    events = float(np.mean((1.0 - risk) / risk + (1.0 - served) / served))
    # as believed beforehand: no study so far shows how far authorities differ
    spread = workings.inputs.priors["effects.authority_spread"].fitted.ppf(MIDPOINTS)
    variance = 2.0 * events + FAMILIES_PER_AUTHORITY * float(
        np.mean(spread**2)
    )  # times the number of families
    child_years = float((pilot.coverage.sum(axis=1) * system.value("family_help.eligible_children")).mean())
    mean, sd = normal_settings(workings.inputs.priors, "effects.bias_rct")
    # a bias in favour of the programme shows as a lower risk than there is
    shown = log_ratio - _noise(workings, "trial", mean=mean, sd=sd)
    return StudyDesign(
        name="trial",
        unit="families",
        sizes=TRIAL_FAMILIES,
        standard_errors=tuple((variance / count) ** 0.5 for count in TRIAL_FAMILIES),
        shown=xr.DataArray(shown, dims="sample"),
        wait=TRIAL_WAIT,
        fixed_cost=price["trial.fixed"],
        cost_per_unit=price["trial.per_family"],
        service=pilot.scaled(0.5 / child_years),
    )


def _cost_return(
    workings: Workings, price: dict[str, float], name: str, *, asked: str, truth: np.ndarray
) -> StudyDesign:
    """What authorities report of a cost. `asked`: the entries that say how well they know it."""
    spread = price[f"cost_return.{asked}_spread"]
    noise = _noise(workings, f"{name}_return", mean=0.0, sd=price[f"cost_return.{asked}_error"])
    return StudyDesign(
        name=f"cost_return_{name}",
        unit="authorities",
        sizes=RETURN_AUTHORITIES,
        standard_errors=tuple(spread / count**0.5 for count in RETURN_AUTHORITIES),
        shown=xr.DataArray(truth + noise, dims="sample"),
        wait=RETURN_WAIT,
        fixed_cost=price["cost_return.fixed"],
        cost_per_unit=price["cost_return.per_authority"],
    )


def _noise(workings: Workings, study: str, *, mean: float, sd: float) -> np.ndarray:
    """Bias that is the same whatever the size of the study, one per state of the world."""
    words = [workings.inputs.analysis.seed, *study.encode()]
    draws = workings.system.parameters.sizes["sample"]
    return np.random.default_rng(words).normal(mean, sd, draws)


# --- What is under way: what each awaited result would do to the headline, worked out before any is read ---


RATIOS_FOUND = (0.8, 0.9, 1.0, 1.1)
"""Risk ratios an awaited study may find."""


FEWEST_EFFECTIVE = 100
"""Effective draws below which weighed draws give no answer."""


def stepped_wedge_error(
    authorities: int, *, steps: int, step_years: float, children: float, risk: float, yearly_sd: float
) -> float:
    """Standard error of the log risk ratio of a trial whose authorities start one step after the other.

    `children` in all; `risk` of one of them; `yearly_sd` of an authority's own walk of log starts, a year.
    """
    # Weighted least squares over the cells of authority and period, levels of both free, as Hussey and Hughes (2007,
    # Contemporary Clinical Trials 28:182) but for the walk: with V of one authority's periods and X their columns,
    #     var = [(sum X' V^-1 X)^-1]_11,   V = (1 - p) / (m p) I + (sd^2 step) min(s, t),   m children to a cell.
    period = np.arange(steps + 1)
    counting = (1.0 - risk) / (risk * children / (authorities * period.size))
    inverse = np.linalg.inv(
        counting * np.eye(period.size) + yearly_sd**2 * step_years * np.minimum.outer(period, period)
    )
    columns = [
        np.column_stack([period > i % steps, np.eye(period.size)[:, 1:], np.outer(period >= 0, own)])
        for i, own in enumerate(np.eye(authorities))
    ]
    information = sum(x.T @ inverse @ x for x in columns)
    return float(np.sqrt(np.linalg.inv(information)[0, 0]))


def awaited_errors(workings: Workings) -> np.ndarray:
    """Standard error that the design of each awaited study gives it; NaN where its size is not published."""
    seen, awaited = workings.inputs.observations, workings.inputs.evidence.awaited
    starts = seen["starts_by_authority"]
    before = starts.where(starts >= FEWEST_STARTS)
    change = xr.apply_ufunc(np.log, starts.where(starts > 0) / before.shift(year=1))
    most = change.count("authority")
    spread = change.var("authority", ddof=1).where(most > most.max() / 2).mean()
    walk = max(float(spread - (2.0 / before).mean()), 0.0) ** 0.5
    referred = seen["children_in_need"].sel(measure="children_referred")
    # of the last year both are known; releases before 2022 hold no referrals, and then there is no error to give
    risk = float(np.append(np.nan, (seen["non_uasc_starts"] / referred).dropna("year"))[-1])
    found = {}
    for row in awaited.dropna(subset=["steps", "children"]).itertuples():
        size: dict[str, Any] = {"steps": int(row.steps), "children": row.children, "risk": risk}
        size |= {"step_years": row.step_months / 12.0, "yearly_sd": walk}
        found[row.study_id] = stepped_wedge_error(int(row.authorities), **size)
    return awaited["study_id"].map(found).to_numpy(float)


@catalogued_together(
    Table("awaited_studies", "Studies whose results are not in", BY_ROW),
    Table("awaited_evidence", "What each awaited result would do to the headline", MONEY),
    once=True,
    needs=own_fits,
)
def awaited_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """Which results are awaited, and what effect and headline would be after each that may be found."""
    # A result found is that of a setting of its class of service in England, at small scale, with the bias of a trial
    # of areas. Draws are weighed by its likelihood, ln RR ~ N(class mean + bias, se^2 + heterogeneity^2 + bias_sd^2);
    # with too few effective draws, or without a published size, there is no answer.
    awaited, errors = workings.inputs.evidence.awaited, awaited_errors(workings)
    posterior, option = workings.effects["posterior"].to_dataset(), lead_option(workings)
    spread = posterior["heterogeneity"].sel(estimand=FAMILY_HELP).values.ravel()
    bias, bias_sd = normal_settings(workings.inputs.priors, "effects.area_bias_rct")
    quantities = {
        "effect": np.exp(workings.system.value(ROLL_OUT[FAMILY_HELP])),
        "fewer_children": fewer_children(workings, option),
        "npv": workings.arrays.npv.sel(option=option).values,
    }
    ends = tuple((1.0 + side * workings.inputs.analysis.level) / 2.0 for side in (-1, 1))
    rows = []
    for (study, se), ratio in product(zip(awaited.itertuples(), errors, strict=True), RATIOS_FOUND):
        means = posterior["class_mean"].sel(service_class=study.service_class).values.ravel()
        sd = np.sqrt(se**2 + spread**2 + bias_sd**2)
        away = (np.log(ratio) - means - ESTIMANDS[FAMILY_HELP].favours * bias) / sd
        likelihood = np.exp(-0.5 * away**2) / sd
        weights = likelihood / likelihood.sum()
        effective = 1.0 / (weights**2).sum()
        row = {"study_id": study.study_id, "risk_ratio_found": ratio, "se": se, "effective_draws": effective}
        weights = weights if effective >= FEWEST_EFFECTIVE else np.full(weights.size, np.nan)
        for name, draws in quantities.items():
            lower, upper = weighted_quantiles(draws, weights, ends)
            row |= {f"{name}_mean": weights @ draws, f"{name}_lower": lower, f"{name}_upper": upper}
        rows.append(row | {"prob_npv_positive": weights @ (quantities["npv"] > 0)})
    return {"awaited_studies": awaited.assign(se=errors), "awaited_evidence": pd.DataFrame(rows)}


# --- What finding out is worth: value and net value of pathfinders, a trial and better cost returns, … ---


ENDLESS = 1e-3
"""Standard error of a study without sampling error, as a share of the spread of what it shows."""


KEY = ["value_per_child_year", "design"]


@catalogued_together(
    Table("study_values", "Value of studies by size", MONEY),
    Table("optimal_studies", "Best size of each study", MONEY),
    once=True,
    needs=enough_to_learn,
)
def study_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """What each study that could be bought would be worth, by its size."""
    values = study_values(workings)
    return {"study_values": values, "optimal_studies": optimal_studies(values)}


def study_values(workings: Workings, *, values: Sequence[float] = RISK_VALUES) -> pd.DataFrame:
    """Expected value of sample information and expected net benefit of sampling, by study and size."""
    # Columns value_per_child_year, design, unit, size, standard_error, years_to_decision, best_without (the
    # option with the highest expected payoff without a study), evsi, evsi_se (once for the country, were the
    # result known at the start), evsi_endless (of a study without sampling error: what no size of this design
    # exceeds), value, cost (both GBP, present value), enbs, enbs_se, prob_positive, best (the size with the
    # highest enbs of its design and value), near_best (sizes that cannot be told from it).
    #
    # The choice is among all options of the analysis, for payoff ``U = NPV + lambda (CY_safe - H)``. A
    # result that arrives in year w serves the rest of the horizon T only, so
    #     ``value = EVSI x sum_{t=w}^{T-1} f(t) / sum_{t=0}^{T-1} f(t)``
    # with f the discount factors of the analysis: (T - w) / T at 0%. It takes payoffs as spread evenly over
    # the horizon and the study as done before anything is rolled out; delay of one option year by year is in
    # ``pilot_or_now``. The cost is that of the study and of its service, less what the service saves and, at
    # the same lambda, does for the families in it: below zero where the service is worth its money. Costs are
    # expected values, the error of `enbs` is that of `evsi`, and draws are taken as independent.
    _require_own_draws(workings)
    if not len(values) or not all(np.isfinite(value) and value >= 0 for value in values):
        raise InputError(
            "a child-year cannot have this value",
            field="values",
            found=list(values),
            allowed="one or more finite values, 0 or above, GBP",
        )
    analysis, arrays, designs = workings.inputs.analysis, workings.arrays, studies_on_offer(workings)
    frames = []
    for value in values:
        payoff = arrays.npv + value * arrays.child_years_safe - value * arrays.child_years_harm
        best = str(payoff["option"].values[int(payoff.mean("sample").argmax("option"))])
        for design in designs:
            left = remaining_share(wait=design.wait, horizon=analysis.horizon, schedule=analysis.schedule)
            served = 0.0 if design.service is None else float(design.service.worth(value).mean())
            table = _one_study(design, payoff, left=left, unit_cost=design.cost_per_unit - served)
            table.insert(0, "value_per_child_year", float(value))
            table.insert(6, "best_without", best)
            frames.append(table)
    return pd.concat(frames, ignore_index=True)


def optimal_studies(table: pd.DataFrame) -> pd.DataFrame:
    """Best size of each design, with the sizes it cannot be told from.

    Columns value_per_child_year, design, unit, size, lower, upper, enbs, enbs_se, worth_doing; `worth_doing`
    where the best net value is above zero: otherwise the best study of this design is none.
    """
    near = table[table["near_best"]].groupby(KEY, sort=False)["size"].agg(["min", "max"])
    best = table[table["best"]].set_index(KEY)
    joined = best.join(near).rename(columns={"min": "lower", "max": "upper"}).reset_index()
    joined["worth_doing"] = joined["enbs"] > 0
    return joined[[*KEY, "unit", "size", "lower", "upper", "enbs", "enbs_se", "worth_doing"]]


def remaining_share(
    *, wait: int, horizon: int, schedule: str | None = None, rate: float | None = None
) -> float:
    """Share of a choice's discounted years that is left when a study reports.

    From 0 (too late) to 1 (at once). `wait`, >= 0; `horizon`, >= 1; `rate`, > -1.
    """
    whole, missed = (
        population_value(1.0, population=1.0, years=years, schedule=schedule, rate=rate)
        for years in (horizon, min(wait, horizon))
    )
    return (whole - missed) / whole


def _one_study(design: StudyDesign, payoff: xr.DataArray, *, left: float, unit_cost: float) -> pd.DataFrame:
    """Every size of one design at one value of a child-year."""
    endless = ENDLESS * float(design.shown.std())
    known = evsi_with_covariance(
        payoff.drop_vars("sample", errors="ignore"),
        design.shown.drop_vars("sample", errors="ignore"),
        standard_errors=[*design.standard_errors, endless],
    )
    sizes = known.table.iloc[:-1].assign(design=design.sizes)
    net = enbs(sizes, population_factor=left, fixed_cost=design.fixed_cost, cost_per_unit=unit_cost)
    joint = left**2 * known.covariance[:-1, :-1]
    chosen = optimal_design(net, covariance=joint)
    size = np.asarray(design.sizes)
    return pd.DataFrame(
        {
            "design": design.name,
            "unit": design.unit,
            "size": size,
            "standard_error": design.standard_errors,
            "years_to_decision": design.wait,
            "evsi": sizes["evsi"],
            "evsi_se": sizes["se"],
            "evsi_endless": known.table["evsi"].iloc[-1],
            "value": left * sizes["evsi"],
            "cost": design.fixed_cost + unit_cost * size,
            "enbs": net["enbs"],
            "enbs_se": net["se"],
            "prob_positive": net["prob_positive"],
            "best": size == chosen.design,
            "near_best": (size >= chosen.lower) & (size <= chosen.upper),
        }
    )


def _require_own_draws(workings: Workings) -> None:
    """Refuse draws that stand for what somebody claimed, not for what anybody believes."""
    analysis, draws = workings.inputs.analysis, workings.arrays.npv.sizes["sample"]
    if workings.inputs.stance == "review" or draws != analysis.draws:
        raise InputError(
            "the value of a study cannot be asked of draws conditioned on a claim",
            field="stance",
            found=f"{workings.inputs.stance}, {draws} of {analysis.draws} draws",
            allowed="all draws of evidence, sceptical or a mixture of them",
            cause="the review stance, which is the evidence given that the review's claims are met",
            remedy="work through the analysis under `evidence` or `sceptical`",
        )
    if draws < MINIMUM_DRAWS:
        raise InputError(
            "there are too few draws to say what learning is worth",
            field="draws",
            found=draws,
            allowed=f"{MINIMUM_DRAWS} or more",
            cause="a trial run",
            remedy="raise `draws` in the analysis",
        )
