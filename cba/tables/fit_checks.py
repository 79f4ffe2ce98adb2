"""Tables that say how well the fits describe the data they were made from, and how past forecasts would have done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.quantities import interval, quantity_of, spoken_quantities
from cba.appraisal.workings import Workings
from cba.decisions.draws import mcse_probability
from cba.dimensions import AGE_BANDS
from cba.inputs.analyses import Precision
from cba.inputs.reconciliation import reconcile
from cba.models.authority_findings import known_panel
from cba.models.baseline import FlowRates, flow_rates
from cba.models.checks import (
    LARGEST_K,
    MovementDraws,
    YearsLeftOut,
    autocorrelations,
    change_probabilities,
    left_out,
    movement_draws,
    replicated_changes,
    spread_of_total_starts,
    study_checks,
    yearly_log_density,
)
from cba.models.slow_results import CALIBRATED, backtest_tables, calibration_tables, how_made, kept_table
from cba.models.stays import stay_length
from cba.models.studies import studies_used, study_arrays, with_panel
from cba.projection.business_as_usual import as_rates, business_as_usual
from cba.tables.catalogue import (
    BY_ROW,
    CHILDREN,
    MONEY,
    SHARES,
    Table,
    catalogued,
    catalogued_together,
    own_fits,
)

# --- Starts, ceases and the stock of each published year, predicted a year ahead by a fit that left … ---


QUANTITIES = {
    "stock_change": "Change in children looked after",
    "starts": "Children starting to be looked after",
    "ceases": "Children ceasing to be looked after",
}
"""Totals that are predicted, by name."""


def totals_checks(
    changes: np.ndarray, weighed: YearsLeftOut, *, rates: FlowRates, observations: xr.Dataset, level: float
) -> pd.DataFrame:
    """Hold the published totals of each year against their predictions from the year before.

    ``quantity``, ``label``, ``year``, ``published``, ``expected``, ``lower``, ``upper`` (children), ``pit``
    (probability of a figure no larger) and ``inside``. `changes` (draw, series, change).
    """
    predicted = _predicted(changes, rates=rates, observations=observations)
    published = _published(rates, observations)
    tails = (1.0 - level) / 2.0, (1.0 + level) / 2.0
    rows = []
    for name, label in QUANTITIES.items():
        for place, year in enumerate(rates.years[1:]):
            draws, weights = predicted[name][:, place], weighed.weights[:, place]
            found = float(published[name][place])
            lower, upper = weighted_quantiles(draws, weights, tails)
            pit = float(weights[draws <= found].sum())
            inside = lower <= found <= upper
            rows.append((name, label, int(year), found, weights @ draws, lower, upper, pit, inside))
    columns = ["quantity", "label", "year", "published", "expected", "lower", "upper", "pit", "inside"]
    return pd.DataFrame(rows, columns=columns)


def weighted_quantiles(draws: np.ndarray, weights: np.ndarray, ends: tuple[float, ...]) -> list[float]:
    """Return quantiles of weighted draws. `draws`, `weights`: weights sum to 1."""
    order = np.argsort(draws)
    middle = np.cumsum(weights[order]) - 0.5 * weights[order]
    return [float(np.interp(end, middle, draws[order])) for end in ends]


def _predicted(changes: np.ndarray, *, rates: FlowRates, observations: xr.Dataset) -> dict[str, np.ndarray]:
    """Roll every published 31 March one year on, (draw, change); all years at once, as so many samples."""
    draws, _, years = changes.shape
    next_rates = (rates.values[:, :-1] + changes).transpose(0, 2, 1).reshape(draws * years, -1)
    before = _stocks(rates, observations)
    people = observations["population_0_17"].sel(year=rates.years[1:]).values.astype(float)
    fit = xr.DataTree.from_dict(
        {
            "constant_data": xr.Dataset(
                {
                    "stock": (("sample", "age"), np.tile(before[:-1], (draws, 1))),
                    "uasc_share": ("age", rates.uasc_share),
                },
                coords={"age": list(AGE_BANDS)},
            )
        }
    )
    population = xr.DataArray(np.tile(people, draws)[:, None], dims=("sample", "year"), coords={"year": [1]})
    # Unaccompanied starts as published: they are not what is held against the draws.
    alone = np.tile(rates.uasc_starts[1:], draws)[:, None]
    rolled = business_as_usual(fit, as_rates(next_rates[:, None], (alone, alone), [1]), population)
    each = {
        name: rolled[source].sum("age").values.reshape(draws, years)
        for name, source in (("starts", "starts"), ("ceases", "ceases"), ("stock", "children"))
    }
    each["stock_change"] = each.pop("stock") - before[:-1].sum(axis=1)
    return each


def _stocks(rates: FlowRates, observations: xr.Dataset) -> np.ndarray:
    """Children by age at each 31 March of the series, (year, age)."""
    return observations["stock_by_age"].sel(age=list(AGE_BANDS), year=rates.years).values.astype(float)


def _published(rates: FlowRates, observations: xr.Dataset) -> dict[str, np.ndarray]:
    by_age = observations[["starts_by_age", "ceases_by_age"]].sel(age=list(AGE_BANDS), year=rates.years[1:])
    return {
        "stock_change": np.diff(_stocks(rates, observations).sum(axis=1)),
        "starts": by_age["starts_by_age"].sum("age").values,
        "ceases": by_age["ceases_by_age"].sum("age").values,
    }


# --- Tables that say how well the fits describe the data they were made from, and how far one year … ---


_AGES = ("under 1", "1 to 4", "5 to 9", "10 to 15", "16 and over")


SERIES_LABELS = (
    *(f"Start rate, {age}" for age in _AGES),
    *(f"Exit rate, {age}" for age in _AGES),
    *(f"Growing out of {age}" for age in _AGES[1:4]),
    "Staying under 1",
    "Closure residual",
)
"""What the 15 series are called, in the order of the model."""


LAGS = 3


_BAND = 0.95


@catalogued_together(
    Table(
        "fit_checks_series",
        "Changes of each series against what the model expected",
        "Log points; probabilities run from 0 to 1.",
    ),
    Table(
        "fit_checks_totals",
        "Published totals of each year against predictions from the year before",
        CHILDREN,
    ),
    Table(
        "fit_checks_pit",
        "Probability of a change no larger than the published one, by series and year",
        SHARES,
    ),
    Table("fit_checks_pit_curves", "Predictive probabilities against evenly spread ones", SHARES),
    Table(
        "fit_checks_autocorrelation",
        "Relation between changes of successive years",
        "Correlations, and probabilities from 0 to 1.",
    ),
    Table(
        "fit_checks_influence",
        "What business as usual would be without each year",
        "Children, ratios and probabilities.",
    ),
    Table(
        "fit_checks_studies",
        "Each study against what the other studies predict",
        "On the scale of the study's effect.",
    ),
    Table("calibration_summary", "Whether the models recover what made-up data are made of", SHARES),
    Table("calibration_stale", "Models that have changed since they were calibrated", "Words; no figures."),
    Table("calibration_quantities", "Calibration of each quantity of the models", SHARES),
    *(
        Table(
            f"calibration_shares_{model}",
            f"Ranks of what was drawn among what was fitted, model of {words}",
            SHARES,
        )
        for model, words in CALIBRATED.items()
    ),
    once=True,
    needs=own_fits,
)
def fit_check_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """Whether both fits describe their data, and whether the models recover what made-up data are made of."""
    # Returned: ``fit_checks_series``, ``fit_checks_totals``, ``fit_checks_pit``, ``fit_checks_pit_curves``,
    # ``fit_checks_autocorrelation``, ``fit_checks_influence``, ``fit_checks_studies``; and the tables of
    # `calibration_tables`. Empty where the fits keep no densities of their draws, as those made without the
    # sampler.
    if "log_likelihood" not in workings.baseline.children:
        return {}
    inputs = workings.inputs
    level, seed = inputs.analysis.level, inputs.analysis.seed
    leave = float(inputs.priors["baseline.uasc_leave_share"].median)
    rates = flow_rates(inputs.observations, uasc_leave_share=leave)
    draws = movement_draws(workings.baseline)
    grown = workings.baseline["log_likelihood"]["growth"].sel(growth_year=rates.years[1:])
    grown = grown.stack(sample=("chain", "draw")).transpose("sample", ...).values[draws.place]
    weighed = left_out(yearly_log_density(draws, rates) + grown)
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
        "fit_checks_autocorrelation": autocorrelation_checks(rates, again, level=level),
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
    stays = stay_length(inputs.observations)
    every = study_arrays(with_panel(used, panel, inputs.priors), inputs.priors, stays=stays)
    fitted = workings.effects["posterior"].coords.get("area", ())
    if not set(every.names[every.area]) <= {str(name) for name in np.asarray(fitted)}:
        every = study_arrays(used, inputs.priors, stays=stays)  # a fit of one's own, made without the panel
    return study_checks(workings.effects, every)


def _target(workings: Workings) -> np.ndarray:
    """Children in care in the target year if nothing changes, (sample,)."""
    usual = workings.system.baseline["children"].sel(year=workings.inputs.analysis.target_year)
    return usual.sum("age").transpose("sample").values


def series_checks(pit: np.ndarray, again: np.ndarray, rates: FlowRates, *, level: float) -> pd.DataFrame:
    """How many changes of each series lay where the model would have expected them, and were they as large.

    `pit` (series, change); `again` (draw, series, change).
    """
    # Returned: ``series``, ``changes``, ``inside`` (the interval at `level`), ``inside_half``
    # (that at one half), ``size`` (root mean square of the changes, log points), ``size_lower`` and
    # ``size_upper`` (of changes drawn anew), ``chance_larger`` (that those are larger), ``furthest_year`` and
    # ``furthest_pit``.
    out = np.abs(pit - 0.5)
    furthest = out.argmax(axis=1)
    size = np.sqrt((np.diff(rates.values, axis=1) ** 2).mean(axis=1))
    sizes = np.sqrt((again**2).mean(axis=2))
    lower, upper = interval(sizes, level=level)
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

    ``set``, ``count``, ``place`` (0 to 1), ``departure``, ``lower`` and ``upper`` (simultaneous 95% band of
    Säilynoja, Bürkner and Vehtari 2022), at 100 places or as many as there are values.
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


def autocorrelation_checks(rates: FlowRates, again: np.ndarray, *, level: float) -> pd.DataFrame:
    """Set the relation between changes of successive years against that of changes drawn from the model.

    `again` (draw, series, change): changes drawn anew from the same draws.
    """
    # Returned: ``series`` ("All series together" last), ``lag`` (years; 0 for all lags together), ``found``,
    # ``lower`` and ``upper`` of changes drawn anew, ``p_value`` (two-sided; for all series together that
    # their squares add up to as much).
    found = autocorrelations(np.diff(rates.values, axis=1), lags=LAGS)
    drawn = autocorrelations(again, lags=LAGS)
    lower, upper = interval(drawn, level=level)
    above = (drawn >= found).mean(axis=0)
    p = np.minimum(1.0, 2.0 * np.minimum(above, 1.0 - above))
    rows = [
        (label, lag + 1, found[s, lag], lower[s, lag], upper[s, lag], p[s, lag])
        for s, label in enumerate(SERIES_LABELS)
        for lag in range(LAGS)
    ]
    for lag, chosen in ((1, [0]), (2, [1]), (3, [2]), (0, [0, 1, 2])):
        seen, usual = (np.sqrt((part[..., chosen] ** 2).mean(axis=(-2, -1))) for part in (found, drawn))
        ends = interval(usual, level=level)
        rows.append(("All series together", lag, float(seen), *ends, (usual >= seen).mean()))
    return pd.DataFrame(rows, columns=["series", "lag", "found", "lower", "upper", "p_value"])


def influence_checks(
    draws: MovementDraws, weighed: YearsLeftOut, *, rates: FlowRates, target: np.ndarray
) -> pd.DataFrame:
    """How far business as usual moves when the changes of one year are left out."""
    # One row per year: ``year`` (ending 31 March), ``pareto_k``, ``reliable``, ``effective_draws``; of the
    # target year ``mean_change`` and its ``mean_change_se``, ``sd_ratio``; ``spread_ratio`` of the yearly
    # change of total starts, ``shock_probability_change``; each without the year against with it.
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


# --- Gates of the fits, as checked when they were made, and the published figures they were made from ---


@catalogued("convergence", "Convergence of the fitted models", "Each check against what is required.")
def fit_convergence(workings: Workings) -> pd.DataFrame:
    """Gates of both fits, as checked when they were made."""
    frames = []
    for name, tree in (("baseline", workings.baseline), ("effects", workings.effects)):
        frame = tree["convergence"].to_dataset().to_dataframe().reset_index()
        frame.insert(0, "model", name)
        frames.append(frame[["model", "check", "found", "required", "where", "passed"]])
    return pd.concat(frames, ignore_index=True)


catalogued(
    "reconciliation",
    "Published figures checked against each other",
    "Units of the published figures.",
    of=attrgetter("inputs.observations"),
)(reconcile)


catalogued_together(
    Table(
        "backtest_headline", "Scores of past forecasts of the number in care", "Children; lower is better."
    ),
    Table(
        "backtest_reached",
        "What was asked of past forecasts, and whether they reached it",
        "As each row says.",
    ),
    Table(
        "backtest_by_horizon",
        "Scores of past forecasts by quantity and years ahead",
        "Units of the quantity.",
    ),
    Table(
        "backtest_by_origin",
        "Scores of past forecasts by the year they were made from",
        "Children; lower is better.",
    ),
    Table("backtest_candidates", "What each candidate for the growth of the number finds", BY_ROW),
    Table("backtest_vintages", "The target year as seen from each release", MONEY),
    Table("backtest_skipped", "Forecasts that could not be scored", "Words; no figures."),
    Table("backtest_about", "How the record of past forecasts was made", "As each row says."),
    of=lambda _: None,
    once=True,
)(backtest_tables)


@catalogued_together(
    Table(
        "authorities_by_horizon",
        "Scores of past forecasts by authority and years ahead",
        "Children and shares.",
    ),
    Table("authorities_by_size", "Scores of past forecasts by authority and size", "Children and shares."),
    Table("authorities_reached", "What was asked of forecasts by authority, and what was found", BY_ROW),
    once=True,
)
def authority_record_tables(_: Workings) -> dict[str, pd.DataFrame]:
    """How past forecasts of each authority's children would have done, as ``authorities_<name>``."""
    kept = ("by_horizon", "by_size", "reached") if how_made("authorities") else ()
    return {f"authorities_{name}": kept_table("authorities", name) for name in kept}


