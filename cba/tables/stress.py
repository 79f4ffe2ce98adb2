"""What one unit of each effect outside the model would do to an option's net present value and children in care.

Effects that no equation of the model holds, each of one size s that is the same for every option and draw. All
are affine in s, draw by draw, on the option's own account:

    NPV(s) = NPV + s a,      fewer(s) = fewer + s b,

so that s = 0 is the account itself and every switching size has a closed form. Programme money stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from cba.appraisal.quantities import discounted, fewer_children
from cba.appraisal.workings import Workings
from cba.costs.account import GUARDIANSHIP_SUPPORT, OptionAccount, cashable, child_years, total_saving
from cba.decisions.draws import mcse_mean
from cba.dimensions import PLACEMENTS
from cba.models.unit_costs import cost_history
from cba.models.unit_costs_accounts import WEEKS
from cba.tables.catalogue import (
    BY_ROW,
    a_reform,
    catalogued,
    reforms,
    spread,
)
from cba.tables.children import OneStart, one_more_start

BOUGHT = ("foster_agency", "childrens_home", "supported_accommodation", "other_residential")
"""Placements that councils buy, for the most part from independent providers."""


OWN_CARERS = ("foster_in_house",)
"""Placements with carers that councils recruit and pay."""


PER_HELPED = 1000.0
"""Children helped for which further starts are counted."""


@dataclass(frozen=True)
class StressKind:
    """An effect outside the model, and the sizes it can have."""

    # name, label, unit: its key, its words and what its size is counted in.
    name: str
    label: str
    unit: str
    # lower and upper: smallest and largest size it can have; the largest is infinite where nothing bounds it.
    lower: float
    upper: float


KINDS = (
    StressKind(
        "protection", "Children at home are under child protection instead",
        "share of their years, each at the published social work cost of a child in need", 0.0, 1.0,
    ),
    StressKind(
        "found", "Help finds children who then start to be looked after", "starts per 1,000 children helped",
        0.0, PER_HELPED,
    ),
    StressKind(
        "displaced", "What one authority gains another loses", "share of children and savings displaced", 0.0, 1.0
    ),
    StressKind(
        "market", "Prices of bought placements follow their number", "% of price per % of placements", -1.0, np.inf
    ),
    StressKind(
        "fees", "More council foster carers must be paid more", "% of price per % of placements", 0.0, np.inf
    ),
    StressKind(
        "empty", "Places that children leave stand empty and are paid for",
        "share of averted placements whose cost stays, beyond the part of cost counted as fixed", 0.0, 1.0,
    ),
    StressKind(
        "threshold", "Thresholds shift: other children are taken into care instead",
        "share of averted starts replaced", 0.0, 1.0,
    ),
    StressKind(
        "guardians", "Support of guardians of children who left care costs more",
        "share more than in the account, which pays it until they are 18", 0.0, np.inf,
    ),
    StressKind(
        "harm", "Children kept at home who should not have been", "GBP for each child-year of theirs", 0.0, np.inf
    ),
)  # fmt: skip
"""In the order of the tables. At -1 the market's providers keep their revenue whatever the number."""


@dataclass(frozen=True)
class Slopes:
    """What one unit of size does to one option; arrays of shape (sample,)."""

    npv: np.ndarray  # GBP of the price base, present value
    fewer: np.ndarray  # children at 31 March of the target year


