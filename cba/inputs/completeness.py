"""What a release needs to be appraised: held, carried forward from an earlier year, or missing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from cba.dimensions import financial_year
from cba.errors import NeedsPerson

CHILDREN, ENGLAND = "england_children.csv", "population_england.csv"


@dataclass(frozen=True)
class Need:
    """A series a run reads."""

    what: str
    file: str
    series: str
    chosen: dict[str, list[str]] = field(default_factory=dict)  # labels by dimension; all where left out
    every_year: bool = False  # without the release's own year no run; otherwise the last year held is used
    some: bool = False  # one figure makes a year, where publishers withhold cells; otherwise all of them


NEEDS = (
    Need("children in care by age", CHILDREN, "stock_by_age", every_year=True),
    Need("starts by age", CHILDREN, "starts_by_age", every_year=True),
    Need("ceases by age", CHILDREN, "ceases_by_age", every_year=True),
    Need("unaccompanied children", CHILDREN, "uasc_stock", every_year=True),
    Need("population aged 0 to 17", ENGLAND, "population_0_17", every_year=True),
    Need("placements", CHILDREN, "stock_by_placement"),
    Need("ceases by length of stay", CHILDREN, "ceases_by_duration"),
    Need("special guardianship orders", CHILDREN, "sgo_orders"),
    Need("children in care by authority", "authority_children.csv", "stock_by_authority", some=True),
    Need("population by authority", "population_authority.csv", "population_by_authority", some=True),
    Need(
        "children in need",
        "children_in_need.csv",
        "children_in_need",
        {"measure": ["cin_at_31_march_episodes"]},
    ),
    Need(
        "spending by group",
        "spending_england.csv",
        "spending",
        {"line": ["total_cla", "total_safeguarding", "total_family_support"]},
    ),
    Need(
        "spending on residential care and leaving care",
        "spending_england.csv",
        "spending",
        {"line": ["residential_care", "leaving_care"]},
    ),
    Need(
        "unit costs",
        "unit_costs.csv",
        "unit_cost_weekly",
        {"service": ["residential_care", "fostering"]},
    ),
)
"""Everything a run reads by year, beside prices and projections, which reach ahead."""


def completeness(observations: xr.Dataset) -> pd.DataFrame:
    """Say of each series how far it is held in a release.

    Columns what, file, held_to (year ending 31 March; 0 where never), needed (bool: no run without it), state.
    """
    release, rows = int(observations.attrs["release"]), []
    for need in NEEDS:
        year = _held_to(observations, need)
        if year >= release:
            state = "held"
        elif need.every_year or not year:
            state = "missing"
        else:
            state = f"carried forward from {financial_year(year)}"
        rows.append((need.what, need.file, year, need.every_year, state))
    return pd.DataFrame(rows, columns=["what", "file", "held_to", "needed", "state"])


def _held_to(observations: xr.Dataset, need: Need) -> int:
    values = observations[need.series]
    for dim, labels in need.chosen.items():
        values = values.reindex({dim: labels})
    given = values.notnull()
    others = [dim for dim in given.dims if dim != "year"]
    whole = given.any(others) if need.some else given.all(others)
    years = whole["year"].values[np.asarray(whole.values)]
    return int(years[-1]) if years.size else 0


def require_complete(observations: xr.Dataset) -> None:
    """Refuse a release that lacks what no run can do without, before anything is computed."""
    table = completeness(observations)
    missing = table[table["state"] == "missing"]
    if missing.empty:
        return
    release = int(observations.attrs["release"])
    raise NeedsPerson(
        f"release {release} lacks what a run needs",
        file=str(missing["file"].iloc[0]),
        field=", ".join(f"{row.what} ({row.file})" for row in missing.itertuples()),
        found=", ".join(
            f"held to {row.held_to}" if row.held_to else "never published" for row in missing.itertuples()
        ),
        allowed=f"figures for {release}",
        cause="a release of which only some files have arrived",
        remedy="take in the missing files with `cba update --from FILE`, or name an earlier release",
    )


def not_held(observations: xr.Dataset) -> tuple[str, ...]:
    """Return in words what is carried forward or missing, with its file; nothing where a release is whole."""
    table = completeness(observations)
    return tuple(f"{row.what}: {row.state} ({row.file})" for row in table.itertuples() if row.state != "held")


def in_words(observations: xr.Dataset) -> tuple[str, ...]:
    """Return how much of a release is held, and what is carried forward or missing."""
    lacking = not_held(observations)
    count = f"{len(NEEDS) - len(lacking)} of {len(NEEDS)} series that a run reads are held"
    return (f"Release {observations.attrs['release']}: {count}", *(f"  {line}" for line in lacking))
