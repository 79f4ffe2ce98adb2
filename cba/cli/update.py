"""``cba update``: take in a new release, from downloaded files or from the configured sources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import AsJson, Debug, answer_json

if TYPE_CHECKING:
    from cba.inputs.releases.update import UpdateOutcome

HELD = 4
"""Exit code where a person must decide."""


def update(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SPEC] [FILE]...",
            help="An analysis, whose [data] table is used; after --from, more files.",
            show_default="latest",
        ),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="FILE...", help="Downloaded files, in place of the network."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of snapshots, in place of the analysis's own.", metavar="DIR"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and store nothing.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Take in what is new and keep it as a snapshot; exit 4 where a person must decide, 5 without an answer.

    Parameters
    ----------
    words : list of str, optional
        Name or file of an analysis, and after ``--from`` further files.
    files : list of Path, optional
        Downloaded files; without them the analysis's sources are asked.
    store : Path, optional
        Folder of snapshots.
    dry_run : bool
        Store nothing.
    as_json : bool
        Answer in JSON.
    debug : bool
        Show tracebacks.

    Examples
    --------
    >>> update(["latest"], files=[Path("england_2025.csv")])  # doctest: +SKIP
    """
    from cba.inputs.analyses import load_data
    from cba.inputs.releases.update import update_from_data, update_from_files

    spec, named = split_words(words or [], files=files or [])
    data = load_data(spec)
    place = Path(data.store) if store is None else store
    if named:
        outcome = update_from_files(named, store=place, sources=data.sources, dry_run=dry_run)
    else:
        outcome = update_from_data(data, store=place, dry_run=dry_run)
    code = HELD if outcome.held_reason else 0
    if as_json:
        answer_json(as_answer(outcome, store=place, dry_run=dry_run) | {"exit_code": code})
    else:
        _say(outcome, dry_run=dry_run)
    if code:
        raise typer.Exit(code)


def split_words(words: list[str], *, files: list[Path]) -> tuple[str, list[Path]]:
    """Tell the analysis from the files: after ``--from`` a shell's pattern puts files among the words.

    Parameters
    ----------
    words : list of str
    files : list of Path
        What stood behind ``--from``.

    Returns
    -------
    tuple of str and list of Path
        The analysis (``latest`` where none is named) and the files.

    Raises
    ------
    InputError
        If there is more than one analysis, or a file without ``--from``.

    Examples
    --------
    >>> split_words(["b.csv"], files=[Path("a.csv")])
    ('latest', [PosixPath('a.csv'), PosixPath('b.csv')])
    """
    from cba.errors import InputError

    named = [word for word in words if word.lower().endswith(".csv")]
    specs = [word for word in words if word not in named]
    if (named and not files) or len(specs) > 1:
        raise InputError(
            "a word that is neither an analysis nor a file after --from",
            field="SPEC",
            found=" ".join(named if named and not files else specs[1:]),
            allowed="cba update [SPEC] [--from FILE...]",
            cause="--from left out, or a file that does not end in .csv",
            remedy="put --from before the files",
        )
    return (specs[0] if specs else "latest"), [*files, *map(Path, named)]


def as_answer(outcome: UpdateOutcome, *, store: Path, dry_run: bool) -> dict[str, Any]:
    """Return an outcome as plain values.

    Parameters
    ----------
    outcome : UpdateOutcome
    store : Path
    dry_run : bool

    Returns
    -------
    dict
        ``changed``, ``snapshot``, ``path``, ``store``, ``dry_run``, ``summary``, ``changes`` (by table: new
        releases, rows, revised figures) and ``held_reason``.

    Examples
    --------
    >>> from cba.inputs.releases.update import UpdateOutcome
    >>> as_answer(UpdateOutcome(None, False, ("nothing new",)), store=Path("x"), dry_run=False)["changed"]
    False
    """
    snapshot = outcome.snapshot
    return {
        "changed": outcome.changed,
        "snapshot": None if snapshot is None else snapshot.identifier,
        "path": None if snapshot is None else snapshot.folder,
        "store": store,
        "dry_run": dry_run,
        "summary": list(outcome.summary),
        "changes": [change.as_plain() for change in outcome.changes],
        "held_reason": outcome.held_reason,
    }


def _say(outcome: UpdateOutcome, *, dry_run: bool) -> None:
    for sentence in outcome.summary:
        typer.echo(sentence)
    if outcome.held_reason:
        typer.echo(outcome.held_reason)
    elif outcome.changed and dry_run:
        typer.echo("Nothing was stored: --dry-run.")
    elif outcome.changed and outcome.snapshot is not None:
        typer.echo(f"Snapshot {outcome.snapshot.identifier[:12]}: {outcome.snapshot.folder}")
        typer.echo('An analysis reads it with snapshot = "current" under [data].')
