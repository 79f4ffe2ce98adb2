"""Days of publication: read from the calendars, and polled when they come."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from cba.inputs.data_sources import Data, DataSource
from cba.inputs.releases.http_client import Pace
from cba.inputs.releases.update import (
    Announced,
    ReleaseDay,
    announced_days,
    due,
    known_days,
    next_release_day,
    release_days,
)
from tests.inputs.fake_publishers import UUID, as_json, publishers

NOVEMBER = date(2026, 11, 19)

LATEST = {
    "id": "b8ab4d1b-6b1b-4f6b-a8d5-7c2b7b9b0a11",
    "releaseId": "0f7d7a1c-0d53-4f6c-8a3a-5d6b5c1f8f10",
    "title": "Reporting year 2025",
    "slug": "2025",
    "yearTitle": "2025",
    "coverageTitle": "Reporting year",
    "published": "2025-11-20T09:30:00Z",
    "nextReleaseDate": {"year": "2026", "month": "11", "day": "19"},
    "type": "AccreditedOfficialStatistics",
    "latestRelease": True,
    "publication": {
        "id": "89869bba-0c00-40f7-b7d6-e28cb904ad37",
        "title": "Children looked after",
        "slug": "cla",
    },
}
"""In the form of `ReleaseSummaryViewModel` of the department's open source; the identifiers are made up."""


@pytest.mark.parametrize(
    ("found", "day"),
    [
        ({"year": 2026, "month": 11, "day": 19}, NOVEMBER),
        ({"year": "2026", "month": "11", "day": "19"}, NOVEMBER),
        ({"year": 2026, "month": 11}, None),
        ({"year": 2026, "month": 13, "day": 1}, None),
        ({"year": "2026", "month": "11", "day": ""}, None),
        ({"year": "", "month": "", "day": ""}, None),
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


def at(day: date, hour: int = 10, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


SUMMER = date(2026, 6, 24)  # 09:30 in London is 08:30 in UTC


@pytest.mark.parametrize(
    ("now", "last", "expected"),
    [
        (at(NOVEMBER), None, True),
        (at(NOVEMBER), at(NOVEMBER - timedelta(days=1)), True),
        (at(NOVEMBER), at(NOVEMBER, 9, 45), False),
        (at(NOVEMBER), at(NOVEMBER, 8), True),  # looked before it was out
        (at(NOVEMBER, 9), at(NOVEMBER - timedelta(days=1)), False),  # not out yet
        (
            at(NOVEMBER + timedelta(days=1)),
            at(NOVEMBER - timedelta(days=1)),
            True,
        ),  # yesterday's poll was missed
        (at(NOVEMBER - timedelta(days=1)), at(NOVEMBER - timedelta(days=2)), False),
        (at(SUMMER, 8, 45), at(SUMMER, 8), True),
        (at(SUMMER, 9, 45), at(SUMMER, 8, 45), False),
        (
            at(date(2026, 6, 8)),
            at(date(2026, 6, 1), 10, 5),
            True,
        ),  # a week by the day: timers start a little late
        (at(date(2026, 6, 7)), at(date(2026, 6, 1)), False),
        (at(date(2026, 6, 7)), at(date(2027, 6, 1)), True),  # noted while the clock ran ahead
    ],
)
def test_polls_follow_what_was_announced_and_are_weekly_otherwise(now, last, expected):
    assert due(now, known_days=[NOVEMBER, SUMMER], last_checked=last) is expected


def test_calendars_are_asked_once_each():
    with publishers() as fake:
        fake.says("/api/publications/cla/releases/latest/summary", as_json(LATEST))
        # What other addresses answer has no day in any version of the service, or only in the newest.
        fake.says("/api/publications/cla", as_json({"title": "Children looked after", "slug": "cla"}))
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
        assert found == Announced(
            (
                ReleaseDay(NOVEMBER, "cla", "confirmed"),
                ReleaseDay(date(2026, 12, 22), "GDP deflators", "provisional"),
            )
        )
        assert sum("/publications/" in one.path for one in fake.asked) == 1
        assert fake.asked[-1].query["filter_release_timestamp"] == "from:2026-11-01"
        later = release_days(Data(sources=tuple(sources)), today=date(2027, 1, 1), pace=pace)
        assert later == Announced((), ("cla", "gdp deflators"))
