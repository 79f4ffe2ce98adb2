"""What one unit of each effect outside the model would do to an option's net present value and children in care.

Five effects that no equation of the model holds, each of one size s that is the same for every option and draw. All
are affine in s, draw by draw, on the option's own account:

    NPV(s) = NPV + s a,      fewer(s) = fewer + s b,

so that s = 0 is the account itself and every switching size has a closed form. Programme money stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cba.appraisal.headline import discounted
from cba.appraisal.starts_found import FoundStart, found_start
from cba.appraisal.tables_unit_costs import other_unit_costs
from cba.costs.option_account import total_saving
from cba.costs.savings import child_years
from cba.dimensions import PLACEMENTS
from cba.models.unit_costs import cost_history

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings
    from cba.costs.option_account import OptionAccount

BOUGHT = ("foster_agency", "childrens_home", "supported_accommodation", "other_residential")
"""Placements that councils buy, for the most part from independent providers."""

OWN_CARERS = ("foster_in_house",)
"""Placements with carers that councils recruit and pay."""

PER_HELPED = 1000.0
"""Children helped for which starts found are counted."""


@dataclass(frozen=True)
class StressKind:
    """An effect outside the model, and the sizes it can have.

    Attributes
    ----------
    name, label, unit : str
        Its key, its words and what its size is counted in.
    lower, upper : float
        Smallest and largest size it can have; infinite where nothing bounds it.
    """

    name: str
    label: str
    unit: str
    lower: float
    upper: float


KINDS = (
    StressKind(
        "protection", "Children at home are under child protection instead",
        "share of their years, each at the published social work cost of a child in need", 0.0, 1.0,
    ),
    StressKind(
        "found", "Help finds children who then start to be looked after", "starts per 1,000 children helped",
        0.0, PER_HELPED,
    ),
    StressKind(
        "displaced", "What one authority gains another loses", "share of children and savings displaced", 0.0, 1.0
    ),
    StressKind(
        "market", "Prices of bought placements follow their number", "% of price per % of placements", -1.0, np.inf
    ),
    StressKind(
        "fees", "More council foster carers must be paid more", "% of price per % of placements", 0.0, np.inf
    ),
)  # fmt: skip
"""In the order of the tables. At -1 the market's providers keep their revenue whatever the number."""


@dataclass(frozen=True)
class Slopes:
    """What one unit of size does to one option; arrays of shape (sample,).

    Attributes
    ----------
    npv : ndarray, GBP of the price base, present value
    fewer : ndarray, children at 31 March of the target year
    """

    npv: np.ndarray
    fewer: np.ndarray


def stress_slopes(workings: Workings) -> dict[str, dict[str, Slopes]]:
    """Slopes of every effect and option, on the draws of the appraisal.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    dict of str to dict of str to Slopes
        By the name of the effect, then by option; business as usual is left out, it stays as it is.

    Notes
    -----
    With disc() the present value over the headline horizon, Y child-years and p placements:

    - protection: ``-disc(Y_home) c``, c the published yearly cost of social work per child in need, on top of the
      support at home already in the account;
    - found: what one start more costs, in full as it arises, times children helped (:mod:`starts_found`);
    - displaced: minus all savings and all children fewer: costs stay;
    - market: ``disc(sum_p P_p Y_p (1 - Y_p / N_p))`` over bought placements: one per cent fewer placements lower
      the price of those that are left by s per cent;
    - fees: the same with places recruited, which raise what every council carer costs.

    Examples
    --------
    >>> stress_slopes(workings)["displaced"]["care_review"].npv.mean()  # doctest: +SKIP
    """
    costs = other_unit_costs(workings).set_index("item")["mean"]
    need = float(costs["social work and commissioning"])
    placed, start, fewer = _placed(workings), found_start(workings), fewer_children(workings)
    slopes: dict[str, dict[str, Slopes]] = {kind.name: {} for kind in KINDS}
    for option, account in workings.accounts.items():
        if option == "bau":
            continue
        children = account.children
        none = np.zeros_like(fewer[option])
        home = discounted(workings, child_years(np.maximum(children.at_home, 0.0)))
        gone = children.fewer_by_placement + children.moved
        slopes["protection"][option] = Slopes(-need * home, none)
        slopes["found"][option] = _found(workings, account, start)
        slopes["displaced"][option] = Slopes(-discounted(workings, total_saving(account)), -fewer[option])
        slopes["market"][option] = Slopes(_price_saving(workings, gone, placed, BOUGHT), none)
        slopes["fees"][option] = Slopes(_price_saving(workings, children.moved, placed, OWN_CARERS), none)
    return slopes


