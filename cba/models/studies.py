"""Densities of what a study reports: events in two arms, and a result known only to lie in an interval.

All are written on PyTensor tensors, so that one compiled model holds every kind of study.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from scipy.special import gammaln, ndtr, ndtri, xlogy

from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.inputs.evidence_rules import IN_MODEL
from cba.inputs.table_words import CLASSES_OF_ESTIMAND
from cba.models.sampling import normal_settings, prior_term
from cba.models.stays import StayLength, follow_up_power

if TYPE_CHECKING:
    from cba.inputs.evidence import Evidence
    from cba.inputs.priors import PriorRegistry
    from cba.models.authority_findings import PanelFinding


_ROOT_HALF = np.sqrt(0.5)


_TINY = 1e-300


def risks_from_ratio(log_ratio: Any, log_odds_product: Any) -> tuple[Any, Any]:
    """Risks of both arms from their log ratio and the log of the product of their odds.

    `log_odds_product`: log of the product of both odds: any real number, whatever the ratio.
    """
    # The odds product varies independently of the risk ratio, which a control risk does not (a ratio above
    # 1/p0 would make a risk above 1): Richardson, Robins and Wang (2017), doi 10.1080/01621459.2016.1192546.
    # With r the ratio and w the odds product, ``r (1 - w) p0^2 + w (1 + r) p0 - w = 0``.
    ratio, product = pt.exp(log_ratio), pt.exp(log_odds_product)
    root = pt.sqrt((product * (1.0 - ratio)) ** 2 + 4.0 * product * ratio)
    control = 2.0 * product / (product * (1.0 + ratio) + root)
    return ratio * control, control


def risks_from_difference(difference: Any, log_odds_product: Any) -> tuple[Any, Any]:
    """Risks of both arms from their difference and the log of the product of their odds."""
    # With d the difference and w the odds product, ``(1 - w) p0^2 + (d + w (2 - d)) p0 - w (1 - d) = 0``. The
    # arm with the lower risk is solved for and the difference added to it: taken from the higher one, a risk
    # near 0 would lose every digit.
    product = pt.exp(log_odds_product)
    treated_lower = difference < 0
    apart = pt.switch(treated_lower, -difference, difference)
    linear = apart + product * (2.0 - apart)
    last = product * (1.0 - apart)
    lower = 2.0 * last / (linear + pt.sqrt(linear**2 + 4.0 * (1.0 - product) * last))
    higher = lower + apart
    return pt.switch(treated_lower, lower, higher), pt.switch(treated_lower, higher, lower)


def arm_log_density(events: Any, people: Any, risk: Any, design_effect: Any) -> Any:
    """Log probability of the events in one arm, its variance multiplied by a design effect.

    `events`, `people`: counts; events need not be whole, where they are a published risk times the people.
    """
    # The binomial where the design effect D is 1. Otherwise the extended quasi-likelihood (Nelder and
    # Pregibon 1987, doi 10.1093/biomet/74.2.221): deviance over D, less half the log of D, so that with the
    # risk free nothing is learned about D, as it must be from one count.
    share = events / people
    coefficient = pt.gammaln(people + 1.0) - pt.gammaln(events + 1.0) - pt.gammaln(people - events + 1.0)
    logs = [part * pt.log(pt.maximum(part, _TINY)) for part in (share, 1.0 - share)]  # 0 log 0 is 0
    best = people * (logs[0] + logs[1])
    found = events * pt.log(risk) + (people - events) * pt.log1p(-risk)
    return coefficient + best + (found - best) / design_effect - 0.5 * pt.log(design_effect)


def arm_draw(
    people: np.ndarray,
    risk: np.ndarray,
    design_effect: np.ndarray,
    *,
    rng: np.random.Generator,
    size: Any = None,
) -> np.ndarray:
    """Draw events in each arm from `arm_log_density`, made to add up to 1 over the possible counts."""
    # The density (an extended quasi-likelihood) adds up to nearly, not exactly, 1 where the design effect is not 1.
    every = np.broadcast_arrays(people, risk, design_effect, np.empty(() if size is None else size))[:3]
    drawn = np.empty(every[0].shape)
    for place in np.ndindex(drawn.shape):
        n, p, extra = (float(values[place]) for values in every)
        count = np.arange(int(n) + 1)
        coefficient = gammaln(n + 1.0) - gammaln(count + 1.0) - gammaln(n - count + 1.0)
        best = xlogy(count, count / n) + xlogy(n - count, 1.0 - count / n)
        found = count * np.log(p) + (n - count) * np.log1p(-p)
        log = coefficient + best + (found - best) / extra
        drawn[place] = (log + rng.gumbel(size=log.shape)).argmax()
    return drawn


def interval_log_density(lower: Any, mean: Any, sd: Any, upper: Any) -> Any:
    """Log probability that a normal result lies between two bounds.

    ``log(Phi(b) - Phi(a))``, worked on the side of the mean where both tails are small, so that it stays
    exact far from the mean.
    """
    a, b = (lower - mean) / sd, (upper - mean) / sd
    swap = (a + b) > 0.0
    low, high = pt.switch(swap, -b, a), pt.switch(swap, -a, b)
    small, large = log_normal_cdf(low), log_normal_cdf(high)
    return large + log_one_minus_exp(small - large)


def log_one_minus_exp(value: Any) -> Any:
    """``ln(1 - e^x)`` for x below 0, without the 0 that rounding can make of it."""
    return pt.log1mexp(pt.minimum(value, -1e-15))


def log_normal_cdf(value: Any) -> Any:
    """Log of the standard normal distribution function, exact in the lower tail."""
    scaled = -value * _ROOT_HALF
    tail = pt.log(pt.erfcx(pt.maximum(scaled, 0.0)) / 2.0) - pt.maximum(scaled, 0.0) ** 2
    return pt.switch(value < 0.0, tail, pt.log1p(-pt.erfc(-pt.minimum(scaled, 0.0)) / 2.0))


# --- Quantities the evidence speaks of: their scale, their direction and the prior of their mean ---


@dataclass(frozen=True)
class Estimand:
    """One quantity the evidence speaks of."""

    prior: str  # registry entry of the mean before any study
    favours: int  # sign of an effect in favour of the programme: -1 where less care is better, +1 otherwise
    scale: float  # multiplies heterogeneity and bias, which are stated in log points
    label: str  # in words, with the scale
    # Registry entry of the risk without the programme where it would be offered; none where risks differ by tier.
    base_risk: str = ""


FAMILY_HELP = "care_entry_log_rr"
"""The estimand that has a reach: its effect is felt by the share of would-be starts that is eligible."""


ESTIMANDS = {
    FAMILY_HELP: Estimand(
        "effects.mean_log_risk_ratio", -1, 1.0, "Family help: log risk ratio of entering care"
    ),
    "family_network_log_rr": Estimand(
        "effects.mean_log_risk_ratio",
        -1,
        1.0,
        "Family-network meetings: log risk ratio of being looked after at 12 months",
        base_risk="kinship.in_care_without_meeting",
    ),
    "permanence_risk_diff": Estimand(
        "effects.mean_permanence", 1, 0.1, "Guardianship allowances: difference in cumulative permanence"
    ),
    "foster_substitution_log_ratio": Estimand(
        "effects.mean_substitution", 1, 1.0, "Foster support: log ratio of foster to other placements"
    ),
}
"""Estimands by name, as used in the evidence table."""


CLASSES = tuple(name for estimand in ESTIMANDS for name in CLASSES_OF_ESTIMAND[estimand])
"""Classes of service, in the order of what they estimate; means differ between those of one estimand."""


CLASS_ESTIMAND = np.array([place for place, e in enumerate(ESTIMANDS) for _ in CLASSES_OF_ESTIMAND[e]])


SEVERAL = np.flatnonzero([len(CLASSES_OF_ESTIMAND[list(ESTIMANDS)[e]]) > 1 for e in CLASS_ESTIMAND])
"""Places of the classes that share their estimand with others."""


# --- Studies of the synthesis as arrays: where each belongs, what it reports, and what may be wrong … ---


HOME = "England"
"""Effects in any other country carry the shift of transport."""


OPEN_END = 25.0
"""Stands for an open end of an interval: a log ratio or difference no study comes near."""


_TAIL = 1.6448536269514722


FOLLOW_UP = 24.0
"""Months of follow-up of a study that states none."""


ARMS = ["arm_events_treat", "arm_n_treat", "arm_events_control", "arm_n_control"]


PANEL = "england_panel"
"""Design of the finding of England's own panel: its bias is a variable of the model."""


