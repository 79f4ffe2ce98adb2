"""One option's account by the plain second route: money to services, children and cash, one draw, loops and floats.

Written from ARCHITECTURE.md and the notes of the documentation; shares no code with the package.
"""

from __future__ import annotations

import math

from tests.independent.plain_care import AGENCY, HOME, IN_HOUSE, PLACES, RELATIVES, WAITS
from tests.independent.plain_services import WEEKS, delivered

COMPONENTS = ("family_help", "kinship", "foster", "workforce", "regional_care", "other")


def price_level(deflator, *, growth, year):
    """Deflator of a year: published, then growing at a stated rate."""
    last = max(deflator)
    return deflator[year] if year <= last else deflator[last] * (1 + growth) ** (year - last)


def unit_cost_path(value, costs, *, steps):
    """Real unit cost by year ahead over today's: growth that settles, and what no equation foresees."""
    half_life = value["unit_costs.growth_half_life"]
    kept = 0.5 ** (1 / half_life)
    group = costs[0].split(".")[0]
    first = sum(value[f"{c}_growth"] for c in costs) / len(costs)
    surprise = sum(value[f"{c}_surprise"] for c in costs) / len(costs)
    settled = value["unit_costs.real_earnings_growth"] + value["unit_costs.growth_above_earnings"]
    lasting = value[f"{group}.lasting_share"]
    rest = 1 - lasting - value[f"{group}.error_share"]
    growth, path = 0.0, []
    for ahead in range(1, steps + 1):
        growth += settled + (first - settled) * kept ** (ahead - 1)
        carried = sum(((1 - kept**m) / (1 - kept)) ** 2 for m in range(1, ahead))
        spread = math.sqrt(ahead * rest + lasting * (1 - kept**2) * carried)
        path.append(math.exp(growth) * math.exp(surprise * spread))
    return path


def placement_prices(value, *, weekly, level, fostered, steps):
    """Yearly cost of each placement, [year][placement], `steps` years after the last account."""
    homes = weekly["residential_care"] * WEEKS * level * math.exp(value["unit_costs.residential_level"])
    average = weekly["fostering"] * WEEKS * level * math.exp(value["unit_costs.fostering_level"])
    weight = [count / sum(fostered) for count in fostered]
    ratio, premium = value["unit_costs.relative_foster_ratio"], value["unit_costs.agency_premium"]
    own = (average - weight[2] * premium) / (weight[0] * ratio + weight[1] + weight[2])
    parents = value["unit_costs.with_parents"] * WEEKS
    today = [own * ratio, own, own + premium, homes]
    today += [value[f"unit_costs.{n}"] * WEEKS for n in ("supported_accommodation", "other_residential")]
    today += [parents, parents]
    home = unit_cost_path(value, ("unit_costs.residential",), steps=steps)
    foster = unit_cost_path(value, ("unit_costs.fostering",), steps=steps)
    both = unit_cost_path(value, ("unit_costs.residential", "unit_costs.fostering"), steps=steps)
    growth = [foster, foster, foster, home, both, both, foster, foster]
    return [[today[p] * growth[p][step] for p in range(8)] for step in range(steps)]


def child_years(stock):
    """Child-years of each year from the numbers at its two ends; nothing before the first."""
    return [(now + before) / 2 for before, now in zip([0.0, *stock], stock, strict=False)]


def cash(saved, *, at_once, later):
    """What leaves budgets: a share at once, a share of the rest two years on; what is dearer, in full."""
    gain = [max(s, 0.0) for s in saved]
    return [
        min(saved[t], 0.0) + at_once * gain[t] + ((1 - at_once) * later * gain[t - 2] if t >= 2 else 0.0)
        for t in range(len(saved))
    ]


