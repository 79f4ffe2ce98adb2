"""Which option is best as a child-year at home is worth more: acceptability, frontier and the plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.quantities import (
    children_in_care,
    clear_of_chance,
    fewer_children,
    lead_option,
    payback_draws,
)
from cba.appraisal.workings import Workings
from cba.decisions.choice import (
    acceptability,
    cost_effectiveness_frontier,
    plane_quadrants,
    probability_at_least,
    regret_table,
)
from cba.decisions.information import conditional_mean, evpi_with_error, evppi_by_threshold, tornado
from cba.decisions.ratios import payback_year, switching_value
from cba.decisions.shares import UNEXPLAINED, shapley_effects
from cba.inputs.analyses import refuse_review
from cba.interventions.kinds import own_components
from cba.tables.assumptions import UNGRADED, described
from cba.tables.catalogue import (
    AS_INPUTS,
    MONEY,
    SHARES,
    Table,
    catalogued,
    catalogued_together,
    chance,
    enough_to_learn,
    reforms,
    spread,
)
from cba.tables.society import CARE_CLAIM, claimed_amount, years_in_care

STEPS = (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)


VALUES = (0.0, *(step * 10.0**power for power in (4, 5, 6) for step in STEPS), 1e7)
"""GBP per child-year safely at home: nothing, then ten steps a decade to well above every anchor."""


def net_effects(workings: Workings) -> xr.DataArray:
    """Discounted child-years at home less those that are harm, each counted as heavily as a safe one.

    Dims (sample, option), child-years. ``CY_safe - H``: what the value of a child-year multiplies in tables
    that are read along it.
    """
    return workings.arrays.child_years_safe - workings.arrays.child_years_harm


@catalogued(
    "acceptability", "Chance that each option is best, by value of a child-year at home", f"{MONEY} {SHARES}"
)
def acceptability_table(workings: Workings) -> pd.DataFrame:
    """Expected net benefit and chance of being best, by option and value of a child-year.

    Columns value_per_child_year, option, net_benefit and net_benefit_se (GBP, present value, against business
    as usual), prob_best, mcse, best (highest expected net benefit).
    """
    # Net benefit is ``NPV + lambda (CY_safe - H)``. Errors take the draws as independent.
    cost, effect = -workings.arrays.npv, net_effects(workings)
    curves = acceptability(cost, effect, VALUES)
    draws, options = cost.sizes["sample"], curves["option"].values
    best, worth = (curves[name].transpose("threshold", "option").values for name in ("ceac", "eib"))
    columns = {
        "net_benefit": worth,
        "net_benefit_se": _spread(cost, effect, np.array(VALUES)) / np.sqrt(draws),
        "prob_best": best,
        "mcse": share_error(best, draws),
        "best": curves["best"].values[:, None] == options[None, :],
    }
    index = {"value_per_child_year": np.repeat(VALUES, len(options)), "option": list(options) * len(VALUES)}
    return pd.DataFrame(index | {name: column.ravel() for name, column in columns.items()})


@catalogued("best_option", "Best option by value of a child-year at home", f"{MONEY} {SHARES}")
def best_option_table(workings: Workings) -> pd.DataFrame:
    """The option with most expected at each value of a child-year, how surely it is best, and what certainty is worth.

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


@catalogued("frontier", "Options on the frontier of cost and children kept at home", MONEY)
def frontier_table(workings: Workings) -> pd.DataFrame:
    """Options by mean cost and mean child-years, with strong and extended dominance.

    Columns option, cost (GBP, net, present value), effect (child-years less harm), status ("frontier",
    "dominated", "extended"), versus, incremental_cost, incremental_effect, icer (GBP per child-year).
    """
    return cost_effectiveness_frontier(-workings.arrays.npv, net_effects(workings))


@catalogued("plane", "Share of draws by whether an option is better and cheaper", SHARES)
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
    money, gain = (array.transpose("sample", "option").values for array in (-cost, effect))
    money, gain = (array - array[:, [0]] for array in (money, gain))
    money, gain = (array - array.mean(axis=0) for array in (money, gain))
    parts = [(one * two).mean(axis=0) for one, two in ((money, money), (money, gain), (gain, gain))]
    grid = values[:, None]
    return np.sqrt(np.maximum(parts[0] + 2.0 * grid * parts[1] + grid**2 * parts[2], 0.0))


