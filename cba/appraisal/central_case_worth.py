"""Live central case: savings, costs, net present value and payback from the children fewer in care."""

from __future__ import annotations

from collections.abc import Sequence

from cba.appraisal.central_case_cells import Cell, added, chosen, least, most, total
from cba.appraisal.central_case_shared import Column
from cba.appraisal.central_case_steps import Steps
from cba.dimensions import COMPONENTS, PLACEMENTS
from cba.projection.care_system import RETURN_YEARS

HOME = PLACEMENTS.index("childrens_home")
FOSTER = tuple(n for n, place in enumerate(PLACEMENTS) if place.startswith("foster"))
OTHER = tuple(n for n in range(len(PLACEMENTS)) if n not in (*FOSTER, HOME))


def worth_steps(steps: Steps) -> None:
    """Rows from children to savings, costs and discounted net saving.

    Parameters
    ----------
    steps : Steps
        With the rows before these; they are added to it.

    Examples
    --------
    >>> worth_steps(steps)  # doctest: +SKIP
    """
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
    share = {HOME: value["avoidable.childrens_home"]} | {n: value["avoidable.foster"] for n in FOSTER}
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
    """Year of payback, 0 for never within the years appraised.

    Parameters
    ----------
    steps : Steps
        With the row ``short``.
    last, first : int
        Last and first year appraised.

    Returns
    -------
    Cell
        Year ending 31 March.

    Examples
    --------
    >>> payback_cell(steps, first=2026, last=2035).value  # doctest: +SKIP
    0.0
    """
    latest = total(steps.row["short"], function="MAX")
    return chosen(latest, "=", last, 0, most(latest + 1, first))


def present_value_cell(steps: Steps) -> Cell:
    """Net present value.

    Parameters
    ----------
    steps : Steps
        With the row ``present``.

    Returns
    -------
    Cell

    Examples
    --------
    >>> present_value_cell(steps).value  # doctest: +SKIP
    """
    return total(steps.row["present"])