# --- Convergence of the decision quantities themselves: whether chains agree on what is decided, and how precisely ---

# Parameters can pass every gate while a tail or a probability that rests on few draws is still unsettled. So the same
# checks are made on net present value, children in care and the events the headline gives probabilities of.

HIGHEST_RHAT = 1.01


LEAST_ESS = 100.0
"""Effective draws a chain must give, in the bulk and in the tails."""


@catalogued("decision_convergence", "Convergence and Monte Carlo error of what is decided", MONEY)
def decision_convergence(workings: Workings) -> pd.DataFrame:
    """Check R-hat, effective draws and Monte Carlo error of what is decided, for every option.

    Columns option, quantity, label, unit, mean, mcse, lower, mcse_lower, upper, mcse_upper (limits of the
    interval, missing for events), rhat, ess_bulk, ess_tail, passed.
    """
    # As `rhat` and `ess`, after Vehtari et al. (2021), Bayesian Analysis 16:667-718. Gates: R-hat at most
    # 1.01; at least 100 effective draws a chain, bulk and tail.
    rows = []
    level, chains = workings.inputs.analysis.level, workings.chains or 1
    for option in workings.accounts:
        for entry in spoken_quantities(usual=option == "bau"):
            if entry.settled:
                about = {"option": option, "quantity": entry.name.removeprefix("prob_")}
                about |= {"label": entry.filled(entry.settled, workings), "unit": entry.unit}
                values = np.asarray(entry.draws(workings, option))
                rows.append(about | _checked(values, chains=chains, level=level))
    return pd.DataFrame(rows)


