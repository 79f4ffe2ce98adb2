"""What every option of the live central case shares: reach by age, timing of services, stays, figures by year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cba.costs.discounting import find_schedule
from cba.dimensions import AGE_BANDS, COMPONENTS, PLACEMENTS
from cba.inputs.options import Option
from cba.projection.care_system import RETURN_YEARS
from cba.projection.services import HALF_YEAR, SCOPES, SETUP_YEARS, SHORTEST_STRETCH
from cba.projection.stay_length import averted_stock_kernel
from cba.workbook.cells import Cell, Entry, Grid, added, chosen, dot, exp, least, log, most, total
from cba.workbook.live_point import Point

Column = list[Cell]


NEWTON_STEPS = 3
"""As :data:`cba.models.effects_areas.STEPS`: the sheet repeats the package's arithmetic."""


@dataclass(frozen=True)
class Shared:
    """References to the shared figures."""

    grids: tuple[Grid, ...]  # in the order of their sheets
    effect: Column  # share of starts averted at each age when all eligible children are served
    # service and payment: share of a year's money whose service (whose allowances) happens so many years on.
    service: Column
    payment: Column
    kept: list[Column]  # children fewer per averted start, by years since, then by age at the start
    # leaver and guarded: children fewer, and still under 18, per early leaver, by years since.
    leaver: Column
    guarded: Column
    entrants: list[Column]  # placement mix of averted children: by placement, then by years since the start
    year: Mapping[str, Column]  # figures by year


def shared_figures(point: Point, value: Mapping[str, Cell]) -> Shared:
    """Tables that the options refer to."""
    reach, effect = _reach(point, value)
    timing, service, payment = _timing(len(point.years), value)
    stays, kept, leaver, guarded, entrants = _stays(point, value)
    years, year = _years(point)
    return Shared(
        (reach, timing, stays, years), effect, service, payment, kept, leaver, guarded, entrants, year
    )


def _reach(point: Point, value: Mapping[str, Cell]) -> tuple[Grid, Column]:
    """Reach by age: as :func:`cba.models.effects_areas.reach_by_age`, whose Newton steps are repeated."""
    steps = [f"{what}, step {n + 1}" for n in range(NEWTON_STEPS) for what in ("Reach", "Slope", "Level")]
    grid = Grid(
        "reach",
        "Live central case: share of starts that family help reaches and averts, by age",
        (
            "Reach phi solves logit phi = level + ln(w / s) with its average over starts equal to the eligible "
            "children times their yearly risk over all starts; three Newton steps find the level.",
            "The last column is phi (1 - RR^tilt): the share of starts averted when every eligible child is served.",
        ),
        (
            "Age at the start of care",
            "Starts of the last published year, not unaccompanied",
            "Share of starts",
            "Log of eligible weight over share of starts",
            "Log weight, centred",
            "Log odds of reach over all ages",
            *steps,
            "Reach",
            "Share averted at full coverage",
        ),
    )
    grid.add_column(list(AGE_BANDS))
    starts = grid.add_column([float(n) for n in point.starts])
    share = grid.add_column([n / total(starts) for n in starts])
    risk: list[Cell | float] = [value["family_help.relative_risk_under_1"], 1.0, 1.0, 1.0]
    risk.append(value["family_help.relative_risk_16_plus"])
    tilt: list[Cell | float] = [value["family_help.age_tilt_under_1"], 1.0, 1.0, 1.0]
    tilt.append(value["family_help.age_tilt_16_plus"])
    eligible = [value[f"family_help.eligible_share_{age}"] for age in AGE_BANDS]
    pattern = grid.add_column([log(e * r / s) for e, r, s in zip(eligible, risk, share, strict=True)])
    centred = grid.add_column([p - dot(pattern, share) for p in pattern])
    served = value["family_help.eligible_children"] * value["family_help.yearly_entry_risk"]
    overall = served / total(starts)
    odds = grid.add_column([log(overall / (1 - overall))] * len(AGE_BANDS))
    level = odds
    for _ in range(NEWTON_STEPS):
        reached = grid.add_column([_logistic(w, c) for w, c in zip(level, centred, strict=True)])
        slope = grid.add_column([r * (1 - r) for r in reached])
        mean = dot(reached, share)
        step = mean * (1 - mean) / dot(slope, share)
        level = grid.add_column(
            [w - (log(mean / (1 - mean)) - o) * step for w, o in zip(level, odds, strict=True)]
        )
    phi = grid.add_column([_logistic(w, c) for w, c in zip(level, centred, strict=True)])
    ratio = value["family_help.log_risk_ratio"]
    return grid, grid.add_column([p * (1 - exp(ratio * t)) for p, t in zip(phi, tilt, strict=True)])


