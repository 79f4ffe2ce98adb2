"""Which of many findings stand clear of Monte Carlo error: at three errors, or more where very many are tried."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from cba.costs.account import total_cost, total_saving
from cba.costs.prices import cash_index
from cba.decisions.draws import mcse_mean, mcse_probability
from cba.decisions.ratios import payback_year
from cba.discounting import discount_factors

if TYPE_CHECKING:
    from cba.appraisal.workings import Workings


ERRORS = 3.0
"""Errors a finding must be from nought, however few are tried."""


BY_CHANCE = 0.05
"""Chance that one or more of all that are tried is let in by error alone."""


def errors_asked(tried: int) -> float:
    """How many errors a finding must be from nought, given how many are tried.

    ``max(3, z)``, z the normal quantile at ``1 - 0.05 / (2 tried)``. `tried`: findings looked at, 1 or more.
    """
    # Bonferroni's bound: of ``tried`` findings that are nought, each is beyond z errors with probability
    # ``0.05 / tried``, so that any is with 0.05 at most.
    return max(ERRORS, NormalDist().inv_cdf(1.0 - BY_CHANCE / (2.0 * tried)))


def clear_of_chance(found: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Say which findings are not nought and further from it than error explains.

    Shape (finding,). A finding of exactly nought is never clear, even without an error. `found` (finding,).
    """
    size = np.abs(np.asarray(found, dtype=float))
    limit = errors_asked(max(size.size, 1)) * np.asarray(errors, dtype=float)
    return (size > 0.0) & (size >= limit)


# --- Summaries of draws: mean, median, equal-tailed interval and Monte Carlo standard error ---


Summary = dict[str, Any]
"""Label, unit, mean, median, lower, upper, level and mcse; None where undefined."""


