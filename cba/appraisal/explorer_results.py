"""What the stored draws say at settings a reader chooses: money, children and payback of one option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.appraisal.headline import FEWER_CHILDREN
from cba.costs.discounting import discount_factors
from cba.decisions.payback import payback_year
from cba.errors import InputError

if TYPE_CHECKING:
    from cba.inputs.analysis_records import Analysis


@dataclass(frozen=True, kw_only=True)
class ExplorerSettings:
    """Settings of the explorer; as they stand, those of the run.

    Attributes
    ----------
    value : float, GBP
        Value of a child-year safely at home.
    schedule : str or None
        Discount schedule; None for the run's own.
    overrun, avoidable, effect : float, 0 or above
        Multipliers of the programme's cost, of the avoidable share of the average cost, and of the share of starts
        that family help averts.
    weights : mapping of str to float
        Weight of each stance; sums to 1. Empty for the first stance alone.
    """

    value: float = 0.0
    schedule: str | None = None
    overrun: float = 1.0
    avoidable: float = 1.0
    effect: float = 1.0
    weights: Mapping[str, float] | None = None


def explorer_results(
    draws: Mapping[str, xr.Dataset],
    *,
    analysis: Analysis,
    option: str,
    settings: ExplorerSettings | None = None,
) -> dict[str, float]:
    """Summaries of one option at the settings given.

    Parameters
    ----------
    draws : mapping of str to Dataset
        By stance, as returned by :func:`cba.appraisal.explorer_draws.explorer_draws`.
    analysis : Analysis
        Gives horizon, target year, schedule and level.
    option : str
        Id of an option of the draws.
    settings : ExplorerSettings, optional
        Those of the run when left out.

    Returns
    -------
    dict of str to float
        ``npv`` (cash, GBP), ``benefit`` (with child-years valued, GBP) and ``fewer`` (children), each with
        ``_median``, ``_lower``, ``_upper`` and the Monte Carlo error of each (``_error``); ``prob_saving``,
        ``prob_benefit``, ``prob_fewer``, ``prob_never`` with ``_error``; ``payback`` (median year, NaN for never)
        with its limits ``payback_early`` and ``payback_late`` at one standard error; ``ess``.

    Raises
    ------
    InputError
        If a stance is not among the draws.

    Examples
    --------
    >>> explorer_results(draws, analysis=analysis, option="care_review")["npv_median"]  # doctest: +SKIP
    """
    asked = settings or ExplorerSettings()
    weights = dict(asked.weights or {next(iter(draws)): 1.0})
    _require_known(weights, draws)
    used = [stance for stance, weight in weights.items() if weight > 0.0]
    parts = [_by_draw(draws[s], analysis=analysis, option=option, settings=asked) for s in used]
    weight = np.concatenate(
        [np.full(p["npv"].size, weights[s] / p["npv"].size) for s, p in zip(used, parts, strict=True)]
    )
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    size = float(weight.sum() ** 2 / (weight**2).sum())
    return _summaries(joined, weight, size=size, level=analysis.level) | {"ess": size}


def unpacked(draws: xr.Dataset, quantity: str, option: str) -> np.ndarray:
    """One stream of one option.

    Parameters
    ----------
    draws : Dataset
        As returned by :func:`cba.appraisal.explorer_draws.explorer_draws`.
    quantity, option : str
        Labels of the stream.

    Returns
    -------
    ndarray, shape (sample, year)

    Examples
    --------
    >>> packed = xr.Dataset(
    ...     {"packed": (("column", "sample"), [[1, 2]]), "scale": ("column", [0.5]),
    ...      "place": (("quantity", "option", "year"), [[[0, 0]]])},
    ...     coords={"quantity": ["fewer"], "option": ["a"]})
    >>> unpacked(packed, "fewer", "a").tolist()
    [[0.5, 0.5], [1.0, 1.0]]
    """
    place = draws["place"].sel(quantity=quantity, option=option).values
    return (draws["packed"].values[place] * draws["scale"].values[place][:, None]).T


def weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Quantile of weighted draws by linear interpolation.

    Parameters
    ----------
    values, weights : ndarray, shape (sample,)
        Draws and their weights, above 0.
    share : float
        0 to 1; beyond is taken as the end.

    Returns
    -------
    float
        With equal weights NumPy's default quantile.

    Notes
    -----
    The share below a draw grows from each to the next by the mean of their two weights.

    Examples
    --------
    >>> weighted_quantile(np.array([3.0, 1.0, 2.0]), np.ones(3), 0.25)
    1.5
    """
    order = np.argsort(values, kind="stable")
    ranked, mass = values[order], weights[order]
    steps = np.concatenate([[0.0], np.cumsum((mass[1:] + mass[:-1]) / 2.0)])
    return float(np.interp(share, steps / steps[-1] if ranked.size > 1 else [0.0], ranked))