def _logistic(level: Cell, offset: Cell) -> Cell:
    return 1 / (1 + exp(0 - (level + offset)))


def _timing(lags: int, value: Mapping[str, Cell]) -> tuple[Grid, Column, Column]:
    """When what a year's money buys happens: as :func:`cba.projection.services.service_timing`."""
    kinds = {"Services": HALF_YEAR, "Allowances": 0.0}
    parts = (
        "end",
        "end less the ramp",
        "money spent by the end",
        "money spent before the ramp",
        "done",
        "share",
    )
    grid = Grid(
        "timing",
        "Live central case: when the services of a year's money happen",
        (
            "Money is spent evenly over its year; its service follows after the delay, spread over the ramp. "
            "Services act half a year after their money, allowances as they are paid.",
            "The share of the service done k years on is (H(end) - H(end - ramp)) / ramp, with H the money spent by "
            "then: 0 before, x^2/2 within its year, x - 1/2 after.",
        ),
        ("Years after the money", *(f"{kind}: {part}" for kind in kinds for part in parts)),
    )
    since = grid.add_column([float(lag) for lag in range(lags)])
    stretch, shares = value["delivery.ramp_stretch"], []
    for later in kinds.values():
        end = grid.add_column([lag + 1 - (value["delivery.start_delay"] + later) for lag in since])
        start = grid.add_column([e - stretch for e in end])
        spent, before = (grid.add_column([_spent(x) for x in column]) for column in (end, start))
        ramp = most(stretch, SHORTEST_STRETCH)
        done = grid.add_column(
            [
                chosen(
                    stretch,
                    "<",
                    SHORTEST_STRETCH,
                    least(most(e - stretch / 2, 0), 1),
                    (s - b) / ramp,
                )
                for e, s, b in zip(end, spent, before, strict=True)
            ]
        )
        first: list[Cell | float] = [0.0, *done[:-1]]
        shares.append(grid.add_column([most(d - f, 0) for d, f in zip(done, first, strict=True)]))
    return grid, shares[0], shares[1]


def _spent(time: Cell) -> Cell:
    return chosen(time, ">", 0, chosen(time, "<", 1, time * time / 2, time - 0.5), 0)


def _stays(
    point: Point, value: Mapping[str, Cell]
) -> tuple[Grid, list[Column], Column, Column, list[Column]]:
    """Stays by years since: what the model gives, and what deferred starts and returns leave of it."""
    system, lags = point.system, len(point.years)
    grid = Grid(
        "stays",
        "Live central case: how long averted starts and early leavers would have stayed in care",
        (
            "Children fewer in care at a 31 March for one start averted, or one child who left early, by the years "
            "since; and where an averted child would have been placed.",
            "Stays come from published lengths of stay; this workbook does not work them out again. "
            "Deferred starts and returns to care are taken off here.",
        ),
        (
            "Years since",
            *(f"Still in care, started at {age}" for age in AGE_BANDS),
            *(f"Back in care if deferred, started at {age}" for age in AGE_BANDS),
            *(f"Fewer in care, started at {age}" for age in AGE_BANDS),
            "Early leaver who would still be in care",
            "Early leaver, returns taken off",
            "Early leaver still under 18",
            *(f"Placed in {place}" for place in PLACEMENTS),
        ),
    )
    since = grid.add_column([float(lag) for lag in range(lags)])
    ratio = np.array([point.value["family_help.stay_ratio"]])
    still = averted_stock_kernel(point.stays, stay_ratio=ratio, lags=lags)[0].sum(axis=1)
    after = system.averted_kernel[0].sum(axis=1)
    deferred = point.value["family_help.deferral_share"]
    back = (still - after) / deferred if deferred > 0 else np.zeros_like(still)
    stay, wait = ([grid.add_column(row.tolist()) for row in table] for table in (still, back))
    kept = [
        grid.add_column([s - value["family_help.deferral_share"] * w for s, w in zip(a, b, strict=True)])
        for a, b in zip(stay, wait, strict=True)
    ]
    returned = point.value["kinship.return_to_care"] * np.minimum(np.arange(lags) / 5.0, 1.0)
    left = grid.add_column((system.leaver_kernel[0].sum(axis=0) / (1.0 - returned)).tolist())
    leaver = grid.add_column(
        [
            n * (1 - value["kinship.return_to_care"] * least(lag / 5, 1))
            for n, lag in zip(left, since, strict=True)
        ]
    )
    guarded = grid.add_column(system.guardian_years.tolist())
    entrants = [grid.add_column(column.tolist()) for column in system.entrant_mix[0].T]
    return grid, [list(row) for row in zip(*kept, strict=True)], leaver, guarded, entrants


