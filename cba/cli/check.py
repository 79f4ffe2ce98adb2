"""``cba check``: validate inputs and stored runs, all that ship by default or the files given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from cba.cli.answers import AsJson, answer, describe, say
from cba.errors import GateError, InputError


@dataclass(frozen=True)
class Check:
    """One thing to check."""

    what: str
    place: str  # file, folder or name
    run: Callable[[], str]  # raises where something is wrong; returns what was found, in a few words


def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files or folders; everything that ships by default.", metavar="PATH…"),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Validate priors, options, evidence, observed series, analyses and stored runs.

    Every file is checked, whatever is wrong with the others. Exit code 2 where an input is refused, 3 where
    figures do not reconcile, 1 where a stored run is damaged.
    """
    checks = shipped_checks() if not paths else [check for path in paths for check in checks_of(path)]
    rows = [_outcome(check) for check in checks]
    codes = {row["exit_code"] for row in rows}
    code = next((code for code in (2, 3, 1) if code in codes), 0)
    return answer({"checks": rows}, as_json=as_json, say=lambda: _print(rows), exit_code=code)


def _print(rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        mark = "ok     " if row["exit_code"] == 0 else "FAILED "
        say(f"{mark}{row['what']}: {row['place']}" + (f" ({row['found']})" if row["found"] else ""))
        if row["exit_code"]:
            say("       " + row["message"].replace("\n", "\n       "))
    failed = sum(row["exit_code"] != 0 for row in rows)
    say(f"{len(rows)} checked, {failed} failed" if failed else f"{len(rows)} checked, all sound")


def shipped_checks() -> list[Check]:
    """Return the checks of everything that ships: priors, options, evidence, series and analyses."""
    from cba.inputs.files import analysis_names, options_folder, priors_folder
    from cba.inputs.prior_checks import load_plausibility
    from cba.inputs.priors import load_priors
    from cba.inputs.tables import PUBLISHED

    bounds, costs = priors_folder() / "checks", priors_folder() / "studies"
    return [
        *_folder_checks(priors_folder()),
        Check("plausibility", str(bounds), lambda: f"bounds of {len(load_plausibility())} policy outputs"),
        Check("claims", str(bounds), _claims),
        Check("study costs", str(costs), lambda: f"{len(load_priors(costs))} costs of studies"),
        *_folder_checks(options_folder()),
        Check("evidence", str(PUBLISHED), lambda: _evidence(None)),
        Check("observed series", str(PUBLISHED), lambda: _observed(PUBLISHED)),
        *(Check("analysis", name, partial(_analysis, name)) for name in analysis_names()),
    ]


def checks_of(path: Path) -> list[Check]:
    """Return the checks that a file or folder needs, by what it is.

    A file that cannot be told has one check, which fails and says what is known.
    """
    from cba.inputs.files import analysis_file

    place = str(path)
    if path.is_dir():
        return _folder_checks(path)
    if path.suffix == ".toml" and path.is_file():
        try:
            kind = _toml_kind(path)
        except InputError as error:
            return [Check("input file", place, partial(_refuse, error))]
        if kind == "prior":
            return _prior_checks(path)
        run = {"analysis": partial(_analysis, place), "claims": partial(_claims, path)}
        return [Check(kind, place, run.get(kind, partial(_options, path)))]
    if path.suffix == ".csv" and path.is_file():
        return [_table_check(path)]
    if not path.exists() and analysis_file(place) is not None:  # by its name, as `run` takes it
        return [Check("analysis", place, partial(_analysis, place))]
    return [Check("input file", place, partial(_refuse, _unknown(path)))]


def _folder_checks(path: Path) -> list[Check]:
    """Tell what a folder holds."""
    place = str(path)
    if (path / "manifest.json").is_file():
        return [Check("run", place, lambda: _run(path))]
    checks = []
    files = sorted(path.glob("*.toml"))
    if (path / "england_children.csv").is_file():
        checks.append(Check("observed series", place, lambda: _observed(path)))
    if (path / "evidence_effects.csv").is_file():
        checks.append(Check("evidence", place, lambda: _evidence(path)))
    try:
        kinds = {_toml_kind(file) for file in files}
    except InputError:  # the readers of a folder would stop at a file that cannot be parsed
        kinds = set()
    if (path / "bau.toml").is_file():
        checks += _or_each([Check("options", place, lambda: _options(path))], path, one=_option_check)
    elif kinds == {"prior"}:
        checks += _or_each(_prior_checks(path), path, one=_prior_checks)
    else:
        checks += [check for file in files for check in checks_of(file)]
    return checks or [Check("input folder", place, partial(_refuse, _unknown(path)))]


def _or_each(whole: list[Check], folder: Path, *, one: Callable[[Path], list[Check]]) -> list[Check]:
    """Return the checks of a folder as a whole; where one fails, those of each file, so that none hides another."""
    if all(_outcome(check)["exit_code"] == 0 for check in whole):
        return whole
    each = [check for file in sorted(folder.glob("*.toml")) for check in one(file)]
    alone = all(_outcome(check)["exit_code"] == 0 for check in each)
    return [*each, *whole] if alone else each  # what only the files together do wrong


def _option_check(file: Path) -> list[Check]:
    from cba.inputs.options import load_option

    return [Check("option", str(file), lambda: f"{len(load_option(file).spend)} lines of money")]


def _toml_kind(path: Path) -> str:
    """Tell an analysis, an option, the claims and a file of priors apart by their keys."""
    from cba.inputs.files import read_toml

    keys = set(read_toml(path))
    if keys & {"release", "start_year", "stances"}:
        return "analysis"
    if "programme" in keys:
        return "claims"
    return "option" if keys & {"id", "financing", "timing", "base", "spend"} else "prior"


def _table_check(path: Path) -> Check:
    """Tell a table of evidence from a published table, by its name."""
    from cba.inputs.files import file_bytes
    from cba.inputs.table_words import TABLES
    from cba.inputs.tables import read_table

    place = str(path)
    if path.stem in TABLES:
        return Check(
            "published table", place, lambda: f"{len(read_table(path.stem, folder=path.parent))} rows"
        )
    if b"study_id" in file_bytes(path).partition(b"\n")[0]:
        return Check("evidence", place, lambda: _evidence(path))
    return Check("input file", place, partial(_refuse, _unknown(path)))


def _claims(path: Path | None = None) -> str:
    """Load the claims, and hold each against its row of the published table."""
    from cba.inputs.evidence import load_claims, refuse_unpublished

    claims = load_claims(path)
    refuse_unpublished(claims)
    return f"{len(claims.each)} claims about {claims.programme}"


def _prior_checks(path: Path) -> list[Check]:
    from cba.inputs.priors import STANCES, load_priors

    def entries(stance: str) -> str:
        return f"{len(load_priors(path, stance))} entries, {stance}"

    return [Check("priors", str(path), partial(entries, stance)) for stance in STANCES]


def _options(path: Path) -> str:
    from cba.inputs.options import load_options
    from cba.inputs.priors import load_priors
    from cba.interventions.kinds import checked, own_entries

    options = load_options(None, path)
    own_entries(options, stance="evidence", known=load_priors().entries)
    own = sum(effect.own for option in options for effect in checked(option))
    return f"{len(options)} options" + (f", {own} effects of their own" if own else "")


def _evidence(path: Path | None) -> str:
    from cba.inputs.evidence import load_evidence

    evidence = load_evidence(path)
    used = int((evidence.effects["use"] == "synthesis").sum())
    return f"{len(evidence.effects)} studies, {used} in the synthesis"


def _observed(folder: Path) -> str:
    """Load and reconcile the newest release and every release that a known analysis stands in."""
    from cba.inputs.analyses import load_analysis
    from cba.inputs.completeness import in_words
    from cba.inputs.files import analysis_names
    from cba.inputs.observations import load_observations
    from cba.inputs.reconciliation import check_reconciliation
    from cba.inputs.releases.arrival_rules import refuse_lacking
    from cba.inputs.tables import PUBLISHED

    newest = load_observations(path=folder)
    check_reconciliation(newest)
    refuse_lacking(folder)
    releases = {int(newest.attrs["release"])}
    if folder == PUBLISHED:
        used = {load_analysis(name).release for name in analysis_names()}
        for release in used - releases:
            check_reconciliation(load_observations(release, folder))
        releases |= used
    said = "reconciled, release " + " and ".join(map(str, sorted(releases)))
    return "; ".join((said, *map(str.strip, in_words(newest))))


def _analysis(name: str) -> str:
    from cba.inputs.analyses import load_analysis
    from cba.runs.holds import loosened
    from cba.runs.rerun import newer_release_note

    analysis = load_analysis(name)
    try:
        said = loosened(analysis.model_dump(mode="json"))
    except InputError as error:  # names of [hold] are known to no reader of files
        raise error.changed(file=name) from None
    found = f"{len(analysis.options)} options, {len(analysis.stances)} stances, release {analysis.release}"
    return "; ".join((found, *said, *newer_release_note(name)))


def _run(path: Path) -> str:
    """Verify a stored run."""
    from cba.cli.run import refuse_damaged
    from cba.runs.reading import read_run

    record = read_run(path)
    refuse_damaged(record)
    return f"{len(record.manifest['files'])} files match their hashes"


def _outcome(check: Check) -> dict[str, Any]:
    """Run one check; an error becomes part of the answer."""
    row: dict[str, Any] = {"what": check.what, "place": check.place, "found": None}
    row |= {"error": None, "exit_code": 0}
    try:
        row["found"] = check.run()
    except (InputError, GateError, RuntimeError) as error:
        if not hasattr(error, "exit_code"):
            raise
        row |= {**describe(error), "message": str(error)}
    return row


def _refuse(error: InputError) -> str:
    raise error


def _unknown(path: Path) -> InputError:
    if not path.exists():
        return InputError(
            "the file does not exist", file=path, cause="a misspelt path", remedy="check the name and folder"
        )
    return InputError(
        "not an input this package knows",
        file=path,
        found=path.suffix or "no ending"
        if path.is_file()
        else ("a folder without known files" if path.is_dir() else "a device, a pipe or a socket"),
        allowed="a prior, option or analysis (.toml), a table (.csv), a folder of them, a run",
        cause="another kind of file, or a published table under another name",
        remedy="give a file of a known kind; `cba check` alone checks all that ship",
    )
