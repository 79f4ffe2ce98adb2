"""The manifest: what a run was made from, with what, when, under which licence, and if its gates passed."""

from __future__ import annotations

import csv
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cba import __version__
from cba.inputs.shipped_files import published_file
from cba.runs.fingerprints import PACKAGE, Fingerprints, library_versions
from cba.runs.whole_writing import plain

if TYPE_CHECKING:
    from cba.appraisal import Appraisal

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
    """Put together the manifest of a run; the store adds the name of the run and the hash of every file.

    Parameters
    ----------
    settings : mapping
        The analysis as plain values.
    fingerprints : Fingerprints
        As they were when the run started.
    appraisals : mapping of str to Appraisal
        By stance, the headline stance first.
    started, finished : datetime
        With time zone.

    Returns
    -------
    dict
        JSON-able: ``schema``, ``analysis``, ``settings``, ``stances``, ``seed``, ``draws``, ``started`` and
        ``finished`` (UTC), ``seconds``, ``fingerprints``, ``code`` (version, commit), ``environment``,
        ``sources``, ``licence``, ``acknowledgement``, ``gates``, ``gates_passed``,
        ``single_vintage_exceptions``, ``provenance`` (by stance).

    Examples
    --------
    >>> manifest = build_manifest(  # doctest: +SKIP
    ...     settings, fingerprints=fingerprints, appraisals=appraisals, started=started, finished=finished
    ... )
    >>> manifest["gates_passed"]  # doctest: +SKIP
    True
    """
    exceptions = [
        line
        for appraisal in appraisals.values()
        for line in appraisal.provenance.get("single_vintage_exceptions", ())
    ]
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
        "gates": gates,
        "gates_passed": all(row["passed"] for row in gates),
        "single_vintage_exceptions": list(dict.fromkeys(exceptions)),
        "provenance": {stance: appraisal.provenance for stance, appraisal in appraisals.items()},
    }
    return plain(manifest)


def utc(moment: datetime) -> str:
    """Return a moment in UTC, to the second.

    Parameters
    ----------
    moment : datetime
        With a time zone.

    Returns
    -------
    str
        ISO 8601, ending in Z.

    Examples
    --------
    >>> utc(datetime(2026, 11, 21, 9, 30, tzinfo=UTC))
    '2026-11-21T09:30:00Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def gate_rows(appraisals: Mapping[str, Appraisal]) -> list[dict[str, Any]]:
    """Return what the gates found.

    Parameters
    ----------
    appraisals : mapping of str to Appraisal
        By stance.

    Returns
    -------
    list of dict
        Convergence: one row a check and stance, as in the table. Reconciliation of the observed series, which
        the stances share: one row a check, with the number of ``years`` compared; every comparison is in
        tables/reconciliation.csv.

    Examples
    --------
    >>> gate_rows({})
    []
    """
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

    Returns
    -------
    dict
        ``version`` of the package and, in a git checkout, its ``commit`` and whether files are ``modified``.

    Examples
    --------
    >>> sorted(code_record())
    ['commit', 'modified', 'version']
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

    Returns
    -------
    dict
        ``python``, ``platform`` and the versions of the numerical ``libraries``.

    Examples
    --------
    >>> sorted(environment_record())
    ['libraries', 'platform', 'python']
    """
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "platform": f"{platform.system()} {platform.machine()}",
        "libraries": library_versions(),
    }


def data_sources() -> list[dict[str, str]]:
    """Return where the shipped tables come from.

    Returns
    -------
    list of dict
        ``source`` (code), ``title``, ``publisher``, ``licence``, ``date``, ``address``.

    Examples
    --------
    >>> data_sources()[0]["licence"]
    'Open Government Licence v3.0'
    """
    with published_file("sources.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _git(*words: str) -> str:
    """Return what git says about the checkout, or an empty text where it cannot be asked."""
    try:
        command = ["git", "-C", str(PACKAGE.parent), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
