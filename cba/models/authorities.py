"""What programmes did to starts and exits: a joint model of authorities, and the same by least squares in closed form.

With y the log start rate and the log odds of leaving of authority i in year t, less the mean of each outcome o,

    y_ito = c_to + r_region,to + theta_o D_it(w_o) + x_ito + e_ito,    x = l_i + a_it,    a_it = phi_o a_i,t-1 + eps

where r walks at random and adds up to zero over regions, D is the share of the full effect reached (0 before launch,
averaged over candidate dates), Cov(eps) and Cov(l) join both outcomes, and e ~ N(0, V + nu_o^2) with V known
from the counts. x is integrated out: y_i is normal with one covariance of 28 figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from scipy.linalg import block_diag, cho_factor, cho_solve

from cba.models.authority_data import OUTCOMES, AuthorityPanel, Launches, exposure
from cba.models.sampling import normal_settings, prior_term, sample_gated

if TYPE_CHECKING:
    from cba.inputs.priors import PriorRegistry

PAIRS = ("shock_correlation", "level_correlation")
"""Registry entries of correlations of starts and exits, as shares: (1 + correlation) / 2."""


OWN = ("persistence", "shock_sd", "level_sd", "noise_sd")
"""Registry entries of an authority's own movements, one for each outcome."""


KEPT = ("effect", "innovator_effect", "ramp_years", "region_year_sd", *OWN, *PAIRS)
"""Variables of the posterior that leave the fit; the gates are checked on all."""


def own_covariance(values: Mapping[str, Any], years: np.ndarray, *, arrays: Any = np) -> Any:
    """Covariance of an authority's level and deviations, cells by outcome and year.

    `values`: those of `KEPT`. `arrays`: NumPy, or ``pytensor.tensor`` inside a model.
    """
    lag = years[:, None] - years[None, :]
    later, earlier = np.maximum(lag, 0), np.maximum(-lag, 0)
    share, shock, level = (values[name] for name in ("persistence", "shock_sd", "level_sd"))
    shocks, levels = (2.0 * values[name] - 1.0 for name in PAIRS)

    def block(o: int, p: int) -> Any:
        joint, lasting = (1.0, 1.0) if o == p else (shocks, levels)
        settled = joint * shock[o] * shock[p] / (1.0 - share[o] * share[p])
        return settled * share[o] ** later * share[p] ** earlier + lasting * level[o] * level[p]

    sides = range(len(OUTCOMES))
    return arrays.concatenate(
        [arrays.concatenate([block(o, p) for p in sides], axis=1) for o in sides], axis=0
    )


def exposures(launches: Launches, years: np.ndarray, ramp: Any, *, arrays: Any = np) -> Any:
    """Exposure of launches, averaged over their candidate dates, (launch, outcome, year). `ramp` (outcome,), years."""
    each = [
        exposure(launches.dates, years, ramp[o], arrays=arrays).mean(axis=1) for o in range(len(OUTCOMES))
    ]
    return arrays.stack(each, axis=1)


def build_authority_panel(panel: AuthorityPanel, priors: PriorRegistry) -> pm.Model:
    """Build, without sampling, the joint model of starts and exits."""
    regions, region = np.unique(panel.region, return_inverse=True)
    cells = [f"{outcome} {year}" for outcome in OUTCOMES for year in panel.years]
    coords = {"outcome": OUTCOMES, "authority": panel.authority, "cell": cells}
    coords |= {"year": panel.years, "later_year": panel.years[1:], "region": regions}
    with pm.Model(coords=coords) as model:
        usual = pt.cumsum(prior_term(priors, "panel.year_step", dims=("outcome", "year")), axis=1)
        walk_sd = prior_term(priors, "panel.region_year_sd", dims="outcome")
        step = pm.ZeroSumNormal("region_step", 1.0, dims=("outcome", "later_year", "region"))
        walk = (walk_sd[:, None, None] * pt.cumsum(step, axis=1)).dimshuffle(2, 0, 1)
        begun = pt.zeros((len(regions), len(OUTCOMES), 1))
        mean = usual + pt.concatenate([begun, walk], axis=2)[region]
        ramp = prior_term(priors, "panel.ramp_years", dims="outcome")
        effect = prior_term(priors, "panel.effect", dims="outcome")
        inventors = prior_term(priors, "panel.effect", name="innovator_effect", dims="outcome")
        first = panel.launches.innovator[:, None]
        theta = pt.switch(first, inventors[None], effect[None])
        moved = theta[..., None] * exposures(panel.launches, panel.years, ramp, arrays=pt)
        mean = pt.inc_subtensor(mean[panel.launch_row], moved)
        values = {name: prior_term(priors, f"panel.{name}", dims="outcome") for name in OWN}
        values |= {name: prior_term(priors, f"panel.{name}") for name in PAIRS}
        own = own_covariance(values, panel.years, arrays=pt)
        shape = (len(panel.authority), len(cells))
        noise = (panel.noise + values["noise_sd"][None, :, None] ** 2).reshape(shape)
        spread = own[None] + np.eye(len(cells))[None] * noise[:, None, :]
        shown = pm.Data("reported", panel.value.reshape(shape), dims=("authority", "cell"))
        pm.MvNormal("value", mean.reshape(shape), spread, observed=shown, dims=("authority", "cell"))
    return model


