"""Decision analysis on paired draws: what to choose, how surely, what would change it, what to find out.

Pure functions on arrays: they read no files, know nothing of children or councils, and can be used alone by
anyone with a matrix of draws. Dimensions are named ``sample``, ``option`` and ``threshold``; net benefit and
money are in GBP, positive is good unless a function says cost. Names are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cba.decisions.acceptability_curves import acceptability
    from cba.decisions.conditional_curves import ConditionalMean, conditional_mean, tornado
    from cba.decisions.draws import Estimate
    from cba.decisions.frontier import break_even_value, cost_effectiveness_frontier, plane_quadrants
    from cba.decisions.monte_carlo_error import (
        effective_sample_size,
        mcse_mean,
        mcse_probability,
        mcse_quantile,
        round_to_error,
    )
    from cba.decisions.partial_information import evppi, evppi_by_threshold
    from cba.decisions.payback import payback_distribution, payback_year
    from cba.decisions.perfect_information import evpi, evpi_with_error
    from cba.decisions.population_totals import OptimalDesign, enbs, optimal_design, population_value
    from cba.decisions.ratios import Mvpf, benefit_cost_ratio, mvpf
    from cba.decisions.risk import (
        cvar,
        expected_loss,
        ranking_probabilities,
        regret_table,
        stochastic_dominance,
    )
    from cba.decisions.sample_information import (
        PairedStudies,
        evsi,
        evsi_normal_study,
        evsi_with_covariance,
    )
    from cba.decisions.shapley_values import shapley
    from cba.decisions.sobol_indices import sobol
    from cba.decisions.staged_decision import (
        LearnedChoice,
        StagedDecision,
        compare_strategies,
        decide_in_stages,
        learn_then_choose,
        mean_payoff,
    )
    from cba.decisions.study_designs import (
        normal_study,
        pathfinder,
        pathfinder_standard_error,
        randomised_trial,
    )
    from cba.decisions.switching import SwitchingValue, switching_value
    from cba.decisions.targets import probability_at_least
    from cba.decisions.variance_shares import shapley_effects

_MODULE_OF = {
    "ConditionalMean": "conditional_curves",
    "Estimate": "draws",
    "LearnedChoice": "staged_decision",
    "Mvpf": "ratios",
    "OptimalDesign": "population_totals",
    "PairedStudies": "sample_information",
    "StagedDecision": "staged_decision",
    "SwitchingValue": "switching",
    "acceptability": "acceptability_curves",
    "benefit_cost_ratio": "ratios",
    "break_even_value": "frontier",
    "compare_strategies": "staged_decision",
    "conditional_mean": "conditional_curves",
    "cost_effectiveness_frontier": "frontier",
    "cvar": "risk",
    "decide_in_stages": "staged_decision",
    "effective_sample_size": "monte_carlo_error",
    "enbs": "population_totals",
    "evpi": "perfect_information",
    "evpi_with_error": "perfect_information",
    "evppi": "partial_information",
    "evppi_by_threshold": "partial_information",
    "evsi": "sample_information",
    "evsi_normal_study": "sample_information",
    "evsi_with_covariance": "sample_information",
    "expected_loss": "risk",
    "learn_then_choose": "staged_decision",
    "mcse_mean": "monte_carlo_error",
    "mcse_probability": "monte_carlo_error",
    "mcse_quantile": "monte_carlo_error",
    "mean_payoff": "staged_decision",
    "mvpf": "ratios",
    "normal_study": "study_designs",
    "optimal_design": "population_totals",
    "pathfinder": "study_designs",
    "pathfinder_standard_error": "study_designs",
    "payback_distribution": "payback",
    "payback_year": "payback",
    "plane_quadrants": "frontier",
    "population_value": "population_totals",
    "probability_at_least": "targets",
    "randomised_trial": "study_designs",
    "ranking_probabilities": "risk",
    "regret_table": "risk",
    "round_to_error": "monte_carlo_error",
    "shapley": "shapley_values",
    "shapley_effects": "variance_shares",
    "sobol": "sobol_indices",
    "stochastic_dominance": "risk",
    "switching_value": "switching",
    "tornado": "conditional_curves",
}

__all__ = [
    "ConditionalMean",
    "Estimate",
    "LearnedChoice",
    "Mvpf",
    "OptimalDesign",
    "PairedStudies",
    "StagedDecision",
    "SwitchingValue",
    "acceptability",
    "benefit_cost_ratio",
    "break_even_value",
    "compare_strategies",
    "conditional_mean",
    "cost_effectiveness_frontier",
    "cvar",
    "decide_in_stages",
    "effective_sample_size",
    "enbs",
    "evpi",
    "evpi_with_error",
    "evppi",
    "evppi_by_threshold",
    "evsi",
    "evsi_normal_study",
    "evsi_with_covariance",
    "expected_loss",
    "learn_then_choose",
    "mcse_mean",
    "mcse_probability",
    "mcse_quantile",
    "mean_payoff",
    "mvpf",
    "normal_study",
    "optimal_design",
    "pathfinder",
    "pathfinder_standard_error",
    "payback_distribution",
    "payback_year",
    "plane_quadrants",
    "population_value",
    "probability_at_least",
    "randomised_trial",
    "ranking_probabilities",
    "regret_table",
    "round_to_error",
    "shapley",
    "shapley_effects",
    "sobol",
    "stochastic_dominance",
    "switching_value",
    "tornado",
]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'cba.decisions' has no attribute {name!r}")
    value = getattr(import_module(f"cba.decisions.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
