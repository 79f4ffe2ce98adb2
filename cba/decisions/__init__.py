"""Decision analysis on paired draws: what to choose, how surely, what would change it, what to find out.

Pure functions on arrays: they read no files, know nothing of children or councils, and can be used alone by
anyone with a matrix of draws. Dimensions are named ``sample``, ``option`` and ``threshold``; net benefit and
money are in GBP, positive is good unless a function says cost. Names are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cba.decisions.choice import *  # noqa: F403
    from cba.decisions.draws import *  # noqa: F403
    from cba.decisions.information import *  # noqa: F403
    from cba.decisions.ratios import *  # noqa: F403
    from cba.decisions.shares import *  # noqa: F403
    from cba.decisions.staged import *  # noqa: F403
    from cba.decisions.studies import *  # noqa: F403

_MODULE_OF = {
    "ConditionalMean": "information",
    "Estimate": "draws",
    "LearnedChoice": "staged",
    "Mvpf": "ratios",
    "OptimalDesign": "studies",
    "PairedStudies": "studies",
    "StagedDecision": "staged",
    "SwitchingValue": "ratios",
    "acceptability": "choice",
    "break_even_value": "choice",
    "compare_strategies": "staged",
    "conditional_mean": "information",
    "cost_effectiveness_frontier": "choice",
    "cvar": "choice",
    "decide_in_stages": "staged",
    "effective_sample_size": "draws",
    "enbs": "studies",
    "evpi": "information",
    "evpi_with_error": "information",
    "evppi": "information",
    "evppi_by_threshold": "information",
    "evsi": "studies",
    "evsi_normal_study": "studies",
    "evsi_with_covariance": "studies",
    "learn_then_choose": "staged",
    "mcse_mean": "draws",
    "mcse_probability": "draws",
    "mean_payoff": "staged",
    "mvpf": "ratios",
    "normal_study": "studies",
    "optimal_design": "studies",
    "payback_year": "ratios",
    "plane_quadrants": "choice",
    "population_value": "studies",
    "probability_at_least": "choice",
    "randomised_trial": "studies",
    "regret_table": "choice",
    "shapley": "shares",
    "shapley_effects": "shares",
    "sobol": "shares",
    "switching_value": "ratios",
    "tornado": "information",
}

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'cba.decisions' has no attribute {name!r}")
    value = getattr(import_module(f"cba.decisions.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
