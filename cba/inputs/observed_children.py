"""Children looked after as known in one release: England by age, placement, reason, stay; authorities.

A release restates some earlier years. For each published figure the value of the latest release not after the
one asked for is taken; breakdowns therefore come with the release they were taken from and with the total of
*that* release, which is what their parts add up to (totals of 2010 to 2017 were revised later, their
breakdowns were not).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from cba.dimensions import AGE_BANDS, PLACEMENTS
from cba.errors import InputError
from cba.inputs import table_words as words

# --- From long tables to labelled arrays, each cell from the latest release not after a given one ---


Dims = Mapping[str, tuple[str, Sequence]]
"""Dimension of an array to the column of the table that holds it and its members in order."""


def as_known(table: pd.DataFrame, *, release: int, key: Sequence[str]) -> pd.DataFrame:
    """Keep, for each key, the row of the latest release not after the one asked for. One row per key."""
    known = table[table["release"] <= release].sort_values("release", kind="stable")
    return known.drop_duplicates(list(key), keep="last")


def to_array(
    table: pd.DataFrame, *, dims: Dims, value: str, units: str = "children", long_name: str = ""
) -> xr.DataArray:
    """Lay the rows of a long table out as a labelled array; NaN where there is no row.

    Dims as given, float64. `table`: one row per cell. `dims`: for each dimension of the result the column
    that holds it and its members in order; rows of other members are left out.
    """
    places = [pd.Index(members).get_indexer(table[column]) for column, members in dims.values()]
    inside = np.logical_and.reduce([place >= 0 for place in places])
    values = np.full([len(members) for _, members in dims.values()], np.nan)
    values[tuple(place[inside] for place in places)] = table[value].to_numpy(dtype=float)[inside]
    coords = {name: list(members) for name, (_, members) in dims.items()}
    attrs = {"units": units, "long_name": long_name}
    return xr.DataArray(values, dims=list(dims), coords=coords, attrs=attrs)


# --- Published placement groups turned into the project's placements ---


IN_HOUSE = ("own_la", "other_la", "other_public")
"""Providers whose foster placements count as in-house."""


AGENCY = ("private", "voluntary")
"""Providers whose foster placements count as agency."""


RULE = (
    "childrens_home = secure and children's homes; supported_accommodation = independent, semi-independent "
    "and supported accommodation + other; "
    "other_residential = other residential settings + residential schools; "
    "foster_agency = private and voluntary share of foster placements in the stock, x all foster placements; "
    "foster_in_house = carers who are not relatives or friends, less agency (family and friends carers are "
    "approved by authorities)"
)
"""How the placements are built from the published groups; shown in the attributes."""


def _group(published: xr.DataArray, name: str) -> xr.DataArray:
    return published.sel(placement_published=name, drop=True)


def _childrens_homes(published: xr.DataArray) -> xr.DataArray:
    """Take secure and children's homes; where that sum is withheld, the wider group less its other part."""
    wider = _group(published, "secure_childrens_homes_semi_independent")
    other = _group(published, "semi_independent_unregulated")
    return _group(published, "secure_and_childrens_homes").fillna(wider - other)


def agency_share(providers: xr.DataArray, *, published: xr.DataArray) -> xr.DataArray:
    """Agency share of foster placements with carers who are not relatives or friends, at 31 March.

    Dims (year), share in [0, 1]. `providers`, dims (year, provider), children: children in foster care at 31
    March by provider. `published`, dims (year, placement_published), children.
    """
    # ``(private + voluntary) / all providers x foster_all / foster_other_carer``: the provider table covers
    # all foster care, and the carers who are relatives or friends are taken to be in-house.
    agency = providers.sel(provider=list(AGENCY)).sum("provider", skipna=False)
    everyone = agency + providers.sel(provider=list(IN_HOUSE)).sum("provider", skipna=False)
    foster, other_carers = (_group(published, name) for name in ("foster_all", "foster_other_carer"))
    return agency / everyone * foster / other_carers


