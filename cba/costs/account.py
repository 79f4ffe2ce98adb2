"""Programme money of an option by year, in real terms: every line converted once from its own price year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.costs.prices import PlacementPrices, PriceIndex
from cba.dimensions import PLACEMENTS
from cba.errors import InputError
from cba.interventions.records import Work
from cba.projection.care_system import CareSystem, OptionChildren

if TYPE_CHECKING:
    from cba.inputs.options import Option


MILLION = 1e6


@dataclass(frozen=True)
class MoneyLine:
    """One line of money."""

    # component and payer: what it is spent on and who pays.
    component: str
    payer: str
    # The programme itself, what goes on after it, or what is paid to those who need no persuading,
    # "programme", "recurrent" or "deadweight".
    kind: str
    amount: np.ndarray  # (sample, year): GBP of the price base


@dataclass(frozen=True)
class Terms:
    """In which years an option's money flows, and in what prices it is counted."""

    start_year: int  # first year of the analysis; moves the money of options with ``timing = "shift"``
    years: Sequence[int]  # years ending 31 March of the projection
    price_base: int
    prices: PriceIndex
    draws: int
    last_year: float = np.inf  # last year in which money is spent

    def factor(self, price_year: int | str, year: int) -> np.ndarray:
        """Factor from the stated prices to the price base.

        Shape (sample,), above 0. ``index(price_base) / index(stated)``. `price_year`: price year of the amount;
        ``"cash"`` means prices of the year it is spent. `year`: year ending 31 March in which it is spent.
        """
        stated = year if price_year == "cash" else int(price_year)
        factor = self.prices.index(self.price_base) / self.prices.index(stated)
        return np.broadcast_to(np.asarray(factor, dtype=float), (self.draws,))


def programme_money(option: Option, terms: Terms) -> tuple[MoneyLine, ...]:
    """Programme lines that are additional to existing budgets.

    Money rolled in from existing budgets (``additional = false``) is left out: business as usual has it.
    """
    calendar = list(terms.years)
    lines = []
    for about, amounts in option.spend_by_year(terms.start_year).items():
        component, payer, price_year, additional = about
        if not additional:
            continue
        _require_not_sunk(amounts, option=option, start_year=terms.start_year)
        money = np.zeros((terms.draws, len(calendar)))
        for year, amount in amounts.items():
            if amount and year in calendar and year <= terms.last_year:
                money[:, calendar.index(year)] += amount * MILLION * terms.factor(price_year, year)
        lines.append(MoneyLine(component, payer, "programme", money))
    return tuple(lines)


def _require_not_sunk(amounts: dict[int, float], *, option: Option, start_year: int) -> None:
    early = [year for year, amount in amounts.items() if year < start_year and amount > 0]
    if early:
        raise InputError(
            "an option spends before the analysis starts",
            file=f"{option.id}.toml",
            field="spend.gbp_million",
            found=early[0],
            allowed=f"years from {start_year}, the start_year of the analysis",
            cause="a calendar option whose programme is already under way, so that part of it is sunk",
            remedy="start the analysis in its first year, or leave the option out",
        )


def recurrent_cap(option: Option, terms: Terms) -> np.ndarray:
    """Yearly recurrent money, or its cap where it is reinvested.

    Shape (sample, year), GBP of the price base. Zero before the first year of recurrent money, and throughout
    where the option has none, and after the last year in which money is spent.
    """
    cap = np.zeros((terms.draws, len(terms.years)))
    money = option.recurrent
    if money is None:
        return cap
    first = option.year_of(money.first_offset, terms.start_year)
    for position, year in enumerate(terms.years):
        if first <= year <= terms.last_year:
            cap[:, position] = terms.factor(money.price_year, year)
    return cap * money.gbp_million * MILLION


# --- From children fewer in care to money: avoidable cost, and the part of it councils can take out of … ---


LATER = 2
"""Years after which what was not cashable at once becomes so in part."""


@dataclass(frozen=True)
class SavingLine:
    """One line of savings: who gains, on what; `amount` (sample, year) in GBP of the price base."""

    component: str
    payer: str
    amount: np.ndarray


def child_years(stock: np.ndarray) -> np.ndarray:
    """Child-years in each year from numbers at its two ends.

    Shape of `stock`, child-years. `stock` (sample, year, ...), children at 31 March: changes against business
    as usual, so nothing before the first year.
    """
    before = np.concatenate([np.zeros_like(stock[:, :1]), stock[:, :-1]], axis=1)
    return (before + stock) / 2.0


def avoidable_share(parameters: xr.Dataset) -> np.ndarray:
    """Share of the average cost that one placement fewer avoids.

    Shape (sample, placement), in [0, 1]. The same in every year: unit costs grow, this share does not.
    `parameters`: with ``avoidable.childrens_home``, ``avoidable.foster`` and ``avoidable.other``.
    """
    entry = {"childrens_home": "avoidable.childrens_home"}
    entry |= {p: "avoidable.foster" for p in PLACEMENTS if p.startswith("foster")}
    return np.stack([parameters[entry.get(p, "avoidable.other")].values for p in PLACEMENTS], axis=-1)


