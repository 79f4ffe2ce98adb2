"""Children looked after as known in one release: England by age, placement, reason, stay; authorities.

A release restates some earlier years. For each published figure the value of the latest release not after the
one asked for is taken; breakdowns therefore come with the release they were taken from and with the total of
*that* release, which is what their parts add up to (totals of 2010 to 2017 were revised later, their
breakdowns were not).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr

from cba.dimensions import AGE_BANDS
from cba.inputs import published_categories as words
from cba.inputs.known_values import Dims, as_known, to_array
from cba.inputs.observed_placements import split_placements

FIRST_YEAR = 1994
"""First year ending 31 March with a published total."""

TOTALS: Mapping[str, tuple[str, str, str, str]] = {
    "stock": ("stock", "total", "total", "children looked after at 31 March"),
    "starts": ("starts", "total", "total", "children starting to be looked after in the year"),
    "ceases": ("ceases", "total", "total", "children ceasing to be looked after in the year"),
    "adoptions": ("adoptions", "total", "total", "looked-after children adopted in the year"),
    "sgo_orders": ("sgo_orders", "total", "total", "children leaving care by special guardianship order"),
    "cao_orders": (
        "ceases",
        "reason",
        "cao_or_residence_order",
        "children leaving care by child arrangements order",
    ),
    "ceases_at_18": (
        "ceases",
        "age",
        "18_plus",
        "children ceasing to be looked after at 18 (part of 16_plus)",
    ),
    "uasc_stock": ("uasc_stock", "total", "total", "unaccompanied asylum-seeking children at 31 March"),
    "uasc_stock_16_plus": (
        "uasc_stock",
        "age",
        "16_plus",
        "unaccompanied asylum-seeking children aged 16 or over at 31 March",
    ),
    "uasc_starts": ("starts", "uasc", "uasc", "unaccompanied asylum-seeking children starting in the year"),
    "non_uasc_starts": ("starts", "uasc", "non_uasc", "all other children starting in the year"),
}
"""Variables over years alone: measure, breakdown, category, long name."""

BREAKDOWNS: Mapping[str, tuple[str, str, str, Sequence[str], str]] = {
    "stock_by_age": ("stock", "age", "age", AGE_BANDS, "children looked after at 31 March, by age then"),
    "starts_by_age": ("starts", "age", "age", AGE_BANDS, "children starting in the year, by age on starting"),
    "ceases_by_age": ("ceases", "age", "age", AGE_BANDS, "children ceasing in the year, by age on ceasing"),
    "ceases_by_duration": (
        "ceases",
        "duration",
        "duration",
        tuple(words.DURATION_YEARS),
        "children ceasing in the year, by length of the last period of care",
    ),
    "ceases_by_reason": (
        "ceases",
        "reason",
        "reason",
        words.REASONS,
        "children ceasing in the year, by reason",
    ),
    "starts_by_legal_status": (
        "starts",
        "legal_status",
        "legal_status",
        words.LEGAL_STATUSES,
        "children starting in the year, by legal status on starting",
    ),
    "starts_by_previous_permanence": (
        "starts",
        "previous_permanence",
        "previous_permanence",
        words.PERMANENCE,
        "children starting in the year, by earlier permanence order",
    ),
    "sgo_by_carer_status": (
        "sgo_orders",
        "carer_status",
        "carer_status",
        words.CARER_STATUSES,
        "children leaving care by special guardianship order, by carer",
    ),
    "stock_by_placement_published": (
        "stock",
        "placement",
        "placement_published",
        words.PUBLISHED_PLACEMENTS,
        "children looked after at 31 March, by published placement group (groups overlap)",
    ),
    "starts_by_placement_published": (
        "starts",
        "placement",
        "placement_published",
        words.PUBLISHED_PLACEMENTS,
        "children starting in the year, by published group of the first placement (groups overlap)",
    ),
    "ceases_by_placement_published": (
        "ceases",
        "placement",
        "placement_published",
        words.PUBLISHED_PLACEMENTS,
        "children ceasing in the year, by published group of the last placement (groups overlap)",
    ),
    "uasc_stock_by_placement_published": (
        "uasc_stock",
        "placement",
        "placement_published",
        words.PUBLISHED_PLACEMENTS,
        "unaccompanied asylum-seeking children at 31 March, by published placement group (groups overlap)",
    ),
}
"""Variables over years and one breakdown: measure, breakdown, dimension, members, long name."""


def _with_release(
    name: str, rows: pd.DataFrame, *, totals: pd.DataFrame, years: range, long_name: str
) -> dict[str, xr.DataArray]:
    """Release a breakdown was taken from, and the England total printed in that same release."""
    latest = rows.dropna(subset="children").groupby("year")["release"].max().reset_index()
    matched = latest.merge(totals, on=["release", "year"], how="left")
    over_years = {"year": ("year", years)}
    release = to_array(matched, dims=over_years, value="release")
    total = to_array(matched, dims=over_years, value="children")
    release.attrs = {"units": "year", "long_name": f"release the figures were taken from: {long_name}"}
    total.attrs = {
        "units": "children",
        "long_name": f"England total in the release of the breakdown: {long_name}",
    }
    return {f"{name}_release": release, f"{name}_total": total}


def children_of_england(table: pd.DataFrame, *, release: int) -> dict[str, xr.DataArray]:
    """England totals and breakdowns, with placements in the categories of :data:`cba.dimensions.PLACEMENTS`.

    Parameters
    ----------
    table : DataFrame
        ``england_children``, all releases.
    release : int
        The release to stand in.

    Returns
    -------
    dict of str to DataArray, children, dims (year) or (year, breakdown)

    Notes
    -----
    Rows that the data dictionary marks as wrong (`suspect_value`: 2,030 unaccompanied children in 2015) are
    left out, so the year is missing until a later release corrects it.

    Examples
    --------
    >>> from cba.inputs.published_tables import read_table
    >>> england = children_of_england(read_table("england_children"), release=2024)
    >>> int(england["starts"].sel(year=2024)), int(england["ceases"].sel(year=2024))
    (33050, 33620)
    """
    years = range(FIRST_YEAR, release + 1)
    sound = table[~table["flag"].str.contains("suspect_value")]
    known = as_known(sound, release=release, key=["year", "measure", "breakdown", "category"])
    groups = dict(iter(known.groupby(["measure", "breakdown"])))
    nothing = known.iloc[:0]
    arrays: dict[str, xr.DataArray] = {}
    for name, (measure, breakdown, category, long_name) in TOTALS.items():
        rows = groups.get((measure, breakdown), nothing)
        rows = rows[rows["category"] == category]
        arrays[name] = to_array(rows, dims={"year": ("year", years)}, value="children")
        arrays[name].attrs = {"units": "children", "long_name": long_name}
    printed = sound[sound["breakdown"] == "total"]
    for name, (measure, breakdown, dim, members, long_name) in BREAKDOWNS.items():
        rows = groups.get((measure, breakdown), nothing)
        dims: Dims = {"year": ("year", years), dim: ("category", members)}
        arrays[name] = to_array(rows, dims=dims, value="children")
        arrays[name].attrs = {"units": "children", "long_name": long_name}
        totals = printed.loc[printed["measure"] == measure, ["release", "year", "children"]]
        arrays |= _with_release(name, rows, totals=totals, years=years, long_name=long_name)
    return arrays | _placements(
        arrays, rows=known, providers=groups.get(("stock", "provider_foster"), nothing)
    )


def _placements(
    arrays: Mapping[str, xr.DataArray], *, rows: pd.DataFrame, providers: pd.DataFrame
) -> dict[str, xr.DataArray]:
    """Split stock, starts and ceases over the project's placements; see :mod:`observed_placements`."""
    stock = arrays["stock_by_placement_published"]
    years = stock["year"].values.tolist()
    dims: Dims = {"year": ("year", years), "provider": ("category", words.FOSTER_PROVIDERS)}
    by_provider = to_array(providers, dims=dims, value="children")
    hidden = rows[rows["flag"].str.contains("suppressed") & (rows["breakdown"] == "placement")]
    result = {}
    for measure in ("stock", "starts", "ceases"):
        published = arrays[f"{measure}_by_placement_published"]
        withheld = to_array(
            hidden[hidden["measure"] == measure].assign(hidden=1.0),
            dims={
                "year": ("year", years),
                "category": ("category", words.PUBLISHED_PLACEMENTS),
            },
            value="hidden",
        )
        result[f"{measure}_by_placement"] = split_placements(
            published,
            foster_in_stock=stock,
            providers=by_provider,
            hidden=withheld.sel(category="placed_for_adoption", drop=True).notnull(),
            measure=measure,
        )
    return result


