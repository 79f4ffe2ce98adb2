"""The manifest: what a run was made from, with what, when, under which licence, and if its gates passed."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba import __version__
from cba.errors import InputError
from cba.inputs.files import published_file, readable_text, records_of
from cba.inputs.programs import run_program
from cba.inputs.safe_files import json_text
from cba.runs.fingerprints import PACKAGE, Fingerprints, library_versions
from cba.runs.whole_files import plain, store_errors, to_json

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal


# --- Who started a run, and what a re-run leaves for machines: lines of JSON in a log, and a command … ---


STANDARD_ERROR = "-"


_HOOK_SECONDS = 60.0


def json_log(file: str | Path | None, **always: Any) -> Callable[..., None]:
    """Return a function that writes one line of JSON for each event.

    ``log(event, **facts)``; each line has ``at`` (UTC), ``event`` and the facts. `file`: appended to, its
    folder made if it is missing; ``-`` is standard error; None writes nothing.
    """

    def log(event: str, **facts: Any) -> None:
        if file is None:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json_text(plain({"at": at, "event": event, **always, **facts})) + "\n"
        if str(file) == STANDARD_ERROR:
            sys.stderr.write(line)
            return
        with store_errors("the log could not be written", file=file):
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            with Path(file).open("a", encoding="utf-8") as opened:
                opened.write(line)

    return log


def tell_hook(words: list[str], summary: Mapping[str, Any], *, seconds: float = _HOOK_SECONDS) -> str:
    """Start a command and give it a summary as JSON on its standard input.

    What went wrong, in a few words; empty where the command ended with code 0. Whatever it left running is ended.
    """
    if not words:
        raise InputError(
            "the hook names no command",
            field="--hook",
            found="nothing",
            allowed="a command and its arguments",
            cause="an empty text",
            remedy="name a command, or leave --hook out",
        )
    try:
        ended = run_program(words, seconds=seconds, given=to_json(dict(summary)))
    except OSError as error:
        return f"it could not be started ({error.strerror or error})"
    if ended.code is None:
        return f"it took longer than {seconds:.0f} seconds and was ended"
    said = ended.errors.strip().splitlines()
    return (
        ""
        if ended.code == 0
        else f"it ended with code {ended.code}" + (f" ({said[-1][:200]})" if said else "")
    )


def person(given: str | None = None) -> str:
    """Return who runs this: the name given, else the user of the machine.

    Empty where the machine does not say. `given`: as typed with ``--by``.
    """
    if given and given.strip():
        return readable_text(given.strip(), field="--by")
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return os.environ.get("USER", "")


ACKNOWLEDGEMENT = (
    "Contains public sector information licensed under the Open Government Licence v3.0"
    " (https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/)."
)
"""The line the data licence asks for."""


_GIT_SECONDS = 10.0


def build_manifest(
    settings: Mapping[str, Any],
    *,
    fingerprints: Fingerprints,
    appraisals: Mapping[str, Appraisal],
    started: datetime,
    finished: datetime,
) -> dict[str, Any]:
    """Put together the manifest of a run; the store adds the name of the run and the hash of every file."""
    # Returned: JSON-able: ``schema``, ``analysis``, ``settings``, ``stances``, ``seed``, ``draws``,
    # ``started`` and ``finished`` (UTC), ``seconds``, ``fingerprints``, ``code`` (version, commit),
    # ``environment``, ``sources``, ``licence``, ``acknowledgement``, ``stale``, ``gates``, ``gates_passed``,
    # ``single_vintage_exceptions``, ``provenance`` (by stance).
    exceptions, carried = (
        list(dict.fromkeys(chain.from_iterable(a.provenance.get(name, ()) for a in appraisals.values())))
        for name in ("single_vintage_exceptions", "carried_forward")
    )
    gates = gate_rows(appraisals)
    manifest = {
        "schema": 1,
        "analysis": settings["name"],
        "title": settings.get("title"),
        "settings": dict(settings),
        "stances": list(appraisals),
        "headline_stance": next(iter(appraisals)),
        "options": list(settings["options"]),
        "seed": settings["seed"],
        "draws": settings["draws"],
        "started": utc(started),
        "started_exactly": started.astimezone(UTC).isoformat(timespec="microseconds"),
        "finished": utc(finished),
        "seconds": round((finished - started).total_seconds(), 1),
        "fingerprints": fingerprints.record(),
        "code": code_record(),
        "environment": environment_record(),
        "sources": data_sources(),
        "licence": "Open Government Licence v3.0 (data); MIT (code)",
        "acknowledgement": ACKNOWLEDGEMENT,
        "stale": stale_inputs(settings, on=finished.date()) + carried,
        "gates": gates,
        "gates_passed": all(row["passed"] for row in gates),
        "single_vintage_exceptions": exceptions,
        "provenance": {stance: appraisal.provenance for stance, appraisal in appraisals.items()},
    }
    return plain(manifest)


def stale_inputs(settings: Mapping[str, Any], *, on: date) -> list[str]:
    """What was out of date on the day of a run, in words; nothing where an analysis looks back on purpose."""
    # Looked-after children are published each November, the deflator of a financial year by the end of the June
    # after it. The words hold from the day they become true, so that they change on no other day.
    start, release, base = (int(settings[name]) for name in ("start_year", "release", "price_base"))
    said = (
        (date(start - 1, 4, 1), f"the first programme year began on 1 April {start - 1}, before this run"),
        (
            date(release + 1, 12, 1),
            f"data: release {release}; a later one is due since November {release + 1}",
        ),
        (
            date(base + 1, 7, 1),
            f"prices: year to March {base}; a later deflator is out since July {base + 1}",
        ),
    )
    return [words for day, words in said if day <= on and settings.get("frame") != "review_2022"]


def utc(moment: datetime) -> str:
    """Return a moment in UTC, to the second. ISO 8601, ending in Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def gate_rows(appraisals: Mapping[str, Appraisal]) -> list[dict[str, Any]]:
    """Return what the gates found. Convergence: one row a check and stance, as in the table."""
    # Reconciliation of the observed series, which the stances share: one row a check, with the number of
    # ``years`` compared; every comparison is in tables/reconciliation.csv.
    rows: list[dict[str, Any]] = []
    for stance, appraisal in appraisals.items():
        table = appraisal.tables.get("convergence")
        if table is not None:
            rows += [{"gate": "convergence", "stance": stance, **row} for row in table.to_dict("records")]
    shared = next(
        (a.tables["reconciliation"] for a in appraisals.values() if "reconciliation" in a.tables), None
    )
    if shared is not None:
        for check, group in shared.groupby("check", sort=False):
            passed = bool(group["passed"].all())
            rows.append({"gate": "reconciliation", "check": check, "years": len(group), "passed": passed})
    return plain(rows)


