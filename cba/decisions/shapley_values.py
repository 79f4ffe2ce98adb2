"""Exact Shapley values: how to split what a coalition achieves among its members."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from itertools import combinations
from math import comb

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
