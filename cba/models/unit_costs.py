"""Recent real growth of every unit cost, estimated from the published series of one release.

Growth is estimated in two sets of costs: the published weekly costs (children's homes, fostering, all children in
care), and what the other parts of section 251 spending cost per unit of their driver, beside the need for help.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.errors import InputError
from cba.models.sampling import normal_settings
from cba.models.unit_costs_accounts import (
    PARTS,
    driver_index,
    driver_weights,
    last_account_year,
    published_drivers,
    published_spending,
)

if TYPE_CHECKING:
    from cba.inputs.priors import PriorRegistry


# --- Joint posterior of recent real growth and level of several unit costs, in closed form ---


SHARES = tuple(
    (lasting / 4.0, error / 4.0) for lasting in range(4) for error in range(4) if lasting + error <= 3
)
"""Shares of a change's variance that (last, are errors of level), equally likely beforehand; at least a
quarter is a change that does not come back."""


@dataclass(frozen=True)
class JointGrowth:
    """Draws from the joint posterior, all paired."""

    mean: np.ndarray  # (sample, cost): mean growth over the years seen, log points a year
    # (sample, cost): growth today: the mean and what lasts of recent deviations, log points a year.
    growth: np.ndarray
    level: np.ndarray  # (sample, cost): true less published level of the last year, log points
    covariance: np.ndarray  # (sample, cost, cost): of a yearly change
    # lasting and error: (sample, cost): shares of its variance; the same for costs estimated together.
    lasting: np.ndarray
    error: np.ndarray
    half_life: np.ndarray  # (sample,)


def time_correlation(
    years: int, *, lasting: np.ndarray, error: np.ndarray, half_life: np.ndarray
) -> np.ndarray:
    """Correlation of the yearly changes of one cost over time.

    Shape (..., years, years). ``lasting 2^(-|s - t| / H)``, plus the rest on the diagonal, less half of
    `error` beside it. `lasting`, `error` (...). `half_life` (...): years, above 0.
    """
    gap = np.abs(np.arange(years)[:, None] - np.arange(years)[None, :])
    kept = 0.5 ** (gap / half_life[..., None, None])
    found = lasting[..., None, None] * kept - 0.5 * error[..., None, None] * (gap == 1)
    return found + (1.0 - lasting)[..., None, None] * (gap == 0)


def joint_growth(
    changes: np.ndarray,
    *,
    prior_mean: np.ndarray,
    prior_sd: float,
    change_sd: float,
    half_life: np.ndarray,
    seed: int | list[int],
) -> JointGrowth:
    """Draw growth, level and covariance of several costs given their yearly changes.

    Independent draws, one per half-life. `changes` (year, cost): real log changes; three years or more.
    `half_life`: years in which lasting growth halves, drawn beforehand: a few years of data cannot tell.
    """
    # Conjugate: S ~ inverse Wishart(K + 2, change_sd^2 I), whose mean is change_sd^2 I, and mu | S ~
    # N(prior_mean, S prior_sd^2 / change_sd^2). Given shares and half-life the changes are matrix-t, which
    # weighs the shares; then S is inverse Wishart and (mu, a_T, e_T) given S matrix normal.
    _require_changes(changes)
    years, costs = changes.shape
    rng = np.random.default_rng(seed)
    ratio = (prior_sd / change_sd) ** 2  # variance of the mean in units of that of a change
    lasting, error = np.array(SHARES).T[:, :, None]
    over_time = time_correlation(years, lasting=lasting, error=error, half_life=half_life[None, :]) + ratio
    gap = changes - prior_mean
    solved = np.linalg.solve(over_time, np.broadcast_to(gap, (*over_time.shape[:2], years, costs)))
    squares = np.einsum("tk,gstl->gskl", gap, solved) + change_sd**2 * np.eye(costs)
    degrees = costs + 2 + years
    weight = -0.5 * (costs * np.linalg.slogdet(over_time)[1] + degrees * np.linalg.slogdet(squares)[1])
    chosen = (weight + rng.gumbel(size=weight.shape)).argmax(axis=0)
    each = np.arange(half_life.size)
    share, wrong = lasting[chosen, 0], error[chosen, 0]
    covariance, root = _inverse_wishart(squares[chosen, each], degrees=degrees, rng=rng)
    joint, spread = _latest(
        over_time[chosen, each], lasting=share, error=wrong, ratio=ratio, half_life=half_life
    )
    noise = rng.standard_normal((half_life.size, 3, costs))
    latent = joint @ solved[chosen, each] + spread @ noise @ root.swapaxes(1, 2)
    mean = prior_mean + latent[:, 0]
    lasts, errs = (np.repeat(column[:, None], costs, axis=1) for column in (share, wrong))
    return JointGrowth(mean, mean + latent[:, 1], -latent[:, 2], covariance, lasts, errs, half_life)


def _require_changes(changes: np.ndarray) -> None:
    if len(changes) < 3 or not np.isfinite(changes).all():
        raise InputError(
            "too few yearly changes to estimate growth",
            field="unit_cost_weekly",
            found=f"{len(changes)} changes, {int((~np.isfinite(changes)).sum())} values missing",
            allowed="3 or more, none missing",
            cause="an early release",
            remedy="choose a later release",
        )


def _inverse_wishart(
    scale: np.ndarray, *, degrees: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw covariances (sample, cost, cost), each with its own scale, and a root R with R R' the covariance."""
    draws, costs, _ = scale.shape
    lower = np.tril(rng.standard_normal((draws, costs, costs)), -1)
    lower[:, range(costs), range(costs)] = np.sqrt(rng.chisquare(degrees - np.arange(costs), (draws, costs)))
    root = np.linalg.cholesky(scale) @ np.linalg.inv(lower).swapaxes(1, 2)
    return root @ root.swapaxes(1, 2), root


