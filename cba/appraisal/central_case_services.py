"""Live central case: what an option's money is, and the services it buys in each year."""

from __future__ import annotations

from cba.appraisal.central_case_cells import Cell, added, chosen, least, total
from cba.appraisal.central_case_point import Point
from cba.appraisal.central_case_shared import Column, lagged
from cba.appraisal.central_case_steps import Steps
from cba.costs.bought_services import SCOPES
from cba.dimensions import AGE_BANDS, COMPONENTS
from cba.projection.coverage import SETUP_YEARS

MILLION = 1e6


def service_steps(steps: Steps, point: Point) -> None:
    """Rows from money to services: coverage, allowances, meetings, foster places, reform.

    Parameters
    ----------
    steps : Steps
        With the rows before these; they are added to it.
    point : Point
        Gives the option's money and price levels.

    Examples
    --------
    >>> service_steps(steps, point)  # doctest: +SKIP
    """
    _money(steps, point)
    _family_help(steps)
    _kinship(steps)
    _foster_and_reform(steps)


def _money(steps: Steps, point: Point) -> None:
    """Programme and recurrent money, as stated and in the price base."""
    option, years, base = steps.option, point.years, point.basis
    by_component: dict[str, list[tuple[Column, Column]]] = {name: [] for name in COMPONENTS}
    spending = option.spend_by_year(base.start_year).items()
    for number, ((component, payer, price_year, additional), amounts) in enumerate(spending):
        if not additional:
            continue
        label = f"{component}, paid by {payer}"
        stated = steps.add(
            f"stated_{number}",
            f"{label}: as stated, prices {price_year}",
            "GBP million",
            [float(amounts.get(years[t], 0.0)) for t in steps.span],
        )
        factor = steps.add(
            f"factor_{number}",
            f"{label}: factor to the price base",
            "ratio",
            [point.factor(price_year, years[t]) for t in steps.span],
        )
        by_component[component].append((stated, factor))
    for name, lines in by_component.items():
        steps.add(
            f"programme_{name}",
            f"{name}: programme money",
            "GBP",
            [added([s[t] * f[t] * MILLION for s, f in lines]) for t in steps.span],
        )
    later = option.recurrent
    first = option.year_of(later.first_offset, base.start_year) if later else 0
    amount = later.gbp_million if later else 0.0
    stated = steps.add(
        "stated_recurrent",
        "Recurrent money: as stated",
        "GBP million",
        [float(amount) if later and years[t] >= first else 0.0 for t in steps.span],
    )
    factor = steps.add(
        "factor_recurrent",
        "Recurrent money: factor to the price base",
        "ratio",
        [point.factor(later.price_year, years[t]) if later else 0.0 for t in steps.span],
    )
    steps.add("recurrent", "Recurrent money", "GBP", [stated[t] * factor[t] * MILLION for t in steps.span])
    for name in ("family_help", "kinship", "foster"):
        paid, goes_on = steps.row[f"programme_{name}"], steps.row["recurrent"]
        own = later is not None and later.component == name
        steps.add(
            f"money_{name}",
            f"{name}: programme and recurrent money",
            "GBP",
            [paid[t] + goes_on[t] if own else paid[t] * 1 for t in steps.span],
        )


def _after_setup(steps: Steps, key: str, label: str, money: Column) -> Column:
    """Money for service: set-up takes a share of the first years that have any."""
    setup = steps.value["delivery.setup_share"]

    def step(t: int) -> Cell:
        funded = sum(cell.value > 0 for cell in money[: t + 1])
        counted = Cell(float(funded), f'COUNTIF({money[0].text}:{money[t].text},">0")')
        return chosen(counted, ">", SETUP_YEARS, money[t], money[t] * (1 - setup))

    return steps.add(key, label, "GBP", [step(t) for t in steps.span])


def _family_help(steps: Steps) -> None:
    value, part, service = steps.value, steps.part, steps.shared.service
    paid = _after_setup(
        steps, "help_service", "Family help: money after set-up", steps.row["money_family_help"]
    )
    bought = steps.add(
        "help_bought",
        "Family help: children whose service is paid for",
        "children",
        [paid[t] / value["family_help.cost_per_child"] for t in steps.span],
    )
    served = steps.add(
        "help_served",
        "Family help: children served",
        "children",
        [lagged(bought, service, at=t) for t in steps.span],
    )
    eligible = value["family_help.eligible_children"]
    steps.add(
        "coverage",
        "Family help: share of eligible children served",
        "share",
        [least(served[t] / (part * eligible), 1) * part for t in steps.span],
    )


