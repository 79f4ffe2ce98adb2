"""Exact Shapley values: how to split what a coalition achieves among its members."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from cba.decisions.draws import (
    FloatArray,
    Quantiles,
    parameter_table,
    refuse_non_finite,
    require_dims,
    resolve_groups,
)
from cba.decisions.regression import (
    GroupBasis,
    block_count,
    block_sums,
    choose_penalty,
    group_basis,
    shuffled,
    spline_basis,
)
from cba.errors import InputError

MOST_PLAYERS = 16
"""65,536 subsets; beyond this, group the players."""


def shapley[Player: Hashable, Value](
    value: Callable[[frozenset[Player]], Value], players: Iterable[Player]
) -> dict[Player, Value]:
    """Exact Shapley value of every player.

    Parameters
    ----------
    value : callable
        What a subset achieves. Called once for each of the 2^n subsets with a frozenset of players, the empty
        one included; returns a float or anything that adds and scales alike (a DataArray of draws, say).
    players : iterable
        Up to 16 different players.

    Returns
    -------
    dict of player to value
        In the order of `players`. The values sum to ``value(all) - value(none)`` to rounding, draw by draw
        where values are arrays.

    Raises
    ------
    InputError
        If there is no player, one comes twice, or there are too many.

    Notes
    -----
    ``sum_S |S|! (n - |S| - 1)! / n! * (value(S + player) - value(S))`` [1]_: the average of a player's
    contribution over all orders of arrival. Interaction is shared, and no order has to be chosen.

    References
    ----------
    .. [1] Shapley (1953) in *Contributions to the Theory of Games II*, 307-317.

    Examples
    --------
    Two measures avert 10 and 20 starts alone and 24 together.

    >>> starts = {frozenset(): 0, frozenset("a"): 10, frozenset("b"): 20, frozenset("ab"): 24}
    >>> shapley(starts.__getitem__, "ab")
    {'a': 7.0, 'b': 17.0}
    """
    names = list(players)
    if not names or len(set(names)) != len(names) or len(names) > MOST_PLAYERS:
        raise InputError(
            "players must be different, and few enough to list every subset",
            field="players",
            found=f"{len(names)} players, {len(set(names))} different",
            allowed=f"1 to {MOST_PLAYERS} different players",
            remedy="group players whose credit need not be told apart",
        )
    achieved = {
        frozenset(subset): value(frozenset(subset))
        for size in range(len(names) + 1)
        for subset in combinations(names, size)
    }
    return {player: _credit(player, names, achieved) for player in names}


def _credit[Player: Hashable, Value](
    player: Player, names: list[Player], achieved: dict[frozenset[Player], Value]
) -> Value:
    others = [name for name in names if name != player]
    total = None
    for size in range(len(names)):
        weight = 1.0 / (len(names) * comb(len(names) - 1, size))
        for subset in combinations(others, size):
            without = frozenset(subset)
            gain = (achieved[without | {player}] - achieved[without]) * weight  # type: ignore[operator]
            total = gain if total is None else total + gain
    return total  # type: ignore[return-value]


# --- Sobol indices: shares of an output's variance due to each *independent* input, alone and … ---


REPLICATES = 8
"""Independent scramblings of the point set; their spread is the standard error."""


def sobol(
    function: Callable[..., ArrayLike],
    distributions: Mapping[str, Quantiles] | Sequence[Quantiles],
    n: int,
    seed: int,
) -> pd.DataFrame:
    """First-order and total Sobol indices with standard errors.

    Parameters
    ----------
    function : callable
        Vectorised over points, returning one value per point. Called with one array per input where its
        parameters bear the inputs' names; otherwise with one argument: a DataFrame of the named inputs, or an
        array (point, input) where `distributions` is a sequence.
    distributions : mapping of name to distribution, or sequence of distributions
        Of the independent inputs; each has ``ppf``. Members of a sequence are called x1, x2, ...
    n : int
        Base points, a power of two and at least 64; `function` sees ``n * (inputs + 2)`` points.
    seed : int
        Of the scrambling; 0 is as good as any.

    Returns
    -------
    DataFrame, columns input, first, first_se, total, total_se
        First-order indices sum to at most one, total indices to at least one, up to error. Small negative
        values are error, and are left as they are.

    Raises
    ------
    InputError
        If `n` is no power of two, there is no input, the output has the wrong shape, is not finite or does
        not vary.

    Notes
    -----
    Scrambled Sobol' points, estimators of Saltelli et al. (2010) for first-order and Jansen (1999) for total
    indices [1]_, over `REPLICATES` independent scramblings of ``n / REPLICATES`` points each. For correlated
    inputs use `shapley_effects`: these indices are then not shares of anything.

    References
    ----------
    .. [1] Saltelli et al. (2010) *Computer Physics Communications* 181:259-270, table 2 (b) and (f).

    Examples
    --------
    >>> from scipy.stats import norm
    >>> table = sobol(lambda x, y: 3 * x + 4 * y, {"x": norm(), "y": norm()}, 8192, 0)
    >>> table["first"].round(2).tolist()
    [0.36, 0.64]
    """
    from scipy.stats import qmc

    names, shapes = _named(distributions)
    if n < 64 or n & (n - 1):
        raise InputError(
            "the number of base points is not a power of two",
            field="n",
            found=n,
            allowed="64, 128, 256, ...",
            cause="Sobol' points are balanced only in powers of two",
        )
    by_name, width = isinstance(distributions, Mapping), len(names)
    results = []
    for child in np.random.SeedSequence(seed).spawn(REPLICATES):
        sequence = qmc.Sobol(2 * width, scramble=True, rng=np.random.default_rng(child))
        points = np.clip(sequence.random(n // REPLICATES), 1e-12, 1.0 - 1e-12)
        results.append(_one_scrambling(function, names, shapes, points, by_name=by_name))
    moments = np.array(results)  # (replicate, 2 * input + 1)
    pooled = moments.mean(axis=0)
    if pooled[-1] <= 0:
        raise InputError("the output does not vary", field="function", found="variance 0", allowed="above 0")
    indices = pooled[:-1] / pooled[-1]
    spread = (moments[:, :-1] - indices * moments[:, -1:]).std(axis=0, ddof=1)
    error = spread / pooled[-1] / np.sqrt(REPLICATES)
    return pd.DataFrame(
        {
            "input": names,
            "first": indices[:width],
            "first_se": error[:width],
            "total": indices[width:],
            "total_se": error[width:],
        }
    )


def _named(
    distributions: Mapping[str, Quantiles] | Sequence[Quantiles],
) -> tuple[list[str], list[Quantiles]]:
    if isinstance(distributions, Mapping):
        names, shapes = [str(name) for name in distributions], list(distributions.values())
    else:
        shapes = list(distributions)
        names = [f"x{place}" for place in range(1, len(shapes) + 1)]
    missing = [name for name, shape in zip(names, shapes, strict=True) if not hasattr(shape, "ppf")]
    if missing or not names:
        raise InputError(
            "an input has no quantile function",
            field=", ".join(missing) or "distributions",
            found="no inputs" if not names else "no ppf",
            allowed="one or more distributions with ppf",
            remedy="scipy.stats.uniform(low, high - low), scipy.stats.norm(mean, sd), ...",
        )
    return names, shapes


def _one_scrambling(
    function: Callable[..., ArrayLike],
    names: list[str],
    shapes: list[Quantiles],
    points: FloatArray,
    *,
    by_name: bool,
) -> FloatArray:
    """Numerators of the first-order and total indices, then the variance."""
    width = len(names)
    places = zip([*shapes, *shapes], points.T, strict=True)
    values = np.stack([np.asarray(shape.ppf(place), dtype=np.float64) for shape, place in places], axis=1)
    first, second = values[:, :width], values[:, width:]
    of_first, of_second = (_evaluate(function, names, table, by_name=by_name) for table in (first, second))
    centre = 0.5 * (of_first.mean() + of_second.mean())
    variance = np.mean((np.concatenate([of_first, of_second]) - centre) ** 2)
    single, total = [], []
    for place in range(width):
        mixed = first.copy()
        mixed[:, place] = second[:, place]
        of_mixed = _evaluate(function, names, mixed, by_name=by_name)
        single.append(np.mean((of_second - centre) * (of_mixed - of_first)))
        total.append(0.5 * np.mean((of_first - of_mixed) ** 2))
    return np.array([*single, *total, variance])


def _evaluate(
    function: Callable[..., ArrayLike], names: list[str], table: FloatArray, *, by_name: bool
) -> FloatArray:
    if _takes_names(function, names):
        outcome = function(**dict(zip(names, table.T, strict=True)))
    else:
        outcome = function(pd.DataFrame(table, columns=names) if by_name else table)
    values = np.asarray(outcome, dtype=np.float64)
    if values.shape != (len(table),):
        raise InputError(
            "the function must return one value per point",
            field="function",
            found=f"shape {values.shape} for {len(table)} points",
            allowed=f"shape ({len(table)},)",
            cause="a function written for one point at a time",
            remedy="numpy.vectorize it, or use array operations",
        )
    refuse_non_finite(values, field="function")
    return values


def _takes_names(function: Callable[..., ArrayLike], names: list[str]) -> bool:
    try:
        accepted = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some built-in functions have no signature
        return False
    return all(name in accepted for name in names)


# --- Shapley effects: shares of an output's variance due to inputs that may be correlated, from draws … ---


UNEXPLAINED = "unexplained"
"""The last row of `shapley_effects`: the share of the variance that the fits find in none of the inputs."""


MOST_GROUPS = 8
"""256 subsets to fit; beyond this, put inputs into groups."""


def shapley_effects(
    outcome: xr.DataArray,
    parameters: xr.Dataset | pd.DataFrame,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Split the variance of an outcome among inputs, correlated or not.

    Parameters
    ----------
    outcome : DataArray, dims (sample,)
        Any quantity; its draws are paired with `parameters`.
    parameters : Dataset over sample, or DataFrame
    groups : mapping of str to list of str, optional
        Inputs that share one effect; None takes each column on its own. At most eight.

    Returns
    -------
    DataFrame, columns group, effect, se
        Shares of the variance, and last the share left "unexplained": what the fits find in none of the inputs,
        because it is noise, comes from inputs not given, or takes an interaction of three or more of them. All
        rows sum to one; noise in the fits can make a small one slightly negative.

    Raises
    ------
    InputError
        For unpaired draws, NaN, too many groups, fewer draws than parameters or fewer than 128, or an outcome
        that does not vary.

    Notes
    -----
    Shapley values of ``S -> Var(E[outcome | inputs in S]) / Var(outcome)`` [1]_, exact over all subsets; each
    variance from the regression behind `evppi`, corrected for its degrees of freedom. Interactions of three inputs
    or more are not sought: look at what is left unexplained before reading the shares. With independent inputs the
    effects lie between first-order and total Sobol indices; with correlated ones an input without any effect of its
    own shares in what it is correlated with.

    References
    ----------
    .. [1] Owen (2014) *SIAM/ASA Journal on Uncertainty Quantification* 2:245-251; Song, Nelson & Staum (2016)
       in the same journal 4:1060-1083.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 4000))
    >>> table = shapley_effects(xr.DataArray(3 * x + 4 * y, dims="sample"), pd.DataFrame({"x": x, "y": y}))
    >>> bool(abs(table["effect"] - [0.36, 0.64, 0.0]).max() < 0.03), table["group"].tolist()
    (True, ['x', 'y', 'unexplained'])
    """
    outcome = require_dims(outcome, ("sample",), field="outcome")
    columns = parameter_table(parameters, outcome)
    chosen = resolve_groups(groups, columns)
    _refuse_groups(chosen)
    values = outcome.values
    blocks = block_count(len(values))
    order = shuffled(len(values))
    centred = (values - values.mean())[order][:, None]
    variance = float((centred**2).mean())
    if variance <= 1e-24 * float((values**2).mean()):
        raise InputError("the outcome does not vary", field="outcome", found="variance 0", allowed="above 0")
    bases = {name: spline_basis(columns[name][order]) for members in chosen.values() for name in members}
    names = [name for name, basis in bases.items() if len(basis.roughness) > 1]
    places = {
        group: {names.index(name) for name in members if name in names} for group, members in chosen.items()
    }
    fits = _fits_of(group_basis([bases[name] for name in names]), centred) if names else None
    explained = {
        frozenset(subset): _explained(
            fits, set().union(*(places[group] for group in subset)), centred, blocks
        )
        for size in range(len(chosen) + 1)
        for subset in combinations(chosen, size)
    }
    effects = shapley(explained.__getitem__, list(chosen))
    spread = block_sums(centred**2, blocks)[:, 0] / len(values)
    return _table(effects, variance, spread)