def _latest(
    over_time: np.ndarray, *, lasting: np.ndarray, error: np.ndarray, ratio: float, half_life: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Covariance with the changes, and a root of what they leave, of three things of the last year.

    Mean less its prior, lasting growth, error of the level: (sample, 3, year) and (sample, 3, 3).
    """
    years = over_time.shape[-1]
    joint = np.zeros((lasting.size, 3, years))
    joint[:, 0] = ratio
    joint[:, 1] = lasting[:, None] * 0.5 ** (np.arange(years)[::-1] / half_life[:, None])
    joint[:, 2, -1] = error / 2.0
    own = np.zeros((lasting.size, 3, 3))
    own[:, 0, 0], own[:, 1, 1], own[:, 2, 2] = ratio, lasting, error / 2.0
    left = own - joint @ np.linalg.solve(over_time, joint.swapaxes(1, 2))
    values, vectors = np.linalg.eigh(left)  # a share of 0 leaves nothing to draw, which Cholesky refuses
    return joint, vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]


def joined(
    sets: tuple[JointGrowth, ...], changes: np.ndarray, *, change_sd: float, seed: int | list[int]
) -> JointGrowth:
    """Join sets of costs, with the covariance of all their changes over the years they share.

    Growth, level and shares as in the sets. `sets`: paired by half-life. `changes` (year, cost).
    """
    # ``covariance`` is drawn for all costs together, inverse Wishart with the mean change of each taken off:
    # what moves all costs at once, the measure of general prices not least, would be lost between sets
    # otherwise.
    _require_changes(changes)
    years, costs = changes.shape
    gap = changes - changes.mean(axis=0)
    draws = sets[0].half_life.size
    scale = np.broadcast_to(gap.T @ gap + change_sd**2 * np.eye(costs), (draws, costs, costs))
    rng = np.random.default_rng(seed)
    covariance, _ = _inverse_wishart(scale, degrees=costs + 2 + years - 1, rng=rng)
    side_by_side = {
        name: np.concatenate([getattr(one, name) for one in sets], axis=1)
        for name in ("mean", "growth", "level", "lasting", "error")
    }
    return JointGrowth(**side_by_side, covariance=covariance, half_life=sets[0].half_life)


NEED = "need_rate"
"""Children in need per child of the population: a driver that moves, estimated beside the costs."""


SETS: Mapping[str, tuple[str, ...]] = {
    "unit_costs": ("residential_care", "fostering", "cla_all"),
    "system": (*PARTS[2:], NEED),
}
"""Costs whose growth is estimated together: services with a published weekly cost; parts of spending per driver."""


COSTS = tuple(cost for costs in SETS.values() for cost in costs)
"""All of them, in order."""


NAMES: Mapping[str, str] = {
    "residential_care": "unit_costs.residential",
    "fostering": "unit_costs.fostering",
    **{cost: f"system.{cost}" for cost in SETS["system"]},
}
"""Cost to the first part of the names of its parameters."""


HALF_LIFE = "unit_costs.growth_half_life"


def cost_history(observations: xr.Dataset, *, costs: str) -> xr.DataArray:
    """Log real costs of one set in each published year.

    Dims (year, cost), log; only differences over years mean anything. `costs`, "unit_costs" or "system".
    """
    last = last_account_year(observations)
    if costs == "unit_costs":
        known = observations["unit_cost_weekly"].sel(service=list(SETS[costs]), year=slice(None, last))
        table = known.dropna("year", how="all").transpose("year", "service")
    else:
        table = _spending_per_driver(observations)
    years = table["year"].values
    if not np.isfinite(table.values).all() or not (np.diff(years) == 1).all():
        raise InputError(
            "a cost has a gap",
            field="unit_cost_weekly" if costs == "unit_costs" else "spending",
            found=f"years {years.tolist()}, {int((~np.isfinite(table.values)).sum())} values missing",
            allowed="consecutive years, complete",
            cause="a gap in the series",
            remedy="complete the series",
        )
    real = np.log(table.values)
    prices = np.log(observations["gdp_deflator"].sel(deflator_year=years).values)
    names = list(SETS[costs])
    real -= prices[:, None] * np.array([name != NEED for name in names])
    return xr.DataArray(real, dims=("year", "cost"), coords={"year": years, "cost": names})


def _spending_per_driver(observations: xr.Dataset) -> xr.DataArray:
    """Cash spending per unit of driver, and children in need per child, (year, cost)."""
    spent, counts = published_spending(observations), published_drivers(observations)
    weights, detail = driver_weights(observations)
    missing = sorted({*map(int, spent["year"])} - {*map(int, counts["year"])})
    if missing:
        raise InputError(
            "spending and what drives it are not published for the same years",
            field="spending",
            found=f"no driver in {missing}",
            allowed="every year from 2012-13 to the last with unit costs",
            cause="a gap in a series",
            remedy="complete the series",
        )
    index = driver_index(counts, weights=weights, reference=counts.sel(year=detail)).sel(year=spent["year"])
    rate = counts.sel(driver="need", drop=True) / counts.sel(driver="population", drop=True)
    per_unit = (spent / index).sel(part=list(SETS["system"][:-1])).transpose("year", "part")
    table = np.column_stack([per_unit.values, rate.sel(year=spent["year"]).values])
    return xr.DataArray(table, dims=("year", "cost"), coords={"year": spent["year"].values})


def unit_cost_posterior(
    observations: xr.Dataset, *, priors: PriorRegistry, draws: int, seed: int, until: int | None = None
) -> JointGrowth:
    """Draw growth today, level and covariance of every cost, given their history.

    `priors`: needs ``unit_costs.real_growth`` and ``unit_costs.yearly_change``, normals, and the half-life of
    growth, whose own draws for `seed` are used, so that growth and its half-life stay paired.
    """
    # `until`: last year of history to use; the newest when left out.
    prior_mean, prior_sd = normal_settings(priors, "unit_costs.real_growth")
    _, change_sd = normal_settings(priors, "unit_costs.yearly_change")
    half_life = dataclasses.replace(priors, entries={HALF_LIFE: priors[HALF_LIFE]}).sample(draws, seed)[
        HALF_LIFE
    ]
    histories = [cost_history(observations, costs=costs).sel(year=slice(None, until)) for costs in SETS]
    sets = tuple(
        joint_growth(
            np.diff(history.values, axis=0),
            # a rate has no prices in it
            prior_mean=np.where(history["cost"].values == NEED, 0.0, prior_mean),
            prior_sd=prior_sd,
            change_sd=change_sd,
            half_life=half_life.values,
            seed=[seed, number],
        )
        for number, history in enumerate(histories)
    )
    shared = xr.concat(histories, dim="cost", join="inner").transpose("year", "cost").values
    return joined(sets, np.diff(shared, axis=0), change_sd=change_sd, seed=[seed, len(sets)])


def unit_cost_draws(
    observations: xr.Dataset, *, priors: PriorRegistry, draws: int, seed: int, until: int | None = None
) -> xr.Dataset:
    """Parameters of the paths of all unit costs, ready to join the other draws.

    `until`: last year of history to use; the newest when left out.
    """
    # Dims (sample). For each cost of `NAMES` ``*_growth``, log points a year today; ``*_level``, true less
    # published cost of the last year, log points; and ``*_surprise``, what no equation foresees, log points
    # at the size of one year's change. For each set ``*.lasting_share`` and ``*.error_share`` of a change's
    # variance.
    #
    # A cost h years ahead is multiplied by exp(surprise x spread(h)), so its spread in each year is that of
    # the process; within a draw one surprise serves all years.
    found = unit_cost_posterior(observations, priors=priors, draws=draws, seed=seed, until=until)
    noise = np.random.default_rng([seed, len(SETS) + 1]).standard_normal((draws, len(COSTS), 1))
    surprise = (np.linalg.cholesky(found.covariance) @ noise)[..., 0]
    columns: dict[str, np.ndarray] = {}
    for cost, name in NAMES.items():
        position = COSTS.index(cost)
        columns[f"{name}_growth"] = found.growth[:, position]
        columns[f"{name}_level"] = found.level[:, position]
        columns[f"{name}_surprise"] = surprise[:, position]
    for costs, members in SETS.items():
        columns[f"{costs}.lasting_share"] = found.lasting[:, COSTS.index(members[0])]
        columns[f"{costs}.error_share"] = found.error[:, COSTS.index(members[0])]
    return xr.Dataset({name: ("sample", values) for name, values in columns.items()})


def prior_unit_cost_draws(priors: PriorRegistry, *, draws: int, seed: int) -> xr.Dataset:
    """Parameters of the paths of all unit costs before any published series.

    The same variables as `unit_cost_draws`; published levels are taken as true. `priors`: needs
    ``unit_costs.real_growth`` and ``unit_costs.yearly_change``, normals.
    """
    prior_mean, prior_sd = normal_settings(priors, "unit_costs.real_growth")
    _, change_sd = normal_settings(priors, "unit_costs.yearly_change")
    rng = np.random.default_rng([seed, len(SETS) + 2])
    columns: dict[str, np.ndarray] = {}
    for cost, name in NAMES.items():
        centre = 0.0 if cost == NEED else prior_mean
        columns[f"{name}_growth"] = centre + prior_sd * rng.standard_normal(draws)
        columns[f"{name}_level"] = np.zeros(draws)
        columns[f"{name}_surprise"] = change_sd * rng.standard_normal(draws)
    for costs in SETS:
        chosen = np.array(SHARES)[rng.integers(len(SHARES), size=draws)]
        columns[f"{costs}.lasting_share"], columns[f"{costs}.error_share"] = chosen.T
    return xr.Dataset({name: ("sample", values) for name, values in columns.items()})


# --- The process of unit costs run ahead of the last published year, for its spread, and back to … ---


def spread_ahead(steps: int, *, lasting: np.ndarray, error: np.ndarray, half_life: np.ndarray) -> np.ndarray:
    """Standard deviation of a cost some years ahead, in units of that of a yearly change.

    Shape (sample, step).
    """
    # Returned: root of ``h (1 - lasting - error) + lasting (1 - r^2) sum_{m=1..h-1} ((1 - r^m) / (1 - r))^2``
    # with r = 2^(-1/H): changes that do not come back, and new growth that lasts, after the first year's,
    # which is today's growth.
    kept = (0.5 ** (1.0 / half_life))[:, None]
    carried = ((1.0 - kept ** np.arange(steps)) / (1.0 - kept)) ** 2
    grown = lasting[:, None] * (1.0 - kept**2) * np.cumsum(carried, axis=1)
    return np.sqrt((1.0 - lasting - error)[:, None] * np.arange(1, steps + 1) + grown)


def simulated_past(found: JointGrowth, *, years: int, seed: int | list[int]) -> np.ndarray:
    """Run the process backwards from the last published year: what earlier years would have been published as.

    Shape (sample, years + 1, cost). Log cost relative to the published one of the last year; the last year
    first, then each year before. `found`: draws of growth today, mean growth, level, covariance and shares.
    """
    # The process reads the same in both directions: going back, lasting growth returns to its mean at the
    # same pace, changes that do not come back have the same covariance, and each published level has its own
    # error.
    rng = np.random.default_rng(seed)
    draws, costs = found.mean.shape
    root = np.linalg.cholesky(found.covariance)

    def noise(share: np.ndarray) -> np.ndarray:
        return np.sqrt(share) * (root @ rng.standard_normal((draws, costs, 1)))[..., 0]

    kept = (0.5 ** (1.0 / found.half_life))[:, None]
    lasting, level = found.growth - found.mean, found.level.copy()
    published = [level + noise(found.error / 2.0)]
    for _ in range(years):
        level = level - found.mean - lasting - noise(1.0 - found.lasting - found.error)
        published.append(level + noise(found.error / 2.0))
        lasting = kept * lasting + noise((1.0 - kept**2) * found.lasting)
    return np.stack(published, axis=1)