def split_placements(
    published: xr.DataArray,
    *,
    foster_in_stock: xr.DataArray,
    providers: xr.DataArray,
    hidden: xr.DataArray,
    measure: str,
) -> xr.DataArray:
    """Children by placement, in the categories of `PLACEMENTS`.

    Dims (year, placement), children. A year is whole or missing altogether; parts add up to the published
    total within rounding to 10. `measure`: ``stock``, ``starts`` or ``ceases``, for the attributes.
    """
    # `published`, dims (year, placement_published), children: stock, starts (first placement) or ceases
    # (last placement) by published group. `foster_in_stock`, dims (year, placement_published), children:
    # stock by published group: providers are published for the stock only. `providers`, dims
    # (year, provider), children: children in foster care at 31 March by provider. `hidden`, dims (year),
    # bool: years in which `placed_for_adoption` was withheld as a small number: it enters as zero
    # (1 to 5 children in England).
    group = partial(_group, published)
    adoption = group("placed_for_adoption")
    other_carers = group("foster_other_carer")
    agency = other_carers * agency_share(providers, published=foster_in_stock)
    parts = {
        "foster_relative_or_friend": group("foster_relative_or_friend"),
        "foster_in_house": other_carers - agency,
        "foster_agency": agency,
        "childrens_home": _childrens_homes(published),
        "supported_accommodation": group("independent_semi_supported") + group("other"),
        "other_residential": group("other_residential_settings") + group("residential_schools"),
        "with_parents": group("with_parents"),
        "placed_for_adoption": xr.where(hidden, 0.0, adoption),
    }
    stacked = xr.concat([parts[name] for name in PLACEMENTS], dim="placement", coords="minimal")
    result = stacked.assign_coords(placement=list(PLACEMENTS)).transpose("year", "placement")
    result = result.where(np.isfinite(result).all("placement"))
    providers_note = "" if measure == "stock" else "; provider shares are those of the stock in the same year"
    when = {"stock": "at 31 March", "starts": "first placement", "ceases": "last placement"}[measure]
    result.attrs = {
        "units": "children",
        "long_name": f"{measure} by placement ({when})",
        "derivation": RULE + providers_note,
    }
    return result


# --- England by age, placement, reason and stay, and the authorities ---


FIRST_YEAR = 1994
"""First year ending 31 March with a published total."""


def _over(breakdown: str) -> tuple[str, Sequence[str]]:
    """Return the dimension a breakdown is laid out along, and its members in order."""
    members = AGE_BANDS if breakdown == "age" else words.CATEGORIES[breakdown]
    return "placement_published" if breakdown == "placement" else breakdown, members


def _with_release(
    name: str, rows: pd.DataFrame, *, dims: Dims, printed: pd.DataFrame, measure: str, long_name: str
) -> dict[str, xr.DataArray]:
    """A breakdown, the release it was taken from, and the England total printed in that same release."""
    totals = printed.loc[printed["measure"] == measure, ["release", "year", "children"]]
    latest = rows.dropna(subset="children").groupby("year")["release"].max().reset_index()
    matched = latest.merge(totals, on=["release", "year"], how="left")
    laid_out = partial(to_array, matched, dims={"year": dims["year"]})
    taken_from = f"release the figures were taken from: {long_name}"
    total = f"England total in the release of the breakdown: {long_name}"
    return {
        name: to_array(rows, dims=dims, value="children", long_name=long_name),
        f"{name}_release": laid_out(value="release", units="year", long_name=taken_from),
        f"{name}_total": laid_out(value="children", long_name=total),
    }


