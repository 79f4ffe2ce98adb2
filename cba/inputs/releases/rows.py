"""Turn the rows of a publisher's data set into rows of the published tables, as the configuration says.

A mark that is printed in place of a figure stays a missing figure with a flag, and never becomes zero.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from cba.errors import InputError
from cba.inputs.data_sources import DataSource, TableMap
from cba.inputs.files import nearest, read_toml
from cba.inputs.releases.downloads import MARKS, Origin, Piece, Sheet, census_base
from cba.inputs.table_words import TABLES
from cba.inputs.written_records import checked_record

_SHIPPED = Path(__file__).with_name("shipped_sources.toml")

_PLAIN = re.compile(r"-?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?")


_BESIDE = re.compile(r"\s*\[(r|p)\]$|(?<=\d)(r|p)$")
"""Marks printed behind a figure: revised, provisional."""


def read_figure(text: str) -> tuple[str, str] | None:
    """Read one printed figure: a number as plain text with or without a flag, or no number and its flag with the mark.

    None where it is neither.
    """
    word = text.strip()
    beside = _BESIDE.search(word)
    mark = word.lower().strip("[]") if re.fullmatch(r"\[?[^\[\]]+\]?", word) else word
    if mark in MARKS:
        return "", f"{MARKS[mark]};mark {word.lower()}"
    flag = {"r": "revised", "p": "provisional"}[beside[1] or beside[2]] if beside else ""
    word = word[: beside.start()] if beside else word
    return (word.replace(",", ""), flag) if _PLAIN.fullmatch(word) else None


def plain_flag(flag: str) -> str:
    """Return what a flag says of a figure, without how it was printed or converted."""
    return ";".join(part for part in flag.split(";") if not part.startswith(("mark ", "times ")))


PUBLISHERS: Mapping[str, str] = {
    "ees": "Department for Education",
    "ees_csv": "Department for Education",
    "nomis": "Office for National Statistics",
    "hmt_deflator": "HM Treasury",
    "file": "Department for Education",
}
"""Who publishes what a kind of source holds, where the configuration does not say."""


@lru_cache(maxsize=1)
def shipped_sources() -> tuple[DataSource, ...]:
    """Return the mappings of files as their publishers publish them, in the form a user's ``[data]`` has."""
    written = read_toml(_SHIPPED)
    several = [written["publications"][one["source"]] | one for one in written["sources"]]
    return tuple(checked_record(DataSource, one, file=_SHIPPED, field=one["name"]) for one in several)


def of_no_use(sheet: Sheet) -> str:
    """Return what a file is that is known to hold no figure the tables keep; empty for any other."""
    for known in read_toml(_SHIPPED)["unused"]:
        rows = sheet.rows
        labels = known.get("labels", {})
        if {*known.get("columns", ()), *labels} <= set(rows.columns) and all(
            _matches(rows[name], label).any() for name, label in labels.items()
        ):
            return str(known["name"])
    return "a description of the files of a release" if sheet.rows.empty else ""


def mapped_pieces(
    sheet: Sheet, *, source: DataSource, authorities: pd.DataFrame, units: Mapping[str, str] | None = None
) -> tuple[Piece, ...]:
    """Map a data set onto the published tables.

    One for each table mapped, and one with the source itself. `sheet`: rows with labels, in the publisher's
    column names. `authorities`: the table ``authorities``, to find an authority by either of its codes.
    """
    sheet = replace(sheet, rows=_renamed(sheet.rows, source))
    pieces = []
    for table in source.tables:
        _refuse_unit(table, sheet=sheet, units=units or {})
        if table.optional and not _fits(table, sheet.rows):
            continue
        rows = _kept(table, sheet=sheet)
        words = {name: _words(table, name, rows=rows, sheet=sheet) for name in table.words}
        figures = _figures(table, rows=rows, words=words, authorities=authorities, sheet=sheet)
        if figures.empty:
            continue
        pieces.append(
            _filled(_summed(figures, table=table, sheet=sheet), table=table, sheet=sheet, source=source)
        )
    return (*pieces, cited_row(source, origin=sheet.origin))