@dataclass(frozen=True, kw_only=True)
class StudyArrays:
    """Studies in the order of their rows; every array has shape (study,) unless it says otherwise."""

    names: np.ndarray
    estimand: np.ndarray
    # sign and scale: direction that favours the programme; multiplier of bias, transport and heterogeneity.
    sign: np.ndarray
    scale: np.ndarray
    # effect and se: harmonised; `effect` is NaN for a censored study.
    effect: np.ndarray
    se: np.ndarray
    # lower and upper: bounds of a censored study, open ends at plus and minus `OPEN_END`.
    lower: np.ndarray
    upper: np.ndarray
    # bias_mean and bias_sd: of the design, log points in favour of the programme.
    bias_mean: np.ndarray
    bias_sd: np.ndarray
    service_class: np.ndarray  # place in `CLASSES`
    # foreign, censored, area: not in England; interval only; whole area. at_scale, from_nothing: delivered everywhere,
    # so that what is lost at scale is lost already; compared with no usual help, so that it stands for all of it.
    foreign: np.ndarray
    at_scale: np.ndarray
    from_nothing: np.ndarray
    # Power of the stay ratio by which an effect on entries shows in children in care at follow-up; 0 for entries.
    follow_up_power: np.ndarray
    risk_sd: np.ndarray  # of carrying the ratio from the study's control risk to that of the programme
    censored: np.ndarray
    area: np.ndarray
    # (study, 4): events and people treated, events and people of the control arm; NaN where not counted.
    arms: np.ndarray
    # design_log_mean and design_log_sd: log of the design effect; 0 and 0 where none is stated.
    design_log_mean: np.ndarray
    design_log_sd: np.ndarray
    # coverage_mean and coverage_sd: log odds of the share covered in an area; NaN elsewhere.
    coverage_mean: np.ndarray
    coverage_sd: np.ndarray
    ages: np.ndarray  # whose starts an area-level effect speaks of; empty elsewhere

    def __len__(self) -> int:
        return len(self.names)

    def of(self, chosen: np.ndarray) -> StudyArrays:
        """Return the chosen studies."""
        return StudyArrays(**{name: values[chosen] for name, values in vars(self).items()})