def programme(option, *, start, years, level):
    """Additional programme lines, (component, payer) to money by year, and the recurrent money."""
    lines = {}
    shift = start if option.timing == "shift" else 0
    base = level("base")
    for line in option.spend:
        if not line.additional:
            continue
        path = lines.setdefault((line.component, line.payer), [0.0] * len(years))
        for when, amount in line.gbp_million.items():
            year = shift + when + option.delay_years
            stated = year if line.price_year == "cash" else line.price_year
            if year in years:
                path[years.index(year)] += amount * 1e6 * base / level(stated)
    recurrent = [0.0] * len(years)
    if option.recurrent is not None:
        first = shift + option.recurrent.first_offset + option.delay_years
        for t, year in enumerate(years):
            stated = year if option.recurrent.price_year == "cash" else option.recurrent.price_year
            if year >= first:
                recurrent[t] = option.recurrent.gbp_million * 1e6 * base / level(stated)
    return lines, recurrent


def children_changed(value, services, *, world):
    """Averted starts, fewer children by age and placement, early leavers and moves, by year."""
    span = range(len(world["years"]))
    tilt = [value["family_help.age_tilt_under_1"], 1.0, 1.0, 1.0, value["family_help.age_tilt_16_plus"]]
    route = value["kinship.route_share"] * value["kinship.uncovered_share"]
    met = 1 - math.exp(value["kinship.log_risk_ratio"])
    averted = []
    for t in span:
        row = []
        for a in range(5):
            helped = 1 - math.exp(value["family_help.log_risk_ratio"]) ** tilt[a]
            by_help = services["help"][t] * world["reach"][a] * helped
            by_meeting = services["meetings"][t] * route * met
            row.append(world["usual"][t]["reachable"][a] * (1 - (1 - by_help) * (1 - by_meeting)))
        averted.append(row)
    by_age = [[0.0] * 5 for _ in span]
    by_place = [[0.0] * 8 for _ in span]
    for t in span:
        for lag in range(t + 1):
            there = 0.0
            for b in range(5):
                here = sum(averted[t - lag][a] * world["kernel"][lag][a][b] for a in range(5))
                by_age[t][b] += here
                there += here
            for p in range(8):
                by_place[t][p] += there * world["entrants"][lag][p]
    at_home = [sum(row) for row in by_age]
    away = _leaving_with_help(value, services["help"], world=world)
    for t in span:
        there = world["usual"][t]["children"]
        left = [away[t][b] * (1 - by_age[t][b] / there[b]) for b in range(5)]
        by_age[t] = [by_age[t][b] + left[b] for b in range(5)]
        by_place[t] = [by_place[t][p] + sum(left) * world["mix"][t][p] for p in range(8)]
        at_home[t] += sum(left)
    rate = -math.log(1 - value["kinship.permanence_gain"]) / value["kinship.permanence_years"]
    leavers, gone = [], [0.0 for _ in span]
    for t in span:
        relatives = sum(world["usual"][t]["children"]) * world["mix"][t][RELATIVES]
        leavers.append(rate * services["paid"][t] * (relatives - (gone[t - 1] if t else 0.0)))
        for later in range(t, len(span)):
            for b in range(5):
                left = leavers[t] * world["leavers"][later - t][b]
                by_age[later][b] += left
                gone[later] += left
    for t in span:
        by_place[t][RELATIVES] += gone[t]
    guarded = [sum(leavers[s] * world["guarded"][t - s] for s in range(t + 1)) for t in span]
    moved = [_moved(value, services, t, world=world, gone=by_place[t]) for t in span]
    return {
        "averted": averted,
        "by_age": by_age,
        "by_place": by_place,
        "moved": moved,
        "at_home": at_home,
        "guarded": guarded,
    }


