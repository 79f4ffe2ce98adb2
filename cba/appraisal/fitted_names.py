"""Words for draws that come from the fits and have no entry of their own among the priors to describe them."""

from __future__ import annotations

from collections.abc import Mapping

_AGES = {
    "under_1": "under age 1",
    "1_4": "at ages 1 to 4",
    "5_9": "at ages 5 to 9",
    "10_15": "at ages 10 to 15",
    "16_plus": "at ages 16 and over",
}

_RATES = {
    "log_start_rate": "Rate of starting to be looked after {}, last level",
    "logit_exit": "Rate of leaving care {}, last level",
    "logit_ageing": "Rate of growing into the next age band {}, last level",
    "logit_stay": "Share of those who start {} and stay there at 31 March, last level",
}

_COSTS = {
    "unit_costs.residential": "cost of a residential placement",
    "unit_costs.fostering": "cost of a foster placement",
    "system.leaving_care": "spending on leaving care",
    "system.other_care": "spending on other services for looked-after children",
    "system.safeguarding": "spending on safeguarding",
    "system.family_support": "spending on family support",
    "system.need_rate": "children in need for each child",
}

_PARTS = {
    "growth": "Real growth of {} today",
    "level": "True level of {} against the published one",
    "surprise": "What no equation foresees of {}",
}

_SHARES = {
    "lasting_share": "Share of yearly changes of {} that lasts",
    "error_share": "Share of yearly changes of {} that is error",
}

_SETS = {"unit_costs": "unit costs", "system": "other spending"}


def _worded() -> Mapping[str, str]:
    """Every name to its words; the first letter of what is counted is small inside them."""
    rates = {
        f"baseline.level_{rate}_{age}": words.format(said)
        for rate, words in _RATES.items()
        for age, said in _AGES.items()
    }
    parts = {
        f"{cost}_{part}": words.format(said)
        for cost, said in _COSTS.items()
        for part, words in _PARTS.items()
    }
    shares = {
        f"{group}.{share}": words.format(said)
        for group, said in _SETS.items()
        for share, words in _SHARES.items()
    }
    closure = {
        "baseline.level_log_closure_rate": "Rate of change that neither starts nor ceases explain, last level",
        "baseline.level_log_uasc_starts": "Starts of unaccompanied children, last level",
    }
    return rates | parts | shares | closure


FITTED_NAMES = _worded()
"""Name of a draw to its words."""

UNGRADED = "fitted"
"""Stands for the grade of a draw that comes from a fit: priors are graded, fits are checked."""


def described(name: str, attrs: Mapping[str, object]) -> str:
    """Words for an uncertain input: those it carries, else those of the fits, else its name.

    Parameters
    ----------
    name : str
        Name of the input, ``group.item``.
    attrs : mapping
        What the draws carry; ``description`` is read.

    Returns
    -------
    str

    Examples
    --------
    >>> described("baseline.level_logit_exit_10_15", {})
    'Rate of leaving care at ages 10 to 15, last level'
    >>> described("kinship.cost", {"description": "Cost of a meeting"}), described("new.input", {})
    ('Cost of a meeting', 'new.input')
    """
    return str(attrs.get("description") or FITTED_NAMES.get(name, name))
