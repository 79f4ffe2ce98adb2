"""Are ranks uniform? The test and band of Säilynoja, Bürkner and Vehtari (2022) on the counts of ranks.

With N replicates and ranks 0 to L, the count of ranks below k is Binomial(N, k / (L + 1)) where all is well. The
statistic is the least probability, over all k, of a count as far out as the one found; its distribution under
uniform ranks is simulated, once for all quantities.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.05
"""Chance, in each family of quantities, of finding anything wrong where nothing is."""

SIMULATIONS = 20_000
SEED = 20220523


def judged_ranks(
    ranks: pd.DataFrame, *, ranked: int, latent: Sequence[str] = (), level: float = LEVEL
) -> pd.DataFrame:
    """Judge whether the ranks of every quantity are uniform, allowing for how many are judged.

    Parameters
    ----------
    ranks : DataFrame
        One row per replicate, one column per quantity; 0 to `ranked`.
    ranked : int
        Draws the truth was ranked among.
    latent : sequence of str
        Variables judged as a family of their own, because there are hundreds of them.
    level : float
        Chance of a false alarm in a family, 0 to 1.

    Returns
    -------
    DataFrame
        One row per quantity: ``quantity``, ``variable``, ``family`` (parameters or latent), ``p_value``,
        ``p_adjusted`` (Holm 1979, within the family), ``largest_departure`` (of the shares of ranks from uniform),
        ``mean_rank`` (0.5 where all is well), ``spread`` (variance over that of uniform ranks: above 1 draws are too
        narrow, below 1 too wide), ``finding``, ``passed``.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> ranks = pd.DataFrame({"good": rng.integers(0, 100, 200), "narrow": rng.choice([0, 50, 99], 200)})
    >>> judged_ranks(ranks, ranked=99)[["quantity", "passed", "finding"]].values.tolist()
    [['good', True, 'as it should be'], ['narrow', False, 'draws too narrow']]
    """
    values = ranks.to_numpy(int)
    variable = [str(name).split("[")[0] for name in ranks.columns]
    scaled = (values + 0.5) / (ranked + 1)
    table = pd.DataFrame(
        {
            "quantity": [str(name) for name in ranks.columns],
            "variable": variable,
            "family": ["latent" if name in latent else "parameters" for name in variable],
            "p_value": uniformity_p_values(values, ranked=ranked),
            "largest_departure": np.abs(rank_shares(values, ranked=ranked) - _points(ranked)[:, None]).max(0),
            "mean_rank": scaled.mean(axis=0),
            "spread": 12.0 * scaled.var(axis=0) / (1.0 - 1.0 / (ranked + 1) ** 2),
        }
    )
    table["p_adjusted"] = table.groupby("family", sort=False)["p_value"].transform(_holm)
    table["passed"] = table["p_adjusted"] > level
    table["finding"] = [
        "as it should be" if row.passed else _finding(row.mean_rank, row.spread, count=len(ranks))
        for row in table.itertuples()
    ]
    order = ["quantity", "variable", "family", "p_value", "p_adjusted", "largest_departure", "mean_rank"]
    return table[[*order, "spread", "finding", "passed"]]


def _holm(values: pd.Series) -> np.ndarray:
    order = np.argsort(values.to_numpy())
    steps = np.maximum.accumulate(values.to_numpy()[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _finding(mean_rank: float, spread: float, *, count: int) -> str:
    """Name the departure that is larger in standard errors: of the mean rank, or of their spread."""
    shift = (mean_rank - 0.5) / np.sqrt(1.0 / (12.0 * count))
    wide = (spread - 1.0) / np.sqrt(0.8 / count)  # a uniform variable has kurtosis 1.8
    if abs(shift) > abs(wide):
        return "draws too low" if shift > 0 else "draws too high"
    return "draws too narrow" if wide > 0 else "draws too wide"


def _points(ranked: int) -> np.ndarray:
    return np.arange(1, ranked + 1) / (ranked + 1)


def rank_shares(ranks: np.ndarray, *, ranked: int) -> np.ndarray:
    """Share of ranks below 1, 2, ..., `ranked`.

    Parameters
    ----------
    ranks : ndarray of int, shape (replicate, quantity)
    ranked : int

    Returns
    -------
    ndarray, shape (ranked, quantity)

    Examples
    --------
    >>> rank_shares(np.array([[0], [1], [2], [3]]), ranked=3).ravel().tolist()
    [0.25, 0.5, 0.75]
    """
    return np.stack([(ranks < place).mean(axis=0) for place in range(1, ranked + 1)])


def uniformity_p_values(ranks: np.ndarray, *, ranked: int, simulations: int = SIMULATIONS) -> np.ndarray:
    """Probability of ranks as far from uniform as these, quantity by quantity.

    Parameters
    ----------
    ranks : ndarray of int, shape (replicate, quantity)
    ranked : int
    simulations : int
        Sets of uniform ranks compared with.

    Returns
    -------
    ndarray, shape (quantity,)
        ``(1 + sets at least as far out) / (1 + sets)``.

    Examples
    --------
    >>> even = np.repeat(np.arange(100), 2)[:, None]
    >>> float(uniformity_p_values(even, ranked=99, simulations=500).round(1)[0])
    1.0
    """
    counts = np.rint(rank_shares(ranks, ranked=ranked) * len(ranks)).astype(int)
    found = _furthest(counts, replicates=len(ranks), ranked=ranked)
    null = _null(len(ranks), ranked, simulations)
    return (1.0 + np.searchsorted(null, found, side="right")) / (1.0 + simulations)


def _furthest(counts: np.ndarray, *, replicates: int, ranked: int) -> np.ndarray:
    """Least two-sided probability of a count, over all places; counts have shape (ranked, set)."""
    table = _tails(replicates, ranked)
    return np.array([table[np.arange(ranked), column].min() for column in counts.T])


@lru_cache(maxsize=8)
def _tails(replicates: int, ranked: int) -> np.ndarray:
    """Log of the smaller tail probability of each count at each place, (ranked, replicates + 1)."""
    count, place = np.arange(replicates + 1)[None, :], _points(ranked)[:, None]
    below = stats.binom.logcdf(count, replicates, place)
    above = stats.binom.logsf(count - 1, replicates, place)
    return np.minimum(below, above)


@lru_cache(maxsize=8)
def _null(replicates: int, ranked: int, simulations: int) -> np.ndarray:
    """The statistic of sets of uniform ranks, sorted."""
    rng = np.random.default_rng(SEED)
    table, found = _tails(replicates, ranked), []
    for start in range(0, simulations, 5000):
        size = min(5000, simulations - start)
        drawn = rng.multinomial(replicates, np.full(ranked + 1, 1.0 / (ranked + 1)), size=size)
        below = drawn.cumsum(axis=1)[:, :-1]
        found.append(table[np.arange(ranked)[None, :], below].min(axis=1))
    return np.sort(np.concatenate(found))


def rank_band(replicates: int, *, ranked: int, level: float = LEVEL) -> pd.DataFrame:
    """Band that the shares of uniform ranks stay inside at every place at once.

    Parameters
    ----------
    replicates : int
    ranked : int
    level : float
        Chance of leaving it anywhere, 0 to 1.

    Returns
    -------
    DataFrame
        ``place`` (0 to 1), ``lower`` and ``upper``: shares of ranks below it.

    Examples
    --------
    >>> band = rank_band(200, ranked=99)
    >>> bool(((band["lower"] < band["place"]) & (band["place"] < band["upper"])).all())
    True
    """
    from arviz_stats.ecdf_utils import get_pointwise_confidence_band, simulate_confidence_bands

    places = _points(ranked)
    rng = np.random.default_rng(SEED)
    pointwise = simulate_confidence_bands(replicates, 1, places, 1.0 - level, 2000, rng)
    lower, upper = get_pointwise_confidence_band(pointwise, replicates, places)
    return pd.DataFrame({"place": places, "lower": lower, "upper": upper})
