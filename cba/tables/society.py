"""Measures of the review without a modelled effect: what is known of each, and what is assumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.quantities import discounted, lead_option, review_prices
from cba.appraisal.workings import Workings, stacked
from cba.costs.account import GUARDIANSHIP_SUPPORT, child_years
from cba.costs.social_value import (
    FIFTHS,
    MEASURES,
    VALUED,
    child_year_value,
    falling_shares,
    one_measure,
    weighted_worth,
    welfare_weights,
)
from cba.decisions.ratios import mvpf
from cba.errors import InputError
from cba.inputs.files import read_toml
from cba.inputs.written_records import Text, Whole, WrittenRecord, checked_record
from cba.tables.attribution import map_draws
from cba.tables.catalogue import MONEY, catalogued, chance, reforms, review_programme, spread


class Measure(WrittenRecord):
    """One measure of the review without a modelled effect; its name is its heading in ``measures.toml``."""

    label: Text
    kind: Literal["cost line", "financing", "right"]
    component: Text | None = None  # component of the option's money that pays for it
    known: Text
    source: Text
    url: Text
    assumed: Text
    people: Whole | None = None


def unmonetised_measures() -> dict[str, Measure]:
    """Return the measures without a modelled effect by name, in the order of the table."""
    file = Path(__file__).with_name("measures.toml")
    return {
        name: checked_record(Measure, stated, file=file, field=name)
        for name, stated in read_toml(file).items()
    }


# --- What a change in care is worth to children: child-years safely at home, times one value of a … ---


HEALTH_SCHEDULE = "green_book_2026_health"


CARE_CLAIM = "alma_social_cost_lifetime_care"
"""Row of the published claims with the lifetime cost of care; it states no price base: read as 2021-22."""


WELLBY_YEAR = 2020
"""Price year of the value of a WELLBY, as in priors/social.toml."""


def safe_child_years(workings: Workings, option: str) -> np.ndarray:
    """Child-years safely at home rather than in care, less those of harm, by year.

    Shape (sample, year), child-years, undiscounted. ``CY (1 - 2 h)``, h the share of harm: a year of harm
    counts as much as a safe one, against it.
    """
    harm = workings.system.value("family_help.harm_share")[:, None]
    return child_years(workings.accounts[option].children.fewer) * (1.0 - 2.0 * harm)


def years_in_care(workings: Workings) -> float:
    """Average years in care of a child: looked-after children per child who leaves, last published year."""
    flows = workings.inputs.observations[["stock", "ceases"]].dropna("year").isel(year=-1)
    return float(flows["stock"] / flows["ceases"])


def claimed_amount(workings: Workings, claim: str) -> float:
    """Published figure of money per child, in the price base.

    GBP of the price base. Read in the prices of all claims of the review. `claim`: id of a
    row of ``published_claims.csv`` in GBP whose price base is not stated.
    """
    rows = workings.inputs.evidence.claims
    rows = rows[rows["claim_id"] == claim]
    if len(rows) != 1:
        raise InputError(
            "a published figure is not known at the date of the analysis",
            file="published_claims.csv",
            field="claim_id",
            found=f"{claim}: {len(rows)} rows until {workings.inputs.analysis.evidence_until}",
            allowed="one row",
            cause="evidence_until before the figure was published, or the row removed",
            remedy="move evidence_until, or restore the row",
        )
    return float(rows["value"].iloc[0]) * review_prices(workings)


def value_of_child_year(workings: Workings, measure: str) -> np.ndarray:
    """Value of one child-year safely at home, GBP of the price base."""
    return child_year_value(
        measure,
        workings.system.parameters,
        lifetime_cost=claimed_amount(workings, CARE_CLAIM),
        years_in_care=years_in_care(workings),
        growth_years=float(workings.basis.price_base - WELLBY_YEAR),
    )


def worth_of_lives(workings: Workings, option: str, measure: str) -> np.ndarray:
    """Present value, over the headline horizon, of what an option changes in children's lives.

    Shape (sample,), GBP. Health and well-being with the Green Book's schedule for health, money with that of
    the analysis. `measure`: one measure: two values of the same change are never added.
    """
    chosen = one_measure(measure)
    schedule = HEALTH_SCHEDULE if chosen.health_schedule else None
    present = discounted(workings, safe_child_years(workings, option), schedule=schedule)
    return present * value_of_child_year(workings, chosen.name)


# --- Who gains and who pays beyond public budgets: families, benefits and children's lives, line by … ---


COUNCIL, CENTRAL = ("council",), ("dfe", "nhs", "justice", "dwp_hmrc")


@dataclass(frozen=True)
class Gain:
    """One line of the social account."""

    payer: str  # who gains or, below 0, pays: a public payer or ``families``
    kind: str  # ``fiscal``, ``benefits``, ``allowances`` or ``keep``
    amount: np.ndarray  # (sample,): present value over the headline horizon, GBP; positive is a gain


def social_lines(workings: Workings, option: str) -> tuple[Gain, ...]:
    """Every line of an option's social account, positive for who gains.

    They add up to the social net present value.
    """
    account, system = workings.accounts[option], workings.system
    payers: dict[str, np.ndarray] = {}
    carers = np.zeros(system.reach.size)
    for cost in account.costs:
        amount = discounted(workings, cost.amount)
        payers[cost.payer] = payers.get(cost.payer, 0.0) - amount
        # Support of guardians is a transfer, as allowances to existing carers are.
        if cost.kind == "deadweight" or cost.component == GUARDIANSHIP_SUPPORT:
            carers = carers + amount
    for saving in account.savings:
        payers[saving.payer] = payers.get(saving.payer, 0.0) + discounted(workings, saving.amount)
    at_home = discounted(workings, child_years(account.children.fewer))
    benefits = at_home * system.value("social.benefits_per_child_year")
    return (
        *(Gain(payer, "fiscal", amount) for payer, amount in payers.items()),
        Gain("dwp_hmrc", "benefits", -benefits),
        Gain("families", "benefits", benefits),
        Gain("families", "allowances", carers),
        Gain("families", "keep", -at_home * system.value("social.family_cost_per_child_year")),
    )


def added(lines: tuple[Gain, ...], keep: Callable[[Gain], bool] = lambda _: True) -> np.ndarray:
    """Sum of those lines of a social account that are kept."""
    return sum((line.amount for line in lines if keep(line)), np.zeros_like(lines[0].amount))


def social_net_benefit(workings: Workings) -> xr.DataArray:
    """Social net present value of every option before any value of children's lives.

    Dims (sample, option), GBP, present value over the headline horizon. Fiscal net present value with
    transfers to families taken out and what families spend taken off.
    """
    # A value per child-year is added by whoever uses it, once.
    return stacked({o: added(social_lines(workings, o)) for o in workings.accounts}, dims=(), coords={})


PERSPECTIVES: dict[str, tuple[str, Callable[[Gain], bool]]] = {
    "council": ("Councils alone", lambda g: g.payer in COUNCIL and g.kind == "fiscal"),
    "central": ("Central government alone, benefits included", lambda g: g.payer in CENTRAL),
    "fiscal": ("All public payers (headline)", lambda g: g.kind == "fiscal"),
    "fiscal_with_benefits": (
        "All public payers, with benefits for children at home",
        lambda g: g.payer not in ("families", "children"),
    ),
    "families": ("Families", lambda g: g.payer == "families"),
    "social": ("Social, children's lives not valued", lambda g: g.payer != "children"),
}
"""Perspective to its words and the lines it counts."""


@catalogued("perspectives", "Net present value by who counts", MONEY)
def perspectives_table(workings: Workings) -> pd.DataFrame:
    """Net present value of every option from each perspective, and in social terms by measure of value.

    Columns option, perspective, label, mean, median, lower, upper, prob_positive, mcse (of the probability):
    GBP, present value over the headline horizon, positive is a net gain.
    """
    # Perspectives ``social_<measure>`` are alternatives and are never added to each other.
    rows = []
    for option in reforms(workings):
        lines = social_lines(workings, option)
        found = {name: (label, added(lines, keep)) for name, (label, keep) in PERSPECTIVES.items()}
        for measure in VALUED:
            worth = found["social"][1] + worth_of_lives(workings, option, measure)
            found[f"social_{measure}"] = (f"Social: {MEASURES[measure].label}", worth)
        rows += [
            {"option": option, "perspective": name, "label": label}
            | spread(workings, draws, median=True)
            | chance(workings, draws > 0, "prob_positive")
            for name, (label, draws) in found.items()
        ]
    return pd.DataFrame(rows)


# --- Who bears and who gains by income, with a pound weighted by income as a sensitivity; pounds of … ---


NOT_VALUED = "none"
"""Measure under which children's lives are not valued."""