def fit_authority_panel(panel: AuthorityPanel, priors: PriorRegistry, *, seed: int) -> xr.DataTree:
    """Fit the panel and refuse draws that have not converged; ``posterior`` holds `KEPT`, (chain, draw, ...)."""
    how: dict[str, Any] = {"draws": 1000, "tune": 500, "chains": 4, "seed": seed}
    return sample_gated(build_authority_panel(panel, priors), keep=KEPT, name="authority panel", **how)


# --- The same by least squares in closed form, at mean covariance parameters: for hundreds of refits ---


HORIZON = 5.0
"""Years after launch the effect is stated for: about the longest that programmes other than their inventors' ran."""


def mean_values(fit: xr.DataTree, priors: PriorRegistry) -> dict[str, np.ndarray]:
    """Posterior means of the parameters that the closed form holds fixed, with the spread of its priors."""
    means = fit["posterior"].to_dataset().mean(("chain", "draw"))
    held = {name: means[name].values for name in KEPT}
    sds = {"year_sd": "panel.year_step", "effect_sd": "panel.effect"}
    return held | {name: np.array(normal_settings(priors, entry)[1]) for name, entry in sds.items()}


@dataclass(frozen=True)
class LeastSquares:
    """A panel weighted by the inverse of its covariance, ready to take the exposure of any set of launches."""

    values: Mapping[str, np.ndarray]  # of `mean_values`
    years: np.ndarray
    region: np.ndarray  # (authority,)
    precision: np.ndarray  # (authority, cell, cell)
    design: np.ndarray  # (region, cell, term): steps of England and of regions, each with unit variance
    factor: tuple[np.ndarray, bool]  # Cholesky factor of the information on these steps

    def weighted(self, columns: np.ndarray) -> np.ndarray:
        """Columns (authority, cell, column) times the precision of all figures, year and region integrated out."""
        own = self.precision @ columns
        by_region = np.zeros((len(self.design), *own.shape[1:]))
        np.add.at(by_region, self.region, own)
        terms = cho_solve(self.factor, np.tensordot(self.design, by_region, axes=((0, 1), (0, 1))))
        return np.asarray(own - self.precision @ (self.design @ terms)[self.region])

    def estimator(
        self, launches: Launches, rows: np.ndarray, groups: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weights of every figure in the effects at the horizon, (group x outcome, authority, cell), and covariance.

        `rows` (launch,): their authorities. `groups`: launches that share an effect, one mask each.
        """
        each = exposures(launches, self.years, self.values["ramp_years"])
        size, sides = (len(self.region), each.shape[2]), each.shape[1]
        columns = np.zeros((size[0], sides, size[1], len(groups), sides))
        for place, chosen in enumerate(groups):
            for o in range(sides):
                columns[rows[chosen], o, :, place, o] = each[chosen, o]
        columns = columns.reshape(size[0], sides * size[1], -1)
        weighted = self.weighted(columns)
        prior = np.eye(columns.shape[-1]) / self.values["effect_sd"] ** 2
        information = np.tensordot(columns, weighted, axes=((0, 1), (0, 1))) + prior
        grown = np.tile(reached(self.values["ramp_years"], HORIZON), len(groups))
        variance = np.linalg.inv(information)
        gain = np.moveaxis(weighted @ variance, -1, 0) * grown[:, None, None]
        return gain, variance * np.outer(grown, grown)


def reached(ramp: Any, since: Any) -> Any:
    """Share of its full effect that a programme has some years after launch."""
    return -np.expm1(-since / ramp)


def least_squares(
    panel: AuthorityPanel, values: Mapping[str, np.ndarray], *, trend_sd: float = 0.0
) -> LeastSquares:
    """Weigh a panel by its covariance. `trend_sd`: of authorities' own linear trends, log points a year."""
    years = panel.years
    regions, region = np.unique(panel.region, return_inverse=True)
    precision = np.linalg.inv(figures_covariance(panel, values, trend_sd=trend_sd))
    steps = np.tril(np.ones((len(years), len(years))))
    apart = np.linalg.svd(np.eye(len(regions)) - 1.0 / len(regions))[0][:, :-1]  # contrasts of regions
    national = np.kron(np.eye(len(OUTCOMES)), values["year_sd"] * steps)
    regional = block_diag(*(sd * steps[:, 1:] for sd in values["region_year_sd"]))
    design = np.stack([np.hstack([national, np.kron(row, regional)]) for row in apart])
    by_region = np.zeros((len(regions), *precision.shape[1:]))
    np.add.at(by_region, region, precision)
    inside = np.tensordot(design, by_region @ design, axes=((0, 1), (0, 1)))
    factor = cho_factor(inside + np.eye(inside.shape[0]))
    return LeastSquares(values, years, region, precision, design, factor)


def figures_covariance(
    panel: AuthorityPanel, values: Mapping[str, np.ndarray], *, trend_sd: float = 0.0
) -> np.ndarray:
    """Covariance of each authority's figures, (authority, cell, cell), England and regions given."""
    time = trend_sd * (panel.years - panel.years.mean())
    trend = np.kron(np.eye(len(OUTCOMES)), np.outer(time, time))
    noise = (panel.noise + values["noise_sd"][None, :, None] ** 2).reshape(len(panel.authority), -1)
    own = own_covariance(values, panel.years) + trend
    return own + np.eye(len(own)) * noise[:, None, :]