def cashable(avoided: np.ndarray, *, at_once: np.ndarray, rest_later: np.ndarray) -> np.ndarray:
    """Part of an avoidable cost that leaves budgets in each year; an extra cost counts in full.

    Shape of `avoided`, GBP. `avoided` (sample, year, ...), GBP: avoidable cost of each year; negative where
    an option makes care dearer. `rest_later`: share of the rest that is cashable from the second year after.
    """
    wide = (-1, *[1] * (avoided.ndim - 1))
    saved = np.maximum(avoided, 0.0)
    cash = avoided - saved  # what is dearer, in full
    cash += at_once.reshape(wide) * saved
    cash[:, LATER:] += ((1.0 - at_once) * rest_later).reshape(wide) * saved[:, :-LATER]
    return cash


def placement_savings(
    fewer: np.ndarray, moved: np.ndarray, *, prices: np.ndarray, parameters: xr.Dataset
) -> np.ndarray:
    """Avoidable cost by placement and year, before cashability.

    Shape (sample, year, placement), GBP of the price base. ``child-years x price x avoidable share``. `fewer`
    (sample, year, placement); `prices` (sample, year, placement), GBP a year of the price base.
    """
    # `moved` (sample, year, placement): children moved out of (positive) or into a placement.
    return child_years(fewer + moved) * prices * avoidable_share(parameters)[:, None, :]


# --- Lines of an option's account: what it costs whom, what it saves whom, and what support at home … ---


_HOME = PLACEMENTS.index("childrens_home")


_FOSTER = np.array([float(p.startswith("foster")) for p in PLACEMENTS])


_OTHER = 1.0 - _FOSTER - np.eye(len(PLACEMENTS))[_HOME]


SUPPORT = ("home_support", "guardianship_support")
"""Components of what councils spend on children who are not in care because of an option."""


GUARDIANSHIP_SUPPORT = "guardianship_support"
"""The one of them that is paid to guardians of children who left care for them."""


def overrun_of(system: CareSystem, led: np.ndarray, *, overrun: str | None) -> np.ndarray:
    """What money comes to over what was planned, (sample, year); a share `led` of it is led by demand.

    Fixed money does not overrun: a shortfall is what a child costs, delay and ramp, which have priors of their own.
    """
    if overrun in ("money", "none"):
        led = np.full_like(led, overrun == "money")
    return np.asarray(1.0 + led * (system.value("delivery.cost_overrun")[:, None] - 1.0))


def led_share(lines: Sequence[MoneyLine], *, work: Sequence[Work], component: str) -> np.ndarray:
    """Share of a component's money that is led by demand, (sample, year); 0 where there is none."""
    total = np.asarray(sum(line.amount for line in lines if line.component == component))
    led = sum(
        (w.demand_led for w in work if w.component == component and w.demand_led is not None), 0.0 * total
    )
    return np.divide(led, total, out=np.zeros_like(total), where=total > 0)


def cost_lines(
    system: CareSystem, lines: Sequence[MoneyLine], *, work: Sequence[Work], overrun: str | None = None
) -> tuple[MoneyLine, ...]:
    """Lines of money with their overrun, and what is paid for nothing apart from the rest; the sum stays."""
    times = {
        name: overrun_of(system, led_share(lines, work=work, component=name), overrun=overrun)
        for name in {line.component for line in lines}
    }
    costs = [replace(line, amount=line.amount * times[line.component]) for line in lines]
    for done in work:
        if done.deadweight is not None and done.deadweight.any():
            led = np.asarray(float(done.demand_led is not None))
            paid = done.deadweight * overrun_of(system, led, overrun=overrun)
            costs = _with_deadweight(costs, paid, component=done.component)
    return tuple(costs)


def _with_deadweight(costs: list[MoneyLine], deadweight: np.ndarray, *, component: str) -> list[MoneyLine]:
    """Show what is paid to people who would do the same without it apart from the rest of its component's money."""
    mine = [line for line in costs if line.component == component]
    total = sum((line.amount for line in mine), np.zeros_like(deadweight))
    share = np.divide(deadweight, total, out=np.zeros_like(total), where=total > 0)
    shown = [line for line in costs if line.component != component]
    for line in mine:
        shown.append(MoneyLine(component, line.payer, line.kind, line.amount * (1.0 - share)))
        shown.append(MoneyLine(component, line.payer, "deadweight", line.amount * share))
    return shown


def support_lines(
    system: CareSystem, children: OptionChildren, *, work: Sequence[Work]
) -> tuple[MoneyLine, ...]:
    """What councils spend on children who are not in care: at home, or with carers paid until they are 18.

    An adverse effect brings children into care, and support at home is then not taken off: a plan not made leaves no
    budget, as an extra cost does not wait to be cashable. The line is never below 0.
    """
    lines: tuple[MoneyLine, ...] = ()
    if children.at_home.any():
        rate = system.value("home_support.supported_share") * system.value("home_support.cost_per_year")
        at_home = child_years(np.maximum(children.at_home, 0.0)) * rate[:, None]
        lines = (MoneyLine("home_support", "council", "recurrent", at_home),)
    for done in work:
        left = done.leavers
        if left is not None and left.supported is not None and left.support is not None:
            support = child_years(left.supported) * left.support[:, None]
            lines = (*lines, MoneyLine("guardianship_support", "council", "recurrent", support))
    return lines