def children_of_authorities(
    table: pd.DataFrame, *, england: pd.DataFrame, codes: Sequence[str], release: int
) -> dict[str, xr.DataArray]:
    """Stock, starts, ceases and unaccompanied children by authority, with the England total to compare with.

    Parameters
    ----------
    table : DataFrame
        ``authority_children``, all releases.
    england : DataFrame
        ``england_children``, for the totals printed in the same release.
    codes : sequence of str
        Three-digit authority codes.
    release : int
        The release to stand in.

    Returns
    -------
    dict of str to DataArray, children, dims (authority, year); the totals and releases, dims (year)

    Examples
    --------
    >>> from cba.inputs.published_tables import read_table
    >>> councils = children_of_authorities(
    ...     read_table("authority_children"),
    ...     england=read_table("england_children"),
    ...     codes=["383"],
    ...     release=2024,
    ... )
    >>> int(councils["stock_by_authority"].sel(authority="383", year=2024))
    1549
    """
    years = range(FIRST_YEAR, release + 1)
    known = as_known(table, release=release, key=["year", "authority", "measure"])
    printed = england[(england["breakdown"] == "total") & ~england["flag"].str.contains("suspect_value")]
    groups = dict(iter(known.groupby("measure")))
    arrays: dict[str, xr.DataArray] = {}
    for measure in words.AUTHORITY_MEASURES:
        rows = groups.get(measure, known.iloc[:0])
        dims = {"authority": ("authority", codes), "year": ("year", years)}
        name, long_name = f"{measure}_by_authority", f"{TOTALS[measure][3]}, by authority"
        arrays[name] = to_array(rows, dims=dims, value="children")
        arrays[name].attrs = {"units": "children", "long_name": long_name}
        totals = printed.loc[printed["measure"] == measure, ["release", "year", "children"]]
        arrays |= _with_release(name, rows, totals=totals, years=years, long_name=long_name)
    return arrays