def source_of(sheet: Sheet, *, sources: Sequence[DataSource]) -> DataSource | None:
    """Return the source whose mapping fits the columns of a file and the labels in them; refuse a file of two."""
    found = [one for one in sources if maps(sheet, source=one)]
    if len(found) > 1:
        raise InputError(
            "two sources fit one file",
            file=sheet.file,
            field="data.sources",
            found=" and ".join(one.name for one in found),
            allowed="one source for each file",
            cause="two mappings that keep the same labels, or one copied",
            remedy="tell them apart by `keep`: a column and the label of it that only one of the files has",
        )
    return found[0] if found else None


def maps(sheet: Sheet, *, source: DataSource) -> bool:
    """Return whether a source's mapping fits the columns of a file and the labels in them."""
    rows = _renamed(sheet.rows, source)
    needed = [table for table in source.tables if not table.optional]
    return (
        bool(needed)
        and not set(source.without) & set(rows.columns)
        and all(_fits(table, rows) for table in needed)
    )


def refuse_renamed(sheet: Sheet, *, sources: Sequence[DataSource], shipped: DataSource | None) -> None:
    """Refuse a file that a user's mapping would take but for a heading that is not there, and name the nearest.

    `shipped`: the mapping of ours that fits the file: a user's one of the same tables comes first.
    """
    ours = {table.table for table in shipped.tables} if shipped else set[str]()
    for source in [one for one in sources if one.kind in ("ees_csv", "file")]:
        columns = set(_renamed(sheet.rows, source).columns)
        for table in source.tables:
            wanted = set(_columns(table)) - {"time_period", "geographic_level"}
            missing = [name for name in _columns(table) if name not in columns]
            if missing and wanted & columns and (not shipped or table.table in ours):
                raise _missing_column(missing[0], source=source, sheet=sheet, shipped=shipped)


def nearest_source(sheet: Sheet, *, sources: Sequence[DataSource]) -> DataSource | None:
    """Return the one source that a file has the columns of, though not the labels: its mapping says what is wrong."""
    found = [
        one
        for one in sources
        if one.tables
        and not set(one.without) & set(sheet.rows.columns)
        and all(set(_columns(table)) <= set(_renamed(sheet.rows, one).columns) for table in one.tables)
    ]
    return found[0] if len(found) == 1 else None


def _missing_column(
    name: str, *, sheet: Sheet, source: DataSource | None = None, shipped: DataSource | None = None
) -> InputError:
    columns = list(sheet.rows.columns)
    known = [
        new for names in (shipped.renamed if shipped else ()) for new, old in names.items() if old == name
    ]
    hint = next((f"; did you mean {new}?" for new in known if new in columns), nearest(name, columns))
    which = f"source {source.name}" if source else "the mapping"
    return sheet.refusal(
        f"column {name}, which {which} maps, is missing",
        column=name,
        row=-1,
        found=", ".join(columns),
        allowed=name,
        cause="the publisher has renamed or removed it",
        remedy="correct the mapping, or say under `renamed` what this release calls it" + hint,
    )


def _renamed(rows: pd.DataFrame, source: DataSource) -> pd.DataFrame:
    """Give columns the names of the mapping, where a file is of a release that calls them otherwise."""
    for names in source.renamed:
        if names.keys() <= set(rows.columns):
            result = rows.rename(columns=names)
            return result if result.columns.is_unique else rows
    return rows


def _matches(cells: pd.Series, labels: str | Sequence[str]) -> pd.Series:
    """Tell which cells hold one of some labels; one that ends in * stands for all that begin so."""
    found = pd.Series(False, index=cells.index)
    for label in [labels] if isinstance(labels, str) else labels:
        found |= cells.str.startswith(label[:-1]) if label.endswith("*") else cells == label
    return found


def _fits(table: TableMap, rows: pd.DataFrame) -> bool:
    if not set(_columns(table)) <= set(rows.columns):
        return False
    kept = rows[_chosen(table, rows)]
    return len(kept) > 0 and all(
        kept[words.column].isin([*words.labels, *words.also]).any() for words in table.words.values()
    )


