"""What the panel finds beside where there was nothing to find, and the finding that enters the synthesis.

Placebo adopters are authorities that never launched a programme, drawn at random and given the real launches. Placebo
dates are the real adopters with every launch moved back and everything from the real launch on dropped. All go through
the closed form, and so do panels simulated without effect, from which the errors of real and placebo dates have their
joint covariance: they share authorities and years and are not four studies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from cba.models.authorities import HORIZON, exposures, figures_covariance, least_squares, reached
from cba.models.authority_data import (
    NO_WEIGHT,
    OUTCOMES,
    PROGRAMMES,
    UNDATED,
    YEAR_END,
    AuthorityPanel,
    Launches,
)
from cba.models.slow_results import SLOW_RESULTS, kept_table

SETS = 500
"""Sets of placebo adopters drawn unless told otherwise."""


SIMULATED = 1000
"""Panels without effect simulated unless told otherwise."""


SHIFTS = (0, 2, 3, 4)
"""Years by which launches are moved back; none: the real ones."""


PATH_YEARS = tuple(range(1, 9))
"""Years after launch for which the path of the effect is worked out."""


STUDY = "ENGLAND_PANEL"
"""Name of the finding among the studies."""


STOCK = "stock"


@dataclass(frozen=True, kw_only=True)
class PanelFinding:
    """Effects on starts and exits at the horizon, by the real launches and by placebo dates, with their covariance."""

    study_id: str  # name of the finding in tables, e.g. ``ENGLAND_PANEL``
    # (shift x outcome): log start rate and log odds of leaving, for each of `SHIFTS` in turn.
    estimate: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]  # of their errors, had no programme any effect
    seen: tuple[
        float, ...
    ]  # exposure of each path before launch over that of the real one after it; 1 for real launches
    # 5th and 95th percentile of the share of eligible children served when the change is measured.
    coverage_low: float
    coverage_high: float
    known_by: int  # last calendar year of the data behind it


# --- Effects on stock, through the account ---


def stock_path(effect: np.ndarray, ramp: np.ndarray, account: tuple[float, float]) -> np.ndarray:
    """Log change of children in care, 1, 2, ... years after launch, from full effects on starts and exits.

    ``N' = (1 - h) N + (1 - h/2) S + residual`` from a number that would not have changed. Shape (..., years).
    """
    starts, usual = account
    residual = usual - (1.0 - usual / 2.0) * starts
    stock, path = np.ones(effect.shape[:-1]), []
    for year in PATH_YEARS:
        grown = 1.0 - ramp * (np.exp(-(year - 1.0) / ramp) - np.exp(-year / ramp))
        moved = effect * grown
        odds = usual / (1.0 - usual) * np.exp(moved[..., 1])
        share = odds / (1.0 + odds)
        stock = (1.0 - share) * stock + (1.0 - share / 2.0) * starts * np.exp(moved[..., 0]) + residual
        path.append(np.log(stock))
    return np.stack(path, axis=-1)


def with_stock(at_horizon: np.ndarray, panel: AuthorityPanel, ramp: np.ndarray) -> dict[str, np.ndarray]:
    """Effects at the horizon (..., outcome) by outcome, that on stock through the account among them."""
    full = at_horizon / reached(ramp, HORIZON)
    stock = stock_path(full, ramp, panel.account)[..., PATH_YEARS.index(int(HORIZON))]
    return {name: at_horizon[..., place] for place, name in enumerate(OUTCOMES)} | {STOCK: stock}


# --- Placebo adopters ---


def placebo_adopters(
    panel: AuthorityPanel, values: Mapping[str, np.ndarray], *, sets: int = SETS, seed: int = 20220523
) -> pd.DataFrame:
    """Estimate the effects in random authorities that never launched a programme.

    Columns outcome, placebo (0 is the real adopters), effect (log points at the horizon, the programmes' inventors
    left out) and se (none for stock).
    """
    # Real adopters are left out of the placebo panel altogether, so that a real effect cannot leak into it.
    # Under no effect of any kind the real estimate is one more draw from this distribution
    # (randomisation inference).
    never = np.setdiff1d(np.arange(len(panel.authority)), panel.launch_row)
    controls, rng = panel_rows(panel, never), np.random.default_rng([seed, 3])
    groups, size = [~panel.launches.innovator, panel.launches.innovator], len(panel.launch_row)
    found, fitted = (
        [(panel, panel.launch_row)],
        {id(one): least_squares(one, values) for one in (panel, controls)},
    )
    found += [(controls, rng.permutation(len(never))[:size]) for _ in range(sets)]
    effects, errors = np.zeros((2, sets + 1, len(OUTCOMES)))
    for place, (one, rows) in enumerate(found):
        gain, variance = fitted[id(one)].estimator(panel.launches, rows, groups)
        effects[place] = (gain * flat(one.value)).sum(axis=(1, 2))[: len(OUTCOMES)]
        errors[place] = np.sqrt(np.diag(variance)[: len(OUTCOMES)])
    se = dict(zip(OUTCOMES, errors.T, strict=True)) | {STOCK: np.nan}
    by_outcome = with_stock(effects, panel, values["ramp_years"]).items()
    number = np.arange(sets + 1)
    return pd.concat(
        pd.DataFrame({"outcome": o, "placebo": number, "effect": effect, "se": se[o]})
        for o, effect in by_outcome
    )


def flat(figures: np.ndarray) -> np.ndarray:
    """Figures (..., outcome, year) by cell."""
    return figures.reshape(*figures.shape[:-2], -1)


def panel_rows(panel: AuthorityPanel, rows: np.ndarray) -> AuthorityPanel:
    """Return some authorities of a panel, as authorities without a launch."""
    by_row = {name: getattr(panel, name)[rows] for name in ("authority", "region", "value", "noise")}
    none = panel.launches.of(np.zeros(len(panel.launch_row), dtype=bool))
    return replace(panel, launches=none, launch_row=np.zeros(0, dtype=int), **by_row)


def placebo_position(table: pd.DataFrame) -> pd.DataFrame:
    """Say where the real estimate falls among the placebos."""
    # One row per outcome: sets, closed_form (the real estimate), placebo_mean, placebo_sd, placebo_lower and
    # placebo_upper (5% and 95%), all log points; share_larger (share of sets, the real one counted in, with as large an
    # effect either way), wider (their spread over the mean standard error the method itself gives).
    rows = []
    for outcome, group in table.groupby("outcome", sort=False):
        real, *others = group["effect"].to_numpy(float)
        placebos, se = np.array(others), group.loc[group["placebo"] > 0, "se"].mean()
        row = {"outcome": outcome, "placebo_sets": len(placebos), "closed_form": real}
        row |= {
            "placebo_mean": placebos.mean(),
            "placebo_sd": placebos.std(ddof=1),
            "wider": placebos.std(ddof=1) / se,
        }
        row["placebo_lower"], row["placebo_upper"] = np.quantile(placebos, [0.05, 0.95])
        apart = np.abs(placebos - placebos.mean()) >= abs(real - placebos.mean())
        rows.append(row | {"share_larger": (1 + apart.sum()) / (1 + len(placebos))})
    return pd.DataFrame(rows)


# --- Placebo dates, and panels simulated without effect ---


def simulated_panels(
    panel: AuthorityPanel, fit: xr.DataTree, *, number: int = SIMULATED, seed: int = 20220523
) -> np.ndarray:
    """Panels that draws of the fit make where no programme has an effect, (panel, authority, cell)."""
    # England's level is left at none: the closed form takes it out.
    posterior = fit["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    posterior = posterior.transpose("sample", ...)
    rng = np.random.default_rng([seed, 4])
    regions, region = np.unique(panel.region, return_inverse=True)
    made = []
    for draw in rng.integers(posterior.sizes["sample"], size=number):
        values = {str(name): found.values for name, found in posterior.isel(sample=draw).items()}
        root = np.linalg.cholesky(figures_covariance(panel, values))
        own = (root @ rng.standard_normal((*root.shape[:2], 1)))[..., 0]
        step = rng.standard_normal((len(regions), *panel.value.shape[1:]))
        step[..., 0] = 0.0
        walk = values["region_year_sd"][:, None] * np.cumsum(step - step.mean(axis=0), axis=2)
        made.append(np.where(flat(panel.noise) < NO_WEIGHT, own + flat(walk)[region], 0.0))
    return np.array(made)


@dataclass(frozen=True)
class Dated:
    """Effects at the horizon with launches moved back by each of `SHIFTS`, on the real and on simulated panels."""

    launches: int
    estimate: np.ndarray  # (shift, outcome)
    simulated: np.ndarray  # (panel, shift, outcome)
    seen: np.ndarray  # (shift, outcome)


def by_dates(
    panel: AuthorityPanel,
    values: Mapping[str, np.ndarray],
    simulated: np.ndarray,
    *,
    dated_only: bool = False,
    trend_sd: float = 0.0,
) -> Dated:
    """Estimate the effects by the real launches, and before them with launches moved back.

    `dated_only`: authorities whose launch is known only to a window are left out. `trend_sd` as in
    :func:`cba.models.authorities.least_squares`.
    """
    # For placebo dates everything from the first 31 March after the earliest possible real launch on is dropped for
    # the adopters, and the inventors altogether: the panel begins four years before they did. With no effect before
    # launch the estimates are within their errors of zero.
    used = ~(dated_only & (panel.launches.table["known"] == UNDATED).to_numpy())
    spread = used & ~panel.launches.innovator
    launches, rows = panel.launches.of(used), panel.launch_row[used]
    gone = panel.launch_row[~used]
    real = least_squares(_without(panel, gone), values, trend_sd=trend_sd)
    groups = [~launches.innovator, launches.innovator]
    gains = [real.estimator(launches, rows, groups)[0][: len(OUTCOMES)]]
    joined, at = panel.launches.of(spread), panel.launch_row[spread]
    usable = panel.years[None, :] + YEAR_END <= joined.table["earliest"].to_numpy(float)[:, None]
    before = _without(panel, panel.launch_row[~spread])
    noise = before.noise.copy()
    noise[at] = np.where(usable[:, None], noise[at], NO_WEIGHT)
    null = least_squares(replace(before, noise=noise), values, trend_sd=trend_sd)
    seen = [_height(exposures(joined, panel.years, values["ramp_years"]), np.ones_like(usable))]
    for shift in SHIFTS[1:]:
        moved = Launches(joined.table, joined.dates - shift)
        gains.append(null.estimator(moved, at, [np.ones(len(at), bool)])[0])
        seen.append(_height(exposures(moved, panel.years, values["ramp_years"]), usable))
    gain = np.concatenate(gains).reshape(len(SHIFTS) * len(OUTCOMES), -1)
    shape = (len(SHIFTS), len(OUTCOMES))
    return Dated(
        launches=int(spread.sum()),
        estimate=(gain @ panel.value.ravel()).reshape(shape),
        simulated=np.einsum("pc,gc->pg", simulated.reshape(len(simulated), -1), gain).reshape(-1, *shape),
        seen=np.array(seen) / seen[0],
    )


def _without(panel: AuthorityPanel, rows: np.ndarray) -> AuthorityPanel:
    """Return the panel with no weight on some authorities."""
    noise = panel.noise.copy()
    noise[rows] = NO_WEIGHT
    return replace(panel, noise=noise)


def _height(path: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Mean exposure of launches over the years they count and had any, (outcome,)."""
    on = (path > 0) & usable[:, None]
    return np.asarray((path * on).sum(axis=(0, 2)) / on.sum(axis=(0, 2)))


