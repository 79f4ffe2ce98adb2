"""Children in care by the plain second route: loops over one draw, floats and lists, no code of the package.

Written from ARCHITECTURE.md and the notes of the documentation. Years, ages and placements are positions in lists;
`year` 0 is the first projected year.
"""

from __future__ import annotations

import math

AGES = ("under_1", "1_4", "5_9", "10_15", "16_plus")
LIMITS = ((0.0, 1.0), (1.0, 5.0), (5.0, 10.0), (10.0, 16.0), (16.0, 18.0))
PLACES = (
    "foster_relative_or_friend",
    "foster_in_house",
    "foster_agency",
    "childrens_home",
    "supported_accommodation",
    "other_residential",
    "with_parents",
    "placed_for_adoption",
)
RELATIVES, IN_HOUSE, AGENCY, HOME = 0, 1, 2, 3
TIERS = ("early_help", "in_need", "protection")  # of need
POINTS = 8  # starts of a year are spread over this many points
WAITS = (3, 4, 5, 6)  # years after which deferred starts happen, in equal parts


def usual_account(rates, *, stock, uasc_share, people):
    """Business as usual by year: reachable starts, children and ceases by age, closure."""
    now, years = list(stock), []
    for year in range(len(people)):
        reachable = [rates["start_rate"][year][a] * people[year] for a in range(5)]
        starts = [reachable[a] + rates["uasc_starts"][year] * uasc_share[a] for a in range(5)]
        residual = [rates["closure_rate"][year] * reachable[a] for a in range(5)]
        exits, ageing, stay = rates["exit"][year], rates["ageing"][year], rates["stay"][year]
        later, ceases, grown_in = [], [], 0.0
        for a in range(5):
            fresh = (1 - exits[a] / 2) * starts[a] + residual[a]
            if a == 0:
                grown_out = (1 - exits[0]) * now[0] + (1 - stay) * fresh
            elif a < 4:
                grown_out = ageing[a] * ((1 - exits[a]) * now[a] + fresh / 2)
            else:
                grown_out = 0.0
            ceases.append(exits[a] * (now[a] + starts[a] / 2 + grown_in / 2))
            stayed = (1 - exits[a]) * now[a] + fresh + (1 - exits[a] / 2) * grown_in - grown_out
            later.append(stayed)
            grown_in = grown_out
        years.append(
            {
                "reachable": reachable,
                "starts": starts,
                "children": later,
                "ceases": ceases,
                "closure": sum(residual),
            }
        )
        now = later
    return years


def under_18(length):
    """Share of children of each starting band in each band `length` years on."""
    table = []
    for low, high in LIMITS:
        row = []
        for lower, upper in LIMITS:
            row.append(max(min(high + length, upper) - max(low + length, lower), 0.0) / (high - low))
        table.append(row)
    return table


def stays(ceases_by_duration, *, ends, mix):
    """Points (years, log share) of F, the share still in care among those not yet 18."""
    total, left = sum(ceases_by_duration), 1.0
    points = [(0.0, 0.0)]
    for count, end in zip(ceases_by_duration[:-1], ends, strict=True):
        left -= count / total
        young = sum(mix[a] / sum(mix) * sum(under_18(end)[a]) for a in range(5))
        points.append((end, math.log(left / young)))
    return points


def share_in_care(points, length):
    """Evaluate F: log-linear between its points and beyond the last."""
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        if length <= x1 or x1 == points[-1][0]:
            return math.exp(y0 + (y1 - y0) * (length - x0) / (x1 - x0))
    raise AssertionError("no points")


def averted_kernel(points, *, ratio, deferral, lags):
    """Children fewer per averted start, [lag][from age][to age], deferred starts taken off."""
    kernel = []
    for lag in range(lags):
        cell = [[0.0] * 5 for _ in range(5)]
        for point in range(POINTS):
            length = lag + (point + 0.5) / POINTS
            weight = share_in_care(points, length / ratio)
            for wait in WAITS:
                if lag >= wait:
                    weight -= deferral / len(WAITS) * share_in_care(points, (length - wait) / ratio)
            position = under_18(length)
            for a in range(5):
                for b in range(5):
                    cell[a][b] += weight * position[a][b] / POINTS
        kernel.append(cell)
    return kernel


