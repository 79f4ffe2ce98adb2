"""Configured sources: the API of Explore Education Statistics, its CSV files, Nomis and the deflators."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from cba.errors import InputError, SourceUnreachable
from cba.inputs.data_sources import Data, DataSource
from cba.inputs.files import shipped_published_folder
from cba.inputs.releases import publishers as ees_rows
from cba.inputs.releases.http_client import Pace
from cba.inputs.releases.update import Base, ask, update_from_data
from tests.inputs import release_files as made
from tests.inputs.fake_publishers import UUID, DataSet, Reply, as_json, publishers
from tests.inputs.statistics_api import model

ROOT = f"/statistics/v1/data-sets/{UUID}"
MEASURE = "mean_days_final_period_of_care"
ROWS = [(str(year), "NAT", "Mean days", None, str(days)) for year, days in
        ((2021, 907), (2022, 894), (2023, 878), (2024, 881), (2025, 889))]  # fmt: skip


@pytest.fixture
def fake():
    with publishers() as running:
        yield running


@pytest.fixture
def store(tmp_path):
    yield tmp_path / "store"
    if (tmp_path / "store").exists():
        made.removable(tmp_path / "store")


@pytest.fixture
def pace():
    return Pace(attempts=2, connect=2, read=2, overall=5, sleep=lambda _: None, limit=5_000_000)


def durations(fake, **changed):
    """Describe a source of the mean length of care."""
    table = {
        "table": "care_duration",
        "level": "National",
        "value": "days",
        "words": {"measure": {"column": "measure", "labels": {"Mean days": MEASURE}}},
    }
    written = {
        "name": "length of care",
        "kind": "ees",
        "base_url": f"{fake.url}/statistics",
        "data_set": UUID,
        "version": "2.0",
        "source": "EES25",
        "title": "Children looked after, length of care",
        "publisher": "Department for Education",
        "tables": [table | changed.pop("table", {})],
    }
    return DataSource.model_validate(written | changed)


def asked(*sources, store, pace, **more):
    return update_from_data(Data(sources=sources), store=store, pace=pace, **more)


def test_a_new_period_arrives_in_three_pages(fake, store, pace, monkeypatch):
    monkeypatch.setattr(ees_rows, "PAGE_SIZE", 2)
    DataSet(ROWS).serve(fake)
    found = asked(durations(fake), store=store, pace=pace)
    assert found.changed and found.held_reason is None
    assert "care_duration: release 2025 is new (5 rows)" in found.summary[0]
    assert [one.body["page"] for one in fake.asked if one.path == f"{ROOT}/query"] == [1, 2, 3]
    held = made.table("care_duration", found.snapshot.folder)
    fresh = held[held["release"] == "2025"].set_index("year")
    assert fresh["days"].to_dict() == {row[0]: row[4] for row in ROWS} and set(fresh["source"]) == {"EES25"}
    cited = made.table("sources", found.snapshot.folder).set_index("source").loc["EES25"]
    assert cited["licence"] == "Open Government Licence v3.0" and cited["date"] == "2025-11-20"
    origin = found.snapshot.sources[0]
    assert (origin.name, origin.version) == ("length of care", "2.0") and origin.bytes > 0


def test_a_version_already_held_is_not_fetched_again(fake, store, pace):
    DataSet(ROWS).serve(fake)
    first = asked(durations(fake), store=store, pace=pace)
    again = asked(durations(fake), store=store, pace=pace)
    assert not again.changed and again.summary == ("nothing new",) and again.snapshot == first.snapshot
    assert fake.times(f"{ROOT}/query") == 1


def test_a_minor_version_is_taken_and_its_revision_said(fake, store, pace):
    DataSet(ROWS).serve(fake)
    asked(durations(fake), store=store, pace=pace)
    revised = [*ROWS[:-1], ("2025", "NAT", "Mean days", None, "890")]
    minor = {"timePeriods": [{"currentState": {"code": "RY", "period": "2025", "label": "2025"}}]}
    DataSet(revised, version="2.1", kind="Minor", minor=minor, published="2025-12-04T09:30:00+00:00").serve(
        fake
    )
    found = asked(durations(fake), store=store, pace=pace)
    assert found.changed and f"{MEASURE} 2025 from 889 to 890" in found.summary[0]
    assert found.snapshot.sources[0].version == "2.1"
    DataSet(revised, version="2.1.1", kind="Patch", published="2025-12-05T09:30:00+00:00").serve(fake)
    assert not asked(durations(fake), store=store, pace=pace).changed


def test_a_major_version_is_held_and_what_it_deletes_is_named(fake, store, pace):
    deleted = {"indicators": [{"previousState": model("IndicatorViewModel", label="Mean days")}]}
    DataSet(ROWS, version="3.0", major=deleted).serve(fake)
    found = asked(durations(fake), store=store, pace=pace)
    assert not found.changed and not store.exists()
    assert "indicators: Mean days deleted" in found.held_reason and 'version = "3.0"' in found.held_reason
    assert fake.times(f"{ROOT}/query") == 0


def test_a_version_that_calls_itself_minor_and_deletes_is_held(fake, store, pace):
    option = {"previousState": {"id": "f0", "label": "Mean days"}}
    deleted = {"filterOptions": [{"filter": model("FilterViewModel"), "options": [option]}]}
    DataSet(ROWS, version="2.1", kind="Minor", major=deleted).serve(fake)
    assert "Mean days" in asked(durations(fake), store=store, pace=pace).held_reason


def test_every_kind_of_deletion_the_contract_has_is_named(fake, store, pace):
    """What was is an option with a label, a group of places, a level with a code and perhaps no label, or null."""
    level = model("GeographicLevelViewModel", code="REG", label="Regional")
    options = [{"previousState": {"id": "x", "label": "Cumbria", "code": "E10000006", "oldCode": "909"}}]
    deleted = {
        "geographicLevels": [{"previousState": {"code": "WARD"}, "currentState": None}],
        "locationGroups": [{"previousState": {"level": level}}],
        "locationOptions": [{"level": level, "options": [*options, {"previousState": None}]}],
        "timePeriods": [{"previousState": model("TimePeriodOptionViewModel", label="2020 reporting year")}],
        "filters": None,
    }
    DataSet(ROWS, version="3.0", major=deleted).serve(fake)
    reason = asked(durations(fake), store=store, pace=pace).held_reason
    for what in (
        "geographicLevels: WARD",
        "locationGroups: Regional",
        "Cumbria",
        "2020 reporting year deleted",
    ):
        assert what in reason


def test_all_indicators_are_asked_for_by_name(fake, store, pace):
    DataSet(ROWS).serve(fake)
    asked(durations(fake), store=store, pace=pace)
    (query,) = [one for one in fake.asked if one.path == f"{ROOT}/query"]
    assert query.body["indicators"] == ["I"] and query.query == {"dataSetVersion": "2.0"}


@pytest.mark.parametrize("left_out", [False, True])
def test_a_data_set_without_a_version_waits_for_a_person(fake, store, pace, left_out):
    """The contract lets `latestVersion` be null, and does not require it."""
    described = DataSet(ROWS).described() | {"latestVersion": None}
    if left_out:
        del described["latestVersion"]
    fake.by_contract(ROOT, lambda asked: described)
    found = asked(durations(fake), store=store, pace=pace)
    assert "status Published, no version" in found.held_reason and "length of care" in found.held_reason
    assert not found.changed and not store.exists()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"<html>blocked</html>", status=403, kind="text/html"),
        as_json(model("ProblemDetailsViewModel", status=403, title="Forbidden"), status=403),
    ],
)
def test_a_source_that_lets_nobody_in_did_not_answer(fake, store, pace, reply):
    fake.says(ROOT, reply)
    with pytest.raises(SourceUnreachable, match="HTTP 403") as stopped:
        asked(durations(fake), store=store, pace=pace)
    assert stopped.value.exit_code == 5 and fake.times(ROOT) == 1 and not store.exists()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"status": "Withdrawn"}, "status Withdrawn"),
        ({"status": "Deprecated"}, "status Deprecated"),
        ({"successor": "aaaaaaaa-9e8a-4d84-8f19-6b8d52a01fbd"}, "superseded by aaaaaaaa"),
        ({"version": "2.1", "kind": "Minor", "version_status": "Withdrawn"}, "withdrawn"),
        ({"version": "1.4", "kind": "Minor"}, "older than the one accepted"),
    ],
)
def test_a_data_set_no_longer_kept_up_is_held(fake, store, pace, how, said):
    DataSet(ROWS, **how).serve(fake)
    found = asked(durations(fake), store=store, pace=pace)
    assert said in found.held_reason and not found.changed and not store.exists()


def test_a_warning_with_status_200_is_an_error(fake, store, pace):
    warning = {"code": "FiltersNotFound", "message": "One or more filters could not be found.",
               "path": "criteria.filters", "detail": {"items": ["zzz"]}}  # fmt: skip
    DataSet(ROWS, warnings=[warning]).serve(fake)
    with pytest.raises(InputError, match="answers with a warning") as caught:
        asked(durations(fake), store=store, pace=pace)
    assert "FiltersNotFound" in caught.value.details["found"] and "zzz" in caught.value.details["found"]
    assert not store.exists()


def test_withheld_figures_stay_missing_with_their_mark(fake, store, pace):
    needs = made.table("children_in_need")
    labels = sorted(set(needs["measure"]))
    rows = [(str(year), "NAT", label, None, figure) for year in (2024, 2025) for label, figure in
            zip(labels, _figures(needs, labels, year), strict=True)]  # fmt: skip
    table = {"table": "children_in_need", "value": "count",
             "words": {"measure": {"column": "measure", "labels": {one: one for one in labels}}}}  # fmt: skip
    DataSet(rows, indicator="count").serve(fake)
    found = asked(durations(fake, table=table), store=store, pace=pace)
    held = made.table("children_in_need", found.snapshot.folder)
    fresh = held[(held["release"] == "2025") & (held["year"] == "2025")].set_index("measure")
    assert fresh.loc[labels[0], ["children" if "children" in fresh else "count", "flag"]].tolist() == [
        "",
        "suppressed;mark c",
    ]
    assert fresh.loc[labels[1], "flag"] == "not_applicable;mark z"
    assert fresh.loc[labels[2], "flag"] == "rounds_to_zero;mark low"
    assert "0" not in set(fresh["count"])


def _figures(needs, labels, year):
    last = needs[needs["year"] == "2024"].set_index("measure")["count"]
    marks = ["c", "z", "low"] if year == 2025 else []
    return [*marks, *[str(int(last[label]) + 10 * (year == 2025)) for label in labels[len(marks) :]]]


@pytest.mark.parametrize(
    ("how", "table", "problem", "said"),
    [
        ({"indicator": "mean_days"}, {}, "which the mapping maps, is missing", "mean_days"),
        ({"unit": "%"}, {}, "another unit than the mapping says", "'%'"),
        ({}, {"level": "Regional"}, "no row has the label", "National"),
        (
            {"rows": [*ROWS, ("2025", "NAT", "Median days", None, "700")]},
            {},
            "not in the mapping",
            "Median days",
        ),
        (
            {"rows": [*ROWS[:-1], ("2025", "NAT", "Mean days", None, "many")]},
            {},
            "not what the mapping",
            "'many'",
        ),
        (
            {},
            {"words": {"measure": {"column": "measure", "labels": {"Mean days": MEASURE, "Days": MEASURE}}}},
            "missing from the newest period",
            "without Days",
        ),
    ],
)
def test_drift_of_the_schema_is_refused(fake, store, pace, how, table, problem, said):
    DataSet(**({"rows": ROWS} | how)).serve(fake)
    with pytest.raises(InputError, match=problem) as caught:
        asked(durations(fake, table=table), store=store, pace=pace)
    assert said in caught.value.details["found"] and caught.value.details["next step"]
    assert not store.exists()


def test_pages_that_do_not_add_up_and_answers_without_their_parts(fake, store, pace, monkeypatch):
    DataSet(ROWS).serve(fake)
    short = as_json(
        {
            "paging": {"page": 1, "pageSize": 9, "totalResults": 9, "totalPages": 1},
            "results": [],
            "warnings": [],
        }
    )
    fake.says(f"{ROOT}/query", short)
    with pytest.raises(SourceUnreachable, match="do not add up"):
        asked(durations(fake), store=store, pace=pace)
    fake.says(f"{ROOT}/query", as_json({"results": [], "warnings": []}))
    with pytest.raises(InputError, match="lacks what its contract promises") as caught:
        asked(durations(fake), store=store, pace=pace)
    assert caught.value.details["field"] == "paging"
    fake.says(f"{ROOT}/query", Reply(b'{"paging": '))
    with pytest.raises(SourceUnreachable, match="not the JSON"):
        asked(durations(fake), store=store, pace=pace)


def test_a_busy_api_is_asked_again(fake, store, pace):
    data = DataSet(ROWS)
    data.serve(fake)
    busy = as_json({}, status=429, headers={"Retry-After": "1"})
    fake.says(f"{ROOT}/query", busy, *fake.replies[f"{ROOT}/query"])
    fake.says(f"{ROOT}/meta", as_json({}, status=504), as_json(data.meta()))
    assert asked(durations(fake), store=store, pace=pace).changed


CSV = "time_period,geographic_level,measure,days\n" + "".join(
    f"{y},National,{m},{d}\n" for y, _, m, _, d in ROWS
)


def test_the_catalogue_gives_the_same_as_csv(fake, store, pace):
    path = f"/data-catalogue/data-set/{UUID}/csv"
    fake.says(path, Reply(CSV.encode(), kind="text/csv", packed=True))
    source = durations(fake, kind="ees_csv", base_url=fake.url, version=None)
    found = asked(source, store=store, pace=pace)
    assert found.changed and "release 2025 is new (5 rows)" in found.summary[0]
    assert not asked(source, store=store, pace=pace).changed
    fake.says(path, Reply(CSV.encode()[:-4], kind="text/csv"))
    with pytest.raises(InputError, match="cut off"):
        asked(source, store=store, pace=pace)


def test_a_published_file_gives_the_same_by_the_api_and_from_the_catalogue(fake, pace):
    """The rate file of November 2024, cut to England and three authorities: byte-order mark, line ends and all."""
    content = (Path(__file__).parent / "published_layouts" / "cla_rates_2024.csv").read_bytes()
    published = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    code = {"National": "NAT", "Local authority": "LA"}
    rows = [
        (
            row["time_period"],
            code[row["geographic_level"]],
            row["population_count"],
            (row["old_la_code"], row["new_la_code"]) if row["old_la_code"] else None,
            row["number"],
        )
        for row in published
    ]
    DataSet(rows, column="population_count", indicator="number").serve(fake)
    fake.says(f"/data-catalogue/data-set/{UUID}/csv", Reply(content, kind="text/csv"))
    starts, ceases = (f"Children {word} to be looked after each year" for word in ("starting", "ceasing"))
    stock = "Children looked after at 31 March each year"
    labels = {starts: "starts", ceases: "ceases", stock: "stock"}
    table = {
        "table": "authority_children",
        "level": "Local authority",
        "value": "number",
        "place_column": "new_la_code",
        "words": {"measure": {"column": "population_count", "labels": labels}},
    }
    base = Base(shipped_published_folder(), "", None)
    said = {}
    for how in ({"kind": "ees"}, {"kind": "ees_csv", "base_url": fake.url, "version": None}):
        source = durations(fake, tables=[table], **how)
        _, pieces = ask(source, base=base, authorities=made.table("authorities"), pace=pace)
        frame = (
            pieces[0]
            .rows.sort_values(["year", "authority", "measure"])
            .set_index(["year", "authority", "measure"])
        )
        said[how["kind"]] = frame
        assert frame.loc[("2024", "330", "starts"), "children"] == "742" and len(frame) == 18
    assert said["ees"].equals(said["ees_csv"])


def test_nomis_in_parts_and_short_of_rows(fake, store, pace):
    path = "/api/v01/dataset/NM_2002_1.data.csv"

    def part(asked):
        at = int(asked.query["recordOffset"])
        rows = [(2023, "Aged 0 to 17", 12_059_476), (2024, "Aged 0 to 17", 12_080_000)][at : at + 1]
        text = "DATE,C_AGE_NAME,OBS_VALUE,RECORD_COUNT\n" + "".join(f"{y},{a},{n},2\n" for y, a, n in rows)
        return Reply(text.encode(), kind="text/csv")

    fake.says(path, part)
    table = {
        "table": "population_england",
        "level": None,
        "value": "OBS_VALUE",
        "year_column": "DATE",
        "fixed": {"kind": "estimate", "census_base": "2021"},
        "words": {"age_band": {"column": "C_AGE_NAME", "labels": {"Aged 0 to 17": "0_17"}}},
    }
    source = durations(
        fake, table=table, kind="nomis", base_url=fake.url, data_set="NM_2002_1", version=None,
        parameters={"geography": "2092957699", "select": "DATE,C_AGE_NAME,OBS_VALUE"},
    )  # fmt: skip
    found = asked(source, store=store, pace=pace)
    held = made.table("population_england", found.snapshot.folder)
    assert held[held["mid_year"].eq("2024") & held["kind"].eq("estimate")]["population"].tolist() == [
        "12080000"
    ]
    assert fake.asked[0].query["select"].endswith(",RECORD_COUNT")
    assert not asked(source, store=store, pace=pace).changed  # the same estimates a year later are no vintage
    header = "DATE,C_AGE_NAME,OBS_VALUE"
    row = "2023,Aged 0 to 17,12059476"
    for text, stop in (
        (f"{header},RECORD_COUNT\n{row},2\n", InputError),  # the offset is ignored: a row comes twice
        (f"{header},RECORD_COUNT\n{row},1\n{row},1\n", SourceUnreachable),  # more rows than counted
        (f"{header}\n{row}\n", SourceUnreachable),  # no count
    ):
        fake.says(path, Reply(text.encode(), kind="text/csv"))
        with pytest.raises(stop, match="contributes more than once|do not add up"):
            asked(source, store=store / "other", pace=pace)


def _workbook(rows):
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "Notes"
    sheet = book.create_sheet("Deflators")
    for row in [
        ["GDP deflators at market prices"],
        [],
        ["Financial year", "GDP deflator index", "% change"],
        *rows,
    ]:
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def test_the_newest_deflators_are_found_and_put_on_our_base(fake, store, pace):
    held = made.table("gdp_deflator")
    index = {int(row["year"]): float(row["deflator"]) / 1.04 for row in held.to_dict("records")}
    rows = [[f"{year - 1}-{year % 100:02d}", value, None] for year, value in index.items()]
    path = "government/collections/gdp-deflators"
    documents = [
        {"base_path": "/old", "public_updated_at": "2025-12-01T09:30:00Z"},
        {"base_path": "/new", "public_updated_at": "2026-06-30T09:30:00Z"},
    ]
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    attached = [{"content_type": kind, "url": f"{fake.url}/media/deflators.xlsx"}]
    fake.says(f"/api/content/{path}", as_json({"links": {"documents": documents}}))
    page = {"public_updated_at": "2026-06-30T09:30:00Z", "details": {"attachments": attached}}
    fake.says("/api/content/new", as_json(page))
    fake.says("/media/deflators.xlsx", Reply(_workbook(rows), kind=kind))
    source = durations(
        fake, kind="hmt_deflator", base_url=fake.url, data_set=path, version=None, tables=[], source="S08"
    )
    found = asked(source, store=store, pace=pace)
    table = made.table("gdp_deflator", found.snapshot.folder)
    fresh = table[table["vintage"] == "2026-06"].set_index("year")
    assert fresh.loc["2024", "deflator"] == "100.000"
    for year, value in index.items():
        assert float(fresh.loc[str(year), "deflator"]) == pytest.approx(value / index[2024] * 100, abs=5e-4)
    assert fresh.loc["2026", "status"] == "outturn" and fresh.loc["2027", "status"] == "forecast"
    fake.says("/media/deflators.xlsx", Reply(_workbook([["2023-24", "about", None], *rows]), kind=kind))
    with pytest.raises(InputError, match="no index by financial year") as caught:
        asked(source, store=store, pace=pace)
    assert caught.value.details["found"] == "'about'"


def test_no_source_and_a_source_that_is_down(fake, store, pace):
    with pytest.raises(InputError, match="names no sources") as caught:
        asked(store=store, pace=pace)
    assert "--from FILE" in caught.value.details["next step"]
    fake.says(ROOT, as_json({}, status=503))
    with pytest.raises(SourceUnreachable) as stopped:
        asked(durations(fake), store=store, pace=pace)
    assert stopped.value.exit_code == 5 and not store.exists()


@pytest.mark.parametrize("grows", [True, False])
def test_pages_without_end_are_refused(fake, monkeypatch, grows):
    """A publisher that always names a next page: one more result each time, or pages of one for a billion results."""
    monkeypatch.setattr(ees_rows, "MOST_PAGES", 5)
    source = durations(fake)
    with pytest.raises(SourceUnreachable, match="do not add up") as refused:
        ees_rows._every_page(
            lambda found, before: (None, ["row"], found + 2 if grows else 10**9),
            source=source,
            where="/query",
        )
    assert (
        "5 pages at most" in refused.value.details["allowed"]
        and source.name == refused.value.details["field"]
    )


def test_a_page_that_brings_nothing_is_refused(fake):
    with pytest.raises(SourceUnreachable, match="do not add up"):
        ees_rows._every_page(lambda found, before: (None, [], 9), source=durations(fake), where="/query")
