"""Bounds of what is plausible for a policy output, stated with their papers: prior checks count draws inside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cba.errors import InputError
from cba.inputs.shipped_files import priors_folder
from cba.inputs.toml_reading import Number, Text, checked_record, nearest, read_toml
from cba.inputs.written_priors import Basis, Confidence, Source

QUANTITIES: tuple[str, ...] = ("children_in_care", "system_cost", "fewer_children", "annual_saving")
"""Outputs that have bounds."""


class Bounds(BaseModel):
    """Lowest and highest plausible value of one output, as a ratio or share."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    description: Text
    lower: Number
    upper: Number
    unit: Text
    basis: Basis
    confidence: Confidence
    owner: Text
    reviewed: date
    source: Annotated[tuple[Source, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Bounds:
        if not self.lower < self.upper:
            raise InputError(
                "the lower bound is not below the upper one",
                field="lower",
                found=f"{self.lower:g} and {self.upper:g}",
                allowed="lower < upper",
                cause="the two swapped",
                remedy="correct one of the two",
            )
        return self


def load_plausibility(path: str | Path | None = None) -> Mapping[str, Bounds]:
    """Load the plausibility bounds of policy outputs.

    Parameters
    ----------
    path : str or Path, optional
        A TOML file; ``priors/checks/plausibility.toml`` as shipped by default.

    Returns
    -------
    mapping of str to Bounds
        One per member of :data:`QUANTITIES`.

    Raises
    ------
    InputError
        If an output is unknown or has no bounds, or a field is missing or out of order.

    Examples
    --------
    >>> load_plausibility()["fewer_children"].upper
    0.3
    """
    file = priors_folder() / "checks" / "plausibility.toml" if path is None else Path(path)
    written = read_toml(file)
    unknown = sorted(set(written) - set(QUANTITIES))
    missing = [name for name in QUANTITIES if name not in written]
    if unknown or missing:
        raise InputError(
            "an unknown output has bounds" if unknown else "an output has no bounds",
            file=file,
            field=(unknown or missing)[0],
            allowed=", ".join(QUANTITIES),
            cause="a misspelt heading, or a table removed",
            remedy="correct the heading" + nearest((unknown or missing)[0], QUANTITIES)
            if unknown
            else "add the table",
        )
    return MappingProxyType(
        {name: checked_record(Bounds, written[name], file=file, field=name) for name in QUANTITIES}
    )
