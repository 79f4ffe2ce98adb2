"""Never, now, pilot first or in steps, against the closed form of two normal actions and against its limits."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cba.decisions import Estimate, LearnedChoice, compare_strategies
from cba.decisions.staged import STRATEGIES, StagedDecision, decide_in_stages, learn_then_choose
from cba.errors import InputError
from tests.decisions.known_answers import normal_loss

DRAWS = 8_000


def drawn(seed: int = 0, draws: int = DRAWS) -> tuple[np.ndarray, np.ndarray]:
    """The learnable effect and what no study removes, both standard normal."""
    return np.random.default_rng(seed).standard_normal((2, draws))


def decide(
    *,
    effect: np.ndarray,
    now: np.ndarray,
    later: np.ndarray | None = None,
    pilot: np.ndarray | float = 0.0,
    stopped: np.ndarray | float = 0.0,
    pilot_error: float = 0.5,
    steps_error: float = 0.5,
) -> StagedDecision:
    later = now if later is None else later
    parts = {"now": now, "later": later, "pilot": pilot, "continued": later, "stopped": stopped}
    payoffs = xr.Dataset(
        {n: ("sample", np.broadcast_to(v, now.shape).astype(float)) for n, v in parts.items()}
    )
    seen = xr.Dataset({"pilot": ("sample", effect), "steps": ("sample", effect)})
    return decide_in_stages(payoffs, seen, pilot_error=pilot_error, steps_error=steps_error)


@pytest.mark.parametrize("mean", [-0.4, 0.3])
@pytest.mark.parametrize("error", [0.2, 0.5, 1.0, 2.0])
def test_pilot_is_worth_what_the_unit_normal_loss_says(mean, error):
    """theta ~ N(m, 1), seen with error e: the posterior mean is N(m, 1 / sqrt(1 + e2)) before the study."""
    theta, rest = drawn()
    found = decide(effect=theta, now=mean + theta, later=8 * (mean + theta) + 3 * rest, pilot=-0.5,
                   pilot_error=error)  # fmt: skip
    exact = normal_loss(8 * mean, 8 / np.sqrt(1 + error**2))
    assert found.value_of_learning.value == pytest.approx(exact, abs=3.5 * found.value_of_learning.se)
    assert found.value_of_learning.se < 0.2  # of a payoff with a spread above 8
    payoff = found.payoffs["pilot_first"]
    assert payoff.value == pytest.approx(max(0.0, 8 * mean) + exact - 0.5, abs=3.5 * payoff.se)


def test_steps_choose_between_going_on_and_stopping():
    """stopped = -1 - theta, continued = 2 theta + 0.5: the difference is N(1.5, 3) and the better mean is 0.5."""
    theta, rest = drawn(1)
    found = decide(
        effect=theta, now=theta, later=2 * theta + 0.5 + rest, stopped=-1.0 - theta, steps_error=0.75
    )
    exact = normal_loss(1.5, 3 / np.sqrt(1 + 0.75**2))
    assert found.value_of_stopping.value == pytest.approx(exact, abs=3.5 * found.value_of_stopping.se)
    assert found.payoffs["in_steps"].value == pytest.approx(
        0.5 + exact, abs=3.5 * found.payoffs["in_steps"].se
    )


def test_many_areas_without_delay_are_perfect_information_on_what_can_be_learnt():
    theta, rest = drawn(2)
    found = decide(effect=theta, now=theta + 5 * rest, pilot_error=1e-4)
    perfect_on_theta, perfect_on_all = normal_loss(0.0, 1.0), normal_loss(0.0, np.sqrt(26))
    assert found.value_of_learning.value == pytest.approx(
        perfect_on_theta, abs=3.5 * found.value_of_learning.se
    )
    assert found.value_of_learning.value < 0.5 * perfect_on_all  # the irreducible part is not credited


@pytest.mark.parametrize("mean", [-1.0, 1.0])
def test_no_information_leaves_the_better_of_never_and_going_late(mean):
    theta, _ = drawn(3)
    later = mean + 0.5 * theta
    found = decide(effect=theta, now=mean + theta, later=later, pilot_error=np.inf)
    assert found.payoffs["pilot_first"].value == max(0.0, later.mean())
    assert found.value_of_learning.value == 0.0
    nearly = decide(effect=theta, now=mean + theta, later=later, pilot_error=1e4)
    assert nearly.payoffs["pilot_first"].value == pytest.approx(max(0.0, later.mean()), abs=1e-3)


def test_nothing_to_learn_means_a_pilot_never_beats_going_now():
    _, rest = drawn(4)
    found = decide(
        effect=np.full(DRAWS, 0.3), now=1 + rest, later=0.8 * (1 + rest), pilot=-0.1, pilot_error=1e-3
    )
    assert found.value_of_learning.value == 0.0
    assert found.payoffs["pilot_first"].value < found.payoffs["go_now"].value
    assert found.best == "go_now"


def test_a_study_of_something_else_is_not_credited():
    theta, rest = drawn(5)
    found = decide(effect=theta, now=0.05 + rest, pilot_error=0.1)
    assert found.value_of_learning.value <= 2 * found.value_of_learning.se


def test_without_discounting_or_horizon_a_free_pilot_is_never_worse_than_going_now():
    """At a discount rate of 0 and with nothing lost by waiting the delay costs nothing at all."""
    theta, rest = drawn(6)
    found = decide(effect=theta, now=0.5 + theta + rest)
    assert found.cost_of_delay.value == 0.0
    assert found.payoffs["pilot_first"].value >= found.payoffs["go_now"].value


def test_delay_on_a_common_calendar_costs_the_years_it_loses():
    """Undiscounted, 10 years of a yearly gain against the last 6 of them: 4 years lost."""
    yearly, _ = drawn(7)
    yearly = 2.0 + 0.1 * yearly
    found = decide(effect=yearly, now=10 * yearly, later=6 * yearly)
    assert found.cost_of_delay.value == pytest.approx(4 * yearly.mean(), rel=1e-12)
    assert found.cost_of_delay.se == pytest.approx(4 * yearly.std(ddof=1) / np.sqrt(DRAWS), rel=1e-12)


@pytest.mark.parametrize("mean", [-0.5, 0.1, 1.0])
def test_parts_add_up_to_the_payoff(mean):
    theta, rest = drawn(8)
    found = decide(
        effect=theta, now=mean + theta, later=0.7 * (mean + theta) + rest, pilot=-0.2 + 0.05 * theta
    )
    assert found.payoffs["pilot_first"].value == pytest.approx(
        max(0.0, found.payoffs["go_now"].value)
        + found.value_of_learning.value
        - found.cost_of_delay.value
        - found.pilot_cost.value,
        abs=1e-12,
    )
    assert tuple(found.payoffs) == STRATEGIES
    assert found.payoffs[found.best].value == max(p.value for p in found.payoffs.values())


def test_intervals_cover_the_truth_over_many_seeds():
    exact = 0.3 + normal_loss(0.3, 1 / np.sqrt(1.25))
    covered = []
    for seed in range(150):
        theta, rest = drawn(100 + seed, draws=2_000)
        payoff = decide(effect=theta, now=0.3 + theta + rest).payoffs["pilot_first"]
        covered.append(abs(payoff.value - exact) < 1.96 * payoff.se)
    assert np.mean(covered) >= 0.92


def test_a_sharper_study_is_worth_no_less():
    theta, rest = drawn(9)
    gain, seen = (xr.DataArray(v, dims="sample") for v in (theta + rest, theta))
    choices = learn_then_choose(0 * gain, gain, seen, standard_errors=[0.1, 0.5, 2.0, np.inf])
    worth = [choice.learning.value for choice in choices]
    assert worth == sorted(worth, reverse=True) and worth[-1] == 0.0 < worth[-2]


def test_bad_input_is_refused():
    theta, _ = drawn(10)
    good = {"effect": theta, "now": theta}
    for error in (0.0, -1.0, np.nan):
        with pytest.raises(InputError, match="cannot have this standard error") as raised:
            decide(**good, pilot_error=error)
        assert raised.value.details["field"] == "standard_errors"
    with pytest.raises(InputError, match="NaN") as raised:
        decide(effect=np.where(theta > 3, np.nan, theta), now=theta)
    assert raised.value.details["field"] == "effects.pilot"
    with pytest.raises(InputError, match="too few draws"):
        decide(effect=theta[:50], now=theta[:50])
    parts = xr.Dataset({"now": ("sample", theta)})
    seen = xr.Dataset({"pilot": ("sample", theta), "steps": ("sample", theta)})
    with pytest.raises(InputError, match="missing") as raised:
        decide_in_stages(parts, seen, pilot_error=1.0, steps_error=1.0)
    assert "later" in str(raised.value)
    every = xr.Dataset({n: ("sample", theta) for n in ("now", "later", "pilot", "continued", "stopped")})
    with pytest.raises(InputError, match="not paired"):
        decide_in_stages(every, seen.isel(sample=slice(500)), pilot_error=1.0, steps_error=1.0)


def test_what_is_worth_nothing_on_average_is_left_undone_and_its_delay_costs_nothing():
    even = np.tile([1.0, -1.0], 64)
    payoffs = xr.Dataset(
        {"now": ("sample", even), "later": ("sample", 2 * even), "pilot": ("sample", 0 * even)}
    )
    nothing = Estimate(0.0, 0.0)
    choice = LearnedChoice(payoff=nothing, uninformed=nothing, learning=nothing)
    found = compare_strategies(payoffs, after_pilot=choice, after_step=choice)
    assert (found.cost_of_delay.value, found.cost_of_delay.se) == (0.0, 0.0)