# --- Attitudes to risk and ranks: worst cases and regret beside expected value, and ranks of options ---


RISK_VALUES = (0.0, 100e3, 500e3, 2.5e6)
"""GBP per child-year safely at home: cash alone, then values around and above the anchors."""


TAIL = 0.05
"""Share of draws counted as the worst."""


def _errors(frame: pd.DataFrame, *shares: str, draws: int) -> pd.DataFrame:
    """The frame with the error of each of some shares of draws, as ``<share>_se``."""
    return frame.assign(**{f"{share}_se": share_error(frame[share].to_numpy(), draws) for share in shares})


def _by_value(workings: Workings, made: Callable[[xr.DataArray], pd.DataFrame]) -> pd.DataFrame:
    """What is made of the payoff at each of `RISK_VALUES`, one below the other."""
    frames = {value: made(workings.arrays.npv + value * net_effects(workings)) for value in RISK_VALUES}
    return pd.concat(frames, names=["value_per_child_year"]).reset_index(0).reset_index(drop=True)


@catalogued("risk", "Risk of each option: mean, tail and regret", MONEY)
def risk_table(workings: Workings) -> pd.DataFrame:
    """Expected value of each option beside its worst cases and its regret."""
    # Columns value_per_child_year, option, mean, mean_se, cvar (mean of the worst 5% of draws), expected_loss
    # (mean regret: the shortfall from the best option of each draw), worst_loss (99th percentile of regret),
    # prob_best, prob_negative: GBP, present value, and probabilities, these with their errors (``_se``).
    draws = workings.arrays.npv.sizes["sample"]
    return _by_value(
        workings,
        lambda payoff: _errors(regret_table(payoff, tail=TAIL), "prob_best", "prob_negative", draws=draws),
    )


# --- How likely targets are: fewer children by each year, and payback year by payer ---


FEWER = (1_000, 2_500, 5_000, 10_000)
"""Numbers of children fewer in care, below those the review claims of family help and in all."""


@catalogued("fewer_children_chances", "Chance of at least so many fewer children, by year", SHARES)
def fewer_children_chances(workings: Workings) -> pd.DataFrame:
    """Probability of at least so many fewer children in care, by option and year.

    Columns option, year, fewer_children, probability, mcse. Errors take the draws as independent.
    """
    claims = workings.inputs.claims
    targets = (*FEWER, claims.family_help_children.value, claims.fewer_children.value)
    total = workings.arrays.children.sum("age").sel(year=slice(workings.inputs.analysis.start_year, None))
    fewer = total.sel(option="bau", drop=True) - total.sel(option=list(reforms(workings)))
    chances = probability_at_least(fewer.transpose("sample", "option", "year"), targets)["probability"]
    table = chances.rename(target="fewer_children").transpose("option", "year", "fewer_children")
    rows = table.to_series().rename("probability").reset_index()
    return rows.assign(mcse=share_error(rows["probability"].to_numpy(), fewer.sizes["sample"]))


@catalogued("payback_by_payer", "Chance of paying back in each year, by payer", SHARES)
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
    years = workings.horizon
    flow = flow.sel(year=years, option=list(reforms(workings))).transpose("sample", "option", "year", "line")
    payers = list(dict.fromkeys(map(str, flow["payer"].values)))
    of_payer = (flow["payer"].values[:, None] == np.array(payers)[None, :]).astype(float)
    totals = -(flow.values @ of_payer)  # one product; sums line by line take ten times as long
    frames = []
    for place, option in enumerate(map(str, flow["option"].values)):
        blank = flow.isel(option=place, line=0, drop=True)
        for payer, own in zip(payers, np.moveaxis(totals[:, place], -1, 0), strict=True):
            if own.any():
                net = blank.copy(data=own)
                found = payback_year(net, schedule=analysis.schedule, base_year=analysis.start_year).values
                frames.append(pd.DataFrame({"option": option, "payer": payer} | _chances(found, years)))
    return pd.concat(frames, ignore_index=True)


def _chances(found: np.ndarray, years: list[int]) -> dict[str, np.ndarray]:
    exact = np.array([*((found == year).mean() for year in years), np.isnan(found).mean()])
    return {
        "year": np.array([*years, np.nan]),
        "probability": exact,
        "cumulative": np.array([*np.cumsum(exact[:-1]), np.nan]),
        "mcse": share_error(exact, found.size),
    }


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