def _leaving_with_help(value, help_, *, world):
    """Children fewer by age because the odds of leaving are OR^coverage times as high, at every age."""
    span, log = range(len(world["years"])), value["family_help.log_odds_of_leaving"]
    away = [[0.0] * 5 for _ in span]
    for t in span:
        before = away[t - 1][:] if t else [0.0] * 5
        for a in range(5):
            odds = world["exits"][t][a] / (1 - world["exits"][t][a]) * math.exp(log * help_[t])
            more = odds / (1 + odds) - world["exits"][t][a] if help_[t] else 0.0
            for later in range(t, len(span)):
                for b in range(5):
                    stay = world["met"][a][later - t][b]
                    away[later][b] += more * (world["usual"][t]["children"][a] - before[a]) * stay
    return away


def _moved(value, services, t, *, world, gone):
    """Children moved out of placements by foster places and the reform; in-house fostering takes them."""
    odds = value["foster.home_share"] / (1 - value["foster.home_share"])
    odds *= math.exp(value["foster.substitution"])
    places, total = services["places"][t], sum(world["usual"][t]["children"])
    homes_left = total * world["mix"][t][HOME] - gone[HOME]
    from_home = places * odds / (1 + odds)
    from_home += services["reform"][t] * value["reform.step_down_share"] * homes_left
    from_agency = places / (1 + odds) * value["foster.agency_share"]
    moves = [0.0] * 8
    moves[HOME], moves[AGENCY], moves[IN_HOUSE] = from_home, from_agency, -from_home - from_agency
    return moves


def reinvested(option, value, *, world):
    """Recurrent money of each year out of what its payer cashed the year before, found year after year."""
    years = world["years"]
    _, cap = programme(option, start=world["start"], years=years, level=world["level"])
    path = [0.0 for _ in years]
    payer, share = option.recurrent.payer, value["delivery.reinvest_share"]
    if world.get("overrun") == "money":  # family help is fixed money: it overruns only where all money does
        share /= value["delivery.cost_overrun"]
    for t in range(1, len(years)):
        flows, _, _ = option_flows(option, value, world=world, recurrent=path)
        own = [f"{what}/{payer}/recurrent" for what in ("home_support", "guardianship_support")]
        own += [line for line in flows if line.endswith(f"/{payer}/saving")]
        path[t] = min(cap[t], share * max(-sum(flows[line][t - 1] for line in own if line in flows), 0.0))
    return path


def option_flows(option, value, *, world, recurrent=None):
    """Cash flow of one option by line, costs positive and savings negative, and what changed for children."""
    years, span = world["years"], range(len(world["years"]))
    lines, stated = programme(option, start=world["start"], years=years, level=world["level"])
    if recurrent is None:
        recurrent = reinvested(option, value, world=world) if option.financing == "reinvest" else stated
    bought = {c: [0.0 for _ in span] for c in COMPONENTS}
    for (component, _), path in lines.items():
        bought[component] = [b + m for b, m in zip(bought[component], path, strict=True)]
    bought["reform"] = list(
        bought["regional_care"]
    )  # a reform is in place once its programme money has acted
    if option.recurrent is not None:
        name = option.recurrent.component
        bought[name] = [b + m for b, m in zip(bought[name], recurrent, strict=True)]
    services, deadweight = delivered(option, value, bought=bought, world=world)
    over, mode = value["delivery.cost_overrun"], world.get("overrun")
    led = 0.0  # share of kinship money that is paid to whoever is entitled
    if option.effects.allowance_scope != "none":
        led = value["kinship.allowance_share"] if option.effects.family_network else 1.0
    changed = children_changed(value, services, world=world)
    flows = {}

    def add(line, path):
        flows[line] = [a + b for a, b in zip(flows.get(line, [0.0 for _ in span]), path, strict=True)]

    money = [(c, payer, "programme", path) for (c, payer), path in lines.items()]
    if option.recurrent is not None:
        money.append((option.recurrent.component, option.recurrent.payer, "recurrent", recurrent))
    for component, payer, kind, path in money:
        for t in span:
            dead = deadweight[t] / bought["kinship"][t] if bought["kinship"][t] > 0 else 0.0
            part = {"dead": dead, "led": led} if component == "kinship" else {"dead": 0.0, "led": 0.0}
            times = {"money": over, "none": 1.0}.get(mode, over)  # of what is led by demand
            fixed = over if mode == "money" else 1.0
            rest = path[t] * ((part["led"] - part["dead"]) * times + (1 - part["led"]) * fixed)
            add(f"{component}/{payer}/{kind}", [rest if s == t else 0.0 for s in span])
            if component == "kinship":
                add(
                    f"kinship/{payer}/deadweight",
                    [path[t] * dead * times if s == t else 0.0 for s in span],
                )
    support = value["home_support.supported_share"] * value["home_support.cost_per_year"]
    at_home = child_years([max(n, 0.0) for n in changed["at_home"]])
    add("home_support/council/recurrent", [n * support for n in at_home])
    guarded = child_years(changed["guarded"])
    add(
        "guardianship_support/council/recurrent", [n * value["kinship.guardianship_support"] for n in guarded]
    )
    for line, path in _savings(option, value, services, changed, world=world).items():
        add(line, [-amount for amount in path])
    return flows, changed, services


