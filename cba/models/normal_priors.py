"""Read entries of the prior registry that enter a model in closed form; loads no sampler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cba.errors import InputError

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry


def normal_settings(priors: PriorRegistry, entry: str) -> tuple[float, float]:
    """Mean and standard deviation of an entry that enters a model in closed form, so must be normal.

    Parameters
    ----------
    priors : PriorRegistry
        As returned by :func:`cba.load_priors`.
    entry : str
        Dotted name, for example ``"effects.bias_rct"``.

    Returns
    -------
    mean, sd : float

    Raises
    ------
    InputError
        If the entry is of another family: a log-normal has a ``mu`` and ``sigma`` too, of something else.

    Examples
    --------
    >>> import cba
    >>> normal_settings(cba.load_priors(), "effects.bias_rct")
    (0.0, 0.05)
    """
    family, settings = priors[entry].distribution, priors[entry].parameters
    if family != "Normal":
        raise InputError(
            "this prior must be normal",
            file="priors/",
            field=entry,
            found=family,
            allowed="Normal, without bounds",
            cause="a prior that enters a closed form, where no other family fits",
            remedy="restate the entry as a Normal",
        )
    return float(settings["mu"]), float(settings["sigma"])
