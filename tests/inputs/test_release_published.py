"""Files as their publishers publish them: recognised by what is in them, and mapped onto what the tables hold."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from cba.errors import InputError
from cba.inputs.data_sources import DataSource
from cba.inputs.releases import arrival_rules, new_tables
from cba.inputs.releases.downloads import Origin, Piece, pieces_of, read_files
from cba.inputs.releases.merge import merge
from cba.inputs.releases.rows import (
    mapped_pieces,
    nearest_source,
    of_no_use,
    plain_flag,
    read_figure,
    refuse_renamed,
    shipped_sources,
    source_of,
)
from cba.inputs.releases.update import update_from_files
from cba.inputs.table_words import TABLES
from tests.inputs import release_files as made

FILES = Path(__file__).with_name("as_published")
NAMES = {
    "cla_number_and_rate_per_10k_children.csv": "numbers and rates by authority",
    "cla_time_series_1994_2024.csv": "England since 1994",
    "la_children_who_ceased_during_the_year.csv": "by authority, ceasing in the year",
    "national_cla_on_31_march_by_characteristics.csv": "England, 31 March by characteristics",
    "national_cla_started_to_be_looked_after.csv": "England, starting in the year",
    "national_children_who_ceased_to_be_looked_after_during_the_year.csv": "England, ceasing in the year",
    "national_cla_who_were_adopted_during_the_year.csv": "England, adopted in the year",
    "national_cla_who_were_the_subject_of_a_sgo_during_the_year.csv": "England, special guardianship in the year",
    "national_cla_on_31_march_who_were_unaccompanied_asylum_seeking_children.csv": "England, unaccompanied on 31 March",
    "national_cla_on_31_march_by_placement_provider_placement_type_and_locality.csv": "foster placements by provider",
    "b1_children_in_need_2013_to_2024.csv": "episodes (b1)",
    "c1_children_in_need_referrals_and_rereferrals_2013_to_2024.csv": "referrals (c1)",
    "d3_cpps_subsequent_plan_2013_to_2024.csv": "protection plans begun (d3)",
    "d5_cpps_at31march_by_duration_2013_to_2024.csv": "protection plans on 31 March (d5)",
    "s251_childrens_young_peoples_services_national3.csv": "section 251: England",
    "mye23tablesew.xlsx": "single year of age: mid-year workbook",
}
UNUSED = {
    "2025_la_cla_during_year_new_placements.csv": "new placements in the year",
    "2025_la_cla_placement_stability.csv": "placement stability",
    "2025_national_cla_adopted_average_time_between_adoption_process_stages.csv": "stages of the adoption process",
    "data-guidance.txt": "a description of the files of a release",
    "headline_key_figures2.csv": "headline figures of school and children's services",
    "la_cla_on_31_march_la_of_placement_netgain.csv": "placements inside and outside each authority",
    "national_cla_adopted_average_time_between_adoption_process_stages.csv": "stages of the adoption process",
    "national_cla_ceased_during_year_placements_care_periods.csv": "periods of care and placements of "
    "children who ceased",
    "national_cla_on_31_march_by_placement_distance_and_placement_locality.csv": "distance and locality of placements",
    "national_duration_of_placements_by_type_ceasing_during_the_year.csv": "duration of placements",
    "nomis_popest_five_year_age_band_65077943926193.csv": "population of all aged 0 to 15: Nomis",
}


def sheet_of(name, content=None, folder=None):
    file = FILES / name
    if content is not None:
        file = folder / name
        file.write_bytes(content)
    return read_files(file, retrieved="2026-12-01T09:00:00+00:00")[0]


def mapped(sheet, source=None):
    """Tables that a file gives, each with all its rows."""
    source = source or source_of(sheet, sources=shipped_sources())
    found = mapped_pieces(sheet, source=source, authorities=made.table("authorities"))
    names = dict.fromkeys(piece.table for piece in found if piece.table != "sources")
    return {name: pd.concat([one.rows for one in found if one.table == name]) for name in names}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_2024_says_what_the_shipped_tables_say(name):
    """The shipped tables were made from the same files by other hands."""
    sheet = sheet_of(name)
    assert pieces_of(sheet) is None and source_of(sheet, sources=shipped_sources()).name.endswith(NAMES[name])
    for table, rows in mapped(sheet).items():
        key, figure = list(TABLES[table].key), TABLES[table].figure
        both = rows.merge(made.table(table), on=key, how="left", suffixes=("", "_held"), indicator=True)
        assert (both["_merge"] == "both").all()
        was, now = (pd.to_numeric(both[one]) for one in (f"{figure}_held", figure))
        by_parts = name.startswith("la_") & both.get("category", both[figure]).isin(["16_plus", "18_plus"])
        assert ((was - now).abs().fillna(0) <= by_parts * 20).all() and (was.isna() == now.isna()).all()
        if "flag" in both:
            assert both["flag"].map(plain_flag)[~by_parts].tolist() == both["flag_held"][~by_parts].tolist()


@pytest.mark.parametrize("name", UNUSED)
def test_a_file_without_a_figure_that_is_kept_is_named(name):
    sheet = sheet_of(name)
    assert not pieces_of(sheet) and source_of(sheet, sources=shipped_sources()) is None
    assert of_no_use(sheet) == UNUSED[name]


def test_every_file_at_hand_is_tried():
    others = {file.name for file in FILES.iterdir()} - NAMES.keys() - UNUSED.keys() - {"README.md"}
    tried = [
        name for name in others if name.startswith(("2025_cla_number", "GDP_", "nomis_popest.", "ons_mid"))
    ]
    assert others == {*tried, *(name for name in others if name.endswith("_2013_to_2025.csv"))}


def test_the_words_of_2025():
    tables = mapped(sheet_of("2025_cla_number_and_rate_per_10k_children.csv"))
    england = tables["england_children"].set_index(["measure", "year"])["children"]
    assert set(tables["england_children"]["release"]) == {"2025"}
    assert england["stock", "2025"] == "81770" and england["stock", "2024"] == "83530"
    assert (england["starts", "2025"], england["ceases", "2025"]) == ("32270", "34450")
    councils = tables["authority_children"]
    found = set(councils["authority"])
    assert {
        "201",
        "420",
        "940",
    } <= found and "909" not in found  # Cumbria is printed with z and x, and is gone
    city = councils[(councils["authority"] == "201") & (councils["year"] == "2025")].set_index("measure")
    assert city.loc["stock", "flag"] == "suppressed;mark c" and city.loc["stock", "children"] == ""
    scilly = councils[(councils["authority"] == "420")]
    assert {"not_applicable;mark z"} <= set(scilly["flag"])
    people = tables["population_england"].set_index("mid_year")["population"]
    assert people["2024"] == "12183016" and set(tables["population_england"]["vintage"]) == {"2025"}


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("b1_children_in_need_2013_to_2025.csv", {"cin_at_31_march_episodes": "402400"}),
        ("c1_children_in_need_referrals_and_rereferrals_2013_to_2025.csv", {"referrals": "632830"}),
        ("d3_cpps_subsequent_plan_2013_to_2025.csv", {"cpp_started": "61840", "cpp_second_or_subsequent": "15130"}),
        ("d5_cpps_at31march_by_duration_2013_to_2025.csv", {"cpp_at_31_march": "49420"}),
    ],
)  # fmt: skip
def test_children_in_need_in_the_words_of_2025(name, figures):
    rows = mapped(sheet_of(name))["children_in_need"].set_index("measure")["count"]
    assert {measure: rows[measure] for measure in figures} == figures


def test_authorities_by_characteristics_in_the_words_of_2025(tmp_path):
    """The columns that `characteristic` and `breakdown` name have moved up one level."""
    sheet = sheet_of("la_children_who_ceased_during_the_year.csv")
    old = mapped(sheet)
    text = (FILES / sheet.origin.name).read_text("utf-8-sig")
    head, rest = text.split("\n", 1)
    head = head.replace(
        "cla_group,characteristic,number,percentage",
        "characteristic,breakdown,children_count,children_percent",
    )
    new = mapped(sheet_of("renamed.csv", f"{head}\n{rest}".encode(), tmp_path))
    assert all(new[table].equals(rows) for table, rows in old.items()) and new.keys() == old.keys()


def test_population_by_area_and_by_age_band():
    tables = mapped(sheet_of("ons_mid-year_population_estimates_2012_to_2024.csv"))
    assert tables["population_england"].set_index("mid_year").loc["2024", "population"] == "12183016"
    assert set(tables["population_authority"]["authority"]) == {"201", "420", "940"}
    bands = mapped(sheet_of("nomis_popest.csv"))["population_england"].set_index(["age_band", "mid_year"])
    # Darlington and County Durham, the two areas of England left in the file
    assert bands.loc[("0_4", "2009"), "population"] == str(6440 + 27615)
    assert bands.loc[("0_4", "2009"), "census_base"] == "2011"
    assert set(bands.index.get_level_values(0)) == {"0_4", "5_9", "10_14", "15", "16"}


def test_a_whole_release_that_is_held_is_nothing_new(tmp_path):
    """Through the door: files that are used, one that gives way by rounding, and some that hold nothing."""
    cut = "cla_time_series_1994_2024.csv"  # two years of it, with a gap between
    names = [name for name in (*NAMES, *UNUSED) if not name.startswith("2025") and name != cut]
    found = update_from_files([FILES / name for name in names], store=tmp_path / "store", dry_run=True)
    assert not found.changed and found.summary[0] == "nothing new"
    assert "duration of placements; nothing in it is used" in " ".join(found.summary)


# --- Packed files, encodings, marks ---


def test_packed_files_and_windows_1252_are_read(tmp_path):
    name = "b1_children_in_need_2013_to_2024.csv"
    plain = (FILES / name).read_bytes()
    packed = sheet_of("a.csv.gz", gzip.compress(plain), tmp_path)
    assert packed.rows.equals(sheet_of(name).rows)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("data/b1.csv", plain)
        file.writestr("data-guidance.txt", (FILES / "data-guidance.txt").read_bytes())
    (tmp_path / "all.zip").write_bytes(archive.getvalue())
    sheets = read_files(tmp_path / "all.zip", retrieved="2026-12-01")
    assert [one.origin.name for one in sheets] == ["b1.csv", "data-guidance.txt"]
    assert sheets[0].rows.equals(packed.rows) and sheets[1].rows.empty
    windows = sheet_of("w.csv", "line,gbp\nResidential care – own £,5\n".encode("cp1252"), tmp_path)
    assert windows.rows.loc[0, "line"] == "Residential care – own £"
    with pytest.raises(InputError, match="cannot be read as text"):
        sheet_of("bad.csv", b"a,b\n\x81\x02,1\n", tmp_path)
    with pytest.raises(InputError, match="cannot be unpacked"):
        sheet_of("cut.csv.gz", gzip.compress(plain)[:-20], tmp_path)


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        ("1,234", ("1234", "")),
        ("12.5 [r]", ("12.5", "revised")),
        ("83630[p]", ("83630", "provisional")),
        ("[c]", ("", "suppressed;mark [c]")),
        ("c", ("", "suppressed;mark c")),
        ("[x]", ("", "not_available;mark [x]")),
        ("z", ("", "not_applicable;mark z")),
        ("[low]", ("", "rounds_to_zero;mark [low]")),
        ("k", ("", "rounds_to_zero;mark k")),
        ("u", ("", "low_reliability;mark u")),
        (":", ("", "not_available;mark :")),
        ("about 5", None),
        ("[q]", None),
    ],
)
def test_marks_as_printed(printed, read):
    assert read_figure(printed) == read


# --- A user's own mapping ---


def source(table, words=None, **more):
    """Describe a source of files with one table."""
    written = {
        "name": "own",
        "kind": "file",
        "base_url": "https://example.org",
        "source": "OWN",
        "title": "Own",
    }
    given = {"table": "spending_england", "value": "gross", "fixed": {"price_basis": "cash"}} | table
    if words:
        given["words"] = words
    return DataSource.model_validate(written | {"tables": [given]} | more)


LINE = {"line": {"column": "line", "labels": {"3.1.1 Residential care": "residential_care"}}}


def test_a_mapping_scales_skips_pins_and_shifts(tmp_path):
    text = (
        "time_period,line,kind,gross\n202425,3.1.1 Residential care,all,3100000000\n"
        "202425,3.1.1 Residential care,own,1000000000\n202324,3.1.1 Residential care,all,x\n"
    )
    own = source({"scale": 1e-6, "keep": {"kind": "all"}, "skip": {"gross": ["x"]}, "shift_years": -1}, LINE)
    rows = mapped(sheet_of("a.csv", text.encode(), tmp_path), own)["spending_england"]
    assert rows[["year", "gbp_million", "flag"]].to_numpy().tolist() == [["2024", "3100.000", "times 1e-06"]]


def test_a_mark_where_there_is_no_room_for_one_is_named(tmp_path):
    sheet = sheet_of("a.csv", b"time_period,line,gross\n202425,3.1.1 Residential care,x\n", tmp_path)
    with pytest.raises(InputError, match="a mark stands where spending_england needs a figure") as caught:
        mapped(sheet, source({}, LINE))
    assert (
        caught.value.details["found"] == "'x'"
        and 'skip = { gross = ["x"] }' in caught.value.details["next step"]
    )


def test_a_label_that_counts_twice_is_refused(tmp_path):
    text = "time_period,sex,line,gross\n" + "".join(
        f"202425,{sex},{line},{figure}\n"
        for line in ("first", "again")
        for sex, figure in (("Total", 100), ("Male", 60), ("Female", 40))
    )
    shared = {
        "line": {"column": "line", "labels": {"first": "residential_care", "again": "residential_care"}}
    }
    sheet = sheet_of("a.csv", text.encode(), tmp_path)
    with pytest.raises(InputError, match="contributes more than once") as caught:
        mapped(sheet, source({}, shared))
    assert 'keep = { sex = "Total" }' in caught.value.details["next step"]
    pinned = mapped(sheet, source({"keep": {"sex": "Total"}}, shared))["spending_england"]
    assert pinned["gbp_million"].tolist() == ["200"]
    added = mapped(sheet, source({"keep": {"sex": ["Male", "Female"]}, "over": "sex"}, shared))
    assert added["spending_england"]["gbp_million"].tolist() == ["200"]


def test_sources_are_told_apart_by_the_labels_they_keep():
    labels = {
        "Under 1 year": "under_1",
        "1 to 4 years": "1_4",
        "5 to 9 years": "5_9",
        "10 to 15 years": "10_15",
    }
    words = {
        "category": {
            "column": "characteristic",
            "labels": labels | {"16 years and over": "16_plus"},
            "ignore": ["Total*"],
        }
    }

    def ages(group, measure, name):
        table = {"table": "england_children", "value": "number", "keep": {"cla_group": group}}
        return source(table | {"fixed": {"measure": measure, "breakdown": "age"}}, words, name=name)

    stock, starts = ages("Age group", "stock", "stock"), ages("Age on starting", "starts", "starts")
    sheet = sheet_of("national_cla_started_to_be_looked_after.csv")
    assert source_of(sheet, sources=(stock, starts)) is starts
    with pytest.raises(InputError, match="two sources fit one file") as caught:
        source_of(sheet, sources=(starts, ages("Age on starting", "starts", "again")))
    assert caught.value.details["found"] == "starts and again"
    gone = ages("Age at start", "starts", "renamed")
    assert nearest_source(sheet, sources=(gone,)) is gone
    with pytest.raises(InputError, match="no row has the label"):
        mapped(sheet, gone)


def test_a_renamed_column_of_a_users_mapping_is_named_with_the_new_one():
    words = {
        "measure": {
            "column": "population_count",
            "labels": {"Children looked after at 31 March each year": "stock"},
        }
    }
    own = source(
        {"table": "authority_children", "value": "number", "place_column": "old_la_code", "fixed": {}}, words
    )
    sheet = sheet_of("2025_cla_number_and_rate_per_10k_children.csv")
    shipped = source_of(sheet, sources=shipped_sources())
    with pytest.raises(InputError, match="column number, which source own maps, is missing") as caught:
        refuse_renamed(sheet, sources=(own,), shipped=shipped)
    assert "did you mean children_count?" in caught.value.details["next step"]


# --- Deflators ---


def test_a_sheet_of_deflators_with_forecast_years_by_growth():
    rows = pieces_of(sheet_of("GDP_Deflators_Qtrly_National_Accounts_December_2023_update.csv"))[
        0
    ].rows.set_index("year")
    assert (
        set(rows["vintage"]) == {"2023-12"}
        and list(rows.index)[0] == "2009"
        and list(rows.index)[-1] == "2029"
    )
    assert rows.loc["2024", "deflator"] == "100.000" and rows.loc["2023", "status"] == "outturn"
    # Printed: 2022-23 = 100, growth 6.10 in 2023-24, then 1.68, 1.71, 1.62, 1.77 and 1.88 per cent.
    assert float(rows.loc["2023", "deflator"]) == pytest.approx(100 / 1.061, abs=5e-4)
    last = 100 * 1.0168 * 1.0171 * 1.0162 * 1.0177 * 1.0188
    assert float(rows.loc["2029", "deflator"]) == pytest.approx(last, abs=5e-4)
    book = pieces_of(sheet_of("GDP_Deflators_Budget_March_2020_update.xlsx"))[0].rows.set_index("year")
    assert set(book["vintage"]) == {"2020-03"} and list(book.index)[-1] == "2025"
    assert float(book.loc["2019", "deflator"]) == pytest.approx(
        100 / (1.01916868962 * 1.0197010323 * 1.02115007781 * 1.02117522458 * 1.02074148975), abs=5e-4
    )


@pytest.mark.parametrize(
    "header",
    [
        ["Financial year", "2024-25 = 100", "per cent change on previous year"],
        ["Financial year", "Per cent change in GDP deflator", "GDP deflator index"],
    ],
)
def test_the_index_is_found_whatever_its_heading(header, tmp_path):
    years = {
        "2022-23": ("95.0", "6.98"),
        "2023-24 (1)": ("96.4", "1.47"),
        "2024-25 (1), (2)": ("100", "3.73"),
    }
    lines = [",June 2026", "," + ",".join(header)]
    for year, (index, growth) in years.items():
        cells = [f'"{year}"', index, growth] if header[1].startswith("2024") else [f'"{year}"', growth, index]
        lines.append("," + ",".join(cells))
    rows = pieces_of(sheet_of("d.csv", ("\n".join(lines) + "\n").encode(), tmp_path))[0].rows
    assert rows["year"].tolist() == ["2023", "2024", "2025"] and set(rows["vintage"]) == {"2026-06"}
    assert [float(one) for one in rows["deflator"]] == pytest.approx(
        [9500 / 96.4, 100, 10000 / 96.4], abs=5e-4
    )


ORIGIN = Origin("given.csv", "given.csv", "", 0, "")


def given(table, rows):
    return Piece(table, rows.reset_index(drop=True), tuple(range(2, len(rows) + 2)), ORIGIN)


def test_deflators_older_than_held_are_passed_over_and_shorter_ones_refused():
    held = made.table("gdp_deflator")
    kept, notes = new_tables._dated([given("gdp_deflator", held.assign(vintage="2023-12"))], held=held)
    assert not kept and "deflators of 2023-12, older than those held" in notes[0]
    newer = held.assign(vintage="2026-06")
    assert len(new_tables._dated([given("gdp_deflator", newer)], held=held)[0]) == 1
    with pytest.raises(InputError, match="end before those held"):
        new_tables._dated([given("gdp_deflator", newer.iloc[:-1])], held=held)


# --- What an arrival must not do ---


def test_figures_moved_by_a_year_are_refused():
    held = made.table("population_england")
    rows = held[(held["vintage"] == "2025") & (held["kind"] == "estimate")].tail(4)
    moved = rows.assign(mid_year=[str(int(year) + 1) for year in rows["mid_year"]], vintage="2026")
    with pytest.raises(InputError, match="moved by a year") as caught:
        arrival_rules.refuse_shift(given("population_england", moved), held=held)
    assert "shift_years = -1" in caught.value.details["next step"]
    arrival_rules.refuse_shift(given("population_england", rows), held=held)


@pytest.mark.parametrize("name", ["england_children", "authority_children", "children_in_need", "unit_costs"])
def test_a_new_year_that_repeats_the_last_is_refused(name):
    rows = made.table(name)
    arrival_rules.refuse_repeats(name, rows, file="f.csv")
    last = rows[rows["year"] == rows["year"].max()]
    if "release" in rows:
        last = last[last["release"] == last["year"].max()]
        last = last.assign(release=str(int(last["year"].max()) + 1))
    again = last.assign(year=str(int(last["year"].max()) + 1))
    with pytest.raises(InputError, match="repeats the figures"):
        arrival_rules.refuse_repeats(name, pd.concat([rows, again]), file="f.csv")


def test_a_gap_the_publisher_left_is_kept_with_a_flag_and_a_missed_year_is_not():
    held = made.table("unit_costs")
    year = max(int(one) for one in held["year"]) + 1
    row = (
        held[(held["area"] == "420") & (held["service"] == "social_work")]
        .tail(1)
        .assign(gbp_per_child_week="540", flag="")
    )
    pieces, notes = arrival_rules.gaps_kept(
        [given("unit_costs", row.assign(year=str(year)))], held={"unit_costs": held[held["area"] != "420"]}
    )
    assert len(pieces[0].rows) == 1 and not notes  # never printed before: no gap
    earlier = held[(held["area"] != "420") | (held["year"].astype(int) <= year - 3)]
    pieces, notes = arrival_rules.gaps_kept(
        [given("unit_costs", row.assign(year=str(year)))], held={"unit_costs": earlier}
    )
    added = pieces[0].rows.sort_values("year")
    assert (
        added["year"].tolist() == [str(year - 2), str(year - 1), str(year)] and "420 social_work" in notes[0]
    )
    assert added["flag"].tolist()[:2] == ["not_available;not printed"] * 2 and added[
        "gbp_per_child_week"
    ].tolist()[:2] == ["", ""]
    missed = given("unit_costs", row.assign(year=str(year + 1)))
    assert len(arrival_rules.gaps_kept([missed], held={"unit_costs": held})[0][0].rows) == 1


def test_a_key_of_a_source_that_stands_for_another_is_given_a_new_one():
    held = made.table("sources")
    own = held.head(1).assign(title="Another publication")
    key = own["source"].iloc[0]
    rows = made.table("care_duration").head(2).assign(source=key)
    pieces, notes = new_tables._rekeyed([given("sources", own), given("care_duration", rows)], held=held)
    assert [set(one.rows["source"]) for one in pieces] == [{f"{key}b"}] * 2 and key in notes[0]
    assert new_tables._rekeyed([given("sources", held)], held=held)[1] == []


def test_abolished_authorities_stay_abolished():
    """A row that is not applicable moves no year; a withheld figure does."""
    held = {name: made.table(name) for name in ("authorities", "authority_children")}
    rows = (
        held["authority_children"]
        .tail(2)
        .assign(
            release="2025",
            year="2025",
            authority=["909", "201"],
            children="",
            flag=["not_applicable;mark z", "suppressed;mark c"],
        )
    )
    tables, _ = merge([given("authority_children", rows)], held=held)
    last = tables["authorities"].set_index("authority")["last_year"]
    before = held["authorities"].set_index("authority")["last_year"]
    assert last["909"] == before["909"] == "2023" and last["201"] == max("2025", before["201"])


def test_groups_without_their_parts_do_not_mix_with_the_parts_of_the_release_before():
    held = made.table("england_children")
    held = held[held["release"] <= "2024"]
    own = held[
        (held["release"] == "2024") & (held["measure"] == "stock") & (held["breakdown"] == "placement")
    ]
    groups = own[~own["category"].isin(["foster_relative_or_friend", "foster_other_carer"])]
    fresh = pd.concat([groups, groups[groups["year"] == "2024"].assign(year="2025")]).assign(release="2025")
    pieces, notes = arrival_rules.unmixed([given("england_children", fresh)], held=held)
    assert set(pieces[0].rows["year"]) == {"2025"} and "without their parts" in notes[0]
    assert len(pieces[0].lines) == len(pieces[0].rows)