def stress_slopes(workings: Workings) -> dict[str, dict[str, Slopes]]:
    """Slopes of every effect and option, on the draws of the appraisal.

    By the name of the effect, then by option; business as usual is left out, it stays as it is.
    """
    # With disc() the present value over the headline horizon, Y child-years and p placements:
    # - protection: ``-disc(Y_home) c``, c the published yearly cost of social work per child in need, on top
    # of the
    #   support at home already in the account;
    # - found: what one start more costs, in full as it arises, times children helped (`one_more_start`);
    # - displaced: minus all savings and all children fewer: costs stay;
    # - market: ``disc(sum_p P_p Y_p (1 - Y_p / N_p))`` over bought placements: one per cent fewer placements
    # lower
    #   the price of those that are left by s per cent;
    # - fees: the same with places recruited, which raise what every council carer costs;
    # - empty: minus the cashable saving of placements with fewer children (a lower price and proceedings not
    #   begun stay saved; what an option makes dearer stays dearer);
    # - threshold: minus what a start costs and leaves in care, times starts averted (`one_more_start`);
    # - guardians: minus the support of guardians in the account;
    # - harm: minus the discounted child-years at home that should not have been.
    need = social_work(workings)
    placed, start = _placed(workings), one_more_start(workings)
    none = np.zeros(workings.system.reach.size)
    slopes: dict[str, dict[str, Slopes]] = {kind.name: {} for kind in KINDS}
    for option, account in reforms(workings).items():
        children = account.children
        home = discounted(workings, child_years(np.maximum(children.at_home, 0.0)))
        gone = children.fewer_by_placement + children.moved
        helped = children_helped(workings, account) / PER_HELPED
        averted = np.maximum(children.averted_starts.sum(axis=-1), 0.0)
        slopes["protection"][option] = Slopes(-need * home, none)
        slopes["found"][option] = _more_starts(start, helped)
        slopes["threshold"][option] = _more_starts(start, averted)
        slopes["empty"][option] = Slopes(-discounted(workings, _placements_saved(workings, account)), none)
        guardians = sum(
            (c.amount for c in account.costs if c.component == GUARDIANSHIP_SUPPORT), 0.0 * helped
        )
        slopes["guardians"][option] = Slopes(-discounted(workings, guardians), none)
        slopes["harm"][option] = Slopes(-workings.arrays.child_years_harm.sel(option=option).values, none)
        slopes["displaced"][option] = Slopes(
            -discounted(workings, total_saving(account)), -fewer_children(workings, option)
        )
        slopes["market"][option] = Slopes(_price_saving(workings, gone, placed, BOUGHT), none)
        slopes["fees"][option] = Slopes(_price_saving(workings, children.moved, placed, OWN_CARERS), none)
    return slopes


def social_work(workings: Workings) -> float:
    """Social work and commissioning of a child in need, as last published: GBP of the price base a year."""
    weekly = workings.inputs.observations["unit_cost_weekly"].sel(service="social_work").dropna("year")
    return float(weekly[-1]) * WEEKS * workings.pound_of(int(weekly["year"][-1]))


def _more_starts(start: OneStart, number: np.ndarray) -> Slopes:
    """What so many starts more a year (sample, year) cost, and how many children they leave in care."""
    number = number[:, : start.cost.shape[1]]
    return Slopes(*(-(number * one).sum(axis=1) for one in (start.cost, start.children)))


def _placements_saved(workings: Workings, account: OptionAccount) -> np.ndarray:
    """Cashable saving of placements that are not filled, all payers, (sample, year)."""
    value = workings.system.value
    shares = {"at_once": value("cashable.share_at_once"), "rest_later": value("cashable.rest_later")}
    return cashable(np.maximum(account.avoided, 0.0), **shares).sum(axis=-1)


def _placed(workings: Workings) -> np.ndarray:
    """Children by placement under business as usual, (sample, year, placement)."""
    children = workings.system.ground.children.sum(axis=-1)
    return np.asarray(children[..., None] * workings.system.placement_mix)


def _price_saving(
    workings: Workings, gone: np.ndarray, placed: np.ndarray, names: tuple[str, ...]
) -> np.ndarray:
    """Present value of prices that follow numbers one for one, on the placements that are left, (sample,)."""
    chosen = [PLACEMENTS.index(name) for name in names]
    years = child_years(gone[..., chosen])
    left = 1.0 - years / placed[..., chosen]
    return discounted(workings, (years * left * workings.basis.prices.path[..., chosen]).sum(axis=-1))


def children_helped(workings: Workings, account: OptionAccount) -> np.ndarray:
    """Children whom family help serves in each year. Shape (sample, year), children."""
    eligible = workings.system.value("family_help.eligible_children")
    return np.asarray(account.delivered("family_help") * eligible[:, None])


