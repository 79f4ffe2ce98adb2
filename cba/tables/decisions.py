"""Which option is best as a child-year at home is worth more: acceptability, frontier and the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.quantities import (
    FEWER_CHILDREN,
    FROM_FAMILY_HELP,
    IN_ALL,
    clear_of_chance,
    interval,
    lead_option,
    payback_draws,
)
from cba.decisions.choice import (
    acceptability,
    break_even_value,
    cost_effectiveness_frontier,
    plane_quadrants,
    probability_at_least,
    ranking_probabilities,
    regret_table,
    stochastic_dominance,
)
from cba.decisions.information import conditional_mean, evpi_with_error, evppi_by_threshold, tornado
from cba.decisions.ratios import payback_year, switching_value
from cba.decisions.shares import shapley_effects
from cba.inputs.analyses import refuse_review
from cba.tables.assumptions import UNGRADED, described
from cba.tables.society import CARE_CLAIM, claimed_amount, years_in_care

if TYPE_CHECKING:
    from cba.appraisal.workings import Workings


VALUES = (
    0.0,
    *(step * 10.0**power for power in (4, 5, 6) for step in (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)),
    1e7,
)
"""GBP per child-year safely at home: nothing, then ten steps a decade to well above every anchor."""  # fmt: skip


def net_effects(workings: Workings) -> xr.DataArray:
    """Discounted child-years at home less those that are harm, each counted as heavily as a safe one.

    Dims (sample, option), child-years. ``CY_safe - H``: what the value of a child-year multiplies in tables
    that are read along it.
    """
    return workings.arrays.child_years_safe - workings.arrays.child_years_harm


def acceptability_table(workings: Workings) -> pd.DataFrame:
    """Expected net benefit and chance of being best, by option and value of a child-year.

    Columns value_per_child_year, option, net_benefit and net_benefit_se (GBP, present value, against business
    as usual), prob_best, mcse, best (highest expected net benefit).
    """
    # Net benefit is ``NPV + lambda (CY_safe - H)``. Errors take the draws as independent.
    cost, effect = -workings.arrays.npv, net_effects(workings)
    curves = acceptability(cost, effect, VALUES)
    draws, options = cost.sizes["sample"], list(curves["option"].values)
    spread = _spread(cost, effect, np.array(VALUES))
    best = curves["best"].values[:, None] == np.array(options)[None, :]
    return pd.DataFrame(
        {
            "value_per_child_year": np.repeat(VALUES, len(options)),
            "option": options * len(VALUES),
            "net_benefit": curves["eib"].transpose("threshold", "option").values.ravel(),
            "net_benefit_se": (spread / np.sqrt(draws)).ravel(),
            "prob_best": curves["ceac"].transpose("threshold", "option").values.ravel(),
            "mcse": share_error(curves["ceac"].transpose("threshold", "option").values, draws).ravel(),
            "best": best.ravel(),
        }
    )


def best_option_table(workings: Workings) -> pd.DataFrame:
    """The option to choose at each value of a child-year, how surely it is best, and what being sure is worth.

    Columns value_per_child_year, best, label, prob_best (the acceptability frontier), mcse, evpi, evpi_se
    (GBP, present value, once for the country).
    """
    npv, effect = workings.arrays.npv, net_effects(workings)
    curves = acceptability(-npv, effect, VALUES)
    labels = {option.id: option.label for option in workings.inputs.options}
    money, gain = (array.transpose("sample", "option").values for array in (npv, effect))
    regrets = [_regret_of_best(money + value * gain) for value in VALUES]
    return pd.DataFrame(
        {
            "value_per_child_year": VALUES,
            "best": curves["best"].values,
            "label": [labels[str(name)] for name in curves["best"].values],
            "prob_best": curves["ceaf"].values,
            "mcse": share_error(curves["ceaf"].values, npv.sizes["sample"]),
            "evpi": curves["evpi"].values,
            "evpi_se": [regret.std(ddof=1) / np.sqrt(regret.size) for regret in regrets],
        }
    )


def frontier_table(workings: Workings) -> pd.DataFrame:
    """Options by mean cost and mean child-years, with strong and extended dominance.

    Columns option, cost (GBP, net, present value), effect (child-years less harm), status ("frontier",
    "dominated", "extended"), versus, incremental_cost, incremental_effect, icer (GBP per child-year).
    """
    return cost_effectiveness_frontier(-workings.arrays.npv, net_effects(workings))


def plane_table(workings: Workings) -> pd.DataFrame:
    """Probability of each quadrant of the cost-effectiveness plane, against business as usual.

    Columns option, better_cheaper, better_dearer, worse_cheaper, worse_dearer: "better" is more child-years
    at home less harm, "cheaper" a net saving. Rows sum to one.
    """
    return plane_quadrants(-workings.arrays.npv, net_effects(workings))


def share_error(share: np.ndarray, draws: int) -> np.ndarray:
    """Monte Carlo standard error of shares of independent draws.

    ``sqrt(p (1 - p) / n)``; what happened in no draw, or in all, still has that of half a draw.
    """
    inside = np.clip(share, 0.5 / draws, 1.0 - 0.5 / draws)
    return np.sqrt(inside * (1.0 - inside) / draws)


def _regret_of_best(payoff: np.ndarray) -> np.ndarray:
    """By how much the option with the highest mean falls short of the best one of each draw, (sample,)."""
    return payoff.max(axis=1) - payoff[:, payoff.mean(axis=0).argmax()]


def _spread(cost: xr.DataArray, effect: xr.DataArray, values: np.ndarray) -> np.ndarray:
    """Standard deviation over draws of net benefit against the first option, (value, option)."""
    money, gain = (
        (
            array.transpose("sample", "option").values
            - array.isel(option=[0]).transpose("sample", "option").values
        )
        for array in (-cost, effect)
    )
    money, gain = money - money.mean(axis=0), gain - gain.mean(axis=0)
    parts = [(one * two).mean(axis=0) for one, two in ((money, money), (money, gain), (gain, gain))]
    grid = values[:, None]
    return np.sqrt(np.maximum(parts[0] + 2.0 * grid * parts[1] + grid**2 * parts[2], 0.0))


# --- Attitudes to risk and ranks: worst cases and regret beside expected value, ranks and dominance of … ---


RISK_VALUES = (0.0, 100e3, 500e3, 2.5e6)
"""GBP per child-year safely at home: cash alone, then values around and above the anchors."""


TAIL = 0.05
"""Share of draws counted as the worst."""


def risk_table(workings: Workings) -> pd.DataFrame:
    """Expected value of each option beside its worst cases and its regret."""
    # Columns value_per_child_year, option, mean, mean_se, cvar (mean of the worst 5% of draws), expected_loss
    # (mean regret: the shortfall from the best option of each draw), worst_loss (99th percentile of regret),
    # prob_best, prob_negative: GBP, present value, and probabilities, these with their errors (``_se``).
    frames = []
    for value in RISK_VALUES:
        frame = regret_table(_payoff(workings, value), tail=TAIL)
        frame.insert(0, "value_per_child_year", value)
        for share in ("prob_best", "prob_negative"):
            frame[f"{share}_se"] = share_error(frame[share].to_numpy(), workings.arrays.npv.sizes["sample"])
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def ranking_table(workings: Workings) -> pd.DataFrame:
    """Rank of each option by its payoff, over common draws.

    Columns value_per_child_year, option, mean, mean_se, lower, upper (rank, 1 is best), prob_first,
    prob_last, prob_beats_bau, and the errors of these three (``_se``).
    """
    level, frames = workings.inputs.analysis.level, []
    for value in RISK_VALUES:
        payoff = _payoff(workings, value)
        draws, options = payoff.transpose("sample", "option").values.shape
        order = np.argsort(-payoff.transpose("sample", "option").values, axis=1, kind="stable")
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.arange(1, options + 1)[None, :], axis=1)
        lower, upper = interval(ranks, level=level)
        frame = pd.DataFrame(
            {
                "value_per_child_year": value,
                "option": payoff["option"].values,
                "mean": ranks.mean(axis=0),
                "mean_se": ranks.std(axis=0, ddof=1) / np.sqrt(draws),
                "lower": lower,
                "upper": upper,
                "prob_first": (ranks == 1).mean(axis=0),
                "prob_last": (ranks == options).mean(axis=0),
                "prob_beats_bau": (payoff > payoff.isel(option=0)).mean("sample").values,
            }
        )
        for share in ("prob_first", "prob_last", "prob_beats_bau"):
            frame[f"{share}_se"] = share_error(frame[share].to_numpy(), draws)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def rank_probabilities_table(workings: Workings) -> pd.DataFrame:
    """Probability of each rank of each option.

    Columns value_per_child_year, option, rank (1 is best), probability, mcse.
    """
    frames = []
    for value in RISK_VALUES:
        payoff = _payoff(workings, value)
        shares = ranking_probabilities(payoff)
        frame = shares.to_dataframe().reset_index()[["option", "rank", "probability"]]
        frame["mcse"] = share_error(frame["probability"].to_numpy(), payoff.sizes["sample"])
        frame.insert(0, "value_per_child_year", value)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def dominance_table(workings: Workings) -> pd.DataFrame:
    """Pairs of options of which one is preferred whatever the attitude to risk.

    Columns value_per_child_year, option, other, preferred_by: "everyone" (first order: nowhere worse in
    distribution) or "everyone who dislikes risk" (second order only). Pairs without dominance are left out.
    """
    rows = []
    for value in RISK_VALUES:
        payoff = _payoff(workings, value)
        first, second = (stochastic_dominance(payoff, order=order).values for order in (1, 2))
        names = [str(name) for name in payoff["option"].values]
        for one, two in zip(*np.nonzero(first | second), strict=True):
            who = "everyone" if first[one, two] else "everyone who dislikes risk"
            rows.append((value, names[one], names[two], who))
    return pd.DataFrame(rows, columns=["value_per_child_year", "option", "other", "preferred_by"])


def _payoff(workings: Workings, value: float) -> xr.DataArray:
    return workings.arrays.npv + value * net_effects(workings)


# --- How likely targets are: fewer children by each year, and payback year by payer ---


FEWER = (1_000, 2_500, 5_000, 10_000, FROM_FAMILY_HELP, IN_ALL)
"""Numbers of children fewer in care; the last two are the review's, of family help and in all."""


