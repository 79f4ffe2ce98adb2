"""The ``[data]`` table of an analysis: which snapshot it reads, and the sources an update may fetch from.

The shipped analyses name no source, so nothing they do needs a network. What a publisher calls its data sets,
columns and labels changes without notice; it is therefore written here, in the analysis, and never guessed.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from cba.errors import InputError
from cba.inputs.written_records import Number, Switch, Text, Whole, WrittenRecord

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts on this machine: the only ones that may be spoken to without encryption."""


MADE = ("source", "flag", "release", "vintage", "census_base")
"""Columns of the tables that the update itself fills in."""


Kind = Literal["ees", "ees_csv", "nomis", "hmt_deflator", "file"]


Words = dict[Text, Text]


class WordMap(WrittenRecord):
    """How the labels of one column of a source become the words of a column of ours."""

    column: Text  # column (filter) of the source
    # Label to word; several labels of one word are added up. Each label must be there.
    labels: Annotated[Words, Field(min_length=1)]
    # Labels that are left out, such as totals ("1a*": all that begin so); any label in neither list is refused.
    ignore: tuple[Text, ...] = ()
    also: Words = {}  # a label as files of other releases spell it, to the label of `labels`
    needed: tuple[Text, ...] | None = None  # labels that must be there, where not all of them need be


class TableMap(WrittenRecord):
    """How rows of a source become rows of one published table."""

    table: Text  # table of ``cba/inputs/published``
    # value and unit: column (indicator) with the figure and the unit the publisher gives it.
    value: Text
    unit: Annotated[str, Field(strict=True)] = ""
    level: Text | None = None  # geographic level to keep, as the publisher writes it
    year_column: Text = "time_period"
    # Column with the code of the authority: its three digits or its code of the statistics office.
    place_column: Text | None = None
    fixed: Words = {}  # columns of ours that hold one word throughout
    # Columns of the source and the label to keep of each; of several, those a file has ("E*": all that begin so).
    keep: dict[Text, Text | tuple[Text, ...]] = {}
    skip: dict[Text, tuple[Text, ...]] = {}  # columns and the labels or marks whose rows are left out
    shift_years: Annotated[Whole, Field(ge=-5, le=5)] = (
        0  # -1: figures of a period that are of the year before
    )
    scale: Annotated[Number, Field(gt=0)] = 1.0  # factor to our unit: 1e-6 from pounds to million pounds
    over: Text | None = None  # column over whose labels rows are added up, each label once
    gives_way: Switch = False  # whether a figure that differs by rounding gives way to that of another file
    optional: Switch = False  # whether a file without these labels is taken all the same
    words: dict[Text, WordMap] = {}  # columns of ours that depend on a column of the source

    @model_validator(mode="after")
    def _fills_its_table(self) -> TableMap:
        check_columns(self)
        return self


class DataSource(WrittenRecord):
    """One data set of a publisher."""

    name: Text  # what messages and records call it
    # Explore Education Statistics through its API or as a CSV of its catalogue; population from Nomis; the
    # GDP deflators of HM Treasury; `file`: nothing that can be asked, only files given with --from.
    kind: Kind
    base_url: Text  # without a slash at the end
    data_set: str = (
        ""  # identifier of the data set, or the path of the collection of deflators; none for `file`
    )
    # Version accepted so far (``ees`` only): a newer minor version is taken, a newer major one is not.
    version: Annotated[Text, Field(pattern=r"^\d+\.\d+(\.\d+)?$")] | None = None
    parameters: Words = {}  # parameters of the query (``nomis`` only), such as ``geography``
    hosts: tuple[Text, ...] = ()  # hosts beside that of `base_url` that an answer may come from
    # publication, calendar, calendar_url: slug of the publication (words to search for, on GOV.UK), ``ees``
    # or ``gov_uk`` and its address: where the days of the next releases are announced.
    publication: Text | None = None
    calendar: Literal["ees", "gov_uk"] | None = None
    calendar_url: Text | None = None
    # source, title, publisher, licence: key in ``sources.csv`` and, for a new key, what it stands for.
    source: Annotated[Text, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]
    title: Text | None = None
    publisher: Text | None = None
    licence: Text = "Open Government Licence v3.0"
    # Months after 31 March from which a year of the deflator counts as outturn.
    outturn_lag_months: Annotated[Whole, Field(ge=0, le=24)] = 3
    tables: tuple[TableMap, ...] = ()
    # Headings of the files of one release, to those of the mapping: applied where a file has all of them.
    renamed: tuple[Words, ...] = ()
    without: tuple[Text, ...] = ()  # columns that tell a file of another source

    @model_validator(mode="after")
    def _is_complete(self) -> DataSource:
        for field, url in (("base_url", self.base_url), ("calendar_url", self.calendar_url)):
            if url is not None:
                check_url(url, field=field)
        for host in self.hosts:
            check_url(f"https://{host}", field="hosts")
        _check_kind(self)
        return self

    def allowed_hosts(self) -> tuple[str, ...]:
        """Return every host this source may be spoken to on."""
        urls = [url for url in (self.base_url, self.calendar_url) if url is not None]
        return tuple(sorted({urlsplit(url).netloc for url in urls} | set(self.hosts)))


class Data(WrittenRecord):
    """Which tables an analysis reads, and where newer ones come from."""

    store: Text = "reports/.data"  # folder of snapshots, relative to the working folder
    # ``shipped``, ``current`` (the newest of the store) or an identifier.
    snapshot: Annotated[Text, Field(pattern=r"^(shipped|current|[0-9a-f]{8,64})$")] = "shipped"
    sources: tuple[DataSource, ...] = ()  # none for the shipped analyses, so that they run without a network

    @model_validator(mode="after")
    def _names_once(self) -> Data:
        names = [source.name for source in self.sources]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise InputError(
                "two sources have one name",
                field="sources",
                found=repeated[0],
                allowed="a name of its own for each",
            ).advice("a source copied and not renamed", remedy="rename one")
        return self


