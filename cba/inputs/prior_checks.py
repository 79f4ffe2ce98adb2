"""Bounds of what is plausible for a policy output, stated with their papers: prior checks count draws inside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

import pandas as pd
from pydantic import Field, model_validator

from cba.errors import InputError
from cba.inputs.files import nearest, priors_folder, read_toml, shipped_folder
from cba.inputs.prior_entries import Basis, Confidence, Source
from cba.inputs.quantile_fits import QuantileFit, elicit, fit_quantiles
from cba.inputs.written_records import Amount, Day, Number, Text, WrittenRecord, checked_record

if TYPE_CHECKING:
    from cba.inputs.prior_entries import PriorEntry
    from cba.inputs.priors import PriorRegistry


QUANTITIES: tuple[str, ...] = ("children_in_care", "system_cost", "fewer_children", "annual_saving")
"""Outputs that have bounds."""


class Bounds(WrittenRecord):
    """Lowest and highest plausible value of one output, as a ratio or share."""

    description: Text
    lower: Amount
    upper: Amount
    unit: Text
    basis: Basis
    confidence: Confidence
    owner: Text
    reviewed: Day
    source: Annotated[tuple[Source, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Bounds:
        if not self.lower < self.upper:
            raise InputError(
                "the lower bound is not below the upper one",
                field="lower",
                found=f"{self.lower:g} and {self.upper:g}",
                allowed="lower < upper",
            ).advice("the two swapped", remedy="correct one of the two")
        return self


def load_plausibility(path: str | Path | None = None) -> Mapping[str, Bounds]:
    """Load the plausibility bounds of policy outputs.

    One per member of `QUANTITIES`. `path`: a TOML file; ``priors/checks/plausibility.toml`` as shipped by
    default.
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
        ).advice(
            "a misspelt heading, or a table removed",
            remedy="correct the heading" + nearest((unknown or missing)[0], QUANTITIES)
            if unknown
            else "add the table",
        )
    return MappingProxyType(
        {name: checked_record(Bounds, written[name], file=file, field=name) for name in QUANTITIES}
    )


# --- The standard that every option passes before a report recommends it ---


class Standard(WrittenRecord):
    """Chances, designs and studies that decide a verdict, as stated before any was read."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    recommended_from: Annotated[Number, Field(gt=0.0, le=1.0)]
    promising_from: Annotated[Number, Field(ge=0.0, lt=1.0)]
    value_per_child_year: Annotated[Amount, Field(ge=0.0)]  # GBP, of the headline
    controlled_designs: Annotated[tuple[Text, ...], Field(min_length=1)]
    place_studied: Text
    studies: Mapping[Text, tuple[Text, ...]]  # designs on offer by the input they measure
    arithmetic_forbids: Mapping[Text, Text]  # effects that cannot do harm, and why


def load_standard(path: str | Path | None = None) -> Standard:
    """Load the standard; the one that ships where the priors in force hold none, as inputs of old runs do not."""
    places = [folder / "checks" / "standard.toml" for folder in (priors_folder(), shipped_folder("priors"))]
    file = Path(path) if path else next((place for place in places if place.is_file()), places[0])
    return checked_record(Standard, read_toml(file), file=file)


# --- The same stated quantiles in other families: what the choice of a family adds to a prior ---


ALTERNATIVES = ("Normal", "LogNormal", "Gamma", "Beta", "HalfNormal", "Exponential", "Triangular", "Uniform")
"""Families compared with the one of an entry, in the order preferred where they fit equally well."""


SHOWN = 2
"""Alternatives kept for each entry."""


MOST_OUTSIDE = 0.001
"""Largest probability an alternative may put where the entry's own family has none."""


def alternative_fits(entry: PriorEntry, *, families: Sequence[str] = ALTERNATIVES) -> tuple[QuantileFit, ...]:
    """Fit other families to the quantiles an entry states, best first.

    Up to two; none where parameters were stated, because then the family is part of what was said.
    """
    # `families`: families tried; the entry's own is left out. Those that reach where the entry cannot are cut
    # there, if fewer than two others hold the belief.
    if entry.quantiles is None:
        return ()
    others = [family for family in families if family != entry.fitted.family]
    found = [fit for family in others if (fit := _within(entry, family, cut=False)) is not None]
    if len(found) < SHOWN:
        had = {fit.distribution.family for fit in found}
        cut = [_within(entry, family, cut=True) for family in others if family not in had]
        found += [fit for fit in cut if fit is not None]
    return tuple(sorted(found, key=lambda fit: round(fit.error, 6))[:SHOWN])


def _within(entry: PriorEntry, family: str, *, cut: bool) -> QuantileFit | None:
    """Fit a family, as it is or cut to where the entry may be; None where it cannot hold the belief there."""
    low, high = entry.support
    bounds = {"lower": low, "upper": high} if cut else {}
    finite = {end: value for end, value in bounds.items() if math.isfinite(value)}
    stated = entry.quantiles or {}
    try:
        if family == "Triangular" and len(stated) == 2:
            fit = _centred(stated)
        else:
            fit = fit_quantiles(family, quantiles=stated, largest_error=math.inf, **finite)
    except InputError:
        return None
    outside = 1.0 - float(fit.distribution.cdf(high) - fit.distribution.cdf(low))
    return fit if outside <= MOST_OUTSIDE else None


def _centred(stated: Mapping[float, float]) -> QuantileFit:
    """Return the triangle centred on two quantiles with equal tails, which two numbers alone do not determine."""
    (p, lower), (q, upper) = sorted(stated.items())
    if not math.isclose(p + q, 1.0):
        raise InputError("the tails are not equal", field="quantiles", found=f"{p:g} and {q:g}")
    found = elicit("Triangular", mass=q - p, lower=lower, upper=upper)
    fitted = {probability: float(found.distribution.ppf(probability)) for probability in (p, q)}
    return QuantileFit(found.distribution, stated, fitted, found.fit_error, found.method)


def prior_alternatives(priors: PriorRegistry) -> pd.DataFrame:
    """Every fitted prior beside the two other families that come nearest to what was stated.

    One row per entry and family, the entry's own first: name, rank (0 for its own), family, fit_error
    (largest miss as a share of the stated spread), q05, q50, q95 and stated (quantiles).
    """
    # Entries stated by parameters are left out: they were fitted to nothing.
    rows = []
    for entry in priors.entries.values():
        if entry.quantiles is None:
            continue
        own = (entry.fitted, entry.fit_error)
        others = [(fit.distribution, fit.error) for fit in alternative_fits(entry)]
        stated = ", ".join(f"{p:g}: {value:g}" for p, value in entry.quantiles.items())
        for rank, (fitted, error) in enumerate([own, *others]):
            low, middle, high = (float(value) for value in fitted.ppf([0.05, 0.5, 0.95]))
            rows.append((entry.name, rank, fitted.label, error, low, middle, high, stated))
    columns = ["name", "rank", "family", "fit_error", "q05", "q50", "q95", "stated"]
    return pd.DataFrame(rows, columns=columns)