def price_response(workings: Workings, *, cost: str, placement: str) -> float:
    """How fast a published real price grew per growth of the placements it pays for.

    Ratio of log changes over the years that both series share, NaN where they share no two.
    """
    # Wages, needs and supply moved prices too, so it is a hint of the most that numbers can have done, not an
    # estimate.
    observations = workings.inputs.observations
    prices = cost_history(observations, costs="unit_costs").sel(cost=cost)
    counts = observations["stock_by_placement"].sel(placement=placement).dropna("year")
    both = sorted(set(prices["year"].values.tolist()) & set(counts["year"].values.tolist()))
    if len(both) < 2:
        return float("nan")
    ends = {"year": [both[0], both[-1]]}
    moved = np.diff(np.log(counts.sel(ends).values))[0]
    return float(np.diff(prices.sel(ends).values)[0] / moved) if moved else float("nan")


# --- Where a conclusion changes as one effect grows: signs of means, ties for the best option, even … ---


TOLD = 2.0
"""Errors a size must be from nought to be told: an effect that hardly acts on an option has a size of pure error."""


@dataclass(frozen=True)
class StressedDraws:
    """Draws of every option at size 0, and what one unit of one effect does to them."""

    # npv and fewer: (sample,): by option; business as usual is 0.
    npv: Mapping[str, np.ndarray]
    fewer: Mapping[str, np.ndarray]
    slopes: Mapping[str, Slopes]  # by option

    def npv_at(self, option: str, size: float) -> np.ndarray:
        """Net present value of an option with the effect at a size, (sample,), GBP."""
        return self.npv[option] + size * self.slopes[option].npv


@dataclass(frozen=True)
class Switch:
    """Where a conclusion changes."""

    now: float  # what is judged, at size 0
    holds_now: bool  # whether the conclusion holds at size 0
    size: float  # size at which that changes; NaN where none does
    se: float  # Monte Carlo standard error of `size`; NaN where there is none

    @property
    def told(self) -> bool:
        """Whether there is a size and its error leaves something of it: it is :data:`TOLD` errors from nought."""
        return bool(np.isfinite(self.size)) and not abs(self.size) < TOLD * self.se


def switch_of_mean(start: np.ndarray, slope: np.ndarray, *, chains: int | None) -> Switch:
    """Size at which a mean is 0.

    ``-E[start] / E[slope]``; its error is that of the mean at that size over the slope. A mean without a
    slope changes nowhere. `start`, `slope`: a draw is ``start + size * slope``.
    """
    now, rate = float(start.mean()), float(slope.mean())
    if rate == 0.0:
        return Switch(now, now > 0.0, np.nan, np.nan)
    size = -now / rate
    return Switch(now, now > 0.0, size, mcse_mean(start + size * slope, chains=chains) / abs(rate))


def switch_of_best(draws: StressedDraws, option: str, kind: StressKind, *, chains: int | None) -> Switch:
    """Nearest size at which an option ties for the highest mean net present value, every option stressed alike.

    Now: by how much its mean is above that of the best other option, or of doing nothing.
    """
    # Means are straight lines in the size, so options tie at ``-E[NPV_1 - NPV_2] / E[a_1 - a_2]``; ties below
    # a third line are passed over.
    means = {"bau": 0.0} | {o: float(v.mean()) for o, v in draws.npv.items()}
    rates = {"bau": 0.0} | {o: float(s.npv.mean()) for o, s in draws.slopes.items()}
    others = [o for o in means if o != option]
    now = means[option] - max(means[o] for o in others)
    ties = {
        (means[o] - means[option]) / (rates[option] - rates[o]): o
        for o in others
        if rates[option] != rates[o]
    }
    for size in sorted(ties, key=lambda size: (not kind.lower <= size <= kind.upper, abs(size))):
        highest = max(means[o] + size * rates[o] for o in others)
        own = means[option] + size * rates[option]
        if own >= highest - 1e-9 * max(abs(highest), abs(means[option])):
            other, rate = ties[size], abs(rates[option] - rates[ties[size]])
            gap = draws.npv_at(option, size) - (0.0 if other == "bau" else draws.npv_at(other, size))
            return Switch(now, now > 0.0, size, mcse_mean(gap, chains=chains) / rate)
    return Switch(now, now > 0.0, np.nan, np.nan)