def _checked(values: np.ndarray, *, chains: int, level: float) -> dict[str, Any]:
    """Mean, limits and their errors, R-hat and effective draws of one quantity."""
    import arviz as az

    table = values.reshape(chains, -1).astype(float)
    found: dict[str, Any] = {"mean": float(table.mean())}
    event = values.dtype == bool
    found["mcse"] = mcse_probability(values, chains=chains) if event else float(az.mcse(table, method="mean"))
    found |= dict.fromkeys(("lower", "mcse_lower", "upper", "mcse_upper"), np.nan)
    if np.ptp(table) == 0:
        return found | {"rhat": np.nan, "ess_bulk": np.nan, "ess_tail": np.nan, "passed": True}
    if not event:
        tail = (1.0 - level) / 2.0
        limits = interval(values, level=level)
        for name, limit, prob in zip(("lower", "upper"), limits, (tail, 1.0 - tail), strict=True):
            found[name] = float(limit)
            found[f"mcse_{name}"] = float(az.mcse(table, method="quantile", prob=prob))
    rhat = float(az.rhat(table)) if chains > 1 else np.nan
    bulk = float(az.ess(table, method="bulk"))
    ends = bulk if event else float(az.ess(table, method="tail", prob=(0.05, 0.95)))
    settled = not rhat > HIGHEST_RHAT and min(bulk, ends) >= LEAST_ESS * chains
    return found | {"rhat": rhat, "ess_bulk": bulk, "ess_tail": ends, "passed": bool(settled)}


