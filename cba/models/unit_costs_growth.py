"""Joint posterior of recent real growth and level of several unit costs, in closed form.

A yearly real log change of cost k is d_t = mu + a_t + u_t + e_t - e_{t-1}: mean growth mu, growth a_t that lasts for
a while (its gap halves in H years), a change u_t that does not come back, and an error e_t of the published
level that does. All four have the same covariance over costs, S, in shares that add up to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cba.errors import InputError

SHARES = tuple(
    (lasting / 4.0, error / 4.0) for lasting in range(4) for error in range(4) if lasting + error <= 3
)
"""Shares of a change's variance that (last, are errors of level), equally likely beforehand; at least a
quarter is a change that does not come back."""


@dataclass(frozen=True)
class JointGrowth:
    """Draws from the joint posterior, all paired.

    Attributes
    ----------
    mean : ndarray, shape (sample, cost)
        Mean growth over the years seen, log points a year.
    growth : ndarray, shape (sample, cost)
        Growth today: the mean and what lasts of recent deviations, log points a year.
    level : ndarray, shape (sample, cost)
        True less published level of the last year, log points.
    covariance : ndarray, shape (sample, cost, cost)
        Of a yearly change.
    lasting, error : ndarray, shape (sample, cost)
        Shares of its variance; the same for costs estimated together.
    half_life : ndarray, shape (sample,)
        Years.
    """

    mean: np.ndarray
    growth: np.ndarray
    level: np.ndarray
    covariance: np.ndarray
    lasting: np.ndarray
    error: np.ndarray
    half_life: np.ndarray


def time_correlation(
    years: int, *, lasting: np.ndarray, error: np.ndarray, half_life: np.ndarray
) -> np.ndarray:
    """Correlation of the yearly changes of one cost over time.

    Parameters
    ----------
    years : int
        Number of changes.
    lasting, error : ndarray, shape (...)
        Shares of the variance.
    half_life : ndarray, shape (...)
        Years, above 0.

    Returns
    -------
    ndarray, shape (..., years, years)
        ``lasting 2^(-|s - t| / H)``, plus the rest on the diagonal, less half of `error` beside it.

    Examples
    --------
    >>> one = np.ones(())
    >>> time_correlation(2, lasting=0.5 * one, error=0.25 * one, half_life=one).tolist()
    [[1.0, 0.125], [0.125, 1.0]]
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

    Parameters
    ----------
    changes : ndarray, shape (year, cost)
        Real log changes; three years or more.
    prior_mean : ndarray, shape (cost,)
        Prior mean of mean growth, log points a year.
    prior_sd, change_sd : float
        Prior standard deviation of mean growth, and of a yearly change about it.
    half_life : ndarray, shape (sample,)
        Years in which lasting growth halves, drawn beforehand: a few years of data cannot tell.
    seed : int or list of int
        Seed.

    Returns
    -------
    JointGrowth
        Independent draws, one per half-life.

    Raises
    ------
    InputError
        If there are fewer than three changes, or one is missing.

    Notes
    -----
    Conjugate: S ~ inverse Wishart(K + 2, change_sd^2 I), whose mean is change_sd^2 I, and
    mu | S ~ N(prior_mean, S prior_sd^2 / change_sd^2). Given shares and half-life the changes are matrix-t, which
    weighs the shares; then S is inverse Wishart and (mu, a_T, e_T) given S matrix normal.

    Examples
    --------
    A cost that always grew by 5% a year grows by 5% today.

    >>> found = joint_growth(np.full((12, 1), 0.05), prior_mean=np.array([0.02]), prior_sd=0.1,
    ...                      change_sd=0.01, half_life=np.full(2000, 3.0), seed=0)
    >>> round(float(found.growth.mean()), 2)
    0.05
    """
    _require_changes(changes)
    years, costs = changes.shape
    rng = np.random.default_rng(seed)
    draws = half_life.size
    ratio = (prior_sd / change_sd) ** 2  # variance of the mean in units of that of a change
    lasting, error = (np.array(column)[:, None] for column in zip(*SHARES, strict=True))
    over_time = time_correlation(years, lasting=lasting, error=error, half_life=half_life[None, :]) + ratio
    gap = changes - prior_mean
    solved = np.linalg.solve(over_time, np.broadcast_to(gap, (*over_time.shape[:2], years, costs)))
    squares = np.einsum("tk,gstl->gskl", gap, solved) + change_sd**2 * np.eye(costs)
    degrees = costs + 2 + years
    weight = -0.5 * (costs * np.linalg.slogdet(over_time)[1] + degrees * np.linalg.slogdet(squares)[1])
    chosen = (weight + rng.gumbel(size=weight.shape)).argmax(axis=0)
    each = np.arange(draws)
    share, wrong = lasting[chosen, 0], error[chosen, 0]
    covariance, root = _inverse_wishart(squares[chosen, each], degrees=degrees, rng=rng)
    latent = _latest(
        over_time[chosen, each],
        solved[chosen, each],
        lasting=share,
        error=wrong,
        ratio=ratio,
        half_life=half_life,
        noise=rng.standard_normal((draws, 3, costs)),
        root=root,
    )
    mean = prior_mean + latent[:, 0]
    wide = np.ones((1, costs))
    return JointGrowth(
        mean,
        mean + latent[:, 1],
        -latent[:, 2],
        covariance,
        share[:, None] * wide,
        wrong[:, None] * wide,
        half_life,
    )


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
    over_time: np.ndarray,
    solved: np.ndarray,
    *,
    lasting: np.ndarray,
    error: np.ndarray,
    ratio: float,
    half_life: np.ndarray,
    noise: np.ndarray,
    root: np.ndarray,
) -> np.ndarray:
    """Draw (mean less its prior, lasting growth in the last year, error of the last level), (sample, 3, cost)."""
    years = over_time.shape[-1]
    joint = np.zeros((lasting.size, 3, years))
    joint[:, 0] = ratio
    joint[:, 1] = lasting[:, None] * 0.5 ** (np.arange(years)[::-1] / half_life[:, None])
    joint[:, 2, -1] = error / 2.0
    own = np.zeros((lasting.size, 3, 3))
    own[:, 0, 0], own[:, 1, 1], own[:, 2, 2] = ratio, lasting, error / 2.0
    left = own - joint @ np.linalg.solve(over_time, joint.swapaxes(1, 2))
    values, vectors = np.linalg.eigh(left)  # a share of 0 leaves nothing to draw, which Cholesky refuses
    spread = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    return joint @ solved + spread @ noise @ root.swapaxes(1, 2)


def joined(
    sets: tuple[JointGrowth, ...], changes: np.ndarray, *, change_sd: float, seed: int | list[int]
) -> JointGrowth:
    """Join sets of costs, with the covariance of all their changes over the years they share.

    Parameters
    ----------
    sets : tuple of JointGrowth
        Paired by half-life.
    changes : ndarray, shape (year, cost)
        Real log changes of all costs, in the order of the sets, in the years all are published.
    change_sd : float
        Prior standard deviation of a yearly change.
    seed : int or list of int
        Seed.

    Returns
    -------
    JointGrowth
        Growth, level and shares as in the sets. ``covariance`` is drawn for all costs together, inverse Wishart
        with the mean change of each taken off: what moves all costs at once, the measure of general prices not
        least, would be lost between sets otherwise.

    Raises
    ------
    InputError
        If there are fewer than three changes, or one is missing.

    Examples
    --------
    >>> changes = np.random.default_rng(0).normal(0.02, 0.01, (12, 2))
    >>> settings = {"prior_sd": 0.1, "change_sd": 0.01, "half_life": np.full(100, 3.0), "seed": 0}
    >>> one, two = (joint_growth(changes[:, [k]], prior_mean=np.array([0.02]), **settings) for k in (0, 1))
    >>> joined((one, two), changes, change_sd=0.01, seed=1).covariance.shape
    (100, 2, 2)
    """
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
