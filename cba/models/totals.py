"""What the totals since the 1990s say of how the number in care moves: momentum of its rates, pace of its growth.

Ages are published for some fourteen years, totals for thirty. With N the stock at a year's start, S its starts, C its
ceases and r the closure residual per start, the account of totals is that of one age band,

    h = C / (N + S/2),    N' = N + S - C + r S,    z = (log S, logit h, log r),

and two things the ages cannot tell are estimated in closed form. *Momentum*: yearly changes of z follow
d(t) = phi M d(t-1) + e(t), e ~ N(0, Sigma), M leaving closure without memory; with an inverse-Wishart prior on Sigma
the marginal likelihood of phi is known, so its posterior is exact on a grid. *Pace*: the mean yearly growth of log N,
a normal prior times a normal likelihood whose standard error is widened for the autocorrelation rho of growth,
se^2 = var (1 + rho) / ((1 - rho) T).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from scipy import stats

from cba.dimensions import AGE_BANDS
from cba.errors import InputError

if TYPE_CHECKING:
    from cba.inputs.priors import PriorRegistry


LEVERS = ("starts", "exits", "closure")
"""Rows of the matrix of total rates: log starts, log odds of ceasing, log closure residual per start."""


MINIMUM_YEARS = 5
"""Fewest yearly changes the totals must hold."""


REPEATED = np.array([1.0, 1.0, 0.0])
"""Which levers repeat a share of their last change: closure is a residual, whose changes are mostly noise."""


PERSISTENCE_GRID = np.linspace(0.0125, 0.9875, 40)
"""Values of phi whose posterior weight is worked out."""


WORTH = 6.0
"""Degrees of freedom of the inverse-Wishart prior: the least that gives three rates a proper mean, and two more."""


@dataclass(frozen=True)
class TotalFlows:
    """Totals of consecutive years, as known at one time."""

    years: np.ndarray  # (year,)
    stock: np.ndarray  # (year,), children
    starts: np.ndarray  # (year,), children
    ceases: np.ndarray  # (year,), children

    @property
    def rates(self) -> np.ndarray:
        """Rates of every year but the first.

        Shape (lever, year - 1). Log starts, log odds of ceasing, log closure residual per start.
        """
        before, starts, ceases = self.stock[:-1], self.starts[1:], self.ceases[1:]
        exits = ceases / (before + starts / 2.0)
        closure = (np.diff(self.stock) - starts + ceases) / starts
        return np.stack([np.log(starts), np.log(exits / (1.0 - exits)), np.log(closure)])

    @property
    def growth(self) -> np.ndarray:
        """Yearly growth of the log of the stock. Shape (year - 1,)."""
        return np.diff(np.log(self.stock))


def total_flows(observations: xr.Dataset) -> TotalFlows:
    """Totals of every year from the first with stock, starts and ceases."""
    known = observations[["stock", "starts", "ceases"]].dropna("year", how="any")
    flows = TotalFlows(*(known[name].values.astype(float) for name in ("year", "stock", "starts", "ceases")))
    return checked_totals(flows)


def checked_totals(flows: TotalFlows) -> TotalFlows:
    """Refuse totals that cannot tell how the number in care moves."""
    years = flows.years.astype(int)
    if years.size < MINIMUM_YEARS + 1 or (np.diff(years) != 1).any():
        raise InputError(
            "too little history of totals to tell how the number in care moves",
            field="stock, starts, ceases",
            found=f"years {years.tolist()}",
            allowed=f"at least {MINIMUM_YEARS + 1} consecutive years",
            cause="an early release, or a year missing from the series",
            remedy="choose a later release or complete the series",
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = flows.rates
    if not np.isfinite(rates).all():
        bad = years[1:][~np.isfinite(rates).all(axis=0)].tolist()
        raise InputError(
            "the account of totals does not give rates",
            field="stock, starts, ceases",
            found=f"years {bad}",
            allowed="positive counts, fewer ceases than children, a stock that grows by more than starts less ceases",
            cause="a figure in the wrong column, or a release that mixes definitions",
            remedy="check the release file against the published table",
        )
    if (np.ptp(np.diff(rates, axis=1), axis=1) == 0).any():
        raise InputError(
            "a series of totals changes by the same amount every year",
            field="stock, starts, ceases",
            found="no spread in its yearly changes",
            allowed="published figures",
            cause="a filled-in or interpolated series",
            remedy="use published figures, or start the history later",
        )
    return flows


def total_flow_posterior(flows: TotalFlows, priors: PriorRegistry, *, draws: int, seed: int) -> xr.Dataset:
    """Draw momentum, pace and the spread of yearly changes of the totals."""
    # Dims (sample). ``trend_persistence`` (phi, 0 to 1); ``long_run_pace`` (yearly growth of log stock);
    # ``change_factor`` (sample, lever, shock), Cholesky factor of Sigma given phi; ``walk_factor``, the same
    # for phi = 0; and without sample ``last_rates``, ``last_change`` and ``mean_rates`` (lever) and
    # ``last_stock``. `priors`: uses ``baseline.trend_persistence``, ``baseline.long_run_pace`` (normal),
    # ``baseline.growth_autocorrelation`` and the medians of the spreads of yearly changes of starts, exits
    # and closure.
    rng = np.random.default_rng([seed, 29])
    rates = flows.rates
    changes = np.diff(rates, axis=1).T
    guess = WORTH * np.diag(_prior_spread(priors) ** 2)
    density = priors["baseline.trend_persistence"].fitted.pdf(PERSISTENCE_GRID)
    weight = density * np.exp(_log_evidence(changes, guess))
    phi = rng.choice(PERSISTENCE_GRID, size=draws, p=weight / weight.sum())
    factor = np.empty((draws, 3, 3))
    for value in np.unique(phi):
        chosen = phi == value
        factor[chosen] = _factors(_unrepeated(changes, value), guess, draws=int(chosen.sum()), rng=rng)
    return xr.Dataset(
        {
            "trend_persistence": ("sample", phi),
            "long_run_pace": ("sample", _paces(flows.growth, priors, draws=draws, rng=rng)),
            "change_factor": (("sample", "lever", "shock"), factor),
            "walk_factor": (("sample", "lever", "shock"), _factors(changes, guess, draws=draws, rng=rng)),
            "last_rates": ("lever", rates[:, -1]),
            "last_change": ("lever", changes[-1]),
            "mean_rates": ("lever", rates.mean(axis=1)),
            "last_stock": flows.stock[-1],
        },
        coords={"lever": list(LEVERS)},
    )


def _paces(growth: np.ndarray, priors: PriorRegistry, *, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Long-run pace of growth: normal prior times the mean growth with its widened standard error, (draws,)."""
    rho = priors["baseline.growth_autocorrelation"].fitted.ppf(rng.random(draws))
    error = growth.var(ddof=1) * (1.0 + rho) / ((1.0 - rho) * growth.size)
    before = priors["baseline.long_run_pace"].parameters
    spread = 1.0 / (1.0 / error + 1.0 / before["sigma"] ** 2)
    centre = spread * (growth.mean() / error + before["mu"] / before["sigma"] ** 2)
    return centre + np.sqrt(spread) * rng.standard_normal(draws)


