"""Priors stated by several experts: each one's quantiles, pooled into the quantiles the entry is fitted to.

An entry of a prior file may hold ``experts`` and ``pool`` in place of ``quantiles``::

    pool = "linear"
    experts = [
      { name = "A", distribution = "Beta", quantiles = { "0.05" = 0.1, "0.5" = 0.3, "0.95" = 0.6 }, weight = 0.5 },
      { name = "B", distribution = "Beta", quantiles = { "0.05" = 0.2, "0.5" = 0.4, "0.95" = 0.7 }, weight = 0.5 },
    ]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cba.errors import InputError
from cba.inputs.expert_pools import pool_experts
from cba.inputs.quantile_fits import QuantileFit, fit_quantiles
from cba.inputs.toml_reading import Number, Text, checked_record, placed

POOLED_AT = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Probabilities at which the pool is handed to the family of the entry."""


class Expert(BaseModel):
    """What one expert said, and the weight of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Text
    distribution: Text
    quantiles: Mapping[Text, Number]
    weight: Annotated[Number, Field(ge=0.0, le=1.0)]
    lower: Number | None = None
    upper: Number | None = None


class _Panel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    pool: Literal["linear", "logarithmic"]
    experts: Annotated[tuple[Expert, ...], Field(min_length=2)]


@dataclass(frozen=True)
class PooledExperts:
    """The experts behind an entry.

    Attributes
    ----------
    pool : {"linear", "logarithmic"}
    experts : tuple of Expert
    fits : tuple of QuantileFit
        Each expert's own distribution, with its fit error.
    quantiles : mapping of str to float
        Of the pool, at :data:`POOLED_AT`, keyed as in a prior file.
    """

    pool: str
    experts: tuple[Expert, ...]
    fits: tuple[QuantileFit, ...]
    quantiles: Mapping[str, float]

    def words(self) -> str:
        """Return in one line who said what, and how it was pooled."""
        said = [
            f"{expert.name} (weight {expert.weight:g}, {expert.distribution}, fit error {fit.error:.1%}): "
            + ", ".join(f"{float(p):.0%} at {value:g}" for p, value in expert.quantiles.items())
            for expert, fit in zip(self.experts, self.fits, strict=True)
        ]
        return f"{self.pool} pool of " + "; ".join(said)

    def content(self) -> list[Any]:
        """Return everything that identifies the panel, as plain values."""
        return [self.pool, [expert.model_dump(mode="json") for expert in self.experts]]


def split_experts(
    written: Mapping[str, Any], *, name: str, file: str
) -> tuple[dict[str, Any], PooledExperts | None]:
    """Replace the experts of a written entry by the quantiles of their pool.

    Parameters
    ----------
    written : mapping
        The entry as read from TOML.
    name, file : str
        Named in messages.

    Returns
    -------
    entry : dict
        Without experts; with the pooled quantiles where there were any.
    panel : PooledExperts or None

    Raises
    ------
    InputError
        If quantiles or parameters stand beside experts, a field is wrong, weights do not sum to 1, or what an
        expert said does not fit the family named.

    Examples
    --------
    >>> says = {"distribution": "Normal", "weight": 0.5}
    >>> panel = [
    ...     {**says, "name": name, "quantiles": {"0.05": mean - 1.645, "0.95": mean + 1.645}}
    ...     for name, mean in (("A", -1.0), ("B", 1.0))
    ... ]
    >>> entry, pooled = split_experts({"pool": "logarithmic", "experts": panel}, name="x.y", file="x.toml")
    >>> round(entry["quantiles"]["0.95"], 1)
    1.6
    """
    rest = {key: value for key, value in written.items() if key not in ("experts", "pool")}
    if len(rest) == len(written):
        return rest, None
    if {"quantiles", "params"} & set(rest):
        raise InputError(
            "an entry states experts and a distribution of its own",
            file=file,
            field=f"{name}.experts",
            found=" and ".join(sorted({"quantiles", "params"} & set(rest))) + " beside experts",
            allowed="one of the two",
            cause="an earlier judgement left in place",
            remedy="remove the quantiles or params; they are worked out from the pool",
        )
    stated = {key: written[key] for key in ("pool", "experts") if key in written}
    panel = checked_record(_Panel, stated, file=file, field=name)
    try:
        pooled = _pooled(panel)
    except InputError as error:
        raise placed(error, file=file, field=f"{name}.experts") from None
    return rest | {"quantiles": dict(pooled.quantiles)}, pooled


def _pooled(panel: _Panel) -> PooledExperts:
    fits = tuple(
        fit_quantiles(
            expert.distribution,
            quantiles={float(p): value for p, value in expert.quantiles.items()},
            lower=expert.lower,
            upper=expert.upper,
        )
        for expert in panel.experts
    )
    pool = pool_experts(
        [fit.distribution for fit in fits], weights=[e.weight for e in panel.experts], method=panel.pool
    )
    quantiles = {f"{p:g}": float(pool.ppf(p)) for p in POOLED_AT}
    return PooledExperts(panel.pool, panel.experts, fits, quantiles)
