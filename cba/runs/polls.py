"""When the sources of an analysis were last asked for news, and that one re-run asks at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from cba.runs.analysis_lock import locked
from cba.runs.file_locks import holding
from cba.runs.whole_writing import store_errors, to_json, write_whole

_FILE = ".last_poll"


@dataclass(frozen=True)
class Poll:
    """A poll of the sources.

    Attributes
    ----------
    at : datetime or None
        In UTC; None where there never was one.
    days : tuple of date
        Days of publication announced at that time.
    pending : bool
        Whether the re-run that polled has not come to its end: it is under way, or it failed.

    Examples
    --------
    >>> Poll().days
    ()
    """

    at: datetime | None = None
    days: tuple[date, ...] = ()
    pending: bool = False


def last_poll(folder: Path) -> Poll:
    """Return when an analysis was last polled, and the days announced then.

    Parameters
    ----------
    folder : Path
        ``<root>/<analysis>``.

    Returns
    -------
    Poll
        Empty where it never was, or the note cannot be read: a poll is then due.

    Examples
    --------
    >>> last_poll(Path("nowhere"))
    Poll(at=None, days=(), pending=False)
    """
    try:
        noted = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        days = tuple(date.fromisoformat(day) for day in noted["days"])
        moment = datetime.fromisoformat(noted["at"]).astimezone(UTC)
        return Poll(moment, days, pending=bool(noted.get("pending", False)))
    except (OSError, ValueError, KeyError, TypeError):
        return Poll()


def note_poll(folder: Path, poll: Poll) -> None:
    """Note that an analysis was polled.

    Parameters
    ----------
    folder : Path
        ``<root>/<analysis>``.
    poll : Poll
        With a moment.

    Raises
    ------
    StoreError
        If it cannot be written, or another run holds the lock of the analysis for over two minutes.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     note_poll(Path(folder), Poll(datetime(2026, 11, 21, tzinfo=UTC), (date(2026, 11, 26),)))
    ...     last_poll(Path(folder)).days
    (datetime.date(2026, 11, 26),)
    """
    at = "" if poll.at is None else poll.at.astimezone(UTC).isoformat(timespec="seconds")
    days = [day.isoformat() for day in poll.days]
    with locked(folder), store_errors("the poll could not be noted", file=folder / _FILE):
        write_whole(folder / _FILE, to_json({"at": at, "days": days, "pending": poll.pending}))


@contextmanager
def alone(folder: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Be the only re-run of an analysis, or leave.

    Parameters
    ----------
    folder : Path
        ``<root>/<analysis>``, made if it is missing.
    wait : float, seconds

    Yields
    ------
    None

    Raises
    ------
    StoreError
        If another re-run has the lock for longer than `wait`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as root, alone(Path(root) / "latest"):
    ...     [place.name for place in (Path(root) / "latest").iterdir()]
    ['.rerun.lock']
    """
    with holding(
        folder / ".rerun.lock",
        wait=wait,
        what="the folder of the analysis",
        busy="another re-run of this analysis is under way; nothing was done",
        cause="two schedules, or a person beside the schedule",
        remedy="leave it to the other one, or wait for it with --wait SECONDS",
    ):
        yield
