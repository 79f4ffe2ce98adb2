"""Raising any cost of a programme never raises savings, nor net benefit, in any draw (CASES C14-2)."""

from __future__ import annotations

import numpy as np
import pytest

from cba.costs.account import total_saving
from cba.inputs.priors import load_priors
from tests.appraisal.made_workings import made_draws, made_inputs, made_workings, worked

COSTS = {
    "family_help.cost_per_family_early_help",
    "family_help.cost_per_family_in_need",
    "family_help.cost_per_family_protection",
    "kinship.meeting_cost",
    "kinship.allowance_gap",
    "kinship.guardianship_support",
    "foster.cost_per_carer",
    "home_support.cost_per_year",
}
"""What programmes and their aftermath cost: dearer units mean fewer of them, or more money."""

WORTH = ("unit_costs.", "legal.", "social.", "system.", "payers.")
"""What care costs, which an option avoids, or how a child-year is valued: dearer care is a larger saving."""

SMALL = (48, 12)


@pytest.fixture(scope="module")
def base():
    return made_workings("latest", *SMALL)


def harmless(workings) -> np.ndarray:
    """Draws in which no effect is adverse: where help does harm, less of it saves."""
    value = workings.system.value
    tilts = np.minimum(value("family_help.age_tilt_under_1"), value("family_help.age_tilt_16_plus"))
    good = (value("family_help.log_risk_ratio") <= 0) & (tilts >= 0)
    good &= (value("kinship.log_risk_ratio") <= 0) & (value("kinship.permanence_gain") >= 0)
    good &= (total_saving(workings.accounts["foster_only"]) >= 0).all(
        axis=1
    )  # places may replace cheaper ones
    return good


def test_every_money_entry_is_a_cost_or_a_worth():
    """A new one must say which it is."""
    money = {n for n, e in load_priors().entries.items() if e.price_year is not None}
    assert {n for n in money if not n.startswith(WORTH)} == COSTS


@pytest.mark.parametrize("entry", [*sorted(COSTS), "delivery.cost_overrun", "home_support.supported_share"])
def test_a_dearer_entry_raises_no_saving_and_no_net_benefit(base, entry):
    inputs, drawn = made_inputs("latest", *SMALL), made_draws("latest", *SMALL)
    dearer = worked(inputs, drawn.assign({entry: drawn[entry] * 1.25}))
    good = harmless(base)
    assert good.sum() >= 8
    years = base.years.index(base.inputs.analysis.start_year + base.inputs.analysis.horizon - 1) + 1
    for name, account in dearer.accounts.items():
        before = total_saving(base.accounts[name])
        rise = np.cumsum(total_saving(account) - before, axis=1)[good, :years]
        assert (rise <= 1.0 + 1e-9 * np.abs(before).max()).all(), (entry, name)
    if entry in ("delivery.cost_overrun", "home_support.cost_per_year", "home_support.supported_share"):
        gain = (dearer.arrays.npv - base.arrays.npv).drop_sel(option="care_review_reinvest")
        assert (gain.values <= 1.0).all()  # in every draw, the adverse ones too
        assert gain.values.min() < -1e3


@pytest.mark.parametrize("entry", ["home_support.cost_per_year", "kinship.guardianship_support"])
def test_support_of_children_not_in_care_changes_no_child(base, entry):
    """But for money reinvested, of which less is left wherever help does no harm."""
    inputs, drawn = made_inputs("latest", *SMALL), made_draws("latest", *SMALL)
    dearer = worked(inputs, drawn.assign({entry: drawn[entry] * 2.0}))
    for name in base.accounts:
        if name == "care_review_reinvest":
            less = base.accounts[name].recurrent - dearer.accounts[name].recurrent
            assert (less[harmless(base)] >= -2.0).all() and less.max() > 0
        else:
            np.testing.assert_array_equal(
                dearer.accounts[name].children.fewer_by_age, base.accounts[name].children.fewer_by_age
            )
