"""``cba runs``: the stored runs, which one readers see, and whether their files are sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import REPORTS, AsJson, Debug, Root, answer_json, terminal

if TYPE_CHECKING:
    from cba.runs.stored_runs import RunRecord


def runs(
    root: Root = REPORTS,
    verify: Annotated[bool, typer.Option("--verify", help="Compare every file with its hash.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """List the stored runs, oldest first.

    Parameters
    ----------
    root : Path
        Folder of the reports.
    verify : bool
        Compare every file of every run with the hash in its manifest; exit code 1 where one is damaged.
    as_json : bool
        Answer in JSON.
    debug : bool
        Show tracebacks.

    Returns
    -------
    int
        Exit code.

    Examples
    --------
    >>> from pathlib import Path
    >>> runs(Path("no such folder"))
    No run is stored in no such folder: make one with `cba run latest`.
    0
    """
    from cba.runs.stored_runs import list_runs

    rows = [_row(record, verify=verify) for record in list_runs(root)]
    code = int(any(row["damage"] for row in rows))
    if as_json:
        answer_json({"root": root, "runs": rows, "exit_code": code})
    elif not rows:
        typer.echo(f"No run is stored in {root}: make one with `cba run latest`.")
    else:
        _print(rows)
    return code


def _row(record: RunRecord, *, verify: bool) -> dict[str, Any]:
    """Return one run as plain values; `damage` lists what is wrong with its files."""
    from cba.runs.stored_runs import verify_run

    damage = [f"manifest.json: {record.damage}"] if record.damage else []
    if verify and not damage:
        damage = verify_run(record.path)
    manifest = record.manifest
    return {
        "analysis": record.analysis,
        "run": record.name,
        "path": record.path,
        "published": record.published,
        "finished": manifest.get("finished"),
        "seconds": manifest.get("seconds"),
        "stances": manifest.get("stances"),
        "draws": manifest.get("draws"),
        "version": manifest.get("code", {}).get("version"),
        "commit": manifest.get("code", {}).get("commit"),
        "damage": damage,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table()
    for column in ("Analysis", "Run (UTC)", "Published", "Stances", "Draws", "Version", "Files"):
        table.add_column(column, no_wrap=column in ("Analysis", "Run (UTC)"))
    for row in rows:
        stances = ", ".join(row["stances"] or ())
        table.add_row(
            row["analysis"],
            row["run"],
            "yes" if row["published"] else "",
            stances,
            str(row["draws"] or ""),
            row["version"] or "",
            "\n".join(row["damage"]) or "sound",
        )
    terminal().print(table)
