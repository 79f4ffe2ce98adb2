"""Rules a release must meet when it arrives: newer than what is held, whole, in the units of the one before.

The schemas of the tables say what one table may hold; these rules compare an arrival with what is held. Sums
against totals are left to :mod:`cba.inputs.reconciliation`, which looks at the tables as they would become.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from cba.errors import InputError
from cba.inputs.releases.downloads import Piece
from cba.inputs.releases.layouts import SUPERSEDED
from cba.inputs.table_words import TABLES

NUMBERED: Mapping[str, str] = {
    "england_children": "release",
    "authority_children": "release",
    "care_duration": "release",
    "children_in_need": "release",
    "gdp_deflator": "vintage",
}
"""Tables that keep every release side by side, and the column that tells them apart."""


TOGETHER = ("england_children", "authority_children")
"""Tables of one release that are of no use without each other."""


UNIFORM_SINCE = 2021
"""First release that prints every category of a breakdown for the same years."""


LARGEST_STEP = 5.0
"""A figure this many times its neighbour is in another unit: no series watched has moved by a factor of 3."""


_SERIES: Mapping[str, str] = {
    "england_children": "breakdown == 'total'",
    "care_duration": "",
    "population_england": "age_band == '0_17'",
    "population_authority": "",
    "spending_england": "line in ['total_cla', 'total_safeguarding', 'total_family_support']",
    "unit_costs": "level == 'england'",
    "children_in_need": "",
}
"""Tables whose figures may not jump, and which of their rows are watched."""


_WITHHELD = "download the file again; a withheld figure keeps its row, with a flag"


def releases_in(table: pd.DataFrame, *, name: str) -> set[str]:
    """Return the releases (or vintages) of a table."""
    return set(table[NUMBERED[name]]) if name in NUMBERED else set()


def figure_of(table: str) -> str:
    """Return the column of figures of a table, its first number that need not be whole; empty where it has none."""
    kinds = TABLES[table].columns if table in TABLES else {}
    return next((column for column, kind in kinds.items() if kind == "float64"), "")


def refuse_older(piece: Piece, *, held: pd.DataFrame) -> None:
    """Refuse rows of a release older than the newest held, unless they repeat what is held."""
    column = NUMBERED.get(piece.table)
    if column is None or held.empty:
        return
    newest = max(held[column])
    old = piece.rows[piece.rows[column] < newest]
    same = [name for name in held.columns if name != "source"]
    known = set(map(tuple, held[same].to_numpy()))
    for index, row in zip(old.index, old[same].to_numpy(), strict=True):
        if tuple(row) not in known:
            raise piece.refusal(
                f"the file holds an older {column} than the newest held, and says something new in it",
                column=column,
                index=index,
                found=f"{column} {old.loc[index, column]}",
                allowed=f"{newest} (the newest held) or later",
                cause="an earlier download taken for the new one; what was known then is not rewritten",
                remedy="give the newest release; a wrong figure of an old one is corrected by hand",
            )


def refuse_parts(pieces: Sequence[Piece], *, held: Mapping[str, pd.DataFrame]) -> list[str]:
    """Refuse a new release that lacks something the release before it had.

    Sentences on what is shorter than before and yet accepted.
    """
    arrived, fresh = {}, {}
    for name in (*TOGETHER, "care_duration"):
        rows = [piece.rows for piece in pieces if piece.table == name]
        arrived[name] = pd.concat(rows, ignore_index=True) if rows else held[name].iloc[:0]
        fresh[name] = set(arrived[name]["release"]) - set(held[name]["release"])
    for release in sorted(fresh["england_children"] | fresh["authority_children"]):
        for name, other in (TOGETHER, TOGETHER[::-1]):
            if release not in fresh[name] and not held[name].empty:
                raise InputError(
                    f"release {release} came in part",
                    file=file_of(pieces, other),
                    field=f"release {release}",
                    found=f"rows of {other} and none of {name}",
                    allowed=" and ".join(TOGETHER),
                    cause="one of the files of the release left out",
                    remedy="give all files of the release in one call: --from England.csv authorities.csv",
                )
        england, authorities = (_own_years(arrived[name], held[name], release) for name in TOGETHER)
        _refuse_missing_categories(*england, release=release, file=file_of(pieces, "england_children"))
        _refuse_ragged(arrived["england_children"], release, file_of(pieces, "england_children"))
        _refuse_missing_authorities(*authorities, release=release, file=file_of(pieces, "authority_children"))
    return [
        f"release {release} came without the mean length of stay"
        for release in sorted(fresh["england_children"] - fresh["care_duration"])
        if not held["care_duration"].empty
    ]


def file_of(pieces: Sequence[Piece], table: str) -> str:
    """Return the file that the rows of a table came in."""
    return next((piece.origin.address for piece in pieces if piece.table == table), f"{table}.csv")


def _own_years(rows: pd.DataFrame, held: pd.DataFrame, release: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows that the release before has on its own year, held or arriving too, and those of this one."""
    every = pd.concat([held, rows], ignore_index=True)
    before = max((one for one in set(every["release"]) if one < release), default="")
    own = every[every["release"] == every["year"]]
    return own[own["release"] == before], rows[(rows["release"] == release) & (rows["year"] == release)]


