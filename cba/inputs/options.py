"""Load policy options: data files that build on one another, resolved into complete, checked records.

An option is one TOML file in ``priors/options/``. A file may build on another (`base`), keep only some of
its components, delay it or finance it in another way. Adding an option is adding a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from cba.dimensions import COMPONENTS
from cba.errors import InputError, Rule, refuse_broken
from cba.inputs.files import fingerprint, nearest, options_folder, read_toml, text_of
from cba.inputs.written_records import Number, Switch, Text, Whole, WrittenRecord, checked_record

# --- The record of a policy option: what it spends, when, on what, and which effects it is meant to have ---


Component = Annotated[Text, Field(pattern=r"^[a-z][a-z0-9_]*$")]


Payer = Literal["council", "dfe", "nhs", "justice", "dwp_hmrc"]


Frame = Literal["review_2022", "latest"]


PriceYear = Annotated[Whole, Field(ge=1990, le=2100)] | Literal["cash"]


MOST_A_YEAR = 20_000
"""Most that an option may spend in a year, GBP million: councils in England spend about 14,000 on children's
services."""


Money = Annotated[Number, Field(ge=0, le=MOST_A_YEAR)]


SpendKey = tuple[str, str, int | str, bool]


_LAST_OFFSET = 60


_SAVE_NOTHING = ("dfe", "dwp_hmrc")


class Spend(WrittenRecord):
    """One line of programme money."""

    # component and payer: what it is spent on and who pays (see `cba.dimensions`).
    component: Component
    payer: Payer
    # Price base of the amounts: a year ending 31 March, or cash of the year it is spent.
    price_year: PriceYear
    # False for money rolled in from existing budgets, which is in business as usual.
    additional: Switch = True
    # Amount by offset from the start year (`timing = "shift"`) or by year ending 31 March (`"calendar"`).
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
                ).advice(
                    'a name, a financial year such as "2025-26", or a leading zero',
                    remedy="use the offset, or the year in which 31 March falls",
                )
        return amounts


class Recurrent(WrittenRecord):
    """Yearly money that goes on after the programme; `gbp_million` is a cap where it is reinvested."""

    component: Component
    payer: Payer
    gbp_million: Money
    first_offset: Annotated[Whole, Field(ge=0, le=2100)]
    price_year: PriceYear
    source: Text


class WrittenEffect(WrittenRecord):
    """An ``[[effect]]`` as read, with its file and line for messages; `cba.interventions` says what it means."""

    table: Mapping[str, Any]
    file: Annotated[str, Field(exclude=True)] = ""
    line: Annotated[int, Field(exclude=True)] = 0


class Effects(WrittenRecord):
    """Switches of shipped effects that money alone does not turn on."""

    foster_carers_target: Annotated[Number, Field(ge=0, le=50_000)] = 0.0
    allowance_scope: Literal["none", "sgo_from_care", "sgo_and_cao", "all_kinship"] = "none"
    family_network: Switch = False
    price_reform: Switch = False


class Option(WrittenRecord):
    """A complete option, as resolved from its file and the files it builds on."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    id: Annotated[Text, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
    label: Annotated[Text, Field(max_length=80)]
    description: Text
    # Whether years are offsets from the start of the analysis or years ending 31 March.
    timing: Literal["shift", "calendar"]
    base: Text | None = None  # the option it was built on, for the record
    components: tuple[Component, ...] | None = Field(default=None, min_length=1)
    delay_years: Annotated[Whole, Field(ge=0, le=20)] = 0  # years added to every spending year
    # What follows the programme money: nothing was spent; everything fades; recurrent money for good;
    # recurrent money out of what its payer could cash the year before.
    financing: Literal["none", "fade", "new_recurrent", "reinvest"]
    frames: tuple[Frame, ...] = Field(min_length=1)  # analyses it belongs to
    # Three-digit authority codes where it is limited to some; empty for all of England.
    areas: tuple[Annotated[str, Field(pattern=r"^\d{3}$")], ...] = ()
    recurrent: Recurrent | None = None
    spend: tuple[Spend, ...] = ()
    effects: Effects = Effects()
    # Effects of its own: what its components do that no shipped effect does.
    effect: tuple[WrittenEffect, ...] = ()
    unmonetised: tuple[Text, ...] = ()  # measures with a cost and no modelled effect

    @model_validator(mode="after")
    def _holds_together(self) -> Option:
        refuse_broken((*_FINANCING, _PROGRAMME), self)
        _check_years(self)
        _check_spenders(self)
        return self

    def spend_by_year(self, start_year: int) -> dict[SpendKey, dict[int, float]]:
        """Return programme money by (component, payer, price_year, additional) and year ending 31 March.

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
        content = self.model_dump(mode="json")
        return fingerprint(content if self.effect else {k: v for k, v in content.items() if k != "effect"})


_FINANCING = (
    Rule("recurrent", lambda o: _is_recurrent(o) and o.recurrent is None, lambda o: o.financing)
    .wrong("the financing needs recurrent money and none is stated", allowed="a [recurrent] table")
    .advice(
        "the table left out, or removed by the filter on components",
        remedy="add [recurrent], or set financing to fade or none",
    ),
    Rule("financing", lambda o: not _is_recurrent(o) and o.recurrent is not None)
    .wrong("recurrent money is stated and the financing does not use it", allowed="new_recurrent or reinvest")
    .advice("one of the two not updated", remedy="remove [recurrent] or change financing"),
    Rule(
        "recurrent.payer",
        lambda o: o.financing == "reinvest" and o.recurrent.payer in _SAVE_NOTHING,
        lambda o: o.recurrent.payer,
    )
    .wrong("the option reinvests savings of a payer that makes none", allowed="council, nhs or justice")
    .advice(
        "money of the department written as if it came out of its own savings",
        remedy="name who saves, or use new_recurrent",
    ),
    Rule("financing", lambda o: o.financing == "none" and o.spend)
    .wrong("an option with spending says that nothing follows it", allowed="fade, new_recurrent or reinvest")
    .advice("financing copied from bau", remedy="say what happens to the effect when the money ends"),
)


def _dearest(option: Option) -> tuple[int, float]:
    """Return the year (or offset) in which most is spent, and how much, GBP million."""
    years: dict[int, float] = {}
    for line in option.spend:
        for when, amount in line.gbp_million.items():
            years[when] = years.get(when, 0.0) + amount
    return max(years.items(), key=lambda year: year[1], default=(0, 0.0))


_PROGRAMME = (
    Rule(
        "spend",
        lambda o: _dearest(o)[1] > MOST_A_YEAR,
        lambda o: "{1:,g} GBP million in {0}".format(*_dearest(o)),
    )
    .wrong(
        "an option spends more in a year than England on all of children's services",
        allowed=f"{MOST_A_YEAR:,}",
    )
    .advice("pounds or thousands written for millions", remedy="write the amounts in GBP million")
)


def _is_recurrent(option: Option) -> bool:
    return option.financing in ("new_recurrent", "reinvest")


def _check_years(option: Option) -> None:
    low, high, kind = (0, _LAST_OFFSET, "offsets") if option.timing == "shift" else (1990, 2100, "years")
    lines = list(enumerate(option.spend))
    stated = [(f"spend.{i}.gbp_million", edge(line.gbp_million)) for edge in (min, max) for i, line in lines]
    if option.recurrent is not None:
        stated.append(("recurrent.first_offset", option.recurrent.first_offset))
    for field, when in stated:
        if not low <= when <= high:
            raise InputError(
                f"a spending year does not fit the timing {option.timing!r}",
                field=field,
                found=when,
                allowed=f"{kind} from {low} to {high}",
            ).advice(
                "offsets and calendar years mixed",
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
            ).advice("a key mistyped or left out", remedy="add the year, with 0 where nothing is spent")


def _check_spenders(option: Option) -> None:
    if len(set(option.areas)) != len(option.areas):
        raise InputError(
            "an authority is listed twice", field="areas", found=option.areas, allowed="each code once"
        ).advice("a copied code", remedy="remove one")
    known = {*COMPONENTS, *(one.table.get("component") for one in option.effect)}
    paid = {f"spend.{i}.component": line.component for i, line in enumerate(option.spend)}
    paid |= {"recurrent.component": option.recurrent.component} if option.recurrent else {}
    for field, name in paid.items():
        if name not in known:
            raise InputError(
                "a component is not one of the allowed words and has no [[effect]]",
                field=field,
                found=name,
                allowed=", ".join(COMPONENTS) + ", or one with an [[effect]]",
            ).advice(
                "a name misspelt, or its [[effect]] left out",
                remedy="use one of the allowed words, or add [[effect]]" + nearest(name, COMPONENTS),
            )
    if option.components is not None:
        empty = [name for name in option.components if name not in {line.component for line in option.spend}]
        if empty:
            raise InputError(
                "a component of the filter has no money in the base",
                field="components",
                found=", ".join(empty),
                allowed="components with spending in the base",
            ).advice("a component the base does not fund", remedy="remove it")


DO_MINIMUM = "ffp_2025"
"""The option whose money flows already: the others are also held against it, where an analysis has it."""


def together(option: Option, other: Option) -> Option:
    """Return an option with the components, switches and effects of two; its years are those of neither."""
    mine, theirs = option.effects, other.effects
    scopes = get_args(Effects.model_fields["allowance_scope"].annotation)  # from the narrowest to the widest
    effects = Effects(
        foster_carers_target=mine.foster_carers_target + theirs.foster_carers_target,
        allowance_scope=max(mine.allowance_scope, theirs.allowance_scope, key=scopes.index),
        family_network=mine.family_network or theirs.family_network,
        price_reform=mine.price_reform or theirs.price_reform,
    )
    own = (*option.effect, *(one for one in other.effect if one not in option.effect))
    spend = (*option.spend, *other.spend)
    return option.model_copy(update={"spend": spend, "effects": effects, "effect": own})


_EFFECT_OWNERS: Mapping[str, tuple[str, ...]] = {
    "kinship": ("allowance_scope", "family_network"),
    "foster": ("foster_carers_target",),
    "regional_care": ("price_reform",),
}


def load_options(
    ids: Sequence[str] | None = None, path: str | Path | None = None, *, own: Sequence[Option] = ()
) -> tuple[Option, ...]:
    """Load options, resolved and checked. `path`: folder of option files; the shipped ones by default."""
    # `path`: a single file stands beside the shipped ones, may build on them, and is what comes back unless
    # `ids` asks for more.
    place = options_folder() if path is None else Path(path)
    folder = options_folder() if place.is_file() else place
    written = {file.stem: read_toml(file) for file in sorted(folder.glob("*.toml"))}
    if place.is_file():
        folder, ids = place.parent, [place.stem] if ids is None else ids
        written[place.stem] = read_toml(place)
    if "bau" not in written:
        raise InputError(
            "the folder of options has no `bau`",
            file=folder / "bau.toml",
            found=", ".join(written) or "no files",
            allowed="bau.toml, without spending",
        ).advice("a wrong folder", remedy="add bau.toml or check the path")
    options = {name: _option(name, written, folder) for name in written} | {o.id: o for o in own}
    bau = options["bau"]
    if bau.spend or bau.recurrent or bau.effect or bau.effects != Effects():
        raise InputError(
            "business as usual spends money or has effects",
            file=folder / "bau.toml",
            field="spend",
            found=f"{len(bau.spend)} spending line(s)",
            allowed="no spend, recurrent or effects",
        ).advice(
            "current policy entered as an option", remedy="leave bau empty: its money is in the baseline"
        )
    if ids is None:
        return tuple(options[name] for name in sorted(options, key=lambda name: (name != "bau", name)))
    return tuple(_chosen(name, options, folder) for name in ids)


def named_options(
    names: Sequence[str], *, beside: Path, path: str | Path | None = None
) -> tuple[tuple[str, ...], tuple[Option, ...]]:
    """Read the option files that a list of options names, beside those it names by id.

    Returns `ids`: the list with every path replaced by the id of its option. `own`: options read from the
    paths, resolved and checked, in order. `names`: ids, and paths of option files: what ends in ``.toml``.
    """
    files = {name: beside / name for name in names if name.endswith(".toml")}
    folder = options_folder() if path is None else Path(path)
    written = {file.stem: read_toml(file) for file in sorted(folder.glob("*.toml"))} if files else {}
    for name, file in files.items():
        if file.stem in written:
            raise InputError(
                "an option file has the id of another option",
                file=file,
                field="options",
                found=name,
                allowed="a file name of its own",
            ).advice(
                "a shipped option copied to be changed, or a path listed twice",
                remedy="rename the file and its id; it can build on the other with `base`",
            )
        written[file.stem] = read_toml(file)
    own = {name: _option(file.stem, written, file.parent) for name, file in files.items()}
    return tuple(own[name].id if name in own else name for name in names), tuple(own.values())


def load_option(file: Path) -> Option:
    """Load one option of a folder, whatever is wrong with the files it does not build on."""
    written = {file.stem: read_toml(file)}
    for other in sorted(file.parent.glob("*.toml")):
        with suppress(InputError):  # refused when it is checked itself
            written.setdefault(other.stem, read_toml(other))
    return _option(file.stem, written, file.parent)


def _chosen(name: str, options: Mapping[str, Option], folder: Path) -> Option:
    if name not in options:
        raise InputError(
            "an unknown option", file=folder, field="options", found=name, allowed=", ".join(options)
        ).advice(
            "a misspelt id, or a file not yet written",
            remedy=f"use a known id or add {name}.toml" + nearest(name, options),
        )
    return options[name]


def _option(name: str, written: Mapping[str, dict[str, Any]], folder: Path) -> Option:
    """Resolve and check the option of one file."""
    file = folder / f"{name}.toml"
    option = checked_record(Option, _resolved(name, written, folder, ()), file=file)
    refuse_unknown_areas(option, file=file)
    if option.id != name:
        raise InputError(
            "the id of an option is not the name of its file",
            file=file,
            field="id",
            found=option.id,
            allowed=name,
        ).advice("a file copied and not renamed", remedy="make id and file name the same")
    return option


def refuse_unknown_areas(option: Option, *, file: Path, year: int | None = None) -> None:
    """Refuse an area that is no authority of the tables in force, or of `year` where one is given."""
    if not option.areas:
        return
    from cba.inputs.tables import read_table

    table = read_table("authorities")
    stands = (table["first_year"] <= year) & (table["last_year"] >= year) if year else slice(None)
    known = set(table.loc[stands, "authority"])
    for at, code in enumerate(option.areas):
        if code not in known:
            raise InputError(
                "an option names an authority that does not stand" + (f" in {year}" if year else ""),
                file=file,
                field=f"areas.{at}",
                found=code,
                allowed="codes of authorities.csv" + nearest(code, known),
            ).advice(
                "a code of before a reorganisation, or a digit mistyped",
                remedy="use the three-digit code of today's authority",
            )


def _resolved(
    name: str, written: Mapping[str, dict[str, Any]], folder: Path, above: tuple[str, ...]
) -> dict[str, Any]:
    """Return an option's table with everything it takes from its base filled in."""
    file = folder / f"{name}.toml"
    own = _with_places(written[name], file=file)
    base = own.get("base")
    if base is None:
        if "components" in own:
            raise InputError(
                "a filter on components without a base",
                file=file,
                field="components",
                found=own["components"],
                allowed="only together with base",
            ).advice("the base left out", remedy="add base, or remove it")
        return own
    if not isinstance(base, str) or base not in written:
        raise InputError(
            "the base of an option does not exist",
            file=file,
            field="base",
            found=base,
            allowed=", ".join(written),
        ).advice("a misspelt id", remedy="use a known option" + nearest(str(base), written))
    if base in (*above, name):
        raise InputError(
            "options build on each other in a circle",
            file=file,
            field="base",
            found=" -> ".join((*above, name, base)),
            allowed="a chain that ends",
        ).advice("two files naming each other", remedy="remove one base")
    inherited = _resolved(base, written, folder, (*above, name))
    return _combined(own, inherited)