def _refuse_groups(chosen: Mapping[str, Sequence[str]]) -> None:
    """Refuse a group named as what no group explains, and more groups than can be fitted."""
    if UNEXPLAINED in chosen:
        raise InputError(
            "a group has the name of the share that no group explains",
            field="groups",
            found=UNEXPLAINED,
            allowed="any other name",
            remedy="rename the group or the column",
        )
    if len(chosen) > MOST_GROUPS:
        raise InputError(
            "there are too many inputs to fit every subset",
            field="groups",
            found=f"{len(chosen)} groups",
            allowed=f"up to {MOST_GROUPS}",
            remedy="group inputs by research question",
        )


@dataclass(frozen=True)
class _Fits:
    """The functions of all inputs with their moments, from which every subset is fitted."""

    basis: GroupBasis
    gram: FloatArray
    cross: FloatArray
    penalty: FloatArray


def _fits_of(basis: GroupBasis, centred: FloatArray) -> _Fits:
    """Moments and one penalty for all subsets, so that adding an input never takes a function away."""
    draws = len(centred)
    gram, cross = basis.functions.T @ basis.functions / draws, basis.functions.T @ centred / draws
    square = (centred**2).mean(axis=0)
    return _Fits(basis, gram, cross, choose_penalty(basis, gram, cross, square, draws))


