"""Days of publication: read from the calendars, and polled when they come."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from cba.inputs.data_sources import Data, DataSource
from cba.inputs.releases.http_client import Pace
from cba.inputs.releases.update import (
    ReleaseDay,
    announced_days,
    due,
    known_days,
    next_release_day,
    release_days,
)
from tests.inputs.fake_publishers import UUID, as_json, publishers

NOVEMBER = date(2026, 11, 19)


@pytest.mark.parametrize(
    ("found", "day"),
    [
        ({"year": 2026, "month": 11, "day": 19}, NOVEMBER),
        ({"year": "2026", "month": "11", "day": "19"}, NOVEMBER),
        ({"year": 2026, "month": 11}, None),
        ({"year": 2026, "month": 13, "day": 1}, None),
        ({"year": 2026, "month": 11, "day": ""}, None),
        (None, None),
    ],
)
def test_the_next_day_of_a_publication(found, day):
    assert next_release_day({"nextReleaseDate": found}) == day


def test_announcements_keep_their_state_and_london_time():
    answer = {
        "results": [
            {"title": "b", "release_timestamp": "2026-07-01T23:30Z", "statistics_announcement_state": "confirmed"},
            {"title": "a", "release_timestamp": "2026-11-19T09:30:00Z", "statistics_announcement_state": "cancelled"},
            {"title": "c", "release_timestamp": "autumn", "statistics_announcement_state": "provisional"},
            {"title": "d", "release_timestamp": "2026-12-03T09:30:00Z", "statistics_announcement_state": "provisional"},
        ]
    }  # fmt: skip
    found = announced_days(answer)
    assert [(one.title, one.day, one.state) for one in found] == [
        ("b", date(2026, 7, 2), "confirmed"),  # half past eleven in UTC is past midnight in July
        ("a", NOVEMBER, "cancelled"),
        ("d", date(2026, 12, 3), "provisional"),
    ]
    assert known_days(found) == (date(2026, 7, 2), date(2026, 12, 3))


@pytest.mark.parametrize(
    ("today", "last", "expected"),
    [
        (NOVEMBER, None, True),
        (NOVEMBER, NOVEMBER - timedelta(days=1), True),
        (NOVEMBER, NOVEMBER, False),
        (NOVEMBER + timedelta(days=1), NOVEMBER - timedelta(days=1), True),  # yesterday's poll was missed
        (NOVEMBER - timedelta(days=1), NOVEMBER - timedelta(days=2), False),
        (date(2026, 6, 8), date(2026, 6, 1), True),
        (date(2026, 6, 7), date(2026, 6, 1), False),
    ],
)
def test_polls_fall_on_announced_days_and_weekly_otherwise(today, last, expected):
    assert due(today, known_days=[NOVEMBER], last_checked=last) is expected


def test_calendars_are_asked_once_each():
    with publishers() as fake:
        publication = {
            "title": "Children looked after",
            "nextReleaseDate": {"year": 2026, "month": 11, "day": 19},
        }
        fake.says("/api/publications/cla", as_json(publication))
        result = {"title": "GDP deflators", "release_timestamp": "2026-12-22T09:30:00Z",
                  "statistics_announcement_state": "provisional"}  # fmt: skip
        fake.says("/api/search.json", as_json({"results": [result]}))
        table = {
            "table": "care_duration",
            "value": "days",
            "fixed": {"measure": "mean_days_final_period_of_care"},
        }
        ees = {
            "kind": "ees_csv", "base_url": fake.url, "data_set": UUID, "source": "E", "tables": [table],
            "publication": "cla", "calendar": "ees", "calendar_url": f"{fake.url}/api",
        }  # fmt: skip
        hmt = {
            "name": "deflators", "kind": "hmt_deflator", "base_url": fake.url, "data_set": "x", "source": "H",
            "publication": "gdp deflators", "calendar": "gov_uk", "calendar_url": fake.url,
        }  # fmt: skip
        sources = [DataSource.model_validate(one) for one in (ees | {"name": "a"}, ees | {"name": "b"}, hmt)]
        pace = Pace(attempts=1, sleep=lambda _: None)
        found = release_days(Data(sources=tuple(sources)), today=date(2026, 11, 1), pace=pace)
        assert found == (
            ReleaseDay(NOVEMBER, "Children looked after", "confirmed"),
            ReleaseDay(date(2026, 12, 22), "GDP deflators", "provisional"),
        )
        assert fake.times("/api/publications/cla") == 1
        assert fake.asked[-1].query["filter_release_timestamp"] == "from:2026-11-01"
        assert release_days(Data(sources=tuple(sources)), today=date(2027, 1, 1), pace=pace) == ()