def studies_used(evidence: Evidence, priors: PriorRegistry) -> pd.DataFrame:
    """Studies that enter the synthesis in this stance.

    Rows with use ``synthesis`` or ``censored``, all columns of the evidence table. `priors`: its
    ``evidence_designs`` says which designs the stance admits; None admits all.
    """
    used = evidence.effects[evidence.effects["use"].isin(IN_MODEL)]
    if priors.evidence_designs is not None:
        used = used[used["design_class"].isin(list(priors.evidence_designs))]
    unknown = sorted(set(used["estimand"]) - set(ESTIMANDS))
    if unknown:
        raise InputError(
            "a study names an estimand that the synthesis does not know",
            file="evidence_effects.csv",
            field="estimand",
            found=unknown[0],
            allowed=", ".join(ESTIMANDS),
            cause="a new kind of outcome",
            remedy="use a listed estimand or set use to excluded",
        )
    return used.reset_index(drop=True)


def with_panel(studies: pd.DataFrame, panel: PanelFinding | None, priors: PriorRegistry) -> pd.DataFrame:
    """Add the finding of England's own panel of authorities as one area-level study.

    `panel`: none adds nothing; neither does a stance that does not admit panels.
    """
    admitted = priors.evidence_designs is None or "panel" in priors.evidence_designs
    if panel is None or not admitted:
        return studies
    row = {
        "study_id": panel.study_id,
        "estimand": FAMILY_HELP,
        "country": HOME,
        "design_class": PANEL,
        "outcome_class": "entered_care",
        "use": "synthesis",
        "level": "area",
        "starts_ages": "all",
        "service_class": "family_support",
        "at_scale": "no",
        "usual_help": "yes",
        "effect": panel.estimate[0],
        "effect_se": math.sqrt(panel.covariance[0][0]),
        "coverage_low": panel.coverage_low,
        "coverage_high": panel.coverage_high,
    }
    return pd.concat([studies, pd.DataFrame([row])], ignore_index=True)