_HOST = r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLACE = re.compile(rf"({_HOST}|\[::1\])(:(?P<port>[0-9]{{1,5}}))?")
_ADDRESS = re.compile(r"(?P<scheme>https?)://(?P<place>[^/]+)(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*[^/])?")


def _is_place(text: str) -> bool:
    """Return whether a text is a host, with a port that can be where it names one."""
    found = _PLACE.fullmatch(text)
    return found is not None and len(text) <= 253 and 0 < int(found["port"] or 443) < 65_536


def _is_usable(url: str) -> bool:
    """Return whether an address can be, and is encrypted or on this machine."""
    found = _ADDRESS.fullmatch(url)
    if found is None or not _is_place(found["place"]):
        return False
    return found["scheme"] == "https" or urlsplit(url).hostname in LOOPBACK


def check_url(url: str, *, field: str) -> None:
    """Refuse an address that is not an encrypted one, except on this machine."""
    if not _is_usable(url):
        raise InputError(
            "an address of a source is not usable",
            field=field,
            found=url,
            allowed="https://host/path of plain letters, without user name, question mark or slash at the end",
        ).advice(
            "http for https, or a whole query pasted in place of the address",
            remedy="correct the address; put parameters into `parameters`",
        )


def _check_kind(source: DataSource) -> None:
    """Refuse a source that lacks what its kind needs."""
    problem: tuple[str, object, str] | None = None
    uuid = re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", source.data_set)
    if source.kind in ("ees", "ees_csv") and not uuid:
        problem = ("data_set", source.data_set, "a UUID such as 7588c2d6-9e8a-4d84-8f19-6b8d52a01fbd")
    elif source.kind == "ees" and source.version is None:
        problem = ("version", "none", "the version whose columns the mapping was written for, such as 2.0")
    elif source.kind != "ees" and source.version is not None:
        problem = (
            "version",
            source.version,
            "no version: only the API of Explore Education Statistics has any",
        )
    elif source.kind == "file" and source.data_set:
        problem = ("data_set", source.data_set, "none: a source of files is not asked")
    elif source.kind == "nomis" and not re.fullmatch(r"NM_\d+_\d+", source.data_set):
        problem = ("data_set", source.data_set, "an identifier of Nomis such as NM_2002_1")
    elif source.kind != "nomis" and source.parameters:
        problem = ("parameters", dict(source.parameters), "parameters for kind nomis only")
    elif source.kind == "hmt_deflator" and source.tables:
        problem = ("tables", f"{len(source.tables)} table(s)", "none: the layout of the deflators is known")
    elif source.kind != "hmt_deflator" and not source.tables:
        problem = ("tables", "none", "at least one [[data.sources.tables]]")
    elif len({source.publication is None, source.calendar is None, source.calendar_url is None}) > 1:
        problem = ("calendar", "one of the three", "publication, calendar and calendar_url together, or none")
    if problem:
        field, found, allowed = problem
        raise InputError(
            f"a source of kind {source.kind} is not complete", field=field, found=found, allowed=allowed
        ).advice(
            "a source of another kind copied, or a line left out",
            remedy="see the example in cba/inputs/releases/__init__.py",
        )


def check_columns(table: TableMap) -> None:
    """Refuse a mapping that does not fill its table, or fills it with unknown words."""
    from cba.inputs.table_words import OBSERVED, TABLES

    if table.table not in OBSERVED:
        raise _wrong(table, "table", found=table.table, allowed=", ".join(OBSERVED))
    columns, figure = TABLES[table.table].columns, TABLES[table.table].figure
    year = next(name for name in ("year", "mid_year") if name in columns)
    filled = {figure, year, *MADE, *table.fixed, *table.words}
    if table.place_column is not None:
        filled.add("authority" if "authority" in columns else "area")
    missing = [name for name in columns if name not in filled]
    unknown = [name for name in (*table.fixed, *table.words) if name not in columns or name in (figure, year)]
    twice = [name for name in table.words if name in table.fixed]
    if missing or unknown or twice:
        found = f"missing: {missing or 'none'}; unknown: {unknown or 'none'}; twice: {twice or 'none'}"
        raise _wrong(table, "fixed", found=found, allowed=f"once each: {', '.join(columns)}")
    given: dict[str, tuple[str, ...]] = {name: (word,) for name, word in table.fixed.items()}
    given |= {name: tuple(words.labels.values()) for name, words in table.words.items()}
    for name, several in given.items():
        allowed = _words_of(table, name) or TABLES[table.table].words.get(name)
        bad = [word for word in several if allowed is not None and word not in allowed]
        if bad:
            raise _wrong(table, name, found=bad[0], allowed=", ".join(allowed or ()))


def _words_of(table: TableMap, name: str) -> tuple[str, ...] | None:
    from cba.inputs.table_words import CATEGORIES

    if name != "category" or table.table != "england_children":
        return None
    breakdown = table.fixed.get("breakdown")
    return (
        CATEGORIES.get(breakdown) if breakdown else tuple(w for words in CATEGORIES.values() for w in words)
    )


def _wrong(table: TableMap, field: str, *, found: object, allowed: str) -> InputError:
    return InputError(
        f"the mapping of a source does not fit the table {table.table}",
        field=field,
        found=found,
        allowed=allowed,
    ).advice(
        "a column or word misspelt, or left out",
        remedy="correct the mapping: README.md beside the published tables has every column",
    )
