"""The record of a policy option: what it spends, when, on what, and which effects it is meant to have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cba.errors import InputError
from cba.inputs.toml_reading import Number, Switch, Text, Whole, fingerprint

Component = Literal["family_help", "kinship", "foster", "workforce", "regional_care", "other"]
Payer = Literal["council", "dfe", "nhs", "justice", "dwp_hmrc"]
Frame = Literal["review_2022", "latest"]
PriceYear = Annotated[Whole, Field(ge=1990, le=2100)] | Literal["cash"]
Money = Annotated[Number, Field(ge=0)]
SpendKey = tuple[str, str, int | str, bool]

_LAST_OFFSET = 60
_SAVE_NOTHING = ("dfe", "dwp_hmrc")


class Spend(BaseModel):
    """One line of programme money.

    Parameters
    ----------
    component, payer : str
        What it is spent on and who pays (see :mod:`cba.dimensions`).
    price_year : int or "cash"
        Price base of the amounts: a year ending 31 March, or cash of the year it is spent.
    additional : bool
        False for money rolled in from existing budgets, which is in business as usual.
    gbp_million : mapping of int to float
        Amount by offset from the start year (`timing = "shift"`) or by year ending 31 March (`"calendar"`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    component: Component
    payer: Payer
    price_year: PriceYear
    additional: Switch = True
    gbp_million: Mapping[int, Money] = Field(min_length=1)
    note: str = ""
    source: Text

    @field_validator("gbp_million", mode="before")
    @classmethod
    def _has_plain_years(cls, amounts: Any) -> Any:
        """Refuse keys such as "01", which would silently overwrite the amount of "1"."""
        for key in amounts if isinstance(amounts, dict) else ():
            if not (str(key).isascii() and str(key).isdecimal() and str(int(key)) == str(key)):
                raise InputError(
                    "a spending year is not a plain whole number",
                    found=key,
                    allowed='"0", "1", ... or "2026", "2027", ...',
                    cause='a name, a financial year such as "2025-26", or a leading zero',
                    remedy="use the offset, or the year in which 31 March falls",
                )
        return amounts


class Recurrent(BaseModel):
    """Yearly money that goes on after the programme; `gbp_million` is a cap where it is reinvested."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    component: Component
    payer: Payer
    gbp_million: Money
    first_offset: Annotated[Whole, Field(ge=0)]
    price_year: PriceYear
    source: Text


class Effects(BaseModel):
    """Which modelled effects the option is meant to have, beside family help through its money."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    foster_carers_target: Annotated[Number, Field(ge=0)] = 0.0
    allowance_scope: Literal["none", "sgo_from_care", "sgo_and_cao", "all_kinship"] = "none"
    family_network: Switch = False
    price_reform: Switch = False


class Option(BaseModel):
    """A complete option, as resolved from its file and the files it builds on.

    Parameters
    ----------
    id, label, description : str
    timing : {"shift", "calendar"}
        Whether years are offsets from the start of the analysis or years ending 31 March.
    base : str or None
        The option it was built on, for the record.
    delay_years : int
        Years added to every spending year.
    financing : {"none", "fade", "new_recurrent", "reinvest"}
        What follows the programme money: nothing was spent; everything fades; recurrent money for good;
        recurrent money out of what its payer could cash the year before.
    frames : tuple of str
        Analyses it belongs to.
    areas : tuple of str
        Three-digit authority codes where it is limited to some; empty for all of England.
    unmonetised : tuple of str
        Measures with a cost and no modelled effect.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Annotated[Literal[1], Field(alias="schema")]
    id: Annotated[Text, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    label: Annotated[Text, Field(max_length=80)]
    description: Text
    timing: Literal["shift", "calendar"]
    base: Text | None = None
    components: tuple[Component, ...] | None = Field(default=None, min_length=1)
    delay_years: Annotated[Whole, Field(ge=0, le=20)] = 0
    financing: Literal["none", "fade", "new_recurrent", "reinvest"]
    frames: tuple[Frame, ...] = Field(min_length=1)
    areas: tuple[Annotated[str, Field(pattern=r"^\d{3}$")], ...] = ()
    recurrent: Recurrent | None = None
    spend: tuple[Spend, ...] = ()
    effects: Effects = Effects()
    unmonetised: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> Option:
        _check_financing(self)
        _check_years(self)
        _check_spenders(self)
        return self

    def spend_by_year(self, start_year: int) -> dict[SpendKey, dict[int, float]]:
        """Return programme money by (component, payer, price_year, additional) and year ending 31 March.

        Parameters
        ----------
        start_year : int
            First year of the analysis (year ending 31 March); moves the money of `shift` options only.

        Returns
        -------
        dict
            Amounts in GBP million of the price year in the key, years ascending; lines with one key added.
        """
        first = start_year if self.timing == "shift" else 0
        lines: dict[SpendKey, dict[int, float]] = {}
        for line in self.spend:
            key = (line.component, line.payer, line.price_year, line.additional)
            years = lines.setdefault(key, {})
            for when, amount in line.gbp_million.items():
                year = first + when + self.delay_years
                years[year] = years.get(year, 0.0) + amount
        return {key: dict(sorted(years.items())) for key, years in lines.items()}

    def year_of(self, offset: int, start_year: int) -> int:
        """Return the year ending 31 March of an offset (`shift`) or a year (`calendar`), delay added."""
        return offset + self.delay_years + (start_year if self.timing == "shift" else 0)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the resolved option."""
        return fingerprint(self.model_dump(mode="json"))


def _check_financing(option: Option) -> None:
    needs = option.financing in ("new_recurrent", "reinvest")
    if needs and option.recurrent is None:
        raise InputError(
            "the financing needs recurrent money and none is stated",
            field="recurrent",
            found=option.financing,
            allowed="a [recurrent] table",
            cause="the table left out, or removed by the filter on components",
            remedy="add [recurrent], or set financing to fade or none",
        )
    if not needs and option.recurrent is not None:
        raise InputError(
            "recurrent money is stated and the financing does not use it",
            field="financing",
            found=option.financing,
            allowed="new_recurrent or reinvest",
            cause="one of the two not updated",
            remedy="remove [recurrent] or change financing",
        )
    if option.financing == "reinvest" and option.recurrent and option.recurrent.payer in _SAVE_NOTHING:
        raise InputError(
            "the option reinvests savings of a payer that makes none",
            field="recurrent.payer",
            found=option.recurrent.payer,
            allowed="council, nhs or justice",
            cause="money of the department written as if it came out of its own savings",
            remedy="name who saves, or use new_recurrent",
        )
    if option.financing == "none" and option.spend:
        raise InputError(
            "an option with spending says that nothing follows it",
            field="financing",
            found="none",
            allowed="fade, new_recurrent or reinvest",
            cause="financing copied from bau",
            remedy="say what happens to the effect when the money ends",
        )


def _check_years(option: Option) -> None:
    low, high, kind = (0, _LAST_OFFSET, "offsets") if option.timing == "shift" else (1990, 2100, "years")
    stated = {f"spend.{i}.gbp_million": min(line.gbp_million) for i, line in enumerate(option.spend)}
    stated |= {f"spend.{i}.gbp_million ": max(line.gbp_million) for i, line in enumerate(option.spend)}
    if option.recurrent is not None:
        stated["recurrent.first_offset"] = option.recurrent.first_offset
    for field, when in stated.items():
        if not low <= when <= high:
            raise InputError(
                f"a spending year does not fit the timing {option.timing!r}",
                field=field.strip(),
                found=when,
                allowed=f"{kind} from {low} to {high}",
                cause="offsets and calendar years mixed",
                remedy='use offsets with timing = "shift", years ending 31 March with "calendar"',
            )
    _check_gaps(option)


def _check_gaps(option: Option) -> None:
    """Refuse a year left out between two others: a year without money must say 0."""
    for i, line in enumerate(option.spend):
        missing = sorted(set(range(min(line.gbp_million), max(line.gbp_million))) - set(line.gbp_million))
        if missing:
            raise InputError(
                "a year is missing between two spending years",
                field=f"spend.{i}.gbp_million",
                found=missing,
                allowed="every year from the first to the last",
                cause="a key mistyped or left out",
                remedy="add the year, with 0 where nothing is spent",
            )


def _check_spenders(option: Option) -> None:
    if len(set(option.areas)) != len(option.areas):
        raise InputError(
            "an authority is listed twice",
            field="areas",
            found=option.areas,
            allowed="each code once",
            cause="a copied code",
            remedy="remove one",
        )
    if option.components is not None:
        empty = [name for name in option.components if name not in {line.component for line in option.spend}]
        if empty:
            raise InputError(
                "a component of the filter has no money in the base",
                field="components",
                found=", ".join(empty),
                allowed="components with spending in the base",
                cause="a component the base does not fund",
                remedy="remove it",
            )