def study_arrays(studies: pd.DataFrame, priors: PriorRegistry, *, stays: StayLength) -> StudyArrays:
    """Return the studies as arrays, each with the bias prior of its design, on the scale of what it compares."""
    names = list(ESTIMANDS)
    about = [ESTIMANDS[e] for e in studies["estimand"]]
    area = (studies["level"] == "area").to_numpy(bool)
    designs = [
        f"area_bias_{d}" if of else f"bias_{d}" for of, d in zip(area, studies["design_class"], strict=True)
    ]
    # The bias of England's own panel is a variable of the model, shared with its placebo dates.
    stated = [(0.0, 0.0) if PANEL in d else normal_settings(priors, f"effects.{d}") for d in designs]
    bias = np.reshape(stated, (-1, 2))
    design = _log_range(studies, "design_effect", log=np.log)
    coverage = _log_range(studies, "coverage", log=_logit)
    later = (studies["outcome_class"] == "in_care_at_follow_up") & (studies["estimand"] == FAMILY_HELP)
    years = studies["follow_up_months"].fillna(FOLLOW_UP).to_numpy(float) / 12.0
    return StudyArrays(
        names=studies["study_id"].to_numpy(str),
        estimand=np.array([names.index(e) for e in studies["estimand"]], dtype=int),
        sign=np.array([a.favours for a in about], dtype=float),
        scale=np.array([a.scale for a in about], dtype=float),
        effect=studies["effect"].to_numpy(float),
        se=studies["effect_se"].to_numpy(float),
        lower=np.nan_to_num(studies["bound_low"].to_numpy(float), nan=-OPEN_END),
        upper=np.nan_to_num(studies["bound_high"].to_numpy(float), nan=OPEN_END),
        bias_mean=bias[:, 0],
        bias_sd=bias[:, 1],
        service_class=np.array([CLASSES.index(name) for name in studies["service_class"]], dtype=int),
        foreign=(studies["country"] != HOME).to_numpy(bool),
        at_scale=(studies["at_scale"] == "yes").to_numpy(bool),
        from_nothing=(studies["usual_help"] == "no").to_numpy(bool),
        follow_up_power=np.where(later, follow_up_power(stays, years=years), 0.0),
        risk_sd=_risk_sd(studies, about, priors),
        censored=(studies["use"] == "censored").to_numpy(bool),
        area=area,
        arms=studies[ARMS].to_numpy(float),
        design_log_mean=np.nan_to_num(design[0]),
        design_log_sd=np.nan_to_num(design[1]),
        coverage_mean=coverage[0],
        coverage_sd=coverage[1],
        ages=studies["starts_ages"].to_numpy(str),
    )


def _logit(share: np.ndarray) -> np.ndarray:
    return np.log(share / (1.0 - share))


def _risk_sd(studies: pd.DataFrame, about: list[Estimand], priors: PriorRegistry) -> np.ndarray:
    """Sd of carrying a ratio over the log odds between two control risks; 0 where one of them is not known."""
    each = normal_settings(priors, "effects.transport_by_risk")[1]
    there = [priors[a.base_risk].median if a.base_risk else math.nan for a in about]
    gap = _logit(studies["risk_control"].to_numpy(float)) - _logit(np.array(there, dtype=float))
    return np.nan_to_num(each * np.abs(gap))


