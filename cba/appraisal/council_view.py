"""One council's own account of an option: who pays, who gains, when the money can be cashed, in nominal terms.

Until there is a model of authorities one takes its share of the national account: of money by its children, of
every change in care by its looked-after children, at its own unit costs. Around that stands small numbers' chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cba.appraisal.council_children import fewer_counted, usual_stock
from cba.appraisal.council_position import SERVICES, council_position, find_authority
from cba.appraisal.summaries import interval
from cba.costs.prices import cash_index
from cba.costs.savings import cashable, placement_savings
from cba.dimensions import COMPONENTS, PLACEMENTS
from cba.errors import InputError

if TYPE_CHECKING:
    from cba.appraisal.council_position import CouncilPosition
    from cba.appraisal.inputs_read import Inputs
    from cba.appraisal.stages import Workings
    from cba.inputs.option_records import Option

YEARS = 4
"""Years of a medium-term financial plan."""

NOT_YET = "freed, not yet cashable"
"""Kind of the rows with what places that are no longer needed would be worth, and that no budget can release."""

_GROUPS = {"childrens_homes": "childrens_home", "fostering": "foster"}
"""Component of savings to the placement, or the beginning of its name, whose unit cost is the authority's own."""


@dataclass(frozen=True)
class CouncilAccount:
    """Cash flow of one authority.

    Attributes
    ----------
    position : CouncilPosition
        Its place in the national account.
    years : ndarray of int, shape (year,)
        Years ending 31 March.
    lines : dict of (payer, kind) to ndarray, shape (sample, year)
        GBP, cash of the year: costs positive, cashable savings negative.
    not_yet : ndarray, shape (sample, year)
        Avoidable cost of places no longer needed less what is cashable in the year, GBP, cash.
    usual, fewer : ndarray, shape (sample, year)
        Looked-after children under business as usual, and how many fewer there are.
    """

    position: CouncilPosition
    years: np.ndarray
    lines: dict[tuple[str, str], np.ndarray]
    not_yet: np.ndarray
    usual: np.ndarray
    fewer: np.ndarray


def council_account(
    workings: Workings, authority: str, option: str = "care_review", *, years: int = YEARS, noise: bool = True
) -> CouncilAccount:
    """Work out one authority's part in an option.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    authority : str
        Code or name of an authority of today.
    option : str
        Id of an option of the analysis.
    years : int
        Years from the start of the analysis.
    noise : bool
        Whether to draw whole children; False gives expectations, which add up over authorities.

    Returns
    -------
    CouncilAccount

    Raises
    ------
    InputError
        For an unknown authority or option, or an option limited to other authorities.

    Notes
    -----
    Money lines are the national ones times the share of children. Savings are the national ones times the
    share of looked-after children and the ratio of own to England's unit cost; whole children add
    ``(counted - expected) x own price x avoidable share``, cashed as savings are, which is zero on average.

    Examples
    --------
    >>> council_account(workings, "Leeds").fewer.mean(axis=0)  # doctest: +SKIP
    """
    chosen = _option(workings.inputs, option)
    position = council_position(workings, authority)
    money, care = _shares_within_areas(workings, chosen, position)
    rng = np.random.default_rng([workings.inputs.analysis.seed, int(position.code), 1]) if noise else None
    first = workings.years.index(workings.inputs.analysis.start_year)
    last = first + years
    if last > len(workings.years):
        raise InputError(
            "more years are asked for than the projection has",
            field="years",
            found=years,
            allowed=f"up to {len(workings.years) - first}",
            remedy="ask for fewer years, or lengthen long_horizon of the analysis",
        )
    account = workings.accounts[option]
    expected = account.children.fewer_by_placement[:, :last] * care
    moved = account.children.moved[:, :last] * care
    fewer = expected if rng is None else fewer_counted(expected, workings=workings, rng=rng)
    prices = workings.basis.prices.path[:, :last] * _ratios(position)
    parameters = workings.system.parameters
    avoided = placement_savings(expected, moved, prices=prices, parameters=parameters)
    chance = placement_savings(fewer - expected, np.zeros_like(moved), prices=prices, parameters=parameters)
    lines = _lines(workings, option, position, money=money, care=care, last=last)
    released = _cashed(workings, chance)
    _add_chance(lines, workings, released)
    freed = (avoided + chance - _cashed(workings, avoided) - released).sum(axis=-1)
    nominal = _nominal(workings, last)
    shown = slice(first, last)
    return CouncilAccount(
        position=position,
        years=np.array(workings.years[shown]),
        lines={key: (amount * nominal)[:, shown] for key, amount in lines.items()},
        not_yet=(freed * nominal)[:, shown],
        usual=usual_stock(workings, position, years=last, rng=rng)[:, shown],
        fewer=fewer.sum(axis=-1)[:, shown],
    )