def _refuse_missing_categories(before: pd.DataFrame, now: pd.DataFrame, *, release: str, file: str) -> None:
    names = ["measure", "breakdown", "category"]
    had, has = (set(map(tuple, rows[names].to_numpy())) for rows in (before, now))
    lost = sorted(one for one in had - has if one[2] not in SUPERSEDED)
    if lost:
        measure, breakdown, category = lost[0]
        here, there = (sorted(one[2] for one in rows if one[:2] == lost[0][:2]) for rows in (has, had))
        raise InputError(
            f"release {release} lacks {category} in {measure} by {breakdown}"
            + (f", and {len(lost) - 1} more categories" if len(lost) > 1 else ""),
            file=file,
            field=f"column category, release {release}, year {release}, {measure}, {breakdown}",
            found=", ".join(here) or "no category",
            allowed=", ".join(there),
            cause="a file cut off between two rows, a band left out, or categories the publisher regrouped",
            remedy="download the file again; a regrouping is entered in layouts.toml by a person",
        )


def _refuse_ragged(rows: pd.DataFrame, release: str, file: str) -> None:
    """Every category of a breakdown is printed for the same years since 2021; fewer means rows were lost."""
    if int(release) < UNIFORM_SINCE:
        return
    for (measure, breakdown), several in rows[rows["release"] == release].groupby(["measure", "breakdown"]):
        years = set(several["year"])
        for category, found in several.groupby("category")["year"]:
            if lost := sorted(years - set(found)):
                raise InputError(
                    f"release {release} lacks years of {category} in {measure} by {breakdown}",
                    file=file,
                    field=f"column year, release {release}, {measure}, {breakdown}, {category}",
                    found=f"without {', '.join(lost)}",
                    allowed=", ".join(sorted(years)),
                    cause="a file cut off between two rows, or a row deleted",
                    remedy=_WITHHELD,
                )


def _refuse_missing_authorities(before: pd.DataFrame, now: pd.DataFrame, *, release: str, file: str) -> None:
    for measure, rows in before.groupby("measure"):
        was, has = set(rows["authority"]), set(now.loc[now["measure"] == measure, "authority"])
        lost = sorted(was - has)
        if has and lost and not has - was:  # codes that only vanish: no reorganisation explains it
            raise InputError(
                f"release {release} lacks authorities in {measure}",
                file=file,
                field=f"column authority, release {release}, year {release}, {measure}",
                found=f"without {listed(lost)}",
                allowed=f"the {len(was)} authorities of the release before, or their successors",
                cause="a file cut off between two rows",
                remedy=_WITHHELD,
            )


def listed(names: Sequence[str]) -> str:
    """Return the first five of some names, and whether there are others."""
    return f"{', '.join(names[:5])}{' and others' if len(names) > 5 else ''}"


def refuse_steps(piece: Piece, *, held: pd.DataFrame) -> None:
    """Refuse figures so far from the newest held of the same series that they must be in another unit."""
    if piece.table not in _SERIES or held.empty:
        return
    value, query = figure_of(piece.table), _SERIES[piece.table]
    year = "mid_year" if "mid_year" in held else "year"
    old, new = (rows.query(query, engine="python") if query else rows for rows in (held, piece.rows))
    left_out = {value, year, "release", "vintage", "flag", "source", "census_base", "price_basis", "kind"}
    names = [name for name in held.columns if name not in left_out]
    numbers = old.assign(figure=pd.to_numeric(old[value]), at=old[year].astype(int)).dropna(subset="figure")
    latest = numbers.sort_values("at", kind="stable").drop_duplicates(names, keep="last")
    both = new.reset_index().merge(latest[[*names, "figure", "at"]], on=names)
    near = (both[value] != "") & ((both[year].astype(int) - both["at"]).abs() <= 1) & (both["figure"] >= 10)
    both = both[near]
    step = both[value].astype(float) / both["figure"]
    wrong = both[~step.between(1 / LARGEST_STEP, LARGEST_STEP, inclusive="neither")]
    if len(wrong):
        row = wrong.iloc[0]
        raise piece.refusal(
            "a figure is in another unit than the series it continues",
            column=value,
            index=row["index"],
            found=f"{row[value]} for {', '.join(str(row[name]) for name in names)}, {row[year]}",
            allowed=f"within a factor of {LARGEST_STEP:g} of {row['figure']:,g}, the newest held",
            cause="thousands for ones, pounds for million pounds, or a yearly for a weekly cost",
            remedy="convert to the unit of the column",
        )
