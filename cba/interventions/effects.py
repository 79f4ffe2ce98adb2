"""An effect as stated and as checked: its fields, its numbers and the priors of its own that they are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.inputs.files import nearest
from cba.inputs.prior_entries import (
    Confidence,
    OverridingStance,
    PriorEntry,
    Shape,
    WrittenEntry,
    build_entry,
)
from cba.inputs.priors import STANCES
from cba.inputs.written_records import Amount, Day, Switch, Text, Whole
from cba.interventions.records import Ground, Money, Work

NamePattern = Annotated[Text, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Stated(Shape):
    """A number with a prior of its own: a distribution by quantiles or parameters; money has a price year."""

    distribution: Text
    price_year: Annotated[Whole, Field(ge=1990, le=2100)] | None = None


class OwnEntry(WrittenEntry):
    """A number of an effect as an entry of the registry: the day it was reviewed may be left out."""

    reviewed: Day | None = None  # type: ignore[assignment]


class Product(BaseModel):
    """A number made of others: inputs the appraisal draws, by name, multiplied and divided."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    times: Annotated[tuple[Text | Amount, ...], Field(min_length=1)]
    over: tuple[Text | Amount, ...] = ()


def _written_as(value: Any) -> str:
    if isinstance(value, dict):
        return "product" if "times" in value else "prior"
    names: dict[type, str] = {Stated: "prior", Product: "product"}
    return names.get(type(value), "name")


Drawn = Annotated[
    Annotated[Stated, Tag("prior")] | Annotated[Product, Tag("product")] | Annotated[Text, Tag("name")],
    Discriminator(_written_as),
]
"""A number of an effect: a prior of its own, the name of an input of the appraisal, or a product of such."""


class Form(BaseModel):
    """Fields of every effect; `name` and `switch` are for the shipped ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    component: NamePattern
    kind: Text
    label: Text | None = None
    confidence: Confidence
    source: Text
    owner: Text | None = None
    reviewed: Day | None = None
    stance: Mapping[OverridingStance, Mapping[Text, Any]] = Field(default_factory=dict)
    money_share: Text | None = None
    # Whether it is paid to whoever is entitled: then it can overrun in money, where other money is fixed.
    demand_led: Switch = False
    name: NamePattern | None = None
    switch: Text | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of effect: the fields it adds, the unit and words of its numbers, what it checks, what it does."""

    name: str
    form: type[Form]
    units: Mapping[str, tuple[str, str]]  # every field that holds a number, with its unit and its words
    above_nought: tuple[str, ...]  # those of them that must be above 0
    act: Callable[[Effect, Ground, Money], Work]  # turns the money of an effect into work
    # The same for a service of given size: what ``delivered`` is, or for stays the children whose service is paid.
    at: Callable[[Effect, Ground, np.ndarray], Work]
    words: Callable[[Effect], str]  # say in a line what it does
    check: Callable[[Effect], None] = lambda effect: None  # refuses what fields alone do not rule out


@dataclass(frozen=True)
class Effect:
    """One checked effect of one component.

    ``numbers`` has each number as a product of inputs by name; ``entries`` the priors of its own by stance, a
    stance without an override holding those of ``evidence``. ``file`` and ``place`` say where it stands.
    """

    name: str
    kind: Kind
    form: Any  # the Form of its kind: each kind reads the fields it adds
    numbers: Mapping[str, Product]
    entries: Mapping[str, Mapping[str, PriorEntry]]
    switch: float | str | bool | None = None
    own: bool = True
    file: str = ""
    place: str = "effect"

    @property
    def component(self) -> str:
        """What its money is called."""
        return self.form.component

    @property
    def label(self) -> str:
        """Its words in a table."""
        return self.form.label or self.component.replace("_", " ").capitalize()

    @property
    def delivers(self) -> str:
        """What its delivered service is a share of, or a number of."""
        return (
            "filled places" if self.kind.name == "places" else "share of eligible children served (coverage)"
        )

    def has(self, field: str) -> bool:
        """Whether a number is stated."""
        return field in self.numbers

    def draws(self, ground: Ground, field: str) -> np.ndarray:
        """Draws (sample,) of one of its numbers."""
        product = self.numbers[field]
        found = np.ones(ground.children.shape[0])
        for factor in product.times:
            found = found * self._factor(ground, factor)
        for factor in product.over:
            found = found / self._factor(ground, factor)
        return found

    def _factor(self, ground: Ground, factor: float | str) -> Any:
        if factor == SWITCH:
            return float(self.switch or 0.0)
        return ground.value(factor) if isinstance(factor, str) else factor

    def refused(self, problem: str, *, field: str, **details: Any) -> InputError:
        """The refusal of one of its fields."""
        return InputError(problem, file=self.file or None, field=f"{self.place}.{field}", **details)


SWITCH = "switch"
"""Stands in a product for the number an option gives the switch of a shipped effect."""


ALMOST_NEVER = 1e-6


def _refuse_nought(effect: Effect) -> None:
    """Refuse numbers whose prior can be nought or less: beyond one chance in a million, nothing is cut off."""
    for stance, entries in effect.entries.items():
        for field in effect.kind.above_nought:
            low = entries[field].quantile(ALMOST_NEVER) if field in entries else 1.0
            if low <= 0.0:
                raise effect.refused(
                    "a number that must be above 0 can be 0 or less",
                    field=field if stance == "evidence" else f"stance.{stance}.{field}",
                    found=f"{low:.3g} at one chance in {1 / ALMOST_NEVER:,.0f}",
                    allowed="above 0",
                    cause="a spread too wide for a family without a lower end",
                    remedy="use LogNormal, narrow the spread, or state `lower`",
                )