def interval(draws: np.ndarray, *, level: float, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Equal-tailed interval that holds `level` of the draws along `axis`.

    Returns `lower`, `upper`: quantiles ``(1 - level) / 2`` and ``(1 + level) / 2``. `level`, in (0, 1).
    """
    tail = (1.0 - level) / 2.0
    lower, upper = np.quantile(draws, [tail, 1.0 - tail], axis=axis)
    return lower, upper


def quantity(draws: np.ndarray, *, label: str, unit: str, level: float, chains: int | None) -> Summary:
    """Headline entry of a quantity.

    Label, unit, mean, median, lower, upper, level and the Monte Carlo standard error of the mean.
    """
    lower, upper = interval(draws, level=level)
    return {
        "label": label,
        "unit": unit,
        "mean": float(draws.mean()),
        "median": float(np.median(draws)),
        "lower": float(lower),
        "upper": float(upper),
        "level": level,
        "mcse": mcse_mean(draws, chains=chains),
    }


def probability(event: np.ndarray, *, label: str, chains: int | None) -> Summary:
    """Headline entry of a probability: mean and standard error only.

    An event that happened in no draw, or in all, still has an error: half an event in the draws made.
    """
    error = mcse_probability(event, chains=chains)
    return {
        "label": label,
        "unit": "probability",
        "mean": float(event.mean()),
        "median": None,
        "lower": None,
        "upper": None,
        "level": None,
        "mcse": error,
    }


def undefined(*, label: str, unit: str) -> Summary:
    """Headline entry of a quantity that is not defined. Every number is None."""
    return {
        "label": label,
        "unit": unit,
        "mean": None,
        "median": None,
        "lower": None,
        "upper": None,
        "level": None,
        "mcse": None,
    }


def payback(draws: np.ndarray, *, label: str, level: float) -> Summary:
    """Headline entry of a payback year, where NaN means never within the horizon.

    Never counts as later than any year, so a quantile that falls on it is undefined, as is the mean as soon
    as one draw never pays back. `draws`: years ending 31 March, NaN for never.
    """
    late = np.sort(np.where(np.isnan(draws), np.inf, draws))
    tail = (1.0 - level) / 2.0

    def at(share: float) -> float | None:
        value = late[min(int(np.ceil(share * late.size)) - 1, late.size - 1)]
        return float(value) if np.isfinite(value) else None

    mean = None if np.isnan(draws).any() else float(draws.mean())
    return {
        "label": label,
        "unit": "year ending 31 March",
        "mean": mean,
        "median": at(0.5),
        "lower": at(tail),
        "upper": at(1.0 - tail),
        "level": level,
        "mcse": None,
    }


# --- Headline quantities of every option, each with its interval and Monte Carlo standard error ---


FEWER_CHILDREN = 30_000
"""Children fewer in care by the target year, as the review claims in all."""


ANNUAL_SAVING = 1e9
"""GBP a year that the review says shifts from care to help."""


SYSTEM_COST = 15e9
"""GBP a year that the review says the system costs without reform."""


REVIEW_YEAR = 2022
"""Price year of the review's figures of money: 2021-22."""


RATIO = "Benefit-cost ratio: cashable savings over programme, recurrent and allowance costs, ratio of means"


def headline_results(workings: Workings) -> dict[str, dict[str, Any]]:
    """Headline entries by key ``<quantity>.<option>``.

    Every quantity for every option; differences are against ``bau``, and what is undefined is None.
    """
    results: dict[str, dict[str, Any]] = {}
    for option in workings.accounts:
        for found in (_children(workings, option), _money(workings, option), _system(workings, option)):
            results.update({f"{name}.{option}": entry for name, entry in found.items()})
    return results


def _children(workings: Workings, option: str) -> dict[str, Any]:
    year = workings.inputs.analysis.target_year
    total = workings.arrays.children.sel(year=year)
    children = total.sel(option=option).values.sum(axis=-1)
    fewer = total.sel(option="bau").values.sum(axis=-1) - children
    say = _say(workings)
    return {
        "children_in_care_2032": quantity(
            children, label=f"Children looked after at 31 March {year}", unit="children", **say
        ),
        "fewer_children_2032": quantity(
            fewer,
            label=f"Fewer children looked after at 31 March {year} than under business as usual",
            unit="children",
            **say,
        ),
        "prob_fewer_30000_2032": probability(
            fewer >= FEWER_CHILDREN,
            chains=workings.chains,
            label=f"Probability of at least 30,000 fewer children in {year}",
        ),
    }


def _say(workings: Workings) -> dict[str, Any]:
    return {"level": workings.inputs.analysis.level, "chains": workings.chains}


def discounted(workings: Workings, amounts: np.ndarray) -> np.ndarray:
    """Present value over the headline horizon. `amounts` (sample, year), GBP."""
    analysis, years = workings.inputs.analysis, np.array(workings.years)
    offsets = years - analysis.start_year
    within = (offsets >= 0) & (offsets < analysis.horizon)
    return amounts[:, within] @ discount_factors(
        offsets[within], analysis.schedule, mid_year=analysis.mid_year
    )


def review_prices(workings: Workings) -> float:
    """Money of the price base that buys what one pound of the review's figures bought.

    ``index(price_base) / index(2022)``: the review's thresholds are in prices of 2021-22, and whether they
    are met must not depend on the price base of the run. `workings`: gives price base and deflator.
    """
    index = workings.basis.index
    return float(index.index(workings.basis.price_base) / index.index(REVIEW_YEAR))


def _money(workings: Workings, option: str) -> dict[str, Any]:
    analysis, account = workings.inputs.analysis, workings.accounts[option]
    year, base = analysis.target_year, analysis.price_base
    npv = workings.arrays.npv.sel(option=option).values
    savings = total_saving(account)
    saved = discounted(workings, savings)
    at_target = savings[:, workings.years.index(year)]
    say = _say(workings)
    found = {
        "npv_fiscal": quantity(npv, label="Fiscal net present value, all public payers", unit="GBP", **say),
        "gross_saving_total": quantity(
            saved, label="Cashable saving before programme cost, present value", unit="GBP", **say
        ),
        "annual_saving_2032": quantity(
            at_target, label=f"Cashable saving in {year}, real, prices of {base}", unit="GBP per year", **say
        ),
        "prob_annual_saving_1bn_2032": probability(
            at_target >= ANNUAL_SAVING * review_prices(workings),
            chains=workings.chains,
            label=f"Probability of a cashable saving of at least £1bn in {year}, 2021-22 prices",
        ),
    }
    return found | _verdict(workings, option, npv=npv, saved=saved)


def _verdict(workings: Workings, option: str, *, npv: np.ndarray, saved: np.ndarray) -> dict[str, Any]:
    """Whether it pays: probability of a net saving, ratio and payback; undefined for business as usual."""
    analysis, years = workings.inputs.analysis, "year ending 31 March"
    gain = "Probability of a net saving"
    late = f"Probability of not paying back within {analysis.horizon} years"
    first = "First year in which the cumulative discounted net saving is 0 or more and stays so"
    if option == "bau":
        return {
            "prob_npv_positive": undefined(label=gain, unit="probability"),
            "prob_never": undefined(label=late, unit="probability"),
            "bcr": undefined(label=RATIO, unit="ratio"),
            "payback_year": undefined(label=first, unit=years),
        }
    found = payback_draws(workings, option)
    return {
        "prob_npv_positive": probability(npv > 0, label=gain, chains=workings.chains),
        "bcr": _ratio(saved, discounted(workings, total_cost(workings.accounts[option])), **_say(workings)),
        "payback_year": payback(found, label=first, level=analysis.level),
        "prob_never": probability(np.isnan(found), label=late, chains=workings.chains),
    }


def payback_draws(workings: Workings, option: str) -> np.ndarray:
    """Year of payback in every draw. NaN for never within the horizon."""
    analysis = workings.inputs.analysis
    flow = workings.arrays.flows_long.sel(option=option)
    flow = flow.sel(year=slice(analysis.start_year, analysis.start_year + analysis.horizon - 1))
    return payback_year(flow, schedule=analysis.schedule, base_year=analysis.start_year).values


def _ratio(saved: np.ndarray, spent: np.ndarray, *, level: float, chains: int | None) -> dict[str, Any]:
    """Ratio of mean present values; interval of the ratio in each draw, error by the delta method."""
    if spent.mean() <= 0 or (spent <= 0).any():
        return undefined(label=RATIO, unit="ratio")
    entry = quantity(saved / spent, label=RATIO, unit="ratio", level=level, chains=chains)
    ratio = float(saved.mean() / spent.mean())
    return entry | {"mean": ratio, "mcse": mcse_mean((saved - ratio * spent) / spent.mean(), chains=chains)}


def _system(workings: Workings, option: str) -> dict[str, Any]:
    basis, year = workings.basis, workings.inputs.analysis.target_year
    real = workings.arrays.system_cost.sel(option=option, year=year, drop=True)
    to_cash = cash_index([year], price_base=basis.price_base, prices=basis.index).isel(year=0, drop=True)
    found: dict[str, Any] = {}
    for name, money, words in (
        ("cash", real * to_cash, "cash"),
        ("real", real / review_prices(workings), "2021-22 prices"),
    ):
        draws = money.values
        found[f"system_cost_2032_{name}"] = quantity(
            draws,
            label=f"Yearly cost of looked-after children, safeguarding and family support, {year}, {words}",
            unit="GBP per year",
            **_say(workings),
        )
        found[f"prob_system_cost_15bn_2032_{name}"] = probability(
            draws >= SYSTEM_COST,
            chains=workings.chains,
            label=f"Probability that it is at least £15bn in {year}, {words}",
        )
    return found


# --- Headline quantities draw by draw, for paired differences between worlds; no table is built ---


WITHOUT_MEAN = ("payback_year",)
"""Headline quantities that are no mean of draws: a year that need not come."""


def headline_draws(workings: Workings, *, options: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Draws of every headline quantity that is a mean.

    By key ``<quantity>.<option>``, in units of the quantity; events are 0 or 1. Quantities that are
    undefined, and those of `WITHOUT_MEAN`, are left out.
    """
    # A ratio of means R = E[s] / E[c] has rows ``R + (s - R c) / E[c]``: their mean is R and their error that
    # of R by the delta method.
    found: dict[str, np.ndarray] = {}
    for option in workings.accounts if options is None else options:
        rows = (
            _children_of_headline_draws(workings, option)
            | _money_of_headline_draws(workings, option)
            | _system_of_headline_draws(workings, option)
        )
        found |= {f"{name}.{option}": row for name, row in rows.items()}
    return found


def _children_of_headline_draws(workings: Workings, option: str) -> dict[str, np.ndarray]:
    total = workings.arrays.children.sel(year=workings.inputs.analysis.target_year)
    children = total.sel(option=option).values.sum(axis=-1)
    fewer = total.sel(option="bau").values.sum(axis=-1) - children
    return {
        "children_in_care_2032": children,
        "fewer_children_2032": fewer,
        "prob_fewer_30000_2032": (fewer >= FEWER_CHILDREN).astype(float),
    }


def _money_of_headline_draws(workings: Workings, option: str) -> dict[str, np.ndarray]:
    account, year = workings.accounts[option], workings.inputs.analysis.target_year
    npv = workings.arrays.npv.sel(option=option).values
    savings = total_saving(account)
    saved = discounted(workings, savings)
    at_target = savings[:, workings.years.index(year)]
    enough = at_target >= ANNUAL_SAVING * review_prices(workings)
    found = {
        "npv_fiscal": npv,
        "gross_saving_total": saved,
        "annual_saving_2032": at_target,
        "prob_annual_saving_1bn_2032": enough.astype(float),
    }
    if option == "bau":
        return found
    spent = discounted(workings, total_cost(account))
    if spent.mean() > 0 and not (spent <= 0).any():
        ratio = saved.mean() / spent.mean()
        found["bcr"] = ratio + (saved - ratio * spent) / spent.mean()
    never = np.isnan(payback_draws(workings, option))
    return found | {"prob_npv_positive": (npv > 0).astype(float), "prob_never": never.astype(float)}


def _system_of_headline_draws(workings: Workings, option: str) -> dict[str, np.ndarray]:
    basis, year = workings.basis, workings.inputs.analysis.target_year
    real = workings.arrays.system_cost.sel(option=option, year=year, drop=True)
    to_cash = cash_index([year], price_base=basis.price_base, prices=basis.index).isel(year=0, drop=True)
    found = {}
    for name, money in (("cash", real * to_cash), ("real", real / review_prices(workings))):
        found[f"system_cost_2032_{name}"] = money.values
        found[f"prob_system_cost_15bn_2032_{name}"] = (money.values >= SYSTEM_COST).astype(float)
    return found


# --- What drives the result of one option: tornado, shares of variance and switching values, from the … ---


LEAD = "care_review"


def lead_option(workings: Workings) -> str:
    """The option that a report follows: the review's programme where appraised, else the first but BAU."""
    others = [option for option in workings.accounts if option != "bau"]
    return LEAD if LEAD in others else others[0]


# --- Every table of the decision analysis, each where it is asked for: cheap ones always, costly ones … ---


def of_headline_stance(workings: Workings) -> bool:
    """Whether these are all the draws of the analysis's first stance: only then is learning valued.

    False for other stances, and for draws conditioned on the review's claims.
    """
    analysis = workings.inputs.analysis
    every = workings.arrays.npv.sizes["sample"] == analysis.draws
    return every and workings.inputs.stance == analysis.stances[0]


# --- The review's claims: how likely the evidence makes them, and what the draws that meet them look … ---


FROM_FAMILY_HELP = 17_000


IN_ALL = FEWER_CHILDREN