def leaver_ages(stock):
    """Ages of children who leave for special guardianship: those of the stock under 16."""
    young = sum(stock[:4])
    return [stock[a] / young for a in range(4)] + [0.0]


def leaver_kernel(points, *, ages, starts, lags, spent_points=1800, age_points=41):
    """Remaining stay of children met in care, [lag][age then], before returns; a steady population."""
    spent = [(u + 0.5) * 18.0 / spent_points for u in range(spent_points)]
    lengths = [lag + (p + 0.5) / POINTS for lag in range(lags) for p in range(POINTS)]
    here = [share_in_care(points, u) for u in spent]
    there = [[share_in_care(points, u + x) for u in spent] for x in lengths]
    kernel = [[0.0] * 5 for _ in range(lags)]
    for band in range(5):
        if ages[band] == 0.0:
            continue
        low, high = LIMITS[band]
        met = [low + (i + 0.5) / age_points * (high - low) for i in range(age_points)]
        density = [[_density(y - u, starts) for u in spent] for y in met]
        in_care = sum(math.sumprod(row, here) for row in density)
        for number, x in enumerate(lengths):
            for y, row in zip(met, density, strict=True):
                then = _band(y + x)
                if then is not None:
                    kernel[number // POINTS][then] += (
                        ages[band] * math.sumprod(row, there[number]) / in_care / POINTS
                    )
    return kernel


def _band(age):
    return next((b for b, (low, high) in enumerate(LIMITS) if low <= age < high), None)


def _density(age, starts):
    if age < 0:
        return 0.0
    band = _band(age)
    return starts[band] / (LIMITS[band][1] - LIMITS[band][0])


def reach_by_age(value, *, starts):
    """Reach at each age: logit phi_a = l + ln(w_a / s_a), the level l found by bisection."""
    total = sum(starts)
    known = sum(value[f"family_help.start_share_{tier}"] for tier in TIERS)
    overall = known * value["family_help.in_time_share"] * value["family_help.of_kind_share"]
    relative = [value["family_help.relative_risk_under_1"], 1.0, 1.0, 1.0]
    relative.append(value["family_help.relative_risk_16_plus"])
    odds = []
    for a, age in enumerate(AGES):
        weight = value[f"family_help.eligible_share_{age}"] * relative[a]
        odds.append(weight / (starts[a] / total))

    def at(level):
        return [1.0 / (1.0 + math.exp(-level) / o) for o in odds]

    low, high = -60.0, 60.0
    for _ in range(200):
        middle = (low + high) / 2
        reached = sum(s / total * phi for s, phi in zip(starts, at(middle), strict=True))
        low, high = (middle, high) if reached < overall else (low, middle)
    return at((low + high) / 2)


def placement_mix(stock, *, half_life, trend, years):
    """Placement shares of each year: the log odds of children's homes trend for a while."""
    today = [count / sum(stock) for count in stock]
    odds, drift, mixes = today[HOME] / (1 - today[HOME]), 0.0, []
    for step in range(years):
        drift += trend * 0.5 ** (step / half_life)
        share = odds * math.exp(drift) / (1 + odds * math.exp(drift))
        mix = [p * (1 - share) / (1 - today[HOME]) for p in today]
        mix[HOME] = share
        mixes.append(mix)
    return mixes


def without_unaccompanied(counts, *, alone, foster_share):
    """Placement shares once unaccompanied children are taken off fostering and supported accommodation."""
    left = list(counts)
    fostered = counts[IN_HOUSE] + counts[AGENCY]
    left[IN_HOUSE] -= alone * foster_share * counts[IN_HOUSE] / fostered
    left[AGENCY] -= alone * foster_share * counts[AGENCY] / fostered
    left[4] -= alone * (1 - foster_share)
    return [count / sum(left) for count in left]


def entrant_mix(first, stock, *, change_years, lags):
    """Placement mix of children by years since their start: from that of entrants to that of the stock."""
    mixes = []
    for lag in range(lags):
        fresh = math.exp(-(lag + 0.5) / change_years)
        mixes.append([fresh * f + (1 - fresh) * s for f, s in zip(first, stock, strict=True)])
    return mixes
