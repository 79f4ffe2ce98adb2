"""Children of one authority as they would be counted: expectations, and the chance of a small number of children.

England's numbers are large and their randomness can be left out. In one authority whole children enter and leave:
the number of them fewer in a placement is Poisson; its number in care is England's times a share that walks, by more
where children are few.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.inputs import Inputs
from cba.appraisal.workings import Workings
from cba.costs.account import SUPPORT, OptionAccount, cashable, placement_savings
from cba.dimensions import PLACEMENTS
from cba.errors import InputError
from cba.inputs.options import Option
from cba.models.authority_shares import share_paths, share_walk
from cba.projection.care_system import authority_share
from cba.projection.kernel import project
from cba.tables.catalogue import spread


def counted(expected: np.ndarray, *, stay: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whole children around an expected path that starts from nobody.

    Shape of `expected`, whole numbers. In every year Poisson with the expected mean; neighbouring years share
    children. `expected` (sample, year, ...), children, >= 0; `stay` (sample,), in [0, 1].
    """
    # The Poisson INAR(1) process: ``N(t) = Bin(N(t-1), a) + Poisson(m(t) - a m(t-1))`` with
    # ``a = min(stay, m(t) / m(t-1))`` has mean and variance m(t) in every year.
    by_year = np.moveaxis(expected, 1, -1)
    flat = by_year.reshape(-1, expected.shape[1])
    kept = np.repeat(stay, flat.shape[0] // stay.size)[:, None]
    before = np.concatenate([np.zeros((flat.shape[0], 1)), flat[:, :-1]], axis=1)
    possible = np.divide(flat, before, out=np.ones_like(flat), where=before > 0)
    moves = np.minimum(kept, possible)
    joining = np.maximum(flat - moves * before, 0.0)  # rounding can leave -1e-17
    found = one_stock(np.zeros(flat.shape[0]), joining, moves, rng=rng)
    return np.moveaxis(found.reshape(by_year.shape), -1, 1)


def one_stock(
    initial: np.ndarray, joining: np.ndarray, moves: np.ndarray, *, rng: np.random.Generator
) -> np.ndarray:
    """One stock per row through the cohort kernel, (row, year)."""
    states = project(
        xr.DataArray(initial[:, None], dims=("sample", "state")),
        xr.DataArray(joining[..., None], dims=("sample", "year", "state")),
        xr.DataArray(moves[..., None, None], dims=("sample", "year", "from_state", "to_state")),
        rng=rng,
    )
    found: np.ndarray = states.values[..., 0]
    return found


def fewer_counted(fewer: np.ndarray, *, workings: Workings, rng: np.random.Generator) -> np.ndarray:
    """Whole children fewer in care in one authority, by placement; more where below 0.

    Shape of `fewer`. With mean `fewer` in every draw. `fewer` (sample, year, placement).
    """
    stay = stay_of_averted(workings)
    gone = counted(np.maximum(fewer, 0.0), stay=stay, rng=rng)
    return gone - counted(np.maximum(-fewer, 0.0), stay=stay, rng=rng)


def stay_of_averted(workings: Workings) -> np.ndarray:
    """Share of children fewer in care a year after an averted start who still are a year later."""
    starts = workings.system.baseline["starts_reachable"].mean(["sample", "year"]).values
    kernel = np.einsum("a,sabl->sl", starts / starts.sum(), workings.system.averted_kernel[..., 1:3])
    share: np.ndarray = kernel[:, 1] / kernel[:, 0]
    return share


def usual_stock(
    workings: Workings, position: CouncilPosition, *, years: int, walks: bool = True
) -> np.ndarray:
    """Looked-after children of one authority under business as usual, from the first projected year on.

    Shape (sample, year), children, not rounded: in every draw all authorities add up to England.
    """
    # Its share of England's number walks (`cba.models.authority_shares`), or stays as it is. `position`: gives its own
    # number in care today.
    national = workings.system.baseline["children"].sum("age").transpose("sample", "year").values[:, :years]
    seen = workings.inputs.observations
    if not walks:
        return national * (position.stock / float(seen["stock"].dropna("year").isel(year=-1)))
    # One seed for all authorities, whichever is asked for: their shares are of the same draws.
    walk = share_walk(seen)
    if walk.year + 1 != workings.years[0]:
        raise InputError(
            "authorities and England were last published in different years",
            file="authority_children.csv",
            field="stock_by_authority",
            found=walk.year,
            allowed=workings.years[0] - 1,
            cause="a release whose figures of authorities have not come in yet",
            remedy="add them, or choose an earlier release",
        )
    shares = share_paths(walk, size=len(national), years=years, seed=workings.inputs.analysis.seed)
    return np.asarray(national * shares[..., list(walk.authority).index(position.code)])


# --- One authority's place in the national account: its share of children and of care, and its own … ---


RECENT_YEARS = 3
"""Last published years whose unit costs say how dear an authority is against England."""


SERVICES = {"childrens_home": "residential_care", "foster": "fostering"}
"""Placement, or the beginning of its name, to the service whose published unit cost stands for it."""


HIDDEN = 5.0
"""Largest number of unaccompanied children that is suppressed; the smallest is 1."""


@dataclass(frozen=True)
class CouncilPosition:
    """What places one authority in the national account."""

    code: str  # three digits
    name: str
    stock: float  # looked-after children at the last published 31 March
    price_ratio: dict[str, np.ndarray]  # (sample,): own unit cost over England's, by service: draws
    priced_years: int  # recent years for which it published both unit costs


def find_authority(seen: xr.Dataset, authority: str) -> str:
    """Return the code of an authority of today, by code or name. Three-digit code."""
    today = authority_share(seen)
    named = seen["authority_name" if "authority_name" in seen else "authority"]
    names = {str(c): str(n) for c, n in zip(seen["authority"].values, named.values, strict=True)}
    asked = authority.strip().casefold()
    found = [c for c, name in names.items() if asked in (c, name.casefold())]
    current = [code for code in found if code in today]
    if current:
        return current[0]
    proper = {names[c].casefold(): names[c] for c in today if c in names}
    near = [proper[name] for name in difflib.get_close_matches(asked, proper, n=3, cutoff=0.5)]
    raise InputError(
        "the authority no longer exists" if found else "an unknown authority",
        field="authority",
        found=authority,
        allowed="the three-digit code or name of an authority of today",
        cause="a reorganisation" if found else "a spelling mistake, or an ONS code",
        remedy=f"did you mean {' or '.join(near)}?" if near else "see cba/inputs/published/authorities.csv",
    )


def council_position(workings: Workings, authority: str) -> CouncilPosition:
    """Place one authority in the national account."""
    seen = workings.inputs.observations
    code = find_authority(seen, authority)
    own = seen.sel(authority=code)
    shares, stock = care_shares(seen)
    if code not in shares:
        raise InputError(
            "the authority's children in care are not published in this release",
            file="authority_children.csv",
            field="stock_by_authority",
            found=f"{code} missing in {int(stock['year'])}",
            allowed="a number",
            cause="suppression, or a reorganisation after the release",
            remedy="choose a later release",
        )
    drawn, years = price_ratios(workings, [code])
    return CouncilPosition(
        code=code,
        name=str(own["authority_name"].values) if "authority_name" in own.coords else code,
        stock=float(stock.sel(authority=code)),
        price_ratio={service: ratio[:, 0] for service, ratio in drawn.items()},
        priced_years=int(years[0]),
    )


def care_shares(seen: xr.Dataset) -> tuple[dict[str, float], xr.DataArray]:
    """Share of England's looked-after children by authority in the last published year.

    Returns `shares`: by code; they sum to 1. Unaccompanied children are taken off where the same year
    publishes them. `stock`, dims (authority).
    """
    stock = seen["stock_by_authority"].dropna("year", how="all").isel(year=-1)
    known = stock.dropna("authority")
    alone = seen["uasc_stock_by_authority"].sel(year=int(stock["year"]), authority=known["authority"])
    if alone.notnull().any():
        # A suppressed number stands in the middle of what it can be: 1 to 5, or to all the authority has.
        most = known.copy(data=np.minimum(known.values, HIDDEN))
        known = known - alone.fillna((np.minimum(most, 1.0) + most) / 2.0)
    share = known / known.sum()
    pairs = zip(share["authority"].values, share.values, strict=True)
    return {str(code): float(value) for code, value in pairs}, stock


def price_ratios(workings: Workings, codes: Sequence[str]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draws of own unit cost over England's by service, (sample, code), and the published years behind both.

    Every authority has draws of its own, the same whichever others are asked for.
    """
    # Ratio of unit costs: the mean of the log ratios of the last three published years plus what a new year
    # brings, Normal with the pooled spread s within authorities: variance ``s^2 (1 + 1/n)``. An authority
    # without unit costs has the mean and spread of all authorities.
    seen, size = workings.inputs.observations, workings.system.reach.size
    moments = {service: price_moments(seen, service) for service in SERVICES.values()}
    columns: dict[str, list[np.ndarray]] = {service: [] for service in moments}
    for code in codes:
        rng = np.random.default_rng([workings.inputs.analysis.seed, int(code)])
        for service, of_all in moments.items():
            mean, sd, _ = of_all[code]
            columns[service].append(np.exp(mean + sd * rng.standard_normal(size)))
    years = np.array([min(of_all[code][2] for of_all in moments.values()) for code in codes])
    return {service: np.stack(drawn, axis=1) for service, drawn in columns.items()}, years


def price_moments(seen: xr.Dataset, service: str) -> dict[str, tuple[float, float, int]]:
    """Mean and spread of every authority's log ratio of unit cost to England's in a new year.

    By code: mean, standard deviation and number of years it rests on.
    """
    ratio = seen["unit_cost_weekly_by_authority"] / seen["unit_cost_weekly"]
    known = xr.ufuncs.log(ratio.sel(service=service)).dropna("year", how="all")
    if not known.sizes["year"]:
        raise InputError(
            "the release has no unit costs by authority",
            file="unit_costs.csv",
            field=f"unit_cost_weekly_by_authority, {service}",
            found="all missing",
            allowed="at least one year",
            cause="unit costs by authority begin in 2015-16",
            remedy="choose a release from 2017",
        )
    recent = known.isel(year=slice(-RECENT_YEARS, None))
    count, means = recent.count("year"), recent.mean("year")
    within = (((recent - means) ** 2).sum() / (count - 1).clip(min=0).sum()) ** 0.5
    sd = (within * (1.0 + 1.0 / count) ** 0.5).where(count > 0, means.std(ddof=1))
    moments = (means.fillna(means.mean()), sd, count)
    values = zip(recent["authority"].values, *(each.values for each in moments), strict=True)
    return {str(code): (float(mean), float(sd), int(years)) for code, mean, sd, years in values}


# --- One council's own account of an option: who pays, who gains, when the money can be cashed, in … ---


NOT_YET = "freed, not yet cashable"
"""Kind of the rows with what places that are no longer needed would be worth, and that no budget can release."""


PRICED = {"childrens_homes": "residential_care", "fostering": "fostering"}
"""Component of savings to the service whose unit cost is the authority's own."""


@dataclass(frozen=True)
class CouncilAccount:
    """Cash flow of one authority."""

    position: CouncilPosition  # its place in the national account
    years: np.ndarray  # (year,)
    # By (payer, kind): (sample, year): GBP, cash of the year: costs positive, cashable savings negative.
    lines: dict[tuple[str, str], np.ndarray]
    # (sample, year): avoidable cost of places no longer needed less what is cashable in the year, GBP, cash.
    not_yet: np.ndarray
    fewer: np.ndarray  # (sample, year): looked-after children fewer than under business as usual


def council_account(
    workings: Workings, authority: str, option: str, *, years: int | None = None, noise: bool = True
) -> CouncilAccount:
    """Work out one authority's part in an option, over the horizon where no number of years is given."""
    # Money lines are the national ones times the share of children. Savings are the national ones times the
    # share of looked-after children and the ratio of own to England's unit cost; whole children add
    # ``(counted - expected) x own price x avoidable share``, cashed as savings are, which is zero on average.
    chosen = known_option(workings.inputs, option)
    position = council_position(workings, authority)
    _refuse_outside(chosen, position.code, name=position.name)
    money, care = (share[position.code] for share in option_shares(workings, chosen))
    rng = np.random.default_rng([workings.inputs.analysis.seed, int(position.code), 1]) if noise else None
    shown = years_shown(workings, years)
    last = shown.stop
    children = workings.accounts[option].children
    expected, moved = children.fewer_by_placement[:, :last] * care, children.moved[:, :last] * care
    fewer = expected if rng is None else fewer_counted(expected, workings=workings, rng=rng)
    priced: dict[str, Any] = {
        "prices": workings.basis.prices.path[:, :last] * _ratios(position),
        "parameters": workings.system.parameters,
    }
    avoided = placement_savings(expected, moved, **priced)
    by_chance = placement_savings(fewer - expected, np.zeros_like(moved), **priced)
    lines = _lines(workings, option, position, money=money, care=care, last=last)
    released = _cashed(workings, by_chance)
    for payer, cash in _paid_by(workings, released).items():
        lines[payer, "saving"] = lines.get((payer, "saving"), 0.0) - cash
    freed = (avoided + by_chance - _cashed(workings, avoided) - released).sum(axis=-1)
    nominal = in_cash_of(workings, last)
    return CouncilAccount(
        position=position,
        years=np.array(workings.years[shown]),
        lines={key: (amount * nominal)[:, shown] for key, amount in lines.items()},
        not_yet=(freed * nominal)[:, shown],
        fewer=fewer.sum(axis=-1)[:, shown],
    )


def years_shown(workings: Workings, years: int | None = None) -> slice:
    """Places of the years of a programme among those of the projection; the horizon where no number is given."""
    first = workings.years.index(workings.inputs.analysis.start_year)
    wanted = len(workings.horizon) if years is None else years
    most = len(workings.years) - first
    if not 0 < wanted <= most:
        raise InputError(
            "more years are asked for than the projection has" if wanted > 0 else "no year is asked for",
            field="years",
            found=years,
            allowed=f"1 to {most}",
            remedy="ask for fewer years, or lengthen long_horizon of the analysis",
        )
    return slice(first, first + wanted)


def refuse_unknown(inputs: Inputs, authority: str, option: str) -> None:
    """Refuse an authority or option that an analysis does not have, or that do not belong together."""
    chosen = known_option(inputs, option)
    code = find_authority(inputs.observations, authority)
    _refuse_outside(chosen, code, name=authority)


def known_option(inputs: Inputs, option: str) -> Option:
    """Return an option of an analysis, or refuse one that it does not have."""
    for known in inputs.options:
        if known.id == option and option != "bau":
            return known
    raise InputError(
        "the analysis has no such option",
        field="option",
        found=option,
        allowed=", ".join(o.id for o in inputs.options if o.id != "bau"),
        cause="a spelling mistake, or an option left out of the analysis",
        remedy="name an option of the analysis",
    )


def _refuse_outside(option: Option, code: str, *, name: str) -> None:
    """Refuse an authority outside those that an option is limited to."""
    if option.areas and code not in option.areas:
        raise InputError(
            "the option is limited to other authorities",
            file=f"priors/options/{option.id}.toml",
            field="areas",
            found=f"{name} ({code})",
            allowed=", ".join(option.areas),
            cause="a pathfinder programme",
            remedy="ask for one of its areas, or for a national option",
        )


def option_shares(workings: Workings, option: Option) -> tuple[dict[str, float], dict[str, float]]:
    """Share of an option's money, and of its change in care, that falls on each authority of its areas, by code.

    Over all authorities, or over the areas of an option that is limited to some, both add up to 1.
    """
    care, _ = care_shares(workings.inputs.observations)
    return _within(workings.system.authority_share, option.areas), _within(care, option.areas)


def _within(shares: Mapping[str, float], areas: Sequence[str]) -> dict[str, float]:
    kept = {code: share for code, share in shares.items() if not areas or code in areas}
    whole, missing = sum(kept.values()), sorted(set(areas) - set(kept))
    if missing or not whole > 0.0:
        raise InputError(
            "what an option brings its areas cannot be shared out",
            field="areas",
            found=f"{', '.join(missing)} not published" if missing else "areas with nobody in care",
            allowed="authorities of today whose children in care are published, one of them at least with any",
            cause="suppression, or a reorganisation after the release",
            remedy="choose a later release, or other areas",
        )
    return {code: share / whole for code, share in kept.items()}


def _ratios(position: CouncilPosition) -> np.ndarray:
    """Own price over England's by placement, (sample, 1, placement); 1 where no unit cost is published."""
    size = next(iter(position.price_ratio.values())).size
    ratios = np.ones((size, 1, len(PLACEMENTS)))
    for index, placement in enumerate(PLACEMENTS):
        for beginning, service in SERVICES.items():
            if placement.startswith(beginning):
                ratios[:, 0, index] = position.price_ratio[service]
    return ratios


def _lines(
    workings: Workings, option: str, position: CouncilPosition, *, money: float, care: float, last: int
) -> dict[tuple[str, str], np.ndarray]:
    """Real money by payer and kind: costs positive, cashable savings negative, (sample, year)."""
    ratios = {service: ratio[:, None] for service, ratio in position.price_ratio.items()}
    lines: dict[tuple[str, str], np.ndarray] = {}
    for payer, kind, amount, share in divided(workings.accounts[option], (money, care), ratios):
        lines[payer, kind] = lines.get((payer, kind), 0.0) + amount[:, :last] * share
    return lines


def divided(
    account: OptionAccount, shares: tuple[Any, Any], ratios: Mapping[str, Any]
) -> Iterator[tuple[str, str, np.ndarray, Any]]:
    """Payer, kind and national amount of every line, and the share of it that falls on an authority, or on each.

    `shares`: of money and of care. `ratios`: own unit cost over England's by service. Savings are below 0.
    """
    money, care = shares
    for cost in account.costs:
        yield cost.payer, cost.kind, cost.amount, care if cost.component in SUPPORT else money
    for saving in account.savings:
        ratio = ratios.get(PRICED.get(saving.component, ""), 1.0)
        yield saving.payer, "saving", -saving.amount, care * ratio


def _cashed(workings: Workings, avoided: np.ndarray) -> np.ndarray:
    """Cash from an avoidable cost, as slow for places too many as for places too few, so that means stay."""
    value = workings.system.value
    share = {"at_once": value("cashable.share_at_once"), "rest_later": value("cashable.rest_later")}
    more, less = cashable(np.maximum(avoided, 0.0), **share), cashable(np.maximum(-avoided, 0.0), **share)
    return more - less


def _paid_by(workings: Workings, cash: np.ndarray) -> dict[str, np.ndarray]:
    """Cash from placements by those who pay for them, (sample, year)."""
    share = workings.system.value("payers.nhs_share_of_homes")[:, None]
    nhs = cash[..., PLACEMENTS.index("childrens_home")] * share
    return {"council": cash.sum(axis=-1) - nhs, "nhs": nhs}


def in_cash_of(workings: Workings, last: int) -> np.ndarray:
    """Cash per pound of the price base, (sample or 1, year)."""
    index = workings.to_cash(workings.years[:last])
    if "sample" not in index.dims:
        index = index.expand_dims(sample=1)
    found: np.ndarray = index.transpose("sample", "year").values
    return found


BASIS = {
    "in care": ("number today, and how far its share may move", "growth of the total"),
    "fewer": ("share of children in care", "take-up, effect, length of stay"),
    "saving": ("share of children in care, unit costs", "effect, placements, what can be cashed and when"),
    "saving without unit costs": (
        "share of children in care",
        "unit costs, effect, placements, what can be cashed and when",
    ),
    "cost": (
        "share of children; for support at home, of children in care",
        "take-up, cost per family, timing",
    ),
    "net": ("all of these", "all of these"),
}
"""What of a figure is the council's own and what is England's average, by kind of row."""


def council_view(
    workings: Workings, authority: str, option: str, *, years: int | None = None
) -> pd.DataFrame:
    """Show one council's children and cash flow of an option by year, the horizon where no number is given.

    Rows ``children``, then GBP, cash of the year: costs positive, cashable savings negative.
    """
    # Columns authority, name, option, year, payer, kind, row, own, england_average (what of it is which), mean,
    # lower, upper. Rows ``children``: in care under business as usual, and how many fewer.
    # Means of rows ``line`` add up to rows ``payer``, and those to rows ``total``; rows ``memo`` (places
    # freed that no budget can release yet) are in no total. No row is of noughts alone.
    account = council_account(workings, authority, option, years=years)
    position, shown = account.position, years_shown(workings, years)
    usual = usual_stock(workings, position, years=shown.stop)[:, shown]
    rows = [("", "in care", "children", usual), ("", "fewer", "children", account.fewer)]
    rows += [(payer, kind, "line", money) for (payer, kind), money in account.lines.items()]
    zero = np.zeros_like(account.not_yet)
    for payer in dict.fromkeys(payer for payer, _ in account.lines):
        total = sum((money for (p, _), money in account.lines.items() if p == payer), zero)
        rows.append((payer, "net", "payer", total))
    rows.append(("all", "net", "total", sum(account.lines.values(), zero)))
    rows.append(("council", NOT_YET, "memo", account.not_yet))
    about = {"authority": position.code, "name": position.name, "option": option, "year": account.years}
    saving = "saving" if position.priced_years else "saving without unit costs"
    frames = []
    for payer, kind, row, amount in rows:
        if row == "children" or amount.any():
            own, average = BASIS.get(saving if kind in ("saving", NOT_YET) else kind, BASIS["cost"])
            held = {"payer": payer, "kind": kind, "row": row, "own": own, "england_average": average}
            frames.append(pd.DataFrame(about | held | spread(workings, amount)))
    return pd.concat(frames).sort_values("year", kind="stable", ignore_index=True)


def council_options(workings: Workings, authority: str, *, years: int | None = None) -> pd.DataFrame:
    """Show what each option brings one council over the whole horizon; those limited to other areas are left out.

    Means and limits; GBP, cash, over the years.
    """
    # Columns authority, name, option, first_year, last_year, counted_in, then `fewer` (whole children in the target
    # year, or the last one shown), `grant` (from central government), `council_cost`, `council_saving` and
    # `council_net` (saving less cost), each with mean, lower and upper.
    target, rows = workings.inputs.analysis.target_year, []
    code = find_authority(workings.inputs.observations, authority)
    for option in workings.inputs.options:
        if option.id == "bau" or (option.areas and code not in option.areas):
            continue
        account = council_account(workings, code, option.id, years=years)
        first, last = (int(account.years[end]) for end in (0, -1))
        counted_in = min(max(target, first), last)
        about: dict[str, Any] = {"authority": code, "name": account.position.name, "option": option.id}
        about |= {"first_year": first, "last_year": last, "counted_in": counted_in}
        about |= spread(workings, account.fewer[:, counted_in - first], "fewer_")
        over_years = {key: money.sum(axis=1) for key, money in account.lines.items()}
        for name, draws in budget_of(over_years, zero=np.zeros(len(account.fewer))).items():
            about |= spread(workings, draws, f"{name}_")
        rows.append(about)
    return pd.DataFrame(rows)


def budget_of(lines: Mapping[tuple[str, str], np.ndarray], *, zero: np.ndarray) -> dict[str, np.ndarray]:
    """Grant, own cost, own saving, and saving less cost, of councils, from their lines by payer and kind."""
    grant = sum((m for (payer, kind), m in lines.items() if payer == "dfe" and kind != "saving"), zero)
    cost = sum((m for (payer, kind), m in lines.items() if payer == "council" and kind != "saving"), zero)
    saving = -lines.get(("council", "saving"), zero)
    return {"grant": grant, "council_cost": cost, "council_saving": saving, "council_net": saving - cost}
