"""One entry of the prior registry: its written form, its checks and the fitted record it becomes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cba.errors import InputError
from cba.inputs.distributions import Distribution, check_family, distribution
from cba.inputs.files import placed
from cba.inputs.quantile_fits import fit_quantiles
from cba.inputs.written_records import Amount, Day, Text, Whole, WrittenRecord, checked_record

# --- What the unit of a prior demands: money has a price year, a share stays between 0 and 1 ---


def check_price_year(unit: str, price_year: int | None) -> None:
    """Refuse money without a price year, and a price year without money.

    `unit`: money where it starts with ``GBP``.
    """
    money = unit.startswith("GBP")
    if money and price_year is None:
        raise InputError(
            "an amount of money has no price year",
            field="price_year",
            found=f"unit {unit}",
            allowed="a year ending 31 March",
        ).advice(
            "price base not noted when the figure was copied",
            remedy="add price_year, for example price_year = 2024",
        )
    if not money and price_year is not None:
        raise InputError(
            "a price year is given for something that is not money",
            field="price_year",
            found=f"{price_year} with unit {unit}",
            allowed="only with a unit that starts with GBP",
        ).advice("a wrong unit, or a field copied from another entry", remedy="correct the unit or remove it")


def check_range(unit: str, fitted: Distribution) -> None:
    """Refuse shares that can leave 0 to 1, and money that can be negative without saying so.

    `unit`: ``share``, or money where it starts with ``GBP``.
    """
    low, high = fitted.support
    if unit == "share" and (low < 0 or high > 1):
        p05, p95 = (float(value) for value in fitted.ppf([0.05, 0.95]))
        raise InputError(
            "a share can fall outside 0 to 1",
            field="quantiles",
            found=f"5-95% from {p05:.3g} to {p95:.3g}, support {low:g} to {high:g}",
            allowed="0 to 1",
        ).advice(
            "per cent written for a proportion, or an unbounded family",
            remedy="use Beta, or add lower and upper bounds within 0 to 1",
        )
    if unit.startswith("GBP") and low < 0 and (math.isinf(low) or fitted.family == "Fixed"):
        p05 = float(fitted.ppf(0.05))
        if p05 < 0:
            raise InputError(
                "an amount of money is negative",
                field="quantiles",
                found=f"5% point {p05:.4g}",
                allowed="0 or more",
            ).advice(
                "a saving entered as a negative cost, or a spread too wide",
                remedy="state it as positive, or use a family bounded by stated limits",
            )


# --- The written form of a prior: which fields an entry of a prior file has and what each may hold ---


Confidence = Literal["blue", "red", "amber", "green"]


Basis = Literal["evidence", "series", "judgement", "published claim"]


OverridingStance = Literal["sceptical"]


class Source(WrittenRecord):
    """Title and address of what supports a number; only a judgement may have no address."""

    title: Text
    url: Annotated[str, Field(strict=True)]

    @model_validator(mode="after")
    def _has_an_address(self) -> Source:
        judged = self.title.lower().startswith("judgement:")
        if not re.fullmatch(r"https?://[^\s/]+\S*", self.url) and not (self.url == "" and judged):
            raise InputError(
                "a source has no address",
                found=repr(self.url),
                allowed="a web address; empty only for a judgement",
            ).advice(
                "an address left out, or a judgement not marked as one",
                remedy="give the page, or start the title with 'judgement:'",
            )
        return self


class Shape(WrittenRecord):
    """What an entry and an override of it may both say."""

    distribution: Text | None = None
    quantiles: Mapping[Text, Amount] | None = None
    params: Mapping[Text, Amount] | None = None
    lower: Amount | None = None
    upper: Amount | None = None


class Override(Shape):
    """The fields another stance replaces, and why."""

    reason: Text
    confidence: Confidence | None = None
    basis: Basis | None = None
    owner: Text | None = None
    reviewed: Day | None = None
    source: Annotated[tuple[Source, ...], Field(min_length=1)] | None = None


class WrittenEntry(Shape):
    """An entry as written in a prior file; see :class:`PriorEntry` for the meaning of the fields."""

    description: Text
    distribution: Text
    unit: Text
    price_year: Annotated[Whole, Field(ge=1990, le=2100)] | None = None
    confidence: Confidence
    owner: Text
    reviewed: Day
    source: Annotated[tuple[Source, ...], Field(min_length=1)]
    basis: Basis
    shares_group: Text | None = None
    stance: Mapping[OverridingStance, Override] = Field(default_factory=dict)


_PAPERS = ("confidence", "basis", "owner", "reviewed", "source")
"""Papers of an entry, which the override of a stance may replace."""


@dataclass(frozen=True)
class PriorEntry:
    """One uncertain number with its papers, as one stance holds it."""

    name: str  # dotted name, ``group.name``
    # description and unit: what it is; a unit that starts with ``GBP`` has a price year
    # (year ending 31 March).
    description: str
    unit: str
    price_year: int | None
    fitted: Distribution  # the distribution that is drawn from
    # Quantiles as stated, probability to value; None where parameters were stated.
    quantiles: Mapping[float, float] | None
    fit_error: float
    confidence: str  # ``green``, ``amber``, ``red`` or ``blue``
    basis: str  # ``evidence``, ``series``, ``judgement`` or ``published claim``
    owner: str
    reviewed: date | None  # None where an option states the entry and leaves the day out
    source: tuple[Source, ...]
    shares_group: str | None  # shares of one whole: medians of the group's entries sum to 1
    stance: str  # the stance whose override is in force, or ``evidence``
    reason: str  # why that stance overrides it; empty otherwise
    overridden_by: tuple[str, ...]  # stances that override this entry
    file: str

    @property
    def distribution(self) -> str:
        """Name of the family, ``Truncated...`` where bounds cut it."""
        return self.fitted.label

    @property
    def parameters(self) -> Mapping[str, float]:
        """Fitted parameters, named as in PyMC and PreliZ."""
        return self.fitted.parameters

    @property
    def support(self) -> tuple[float, float]:
        """Lowest and highest possible value."""
        return self.fitted.support

    @property
    def median(self) -> float:
        """Median of the fitted distribution."""
        return float(self.fitted.ppf(0.5))

    def quantile(self, q: float) -> float:
        """Return the `q` quantile (0 < q < 1), in the entry's unit."""
        if not 0 < q < 1:
            raise InputError(
                "a probability is not strictly between 0 and 1", field="q", found=q, allowed="0 < q < 1"
            )
        return float(self.fitted.ppf(q))

    def content(self) -> dict[str, Any]:
        """Return everything that identifies the entry, as plain values (used for the fingerprint)."""
        named = ("name", *_PAPERS, "description", "unit", "price_year", "shares_group", "stance", "reason")
        return {
            **{field: getattr(self, field) for field in named},
            "family": self.fitted.family,
            "stated": {str(k): v for k, v in (self.quantiles or self.parameters).items()},
            "bounds": [None if math.isinf(end) else end for end in (self.fitted.lower, self.fitted.upper)],
            "reviewed": self.reviewed and self.reviewed.isoformat(),
            "source": [[source.title, source.url] for source in self.source],
        }


