"""Words for probabilities: the UK government's probability yardstick, printed in the report and used in it.

The yardstick leaves gaps between its bands (for example 10 to 20 per cent, then 25 to 35); here each gap
is closed at
its middle, so that every probability has one word.
"""

from __future__ import annotations

from dataclasses import dataclass

from cba.errors import InputError


@dataclass(frozen=True)
class Band:
    """One band: its words, the range the yardstick gives, and where the next one starts here (0 to 1)."""

    words: str
    yardstick: str
    below: float


BANDS = (
    Band("a remote chance", "0% to about 5%", 0.075),
    Band("highly unlikely", "about 10% to 20%", 0.225),
    Band("unlikely", "about 25% to 35%", 0.375),
    Band("a realistic possibility", "about 40% to under 50%", 0.525),
    Band("likely", "about 55% to 75%", 0.775),
    Band("highly likely", "about 80% to 90%", 0.925),
    Band("almost certain", "about 95% to 100%", 1.0),
)


def words_for(probability: float) -> str:
    """Return the words for a probability.

    Parameters
    ----------
    probability : float
        0 to 1.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If it is outside 0 to 1.

    Examples
    --------
    >>> words_for(0.02), words_for(0.6)
    ('a remote chance', 'likely')
    """
    if not 0.0 <= probability <= 1.0:
        raise InputError("a probability is outside 0 to 1", found=probability, allowed="0 to 1")
    return next((band.words for band in BANDS if probability < band.below), BANDS[-1].words)
