"""What the plain second route is given: published figures, drawn inputs and rate paths, as floats and lists.

Only readers of the package are used here, and the rate paths, which the second route takes as given.
"""

from __future__ import annotations

import math

from cba.models.parameters import joint_parameters
from cba.projection.business_as_usual import usual_rates
from tests.appraisal.made_workings import made_fits, made_inputs, made_workings
from tests.independent import plain_care, plain_money


def drawn_values(inputs, fits):
    """Every drawn input of each sample, money in its own price year."""
    drawn = joint_parameters(
        inputs.priors,
        baseline=fits[0],
        effects=fits[1],
        observations=inputs.observations,
        seed=inputs.analysis.seed,
    )
    return [
        {str(name): float(drawn[name].values[s]) for name in drawn.data_vars}
        for s in range(drawn.sizes["sample"])
    ]


def plain_worlds(name, *, draws, long_horizon):
    """Values and world of each sample of a made analysis, ready for the plain route."""
    inputs, fits = made_inputs(name, draws, long_horizon), made_fits(name, draws, long_horizon)
    seen, analysis = inputs.observations, inputs.analysis
    first = int(fits[0]["constant_data"]["last_year"]) + 1
    years = list(range(first, analysis.start_year + analysis.long_horizon))
    system = made_workings(name, draws, long_horizon).system  # for the rate paths alone
    rates = usual_rates(
        fits[0],
        years=years,
        population=system.baseline["population"],
        parameters=system.parameters,
        seed=analysis.seed,
    )
    shared = _shared(seen, lags=len(years))
    worlds = []
    for s, value in enumerate(drawn_values(inputs, fits)):
        deflator = {int(y): float(v) for y, v in zip(seen.deflator_year, seen.gdp_deflator, strict=True)}
        growth = math.exp(value["prices.deflator_growth"]) - 1

        def level(year, deflator=deflator, growth=growth):
            year = analysis.price_base if year == "base" else year
            return plain_money.price_level(deflator, growth=growth, year=year)

        for entry_name, entry in inputs.priors.entries.items():
            if entry.price_year is not None and entry_name in value:
                value[entry_name] *= level("base") / level(int(entry.price_year))
        paths = {n: rates[n].transpose("sample", ...).values[s].tolist() for n in rates.data_vars}
        worlds.append(
            (
                value,
                _world(
                    seen, value, paths, shared=shared, years=years, level=level, start=analysis.start_year
                ),
            )
        )
    return inputs, worlds


def _last(seen, name, **which):
    known = seen[name].sel(**which).dropna("year")
    return known.isel(year=-1).values.astype(float).tolist()


def _shared(seen, *, lags):
    """What no draw changes: the distribution of stays, the stock and the leavers' kernel."""
    ages = list(plain_care.AGES)
    durations = seen["ceases_by_duration"].dropna("year").isel(year=slice(-3, None))
    counts = durations.sum("year").values.tolist()
    ends = durations["duration_upper_years"].values[:-1].tolist()
    recent = seen["starts_by_age"].sel(age=ages, year=durations["year"].values)
    mix = [sum(recent.sel(age=a).values.tolist()) for a in ages]
    points = plain_care.stays(counts, ends=ends, mix=mix)
    stock = _last(seen, "stock_by_age", age=ages)
    leaving = plain_care.leaver_ages(stock)
    starts = _last(seen, "starts_by_age", age=ages)
    return {
        "points": points,
        "stock": stock,
        "starts": starts,
        "leavers": plain_care.leaver_kernel(points, ages=leaving, starts=starts, lags=lags),
        "met": [
            plain_care.leaver_kernel(points, ages=[float(a == b) for b in range(5)], starts=starts, lags=lags)
            for a in range(5)
        ],
        "guarded": [
            sum(leaving[a] * sum(plain_care.under_18(lag + 0.5)[a]) for a in range(5)) for lag in range(lags)
        ],
    }


def _people(seen, *, years, growth):
    """Children aged 0 to 17: as projected, then growing."""
    known = seen["population_projection"].dropna("population_year")
    projected = {int(y): float(v) for y, v in zip(known["population_year"], known, strict=True)}
    counted = seen["population_0_17"].dropna("year")
    year, people, path = int(counted["year"][-1]), float(counted[-1]), []
    for now in years:
        if now in projected:
            year, people = now, projected[now]
        path.append(people * math.exp(growth * (now - year)))
    return path


def _world(seen, value, paths, *, shared, years, level, start):
    """Business as usual and the kernels of one draw."""
    ages, places = list(plain_care.AGES), list(plain_care.PLACES)
    alone = _last(seen, "uasc_starts")
    older = (seen["uasc_stock_16_plus"] / seen["uasc_stock"]).dropna("year").values.tolist()
    older = sum(older) / len(older)
    last_starts = _last(seen, "starts_by_age", age=ages)
    reachable = [s - alone * share for s, share in zip(last_starts, [0, 0, 0, 1 - older, older], strict=True)]
    usual = plain_care.usual_account(
        paths,
        stock=shared["stock"],
        uasc_share=[0.0, 0.0, 0.0, 1 - older, older],
        people=_people(seen, years=years, growth=value["baseline.population_growth"]),
    )
    stock = _last(seen, "stock_by_placement", placement=places)
    foster_share = value["unit_costs.uasc_foster_share"]
    entrants = plain_care.entrant_mix(
        plain_care.without_unaccompanied(
            _last(seen, "starts_by_placement", placement=places), alone=alone, foster_share=foster_share
        ),
        plain_care.without_unaccompanied(stock, alone=_last(seen, "uasc_stock"), foster_share=foster_share),
        change_years=value["unit_costs.mix_change_years"],
        lags=len(years),
    )
    back = value["kinship.return_to_care"]
    weekly = (
        seen["unit_cost_weekly"].sel(service=["residential_care", "fostering"]).dropna("year").isel(year=-1)
    )
    base = int(weekly["year"])
    steps = years[-1] - base
    prices = plain_money.placement_prices(
        value,
        weekly={str(s): float(weekly.sel(service=s)) for s in weekly["service"].values},
        level=level("base") / level(base),
        fostered=stock[:3],
        steps=steps,
    )
    return {
        "years": years,
        "start": start,
        "level": level,
        "usual": usual,
        "reach": plain_care.reach_by_age(value, starts=reachable),
        "kernel": plain_care.averted_kernel(
            shared["points"],
            ratio=value["family_help.stay_ratio"],
            deferral=value["family_help.deferral_share"],
            lags=len(years),
        ),
        "leavers": [
            [cell * (1 - back * min(lag / 5, 1.0)) for cell in row]
            for lag, row in enumerate(shared["leavers"])
        ],
        "guarded": shared["guarded"],
        "met": shared["met"],
        "exits": paths["exit"],
        "entrants": entrants,
        "mix": plain_care.placement_mix(
            stock,
            half_life=value["unit_costs.growth_half_life"],
            trend=value["unit_costs.home_share_trend"],
            years=len(years),
        ),
        "prices": prices[years[0] - base - 1 :],
    }