def children_of_england(table: pd.DataFrame, *, release: int) -> dict[str, xr.DataArray]:
    """England totals and breakdowns, with placements in the categories of `PLACEMENTS`.

    Rows that the data dictionary marks as wrong (`suspect_value`: 2,030 unaccompanied children in 2015) are
    left out, so the year is missing until a later release corrects it.
    """
    years = range(FIRST_YEAR, release + 1)
    sound = table[~table["flag"].str.contains("suspect_value")]
    known = as_known(sound, release=release, key=["year", "measure", "breakdown", "category"])
    groups = dict(iter(known.groupby(["measure", "breakdown"])))
    nothing = known.iloc[:0]
    arrays: dict[str, xr.DataArray] = {}
    printed = sound[sound["breakdown"] == "total"]
    for name, series in words.SERIES.items():
        measure, breakdown, long_name = (series[part] for part in ("measure", "breakdown", "long_name"))
        rows = groups.get((measure, breakdown), nothing)
        dims: dict[str, tuple[str, Sequence]] = {"year": ("year", years)}
        if "category" in series:
            rows = rows[rows["category"] == series["category"]]
            arrays[name] = to_array(rows, dims=dims, value="children", long_name=long_name)
        else:
            dim, members = _over(breakdown)
            dims[dim] = ("category", members)
            said = {"measure": measure, "long_name": long_name}
            arrays |= _with_release(name, rows, dims=dims, printed=printed, **said)
    return arrays | _placements(
        arrays, rows=known, providers=groups.get(("stock", "provider_foster"), nothing)
    )


def _placements(
    arrays: Mapping[str, xr.DataArray], *, rows: pd.DataFrame, providers: pd.DataFrame
) -> dict[str, xr.DataArray]:
    """Split stock, starts and ceases over the project's placements; see :func:`split_placements`."""
    stock = arrays["stock_by_placement_published"]
    years = stock["year"].values.tolist()
    dims: Dims = {"year": ("year", years), "provider": ("category", words.CATEGORIES["provider_foster"])}
    by_provider = to_array(providers, dims=dims, value="children")
    suppressed = rows["flag"].str.contains("suppressed") & (rows["breakdown"] == "placement")
    hidden = rows[suppressed & (rows["category"] == "placed_for_adoption")].assign(hidden=1.0)
    return {
        f"{measure}_by_placement": split_placements(
            arrays[f"{measure}_by_placement_published"],
            foster_in_stock=stock,
            providers=by_provider,
            hidden=to_array(
                hidden[hidden["measure"] == measure], dims={"year": ("year", years)}, value="hidden"
            ).notnull(),
            measure=measure,
        )
        for measure in ("stock", "starts", "ceases")
    }


def children_of_authorities(
    table: pd.DataFrame, *, england: pd.DataFrame, codes: Sequence[str], release: int
) -> dict[str, xr.DataArray]:
    """Stock, starts, ceases and unaccompanied children by authority, with the England total to compare with.

    Dims (authority, year); the totals and releases, dims (year). `table`: ``authority_children``, all
    releases. `england`: ``england_children``, for the totals printed in the same release.
    """
    years = range(FIRST_YEAR, release + 1)
    known = as_known(table, release=release, key=["year", "authority", "measure"])
    printed = england[(england["breakdown"] == "total") & ~england["flag"].str.contains("suspect_value")]
    groups = dict(iter(known.groupby("measure")))
    arrays: dict[str, xr.DataArray] = {}
    for measure in words.TABLES["authority_children"].words["measure"]:
        rows = groups.get(measure, known.iloc[:0])
        dims: Dims = {"authority": ("authority", codes), "year": ("year", years)}
        name, long_name = f"{measure}_by_authority", f"{words.SERIES[measure]['long_name']}, by authority"
        said = {"measure": measure, "long_name": long_name}
        arrays |= _with_release(name, rows, dims=dims, printed=printed, **said)
    return arrays


# --- Children aged 0 to 17: the denominator of every rate, on one census footing, and its projection ---


BANDS = ("0_4", "5_9", "10_14", "15", "16")
"""Age bands whose sum stands in for 0-17 where 0-17 itself was not published (mid-2010 and mid-2011)."""