def _savings(option, value, services, changed, *, world):
    """Cashable savings by line."""
    span = range(len(world["years"]))
    shares = {"at_once": value["cashable.share_at_once"], "later": value["cashable.rest_later"]}
    placed = []
    for p, place in enumerate(PLACES):
        kind = "foster" if place.startswith("foster") else "childrens_home" if p == HOME else "other"
        out = child_years([changed["by_place"][t][p] + changed["moved"][t][p] for t in span])
        saved = [out[t] * world["prices"][t][p] * value[f"avoidable.{kind}"] for t in span]
        placed.append(cash(saved, **shares))
    homes = list(placed[HOME])
    if option.effects.price_reform:
        for t in span:
            left = sum(world["usual"][t]["children"]) * world["mix"][t][HOME]
            left -= changed["by_place"][t][HOME] + changed["moved"][t][HOME]
            cut = services["reform"][t] * value["reform.home_price_cut"]
            homes[t] += cut * left * world["prices"][t][HOME]
    starts = [sum(row) for row in changed["averted"]]
    fewer_starts = []
    for t in span:
        back = sum(starts[t - wait] for wait in WAITS if t >= wait) / len(WAITS)
        fewer_starts.append(starts[t] - value["family_help.deferral_share"] * back)
    case = value["legal.proceedings_share"] * value["legal.cost_per_case"]
    legal = cash([s * case for s in fewer_starts], **shares)
    nhs, council = value["payers.nhs_share_of_homes"], value["legal.council_share"]
    foster = [sum(placed[p][t] for p in (RELATIVES, IN_HOUSE, AGENCY)) for t in span]
    other = [sum(placed[p][t] for p in range(4, 8)) for t in span]
    return {
        "childrens_homes/council/saving": [h * (1 - nhs) for h in homes],
        "childrens_homes/nhs/saving": [h * nhs for h in homes],
        "fostering/council/saving": foster,
        "other_placements/council/saving": other,
        "care_proceedings/council/saving": [c * council for c in legal],
        "care_proceedings/justice/saving": [c * (1 - council) for c in legal],
    }


def present_value(flows, *, years, start, horizon, rate):
    """Net present value, positive for a net saving; the first year is not discounted."""
    worth = 0.0
    for path in flows.values():
        for year, amount in zip(years, path, strict=True):
            if 0 <= year - start < horizon:
                worth -= amount / (1 + rate) ** (year - start)
    return worth


def payback(flows, *, years, start, horizon, rate):
    """First year from which the cumulative discounted net saving stays at 0 or above; None for never."""
    found, total, moved = None, 0.0, 0.0
    for t, year in enumerate(years):
        if not 0 <= year - start < horizon:
            continue
        net = -sum(path[t] for path in flows.values()) / (1 + rate) ** (year - start)
        total, moved = total + net, moved + abs(net)
        if total < -1e-9 * moved:
            found = None
        elif found is None:
            found = year
    return found
