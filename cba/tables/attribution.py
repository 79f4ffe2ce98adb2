"""Credit for an option's effect, split among its interventions by exact Shapley values over their subsets."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pandas as pd

from cba.appraisal.quantities import discounted, lead_option, review_prices
from cba.appraisal.workings import Workings, net_saving
from cba.costs.account import OptionAccount, child_years, total_saving
from cba.costs.option_account import option_account
from cba.decisions.shares import shapley
from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.inputs.evidence import Claim, Expectation
from cba.inputs.options import Effects, Option
from cba.interventions.kinds import COST_ONLY, checked, described, own_components, shipped_effect
from cba.projection.care_system import CareSystem, option_children
from cba.tables.beliefs import children_of_all_starts, what_it_would_take
from cba.tables.catalogue import BY_ROW, MONEY, catalogued, review_programme, spread

PLAYERS = ("family_help", "kinship", "foster", "cost_only")
"""Interventions credit is split among; `cost_only` holds workforce, regional care and other money."""


def players_of(option: Option) -> tuple[str, ...]:
    """Interventions of an option: the shipped ones, or those it spends on where it states effects of its own."""
    if not option.effect:
        return PLAYERS
    paid = {line.component for line in option.spend} | (
        {option.recurrent.component} if option.recurrent else set()
    )
    idle = PLAYERS[-1:] if paid & set(_cost_only(option)) else ()
    return (*(name for name in PLAYERS if name in paid), *own_components([option]), *idle)


def _cost_only(option: Option) -> tuple[str, ...]:
    """Components whose money has no effect, or one of price and mix that is shown with them."""
    return tuple(name for name in COST_ONLY if name not in own_components([option]))


def with_components(option: Option, players: tuple[str, ...]) -> Option:
    """Return the option with only the money and effects of some players.

    Financing as in the option where its recurrent money is kept, ``fade`` otherwise.
    """
    wanted = {c for p in players for c in (_cost_only(option) if p == "cost_only" else (p,))}
    effects = option.effects.model_dump()
    if "kinship" not in wanted:
        effects |= {"allowance_scope": "none", "family_network": False}
    if "foster" not in wanted:
        effects |= {"foster_carers_target": 0.0}
    if "cost_only" not in players:
        effects |= {"price_reform": False}
    recurrent = option.recurrent if option.recurrent and option.recurrent.component in wanted else None
    return option.model_copy(
        update={
            "spend": tuple(line for line in option.spend if line.component in wanted),
            "effects": Effects(**effects),
            "effect": tuple(one for one in option.effect if one.table["component"] in wanted),
            "recurrent": recurrent,
            "financing": option.financing if recurrent else "fade",
        }
    )


def component_account(workings: Workings, option: str, players: tuple[str, ...]) -> OptionAccount:
    """Work out an option with only some of its interventions, on the same draws.

    One that was worked out before where an option of the analysis has the same money and effects.
    """
    full = workings.option(option)
    part = with_components(full, players)
    for known in workings.inputs.options:
        if _same_account(known, part):
            return workings.accounts[known.id]
    return option_account(part, workings.system, workings.basis)


def _same_account(one: Option, other: Option) -> bool:
    """Whether two options must have the same account: all that :func:`option_account` reads is the same."""
    fields = ("timing", "delay_years", "financing", "recurrent", "spend", "effects", "effect")
    return all(getattr(one, field) == getattr(other, field) for field in fields)


def split_options(workings: Workings) -> list[str]:
    """Options whose credit is split: the one a report follows, and those that state effects of their own."""
    lead = lead_option(workings) if review_programme(workings) else None
    return [o.id for o in workings.inputs.options if o.id == lead or o.effect]


def splits(workings: Workings) -> bool:
    """Whether there is an option whose credit is split."""
    return bool(split_options(workings))


def own_effects(workings: Workings) -> bool:
    """Whether an option states effects of its own."""
    return bool(own_components(workings.inputs.options))


@catalogued(
    "attribution",
    "Contribution of each intervention to every option, Shapley values",
    MONEY,
    needs=splits,
)
def attribution_tables(workings: Workings) -> pd.DataFrame:
    """Split the mean effect and net present value of options among their interventions."""
    return pd.concat([attribution_table(workings, o) for o in split_options(workings)], ignore_index=True)


def attribution_table(workings: Workings, option: str | None = None) -> pd.DataFrame:
    """Split the mean effect and net present value of an option among its interventions.

    Columns option, component, fewer_children, npv (GBP): exact Shapley values over all subsets; they sum
    to the option's mean effect and mean net present value.
    """
    option = option or lead_option(workings)
    target = workings.target
    full = workings.option(option)
    players = players_of(full)
    idle = not (full.effects.price_reform or _acts(full))
    acting = tuple(p for p in players if not (idle and p == "cost_only"))
    bill = _idle_bill(workings, option)

    @cache
    def achieved(some: tuple[str, ...]) -> np.ndarray:
        """Mean effect and worth of some of the interventions that act."""
        if some == acting:
            account = workings.accounts[option]
            add_back = np.array([0.0, 0.0 if acting == players else -bill])
        elif some:
            account, add_back = component_account(workings, option, some), np.zeros(2)
        else:
            return np.zeros(2)
        fewer = account.children.fewer[:, target].mean()
        return np.array([fewer, discounted(workings, net_saving(account)).mean()]) + add_back

    def value(members: frozenset[str]) -> np.ndarray:
        added = bill if idle and "cost_only" in members else 0.0
        return achieved(tuple(p for p in acting if p in members)) + np.array([0.0, added])

    credit = shapley(value, players)
    return pd.DataFrame(
        [
            {"option": option, "component": p, "fewer_children": float(c[0]), "npv": float(c[1])}
            for p, c in credit.items()
        ]
    )


@catalogued(
    "interventions",
    "What interventions of the options' own do, and what their money reaches",
    MONEY,
    needs=own_effects,
)
def interventions_table(workings: Workings) -> pd.DataFrame:
    """What effects that options state themselves do, in words, and what their money reaches.

    Columns option, component, label, what, same_prior, money, surplus, delivered, year.
    """
    # same_prior: whether every stance holds the same prior. money and surplus: GBP of the price base over the horizon;
    # surplus is beyond full coverage and buys nothing. delivered: share served, in place, or filled places in the
    # year it is largest.
    analysis, rows = workings.inputs.analysis, []
    inside = np.array(workings.years) < analysis.start_year + analysis.horizon
    for option in workings.inputs.options:
        account = workings.accounts[option.id]
        for effect in checked(option):
            if not effect.own:
                continue
            done = next(w for w in account.work if w.name == effect.name)
            lines = [line.amount for line in account.costs if line.component == effect.component]
            assert done.surplus is not None  # it acts on money
            mean = done.delivered.mean(axis=0)
            found = {"money": np.asarray(sum(lines)), "surplus": done.surplus}
            rows.append(
                {
                    "option": option.id,
                    "component": effect.component,
                    "label": effect.label,
                    "what": described(effect),
                    "same_prior": not effect.form.stance,
                    **{name: float(a[:, inside].sum(axis=1).mean()) for name, a in found.items()},
                    "delivered": float(mean.max()),
                    "year": workings.years[int(mean.argmax())],
                }
            )
    return pd.DataFrame(rows)


def _acts(option: Option) -> bool:
    """Whether money of `cost_only` is reinvested savings, and so depends on the other interventions."""
    return option.recurrent is not None and option.recurrent.component in _cost_only(option)


def _idle_bill(workings: Workings, option: str) -> float:
    """Mean worth of money that acts on nothing and is only added: below 0."""
    idle = _cost_only(workings.option(option))
    lines = [line for line in workings.accounts[option].costs if line.component in idle]
    spent = sum((line.amount for line in lines), np.zeros_like(workings.accounts[option].recurrent))
    return -float(discounted(workings, spent).mean())


# --- Break-even map: how large a cut in starts, at how many cashable pounds per child-year saved, … ---


REFERENCE_RATIO = 0.9
"""Risk ratio of the fixed effect behind U and y, which do not depend on it: everything is proportional."""


CUTS = np.round(np.linspace(0.05, 0.65, 13), 4)
"""Cuts in starts of the grid, shares."""


CURVE = np.round(np.linspace(0.02, 0.65, 64), 4)
"""Cuts in starts at which the break-even curve is drawn, shares."""


VALUES = np.arange(10_000.0, 130_001.0, 10_000.0)
"""Cashable saving per child-year of the grid, GBP of the price base."""


_COLUMNS = ["option", "kind", "name", "label", "cut", "value", "npv", "prob_positive"]


@dataclasses.dataclass(frozen=True)
class MapDraws:
    """What places an option on the map, one value per draw."""

    cut: np.ndarray  # (sample,): share of starts averted in the target year; negative where help adds starts
    value: np.ndarray  # (sample,), GBP: present value of cashable saving per discounted child-year
    child_years: np.ndarray  # (sample,): discounted child-years that a cut of 1 brings
    cost: np.ndarray  # (sample,), GBP: cost less other savings, present value

    @property
    def npv(self) -> np.ndarray:
        """Net present value of each draw."""
        return self.cut * self.value * self.child_years - self.cost


def map_draws(workings: Workings, option: str) -> MapDraws:
    """Place every draw of an option on the map.

    ``MapDraws.npv`` is the option's net present value, draw by draw.
    """
    target = workings.target
    starts = workings.system.ground.starts
    starts = starts.sum(axis=-1)[:, target]
    system = _with_fixed_effect(workings, ratio=REFERENCE_RATIO)
    full = workings.option(option)
    part = with_components(full, ("family_help",))
    account = option_account(part, system, workings.basis)
    cut = account.children.averted_starts.sum(axis=-1)[:, target] / starts
    if not (cut > 0.0).all():
        raise InputError(
            "an option has no family help in the target year, so there is no cut in starts to map",
            field="option",
            found=option,
            allowed="options whose money for family help goes on to the target year",
            cause="kinship, fostering or prices save money without fewer starts, or the money has ended",
            remedy="choose an option with lasting family help",
        )
    lived = discounted(workings, child_years(account.children.fewer))
    saved = discounted(workings, total_saving(account))
    own = workings.accounts[option].children.averted_starts.sum(axis=-1)[:, target] / starts
    value, per_cut = saved / lived, lived / cut
    npv = workings.arrays.npv.sel(option=option).values
    return MapDraws(own, value, per_cut, own * value * per_cut - npv)


def _with_fixed_effect(workings: Workings, *, ratio: float, reach: float | None = None) -> CareSystem:
    """Return business as usual with one risk ratio for every child served, in every draw, and one reach if given."""
    drawn, size = workings.system.parameters, workings.system.reach.size
    fixed = {
        "family_help.log_risk_ratio": np.log(ratio),
        "family_help.log_odds_of_leaving": 0.0,
        "family_help.age_tilt_under_1": 1.0,
        "family_help.age_tilt_16_plus": 1.0,
    }
    parameters = drawn.assign({name: ("sample", np.full(size, value)) for name, value in fixed.items()})
    by_age = workings.system.reach_by_age if reach is None else np.full((size, len(AGE_BANDS)), reach)
    return dataclasses.replace(workings.system, parameters=parameters, reach_by_age=by_age)


# --- What was expected outside, beside the same results here ---


@catalogued("held_against", "Results expected outside, beside ours", BY_ROW, needs=review_programme)
def held_against(workings: Workings) -> pd.DataFrame:
    """Expectations from outside beside the same results of the model, each difference explained.

    Columns expectation, outside_lower, outside_upper, unit, ours_mean, ours_lower, ours_upper, inside,
    explanation, source.
    """
    # inside: whether our mean lies in the outside range or, where that is one figure, it in our interval.
    claims, rows = workings.inputs.claims, []
    for one in claims.expectation:
        claim = claims.each.get(one.claim or "")
        low, high = (float(end or (claim.value if claim else 0.0)) for end in (one.lower, one.upper))
        ours = spread(workings, _result_held(workings, one, claim=claim), "ours_")
        point, source = ours["ours_lower"] <= low <= ours["ours_upper"], [each.title for each in one.source]
        inside = point if low == high else low <= ours["ours_mean"] <= high
        about = {"outside_lower": low, "outside_upper": high, "unit": one.unit, **ours, "inside": inside}
        said = {"explanation": one.explanation, "source": "; ".join(source)}
        rows.append({"expectation": one.description, **about, **said})
    return pd.DataFrame(rows)


def _result_held(workings: Workings, one: Expectation, *, claim: Claim | None) -> np.ndarray:
    """Draws of the result that an expectation is about, (sample,)."""
    if one.about == "fall_in_starts" and claim:
        return np.asarray(claim.value / children_of_all_starts(workings))
    if one.about == "at_full_coverage":
        system = _with_fixed_effect(workings, ratio=one.risk_ratio, reach=one.reach)
        covered = (system.years >= workings.inputs.analysis.start_year) * np.ones((len(system.reach), 1))
        effect = shipped_effect("family_help")
        done = effect.kind.at(effect, system.ground, covered)
        return option_children(system, [done]).fewer[:, workings.target]
    account = component_account(workings, workings.inputs.claims.programme, ("family_help",))
    if one.about == "saving":
        return np.asarray(total_saving(account)[:, workings.target] / review_prices(workings))
    return account.children.fewer[:, workings.target]


@catalogued(
    "break_even_map",
    "Break-even map: cut in starts against worth of a child not in care",
    MONEY,
    needs=review_programme,
)
def break_even_map(workings: Workings, option: str | None = None) -> pd.DataFrame:
    """Return the map of one option: grid, break-even curve, region of the evidence, and what was claimed.

    Columns option, kind, name, label, cut (share of starts in the target year), value (GBP of the price base,
    cashable, per child-year), npv (GBP, mean), prob_positive.
    """
    # Kinds: ``grid`` (every cut and value), ``contour`` (mean net present value of zero), ``region`` (edge
    # that holds the analysis's level of the draws of this stance), ``point`` (the stance's median), ``claim``
    # (the review's figures).
    option = option or workings.inputs.claims.programme
    drawn, stance = map_draws(workings, option), workings.inputs.stance
    cost, lived = float(drawn.cost.mean()), float(drawn.child_years.mean())
    rows: list[tuple[str, str, str, float, float]] = [
        ("grid", "", "", float(x), float(y)) for x in CUTS for y in VALUES
    ]
    if cost > 0.0:
        rows += [("contour", "break_even", "Break-even", float(x), cost / (x * lived)) for x in CURVE]
    edge = region_edge(drawn.cut, drawn.value, level=workings.inputs.analysis.level)
    rows += [("region", stance, "", float(x), float(y)) for x, y in edge]
    rows.append(("point", stance, "", float(np.median(drawn.cut)), float(np.median(drawn.value))))
    rows += [("claim", *claim) for claim in _claims(workings)]
    found = []
    for kind, name, label, x, y in rows:
        npv = x * y * drawn.child_years - drawn.cost
        mean = 0.0 if kind == "contour" else float(npv.mean())  # by construction: the mean would be rounding
        found.append((option, kind, name, label, x, y, mean, float((npv > 0).mean())))
    return pd.DataFrame(found, columns=_COLUMNS)


def region_edge(cut: np.ndarray, value: np.ndarray, *, level: float, points: int = 49) -> np.ndarray:
    """Edge of the ellipse, on cut and the log of value, that holds `level` of the draws.

    Shape (points, 2). `value` (sample,), GBP, above 0: cashable saving per child-year. `level`, in (0, 1).
    """
    # Draws are ordered by Mahalanobis distance from their mean, and the edge is where `level` of them are
    # nearer: the shape is that of a normal law, the content is exact whatever the law.
    place = np.stack([cut, np.log(value)], axis=1)
    centre = place.mean(axis=0)
    root = np.linalg.cholesky(np.cov(place.T))
    distance = np.linalg.norm(np.linalg.solve(root, (place - centre).T), axis=0)
    turn = np.linspace(0.0, 2.0 * np.pi, points)
    circle = np.quantile(distance, level) * np.stack([np.cos(turn), np.sin(turn)])
    edge = centre + (root @ circle).T
    return np.stack([edge[:, 0], np.exp(edge[:, 1])], axis=1)


def _claims(workings: Workings) -> list[tuple[str, str, float, float]]:
    """Place the review's figures: children as the cut that would bring them, money per child."""
    cuts = what_it_would_take(workings).set_index("target_children")["cut_median"]
    claims, to_base = workings.inputs.claims, review_prices(workings)
    children = {"family_help": claims.family_help_children, "in_all": claims.fewer_children}
    money = {"family_help": claims.family_help_saving, "in_all": claims.annual_saving}
    said = {"family_help": "a year", "in_all": "a year shifted"}
    return [
        (
            name,
            f"Review: {fewer} fewer, {money[name]} {said[name]}",
            float(cuts[fewer.value]),
            money[name].value / fewer.value * to_base,
        )
        for name, fewer in children.items()
    ]
