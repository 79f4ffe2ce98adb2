"""What every option of the live central case shares: reach by age, timing of services, stays, figures by year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cba.appraisal.central_case_cells import Cell, added, chosen, dot, exp, least, log, most, total
from cba.appraisal.central_case_grid import Grid
from cba.appraisal.central_case_point import Point
from cba.costs.discount_schedules import find_schedule
from cba.dimensions import AGE_BANDS, PLACEMENTS
from cba.projection.coverage import HALF_YEAR
from cba.projection.slippage import SHORTEST_STRETCH
from cba.projection.stay_length import averted_stock_kernel

Column = list[Cell]
NEWTON_STEPS = 3
"""As :data:`cba.models.reach.STEPS`: the sheet repeats the package's arithmetic."""


@dataclass(frozen=True)
class Shared:
    """References to the shared figures.

    Attributes
    ----------
    grids : tuple of Grid
        In the order of their sheets.
    effect : list of Cell
        Share of starts averted at each age when all eligible children are served.
    service, payment : list of Cell
        Share of a year's money whose service (whose allowances) happens so many years on.
    kept : list of list of Cell
        Children fewer per averted start, by years since, then by age at the start.
    leaver, guarded : list of Cell
        Children fewer, and still under 18, per early leaver, by years since.
    entrants : list of list of Cell
        Placement mix of averted children: by placement, then by years since the start.
    year : mapping of str to list of Cell
        Figures by year.
    """

    grids: tuple[Grid, ...]
    effect: Column
    service: Column
    payment: Column
    kept: list[Column]
    leaver: Column
    guarded: Column
    entrants: list[Column]
    year: Mapping[str, Column]


def shared_figures(point: Point, value: Mapping[str, Cell]) -> Shared:
    """Tables that the options refer to.

    Parameters
    ----------
    point : Point
        As returned by :func:`cba.appraisal.central_case_point.worked_point`.
    value : mapping of str to Cell
        Live inputs.

    Returns
    -------
    Shared

    Examples
    --------
    >>> shared_figures(point, input_cells(point.value)).year["factor"][1].value  # doctest: +SKIP
    1.0
    """
    reach, effect = _reach(point, value)
    timing, service, payment = _timing(len(point.years), value)
    stays, kept, leaver, guarded, entrants = _stays(point, value)
    years, year = _years(point)
    return Shared(
        (reach, timing, stays, years), effect, service, payment, kept, leaver, guarded, entrants, year
    )


def _reach(point: Point, value: Mapping[str, Cell]) -> tuple[Grid, Column]:
    """Reach by age: as :func:`cba.models.reach.reach_by_age`, whose Newton steps are repeated."""
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
    """When what a year's money buys happens: as :func:`cba.projection.slippage.service_timing`."""
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

    Parameters
    ----------
    path, shares : sequence of Cell
        By year, and by years since.
    at : int
        Position of the year.

    Returns
    -------
    Cell or float

    Examples
    --------
    >>> path, late = [Cell(8.0, "m0"), Cell(0.0, "m1")], [Cell(0.75, "s0"), Cell(0.25, "s1")]
    >>> lagged(path, late, at=1).text
    'm1*s0+m0*s1'
    """
    return added([path[at - lag] * shares[lag] for lag in range(at + 1)])
