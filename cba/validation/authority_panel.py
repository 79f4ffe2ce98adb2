"""Tables of the panel of authorities: effects by years since launch, their place among placebos, and who counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.quantities import spread_at
from cba.inputs.observations import load_observations, load_programme_rollout
from cba.inputs.priors import PriorRegistry, load_priors
from cba.models.authorities import HORIZON, fit_authority_panel, mean_values, reached
from cba.models.authority_data import OUTCOMES, YEAR_END, AuthorityPanel, authority_panel
from cba.models.authority_findings import (
    BASE,
    COVARIANCE,
    FINDING,
    PATH_YEARS,
    SHIFTS,
    STOCK,
    Dated,
    by_dates,
    by_programme,
    placebo_adopters,
    placebo_position,
    simulated_panels,
    stock_path,
    with_stock,
)
from cba.models.authority_pilots import pilot_power
from cba.models.slow_results import keep_result

GROUPS = {"spread": "effect", "innovators": "innovator_effect"}
"""Whose effect it is, those the programmes spread to or those that invented them, to its name in the fit."""


OUTCOME_WORDS = {
    "starts": "starts to be looked after",
    "exits": "the odds of leaving care in a year",
    STOCK: "children looked after",
}


def panel_paths(fit: xr.DataTree, panel: AuthorityPanel) -> dict[tuple[str, str], np.ndarray]:
    """Log change by outcome and group, (sample, years since launch), that of stock through the account."""
    drawn = fit["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    drawn = drawn.transpose("sample", ...)
    found: dict[tuple[str, str], np.ndarray] = {}
    ramp = drawn["ramp_years"].values
    grown = reached(ramp[..., None], np.array(PATH_YEARS, float))
    for group, name in GROUPS.items():
        effect = drawn[name].values
        found |= {(o, group): effect[:, place, None] * grown[:, place] for place, o in enumerate(OUTCOMES)}
        found[STOCK, group] = stock_path(effect, ramp, panel.account)
    return found


def panel_path(
    paths: Mapping[tuple[str, str], np.ndarray], panel: AuthorityPanel, *, level: float
) -> pd.DataFrame:
    """Effect of the Strengthening Families programmes by years since launch. `level`, in (0, 1)."""
    # Columns outcome, group, since_launch (years), reached (launches that had run so long when the data end;
    # what lies beyond is the shape of the curve, not data), mean, lower, upper (change as a share of what it
    # would have been, of odds for exits), prob_reduction.
    rows = []
    for (outcome, group), path in paths.items():
        for since, draws in zip(PATH_YEARS, path.T, strict=True):
            about = {"outcome": outcome, "group": group, "since_launch": since}
            about["reached"] = _reached(panel, group, since=since)
            rows.append(about | _change(draws, level=level))
    return pd.DataFrame(rows)


def _reached(panel: AuthorityPanel, group: str, *, since: int) -> int:
    """Launches of a group that had certainly run so many years by the end of the panel."""
    chosen = panel.launches.innovator == (group == "innovators")
    latest = panel.launches.table["latest"].to_numpy(float)
    return int((chosen & (panel.years[-1] + YEAR_END - latest >= since)).sum())


def _change(draws: np.ndarray, *, level: float) -> dict[str, float]:
    """Log points as a share of what it would have been, with the chance of any reduction."""
    found = {name: float(value) for name, value in spread_at(level, np.expm1(draws)).items()}
    return found | {"prob_reduction": float((draws < 0).mean())}


def panel_summary(
    paths: Mapping[tuple[str, str], np.ndarray],
    panel: AuthorityPanel,
    *,
    placebos: pd.DataFrame,
    dates: pd.DataFrame,
    level: float,
) -> pd.DataFrame:
    """What the panel says five years after launch, in one row per outcome, with a sentence."""
    # Columns outcome, children (which are counted), log_mean, log_sd (log points), mean, lower, upper, prob_reduction
    # (as in `panel_path`, the inventors left out), launches, authorities, those of `placebo_position`,
    # before_lower and before_upper (least and greatest of the placebo dates, as a share), sentence.
    place, rows = placebo_position(placebos).set_index("outcome"), []
    moved = dates[(dates["shift"] > 0) & (dates["used"] == "all")].groupby("outcome")["effect"]
    for outcome in OUTCOME_WORDS:
        draws = paths[outcome, "spread"][:, PATH_YEARS.index(int(HORIZON))]
        row = {
            "outcome": outcome,
            "children": panel.children,
            "log_mean": draws.mean(),
            "log_sd": draws.std(),
        }
        row |= _change(draws, level=level) | place.loc[outcome].to_dict()
        row |= {"launches": int((~panel.launches.innovator).sum()), "authorities": len(panel.authority)}
        row["before_lower"], row["before_upper"] = np.expm1([moved.min()[outcome], moved.max()[outcome]])
        rows.append({**row, "sentence": panel_sentence(row, level=level)})
    return pd.DataFrame(rows)


def panel_sentence(row: Mapping[str, Any], *, level: float) -> str:
    """Say in one sentence what the panel shows for one outcome, and what it finds where there was nothing to find."""
    between = f"{_percent(row['lower'])} to {_percent(row['upper'])}"
    spans = row["lower"] <= 0.0 <= row["upper"]
    settled = "which includes no change" if spans else "which leaves out no change"
    return (
        f"{HORIZON:g} years after launch {OUTCOME_WORDS[row['outcome']]} had changed by {_percent(row['mean'])} "
        f"({level:.0%} interval {between}, {settled}); {row['share_larger']:.0%} of {row['placebo_sets']:.0f} sets of "
        f"placebo adopters come out as far from none; with launches moved back {SHIFTS[1]} to {SHIFTS[-1]} years, to "
        f"before anything happened, the same estimate is {_percent(row['before_lower'])} to "
        f"{_percent(row['before_upper'])}."
    )


def _percent(share: float) -> str:
    return f"{share:+.1%}".replace("-", "\N{MINUS SIGN}")


def panel_authorities(panel: AuthorityPanel) -> pd.DataFrame:
    """Who began a programme and when, and who is left out of the panel, or added together, and why.

    Columns authority, authority_name, status (``launched`` or ``left out or joined``), detail.
    """
    rows = []
    for row in panel.launches.table.to_dict("records"):
        when = " to ".join(dict.fromkeys(f"{row[end]:.1f}" for end in ("earliest", "latest")))
        detail = f"{'inventor of ' * row['innovator']}{row['programme']}, {when} ({row['known']})"
        rows.append((row["authority"], row["authority_name"], "launched", detail))
    for code, name, years, reason in panel.excluded.itertuples(index=False):
        rows.append((code, name, "left out or joined", f"{years}: {reason}"))
    return pd.DataFrame(rows, columns=["authority", "authority_name", "status", "detail"])


def dates_table(panel: AuthorityPanel, dated: Mapping[str, Dated], ramp: np.ndarray) -> pd.DataFrame:
    """Effects by real and by placebo dates, log points: used, outcome, shift, launches, effect, se, z."""
    rows = []
    for used, found in dated.items():
        errors = with_stock(found.simulated, panel, ramp)
        for outcome, effects in with_stock(found.estimate, panel, ramp).items():
            for shift, effect, se in zip(SHIFTS, effects, errors[outcome].std(axis=0, ddof=1), strict=True):
                rows.append((used, outcome, shift, found.launches, effect, se, effect / se))
    return pd.DataFrame(rows, columns=["used", "outcome", "shift", "launches", "effect", "se", "z"])


def finding_tables(
    specifications: Mapping[str, Dated], *, wider: np.ndarray, coverage: tuple[float, float], known_by: int
) -> dict[str, pd.DataFrame]:
    """Findings by specification, real dates first, and the covariance of their errors, row by row.

    `wider` (outcome,): by how much placebo adopters are spread more than the errors of the closed form.
    """
    keys = pd.DataFrame(
        [(outcome, shift) for shift in SHIFTS for outcome in OUTCOMES], columns=["outcome", "shift"]
    )
    about = {"coverage_low": coverage[0], "coverage_high": coverage[1], "known_by": known_by}
    finding, spread = [], []
    for name, found in specifications.items():
        errors = found.simulated.reshape(len(found.simulated), -1) * np.tile(
            np.maximum(wider, 1.0), len(SHIFTS)
        )
        covariance, mine = np.cov(errors, rowvar=False), keys.assign(specification=name)
        numbers = {
            "effect": found.estimate.ravel(),
            "se": errors.std(axis=0, ddof=1),
            "seen": found.seen.ravel(),
        }
        finding.append(mine.assign(**numbers, **about))
        spread.append(
            mine.merge(keys, how="cross", suffixes=("", "_with")).assign(covariance=covariance.ravel())
        )
    return {FINDING: pd.concat(finding), COVARIANCE: pd.concat(spread)}


# --- The panel made again: `cba refresh panel` ---


LEVEL = 0.9


SEED = 20220523


def refresh_panel() -> Path:
    """Fit the panel to the newest release and keep its tables."""
    observations, rollout, priors = load_observations(), load_programme_rollout(), load_priors()
    panel = authority_panel(observations, rollout, priors)
    fit = fit_authority_panel(panel, priors, seed=SEED)
    everyone = authority_panel(observations, rollout, priors, all_children=True)
    return keep_result("panel", panel_results(panel, everyone, fit, priors), release=panel.release)


def panel_results(
    panel: AuthorityPanel, everyone: AuthorityPanel, fit: xr.DataTree, priors: PriorRegistry
) -> dict[str, pd.DataFrame]:
    """Every table kept of the panel; `everyone`: the same with unaccompanied children."""
    values = mean_values(fit, priors)
    placebos = placebo_adopters(panel, values, seed=SEED)
    wider = placebo_position(placebos).set_index("outcome").loc[list(OUTCOMES), "wider"].to_numpy(float)
    simulated = simulated_panels(panel, fit, seed=SEED)
    base = by_dates(panel, values, simulated)
    dated = {"all": base, "dated launches": by_dates(panel, values, simulated, dated_only=True)}
    trend_sd = float(priors["panel.trend_sd"].median)
    specifications = {
        BASE: base,
        "own_trends": by_dates(panel, values, simulated, trend_sd=trend_sd),
        "all_children": by_dates(everyone, values, simulated_panels(everyone, fit, seed=SEED)),
    }
    paths = panel_paths(fit, panel)
    dates = dates_table(panel, dated, values["ramp_years"])
    coverage = (priors.quantile("panel.coverage", 0.05), priors.quantile("panel.coverage", 0.95))
    return {
        "path": panel_path(paths, panel, level=LEVEL),
        "summary": panel_summary(paths, panel, placebos=placebos, dates=dates, level=LEVEL),
        "authorities": panel_authorities(panel),
        "placebo_adopters": placebos,
        "placebo_dates": dates,
        "programmes": by_programme(panel, values),
        "pilot_power": pilot_power(panel, fit, priors, seed=SEED),
        "convergence": fit["convergence"].to_dataset().to_dataframe().reset_index(),
        **finding_tables(specifications, wider=wider, coverage=coverage, known_by=panel.release),
    }
