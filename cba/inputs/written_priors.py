"""The written form of a prior: which fields an entry of a prior file has and what each may hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cba.errors import InputError
from cba.inputs.toml_reading import Number, Text, Whole

Confidence = Literal["blue", "red", "amber", "green"]
Basis = Literal["evidence", "series", "judgement", "published claim"]
OverridingStance = Literal["sceptical"]


class Source(BaseModel):
    """Title and address of what supports a number; only a judgement may have no address."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: Text
    url: Annotated[str, Field(strict=True)]

    @model_validator(mode="after")
    def _has_an_address(self) -> Source:
        judged = self.title.lower().startswith("judgement:")
        if not self.url.startswith(("https://", "http://")) and not (self.url == "" and judged):
            raise InputError(
                "a source has no address",
                found=repr(self.url),
                allowed="a web address; empty only for a judgement",
                cause="an address left out, or a judgement not marked as one",
                remedy="give the page, or start the title with 'judgement:'",
            )
        return self


class Shape(BaseModel):
    """What an entry and an override of it may both say."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    distribution: Text | None = None
    quantiles: Mapping[Text, Number] | None = None
    params: Mapping[Text, Number] | None = None
    lower: Number | None = None
    upper: Number | None = None


class Override(Shape):
    """The fields another stance replaces, and why."""

    reason: Text
    confidence: Confidence | None = None
    basis: Basis | None = None
    owner: Text | None = None
    reviewed: date | None = None
    source: Annotated[tuple[Source, ...], Field(min_length=1)] | None = None


class WrittenEntry(Shape):
    """An entry as written in a prior file; see :class:`PriorEntry` for the meaning of the fields."""

    description: Text
    distribution: Text
    unit: Text
    price_year: Annotated[Whole, Field(ge=1990, le=2100)] | None = None
    confidence: Confidence
    owner: Text
    reviewed: date
    source: Annotated[tuple[Source, ...], Field(min_length=1)]
    basis: Basis
    shares_group: Text | None = None
    stance: Mapping[OverridingStance, Override] = Field(default_factory=dict)