def _years(point: Point) -> tuple[Grid, dict[str, Column]]:
    """Figures by year that no option changes, and discount factors."""
    grid = Grid(
        "years",
        "Live central case: figures by year that are the same for every option",
        (
            "Business as usual with every rate at its last fitted level; years end on 31 March. "
            "Prices of placements are real, a year, in the price base of the run.",
            "The discount factor of the first year is 1; it is 0 outside the years that are appraised.",
        ),
        ("Figure", "Unit", *(str(year) for year in point.years)),
    )
    system, year = point.system, {}
    starts = system.baseline["starts_reachable"].transpose("sample", "year", "age").values[0]
    children = system.baseline["children"].sum("age").values[0]
    figures: dict[str, tuple[str, str, Sequence[float]]] = {
        f"starts_{age}": (f"Starts, not unaccompanied, {age}", "children", starts[:, a].tolist())
        for a, age in enumerate(AGE_BANDS)
    }
    for place in ("foster_relative_or_friend", "childrens_home"):
        count = (children * system.placement_mix[0, :, PLACEMENTS.index(place)]).tolist()
        figures[f"placed_{place}"] = (f"Children placed in {place} without reform", "children", count)
    for number, place in enumerate(PLACEMENTS):
        price = point.basis.prices.path[0, :, number].tolist()
        figures[f"price_{place}"] = (f"Average cost of {place}", "GBP a year", price)
    for key, (label, unit, path) in figures.items():
        year[key] = grid.add([label, unit, *path])[2:]
    year |= _discounting(grid, point)
    return grid, year


def _discounting(grid: Grid, point: Point) -> dict[str, Column]:
    """Discount rates and factors, as :func:`cba.costs.discount_factors`."""
    analysis = point.analysis
    offsets = np.array(point.years) - analysis.start_year
    rates = find_schedule(analysis.schedule).rates(np.maximum(offsets, 0))
    following = find_schedule(analysis.schedule).rates(np.maximum(offsets, 0) + 1)
    half = 1 / np.sqrt(1 + following) if analysis.mid_year else np.ones(offsets.size)
    counted = ((offsets >= 0) & (offsets < analysis.horizon)).astype(float)
    number = grid.add(["Year ending 31 March", "year", *(float(y) for y in point.years)])[2:]
    rate = grid.add(["Discount rate", "share a year", *(float(r) for r in rates)])[2:]
    middle = grid.add(["Adjustment to the middle of the year", "ratio", *half.tolist()])[2:]
    within = grid.add(["Year is appraised: 1 for yes", "1 or 0", *counted.tolist()])[2:]
    row: list[Cell | float] = []
    place = len(grid.rows)
    for t, offset in enumerate(offsets):
        before = Cell(
            float(row[-1].value) if row and isinstance(row[-1], Cell) else 1.0, f"{{years:{place}:{t + 1}}}"
        )
        row.append(1.0 if offset <= 0 else before / (1 + rate[t]))
    plain = grid.add(["Discount factor from the first year", "ratio", *row])[2:]
    factor = [p * m * w for p, m, w in zip(plain, middle, within, strict=True)]
    return {
        "number": number,
        "within": within,
        "factor": grid.add(["Discount factor", "ratio", *factor])[2:],
    }


def lagged(path: Sequence[Cell], shares: Sequence[Cell], *, at: int) -> Cell | float:
    """Sum over lags of a share times the path so many years before.

    `path`, `shares`: by year, and by years since.
    """
    return added([path[at - lag] * shares[lag] for lag in range(at + 1)])


# --- The rows of one option of the live central case, by name, while they are written ---


@dataclass(frozen=True)
class Steps:
    """The rows of one option so far."""

    grid: Grid
    option: Option
    value: Mapping[str, Cell]  # live inputs
    shared: Shared
    part: float  # share of England's children in the option's areas
    row: dict[str, Column]  # references by step, one a year

    @property
    def span(self) -> range:
        """Positions of the years."""
        return range(len(self.shared.year["factor"]))

    def add(self, key: str, label: str, unit: str, path: Sequence[Entry]) -> Column:
        """Add a step: one cell a year."""
        self.row[key] = self.grid.add([label, unit, *path])[2:]
        return self.row[key]


