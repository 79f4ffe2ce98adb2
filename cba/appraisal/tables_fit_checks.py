"""Tables that say how well the fits describe the data they were made from, and how far one year moves them.

Everything is read off the stored draws: predictions with a year or a study left out are draws weighed by one over the
density of what is left out. Nothing is fitted again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.fit_checks_totals import totals_checks
from cba.models.calibration_files import calibration_tables
from cba.models.effects_studies import studies_used, study_arrays, with_panel
from cba.models.flow_rates import FlowRates, flow_rates
from cba.models.panel_results import known_panel
from cba.models.predictive_checks import (
    LARGEST_K,
    MovementDraws,
    YearsLeftOut,
    autocorrelations,
    change_probabilities,
    left_out,
    movement_draws,
    replicated_changes,
    spread_of_total_starts,
    unaccompanied_moments,
    yearly_log_density,
)
from cba.models.predictive_studies import study_checks

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

_AGES = ("under 1", "1 to 4", "5 to 9", "10 to 15", "16 and over")
SERIES_LABELS = (
    *(f"Start rate, {age}" for age in _AGES),
    *(f"Exit rate, {age}" for age in _AGES),
    *(f"Growing out of {age}" for age in _AGES[1:4]),
    "Staying under 1",
    "Closure residual",
    "Unaccompanied starts",
)
"""What the 16 series are called, in the order of the model."""

LAGS = 3
_BAND = 0.95


def fit_check_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """Return the checks of both fits and the kept calibration of both models.

    Parameters
    ----------
    workings : Workings
        Of the headline stance, with fits of its own.

    Returns
    -------
    dict of str to DataFrame
        ``fit_checks_series``, ``fit_checks_totals``, ``fit_checks_pit``, ``fit_checks_pit_curves``,
        ``fit_checks_autocorrelation``, ``fit_checks_influence``, ``fit_checks_studies``; and the tables of
        :func:`cba.models.calibration_files.calibration_tables`. Empty where the fits keep no densities of their draws,
        as those made without the sampler.

    Examples
    --------
    >>> sorted(fit_check_tables(workings))[0]  # doctest: +SKIP
    'calibration_quantities'
    """
    if "log_likelihood" not in workings.baseline.children:
        return {}
    inputs = workings.inputs
    level, seed = inputs.analysis.level, inputs.analysis.seed
    leave = float(inputs.priors["baseline.uasc_leave_share"].median)
    rates = flow_rates(inputs.observations, uasc_leave_share=leave)
    draws = movement_draws(workings.baseline)
    weighed = left_out(yearly_log_density(draws, rates))
    again = replicated_changes(draws, rates, seed=seed)
    pit = np.einsum("dt,dst->st", weighed.weights, change_probabilities(draws, rates))
    totals = totals_checks(again, weighed, rates=rates, observations=inputs.observations, level=level)
    studies = _studies(workings)
    return {
        "fit_checks_series": series_checks(pit, again, rates, level=level),
        "fit_checks_totals": totals,
        "fit_checks_pit": _pit_table(pit, rates),
        "fit_checks_pit_curves": pit_curves(
            {"series": pit.ravel(), "studies": studies["pit"].dropna().to_numpy()}
        ),
        "fit_checks_autocorrelation": autocorrelation_checks(draws, rates, again, level=level),
        "fit_checks_influence": influence_checks(
            draws, weighed, rates=rates, target=_target(workings)[draws.place]
        ),
        "fit_checks_studies": studies,
        **calibration_tables(),
    }


def _studies(workings: Workings) -> pd.DataFrame:
    inputs = workings.inputs
    used = studies_used(inputs.evidence, inputs.priors)
    panel = known_panel(inputs.analysis.evidence_until)
    every = study_arrays(with_panel(used, panel, inputs.priors), inputs.priors)
    fitted = workings.effects["posterior"].coords.get("area", ())
    if not set(every.names[every.area]) <= {str(name) for name in np.asarray(fitted)}:
        every = study_arrays(used, inputs.priors)  # a fit of one's own, made without the panel
    return study_checks(workings.effects, every)


def _target(workings: Workings) -> np.ndarray:
    """Children in care in the target year if nothing changes, (sample,)."""
    usual = workings.system.baseline["children"].sel(year=workings.inputs.analysis.target_year)
    return usual.sum("age").transpose("sample").values


def series_checks(pit: np.ndarray, again: np.ndarray, rates: FlowRates, *, level: float) -> pd.DataFrame:
    """How many changes of each series lay where the model would have expected them, and were they as large.

    Parameters
    ----------
    pit : ndarray, shape (series, change)
        Probability of a change no larger than the published one, the year left out.
    again : ndarray, shape (draw, series, change)
        Changes drawn anew.
    rates : FlowRates
    level : float
        Probability of the intervals.

    Returns
    -------
    DataFrame
        ``series``, ``changes``, ``inside`` (the interval at `level`), ``inside_half`` (that at one half), ``size``
        (root mean square of the changes, log points), ``size_lower`` and ``size_upper`` (of changes drawn anew),
        ``chance_larger`` (that those are larger), ``furthest_year`` and ``furthest_pit``.

    Examples
    --------
    >>> series_checks(pit, again, rates, level=0.9)["inside"].sum()  # doctest: +SKIP
    188
    """
    out = np.abs(pit - 0.5)
    furthest = out.argmax(axis=1)
    size = np.sqrt((np.diff(rates.values, axis=1) ** 2).mean(axis=1))
    sizes = np.sqrt((again**2).mean(axis=2))
    lower, upper = np.quantile(sizes, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)
    return pd.DataFrame(
        {
            "series": SERIES_LABELS,
            "changes": pit.shape[1],
            "inside": (out <= level / 2.0).sum(axis=1),
            "inside_half": (out <= 0.25).sum(axis=1),
            "size": size,
            "size_lower": lower,
            "size_upper": upper,
            "chance_larger": (sizes >= size).mean(axis=0),
            "furthest_year": rates.years[1:][furthest],
            "furthest_pit": pit[np.arange(len(pit)), furthest],
        }
    )


def _pit_table(pit: np.ndarray, rates: FlowRates) -> pd.DataFrame:
    table = pd.DataFrame(pit.T, index=rates.years[1:], columns=list(SERIES_LABELS))
    return table.rename_axis("year").reset_index()


def pit_curves(values: dict[str, np.ndarray]) -> pd.DataFrame:
    """Share of probabilities below each place less the place itself, with the band of independent ones.

    Parameters
    ----------
    values : dict of str to ndarray
        Probabilities of what was published, by the name of a set.

    Returns
    -------
    DataFrame
        ``set``, ``count``, ``place`` (0 to 1), ``departure``, ``lower`` and ``upper`` (simultaneous 95% band of
        Säilynoja, Bürkner and Vehtari 2022), at 100 places or as many as there are values.

    Examples
    --------
    >>> found = pit_curves({"even": (np.arange(50) + 0.5) / 50})
    >>> bool((found["departure"].abs() <= 0.01 + 1e-9).all())
    True
    """
    from arviz_stats.ecdf_utils import ecdf_pit

    frames = []
    for name, found in values.items():
        place, share, lower, upper = ecdf_pit(np.asarray(found), _BAND, 500)
        step = max(1, len(place) // 100)
        columns = {"place": place, "departure": share - place, "lower": lower - place, "upper": upper - place}
        frame = pd.DataFrame({"set": name, "count": len(found), **columns})
        frames.append(frame.iloc[sorted({*range(0, len(frame), step), len(frame) - 1})])
    return pd.concat(frames, ignore_index=True)


def autocorrelation_checks(
    draws: MovementDraws, rates: FlowRates, again: np.ndarray, *, level: float
) -> pd.DataFrame:
    """Set the relation between changes of successive years against that of changes drawn from the model.

    Parameters
    ----------
    draws : MovementDraws
    rates : FlowRates
    again : ndarray, shape (draw, series, change)
        Changes drawn anew from the same draws.
    level : float

    Returns
    -------
    DataFrame
        ``series`` ("All series together" last), ``lag`` (years; 0 for all lags together), ``found``, ``lower`` and
        ``upper`` of changes drawn anew, ``p_value`` (two-sided; for all series together that their squares add up to
        as much).

    Examples
    --------
    >>> autocorrelation_checks(draws, rates, again, level=0.9)["p_value"].min()  # doctest: +SKIP
    0.02
    """
    expected = np.zeros(again.shape)
    expected[:, -1] = unaccompanied_moments(draws, rates)[0]
    found = autocorrelations(np.diff(rates.values, axis=1) - expected, lags=LAGS)
    drawn = autocorrelations(again - expected, lags=LAGS)
    tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    lower, upper = np.quantile(drawn, tails, axis=0)
    above = (drawn >= found).mean(axis=0)
    p = np.minimum(1.0, 2.0 * np.minimum(above, 1.0 - above))
    rows = [
        (label, lag + 1, found[:, s, lag].mean(), lower[s, lag], upper[s, lag], p[s, lag])
        for s, label in enumerate(SERIES_LABELS)
        for lag in range(LAGS)
    ]
    for lag, chosen in ((1, [0]), (2, [1]), (3, [2]), (0, [0, 1, 2])):
        seen, usual = (np.sqrt((part[..., chosen] ** 2).mean(axis=(1, 2))) for part in (found, drawn))
        ends = np.quantile(usual, tails)
        rows.append(("All series together", lag, seen.mean(), *ends, (usual >= seen).mean()))
    return pd.DataFrame(rows, columns=["series", "lag", "found", "lower", "upper", "p_value"])


def influence_checks(
    draws: MovementDraws, weighed: YearsLeftOut, *, rates: FlowRates, target: np.ndarray
) -> pd.DataFrame:
    """How far business as usual moves when the changes of one year are left out.

    Parameters
    ----------
    draws : MovementDraws
    weighed : YearsLeftOut
    rates : FlowRates
    target : ndarray, shape (draw,)
        Children in care in the target year, paired with the draws.

    Returns
    -------
    DataFrame
        One row per year: ``year`` (ending 31 March), ``pareto_k``, ``reliable``, ``effective_draws``; of the target
        year ``mean_change`` and its ``mean_change_se``, ``sd_ratio``; ``spread_ratio`` of the yearly change of total
        starts, ``shock_probability_change``; each without the year against with it.

    Examples
    --------
    >>> influence_checks(draws, weighed, rates=rates, target=target)["reliable"].all()  # doctest: +SKIP
    True
    """
    equal = 1.0 / len(target)
    spread = spread_of_total_starts(rates.values[:5, 0], loading=draws.start_loading, sd=draws.sd[:, :5])
    rows = []
    for place, year in enumerate(rates.years[1:]):
        w = weighed.weights[:, place]
        mean = w @ target
        sd = np.sqrt(w @ (target - mean) ** 2)
        rows.append(
            {
                "year": int(year),
                "pareto_k": float(weighed.pareto_k[place]),
                "reliable": bool(weighed.pareto_k[place] <= LARGEST_K),
                "effective_draws": float(1.0 / (w**2).sum()),
                "mean_change": float(mean - target.mean()),
                "mean_change_se": float(np.sqrt(((w - equal) ** 2 * (target - mean) ** 2).sum())),
                "sd_ratio": float(sd / target.std()),
                "spread_ratio": float(w @ spread / spread.mean()),
                "shock_probability_change": float((w - equal) @ draws.shock_probability),
            }
        )
    return pd.DataFrame(rows)