def _chosen(table: TableMap, rows: pd.DataFrame) -> pd.Series:
    chosen = pd.Series(True, index=rows.index)
    for name, label in _wanted(table).items():
        chosen &= _matches(rows[name], label)
    return chosen


def _wanted(table: TableMap) -> dict[str, str | tuple[str, ...]]:
    return dict(table.keep) | ({} if table.level is None else {"geographic_level": table.level})


def _columns(table: TableMap) -> tuple[str, ...]:
    mapped = (words.column for words in table.words.values())
    several = (
        table.year_column,
        table.value,
        table.place_column,
        table.over,
        *_wanted(table),
        *table.skip,
        *mapped,
    )
    return tuple(dict.fromkeys(name for name in several if name is not None))


def _refuse_unit(table: TableMap, *, sheet: Sheet, units: Mapping[str, str]) -> None:
    found = units.get(table.value)
    if found is not None and found != table.unit:
        raise InputError(
            "a column of figures is in another unit than the mapping says",
            file=sheet.file,
            field=f"column {table.value}",
            found=repr(found),
            allowed=repr(table.unit),
            cause="a rate published under the name of a count, or the publisher changed the unit",
            remedy="map the column that holds the figure in the unit of the table",
        )


def _kept(table: TableMap, *, sheet: Sheet) -> pd.DataFrame:
    rows = sheet.rows
    for name in _columns(table):
        if name not in rows.columns:
            raise _missing_column(name, sheet=sheet)
    for name, label in _wanted(table).items():
        chosen = rows[_matches(rows[name], label)]
        if chosen.empty:
            labels = sorted(set(rows[name]))
            wanted = label if isinstance(label, str) else ", ".join(label)
            raise InputError(
                "no row has the label that the mapping keeps",
                file=sheet.file,
                field=f"column {name}",
                found=", ".join(labels[:20]),
                allowed=wanted,
                cause="the publisher has renamed the label",
                remedy="correct the mapping" + nearest(wanted, labels),
            )
        rows = chosen
    for name, labels_left_out in table.skip.items():
        rows = rows[~_matches(rows[name], labels_left_out)]
    return rows


def _words(table: TableMap, name: str, *, rows: pd.DataFrame, sheet: Sheet) -> pd.Series:
    """Give each row our word for its label; empty for a label to leave out."""
    words = table.words[name]
    labels = rows[words.column].replace(dict(words.also))
    unknown = ~(labels.isin(list(words.labels)) | _matches(labels, words.ignore))
    if unknown.any():
        index = int(rows.index[unknown.to_numpy()][0])
        raise sheet.refusal(
            "a label is not in the mapping",
            column=words.column,
            row=index,
            found=labels.loc[index],
            allowed=", ".join([*words.labels, *words.ignore]),
            cause="a category the publisher has just introduced or renamed",
            remedy="map the label to a word of the table, or list it under `ignore`"
            + nearest(str(labels.loc[index]), words.labels),
        )
    latest = rows[table.year_column] == rows[table.year_column].max()
    newest = set(labels[latest])
    needed = words.labels if words.needed is None else words.needed
    missing = [label for label in needed if label not in newest]
    if missing:
        raise InputError(
            "a label of the mapping is missing from the newest period",
            file=sheet.file,
            field=f"column {words.column}, {table.year_column} {rows[table.year_column].max()}",
            found=f"without {', '.join(missing)}",
            allowed=", ".join(needed),
            cause="an age band or category left out or renamed, or a file cut off between two rows",
            remedy="download the file again; if the publisher has regrouped, correct the mapping",
        )
    return labels.map(dict(words.labels)).fillna("")


def period_year(text: str) -> int | None:
    """Return the year in which a period ends. None where it is no such period."""
    found = re.fullmatch(r"(\d{4})(?:[-/]?(\d{2})|[-/](\d{4}))?", text.strip())
    if not found:
        return None
    start = int(found[1])
    end = start if found[2] is None and found[3] is None else start + 1
    written = found[3] or (found[1][:2] + found[2] if found[2] else None)
    return end if written is None or int(written) % 100 == end % 100 else None


