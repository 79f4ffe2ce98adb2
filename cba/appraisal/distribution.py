"""Who bears and who gains by income, with a pound weighted by income as a sensitivity; pounds of good per pound spent.

Stated assumptions: public money is borne in proportion to all taxes paid; what families and children gain or lose
falls on the fifths of the income distribution as children in need do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.perspectives import social_lines
from cba.appraisal.summaries import interval, probability
from cba.appraisal.value_of_lives import worth_of_lives
from cba.costs.distributional_weights import FIFTHS, falling_shares, weighted_worth, welfare_weights
from cba.costs.social_value import VALUED
from cba.decisions.ratios import mvpf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cba.appraisal.stages import Workings

TESTED = (1.0, 1.6)
"""Elasticities tested beside the registry's, the range of STPR reviews: Acland & Greenberg (2024)."""

NOT_VALUED = "none"
"""Measure under which children's lives are not valued."""


def tax_shares(workings: Workings) -> np.ndarray:
    """Share of all taxes paid by each fifth of households, poorest first.

    Parameters
    ----------
    workings : Workings
        Gives the ``social.taxes_fifth_*`` entries.

    Returns
    -------
    ndarray, shape (sample, fifth)
        Rows sum to 1.

    Examples
    --------
    >>> tax_shares(workings).mean(axis=0)  # doctest: +SKIP
    """
    paid = _fifths(workings, "taxes")
    shares: np.ndarray = paid / paid.sum(axis=1, keepdims=True)
    return shares


def need_shares(workings: Workings) -> np.ndarray:
    """Share of children in need of care or help in each fifth, poorest first.

    Parameters
    ----------
    workings : Workings
        Gives ``social.need_ratio_between_fifths``.

    Returns
    -------
    ndarray, shape (sample, fifth)
        Rows sum to 1.

    Examples
    --------
    >>> need_shares(workings).mean(axis=0)  # doctest: +SKIP
    """
    return falling_shares(workings.system.value("social.need_ratio_between_fifths"))


