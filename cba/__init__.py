"""Cost-benefit analysis of reforms to children's social care in England, with its uncertainty stated.

Importing the package loads none of the libraries it computes with: a public name is fetched from the module
that defines it the first time it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cba import costs, decisions, projection
    from cba.appraisal.record import Appraisal
    from cba.inputs.analyses import load_analysis
    from cba.inputs.evidence import load_evidence
    from cba.inputs.observations import load_observations
    from cba.inputs.priors import load_priors
    from cba.models.baseline import fit_baseline
    from cba.models.effects import fit_effects
    from cba.recipe import appraise

__version__ = "0.1.0"

__all__ = [
    "Appraisal",
    "appraise",
    "costs",
    "decisions",
    "fit_baseline",
    "fit_effects",
    "load_analysis",
    "load_evidence",
    "load_observations",
    "load_priors",
    "projection",
]

_HOME = {
    "Appraisal": "cba.appraisal.record",
    "appraise": "cba.recipe",
    "fit_baseline": "cba.models.baseline",
    "fit_effects": "cba.models.effects",
    "load_analysis": "cba.inputs.analyses",
    "load_evidence": "cba.inputs.evidence",
    "load_observations": "cba.inputs.observations",
    "load_priors": "cba.inputs.priors",
}
_ROOMS = ("costs", "decisions", "projection")


def __getattr__(name: str) -> object:
    """Fetch a public name from its home when first asked for."""
    if name in _ROOMS:
        return importlib.import_module(f"cba.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'cba' has no attribute {name!r}; it offers {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    if name in ("Appraisal", "appraise"):
        from cba.appraisal.record import draw_cards_with

        draw_cards_with(_card)
    return value


def _card(appraisal: Appraisal) -> str:
    """Draw the card of a notebook; the reporting room is loaded when one is shown."""
    from cba.reporting.card import result_card

    return result_card(appraisal)


def __dir__() -> list[str]:
    """Public names, so that completion in a notebook shows them before they are loaded."""
    return [*__all__, "__version__"]