# --- Live central case: starts averted, children fewer in care and where they would have been placed ---


HOME = PLACEMENTS.index("childrens_home")


OWN, AGENCY = PLACEMENTS.index("foster_in_house"), PLACEMENTS.index("foster_agency")


RELATIVES = PLACEMENTS.index("foster_relative_or_friend")


def children_steps(steps: Steps) -> None:
    """Rows from services to children fewer in each placement."""
    _averted(steps)
    _early_leavers(steps)
    _placements(steps)


def _averted(steps: Steps) -> None:
    """Starts averted by age, and the children fewer in care for them by years since the start."""
    value, shared, row = steps.value, steps.shared, steps.row
    route = value["kinship.route_share"] * value["kinship.uncovered_share"]
    met = route * (1 - exp(value["kinship.log_risk_ratio"]))
    by_age = [
        steps.add(
            f"averted_{age}",
            f"Starts averted, {age}",
            "children",
            [
                shared.year[f"starts_{age}"][t]
                * (1 - (1 - row["coverage"][t] * shared.effect[a]) * (1 - row["meeting_coverage"][t] * met))
                for t in steps.span
            ],
        )
        for a, age in enumerate(AGE_BANDS)
    ]
    steps.add(
        "averted", "Starts averted", "children", [total([path[t] for path in by_age]) for t in steps.span]
    )
    since = [
        steps.add(
            f"since_{lag}",
            f"Fewer in care whose start would have been {lag} years before",
            "children",
            [
                added([by_age[a][t - lag] * shared.kept[lag][a] for a in range(len(AGE_BANDS))])
                if t >= lag
                else 0.0
                for t in steps.span
            ],
        )
        for lag in range(len(shared.kept))
    ]
    steps.add(
        "at_home",
        "Fewer in care: starts averted",
        "children",
        [total([n[t] for n in since]) for t in steps.span],
    )
    for number, place in enumerate(PLACEMENTS):
        steps.add(
            f"averted_from_{place}",
            f"Fewer in {place}: starts averted",
            "children",
            [dot([path[t] for path in since], shared.entrants[number]) for t in steps.span],
        )


def _early_leavers(steps: Steps) -> None:
    """Children who leave relatives' foster care early: who has left cannot leave again."""
    value, shared, row = steps.value, steps.shared, steps.row
    rate = (0 - log(1 - value["kinship.permanence_gain"])) / value["kinship.permanence_years"]
    relatives = shared.year["placed_foster_relative_or_friend"]
    place, key = len(steps.grid.rows), steps.grid.key
    left: list[float] = []
    gone: list[float] = []
    for t, allowance in enumerate(row["allowances"]):  # values first: the two rows refer to each other
        left.append(rate.value * allowance.value * (relatives[t].value - (gone[-1] if gone else 0.0)))
        gone.append(sum(left[t - lag] * shared.leaver[lag].value for lag in range(t + 1)))
    so_far = [Cell(n, f"{{{key}:{place + 1}:{t + 2}}}") for t, n in enumerate(gone)]
    leavers = steps.add(
        "leavers",
        "Early leavers under special guardianship",
        "children",
        [
            row["allowances"][t] * rate * (relatives[t] - so_far[t - 1] if t else relatives[t])
            for t in steps.span
        ],
    )
    steps.add(
        "gone",
        "Fewer in care: early leavers",
        "children",
        [lagged(leavers, shared.leaver, at=t) for t in steps.span],
    )
    steps.add(
        "guarded",
        "Early leavers supported under their orders",
        "children",
        [lagged(leavers, shared.guarded, at=t) for t in steps.span],
    )
    steps.add("fewer", "Fewer in care", "children", [row["at_home"][t] + row["gone"][t] for t in steps.span])