@dataclass(frozen=True)
class _Vintage:
    """Estimates of one vintage on one census footing."""

    # vintage and census_base: release that used the estimates, and the census they rest on.
    vintage: int
    census_base: int
    people: dict[int, float]  # mid-year to population
    bands: bool = False  # true for the sum of age bands 0 to 16 instead of 0 to 17


def _by_mid_year(people: pd.Series) -> dict[int, float]:
    years = people.index.to_numpy(dtype=int)
    return dict(zip(years.tolist(), people.to_numpy(dtype=float).tolist(), strict=True))


def _vintages(estimates: pd.DataFrame) -> list[_Vintage]:
    """Every vintage and footing of 0-17, and the age-band sums that have all their bands."""
    found = []
    for vintage, base in estimates[["vintage", "census_base"]].drop_duplicates().to_numpy(dtype=int).tolist():
        rows = estimates[(estimates["vintage"] == vintage) & (estimates["census_base"] == base)]
        whole = rows[rows["age_band"] == "0_17"]
        if len(whole):
            found.append(_Vintage(vintage, base, _by_mid_year(whole.set_index("mid_year")["population"])))
        sums = rows[rows["age_band"].isin(BANDS)].groupby("mid_year")["population"].agg(["sum", "size"])
        bands = _by_mid_year(sums.loc[sums["size"] == len(BANDS), "sum"])
        if bands:
            found.append(_Vintage(vintage, base, bands, bands=True))
    return found


def _agrees(copy: _Vintage, known: list[_Vintage]) -> bool:
    """Whether a later copy repeats, at the earliest mid-year it shares, what was already published."""
    footing = [one.people for one in known if one.census_base == copy.census_base and not one.bands]
    earliest = [(min(shared), people) for people in footing if (shared := set(copy.people) & set(people))]
    return any(copy.people[year] == people[year] for year, people in earliest)


def _preference(vintages: list[_Vintage], *, release: int, base: int) -> list[_Vintage]:
    """Vintages in the order in which their growth is believed."""
    # First those known in the release and on the footing of its newest level, newest first; then a later copy
    # of those same estimates reaching further back; then known ones on an older footing; then later vintages
    # on the footing of the newest level, oldest first; the age-band sums last.
    totals = [one for one in vintages if not one.bands]
    known = [one for one in totals if one.vintage <= release]
    later = [one for one in totals if one.vintage > release and one.census_base == base]
    newest_first = sorted(known, key=lambda one: -one.vintage)
    copies = [one for one in later if _agrees(one, known)]
    return [
        *(one for one in newest_first if one.census_base == base),
        *copies,
        *(one for one in newest_first if one.census_base != base),
        *sorted((one for one in later if one not in copies), key=lambda one: one.vintage),
        *(one for one in vintages if one.bands),
    ]


def _growth(preference: list[_Vintage], mid_year: int) -> tuple[float, _Vintage] | None:
    """Growth from one mid-year to the next, and the vintage that shows it."""
    for one in preference:
        if mid_year in one.people and mid_year + 1 in one.people:
            return one.people[mid_year + 1] / one.people[mid_year], one
    return None


def _sentence(mid_years: list[int], vintage: _Vintage) -> str:
    span = f"mid-{min(mid_years)} to mid-{max(mid_years) + 1}"
    if vintage.bands:
        return f"population_0_17: growth {span} is that of ages 0 to 16, of which one vintage exists"
    return f"population_0_17: growth {span} is that of vintage {vintage.vintage}, later than the release"