def require_one(effect: Effect, problem: str, *, allowed: str, given: int) -> None:
    """Refuse an effect that does not say its strength, or says it twice. `given`: in how many ways it does."""
    if given != 1:
        raise effect.refused(
            problem,
            field="ratio",
            found="more, or a part" if given else "nothing",
            allowed=allowed,
            cause="the number left out",
            remedy="state `ratio` with its distribution",
        )


def ages_of(ages: tuple[str, ...] | None) -> list[int]:
    """Positions of age bands; all of them where none is named."""
    return [AGE_BANDS.index(age) for age in ages] if ages else list(range(len(AGE_BANDS)))


def age_words(ages: tuple[str, ...] | None) -> str:
    """Ages in a line: ``"ages 10 to 15, 16 and over"``."""
    words = {
        "under_1": "under 1",
        "1_4": "1 to 4",
        "5_9": "5 to 9",
        "10_15": "10 to 15",
        "16_plus": "16 and over",
    }
    return "ages " + ", ".join(words[age] for age in ages) if ages else "all ages"


def middle(effect: Effect, field: str) -> str:
    """A number in words: its median and middle 90%, or the inputs it is made of."""
    entry = effect.entries["evidence"].get(field)
    if entry is None:
        product = effect.numbers[field]
        names = " × ".join(str(f) for f in product.times) + "".join(f" ÷ {f}" for f in product.over)
        return f"({names})"
    low, mid, high = (entry.quantile(q) for q in (0.05, 0.5, 0.95))
    return f"{mid:.3g} ({low:.3g} to {high:.3g})"


def read_effect(
    kind: Kind,
    form: Form,
    *,
    name: str,
    file: str = "",
    place: str = "effect",
    switch: float | str | bool | None = None,
    own: bool = True,
) -> Effect:
    """Resolve a form into an effect, its own priors fitted for every stance, and refuse what does not hold."""
    numbers: dict[str, Product] = {}
    entries: dict[str, dict[str, PriorEntry]] = {stance: {} for stance in STANCES}
    nested = {field.partition(".")[0] for field in kind.units if "." in field}
    given = _flat({name: getattr(form, name) for name in type(form).model_fields}, nested)
    stances: dict[str, dict[str, Any]] = {s: _flat(table, nested) for s, table in form.stance.items()}
    for field in kind.units:
        value = given.get(field)
        if value is None:
            continue
        if isinstance(value, Stated):
            entry_name = f"{name}_{field.replace('.', '_')}"
            numbers[field] = Product(times=(entry_name,))
            written = _entry(kind, form, field=field, stated=value, stances=stances)
            for stance in STANCES:
                try:
                    entries[stance][field] = build_entry(
                        entry_name, written, stance=stance, file=file, form=OwnEntry
                    )
                except InputError as error:
                    inner = (error.details["field"] or "").removeprefix(entry_name).removeprefix(".")
                    raise error.changed(file=file, field=f"{place}.{field}.{inner}".rstrip(".")) from None
        else:
            numbers[field] = value if isinstance(value, Product) else Product(times=(value,))
    effect = Effect(name, kind, form, numbers, entries, switch, own, file, place)
    _check_stances(effect, stances)
    kind.check(effect)
    _refuse_nought(effect)
    return effect


def _entry(
    kind: Kind, form: Form, *, field: str, stated: Stated, stances: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """A number as an entry of the prior registry would be written."""
    unit, words = kind.units[field]
    label = form.label or form.component.replace("_", " ").capitalize()
    address = next((word.rstrip(".,;") for word in form.source.split() if word.startswith("http")), "")
    source = {"title": form.source if address else f"judgement: {form.source}", "url": address}
    written: dict[str, Any] = {
        **stated.model_dump(exclude_none=True),
        "description": f"{label}: {words}",
        "unit": unit,
        "basis": "evidence" if address else "judgement",
        "confidence": form.confidence,
        "owner": form.owner or "author of the option",
        "source": [source],
    }
    if form.reviewed:
        written["reviewed"] = form.reviewed
    overrides = {}
    for stance, table in stances.items():
        shape = table.get(field)
        if isinstance(shape, dict):
            same = shape.get("price_year") == stated.price_year
            kept = {key: value for key, value in shape.items() if key != "price_year" or not same}
            overrides[stance] = {"reason": table.get("reason", "no reason stated"), **kept}
    return written | ({"stance": overrides} if overrides else {})


def _check_stances(effect: Effect, stances: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse an override of something that is no number of the effect with a prior of its own."""
    held = effect.entries["evidence"]
    for stance, table in stances.items():
        for field, value in table.items():
            if field == "reason" and isinstance(value, str):
                continue
            if field not in held or not isinstance(value, dict):
                raise effect.refused(
                    "a stance overrides what is no prior of the effect",
                    field=f"stance.{stance}.{field}",
                    found=value,
                    allowed=", ".join(held) or "nothing: the effect has no priors of its own",
                    cause="a misspelt field, or a number given without a distribution",
                    remedy="name a number of the effect and give it a distribution" + nearest(field, held),
                )
        if not set(table) - {"reason"}:
            raise effect.refused(
                "a stance overrides nothing",
                field=f"stance.{stance}",
                found="no number",
                allowed=", ".join(held),
                cause="only a reason written",
                remedy="state the change or remove the table",
            )


def _flat(table: Mapping[str, Any], nested: set[str]) -> dict[str, Any]:
    """A table with the members of tables inside it, those that are nested, by ``table.key``."""
    flat: dict[str, Any] = {}
    for field, value in table.items():
        inside = value if field in nested and isinstance(value, Mapping) else None
        flat |= {field: value} if inside is None else {f"{field}.{key}": one for key, one in inside.items()}
    return flat
