"""Results with and without each correction for optimism, worked out again on the same draws."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.headline import discounted
from cba.appraisal.summaries import interval, probability
from cba.costs.optimism_bias import DEVICES, UPLIFTS, adjust, require_one_device
from cba.costs.option_account import option_account, total_cost, total_saving
from cba.models.parameters import ROLL_OUT

if TYPE_CHECKING:
    import xarray as xr

    from cba.appraisal.stages import Workings
    from cba.costs.optimism_bias import Device
    from cba.costs.option_account import OptionAccount

_NO_ATTENUATION = "effects.attenuation"


def optimism_check(workings: Workings, option: str = "care_review") -> pd.DataFrame:
    """Work out an option with its corrections for optimism, without some, and with an uplift in their place.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    option : str
        Id of an option of the analysis.

    Returns
    -------
    DataFrame
        Columns option, case, devices (those in force), npv_mean, npv_lower, npv_upper, prob_positive, mcse (of
        the probability), cost_mean, saving_mean (GBP, present value), fewer_mean (children in the target year)
        and change_mean (of net present value against the first case, draw by draw). Cases: as modelled;
        without the device on cost, on time, on benefit, on all; and with each uplift of
        :data:`cba.costs.optimism_bias.UPLIFTS` instead of those on cost and benefit.

    Raises
    ------
    InputError
        If an input carries two devices.

    Examples
    --------
    >>> optimism_check(workings).set_index("case")["npv_mean"]  # doctest: +SKIP
    """
    require_one_device(DEVICES)
    kinds = ("cost", "time", "benefit")
    bare = _account(workings, option, without=("cost", "benefit"))
    cases: list[tuple[str, str, OptionAccount, float]] = [
        ("as modelled", _in_force(()), workings.accounts[option], 0.0)
    ]
    for kind in kinds:
        account = _account(workings, option, without=(kind,))
        cases.append((f"without a correction of {kind}", _in_force((kind,)), account, 0.0))
    cases.append(("without any correction", "none", _account(workings, option, without=kinds), 0.0))
    for grade, bias in UPLIFTS.items():
        named = f"uplift of cost and cut of benefit, {bias:.0%}; {_in_force(('cost', 'benefit'))}"
        cases.append((f"uplift instead, {grade}", named, bare, bias))
    rows, before = [], np.empty(0)
    for case, devices, account, bias in cases:
        row, npv = _row(workings, account, bias=bias)
        before = before if before.size else npv
        rows.append(
            {"option": option, "case": case, "devices": devices} | row
            | {"change_mean": float((npv - before).mean())}
        )  # fmt: skip
    return pd.DataFrame(rows)


def optimism_devices(workings: Workings) -> pd.DataFrame:
    """List the inputs corrected for optimism, each with its one device.

    Parameters
    ----------
    workings : Workings
        Gives the draws of the inputs.

    Returns
    -------
    DataFrame
        Columns entry, corrects, device, neutral, mean, lower, upper: in the entry's unit.

    Examples
    --------
    >>> optimism_devices(workings)["corrects"].unique()  # doctest: +SKIP
    """
    rows = []
    for device in DEVICES:
        draws = workings.system.value(device.entry)
        lower, upper = interval(draws, level=workings.inputs.analysis.level)
        known = (device.entry, device.corrects, device.kind, device.neutral)
        rows.append((*known, float(draws.mean()), float(lower), float(upper)))
    return pd.DataFrame(rows, columns=["entry", "corrects", "device", "neutral", "mean", "lower", "upper"])


def _in_force(without: tuple[str, ...]) -> str:
    return "; ".join(f"{d.entry}: {d.kind}" for d in DEVICES if d.corrects not in without)


def _account(workings: Workings, option: str, *, without: tuple[str, ...]) -> OptionAccount:
    """Return the option's account with some devices at their neutral values, on the same draws."""
    drawn = workings.system.parameters
    for device in DEVICES:
        if device.corrects in without:
            drawn = _neutral(workings, drawn, device)
    system = dataclasses.replace(workings.system, parameters=drawn)
    chosen = next(o for o in workings.inputs.options if o.id == option)
    return option_account(chosen, system, workings.basis)


def _neutral(workings: Workings, drawn: xr.Dataset, device: Device) -> xr.Dataset:
    """Return the parameters with one device taken out; what is lost at scale is in the effects already."""
    size = workings.system.reach.size
    if device.entry != _NO_ATTENUATION:
        return drawn.assign({device.entry: ("sample", np.full(size, device.neutral))})
    before = workings.effects["posterior"].to_dataset()["new_setting"]
    effects = {name: before.sel(estimand=e).values.ravel() for e, name in ROLL_OUT.items()}
    return drawn.assign({name: ("sample", effect) for name, effect in effects.items()})


def _row(workings: Workings, account: OptionAccount, *, bias: float) -> tuple[dict[str, float], np.ndarray]:
    cost = adjust(discounted(workings, total_cost(account)), bias)
    saving = _less(discounted(workings, total_saving(account)), bias)
    npv = saving - cost
    lower, upper = interval(npv, level=workings.inputs.analysis.level)
    gain = probability(npv > 0, label="", chains=workings.chains)
    target = workings.years.index(workings.inputs.analysis.target_year)
    fewer = _less(account.children.fewer_by_age[:, target].sum(axis=-1), bias)
    return {
        "npv_mean": float(npv.mean()),
        "npv_lower": float(lower),
        "npv_upper": float(upper),
        "prob_positive": gain["mean"],
        "mcse": gain["mcse"],
        "cost_mean": float(cost.mean()),
        "saving_mean": float(saving.mean()),
        "fewer_mean": float(fewer.mean()),
    }, npv


def _less(benefit: np.ndarray, bias: float) -> np.ndarray:
    """Return a benefit cut by the bias; what is a harm already is not made smaller."""
    return np.where(benefit > 0.0, benefit * (1.0 - bias), benefit)