def _with_places(own: dict[str, Any], *, file: Path) -> dict[str, Any]:
    """Put the file and line of each ``[[effect]]`` beside what it says."""
    tables = own.get("effect")
    if tables is None:
        return own
    if not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
        raise InputError(
            "an effect is not a table of its own",
            file=file,
            field="effect",
            found=repr(tables),
            allowed="[[effect]] and its fields below",
            cause="[effect] with single brackets",
            remedy="write [[effect]]",
        )
    text = text_of(file).splitlines() if file.is_file() else []
    lines = [n for n, line in enumerate(text, start=1) if line.replace(" ", "").startswith("[[effect]]")]
    lines += [0] * len(tables)
    return own | {
        "effect": [{"table": t, "file": str(file), "line": n} for t, n in zip(tables, lines, strict=False)]
    }


def _combined(own: dict[str, Any], inherited: dict[str, Any]) -> dict[str, Any]:
    """Put an option's own keys over those of its base, after the filter on components."""
    kept = {key: value for key, value in inherited.items() if key not in ("base", "components")}
    wanted = own.get("components")
    if isinstance(wanted, list):
        kept["spend"] = [line for line in kept.get("spend", []) if line.get("component") in wanted]
        kept["effect"] = [one for one in kept.get("effect", []) if one["table"].get("component") in wanted]
        if kept.get("recurrent", {}).get("component") not in wanted:
            kept.pop("recurrent", None)
        lost = {name for owner, names in _EFFECT_OWNERS.items() if owner not in wanted for name in names}
        kept["effects"] = {key: value for key, value in kept.get("effects", {}).items() if key not in lost}
        kept.pop("unmonetised", None)  # they belong to the whole package; restate those that still apply
    if own.get("financing") in ("none", "fade"):
        kept.pop("recurrent", None)  # the option says that the base's recurrent money is not given
    merged = kept | own
    if isinstance(own.get("effects"), dict):
        merged["effects"] = kept.get("effects", {}) | own["effects"]
    return merged


def ways_of_paying(options: Sequence[Option], *, programme: str) -> tuple[Option, ...]:
    """Return the programme of the review, and the options that differ from it in financing alone."""
    own = next((option for option in options if option.id == programme), None)
    if own is None:
        return ()
    others = (option for option in options if option.base == own.id and option.components is None)
    return (own, *(option for option in others if option.financing != own.financing))