def _placements(steps: Steps) -> None:
    """Children out of each placement: fewer in care, or moved."""
    value, shared, row = steps.value, steps.shared, steps.row
    odds = value["foster.home_share"] / (1 - value["foster.home_share"]) * exp(value["foster.substitution"])
    homes = shared.year["placed_childrens_home"]
    from_home = steps.add(
        "moved_home",
        "Moved out of children's homes",
        "children",
        [
            row["places"][t] * (odds / (1 + odds))
            + row["reform"][t]
            * value["reform.step_down_share"]
            * (homes[t] - row["averted_from_childrens_home"][t])
            for t in steps.span
        ],
    )
    from_agency = steps.add(
        "moved_agency",
        "Moved out of agency fostering",
        "children",
        [row["places"][t] * (1 - odds / (1 + odds)) * value["foster.agency_share"] for t in steps.span],
    )
    for number, place in enumerate(PLACEMENTS):
        averted = row[f"averted_from_{place}"]

        def out(t: int, number: int = number, averted: Column = averted) -> Cell:
            if number == HOME:
                return averted[t] + from_home[t]
            if number == AGENCY:
                return averted[t] + from_agency[t]
            if number == OWN:
                return averted[t] - from_home[t] - from_agency[t]
            return averted[t] + row["gone"][t] if number == RELATIVES else averted[t] * 1

        steps.add(
            f"out_{place}", f"Fewer in {place}, moves included", "children", [out(t) for t in steps.span]
        )


# --- Live central case: what an option's money is, and the services it buys in each year ---


MILLION = 1e6


def service_steps(steps: Steps, point: Point) -> None:
    """Rows from money to services: coverage, allowances, meetings, foster places, reform."""
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


# --- Live central case: savings, costs, net present value and payback from the children fewer in care ---


HOME_WORTH = PLACEMENTS.index("childrens_home")


FOSTER = tuple(n for n, place in enumerate(PLACEMENTS) if place.startswith("foster"))


OTHER = tuple(n for n in range(len(PLACEMENTS)) if n not in (*FOSTER, HOME_WORTH))


def worth_steps(steps: Steps) -> None:
    """Rows from children to savings, costs and discounted net saving."""
    _saved_by_placement(steps)
    _proceedings(steps)
    _savings(steps)
    _costs(steps)
    _worth(steps)


def _between(path: Column, t: int) -> Cell:
    """Child-years of a year from the numbers at its two ends."""
    return (path[t - 1] + path[t]) / 2 if t else path[t] / 2


def _cashed(steps: Steps, path: Column, t: int) -> Cell:
    """What leaves budgets: a share at once, a share of the rest two years on; what is dearer in full."""
    at_once, rest = steps.value["cashable.share_at_once"], steps.value["cashable.rest_later"]
    cash = least(path[t], 0) + at_once * most(path[t], 0)
    return cash + (1 - at_once) * rest * most(path[t - 2], 0) if t >= 2 else cash


def _saved_by_placement(steps: Steps) -> None:
    """Avoidable cost by placement, what of it can be cashed, and the lower price of children's homes."""
    value, shared, row = steps.value, steps.shared, steps.row
    share = {HOME_WORTH: value["avoidable.childrens_home"]} | {n: value["avoidable.foster"] for n in FOSTER}
    for number, place in enumerate(PLACEMENTS):
        years = steps.add(
            f"years_{place}",
            f"Child-years out of {place}",
            "child-years",
            [_between(row[f"out_{place}"], t) for t in steps.span],
        )
        price, avoidable = shared.year[f"price_{place}"], share.get(number, value["avoidable.other"])
        saved = steps.add(
            f"saved_{place}",
            f"Avoidable cost of {place}",
            "GBP",
            [years[t] * price[t] * avoidable for t in steps.span],
        )
        steps.add(
            f"cash_{place}", f"Cashed from {place}", "GBP", [_cashed(steps, saved, t) for t in steps.span]
        )
    homes, price = shared.year["placed_childrens_home"], shared.year["price_childrens_home"]
    steps.add(
        "cut",
        "Children's homes: lower price of the places that remain",
        "GBP",
        [
            row["reform"][t]
            * value["reform.home_price_cut"]
            * (homes[t] - row["out_childrens_home"][t])
            * price[t]
            for t in steps.span
        ],
    )


def _proceedings(steps: Steps) -> None:
    """Care proceedings avoided: starts fewer, less those that are only deferred."""
    value, row = steps.value, steps.row
    averted, deferred = row["averted"], value["family_help.deferral_share"]
    case = value["legal.proceedings_share"] * value["legal.cost_per_case"]
    fewer = steps.add(
        "fewer_starts",
        "Starts fewer, deferred ones taken off",
        "children",
        [
            averted[t]
            - deferred * _sum([averted[t - wait] for wait in RETURN_YEARS if t >= wait]) / len(RETURN_YEARS)
            for t in steps.span
        ],
    )
    steps.add("proceedings", "Care proceedings avoided", "GBP", [fewer[t] * case for t in steps.span])