def _explained(fits: _Fits | None, members: set[int], centred: FloatArray, blocks: int) -> FloatArray:
    """Explained variance, then its parts by block (sums over draws divided by the number of draws)."""
    if fits is None or not members:
        return np.zeros(blocks + 1)
    used = np.isin(fits.basis.inputs, [-1, *members]).all(axis=1)
    gram, cross = fits.gram[np.ix_(used, used)], fits.cross[used]
    solved = np.linalg.solve(gram + fits.penalty[np.ix_(used, used)], np.concatenate([cross, gram], axis=1))
    coefficients = np.zeros(len(used))
    coefficients[used] = solved[:, 0]
    left = (centred[:, 0] - fits.basis.functions @ coefficients) ** 2
    gained = centred[:, 0] ** 2 - left / (1.0 - np.trace(solved[:, 1:]) / len(left))
    parts = block_sums(gained[:, None], blocks)[:, 0] / len(left)
    return np.concatenate([[parts.sum()], parts])


def _table(effects: dict[str, FloatArray], variance: float, spread: FloatArray) -> pd.DataFrame:
    """Shares with their errors, and what no group explains."""
    rows = [(group, *_share(parts, variance, spread)) for group, parts in effects.items()]
    explained, error = _share(np.sum(list(effects.values()), axis=0), variance, spread)
    rows.append((UNEXPLAINED, 1.0 - explained, error))
    return pd.DataFrame(rows, columns=["group", "effect", "se"])


def _share(parts: FloatArray, variance: float, spread: FloatArray) -> tuple[float, float]:
    """A share and its error from the blocks: it is a ratio of sums over draws."""
    share = float(parts[0] / variance)
    influence = (parts[1:] - share * spread) / variance
    error = np.sqrt(len(spread) / (len(spread) - 1.0) * ((influence - influence.mean()) ** 2).sum())
    return share, float(error)