def price_cut(
    system: CareSystem, children: OptionChildren, *, work: Sequence[Work], prices: np.ndarray
) -> np.ndarray:
    """Money less paid for the placements that remain once their price is lower, (sample, year, placement).

    Below 0 where they get dearer; effects on one price multiply.
    """
    cheaper = [done.cheaper for done in work if done.cheaper is not None]
    if not cheaper:
        return np.zeros_like(prices)
    cut = cheaper[0] if len(cheaper) == 1 else 1.0 - np.prod([1.0 - each for each in cheaper], axis=0)
    total = system.ground.children.sum(axis=-1)[..., None]
    left = total * system.placement_mix - (children.fewer_by_placement + children.moved)
    return np.asarray(cut * left * prices)


def starts_averted(system: CareSystem, children: OptionChildren) -> np.ndarray:
    """Starts fewer in each year once deferred ones have happened after all.

    Shape (sample, year), children. Averted starts less, in equal parts some years later, the deferred ones.
    """
    averted = children.averted_starts.sum(axis=-1)
    later = np.zeros_like(averted)
    for wait in system.returns:
        later[:, wait:] += averted[:, : max(averted.shape[1] - wait, 0)] / len(system.returns)
    return averted - system.value("family_help.deferral_share")[:, None] * later


def saving_lines(
    system: CareSystem, children: OptionChildren, avoided: np.ndarray, *, cut: np.ndarray
) -> tuple[SavingLine, ...]:
    """Cashable savings by who gains; homes, fostering, other placements and care proceedings.

    `avoided` (sample, year, placement), GBP of the price base; `cut` (sample, year, placement), GBP of the
    price base: it closes no place, so it leaves budgets as it is paid.
    """
    share = {
        "at_once": system.value("cashable.share_at_once"),
        "rest_later": system.value("cashable.rest_later"),
    }
    placed = cashable(avoided, **share)
    paid = placed + cut
    homes = paid[..., _HOME]
    nhs = system.value("payers.nhs_share_of_homes")[:, None]
    case = system.value("legal.proceedings_share") * system.value("legal.cost_per_case")
    legal = cashable(starts_averted(system, children) * case[:, None], **share)
    council = system.value("legal.council_share")[:, None]
    return (
        SavingLine("childrens_homes", "council", homes * (1.0 - nhs)),
        SavingLine("childrens_homes", "nhs", homes * nhs),
        SavingLine("fostering", "council", paid @ _FOSTER),
        SavingLine("other_placements", "council", paid @ _OTHER),
        SavingLine("care_proceedings", "council", legal * council),
        SavingLine("care_proceedings", "justice", legal * (1.0 - council)),
    )


# --- One option, from its money to its effect and its cash flow; the same draws for every option ---


@dataclass(frozen=True)
class CostBasis:
    """What every option's account shares on the money side."""

    prices: PlacementPrices
    index: PriceIndex  # deflator with its growth beyond the last published year
    price_base: int
    start_year: int
    overrun: str | None = None  # as in the scenarios of the analysis
    last_year: float = np.inf  # last year in which money is spent


@dataclass(frozen=True)
class OptionAccount:
    """What one option does."""

    children: OptionChildren  # changes in children looked after
    work: tuple[Work, ...]  # what its money does, an entry for each of its effects
    # Programme and recurrent money, overrun included, the part of allowances paid to existing carers (kind
    # ``deadweight``), and what councils spend on children who are not in care, at home (component
    # ``home_support``) or with special guardians (``guardianship_support``), (sample, year).
    costs: tuple[MoneyLine, ...]
    savings: tuple[SavingLine, ...]  # cashable savings, (sample, year)
    avoided: np.ndarray  # (sample, year, placement): avoidable cost of placements before cashability
    recurrent: np.ndarray  # (sample, year): recurrent money, GBP of the price base, before any overrun

    def delivered(self, name: str) -> np.ndarray:
        """What the effect of a name delivers, (sample, year): coverage, share in place, filled places; else 0."""
        return next((w.delivered for w in self.work if w.name == name), np.zeros_like(self.recurrent))


def total_saving(account: OptionAccount) -> np.ndarray:
    """Cashable saving of all payers in each year. Shape (sample, year), GBP of the price base."""
    return sum((line.amount for line in account.savings), np.zeros_like(account.recurrent))


def total_cost(account: OptionAccount) -> np.ndarray:
    """Programme, recurrent, allowance and support cost of all payers in each year.

    Shape (sample, year), GBP of the price base.
    """
    return sum((line.amount for line in account.costs), np.zeros_like(account.recurrent))