def _savings(steps: Steps) -> None:
    """Cashable saving by line and in all."""
    row = steps.row
    steps.add(
        "saving_homes",
        "Saving: children's homes",
        "GBP",
        [row["cash_childrens_home"][t] + row["cut"][t] for t in steps.span],
    )
    for key, label, members in (("foster", "fostering", FOSTER), ("other", "other placements", OTHER)):
        steps.add(
            f"saving_{key}",
            f"Saving: {label}",
            "GBP",
            [added([row[f"cash_{PLACEMENTS[n]}"][t] for n in members]) for t in steps.span],
        )
    steps.add(
        "saving_legal",
        "Saving: care proceedings",
        "GBP",
        [_cashed(steps, row["proceedings"], t) for t in steps.span],
    )
    names = ("saving_homes", "saving_foster", "saving_other", "saving_legal")
    steps.add(
        "saving", "Cashable saving", "GBP", [total([row[name][t] for name in names]) for t in steps.span]
    )


def _sum(cells: Sequence[Cell]) -> Cell | float:
    """Return cells added up in brackets, to be multiplied."""
    summed = added(cells)
    return summed * 1 if isinstance(summed, Cell) else summed


def _costs(steps: Steps) -> None:
    """Programme and recurrent cost with their overrun, and support of children who are not in care."""
    value, row = steps.value, steps.row
    overrun = value["delivery.cost_overrun"]
    steps.add(
        "cost_programme",
        "Cost: programme",
        "GBP",
        [total([row[f"programme_{name}"][t] for name in COMPONENTS]) * overrun for t in steps.span],
    )
    steps.add("cost_recurrent", "Cost: recurrent", "GBP", [row["recurrent"][t] * overrun for t in steps.span])
    supported = value["home_support.supported_share"] * value["home_support.cost_per_year"]
    home = steps.add(
        "home",
        "Children at home, 0 where an effect is adverse",
        "children",
        [most(row["at_home"][t], 0) for t in steps.span],
    )
    steps.add(
        "cost_home", "Cost: support at home", "GBP", [_between(home, t) * supported for t in steps.span]
    )
    steps.add(
        "cost_guardians",
        "Cost: support of special guardians",
        "GBP",
        [
            _between(row["guarded"], t) * value["kinship.guardianship_support"]
            if steps.option.effects.allowance_scope != "none"
            else 0.0
            for t in steps.span
        ],
    )
    costs = [row[f"cost_{name}"] for name in ("programme", "recurrent")] + [
        row["cost_home"],
        row["cost_guardians"],
    ]
    steps.add("cost", "Cost", "GBP", [added([path[t] for path in costs]) for t in steps.span])


def _worth(steps: Steps) -> None:
    """Net saving, discounted and added up; the year after the last one in which it is short."""
    shared, row = steps.shared, steps.row
    steps.add("net", "Net saving", "GBP", [row["saving"][t] - row["cost"][t] for t in steps.span])
    present = steps.add(
        "present",
        "Net saving, discounted",
        "GBP",
        [row["net"][t] * shared.year["factor"][t] for t in steps.span],
    )
    so_far = steps.add(
        "so_far", "Net saving, discounted, so far", "GBP", [total(present[: t + 1]) for t in steps.span]
    )
    size = steps.add(
        "size",
        "Money moved, discounted",
        "GBP",
        [most(present[t], 0 - present[t]) for t in steps.span],
    )
    moved = steps.add(
        "moved", "Money moved, discounted, so far", "GBP", [total(size[: t + 1]) for t in steps.span]
    )
    number, within = shared.year["number"], shared.year["within"]
    steps.add(
        "short",
        "Year, where it has not paid back by then",
        "year or 0",
        [chosen(so_far[t], "<", moved[t] * -1e-09, number[t] * within[t], 0) for t in steps.span],
    )


def payback_cell(steps: Steps, *, last: int, first: int) -> Cell:
    """Year of payback, 0 for never within the years appraised. `steps`: with the row ``short``."""
    latest = total(steps.row["short"], function="MAX")
    return chosen(latest, "=", last, 0, most(latest + 1, first))


def present_value_cell(steps: Steps) -> Cell:
    """Net present value. `steps`: with the row ``present``."""
    return total(steps.row["present"])
