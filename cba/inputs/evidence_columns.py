"""Columns of the evidence tables and the words their cells may hold."""

from __future__ import annotations

from collections.abc import Mapping

from cba.dimensions import AGE_BANDS

INTERVENTIONS = ("family_help", "kinship", "foster")
DESIGN_CLASSES = ("rct", "matched", "panel", "before_after", "provider_claim", "review")
OUTCOME_CLASSES = ("entered_care", "in_care_at_follow_up", "permanence", "placement_supply", "other")
SCALES = ("log_rr", "log_or", "log_ratio", "risk_diff", "percent_change", "elasticity")
QUALITIES = ("high", "moderate", "low")
USES = ("synthesis", "censored", "excluded")
"""`synthesis`: an estimate; `censored`: a study whose result is known to lie in an interval; `excluded`."""

IN_MODEL = ("synthesis", "censored")
"""Uses that enter the synthesis."""

LEVELS = ("served", "area")
"""Whether an effect is on those served, or on a whole population of which only some were served."""

STARTS_AGES = ("all", *AGE_BANDS)
"""Ages an area-level effect speaks of."""

SCALES_OF_ESTIMAND: Mapping[str, tuple[str, ...]] = {
    "care_entry_log_rr": ("log_rr", "log_or", "log_ratio", "percent_change", "risk_diff"),
    "family_network_log_rr": ("log_rr", "log_or", "log_ratio", "percent_change", "risk_diff"),
    "permanence_risk_diff": ("risk_diff",),
    "foster_substitution_log_ratio": ("log_ratio", "log_rr", "percent_change"),
}
"""The quantity each synthesis estimates, and the published scales that can be turned into it."""

REQUIRED_COLUMNS = (
    "study_id",
    "intervention",
    "outcome",
    "design",
    "country",
    "year",
    "scale",
    "estimate",
    "se",
    "se_method",
    "ci_low",
    "ci_high",
    "n_treat",
    "events_treat",
    "n_control",
    "events_control",
    "follow_up_months",
    "quality",
    "origin",
    "estimate_basis",
    "url",
    "note",
    "design_class",
    "outcome_class",
    "overlap_group",
    "use",
    "exclusion_reason",
    "transport_note",
    "estimand",
    "risk_treat",
    "risk_control",
    "se_assumed",
    "se_assumed_reason",
    "known_by",
    "bound_low",
    "bound_high",
    "bound_reason",
    "design_effect_low",
    "design_effect_high",
    "design_effect_reason",
    "level",
    "coverage_low",
    "coverage_high",
    "coverage_reason",
    "starts_ages",
)
NUMERIC_COLUMNS = (
    "year",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "n_treat",
    "events_treat",
    "n_control",
    "events_control",
    "follow_up_months",
    "risk_treat",
    "risk_control",
    "se_assumed",
    "known_by",
    "bound_low",
    "bound_high",
    "design_effect_low",
    "design_effect_high",
    "coverage_low",
    "coverage_high",
)

COST_COLUMNS = (
    "item_id", "kind", "item", "value", "value_low", "value_high", "unit", "year", "country",
    "source_quality", "url", "note",
)  # fmt: skip
CLAIM_COLUMNS = (
    "claim_id", "claim", "value", "unit", "year", "price_base", "source_title", "url", "confidence",
    "known_by", "note",
)  # fmt: skip
