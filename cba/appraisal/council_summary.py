"""Every council in one table: what an option brings it over a medium-term plan, on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.council_position import SERVICES, care_shares, price_moments
from cba.costs.prices import cash_index
from cba.dimensions import COMPONENTS

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

_HOMES, _FOSTERING = SERVICES.values()
_RATIO = {"childrens_homes": _HOMES, "fostering": _FOSTERING}


def council_summary(workings: Workings, option: str = "care_review", *, years: int = 4) -> pd.DataFrame:
    """Return one row per authority with means over the first years, nominal.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    option : str
        Id of a national option of the analysis.
    years : int
        Years from the start of the analysis.

    Returns
    -------
    DataFrame
        Columns authority, name, region, option, stock (children today), children_share, care_share,
        home_price_ratio, foster_price_ratio (own unit cost over England's), fewer_mean (children at the end of
        the last year), fewer_chance_sd (standard deviation by chance alone), grant (from central government),
        council_cost, council_saving and council_net (saving less cost): GBP, cash, over the years, means. An
        authority without published children in care has no row.

    Raises
    ------
    InputError
        If the release has no unit costs by authority.

    Notes
    -----
    Means of :func:`cba.appraisal.council_view.council_view` without its draws: own prices are independent of
    everything national, so the mean of a product is the product of means. Chance: Poisson, the variance is the
    mean number of children fewer or more.

    Examples
    --------
    >>> council_summary(workings).nlargest(5, "council_net")  # doctest: +SKIP
    """
    first = workings.years.index(workings.inputs.analysis.start_year)
    shown = slice(first, first + years)
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
    placed = account.children.fewer_by_placement[:, first + years - 1]
    return _rows(workings, option, costs, savings, fewer=placed)


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