HELP_WORTH = "help_worth_"
"""Beginning of the ids of published claims of what family help brings, for each pound spent or for a family."""


ANCHOR_LEVELS = (0.05, 0.5, 0.95)
"""Quantiles of the registry's entries at which an anchor is stated: low, central, high."""


@catalogued("break_even_values", "What a child-year must be worth for an option to break even", MONEY)
def break_even_values(workings: Workings) -> pd.DataFrame:
    """What a child-year of help, or out of care, must be worth for each option, beside what others say it is.

    ``-NPV / child-years`` draw by draw; money stops with the horizon, what it did is followed to the end of the stay.
    """
    # Columns kind ("help" and "worth": a year of family help; "option" and "anchor": a year out of care), name, label,
    # value_per_child_year (median), lower, upper (GBP of the price base), prob_never (no more child-years, at a net
    # cost), prob_mcse, grade, note. Below zero where it pays in cash alone; missing where the value is in no reach.
    labels = {option.id: option.label for option in workings.inputs.options}
    rows = []
    for option in reforms(workings):
        ended = workings.run_offs[option]
        asked = {"help": ended.help_years} if ended.help_years.any() else {}
        for kind, years in (asked | {"option": ended.child_years}).items():
            about = {"kind": kind, "name": option, "label": labels[option], "note": ""}
            rows.append(about | _break_even(workings, ended.npv, years=years))
    return pd.concat([pd.DataFrame(rows), _worth_of_help(workings), _anchors(workings)], ignore_index=True)


def _break_even(workings: Workings, npv: np.ndarray, *, years: np.ndarray) -> dict[str, float]:
    """Median and limits of ``-NPV / years``; a draw without more years never breaks even, or always does."""
    some = years > 0
    asked = np.where(some, -npv / np.where(some, years, 1.0), np.where(npv < 0, np.inf, -np.inf))
    tail = (1.0 - workings.inputs.analysis.level) / 2.0
    found = np.quantile(asked, [0.5, tail, 1.0 - tail], method="inverted_cdf")
    names = ("value_per_child_year", "lower", "upper")
    columns = dict(zip(names, np.where(np.isfinite(found), found, np.nan), strict=True))
    return columns | chance(workings, ~some & (npv < 0), "prob_never", "prob_mcse")


def _worth_of_help(workings: Workings) -> pd.DataFrame:
    """What evaluations and claims say a year of family help is worth, in the price base."""
    claims, value = workings.inputs.evidence.claims, workings.system.value
    rows = []
    for row in claims[claims["claim_id"].str.startswith(HELP_WORTH)].itertuples():
        of = value("family_help.cost_per_child")
        if row.unit == "gbp_per_family":
            of = workings.pound_of(int(row.price_base)) / value("family_help.children_per_family")
        worth = spread(workings, row.value * of, median=True)
        about = {"kind": "worth", "name": row.claim_id, "label": row.claim, "grade": row.confidence}
        about |= {"value_per_child_year": worth["median"], "lower": worth["lower"], "upper": worth["upper"]}
        rows.append(about | {"note": f"{row.note} Source: {row.source_title}, {row.url}"})
    return pd.DataFrame(rows)


def _anchors(workings: Workings) -> pd.DataFrame:
    """Values of a child-year from elsewhere, in the price base."""
    priors = workings.inputs.priors
    year = priors["social.wellby"].price_year
    assert year is not None  # every entry of money carries one
    to_base = workings.pound_of(year)
    stay, claimed = years_in_care(workings), claimed_amount(workings, CARE_CLAIM)
    wellby = [priors.quantile("social.wellby", level) * to_base for level in ANCHOR_LEVELS]
    causal = [priors.quantile("social.causal_share", level) for level in ANCHOR_LEVELS]
    one_point = "One point of life satisfaction for one child for a year"
    care = "Lifetime cost of care experience, its causal share, by year of care"
    as_valued = "value of a WELLBY x 1 point; the change in points is an assumption"
    as_claimed = (
        f"published lifetime cost x {causal[1]:.2f} ({causal[0]:.2f} to {causal[2]:.2f}) / {stay:.1f} years of care; "
        "the causal share is judgement without a source"
    )
    rows = [
        ("wellby", one_point, *wellby, as_valued),
        ("lifetime_cost", care, *(claimed * share / stay for share in causal), as_claimed),
    ]
    columns = ["name", "label", "lower", "value_per_child_year", "upper", "note"]
    return pd.DataFrame(rows, columns=columns).assign(kind="anchor")