def code_record() -> dict[str, Any]:
    """Return which code ran.

    ``version`` of the package and, in a git checkout, its ``commit`` and whether files are ``modified``.
    """
    record: dict[str, Any] = {"version": __version__, "commit": None, "modified": None}
    if (PACKAGE.parent / ".git").exists():
        commit = _git("rev-parse", "--verify", "HEAD")
        if commit:
            record["commit"] = commit
            record["modified"] = bool(_git("status", "--porcelain", "--", "cba", "priors"))
    return record


def environment_record() -> dict[str, Any]:
    """Return what the run was computed with.

    ``python``, ``platform`` and the versions of the numerical ``libraries``.
    """
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "platform": f"{platform.system()} {platform.machine()}",
        "libraries": library_versions(),
    }


def data_sources() -> list[dict[str, str]]:
    """Return where the shipped tables come from.

    ``source`` (code), ``title``, ``publisher``, ``licence``, ``date``, ``address``.
    """
    return records_of(published_file("sources.csv"))


def _git(*words: str) -> str:
    """Return what git says about the checkout, or an empty text where it cannot be asked."""
    try:
        ended = run_program(["git", "-C", str(PACKAGE.parent), *words], seconds=_GIT_SECONDS)
    except OSError:
        return ""
    return ended.output.strip() if ended.code == 0 else ""