def build_entry(
    name: str,
    written: Mapping[str, Any],
    *,
    stance: str,
    file: str,
    form: type[WrittenEntry] = WrittenEntry,
) -> PriorEntry:
    """Check one written entry and fit it as a stance holds it; every override is checked whatever the stance.

    `stance`: ``evidence`` or ``sceptical``.
    """
    entry = checked_record(form, written, file=file, field=name)
    held: dict[str, PriorEntry] = {}
    stances: list[tuple[str, Override | None]] = [("evidence", None), *entry.stance.items()]
    for other, override in stances:
        try:
            if override is None:
                check_price_year(entry.unit, entry.price_year)
            shape = _merged(entry, override) if override else entry
            held[other] = _fitted(name, entry, shape, override=override, stance=other, file=file)
        except InputError as error:
            field = f"{name}.stance.{other}" if override else name
            raise placed(error, file=file, field=field) from None
    return held.get(stance, held["evidence"])


def _merged(entry: WrittenEntry, override: Override) -> Shape:
    """Return the shape under an override; a new shape replaces the old quantiles and parameters."""
    new = override.model_dump(exclude_none=True, include=set(Shape.model_fields))
    if not new:
        raise InputError(
            "an override changes nothing",
            found="no distribution, quantiles, params or bounds",
            allowed="at least one of them",
        ).advice("only a reason written", remedy="state the change or remove it")
    old = entry.model_dump(exclude_none=True, include=set(Shape.model_fields))
    if "quantiles" in new or "params" in new:
        old.pop("quantiles", None)
        old.pop("params", None)
    elif new.get("distribution", entry.distribution) != entry.distribution and "params" in old:
        old.pop("params")  # parameters of one family mean nothing in another
    return Shape.model_validate(old | new)