def fewer_children(workings: Workings) -> dict[str, np.ndarray]:
    """Children fewer in care in the target year than under business as usual.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    dict of str to ndarray, shape (sample,), children at 31 March
        By option, without business as usual.

    Examples
    --------
    >>> fewer_children(workings)["care_review"].mean()  # doctest: +SKIP
    """
    total = workings.arrays.children.sel(year=workings.inputs.analysis.target_year).sum("age")
    usual = total.sel(option="bau").values
    return {o: usual - total.sel(option=o).values for o in workings.accounts if o != "bau"}


def _placed(workings: Workings) -> np.ndarray:
    """Children by placement under business as usual, (sample, year, placement)."""
    children = workings.system.baseline["children"].transpose("sample", "year", "age").values
    return np.asarray(children.sum(axis=-1)[..., None] * workings.system.placement_mix)


def _price_saving(
    workings: Workings, gone: np.ndarray, placed: np.ndarray, names: tuple[str, ...]
) -> np.ndarray:
    """Present value of prices that follow numbers one for one, on the placements that are left, (sample,)."""
    chosen = [PLACEMENTS.index(name) for name in names]
    years = child_years(gone[..., chosen])
    left = 1.0 - years / placed[..., chosen]
    return discounted(workings, (years * left * workings.basis.prices.path[..., chosen]).sum(axis=-1))


def children_helped(workings: Workings, account: OptionAccount) -> np.ndarray:
    """Children whom family help serves in each year.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    account : OptionAccount
        Of one option.

    Returns
    -------
    ndarray, shape (sample, year), children

    Examples
    --------
    >>> children_helped(workings, workings.accounts["care_review"]).mean(axis=0)  # doctest: +SKIP
    """
    eligible = workings.system.value("family_help.eligible_children")
    return np.asarray(account.services.family_help * eligible[:, None])


def _found(workings: Workings, account: OptionAccount, start: FoundStart) -> Slopes:
    helped = children_helped(workings, account)[:, : start.cost.shape[1]] / PER_HELPED
    return Slopes(-(helped * start.cost).sum(axis=1), -(helped * start.children).sum(axis=1))


def price_response(workings: Workings, *, cost: str, placement: str) -> float:
    """How fast a published real price grew per growth of the placements it pays for.

    Parameters
    ----------
    workings : Workings
        Gives the published series.
    cost : {"residential_care", "fostering"}
        Published unit cost.
    placement : str
        Placement that is counted.

    Returns
    -------
    float
        Ratio of log changes over the years that both series share, NaN where they share no two. Wages, needs and
        supply moved prices too, so it is a hint of the most that numbers can have done, not an estimate.

    Examples
    --------
    >>> price_response(workings, cost="residential_care", placement="childrens_home")  # doctest: +SKIP
    """
    observations = workings.inputs.observations
    prices = cost_history(observations, costs="unit_costs").sel(cost=cost)
    counts = observations["stock_by_placement"].sel(placement=placement).dropna("year")
    both = sorted(set(prices["year"].values.tolist()) & set(counts["year"].values.tolist()))
    if len(both) < 2:
        return float("nan")
    ends = {"year": [both[0], both[-1]]}
    moved = np.diff(np.log(counts.sel(ends).values))[0]
    return float(np.diff(prices.sel(ends).values)[0] / moved) if moved else float("nan")