def even_chance(start: np.ndarray, slope: np.ndarray, *, target: float, lower: float, upper: float) -> float:
    """Smallest size, up or down, at which half of the draws change sides of a target.

    NaN where no possible size makes or unmakes an even chance of the statement. Each draw changes sides at
    ``(target - start) / slope``; in that order the chance is a running count.
    """
    moving = slope != 0.0
    holds = start >= target
    now = holds.sum() * 2 >= start.size
    sizes = []
    for sign, end in ((1.0, upper), (-1.0, -lower)):
        turns = sign * (target - start[moving]) / slope[moving]
        gains = np.where(holds[moving], -1, 1)
        ahead = (turns >= 0.0) & (turns <= end) & ((sign * slope[moving] > 0.0) != holds[moving])
        order = np.argsort(turns[ahead], kind="stable")
        count = holds.sum() + np.cumsum(gains[ahead][order])
        changed = (count * 2 >= start.size) != now
        if changed.any():
            sizes.append(sign * float(turns[ahead][order][int(changed.argmax())]))
    return min(sizes, key=abs) if sizes else float("nan")


# --- How large an effect that the model cannot see would have to be to change the answer, for every … ---


CONCLUSIONS = {
    "npv_sign": "The sign of the mean net present value",
    "best_by_npv": "Whether no option has a higher mean net present value",
    "fewer_children": "The sign of the mean change in children in care",
    "prob_fewer_30000": "Whether {claim} fewer children are as likely as not",
}
"""What is judged, with its words; the claim is of fewer children."""


def stressed_draws(workings: Workings) -> dict[str, StressedDraws]:
    """Draws of every option, ready to be stressed by each effect."""
    fewer = {o: fewer_children(workings, o) for o in reforms(workings)}
    npv = {o: workings.arrays.npv.sel(option=o).values for o in fewer}
    return {name: StressedDraws(npv, fewer, slopes) for name, slopes in stress_slopes(workings).items()}


@catalogued(
    "stress_tests",
    "How large effects outside the model would have to be to change a conclusion",
    BY_ROW,
    once=True,
    needs=a_reform,
)
def stress_tests(workings: Workings) -> pd.DataFrame:
    """How large effects that the model cannot see would have to be to change the answer."""
    # Columns stress, label, option, quantity (of `CONCLUSIONS`), conclusion, now (mean net present value in
    # GBP, for ``best_by_npv`` less that of the best other option or nothing; mean children fewer;
    # probability), holds_now, unit, size (missing where no size changes it; for ``prob_fewer_30000`` also
    # where none that is possible does), size_se, size_words (no more figures than the error allows, "none
    # does", or "cannot be told" below two errors), possible_lower, possible_upper (missing: no bound),
    # reachable (the size can be told and is possible), comparison and compared_with (a published or modelled
    # figure in the same unit), hinted (reachable between nought and that figure), verdict. Every option is
    # under the same size.
    #
    # With means linear in the size, ``s = -E[NPV] / E[a]``; two options tie at
    # ``-E[NPV_1 - NPV_2] / E[a_1 - a_2]``. The probability is counted draw by draw at every size at which one
    # draw changes sides. `size_se` is the Monte Carlo error of the mean at that size over its slope.
    rows, claim = [], workings.inputs.claims.fewer_children
    drawn = stressed_draws(workings)
    for kind in KINDS:
        draws = drawn[kind.name]
        for option in draws.npv:
            comparison = _comparison(workings, kind, option)
            for quantity in CONCLUSIONS:
                found = _switch(draws, option, quantity, kind, claim=claim.value, chains=workings.chains)
                row = _row(kind, option, quantity, found, comparison)
                rows.append(row | {"conclusion": CONCLUSIONS[quantity].format(claim=claim)})
    return pd.DataFrame(rows)


def _said(size: float, se: float) -> str:
    """Write a size to three figures, or fewer where its Monte Carlo error is larger, but to one at least."""
    if size == 0.0:
        return "0"
    power = np.floor(np.log10(abs(size)))
    by_error = np.ceil(np.log10(se)) if se > 0.0 else -np.inf
    power = int(min(max(power - 2, by_error), power))
    rounded = round(size / 10.0**power) * 10.0**power
    return f"{rounded:,.{max(0, -power)}f}".replace("-", "\N{MINUS SIGN}")


