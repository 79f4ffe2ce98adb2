"""Quantities the evidence speaks of: their scale, their direction and the prior of their mean.

Kept apart from the model so that a run whose fits are cached need not load the sampler.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimand:
    """One quantity the evidence speaks of.

    Attributes
    ----------
    prior : str
        Registry entry of the mean before any study.
    favours : int
        Sign of an effect in favour of the programme: -1 where less care is better, +1 otherwise.
    scale : float
        Multiplies heterogeneity and bias, which are stated in log points.
    label : str
        In words, with the scale.

    Examples
    --------
    >>> ESTIMANDS["permanence_risk_diff"].scale
    0.1
    """

    prior: str
    favours: int
    scale: float
    label: str


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
    ),
    "permanence_risk_diff": Estimand(
        "effects.mean_permanence", 1, 0.1, "Guardianship allowances: difference in cumulative permanence"
    ),
    "foster_substitution_log_ratio": Estimand(
        "effects.mean_substitution", 1, 1.0, "Foster support: log ratio of foster to other placements"
    ),
}
"""Estimands by name, as used in the evidence table."""
