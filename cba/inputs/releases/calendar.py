"""Days on which releases are announced, and whether a check is due: on announced days, weekly otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from cba.inputs.releases.http_client import Pace
from cba.inputs.releases.publishers import get_json

if TYPE_CHECKING:
    from cba.inputs.data_sources import Data

State = Literal["provisional", "confirmed", "cancelled"]
LONGEST_GAP = timedelta(days=7)
"""Without an announced day a check is due after a week."""

ANNOUNCEMENTS = "/api/search.json"
_LONDON = ZoneInfo("Europe/London")


@dataclass(frozen=True, order=True)
class ReleaseDay:
    """A day on which something is announced to be published."""

    day: date
    title: str
    state: State


def next_release_day(publication: Mapping[str, Any]) -> date | None:
    """Return the day of a publication's next release.

    None where no day is announced: none, or only the month.
    """
    # `publication`: as the content API of Explore Education Statistics describes it: ``nextReleaseDate`` is
    # ``{year, month, day}``, of which month and day may be missing, or null.
    found = publication.get("nextReleaseDate")
    if not isinstance(found, Mapping):
        return None
    try:
        return date(int(found["year"]), int(found["month"]), int(found["day"]))
    except (KeyError, TypeError, ValueError):
        return None


def announced_days(answer: Mapping[str, Any]) -> tuple[ReleaseDay, ...]:
    """Return the days that GOV.UK's announcements of statistics name.

    Sorted; cancelled ones too, so that they can be told apart. `answer`: of the search API: ``results`` with
    ``title``, ``release_timestamp`` and ``statistics_announcement_state``.
    """
    # What has no readable time is left out.
    days = []
    for one in answer.get("results", []):
        state = str(one.get("statistics_announcement_state") or one.get("state") or "provisional")
        try:
            moment = datetime.fromisoformat(str(one.get("release_timestamp") or one.get("display_date")))
        except ValueError:
            continue
        if state in ("provisional", "confirmed", "cancelled"):
            day = (moment.astimezone(_LONDON) if moment.tzinfo else moment).date()
            days.append(ReleaseDay(day, str(one.get("title", "")), state))  # type: ignore[arg-type]
    return tuple(sorted(days))


def known_days(days: Iterable[ReleaseDay]) -> tuple[date, ...]:
    """Return the days that still stand. Without the cancelled ones, each once, sorted."""
    return tuple(sorted({one.day for one in days if one.state != "cancelled"}))


def release_days(data: Data, *, today: date, pace: Pace | None = None) -> tuple[ReleaseDay, ...]:
    """Ask the publishers when the next releases of the configured sources are due.

    Empty where no source names its publication. `data`: the ``[data]`` table of an analysis.
    """
    pace = pace or Pace()
    found: set[ReleaseDay] = set()
    for source in {(one.calendar_url, one.publication): one for one in data.sources}.values():
        url, publication = source.calendar_url, source.publication
        if publication is None or url is None:
            continue
        if source.calendar == "gov_uk":
            parameters = {
                "filter_format": "statistics_announcement",
                "filter_release_timestamp": f"from:{today.isoformat()}",
                "q": publication,
                "fields": "title,link,release_timestamp,statistics_announcement_state",
            }
            found |= set(announced_days(get_json(source, url + ANNOUNCEMENTS, pace=pace, **parameters)))
            continue
        described = get_json(source, f"{url}/publications/{publication}", pace=pace)
        day = next_release_day(described)
        if day is not None:
            found.add(ReleaseDay(day, str(described.get("title", publication)), "confirmed"))
    return tuple(sorted(one for one in found if one.day >= today))


def due(today: date, *, known_days: Iterable[date], last_checked: date | None) -> bool:
    """Return whether the sources should be asked today.

    True where nothing was ever checked, an announced day has come since the last check, or a week has passed.
    """
    if last_checked is None or today - last_checked >= LONGEST_GAP:
        return True
    return any(last_checked < day <= today for day in known_days)
