"""What the review claims for its programme, with papers: the figures that results are held against."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cba.errors import InputError
from cba.inputs.files import priors_folder, published_file, read_toml, shipped_folder
from cba.inputs.prior_entries import Source
from cba.inputs.written_records import Text, Whole, checked_record

_FILE = Path("checks") / "claims.toml"
_POUNDS = {"gbp_million": 10**6, "gbp_million_per_year": 10**6}


class Claim(BaseModel):
    """One figure of the review, and where it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    description: Text
    value: Annotated[Whole, Field(gt=0)]
    unit: Literal["children", "GBP per year"]
    year: Whole  # year ending 31 March that the claim is about
    published: Text  # its row in published_claims.csv
    page: Text  # where in the source
    source: Annotated[tuple[Source, ...], Field(min_length=1)]
    readings: tuple[Whole, ...] = ()  # values that a loosely worded claim may mean

    def __str__(self) -> str:
        """Return the figure as it is spoken of, such as 5,000, £2bn or £20m."""
        if self.unit == "children":
            return f"{self.value:,}"
        billions = self.value % 10**9 == 0
        return f"£{self.value // 10 ** (9 if billions else 6):,}{'bn' if billions else 'm'}"


class Claims(BaseModel):
    """All claims, the option they are about and the year in whose prices their money is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: Annotated[Literal[1], Field(alias="schema")]
    programme: Text
    price_year: Whole
    children_without_reform: Claim
    system_cost: Claim
    fewer_children: Claim
    family_help_children: Claim
    annual_saving: Claim
    family_help_saving: Claim

    @property
    def prices(self) -> str:
        """Return the financial year of the prices, such as 2021-22."""
        return f"{self.price_year - 1}-{self.price_year % 100:02d}"

    @property
    def each(self) -> dict[str, Claim]:
        """Return every claim by its name."""
        return {name: value for name, value in self if isinstance(value, Claim)}


def load_claims(path: str | Path | None = None) -> Claims:
    """Load the claims; those that ship where the priors in force hold none, as inputs kept with old runs do not."""
    file = priors_folder() / _FILE if path is None else Path(path)
    if path is None and not file.is_file():
        file = shipped_folder("priors") / _FILE
    state = file.stat() if file.is_file() else None  # a missing file is refused by its reader
    return _claims_in(file, state and (state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=8)
def _claims_in(file: Path, state: tuple[int, int] | None) -> Claims:
    # The words of quantities name claims, so a page asks thousands of times: read once while the file stays.
    return checked_record(Claims, read_toml(file), file=file)


def refuse_unpublished(claims: Claims) -> None:
    """Refuse a claim that is not the figure of its row in the table of published claims."""
    table = published_file("published_claims.csv")
    with table.open(encoding="utf-8", newline="") as file:
        rows = {row["claim_id"]: row for row in csv.DictReader(file)}
    for name, claim in claims.each.items():
        row = rows.get(claim.published)
        stated = None if row is None else float(row["value"]) * _POUNDS.get(row["unit"], 1)
        if stated != claim.value:
            raise InputError(
                "a claim is not the published figure",
                file=_FILE,
                field=f"{name}.value",
                found=claim.value,
                allowed=f"{stated:.0f}" if stated else f"a row {claim.published} in {table.name}",
                cause="one of the two changed without the other",
                remedy=f"make {name} and the row {claim.published} of {table.name} the same",
            )