def _prior_spread(priors: PriorRegistry) -> np.ndarray:
    """Expected yearly change of each total rate, at medians: the common factor, and ages' own steps averaged over."""

    def of(flow: str) -> float:
        own = float(priors[f"baseline.{flow}_innovation_sd"].median) / np.sqrt(len(AGE_BANDS))
        return float(np.hypot(own, float(priors[f"baseline.{flow}_common_loading"].median)))

    return np.array([of("start"), of("exit"), float(priors["baseline.closure_innovation_sd"].median)])


def _log_evidence(changes: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Log marginal likelihood of the changes at each phi of the grid, up to a constant."""
    found = []
    for phi in PERSISTENCE_GRID:
        left = _unrepeated(changes, phi)
        found.append(-(WORTH + len(left)) / 2.0 * np.linalg.slogdet(guess + left.T @ left)[1])
    return np.array(found) - max(found)


def _unrepeated(changes: np.ndarray, phi: float) -> np.ndarray:
    """Return what the last change does not explain of each yearly change, (year, lever)."""
    left: np.ndarray = changes[1:] - phi * REPEATED * changes[:-1]
    return left


def _factors(left: np.ndarray, guess: np.ndarray, *, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Cholesky factors of covariances drawn from their inverse-Wishart posterior, (draws, 3, 3)."""
    posterior = stats.invwishart(df=WORTH + len(left), scale=guess + left.T @ left)
    drawn = np.reshape(posterior.rvs(size=draws, random_state=rng), (draws, 3, 3))
    return np.linalg.cholesky(drawn)
