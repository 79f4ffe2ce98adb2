"""Every council in one table: what an option brings it over the whole horizon, on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.costs.prices import cash_index
from cba.dimensions import COMPONENTS
from cba.errors import InputError
from cba.tables.councils import SERVICES, care_shares, price_moments

if TYPE_CHECKING:
    from cba.appraisal.workings import Workings


_HOMES, _FOSTERING = SERVICES.values()


_RATIO = {"childrens_homes": _HOMES, "fostering": _FOSTERING}


def council_summary(
    workings: Workings,
    option: str = "care_review",
    *,
    years: int | None = None,
    counted_in: int | None = None,
) -> pd.DataFrame:
    """Return one row per authority with means over the years of an account, nominal.

    `years`: years from the start of the analysis; by default the horizon, because what councils pay begins
    late and an account of the first years alone would leave it out.
    """
    # Columns authority, name, region, option, stock (children today), children_share, care_share,
    # home_price_ratio, foster_price_ratio (own unit cost over England's), fewer_mean (children at the end of
    # `counted_in`), fewer_chance_sd (standard deviation by chance alone), grant (from central government),
    # council_cost, council_saving and council_net (saving less cost): GBP, cash, over the years, means;
    # first_year, last_year and counted_in, years ending 31 March. An authority without published children in
    # care has no row. `counted_in`: year at whose end, 31 March, children are counted; by default the last of
    # the years.
    #
    # Means of `council_view` without its draws: own prices are independent of everything national, so the
    # mean of a product is the product of means. Costs of all authorities add up to the national account in
    # cash; savings do where own prices are England's. Chance: Poisson, the variance is the mean number of
    # children fewer or more.
    shown, counted = _places(workings, years=years, counted_in=counted_in)
    calendar = workings.years[shown]
    account = workings.accounts[option]
    index = cash_index(calendar, price_base=workings.basis.price_base, prices=workings.basis.index)
    index = index if "sample" in index.dims else index.expand_dims(sample=1)
    nominal = index.transpose("sample", "year").values
    # By payer, and whether the line follows children (programme money) or children in care.
    costs = {(line.payer, line.component in COMPONENTS): 0.0 for line in account.costs}
    for line in account.costs:
        costs[line.payer, line.component in COMPONENTS] += _mean_sum(line.amount[:, shown] * nominal)
    savings: dict[str, float] = {}
    for saving in account.savings:
        if saving.payer == "council":
            added = _mean_sum(saving.amount[:, shown] * nominal)
            savings[saving.component] = savings.get(saving.component, 0.0) + added
    placed = account.children.fewer_by_placement[:, counted]
    table = _rows(workings, option, costs, savings, fewer=placed)
    span = {"first_year": calendar[0], "last_year": calendar[-1], "counted_in": workings.years[counted]}
    return table.assign(**span)


def _places(workings: Workings, *, years: int | None, counted_in: int | None) -> tuple[slice, int]:
    """Places in the projection of the years of the account, and of the year whose end is counted."""
    analysis, projected = workings.inputs.analysis, workings.years
    first = projected.index(analysis.start_year)
    last = first + (analysis.horizon if years is None else years)
    at = projected[min(last, len(projected)) - 1] if counted_in is None else counted_in
    if not first < last <= len(projected) or at not in projected[first:]:
        raise InputError(
            "the account of councils is asked for years that are not projected",
            field="years, counted_in",
            found=f"{years}, {counted_in}",
            allowed=f"1 to {len(projected) - first} years, counted in {projected[first]} to {projected[-1]}",
            cause="more years than the projection has",
            remedy="ask for fewer years, or lengthen long_horizon of the analysis",
        )
    return slice(first, last), projected.index(at)


def _mean_sum(money: np.ndarray) -> float:
    return float(money.sum(axis=1).mean())


def _rows(
    workings: Workings,
    option: str,
    costs: dict[tuple[str, bool], float],
    savings: dict[str, float],
    *,
    fewer: np.ndarray,
) -> pd.DataFrame:
    seen, children = workings.inputs.observations, workings.system.authority_share
    care, stock = care_shares(seen)
    prices = {service: price_moments(seen, service) for service in SERVICES.values()}
    counted, gone = float(np.abs(fewer).sum(axis=-1).mean()), float(fewer.sum(axis=-1).mean())
    rows = []
    for code in sorted(set(children) & set(care)):
        ratio = {service: _mean_ratio(moments[code]) for service, moments in prices.items()}
        paid = {
            payer: costs.get((payer, True), 0.0) * children[code]
            + costs.get((payer, False), 0.0) * care[code]
            for payer in ("dfe", "council")
        }
        saving = care[code] * sum(s * ratio.get(_RATIO.get(c, ""), 1.0) for c, s in savings.items())
        own = seen.sel(authority=code)
        rows.append(
            {
                "authority": code,
                "name": str(own["authority_name"].values),
                "region": str(own["region"].values),
                "option": option,
                "stock": float(stock.sel(authority=code)),
                "children_share": children[code],
                "care_share": care[code],
                "home_price_ratio": ratio[_HOMES],
                "foster_price_ratio": ratio[_FOSTERING],
                "fewer_mean": gone * care[code],
                "fewer_chance_sd": float(np.sqrt(counted * care[code])),
                "grant": paid["dfe"],
                "council_cost": paid["council"],
                "council_saving": saving,
                "council_net": saving - paid["council"],
            }
        )
    return pd.DataFrame(rows)


def _mean_ratio(moments: tuple[float, float, int]) -> float:
    """Mean of the ratio whose log is normal with these moments."""
    mean, spread, _ = moments
    return float(np.exp(mean + spread**2 / 2.0))