NOT_MONEY = ("social.", "panel.", "system.")
"""Beginnings of the names of inputs that no option's account reads: values that others put on outcomes, parts of a
fit whose result is an input itself, and growth of spending that is the same under every option."""


OTHER_QUESTIONS = "other inputs"
"""Inputs that no question of :data:`QUESTIONS` names."""


@catalogued(
    "information_value",
    "Most that learning could be worth, by question",
    MONEY,
    once=True,
    needs=enough_to_learn,
)
def information_value(workings: Workings) -> pd.DataFrame:
    """Value of perfect information on everything, and on each research question, before choosing an option.

    Columns value_per_child_year, question, value, se (GBP, present value, once for the country), best (the
    option with the highest expected payoff). The first question of each value, "everything", is the EVPI.
    """
    # The path of business as usual is learnt through its fitted levels and its number of children in the
    # target year. Draws are taken as independent.
    refuse_review(workings.inputs.stance, use="used for the value of information")
    npv, effects = workings.arrays.npv, net_effects(workings)
    inputs, groups = questions(workings)
    partial = evppi_by_threshold(-npv, effects, inputs, RISK_VALUES, groups)
    rows = []
    for value in RISK_VALUES:
        payoff = npv + value * effects
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
    path = children_in_care(workings, "bau")
    about = {"description": f"Children in care in {target} on current policy", "unit": "children"}
    return parameters[varying].assign({"baseline.children_in_target_year": ("sample", path, about)})


def questions(workings: Workings) -> tuple[xr.Dataset, dict[str, list[str]]]:
    """Return the inputs that vary, and their names by the research question that would answer them."""
    inputs = question_inputs(workings)
    return inputs, grouped_questions(inputs, own_components(workings.inputs.options))