def fewer_children_chances(workings: Workings) -> pd.DataFrame:
    """Probability of at least so many fewer children in care, by option and year.

    Columns option, year, fewer_children, probability, mcse. Errors take the draws as independent.
    """
    analysis = workings.inputs.analysis
    total = workings.arrays.children.sum("age")
    total = total.sel(year=slice(analysis.start_year, None))
    options = [name for name in total["option"].values if name != "bau"]
    fewer = (total.sel(option="bau", drop=True) - total.sel(option=options)).transpose(
        "sample", "option", "year"
    )
    chances = probability_at_least(fewer, FEWER)["probability"].transpose("option", "year", "target")
    table = (
        chances.to_series().rename("probability").reset_index().rename(columns={"target": "fewer_children"})
    )
    table["mcse"] = share_error(table["probability"].to_numpy(), fewer.sizes["sample"])
    return table[["option", "year", "fewer_children", "probability", "mcse"]]


def payback_by_payer(workings: Workings) -> pd.DataFrame:
    """Probability of each payback year, payer by payer.

    Columns option, payer, year, probability, cumulative, mcse (of the probability).
    """
    # A missing year is never within the horizon, where `cumulative` is missing too. A payer without money in
    # an option is left out.
    #
    # Payback is the first year from which a payer's cumulative discounted net saving stays at or above zero;
    # one who never pays is ahead from the first year. Errors take the draws as independent.
    analysis, flow = workings.inputs.analysis, workings.arrays.cash_flow
    years = list(range(analysis.start_year, analysis.start_year + analysis.horizon))
    flow = flow.sel(year=years).transpose("sample", "option", "year", "line")
    payers = list(dict.fromkeys(map(str, flow["payer"].values)))
    of_payer = (flow["payer"].values[:, None] == np.array(payers)[None, :]).astype(float)
    blank = flow.isel(line=0, drop=True)
    totals = -(flow.values @ of_payer)  # one product; sums line by line take ten times as long
    rows = []
    for place, payer in enumerate(payers):
        own = blank.copy(data=totals[..., place])
        own = own.isel(option=np.flatnonzero(totals[..., place].any(axis=(0, 2))))
        found = payback_year(own, schedule=analysis.schedule, base_year=analysis.start_year)
        for option in found["option"].values:
            if option != "bau":
                rows += _chances(found.sel(option=option).values, years, place=(str(option), payer))
    table = pd.DataFrame(rows, columns=["option", "payer", "year", "probability", "cumulative", "mcse"])
    order = {name: place for place, name in enumerate(workings.accounts)}
    return table.sort_values("option", key=lambda c: c.map(order), kind="stable", ignore_index=True)