def tax_shares(workings: Workings) -> np.ndarray:
    """Share of all taxes paid by each fifth of households, poorest first.

    Shape (sample, fifth). Rows sum to 1. `workings`: gives the ``social.taxes_fifth_*`` entries.
    """
    paid = _fifths(workings, "taxes")
    return np.asarray(paid / paid.sum(axis=1, keepdims=True))


def need_shares(workings: Workings) -> np.ndarray:
    """Share of children in need of care or help in each fifth, poorest first.

    Shape (sample, fifth). Rows sum to 1. `workings`: gives ``social.need_ratio_between_fifths``.
    """
    return falling_shares(workings.system.value("social.need_ratio_between_fifths"))


def income_weights(workings: Workings, elasticity: float | None = None) -> np.ndarray:
    """Weight of a pound in each fifth, against one at the median income. Shape (sample, fifth)."""
    income = _fifths(workings, "income")
    power = workings.system.value("social.income_elasticity") if elasticity is None else elasticity
    return welfare_weights(income, reference=income[:, FIFTHS // 2], elasticity=power)


def _fifths(workings: Workings, what: str) -> np.ndarray:
    names = [f"social.{what}_fifth_{k}" for k in range(1, FIFTHS + 1)]
    return np.stack([workings.system.value(name) for name in names], axis=-1)


def _by_measure(workings: Workings, option: str) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Measure, gain of the public purse, and gain of families and children; first before any value of lives."""
    lines = social_lines(workings, option)
    private = added(lines, lambda line: line.payer == "families")
    public = added(lines) - private
    yield NOT_VALUED, public, private
    for measure in VALUED:
        yield measure, public, private + worth_of_lives(workings, option, measure)


@catalogued(
    "who_bears",
    "Who pays and who gains, by fifth of the population",
    MONEY,
    once=True,
    needs=review_programme,
)
def who_bears(workings: Workings, option: str | None = None, measure: str = "lifetime_cost") -> pd.DataFrame:
    """Show what an option costs and brings to each fifth of the income distribution.

    Columns option, fifth (1 the poorest), tax_share, need_share, weight (means), public_mean, private_mean,
    net_mean, net_lower, net_upper: GBP, present value, unweighted, positive is a gain.
    """
    option = option or lead_option(workings)
    public, private = {name: gains for name, *gains in _by_measure(workings, option)}[measure]
    taxes, need, weights = tax_shares(workings), need_shares(workings), income_weights(workings)
    borne, gained = public[:, None] * taxes, private[:, None] * need
    columns = {
        "option": option,
        "fifth": range(1, FIFTHS + 1),
        "tax_share": taxes.mean(axis=0),
        "need_share": need.mean(axis=0),
        "weight": weights.mean(axis=0),
        "public_mean": borne.mean(axis=0),
        "private_mean": gained.mean(axis=0),
    }
    return pd.DataFrame(columns | spread(workings, borne + gained, "net_"))


@catalogued("distribution", "Results weighted for who gains and who pays", MONEY, once=True)
def distributional_sensitivity(workings: Workings) -> pd.DataFrame:
    """Social net present value of every option with a pound weighted by income.

    Columns option, measure (``none`` or one of the measures of value, alternatives), elasticity
    (0: unweighted), mean, lower, upper, prob_positive, mcse (of the probability): GBP at the median income.
    """
    # ``G_public sum_f t_f w_f + G_private sum_f n_f w_f``, with t the shares of taxes, n of children in need.
    # The unweighted result stays the headline; at elasticity 0 the two agree. Elasticities 1 and 1.6 are the
    # range of reviews of time preference: Acland & Greenberg (2024).
    taxes, need = tax_shares(workings), need_shares(workings)
    central = float(np.median(workings.system.value("social.income_elasticity")))
    weights = {e: income_weights(workings, e) for e in sorted({0.0, central, 1.0, 1.6})}
    rows = []
    for option in reforms(workings):
        for measure, public, private in _by_measure(workings, option):
            for elasticity, weight in weights.items():
                worth = weighted_worth(public, shares=taxes, weights=weight)
                worth = worth + weighted_worth(private, shares=need, weights=weight)
                row = {"option": option, "measure": measure, "elasticity": elasticity}
                rows.append(row | spread(workings, worth) | chance(workings, worth > 0, "prob_positive"))
    return pd.DataFrame(rows)


@catalogued("mvpf", "Marginal value of public funds", MONEY, once=True)
def mvpf_table(workings: Workings) -> pd.DataFrame:
    """Marginal value of public funds of every option, and the probability that it finances itself.

    Columns option, measure, willingness_to_pay, net_cost (means, GBP, present value), mvpf (infinite where it
    pays for itself, missing where it neither benefits anyone nor costs anything), prob_self_financing, mcse.
    """
    # Ratio of means over draws. Willingness to pay is what families and children gain; a family's wish to be
    # helped, beyond its child's being at home, has no value here. Net cost is that of all public payers,
    # benefits for children at home included.
    # Source: Hendren & Sprung-Keyser (2020) *Quarterly Journal of Economics* 135:1209-1318.
    rows = []
    for option in reforms(workings):
        for measure, public, private in _by_measure(workings, option):
            found = mvpf(private, -public)
            row = {"option": option, "measure": measure, "willingness_to_pay": found.willingness_to_pay}
            row |= {"net_cost": found.net_cost, "mvpf": found.value}
            rows.append(row | chance(workings, -public <= 0.0, "prob_self_financing"))
    return pd.DataFrame(rows)


# --- How large a change in children's lives would have to be for an option to break even in social … ---


# --- What measures without a modelled effect would have to bring for an option to break even, and what … ---


ANCHOR = "lifetime_cost"
"""Measure whose mean value of a child-year is the anchor."""


YEARS_TAXED = 5
"""Years of profits the windfall tax would fall on, as Room151 reports the review."""


@catalogued(
    "unmonetised_and_financing",
    "What unmonetised measures would have to achieve",
    MONEY,
    once=True,
    needs=review_programme,
)
def unmonetised_and_financing(workings: Workings, option: str | None = None) -> pd.DataFrame:
    """Return one row per measure: what is known and assumed, and its switching values."""
    # Columns option, measure, label, kind, known, source, url, assumed; own_cost (mean, present value) and
    # own_yearly_benefit (a year, to pay for itself alone); yearly_benefit_cash and child_years_cash (what it
    # would have to bring a year, alone, for the option to break even in cash), the same ``_anchor`` with a
    # child-year worth anchor_value beyond its cashable saving; yearly_benefit_per_person of those it would
    # reach; yield_lower_bound and its share of the gap, for financing. GBP of the price base; benefits and
    # child-years of every year after the first of the horizon. 0 where the option already breaks even.
    #
    # With A the sum of discount factors of the years after the first, y the mean cashable saving per
    # child-year and a the anchor: ``B = gap / A``, ``n = gap(a) / (A (y + a))``,
    # ``gap(a) = max(0, -E[NPV + a CY])``, where CY counts a child-year of harm against a safe one.
    option = option or workings.inputs.claims.programme
    arrays = workings.arrays
    npv = arrays.npv.sel(option=option).values
    lived = (arrays.child_years_safe - arrays.child_years_harm).sel(option=option).values
    anchor = float(value_of_child_year(workings, ANCHOR).mean())
    after_first = np.array(workings.years) > workings.inputs.analysis.start_year
    later = float(discounted(workings, after_first[None, :].astype(float))[0])
    cashable = float(map_draws(workings, option).value.mean())
    gap = max(0.0, -float(npv.mean()))
    gap_anchor = max(0.0, -float((npv + anchor * lived).mean()))
    claims = workings.inputs.evidence.claims.set_index("claim_id")["value"].to_dict()
    costs = workings.accounts[option].costs
    spent = {c.component: 0.0 for c in costs}
    for cost in costs:
        spent[cost.component] += discounted(workings, cost.amount).mean()
    needed = {
        "yearly_benefit_cash": gap / later,
        "child_years_cash": gap / (later * cashable),
        "yearly_benefit_anchor": gap_anchor / later,
        "child_years_anchor": gap_anchor / (later * (cashable + anchor)),
        "anchor_value": anchor,
    }
    rows = []
    for name, measure in unmonetised_measures().items():
        own = np.nan if measure.component is None else spent.get(measure.component, 0.0)
        tax = _windfall_tax(workings, claims) if name == "windfall_tax" else np.nan
        about = measure.model_dump(exclude={"component", "people"}) | {"known": _known(measure, claims)}
        rows.append(
            {"option": option, "measure": name, **about}
            | {"own_cost": own, "own_yearly_benefit": own / later, **needed}
            | {"yearly_benefit_per_person": gap / later / measure.people if measure.people else np.nan}
            | {"yield_lower_bound": tax, "yield_share_of_gap": tax / gap if gap > 0.0 else np.nan}
        )
    return pd.DataFrame(rows)


def _known(measure: Measure, claims: dict[str, float]) -> str:
    """Return what is known, with figures of claims that the analysis may not know yet left out."""
    try:
        return measure.known.format(**claims)
    except KeyError as missing:
        return f"not known at the date of this analysis ({missing.args[0]} was published later)"


@catalogued("unmonetised", "Measures with a cost and no modelled effect", "Words; no figures.")
def unmonetised(workings: Workings) -> pd.DataFrame:
    """Measures of each option that cost money and are given no effect."""
    rows = [(option.id, item) for option in workings.inputs.options for item in option.unmonetised]
    return pd.DataFrame(rows, columns=["option", "item"])


def _windfall_tax(workings: Workings, claims: dict[str, float]) -> float:
    """Rate x profit of the ten largest providers in one year x years taxed, GBP of the price base."""
    rate = claims["review_windfall_tax_rate"] / 100.0
    return rate * claims["windfall_context_profit"] * 1e6 * YEARS_TAXED * review_prices(workings)
