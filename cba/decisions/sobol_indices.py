"""Sobol indices: shares of an output's variance due to each *independent* input, alone and interacting."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cba.decisions.draws import FloatArray, refuse_non_finite
from cba.errors import InputError

REPLICATES = 8
"""Independent scramblings of the point set; their spread is the standard error."""


class Quantiles(Protocol):
    """Anything with quantiles: a frozen SciPy distribution, a PreliZ distribution."""

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Quantile at probability `q`."""


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
    sequence = np.random.SeedSequence(seed).spawn(REPLICATES)
    results = []
    for child in sequence:
        points = qmc.Sobol(2 * len(names), scramble=True, rng=np.random.default_rng(child)).random(
            n // REPLICATES
        )
        points = np.clip(points, 1e-12, 1.0 - 1e-12)
        results.append(
            _one_scrambling(function, names, shapes, points, by_name=isinstance(distributions, Mapping))
        )
    moments = np.array(results)  # (replicate, 2 * input + 1)
    pooled = moments.mean(axis=0)
    width = len(names)
    if pooled[-1] <= 0:
        raise InputError("the output does not vary", field="function", found="variance 0", allowed="above 0")
    indices = pooled[:-1] / pooled[-1]
    error = (
        (moments[:, :-1] - indices * moments[:, -1:]).std(axis=0, ddof=1) / pooled[-1] / np.sqrt(REPLICATES)
    )
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
    first = _quantiles(points[:, :width], shapes)
    second = _quantiles(points[:, width:], shapes)
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


def _quantiles(points: FloatArray, shapes: list[Quantiles]) -> FloatArray:
    columns = [
        np.asarray(shape.ppf(points[:, place]), dtype=np.float64) for place, shape in enumerate(shapes)
    ]
    return np.stack(columns, axis=1)


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