def _carried(
    vintages: list[_Vintage], *, newest: _Vintage, release: int
) -> tuple[dict[int, float], dict[int, _Vintage]]:
    """Carry the newest level known back and forth; and the vintages used that the release did not have."""
    preference = _preference(vintages, release=release, base=newest.census_base)
    anchor = max(newest.people)
    level = {anchor: newest.people[anchor]}
    borrowed: dict[int, _Vintage] = {}
    for mid_year in [*range(anchor - 1, 2000, -1), *range(anchor, release - 1)]:
        step = _growth(preference, mid_year)
        if step is None:
            continue
        growth, vintage = step
        if mid_year < anchor and mid_year + 1 in level:
            level[mid_year] = level[mid_year + 1] / growth
        elif mid_year >= anchor and mid_year in level:
            level[mid_year + 1] = level[mid_year] * growth
        if vintage.vintage > release or vintage.bands:
            borrowed[mid_year] = vintage
    return level, borrowed


def splice_population(table: pd.DataFrame, *, release: int) -> tuple[xr.DataArray, list[str]]:
    """Splice the population 0-17 that children of each year are divided by, without the step of a census.

    Dims (year), people. For year t the estimate of mid-year t-1, as the publisher divides; NaN before 2010.
    One sentence for each stretch that rests on estimates published after the release.
    """
    # The level is that of the newest vintage known; ``p(t-1) = p(t) / g(t)`` with g the growth inside one
    # vintage on one census footing, and forwards the same way where the newest estimate is older than t-1.
    estimates = table[table["kind"] == "estimate"]
    vintages = _vintages(estimates)
    known = [one for one in vintages if one.vintage <= release and not one.bands]
    if not known:
        raise InputError(
            "no population estimate was known in this release",
            file="population_england.csv",
            field="vintage",
            found=f"earliest vintage {min((one.vintage for one in vintages), default='none')}",
            allowed=f"an estimate of 0_17 of vintage {release} or earlier",
        ).advice(
            "rows of early vintages were removed",
            remedy="restore them; every DfE release names the estimate it divided by",
        )
    newest = max(known, key=lambda one: (one.vintage, max(one.people)))
    level, borrowed = _carried(vintages, newest=newest, release=release)
    people = to_array(
        pd.DataFrame({"year": [year + 1 for year in level], "people": list(level.values())}),
        dims={"year": ("year", range(FIRST_YEAR, release + 1))},
        value="people",
        units="people",
        long_name="children aged 0 to 17, mid-year before the year named, on one census footing",
    ).assign_attrs(mid_year="year t holds the estimate of 30 June t-1")
    exceptions = [
        _sentence([year for year, used in borrowed.items() if used is vintage], vintage)
        for vintage in vintages
        if any(used is vintage for used in borrowed.values())
    ]
    return people, exceptions


def project_population(table: pd.DataFrame, *, people: xr.DataArray, newest: bool) -> xr.DataArray:
    """Move the projection of 0-17 to the level of the last estimate, so that its growth carries on from it.

    Dims (population_year), people. `table`: ``population_england``. `people`, dims (year), people. `newest`:
    whether the release is the newest: the projection has a single vintage and is missing otherwise.
    """
    # Returned: for year t the projection of mid-year t-1; the first year is the last estimate itself, where
    # that was projected too.
    #
    # ``projected(t) x estimate(t0) / projected(t0)`` with t0 the last year that was estimated: the projection
    # starts from mid-2022 and puts mid-2023 at 11.92 million where the estimate is 12.00 million.
    rows = table[table["kind"] == "projection"]
    sums = rows.groupby("mid_year")["population"].sum()
    joined = int(people.dropna("year")["year"].max())
    future = sums[sums.index + 1 >= joined] if newest else sums
    frame = pd.DataFrame({"year": future.index + 1, "people": future.to_numpy()})
    years = list(frame["year"])
    projected = to_array(frame, dims={"population_year": ("year", years)}, value="people")
    if newest and joined in years:
        projected = projected * float(people.sel(year=joined)) / float(projected.sel(population_year=joined))
    else:
        projected = projected * float("nan")
    projected.attrs = {
        "units": "people",
        "long_name": "children aged 0 to 17, projected from the last estimate on, mid-year before the year",
        "mid_year": "population_year t holds 30 June t-1",
    }
    return projected