def _chances(
    found: np.ndarray, years: list[int], *, place: tuple[str, str]
) -> list[tuple[str, str, float, float, float, float]]:
    never = np.isnan(found)
    exact = np.array([*((found == year).mean() for year in years), never.mean()])
    reached = [*np.cumsum(exact[:-1]), np.nan]
    errors = share_error(exact, found.size)
    ends = [*map(float, years), np.nan]
    return [(*place, *row) for row in zip(ends, exact.tolist(), reached, errors.tolist(), strict=True)]


# --- What a child-year must be worth for an option to break even, beside anchors, and what knowing … ---


QUESTIONS = {
    "family help effect": ("family_help.",),
    "kinship effect": ("kinship.",),
    "foster supply": ("foster.",),
    "baseline path": ("baseline.",),
    "unit costs": ("unit_costs.", "avoidable.", "cashable.", "legal.", "payers.", "prices.", "home_support."),
    "whose evidence": ("mixture.",),
    "delivery": ("delivery.", "effects."),
    "price reform": ("reform.",),
}
"""Research question to the beginnings of the names of the inputs that would answer it."""


ANCHOR_LEVELS = (0.05, 0.5, 0.95)
"""Quantiles of the registry's entries at which an anchor is stated: low, central, high."""


def break_even_values(workings: Workings) -> pd.DataFrame:
    """Value of a child-year at which each option breaks even, beside values others have put on it.

    ``lambda* = -E[NPV] / E[CY_safe]``; with harm ``-E[NPV] / E[CY_safe - H]``.
    """
    # Columns kind ("option", "anchor"), name, label, value_per_child_year, se, lower, upper
    # (GBP of the price base), with_harm (break-even where a child-year of harm costs what a safe one is
    # worth), note. Missing where the option averts no care; below zero where it pays in cash alone. Options
    # have an error and anchors a range.
    arrays = workings.arrays
    plain = break_even_value(-arrays.npv, arrays.child_years_safe)
    harmed = break_even_value(-arrays.npv, arrays.child_years_safe - arrays.child_years_harm)
    labels = {option.id: option.label for option in workings.inputs.options}
    table = pd.DataFrame(
        {
            "kind": "option",
            "name": plain["option"],
            "label": [labels[name] for name in plain["option"]],
            "value_per_child_year": plain["value"],
            "se": plain["se"],
            "lower": np.nan,
            "upper": np.nan,
            "with_harm": harmed["value"],
            "note": "",
        }
    )
    return pd.concat([table, _anchors(workings)], ignore_index=True)