def _kinship(steps: Steps) -> None:
    """Allowances, what of them goes to existing carers, and family-network meetings."""
    value, part, effects, shared = steps.value, steps.part, steps.option.effects, steps.shared
    money = steps.row["money_kinship"]
    children = added([value[name] for name in SCOPES[effects.allowance_scope]])
    bill = value["kinship.allowance_gap"] * children * 365 / 7
    split: Cell | float = value["kinship.allowance_share"] if effects.family_network else 1.0
    split = split if effects.allowance_scope != "none" else 0.0
    gap = steps.add(
        "gap",
        "Allowances: share of the gap that the money pays",
        "share",
        [least(money[t] * split / bill, part) if bill.value > 0 else 0.0 for t in steps.span],
    )
    steps.add("deadweight", "Allowances to existing carers", "GBP", [gap[t] * bill for t in steps.span])
    steps.add(
        "allowances",
        "Allowances: share of the gap paid",
        "share",
        [lagged(gap, shared.payment, at=t) for t in steps.span],
    )
    meets = 1.0 if effects.family_network else 0.0
    given = steps.add(
        "meeting_money", "Meetings: money", "GBP", [money[t] * (1 - split) * meets for t in steps.span]
    )
    paid = _after_setup(steps, "meeting_service", "Meetings: money after set-up", given)
    bought = steps.add(
        "meeting_bought",
        "Meetings: paid for",
        "meetings",
        [paid[t] / value["kinship.meeting_cost"] for t in steps.span],
    )
    held = steps.add(
        "meetings", "Meetings: held", "meetings", [lagged(bought, shared.service, at=t) for t in steps.span]
    )
    route = value["kinship.route_share"] * value["kinship.uncovered_share"]
    route = route / value["kinship.in_care_without_meeting"]
    steps.add(
        "meeting_coverage",
        "Meetings: share of the newly covered route",
        "share",
        [
            least(held[t] / (part * total([shared.year[f"starts_{a}"][t] for a in AGE_BANDS]) * route), 1)
            * part
            for t in steps.span
        ],
    )


def _foster_and_reform(steps: Steps) -> None:
    value, shared, effects = steps.value, steps.shared, steps.option.effects
    paid = steps.add(
        "foster_paid",
        "Foster recruitment: money that has acted",
        "GBP",
        [lagged(steps.row["money_foster"], shared.service, at=t) for t in steps.span],
    )
    carers = steps.add(
        "carers",
        "Foster recruitment: carers so far",
        "carers",
        [
            least(total(paid[: t + 1]) / value["foster.cost_per_carer"], effects.foster_carers_target)
            * value["foster.target_delivered"]
            for t in steps.span
        ],
    )
    leave, each = value["foster.attrition"], value["foster.carers_per_household"]
    place = len(steps.grid.rows)
    homes: Column = []

    def household(t: int) -> Cell:
        new = (carers[t] - carers[t - 1]) / each if t else carers[t] / each
        now = new * (1 - leave / 2)
        now = homes[t - 1] * (1 - leave) + now if t else now
        homes.append(Cell(now.value, f"{{{steps.grid.key}:{place}:{t + 2}}}"))
        return now

    households = steps.add(
        "households", "Foster recruitment: households", "households", [household(t) for t in steps.span]
    )
    steps.add(
        "places",
        "Foster recruitment: filled places",
        "places",
        [
            households[t] * value["foster.places_per_household"] * value["foster.filled_share"]
            for t in steps.span
        ],
    )
    programme = steps.row["programme_regional_care"]
    acted = steps.add(
        "reform_acted",
        "Placement reform: money that has acted",
        "GBP",
        [lagged(programme, shared.service, at=t) if effects.price_reform else 0.0 for t in steps.span],
    )
    steps.add(
        "reform",
        "Placement reform: share in place",
        "share",
        [total(acted[: t + 1]) / total(programme) if effects.price_reform else 0.0 for t in steps.span],
    )
