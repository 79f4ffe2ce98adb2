"""The [data] table: a whole example is read, every mistake is named."""

from __future__ import annotations

import copy
import tomllib

import pytest

from cba.errors import InputError
from cba.inputs.data_sources import Data
from cba.inputs.written_records import checked_record

EXAMPLE = """
store = "reports/.data"
snapshot = "current"

[[sources]]
name = "looked-after children by age"
kind = "ees"
base_url = "https://api.education.gov.uk/statistics"
data_set = "7588c2d6-9e8a-4d84-8f19-6b8d52a01fbd"
version = "2.0"
publication = "children-looked-after-in-england-including-adoptions"
calendar = "ees"
calendar_url = "https://content.explore-education-statistics.service.gov.uk/api"
source = "EES1"
title = "Children looked after in England including adoptions"
publisher = "Department for Education"

[[sources.tables]]
table = "england_children"
level = "National"
value = "number"
fixed = { measure = "stock", breakdown = "age" }
keep = { population_count = "Children looked after at 31 March" }

[sources.tables.words.category]
column = "age_group"
labels = { "Under 1 year" = "under_1", "1 to 4 years" = "1_4", "5 to 9 years" = "5_9", "10 to 15" = "10_15" }
ignore = ["Total"]

[[sources]]
name = "population"
kind = "nomis"
base_url = "https://www.nomisweb.co.uk"
data_set = "NM_2002_1"
parameters = { geography = "TYPE423", measures = "20100", time = "latest", select = "DATE,GEOGRAPHY_CODE,OBS_VALUE" }
source = "NOMIS1"

[[sources.tables]]
table = "population_authority"
value = "OBS_VALUE"
year_column = "DATE"
place_column = "GEOGRAPHY_CODE"

[[sources]]
name = "deflators"
kind = "hmt_deflator"
base_url = "https://www.gov.uk"
data_set = "government/collections/gdp-deflators-at-market-prices-and-money-gdp"
hosts = ["assets.publishing.service.gov.uk"]
publication = "gdp deflators"
calendar = "gov_uk"
calendar_url = "https://www.gov.uk"
source = "HMT1"
"""


def read(written):
    return checked_record(Data, written, file="reports/mine.toml", field="data")


def test_a_whole_example_is_read():
    data = read(tomllib.loads(EXAMPLE))
    assert [source.kind for source in data.sources] == ["ees", "nomis", "hmt_deflator"]
    assert data.sources[2].allowed_hosts() == ("assets.publishing.service.gov.uk", "www.gov.uk")
    assert "api.education.gov.uk" in data.sources[0].allowed_hosts()
    assert data.sources[0].tables[0].words["category"].labels["Under 1 year"] == "under_1"


def test_the_shipped_analyses_name_no_source():
    assert Data() == read({}) and Data().sources == () and Data().snapshot == "shipped"


def change(written, path, value):
    *inner, last = path
    for step in inner:
        written = written[step]
    if value is None:
        del written[last]
    else:
        written[last] = value


FIRST, TABLE = ("sources", 0), ("sources", 0, "tables", 0)


@pytest.mark.parametrize(
    ("path", "value", "field", "said"),
    [
        (("snapshot",), "newest", "data.snapshot", "shipped|current"),
        (("stores",), "x", "data.stores", "store"),
        ((*FIRST, "base_url"), "http://api.education.gov.uk", "base_url", "https://host/path"),
        ((*FIRST, "base_url"), "https://api.education.gov.uk/", "base_url", "slash at the end"),
        ((*FIRST, "base_url"), "https://me@host", "base_url", "without user name"),
        ((*FIRST, "calendar_url"), "ftp://x", "calendar_url", "https"),
        ((*FIRST, "data_set"), "children-looked-after", "data_set", "UUID"),
        ((*FIRST, "version"), "two", "version", r"\d+"),
        ((*FIRST, "version"), None, "version", "such as 2.0"),
        ((*FIRST, "kind"), "onsud", "kind", "ees"),
        ((*FIRST, "source"), "a,b", "source", "A-Za-z"),
        ((*FIRST, "tables"), [], "tables", "at least one"),
        ((*FIRST, "parameters"), {"a": "b"}, "parameters", "nomis only"),
        ((*FIRST, "calendar"), None, "calendar", "together"),
        (("sources", 1, "data_set"), "2002", "data_set", "NM_2002_1"),
        (("sources", 1, "version"), "1.0", "version", "no version"),
        (("sources", 1, "name"), "deflators", "sources", "a name of its own"),
        (("sources", 2, "tables"), [{"table": "gdp_deflator", "value": "x"}], "tables", "once each"),
        ((*TABLE, "table"), "england", "table", "england_children"),
        ((*TABLE, "fixed"), {"measure": "stock"}, "fixed", "breakdown"),
        ((*TABLE, "fixed"), {"measure": "stocks", "breakdown": "age"}, "measure", "uasc_stock"),
        ((*TABLE, "fixed"), {"measure": "stock", "breakdown": "age", "ages": "x"}, "fixed", "once each"),
        ((*TABLE, "words", "category", "labels"), {"Under 1": "under_one"}, "category", "under_1"),
        ((*TABLE, "words", "category", "labels"), {}, "labels", "at least"),
        ((*TABLE, "value"), None, "value", "add the field"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(path, value, field, said):
    written = copy.deepcopy(tomllib.loads(EXAMPLE))
    change(written, path, value)
    with pytest.raises(InputError) as caught:
        read(written)
    details = caught.value.details
    assert details["file"] == "reports/mine.toml" and field in details["field"]
    assert said in " ".join(str(details[one]) for one in ("allowed", "next step", "found"))
