"""Live central case: starts averted, children fewer in care and where they would have been placed."""

from __future__ import annotations

from cba.appraisal.central_case_cells import Cell, added, dot, exp, log, total
from cba.appraisal.central_case_shared import Column, lagged
from cba.appraisal.central_case_steps import Steps
from cba.dimensions import AGE_BANDS, PLACEMENTS

HOME = PLACEMENTS.index("childrens_home")
OWN, AGENCY = PLACEMENTS.index("foster_in_house"), PLACEMENTS.index("foster_agency")
RELATIVES = PLACEMENTS.index("foster_relative_or_friend")


def children_steps(steps: Steps) -> None:
    """Rows from services to children fewer in each placement.

    Parameters
    ----------
    steps : Steps
        With the rows before these; they are added to it.

    Examples
    --------
    >>> children_steps(steps)  # doctest: +SKIP
    """
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
