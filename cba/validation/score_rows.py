"""Rows of the record of past forecasts: one for each forecast of one figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from cba.validation.scoring import scores


def score_rows(
    forecasts: Mapping[str, np.ndarray], *, origin: int, kind: str, quantity: str, ahead: int, outturn: float
) -> Iterator[dict[str, object]]:
    """Score several forecasts of the same figure.

    Parameters
    ----------
    forecasts : mapping of str to ndarray, shape (sample,)
        Draws by name of the forecast.
    origin : int
        Last year known.
    kind : str
        As in :class:`cba.validation.known_then.Origin`.
    quantity : str
    ahead : int
        Years from the origin.
    outturn : float
        What happened.

    Yields
    ------
    dict
        Columns of :func:`cba.validation.backtest_totals.backtest_totals`.

    Examples
    --------
    >>> given = {"drift": np.array([1.0, 2.0, 3.0])}
    >>> row = next(score_rows(given, origin=2020, kind="made", quantity="stock", ahead=2, outturn=2.0))
    >>> row["year"], row["forecast"], row["mean"], row["pit"]
    (2022, 'drift', 2.0, 0.5)
    """
    for name, draws in forecasts.items():
        yield {
            "origin": origin,
            "kind": kind,
            "quantity": quantity,
            "ahead": ahead,
            "year": origin + ahead,
            "forecast": name,
            "mean": float(draws.mean()),
            "outturn": outturn,
            **scores(draws, outturn),
        }