def precision_missed(results: Mapping[str, Mapping[str, Any]], wanted: Precision) -> list[str]:
    """Say which headline quantities are less precise than asked.

    One sentence each, the worst first; empty where the precision is met. `results`: entries of the headline
    by key, with ``mcse``.
    """
    found = [
        (error / limit, f"{key}: Monte Carlo error {error:.3g}, asked for at most {limit:.3g}")
        for key, error, limit in _held_against(results, wanted)
        if error > limit
    ]
    return [words for _, words in sorted(found, reverse=True)]


def _held_against(
    results: Mapping[str, Mapping[str, Any]], wanted: Precision
) -> Iterator[tuple[str, float, float]]:
    """Key, error and limit of every headline entry whose precision is asked for and that has an error."""
    for key, entry in results.items():
        known = quantity_of(key)
        chance = known is not None and known.kind == "probability"
        limit = wanted.probability if chance else wanted.npv if known and known.name == "npv" else None
        if limit is not None and entry.get("mcse") is not None:
            yield key, float(entry["mcse"]), limit


def draws_needed(
    results: Mapping[str, Mapping[str, Any]], wanted: Precision, *, draws: int, chains: int
) -> int:
    """Draws that would meet the precision, by the square root law, a fifth more to be safe.

    At most ``wanted.most_draws``; `draws` where the precision is met.
    """
    worst = max((error / limit for _, error, limit in _held_against(results, wanted)), default=1.0)
    if worst <= 1.0:
        return draws
    wanted_draws = min(int(np.ceil(1.2 * draws * worst**2)), wanted.most_draws)
    return max(draws, wanted_draws - wanted_draws % chains)