def _require_known(weights: Mapping[str, float], draws: Mapping[str, xr.Dataset]) -> None:
    if not set(weights) <= set(draws) or abs(sum(weights.values()) - 1.0) > 1e-9:
        raise InputError(
            "the weights of the stances do not fit the draws",
            field="weights",
            found=dict(weights),
            allowed=f"weights of {', '.join(draws)} that sum to 1",
            cause="a stance that was not run, or weights that were changed one at a time",
            remedy="state all weights again; they are never rescaled",
        )


def _by_draw(
    draws: xr.Dataset, *, analysis: Analysis, option: str, settings: ExplorerSettings
) -> dict[str, np.ndarray]:
    """Net present value, net benefit, children fewer and payback year of every draw of one stance."""
    stream = {str(name): unpacked(draws, str(name), option) for name in draws["quantity"].values}
    horizon = analysis.horizon
    saved = settings.avoidable * (stream["placements"] + settings.effect * stream["placements_help"])
    other = stream["other"] + settings.effect * stream["other_help"]
    cost = settings.overrun * draws["overrun"].values.astype(float)[:, None] * stream["money"]
    net = (saved + other - cost)[:, :horizon]
    fewer = stream["fewer"] + settings.effect * stream["fewer_help"]
    before = np.concatenate([np.zeros_like(fewer[:, :1]), fewer[:, :-1]], axis=1)
    schedule = settings.schedule or analysis.schedule
    factors = discount_factors(np.arange(horizon), schedule, mid_year=analysis.mid_year)
    npv = net @ factors
    safe = ((before + fewer) / 2.0)[:, :horizon] @ factors * (1.0 - draws["harm_share"].values.astype(float))
    years = draws["year"].values
    flow = xr.DataArray(net, dims=("sample", "year"), coords={"year": years[:horizon]})
    target = int(np.flatnonzero(years == analysis.target_year)[0])
    return {
        "npv": npv,
        "benefit": npv + settings.value * safe,
        "fewer": fewer[:, target],
        "payback": payback_year(flow, schedule=schedule, base_year=analysis.start_year).values,
    }


def _summaries(
    drawn: Mapping[str, np.ndarray], weight: np.ndarray, *, size: float, level: float
) -> dict[str, float]:
    found: dict[str, float] = {}
    shares = {"median": 0.5, "lower": (1.0 - level) / 2.0, "upper": (1.0 + level) / 2.0}
    for name in ("npv", "benefit", "fewer"):
        for place, share in shares.items():
            error = float(np.sqrt(share * (1.0 - share) / size))
            ends = [weighted_quantile(drawn[name], weight, share + e) for e in (-error, error)]
            found[f"{name}_{place}"] = weighted_quantile(drawn[name], weight, share)
            found[f"{name}_{place}_error"] = (ends[1] - ends[0]) / 2.0
    events = {
        "prob_saving": drawn["npv"] > 0.0,
        "prob_benefit": drawn["benefit"] > 0.0,
        "prob_fewer": drawn["fewer"] >= FEWER_CHILDREN,
        "prob_never": np.isnan(drawn["payback"]),
    }
    for name, event in events.items():
        chance = min(float(weight[event].sum() / weight.sum()), 1.0)
        sure = not event.any() or event.all()
        found[name] = float(event.all()) if sure else chance
        found[f"{name}_error"] = 0.5 / size if sure else float(np.sqrt(chance * (1.0 - chance) / size))
    error = 0.5 / float(np.sqrt(size))
    for name, share in {"payback": 0.5, "payback_early": 0.5 - error, "payback_late": 0.5 + error}.items():
        found[name] = _year_reached(drawn["payback"], weight, share)
    return found


def _year_reached(years: np.ndarray, weight: np.ndarray, share: float) -> float:
    """First year by which a share of the weight has paid back; NaN for never."""
    reached = [float(y) for y in np.unique(years[~np.isnan(years)]) if _by(years, weight, y) >= share - 1e-12]
    return reached[0] if reached else float("nan")


def _by(years: np.ndarray, weight: np.ndarray, year: float) -> float:
    return float(weight[years <= year].sum() / weight.sum())