def _places(authorities: pd.DataFrame) -> dict[str, str]:
    """Return the three-digit code by either code; of two authorities of one code the one that still stands."""
    ordered = authorities.sort_values("last_year", kind="stable")
    by_ons = {row["ons_code"]: row["authority"] for row in ordered.to_dict("records") if row["ons_code"]}
    return by_ons | {code: code for code in authorities["authority"]}


def _figures(
    table: TableMap,
    *,
    rows: pd.DataFrame,
    words: Mapping[str, pd.Series],
    authorities: pd.DataFrame,
    sheet: Sheet,
) -> pd.DataFrame:
    """Read period, place and figure of each row that is mapped."""
    chosen = rows[(pd.DataFrame(words, index=rows.index) != "").all(axis=1)] if words else rows
    places, standing = _places(authorities), authorities.set_index("authority")
    found = []
    for index, row in zip(chosen.index, chosen.to_dict("records"), strict=True):
        cells = _cells(table, row, index=index, places=places, sheet=sheet)
        period, (figure, flag), *code = cells
        if code and _stands_not(standing.loc[code[0]], period, flag):
            continue
        if not figure and not TABLES[table.table].value:
            raise _unfillable(table, row, index=index, sheet=sheet)
        mapped = {f"word {name}": words[name].loc[index] for name in words}
        read = {"line": int(index) + 2, "period": period, "place": "".join(code), "figure": figure}
        label = "; ".join(
            str(row[name]) for name in (*(w.column for w in table.words.values()), table.over) if name
        )
        found.append(read | {"flag": flag, "label": label} | mapped)
    return pd.DataFrame(found)


def _cells(
    table: TableMap, row: Mapping[str, Any], *, index: Any, places: Mapping[str, str], sheet: Sheet
) -> list[Any]:
    """Return period, figure with its flag and, where the table has places, the place of a row."""
    period = period_year(row[table.year_column])
    period = None if period is None else period + table.shift_years
    cells: list[tuple[str, Any, str]] = [
        (table.year_column, period, "a year such as 2024 or 2023-24"),
        (table.value, read_figure(row[table.value]), "a number, or a mark such as c, x, z or low"),
    ]
    if table.place_column is not None:
        place = places.get(row[table.place_column])
        cells.append((table.place_column, place, "a code listed in authorities.csv"))
    for column, value, allowed in cells:
        if value is None:
            raise sheet.refusal(
                "a cell is not what the mapping says it is",
                column=column,
                row=index,
                found=repr(row[column]),
                allowed=allowed,
                cause="another column meant, an authority just created, or a mark not seen before",
                remedy="correct the mapping; give a new authority by --from authorities.csv",
            )
    return [value for _, value, _ in cells]


def _stands_not(authority: pd.Series, year: int, flag: str) -> bool:
    """Return whether a row is printed for an authority in a year in which there was none, and says no figure."""
    gone = authority["successors"] != "" and year > int(authority["last_year"])
    return flag.startswith(("not_ap", "not_av")) and (gone or year < int(authority["first_year"]))


def _unfillable(table: TableMap, row: Mapping[str, Any], *, index: Any, sheet: Sheet) -> InputError:
    """Refuse a mark where the table has no room for a missing figure."""
    return sheet.refusal(
        f"a mark stands where {table.table} needs a figure",
        column=table.value,
        row=index,
        found=repr(row[table.value]),
        allowed="a number",
        cause="a place or line for which the publisher has no figure",
        remedy=f'leave such rows out in the mapping: skip = {{ {table.value} = ["{row[table.value]}"] }}',
    )


def _summed(figures: pd.DataFrame, *, table: TableMap, sheet: Sheet) -> pd.DataFrame:
    """Add up labels that share a word; a sum with a withheld part is withheld, and no label counts twice."""
    names = [name for name in figures.columns if name not in ("line", "figure", "flag", "label")]
    again = figures.duplicated([*names, "label"])
    if again.any():
        raise _twice(figures, again, names, table=table, sheet=sheet)
    several = figures.duplicated(names, keep=False)
    if several.any() and not _adds(table):
        raise _twice(figures, several, names, table=table, sheet=sheet)
    result = []
    for values, group in figures[several].groupby(names, sort=False):
        flags = sorted({flag for flag in group["flag"] if flag})
        total = "" if (group["figure"] == "").any() else f"{sum(map(float, group['figure'])):.12g}"
        summed = {"line": group["line"].iloc[0], **dict(zip(names, values, strict=True)), "figure": total}
        result.append(summed | {"flag": ";".join(["sum", *flags])})
    joined = pd.concat([figures[~several], pd.DataFrame(result)]).drop(columns="label")
    return joined.sort_values("line", kind="stable").reset_index(drop=True)