def refuse_unknown(inputs: Inputs, authority: str, option: str) -> None:
    """Refuse an authority or option that an analysis does not have, or that do not belong together.

    Parameters
    ----------
    inputs : Inputs
        As read; nothing need be fitted.
    authority : str
        Code or name of an authority of today.
    option : str
        Id of an option of the analysis.

    Raises
    ------
    InputError
        As :func:`council_account`.

    Examples
    --------
    >>> import cba
    >>> from cba.appraisal.inputs_read import read_inputs
    >>> refuse_unknown(read_inputs(cba.load_analysis("smoke"), stance="evidence"), "Leeds", "care_review")
    """
    chosen = _option(inputs, option)
    code = find_authority(inputs.observations, authority)
    _refuse_outside(chosen, code, name=authority)


def _option(inputs: Inputs, option: str) -> Option:
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


def _shares_within_areas(
    workings: Workings, option: Option, position: CouncilPosition
) -> tuple[float, float]:
    """Share of the option's money and of its change in care that falls on the authority."""
    _refuse_outside(option, position.code, name=position.name)
    if not option.areas:
        return position.children_share, position.care_share
    placed = [council_position(workings, code) for code in option.areas]
    return (
        position.children_share / sum(p.children_share for p in placed),
        position.care_share / sum(p.care_share for p in placed),
    )


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
    account = workings.accounts[option]
    lines: dict[tuple[str, str], np.ndarray] = {}

    def add(payer: str, kind: str, amount: np.ndarray) -> None:
        key = (payer, kind)
        lines[key] = lines[key] + amount if key in lines else amount

    for cost in account.costs:
        share = money if cost.component in COMPONENTS else care
        add(cost.payer, cost.kind, cost.amount[:, :last] * share)
    for saving in account.savings:
        ratio: Any = 1.0
        if saving.component in _GROUPS:
            ratio = position.price_ratio[SERVICES[_GROUPS[saving.component]]][:, None]
        add(saving.payer, "saving", -saving.amount[:, :last] * care * ratio)
    return lines


def _cashed(workings: Workings, avoided: np.ndarray) -> np.ndarray:
    """Cash from an avoidable cost, as slow for places too many as for places too few, so that means stay."""
    system = workings.system
    share = {
        "at_once": system.value("cashable.share_at_once"),
        "rest_later": system.value("cashable.rest_later"),
    }
    more, less = cashable(np.maximum(avoided, 0.0), **share), cashable(np.maximum(-avoided, 0.0), **share)
    return more - less


def _add_chance(lines: dict[tuple[str, str], np.ndarray], workings: Workings, cash: np.ndarray) -> None:
    """Add what whole children save beyond their expectation to those who pay for their placements."""
    share = workings.system.value("payers.nhs_share_of_homes")[:, None]
    nhs = cash[..., PLACEMENTS.index("childrens_home")] * share
    for payer, amount in (("council", cash.sum(axis=-1) - nhs), ("nhs", nhs)):
        before = lines.get((payer, "saving"), np.zeros_like(amount))
        lines[payer, "saving"] = before - amount


def _nominal(workings: Workings, last: int) -> np.ndarray:
    """Cash per pound of the price base, (sample or 1, year)."""
    basis = workings.basis
    index = cash_index(workings.years[:last], price_base=basis.price_base, prices=basis.index)
    if "sample" not in index.dims:
        index = index.expand_dims(sample=1)
    found: np.ndarray = index.transpose("sample", "year").values
    return found


def council_view(
    workings: Workings, authority: str, option: str = "care_review", *, years: int = YEARS, noise: bool = True
) -> pd.DataFrame:
    """Show one council's cash flow of an option: nominal, by year, payer and kind.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    authority : str
        Code or name of an authority of today.
    option : str
        Id of an option of the analysis.
    years : int
        Years from the start of the analysis.
    noise : bool
        Whether to draw whole children.

    Returns
    -------
    DataFrame
        Columns authority, name, option, year, payer, kind, row, mean, lower, upper: GBP, cash of the year,
        costs positive, cashable savings negative. Means of rows ``line`` add up to rows ``payer``, and those
        to rows ``total``; rows ``memo`` (places freed that no budget can release yet) are in no total.

    Raises
    ------
    InputError
        As :func:`council_account`.

    Examples
    --------
    >>> council_view(workings, "Leeds").query("payer == 'council'")  # doctest: +SKIP
    """
    account = council_account(workings, authority, option, years=years, noise=noise)
    rows = [(payer, kind, "line", money) for (payer, kind), money in account.lines.items() if money.any()]
    zero = np.zeros((workings.system.reach.size, account.years.size))
    for payer in dict.fromkeys(payer for payer, *_ in rows):
        total = sum((money for (p, _), money in account.lines.items() if p == payer), zero)
        rows.append((payer, "net", "payer", total))
    rows.append(("all", "net", "total", sum(account.lines.values(), zero)))
    rows.append(("council", NOT_YET, "memo", account.not_yet))
    frames = []
    for payer, kind, row, money in rows:
        lower, upper = interval(money, level=workings.inputs.analysis.level)
        frames.append(
            pd.DataFrame(
                {
                    "authority": account.position.code,
                    "name": account.position.name,
                    "option": option,
                    "year": account.years,
                    "payer": payer,
                    "kind": kind,
                    "row": row,
                    "mean": money.mean(axis=0),
                    "lower": lower,
                    "upper": upper,
                }
            )
        )
    return pd.concat(frames).sort_values("year", kind="stable", ignore_index=True)
