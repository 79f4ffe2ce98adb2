"""Turn entries of the prior registry into PyMC random variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pymc as pm
import pytensor.tensor as pt

from cba.errors import InputError

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry


def prior_term(
    priors: PriorRegistry, entry: str, *, name: str | None = None, dims: str | tuple[str, ...] | None = None
) -> pt.TensorVariable:
    """Add one registry entry to the PyMC model in context.

    Parameters
    ----------
    priors : PriorRegistry
        As returned by :func:`cba.load_priors`.
    entry : str
        Dotted name of the entry, for example ``"baseline.start_innovation_sd"``.
    name : str, optional
        Name in the model; the entry's last part when left out.
    dims : str or tuple of str, optional
        Model dimensions; every element gets the same independent prior.

    Returns
    -------
    TensorVariable

    Raises
    ------
    InputError
        If the entry's family is not one the models support.

    Examples
    --------
    >>> import cba
    >>> with pm.Model() as model:
    ...     prior_term(cba.load_priors(), "baseline.shock_probability").name
    'shock_probability'
    """
    settings = priors[entry].parameters
    family = priors[entry].distribution
    name = name or entry.rsplit(".", 1)[-1]
    match family:
        case "Normal":
            return pm.Normal(name, mu=settings["mu"], sigma=settings["sigma"], dims=dims)
        case "LogNormal":
            return pm.LogNormal(name, mu=settings["mu"], sigma=settings["sigma"], dims=dims)
        case "HalfNormal":
            return pm.HalfNormal(name, sigma=settings["sigma"], dims=dims)
        case "Gamma":
            return pm.Gamma(name, alpha=settings["alpha"], beta=settings["beta"], dims=dims)
        case "Beta":
            return pm.Beta(name, alpha=settings["alpha"], beta=settings["beta"], dims=dims)
    raise InputError(
        "a model cannot use this family of prior",
        file="priors/",
        field=entry,
        found=family,
        allowed="Normal, LogNormal, HalfNormal, Gamma, Beta",
        cause="a family meant for quantities drawn outside the fitted models",
        remedy="restate the entry with one of the allowed families",
    )
