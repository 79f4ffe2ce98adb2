"""A release that is not what it should be is refused by file and row, and leaves no trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from cba.errors import InputError
from cba.inputs.files import reading_from
from cba.inputs.releases import new_tables
from cba.inputs.releases.arrival_rules import refuse_parts
from cba.inputs.releases.downloads import Origin, Piece
from cba.inputs.releases.update import UpdateOutcome, update_from_files
from tests.inputs import release_files as made


@pytest.fixture(scope="module")
def after_2023(tmp_path_factory) -> Path:
    return made.stripped_to(2023, tmp_path_factory.mktemp("held") / "published")


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> dict[str, Path]:
    files = made.release_files(2024, tmp_path_factory.mktemp("good"))
    return {file.stem.split("_")[0]: file for file in files}


def taken(files: list[Path], *, store: Path, held: Path, **how: bool) -> UpdateOutcome:
    """Let files arrive where the tables of a folder are what is held."""
    with reading_from(published=held):
        return update_from_files(files, store=store, **how)


def refused(folder: Path, parent: Path, good: dict[str, Path], **changed: object) -> InputError:
    """Give the release with some files replaced and return what is said; nothing may be stored."""
    files = []
    for name, file in good.items():
        frame = changed.get(name, file)
        if frame is None:
            continue
        other = folder / file.name
        if isinstance(frame, bytes):
            other.write_bytes(frame)
        elif not isinstance(frame, Path):
            made.write(frame, other)
        files.append(other if other.exists() else file)
    store = folder / "store"
    with pytest.raises(InputError) as caught, reading_from(published=parent):
        update_from_files(files, store=store)
    assert not store.exists()
    details = caught.value.details
    assert details["file"] and details["usual cause"] and details["next step"]
    return caught.value


def at(frame, **where):
    """Row of the file (the header is row 1) in which some columns hold some words."""
    chosen = frame
    for name, word in where.items():
        chosen = chosen[chosen[name] == word]
    return int(chosen.index[0])


STOCK = {"measure": "stock", "dimension": "total", "year": "2024"}


def test_an_unknown_column(tmp_path, after_2023, good):
    frame = made.england_rows(2024).assign(quality="A")
    error = refused(tmp_path, after_2023, good, england=frame)
    assert error.problem == "an unknown column"
    assert (
        error.details["file"].endswith("england_2024.csv")
        and error.details["field"] == "column quality, row 1"
    )


def test_a_renamed_column_is_named_with_its_nearest(tmp_path, after_2023, good):
    frame = made.england_rows(2024).rename(columns={"children": "children_thousand"})
    error = refused(tmp_path, after_2023, good, england=frame)
    assert "children_thousand" in error.details["found"] and "missing: children" in error.details["found"]
    assert "did you mean children?" in error.details["next step"]


def test_a_missing_age_band(tmp_path, after_2023, good):
    frame = made.england_rows(2024)
    frame = frame[~((frame["measure"] == "starts") & (frame["category"] == "5_9"))]
    error = refused(tmp_path, after_2023, good, england=frame)
    assert error.problem == "release 2024 lacks 5_9 in starts by age"
    assert "10_15" in error.details["found"] and "5_9" in error.details["allowed"]


def test_a_missing_year_of_one_band(tmp_path, after_2023, good):
    frame = made.england_rows(2024)
    gone = (frame["measure"] == "stock") & (frame["category"] == "5_9") & (frame["year"] == "2020")
    error = refused(tmp_path, after_2023, good, england=frame[~gone])
    assert error.problem == "release 2024 lacks years of 5_9 in stock by age"
    assert "without 2020" in error.details["found"]


def test_a_file_cut_off_in_a_row(tmp_path, after_2023, good):
    error = refused(tmp_path, after_2023, good, england=good["england"].read_bytes()[:-30])
    assert "cut off" in error.problem and error.details["field"].startswith("row ")


def test_a_file_cut_off_between_rows(tmp_path, after_2023, good):
    lines = good["england"].read_bytes().splitlines(keepends=True)
    error = refused(tmp_path, after_2023, good, england=b"".join(lines[:700]))
    assert "release 2024 lacks" in error.problem


def test_authorities_cut_off_between_rows(tmp_path, after_2023, good):
    frame = made.authority_rows(2024)
    error = refused(tmp_path, after_2023, good, authorities=frame[frame["la_code"] != "201"])
    assert "ceases_by_authority sums to England" in error.problem  # two new codes might have explained it


def test_an_authority_that_vanishes_without_a_successor():
    """No reorganisation explains a code that is gone where no code is new."""
    held = made.table("authority_children")
    rows = held[held["release"] == "2023"]
    england = made.table("england_children")
    earlier = {
        "authority_children": held[held["release"] <= "2022"],
        "care_duration": made.table("care_duration"),
    }
    earlier["england_children"] = england[england["release"] <= "2022"]
    origin = Origin("a", "authorities_2023.csv", "", 0, "")
    fresh = england[england["release"] == "2023"].reset_index(drop=True)
    pieces = [Piece("england_children", fresh, (2,) * len(fresh), origin)]
    short = rows[rows["authority"] != "201"].reset_index(drop=True)
    pieces.append(Piece("authority_children", short, (2,) * len(short), origin))
    with pytest.raises(InputError, match="release 2023 lacks authorities in ceases") as caught:
        refuse_parts(pieces, held=earlier)
    assert caught.value.details["found"] == "without 201"


def test_england_without_its_authorities(tmp_path, after_2023, good):
    error = refused(tmp_path, after_2023, good, authorities=None)
    assert (
        error.problem == "release 2024 came in part"
        and "none of authority_children" in error.details["found"]
    )


def test_a_total_that_does_not_add_up(tmp_path, after_2023, good):
    frame = made.england_rows(2024)
    row = at(frame, measure="stock", dimension="age", category="5_9", year="2024")
    frame.loc[row, "children"] = str(int(frame.loc[row, "children"]) + 500)
    error = refused(tmp_path, after_2023, good, england=frame)
    assert error.problem == "a total does not add up: stock_by_age sums to the total"
    assert error.details["field"] == "year 2024, release 2024" and "83,630" in error.details["allowed"]
    assert error.details["file"] == "england_2024.csv"


def test_authorities_that_do_not_add_up_to_england(tmp_path, after_2023, good):
    frame = made.authority_rows(2024)
    row = at(frame, measure="starts", la_code="383", year="2024")
    frame.loc[row, "children"] = str(int(frame.loc[row, "children"]) + 300)
    error = refused(tmp_path, after_2023, good, authorities=frame)
    assert "starts_by_authority sums to England" in error.problem
    assert error.details["file"] == "authorities_2024.csv"


def test_rows_given_twice(tmp_path, after_2023, good):
    frame = made.england_rows(2024)
    row = at(frame, **STOCK)
    twice = made.pd.concat([frame, frame.loc[[row]]], ignore_index=True)
    error = refused(tmp_path, after_2023, good, england=twice)
    assert error.problem == "a key occurs twice" and error.details["field"].endswith(f"row {len(twice) + 1}")


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("83.63", "a count is not a whole number"),
        ("83", "another unit"),
        ("83630000", "too large or too small"),
        ("-83630", "negative"),
        ("about 83,630", "not a number"),
    ],
)
def test_a_figure_that_is_none_or_in_another_unit(tmp_path, after_2023, good, word, problem):
    frame = made.england_rows(2024)
    row = at(frame, **STOCK)
    frame.loc[row, "children"] = word
    error = refused(tmp_path, after_2023, good, england=frame)
    assert problem in error.problem
    assert error.details["field"] == f"column children, row {row + 2}"
    assert word.lstrip("-") in str(error.details["found"])


def test_an_unknown_category_and_an_unknown_breakdown(tmp_path, after_2023, good):
    frame = made.england_rows(2024)
    row = at(frame, measure="stock", dimension="age", category="5_9")
    frame.loc[row, "category"] = "5_8"
    error = refused(tmp_path, after_2023, good, england=frame)
    assert "unknown category" in error.problem and error.details["field"].endswith(f"row {row + 2}")
    frame.loc[row, ["category", "dimension"]] = ["5_9", "shoe_size"]
    error = refused(tmp_path, after_2023, good, england=frame)
    assert error.problem == "an unknown word in dimension" and error.details["found"] == "shoe_size"


def test_an_older_release_than_the_newest_held(tmp_path, after_2023):
    frame = made.england_rows(2022)
    row = at(frame, measure="stock", dimension="total", year="2022")
    frame.loc[row, "children"] = "82180"
    older = {"england": made.write(frame, tmp_path / "england_2022.csv")}
    error = refused(tmp_path, after_2023, older)
    assert "older release than the newest held" in error.problem
    assert (
        error.details["field"] == f"column release, row {row + 2}"
        and error.details["found"] == "release 2022"
    )


def test_an_older_release_that_repeats_what_is_held_is_nothing_new(tmp_path, after_2023):
    files = made.release_files(2022, tmp_path / "old")
    found = taken(files, store=tmp_path / "store", held=after_2023)
    assert not found.changed and not (tmp_path / "store").exists()


def test_two_files_that_contradict_each_other(tmp_path, after_2023, good):
    frame = made.duration_rows(2024)
    frame.loc[len(frame) - 1, "days"] = "901"
    other = made.write(frame, tmp_path / "durations_again.csv")
    error = refused(tmp_path, after_2023, good | {"again": other})
    assert error.problem == "two files give different figures for one row"
    assert error.details["file"] == "durations_again.csv" and "901 here" in error.details["found"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"PK\x03\x04\xff\xfe", "cannot be read as text"),
        (b"release,year\n", "holds no rows"),
        (b"", "holds no rows"),
        (b"a,b\n1,2", "cut off"),
        (b"a,b\n1,2\n", "layout of the file is not known"),
        (b"release,release\n1,2\n", "stands in the file twice"),
        (b"release,year,measure,days,source\n2024,2024,x,5\n", "fewer cells than the header"),
    ],
)
def test_a_file_that_is_no_table(tmp_path, after_2023, content, problem):
    file = tmp_path / "download.csv"
    file.write_bytes(content)
    assert problem in refused(tmp_path, after_2023, {"download": file}).problem


def test_a_cell_without_end(tmp_path, after_2023, good):
    rows = made.england_rows(2024).to_csv(index=False, lineterminator="\n").splitlines(keepends=True)
    quoted = '"' + "x" * 140_000 + '"'
    rows[3] = rows[3].replace("2024", quoted, 1)
    error = refused(tmp_path, after_2023, good, england="".join(rows).encode())
    assert error.problem == "a row cannot be split into cells" and error.details["field"] == "row 4"
    assert error.details["file"].endswith("england_2024.csv") and "131,072" in error.details["allowed"]


@pytest.mark.parametrize("year", ["2" * 25, "-" + "9" * 16])
def test_a_whole_number_that_no_column_can_hold(tmp_path, after_2023, good, year):
    frame = made.england_rows(2024)
    frame.loc[4, "year"] = year
    error = refused(tmp_path, after_2023, good, england=frame)
    assert "whole number" in error.problem and year in error.details["found"]
    assert error.details["field"] == "column year, row 6" and "15 digits" in error.details["allowed"]


def test_no_file_and_a_file_that_is_not_there(tmp_path, after_2023):
    with pytest.raises(InputError, match="no file was named"):
        taken([], store=tmp_path / "store", held=after_2023)
    error = refused(tmp_path, after_2023, {"gone": tmp_path / "gone.csv"})
    assert error.problem == "the file does not exist"


def test_deflators_need_the_month_they_were_published(tmp_path, after_2023):
    rows = made.table("gdp_deflator").rename(columns={"deflator": "index", "source": "source_id"})
    rows["financial_year"] = [f"{int(year) - 1}-{int(year) % 100:02d}" for year in rows["year"]]
    layout = "financial_year growth_percent index base status source_id".split()
    same = made.write(rows[layout], tmp_path / "gdp_deflator.csv")
    assert not taken([same], store=tmp_path / "store", held=after_2023).changed
    rows.loc[rows["year"] == "2026", "index"] = "107.5"
    rows.loc[rows["year"] == "2026", "growth_percent"] = (
        "3.648"  # of 103.717; the year after then grows by 1.536
    )
    rows.loc[rows["year"] == "2027", "growth_percent"] = "1.536"
    newer = made.write(rows[layout], tmp_path / "deflators.csv")
    error = refused(tmp_path, after_2023, {"deflators": newer})
    assert "without the month" in error.problem and "2026-06" in error.details["allowed"]
    dated = made.write(rows[layout], tmp_path / "gdp_deflator_2026-06.csv")
    found = taken([dated], store=tmp_path / "store", held=after_2023, dry_run=True)
    assert found.changed and "vintage 2026-06 is new" in found.summary[0]
    assert not (tmp_path / "store").exists()


def test_marks_become_missing_and_keep_what_was_printed(tmp_path, after_2023, good):
    frame = made.authority_rows(2024)
    rows = frame.index[(frame["flag"] == "suppressed")][:3]
    frame.loc[rows, "flag"] = ""
    frame.loc[rows, "children"] = ["c", "low", "x"]
    files = [good["england"], good["durations"], made.write(frame, tmp_path / "authorities_2024.csv")]
    found = taken(files, store=tmp_path / "store", held=after_2023)
    held = made.table("authority_children", found.snapshot.folder)
    kept = held[held["flag"].str.contains("mark ")]
    assert sorted(kept["flag"]) == ["not_available;mark x", "rounds_to_zero;mark low", "suppressed;mark c"]
    assert set(kept["children"]) == {""}
    made.removable(tmp_path / "store")


def test_a_refusal_of_the_table_it_would_make_names_the_row_that_was_given(tmp_path, after_2023, monkeypatch):
    """The temporary folder in which tables are checked is gone by the time anybody reads of it."""
    rows = made.table("unit_costs", after_2023)
    newest = rows[rows["year"] == rows["year"].max()].head(3)
    given = made.write(newest.assign(year="2024"), tmp_path / "costs.csv")
    for place, table, field in (
        (1, "unit_costs", "column value, row {}"),
        (2, "unit_costs", "row {} (x), column y"),
    ):
        key = [name for name in newest.columns if name not in ("value", "year", "source", "flag")]

        def fails(folder, *, pieces, held, changes, place=place, table=table, field=field, key=key):
            built = made.table(table, folder)
            wanted = (built[key] == newest.iloc[place][key]).all(axis=1) & (built["year"] == "2024")
            raise InputError("wrong", file=folder / f"{table}.csv", field=field.format(wanted.argmax() + 2))

        monkeypatch.setattr(new_tables, "_check_whole", fails)
        with reading_from(published=after_2023), pytest.raises(InputError) as caught:
            update_from_files([given], store=tmp_path / "store")
        assert caught.value.details["file"] == "costs.csv"
        assert caught.value.details["field"] == field.format(place + 2)


@pytest.mark.parametrize(
    "table, field, said",
    [
        ("unit_costs", "column value, row 2", "column value, row 2 of unit_costs.csv as held"),
        ("unit_costs", "column value", "unit_costs.csv as it would become: column value"),
        ("england_children", "row 2", "england_children.csv as it would become: row 2"),
        ("unit_costs", "row 999999", "unit_costs.csv as it would become: row 999999"),
        ("unit_costs", None, None),
    ],
)
def test_a_refusal_of_a_row_held_says_which(tmp_path, after_2023, monkeypatch, table, field, said):
    def fails(folder, **checked):
        raise InputError("wrong", file=folder / f"{table}.csv", field=field)

    rows = made.table("unit_costs", after_2023)
    newest = rows[rows["year"] == rows["year"].max()]
    given = made.write(newest.assign(year="2024"), tmp_path / "costs.csv")
    monkeypatch.setattr(new_tables, "_check_whole", fails)
    with reading_from(published=after_2023), pytest.raises(InputError) as caught:
        update_from_files([given], store=tmp_path / "store")
    assert (caught.value.details["file"], caught.value.details["field"]) == ("costs.csv", said)


def test_a_refusal_of_a_series_with_a_gap_names_what_was_given(tmp_path, after_2023):
    """Through the door, with the rule that first showed it."""
    rows = made.table("unit_costs", after_2023)
    newest = rows[rows["year"] == rows["year"].max()].head(1)
    given = made.write(newest.assign(year=str(int(newest["year"].iloc[0]) + 2)), tmp_path / "costs.csv")
    with reading_from(published=after_2023), pytest.raises(InputError) as caught:
        update_from_files([given], store=tmp_path / "store")
    assert caught.value.details["file"] == "costs.csv" and caught.value.details["field"].endswith("row 2")