def income_weights(workings: Workings, elasticity: float | None = None) -> np.ndarray:
    """Weight of a pound in each fifth, against one at the median income.

    Parameters
    ----------
    workings : Workings
        Gives the incomes.
    elasticity : float, optional
        Of the marginal utility of income; the registry's when left out.

    Returns
    -------
    ndarray, shape (sample, fifth)

    Examples
    --------
    >>> income_weights(workings).mean(axis=0)  # doctest: +SKIP
    """
    income = _fifths(workings, "income")
    power = workings.system.value("social.income_elasticity") if elasticity is None else elasticity
    return welfare_weights(income, reference=income[:, FIFTHS // 2], elasticity=power)


def _fifths(workings: Workings, what: str) -> np.ndarray:
    names = [f"social.{what}_fifth_{k}" for k in range(1, FIFTHS + 1)]
    return np.stack([workings.system.value(name) for name in names], axis=-1)


def _public_and_private(workings: Workings, option: str) -> tuple[np.ndarray, np.ndarray]:
    """Gain of the public purse and of families before any value of lives, each (sample,)."""
    lines = social_lines(workings, option)
    zero = np.zeros(workings.system.reach.size)
    private = sum((g.amount for g in lines if g.payer == "families"), zero)
    return sum((g.amount for g in lines), zero) - private, private


def _by_measure(workings: Workings, option: str) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Measure, gain of the public purse, and gain of families and children."""
    public, private = _public_and_private(workings, option)
    yield NOT_VALUED, public, private
    for measure in VALUED:
        yield measure, public, private + worth_of_lives(workings, option, measure)


def who_bears(
    workings: Workings, option: str = "care_review", measure: str = "lifetime_cost"
) -> pd.DataFrame:
    """Show what an option costs and brings to each fifth of the income distribution.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    option : str
        Id of an option of the analysis.
    measure : str
        How children's lives are valued.

    Returns
    -------
    DataFrame
        Columns option, fifth (1 the poorest), tax_share, need_share, weight (means), public_mean,
        private_mean, net_mean, net_lower, net_upper: GBP, present value, unweighted, positive is a gain.

    Examples
    --------
    >>> who_bears(workings)["net_mean"].sum()  # doctest: +SKIP
    """
    public, private = _public_and_private(workings, option)
    private = private + worth_of_lives(workings, option, measure)
    taxes, need, weights = tax_shares(workings), need_shares(workings), income_weights(workings)
    rows = []
    for fifth in range(FIFTHS):
        net = public * taxes[:, fifth] + private * need[:, fifth]
        lower, upper = interval(net, level=workings.inputs.analysis.level)
        rows.append(
            {
                "option": option,
                "fifth": fifth + 1,
                "tax_share": taxes[:, fifth].mean(),
                "need_share": need[:, fifth].mean(),
                "weight": weights[:, fifth].mean(),
                "public_mean": (public * taxes[:, fifth]).mean(),
                "private_mean": (private * need[:, fifth]).mean(),
                "net_mean": net.mean(),
                "net_lower": lower,
                "net_upper": upper,
            }
        )
    return pd.DataFrame(rows)


def distributional_sensitivity(workings: Workings) -> pd.DataFrame:
    """Social net present value of every option with a pound weighted by income.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, measure (``none`` or one of the measures of value, alternatives), elasticity (0:
        unweighted), mean, lower, upper, prob_positive, mcse (of the probability): GBP at the median income.

    Notes
    -----
    ``G_public sum_f t_f w_f + G_private sum_f n_f w_f``, with t the shares of taxes, n of children in need.
    The unweighted result stays the headline; at elasticity 0 the two agree.

    Examples
    --------
    >>> distributional_sensitivity(workings).query("elasticity == 1.3")  # doctest: +SKIP
    """
    taxes, need = tax_shares(workings), need_shares(workings)
    central = float(np.median(workings.system.value("social.income_elasticity")))
    weights = {e: income_weights(workings, e) for e in sorted({0.0, central, *TESTED})}
    rows = []
    for option in workings.accounts:
        if option == "bau":
            continue
        for measure, public, private in _by_measure(workings, option):
            for elasticity, weight in weights.items():
                worth = weighted_worth(public, shares=taxes, weights=weight)
                worth = worth + weighted_worth(private, shares=need, weights=weight)
                lower, upper = interval(worth, level=workings.inputs.analysis.level)
                gain = probability(worth > 0, label="", chains=workings.chains)
                known = (option, measure, elasticity, float(worth.mean()), float(lower), float(upper))
                rows.append((*known, gain["mean"], gain["mcse"]))
    columns = ["option", "measure", "elasticity", "mean", "lower", "upper", "prob_positive", "mcse"]
    return pd.DataFrame(rows, columns=columns)


def mvpf_table(workings: Workings) -> pd.DataFrame:
    """Marginal value of public funds of every option, and the probability that it finances itself.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, measure, willingness_to_pay, net_cost (means, GBP, present value), mvpf (infinite where
        it pays for itself, missing where it neither benefits anyone nor costs anything), prob_self_financing,
        mcse. Measures are alternatives.

    Notes
    -----
    Ratio of means over draws [1]_. Willingness to pay is what families and children gain; a family's wish to
    be helped, beyond its child's being at home, has no value here. Net cost is that of all public payers,
    benefits for children at home included.

    References
    ----------
    .. [1] Hendren & Sprung-Keyser (2020) *Quarterly Journal of Economics* 135:1209-1318.

    Examples
    --------
    >>> mvpf_table(workings).set_index("option")["prob_self_financing"]  # doctest: +SKIP
    """
    rows = []
    for option in workings.accounts:
        if option == "bau":
            continue
        for measure, public, private in _by_measure(workings, option):
            found = mvpf(private, -public)
            chance = probability(-public <= 0.0, label="", chains=workings.chains)
            money = (found.willingness_to_pay, found.net_cost, found.value)
            rows.append((option, measure, *money, found.probability_self_financing, chance["mcse"]))
    columns = ["option", "measure", "willingness_to_pay", "net_cost", "mvpf", "prob_self_financing", "mcse"]
    return pd.DataFrame(rows, columns=columns)
