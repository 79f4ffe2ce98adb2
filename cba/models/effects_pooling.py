"""Studies of children served, pooled in four ways at once: the headline and three for comparison.

- `adjusted`: design bias, transport to England and the in-care ratio; the headline.
- `raw`: as published: no design is biased and abroad is like England.
- `precision`: adjusted, and the effect in favour of the programme rises with the standard error by a slope common
  to all estimands (the precision-effect test of Stanley and Doucouliagos 2014); the mean is that at no error.
- `selection`: adjusted, and a study without a significant benefit is published with a chance omega relative to one
  with it (Vevea and Hedges 1995); the density of what is seen is divided by the chance of being seen.

Each has its own mean, heterogeneity, transport and in-care ratio, so the four share data and no variable: nothing
the other three learn moves the headline. In them counted studies enter by their normal approximation, with the
middle of their design effect; area-level studies enter the headline only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from cba.models.effects_likelihoods import (
    arm_log_density,
    log_normal_cdf,
    risks_from_difference,
    risks_from_ratio,
)
from cba.models.effects_studies import OPEN_END, StudyArrays
from cba.models.estimands import ESTIMANDS
from cba.models.prior_terms import prior_term

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry

VARIANTS = ("adjusted", "raw", "precision", "selection")
"""Ways of pooling; the first is the headline."""

ADJUSTED, RAW, PRECISION, SELECTION = range(len(VARIANTS))

SIGNIFICANT = 1.959963984540054
"""Standard errors from 0 at which a result counts as significant."""

ODDS_PRODUCT_SD = 6.0
"""Sd of the log odds product of a counted study before its data: nearly flat."""


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """Variables of the pooling; rows by way of pooling, the first the headline.

    Attributes
    ----------
    mean, heterogeneity, transport : tensor, shape (variant, estimand)
    ratio : tensor, shape (variant,)
        Log effect on being in care some months on over the log effect on entering.
    slope, weight : tensor
        Of publication bias.
    """

    mean: pt.TensorVariable
    heterogeneity: pt.TensorVariable
    transport: pt.TensorVariable
    ratio: pt.TensorVariable
    slope: pt.TensorVariable
    weight: pt.TensorVariable


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What studies report, gathered so that each kind of data is one variable of the model.

    Attributes
    ----------
    centre, sd : tensor
        Of the normal behind each report.
    names : tuple of str
        ``variant:study``.
    lower, upper : ndarray
        The report: equal where it is an estimate, bounds where it is an interval.
    """

    centre: pt.TensorVariable
    sd: pt.TensorVariable
    names: tuple[str, ...]
    lower: np.ndarray
    upper: np.ndarray


def served_reports(s: StudyArrays, pooled: Pooled) -> Reported:
    """Return what the studies of children served report, and add their arms to the model in context.

    Parameters
    ----------
    s : StudyArrays
        Studies of children served, at least one.
    pooled : Pooled
        Variables of the model in context.

    Returns
    -------
    Reported
        Every way of pooling and study, but for the counted studies of the headline, which enter as arms.

    Examples
    --------
    >>> import cba
    >>> from cba.models.effects import build_effects, studies_used
    >>> priors = cba.load_priors()
    >>> model = build_effects(studies_used(cba.load_evidence(), priors), priors)
    >>> "arms" in model.named_vars
    True
    """
    variant, study = np.divmod(np.arange(len(VARIANTS) * len(s)), len(s))
    every = s.of(study)
    adjusted = variant != RAW
    design = _design_effects(s)
    kappa = 1.0 + (every.in_care & adjusted) * (pooled.ratio[variant] - 1.0)
    unit = every.sign * every.scale
    place = variant * len(ESTIMANDS) + every.estimand
    mean, transport, heterogeneity = (
        term.ravel()[place] for term in (pooled.mean, pooled.transport, pooled.heterogeneity)
    )
    shift = adjusted * every.foreign * unit
    known = adjusted * unit * every.bias_mean
    slope = (variant == PRECISION) * every.sign * every.se
    centre = kappa * (mean + shift * transport) + known + slope * pooled.slope
    spread2 = (kappa * every.scale * heterogeneity) ** 2 + adjusted * (every.scale * every.bias_sd) ** 2
    ratio = design[study] / np.exp(every.design_log_mean)
    error2 = every.se**2 * (1.0 + (variant == ADJUSTED) * (ratio - 1.0))
    total = pt.sqrt(spread2 + error2)
    chosen = np.flatnonzero(variant == SELECTION)
    _add_selection(s, centre[chosen], total[chosen], pooled.weight)
    counted = ~np.isnan(every.arms).any(axis=1) & ~every.censored & (variant == ADJUSTED)
    if counted.any():
        place = np.flatnonzero(counted)
        _add_arms(every.of(place), centre[place], pt.sqrt(spread2[place]), design[study[place]])
    kept = np.flatnonzero(~counted)
    return Reported(
        centre=centre[kept],
        sd=total[kept],
        names=tuple(f"{VARIANTS[variant[i]]}:{every.names[i]}" for i in kept),
        lower=np.where(every.censored, every.lower, every.effect)[kept],
        upper=np.where(every.censored, every.upper, every.effect)[kept],
    )


