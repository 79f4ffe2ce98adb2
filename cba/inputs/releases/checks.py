"""Rules a release must meet when it arrives: newer than what is held, whole, in the units of the one before.

The schemas of the tables say what one table may hold; these rules compare an arrival with what is held. Sums
against totals are left to :mod:`cba.inputs.reconciliation`, which looks at the tables as they would become.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from cba.errors import InputError
from cba.inputs.releases.downloads import SUPERSEDED, Piece

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


_SERIES: Mapping[str, tuple[str, str, str]] = {
    "england_children": ("children", "year", "breakdown == 'total'"),
    "care_duration": ("days", "year", ""),
    "population_england": ("population", "mid_year", "age_band == '0_17'"),
    "population_authority": ("population_0_17", "mid_year", ""),
    "spending_england": (
        "gbp_million",
        "year",
        "line in ['total_cla', 'total_safeguarding', 'total_family_support']",
    ),
    "unit_costs": ("gbp_per_child_week", "year", "level == 'england'"),
    "children_in_need": ("count", "year", ""),
}
"""Series whose steps are watched: value, year, which rows."""


def releases_in(table: pd.DataFrame, *, name: str) -> set[str]:
    """Return the releases (or vintages) of a table."""
    return set(table[NUMBERED[name]]) if name in NUMBERED else set()


def refuse_older(piece: Piece, *, held: pd.DataFrame) -> None:
    """Refuse rows of a release older than the newest held, unless they repeat what is held."""
    column = NUMBERED.get(piece.table)
    if column is None or held.empty:
        return
    newest = max(held[column])
    old = piece.rows[piece.rows[column] < newest]
    if old.empty:
        return
    same = [name for name in held.columns if name != "source"]
    known = set(map(tuple, held[same].to_numpy().tolist()))
    for index, row in zip(old.index, old[same].to_numpy().tolist(), strict=True):
        if tuple(row) not in known:
            raise InputError(
                f"the file holds an older {column} than the newest held, and says something new in it",
                file=piece.origin.address,
                field=f"column {column}, row {piece.lines[int(index)]}",
                found=f"{column} {old.loc[index, column]}",
                allowed=f"{newest} (the newest held) or later",
                cause="an earlier download taken for the new one; what was known then is not rewritten",
                remedy="give the newest release; a wrong figure of an old one is corrected by hand",
            )


def refuse_parts(pieces: Sequence[Piece], *, held: Mapping[str, pd.DataFrame]) -> list[str]:
    """Refuse a new release that lacks something the release before it had.

    Sentences on what is shorter than before and yet accepted.
    """
    arrived = {name: _joined(pieces, name) for name in (*TOGETHER, "care_duration")}
    fresh = {name: _new_releases(rows, held[name]) for name, rows in arrived.items()}
    for release in sorted(fresh["england_children"] | fresh["authority_children"]):
        for name in TOGETHER:
            if release not in fresh[name] and not held[name].empty:
                other = next(one for one in TOGETHER if one != name)
                raise InputError(
                    f"release {release} came in part",
                    file=_file_of(pieces, other),
                    field=f"release {release}",
                    found=f"rows of {other} and none of {name}",
                    allowed=" and ".join(TOGETHER),
                    cause="one of the files of the release left out",
                    remedy="give all files of the release in one call: --from England.csv authorities.csv",
                )
        _refuse_missing_categories(arrived["england_children"], held, release, pieces)
        _refuse_missing_authorities(arrived["authority_children"], held, release, pieces)
    return [
        f"release {release} came without the mean length of stay"
        for release in sorted(fresh["england_children"] - fresh["care_duration"])
        if not held["care_duration"].empty
    ]


def _joined(pieces: Sequence[Piece], name: str) -> pd.DataFrame:
    rows = [piece.rows for piece in pieces if piece.table == name]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def _new_releases(rows: pd.DataFrame, held: pd.DataFrame) -> set[str]:
    return set() if rows.empty else set(rows["release"]) - set(held["release"])


def _file_of(pieces: Sequence[Piece], table: str) -> str:
    return next(piece.origin.address for piece in pieces if piece.table == table)


def _own_year(rows: pd.DataFrame, release: str) -> pd.DataFrame:
    return rows[(rows["release"] == release) & (rows["year"] == release)]


def _before(rows: pd.DataFrame, release: str, held: pd.DataFrame) -> pd.DataFrame:
    """Rows of the own year of the release before, whether it is held or arrives in the same call."""
    every = pd.concat([held, rows], ignore_index=True)
    earlier = sorted(one for one in set(every["release"]) if one < release)
    return _own_year(every, earlier[-1]) if earlier else every.iloc[:0]


def _refuse_missing_categories(
    rows: pd.DataFrame, held: Mapping[str, pd.DataFrame], release: str, pieces: Sequence[Piece]
) -> None:
    names = ["measure", "breakdown", "category"]
    before = set(map(tuple, _before(rows, release, held["england_children"])[names].to_numpy().tolist()))
    now = set(map(tuple, _own_year(rows, release)[names].to_numpy().tolist()))
    lost = sorted(one for one in before - now if one[2] not in SUPERSEDED)
    if lost:
        measure, breakdown, category = lost[0]
        kept = sorted(one[2] for one in now if one[:2] == (measure, breakdown))
        raise InputError(
            f"release {release} lacks {category} in {measure} by {breakdown}"
            + (f", and {len(lost) - 1} more categories" if len(lost) > 1 else ""),
            file=_file_of(pieces, "england_children"),
            field=f"column category, release {release}, year {release}, {measure}, {breakdown}",
            found=", ".join(kept) or "no category",
            allowed=", ".join(sorted(one[2] for one in before if one[:2] == (measure, breakdown))),
            cause="a file cut off between two rows, a band left out, or categories the publisher regrouped",
            remedy="download the file again; a regrouping is entered in release_words.py by a person",
        )
    _refuse_ragged(rows[rows["release"] == release], release, _file_of(pieces, "england_children"))


def _refuse_ragged(rows: pd.DataFrame, release: str, file: str) -> None:
    """Every category of a breakdown is printed for the same years since 2021; fewer means rows were lost."""
    if int(release) < UNIFORM_SINCE:
        return
    years = rows.groupby(["measure", "breakdown", "category"])["year"].agg(lambda one: frozenset(one))
    for (measure, breakdown), several in years.groupby(level=[0, 1]):
        most = frozenset().union(*several)
        for (_, _, category), found in several.items():
            if found != most:
                raise InputError(
                    f"release {release} lacks years of {category} in {measure} by {breakdown}",
                    file=file,
                    field=f"column year, release {release}, {measure}, {breakdown}, {category}",
                    found=f"without {', '.join(sorted(most - found))}",
                    allowed=", ".join(sorted(most)),
                    cause="a file cut off between two rows, or a row deleted",
                    remedy="download the file again; a withheld figure keeps its row, with a flag",
                )


def _refuse_missing_authorities(
    rows: pd.DataFrame, held: Mapping[str, pd.DataFrame], release: str, pieces: Sequence[Piece]
) -> None:
    if rows.empty:
        return
    names = ["measure", "authority"]
    before = set(map(tuple, _before(rows, release, held["authority_children"])[names].to_numpy().tolist()))
    now = set(map(tuple, _own_year(rows, release)[names].to_numpy().tolist()))
    for measure in sorted({one for one, _ in before}):
        was = {code for one, code in before if one == measure}
        is_now = {code for one, code in now if one == measure}
        lost = sorted(was - is_now)
        if is_now and lost and not is_now - was:  # codes that only vanish: no reorganisation explains it
            raise InputError(
                f"release {release} lacks authorities in {measure}",
                file=_file_of(pieces, "authority_children"),
                field=f"column authority, release {release}, year {release}, {measure}",
                found=f"without {', '.join(lost[:5])}{' and others' if len(lost) > 5 else ''}",
                allowed=f"the {len(was)} authorities of the release before, or their successors",
                cause="a file cut off between two rows",
                remedy="download the file again; a withheld figure keeps its row, with a flag",
            )


def refuse_steps(piece: Piece, *, held: pd.DataFrame) -> None:
    """Refuse figures so far from the newest held of the same series that they must be in another unit."""
    if piece.table not in _SERIES or held.empty:
        return
    value, year, query = _SERIES[piece.table]
    only = {"engine": "python"}
    old, new = (rows.query(query, **only) if query else rows for rows in (held, piece.rows))
    left_out = {value, year, "release", "vintage", "flag", "source", "census_base", "price_basis", "kind"}
    names = [name for name in held.columns if name not in left_out]
    numbers = old.assign(figure=pd.to_numeric(old[value]), at=old[year].astype(int)).dropna(subset="figure")
    latest = numbers.sort_values("at", kind="stable").drop_duplicates(names, keep="last")
    known = {tuple(row[name] for name in names): row["figure"] for row in latest.to_dict("records")}
    reach = {tuple(row[name] for name in names): row["at"] for row in latest.to_dict("records")}
    for index, row in zip(new.index, new.to_dict("records"), strict=True):
        name = tuple(row[one] for one in names)
        near = name in known and row[value] != "" and abs(int(row[year]) - reach[name]) <= 1
        if not near or known[name] < 10:
            continue
        ratio = float(row[value]) / known[name]
        if not 1 / LARGEST_STEP < ratio < LARGEST_STEP:
            raise InputError(
                "a figure is in another unit than the series it continues",
                file=piece.origin.address,
                field=f"column {value}, row {piece.lines[int(index)]}",
                found=f"{row[value]} for {', '.join(map(str, name))}, {row[year]}",
                allowed=f"within a factor of {LARGEST_STEP:g} of {known[name]:,g}, the newest held",
                cause="thousands for ones, pounds for million pounds, or a yearly for a weekly cost",
                remedy="convert to the unit of the column",
            )