def _anchors(workings: Workings) -> pd.DataFrame:
    """Values of a child-year from elsewhere, in the price base."""
    priors, index = workings.inputs.priors, workings.basis.index
    year = priors["social.wellby"].price_year
    assert year is not None  # every entry of money carries one
    to_base = float(np.mean(index.index(workings.basis.price_base) / index.index(year)))
    stay, claimed = years_in_care(workings), claimed_amount(workings, CARE_CLAIM)
    wellby = [priors.quantile("social.wellby", level) * to_base for level in ANCHOR_LEVELS]
    causal = [priors.quantile("social.causal_share", level) for level in ANCHOR_LEVELS]
    rows = [
        ("wellby", "One point of life satisfaction for one child for a year", wellby,
         "value of a WELLBY x 1 point; the change in points is an assumption"),
        ("lifetime_cost", "Lifetime cost of care experience, its causal share, by year of care",
         [claimed * share / stay for share in causal],
         f"published lifetime cost x {causal[1]:.2f} ({causal[0]:.2f} to {causal[2]:.2f}) / {stay:.1f} years of care; "
         "the causal share is judgement without a source"),
    ]  # fmt: skip
    return pd.DataFrame(
        [
            {"kind": "anchor", "name": name, "label": label, "value_per_child_year": value[1],
             "lower": value[0], "upper": value[2], "note": note}
            for name, label, value, note in rows
        ]
    )  # fmt: skip


NOT_MONEY = ("social.", "panel.", "system.")
"""Beginnings of the names of inputs that no option's account reads: values that others put on outcomes, parts of a
fit whose result is an input itself, and growth of spending that is the same under every option."""


OTHER_QUESTIONS = "other inputs"
"""Inputs that no question of :data:`QUESTIONS` names."""