def _design_effects(s: StudyArrays) -> pt.TensorVariable:
    """Variance of each study over that of independent children; 1 where none is stated."""
    clustered = np.flatnonzero(s.design_log_sd > 0)
    if not len(clustered):
        return pt.constant(np.ones(len(s)))
    found = pm.LogNormal("design_effect", s.design_log_mean[clustered], s.design_log_sd[clustered])
    place = np.zeros(len(s), dtype=int)
    place[clustered] = 1 + np.arange(len(clustered))
    return pt.concatenate([np.ones(1), found])[place]


def _add_arms(
    s: StudyArrays, centre: pt.TensorVariable, spread: pt.TensorVariable, design: pt.TensorVariable
) -> None:
    """Add the studies whose arms are counted: the true effect of each is a variable of the model."""
    events, people = s.arms[:, [0, 2]], s.arms[:, [1, 3]]
    odds = np.log((events + 0.5) / (people - events + 0.5)).sum(axis=1)
    effect = centre + spread * pm.Normal("counted_offset", 0.0, 1.0, shape=len(s))
    log_odds_product = pm.Normal("log_odds_product", 0.0, ODDS_PRODUCT_SD, shape=len(s), initval=odds)
    risks: list[pt.TensorVariable] = []
    order: list[tuple[int, int]] = []
    for difference, solve in ((False, risks_from_ratio), (True, risks_from_difference)):
        here = np.flatnonzero((s.scale != 1.0) == difference)
        if len(here):
            found = solve(effect[here], log_odds_product[here])
            risks += found
            order += [(int(study), arm) for arm in range(2) for study in here]
    study, arm = np.array(order).T
    names = [f"{s.names[i]}:{('treat', 'control')[j]}" for i, j in order]
    pm.modelcontext(None).add_coord("arm", names)
    pm.CustomDist(
        "arms", people[study, arm], pt.concatenate(risks), design[study],
        logp=arm_log_density, observed=events[study, arm], dims="arm",
    )  # fmt: skip


def _add_selection(
    s: StudyArrays, centre: pt.TensorVariable, total: pt.TensorVariable, weight: pt.TensorVariable
) -> None:
    """Divide the density of every study by its chance of being seen; without a benefit that is omega."""
    significant = s.sign * np.where(s.censored, _inside(s), s.effect) > SIGNIFICANT * s.se
    chance = pt.exp(log_normal_cdf((s.sign * centre - SIGNIFICANT * s.se) / total))
    seen = pt.switch(significant, 0.0, pt.log(weight)) - pt.log(weight + (1.0 - weight) * chance)
    pm.Potential("selection_seen", pt.sum(seen))


def _inside(s: StudyArrays) -> np.ndarray:
    """A result inside each interval: its middle, or the closed end where the other is open."""
    low = np.where(s.lower <= -OPEN_END, s.upper, s.lower)
    return (low + np.where(s.upper >= OPEN_END, s.lower, s.upper)) / 2.0


def pooled_terms(priors: PriorRegistry, means: np.ndarray) -> Pooled:
    """Add the variables of all ways of pooling to the PyMC model in context.

    Parameters
    ----------
    priors : PriorRegistry
        Needs ``effects.*``.
    means : ndarray, shape (estimand, 2)
        Mean and sd of the prior of each estimand's mean.

    Returns
    -------
    Pooled

    Examples
    --------
    >>> import cba
    >>> with pm.Model(coords={"variant": VARIANTS, "estimand": ["one"]}):
    ...     pooled_terms(cba.load_priors(), np.array([[0.0, 0.3]])).mean.name
    'mean'
    """
    dims = ("variant", "estimand")
    return Pooled(
        mean=pm.Normal("mean", means[:, 0], means[:, 1], dims=dims),
        heterogeneity=prior_term(priors, "effects.heterogeneity", dims=dims),
        transport=prior_term(priors, "effects.transport", dims=dims),
        ratio=prior_term(priors, "effects.in_care_ratio", dims="variant"),
        slope=prior_term(priors, "effects.publication_slope"),
        weight=prior_term(priors, "effects.publication_weight"),
    )
