"""What money buys by the plain second route: timing, coverage, allowances, foster places; one draw, loops and floats.

Written from ARCHITECTURE.md and the notes of the documentation; shares no code with the package.
"""

from __future__ import annotations

WEEKS = 365 / 7
TIERS = ("early_help", "in_need", "protection")  # of need


def timing(delay, *, stretch, years):
    """Share of the service of a year's money that happens in that year and after it, by brute integration.

    Money is spent evenly over its year, service follows after the delay and evenly over the stretch: the share
    done by time x is the area under a ramp, worked out here from its corners.
    """

    def done_by(time):  # share of service done by `time` after the start of the money's year
        time -= delay
        if stretch == 0.0:
            return min(max(time, 0.0), 1.0)
        corners = sorted({0.0, min(max(time, 0.0), 1.0), min(max(time - stretch, 0.0), 1.0), 1.0})
        done = 0.0
        for low, high in zip(corners, corners[1:], strict=False):
            # money spent at m has had min(max(time - m, 0), stretch) / stretch of its service: linear in m
            ends = [min(max(time - m, 0.0), stretch) / stretch for m in (low, high)]
            done += (high - low) * sum(ends) / 2
        return done

    shares = [done_by(1.0)]
    for k in range(1, years):
        shares.append(done_by(k + 1.0) - done_by(float(k)))
    return shares


def late(path, *, shares):
    """A yearly path moved later by the shares of its timing."""
    return [sum(shares[k] * path[t - k] for k in range(t + 1)) for t in range(len(path))]


def for_service(money, *, setup):
    """Money after set-up, which takes a share of the first two years with any."""
    funded, left = 0, []
    for amount in money:
        funded += amount > 0
        left.append(amount * (1 - setup) if amount > 0 and funded <= 2 else amount)
    return left


def covered(money, *, cost, eligible, setup, shares):
    """Share of the eligible served in each year, at most all of them."""
    served = late([m / cost for m in for_service(money, setup=setup)], shares=shares)
    return [min(s / e, 1.0) for s, e in zip(served, eligible, strict=True)]


def foster_places(value, money, *, target, shares):
    """Filled places at each 31 March: carers paid for, up to the target, less those who give up."""
    spent, before, households, places = 0.0, 0.0, 0.0, []
    for amount in late(money, shares=shares):
        spent += amount
        recruited = min(spent / value["foster.cost_per_carer"], target) * value["foster.target_delivered"]
        new = (recruited - before) / value["foster.carers_per_household"]
        before = recruited
        leave = value["foster.attrition"]
        households = households * (1 - leave) + new * (1 - leave / 2)
        places.append(households * value["foster.places_per_household"] * value["foster.filled_share"])
    return places


def in_place(money, *, shares):
    """Share of a reform in place: of its money, what has acted."""
    total, acted = sum(money), 0.0
    path = []
    for amount in late(money, shares=shares):
        acted += amount
        path.append(acted / total if total > 0 else 0.0)
    return path


def help_cost(value):
    """New money for a child served, every tier of need served alike."""
    family = 0.0
    for tier in TIERS:
        family += value[f"family_help.eligible_tier_{tier}"] * value[f"family_help.cost_per_family_{tier}"]
    return family / value["family_help.children_per_family"] * (1 - value["family_help.already_paid_share"])


def delivered(option, value, *, bought, world):
    """Services by year, and the allowances that go to existing carers."""
    span = range(len(world["years"]))
    nothing = [0.0 for _ in span]
    setup, stretch = value["delivery.setup_share"], value["delivery.ramp_stretch"]
    service = timing(value["delivery.start_delay"] + 0.5, stretch=stretch, years=len(span))
    at_once = timing(value["delivery.start_delay"], stretch=stretch, years=len(span))
    eligible = [value["family_help.eligible_children"] for _ in span]
    over = value["delivery.cost_overrun"] if world.get("overrun") == "delivery" else 1.0
    fixed = {component: [m / over for m in path] for component, path in bought.items()}
    served = covered(
        fixed["family_help"],
        cost=help_cost(value),
        eligible=eligible,
        setup=setup,
        shares=service,
    )
    paid, deadweight, meetings, part = nothing, nothing, nothing, 0.0
    if option.effects.allowance_scope != "none":
        assert option.effects.allowance_scope == "sgo_and_cao"
        children = value["kinship.guardianship_children"] + value["kinship.arrangement_children"]
        bill = value["kinship.allowance_gap"] * WEEKS * children
        part = value["kinship.allowance_share"] if option.effects.family_network else 1.0
        gap_paid = [min(m * part / bill, 1.0) for m in bought["kinship"]]
        deadweight = [share * bill for share in gap_paid]
        paid = late(gap_paid, shares=at_once)
    if option.effects.family_network:
        route = value["kinship.route_share"] * value["kinship.uncovered_share"]
        route /= value["kinship.in_care_without_meeting"]
        meetings = covered(
            [m * (1 - part) for m in fixed["kinship"]],
            cost=value["kinship.meeting_cost"],
            eligible=[sum(world["usual"][t]["reachable"]) * route for t in span],
            setup=setup,
            shares=service,
        )
    target, places = option.effects.foster_carers_target, nothing
    if target > 0:
        places = foster_places(value, fixed["foster"], target=target, shares=service)
    reform = in_place(bought["reform"], shares=service) if option.effects.price_reform else nothing
    return {
        "help": served,
        "meetings": meetings,
        "paid": paid,
        "places": places,
        "reform": reform,
    }, deadweight