def _log_range(
    studies: pd.DataFrame, name: str, *, log: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd, on a log or log-odds scale, of the normal whose 5% and 95% points are a stated range."""
    low, high = log(studies[f"{name}_low"].to_numpy(float)), log(studies[f"{name}_high"].to_numpy(float))
    return (low + high) / 2.0, (high - low) / (2.0 * _TAIL)


def age_weights(ages: np.ndarray, starts_share: np.ndarray) -> np.ndarray:
    """Share of each study's starts by age band, shape (study, age). `starts_share` (age,)."""
    one = np.eye(len(AGE_BANDS))
    rows = [starts_share if age == "all" else one[AGE_BANDS.index(str(age))] for age in ages]
    return np.reshape(rows, (-1, len(AGE_BANDS)))


# --- Studies of children served, pooled in four ways: the headline and, each in a model of its own, three others ---


VARIANTS = ("adjusted", "raw", "precision", "selection")
"""Ways of pooling; the first is the headline."""


ADJUSTED, RAW, PRECISION, SELECTION = VARIANTS


STAY_RATIO, ATTENUATION = "family_help.stay_ratio", "effects.attenuation"


ALREADY_PAID = "family_help.already_paid_share"


POOLED_ENTRIES = (STAY_RATIO, ATTENUATION, ALREADY_PAID)
"""Registry entries that are variables of the pooling: their posterior goes downstream."""


SIGNIFICANT = 1.959963984540054
"""Standard errors from 0 at which a result counts as significant."""


ODDS_PRODUCT_SD = 6.0
"""Sd of the log odds product of a counted study before its data: nearly flat."""


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """What the pooling estimates: variables of a model, or draws with samples along the first axis."""

    class_mean: Any  # (..., class)
    heterogeneity: Any  # (..., estimand): within a class
    transport: Any  # (..., estimand)
    # (...) or, for draws, (sample, 1): of a child at the margin; lost at scale; paid for today.
    stay_ratio: Any
    attenuation: Any
    already_paid: Any


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What studies report, gathered so that each kind of data is one variable of the model."""

    # centre and sd: of the normal behind each report.
    centre: pt.TensorVariable
    sd: pt.TensorVariable
    names: tuple[str, ...]
    # lower and upper: the report: equal where it is an estimate, bounds where it is an interval.
    lower: np.ndarray
    upper: np.ndarray


def follow_up_ratio(s: StudyArrays, pooled: Pooled) -> Any:
    """What each study sees at its follow-up of an effect on entries: 1 where it counts entries."""
    return pooled.stay_ratio**s.follow_up_power


def effect_behind(s: StudyArrays, pooled: Pooled, *, spread: Any = 0.0) -> Any:
    """Effect on a child served that each study would show without bias or chance, (..., study).

    kappa (m_class (1 - lost [at scale]) / (1 - paid [compared with nothing]) + d k t [abroad] + spread).
    """
    # The mean of a class is of a service at small scale that takes over the usual one. At scale part of it is lost;
    # against no help at all more is seen than the change from the usual help.
    kept = (1.0 - s.at_scale * pooled.attenuation) / (1.0 - s.from_nothing * pooled.already_paid)
    shift = s.foreign * s.sign * s.scale * pooled.transport[..., s.estimand]
    effect = pooled.class_mean[..., s.service_class] * kept + shift + spread
    return follow_up_ratio(s, pooled) * effect


def served_spread(s: StudyArrays, pooled: Pooled) -> Any:
    """Variance of the true effects behind studies of those served: settings, bias, carrying over risks."""
    between = follow_up_ratio(s, pooled) * s.scale * pooled.heterogeneity[..., s.estimand]
    return between**2 + (s.scale * s.bias_sd) ** 2 + s.risk_sd**2


def served_reports(s: StudyArrays, pooled: Pooled, *, variant: str, slope: Any = 0.0) -> Reported:
    """Return what the studies of children served report; in the headline their arms join the model in context."""
    if variant == RAW:
        centre = pooled.class_mean[s.service_class]
        spread2 = (s.scale * pooled.heterogeneity[s.estimand]) ** 2
    else:
        centre = effect_behind(s, pooled) + s.sign * (s.scale * s.bias_mean + s.se * slope)
        spread2 = served_spread(s, pooled)
    design = _design_effects(s) if variant == ADJUSTED else np.exp(s.design_log_mean)
    total = pt.sqrt(spread2 + s.se**2 * design / np.exp(s.design_log_mean))
    counted = ~np.isnan(s.arms).any(axis=1) & ~s.censored & (variant == ADJUSTED)
    if counted.any():
        place = np.flatnonzero(counted)
        _add_arms(s.of(place), centre[place], pt.sqrt(spread2[place]), design[place])
    kept = np.flatnonzero(~counted)
    return Reported(
        centre=centre[kept],
        sd=total[kept],
        names=tuple(s.names[kept].tolist()),
        lower=np.where(s.censored, s.lower, s.effect)[kept],
        upper=np.where(s.censored, s.upper, s.effect)[kept],
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


def _add_arms(s: StudyArrays, centre: pt.TensorVariable, spread: pt.TensorVariable, design: Any) -> None:
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
    seen = pm.Data("events", events[study, arm], dims="arm")
    known = (people[study, arm], pt.concatenate(risks), design[study])
    pm.CustomDist("arms", *known, logp=arm_log_density, random=arm_draw, observed=seen, dims="arm")


# What publication favours: significant results in favour of the programme, beyond `cut` in the direction of `sign`;
# the others are seen with a relative chance of `weight`.


def log_chance_seen(centre: Any, sd: Any, sign: Any, cut: Any, weight: Any) -> Any:
    """Log probability that a study is seen, over that of a significant one."""
    chance = pt.erfc((cut - sign * centre) / sd * _ROOT_HALF) / 2.0
    return pt.log(weight + (1.0 - weight) * chance)


def seen_log_density(value: Any, centre: Any, sd: Any, sign: Any, cut: Any, weight: Any) -> Any:
    """Log density of a normal result, given that its study was seen."""
    # Hedges (1992, Statistical Science 7:246): the density of every result is divided by its chance of being seen.
    weighed = pt.switch(sign * value > cut, 0.0, pt.log(weight))
    normal = -0.5 * (((value - centre) / sd) ** 2 + np.log(2.0 * np.pi)) - pt.log(sd)
    return normal + weighed - log_chance_seen(centre, sd, sign, cut, weight)


def seen_draw(
    centre: Any, sd: Any, sign: Any, cut: Any, weight: Any, *, rng: np.random.Generator, size: Any = None
) -> np.ndarray:
    """Draw results from `seen_log_density`: which side of significance first, then the result on it."""
    shape = np.broadcast_shapes(*map(np.shape, (centre, sd, sign, cut, weight)), size or ())
    beyond = ndtr((sign * centre - cut) / sd)
    significant = rng.random(shape) < beyond / (beyond + weight * (1.0 - beyond))
    part = rng.random(shape)
    place = np.where(significant, -ndtri(part * beyond), ndtri(part * (1.0 - beyond)))
    return np.asarray(centre + sign * sd * place)


def seen_interval_log_density(
    lower: np.ndarray, centre: Any, sd: Any, upper: np.ndarray, sign: np.ndarray, cut: np.ndarray, weight: Any
) -> Any:
    """Log probability that the result of a study that was seen lies between two bounds."""
    # The part of the interval that is significant counts in full, the rest by its chance of being seen.
    low = np.where(sign > 0, np.maximum(lower, cut), lower)
    high = np.maximum(np.where(sign > 0, upper, np.minimum(upper, -cut)), low)
    whole, part = (_chance_between(a, centre, sd, b) for a, b in ((lower, upper), (low, high)))
    mass = weight * whole + (1.0 - weight) * part
    return pt.log(mass) - log_chance_seen(centre, sd, sign, cut, weight)


def _chance_between(lower: np.ndarray, centre: Any, sd: Any, upper: np.ndarray) -> Any:
    """Probability that a normal result lies between two bounds, worked on the side where both tails are small."""
    a, b = (lower - centre) / sd, (upper - centre) / sd
    swap = (a + b) > 0.0
    small, large = pt.switch(swap, b, -a), pt.switch(swap, a, -b)
    return (pt.erfc(large * _ROOT_HALF) - pt.erfc(small * _ROOT_HALF)) / 2.0


def pooled_terms(priors: PriorRegistry, *, needed_by: StudyArrays | None = None) -> Pooled:
    """Add the variables of the pooling to the PyMC model in context; of an alternative, those its studies need."""

    def needed(what: str) -> bool:
        return needed_by is None or bool(getattr(needed_by, what).any())

    none = np.zeros(len(ESTIMANDS))
    means = np.array([normal_settings(priors, e.prior) for e in ESTIMANDS.values()])
    mean = pm.Normal("mean", means[:, 0], means[:, 1], dims="estimand")
    offset = pm.Normal("class_offset", 0.0, 1.0, dims="several_classes")
    apart = pt.set_subtensor(pt.zeros(len(CLASSES))[SEVERAL], offset)
    return Pooled(
        class_mean=mean[CLASS_ESTIMAND] + prior_term(priors, "effects.between_classes") * apart,
        heterogeneity=prior_term(priors, "effects.heterogeneity", dims="estimand"),
        transport=prior_term(priors, "effects.transport", dims="estimand") if needed("foreign") else none,
        stay_ratio=prior_term(priors, STAY_RATIO) if needed("follow_up_power") else 1.0,
        attenuation=prior_term(priors, ATTENUATION) if needed("at_scale") else 0.0,
        already_paid=_already_paid(priors) if needed("from_nothing") else 0.0,
    )


def _already_paid(priors: PriorRegistry) -> pt.TensorVariable:
    """Add the share paid for today, bounded: studies compared with nothing stand for 1 / (1 - share)."""
    family, settings = priors[ALREADY_PAID].distribution, priors[ALREADY_PAID].parameters
    if family != "BetaScaled" or not settings["upper"] < 1.0:
        raise InputError(
            "the share already paid for has no bound below 1",
            file="priors/effects.toml",
            field=ALREADY_PAID,
            found=family,
            allowed="BetaScaled with `upper` below 1",
            cause="an entry restated; at 1 nothing would change for anybody, whatever a study found",
            remedy="state `lower` and `upper`",
        )
    place = pm.Beta("already_paid_place", settings["alpha"], settings["beta"])
    bounded = settings["lower"] + (settings["upper"] - settings["lower"]) * place
    return pm.Deterministic(ALREADY_PAID.rsplit(".", 1)[-1], bounded)


def pooled_draws(posterior: xr.Dataset) -> Pooled:
    """Return the draws of a fit of the headline, samples along the first axis."""
    flat = posterior.stack(sample=("chain", "draw"), create_index=False).transpose("sample", ...)
    alone = {name: flat[name.rsplit(".", 1)[-1]].values[:, None] for name in POOLED_ENTRIES}
    return Pooled(
        class_mean=class_means(flat),
        heterogeneity=flat["heterogeneity"].values,
        transport=flat["transport"].values,
        stay_ratio=alone[STAY_RATIO],
        attenuation=alone[ATTENUATION],
        already_paid=alone[ALREADY_PAID],
    )


def class_means(flat: xr.Dataset) -> np.ndarray:
    """Mean effect of each class of service, (sample, class)."""
    found = flat["mean"].values[:, CLASS_ESTIMAND]
    found[:, SEVERAL] += flat["between_classes"].values[:, None] * flat["class_offset"].values
    return np.asarray(found)