def information_value(workings: Workings, *, values: Sequence[float]) -> pd.DataFrame:
    """Value of perfect information on everything, and on each research question, before choosing an option.

    Columns value_per_child_year, question, value, se (GBP, present value, once for the country), best (the
    option with the highest expected payoff). The first question of each value, "everything", is the EVPI.
    """
    # The path of business as usual is learnt through its fitted levels and its number of children in the
    # target year. Draws are taken as independent.
    refuse_review(workings.inputs.stance, use="used for the value of information")
    arrays = workings.arrays
    effects = arrays.child_years_safe - arrays.child_years_harm
    inputs = question_inputs(workings)
    groups = grouped_questions(inputs)
    partial = evppi_by_threshold(-arrays.npv, effects, inputs, list(values), groups)
    rows = []
    for value in values:
        payoff = arrays.npv + value * effects
        best = str(payoff["option"].values[int(payoff.mean("sample").argmax("option"))])
        whole = evpi_with_error(payoff)
        rows.append((float(value), "everything", float(whole["evpi"]), float(whole["se"]), best))
        at_value = partial[partial["threshold"] == value]
        rows += [(float(value), r.group, r.evppi, r.se, best) for r in at_value.itertuples()]
    return pd.DataFrame(rows, columns=["value_per_child_year", "question", "value", "se", "best"])


def question_inputs(workings: Workings) -> xr.Dataset:
    """Inputs that vary, and where business as usual leads.

    The parameters that vary and enter money or children, with their descriptions, and
    ``baseline.children_in_target_year``.
    """
    parameters = workings.system.parameters
    varying = [
        name
        for name in parameters.data_vars
        if not str(name).startswith(NOT_MONEY) and float(parameters[name].values.std()) > 0
    ]
    target = workings.inputs.analysis.target_year
    path = workings.arrays.children.sel(option="bau", year=target, drop=True).sum("age")
    about = {"description": f"Children in care in {target} on current policy", "unit": "children"}
    return parameters[varying].assign({"baseline.children_in_target_year": ("sample", path.values, about)})


def grouped_questions(inputs: xr.Dataset) -> dict[str, list[str]]:
    """Names of inputs by the research question that would answer them.

    Every input once; questions without inputs are left out, inputs of no question come last, together.
    """
    names = [str(name) for name in inputs.data_vars]
    groups = {
        question: [name for name in names if name.startswith(beginnings)]
        for question, beginnings in QUESTIONS.items()
    }
    known = {name for members in groups.values() for name in members}
    groups[OTHER_QUESTIONS] = [name for name in names if name not in known]
    return {question: members for question, members in groups.items() if members}


# --- What drives the result of one option: tornado, shares of variance and switching values, from the … ---


SHARED = 6
"""Inputs among which variance is split one by one: every subset of them is fitted."""


SWITCHED = 8
"""Inputs whose switching values are sought, those that move an outcome most."""


ENDS = np.array([0.01, 0.99])
"""Probabilities of the ends of an input at which the best it could do is read."""


def drivers_table(workings: Workings) -> pd.DataFrame:
    """How far each uncertain input moves net present value and children between its 5% and 95% points.

    Conditional expectations on the draws of the run, so that correlated inputs move together.
    """
    # Columns option, outcome ("npv", GBP; "fewer_children", in the target year), input, description, unit,
    # question, confidence (of the input's prior; "fitted" where it has none), input_low, input_high,
    # outcome_low, outcome_high, swing, swing_se, rank (1 moves the outcome most), clear (whether the swing is
    # more than Monte Carlo error explains, all inputs tried).
    inputs, option = question_inputs(workings), lead_option(workings)
    about = _about(workings, inputs)
    frames = []
    for name, outcome in _outcomes(workings, option).items():
        table = tornado(outcome, inputs)
        table.insert(0, "option", option)
        table.insert(1, "outcome", name)
        table["rank"] = np.arange(1, len(table) + 1)
        table["clear"] = clear_of_chance(table["swing"].to_numpy(), table["swing_se"].to_numpy())
        frames.append(table)
    joined = pd.concat(frames, ignore_index=True)
    for place, column in enumerate(("description", "unit", "question", "confidence"), start=3):
        joined.insert(place, column, joined["input"].map(about[column]))
    return joined


def variance_table(workings: Workings, drivers: pd.DataFrame) -> pd.DataFrame:
    """Shares of the variance of net present value: by research question, and by input for those that matter most.

    Columns option, split ("question", "input"), name, description, effect (share of the variance), se.
    """
    # Shapley effects, so that correlated inputs share what they have in common; shares of one split add up to
    # what its members explain together.
    inputs, option = question_inputs(workings), lead_option(workings)
    npv = _outcomes(workings, option)["npv"]
    rows = drivers[drivers["outcome"] == "npv"]
    top = list(rows["input"].head(SHARED))
    described = dict(zip(rows["input"], rows["description"], strict=True))
    frames = []
    for split, table in (
        ("question", shapley_effects(npv, inputs, grouped_questions(inputs))),
        ("input", shapley_effects(npv, inputs[top])),
    ):
        table = table.rename(columns={"group": "name"}).sort_values("effect", ascending=False)
        table.insert(0, "option", option)
        table.insert(1, "split", split)
        table.insert(3, "description", table["name"].map(described).fillna(table["name"]))
        frames.append(table)
    return pd.concat(frames, ignore_index=True)


