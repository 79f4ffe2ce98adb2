"""Try first or go now: never, go now, a pilot and then a choice, or a roll-out in steps that can be stopped.

Two moments of choice on one calendar. Now, a decision maker takes one of four strategies; later, when a study
of the pilot areas or of the first step has reported, she chooses again by what it says. What the study cannot
show stays in the payoffs and is averaged over, so it is never credited as learnt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from cba.decisions.draws import Estimate, require_dims, require_paired
from cba.decisions.studies import evsi_normal_study
from cba.errors import InputError

STRATEGIES = ("never", "go_now", "pilot_first", "in_steps")
"""In order of preference when two are worth the same."""


_PAYOFFS = ("now", "later", "pilot", "continued", "stopped")


_EFFECTS = ("pilot", "steps")


@dataclass(frozen=True)
class LearnedChoice:
    """What a choice between two courses is worth when a study reports before it is made.

    Parameters
    ----------
    payoff : Estimate
        Expected payoff of choosing by the study's result.
    uninformed : Estimate
        Expected payoff of the better course without the study.
    learning : Estimate
        Value of the study: `payoff` less `uninformed`, not below zero.
    """

    payoff: Estimate
    uninformed: Estimate
    learning: Estimate


@dataclass(frozen=True)
class StagedDecision:
    """Expected payoff of the four strategies, and why piloting first wins or loses.

    Parameters
    ----------
    payoffs : mapping of str to Estimate
        By strategy, in the order of `STRATEGIES`; "never" is zero by definition.
    best : str
        Strategy with the highest expected payoff; the earlier of `STRATEGIES` where equal.
    value_of_learning : Estimate
        What the pilot's result adds to the choice made after it.
    cost_of_delay : Estimate
        Better of never and going now, less the better of never and going after the pilot. Below zero where
        waiting by itself is a gain.
    pilot_cost : Estimate
        Net cost of the pilot itself: its money less what it does for the families in it.
    value_of_stopping : Estimate
        What the result of the first step adds to the choice between going on and stopping.

    Notes
    -----
    ``payoffs["pilot_first"] = max(0, E[now]) + value_of_learning - cost_of_delay - pilot_cost``, exactly.
    """

    payoffs: Mapping[str, Estimate]
    best: str
    value_of_learning: Estimate
    cost_of_delay: Estimate
    pilot_cost: Estimate
    value_of_stopping: Estimate


def decide_in_stages(
    payoffs: xr.Dataset, effects: xr.Dataset, *, pilot_error: float, steps_error: float
) -> StagedDecision:
    """Expected payoff of never, going now, piloting first and going in steps.

    Parameters
    ----------
    payoffs : Dataset, dims (sample,), present value, GBP
        Each against doing nothing, to the same last calendar year, discounted to the same first year, in the
        state of the world of the draw: ``now`` (full roll-out at once), ``later`` (full roll-out once the
        pilot has reported), ``pilot`` (the pilot alone, its cost negative), ``continued`` (steps carried to
        the end) and ``stopped`` (steps ended when the first has been evaluated, stopping costs taken off).
    effects : Dataset, dims (sample,)
        What an endless study would show in that state of the world, bias of its design included: ``pilot``
        in the pilot areas, ``steps`` in the areas of the first step. Any unit.
    pilot_error, steps_error : float, > 0
        Standard error of each study, in the unit of `effects`. Infinity is no study.

    Returns
    -------
    StagedDecision

    Raises
    ------
    InputError
        For draws that are missing, unpaired, not finite or fewer than 128, or a standard error not above 0.

    Notes
    -----
    Preposterior analysis [1]_: a study result is ``effect + error``; the payoff given the result is the
    conditional mean over draws, fitted and valued as in `evsi_normal_study`, so a study that tells nothing
    earns nothing. The value of piloting first is

        ``E[pilot] + E[max(0, E[later | result])]``

    and that of steps ``E[max(E[stopped | result], E[continued | result])]``.

    References
    ----------
    .. [1] Raiffa & Schlaifer (1961) *Applied Statistical Decision Theory*, part II. Delay and irrecoverable
       cost: Eckermann & Willan (2008) *Value in Health* 11:522-526.

    Examples
    --------
    The effect is N(1, 1); going now pays it ten times over, going after the pilot eight times. A perfect
    pilot spares the loss where the effect is below zero, worth 8 x 0.0833, less than the delay costs.

    >>> effect = np.random.default_rng(0).normal(1.0, 1.0, 4000)
    >>> draws = {"now": 10 * effect, "later": 8 * effect, "pilot": 0 * effect}
    >>> draws |= {"continued": 9 * effect, "stopped": 2 * effect}
    >>> payoffs = xr.Dataset({name: ("sample", values) for name, values in draws.items()})
    >>> seen = xr.Dataset({"pilot": ("sample", effect), "steps": ("sample", effect)})
    >>> found = decide_in_stages(payoffs, seen, pilot_error=0.01, steps_error=0.01)
    >>> found.best, round(found.value_of_learning.value, 1), round(found.cost_of_delay.value)
    ('go_now', 0.7, 2)
    """
    payoffs = _require_drawn(payoffs, names=_PAYOFFS, field="payoffs")
    effects = _require_drawn(effects, names=_EFFECTS, field="effects")
    require_paired(payoffs["now"], effects["pilot"], fields=("payoffs", "effects"))
    never = xr.zeros_like(payoffs["later"])
    (after_pilot,) = learn_then_choose(
        never, payoffs["later"], effects["pilot"], standard_errors=[pilot_error]
    )
    (after_step,) = learn_then_choose(
        payoffs["stopped"], payoffs["continued"], effects["steps"], standard_errors=[steps_error]
    )
    return compare_strategies(payoffs, after_pilot=after_pilot, after_step=after_step)


def compare_strategies(
    payoffs: xr.Dataset, *, after_pilot: LearnedChoice, after_step: LearnedChoice
) -> StagedDecision:
    """Put the four strategies side by side, the two choices after learning already valued.

    Parameters
    ----------
    payoffs : Dataset, dims (sample,), present value, GBP
        ``now``, ``later`` and ``pilot`` of `decide_in_stages`.
    after_pilot : LearnedChoice
        Between never and ``later``.
    after_step : LearnedChoice
        Between ``stopped`` and ``continued``.

    Returns
    -------
    StagedDecision

    Raises
    ------
    InputError
        For draws that are missing, unpaired or not finite.

    Examples
    --------
    >>> flat = xr.Dataset({name: ("sample", [1.0, 1.0]) for name in ("now", "later", "pilot")})
    >>> sure = Estimate(1.0, 0.0)
    >>> choice = LearnedChoice(payoff=sure, uninformed=sure, learning=Estimate(0.0, 0.0))
    >>> compare_strategies(flat, after_pilot=choice, after_step=choice).payoffs["pilot_first"].value
    2.0
    """
    payoffs = _require_drawn(payoffs, names=("now", "later", "pilot"), field="payoffs")
    pilot = mean_payoff(payoffs["pilot"])
    found = {
        "never": Estimate(0.0, 0.0),
        "go_now": mean_payoff(payoffs["now"]),
        "pilot_first": _sum(pilot, after_pilot.payoff),
        "in_steps": after_step.payoff,
    }
    return StagedDecision(
        payoffs=found,
        best=max(found, key=lambda name: found[name].value),
        value_of_learning=after_pilot.learning,
        cost_of_delay=_cost_of_delay(payoffs["now"], payoffs["later"]),
        pilot_cost=Estimate(-pilot.value, pilot.se),
        value_of_stopping=after_step.learning,
    )


def learn_then_choose(
    first: xr.DataArray, second: xr.DataArray, effect: xr.DataArray, *, standard_errors: Sequence[float]
) -> tuple[LearnedChoice, ...]:
    """Value of choosing between two courses after a study has reported, for studies of several sizes.

    Parameters
    ----------
    first, second : DataArray, dims (sample,), present value, GBP
        Paired payoffs of the two courses.
    effect : DataArray, dims (sample,)
        What an endless study would show.
    standard_errors : sequence of float, > 0
        Of each study, in the unit of `effect`; infinity is no study.

    Returns
    -------
    tuple of LearnedChoice
        One per study. The error of `payoff` adds those of its two parts as if they were independent. Learning
        is worth most where the uninformed choice does badly, so it is rather too wide than too narrow.

    Raises
    ------
    InputError
        As `decide_in_stages`.

    Examples
    --------
    >>> gain = xr.DataArray(np.random.default_rng(0).normal(0.0, 1.0, 4000), dims="sample")
    >>> sharp, blind = learn_then_choose(0 * gain, gain, gain, standard_errors=[1e-3, np.inf])
    >>> bool(abs(sharp.payoff.value - 0.3989) < 3 * sharp.payoff.se), blind.learning.value
    (True, 0.0)
    """
    sizes = [float(size) for size in standard_errors]
    if not sizes or not all(size > 0 for size in sizes):
        raise InputError(
            "a study cannot have this standard error",
            field="standard_errors",
            found=sizes,
            allowed="one or more values above 0; infinity for no study",
            remedy="sd / sqrt(n) of the design; a very small number for a perfect study",
        )
    first = require_dims(first, ("sample",), field="first")
    second = require_dims(second, ("sample",), field="second")
    for array, field in ((second, "second"), (effect, "effect")):
        require_paired(first, array, fields=("first", field))
    both = xr.DataArray(np.stack([first.values, second.values], axis=1), dims=("sample", "option"))
    uninformed = max((mean_payoff(first), mean_payoff(second)), key=lambda estimate: estimate.value)
    learning = {np.inf: Estimate(0.0, 0.0)}
    finite = [size for size in sizes if np.isfinite(size)]
    if finite:
        for row in evsi_normal_study(both, effect, standard_errors=finite).itertuples():
            learning[row.standard_error] = Estimate(float(row.evsi), float(row.se))
    return tuple(LearnedChoice(_sum(uninformed, learning[s]), uninformed, learning[s]) for s in sizes)


def mean_payoff(payoff: xr.DataArray) -> Estimate:
    """Mean of the draws and its standard error, draws taken as independent.

    Parameters
    ----------
    payoff : DataArray, dims (sample,)

    Returns
    -------
    Estimate

    Raises
    ------
    InputError
        For other dimensions, NaN or infinity.

    Examples
    --------
    >>> mean_payoff(xr.DataArray([1.0, 3.0], dims="sample"))
    Estimate(value=2.0, se=1.0)
    """
    values = require_dims(payoff, ("sample",), field="payoff").values
    return Estimate(float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size)))


def _cost_of_delay(now: xr.DataArray, later: xr.DataArray) -> Estimate:
    """Loss from waiting without learning: each side may still choose never."""
    lost = now if float(now.mean()) > 0 else xr.zeros_like(now)
    kept = later if float(later.mean()) > 0 else xr.zeros_like(later)
    return mean_payoff(lost - kept)


def _sum(first: Estimate, second: Estimate) -> Estimate:
    return Estimate(first.value + second.value, float(np.hypot(first.se, second.se)))


def _require_drawn(given: xr.Dataset, *, names: Sequence[str], field: str) -> xr.Dataset:
    missing = [name for name in names if name not in given]
    if missing:
        raise InputError(
            "draws the decision needs are missing",
            field=field,
            found=", ".join(str(name) for name in given) or "none",
            allowed=", ".join(names),
            cause="a strategy left out",
            remedy=f"add {', '.join(missing)}; a strategy not on offer takes the payoff of another",
        )
    return xr.Dataset(
        {name: require_dims(given[name], ("sample",), field=f"{field}.{name}") for name in names}
    )
