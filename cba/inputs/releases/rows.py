"""Turn the rows of a publisher's data set into rows of the published tables, as the configuration says.

A mark that is printed in place of a figure stays a missing figure with a flag, and never becomes zero.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from cba.errors import InputError
from cba.inputs.data_sources import DataSource, TableMap
from cba.inputs.files import nearest
from cba.inputs.releases.downloads import MARKS, Origin, Piece, Sheet
from cba.inputs.table_words import TABLES

_PLAIN = re.compile(r"-?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?")


def read_figure(text: str) -> tuple[str, str] | None:
    """Read one printed figure: a number as plain text without a flag, or no number and its flag with the mark.

    None where it is neither.
    """
    word = text.strip()
    if word.lower() in MARKS:
        return "", f"{MARKS[word.lower()]};mark {word.lower()}"
    return (word.replace(",", ""), "") if _PLAIN.fullmatch(word) else None


PUBLISHERS: Mapping[str, str] = {
    "ees": "Department for Education",
    "ees_csv": "Department for Education",
    "nomis": "Office for National Statistics",
    "hmt_deflator": "HM Treasury",
}
"""Who publishes what a kind of source holds, where the configuration does not say."""


def mapped_pieces(
    sheet: Sheet, *, source: DataSource, authorities: pd.DataFrame, units: Mapping[str, str] | None = None
) -> tuple[Piece, ...]:
    """Map a data set onto the published tables.

    One for each table mapped, and one with the source itself. `sheet`: rows with labels, in the publisher's
    column names. `authorities`: the table ``authorities``, to find an authority by either of its codes.
    """
    places = _places(authorities)
    pieces = []
    for table in source.tables:
        _refuse_unit(table, sheet=sheet, units=units or {})
        rows = _kept(table, sheet=sheet)
        words = {name: _words(table, name, rows=rows, sheet=sheet) for name in table.words}
        figures = _summed(_figures(table, rows=rows, words=words, places=places, sheet=sheet), table=table)
        pieces.append(_filled(figures, table=table, sheet=sheet, source=source))
    return (*pieces, cited_row(source, origin=sheet.origin))


def maps(sheet: Sheet, *, source: DataSource) -> bool:
    """Return whether a source's mapping fits the columns of a file."""
    return bool(source.tables) and all(
        set(_columns(table)) <= set(sheet.rows.columns) for table in source.tables
    )


def _columns(table: TableMap) -> tuple[str, ...]:
    place = () if table.place_column is None else (table.place_column,)
    level = () if table.level is None else ("geographic_level",)
    mapped = tuple(words.column for words in table.words.values())
    return (table.year_column, table.value, *level, *place, *table.keep, *mapped)


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
    columns = list(rows.columns)
    for name in _columns(table):
        if name not in columns:
            raise sheet.refusal(
                "a column that the mapping names is missing",
                column=name,
                row=-1,
                found=", ".join(columns),
                allowed=name,
                cause="the publisher has renamed or removed it",
                remedy="correct the mapping after comparing the columns" + nearest(name, columns),
            )
    wanted = dict(table.keep) | ({} if table.level is None else {"geographic_level": table.level})
    for name, label in wanted.items():
        chosen = rows[rows[name] == label]
        if chosen.empty:
            labels = sorted(set(rows[name]))
            raise InputError(
                "no row has the label that the mapping keeps",
                file=sheet.file,
                field=f"column {name}",
                found=", ".join(labels[:20]),
                allowed=label,
                cause="the publisher has renamed the label",
                remedy="correct the mapping" + nearest(label, labels),
            )
        rows = chosen
    return rows


def _words(table: TableMap, name: str, *, rows: pd.DataFrame, sheet: Sheet) -> pd.Series:
    """Give each row our word for its label; empty for a label to leave out."""
    words = table.words[name]
    labels = rows[words.column]
    unknown = ~labels.isin([*words.labels, *words.ignore])
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
    missing = [label for label in words.labels if label not in newest]
    if missing:
        raise InputError(
            "a label of the mapping is missing from the newest period",
            file=sheet.file,
            field=f"column {words.column}, {table.year_column} {rows[table.year_column].max()}",
            found=f"without {', '.join(missing)}",
            allowed=", ".join(words.labels),
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
    places: Mapping[str, str],
    sheet: Sheet,
) -> pd.DataFrame:
    """Read period, place and figure of each row that is mapped."""
    chosen = rows[(pd.DataFrame(words, index=rows.index) != "").all(axis=1)] if words else rows
    found = []
    for index, row in zip(chosen.index, chosen.to_dict("records"), strict=True):
        cells: list[tuple[str, Any, str]] = [
            (table.year_column, period_year(row[table.year_column]), "a year such as 2024 or 2023-24"),
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
        period, (figure, flag), *code = [value for _, value, _ in cells]
        mapped = {f"word {name}": words[name].loc[index] for name in words}
        read = {"line": int(index) + 2, "period": period, "place": "".join(code), "figure": figure}
        found.append(read | {"flag": flag} | mapped)
    return pd.DataFrame(found)


def _summed(figures: pd.DataFrame, *, table: TableMap) -> pd.DataFrame:
    """Add up labels that share a word; a sum with a withheld part is withheld."""
    shared = {
        name for name, words in table.words.items() if len(set(words.labels.values())) < len(words.labels)
    }
    if not shared or figures.empty:
        return figures
    names = [name for name in figures.columns if name not in ("line", "figure", "flag")]
    result = []
    for values, group in figures.groupby(names, sort=False):
        flags = sorted({flag for flag in group["flag"] if flag})
        several = len(group) > 1
        total = "" if flags else group["figure"].iloc[0]
        if several and not flags:
            number = sum(float(figure) for figure in group["figure"])
            total = f"{number:.10g}" if number % 1 else str(int(number))
        summed = {"line": group["line"].iloc[0], **dict(zip(names, values, strict=True)), "figure": total}
        result.append(summed | {"flag": ";".join([*(["sum"] if several else []), *flags])})
    return pd.DataFrame(result)


def _filled(figures: pd.DataFrame, *, table: TableMap, sheet: Sheet, source: DataSource) -> Piece:
    """Lay the figures out in the columns of the table."""
    columns = TABLES[table.table].columns
    newest = str(int(figures["period"].max()))
    made = {
        TABLES[table.table].figure: figures["figure"],
        "flag": figures["flag"],
        "release": newest,
        "vintage": (sheet.origin.published or sheet.origin.retrieved)[:4] or newest,
        "source": source.source,
        "year": figures["period"].astype(str),
        "mid_year": figures["period"].astype(str),
        **{name: figures[f"word {name}"] for name in table.words},
        **table.fixed,
    }
    if table.place_column is not None:
        made["authority" if "authority" in columns else "area"] = figures["place"]
    rows = pd.DataFrame({name: made[name] for name in columns}, index=figures.index)
    return Piece(table.table, rows, tuple(figures["line"]), sheet.origin)


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
    return Piece("sources", pd.DataFrame([row]), (2,), origin)