def grouped_questions(inputs: xr.Dataset, own: Sequence[str] = ()) -> dict[str, list[str]]:
    """Names of inputs by the research question that would answer them.

    Every input once; questions without inputs are left out, inputs of no question come last, together.
    `own`: components with effects that options state themselves, each a question.
    """
    names = [str(name) for name in inputs.data_vars]
    groups = {
        question: [name for name in names if name.startswith(beginnings)]
        for question, beginnings in {**QUESTIONS, **{f"{c} effect": (f"{c}.",) for c in own}}.items()
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


@catalogued_together(
    Table("drivers", "What drives the results: outcome at the low and high end of each input", MONEY),
    Table("variance_shares", "Shares of the variance of the result, by group of inputs", SHARES),
    Table("switching_values", "Value of each input at which the answer changes", AS_INPUTS),
    once=True,
    needs=enough_to_learn,
)
def driver_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """What drives the result, how much of its variance each input explains, and where it would change."""
    drivers = drivers_table(workings)
    return {
        "drivers": drivers,
        "variance_shares": variance_table(workings, drivers),
        "switching_values": switching_table(workings, drivers),
    }


def drivers_table(workings: Workings) -> pd.DataFrame:
    """How far each uncertain input moves net present value and children between its 5% and 95% points.

    Conditional expectations on the draws of the run, so that correlated inputs move together.
    """
    # Columns option, outcome ("npv", GBP; "fewer_children", in the target year), input, description, unit,
    # question, confidence (of the input's prior; "fitted" where it has none), input_low, input_high,
    # outcome_low, outcome_high, swing, swing_se, rank (1 moves the outcome most), clear (whether the swing is
    # more than Monte Carlo error explains, all inputs tried).
    (inputs, groups), option = questions(workings), lead_option(workings)
    graded = workings.inputs.priors.table()["confidence"]
    question_of = {name: question for question, names in groups.items() for name in names}
    frames = []
    for name, outcome in _outcomes(workings, option).items():
        table = tornado(outcome, inputs)
        moved = [str(moving) for moving in table["input"]]
        about = {
            "description": [described(n, inputs[n].attrs) for n in moved],
            "unit": [str(inputs[n].attrs.get("unit", "")) for n in moved],
            "question": [question_of[n] for n in moved],
            "confidence": [str(graded.get(n, UNGRADED)) for n in moved],
        }
        clear = clear_of_chance(table["swing"].to_numpy(), table["swing_se"].to_numpy())
        ends = pd.DataFrame({"rank": np.arange(1, len(table) + 1), "clear": clear})
        known = pd.DataFrame({"option": option, "outcome": name, "input": moved} | about)
        frames.append(pd.concat([known, table.drop(columns="input"), ends], axis=1))
    return pd.concat(frames, ignore_index=True)


def variance_table(workings: Workings, drivers: pd.DataFrame) -> pd.DataFrame:
    """Shares of the variance of net present value: by research question, and by input for those that matter most.

    Columns option, split ("question", "input"), name, description, effect (share of the variance), se.
    """
    # Shapley effects, so that correlated inputs share what they have in common; shares of one split add up to
    # what its members explain together.
    (inputs, groups), option = questions(workings), lead_option(workings)
    npv = _outcomes(workings, option)["npv"]
    rows = drivers[drivers["outcome"] == "npv"].set_index("input")["description"]
    splits = {
        "question": shapley_effects(npv, inputs, groups),
        "input": shapley_effects(npv, inputs[list(rows.index[:SHARED])]),
    }
    ordered = {
        split: table[table["group"] != UNEXPLAINED].sort_values("effect", ascending=False)
        for split, table in splits.items()
    }
    joined = pd.concat(ordered, names=["split"]).reset_index("split").rename(columns={"group": "name"})
    joined = joined.assign(option=option, description=joined["name"].map(rows).fillna(joined["name"]))
    columns = ["option", "split", "name", "description", "effect", "se"]
    return joined[columns].reset_index(drop=True)


def switching_table(workings: Workings, drivers: pd.DataFrame) -> pd.DataFrame:
    """Value of each leading input at which a conclusion changes, and how likely the evidence makes that."""
    # Columns option, target, statistic_now (of the outcome over all draws), input, description, unit,
    # input_median, value (missing where not reachable), se, reachable, probability_beyond, mcse,
    # statistic_at_best (with the input at the better of its 1% and 99% points), verdict.
    inputs, option = question_inputs(workings), lead_option(workings)
    year, outcomes = workings.inputs.analysis.target_year, _outcomes(workings, option)
    paid = xr.DataArray((payback_draws(workings, option) <= year).astype(float), dims="sample")
    claim = workings.inputs.claims.fewer_children
    enough = (outcomes["fewer_children"] >= claim.value).astype(float)
    # Statement, outcome, and the mean of it at which the statement starts to hold.
    targets = (
        (f"Even chance of {claim} fewer children by {year}", enough, 0.5),
        ("Net present value of zero", outcomes["npv"], 0.0),
        (f"Even chance of paying back by {year}", paid, 0.5),
    )
    # The inputs that move money or children most, in turn.
    ranked = drivers.sort_values(["rank", "outcome"], kind="stable").drop_duplicates("input").head(SWITCHED)
    rows = []
    for target, outcome, level in targets:
        for driver in ranked.itertuples():
            values = inputs[driver.input]
            found = switching_value(values, outcome, statistic="mean", target=level)
            beyond = found.probability_beyond
            rows.append(
                {
                    "option": option,
                    "target": target,
                    "statistic_now": float(outcome.mean()),
                    **{name: getattr(driver, name) for name in ("input", "description", "unit")},
                    "input_median": float(np.median(values)),
                    **{name: getattr(found, name) for name in ("value", "se", "reachable")},
                    "probability_beyond": beyond,
                    "mcse": np.sqrt(max(beyond * (1 - beyond), 0.0) / values.size),
                    "statistic_at_best": _at_best(values.values, outcome.values),
                    "verdict": "reachable" if found.reachable else str(found),
                }
            )
    return pd.DataFrame(rows)


def _outcomes(workings: Workings, option: str) -> dict[str, xr.DataArray]:
    """Net present value and children fewer, dims (sample)."""
    fewer = xr.DataArray(fewer_children(workings, option), dims="sample")
    return {"npv": workings.arrays.npv.sel(option=option, drop=True), "fewer_children": fewer}


def _at_best(values: np.ndarray, outcome: np.ndarray) -> float:
    """Mean outcome at the better end of an input, within what the draws of the outcome allow."""
    best = conditional_mean(values, outcome).at(np.quantile(values, ENDS))[0].max()
    return float(np.clip(best, outcome.min(), outcome.max()))  # a fitted curve can leave 0 to 1 a little