def _comparison(workings: Workings, kind: StressKind, option: str) -> tuple[float, str]:
    """Figure in the unit of an effect that its size can be held against; NaN where there is none."""
    if kind.name == "protection":
        share = float(workings.system.value("home_support.supported_share").mean())
        return share, "share of those years with support at home already in the costs"
    if kind.name == "market":
        seen = price_response(workings, cost="residential_care", placement="childrens_home")
        return seen, "published real growth of children's homes' cost per growth of their number, all causes"
    if kind.name == "found":
        account = workings.accounts[option]
        helped = float(children_helped(workings, account).mean(axis=0).sum())
        averted = float(account.children.averted_starts.mean(axis=0).sum())
        words = "starts averted per 1,000 children helped, this option"
        return (PER_HELPED * averted / helped, words) if helped > 0.0 else (np.nan, "")
    if kind.name == "harm":
        wellby = workings.inputs.priors["social.wellby"]
        worth = wellby.median * workings.pound_of(wellby.price_year or workings.basis.price_base)
        return worth, "value of one point of life satisfaction for a year, appraisal guidance"
    return np.nan, ""


def _switch(
    draws: StressedDraws, option: str, quantity: str, kind: StressKind, *, claim: int, chains: int | None
) -> Switch:
    npv, fewer, slopes = draws.npv[option], draws.fewer[option], draws.slopes[option]
    if quantity == "npv_sign":
        return switch_of_mean(npv, slopes.npv, chains=chains)
    if quantity == "fewer_children":
        return switch_of_mean(fewer, slopes.fewer, chains=chains)
    if quantity == "best_by_npv":
        return switch_of_best(draws, option, kind, chains=chains)
    now = float((fewer >= claim).mean())
    size = even_chance(fewer, slopes.fewer, target=claim, lower=kind.lower, upper=kind.upper)
    return Switch(now, now >= 0.5, size, np.nan)


@catalogued("child_years_at_home", "Child-years at home: safe, and not", "Discounted years.", needs=a_reform)
def child_years_at_home(workings: Workings) -> pd.DataFrame:
    """Child-years at home that are safe, and beside them those of children who should have come into care.

    Columns option, safe_mean, safe_lower, safe_upper, harm_mean, harm_lower, harm_upper; below zero where more
    children are in care.
    """
    arrays = {"safe_": workings.arrays.child_years_safe, "harm_": workings.arrays.child_years_harm}
    rows: list[dict[str, Any]] = [{"option": option} for option in reforms(workings)]
    for row, (of, array) in product(rows, arrays.items()):
        row |= spread(workings, array.sel(option=row["option"]).values, of)
    return pd.DataFrame(rows)


def _row(
    kind: StressKind, option: str, quantity: str, found: Switch, comparison: tuple[float, str]
) -> dict[str, object]:
    seen, compared_with = comparison
    reachable = found.told and kind.lower <= found.size <= kind.upper
    words, verdict = _words(found, kind, reachable=reachable, seen=seen)
    return {
        **{"stress": kind.name, "label": kind.label, "option": option, "quantity": quantity},
        **{"conclusion": CONCLUSIONS[quantity], "now": found.now, "holds_now": found.holds_now},
        **{"unit": kind.unit, "size": found.size, "size_se": found.se, "size_words": words},
        "possible_lower": kind.lower,
        "possible_upper": kind.upper if np.isfinite(kind.upper) else np.nan,
        **{"reachable": reachable, "comparison": seen, "compared_with": compared_with},
        "hinted": reachable and min(seen, 0.0) <= found.size <= max(seen, 0.0),
        "verdict": verdict,
    }


def _words(found: Switch, kind: StressKind, *, reachable: bool, seen: float) -> tuple[str, str]:
    """Say how large the effect would have to be, and what that means for the conclusion."""
    if not np.isfinite(found.size):
        return "none does", "Cannot change it: no size does"
    if not found.told:
        return "cannot be told", "Cannot be told: the error of the size is more than half of it"
    said = _said(found.size, found.se)
    if reachable:
        published = kind.name == "market" and found.size > 0.0 and np.isfinite(seen)
        held = f", {'within' if found.size <= seen else 'beyond'} what published series hint at"
        return said, f"It would have to be {said}" + (held if published else "")
    beyond = f"{'more' if found.size > kind.upper else 'less'} than there can be"
    opposite = kind.lower == 0.0 and found.size < 0.0
    beyond = "the opposite of what it is" if opposite else beyond
    return said, f"Cannot change it: it would have to be {said}, {beyond}"