def _fitted(
    name: str, entry: WrittenEntry, shape: Shape, *, override: Override | None, stance: str, file: str
) -> PriorEntry:
    """Fit the shape and put it together with the papers that apply to it."""
    fitted, stated, error = _fit(shape)
    check_range(entry.unit, fitted)
    papers: dict[str, Any] = {
        field: (getattr(override, field) if override else None) or getattr(entry, field) for field in _PAPERS
    }
    kept = {field: getattr(entry, field) for field in ("description", "unit", "price_year", "shares_group")}
    return PriorEntry(
        name=name,
        fitted=fitted,
        quantiles=stated,
        fit_error=error,
        stance=stance,
        reason=override.reason if override else "",
        overridden_by=tuple(entry.stance),
        file=file,
        **kept,
        **papers,
    )


def _fit(shape: Shape) -> tuple[Distribution, Mapping[float, float] | None, float]:
    """Return the distribution, the stated quantiles (None for parameters) and the fit error."""
    family = shape.distribution or ""
    check_family(family)
    if shape.quantiles is not None and shape.params is not None:
        raise InputError(
            "both quantiles and params are given",
            field="quantiles",
            found="quantiles and params",
            allowed="one of the two",
        ).advice("two ways of stating the same belief", remedy="remove one")
    if shape.quantiles is None:
        if shape.params is None and not (family == "Uniform" and shape.lower is not None):
            raise InputError(
                "neither quantiles nor params are given",
                field="quantiles",
                found="neither",
                allowed="one of the two",
            ).advice("the entry was cut short", remedy="state quantiles or params")
        params = shape.params or {}
        return distribution(family, parameters=params, lower=shape.lower, upper=shape.upper), None, 0.0
    fit = fit_quantiles(
        family, quantiles=_probabilities(shape.quantiles), lower=shape.lower, upper=shape.upper
    )
    return fit.distribution, fit.stated, fit.error


def _probabilities(quantiles: Mapping[str, float]) -> dict[float, float]:
    """Read the keys of a quantile table as probabilities."""
    read: dict[float, float] = {}
    for key, value in quantiles.items():
        try:
            probability = float(key)
        except ValueError:
            raise InputError(
                "a quantile has no probability", field="quantiles", found=key, allowed='keys such as "0.05"'
            ).advice(
                "a name or per cent for a probability", remedy='write { "0.05" = ..., "0.95" = ... }'
            ) from None
        if probability in read:
            raise InputError(
                "a probability appears twice", field="quantiles", found=key, allowed="each probability once"
            ).advice('the same probability written two ways ("0.5", "0.50")', remedy="remove one")
        read[probability] = value
    return read