def _adds(table: TableMap) -> bool:
    """Return whether a mapping states that figures are added up: over a column, or by labels that share a word."""
    shared = any(len(set(one.labels.values())) < len(one.labels) for one in table.words.values())
    return shared or table.over is not None


def _twice(
    figures: pd.DataFrame, again: pd.Series, names: list[str], *, table: TableMap, sheet: Sheet
) -> InputError:
    """Refuse rows that would count one thing twice, and name a column that tells them apart."""
    second = figures[again].iloc[-1]
    same = (figures[names] == second[names]).all(axis=1) & (figures["label"] == second["label"])
    first = figures[same].iloc[0]
    one, two = (sheet.rows.loc[int(row["line"]) - 2] for row in (first, second))
    differ = [name for name in sheet.rows.columns if one[name] != two[name] and name != table.value]
    other = f"{differ[0]} = {one[differ[0]]!r} and {two[differ[0]]!r}" if differ else "the same row again"
    return sheet.refusal(
        f"a label contributes more than once to a figure of {table.table}",
        column=differ[0] if differ else table.value,
        row=int(second["line"]) - 2,
        found=f"rows {first['line']} and {second['line']}: {second['label'] or second['period']}, {other}",
        allowed="each label once for a period and place",
        cause="totals and their parts (men, women, all) in one file, or rows pasted twice",
        remedy="pin the dimension in the mapping: "
        + (f'keep = {{ {differ[0]} = "{one[differ[0]]}" }}' if differ else "keep one of the rows"),
    )


def _filled(figures: pd.DataFrame, *, table: TableMap, sheet: Sheet, source: DataSource) -> Piece:
    """Lay the figures out in the columns of the table."""
    columns = TABLES[table.table].columns
    newest = int(figures["period"].max())
    if table.scale != 1:  # to thousands where pounds become millions, as the tables are printed
        scaled = pd.to_numeric(figures["figure"]) * table.scale
        figures = figures.assign(
            figure=[f"{one:.3f}" if one == one else "" for one in scaled],
            flag=[";".join(filter(None, (flag, f"times {table.scale:g}"))) for flag in figures["flag"]],
        )
    # Estimates of the middle of a year come out in the next.
    vintage = (sheet.origin.published or str(newest + ("mid_year" in columns)))[:4]
    made = {
        TABLES[table.table].figure: figures["figure"],
        "flag": figures["flag"],
        "release": str(newest),
        "vintage": vintage,
        "source": source.source,
        "year": figures["period"].astype(str),
        "mid_year": figures["period"].astype(str),
        **{name: figures[f"word {name}"] for name in table.words},
        **table.fixed,
    }
    if table.place_column is not None:
        made["authority" if "authority" in columns else "area"] = figures["place"]
    if "census_base" in columns and "census_base" not in made:
        known = pd.DataFrame({name: made[name] for name in ("kind", "vintage", "age_band", "mid_year")})
        made["census_base"] = [census_base(row) for row in known.to_dict("records")]
    rows = pd.DataFrame({name: made[name] for name in columns}, index=figures.index)
    lines = tuple(int(line) for line in figures["line"])
    return Piece(table.table, rows, lines, sheet.origin, gives_way=table.gives_way)


def cited_row(source: DataSource, *, origin: Origin) -> Piece:
    """Return the row of ``sources`` that the rows of a source name."""
    row = {
        "source": source.source,
        "title": source.title or source.name,
        "publisher": source.publisher or PUBLISHERS[source.kind],
        "licence": source.licence,
        "date": (origin.published or origin.retrieved)[:10],
        "address": source.base_url,
    }
    return Piece("sources", pd.DataFrame([row]), (2,), origin, gives_way=True)