def switching_table(workings: Workings, drivers: pd.DataFrame) -> pd.DataFrame:
    """Value of each leading input at which a conclusion changes, and how likely the evidence makes that."""
    # Columns option, target, statistic_now (of the outcome over all draws), input, description, unit,
    # input_median, value (missing where not reachable), se, reachable, probability_beyond, mcse,
    # statistic_at_best (with the input at the better of its 1% and 99% points), verdict.
    inputs, option = question_inputs(workings), lead_option(workings)
    chosen = _leading(drivers)
    described = drivers.drop_duplicates("input").set_index("input")
    rows = []
    for target, outcome, level in _targets(workings, option):
        for name in chosen:
            values = inputs[name]
            found = switching_value(values, outcome, statistic="mean", target=level)
            beyond = found.probability_beyond
            rows.append(
                {
                    "option": option,
                    "target": target,
                    "statistic_now": float(outcome.mean()),
                    "input": name,
                    "description": described.loc[name, "description"],
                    "unit": described.loc[name, "unit"],
                    "input_median": float(np.median(values)),
                    "value": found.value,
                    "se": found.se,
                    "reachable": found.reachable,
                    "probability_beyond": beyond,
                    "mcse": float(np.sqrt(max(beyond * (1 - beyond), 0.0) / values.size)),
                    "statistic_at_best": _at_best(values.values, outcome.values),
                    "verdict": "reachable" if found.reachable else str(found),
                }
            )
    return pd.DataFrame(rows)


def _outcomes(workings: Workings, option: str) -> dict[str, xr.DataArray]:
    year = workings.inputs.analysis.target_year
    total = workings.arrays.children.sel(year=year, drop=True).sum("age")
    fewer = total.sel(option="bau", drop=True) - total.sel(option=option, drop=True)
    return {"npv": workings.arrays.npv.sel(option=option, drop=True), "fewer_children": fewer}


def _targets(workings: Workings, option: str) -> list[tuple[str, xr.DataArray, float]]:
    """Statement, outcome and the mean at which the statement starts to hold."""
    year, outcomes = workings.inputs.analysis.target_year, _outcomes(workings, option)
    paid = xr.DataArray((payback_draws(workings, option) <= year).astype(float), dims="sample")
    enough = (outcomes["fewer_children"] >= FEWER_CHILDREN).astype(float)
    return [
        (f"Even chance of {FEWER_CHILDREN:,} fewer children by {year}", enough, 0.5),
        ("Net present value of zero", outcomes["npv"], 0.0),
        (f"Even chance of paying back by {year}", paid, 0.5),
    ]


def _at_best(values: np.ndarray, outcome: np.ndarray) -> float:
    """Mean outcome at the better end of an input, within what the draws of the outcome allow."""
    best = conditional_mean(values, outcome).at(np.quantile(values, ENDS))[0].max()
    return float(np.clip(best, outcome.min(), outcome.max()))  # a fitted curve can leave 0 to 1 a little


def _leading(drivers: pd.DataFrame) -> list[str]:
    """Inputs that move money or children most, in turn."""
    by_rank = drivers.sort_values(["rank", "outcome"], kind="stable")["input"]
    return list(dict.fromkeys(by_rank))[:SWITCHED]


def _about(workings: Workings, inputs: xr.Dataset) -> pd.DataFrame:
    """Words, unit, research question and grade of every input."""
    graded = workings.inputs.priors.table()["confidence"]
    question_of = {name: q for q, names in grouped_questions(inputs).items() for name in names}
    names: Sequence[str] = [str(name) for name in inputs.data_vars]
    return pd.DataFrame(
        {
            "description": [described(n, inputs[n].attrs) for n in names],
            "unit": [str(inputs[n].attrs.get("unit", "")) for n in names],
            "question": [question_of[n] for n in names],
            "confidence": [str(graded.get(n, UNGRADED)) for n in names],
        },
        index=names,
    )
