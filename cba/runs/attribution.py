"""Exact Shapley attribution of paired differences: who moved a figure, by how much, and with what error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cba.decisions.monte_carlo_error import mcse_mean
from cba.decisions.shapley_values import shapley

TWO_ERRORS = 2.0
"""A figure of less than this many of its Monte Carlo errors is not told from none."""


@dataclass(frozen=True)
class Moved:
    """A difference of means, or a share of one.

    Attributes
    ----------
    value : float
    mcse : float
        Monte Carlo standard error, of paired draws.

    Examples
    --------
    >>> Moved(3.0, 2.0).within_error
    True
    """

    value: float
    mcse: float

    @property
    def within_error(self) -> bool:
        """Whether it cannot be told from no change: at most two of its Monte Carlo errors."""
        return abs(self.value) <= TWO_ERRORS * self.mcse

    def plus(self, other: Moved) -> Moved:
        """Return the sum, the two errors taken as independent.

        Parameters
        ----------
        other : Moved

        Returns
        -------
        Moved

        Examples
        --------
        >>> Moved(1.0, 3.0).plus(Moved(2.0, 4.0))
        Moved(value=3.0, mcse=5.0)
        """
        return Moved(self.value + other.value, float(np.hypot(self.mcse, other.mcse)))


NOT_MOVED = Moved(0.0, 0.0)
"""The share of a group that is the same in both runs."""


@dataclass(frozen=True)
class Split:
    """One figure's difference and its shares.

    Attributes
    ----------
    first, last : float
        Mean where every group is as before, and where every group is as after.
    total : Moved
    shares : mapping of str to Moved
        By player; they sum to `total` to rounding.
    """

    first: float
    last: float
    total: Moved
    shares: Mapping[str, Moved]


def split_differences(
    world: Callable[[frozenset[str]], Mapping[str, np.ndarray]],
    players: Sequence[str],
    *,
    chains: int | None = None,
    each: Callable[..., Iterable[Mapping[str, np.ndarray]]] = map,
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Split the difference of every figure among the players, draw by draw.

    Parameters
    ----------
    world : callable
        From a set of players to draws (sample) by figure; called once for each of the 2^n sets.
    players : sequence of str
        Those that differ; none leaves nothing to split.
    chains : int, optional
        Equally long Markov chains the draws come from, in order; None for independent draws.
    each : callable
        ``each(world, sets)`` works the worlds out in order; that of a pool works out several at a time.

    Returns
    -------
    splits : dict of str to Split
        Of the figures that every world has.
    missing : tuple of str
        Figures that some worlds have and others have not, which cannot be split.

    Notes
    -----
    ``phi_i = sum_S |S|! (n - |S| - 1)! / n! (v(S + i) - v(S))`` [1]_ is linear in v, so that it is taken in
    every draw: the mean is the share of the mean, and the spread over draws gives its error on common random numbers.

    References
    ----------
    .. [1] Shapley (1953) in *Contributions to the Theory of Games II*, 307-317.

    Examples
    --------
    >>> worlds = {frozenset(): [0.0, 2.0], frozenset("a"): [1.0, 3.0]}
    >>> splits, _ = split_differences(lambda s: {"npv": np.array(worlds[s])}, "a")
    >>> splits["npv"].total, splits["npv"].shares["a"]
    (Moved(value=1.0, mcse=0.0), Moved(value=1.0, mcse=0.0))
    """
    names = list(players)
    sets = [frozenset(c) for size in range(len(names) + 1) for c in combinations(names, size)]
    found = dict(zip(sets, each(world, sets), strict=True))
    every = set.intersection(*(set(draws) for draws in found.values()))
    known = list(dict.fromkeys(key for draws in found.values() for key in draws))
    keys = [key for key in known if key in every]
    tables = {members: np.stack([draws[key] for key in keys]) for members, draws in found.items()}
    none, whole = tables[frozenset()], tables[frozenset(names)]
    shares = shapley(tables.__getitem__, names) if names else {}
    splits = {
        key: Split(
            float(none[row].mean()),
            float(whole[row].mean()),
            paired(whole[row] - none[row], chains=chains),
            {name: paired(share[row], chains=chains) for name, share in shares.items()},
        )
        for row, key in enumerate(keys)
    }
    return splits, tuple(key for key in known if key not in every)


def paired(difference: np.ndarray, *, chains: int | None) -> Moved:
    """Mean of a difference that was taken draw by draw, and its error.

    Parameters
    ----------
    difference : ndarray, shape (sample,)
    chains : int or None
        As in :func:`split_differences`.

    Returns
    -------
    Moved

    Examples
    --------
    >>> paired(np.array([1.0, 1.0]), chains=None)
    Moved(value=1.0, mcse=0.0)
    """
    return Moved(float(difference.mean()), mcse_mean(difference, chains=chains))