def by_programme(panel: AuthorityPanel, values: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Estimate each programme by itself: programme, outcome, launches, effect and se (log points at the horizon)."""
    spread = ~panel.launches.innovator
    of = [spread & (panel.launches.table["programme"] == name).to_numpy() for name in PROGRAMMES]
    fitted = least_squares(panel, values)
    gain, variance = fitted.estimator(panel.launches, panel.launch_row, [*of, ~spread])
    keys = [(n, o, int(of[k].sum())) for k, n in enumerate(PROGRAMMES) for o in OUTCOMES]
    found = pd.DataFrame(keys, columns=["programme", "outcome", "launches"])
    effects, errors = (gain * flat(panel.value)).sum(axis=(1, 2)), np.sqrt(np.diag(variance))
    return found.assign(effect=effects[: len(keys)], se=errors[: len(keys)])


# --- What England's panel of authorities was found to say, as `cba refresh panel` keeps it ---


RESULTS = SLOW_RESULTS["panel"].folder


FINDING, COVARIANCE, BASE = "finding", "covariance", "base"


TABLES = ("path", "summary", "authorities", "placebo_dates", "programmes", FINDING)
"""Tables shown with a run; the placebo sets and the covariance stay in their files."""


def known_panel(until: int, *, specification: str = BASE) -> PanelFinding | None:
    """Return the finding of the panel, where its data were out by a year.

    None where the panel was not known by then. `until`: last calendar year of evidence admitted.
    """
    rows = kept_table("panel", FINDING)
    rows = rows[rows["specification"] == specification].reset_index(drop=True)
    if int(rows["known_by"].max()) > until:
        return None
    spread = kept_table("panel", COVARIANCE)
    spread = spread[spread["specification"] == specification]["covariance"].to_numpy(float)
    return PanelFinding(
        study_id=STUDY,
        estimate=tuple(rows["effect"].astype(float)),
        covariance=tuple(tuple(map(float, row)) for row in spread.reshape(len(rows), len(rows))),
        seen=tuple(rows["seen"].astype(float)),
        coverage_low=float(rows["coverage_low"].iloc[0]),
        coverage_high=float(rows["coverage_high"].iloc[0]),
        known_by=int(rows["known_by"].iloc[0]),
    )


def panel_tables(until: int) -> dict[str, pd.DataFrame]:
    """What England's own panel of authorities says, as ``panel_<name>``, where its data were out by a year.

    Empty where the panel was not known by then. `until`: last calendar year of evidence admitted.
    """
    if known_panel(until) is None:
        return {}
    kept = {"panel_" + name: kept_table("panel", name) for name in TABLES}
    kept["panel_authorities"] = kept["panel_authorities"].astype({"authority": str})
    return kept
